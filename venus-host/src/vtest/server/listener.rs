//! The socket that a server listens at, and who is at the other end of a connection.

use std::{
    fs, io,
    os::{
        fd::{AsFd, BorrowedFd},
        unix::{
            fs::FileTypeExt as _,
            net::{UnixListener, UnixStream},
        },
    },
    path::{Path, PathBuf},
};

use crate::{error::HostError, limits};

/// A listening socket, and its name if that is ours to remove.
#[derive(Debug)]
pub(super) struct Listener {
    socket: UnixListener,
    path: Option<PathBuf>,
}

impl Listener {
    /// Listens at `path`. A socket that a server left there is replaced; one that still answers is not.
    pub(super) fn bind(path: &Path) -> Result<Self, HostError> {
        let shown = path.display();
        match fs::symlink_metadata(path) {
            Ok(found) if !found.file_type().is_socket() => {
                return Err(HostError::Unsupported(format!("{shown} exists and is no socket").into()));
            }
            Ok(_) if UnixStream::connect(path).is_ok() => {
                return Err(HostError::io(format!("another server is listening at {shown}"), io::ErrorKind::AddrInUse));
            }
            Ok(_) | Err(_) => {}
        }
        let failed = |error| HostError::io(format!("cannot listen at {shown}"), error);
        let socket = listen(path).map_err(failed)?;
        let listener = Self { socket, path: Some(path.to_owned()) };
        listener.socket.set_nonblocking(true).map_err(failed)?;
        Ok(listener)
    }

    /// Takes over a socket that listens already, such as one of a service manager, who also removes it.
    pub(super) fn adopt(socket: UnixListener) -> Result<Self, HostError> {
        let failed = |error| HostError::io("cannot use the socket that was handed to this server", error);
        socket.set_nonblocking(true).map_err(failed)?;
        Ok(Self { socket, path: None })
    }

    /// The next connection, if there is one.
    pub(super) fn accept(&self) -> io::Result<Option<UnixStream>> {
        match self.socket.accept() {
            Ok((socket, _)) => Ok(Some(socket)),
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => Ok(None),
            Err(error) => Err(error),
        }
    }
}

impl AsFd for Listener {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        if let Some(path) = &self.path {
            // Best effort: whoever binds next replaces a leftover.
            let _gone = fs::remove_file(path);
        }
    }
}

/// Listens at `path`, which appears, or changes from what was left there, only once connections are accepted: whoever
/// waits for the path may connect as soon as it is there.
fn listen(path: &Path) -> io::Result<UnixListener> {
    let mut draft = path.as_os_str().to_owned();
    draft.push("~");
    // What a server left that was killed in between.
    let _gone = fs::remove_file(&draft);
    let listener = UnixListener::bind(&draft)?;
    // The standard library asks for a queue of 128.
    rustix::net::listen(&listener, limits::SERVER_BACKLOG)?;
    fs::rename(&draft, path)?;
    Ok(listener)
}

/// Which user is at the other end, as it was when the connection was made. Nothing where the system does not say.
#[cfg(target_os = "linux")]
pub(super) fn peer_user(socket: &UnixStream) -> Option<u32> {
    rustix::net::sockopt::socket_peercred(socket).ok().map(|credentials| credentials.uid.as_raw())
}

#[cfg(not(target_os = "linux"))]
pub(super) fn peer_user(_socket: &UnixStream) -> Option<u32> {
    None
}

/// Errors of `accept` that concern one connection or pass with time.
pub(super) fn is_passing(error: &io::Error) -> bool {
    use rustix::io::Errno;

    matches!(
        Errno::from_io_error(error),
        Some(Errno::CONNABORTED | Errno::MFILE | Errno::NFILE | Errno::NOBUFS | Errno::NOMEM)
    )
}

/// Descriptors that this process may have open.
pub(super) fn descriptors() -> usize {
    /// Where there is no limit, more than any bound of ours asks for.
    const MANY: usize = 1 << 20;
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile);
    limit.current.and_then(|limit| usize::try_from(limit).ok()).unwrap_or(MANY)
}
