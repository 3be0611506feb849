//! How worker processes are started.

use std::{
    fmt,
    os::{
        fd::OwnedFd,
        unix::{net::UnixStream, process::CommandExt as _},
    },
    process::{Child, Command},
    sync::Arc,
};

use crate::HostError;

/// How a worker process is started. Its standard input is the socket to its monitor, which [`serve`](super::serve) looks
/// for there.
#[derive(Clone)]
#[non_exhaustive]
pub enum Launch {
    /// The embedder's own program, which calls [`serve`](super::serve) when it is started like this.
    Command(Arc<dyn Fn() -> Command + Send + Sync>),
}

impl Launch {
    /// The program that `make` says.
    #[must_use]
    pub fn command(make: impl Fn() -> Command + Send + Sync + 'static) -> Self {
        Self::Command(Arc::new(make))
    }

    /// Starts a worker, and gives the socket to it.
    pub(super) fn start(&self) -> Result<(Child, UnixStream), HostError> {
        let (ours, theirs) =
            UnixStream::pair().map_err(|error| HostError::io("cannot make a socket for a worker", error))?;
        let command = match self {
            Self::Command(make) => make(),
        };
        spawn(command, theirs).map(|child| (child, ours))
    }
}

impl fmt::Debug for Launch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Command(_) => f.write_str("Command(..)"),
        }
    }
}

/// Starts a worker whose standard input is `control`.
pub(crate) fn spawn(mut command: Command, control: UnixStream) -> Result<Child, HostError> {
    // A group of its own: what a terminal sends to ours is for us, who end our workers when it is time.
    command.stdin(OwnedFd::from(control)).process_group(0);
    let child = command.spawn();
    // Dropped here: it holds our copy of the worker's end, without which we see the worker's end.
    drop(command);
    child.map_err(|error| HostError::io("cannot start a worker process", error))
}
