//! Checks the codec against known bytes: decode, encode again, compare.
//!
//! Golden tests, property tests and fuzzers all ask the same of a request; this is the one place that does it. Known
//! requests come in the files that [`vectors`] reads; [`generate`] makes others up. Those that a host is to take for a
//! program's say what [`content`] has for them, and [`named`] finds the ids in them.

pub mod content;
pub mod generate;
pub mod least;
pub mod named;
pub mod vectors;

use std::fmt;

use venus_protocol::dispatch::{Visitor, visit_command};
use venus_protocol::reflect::{locate, locate_reply};
use venus_protocol::wire::{
    Arena, Command, CommandHeader, CommandType, DecodeError, DecodeErrorKind, Decoder, Encoder, IdentityResolver,
    Member, Returned,
};

/// A request that survived the round trip.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified {
    /// The command.
    pub command: CommandType,
    /// Bytes of the request.
    pub request_bytes: usize,
    /// The reply that a successful call with zeroed outputs gives; empty where none is asked for.
    pub reply: Vec<u8>,
}

/// Why a request did not survive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mismatch {
    /// The request does not decode.
    Request(DecodeError),
    /// The request decodes and bytes are left over.
    Trailing {
        /// The command.
        command: CommandType,
        /// Bytes that were consumed.
        consumed: usize,
        /// Bytes there are.
        len: usize,
    },
    /// The request or reply encodes to other bytes.
    Differs {
        /// The command.
        command: CommandType,
        /// First byte that differs.
        offset: usize,
        /// The member it belongs to.
        member: Option<Member>,
    },
    /// The reply does not decode.
    Reply(DecodeError),
}

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Request(error) => write!(f, "request: {error}"),
            Self::Trailing { command, consumed, len } => {
                write!(f, "{command}: decoded {consumed} of {len} bytes")
            }
            Self::Differs { command, offset, member: None } => {
                write!(f, "{command}: encodes differently from byte {offset}")
            }
            Self::Differs { command, offset, member: Some(member) } => {
                write!(f, "{command}: {member}: encodes differently from byte {offset}")
            }
            Self::Reply(error) => write!(f, "reply: {error}"),
        }
    }
}

impl std::error::Error for Mismatch {}

/// Decodes one request, encodes it again, and makes a reply for it. Ids resolve to themselves.
///
/// # Errors
///
/// The first thing that does not come back as it was. Pad bytes must be zero.
pub fn check_request(bytes: &[u8], arena: &Arena) -> Result<Verified, Mismatch> {
    let mut decoder = Decoder::new(bytes, arena, &IdentityResolver);
    let outcome = visit_command(&mut RoundTrip, &mut decoder).map_err(Mismatch::Request)?;
    let command = decoder.command();
    compare(command, decoder.offset(), &outcome.request, bytes, locate)?;
    Ok(Verified { command, request_bytes: bytes.len(), reply: outcome.reply })
}

/// Decodes one reply of `command` and encodes it again.
///
/// # Errors
///
/// The first thing that does not come back as it was. Pad bytes must be zero.
///
/// # Panics
///
/// If the shortest request of the command does not decode, which leads to the command's types.
pub fn check_reply(command: CommandType, bytes: &[u8], arena: &Arena) -> Result<(), Mismatch> {
    let Some(request) = least::request(command) else {
        return Err(Mismatch::Reply(DecodeError::new(0, DecodeErrorKind::NotEncodable(command.0))));
    };
    let request_arena = Arena::default();
    let mut decoder = Decoder::new(request, &request_arena, &IdentityResolver);
    let recoded = visit_command(&mut RecodeReply { bytes, arena }, &mut decoder).expect("the shortest request decodes");
    let (consumed, encoded) = recoded.map_err(Mismatch::Reply)?;
    compare(command, consumed, &encoded, bytes, locate_reply)
}

/// Decodes a reply to the command that is visited, whose arguments do not matter, and encodes it again.
struct RecodeReply<'b> {
    bytes: &'b [u8],
    arena: &'b Arena,
}

impl Visitor for RecodeReply<'_> {
    /// How many bytes were decoded, and what they were encoded to.
    type Output = Result<(usize, Vec<u8>), DecodeError>;

    fn visit<'a, C: Command<'a>>(&mut self, _header: CommandHeader, _args: C) -> Self::Output {
        // SAFETY: the only values given to this encoder are ones that the decoder returned.
        let mut encoder = unsafe { Encoder::new() };
        let mut decoder = Decoder::new(self.bytes, self.arena, &IdentityResolver);
        C::encode_reply(&mut encoder, &C::decode_reply(&mut decoder)?);
        Ok((decoder.offset(), encoder.bytes().to_vec()))
    }
}

/// Fails unless all bytes were decoded and encoded to the same.
fn compare(
    command: CommandType,
    consumed: usize,
    encoded: &[u8],
    bytes: &[u8],
    locate: fn(&[u8], usize) -> Option<Member>,
) -> Result<(), Mismatch> {
    if consumed < bytes.len() {
        return Err(Mismatch::Trailing { command, consumed, len: bytes.len() });
    }
    if encoded != bytes {
        let differs = encoded.iter().zip(bytes).position(|(left, right)| left != right);
        let offset = differs.unwrap_or(encoded.len().min(bytes.len()));
        return Err(Mismatch::Differs { command, offset, member: locate(bytes, offset) });
    }
    Ok(())
}

struct RoundTrip;

struct Outcome {
    request: Vec<u8>,
    reply: Vec<u8>,
}

impl Visitor for RoundTrip {
    type Output = Outcome;

    fn visit<'a, C: Command<'a>>(&mut self, header: CommandHeader, args: C) -> Outcome {
        // SAFETY: the only values given to this encoder are ones that the decoder returned.
        let mut encoder = unsafe { Encoder::new() };
        args.encode(&mut encoder, header.flags);
        let request = encoder.bytes().to_vec();
        encoder.clear();
        if header.wants_reply() {
            C::encode_reply(&mut encoder, &args.reply(C::Return::success()));
        }
        Outcome { request, reply: encoder.bytes().to_vec() }
    }
}
