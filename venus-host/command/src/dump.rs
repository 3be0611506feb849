//! `venus dump`: what a guest did, from its recording.

use std::{
    fs::File,
    io::{self, BufReader, BufWriter, IsTerminal as _, Read},
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::Context as _;
use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use venus_observe::{
    dump::{self, Detail, Filter, FilterError, Input, Options},
    recording::ReadError,
};

/// Exit status of a dump whose input ends too early or is damaged.
const INCOMPLETE: u8 = 3;

const EXAMPLES: &str = "\
Examples:
  venus dump vkcube-4711-0.venusrec | less           everything, with all values
  venus dump vkcube.venusrec --brief --ring direct   what did not come by a ring, a line each
  venus dump vkcube.venusrec --object 0x12           the life of one object
  venus dump vkcube.venusrec --failed                what went wrong
  venus dump vkcube.venusrec --command 'vkCmdDraw*' --from 2s --to 2.5s
  venus dump vkcube.venusrec --command '!*MESA'      without the private commands of rings and streams
  venus dump vkcube.venusrec --stats                 where the time went
  venus dump vkcube.venusrec --json | jq 'select(.return == \"VK_ERROR_DEVICE_LOST\")'

In the output, `ring 0x7f@640` is byte 640 of the stream of the ring with id 0x7f, `(created by #12 ...)` names the
command that made an object, and a line that begins with `!` says that something is wrong.

Exit status:
  0  all is printed, and the recording is complete: the guest left
  1  something failed; the last line of standard error says what
  2  the command line is wrong
  3  the recording or stream is open, cut or damaged; everything before that is printed";

/// Print what a guest did, from its recording
///
/// Prints every command with all its values, what it was answered and how long it took, in the order in which commands
/// began. Commands in an indirect stream stand below the vkExecuteCommandStreamsMESA that names it. Files that do not
/// begin like a recording are taken for plain streams of commands.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct DumpArgs {
    /// The recording, or `-` for standard input
    #[arg(value_name = "FILE")]
    file: PathBuf,

    /// Take the file for a plain stream of commands: no times, replies or other events
    #[arg(long)]
    raw: bool,

    /// Print one JSON object for each line; the documentation of `venus_observe::dump` describes them
    #[arg(long)]
    json: bool,

    /// Print a table of all commands: how often, how much, how long
    #[arg(long, conflicts_with_all = ["brief", "full"])]
    stats: bool,

    /// One line for each command
    #[arg(long, conflicts_with_all = ["full", "json"])]
    brief: bool,

    /// All of long arrays, strings, shaders and memory
    #[arg(long)]
    full: bool,

    /// Only commands with this in their name, or in one of their aliases; whole names if it has * or ?; without them
    /// if ! comes before it
    #[arg(long, value_name = "PATTERN", value_parser = command_pattern)]
    command: Vec<String>,

    /// Only commands that name the object with this id, decimal or 0x...
    #[arg(long, value_name = "ID", value_parser = object_id)]
    object: Vec<String>,

    /// Only what came by the ring with this id, or `direct`ly
    #[arg(long, value_name = "ID", value_parser = source)]
    ring: Vec<String>,

    /// Only from this time on: 1.5s, 200ms, 30us
    #[arg(long, value_name = "TIME", value_parser = time)]
    from: Option<String>,

    /// Only up to this time
    #[arg(long, value_name = "TIME", value_parser = time)]
    to: Option<String>,

    /// Only commands with these numbers: 10..20, 10.., ..20, 15
    #[arg(long, value_name = "RANGE", value_parser = range)]
    range: Option<String>,

    /// Only commands that failed, and the end of the context
    #[arg(long)]
    failed: bool,
}

/// Has a filter look at a value of the command line.
fn checked(value: &str, set: impl FnOnce(&mut Filter) -> Result<(), FilterError>) -> Result<String, FilterError> {
    set(&mut Filter::default()).map(|()| value.to_owned())
}

fn command_pattern(value: &str) -> Result<String, FilterError> {
    checked(value, |filter| filter.add_command(value))
}

fn object_id(value: &str) -> Result<String, FilterError> {
    checked(value, |filter| filter.add_object(value))
}

fn source(value: &str) -> Result<String, FilterError> {
    checked(value, |filter| filter.add_source(value))
}

fn time(value: &str) -> Result<String, FilterError> {
    checked(value, |filter| filter.set_time(Some(value), None))
}

fn range(value: &str) -> Result<String, FilterError> {
    checked(value, |filter| filter.set_range(value))
}

impl DumpArgs {
    fn filter(&self) -> Result<Filter, FilterError> {
        let mut filter = Filter::default();
        self.command.iter().try_for_each(|pattern| filter.add_command(pattern))?;
        self.object.iter().try_for_each(|id| filter.add_object(id))?;
        self.ring.iter().try_for_each(|id| filter.add_source(id))?;
        filter.set_time(self.from.as_deref(), self.to.as_deref())?;
        self.range.as_deref().map_or(Ok(()), |range| filter.set_range(range))?;
        if self.failed {
            filter.set_only_failed();
        }
        Ok(filter)
    }

    fn options(&self) -> Result<Options, FilterError> {
        let detail = match (self.brief, self.full) {
            (true, _) => Detail::Brief,
            (_, true) => Detail::Full,
            _ => Detail::Usual,
        };
        Ok(Options::new().json(self.json).statistics(self.stats).detail(detail).filter(self.filter()?))
    }
}

pub(super) fn run(args: &DumpArgs) -> Result<ExitCode, anyhow::Error> {
    let options = args.options()?;
    if args.file == Path::new("-") {
        return print(args, &options, io::stdin().lock(), None);
    }
    let failed = || format!("cannot read {}", args.file.display());
    let file = File::open(&args.file).with_context(failed)?;
    let len = file.metadata().with_context(failed)?.len();
    print(args, &options, BufReader::new(file), Some(len))
}

fn print(args: &DumpArgs, options: &Options, input: impl Read, len: Option<u64>) -> Result<ExitCode, anyhow::Error> {
    let progress = progress(len);
    let input = progress.wrap_read(input);
    let input = match if args.raw { Ok(Input::raw(input)) } else { Input::open(input) } {
        Ok(input) => input,
        Err(error @ ReadError::NoHeader(_)) => {
            eprintln!("venus: {}: {error}", args.file.display());
            return Ok(ExitCode::from(INCOMPLETE));
        }
        Err(error) => return Err(error).with_context(|| args.file.display().to_string()),
    };
    let printed = dump::dump(input, options, BufWriter::new(io::stdout().lock()));
    progress.finish_and_clear();
    match printed {
        Ok(end) if end.is_complete() => Ok(ExitCode::SUCCESS),
        Ok(_) => Ok(ExitCode::from(INCOMPLETE)),
        // Whoever reads the output has seen enough.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(ExitCode::SUCCESS),
        Err(error) => Err(error).with_context(|| format!("cannot print {}", args.file.display())),
    }
}

/// Shows how much has been read, if somebody is looking and the output does not show it anyway.
fn progress(len: Option<u64>) -> ProgressBar {
    if !io::stderr().is_terminal() || io::stdout().is_terminal() {
        return ProgressBar::hidden();
    }
    let bar = len.map_or_else(ProgressBar::no_length, ProgressBar::new);
    let template = match len {
        Some(_) => "{bar:40} {bytes} of {total_bytes}, {eta} left",
        None => "{spinner} {bytes}",
    };
    bar.with_style(ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar()))
}
