//! A guest that is being served, as its server sees it.

use std::{
    fmt,
    os::{
        fd::{AsFd as _, OwnedFd},
        unix::net::UnixStream,
    },
    process::{Child, ExitStatus},
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use parking_lot::{Mutex, MutexGuard};

use super::{
    super::session::Summary,
    Isolation, LOST_STATUS, ServerOptions, handoff,
    inquiry::{GuestStatistics, Inquiry},
    last_word,
    log_limit::LogLimiter,
    serve,
    unserved::Arrival,
};
use crate::{
    endpoint::{Breadcrumbs, Report},
    error::HostError,
    worker::spawn,
};

/// How often a worker that has closed its socket is looked at: when it has just done so, and later.
const LOOK: Duration = Duration::from_millis(2);
const LATE: Duration = Duration::from_millis(100);
const LATE_LOOK: Duration = Duration::from_millis(100);

/// From when on it counts like one that serves its guest. Ending well takes a driver some of that.
const OVERDUE: Duration = Duration::from_secs(1);

/// How long it may take from there to its end.
const EXIT_PATIENCE: Duration = Duration::from_secs(10);

/// Who serves a guest, or will.
#[derive(Debug)]
pub(super) struct Worker {
    runner: Runner,
    control: Arc<UnixStream>,
    /// When it was first looked at whether it has ended.
    closed: Option<Instant>,
    killed: bool,
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
        Ok(Self { runner, control: Arc::new(control), closed: None, killed: false })
    }

    pub(super) fn control(&self) -> &UnixStream {
        &self.control
    }

    /// Tells it that there will be no guest, at which it ends.
    pub(super) fn dismiss(&self) {
        let _gone = rustix::net::shutdown(&*self.control, rustix::net::Shutdown::Both);
    }

    /// Its process; 0 for a thread of this one.
    pub(super) fn process(&self) -> u32 {
        match &self.runner {
            Runner::Process(child) => child.id(),
            Runner::Thread(_) => 0,
        }
    }

    /// Whether it has closed its socket some time ago, and has still not ended.
    pub(super) fn is_overdue(&self) -> bool {
        self.closed.is_some_and(|closed| closed.elapsed() > OVERDUE)
    }

    /// How long a look at a worker that has closed its socket may wait. Most end at once.
    pub(super) fn next_look(&self) -> Duration {
        let is_late = self.closed.is_some_and(|closed| closed.elapsed() > LATE);
        if is_late { LATE_LOOK } else { LOOK }
    }

    /// How it ended, if it has: for one that has closed its socket. One that does not come to an end is killed.
    pub(super) fn ended(&mut self) -> Option<End> {
        let closed = *self.closed.get_or_insert_with(Instant::now);
        if closed.elapsed() > EXIT_PATIENCE && !self.killed {
            tracing::error!(
                "worker {} has closed its socket and does not end, so it is killed; the driver may be stuck: look for \
                 messages of the GPU in the system's log",
                self.process()
            );
            self.kill();
            self.killed = true;
        }
        match &mut self.runner {
            Runner::Process(child) => child.try_wait().ok().flatten().map(End::Process),
            Runner::Thread(thread) if thread.as_ref().is_some_and(|thread| !thread.is_finished()) => None,
            Runner::Thread(thread) => {
                Some(End::Thread { panicked: thread.take().is_some_and(|thread| thread.join().is_err()) })
            }
        }
    }

    /// Ends it, if it is a process; a thread of this one ends with its guest's socket.
    fn kill(&mut self) {
        if let Runner::Process(child) = &mut self.runner {
            // It may have ended by itself.
            let _gone = child.kill();
        }
    }
}

/// What others than the server's own thread look at.
#[derive(Debug)]
pub(super) struct Record {
    pub(super) number: u64,
    pub(super) process: u32,
    pub(super) user: Option<u32>,
    pub(super) since: Instant,
    control: Arc<UnixStream>,
    breadcrumbs: Arc<OwnedFd>,
    /// One question at a time.
    inquiry: Mutex<Inquiry>,
}

impl Record {
    /// What it has noted, which it may be writing just now.
    pub(super) fn report(&self) -> Report {
        Breadcrumbs::open(Arc::clone(&self.breadcrumbs)).unwrap_or_default().read()
    }

    /// Asks its worker how it is doing. Nothing if that is of no use.
    pub(super) fn ask(&self) -> Option<MutexGuard<'_, Inquiry>> {
        let mut inquiry = self.inquiry.lock();
        inquiry.ask(&self.control).then_some(inquiry)
    }

    /// What its worker says to that, if it does before `until`.
    pub(super) fn answer(&self, inquiry: &mut Inquiry, until: Instant) -> Option<GuestStatistics> {
        inquiry.answer(&self.control, until)
    }

    /// What came of it, by the account of its worker, which has ended.
    fn account(&self) -> Summary {
        let heard = self.inquiry.lock().end();
        last_word::read(&self.control, heard).unwrap_or_else(|| summary(&self.report(), None))
    }

    /// What the log calls it.
    pub(super) fn title(&self) -> String {
        title(&self.report().name, self.process, self.user)
    }
}

fn title(name: &str, process: u32, user: Option<u32>) -> String {
    let name = if name.is_empty() { "a guest without a name" } else { name };
    let worker = (process != 0).then(|| format!("worker {process}"));
    let known: Vec<String> = worker.into_iter().chain(user.map(|user| format!("user {user}"))).collect();
    if known.is_empty() { name.to_owned() } else { format!("{name} ({})", known.join(", ")) }
}

/// A guest that is being served.
#[derive(Debug)]
pub(super) struct Guest {
    pub(super) worker: Worker,
    pub(super) record: Arc<Record>,
    /// The server's copy: with it the guest can be answered when its worker has died, and sees no end before that.
    socket: Option<UnixStream>,
}

impl Guest {
    /// Has `worker` serve a connection. Gives both back if the worker cannot be reached.
    pub(super) fn begin(number: u64, worker: Worker, arrival: Arrival) -> Result<Self, (Arrival, Worker, HostError)> {
        match hand_over(&worker, &arrival.socket) {
            Ok(breadcrumbs) => {
                let record = Record {
                    number,
                    process: worker.process(),
                    user: arrival.user,
                    since: Instant::now(),
                    control: Arc::clone(&worker.control),
                    breadcrumbs,
                    inquiry: Mutex::default(),
                };
                Ok(Self { worker, record: Arc::new(record), socket: Some(arrival.socket) })
            }
            Err(error) => Err((arrival, worker, error)),
        }
    }

    /// Ends it, and its worker.
    pub(super) fn kill(&mut self) {
        self.worker.kill();
        if let Some(socket) = self.socket.as_ref().filter(|_| self.record.process == 0) {
            // The session reads the end of the stream then, and whoever waits inside it sees the guest as gone.
            let _gone = rustix::net::shutdown(socket, rustix::net::Shutdown::Both);
        }
    }

    /// The socket, if its guest was never answered and now never will be by its worker, which has closed its own.
    pub(super) fn take_unanswered(&mut self) -> Option<UnixStream> {
        self.socket.take_if(|_| !self.record.report().answered)
    }

    /// Deals with the end of its worker: logs to `deaths` what is not the guest's doing, and tells `options` of guests
    /// whose worker could not. While the server stops, which is when there are no `deaths`, a worker that was ended by
    /// others was meant to be. Returns the socket of a guest that has to learn of it.
    pub(super) fn end(self, end: &End, options: &ServerOptions, deaths: Option<&mut LogLimiter>) -> Option<UnixStream> {
        if end.is_in_order() {
            // It has said what there is to say, to its guest, too. A thread has told `finished` by itself.
            if let (End::Process(_), Some(finished)) = (end, &options.finished) {
                finished(&self.record.account());
            }
            return None;
        }
        let report = self.record.report();
        let lost = format!("its worker ended with {end} {}", place(&report));
        let who = self.record.title();
        match deaths {
            None => tracing::info!("{who}: {lost}"),
            Some(deaths) => {
                deaths.error(&format!("{who}: {lost}; other guests are not affected; {}", options.advice));
            }
        }
        if let Some(finished) = &options.finished {
            finished(&summary(&report, Some(lost)));
        }
        self.socket
    }
}

/// Which command it was in, for the middle of a sentence.
fn place(report: &Report) -> String {
    report.place(if report.answered { "before its first command" } else { "before it had answered its guest" })
}

fn summary(report: &Report, lost: Option<String>) -> Summary {
    Summary {
        name: report.name.clone(),
        commands: report.commands,
        failures: report.failures,
        lost,
        ..Summary::default()
    }
}

fn hand_over(worker: &Worker, socket: &UnixStream) -> Result<Arc<OwnedFd>, HostError> {
    let breadcrumbs = Arc::<OwnedFd>::from(Breadcrumbs::file()?);
    let given = handoff::give(worker.control(), socket.as_fd(), breadcrumbs.as_fd());
    given.map_err(|error| HostError::io("cannot give a guest to its worker", error))?;
    Ok(breadcrumbs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_guest_is_called_by_what_is_known_of_it() {
        assert_eq!(title("cube", 7, Some(1000)), "cube (worker 7, user 1000)");
        assert_eq!(title("", 0, None), "a guest without a name");
    }
}
