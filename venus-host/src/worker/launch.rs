//! How worker processes are started, and why they may not be.

use std::{
    ffi::OsString,
    fmt,
    os::{
        fd::OwnedFd,
        unix::{net::UnixStream, process::CommandExt as _},
    },
    process::{self, Command},
    sync::Arc,
};

use super::child::Child;
#[cfg(target_os = "linux")]
use super::{
    seccomp,
    this_library::{Start, ThisLibrary},
};
use crate::{HostError, socket::is_hung_up};

/// How a worker process is started. Its standard input is the socket to its monitor, which [`serve`](super::serve) looks
/// for there.
#[derive(Clone)]
#[non_exhaustive]
pub enum Launch {
    /// The embedder's own program, which calls [`serve`](super::serve) when it is started like this.
    Command(Arc<dyn Fn() -> Command + Send + Sync>),
    /// The shared library that this code is in, run by the system's dynamic loader: for libraries without a program of
    /// their own, on Linux. The library has an entry point ([`worker_entry`](crate::worker_entry)).
    ThisLibrary {
        /// What the worker's environment has beside this process's own.
        environment: Vec<(OsString, OsString)>,
    },
}

impl Launch {
    /// The program that `make` says. For the embedder's own, `/proc/self/exe` is on Linux the very one that runs, whatever an
    /// upgrade has put in its place.
    #[must_use]
    pub fn command(make: impl Fn() -> Command + Send + Sync + 'static) -> Self {
        Self::Command(Arc::new(make))
    }

    /// Starts a worker, which waits to be told whom to serve.
    pub(crate) fn start(&self) -> Result<Spare, HostError> {
        let (ours, theirs) =
            UnixStream::pair().map_err(|error| HostError::io("cannot make a socket for a worker", error))?;
        // The library's own file is kept until the worker has it.
        let (command, _file) = match self {
            Self::Command(make) => (make(), None),
            Self::ThisLibrary { environment } => this_library(environment)?,
        };
        spawn(command, theirs).map(|child| Spare(Some((Child::new(child), ours))))
    }
}

/// A worker that serves nobody yet. It ends with this.
#[derive(Debug)]
pub(crate) struct Spare(Option<(Child, UnixStream)>);

impl Spare {
    /// Whether it has ended by itself.
    pub(crate) fn has_ended(&self) -> bool {
        self.0.as_ref().is_none_or(|(_, socket)| is_hung_up(socket))
    }

    /// The process, and the socket to it.
    pub(super) fn take(mut self) -> Option<(Child, UnixStream)> {
        self.0.take()
    }
}

impl Drop for Spare {
    fn drop(&mut self) {
        if let Some((child, socket)) = self.0.take() {
            drop(socket);
            // It has nothing to bring to an end, and may be in the middle of loading a driver.
            child.end();
        }
    }
}

#[cfg(target_os = "linux")]
fn this_library(environment: &[(OsString, OsString)]) -> Result<Start, HostError> {
    // Of this thread, which may have taken one on since somebody looked. Who starts a program of its own knows its filters.
    if let Some(reason) = seccomp::own_filter() {
        return Err(HostError::Unsupported(reason.into()));
    }
    let library = ThisLibrary::find().map_err(|reason| HostError::Unsupported(reason.into()))?;
    library.command(environment).map_err(|error| HostError::io("cannot start this library as a worker", error))
}

/// What starts a worker, and a descriptor that has to stay until it is started.
#[cfg(not(target_os = "linux"))]
type Start = (Command, Option<OwnedFd>);

#[cfg(not(target_os = "linux"))]
fn this_library(_environment: &[(OsString, OsString)]) -> Result<Start, HostError> {
    Err(HostError::Unsupported(NO_LIBRARIES.into()))
}

/// What else than Linux has to say.
#[cfg(not(target_os = "linux"))]
const NO_LIBRARIES: &str = "this system runs no shared library as a program";

/// Why no worker may be started in this way, in words that go on after "because" or stand alone. Starting one all the same
/// fails, or is the end of this process: a filter of system calls cannot be tried.
///
/// A filter that was there when this process began is its surroundings' and lets programs start; one that the process has
/// taken on since may be one against starting programs, as QEMU's `-sandbox on,spawn=deny`.
#[must_use]
pub fn cannot_launch(launch: &Launch) -> Option<String> {
    #[cfg(target_os = "linux")]
    {
        let library = || match launch {
            Launch::ThisLibrary { .. } => ThisLibrary::find().err(),
            Launch::Command(_) => None,
        };
        seccomp::own_filter().or_else(library)
    }
    #[cfg(not(target_os = "linux"))]
    match launch {
        Launch::ThisLibrary { .. } => Some(NO_LIBRARIES.to_owned()),
        Launch::Command(_) => None,
    }
}

impl fmt::Debug for Launch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Command(_) => f.write_str("Command(..)"),
            Self::ThisLibrary { environment } => {
                f.debug_struct("ThisLibrary").field("environment", environment).finish()
            }
        }
    }
}

/// Starts a worker whose standard input is `control`.
pub(crate) fn spawn(mut command: Command, control: UnixStream) -> Result<process::Child, HostError> {
    // A group of its own: what a terminal sends to ours is for us, who end our workers when it is time.
    command.stdin(OwnedFd::from(control)).process_group(0);
    let child = command.spawn();
    // Dropped here: it holds our copy of the worker's end, without which we see the worker's end.
    drop(command);
    child.map_err(|error| HostError::io("cannot start a worker process", error))
}
