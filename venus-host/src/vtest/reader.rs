//! Requests out of the socket, one after the other.
//!
//! Mesa writes a request in two to four pieces, and mostly several requests before one that it waits for. So what is there
//! is looked at in one go, and taken in another: a burst of any number of requests costs three questions to the system.
//!
//! | what is known | what is done |
//! |---|---|
//! | nothing | sleep until there is a header |
//! | a request of which a part is there | look again for some microseconds, since the rest follows at once; then sleep until all of it is there |
//! | whole requests | take them, up to the first one that has an answer |

use std::{
    hint, io,
    os::unix::net::UnixStream,
    time::{Duration, Instant},
};

use rustix::{io::Errno, net::RecvFlags};

use super::framing::{FramingError, Request, is_statement, parse, payload_bytes, words};
use crate::thread::deadline;

/// Reads requests, into a buffer that is used again for each.
///
/// While requests are being worked on, the last byte of the last one stays in the socket, looked at and not taken. So
/// whatever ends us then, the peer is told that its connection was reset, and not that the stream has come to its end:
/// Linux says that when a socket is closed with bytes that nobody took. A Mesa guest that waits for an answer ends with a
/// message after the one, and reads for ever after the other. Nothing is taken of what comes after a request that is
/// answered, so whoever finds the socket later can tell whether an answer is waited for.
#[derive(Debug)]
pub(super) struct Reader {
    socket: UnixStream,
    /// Bytes of the stream; some that are not known yet may follow them.
    buffer: Vec<u8>,
    /// Where the next request begins in it: at the start, or after one byte that is still in the socket.
    next: usize,
    /// How many of the bytes are out of the socket.
    taken: usize,
    /// How many of them are known, taken or looked at.
    known: usize,
    /// Whether the guest goes on without an answer to its last request.
    goes_on: bool,
}

/// Bytes of a header.
const HEADER: usize = 8;
/// Bytes of a header without the last, which belongs to the number of the command and is 0 in all that there are. So
/// nothing is lost by sleeping until there are these: also of a request without a payload, that leaves one.
const HEADER_BUT_ONE: usize = HEADER - 1;
/// How far into the stream is looked. Longer requests are taken as they come.
const LOOK: usize = 4 << 10;
/// Most bytes that the buffer grows by before they have arrived, whatever a header promises.
const GROWTH: usize = 1 << 20;
/// How long the rest of a request is looked for without sleeping. A guest that is at it has written that by then.
const PATIENCE: Duration = Duration::from_micros(20);
/// Pauses of the processor between two looks: about a microsecond.
const PAUSES: u32 = 32;

impl Reader {
    pub(super) fn new(socket: UnixStream) -> Self {
        Self { socket, buffer: Vec::new(), next: 0, taken: 0, known: 0, goes_on: false }
    }

    /// The next request; nothing if the peer left between two.
    pub(super) fn next(&mut self) -> Result<Option<Request<'_>>, FramingError> {
        let end = match self.known_end()? {
            Some(end) => end,
            None => match self.fetch()? {
                Some(end) => end,
                None => return Ok(None),
            },
        };
        if end > self.taken.saturating_add(1) {
            self.take_requests(end)?;
        }
        let start = std::mem::replace(&mut self.next, end);
        let [_, command] = words(&self.header(start));
        self.goes_on = is_statement(command);
        let payload = self.buffer.get(start.saturating_add(HEADER)..end).unwrap_or_default();
        parse(command, payload).map(Some)
    }

    /// Gets the next request from the socket, of which not all is known, and says where it ends.
    fn fetch(&mut self) -> Result<Option<usize>, FramingError> {
        self.forget_the_past();
        if self.goes_on {
            self.look()?;
            if let Some(end) = self.known_end()? {
                return Ok(Some(end));
            }
        }
        let header = self.next.saturating_add(HEADER_BUT_ONE);
        if self.taken < header {
            let before = self.next;
            self.take(header)?;
            if self.taken < header {
                return if self.taken <= before { Ok(None) } else { Err(FramingError::Truncated) };
            }
        }
        self.look_for_the_rest()
    }

    /// Waits for all of a request but what is there, and says where it ends. Its header is taken, but for a byte.
    fn look_for_the_rest(&mut self) -> Result<Option<usize>, FramingError> {
        let announced = self.end()?;
        if announced.saturating_sub(self.next) <= LOOK {
            let until = deadline(PATIENCE);
            loop {
                self.look()?;
                if let Some(end) = self.known_end()? {
                    return Ok(Some(end));
                }
                if Instant::now() >= until {
                    break;
                }
                (0..PAUSES).for_each(|_| hint::spin_loop());
            }
        }
        let last = announced.saturating_sub(1);
        while self.taken < last {
            let next = last.min(self.taken.saturating_add(GROWTH));
            self.take(next)?;
            if self.taken < next {
                return Err(FramingError::Truncated);
            }
        }
        self.make_room(announced);
        if self.receive(last, announced, RecvFlags::PEEK).map_err(io::Error::from)? == 0 {
            return Err(FramingError::Truncated);
        }
        self.known = announced;
        // Of a request without a payload, the last byte of the number was not known before.
        self.known_end()
    }

    /// Takes the request that ends at `end`, and those after it that are known and begin before the guest has to wait for
    /// an answer. The last byte of the last one stays.
    fn take_requests(&mut self, end: usize) -> Result<(), FramingError> {
        let (mut start, mut end) = (self.next, end);
        // A later one that is wrong is so when it is its turn.
        while is_statement(words(&self.header(start))[1])
            && let Ok(Some(later)) = self.end_of(end)
        {
            (start, end) = (end, later);
        }
        let last = end.saturating_sub(1);
        self.take(last)?;
        if self.taken < last { Err(FramingError::Truncated) } else { Ok(()) }
    }

    /// Moves what is not taken yet to the start of the buffer.
    fn forget_the_past(&mut self) {
        let past = self.taken.min(self.next);
        self.buffer.copy_within(past..self.known, 0);
        self.next = self.next.saturating_sub(past);
        self.taken = self.taken.saturating_sub(past);
        self.known = self.known.saturating_sub(past);
        self.buffer.truncate(self.known.max(LOOK));
        self.buffer.shrink_to(GROWTH);
    }

    /// The header that begins there, as far as it is known.
    fn header(&self, start: usize) -> [u8; HEADER] {
        let mut header = [0; HEADER];
        let bytes = self.buffer.get(start..self.known.min(start.saturating_add(HEADER))).unwrap_or_default();
        header.iter_mut().zip(bytes).for_each(|(to, from)| *to = *from);
        header
    }

    /// Where the next request ends, of which most of the header is known.
    fn end(&self) -> Result<usize, FramingError> {
        let [length, command] = words(&self.header(self.next));
        Ok(self.next.saturating_add(HEADER).saturating_add(payload_bytes(command, length)?))
    }

    /// Where the next request ends, if all of it is known.
    fn known_end(&self) -> Result<Option<usize>, FramingError> {
        self.end_of(self.next)
    }

    /// Where the request that begins there ends, if all of it is known.
    fn end_of(&self, start: usize) -> Result<Option<usize>, FramingError> {
        let payload = start.saturating_add(HEADER);
        if payload > self.known {
            return Ok(None);
        }
        let [length, command] = words(&self.header(start));
        let end = payload.saturating_add(payload_bytes(command, length)?);
        Ok((end <= self.known).then_some(end))
    }

    /// Looks at what is in the socket, without waiting for it. The end of the stream is left for who waits to find.
    fn look(&mut self) -> io::Result<()> {
        let end = self.taken.saturating_add(LOOK);
        self.make_room(end);
        match self.receive(self.taken, end, RecvFlags::PEEK | RecvFlags::DONTWAIT) {
            Ok(seen) => self.known = self.known.max(self.taken.saturating_add(seen)),
            Err(Errno::AGAIN) => {}
            Err(error) => return Err(error.into()),
        }
        Ok(())
    }

    /// Takes bytes up to `end`, fewer if the peer leaves.
    fn take(&mut self, end: usize) -> io::Result<()> {
        self.make_room(end);
        while self.taken < end {
            match self.receive(self.taken, end, RecvFlags::WAITALL)? {
                0 => break,
                n => self.taken = self.taken.saturating_add(n),
            }
        }
        self.known = self.known.max(self.taken);
        Ok(())
    }

    fn make_room(&mut self, end: usize) {
        if self.buffer.len() < end {
            self.buffer.resize(end, 0);
        }
    }

    fn receive(&mut self, start: usize, end: usize, flags: RecvFlags) -> Result<usize, Errno> {
        let part = self.buffer.get_mut(start..end).unwrap_or_default();
        loop {
            match rustix::net::recv(&self.socket, &mut *part, flags) {
                Ok((received, _)) => return Ok(received),
                Err(Errno::INTR) => {}
                Err(error) => return Err(error),
            }
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    #[cfg(target_os = "linux")]
    use std::io::Read as _;
    use std::{io::Write as _, os::fd::AsFd as _, thread};

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

    /// Some requests that guests send one after the other, each with its bytes.
    fn conversation() -> Vec<(Vec<u8>, Request<'static>)> {
        vec![
            (message(&[0, 10]), Request::PingProtocolVersion),
            (message(&[3, 22, 5, 1, 1]), Request::SyncWrite { id: 5, value: 0x1_0000_0001 }),
            (message(&[2, 24, 0x0403_0201, 0x0807_0605]), Request::SubmitCmd2 { payload: &[1, 2, 3, 4, 5, 6, 7, 8] }),
            (message(&[0, 24]), Request::SubmitCmd2 { payload: &[] }),
            (message(&[5, 23, 0, 9, 5, 1, 0]), Request::SyncWait { any: false, timeout_ms: 9, syncs: vec![(5, 1)] }),
            (message(&[1, 20, 7]), Request::SyncUnref { id: 7 }),
        ]
    }

    /// Bytes that are in a socket.
    fn unread(socket: &UnixStream) -> usize {
        usize::try_from(rustix::io::ioctl_fionread(socket).unwrap()).unwrap()
    }

    #[test]
    fn a_conversation_may_be_cut_anywhere() {
        let all: Vec<u8> = conversation().into_iter().flat_map(|(bytes, _)| bytes).collect();
        // Without a pause, and with one that is longer than what is spent looking.
        for pause in [Duration::ZERO, PATIENCE * 10] {
            for cut in 0..all.len() {
                let (mut reader, mut peer) = reader(&all[..cut]);
                let rest = all[cut..].to_vec();
                let writer = thread::spawn(move || {
                    thread::sleep(pause);
                    peer.write_all(&rest).unwrap();
                });
                for (_, expected) in conversation() {
                    assert_eq!(reader.next().unwrap(), Some(expected), "cut at {cut}");
                }
                assert_eq!(reader.next().unwrap(), None, "cut at {cut}");
                writer.join().unwrap();
            }
        }
    }

    #[test]
    fn a_conversation_may_come_byte_by_byte() {
        let (mut reader, mut peer) = reader(&[]);
        let writer = thread::spawn(move || {
            for (bytes, _) in conversation() {
                bytes.iter().for_each(|byte| peer.write_all(&[*byte]).unwrap());
            }
        });
        for (_, expected) in conversation() {
            assert_eq!(reader.next().unwrap(), Some(expected));
        }
        assert_eq!(reader.next().unwrap(), None);
        writer.join().unwrap();
    }

    #[test]
    fn who_leaves_in_the_middle_of_a_request_is_told_from_who_leaves_between_two() {
        let mut whole = 0;
        for (count, (bytes, _)) in conversation().iter().enumerate() {
            for cut in 1..bytes.len() {
                let before: Vec<u8> = conversation().into_iter().flat_map(|(bytes, _)| bytes).collect();
                let (mut reader, peer) = reader(&before[..whole + cut]);
                drop(peer);
                for _ in 0..count {
                    assert!(reader.next().unwrap().is_some());
                }
                assert!(matches!(reader.next(), Err(FramingError::Truncated)), "request {count} cut at {cut}");
            }
            whole += bytes.len();
        }
    }

    #[test]
    fn a_byte_is_left_of_what_is_worked_on_and_all_that_follows_a_question() {
        let all = conversation();
        let bytes: Vec<u8> = all.iter().flat_map(|(bytes, _)| bytes.clone()).collect();
        let (mut reader, peer) = reader(&bytes);
        let lengths: Vec<usize> = all.iter().map(|(bytes, _)| bytes.len()).collect();
        // What is left after the first question, after the second one and all that is said before it, and at the end.
        let after_first = lengths[1..].iter().sum::<usize>() + 1;
        let after_second = lengths[5] + 1;
        let left = [after_first, after_second, after_second, after_second, after_second, 1];
        for ((_, expected), left) in all.into_iter().zip(left) {
            assert_eq!(reader.next().unwrap(), Some(expected));
            assert_eq!(unread(&reader.socket), left);
        }
        drop(peer);
        assert_eq!(reader.next().unwrap(), None);
    }

    #[test]
    fn a_wrong_request_is_found_when_it_is_its_turn() {
        for (wrong, rest) in [(&[0_u32, 20][..], 8), (&[u32::MAX, 24], 8), (&[0, 0x0100_000a], 8), (&[1, 99, 5], 12)] {
            let (mut reader, _peer) = reader(&[message(&[1, 20, 7]), message(wrong)].concat());
            assert_eq!(reader.next().unwrap(), Some(Request::SyncUnref { id: 7 }));
            assert_eq!(unread(&reader.socket), rest + 1, "{wrong:?}");
            assert!(reader.next().is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn requests_of_all_lengths_follow_each_other() {
        let (mut reader, mut peer) = reader(&[]);
        let words = [0, 1, LOOK / 4 - 3, LOOK / 4 - 2, LOOK / 4 - 1, LOOK / 4, LOOK / 4 + 1, GROWTH / 4 + 1, 5];
        let writer = thread::spawn(move || {
            for count in words {
                let count = u32::try_from(count).unwrap();
                peer.write_all(&message(&[count, 24])).unwrap();
                peer.write_all(&message(&(0..count).collect::<Vec<_>>())).unwrap();
                peer.write_all(&message(&[1, 20, count])).unwrap();
            }
        });
        for count in words {
            let id = u32::try_from(count).unwrap();
            let payload = message(&(0..id).collect::<Vec<_>>());
            assert_eq!(reader.next().unwrap(), Some(Request::SubmitCmd2 { payload: &payload }));
            assert_eq!(reader.next().unwrap(), Some(Request::SyncUnref { id }));
        }
        assert_eq!(reader.next().unwrap(), None);
        assert!(reader.buffer.capacity() <= GROWTH, "it does not stay as large as it was once");
        writer.join().unwrap();
    }

    #[test]
    fn descriptors_in_between_are_closed_and_in_nobodys_way() {
        let all: Vec<u8> = conversation().into_iter().flat_map(|(bytes, _)| bytes).collect();
        for cut in 0..all.len() {
            let (mut reader, mut peer) = reader(&all[..cut]);
            let (sent, kept) = UnixStream::pair().unwrap();
            crate::socket::send_with(&peer, &all[cut..=cut], &[sent.as_fd()]).unwrap();
            drop(sent);
            peer.write_all(&all[cut + 1..]).unwrap();
            drop(peer);
            for (_, expected) in conversation() {
                assert_eq!(reader.next().unwrap(), Some(expected), "with byte {cut}");
            }
            assert_eq!(reader.next().unwrap(), None);
            assert!(crate::socket::is_hung_up(&kept), "with byte {cut}");
        }
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn who_sends_half_a_request_is_waited_for_asleep() {
        // Looks in a row that find the thread asleep, and that there are at most.
        const ASLEEP: usize = 20;
        const LOOKS: usize = 10_000;
        let (mut reader, peer) = reader(&message(&[3, 22, 5]));
        let (say, hear) = std::sync::mpsc::channel();
        let waiter = thread::spawn(move || {
            say.send(rustix::thread::gettid()).unwrap();
            assert!(matches!(reader.next(), Err(FramingError::Truncated)));
        });
        let path = format!("/proc/self/task/{}/stat", hear.recv().unwrap());
        let mut asleep = 0;
        for _ in 0..LOOKS {
            let stat = std::fs::read_to_string(&path).unwrap();
            let sleeps = stat.rsplit(')').next().unwrap().starts_with(" S");
            asleep = if sleeps { asleep + 1 } else { 0 };
            if asleep == ASLEEP {
                break;
            }
            thread::sleep(Duration::from_millis(1));
        }
        assert_eq!(asleep, ASLEEP);
        drop(peer);
        waiter.join().unwrap();
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
