//! The descriptors that a guest waits with.
//!
//! Mesa polls the descriptor that it is given and closes it. What it makes of the end of the poll:
//!
//! | poll says | Mesa's wait returns |
//! |---|---|
//! | readable | `VK_SUCCESS` |
//! | nothing, in time | `VK_TIMEOUT` |
//! | hung up, and not readable | `VK_ERROR_DEVICE_LOST` |
//!
//! Only a pipe can say all three: an eventfd says nothing when the process that would have signalled it dies, and a
//! socket is readable when its other end is closed. So a guest that waits without limit hears of our death, whatever
//! we died of.

use std::{
    io::{self, PipeReader, PipeWriter, Write as _},
    os::fd::{AsFd, BorrowedFd, OwnedFd},
};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use crate::thread::without_sigpipe;

/// Descriptors that one call of `poll` looks at.
const POLLED_AT_ONCE: usize = 512;

/// Our end of a pipe whose other end a guest waits with. Dropped without a signal it tells the guest that there will be
/// none.
#[derive(Debug)]
pub(super) struct Event(PipeWriter);

impl Event {
    /// An event, and the guest's end of it.
    pub(super) fn new() -> io::Result<(Self, OwnedFd)> {
        let (theirs, ours) = io::pipe()?;
        Ok((Self(ours), theirs.into()))
    }

    /// Makes the guest's end readable.
    pub(super) fn signal(mut self) {
        // A guest may have closed its end, which is its right; nothing else can fail for the first byte in a pipe.
        if let Err(error) = without_sigpipe(|| self.0.write(&[1])) {
            tracing::debug!("a guest's wait could not be signalled: {error}");
        }
    }
}

/// The numbers of those events whose guest has stopped listening; none, if the system does not say.
pub(super) fn abandoned<'a>(events: impl Iterator<Item = (u64, &'a Event)>) -> Vec<u64> {
    // Asked for nothing, poll says that the other end is closed all the same.
    let watched = |(number, event): (u64, &'a Event)| (number, PollFd::new(&event.0, PollFlags::empty()));
    let (numbers, mut fds): (Vec<_>, Vec<_>) = events.map(watched).unzip();
    for chunk in fds.chunks_mut(POLLED_AT_ONCE) {
        if let Err(error) = poll(chunk, Some(&Timespec { tv_sec: 0, tv_nsec: 0 })) {
            tracing::debug!("cannot ask which waits are over: {error}");
        }
    }
    let closed = |fd: &PollFd<'_>| fd.revents().intersects(PollFlags::ERR | PollFlags::HUP);
    numbers.into_iter().zip(fds).filter(|(_, fd)| closed(fd)).map(|(number, _)| number).collect()
}

/// The answers that need no descriptor of their own: a guest closes its copy and leaves ours alone.
#[derive(Debug)]
pub(super) struct Standing {
    done: PipeReader,
    pending: PipeReader,
    lost: PipeReader,
    /// Keeps `pending` from hanging up.
    _silent: PipeWriter,
}

impl Standing {
    pub(super) fn new() -> io::Result<Self> {
        let (done, mut byte) = io::pipe()?;
        byte.write_all(&[1])?;
        let (pending, silent) = io::pipe()?;
        let (lost, _closed) = io::pipe()?;
        Ok(Self { done, pending, lost, _silent: silent })
    }

    /// Readable already.
    pub(super) fn done(&self) -> BorrowedFd<'_> {
        self.done.as_fd()
    }

    /// Never readable, and hung up once we are gone.
    pub(super) fn pending(&self) -> BorrowedFd<'_> {
        self.pending.as_fd()
    }

    /// Hung up.
    pub(super) fn lost(&self) -> BorrowedFd<'_> {
        self.lost.as_fd()
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// What a guest's poll says.
    #[derive(Debug, PartialEq, Eq)]
    pub(crate) enum Polled {
        Done,
        Pending,
        Lost,
    }

    /// Looks at a guest's end, as Mesa does.
    pub(crate) fn polled(fd: impl AsFd) -> Polled {
        let mut fds = [PollFd::new(&fd, PollFlags::IN)];
        let ready = poll(&mut fds, Some(&Timespec { tv_sec: 0, tv_nsec: 0 })).unwrap();
        match fds[0].revents() {
            found if found.contains(PollFlags::IN) => Polled::Done,
            _ if ready == 0 => Polled::Pending,
            _ => Polled::Lost,
        }
    }

    #[test]
    fn a_wait_ends_with_a_byte_or_with_our_death() {
        let (event, guest) = Event::new().unwrap();
        assert_eq!(polled(&guest), Polled::Pending);
        event.signal();
        assert_eq!(polled(&guest), Polled::Done, "though our end is closed");
        let (event, guest) = Event::new().unwrap();
        drop(event);
        assert_eq!(polled(&guest), Polled::Lost);
    }

    #[test]
    fn standing_answers_can_be_given_often() {
        let standing = Standing::new().unwrap();
        for _ in 0..2 {
            assert_eq!(polled(standing.done().try_clone_to_owned().unwrap()), Polled::Done);
            assert_eq!(polled(standing.pending().try_clone_to_owned().unwrap()), Polled::Pending);
            assert_eq!(polled(standing.lost().try_clone_to_owned().unwrap()), Polled::Lost);
        }
        let pending = standing.pending().try_clone_to_owned().unwrap();
        drop(standing);
        assert_eq!(polled(pending), Polled::Lost);
    }

    #[test]
    fn it_shows_who_has_stopped_listening() {
        let (mut events, mut guests) = (Vec::new(), Vec::new());
        for _ in 0..POLLED_AT_ONCE + 2 {
            let (event, guest) = Event::new().unwrap();
            events.push(event);
            guests.push(guest);
        }
        guests.pop();
        guests.remove(0);
        let numbered = (0..).zip(&events);
        assert_eq!(abandoned(numbered), [0, events.len() as u64 - 1]);
    }
}
