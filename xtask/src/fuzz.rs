//! `cargo xtask fuzz`: inputs that nobody would send, against everything that reads what somebody else wrote.
//!
//! The targets are in `fuzz/`, laid out for cargo-fuzz, and built here with the flags that it would set: libFuzzer comes with
//! a crate, the sanitizer with a nightly compiler. So nothing has to be installed but that compiler. `docs/robustness.md`
//! tells what the targets do, and what came of them.

mod build;
mod driver;
mod report;

use anyhow::{Context as _, Result, bail, ensure};
use build::Build;
use report::Report;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
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
/// Leaks are not looked for: threads of the host may be on their way out, and the noting driver keeps what it is told.
/// Whether the host loses anything, its test `leaks` counts. Nobody has a reason to ask for more memory at a time than this:
/// libFuzzer looks at what is used, and memory that is asked for and not touched is not. What is freed is kept from being used
/// again for a while, but not so long that all that an input allocates has to come from the system.
const ASAN_OPTIONS: &str = "detect_leaks=0:max_allocation_size_mb=2048:quarantine_size_mb=16";
/// Longest that a target runs at a time; then it begins anew with what it has kept. So a run that is stopped after hours has
/// counted all but the last minutes.
const ROUND: Duration = Duration::from_secs(600);
/// Each round that has ended, a line each.
const ROUNDS: &str = "rounds.tsv";
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
    /// Fuzz programs that are optimised and have no sanitizer: many times as many inputs, of which one that reads what is
    /// not its own need not be noticed.
    #[arg(long, conflicts_with = "driver")]
    fast: bool,
    /// How many targets run side by side.
    #[arg(long, default_value_t = 1, value_name = "N", conflicts_with = "driver")]
    jobs: usize,
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
    let build = if args.fast { build::FAST } else { build::SANITIZED };
    let programs = build.make(&targets)?;
    if let Some(input) = &args.input {
        let [target] = &targets[..] else { bail!("--input is for one target, which has to be named") };
        return run_one(&programs.join(target), input);
    }
    make_seeds(&programs.join("seeds"))?;
    let jobs = args.jobs.clamp(1, targets.len());
    let share = Duration::from_secs_f64(args.minutes * 60.0 * jobs as f64 / targets.len() as f64);
    if share.is_zero() {
        return Ok(());
    }
    conclude(&side_by_side(&targets, jobs, |target| fuzz(&build, &programs, target, share))?)
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

/// Runs all targets, so many at a time, and returns what came of each.
fn side_by_side(targets: &[String], jobs: usize, fuzz: impl Fn(&str) -> Result<Report> + Sync) -> Result<Vec<Report>> {
    let next = AtomicUsize::new(0);
    let reports = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..jobs {
            scope.spawn(|| {
                while let Some((nth, target)) = targets.iter().enumerate().nth(next.fetch_add(1, Ordering::Relaxed)) {
                    let report = fuzz(target);
                    reports.lock().expect("nobody panics with it").push((nth, report));
                }
            });
        }
    });
    let mut reports = reports.into_inner().expect("nobody panics with it");
    reports.sort_by_key(|(nth, _)| *nth);
    reports.into_iter().map(|(_, report)| report).collect()
}

/// Runs one target for a time, in rounds, or until it finds something.
fn fuzz(build: &Build, programs: &Path, target: &str, share: Duration) -> Result<Report> {
    let step = Step::start(format!("{target}, for {:.0} s", share.as_secs_f64()));
    let mut all = Report::of_nothing(target);
    let mut left = share;
    while !left.is_zero() && all.is_well() {
        let time = left.min(ROUND);
        let report = round(programs, target, time, &step)?;
        keep(build, &report)?;
        all.add(report);
        left -= time;
    }
    step.done("");
    Ok(all)
}

/// Runs one target for one round.
fn round(programs: &Path, target: &str, time: Duration, step: &Step) -> Result<Report> {
    let (corpus, seeds, found) = (folder("corpus", target)?, folder("seeds", target)?, folder("found", target)?);
    let before = files(&found)?;
    let mut details = step.details();
    let mut program = tethered(programs.join(target));
    program
        .arg(format!("-max_total_time={}", time.as_secs().max(1)))
        .arg(format!("-artifact_prefix={}/", found.display()))
        .args(["-detect_leaks=0", "-print_final_stats=1", "-print_funcs=0", "-rss_limit_mb=4096", "-timeout=20"])
        // To weigh inputs by how seldom their edges are costs a third of the time where an input takes tens of thousands.
        .arg("-entropic=0")
        .args([&corpus, &seeds])
        .env("ASAN_OPTIONS", ASAN_OPTIONS)
        .current_dir(workspace());
    let finished = Running::watch(&mut program, time + GRACE, move |line| {
        if line.contains("pulse") {
            details(line);
        }
    })?
    .finish()?;
    let findings = files(&found)?.into_iter().filter(|file| !before.contains(file)).collect();
    Ok(Report::new(target, &finished, findings))
}

/// Adds a round to the list of those that have ended.
fn keep(build: &Build, report: &Report) -> Result<()> {
    let path = workspace().join(FOLDER).join(ROUNDS);
    let mut file = std::fs::OpenOptions::new().create(true).append(true).open(&path)?;
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH)?.as_secs();
    writeln!(file, "{now}\t{}\t{}", build.name, report.row()).with_context(|| format!("writing {}", path.display()))
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
    let executions: u64 = reports.iter().map(|report| report.executions).sum();
    println!("{executions} executions; {FOLDER}/{ROUNDS} has those of all rounds");
    let failed: Vec<_> = reports.iter().filter(|report| !report.is_well()).collect();
    for report in &failed {
        eprintln!("{}", report.what_happened());
    }
    let inputs = failed.iter().flat_map(|report| &report.findings).map(|path| path.display().to_string());
    let inputs: Vec<_> = inputs.collect();
    ensure!(failed.is_empty(), "{} of the targets failed: {}", failed.len(), inputs.join(", "));
    Ok(())
}
