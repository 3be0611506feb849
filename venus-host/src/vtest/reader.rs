//! Requests out of the socket, one after the other.

use std::{io, os::unix::net::UnixStream};

use rustix::{io::Errno, net::RecvFlags};

use super::framing::{FramingError, Request, parse, payload_bytes, words};

/// Reads requests, into a buffer that is used again for each.
///
/// While a request is being worked on, its last byte stays in the socket, looked at and not taken. So whatever ends us
/// then, the peer is told that its connection was reset, and not that the stream has come to its end: Linux says that when
/// a socket is closed with bytes that nobody took. A Mesa guest that waits for an answer ends with a message after the
/// one, and reads for ever after the other.
#[derive(Debug)]
pub(super) struct Reader {
    socket: UnixStream,
    /// A byte that was left behind, if any, then a header and its payload.
    message: Vec<u8>,
    /// Whether the last byte of the last request is still in the socket.
    left_behind: bool,
}

/// Where a header begins in the buffer.
const HEADER: usize = 1;
/// Where a payload begins in the buffer.
const PAYLOAD: usize = HEADER + 8;
/// Most bytes that the buffer grows by before they have arrived, whatever a header promises.
const GROWTH: usize = 1 << 20;

impl Reader {
    pub(super) fn new(socket: UnixStream) -> Self {
        Self { socket, message: Vec::new(), left_behind: false }
    }

    /// The next request; nothing if the peer left between two.
    pub(super) fn next(&mut self) -> Result<Option<Request<'_>>, FramingError> {
        // The header without its last byte, which belongs to the number of the command and is 0 in all that there are.
        // So nothing is lost by looking at it last, and one question to the system less is asked.
        let known = PAYLOAD.saturating_sub(1);
        let first = HEADER.saturating_sub(usize::from(self.left_behind));
        match self.take(first, known)? {
            0 => return Ok(None),
            1 if self.left_behind => return Ok(None),
            taken if taken.saturating_add(first) < known => return Err(FramingError::Truncated),
            _ => self.left_behind = false,
        }
        let [length, command] = words(self.header());
        let bytes = payload_bytes(command, length)?;
        let end = PAYLOAD.saturating_add(bytes);
        self.take_all_but_one(known, end)?;
        let [_, command] = words(self.header());
        let payload = self.message.get(PAYLOAD..end).unwrap_or_default();
        parse(command, payload).map(Some)
    }

    /// The header, as far as it is there.
    fn header(&self) -> &[u8; 8] {
        self.message.get(HEADER..).and_then(|bytes| bytes.first_chunk()).unwrap_or(&[0; 8])
    }

    /// Takes bytes into the buffer from `start` on, looks at the one before `end`, and leaves that in the socket.
    fn take_all_but_one(&mut self, mut start: usize, end: usize) -> Result<(), FramingError> {
        let last = end.saturating_sub(1);
        while start < last {
            let next = last.min(start.saturating_add(GROWTH));
            if self.take(start, next)? < next.saturating_sub(start) {
                return Err(FramingError::Truncated);
            }
            start = next;
        }
        self.left_behind = self.receive(last, end, RecvFlags::PEEK)? > 0;
        if self.left_behind { Ok(()) } else { Err(FramingError::Truncated) }
    }

    /// Takes bytes into a part of the buffer, and says how many there were before the peer left.
    fn take(&mut self, mut start: usize, end: usize) -> io::Result<usize> {
        let mut taken = 0_usize;
        while start < end {
            match self.receive(start, end, RecvFlags::WAITALL)? {
                0 => break,
                n => {
                    taken = taken.saturating_add(n);
                    start = start.saturating_add(n);
                }
            }
        }
        Ok(taken)
    }

    fn receive(&mut self, start: usize, end: usize, flags: RecvFlags) -> io::Result<usize> {
        // The header has its place, also where its last byte is not there yet.
        self.message.resize(end.max(PAYLOAD), 0);
        let part = self.message.get_mut(start..end).unwrap_or_default();
        loop {
            match rustix::net::recv(&self.socket, &mut *part, flags) {
                Ok((received, _)) => return Ok(received),
                Err(Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    #[cfg(target_os = "linux")]
    use std::io::Read as _;
    use std::{io::Write as _, thread};

    use super::*;

    fn message(words: &[u32]) -> Vec<u8> {
        words.iter().flat_map(|word| word.to_le_bytes()).collect()
    }

    /// A reader of what a peer said that has left, or will.
    pub(crate) fn reader(bytes: &[u8]) -> (Reader, UnixStream) {
        let (ours, mut theirs) = UnixStream::pair().unwrap();
        theirs.write_all(bytes).unwrap();
        (Reader::new(ours), theirs)
    }

    #[test]
    fn requests_follow_each_other() {
        let mut bytes = message(&[0, 10, 1, 20, 7, 2, 19, 1, 2]);
        bytes.extend(message(&[5, 8]));
        bytes.extend(b"cube\0");
        let (mut reader, peer) = reader(&bytes);
        assert_eq!(reader.next().unwrap(), Some(Request::PingProtocolVersion));
        assert_eq!(reader.next().unwrap(), Some(Request::SyncUnref { id: 7 }));
        assert_eq!(reader.next().unwrap(), Some(Request::SyncCreate { initial: 0x2_0000_0001 }));
        assert_eq!(reader.next().unwrap(), Some(Request::CreateRenderer { name: b"cube\0" }));
        drop(peer);
        assert_eq!(reader.next().unwrap(), None);
    }

    #[test]
    fn a_payload_may_be_larger_than_what_is_made_room_for() {
        let words = u32::try_from(GROWTH / 2).unwrap();
        let (mut reader, mut peer) = reader(&message(&[words, 24]));
        let payload: Vec<u8> = (0..4 * words).map(|index| index as u8).collect();
        let expected = payload.clone();
        let peer = thread::spawn(move || peer.write_all(&payload));
        assert_eq!(reader.next().unwrap(), Some(Request::SubmitCmd2 { payload: &expected }));
        peer.join().unwrap().unwrap();
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn our_end_is_a_reset_connection_for_who_waits() {
        for words in [&[0, 10][..], &[1, 21, 5], &[1, 99, 5], &[2, 21, 5, 5], &[0, 0x0100_000a]] {
            let (mut reader, mut peer) = reader(&message(words));
            let _outcome = reader.next();
            drop(reader);
            let error = peer.read(&mut [0]).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::ConnectionReset, "{words:?}");
        }
    }
}
