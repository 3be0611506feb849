//! What checking and linking for macOS on Linux have in common: a Rust with a standard library for macOS. Where the toolchain at
//! hand has one, or rustup gives it one, it is that; elsewhere, as with the Rust of a distribution, Debian unstable's does it.
//!
//! ```text
//! ~/.cache/venus-toolkit/macos/
//!     zig-.../           Zig, for its linker
//!     toolchain-.../     the root with Debian's rustc, cargo, clippy and the sources of the standard library
//!     vendor-.../        crates of the workspace and of the standard library; hash of the lock file and the toolchain
//!     target-.../        what was built with that toolchain
//!     check.lock         held by whoever uses these
//! ```
//!
//! | file | what |
//! |---|---|
//! | `root` | Debian's Rust |
//! | `linker` | a linker for macOS that runs on Linux |
//! | `load_commands` | looking into what was linked |

pub(crate) mod linker;
pub(crate) mod load_commands;
mod root;

use anyhow::{Context as _, Result, ensure};
use linker::Linker;
use root::Root;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;
use testbed::cargo::{cargo, ensure_standard_library};
use testbed::process::Running;
use testbed::progress::Step;
use testbed::provision::cache_folder;
use testbed::workspace;

/// Every Mac that a Venus host makes sense on.
pub(crate) const TARGET: &str = "aarch64-apple-darwin";
/// Where the toolchain at hand builds, below the workspace: a folder of its own, so that nobody waits for it.
const FOLDER: &str = "target/macos";
/// Longest download of crates.
const FETCH_LIMIT: Duration = Duration::from_secs(600);

/// A toolchain for macOS, and nobody else using what is kept for it.
#[derive(Debug)]
pub(crate) struct Toolchain {
    folder: PathBuf,
    /// `None` for the one at hand.
    root: Option<Root>,
    _lock: File,
}

/// What cargo is to do.
#[derive(Debug)]
pub(crate) struct Job<'a> {
    /// In a word: `checking`.
    pub(crate) doing: &'a str,
    /// What cargo is told.
    pub(crate) verb: &'a [&'a str],
    /// What it passes on, with `--` before.
    pub(crate) last: &'a [&'a str],
    /// The flag for the crates of the standard library that are needed, where that has to be built.
    pub(crate) standard_library: &'a str,
    /// What it links with, if it does.
    pub(crate) linker: Option<&'a Linker>,
    /// How long it may take from nothing.
    pub(crate) limit: Duration,
    /// What it means if cargo fails.
    pub(crate) failure: &'a str,
}

impl Job<'_> {
    /// The environment, where cargo builds in the folder `target`.
    fn environment(&self, target: &str) -> Vec<(&'static str, String)> {
        // Nobody debugs what never runs; and debug information for macOS takes a program of Apple's to collect.
        let mut environment =
            ["CARGO_PROFILE_DEV_DEBUG", "CARGO_PROFILE_RELEASE_DEBUG"].map(|name| (name, "0".to_owned())).to_vec();
        if let Some(linker) = self.linker {
            let caches = ["ZIG_GLOBAL_CACHE_DIR", "ZIG_LOCAL_CACHE_DIR"].map(|name| (name, format!("{target}/zig")));
            environment.extend(caches);
            environment.push(("CARGO_TARGET_AARCH64_APPLE_DARWIN_LINKER", linker.program()));
            // Zig's linker wants no SDK, for which rustc would look.
            environment.push(("SDKROOT", linker.seen().to_owned()));
            environment.push(("CARGO_PROFILE_RELEASE_STRIP", "none".to_owned()));
        }
        environment
    }
}

impl Toolchain {
    /// Finds one, or makes it: Debian's if that is wanted, or there is no other.
    pub(crate) fn ensure(debian: bool) -> Result<Self> {
        let folder = cache_folder("macos")?;
        let lock = hold(&folder.join("check.lock"))?;
        let root = if !debian && ensure_standard_library(TARGET)? { None } else { Some(Root::ensure(&folder)?) };
        Ok(Self { folder, root, _lock: lock })
    }

    /// Does it, and returns the folder where cargo puts what it builds for macOS.
    pub(crate) fn run(&self, job: &Job<'_>) -> Result<PathBuf> {
        if let Some(root) = &self.root {
            return root.run(job);
        }
        let target = workspace().join(FOLDER);
        let mut command = Command::new(cargo());
        command.current_dir(workspace()).args(job.verb).args(["--target", TARGET, "--target-dir"]).arg(&target);
        let status = command.args(job.last).envs(job.environment(&target.to_string_lossy())).status();
        let status = status.with_context(|| format!("starting cargo {}", job.verb.join(" ")))?;
        ensure!(status.success(), "{} ({status})", job.failure);
        Ok(target.join(TARGET))
    }
}

/// Runs a command that downloads something.
fn fetch(command: &mut Command, each: impl FnMut(&str) + Send + 'static, what: &str) -> Result<()> {
    Running::watch(command, FETCH_LIMIT, each)?.finish()?.expect_success(what)?;
    Ok(())
}

/// Waits until nobody else uses the folders: they are shared, and some are removed.
fn hold(path: &Path) -> Result<File> {
    let file = File::options().create(true).truncate(false).write(true).open(path);
    let file = file.with_context(|| format!("opening {}", path.display()))?;
    if file.try_lock().is_err() {
        let step = Step::start("waiting for another run to end");
        file.lock().context("waiting for a lock")?;
        step.done("");
    }
    Ok(file)
}

/// Removes what an earlier toolchain or lock file left: folders whose names begin with `prefix`, other than `current`.
fn prune(folder: &Path, prefix: &str, current: &Path) -> Result<()> {
    for entry in std::fs::read_dir(folder).with_context(|| format!("listing {}", folder.display()))? {
        let entry = entry?;
        if entry.file_name().to_string_lossy().starts_with(prefix) && entry.path() != current {
            remove(&entry.path())?;
        }
    }
    Ok(())
}

fn remove(folder: &Path) -> Result<()> {
    match std::fs::remove_dir_all(folder) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("removing {}", folder.display()))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_out_of_date_is_removed() {
        let folder = tempfile::tempdir().unwrap();
        let [old, current, other] = ["vendor-1", "vendor-2", "target-1"].map(|name| folder.path().join(name));
        for made in [&old, &current, &other] {
            std::fs::create_dir(made).unwrap();
        }
        prune(folder.path(), "vendor-", &current).unwrap();
        assert!(!old.exists() && current.exists() && other.exists());
    }
}
