//! Guests whose worker has died: their sockets are kept until they wait for an answer.
//!
//! Closing a socket under words that nobody has read is a reset for who waits in `read`, which Mesa ends at with a message;
//! without such words it is an end of the stream, at which Mesa spins. But for who is about to write it is `SIGPIPE`, the
//! end of most programs without a word. So an orphan's words are let come to an end first, and those that ask for no answer
//! are read and dropped: what cleans up after a lost device says little else.

use std::{
    os::unix::net::UnixStream,
    time::{Duration, Instant},
};

use rustix::net::RecvFlags;

use super::super::framing::is_statement;
use crate::thread::deadline;

/// How long after its first words an orphan may take for the rest of them. Mesa writes a request in several pieces, one
/// right after the other.
const WORDS: Duration = Duration::from_millis(50);

/// What is looked at of its words. Longer ones are taken for a question.
const LOOK: usize = 64 << 10;

/// One of them.
#[derive(Debug)]
pub(super) struct Orphan {
    pub(super) number: u64,
    pub(super) socket: UnixStream,
    /// Its worker died over requests, of which it has left the last byte of the last one unread.
    inside: bool,
    /// When its words are to have come to an end, since it has said some.
    pub(super) due: Option<Instant>,
}

impl Orphan {
    pub(super) fn new(number: u64, socket: UnixStream) -> Self {
        let inside = unread(&socket) > 0;
        Self { number, socket, inside, due: None }
    }

    /// It has said something.
    pub(super) fn speaks(&mut self) {
        self.due.get_or_insert_with(|| deadline(WORDS));
    }

    /// Whether its socket has to stay open: always before its words are due, and then if they ask for nothing.
    pub(super) fn stays(&mut self, now: Instant) -> bool {
        if self.due.is_none_or(|due| due > now) {
            return true;
        }
        self.due = None;
        self.goes_on() && self.drop_statements()
    }

    /// Whether it has said more than what its worker was working on: then that had no answer to wait for.
    fn goes_on(&mut self) -> bool {
        if !self.inside {
            return true;
        }
        self.inside = false;
        unread(&self.socket) > 1 && rustix::net::recv(&self.socket, &mut [0; 1], RecvFlags::DONTWAIT).is_ok()
    }

    /// Reads what it has said, if that is nothing but whole requests without answers.
    fn drop_statements(&self) -> bool {
        let mut words = vec![0; LOOK];
        let peek = RecvFlags::PEEK | RecvFlags::DONTWAIT;
        let Ok((said, _)) = rustix::net::recv(&self.socket, &mut *words, peek) else { return false };
        let said = words.get(..said).unwrap_or_default();
        if said.is_empty() || !are_statements(said) {
            return false;
        }
        let mut read = vec![0; said.len()];
        rustix::net::recv(&self.socket, &mut *read, RecvFlags::DONTWAIT).is_ok()
    }
}

/// Bytes that nobody has read.
fn unread(socket: &UnixStream) -> u64 {
    rustix::io::ioctl_fionread(socket).unwrap_or(0)
}

/// Whether these are whole requests, none of which is answered.
fn are_statements(mut words: &[u8]) -> bool {
    while !words.is_empty() {
        let Some((header, rest)) = words.split_first_chunk::<8>() else { return false };
        let [length, command] = [0, 4].map(|at| {
            let word = header.get(at..).and_then(|word| word.first_chunk::<4>());
            word.map_or(0, |word| u32::from_le_bytes(*word))
        });
        let payload = usize::try_from(length).ok().and_then(|words| words.checked_mul(4));
        let Some(after) = payload.and_then(|bytes| rest.get(bytes..)) else { return false };
        if !is_statement(command) {
            return false;
        }
        words = after;
    }
    true
}

#[cfg(test)]
mod tests {
    use std::io::{ErrorKind, Read as _, Write as _};

    use super::*;

    fn request(number: u32, payload: &[u32]) -> Vec<u8> {
        let length = u32::try_from(payload.len()).unwrap();
        [length, number].iter().chain(payload).flat_map(|word| word.to_le_bytes()).collect()
    }

    /// What an orphan makes of this once it is due, when its worker has left `left`.
    fn stays_after(left: &[u8], said: &[u8]) -> (bool, UnixStream, Orphan) {
        let (mut guest, socket) = UnixStream::pair().unwrap();
        guest.set_nonblocking(true).unwrap();
        guest.write_all(left).unwrap();
        let mut orphan = Orphan::new(1, socket);
        guest.write_all(said).unwrap();
        assert!(orphan.stays(Instant::now()));
        orphan.speaks();
        let due = orphan.due.unwrap();
        assert!(orphan.stays(due.checked_sub(WORDS).unwrap()));
        (orphan.stays(due), guest, orphan)
    }

    #[test]
    fn who_cleans_up_may_go_on() {
        let words = [request(20, &[7]), request(22, &[7, 1, 0]), request(3, &[9])].concat();
        let (stays, mut guest, orphan) = stays_after(&[], &words);
        assert!(stays && orphan.due.is_none());
        assert_eq!(unread(&orphan.socket), 0);
        guest.write_all(&request(20, &[8])).unwrap();
    }

    #[test]
    fn who_asks_is_reset() {
        for words in [request(21, &[7]), [request(20, &[7]), request(19, &[0, 0])].concat(), vec![2, 0]] {
            let (stays, mut guest, orphan) = stays_after(&[], &words);
            assert!(!stays);
            drop(orphan);
            if cfg!(target_os = "linux") {
                assert_eq!(guest.read(&mut [0]).unwrap_err().kind(), ErrorKind::ConnectionReset);
            }
        }
    }

    #[test]
    fn what_the_worker_was_over_is_waited_for_unless_more_is_said() {
        assert!(!stays_after(&[0], &[]).0);
        assert!(stays_after(&[0], &request(20, &[7])).0);
        assert!(!stays_after(&[0], &request(21, &[7])).0);
    }
}
