//! `cargo xtask fuzz`: inputs that nobody would send, against everything that reads what somebody else wrote.
//!
//! The targets are in `fuzz/`, laid out for cargo-fuzz, and built here with the flags that it would set: libFuzzer comes with
//! a crate, the sanitizer with a nightly compiler. So nothing has to be installed but that compiler. `docs/robustness.md`
//! tells what the targets do, and what came of them.

mod driver;
mod report;

use anyhow::{Context as _, Result, bail, ensure};
use report::Report;
use std::path::{Path, PathBuf};
use std::time::Duration;
use testbed::process::{Running, tethered};
use testbed::progress::Step;
use testbed::provision::apt::which;
use testbed::workspace;

use crate::nightly;

/// Where the targets are.
const TARGETS: &str = "fuzz/fuzz_targets";
/// Where everything is that comes of it: builds, seeds, inputs that reached something new, inputs that found something.
const FOLDER: &str = "target/fuzz";
/// What cargo-fuzz has compilers do: count edges, tell what is compared with what, and look after memory.
const FLAGS: &str = "-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
    -Cllvm-args=-sanitizer-coverage-trace-compares -Zsanitizer=address --cfg fuzzing";
/// Leaks are not looked for: threads of the host may be on their way out, and the noting driver keeps what it is told.
/// Whether the host loses anything, its test `leaks` counts. Nobody has a reason to ask for more memory at a time than this:
/// libFuzzer looks at what is used, and memory that is asked for and not touched is not. What is freed is kept from being used
/// again for a while, but not so long that all that an input allocates has to come from the system.
const ASAN_OPTIONS: &str = "detect_leaks=0:max_allocation_size_mb=2048:quarantine_size_mb=16";
/// Longest that building may take.
const BUILD_LIMIT: Duration = Duration::from_secs(3600);
/// Longest that one target takes beyond its time, to begin and to end.
const GRACE: Duration = Duration::from_secs(300);
/// Exit status that says that something could not be done here, as test harnesses have it since automake.
const SKIPPED: i32 = 77;

/// Fuzz everything that reads what somebody else wrote; needs a nightly compiler.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// How long in all; each target gets the same part of it. With 0, the targets are built and the seeds made.
    #[arg(long, default_value_t = 10.0)]
    minutes: f64,
    /// Run one input instead, for example one that was found.
    #[arg(long, value_name = "FILE", conflicts_with = "minutes")]
    input: Option<PathBuf>,
    /// Fuzz this machine's Vulkan driver in worker processes instead: what real guests did, changed here and there; needs
    /// no nightly compiler.
    #[arg(long, conflicts_with_all = ["input", "targets"])]
    driver: bool,
    /// What is changed with --driver follows from this number.
    #[arg(long, default_value_t = 1, requires = "driver")]
    seed: u64,
    /// Which targets; all of them if none is named.
    targets: Vec<String>,
}

pub(crate) fn run(args: &Args) -> Result<()> {
    ensure!(args.minutes.is_finite() && args.minutes >= 0.0, "some minutes");
    if args.driver {
        return driver::run(args.minutes, args.seed);
    }
    let targets = chosen(&args.targets)?;
    if let Some(lack) = lack() {
        eprintln!("nothing is fuzzed: {lack}");
        std::process::exit(SKIPPED);
    }
    let programs = build()?;
    if let Some(input) = &args.input {
        let [target] = &targets[..] else { bail!("--input is for one target, which has to be named") };
        return run_one(&programs.join(target), input);
    }
    make_seeds(&programs.join("seeds"))?;
    let share = Duration::from_secs_f64(args.minutes * 60.0 / targets.len() as f64);
    if share.is_zero() {
        return Ok(());
    }
    let reports = targets.iter().map(|target| fuzz(&programs, target, share)).collect::<Result<Vec<_>>>()?;
    conclude(&reports)
}

/// What fuzzing takes that this machine lacks.
fn lack() -> Option<String> {
    if nightly::target().is_none() {
        return Some(nightly::ABSENT.to_owned());
    }
    let compiler = std::env::var("CXX").unwrap_or_else(|_| "c++".to_owned());
    (!which(&compiler)).then(|| format!("libFuzzer is C++, and there is no `{compiler}`"))
}

/// The targets that are asked for.
fn chosen(wanted: &[String]) -> Result<Vec<String>> {
    let mut all = Vec::new();
    for file in std::fs::read_dir(workspace().join(TARGETS)).with_context(|| format!("reading {TARGETS}"))? {
        let path = file?.path();
        all.extend(path.file_stem().and_then(|name| name.to_str()).map(str::to_owned));
    }
    all.sort();
    for name in wanted {
        ensure!(all.contains(name), "there is no target {name}; there are {}", all.join(", "));
    }
    Ok(if wanted.is_empty() { all } else { wanted.to_vec() })
}

/// Builds all targets, and returns the folder that they are in.
fn build() -> Result<PathBuf> {
    let folder = workspace().join(FOLDER).join("build");
    let host = nightly::target().context(nightly::ABSENT)?;
    let step = Step::start("building the fuzz targets with the nightly compiler (minutes, the first time)");
    let mut cargo = tethered("rustup");
    cargo
        .args(["run", "nightly", "cargo", "build", "--release", "--locked", "--bins", "--target", &host])
        .args(["--manifest-path", "fuzz/Cargo.toml", "--target-dir"])
        .arg(&folder)
        .current_dir(workspace())
        .env_remove("CARGO_ENCODED_RUSTFLAGS")
        .env("RUSTFLAGS", FLAGS);
    Running::watch(&mut cargo, BUILD_LIMIT, step.details())?.finish()?.expect_success("building the fuzz targets")?;
    step.done("");
    Ok(folder.join(host).join("release"))
}

/// A folder of what comes of a target, which is made if need be.
fn folder(what: &str, target: &str) -> Result<PathBuf> {
    let folder = workspace().join(FOLDER).join(what).join(target);
    std::fs::create_dir_all(&folder).with_context(|| format!("making {}", folder.display()))?;
    Ok(folder)
}

/// Makes the inputs that fuzzing begins with, anew.
fn make_seeds(program: &Path) -> Result<()> {
    let out = workspace().join(FOLDER).join("seeds");
    if out.exists() {
        std::fs::remove_dir_all(&out).with_context(|| format!("removing {}", out.display()))?;
    }
    let mut seeds = tethered(program);
    seeds.arg(workspace().join("tests/recordings")).arg(&out);
    Running::start(&mut seeds, GRACE)?.finish()?.expect_success("making seeds")?;
    Ok(())
}

/// Runs one target for a time.
fn fuzz(programs: &Path, target: &str, share: Duration) -> Result<Report> {
    let (corpus, seeds, found) = (folder("corpus", target)?, folder("seeds", target)?, folder("found", target)?);
    let before = files(&found)?;
    let step = Step::start(format!("{target}, for {:.0} s", share.as_secs_f64()));
    let mut details = step.details();
    let mut program = tethered(programs.join(target));
    program
        .arg(format!("-max_total_time={}", share.as_secs().max(1)))
        .arg(format!("-artifact_prefix={}/", found.display()))
        .args(["-detect_leaks=0", "-print_final_stats=1", "-print_funcs=0", "-rss_limit_mb=4096", "-timeout=20"])
        // To weigh inputs by how seldom their edges are costs a third of the time where an input takes tens of thousands.
        .arg("-entropic=0")
        .args([&corpus, &seeds])
        .env("ASAN_OPTIONS", ASAN_OPTIONS)
        .current_dir(workspace());
    let finished = Running::watch(&mut program, share + GRACE, move |line| {
        if line.contains("pulse") {
            details(line);
        }
    })?
    .finish()?;
    let findings = files(&found)?.into_iter().filter(|file| !before.contains(file)).collect();
    let report = Report::new(target, &finished, findings);
    step.done("");
    Ok(report)
}

/// The files of a folder.
fn files(folder: &Path) -> Result<Vec<PathBuf>> {
    let entries = std::fs::read_dir(folder).with_context(|| format!("reading {}", folder.display()))?;
    entries.map(|entry| Ok(entry?.path())).collect()
}

/// Runs a target on one input.
fn run_one(program: &Path, input: &Path) -> Result<()> {
    let input = std::path::absolute(input)?;
    let mut one = tethered(program);
    one.args(["-detect_leaks=0", "-timeout=20"]).arg(&input).env("ASAN_OPTIONS", ASAN_OPTIONS);
    let finished = Running::watch(&mut one, GRACE, |line| eprintln!("{line}"))?.finish()?;
    ensure!(finished.success(), "{} makes it fail", input.display());
    Ok(())
}

/// Prints what came of it, and fails if anything was found.
#[expect(clippy::print_stdout, reason = "the result of a command-line verb")]
fn conclude(reports: &[Report]) -> Result<()> {
    for report in reports {
        println!("{report}");
    }
    let failed: Vec<_> = reports.iter().filter(|report| !report.is_well()).collect();
    for report in &failed {
        eprintln!("{}", report.what_happened());
    }
    let inputs = failed.iter().flat_map(|report| &report.findings).map(|path| path.display().to_string());
    let inputs: Vec<_> = inputs.collect();
    ensure!(failed.is_empty(), "{} of the targets failed: {}", failed.len(), inputs.join(", "));
    Ok(())
}
