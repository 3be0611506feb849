//! `cargo xtask deny`: licences, sources, versions and security advisories of what the workspace depends on.
//!
//! The rules are in `deny.toml`. cargo-deny applies them; it is built once and kept in the user's cache folder. The test with
//! rutabaga and the fuzz targets, which are no members of the workspace, are held to the same rules.

use anyhow::{Context as _, Result, ensure};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;
use testbed::cargo::cargo;
use testbed::process::{Running, tethered};
use testbed::progress::Step;
use testbed::provision::cache_folder;
use testbed::workspace;

/// The release of cargo-deny that the rules were written for.
const VERSION: &str = "0.20.2";
/// What is checked.
const MANIFESTS: [&str; 3] = ["Cargo.toml", "fuzz/Cargo.toml", "tests/rutabaga/Cargo.toml"];
/// Longest that building it may take.
const BUILD_LIMIT: Duration = Duration::from_secs(1800);
/// Longest that fetching the advisory database may take.
const FETCH_LIMIT: Duration = Duration::from_secs(120);
/// Exit status that says that a check could not be made here, as test harnesses have it since automake.
const SKIPPED: i32 = 77;

/// Check licences, sources and versions of all dependencies against `deny.toml`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Check for security advisories instead; ends with status 77 where their database cannot be had.
    #[arg(long)]
    advisories: bool,
}

pub(crate) fn run(args: &Args) -> Result<()> {
    let program = cargo_deny()?;
    if !args.advisories {
        return check(&program, &["bans", "licenses", "sources"]);
    }
    let mut fetch = tethered(&program);
    let fetched = Running::start(fetch.current_dir(workspace()).args(["fetch", "db"]), FETCH_LIMIT)?.finish()?;
    if !fetched.success() {
        eprintln!("the database of advisories cannot be had here:\n{}", fetched.stderr.trim());
        std::process::exit(SKIPPED);
    }
    check(&program, &["advisories"])
}

fn check(program: &Path, checks: &[&str]) -> Result<()> {
    for manifest in MANIFESTS {
        let mut command = Command::new(program);
        command.current_dir(workspace()).args(["--locked", "--config", "deny.toml", "--manifest-path", manifest]);
        // Two versions of one crate are worth a line, not the trees of all who use them.
        command.args(["check", "--hide-inclusion-graph"]).args(checks);
        let status = command.status().context("starting cargo-deny")?;
        ensure!(status.success(), "dependencies of {manifest} break the rules of deny.toml ({status})");
    }
    Ok(())
}

/// Finds cargo-deny in the cache, or builds it.
fn cargo_deny() -> Result<PathBuf> {
    let folder = cache_folder("tools")?.join(format!("cargo-deny-{VERSION}"));
    let program = folder.join("bin/cargo-deny");
    if program.exists() {
        return Ok(program);
    }
    let step = Step::start(format!("building cargo-deny {VERSION} (once; some minutes)"));
    let mut install = tethered(cargo());
    install
        // Without optimisation: it is built for longer than it ever runs.
        .args(["install", "cargo-deny", "--locked", "--debug", "--version", VERSION, "--root"])
        .arg(&folder)
        .env("CARGO_PROFILE_DEV_DEBUG", "0")
        .current_dir(workspace());
    let mut details = step.details();
    let built = Running::watch(&mut install, BUILD_LIMIT, move |line| details(line.trim()))?.finish()?;
    built.expect_success("cargo install cargo-deny")?;
    step.done(&folder.display().to_string());
    Ok(program)
}
