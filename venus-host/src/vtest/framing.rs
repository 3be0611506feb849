//! Messages of the vtest socket, protocol version 3, as far as Venus uses it.
//!
//! Every message, both ways, starts with a header; all words are little endian:
//!
//! | offset | bytes | field   | meaning |
//! |-------:|------:|---------|---------|
//! |      0 |     4 | length  | of the payload in words; **bytes** for CREATE_RENDERER |
//! |      4 |     4 | command | which |
//!
//! The length word decides how much is read, so it is checked before anything is: against a cap, and against the one
//! length that a command of fixed size may have.

use std::io;

use crate::limits;

/// Number of a request, which is also the number of its answer.
pub(super) mod command {
    pub(crate) const RESOURCE_UNREF: u32 = 3;
    pub(crate) const RESOURCE_BUSY_WAIT: u32 = 7;
    pub(crate) const CREATE_RENDERER: u32 = 8;
    pub(crate) const PING_PROTOCOL_VERSION: u32 = 10;
    pub(crate) const PROTOCOL_VERSION: u32 = 11;
    pub(crate) const GET_PARAM: u32 = 15;
    pub(crate) const GET_CAPSET: u32 = 16;
    pub(crate) const CONTEXT_INIT: u32 = 17;
    pub(crate) const RESOURCE_CREATE_BLOB: u32 = 18;
    pub(crate) const SYNC_CREATE: u32 = 19;
    pub(crate) const SYNC_UNREF: u32 = 20;
    pub(crate) const SYNC_READ: u32 = 21;
    pub(crate) const SYNC_WRITE: u32 = 22;
    pub(crate) const SYNC_WAIT: u32 = 23;
    pub(crate) const SUBMIT_CMD2: u32 = 24;
}

/// Newest protocol version spoken here.
pub(super) const PROTOCOL_VERSION: u32 = 3;

/// Why a connection cannot go on. The peer is at fault, except where it is the socket.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FramingError {
    /// The socket failed.
    #[error("the socket failed: {0}")]
    Io(#[from] io::Error),
    /// The peer left in the middle of a message.
    #[error("the guest left in the middle of a message")]
    Truncated,
    /// A payload above the cap.
    #[error("command {command} announces {bytes} bytes of payload, at most {limit} are accepted")]
    TooLong {
        /// Which request.
        command: u32,
        /// What its length word says.
        bytes: u64,
        /// The cap.
        limit: usize,
    },
    /// A payload that is not as long as the request's fields.
    #[error("command {command} cannot have a payload of {bytes} bytes")]
    WrongLength {
        /// Which request.
        command: u32,
        /// Bytes of payload.
        bytes: usize,
    },
    /// A request that Venus has no use for.
    #[error("command {command} is no request of a Venus guest (virgl guests and protocol 4 are not served)")]
    UnknownCommand {
        /// Its number.
        command: u32,
    },
    /// A request that is not legal now, or a value that is not legal at all.
    #[error("{0}")]
    Illegal(String),
}

/// One request of the guest.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Request<'a> {
    ResourceUnref { id: u32 },
    ResourceBusyWait,
    CreateRenderer { name: &'a [u8] },
    PingProtocolVersion,
    ProtocolVersion { version: u32 },
    GetParam { param: u32 },
    GetCapset { id: u32, version: u32 },
    ContextInit { capset: u32 },
    ResourceCreateBlob { kind: u32, flags: u32, size: u64, blob_id: u64 },
    SyncCreate { initial: u64 },
    SyncUnref { id: u32 },
    SyncRead { id: u32 },
    SyncWrite { id: u32, value: u64 },
    SyncWait { any: bool, timeout_ms: u32, syncs: Vec<(u32, u64)> },
    SubmitCmd2 { payload: &'a [u8] },
}

/// Bytes of payload that a header announces, if the command may have that many.
pub(super) fn payload_bytes(command: u32, length: u32) -> Result<usize, FramingError> {
    let unit = if command == command::CREATE_RENDERER { 1 } else { 4 };
    let announced = u64::from(length).saturating_mul(unit);
    let limit = match command {
        command::CREATE_RENDERER => limits::VTEST_NAME_BYTES,
        _ => limits::VTEST_PAYLOAD_BYTES,
    };
    let bytes = usize::try_from(announced).unwrap_or(usize::MAX);
    if bytes > limit {
        return Err(FramingError::TooLong { command, bytes: announced, limit });
    }
    let fixed_words = match command {
        command::PING_PROTOCOL_VERSION => 0,
        command::RESOURCE_UNREF
        | command::PROTOCOL_VERSION
        | command::GET_PARAM
        | command::CONTEXT_INIT
        | command::SYNC_UNREF
        | command::SYNC_READ => 1,
        command::RESOURCE_BUSY_WAIT | command::GET_CAPSET | command::SYNC_CREATE => 2,
        command::SYNC_WRITE => 3,
        command::RESOURCE_CREATE_BLOB => 6,
        command::CREATE_RENDERER | command::SYNC_WAIT | command::SUBMIT_CMD2 => return Ok(bytes),
        _ => return Err(FramingError::UnknownCommand { command }),
    };
    if length == fixed_words { Ok(bytes) } else { Err(FramingError::WrongLength { command, bytes }) }
}

/// Whether a guest in the middle of its life goes on after this request without waiting for an answer.
pub(super) fn is_statement(number: u32) -> bool {
    let all = [command::RESOURCE_UNREF, command::SYNC_UNREF, command::SYNC_WRITE, command::SUBMIT_CMD2];
    all.contains(&number)
}

/// A request from its payload, whose length [`payload_bytes`] has accepted.
pub(super) fn parse(command: u32, payload: &[u8]) -> Result<Request<'_>, FramingError> {
    let wrong = || FramingError::WrongLength { command, bytes: payload.len() };
    Ok(match command {
        command::CREATE_RENDERER => Request::CreateRenderer { name: payload },
        command::SUBMIT_CMD2 => Request::SubmitCmd2 { payload },
        command::SYNC_WAIT => {
            let (head, triplets) = payload.split_first_chunk::<8>().ok_or_else(wrong)?;
            let [flags, timeout_ms] = words(head);
            let (triplets, rest) = triplets.as_chunks::<12>();
            if !rest.is_empty() {
                return Err(wrong());
            }
            let syncs = triplets.iter().map(sync_value).collect();
            Request::SyncWait { any: flags & 1 != 0, timeout_ms, syncs }
        }
        command::PING_PROTOCOL_VERSION => Request::PingProtocolVersion,
        command::RESOURCE_UNREF => Request::ResourceUnref { id: word(payload).ok_or_else(wrong)? },
        command::PROTOCOL_VERSION => Request::ProtocolVersion { version: word(payload).ok_or_else(wrong)? },
        command::GET_PARAM => Request::GetParam { param: word(payload).ok_or_else(wrong)? },
        command::CONTEXT_INIT => Request::ContextInit { capset: word(payload).ok_or_else(wrong)? },
        command::SYNC_UNREF => Request::SyncUnref { id: word(payload).ok_or_else(wrong)? },
        command::SYNC_READ => Request::SyncRead { id: word(payload).ok_or_else(wrong)? },
        command::RESOURCE_BUSY_WAIT => Request::ResourceBusyWait,
        command::GET_CAPSET => {
            let [id, version] = words(payload.try_into().map_err(|_| wrong())?);
            Request::GetCapset { id, version }
        }
        command::SYNC_CREATE => {
            let [low, high] = words(payload.try_into().map_err(|_| wrong())?);
            Request::SyncCreate { initial: wide(low, high) }
        }
        command::SYNC_WRITE => {
            let (id, value) = sync_value(payload.try_into().map_err(|_| wrong())?);
            Request::SyncWrite { id, value }
        }
        command::RESOURCE_CREATE_BLOB => {
            let (head, tail) = payload.split_first_chunk::<8>().ok_or_else(wrong)?;
            let (size, blob_id) = tail.split_first_chunk::<8>().ok_or_else(wrong)?;
            let [kind, flags] = words(head);
            let [size_low, size_high] = words(size);
            let [id_low, id_high] = words(blob_id.try_into().map_err(|_| wrong())?);
            Request::ResourceCreateBlob { kind, flags, size: wide(size_low, size_high), blob_id: wide(id_low, id_high) }
        }
        _ => return Err(FramingError::UnknownCommand { command }),
    })
}

/// An answer: header and payload in one piece, so that it leaves in one piece.
pub(super) fn answer(command: u32, payload: &[u32]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(8_usize.saturating_add(payload.len().saturating_mul(4)));
    let length = u32::try_from(payload.len()).unwrap_or(u32::MAX);
    for word in [length, command].iter().chain(payload) {
        bytes.extend_from_slice(&word.to_le_bytes());
    }
    bytes
}

/// Eight bytes as two words.
pub(super) fn words(bytes: &[u8; 8]) -> [u32; 2] {
    let [a, b, c, d, e, f, g, h] = *bytes;
    [u32::from_le_bytes([a, b, c, d]), u32::from_le_bytes([e, f, g, h])]
}

/// Exactly one word.
pub(super) fn word(bytes: &[u8]) -> Option<u32> {
    bytes.try_into().ok().map(u32::from_le_bytes)
}

/// A sync id and a value, as they travel in twelve bytes.
pub(super) fn sync_value(bytes: &[u8; 12]) -> (u32, u64) {
    let [a, b, c, d, value @ ..] = *bytes;
    (u32::from_le_bytes([a, b, c, d]), u64::from_le_bytes(value))
}

fn wide(low: u32, high: u32) -> u64 {
    u64::from(low) | u64::from(high) << 32
}

#[cfg(test)]
mod tests {
    use super::{super::reader::tests::reader, *};

    fn message(words: &[u32]) -> Vec<u8> {
        words.iter().flat_map(|word| word.to_le_bytes()).collect()
    }

    fn check(bytes: &[u8], expected: &Request<'_>) {
        let (mut reader, peer) = reader(bytes);
        assert_eq!(reader.next().unwrap().as_ref(), Some(expected));
        drop(peer);
        assert!(reader.next().unwrap().is_none(), "everything is consumed");
    }

    #[test]
    fn requests_are_read_field_by_field() {
        check(&message(&[1, 11, 3]), &Request::ProtocolVersion { version: 3 });
        check(&message(&[0, 10]), &Request::PingProtocolVersion);
        check(&message(&[2, 16, 4, 0]), &Request::GetCapset { id: 4, version: 0 });
        check(
            &message(&[6, 18, 2, 1, 0x1000, 0x1, 7, 0x2]),
            &Request::ResourceCreateBlob { kind: 2, flags: 1, size: 0x1_0000_1000, blob_id: 0x2_0000_0007 },
        );
        check(&message(&[3, 22, 5, 1, 1]), &Request::SyncWrite { id: 5, value: 0x1_0000_0001 });
        check(
            &message(&[8, 23, 1, 100, 5, 1, 0, 6, 2, 1]),
            &Request::SyncWait { any: true, timeout_ms: 100, syncs: vec![(5, 1), (6, 0x1_0000_0002)] },
        );
        let mut renderer = message(&[5, 8]);
        renderer.extend(b"cube\0");
        check(&renderer, &Request::CreateRenderer { name: b"cube\0" });
    }

    #[test]
    fn every_length_is_checked() {
        for (words, reason) in [
            (&[0, 11][..], "wrong"),
            (&[2, 11, 3, 0], "wrong"),
            (&[1, 10, 0], "wrong"),
            (&[1, 23, 0], "wrong"),
            (&[4, 23, 0, 0, 1, 1], "wrong"),
            (&[u32::MAX, 24], "too long"),
            (&[(64 << 18) + 1, 24], "too long"),
            (&[(1 << 20) + 1, 8], "too long"),
            (&[3, 24, 1], "truncated"),
            (&[1], "truncated"),
            (&[0, 6], "unknown"),
            (&[1, 31, 0], "unknown"),
            (&[0, 0x0100_000a], "unknown"),
        ] {
            let bytes = message(words);
            let (mut reader, peer) = reader(&bytes);
            drop(peer);
            let found = match reader.next() {
                Err(FramingError::WrongLength { .. }) => "wrong",
                Err(FramingError::TooLong { .. }) => "too long",
                Err(FramingError::Truncated) => "truncated",
                Err(FramingError::UnknownCommand { .. }) => "unknown",
                other => panic!("{words:?}: {other:?}"),
            };
            assert_eq!(found, reason, "{words:?}");
        }
    }

    #[test]
    fn answers_count_words() {
        assert_eq!(answer(15, &[1, 64]), message(&[2, 15, 1, 64]));
        assert_eq!(answer(10, &[]), message(&[0, 10]));
    }
}
