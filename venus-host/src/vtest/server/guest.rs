//! A guest that is being served, as its server sees it.

use std::{
    fmt,
    os::{
        fd::{AsFd as _, OwnedFd},
        unix::net::UnixStream,
    },
    process::{Child, Command, ExitStatus},
    sync::Arc,
    thread,
    time::Instant,
};

use parking_lot::Mutex;

use super::{
    super::session::Summary,
    Condition, Isolation, LOST_STATUS, ServerOptions,
    hall::{Arrival, of_user},
    handoff, serve,
};
use crate::{
    endpoint::{Report, Source, Whereabouts},
    error::HostError,
};

/// Who serves a guest, or will.
#[derive(Debug)]
pub(super) struct Worker {
    runner: Runner,
    control: Arc<UnixStream>,
}

#[derive(Debug)]
enum Runner {
    Process(Child),
    Thread(Option<thread::JoinHandle<()>>),
}

/// How a worker ended.
#[derive(Debug)]
pub(super) enum End {
    Process(ExitStatus),
    Thread { panicked: bool },
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Process(status) => status.fmt(f),
            Self::Thread { panicked: true } => f.write_str("a panic, which is a bug in the host"),
            Self::Thread { panicked: false } => f.write_str("nothing amiss"),
        }
    }
}

impl End {
    /// Whether the worker has reported for itself.
    fn is_in_order(&self) -> bool {
        match self {
            Self::Process(status) => status.success() || status.code() == Some(LOST_STATUS.into()),
            Self::Thread { panicked } => !panicked,
        }
    }
}

impl Worker {
    /// Starts one, which waits for its guest.
    pub(super) fn start(options: &ServerOptions) -> Result<Self, HostError> {
        let (control, theirs) =
            UnixStream::pair().map_err(|error| HostError::io("cannot make a socket for a worker", error))?;
        let runner = match &options.isolation {
            Isolation::Process(command) => Runner::Process(spawn(command(), theirs)?),
            Isolation::Thread => {
                let (session, finished) = (options.session.clone(), options.finished.clone());
                let serve = move || {
                    let summary = serve::serve_worker(theirs, session, || ());
                    if let (Some(summary), Some(finished)) = (summary, finished) {
                        finished(&summary);
                    }
                };
                let thread = thread::Builder::new().name("venus-session".to_owned()).spawn(serve);
                let failed = |error| HostError::io("cannot start a thread for a connection", error);
                Runner::Thread(Some(thread.map_err(failed)?))
            }
        };
        Ok(Self { runner, control: Arc::new(control) })
    }

    pub(super) fn control(&self) -> &UnixStream {
        &self.control
    }

    /// Its process; 0 for a thread of this one.
    pub(super) fn process(&self) -> u32 {
        match &self.runner {
            Runner::Process(child) => child.id(),
            Runner::Thread(_) => 0,
        }
    }

    /// How it ended, if it has.
    pub(super) fn ended(&mut self) -> Option<End> {
        match &mut self.runner {
            Runner::Process(child) => child.try_wait().ok().flatten().map(End::Process),
            Runner::Thread(thread) if thread.as_ref().is_some_and(|thread| !thread.is_finished()) => None,
            Runner::Thread(thread) => {
                Some(End::Thread { panicked: thread.take().is_some_and(|thread| thread.join().is_err()) })
            }
        }
    }

    /// Ends it, if it is a process.
    pub(super) fn kill(&mut self) {
        if let Runner::Process(child) = &mut self.runner {
            // It may have ended by itself.
            let _gone = child.kill();
        }
    }
}

fn spawn(mut command: Command, control: UnixStream) -> Result<Child, HostError> {
    command.stdin(OwnedFd::from(control));
    let child = command.spawn();
    // Dropped here: it holds our copy of the worker's end, without which we see the worker's end.
    drop(command);
    child.map_err(|error| HostError::io("cannot start a worker process", error))
}

/// What others than the server's own thread look at.
#[derive(Debug)]
pub(super) struct Record {
    pub(super) number: u64,
    pub(super) process: u32,
    pub(super) user: Option<u32>,
    pub(super) since: Instant,
    control: Arc<UnixStream>,
    whereabouts: Arc<OwnedFd>,
    /// One question at a time.
    asking: Mutex<()>,
}

impl Record {
    /// What it has noted, which it may be writing just now.
    pub(super) fn report(&self) -> Report {
        Whereabouts::open(Arc::clone(&self.whereabouts)).unwrap_or_default().read()
    }

    /// What its worker says.
    pub(super) fn condition(&self) -> Option<Condition> {
        let _one_question = self.asking.lock();
        handoff::ask(&self.control)
    }

    /// What the log calls it.
    pub(super) fn title(&self) -> String {
        title(&self.report().name, self.process)
    }
}

fn title(name: &str, process: u32) -> String {
    let name = if name.is_empty() { "a guest without a name" } else { name };
    if process == 0 { name.to_owned() } else { format!("{name} (worker {process})") }
}

/// A guest that is being served.
#[derive(Debug)]
pub(super) struct Guest {
    pub(super) worker: Worker,
    pub(super) record: Arc<Record>,
    /// The server's copy: with it the guest can be answered when its worker has died, and sees no end before that.
    socket: UnixStream,
}

/// What is to be done with the socket of a guest whose worker has gone.
#[derive(Debug)]
pub(super) enum Remains {
    /// Its guest was never answered and can be refused.
    Unanswered(UnixStream),
    /// Its guest rests and has to learn it when it says the next word: until then, the socket must stay open.
    Resting(UnixStream),
    /// There is nothing left to say: closing the socket says it.
    Nothing,
}

impl Guest {
    /// Has `worker` serve a connection. Gives both back if the worker cannot be reached.
    pub(super) fn begin(number: u64, worker: Worker, arrival: Arrival) -> Result<Self, (Arrival, Worker, HostError)> {
        match hand_over(&worker, &arrival.socket) {
            Ok(whereabouts) => {
                let record = Record {
                    number,
                    process: worker.process(),
                    user: arrival.user,
                    since: Instant::now(),
                    control: Arc::clone(&worker.control),
                    whereabouts,
                    asking: Mutex::new(()),
                };
                Ok(Self { worker, record: Arc::new(record), socket: arrival.socket })
            }
            Err(error) => Err((arrival, worker, error)),
        }
    }

    /// Deals with the end of its worker: logs what is not the guest's doing, and tells `options` of guests whose worker
    /// could not. While the server is `stopping`, a worker that was ended by others was meant to be.
    pub(super) fn end(self, end: &End, options: &ServerOptions, stopping: bool) -> Remains {
        let report = self.record.report();
        if end.is_in_order() {
            // It has said what there is to say, to its guest, too, unless it never came to that.
            return if report.answered { Remains::Nothing } else { Remains::Unanswered(self.socket) };
        }
        let lost = format!("its worker ended with {end} {}", place(&report));
        let (who, user) = (self.record.title(), of_user(self.record.user));
        if stopping {
            tracing::info!("{who}{user}: {lost}");
        } else {
            tracing::error!("{who}{user}: {lost}; other guests are not affected; {}", options.advice);
        }
        if let Some(finished) = &options.finished {
            finished(&summary(&report, lost));
        }
        if !report.answered {
            Remains::Unanswered(self.socket)
        } else if is_waited_for(&self.socket) {
            // The guest's own words are lost with the socket, so it reads of a reset connection, and ends with a message.
            Remains::Nothing
        } else {
            Remains::Resting(self.socket)
        }
    }
}

/// Which command it was in, for the middle of a sentence.
fn place(report: &Report) -> String {
    let listed = |list: &[(Source, &str)]| {
        list.iter().map(|(source, command)| format!("{command} ({source})")).collect::<Vec<_>>().join(", ")
    };
    match (&*report.inside, &*report.last) {
        ([], []) if report.answered => "before its first command".to_owned(),
        ([], []) => "before it had answered its guest".to_owned(),
        ([], last) => format!("between commands, the last being {}", listed(last)),
        (inside, _) => format!("in {}", listed(inside)),
    }
}

/// Whether the guest has said something that nobody has read: a session leaves the last byte of a request where it is
/// for as long as it works on it.
fn is_waited_for(socket: &UnixStream) -> bool {
    rustix::io::ioctl_fionread(socket).is_ok_and(|bytes| bytes > 0)
}

fn summary(report: &Report, lost: String) -> Summary {
    Summary {
        name: report.name.clone(),
        commands: report.commands,
        failures: report.failures,
        lost: Some(lost),
        ..Summary::default()
    }
}

fn hand_over(worker: &Worker, socket: &UnixStream) -> Result<Arc<OwnedFd>, HostError> {
    let whereabouts = Arc::<OwnedFd>::from(Whereabouts::file()?);
    let given = handoff::give(worker.control(), socket.as_fd(), whereabouts.as_fd());
    given.map_err(|error| HostError::io("cannot give a guest to its worker", error))?;
    Ok(whereabouts)
}
