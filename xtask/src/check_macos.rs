//! `cargo xtask check-macos`: every crate, test and program type-checked and linted for macOS, on a machine without a Mac.
//!
//! Checking takes no linker and no SDK, only the standard library for the target. Where the toolchain at hand has one, or
//! rustup gives it one, that toolchain does it. Elsewhere, as with the Rust of a distribution, Debian unstable's does, in
//! a root of its own: Debian packages no standard library for macOS, but the sources, of which cargo makes one.
//!
//! ```text
//! ~/.cache/venus-toolkit/macos/
//!     toolchain-.../     the root with rustc, cargo, clippy and the sources of the standard library
//!     vendor-.../        crates of the workspace and of the standard library; hash of the lock file and the toolchain
//!     target-.../        what was built with that toolchain
//!     check.lock         held by whoever checks
//! ```
//!
//! The root has no network: this machine's own cargo fetches the crates, from the registry that it is configured for.
//! Build scripts and procedural macros run; what is checked does not.

use anyhow::{Context as _, Result, bail, ensure};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;
use testbed::cargo::cargo;
use testbed::process::{Outcome, Running, tethered};
use testbed::progress::Step;
use testbed::provision::{apt::which, cache_folder, roots, short_hash};
use testbed::sandbox::Vulkan;
use testbed::workspace;

/// What is checked for: every Mac that a Venus host makes sense on.
const TARGET: &str = "aarch64-apple-darwin";
/// What is checked, and that a warning is an error. The lock file decides about versions.
const CHECK: [&str; 5] = ["clippy", "--locked", "--workspace", "--all-targets", "--keep-going"];
/// The crates of the standard library that programs and tests need.
const STANDARD_LIBRARY: &str = "-Zbuild-std=std,panic_abort,test";
/// Sources of the standard library, inside the root.
const STANDARD_SOURCES: &str = "usr/lib/rustlib/src/rust/library";
/// Longest download of crates, or of the standard library.
const FETCH_LIMIT: Duration = Duration::from_secs(600);
/// Longest check from nothing.
const CHECK_LIMIT: Duration = Duration::from_secs(1800);

/// Type-check and lint everything for macOS.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Use Debian's toolchain even where the one at hand can check for macOS.
    #[arg(long)]
    debian: bool,
}

pub(crate) fn run(args: &Args) -> Result<()> {
    if !args.debian && (has_standard_library()? || add_standard_library()?) {
        let status = Command::new(cargo())
            .current_dir(workspace())
            .args(CHECK)
            .args(["--target", TARGET, "--", "-D", "warnings"])
            .status()
            .context("starting cargo clippy")?;
        ensure!(status.success(), "the workspace has faults on macOS ({status})");
        return Ok(());
    }
    check_in_root()
}

/// Whether the toolchain at hand has the standard library for macOS.
fn has_standard_library() -> Result<bool> {
    let mut command = Command::new(std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into()));
    let output = command.args(["--print", "target-libdir", "--target", TARGET]).output().context("starting rustc")?;
    let folder = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    Ok(output.status.success() && std::fs::read_dir(folder).is_ok_and(|mut files| files.next().is_some()))
}

/// Asks rustup, where there is one, to add the standard library for macOS to the toolchain at hand.
fn add_standard_library() -> Result<bool> {
    if !which("rustup") {
        return Ok(false);
    }
    let step = Step::start(format!("adding the standard library for {TARGET} with rustup (once; 130 MB)"));
    let mut command = tethered("rustup");
    let finished = Running::watch(command.args(["target", "add", TARGET]), FETCH_LIMIT, step.details())?.finish()?;
    // Also where rustup manages another toolchain than the one that runs us.
    let added = finished.success() && has_standard_library()?;
    if added {
        step.done("");
    } else {
        step.done("not possible, going on with Debian's toolchain");
    }
    Ok(added)
}

fn check_in_root() -> Result<()> {
    let toolchain = roots::ensure_toolchain()?;
    let root = toolchain.guest().root();
    let folder = cache_folder("macos")?;
    let _lock = hold(&folder.join("check.lock"))?;
    let made = root.file_name().context("the toolchain root has no name")?.to_string_lossy().into_owned();
    let vendored = vendor(&folder, root, &made)?;
    let target = folder.join(made.replacen("toolchain", "target", 1));
    std::fs::create_dir_all(&target).with_context(|| format!("making {}", target.display()))?;
    prune(&folder, "target-", &target)?;

    let version = toolchain.guest().upstream_version("rustc").unwrap_or_default();
    let step = Step::start(format!("checking for {TARGET} with Rust {version}"));
    // Cargo tells sources apart by their paths, so each copy of the workspace needs one of its own.
    let name = format!("workspace-{}", short_hash(workspace().as_os_str().as_encoded_bytes()));
    let mut details = step.details();
    let finished = toolchain
        .guest()
        .command("env", Vulkan::Any)
        .args([&format!("--chdir=/run/{name}"), "cargo"])
        .args(CHECK)
        .args(["--offline", STANDARD_LIBRARY, "--target", TARGET])
        .args(["--config", "source.crates-io.replace-with='vendor'"])
        .args(["--config", "source.vendor.directory='/run/vendor'"])
        .args(["--", "-D", "warnings"])
        .env("CARGO_HOME", "/tmp/cargo")
        .env("CARGO_TARGET_DIR", "/run/target")
        // Nobody debugs what never runs.
        .env("CARGO_PROFILE_DEV_DEBUG", "0")
        // Building the standard library is not stable: its flags may change with the toolchain, which our code does not.
        .env("RUSTC_BOOTSTRAP", "1")
        .bind(&name, workspace())
        .bind("vendor", &vendored)
        .bind("target", &target)
        .limit(CHECK_LIMIT)
        .watch(move |line| {
            if let Some(progress) = progress(line) {
                details(progress);
            }
        })
        .output()?;
    if finished.success() {
        step.done("no errors, no warnings");
        return Ok(());
    }
    drop(step);
    for line in finished.stderr.lines().filter(|line| progress(line).is_none()) {
        eprintln!("{line}");
    }
    match finished.outcome {
        Outcome::Ended(status) => bail!("the workspace has faults on macOS ({status})"),
        Outcome::TimedOut => bail!("no end of the check after {} s", CHECK_LIMIT.as_secs()),
    }
}

/// The part of cargo's words that says what it is busy with.
fn progress(line: &str) -> Option<&str> {
    const VERBS: [&str; 5] = ["Checking ", "Compiling ", "Downloading ", "Downloaded ", "Vendoring "];
    let line = line.trim_start();
    VERBS.iter().any(|verb| line.starts_with(verb)).then_some(line)
}

/// Makes the folder with all crates that the check needs, or finds it.
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
    Running::watch(&mut command, FETCH_LIMIT, downloads)?.finish()?.expect_success("cargo vendor")?;
    std::fs::rename(&making, &vendored).with_context(|| format!("renaming to {}", vendored.display()))?;
    step.done("");
    Ok(vendored)
}

/// Waits until nobody else checks: the folders below are shared, and some are removed.
fn hold(path: &Path) -> Result<File> {
    let file = File::options().create(true).truncate(false).write(true).open(path);
    let file = file.with_context(|| format!("opening {}", path.display()))?;
    if file.try_lock().is_err() {
        let step = Step::start("waiting for another check to end");
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
