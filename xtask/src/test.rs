//! `cargo xtask test`: every test of the workspace, with real guests, and one line at the end that counts them.

use anyhow::{Context as _, Result, ensure};
use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use testbed::cargo::{Development, cargo, ensure_standard_library};
use testbed::progress::Step;
use testbed::provision::roots::GuestRoot;
use testbed::provision::{self, Suite, apt, roots};
use testbed::skipping::{CASES_VARIABLE, HOST_VARIABLE, IN_PROCESS_VARIABLE, SKIPPED_VARIABLE, SWIFT_VARIABLE};
use testbed::vm::{HeldImage, LIBRARY_VARIABLE, Library, System, build_ours, ensure_image, qemu_variable};
use testbed::workspace;

/// The package of the Khronos validation layer.
const VALIDATION_LAYER: &str = "vulkan-validationlayers";
/// The package of what finds libvirglrenderer for a monitor that is built.
const PKG_CONFIG: &str = "pkg-config";

/// Run every test.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Make no guests: their tests are skipped, and counted as such.
    #[arg(long)]
    no_guests: bool,
    /// Further arguments for `cargo test`, for example `-p venus-tests`; the whole workspace without.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    cargo: Vec<String>,
}

/// Counts of one test program, or of all of them.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
struct Counts {
    passed: u64,
    failed: u64,
    skipped: u64,
}

pub(crate) fn run(args: &Args) -> Result<()> {
    let suites = if args.no_guests { &[][..] } else { &Suite::ALL[..] };
    provision::check_packages(suites, &[VALIDATION_LAYER, PKG_CONFIG])?;
    provision::host_driver()?;
    if let Err(error) = apt::install(&[VALIDATION_LAYER], "what `venus serve --validate` finds") {
        eprintln!("the test of it will skip itself: {error:#}");
    }
    if let Err(error) = apt::install(&[PKG_CONFIG], "monitors that are built against libvirglrenderer") {
        eprintln!("the tests of those will skip themselves: {error:#}");
    }
    if !ensure_standard_library(System::Arm64.target())? {
        eprintln!("the tests of what begins on other processors will skip themselves");
    }
    let development = if args.cargo.is_empty() { Development::Workspace } else { Development::Package };
    // Downloads and compilers do not wait for each other.
    let (roots, programs) = std::thread::scope(|scope| {
        let programs = scope.spawn(|| Programs::build(development));
        let roots = Roots::ensure(suites);
        let step = Step::start("building what is tested");
        let programs = programs.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        step.done("");
        (roots, programs)
    });
    let roots = roots?;

    let mut command = Command::new(cargo());
    command.current_dir(workspace()).args(["test", "--no-fail-fast"]);
    if development == Development::Workspace {
        command.arg("--workspace").env(Development::VARIABLE, "1");
    }
    command.args(&args.cargo);
    // Tests that need a driver are ignored by default; here there is one. Of virtual machines, one is enough.
    if !args.cargo.iter().any(|argument| argument == "--") {
        command.args(["--", "--include-ignored", "--skip", "all_machines::"]);
    }
    programs?.name(&mut command);
    roots.name(&mut command);
    // Nothing that the tests use may be replaced before they end.
    let result = sum_up(&mut command);
    drop(roots);
    result
}

/// What tests run besides themselves.
struct Programs {
    host: PathBuf,
    cases: PathBuf,
    in_process: PathBuf,
    virglrenderer: Library,
}

impl Programs {
    fn build(development: Development) -> Result<Self> {
        Ok(Self {
            host: development.program("venus-command", "venus")?,
            cases: development.program("venus-cases", "venus-cases")?,
            in_process: development.library(&["venus-in-process"])?,
            virglrenderer: build_ours(Some(development))?,
        })
    }

    /// Tells tests where they are.
    fn name(&self, command: &mut Command) {
        command.env(HOST_VARIABLE, &self.host).env(CASES_VARIABLE, &self.cases);
        command.env(IN_PROCESS_VARIABLE, &self.in_process).env(LIBRARY_VARIABLE, self.virglrenderer.name());
    }
}

/// The roots that tests use, held until they end.
struct Roots {
    guests: Vec<(Suite, GuestRoot)>,
    swift: Option<GuestRoot>,
    machine: Option<(GuestRoot, HeldImage)>,
}

/// The one virtual machine that is booted: a QEMU and a guest that do not change from day to day.
const MACHINE: (Suite, System) = (Suite::Trixie, System::Trixie);

impl Roots {
    /// Finds or makes the guests' roots; without any, nothing else is wanted.
    fn ensure(suites: &[Suite]) -> Result<Self> {
        let guests = suites.iter().map(|&suite| Ok((suite, roots::ensure(suite)?))).collect::<Result<Vec<_>>>()?;
        if guests.is_empty() {
            return Ok(Self { guests, swift: None, machine: None });
        }
        let (suite, system) = MACHINE;
        let machine = (roots::ensure_qemu(suite)?, ensure_image(system)?);
        Ok(Self { guests, swift: Some(roots::ensure_swift()?), machine: Some(machine) })
    }

    /// Tells tests where they are.
    fn name(&self, command: &mut Command) {
        for (suite, root) in &self.guests {
            command.env(suite.variable(), root.guest().root());
        }
        if let Some(swift) = &self.swift {
            command.env(SWIFT_VARIABLE, swift.guest().root());
        }
        if let Some((qemu, image)) = &self.machine {
            let (suite, system) = MACHINE;
            command.env(qemu_variable(suite), qemu.guest().root()).env(system.variable(), image.image().folder());
        }
    }
}

/// Runs tests, and prints one line in the end that counts them: those that skip themselves, too.
#[expect(clippy::print_stdout, reason = "the result of a command-line verb")]
pub(crate) fn sum_up(command: &mut Command) -> Result<()> {
    let skipped = tempfile::NamedTempFile::new().context("making a file for skipped tests")?;
    let (mut counts, success) = count(command.env(SKIPPED_VARIABLE, skipped.path()))?;

    let notes = std::fs::read_to_string(skipped.path()).context("reading the skipped tests")?;
    // A test may have several reasons, one for each guest that it misses; it is skipped once.
    let reasons: BTreeMap<&str, &str> = notes.lines().filter_map(|note| note.split_once(": ")).collect();
    for (name, reason) in &reasons {
        println!("skipped {name}: {reason}");
        // The test program counted it as passed: it has no word for a test that finds out while it runs.
        counts.skipped += 1;
        counts.passed = counts.passed.saturating_sub(1);
    }
    // What fails to compile has no count of its own.
    if !success && counts.failed == 0 {
        counts.failed = 1;
    }
    println!("{} passed, {} failed, {} skipped", counts.passed, counts.failed, counts.skipped);
    ensure!(counts.failed == 0, "tests failed");
    Ok(())
}

/// Runs the tests, passes their words on as they come, and adds up what each test program counted.
#[expect(clippy::print_stdout, reason = "passes on what the tests print")]
fn count(command: &mut Command) -> Result<(Counts, bool)> {
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().context("starting cargo test")?;
    let mut total = Counts::default();
    for line in BufReader::new(child.stdout.take().context("cargo test has no output")?).lines() {
        let line = line?;
        println!("{line}");
        if let Some(counts) = parse_result(&line) {
            total.passed += counts.passed;
            total.failed += counts.failed;
            total.skipped += counts.skipped;
        }
    }
    Ok((total, child.wait()?.success()))
}

/// Reads `test result: ok. 3 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.02s`.
fn parse_result(line: &str) -> Option<Counts> {
    let (_, counts) = line.strip_prefix("test result: ")?.split_once(". ")?;
    let number = |word: &str| -> Option<u64> {
        counts.split(';').find_map(|part| part.trim().strip_suffix(word)?.trim().parse().ok())
    };
    Some(Counts { passed: number("passed")?, failed: number("failed")?, skipped: number("ignored")? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_test_programs_result_is_read() {
        let line = "test result: FAILED. 12 passed; 2 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.3s";
        assert_eq!(parse_result(line), Some(Counts { passed: 12, failed: 2, skipped: 1 }));
        assert_eq!(parse_result("test name ... ok"), None);
    }
}
