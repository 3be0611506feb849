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
    let program = artifact(args, environment, executable)?;
    program.with_context(|| format!("cargo build {} made no program", args.join(" ")))
}

/// The same for the shared library of a package.
///
/// # Errors
///
/// As [`build`].
pub fn build_library(args: &[&str]) -> Result<PathBuf> {
    let library = artifact(args, &[], shared_library)?;
    library.with_context(|| format!("cargo build {} made no shared library", args.join(" ")))
}

/// What is built together for tests, without optimisation. A package that is built by itself has other features than in the
/// whole workspace, so with most of what it depends on it would be compiled again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Development {
    /// The package that is asked for.
    Package,
    /// The whole workspace, all of whose tests are to run.
    Workspace,
}

impl Development {
    /// Tells tests that the workspace has been built as a whole.
    pub const VARIABLE: &str = "VENUS_WHOLE_WORKSPACE";

    /// What the tests that run now are built with.
    #[must_use]
    pub fn here() -> Self {
        if std::env::var_os(Self::VARIABLE).is_some() { Self::Workspace } else { Self::Package }
    }

    /// Builds a program of a package.
    ///
    /// # Errors
    ///
    /// As [`build`].
    pub fn program(self, package: &str, name: &str) -> Result<PathBuf> {
        self.artifact(&[package], name, |message| {
            let is_it =
                message.get("target")?.get("name")? == name && !message.get("profile")?.get("test")?.as_bool()?;
            is_it.then(|| executable(message))?
        })
    }

    /// Builds the shared library of the first of these packages, and those of the others beside it.
    ///
    /// # Errors
    ///
    /// As [`build`].
    pub fn library(self, packages: &[&str]) -> Result<PathBuf> {
        self.artifact(packages, "shared library", shared_library)
    }

    fn artifact(
        self,
        packages: &[&str],
        what: &str,
        find: impl Fn(&serde_json::Value) -> Option<PathBuf>,
    ) -> Result<PathBuf> {
        let mut args = vec!["--quiet"];
        match self {
            Self::Package => args.extend(packages.iter().flat_map(|package| ["--package", package])),
            Self::Workspace => args.extend(["--workspace", "--all-targets"]),
        }
        let package = packages.first().copied().unwrap_or_default();
        let found = artifact(&args, &[], |message| if is_of(message, package) { find(message) } else { None })?;
        found.with_context(|| format!("cargo build {} made no {what} of {package}", args.join(" ")))
    }
}

/// Whether cargo speaks of a package: its id ends in `#name@version`, or in `/name#version`.
fn is_of(message: &serde_json::Value, package: &str) -> bool {
    let id = message.get("package_id").and_then(|id| id.as_str()).and_then(|id| id.rsplit_once('#'));
    id.is_some_and(|(place, end)| match end.split_once('@') {
        Some((name, _)) => name == package,
        None => place.rsplit('/').next() == Some(package),
    })
}

/// The program that cargo says it has made.
fn executable(message: &serde_json::Value) -> Option<PathBuf> {
    message.get("executable")?.as_str().map(PathBuf::from)
}

/// The shared library that cargo says it has made.
fn shared_library(message: &serde_json::Value) -> Option<PathBuf> {
    let kinds = message.get("target")?.get("kind")?.as_array()?;
    let mut files = message.get("filenames")?.as_array()?.iter().filter_map(|file| file.as_str());
    let is_shared = |file: &&str| file.ends_with(std::env::consts::DLL_SUFFIX);
    kinds.iter().any(|kind| kind == "cdylib").then(|| files.find(is_shared).map(PathBuf::from))?
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
///
/// # Errors
///
/// There is no rustc.
pub fn has_standard_library(target: &str) -> Result<bool> {
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

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_package_is_told_by_its_id() {
        let is_it = |id: &str| is_of(&json!({ "package_id": id }), "venus-capi");
        assert!(is_it("path+file:///a/capi#venus-capi@0.1.0") && is_it("path+file:///a/venus-capi#0.1.0"));
        assert!(!is_it("path+file:///a/venus-capi#venus-other@0.1.0") && !is_it("path+file:///a/my-venus-capi#0.1.0"));
        assert!(!is_of(&json!({}), "venus-capi"));
    }

    #[test]
    fn a_shared_library_is_found_among_others() {
        let made = |kind: &str| json!({ "target": { "kind": [kind] }, "filenames": ["/t/liba.rlib", "/t/liba.so"] });
        let library = PathBuf::from("/t/liba.so");
        assert_eq!(shared_library(&made("cdylib")), Some(library));
        // Procedural macros are shared libraries, too.
        assert_eq!(shared_library(&made("proc-macro")), None);
    }
}
