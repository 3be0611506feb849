//! Debian unstable's Rust in a root of its own, for machines whose Rust has no standard library for macOS: Debian packages none
//! either, but the sources, of which cargo makes one. Build scripts and procedural macros run; what is built does not.
//!
//! The root has no network: this machine's own cargo fetches the crates, from the registry that it is configured for.

use super::{Job, TARGET, fetch, prune, remove};
use anyhow::{Context as _, Result, bail};
use std::path::{Path, PathBuf};
use testbed::cargo::cargo;
use testbed::process::{Outcome, tethered};
use testbed::progress::Step;
use testbed::provision::{roots, short_hash};
use testbed::sandbox::Vulkan;
use testbed::workspace;

/// Sources of the standard library, inside the root.
const STANDARD_SOURCES: &str = "usr/lib/rustlib/src/rust/library";

/// A toolchain that can build the standard library for macOS, and all crates that the workspace takes.
#[derive(Debug)]
pub(super) struct Root {
    root: roots::GuestRoot,
    vendored: PathBuf,
    target: PathBuf,
}

impl Root {
    /// Finds all of it in the cache, or makes it.
    pub(super) fn ensure(folder: &Path) -> Result<Self> {
        let toolchain = roots::ensure_toolchain()?;
        let root = toolchain.guest().root();
        let made = root.file_name().context("the toolchain root has no name")?.to_string_lossy().into_owned();
        let vendored = vendor(folder, root, &made)?;
        let target = folder.join(made.replacen("toolchain", "target", 1));
        std::fs::create_dir_all(&target).with_context(|| format!("making {}", target.display()))?;
        prune(folder, "target-", &target)?;
        Ok(Self { root: toolchain, vendored, target })
    }

    /// Runs its cargo on the workspace, with a standard library of its own making, and returns where that put it.
    pub(super) fn run(&self, job: &Job<'_>) -> Result<PathBuf> {
        let version = self.root.guest().upstream_version("rustc").unwrap_or_default();
        let step = Step::start(format!("{} for {TARGET} with Rust {version}", job.doing));
        let mut details = step.details();
        // Cargo tells sources apart by their paths, so each copy of the workspace needs one of its own.
        let name = format!("workspace-{}", short_hash(workspace().as_os_str().as_encoded_bytes()));
        let mut run = self
            .root
            .guest()
            .command("env", Vulkan::Any)
            .args([&format!("--chdir=/run/{name}"), "cargo"])
            .args(job.verb.iter().copied())
            .args(["--offline", job.standard_library, "--target", TARGET])
            .args(["--config", "source.crates-io.replace-with='vendor'"])
            .args(["--config", "source.vendor.directory='/run/vendor'"])
            .args(job.last.iter().copied())
            .env("CARGO_HOME", "/tmp/cargo")
            .env("CARGO_TARGET_DIR", "/run/target")
            // Building the standard library is not stable: its flags may change with the toolchain, which our code does
            // not.
            .env("RUSTC_BOOTSTRAP", "1")
            .bind(&name, workspace())
            .bind("vendor", &self.vendored)
            .bind("target", &self.target)
            .limit(job.limit);
        for (name, value) in job.environment("/run/target") {
            run = run.env(name, &value);
        }
        if let Some((name, folder)) = job.linker.map(|linker| linker.bind()) {
            run = run.bind(name, folder);
        }
        let finished = run.watch(move |line| progress(line).map_or((), &mut details)).output()?;
        if finished.success() {
            step.done("");
            return Ok(self.target.join(TARGET));
        }
        drop(step);
        for line in finished.stderr.lines().filter(|line| progress(line).is_none()) {
            eprintln!("{line}");
        }
        match finished.outcome {
            Outcome::Ended(status) => bail!("{} ({status})", job.failure),
            Outcome::TimedOut => bail!("no end of {} after {} s", job.doing, job.limit.as_secs()),
        }
    }
}

/// The part of cargo's words that says what it is busy with.
fn progress(line: &str) -> Option<&str> {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn progress_is_told_from_faults() {
        assert_eq!(progress("    Checking venus-host v0.1.0 (/run/x)"), Some("Checking venus-host v0.1.0 (/run/x)"));
        assert_eq!(progress("error[E0425]: cannot find function `memfd_create` in module `rustix::fs`"), None);
    }
}
