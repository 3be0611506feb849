//! Programs of the workspace, built when they are needed.

use crate::workspace;
use anyhow::{Context as _, Result, bail};
use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::process::{Command, Stdio};

/// Builds with the given arguments of `cargo build` and returns the program that came out.
///
/// # Errors
///
/// Cargo fails, or makes no program.
pub fn build(args: &[&str]) -> Result<PathBuf> {
    let mut child = Command::new(cargo())
        .args(["build", "--message-format=json-render-diagnostics"])
        .args(args)
        .current_dir(workspace())
        .stdout(Stdio::piped())
        .spawn()
        .context("starting cargo build")?;
    let messages = BufReader::new(child.stdout.take().context("cargo build has no output")?);
    let mut program = None;
    for line in messages.lines() {
        // Lines that are no JSON come from build scripts and mean nothing to us.
        let message = serde_json::from_str::<serde_json::Value>(&line?).unwrap_or_default();
        if let Some(path) = message.get("executable").and_then(|path| path.as_str()) {
            program = Some(PathBuf::from(path));
        }
    }
    let status = child.wait()?;
    if !status.success() {
        bail!("cargo build {} failed ({status})", args.join(" "));
    }
    program.with_context(|| format!("cargo build {} made no program", args.join(" ")))
}

/// The cargo that runs us, so that its toolchain stays the same.
pub fn cargo() -> std::ffi::OsString {
    std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into())
}
