//! `cargo xtask sanitize thread|address`: the host's tests, compiled so that races or wrong accesses to memory are seen.
//!
//! For races the standard library is compiled along with them: ThreadSanitizer takes for a race what is ordered by code that
//! it does not see. `docs/robustness.md` tells what is left out and why, and what came of it.

use std::{
    io::{BufRead as _, BufReader},
    process::{Command, Stdio},
};

use anyhow::{Context as _, Result, ensure};
use testbed::process::tethered;
use testbed::provision::apt;
use testbed::workspace;

use crate::nightly;

/// Where builds are kept, of each sanitizer its own.
const FOLDER: &str = "target/sanitize";
/// What ThreadSanitizer is told not to report.
const SUPPRESSIONS: &str = "xtask/src/sanitize/thread.txt";
/// The package that is tested if nothing else is asked for.
const PACKAGE: [&str; 5] = ["-p", "venus-host", "--features", "vtest", "--lib"];
/// Which of its test programs, beside that of the library itself.
const PROGRAMS: [&str; 8] = ["handlers", "host", "fed", "polled", "vtest", "stand_ins", "sigpipe", "descriptors"];
/// Tests of what the C library's allocator keeps, in whose place each sanitizer has one of its own.
const LEFT_OUT: [&str; 2] = ["allocator::tests::", "ring::tests::kept::"];
/// Exit status that says that something could not be done here, as test harnesses have it since automake.
const SKIPPED: i32 = 77;

/// Run the host's tests under a sanitizer; needs a nightly compiler.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// What to look for.
    sanitizer: Sanitizer,
    /// Further arguments for `cargo test`, for example `-p venus-host --test handlers -- lifetime`; without, all of the host's
    /// tests.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    cargo: Vec<String>,
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum Sanitizer {
    /// Data races: accesses to the same memory by two threads that nothing orders.
    Thread,
    /// Accesses outside of what was allocated, or after it was freed.
    Address,
}

impl Sanitizer {
    /// What the compiler calls it.
    fn name(self) -> &'static str {
        match self {
            Self::Thread => "thread",
            Self::Address => "address",
        }
    }

    /// Whether the standard library has to be compiled, too.
    fn takes_std(self) -> bool {
        matches!(self, Self::Thread)
    }

    /// What it is told when a program begins.
    fn options(self) -> (&'static str, String) {
        match self {
            Self::Thread => ("TSAN_OPTIONS", format!("suppressions='{}'", workspace().join(SUPPRESSIONS).display())),
            Self::Address => ("ASAN_OPTIONS", "detect_leaks=0".to_owned()),
        }
    }
}

pub(crate) fn run(args: &Args) -> Result<()> {
    let target = match ready(args.sanitizer) {
        Ok(target) => target,
        Err(lack) => {
            eprintln!("nothing is sanitized: {lack:#}");
            std::process::exit(SKIPPED);
        }
    };
    let (reports, success) = count(&mut tests(args, &target))?;
    let name = args.sanitizer.name();
    ensure!(reports == 0, "the {name} sanitizer has reported {reports} times");
    ensure!(success, "not all tests have passed under the {name} sanitizer");
    Ok(())
}

/// Sees to it that there is what this takes, and says what the compiler makes programs for.
fn ready(sanitizer: Sanitizer) -> Result<String> {
    let target = nightly::target().context(nightly::ABSENT)?;
    let sources = !sanitizer.takes_std() || nightly::ensure_sources()?;
    ensure!(sources, "the sources of its standard library are missing; `{}` gets them", nightly::GET_SOURCES);
    // Without, what is reported has no names, and what is not to be reported is told by its name.
    if !apt::which("llvm-symbolizer") {
        apt::install(&["llvm"], "names of functions in what a sanitizer reports")?;
    }
    Ok(target)
}

/// The command that builds the tests and runs them.
fn tests(args: &Args, target: &str) -> Command {
    let name = args.sanitizer.name();
    let mut cargo = tethered("rustup");
    cargo
        .args(["run", "nightly", "cargo", "test", "--locked", "--no-fail-fast", "--target", target])
        .args(args.sanitizer.takes_std().then_some("-Zbuild-std"))
        .arg("--target-dir")
        .arg(workspace().join(FOLDER).join(name));
    if args.cargo.is_empty() {
        cargo.args(PACKAGE).args(PROGRAMS.iter().flat_map(|program| ["--test", program]));
    } else {
        cargo.args(&args.cargo);
    }
    if !args.cargo.iter().any(|argument| argument == "--") {
        cargo.arg("--");
    }
    cargo
        .args(LEFT_OUT.iter().flat_map(|tests| ["--skip", tests]))
        .current_dir(workspace())
        .env_remove("CARGO_ENCODED_RUSTFLAGS")
        .env("RUSTFLAGS", format!("-Zsanitizer={name}"))
        // Tests that panic on purpose would spend their time on saying from where.
        .env("RUST_BACKTRACE", "0")
        .envs([args.sanitizer.options()]);
    cargo
}

/// Runs tests, passes on what is said on standard error, and counts what a sanitizer reports there. A worker reports there,
/// too, while its status is seen by nobody but its monitor.
fn count(cargo: &mut Command) -> Result<(usize, bool)> {
    let mut child = cargo.stdin(Stdio::null()).stderr(Stdio::piped()).spawn().context("starting cargo test")?;
    let mut reports = 0;
    for line in BufReader::new(child.stderr.take().context("cargo test has no standard error")?).split(b'\n') {
        let line = line?;
        let line = String::from_utf8_lossy(&line);
        eprintln!("{line}");
        reports += usize::from(ends_report(&line));
    }
    Ok((reports, child.wait()?.success()))
}

/// Whether a line is the last one of a report, such as `SUMMARY: ThreadSanitizer: data race src/lib.rs:1 in main`.
fn ends_report(line: &str) -> bool {
    line.split_once("SUMMARY: ").is_some_and(|(_, what)| what.contains("Sanitizer: "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_counts_once() {
        let report = [
            "WARNING: ThreadSanitizer: data race (pid=1)",
            "  Write of size 1 at 0x1 by thread T2:",
            "SUMMARY: ThreadSanitizer: data race src/lib.rs:1 in main",
        ];
        assert_eq!(report.map(ends_report), [false, false, true]);
        assert!(ends_report("SUMMARY: AddressSanitizer: heap-use-after-free src/lib.rs:1 in main"));
        assert!(!ends_report("SUMMARY: 3 tests"));
    }
}
