//! `cargo xtask vectors FILE`: known requests against the codec.
//!
//! The check itself is a program of the tests' crate: this one must build even when the generated code does not, since
//! it is what regenerates it.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context as _, Result, bail};
use testbed::cargo::cargo;
use testbed::workspace;

/// Check that every request of a vector file decodes, encodes to the same bytes, and gets a reply of the stated size.
///
/// The file has five columns separated by tabs, with a heading: command, id, request_bytes, reply_bytes (0 if the
/// request asks for no reply), request_hex.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The vector file.
    file: PathBuf,
}

pub(crate) fn run(args: &Args) -> Result<()> {
    let file = std::path::absolute(&args.file).unwrap_or_else(|_| args.file.clone());
    let status = Command::new(cargo())
        .args(["run", "--quiet", "--release", "--package", "venus-tests", "--bin", "vectors", "--"])
        .arg(&file)
        .current_dir(workspace())
        .status()
        .context("cannot run cargo")?;
    if !status.success() {
        bail!("not every vector of {} passed", args.file.display());
    }
    Ok(())
}
