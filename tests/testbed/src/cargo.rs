//! Programs of the workspace, built when they are needed.

use crate::process::{Running, tethered};
use crate::progress::Step;
use crate::provision::apt::which;
use crate::workspace;
use anyhow::{Context as _, Result, bail};
use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

/// Longest download of a standard library.
const FETCH_LIMIT: Duration = Duration::from_secs(600);

/// Builds with the given arguments of `cargo build` and returns the program that came out.
///
/// # Errors
///
/// Cargo fails, or makes no program.
pub fn build(args: &[&str]) -> Result<PathBuf> {
    build_in(args, &[])
}

/// The same with an environment.
///
/// # Errors
///
/// As [`build`].
pub fn build_in(args: &[&str], environment: &[(&str, PathBuf)]) -> Result<PathBuf> {
    let program = artifact(args, environment, |message| message.get("executable")?.as_str().map(PathBuf::from))?;
    program.with_context(|| format!("cargo build {} made no program", args.join(" ")))
}

/// The same for the shared library of a package.
///
/// # Errors
///
/// As [`build`].
pub fn build_library(args: &[&str]) -> Result<PathBuf> {
    let is_shared = |file: &&str| file.ends_with(std::env::consts::DLL_SUFFIX);
    let library = artifact(args, &[], |message| {
        let kinds = message.get("target")?.get("kind")?.as_array()?;
        let files = message.get("filenames")?.as_array()?.iter().filter_map(|file| file.as_str());
        kinds.iter().any(|kind| kind == "cdylib").then(|| files.into_iter().find(is_shared).map(PathBuf::from))?
    })?;
    library.with_context(|| format!("cargo build {} made no shared library", args.join(" ")))
}

/// Builds, and returns the last file that `find` finds in what cargo says.
fn artifact(
    args: &[&str],
    environment: &[(&str, PathBuf)],
    find: impl Fn(&serde_json::Value) -> Option<PathBuf>,
) -> Result<Option<PathBuf>> {
    let mut child = Command::new(cargo())
        .args(["build", "--message-format=json-render-diagnostics"])
        .args(args)
        .envs(environment.iter().map(|(name, value)| (name, value)))
        .current_dir(workspace())
        .stdout(Stdio::piped())
        .spawn()
        .context("starting cargo build")?;
    let messages = BufReader::new(child.stdout.take().context("cargo build has no output")?);
    let mut found = None;
    for line in messages.lines() {
        // Lines that are no JSON come from build scripts and mean nothing to us.
        let message = serde_json::from_str::<serde_json::Value>(&line?).unwrap_or_default();
        found = find(&message).or(found);
    }
    let status = child.wait()?;
    if !status.success() {
        bail!("cargo build {} failed ({status})", args.join(" "));
    }
    Ok(found)
}

/// The cargo that runs us, so that its toolchain stays the same.
pub fn cargo() -> std::ffi::OsString {
    std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into())
}

/// Whether the toolchain at hand can build for `target`, if need be after rustup has added its standard library.
///
/// # Errors
///
/// There is no compiler, or rustup cannot be started.
pub fn ensure_standard_library(target: &str) -> Result<bool> {
    Ok(has_standard_library(target)? || add_standard_library(target)?)
}

/// Whether the toolchain at hand has the standard library for a target.
fn has_standard_library(target: &str) -> Result<bool> {
    let mut command = Command::new(std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into()));
    let output = command.args(["--print", "target-libdir", "--target", target]).output().context("starting rustc")?;
    let folder = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    Ok(output.status.success() && std::fs::read_dir(folder).is_ok_and(|mut files| files.next().is_some()))
}

/// Asks rustup, where there is one, to add it.
fn add_standard_library(target: &str) -> Result<bool> {
    if !which("rustup") {
        return Ok(false);
    }
    let step = Step::start(format!("adding the standard library for {target} with rustup (once; 130 MB)"));
    let mut command = tethered("rustup");
    Running::watch(command.args(["target", "add", target]), FETCH_LIMIT, step.details())?.finish()?;
    let added = has_standard_library(target)?;
    step.done(if added { "" } else { "not possible" });
    Ok(added)
}
