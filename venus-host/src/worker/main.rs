//! What a worker process does: waits to be told whom to serve, and serves it to its end.

use std::{
    ffi::CStr,
    fmt,
    fs::File,
    io,
    os::{
        fd::{AsFd as _, OwnedFd},
        unix::net::UnixStream,
    },
    process::ExitCode,
    sync::Arc,
};

use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    fs::{FileType, fstat},
    process::{Resource, Rlimit, getrlimit, setrlimit},
};
use tracing::{Level, level_filters::LevelFilter};

use super::{
    MakeObservers,
    message::{Begin, Event, Request, VERSION},
    outbox::Outbox,
    requests::Requests,
    serve::{self, Look},
    surroundings,
};
use crate::{
    HostError,
    allocator::keep_freed_memory,
    context::Options,
    driver::{self, Transport},
    endpoint::{Breadcrumbs, Observer},
    limits::{self, Budget},
    sandbox::{Confinement, Sandbox},
    socket,
};

/// How a worker process serves its context.
#[derive(Clone, Default)]
#[non_exhaustive]
pub struct WorkerOptions {
    /// The driver and what guests see of it. What memory may travel is the monitor's to say.
    pub driver: driver::Config,
    /// Who is told what the guest does, if anybody.
    pub observers: Option<Arc<MakeObservers>>,
    /// What the guest may hold. Of descriptors it gets no more than the process may have.
    pub budget: Budget,
    /// What the process gives up before it hears of its guest. What observers write to is named there.
    pub sandbox: Sandbox,
    log: Option<Arc<SendLog>>,
}

/// Takes lines of the log, on any thread.
pub type Lines = Arc<dyn Fn(Level, &str) + Send + Sync>;

type SendLog = dyn Fn(LevelFilter, Lines) + Send + Sync;

impl WorkerOptions {
    /// Nobody is told what the guest does.
    #[must_use]
    pub fn new(driver: driver::Config) -> Self {
        Self { driver, ..Self::default() }
    }

    /// Lets the guest hold so much and no more.
    #[must_use]
    pub fn budget(mut self, budget: Budget) -> Self {
        self.budget = budget;
        self
    }

    /// Has the process give up so much; [`Confinement::On`](crate::sandbox::Confinement::On) without this.
    #[must_use]
    pub fn sandbox(mut self, sandbox: Sandbox) -> Self {
        self.sandbox = sandbox;
        self
    }

    /// Has the monitor log what this process logs: once there is a monitor that does, calls `send` with what matters to it, and
    /// with what takes the lines. They come up there as if the monitor had written them. A process that does not say this logs
    /// by itself.
    #[must_use]
    pub fn log(mut self, send: impl Fn(LevelFilter, Lines) + Send + Sync + 'static) -> Self {
        self.log = Some(Arc::new(send));
        self
    }

    /// Tells those what the guest does whom `make` makes for it.
    #[must_use]
    pub fn observers(
        mut self,
        make: impl Fn(&str, &driver::Config) -> Vec<Arc<dyn Observer>> + Send + Sync + 'static,
    ) -> Self {
        self.observers = Some(Arc::new(make));
        self
    }
}

impl fmt::Debug for WorkerOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WorkerOptions").field("driver", &self.driver).finish_non_exhaustive()
    }
}

/// Serves the context of a monitor that has started this process ([`Launch`](super::Launch)): what a program does when
/// it finds itself started so. The socket to the monitor is standard input, in whose place `/dev/null` is put.
///
/// What the process has inherited of its monitor's is left behind first: descriptors other than the standard streams are
/// closed, unless this program has opened them itself (close-on-exec tells); standard output, which may be the monitor's way
/// to those who manage it, becomes standard error; `SIGPIPE` is ignored. Then it gives up what its
/// [sandbox](WorkerOptions::sandbox) says: of files at once, so this is best called while there are no other threads; of
/// system calls when the drivers are loaded, before it hears of its guest.
///
/// Returns when the monitor has gone or does not need the context any more. A driver may keep it from that, so the process
/// is killed if it is still there [`ORPHAN_PATIENCE`](limits::ORPHAN_PATIENCE) after its monitor has gone.
pub fn serve(options: &WorkerOptions) -> ExitCode {
    surroundings::ignore_sigpipe();
    surroundings::close_inherited();
    if let Err(error) = rustix::stdio::dup2_stdout(io::stderr()) {
        tracing::debug!("standard output stays what it is: {error}");
    }
    let served = take_control_socket().and_then(|control| {
        raise_descriptor_limit();
        keep_freed_memory();
        for missing in options.sandbox.check()? {
            tracing::warn!("{missing}");
        }
        options.sandbox.restrict_files()?;
        serve_monitor(control, options)
    });
    match served {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!("a worker cannot serve: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Serves the context of the monitor at the other end of `control`.
fn serve_monitor(control: UnixStream, options: &WorkerOptions) -> Result<(), HostError> {
    socket::prepare(&control).map_err(|error| HostError::io("cannot use the socket to the monitor", error))?;
    name_process(c"venus-spare");
    // Most of a guest's start is the loading of drivers, which need not wait for the guest.
    let is_early = !is_readable(&control);
    // A strict sandbox has what serving takes, and not what only loading does.
    if (is_early || options.sandbox.level == Confinement::Strict)
        && let Err(error) = driver::preload(&options.driver)
    {
        tracing::debug!("the drivers are not loaded ahead of the guest: {error}");
    }
    options.sandbox.restrict_calls()?;
    let mut requests = Requests::new(control)?;
    let Some(request) = requests.next() else { return Ok(()) };
    let Request::Begin(begin) = request else {
        return Err(HostError::Unsupported("the first thing that a worker hears is whom to serve".into()));
    };
    name_process(c"venus-guest");
    let (tell, look) = (requests.teller()?, Look::default());
    if let Err(reason) = check_version(&begin.version) {
        tell(Event::Lost(reason.clone()));
        return Err(HostError::Unsupported(reason.into()));
    }
    if let Some(send) = options.log.as_ref().filter(|_| begin.log != LevelFilter::OFF) {
        let tell = Arc::clone(&tell);
        send(begin.log, Arc::new(move |level, line| tell(Event::Line(level, line.to_owned()))));
    }
    let outbox = Arc::new(Outbox::new(limits::QUEUED_BYTES, Arc::default()));
    let receiver = requests.receive(Arc::clone(&outbox), Arc::clone(&tell), Arc::clone(&look))?;
    serve::serve(context_options(begin, options, Arc::clone(&outbox))?, || outbox.pop(), &tell, &look);
    match receiver.recv() {
        Ok(Ok(())) => Ok(()),
        Ok(Err(malformed)) => Err(HostError::Unsupported(format!("a message of the monitor's: {malformed}").into())),
        Err(_) => Err(HostError::Unsupported("what receives the monitor's messages has panicked".into())),
    }
}

/// Refuses a monitor of another version, whose words would mean something else.
fn check_version(theirs: &str) -> Result<(), String> {
    if theirs == VERSION {
        return Ok(());
    }
    Err(format!(
        "its worker is of version {VERSION} and the monitor of {theirs}: the worker's program was replaced while the monitor \
         was running, which has to be started again"
    ))
}

fn context_options(begin: Begin, options: &WorkerOptions, outbox: Arc<Outbox<Request>>) -> Result<Options, HostError> {
    let Begin { name, maps_opaque, protocol, caches, breadcrumbs, .. } = begin;
    // The monitor counts on what is noted there.
    let breadcrumbs = Breadcrumbs::open(breadcrumbs)?;
    let transport = Transport { opaque: maps_opaque, pointers: false };
    let driver = options.driver.clone().transport(transport).protocol(protocol).pipeline_caches(caches);
    let budget = options.budget.descriptors_of(socket::open_files());
    let made = Options::new(name, driver).budget(budget).breadcrumbs(breadcrumbs);
    Ok(made.observers(options.observers.as_deref()).abandoned(move || outbox.is_closed()))
}

/// Whether the monitor has said something, or has gone.
fn is_readable(control: &UnixStream) -> bool {
    let now = Timespec { tv_sec: 0, tv_nsec: 0 };
    let mut fds = [PollFd::new(control, PollFlags::IN)];
    poll(&mut fds, Some(&now)).is_ok_and(|ready| ready > 0)
}

/// Moves the socket to the monitor away from standard input. A driver that takes descriptor 0 for its own, as some do where
/// they mean "none", must not reach it.
///
/// # Errors
///
/// Standard input is no socket.
pub fn take_control_socket() -> Result<UnixStream, HostError> {
    let failed = |error: io::Error| HostError::io("cannot use standard input", error);
    let stdin: OwnedFd = io::stdin().as_fd().try_clone_to_owned().map_err(failed)?;
    let stat = fstat(&stdin).map_err(|error| failed(error.into()))?;
    if FileType::from_raw_mode(stat.st_mode) != FileType::Socket {
        return Err(HostError::Unsupported(
            "standard input is no socket: workers are started by their monitors".into(),
        ));
    }
    let nothing = File::open("/dev/null").map_err(|error| HostError::io("cannot open /dev/null", error))?;
    rustix::stdio::dup2_stdin(&nothing).map_err(|error| failed(error.into()))?;
    Ok(UnixStream::from(stdin))
}

/// What `ps` and `top` call this process, where the system lets it choose. Best effort.
pub fn name_process(name: &CStr) {
    #[cfg(target_os = "linux")]
    if let Err(error) = rustix::thread::set_name(name) {
        tracing::debug!("cannot name the process {name:?}: {error}");
    }
    #[cfg(not(target_os = "linux"))]
    let _ = name;
}

/// Asks for as many descriptors as the system permits: every piece of memory that a guest could map is one. Best effort.
pub fn raise_descriptor_limit() {
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

#[cfg(test)]
mod tests {
    use rustix::net::{RecvFlags, Shutdown, shutdown};

    use super::*;
    use crate::worker::{
        frame::{FrameReader, Heard, framed},
        inbox::Inbox,
    };

    #[test]
    fn a_monitor_of_another_version_is_told_so() {
        let (ours, theirs) = UnixStream::pair().unwrap();
        let begin = Begin {
            version: "0.0.0".to_owned(),
            name: "test".to_owned(),
            maps_opaque: false,
            protocol: driver::Level::NEWEST,
            log: LevelFilter::OFF,
            caches: driver::PipelineCaches::default(),
            breadcrumbs: Breadcrumbs::file().unwrap().into(),
        };
        let packet = Request::Begin(begin).encode().unwrap();
        socket::send_with(&ours, &framed(&packet), &packet.fds()).unwrap();
        shutdown(&ours, Shutdown::Write).unwrap();
        let options = WorkerOptions::default().sandbox(Sandbox::new(Confinement::Off));
        let refused = serve_monitor(theirs, &options).unwrap_err().to_string();
        assert!(refused.contains(VERSION) && refused.contains("0.0.0"), "{refused}");

        let mut reader = FrameReader::new(limits::WORKER_MESSAGE_BYTES);
        while reader.hear(&ours, RecvFlags::empty()) == Heard::Bytes {}
        let inbox = Inbox::new("test".to_owned(), Arc::new(|_, _, _| ()));
        let (payload, fd) = reader.next().unwrap().unwrap();
        inbox.take(Event::decode(&payload, fd).unwrap()).unwrap();
        assert_eq!(inbox.lost(), Some(refused));
    }
}
