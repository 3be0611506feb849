//! `cargo xtask check-macos`: every crate, test and program type-checked and linted for macOS, on a machine without a Mac.
//!
//! Checking takes no linker and no SDK, only the standard library for the target ([`crate::macos`]).

use crate::macos::{Job, Toolchain};
use anyhow::Result;
use std::time::Duration;

/// What is done. The lock file decides about versions, and a warning is an error.
const CHECK: Job<'_> = Job {
    doing: "checking",
    verb: &["clippy", "--locked", "--workspace", "--all-targets", "--keep-going"],
    last: &["--", "-D", "warnings"],
    // Programs need it, and tests.
    standard_library: "-Zbuild-std=std,panic_abort,test",
    linker: None,
    limit: Duration::from_secs(1800),
    failure: "the workspace has faults on macOS",
};

/// Type-check and lint everything for macOS.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Use Debian's toolchain even where the one at hand can check for macOS.
    #[arg(long)]
    debian: bool,
}

pub(crate) fn run(args: &Args) -> Result<()> {
    Toolchain::ensure(args.debian)?.run(&CHECK)?;
    Ok(())
}
