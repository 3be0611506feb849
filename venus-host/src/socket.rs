//! Stream sockets, and descriptors that travel on them.
//!
//! A peer that has gone is an error here, never a signal. Descriptors are attached to the first byte of what is sent with
//! them; who receives gets them no later than that byte.

#![deny(unsafe_code)]

use std::{
    io::{self, IoSlice, IoSliceMut},
    mem::MaybeUninit,
    os::{
        fd::{AsFd, BorrowedFd, OwnedFd},
        unix::net::UnixStream,
    },
    thread,
    time::{Duration, Instant},
};

use rustix::{
    io::Errno,
    net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage, SendFlags},
};

use crate::thread::deadline;

/// What is said with every sending.
#[cfg(target_os = "linux")]
pub(crate) const SEND: SendFlags = SendFlags::NOSIGNAL;
// There the socket itself is told not to raise signals, in `prepare`.
#[cfg(not(target_os = "linux"))]
pub(crate) const SEND: SendFlags = SendFlags::empty();

#[cfg(target_os = "linux")]
const RECEIVE: RecvFlags = RecvFlags::CMSG_CLOEXEC;
#[cfg(not(target_os = "linux"))]
const RECEIVE: RecvFlags = RecvFlags::empty();

/// Descriptors that travel together at most. Of what else a peer sends with them, the system closes all but one.
pub(crate) const MAX_FDS: usize = 2;

/// Makes a socket ready for the functions below.
pub(crate) fn prepare(socket: &UnixStream) -> io::Result<()> {
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
pub(crate) fn send(socket: &UnixStream, bytes: &[u8]) -> io::Result<()> {
    let mut rest = bytes;
    while !rest.is_empty() {
        match rustix::net::send(socket, rest, SEND) {
            Ok(sent) => rest = rest.get(sent..).unwrap_or_default(),
            Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

/// Sends a descriptor, with one zero byte.
#[cfg(feature = "vtest")]
pub(crate) fn send_fd(socket: &UnixStream, fd: BorrowedFd<'_>) -> io::Result<()> {
    send_with(socket, &[0], &[fd])
}

/// Sends all of `bytes`, with descriptors.
pub(crate) fn send_with(socket: &UnixStream, bytes: &[u8], fds: &[BorrowedFd<'_>]) -> io::Result<()> {
    let mut sent = 0;
    patiently(|| {
        sent = try_send_with(socket, bytes, fds, SendFlags::empty())?;
        Ok(())
    })?;
    send(socket, bytes.get(sent..).unwrap_or_default())
}

/// Sends some of `bytes`, with all descriptors, and says how many bytes.
pub(crate) fn try_send_with(
    socket: &UnixStream,
    bytes: &[u8],
    fds: &[BorrowedFd<'_>],
    flags: SendFlags,
) -> Result<usize, Errno> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MAX_FDS))];
    let mut ancillary = SendAncillaryBuffer::new(&mut space);
    // There may be room for one more: what is sent with it is aligned.
    let has_room = fds.is_empty() || ancillary.push(SendAncillaryMessage::ScmRights(fds));
    if fds.len() > MAX_FDS || !has_room {
        return Err(Errno::TOOBIG);
    }
    rustix::net::sendmsg(socket, &[IoSlice::new(bytes)], &mut ancillary, SEND | flags)
}

/// Receives some bytes, at the end of the stream none, and appends the descriptors that come with them, which are closed
/// on `exec`.
pub(crate) fn receive_with(
    socket: &UnixStream,
    bytes: &mut [u8],
    fds: &mut Vec<OwnedFd>,
    flags: RecvFlags,
) -> Result<usize, Errno> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MAX_FDS))];
    let mut ancillary = RecvAncillaryBuffer::new(&mut space);
    let received = loop {
        match rustix::net::recvmsg(socket, &mut [IoSliceMut::new(bytes)], &mut ancillary, RECEIVE | flags) {
            Err(Errno::INTR) => {}
            received => break received?,
        }
    };
    for message in ancillary.drain() {
        if let RecvAncillaryMessage::ScmRights(sent) = message {
            for fd in sent {
                #[cfg(not(target_os = "linux"))]
                rustix::io::fcntl_setfd(&fd, rustix::io::FdFlags::CLOEXEC)?;
                fds.push(fd);
            }
        }
    }
    Ok(received.bytes)
}

/// How long descriptors may be refused because too many of this user's are on their way, and how often that is tried.
/// The kernel counts them together for all processes of a user, up to the limit of open files of the one who sends: what
/// others' guests do not read is in the way of ours.
const IN_FLIGHT_PATIENCE: Duration = Duration::from_secs(5);
const IN_FLIGHT_REST: Duration = Duration::from_millis(2);

/// Does what may be interrupted, or come when too many descriptors are on their way.
pub(crate) fn patiently(mut send: impl FnMut() -> Result<(), Errno>) -> io::Result<()> {
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
pub(crate) fn is_hung_up(socket: impl AsFd) -> bool {
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
pub(crate) fn open_files() -> u64 {
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
    fn descriptors_come_with_the_first_byte_and_no_more_than_travel_together() {
        let (ours, theirs) = UnixStream::pair().unwrap();
        let (file, _other) = UnixStream::pair().unwrap();
        send(&ours, b"plain").unwrap();
        send_with(&ours, b"with", &[file.as_fd(), file.as_fd()]).unwrap();
        assert!(send_with(&ours, b"many", &[file.as_fd(); 3]).is_err());
        let (mut bytes, mut fds) = ([0; 64], Vec::new());
        let mut heard = Vec::new();
        while heard.len() < 9 {
            let before = heard.len();
            let count = receive_with(&theirs, &mut bytes, &mut fds, RecvFlags::empty()).unwrap();
            heard.extend_from_slice(&bytes[..count]);
            assert_eq!(fds.is_empty(), heard.len() <= 5, "{before}");
        }
        assert_eq!((&*heard, fds.len()), (&b"plainwith"[..], 2));
        assert!(rustix::io::fcntl_getfd(&fds[0]).unwrap().contains(rustix::io::FdFlags::CLOEXEC));
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
