//! Sending on the socket: bytes, and the one-byte message that carries a descriptor.
//!
//! A descriptor travels with a message of its own, after the answer it belongs to, so that a peer that reads the answer
//! as a stream does not swallow the byte it is attached to. A peer that has gone is an error here, never a signal.

use std::{
    io::{self, IoSlice},
    mem::MaybeUninit,
    os::{
        fd::{AsFd, BorrowedFd},
        unix::net::UnixStream,
    },
};

use rustix::{
    io::Errno,
    net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags},
};

#[cfg(target_os = "linux")]
const FLAGS: SendFlags = SendFlags::NOSIGNAL;
// There the socket itself is told not to raise signals, in `prepare`.
#[cfg(not(target_os = "linux"))]
const FLAGS: SendFlags = SendFlags::empty();

/// Makes a socket ready for the functions below.
pub(super) fn prepare(socket: &UnixStream) -> io::Result<()> {
    #[cfg(target_vendor = "apple")]
    match rustix::net::sockopt::set_socket_nosigpipe(socket, true) {
        // That is how macOS says that the peer has gone already, which the first read will say better.
        Ok(()) | Err(Errno::INVAL) => {}
        Err(error) => return Err(error.into()),
    }
    // A listener may have handed down its own mode.
    socket.set_nonblocking(false)
}

/// Sends all of `bytes`.
pub(super) fn send(socket: &UnixStream, bytes: &[u8]) -> io::Result<()> {
    let mut rest = bytes;
    while !rest.is_empty() {
        match rustix::net::send(socket, rest, FLAGS) {
            Ok(sent) => rest = rest.get(sent..).unwrap_or_default(),
            Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

/// Sends a descriptor, with one zero byte.
pub(super) fn send_fd(socket: &UnixStream, fd: BorrowedFd<'_>) -> io::Result<()> {
    let fds = [fd];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut ancillary = SendAncillaryBuffer::new(&mut space);
    if !ancillary.push(SendAncillaryMessage::ScmRights(&fds)) {
        return Err(io::Error::other("no room for a descriptor in the message"));
    }
    loop {
        match rustix::net::sendmsg(socket, &[IoSlice::new(&[0])], &mut ancillary, FLAGS) {
            Err(Errno::INTR) => {}
            Ok(_) => return Ok(()),
            Err(error) => return Err(error.into()),
        }
    }
}

/// Whether the peer has closed its end, whatever it sent before that.
pub(super) fn is_hung_up(socket: impl AsFd) -> bool {
    use rustix::event::{PollFd, PollFlags, Timespec, poll};

    // Linux reports a hang-up always, macOS only to those who ask.
    let mut fds = [PollFd::new(&socket, PollFlags::HUP)];
    let now = Timespec { tv_sec: 0, tv_nsec: 0 };
    let [fd] = match poll(&mut fds, Some(&now)) {
        Ok(_) => &fds,
        Err(_) => return false,
    };
    fd.revents().intersects(PollFlags::HUP | PollFlags::ERR | PollFlags::NVAL)
}

/// Descriptors that this process may have open.
pub(super) fn open_files() -> u64 {
    rustix::process::getrlimit(rustix::process::Resource::Nofile).current.unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    #[test]
    fn a_peer_hangs_up_when_it_closes_not_when_it_talks() {
        let (ours, mut theirs) = UnixStream::pair().unwrap();
        prepare(&ours).unwrap();
        assert!(!is_hung_up(&ours));
        theirs.write_all(b"words").unwrap();
        assert!(!is_hung_up(&ours));
        drop(theirs);
        assert!(is_hung_up(&ours), "though there is something left to read");
        assert!(prepare(&ours).is_ok());
        assert!(send(&ours, b"too late").is_err());
    }
}
