//! All prefixes and mutations of requests that are valid.

use venus_protocol::wire::{Arena, DecodeError, DecodeErrorKind as Kind, ErrorClass};
use venus_verify::vectors::{self, Vector};

use crate::{ARENA_BYTES, check};

const REQUESTS: &str = include_str!("../golden/requests.tsv");

fn requests() -> Vec<Vector> {
    vectors::parse(REQUESTS).into_iter().map(|(_, row)| row.expect("the file is well formed")).collect()
}

/// Fails unless what decodes is stable: encoded and decoded once more it gives the same bytes.
fn check_stable(bytes: &[u8], arena: &mut Arena, what: impl Fn() -> String) {
    let Ok(canonical) = check(bytes, arena) else { return };
    match check(&canonical, arena) {
        // Where a union's members hold no pointers, nobody compares its selector with its tag, which decides when
        // decoding. Encoding goes by the selector, and so writes a tag that no decoder takes where that was nonsense.
        Err(DecodeError { kind: Kind::WrongUnionTag { .. }, .. }) => {}
        again => assert_eq!(again.as_ref(), Ok(&canonical), "{}", what()),
    }
}

#[test]
fn every_prefix_is_truncated() {
    let mut arena = Arena::new(ARENA_BYTES);
    for vector in requests() {
        for len in 0..vector.request.len() {
            let error = check(&vector.request[..len], &mut arena).expect_err("a prefix lacks bytes");
            let context = format!("{len} of {} bytes of {}: {error}", vector.request.len(), vector.command);
            assert_eq!(error.kind.class(), ErrorClass::Truncated, "{context}");
            assert!(error.offset <= len, "{context}");
            if len >= 8 {
                assert_eq!(error.command.0, vector.id, "{context}");
            }
        }
    }
}

#[test]
fn mutated_bytes_are_survived() {
    let mut arena = Arena::new(ARENA_BYTES);
    for vector in requests() {
        let mut bytes = vector.request.clone();
        for at in 0..bytes.len() {
            let byte = bytes[at];
            for value in [0x00, 0x01, 0x7f, 0xff, byte ^ 0x01, byte ^ 0x80, !byte] {
                bytes[at] = value;
                check_stable(&bytes, &mut arena, || format!("{} with {value:#04x} at byte {at}", vector.command));
            }
            bytes[at] = byte;
        }
    }
}

#[test]
fn huge_numbers_are_survived() {
    const HUGE: [u64; 7] = [1 << 16, 1 << 31, u32::MAX as u64, 1 << 32, i64::MAX as u64, u64::MAX / 8 + 1, u64::MAX];
    let mut arena = Arena::new(ARENA_BYTES);
    for vector in requests() {
        for at in (8..vector.request.len() - 4).step_by(4) {
            for value in HUGE {
                let mut bytes = vector.request.clone();
                let end = (at + 8).min(bytes.len());
                bytes[at..end].copy_from_slice(&value.to_le_bytes()[..end - at]);
                check_stable(&bytes, &mut arena, || format!("{} with {value:#x} at byte {at}", vector.command));
                // The same number as a length and as the count that must equal it.
                if let (Ok(small), true) = (u32::try_from(value), at >= 12) {
                    bytes[at - 4..at].copy_from_slice(&small.to_le_bytes());
                    check_stable(&bytes, &mut arena, || format!("{} with {value:#x} before {at}", vector.command));
                }
            }
        }
    }
}
