//! `venus serve`: the vtest server.

use std::{
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::{Arc, OnceLock},
    thread,
};

use anyhow::Context;
use clap::Args;
use signal_hook::{
    consts::{SIGHUP, SIGINT, SIGTERM},
    iterator::Signals,
};
use venus_host::{
    limits,
    sandbox::Confinement,
    vtest::{self, Isolation, Server, ServerHandle, ServerOptions, SessionOptions},
};
use venus_observe::{Settings, trace};

use super::{
    DriverArgs, RecordArgs, StatsArgs,
    budget::BudgetArgs,
    caches::CacheArgs,
    sandbox::SandboxArgs,
    service,
    sparse::Findings,
    status::{self, StatusSocket},
    trace::TraceArgs,
};

const EXAMPLES: &str = "\
Examples:
  venus serve --socket-path /tmp/venus.sock
      and in the guest, or in another terminal:
      VN_DEBUG=vtest VTEST_SOCKET_NAME=/tmp/venus.sock \\
      VK_DRIVER_FILES=/usr/share/vulkan/icd.d/virtio_icd.json vkcube
  venus serve --gpu 1 --log debug       the second GPU, with more words
  venus serve --record /tmp/recordings  keep what guests do
  venus serve --trace /tmp/traces       keep when it was done, for ui.perfetto.dev";

/// Names what is started instead of this program's own path.
pub(super) const WORKER_PROGRAM: &str = "VENUS_WORKER_PROGRAM";

/// Listen on a Unix socket for Mesa's Venus driver (the vtest protocol)
///
/// Serves until it is interrupted, and then until its guests have left; a second interrupt ends them. Each guest is
/// served by a process of its own.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct ServeArgs {
    /// Where to listen. A service manager that passes a socket (systemd, LISTEN_FDS) has chosen already
    #[arg(long, env = "VTEST_SOCKET_NAME", default_value = vtest::DEFAULT_SOCKET_PATH, value_name = "PATH")]
    socket_path: PathBuf,

    /// Serve all guests in this process, each on a thread, instead of giving each a process of its own; a guest that
    /// makes the driver crash then takes all others along
    #[arg(long)]
    in_process: bool,

    /// What serves a guest, started with the argument `worker` and our options in its environment; this program
    /// itself without. For a `venus` that cannot be started by its own path alone, because it runs through the loader of
    /// another C library: name a script that does the same
    #[arg(long, env = WORKER_PROGRAM, value_name = "PROGRAM", conflicts_with = "in_process")]
    worker_program: Option<PathBuf>,

    /// Where `venus status` asks what this server does; beside the socket for guests without
    #[arg(long, env = "VENUS_STATUS_PATH", value_name = "PATH")]
    status_path: Option<PathBuf>,

    /// Serve at most this many guests at a time, and no more than a sixth of the descriptors that the server may have;
    /// others are told at once that there is nothing for them, and go on with another driver
    #[arg(long, env = "VENUS_MAX_GUESTS", default_value_t = limits::SERVER_GUESTS, value_name = "N")]
    max_guests: usize,

    /// Serve at most this many guests of one user at a time
    #[arg(long, env = "VENUS_MAX_GUESTS_PER_UID", value_name = "N")]
    max_guests_per_uid: Option<usize>,

    /// Serve only guests of this user, given by number; repeat it for more users. Without it, whoever may write to the
    /// socket is served
    #[arg(long, env = "VENUS_ALLOW_UID", value_delimiter = ',', value_name = "UID")]
    allow_uid: Vec<u32>,

    /// Keep this many worker processes ready for guests to come, with the drivers loaded: each makes the start of one
    /// guest faster, by 20 to 100 ms, and costs some megabytes. Drivers that open the GPU when they are loaded, such as
    /// NVIDIA's, let it rest only with 0
    #[arg(long, env = "VENUS_SPARE_WORKERS", default_value_t = 1, value_name = "N")]
    spare_workers: usize,

    /// End after this many connections
    #[arg(long, value_name = "N")]
    connections: Option<usize>,

    #[command(flatten)]
    budget: BudgetArgs,

    #[command(flatten)]
    sandbox: SandboxArgs,

    #[command(flatten)]
    driver: DriverArgs,

    #[command(flatten)]
    caches: CacheArgs,

    #[command(flatten)]
    pub(super) record: RecordArgs,

    #[command(flatten)]
    trace: TraceArgs,

    #[command(flatten)]
    stats: StatsArgs,
}

pub(super) fn run(args: &ServeArgs, log: &str) -> Result<(), anyhow::Error> {
    let activated = service::take_socket()?;
    let driver = if args.in_process { args.driver.tried()? } else { args.driver.config()? };
    driver.transport.check(driver.memory).map_err(|reason| anyhow::anyhow!("--memory: {reason}"))?;
    args.check_sandbox()?;
    let driver = driver.pipeline_caches(args.caches.made()?);
    let handle = Arc::new(OnceLock::<ServerHandle>::new());
    let tracing = args.trace.listen({
        let handle = Arc::clone(&handle);
        // The one that waits for its guest was started with the switch as it was.
        move || handle.get().into_iter().for_each(ServerHandle::renew_workers)
    })?;
    let observe = Settings::new(args.record.settings(), tracing);
    // Found out below.
    let found = Arc::new(OnceLock::new());
    let program = if args.in_process { None } else { Some(args.worker_program()?) };
    let isolation = match &program {
        None => Isolation::Thread,
        Some(program) => workers(args, program, observe.tracing.clone(), log, Arc::clone(&found)),
    };
    let session = SessionOptions::new(driver)
        .budget(args.budget.budget())
        .observers(move |name, driver| observe.observers(name, driver));
    venus_host::worker::raise_descriptor_limit();
    let stats = args.stats.clone();
    let options = ServerOptions::new(isolation, session)
        .connections(args.connections)
        .finished(move |summary| stats.report(summary))
        .max_guests(args.max_guests)
        .max_guests_per_user(args.max_guests_per_uid)
        .allow_users(args.allow_uid.iter().copied())
        .admission_advice("see --max-guests, --max-guests-per-uid and --allow-uid")
        .spares(args.spare_workers)
        .advice(args.advice());
    let signals = Signals::new([SIGTERM, SIGINT, SIGHUP]).context("cannot listen for signals")?;
    let (server, path) = match activated {
        None => (
            Server::bind(&args.socket_path, options).context("cannot serve at --socket-path")?,
            Some(args.socket_path.clone()),
        ),
        Some(socket) => {
            let path = socket.local_addr().ok().and_then(|address| address.as_pathname().map(Path::to_owned));
            (Server::adopt(socket, options)?, path)
        }
    };
    let handle = handle.get_or_init(|| server.handle());
    let _status = args.status_socket(path.as_deref(), handle);
    obey_signals(signals, handle.clone())?;
    // Guests come already, and wait. A driver that does not return holds them up before there are others to be held up.
    if let Some(program) = &program {
        found.get_or_init(|| args.driver.proven(program, args.sandbox.environment()));
    }
    service::notify("READY=1");
    tracing::info!("listening at {}", path.as_deref().unwrap_or(Path::new("a socket without a name")).display());
    Ok(server.run()?)
}

impl ServeArgs {
    /// Where the server answers what it does. Guests are served without it, too.
    fn status_socket(&self, path: Option<&Path>, server: &ServerHandle) -> Option<StatusSocket> {
        let path = self.status_path.clone().or_else(|| path.map(status::beside))?;
        let opened = StatusSocket::open(&path, server.clone());
        opened.inspect_err(|error| tracing::warn!("`venus status` will not work: {error:#}")).ok()
    }

    /// Says what this system cannot do of the sandbox that workers are to have.
    fn check_sandbox(&self) -> Result<(), anyhow::Error> {
        let sandbox = self.sandbox.sandbox();
        anyhow::ensure!(
            !(self.in_process && sandbox.level == Confinement::Strict),
            "--sandbox strict: with --in-process there is nothing that could be confined"
        );
        if self.in_process && self.sandbox.is_asked_for() {
            tracing::warn!("--sandbox {}: with --in-process nothing is confined", sandbox.level);
        }
        for path in self.sandbox.missing() {
            tracing::warn!("--sandbox-read: {} does not exist, so no guest's process can read it", path.display());
        }
        for missing in sandbox.check().context("--sandbox")?.iter().filter(|_| !self.in_process) {
            tracing::warn!("{missing}; see `venus doctor`, or --sandbox off");
        }
        Ok(())
    }

    /// What serves guests.
    fn worker_program(&self) -> Result<PathBuf, anyhow::Error> {
        match &self.worker_program {
            Some(program) => Ok(program.clone()),
            None => super::program::this_program()
                .context("cannot tell where this program is, to start workers; try --worker-program or --in-process"),
        }
    }

    /// What to do about a worker that died.
    fn advice(&self) -> &'static str {
        if self.record.record_immediately {
            "the last command of its recording is the one that was under way: see it with `venus dump`"
        } else {
            "to see the command that was under way, serve with --record DIR --record-immediately, and `venus dump` the file"
        }
    }
}

/// Starts a thread that stops the server when the system asks for it.
fn obey_signals(mut signals: Signals, server: ServerHandle) -> Result<(), anyhow::Error> {
    let obey = move || {
        let mut is_stopping = false;
        for signal in signals.forever() {
            match signal {
                SIGHUP => {
                    tracing::info!("SIGHUP: there is no configuration to read again; options are taken at the start")
                }
                _ if is_stopping => server.stop_now(),
                _ => {
                    service::notify("STOPPING=1");
                    server.stop();
                }
            }
            is_stopping |= signal != SIGHUP;
        }
    };
    thread::Builder::new().name("venus-stop".to_owned()).spawn(obey).context("cannot start a thread for signals")?;
    Ok(())
}

/// Makes workers of this program, with the options that this process was given, and what it has `found` out.
fn workers(
    args: &ServeArgs,
    program: &Path,
    tracing: Option<trace::Settings>,
    log: &str,
    found: Arc<OnceLock<Findings>>,
) -> Isolation {
    let program = program.to_owned();
    let driver = args.driver.clone();
    let budget = args.budget.clone();
    let caches = args.caches.clone();
    let sandbox = args.sandbox.clone();
    let record = args.record.clone();
    let log = log.to_owned();
    Isolation::Process(Box::new(move || {
        let mut command = Command::new(&program);
        command
            .arg("worker")
            .envs(driver.environment())
            .envs(budget.environment())
            .envs(caches.environment())
            .envs(sandbox.environment())
            .envs(record.environment())
            .envs(super::trace::environment(tracing.as_ref()))
            .envs(found.get().cloned().unwrap_or_default().environment())
            .env("VENUS_LOG", &log)
            .stdout(Stdio::null());
        for name in service::VARIABLES {
            command.env_remove(name);
        }
        command
    }))
}
