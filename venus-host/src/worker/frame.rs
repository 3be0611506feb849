//! Frames: where a message begins and ends on a stream socket, and which descriptor is its own.
//!
//! | offset | bytes | what |
//! |-------:|------:|------|
//! | 0      | 4     | length of the payload, little endian |
//! | 4      | 1     | descriptors that come with it: 0 or 1 |
//! | 5      |       | payload |
//!
//! A descriptor is attached to the first byte of its frame, so it is there when the frame is.

use std::{collections::VecDeque, os::fd::OwnedFd, os::unix::net::UnixStream};

use rustix::{io::Errno, net::RecvFlags};

use super::packet::{Malformed, Packet};
use crate::socket::{self, MAX_FDS};

const HEAD_BYTES: usize = 5;

/// What is read at a time.
const READ_BYTES: usize = 16 << 10;

/// Descriptors that may have come without their frames: those of one reading.
const EARLY_FDS: usize = MAX_FDS;

/// The bytes of a frame.
pub(super) fn framed(packet: &Packet) -> Vec<u8> {
    let length = u32::try_from(packet.payload.len()).unwrap_or(u32::MAX);
    let fds = u8::from(packet.fd.is_some());
    let mut bytes = Vec::with_capacity(packet.payload.len().saturating_add(HEAD_BYTES));
    bytes.extend_from_slice(&length.to_le_bytes());
    bytes.push(fds);
    bytes.extend_from_slice(&packet.payload);
    bytes
}

/// A payload, and the descriptor that came with it.
pub(super) type Frame = (Vec<u8>, Option<OwnedFd>);

/// Takes frames out of a stream.
#[derive(Debug)]
pub(super) struct FrameReader {
    /// Longest payload.
    most: usize,
    bytes: Vec<u8>,
    fds: VecDeque<OwnedFd>,
}

/// What has come of a look at the stream.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Heard {
    /// Something.
    Bytes,
    /// Nothing for now.
    Nothing,
    /// Its end.
    End,
}

impl FrameReader {
    /// One whose peer sends payloads of up to `most` bytes.
    pub(super) fn new(most: usize) -> Self {
        Self { most, bytes: Vec::new(), fds: VecDeque::new() }
    }

    /// Reads some of what there is.
    pub(super) fn hear(&mut self, socket: &UnixStream, flags: RecvFlags) -> Heard {
        let (mut bytes, mut fds) = ([0; READ_BYTES], Vec::new());
        let count = match socket::receive_with(socket, &mut bytes, &mut fds, flags) {
            Ok(0) => return Heard::End,
            Ok(count) => count,
            Err(Errno::AGAIN) => return Heard::Nothing,
            Err(_) => return Heard::End,
        };
        self.bytes.extend_from_slice(bytes.get(..count).unwrap_or_default());
        self.fds.extend(fds);
        Heard::Bytes
    }

    /// The next frame, if all of it is here.
    pub(super) fn next(&mut self) -> Result<Option<Frame>, Malformed> {
        let frame = self.take_frame()?;
        if frame.is_none() && self.fds.len() > EARLY_FDS {
            return Err(Malformed("descriptors come without messages"));
        }
        Ok(frame)
    }

    fn take_frame(&mut self) -> Result<Option<Frame>, Malformed> {
        let Some(([a, b, c, d, fds], rest)) = self.bytes.split_first_chunk::<HEAD_BYTES>() else { return Ok(None) };
        let length = usize::try_from(u32::from_le_bytes([*a, *b, *c, *d])).unwrap_or(usize::MAX);
        if length > self.most {
            return Err(Malformed("it is too long"));
        }
        let Some(payload) = rest.get(..length) else { return Ok(None) };
        let fd = match fds {
            0 => None,
            // Gone, if whoever receives may have no more of them.
            1 => self.fds.pop_front(),
            _ => return Err(Malformed("it has too many descriptors")),
        };
        let payload = payload.to_vec();
        self.bytes.drain(..length.saturating_add(HEAD_BYTES));
        Ok(Some((payload, fd)))
    }
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsFd as _;

    use super::*;
    use crate::resource::MemoryFile;

    fn all(reader: &mut FrameReader, socket: &UnixStream) -> Result<Vec<(Vec<u8>, bool)>, Malformed> {
        let mut frames = Vec::new();
        loop {
            while let Some((payload, fd)) = reader.next()? {
                frames.push((payload, fd.is_some()));
            }
            if reader.hear(socket, RecvFlags::DONTWAIT) != Heard::Bytes {
                return Ok(frames);
            }
        }
    }

    #[test]
    fn frames_come_out_as_they_went_in() {
        let (ours, theirs) = UnixStream::pair().unwrap();
        let fd = std::sync::Arc::<OwnedFd>::from(MemoryFile::create(64).unwrap());
        let packets = [(vec![1; 3], false), (vec![2; READ_BYTES], true), (vec![], true), (vec![3], false)];
        for (payload, has_fd) in packets.clone() {
            let packet = Packet { payload, fd: has_fd.then(|| fd.clone()) };
            socket::send_with(&ours, &framed(&packet), &packet.fds()).unwrap();
        }
        let mut reader = FrameReader::new(READ_BYTES);
        assert_eq!(all(&mut reader, &theirs).unwrap(), packets);
        drop(ours);
        assert_eq!(reader.hear(&theirs, RecvFlags::empty()), Heard::End);
    }

    #[test]
    fn what_is_no_frame_is_found_before_it_costs_anything() {
        let fd = MemoryFile::create(64).unwrap();
        for bytes in [[5, 0, 0, 0, 0], [0, 0, 0, 0, 2]] {
            let (ours, theirs) = UnixStream::pair().unwrap();
            socket::send(&ours, &bytes).unwrap();
            assert!(all(&mut FrameReader::new(4), &theirs).is_err(), "{bytes:?}");
        }
        let (ours, theirs) = UnixStream::pair().unwrap();
        let mut reader = FrameReader::new(4);
        socket::send(&ours, &[0, 0, 0, 0, 1]).unwrap();
        assert_eq!(all(&mut reader, &theirs).unwrap(), [(vec![], false)], "its descriptor has been lost");
        let (ours, theirs) = UnixStream::pair().unwrap();
        for _ in 0..2 {
            assert!(all(&mut reader, &theirs).is_ok());
            socket::send_with(&ours, &[0], &[fd.as_fd(), fd.as_fd()]).unwrap();
        }
        assert_eq!(all(&mut reader, &theirs), Err(Malformed("descriptors come without messages")));
    }
}
