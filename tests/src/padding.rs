//! Pad bytes: those that a guest's encoder skips to stay aligned.
//!
//! Mesa leaves in them whatever the ring held before, and decoders ignore them, so requests of real guests can be
//! compared with what our encoder makes of them only once they are zero. Where they are is read from the protocol's
//! tables, not from a decoder: a decoder that skips too much is noticed.

use std::ops::{ControlFlow, Range};

use venus_protocol::reflect::{Piece, Stop, Visitor, walk_reply, walk_request};
use venus_protocol::wire::Member;

/// Bytes of a request or reply, as [`walk_request`] and [`walk_reply`] follow them.
type Walk = fn(&[u8], &mut dyn Visitor) -> Result<usize, Stop>;

/// A copy of a request with all pad bytes zero, and how many bytes the tables say it has.
///
/// # Errors
///
/// The tables cannot follow the bytes.
pub fn without_pads_in_request(bytes: &[u8]) -> Result<(Vec<u8>, usize), Stop> {
    without_pads(bytes, walk_request)
}

/// As [`without_pads_in_request`], for a reply.
///
/// # Errors
///
/// The tables cannot follow the bytes.
pub fn without_pads_in_reply(bytes: &[u8]) -> Result<(Vec<u8>, usize), Stop> {
    without_pads(bytes, walk_reply)
}

fn without_pads(bytes: &[u8], walk: Walk) -> Result<(Vec<u8>, usize), Stop> {
    let mut pads = Pads::default();
    let len = walk(bytes, &mut pads)?;
    let mut clean = bytes.to_owned();
    for pad in pads.0 {
        clean[pad].fill(0);
    }
    Ok((clean, len))
}

#[derive(Default)]
struct Pads(Vec<Range<usize>>);

impl Visitor for Pads {
    fn visit(&mut self, at: usize, len: usize, _member: Member, piece: Piece<'_>) -> ControlFlow<()> {
        let content = match piece {
            Piece::Value(item, bytes) => item.packed_bytes().unwrap_or(bytes.len()),
            Piece::Values(_, bytes) | Piece::Bytes(_, bytes) => bytes.len(),
            Piece::Begin(_)
            | Piece::BeginNode(_)
            | Piece::End
            | Piece::StructureType(_)
            | Piece::Marker(_)
            | Piece::Count(_)
            | Piece::Tag(_) => len,
        };
        if content < len {
            self.0.push(at + content..at + len);
        }
        ControlFlow::Continue(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use venus_protocol::wire::{Arena, CommandType};
    use venus_verify::check_request;

    /// vkEnumerateInstanceExtensionProperties with a layer's name of 5 bytes, and so 3 pad bytes.
    fn request(pads: [u8; 3]) -> Vec<u8> {
        let mut bytes = Vec::new();
        bytes.extend(CommandType::ENUMERATE_INSTANCE_EXTENSION_PROPERTIES.0.to_le_bytes());
        bytes.extend([0; 4]); // flags
        bytes.extend(5_u64.to_le_bytes()); // pLayerName: bytes with NUL
        bytes.extend(b"four\0");
        bytes.extend(pads);
        bytes.extend(0_u64.to_le_bytes()); // pPropertyCount: null
        bytes.extend(0_u64.to_le_bytes()); // pProperties: none
        bytes
    }

    #[test]
    fn only_pad_bytes_are_cleared() {
        let (clean, len) = without_pads_in_request(&request([1, 2, 3])).unwrap();
        assert_eq!(clean, request([0; 3]));
        assert_eq!(len, clean.len());
    }

    #[test]
    fn a_request_with_dirty_pads_is_compared_after_clearing() {
        let (arena, dirty) = (Arena::default(), request([1, 2, 3]));
        let with_count = |mut bytes: Vec<u8>| {
            let at = bytes.len() - 16;
            bytes[at] = 1; // pPropertyCount points to a count
            bytes.splice(at + 8..at + 8, [0; 4]);
            bytes
        };
        let dirty = with_count(dirty);
        assert!(check_request(&dirty, &arena).is_err());
        let (clean, _) = without_pads_in_request(&dirty).unwrap();
        check_request(&clean, &arena).unwrap();
    }
}
