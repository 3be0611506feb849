//! `cargo xtask fuzz --driver`: what real guests did, changed here and there, against a real driver in worker processes.
//!
//! A server of this workspace's serves, and records each command before it is executed. What its guests do is in
//! `fuzz/src/driver.rs`: a program of its own, since the fuzz targets are not of this workspace. Neither has a sanitizer.

use anyhow::{Context as _, Result, ensure};
use std::path::{Path, PathBuf};
use std::time::Duration;
use testbed::cargo::build;
use testbed::process::{Running, tethered};
use testbed::progress::Step;
use testbed::provision;
use testbed::server::Server;
use testbed::workspace;

/// Longest that building may take.
const BUILD_LIMIT: Duration = Duration::from_secs(1800);
/// Longest that the guests take beyond their time: what a worker died of is made shorter at the end, too.
const GRACE: Duration = Duration::from_secs(600);

/// Fuzzes this machine's driver for a time. What is changed follows from the seed.
#[expect(clippy::print_stdout, reason = "the result of a command-line verb")]
pub(super) fn run(minutes: f64, seed: u64) -> Result<()> {
    provision::host_driver()?;
    let venus = build(&["--package", "venus-command", "--bin", "venus"])?;
    let guests = build_guests()?;
    let found = super::folder("found", "driver")?;
    let scratch = tempfile::tempdir().context("making a folder for recordings")?;
    let (accounts, records) = (scratch.path().join("accounts"), scratch.path().join("records"));
    std::fs::create_dir(&records)?;
    let arguments = [Path::new("--record"), &records, Path::new("--record-immediately"), Path::new("--stats-file")];
    let server = Server::start(&venus, arguments.into_iter().chain([&*accounts]))?;
    let seconds = Duration::from_secs_f64(minutes * 60.0).as_secs();
    let step = Step::start(format!("guests of the driver, for {seconds} s, from the seed {seed}"));
    let mut program = tethered(&guests);
    program.arg(server.socket()).args([&accounts, &records, &found]).arg(workspace().join("tests/recordings"));
    program.args([seconds.to_string(), seed.to_string()]);
    let finished = Running::start(&mut program, Duration::from_secs(seconds) + GRACE)?.finish()?;
    step.done("");
    ensure!(finished.success(), "the guests failed: {:?}\n{}\n{}", finished.outcome, finished.stderr, server.log());
    println!("{}", finished.stdout.trim_end());
    println!("a recording is looked at with `venus dump FILE`, and executed with `venus replay FILE`");
    Ok(())
}

/// Builds the program with the guests, and says where it is.
fn build_guests() -> Result<PathBuf> {
    let folder = workspace().join(super::FOLDER).join("driver");
    let step = Step::start("building the guests that change what they do");
    let mut cargo = tethered("cargo");
    cargo.args(["build", "--locked", "--bin", "driver", "--manifest-path", "fuzz/Cargo.toml", "--target-dir"]);
    cargo.arg(&folder).current_dir(workspace());
    Running::watch(&mut cargo, BUILD_LIMIT, step.details())?.finish()?.expect_success("building the guests")?;
    step.done("");
    Ok(folder.join("debug/driver"))
}
