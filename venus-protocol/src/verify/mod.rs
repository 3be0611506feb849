//! Checks the codec against known bytes: decode, encode again, compare.
//!
//! Golden tests, property tests and fuzzers all ask the same of a request; this is the one place that does it. Known
//! requests come in the files that [`vectors`] reads; [`generate`] makes others up.

pub mod generate;
pub mod vectors;

use alloc::vec::Vec;
use core::fmt;

use crate::dispatch::{Visitor, visit_command};
use crate::generated::replies::REPLIES;
use crate::reflect::{locate, locate_reply};
use crate::wire::{
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

impl core::error::Error for Mismatch {}

/// Decodes one request, encodes it again, and makes a reply for it. Ids resolve to themselves.
///
/// # Errors
///
/// The first thing that does not come back as it was. Pad bytes must be zero.
pub fn check_request(bytes: &[u8], arena: &Arena) -> Result<Verified, Mismatch> {
    let mut decoder = Decoder::new(bytes, arena, &IdentityResolver);
    let outcome = visit_command(&mut RoundTrip, &mut decoder).map_err(Mismatch::Request)?;
    let command = decoder.command();
    compare(command, &decoder, &outcome.request, bytes, locate)?;
    Ok(Verified { command, request_bytes: bytes.len(), reply: outcome.reply })
}

/// Decodes one reply of `command` and encodes it again.
///
/// # Errors
///
/// The first thing that does not come back as it was. Pad bytes must be zero.
pub fn check_reply(command: CommandType, bytes: &[u8], arena: &Arena) -> Result<(), Mismatch> {
    let mut decoder = Decoder::new(bytes, arena, &IdentityResolver);
    let index = usize::try_from(command.0).ok();
    let Some(recode) = index.and_then(|index| REPLIES.get(index).copied().flatten()) else {
        return Err(Mismatch::Reply(decoder.error(DecodeErrorKind::NotEncodable(command.0))));
    };
    // SAFETY: the only values given to this encoder are ones that the decoder returned.
    let mut encoder = unsafe { Encoder::new() };
    recode(&mut decoder, &mut encoder).map_err(Mismatch::Reply)?;
    compare(command, &decoder, encoder.bytes(), bytes, locate_reply)
}

/// Decodes a reply and encodes it again.
pub(crate) type Recode = fn(&mut Decoder<'_>, &mut Encoder) -> Result<(), DecodeError>;

/// The codec of one command's replies.
macro_rules! recode {
    ($decode:ident, $encode:ident) => {
        Some(|decoder, encoder| {
            $encode(encoder, &$decode(decoder)?);
            Ok(())
        })
    };
}
pub(crate) use recode;

/// Fails unless all bytes were decoded and encoded to the same.
fn compare(
    command: CommandType,
    decoder: &Decoder<'_>,
    encoded: &[u8],
    bytes: &[u8],
    locate: fn(&[u8], usize) -> Option<Member>,
) -> Result<(), Mismatch> {
    if decoder.remaining() > 0 {
        return Err(Mismatch::Trailing { command, consumed: decoder.offset(), len: bytes.len() });
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
            args.encode_reply(&mut encoder, C::Return::success());
        }
        Outcome { request, reply: encoder.bytes().to_vec() }
    }
}
