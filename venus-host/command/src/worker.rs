//! `venus worker`: serves the one guest that a server hands to it through standard input.

use std::{os::unix::net::UnixStream, process::ExitCode};

use clap::Args;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use venus_host::{
    driver,
    sandbox::Confinement,
    vtest::{self, SessionOptions},
    worker::{close_inherited, keep_freed_memory, name_process, raise_descriptor_limit, take_control_socket},
};
use venus_observe::Settings;

use super::{
    DriverArgs, RecordArgs,
    budget::BudgetArgs,
    caches::CacheArgs,
    sandbox::{SandboxArgs, open_ahead},
    trace::TraceArgs,
};

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
    sandbox: SandboxArgs,

    #[command(flatten)]
    driver: DriverArgs,

    #[command(flatten)]
    caches: CacheArgs,

    #[command(flatten)]
    record: RecordArgs,

    #[command(flatten)]
    trace: TraceArgs,
}

pub(super) fn run(args: &WorkerArgs) -> Result<ExitCode, anyhow::Error> {
    // The server may have been started with descriptors that are nobody's business here, and hands on what is not marked.
    close_inherited();
    // Not a file that a guest's process can open.
    let caches = args.caches.known()?;
    let mut sandbox = args.sandbox.sandbox();
    let recording = open_ahead(&mut sandbox, args.record.record.as_deref());
    let trace = open_ahead(&mut sandbox, args.trace.folder());
    // Before there are other threads. What of it this system cannot do was said by the server.
    sandbox.restrict_files()?;
    let observe = Settings::new(
        args.record.settings().map(|settings| settings.ahead(recording)),
        args.trace.listen(|| ())?.map(|settings| settings.ahead(trace)),
    );
    let options = SessionOptions::new(args.driver.config()?.pipeline_caches(caches))
        .budget(args.budget.budget())
        .observers(move |name, driver| observe.observers(name, driver));
    let control = take_control_socket()?;
    raise_descriptor_limit();
    keep_freed_memory();
    name_process(c"venus-spare");
    // Most of a guest's start is the loading of drivers, which need not wait for the guest.
    let is_early = !has_guest(&control);
    // A strict sandbox has what serving takes, and not what only loading does.
    if (is_early || sandbox.level == Confinement::Strict)
        && let Err(error) = driver::preload(&options.driver)
    {
        tracing::debug!("the drivers are not loaded ahead of the guest: {error}");
    }
    sandbox.restrict_calls()?;
    let Some(summary) = vtest::serve_worker(control, options, || name_process(c"venus-guest")) else {
        return Ok(ExitCode::SUCCESS);
    };
    Ok(if summary.lost.is_some() { ExitCode::from(vtest::LOST_STATUS) } else { ExitCode::SUCCESS })
}

/// Whether there is a guest already, or the server has gone.
fn has_guest(control: &UnixStream) -> bool {
    let now = Timespec { tv_sec: 0, tv_nsec: 0 };
    let mut fds = [PollFd::new(control, PollFlags::IN)];
    poll(&mut fds, Some(&now)).is_ok_and(|ready| ready > 0)
}
