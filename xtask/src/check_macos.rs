//! `cargo xtask check-macos`: every crate, test and program type-checked and linted for macOS, on a machine without a Mac.
//!
//! Checking takes no linker and no SDK, only the standard library for the target. Where the toolchain at hand has one, or
//! rustup gives it one, that toolchain does it. Elsewhere, as with the Rust of a distribution, Debian unstable's does, in
//! a root of its own ([`crate::macos`]): Debian packages no standard library for macOS, but the sources, of which cargo
//! makes one. Build scripts and procedural macros run; what is checked does not.

use crate::macos::{FETCH_LIMIT, TARGET, Toolchain, progress};
use anyhow::{Context as _, Result, bail, ensure};
use std::process::Command;
use std::time::Duration;
use testbed::cargo::cargo;
use testbed::process::{Outcome, Running, tethered};
use testbed::progress::Step;
use testbed::provision::apt::which;
use testbed::workspace;

/// What is checked, and that a warning is an error. The lock file decides about versions.
const CHECK: [&str; 5] = ["clippy", "--locked", "--workspace", "--all-targets", "--keep-going"];
/// The crates of the standard library that programs and tests need.
const STANDARD_LIBRARY: &str = "-Zbuild-std=std,panic_abort,test";
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
    let toolchain = Toolchain::ensure()?;
    let step = Step::start(format!("checking for {TARGET} with Rust {}", toolchain.version()));
    let mut details = step.details();
    let finished = toolchain
        .cargo(&CHECK, STANDARD_LIBRARY)
        .args(["--", "-D", "warnings"])
        // Nobody debugs what never runs.
        .env("CARGO_PROFILE_DEV_DEBUG", "0")
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
