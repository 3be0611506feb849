//! Accepts connections and gives each a process of its own, or a thread.
//!
//! A worker is this same program, started afresh with the connection as its standard input: no state crosses but the
//! socket, and whatever a guest does to the driver (a crash, a hang, a leak) ends with the worker. Nothing is forked
//! without `exec`, which some drivers would not survive. Workers that are still serving when the server ends go on
//! until their guest leaves.

use std::{
    fmt, io,
    os::{
        fd::OwnedFd,
        unix::{
            fs::FileTypeExt,
            net::{UnixListener, UnixStream},
        },
    },
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};

use super::session::{self, SessionError, SessionOptions, Summary};
use crate::{error::HostError, limits};

/// Where Mesa looks if nobody says otherwise.
pub const DEFAULT_SOCKET_PATH: &str = "/tmp/.virgl_test";

/// Exit status of a worker process whose guest lost its context or its connection; the worker's log says why. A driver
/// that crashes ends the worker with a signal instead.
pub const LOST_STATUS: u8 = 3;

/// How long the server rests when the system has no descriptors or processes left for a new connection.
const ACCEPT_REST: Duration = Duration::from_millis(100);

/// Stack of the threads that only wait for a worker to end.
const REAPER_STACK_BYTES: usize = 64 << 10;

/// What stands between guests.
#[non_exhaustive]
pub enum Isolation {
    /// A process for each connection, made by this function from the socket it shall serve as its standard input.
    Process(Box<dyn Fn() -> Command + Send>),
    /// A thread for each connection. A guest that makes the driver crash takes everybody along.
    Thread,
}

/// Told what a connection amounted to, on the thread that served it.
pub type Finished = Arc<dyn Fn(&Summary) + Send + Sync>;

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
    /// Told of every connection that ends; for [`Isolation::Thread`]. Worker processes report for themselves.
    pub finished: Option<Finished>,
}

impl ServerOptions {
    /// Serves until it is stopped, and tells nobody of connections that end.
    #[must_use]
    pub fn new(isolation: Isolation, session: SessionOptions) -> Self {
        Self { isolation, session, connections: None, finished: None }
    }

    /// Ends after this many connections, if a number is given.
    #[must_use]
    pub fn connections(mut self, connections: impl Into<Option<usize>>) -> Self {
        self.connections = connections.into();
        self
    }

    /// Tells `finished` of every connection that ends.
    #[must_use]
    pub fn finished(mut self, finished: impl Fn(&Summary) + Send + Sync + 'static) -> Self {
        self.finished = Some(Arc::new(finished));
        self
    }
}

impl fmt::Debug for ServerOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerOptions")
            .field("isolation", &self.isolation)
            .field("session", &self.session)
            .field("connections", &self.connections)
            .finish_non_exhaustive()
    }
}

/// A listening vtest server.
#[derive(Debug)]
pub struct Server {
    listener: UnixListener,
    path: PathBuf,
    options: ServerOptions,
    live: Arc<AtomicUsize>,
}

impl Server {
    /// Listens at `path`. A socket that a server left there is replaced; one that still answers is not.
    pub fn bind(path: &Path, options: ServerOptions) -> Result<Self, HostError> {
        let shown = path.display();
        match std::fs::symlink_metadata(path) {
            Ok(found) if !found.file_type().is_socket() => {
                return Err(HostError::Unsupported(
                    format!("{shown} exists and is no socket; choose another --socket-path").into(),
                ));
            }
            Ok(_) if UnixStream::connect(path).is_ok() => {
                return Err(HostError::Unsupported(
                    format!("another server is listening at {shown}; stop it or choose another --socket-path").into(),
                ));
            }
            Ok(_) | Err(_) => {}
        }
        let listener = listen(path).map_err(|error| HostError::io(format!("cannot listen at {shown}"), error))?;
        Ok(Self { listener, path: path.to_owned(), options, live: Arc::default() })
    }

    /// Serves connections until the socket fails, or until as many as the options ask for have come and gone.
    pub fn run(&self) -> Result<(), HostError> {
        let mut threads = Vec::new();
        let mut accepted = 0_usize;
        while self.options.connections.is_none_or(|limit| accepted < limit) {
            let socket = match self.listener.accept() {
                Ok((socket, _)) => socket,
                Err(error) if is_passing(&error) => {
                    tracing::warn!("cannot accept a connection just now: {error}");
                    thread::sleep(ACCEPT_REST);
                    continue;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => {
                    return Err(HostError::io(format!("cannot accept at {}", self.path.display()), error));
                }
            };
            accepted = accepted.saturating_add(1);
            if self.live.load(Ordering::Relaxed) >= limits::SERVER_CLIENTS {
                tracing::warn!("connection refused: {} are being served already", limits::SERVER_CLIENTS);
                continue;
            }
            match self.start(socket) {
                Ok(thread) if self.options.connections.is_some() => threads.push(thread),
                Ok(_) => {}
                Err(error) => tracing::error!("connection lost: {error}"),
            }
        }
        for thread in threads {
            let _panicked = thread.join();
        }
        Ok(())
    }

    /// Serves one connection beside the others, and returns the thread that sees it end.
    fn start(&self, socket: UnixStream) -> Result<thread::JoinHandle<()>, HostError> {
        let seat = Seat::take(&self.live);
        let builder = thread::Builder::new();
        match &self.options.isolation {
            Isolation::Process(command) => {
                let mut command = command();
                command.stdin(Stdio::from(OwnedFd::from(socket)));
                let child = command.spawn();
                // Dropped here: it holds the server's copy of the socket, without which the guest sees the worker's
                // end.
                drop(command);
                let child = child.map_err(|error| HostError::io("cannot start a worker process", error))?;
                builder.name("venus-reaper".to_owned()).stack_size(REAPER_STACK_BYTES).spawn(move || {
                    reap(child);
                    drop(seat);
                })
            }
            Isolation::Thread => {
                let options = self.options.session.clone();
                let finished = self.options.finished.clone();
                builder.name("venus-session".to_owned()).spawn(move || {
                    let summary = serve_connection(socket, options);
                    if let Some(finished) = finished {
                        finished(&summary);
                    }
                    drop(seat);
                })
            }
        }
        .map_err(|error| HostError::io("cannot start a thread for a connection", error))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Best effort: whoever binds next replaces a leftover.
        let _gone = std::fs::remove_file(&self.path);
    }
}

/// Listens at `path`, which appears, or changes from what was left there, only once connections are accepted: whoever
/// waits for the path may connect as soon as it is there.
fn listen(path: &Path) -> io::Result<UnixListener> {
    let mut draft = path.as_os_str().to_owned();
    draft.push("~");
    // What a server left that was killed in between.
    let _gone = std::fs::remove_file(&draft);
    let listener = UnixListener::bind(&draft)?;
    std::fs::rename(&draft, path)?;
    Ok(listener)
}

/// Serves one connection on this thread until its guest leaves, logs how it ended, and says what came of it.
pub fn serve_connection(socket: UnixStream, options: SessionOptions) -> Summary {
    let mut summary = Summary::default();
    let outcome = session::run(socket, options, &mut summary);
    let guest = &*summary.name;
    match outcome {
        Ok(()) => tracing::debug!(guest, "guest left"),
        Err(SessionError::Socket(error)) if is_departure(&error) => tracing::debug!(guest, "guest left: {error}"),
        Err(error) => {
            match &error {
                SessionError::Guest(error) => tracing::error!(guest, "connection closed: {error}"),
                error => tracing::error!(guest, "connection lost: {error}"),
            }
            summary.lost.get_or_insert_with(|| error.to_string());
        }
    }
    summary
}

/// Waits for a worker and logs an end that is not its guest's doing.
fn reap(mut worker: Child) {
    match worker.wait() {
        Ok(status) if status.success() => {}
        Ok(status) if status.code() == Some(LOST_STATUS.into()) => {
            tracing::debug!("worker {} has lost its guest, and said why", worker.id());
        }
        Ok(status) => {
            tracing::error!("worker {} ended with {status}; its guest is lost, others are not affected", worker.id())
        }
        Err(error) => tracing::error!("cannot wait for worker {}: {error}", worker.id()),
    }
}

/// Errors of `accept` that concern one connection or pass with time.
fn is_passing(error: &io::Error) -> bool {
    use rustix::io::Errno;

    matches!(
        Errno::from_io_error(error),
        Some(Errno::CONNABORTED | Errno::MFILE | Errno::NFILE | Errno::NOBUFS | Errno::NOMEM)
    )
}

/// How a socket says that the guest ended without reading what we had sent.
fn is_departure(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset)
}

/// A place among the connections being served.
struct Seat(Arc<AtomicUsize>);

impl Seat {
    fn take(live: &Arc<AtomicUsize>) -> Self {
        live.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(live))
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
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
