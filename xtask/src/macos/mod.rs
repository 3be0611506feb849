//! What checking and linking for macOS on Linux have in common: Debian unstable's Rust in a root of its own, and the crates
//! that it needs, among them those of the standard library, which Debian packages as sources only.
//!
//! ```text
//! ~/.cache/venus-toolkit/macos/
//!     toolchain-.../     the root with rustc, cargo, clippy and the sources of the standard library
//!     vendor-.../        crates of the workspace and of the standard library; hash of the lock file and the toolchain
//!     target-.../        what was built with that toolchain
//!     zig-.../           Zig, for its linker
//!     check.lock         held by whoever uses these
//! ```
//!
//! The root has no network: this machine's own cargo fetches the crates, from the registry that it is configured for.
//!
//! | file | what |
//! |---|---|
//! | `linker` | a linker for macOS that runs on Linux |
//! | `load_commands` | looking into what was linked |

pub(crate) mod linker;
pub(crate) mod load_commands;

use anyhow::{Context as _, Result};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;
use testbed::cargo::cargo;
use testbed::process::{Running, tethered};
use testbed::progress::Step;
use testbed::provision::{cache_folder, roots, short_hash};
use testbed::sandbox::{GuestRun, Vulkan};
use testbed::workspace;

/// Every Mac that a Venus host makes sense on.
pub(crate) const TARGET: &str = "aarch64-apple-darwin";
/// Sources of the standard library, inside the root.
const STANDARD_SOURCES: &str = "usr/lib/rustlib/src/rust/library";
/// Longest download of crates.
pub(crate) const FETCH_LIMIT: Duration = Duration::from_secs(600);

/// A toolchain that can build the standard library for macOS, and all crates that the workspace takes.
#[derive(Debug)]
pub(crate) struct Toolchain {
    root: roots::GuestRoot,
    folder: PathBuf,
    vendored: PathBuf,
    target: PathBuf,
    _lock: File,
}

impl Toolchain {
    /// Finds all of it in the cache, or makes it, and keeps others from using it.
    pub(crate) fn ensure() -> Result<Self> {
        let toolchain = roots::ensure_toolchain()?;
        let root = toolchain.guest().root();
        let folder = cache_folder("macos")?;
        let lock = hold(&folder.join("check.lock"))?;
        let made = root.file_name().context("the toolchain root has no name")?.to_string_lossy().into_owned();
        let vendored = vendor(&folder, root, &made)?;
        let target = folder.join(made.replacen("toolchain", "target", 1));
        std::fs::create_dir_all(&target).with_context(|| format!("making {}", target.display()))?;
        prune(&folder, "target-", &target)?;
        Ok(Self { root: toolchain, folder, vendored, target, _lock: lock })
    }

    /// Where such things are kept.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// What cargo has built for macOS.
    pub(crate) fn target(&self) -> PathBuf {
        self.target.join(TARGET)
    }

    /// The version of its Rust.
    pub(crate) fn version(&self) -> String {
        self.root.guest().upstream_version("rustc").unwrap_or_default()
    }

    /// Prepares a run of its cargo on the workspace, for macOS, with a standard library of its own making.
    pub(crate) fn cargo(&self, verb: &[&str], standard_library: &str) -> GuestRun<'_> {
        // Cargo tells sources apart by their paths, so each copy of the workspace needs one of its own.
        let name = format!("workspace-{}", short_hash(workspace().as_os_str().as_encoded_bytes()));
        self.root
            .guest()
            .command("env", Vulkan::Any)
            .args([&format!("--chdir=/run/{name}"), "cargo"])
            .args(verb.iter().copied())
            .args(["--offline", standard_library, "--target", TARGET])
            .args(["--config", "source.crates-io.replace-with='vendor'"])
            .args(["--config", "source.vendor.directory='/run/vendor'"])
            .env("CARGO_HOME", "/tmp/cargo")
            .env("CARGO_TARGET_DIR", "/run/target")
            // Building the standard library is not stable: its flags may change with the toolchain, which our code does
            // not.
            .env("RUSTC_BOOTSTRAP", "1")
            .bind(&name, workspace())
            .bind("vendor", &self.vendored)
            .bind("target", &self.target)
    }
}

/// The part of cargo's words that says what it is busy with.
pub(crate) fn progress(line: &str) -> Option<&str> {
    const VERBS: [&str; 5] = ["Checking ", "Compiling ", "Downloading ", "Downloaded ", "Vendoring "];
    let line = line.trim_start();
    VERBS.iter().any(|verb| line.starts_with(verb)).then_some(line)
}

/// Makes the folder with all crates that are needed, or finds it.
fn vendor(folder: &Path, root: &Path, toolchain: &str) -> Result<PathBuf> {
    let lock = std::fs::read(workspace().join("Cargo.lock")).context("reading Cargo.lock")?;
    let key = short_hash(&[toolchain.as_bytes(), &lock].concat());
    let vendored = folder.join(format!("vendor-{key}"));
    prune(folder, "vendor-", &vendored)?;
    if vendored.exists() {
        return Ok(vendored);
    }
    let making = folder.join(".making-vendor");
    remove(&making)?;
    let step = Step::start("fetching the crates of the workspace and of the standard library");
    let mut command = tethered(cargo());
    command
        .current_dir(workspace())
        .args(["vendor", "--locked", "--versioned-dirs", "--sync"])
        .arg(root.join(STANDARD_SOURCES).join("Cargo.toml"))
        .arg(&making)
        // The standard library's manifest has keys that only it may use.
        .env("RUSTC_BOOTSTRAP", "1");
    let mut details = step.details();
    let downloads = move |line: &str| {
        if let Some(progress) = progress(line).filter(|progress| progress.starts_with("Download")) {
            details(progress);
        }
    };
    fetch(&mut command, downloads, "cargo vendor")?;
    std::fs::rename(&making, &vendored).with_context(|| format!("renaming to {}", vendored.display()))?;
    step.done("");
    Ok(vendored)
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
    fn progress_is_told_from_faults() {
        assert_eq!(progress("    Checking venus-host v0.1.0 (/run/x)"), Some("Checking venus-host v0.1.0 (/run/x)"));
        assert_eq!(progress("error[E0425]: cannot find function `memfd_create` in module `rustix::fs`"), None);
    }

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
