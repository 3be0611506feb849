//! `venus worker`: serves the one guest that a server hands to it through standard input.

use std::{
    ffi::CStr,
    fs::File,
    io,
    os::{
        fd::{AsFd, OwnedFd},
        unix::net::UnixStream,
    },
    process::ExitCode,
};

use anyhow::Context;
use clap::Args;
use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    fs::{FileType, fstat},
    process::{Resource, Rlimit, getrlimit, setrlimit},
};
use venus_host::{
    driver,
    vtest::{self, SessionOptions},
};
use venus_observe::Settings;

use super::{DriverArgs, RecordArgs, StatsArgs, budget::BudgetArgs, trace::TraceArgs};

const EXIT_STATUS: &str = "\
Exit status:
  0  the guest left
  1  something failed before there was a guest; the last line of standard error says what
  2  the command line is wrong
  3  the guest lost its context or its connection; standard error says why";

/// Serve the guest that comes through standard input; started by `venus serve`
#[derive(Debug, Args)]
#[command(after_help = EXIT_STATUS)]
pub(super) struct WorkerArgs {
    #[command(flatten)]
    budget: BudgetArgs,

    #[command(flatten)]
    driver: DriverArgs,

    #[command(flatten)]
    record: RecordArgs,

    #[command(flatten)]
    trace: TraceArgs,

    #[command(flatten)]
    stats: StatsArgs,
}

pub(super) fn run(args: &WorkerArgs) -> Result<ExitCode, anyhow::Error> {
    let observe = Settings::new(args.record.settings(), args.trace.listen(|| ())?);
    let options = SessionOptions::new(args.driver.config()?)
        .budget(args.budget.budget())
        .observers(move |name, driver| observe.observers(name, driver));
    let control = take_control_socket()?;
    raise_descriptor_limit();
    name_process(c"venus-spare");
    // Most of a guest's start is the loading of drivers, which need not wait for the guest.
    if !has_guest(&control)
        && let Err(error) = driver::preload(&options.driver)
    {
        tracing::debug!("the drivers are not loaded ahead of the guest: {error}");
    }
    let Some(summary) = vtest::serve_worker(control, options, || name_process(c"venus-guest")) else {
        return Ok(ExitCode::SUCCESS);
    };
    args.stats.report(&summary);
    Ok(if summary.lost.is_some() { ExitCode::from(vtest::LOST_STATUS) } else { ExitCode::SUCCESS })
}

/// Whether there is a guest already, or the server has gone.
fn has_guest(control: &UnixStream) -> bool {
    let now = Timespec { tv_sec: 0, tv_nsec: 0 };
    let mut fds = [PollFd::new(control, PollFlags::IN)];
    poll(&mut fds, Some(&now)).is_ok_and(|ready| ready > 0)
}

/// Moves the socket to the server away from standard input. A driver that takes descriptor 0 for its own, as some do
/// where they mean "none", must not reach it.
fn take_control_socket() -> Result<UnixStream, anyhow::Error> {
    let stdin: OwnedFd = io::stdin().as_fd().try_clone_to_owned().context("cannot use standard input")?;
    let stat = fstat(&stdin).context("cannot use standard input")?;
    anyhow::ensure!(
        FileType::from_raw_mode(stat.st_mode) == FileType::Socket,
        "standard input is no socket; workers are started by `venus serve`"
    );
    let nothing = File::open("/dev/null").context("cannot open /dev/null")?;
    rustix::stdio::dup2_stdin(&nothing).context("cannot put /dev/null in the place of standard input")?;
    Ok(UnixStream::from(stdin))
}

/// What `ps` and `top` call this process, where the system lets it choose. Best effort.
fn name_process(name: &CStr) {
    #[cfg(target_os = "linux")]
    if let Err(error) = rustix::thread::set_name(name) {
        tracing::debug!("cannot name the process {name:?}: {error}");
    }
    #[cfg(not(target_os = "linux"))]
    let _ = name;
}

/// Asks for as many descriptors as the system permits: every piece of memory that a guest could map is one. Best effort.
pub(super) fn raise_descriptor_limit() {
    // What macOS grants where it refuses to call "no limit" a number: `OPEN_MAX` of its headers.
    const MODEST: u64 = 10_240;
    let limit = getrlimit(Resource::Nofile);
    let raise = |to| setrlimit(Resource::Nofile, Rlimit { current: to, ..limit });
    let modest = limit.maximum.map_or(MODEST, |maximum| maximum.min(MODEST));
    let outcome = raise(limit.maximum).or_else(|error| match limit.current {
        Some(current) if current < modest => raise(Some(modest)),
        _ => Err(error),
    });
    if let Err(error) = outcome {
        tracing::debug!("cannot raise the limit of open files: {error}");
    }
}
