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
    thread,
    time::{Duration, Instant},
};

use rustix::{
    io::Errno,
    net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags},
};

use crate::thread::deadline;

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
    let message = [IoSlice::new(&[0])];
    patiently(|| rustix::net::sendmsg(socket, &message, &mut ancillary, FLAGS).map(drop))
}

/// How long descriptors may be refused because too many of this user's are on their way, and how often that is tried.
/// The kernel counts them together for all processes of a user, up to the limit of open files of the one who sends: what
/// others' guests do not read is in the way of ours.
const IN_FLIGHT_PATIENCE: Duration = Duration::from_secs(5);
const IN_FLIGHT_REST: Duration = Duration::from_millis(2);

/// Does what may be interrupted, or come when too many descriptors are on their way.
pub(super) fn patiently(mut send: impl FnMut() -> Result<(), Errno>) -> io::Result<()> {
    let mut until = None;
    loop {
        match send() {
            Ok(()) => return Ok(()),
            Err(Errno::INTR) => {}
            Err(Errno::TOOMANYREFS) if Instant::now() < *until.get_or_insert_with(|| deadline(IN_FLIGHT_PATIENCE)) => {
                thread::sleep(IN_FLIGHT_REST);
            }
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

    #[test]
    fn descriptors_wait_for_others_to_arrive() {
        let mut answers = [Err(Errno::TOOMANYREFS), Err(Errno::INTR), Err(Errno::TOOMANYREFS), Ok(())].into_iter();
        assert!(patiently(|| answers.next().unwrap()).is_ok());
        assert!(answers.next().is_none());
        let mut answers = [Err(Errno::PIPE), Ok(())].into_iter();
        assert_eq!(patiently(|| answers.next().unwrap()).unwrap_err().kind(), io::ErrorKind::BrokenPipe);
    }
}
