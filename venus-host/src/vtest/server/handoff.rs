//! How a server and whoever serves a guest for it talk: a stream socket between the two, the control socket.
//!
//! | from | message | what |
//! |---|---|---|
//! | server | `G`, with two descriptors | serve this guest's socket, and note where it stands in this memory file |
//! | server | `S` | say how the guest is doing |
//! | worker | length (4 bytes), then that many bytes | the answer to `S`: [`GuestStatistics`](super::GuestStatistics), as numbers of eight bytes each, a line for each GPU, and the last error |
//! | worker | length with its highest bit set (4 bytes), then that many bytes | the [last word](super::last_word), when the guest has left |
//!
//! The end of either side is the end of the stream. A worker whose server has gone before it got a guest has nothing to
//! do; one that has a guest serves it to its end. A server whose worker has gone answers the guest in its place, with its
//! own copy of the socket.

use std::{
    io,
    os::{
        fd::{AsFd, BorrowedFd, OwnedFd},
        unix::net::UnixStream,
    },
};

use rustix::net::RecvFlags;

use crate::socket;

/// A guest follows.
const GUEST: u8 = b'G';

/// How is it doing?
pub(super) const STATE: u8 = b'S';

/// Gives a guest's socket and the memory for its breadcrumbs to whoever is at the other end of `control`.
pub(super) fn give(control: &UnixStream, socket: BorrowedFd<'_>, breadcrumbs: BorrowedFd<'_>) -> io::Result<()> {
    socket::send_with(control, &[GUEST], &[socket, breadcrumbs])
}

/// Waits for a guest: its socket, and the memory for its breadcrumbs. Nothing if the server has gone.
pub(super) fn take(control: &UnixStream) -> io::Result<Option<(UnixStream, OwnedFd)>> {
    let (mut kind, mut fds) = ([0], Vec::new());
    if socket::receive_with(control, &mut kind, &mut fds, RecvFlags::empty())? == 0 {
        return Ok(None);
    }
    let mut fds = fds.into_iter();
    match (kind, fds.next(), fds.next()) {
        ([GUEST], Some(socket), Some(breadcrumbs)) => Ok(Some((UnixStream::from(socket), breadcrumbs))),
        _ => Err(io::Error::other("the server has sent something else than a guest")),
    }
}

/// Whether the other end has gone.
pub(super) fn is_gone(control: impl AsFd) -> bool {
    socket::is_hung_up(control)
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};

    use super::*;

    #[test]
    fn a_guest_travels_with_its_memory() {
        let (server, worker) = UnixStream::pair().unwrap();
        let (mut guest, socket) = UnixStream::pair().unwrap();
        let memory = crate::endpoint::Breadcrumbs::file().unwrap();
        give(&server, socket.as_fd(), memory.as_fd()).unwrap();
        let (mut socket, memory) = take(&worker).unwrap().unwrap();
        guest.write_all(&[7]).unwrap();
        let mut byte = [0];
        socket.read_exact(&mut byte).unwrap();
        assert_eq!(byte, [7]);
        assert!(crate::endpoint::Breadcrumbs::open(memory).is_ok());
        drop(server);
        assert!(take(&worker).unwrap().is_none(), "the server has gone");
        let (server, worker) = UnixStream::pair().unwrap();
        assert!(!is_gone(&server));
        drop(worker);
        assert!(is_gone(&server));
    }
}
