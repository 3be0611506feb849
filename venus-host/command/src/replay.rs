//! `venus replay`: executes a recording without a guest, and compares.

use std::{
    fs,
    io::{self, IsTerminal as _, Write as _},
    path::{Path, PathBuf},
    process::ExitCode,
    time::Duration,
};

use anyhow::Context as _;
use clap::Args;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use venus_observe::{
    recording::Reader,
    replay::{Options, Progress, ReplayError, Report, Seconds, replay},
};

use super::{DriverArgs, caches::CacheArgs};

/// Exit status if the driver did something else than in the recording.
const DIFFERENT: u8 = 3;

/// Exit status if a command did not come to an end.
const STALLED: u8 = 4;

const AFTER_HELP: &str = "\
Examples:
  venus replay vkcube-4711-0.venusrec
  venus replay --images /tmp/frames vkcube-4711-0.venusrec    and save what it drew
  venus replay --until '#1200' --log debug game.venusrec      up to a command of `venus dump`
  venus replay --loop 10 game.venusrec                        for a profiler, or to compare drivers

Exit status:
  0  all results are as recorded
  1  something failed; the last line of standard error says what
  2  the command line is wrong
  3  results differ from the recording
  4  a command did not come to an end";

/// Execute a recording on this machine's driver, without a guest, and compare what comes of it
///
/// Results of commands and the order of fences have to be as recorded. Other values in replies may differ, since drivers
/// do; they are listed. A recording that was cut is replayed up to there.
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub(super) struct ReplayArgs {
    /// The recording, made by `venus serve --record`
    #[arg(value_name = "FILE")]
    file: PathBuf,

    /// Begin each command when it began in the recording, instead of as soon as possible
    #[arg(long)]
    paced: bool,

    /// End after this command: a number of `venus dump`, with or without its #
    #[arg(long, value_name = "#N", value_parser = command_number)]
    until: Option<u64>,

    /// Replay this many times, each from a fresh start, and say how long each took
    #[arg(long = "loop", value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    times: u32,

    /// Save the pictures that the program copied to memory it can read, as PNG files in this folder
    #[arg(long, value_name = "DIR")]
    images: Option<PathBuf>,

    /// Treat every other value in a reply as a difference
    #[arg(long)]
    strict: bool,

    /// List every member with another value, also those that only say what the driver is and can
    #[arg(long)]
    all: bool,

    /// Seconds that one command may take
    #[arg(long, value_name = "SECONDS", default_value_t = 30, value_parser = clap::value_parser!(u64).range(1..))]
    stall: u64,

    #[command(flatten)]
    driver: DriverArgs,

    #[command(flatten)]
    caches: CacheArgs,
}

/// `#12` or `12`.
fn command_number(text: &str) -> Result<u64, String> {
    let digits = text.strip_prefix('#').unwrap_or(text);
    digits.parse().map_err(|_| "this is no number of a command, such as #1200".to_owned())
}

pub(super) fn run(args: &ReplayArgs) -> Result<ExitCode, anyhow::Error> {
    let options = Options::new(args.driver.tried()?.pipeline_caches(args.caches.known()?))
        .paced(args.paced)
        .until(args.until)
        .stall(Duration::from_secs(args.stall))
        .images(args.images.clone());
    venus_host::worker::raise_descriptor_limit();
    let mut out = io::stdout().lock();
    let mut times = Vec::new();
    let mut is_equal = true;
    for round in 1..=args.times {
        let report = match replay_once(&args.file, &options) {
            Err(error @ ReplayError::Stalled { .. }) => {
                eprintln!("venus: {}: {error}", args.file.display());
                return Ok(ExitCode::from(STALLED));
            }
            Err(error) => return Err(error).with_context(|| args.file.display().to_string()),
            Ok(report) => report,
        };
        times.push(report.elapsed);
        is_equal &= report.is_equal(args.strict);
        if round == args.times {
            if args.all { write!(out, "{report:#}")? } else { write!(out, "{report}")? }
        } else {
            writeln!(out, "{round}: {}", Seconds(report.elapsed))?;
        }
    }
    if args.times > 1 {
        times.sort();
        let (min, median) = (times.first(), times.get(times.len() / 2));
        let (min, median) = (min.copied().unwrap_or_default(), median.copied().unwrap_or_default());
        writeln!(out, "{} times: {} at least, {} in the median", args.times, Seconds(min), Seconds(median))?;
    }
    Ok(if is_equal { ExitCode::SUCCESS } else { ExitCode::from(DIFFERENT) })
}

fn replay_once(file: &Path, options: &Options) -> Result<Report, ReplayError> {
    let bar = progress_bar(fs::metadata(file).map_or(0, |metadata| metadata.len()));
    let path = file.to_owned();
    let outcome = replay(move || Reader::open(&path), options, &mut |progress: Progress| {
        bar.set_position(progress.bytes);
        bar.set_message(progress.to_string());
    });
    bar.finish_and_clear();
    outcome
}

/// A bar on the terminal, if there is one.
fn progress_bar(bytes: u64) -> ProgressBar {
    if !io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::with_draw_target(Some(bytes), ProgressDrawTarget::stderr());
    let style = ProgressStyle::with_template("{bar:40} {percent:>3} % {msg} {elapsed}");
    bar.with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_named_as_in_a_dump() {
        assert_eq!(command_number("#1200"), Ok(1200));
        assert_eq!(command_number("0"), Ok(0));
        assert!(command_number("##1").is_err());
        assert!(command_number("last").is_err());
    }
}
