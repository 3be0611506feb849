//! `cargo xtask bench guard`: fails where hot work takes more instructions than were recorded.
//!
//! `tests/count` has the work, counts it and compares. Counts are of one compiler: with another one there is nothing to
//! compare with.

use anyhow::{Context as _, Result, bail, ensure};
use std::path::PathBuf;
use std::process::Command;
use testbed::cargo::build_in;
use testbed::provision::apt;
use testbed::workspace;

/// Where the counts are.
const COUNTS: &str = "tests/count/instructions.txt";
/// What their file calls the compiler that they are of.
const COMPILER: &str = "compiler: ";
/// Exit status that says that a check could not be made here, as test harnesses have it since automake.
const SKIPPED: i32 = 77;

pub(super) fn run(record: bool) -> Result<()> {
    if let Some(lack) = lack(record)? {
        eprintln!("no instructions are counted: {lack}");
        std::process::exit(SKIPPED);
    }
    let mut command = Command::new(counter()?);
    command.arg(workspace().join(COUNTS)).arg(compiler()?).args(record.then_some("--record"));
    let status = command.status().context("starting venus-count")?;
    ensure!(status.success(), "the guard of instruction counts failed ({status})");
    Ok(())
}

/// Builds the program that counts its own instructions.
pub(super) fn counter() -> Result<PathBuf> {
    // Flags of whoever builds would make other code than was recorded.
    let flags = [("RUSTFLAGS", PathBuf::new()), ("CARGO_ENCODED_RUSTFLAGS", PathBuf::new())];
    build_in(&["--release", "--package", "venus-count", "--features", "valgrind"], &flags)
}

/// Sees to it that there is valgrind.
pub(super) fn ensure_valgrind() -> Result<()> {
    if apt::which("valgrind") { Ok(()) } else { apt::install(&["valgrind"], "instruction counts") }
}

/// Why nothing can be counted here, or nothing compared.
fn lack(record: bool) -> Result<Option<String>> {
    if let Err(error) = ensure_valgrind() {
        return Ok(Some(format!("{error:#}")));
    }
    if let Some(why) = valgrind_fails()? {
        return Ok(Some(why));
    }
    if record {
        return Ok(None);
    }
    let text = std::fs::read_to_string(workspace().join(COUNTS)).with_context(|| format!("reading {COUNTS}"))?;
    let recorded = text.lines().find_map(|line| line.strip_prefix(COMPILER));
    let (recorded, here) = (recorded.with_context(|| format!("{COUNTS} names no compiler"))?, compiler()?);
    let other =
        format!("the recorded ones are of {recorded}, and this is {here}; `--record` records those of this one");
    Ok((recorded != here).then_some(other))
}

/// What valgrind says of itself if it can run nothing here: it knows neither all processors nor all kernels.
fn valgrind_fails() -> Result<Option<String>> {
    let output = Command::new("valgrind").args(["--tool=none", "-q", "true"]).output().context("starting valgrind")?;
    let said = String::from_utf8_lossy(&output.stderr);
    Ok((!output.status.success()).then(|| format!("valgrind runs nothing here ({}): {}", output.status, said.trim())))
}

/// The compiler, and what it makes programs for.
fn compiler() -> Result<String> {
    let output = Command::new("rustc").args(["--version", "--verbose"]).current_dir(workspace()).output();
    let text = String::from_utf8(output.context("asking the compiler for its version")?.stdout)?;
    let host = text.lines().find_map(|line| line.strip_prefix("host: "));
    let (Some(version), Some(host)) = (text.lines().next(), host) else { bail!("rustc says nothing of itself") };
    Ok(format!("{version} for {host}"))
}
