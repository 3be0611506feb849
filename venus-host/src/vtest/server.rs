//! Accepts connections and gives each a process of its own, or a thread.
//!
//! A worker is this same program, started afresh with one end of a [control socket](handoff) as its standard input: no
//! state crosses but a guest's socket, and whatever a guest does to the driver (a crash, a hang, a leak) ends with the
//! worker. Nothing is forked without `exec`, which some drivers would not survive. One worker is started ahead, so that a
//! guest does not wait for a process to start. Workers that are still serving when the server is killed go on until their
//! guest leaves.
//!
//! The server keeps a copy of each guest's socket. It never reads from it; with it a guest whose worker dies is refused,
//! or reads of a reset connection, instead of spinning on an end of the stream.
//!
//! | file | what |
//! |---|---|
//! | [`listener`] | the socket that is listened at |
//! | [`unserved`] | connections that nobody serves |
//! | [`guest`] | guests that are served, their workers and their ends |
//! | [`handoff`] | how server and worker talk |
//! | [`inquiry`] | how a guest is doing |
//! | [`last_word`] | what came of it |
//! | [`serve`] | what a worker does |
//! | [`log_limit`] | log lines that guests can cause in any number |
//! | [`run`] | the loop that does it all |

mod guest;
mod handoff;
mod inquiry;
mod last_word;
mod listener;
mod log_limit;
mod orphan;
mod run;
mod serve;
mod unserved;

use std::{
    borrow::Cow,
    collections::BTreeMap,
    fmt,
    io::{Read as _, Write as _},
    os::unix::net::{UnixListener, UnixStream},
    path::Path,
    process::Command,
    sync::Arc,
    time::Duration,
};

use parking_lot::Mutex;

use self::{guest::Record, inquiry::PATIENCE, listener::Listener, run::Loop};
pub use self::{
    inquiry::GuestStatistics,
    serve::{serve_connection, serve_worker},
};
use super::session::{SessionOptions, Summary};
use crate::{error::HostError, limits, thread::deadline};

/// Where Mesa looks if nobody says otherwise.
pub const DEFAULT_SOCKET_PATH: &str = "/tmp/.virgl_test";

/// Exit status of a worker process whose guest lost its context or its connection; the worker's log says why. A driver
/// that crashes ends the worker with a signal instead.
pub const LOST_STATUS: u8 = 3;

/// What stands between guests.
#[non_exhaustive]
pub enum Isolation {
    /// A process for each guest, made by this function. Its standard input is the control socket, which it gives to
    /// [`serve_worker`]; it had better move it away from there, and ends with 0 or [`LOST_STATUS`].
    Process(Box<dyn Fn() -> Command + Send>),
    /// A thread for each connection. A guest that makes the driver crash takes everybody along.
    Thread,
}

/// Told what a connection amounted to.
pub type Finished = Arc<dyn Fn(&Summary) + Send + Sync>;

/// Who may be a guest, and how many.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Admission {
    /// Most guests at a time.
    pub guests: usize,
    /// Most guests of one user at a time, where the system says whose they are.
    pub guests_per_user: Option<usize>,
    /// The users who may be guests, by number; all, if it is empty.
    pub users: Vec<u32>,
    /// What the log says to do about guests that this refuses; nothing, if it is empty.
    pub advice: Cow<'static, str>,
}

impl Default for Admission {
    fn default() -> Self {
        Self { guests: limits::SERVER_GUESTS, guests_per_user: None, users: Vec::new(), advice: Cow::Borrowed("") }
    }
}

/// How to serve.
#[non_exhaustive]
pub struct ServerOptions {
    /// What stands between guests.
    pub isolation: Isolation,
    /// How to serve each connection; for [`Isolation::Thread`]. Worker processes are told by their command line or
    /// environment.
    pub session: SessionOptions,
    /// Serve this many connections, then end; for tests and scripts.
    pub connections: Option<usize>,
    /// Told of every guest that leaves: on the thread that served it, for [`Isolation::Thread`]; on the server's own, by the
    /// account of the worker process, and of what the server knows itself if that has died.
    pub finished: Option<Finished>,
    /// Who may be a guest, and how many.
    pub admission: Admission,
    /// Worker processes that are started ahead of their guests.
    pub spares: usize,
    /// What to do about a worker that died, for the log.
    pub advice: Cow<'static, str>,
}

impl ServerOptions {
    /// Serves until it is stopped, and tells nobody of guests that leave.
    #[must_use]
    pub fn new(isolation: Isolation, session: SessionOptions) -> Self {
        Self {
            isolation,
            session,
            connections: None,
            finished: None,
            admission: Admission::default(),
            spares: 1,
            advice: Cow::Borrowed("the driver is what crashes mostly: try a newer one"),
        }
    }

    /// Ends after this many connections, if a number is given.
    #[must_use]
    pub fn connections(mut self, connections: impl Into<Option<usize>>) -> Self {
        self.connections = connections.into();
        self
    }

    /// Tells `finished` of guests that leave.
    #[must_use]
    pub fn finished(mut self, finished: impl Fn(&Summary) + Send + Sync + 'static) -> Self {
        self.finished = Some(Arc::new(finished));
        self
    }

    /// Serves at most so many guests at a time.
    #[must_use]
    pub fn max_guests(mut self, guests: usize) -> Self {
        self.admission.guests = guests;
        self
    }

    /// Serves at most so many guests of one user at a time, if a number is given.
    #[must_use]
    pub fn max_guests_per_user(mut self, guests: impl Into<Option<usize>>) -> Self {
        self.admission.guests_per_user = guests.into();
        self
    }

    /// Serves these users only, by number; all, if there are none.
    #[must_use]
    pub fn allow_users(mut self, users: impl IntoIterator<Item = u32>) -> Self {
        self.admission.users = users.into_iter().collect();
        self
    }

    /// What the log says to do about guests that are refused because of these numbers.
    #[must_use]
    pub fn admission_advice(mut self, advice: impl Into<Cow<'static, str>>) -> Self {
        self.admission.advice = advice.into();
        self
    }

    /// Starts so many worker processes ahead of their guests.
    #[must_use]
    pub fn spares(mut self, spares: usize) -> Self {
        self.spares = spares;
        self
    }

    /// What the log says to do about a worker that died.
    #[must_use]
    pub fn advice(mut self, advice: impl Into<Cow<'static, str>>) -> Self {
        self.advice = advice.into();
        self
    }
}

impl fmt::Debug for ServerOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerOptions")
            .field("isolation", &self.isolation)
            .field("session", &self.session)
            .field("connections", &self.connections)
            .field("admission", &self.admission)
            .field("spares", &self.spares)
            .finish_non_exhaustive()
    }
}

/// How much of a hurry there is to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Urgency {
    None,
    /// When the guests have left.
    Soon,
    /// At once.
    Now,
}

/// What the server's thread is told to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Order {
    /// To end when its guests have left.
    Stop,
    /// To end its guests.
    StopNow,
    /// To start those workers afresh that wait for guests.
    RenewWorkers,
}

impl Order {
    const ALL: [Self; 3] = [Self::Stop, Self::StopNow, Self::RenewWorkers];

    /// As it travels to that thread.
    fn byte(self) -> u8 {
        match self {
            Self::Stop => 0,
            Self::StopNow => 1,
            Self::RenewWorkers => 2,
        }
    }
}

/// What the server's thread shares with others.
#[derive(Debug)]
struct State {
    guests: Mutex<BTreeMap<u64, Arc<Record>>>,
    /// Readable when there is something to hear.
    wake: UnixStream,
    bell: UnixStream,
}

impl State {
    fn new() -> Result<Self, HostError> {
        let made = UnixStream::pair().and_then(|(wake, bell)| wake.set_nonblocking(true).map(|()| (wake, bell)));
        let (wake, bell) =
            made.map_err(|error| HostError::io("cannot make a socket to wake the server with", error))?;
        Ok(Self { guests: Mutex::default(), wake, bell })
    }

    /// What was ordered since the last time.
    fn orders(&self) -> Vec<Order> {
        let mut said = [0; 64];
        let mut all = Vec::new();
        while let Ok(count @ 1..) = (&self.wake).read(&mut said) {
            let said = said.get(..count).unwrap_or_default();
            all.extend(Order::ALL.into_iter().filter(|order| said.contains(&order.byte())));
        }
        all
    }

    fn order(&self, order: Order) {
        // A queue that is full says it already.
        let _said = (&self.bell).write(&[order.byte()]);
    }
}

/// A listening vtest server.
#[derive(Debug)]
pub struct Server {
    listener: Listener,
    options: ServerOptions,
    state: Arc<State>,
}

impl Server {
    /// Listens at `path`. A socket that a server left there is replaced; one that still answers is not.
    pub fn bind(path: &Path, options: ServerOptions) -> Result<Self, HostError> {
        // Last, since guests come as soon as there is a path.
        let state = Arc::new(State::new()?);
        Ok(Self { listener: Listener::bind(path)?, options, state })
    }

    /// Serves at a socket that somebody else made and listens already, such as a service manager.
    pub fn adopt(socket: UnixListener, options: ServerOptions) -> Result<Self, HostError> {
        Ok(Self { listener: Listener::adopt(socket)?, options, state: Arc::new(State::new()?) })
    }

    /// What looks at the server and stops it, from other threads.
    #[must_use]
    pub fn handle(&self) -> ServerHandle {
        ServerHandle(Arc::clone(&self.state))
    }

    /// Serves connections until the socket fails or the server is stopped, or until as many as the options ask for have
    /// come and gone. The socket's name disappears when it stops to listen.
    pub fn run(self) -> Result<(), HostError> {
        Loop::new(self.listener, &self.options, &self.state).run()
    }
}

/// Looks at a server and stops it, from any thread.
#[derive(Debug, Clone)]
pub struct ServerHandle(Arc<State>);

impl ServerHandle {
    /// Has the server take no more guests, and end when those that it has have left.
    pub fn stop(&self) {
        self.0.order(Order::Stop);
    }

    /// Has the server end its guests, and then itself.
    pub fn stop_now(&self) {
        self.0.order(Order::StopNow);
    }

    /// Has the server start its workers afresh that wait for guests: what they are started with has changed.
    pub fn renew_workers(&self) {
        self.0.order(Order::RenewWorkers);
    }

    /// The guests that are being served. Asks each worker how its guest is doing; those that have not answered in two
    /// seconds, all together, have no statistics.
    #[must_use]
    pub fn guests(&self) -> Vec<GuestStatus> {
        let records: Vec<_> = self.0.guests.lock().values().cloned().collect();
        // All of them before the first answer is waited for. Others who ask take the locks in the same order.
        let inquiries: Vec<_> = records.iter().map(|record| record.ask()).collect();
        let until = deadline(PATIENCE);
        let answers = inquiries.into_iter().zip(&records).map(|(inquiry, record)| {
            let statistics = inquiry.and_then(|mut inquiry| record.answer(&mut inquiry, until));
            GuestStatus::of(record, statistics)
        });
        answers.collect()
    }
}

/// A guest that is being served.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct GuestStatus {
    /// Which guest of the server it is, counted from the first connection.
    pub number: u64,
    /// The guest program's name; empty before it has said it.
    pub name: String,
    /// The worker's process; 0 where guests are served by threads.
    pub process: u32,
    /// The user, where the system tells.
    pub user: Option<u32>,
    /// How long it has been served.
    pub age: Duration,
    /// How it is doing, by its worker's account.
    pub statistics: Option<GuestStatistics>,
}

impl GuestStatus {
    fn of(record: &Record, statistics: Option<GuestStatistics>) -> Self {
        Self {
            number: record.number,
            name: record.report().name,
            process: record.process,
            user: record.user,
            age: record.since.elapsed(),
            statistics,
        }
    }
}

impl fmt::Debug for Isolation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Process(_) => "Process",
            Self::Thread => "Thread",
        })
    }
}
