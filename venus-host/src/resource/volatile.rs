//! Copies between memory that a guest may be changing and memory that it cannot reach.
//!
//! The accesses are volatile, so that each byte is read or written once, and go in words of eight bytes between the first
//! and the last aligned address. Nothing is checked: [`mapping`](super::mapping) checks ranges of what is mapped here, and
//! an embedder those of what its guest has named.

#![allow(unsafe_code, reason = "the one copy of shared memory")]

/// Bytes that one step moves.
const WORD: usize = size_of::<u64>();

/// Copies shared bytes into private memory.
///
/// # Safety
///
/// `shared` points to as many readable bytes as `private` has, and nobody has a Rust reference to them.
#[inline]
pub unsafe fn copy_out(shared: *const u8, private: &mut [u8]) {
    let mut shared = shared;
    let (head, rest) = private.split_at_mut(unaligned_bytes(shared).min(private.len()));
    let (words, tail) = rest.as_chunks_mut::<WORD>();
    for byte in head {
        // SAFETY: the rest of `private.len()` bytes are behind `shared`, which advances in step.
        *byte = unsafe { shared.read_volatile() };
        shared = shared.wrapping_add(1);
    }
    for word in words {
        // SAFETY: as above; and the bytes of `head` have led to an aligned address.
        *word = unsafe { shared.cast::<u64>().read_volatile() }.to_ne_bytes();
        shared = shared.wrapping_add(WORD);
    }
    for byte in tail {
        // SAFETY: as above.
        *byte = unsafe { shared.read_volatile() };
        shared = shared.wrapping_add(1);
    }
}

/// Copies private bytes into shared memory.
///
/// # Safety
///
/// `shared` points to as many writable bytes as `private` has, and nobody has a Rust reference to them.
#[inline]
pub unsafe fn copy_in(shared: *mut u8, private: &[u8]) {
    let mut shared = shared;
    let (head, rest) = private.split_at(unaligned_bytes(shared).min(private.len()));
    let (words, tail) = rest.as_chunks::<WORD>();
    for byte in head {
        // SAFETY: the rest of `private.len()` bytes are behind `shared`, which advances in step.
        unsafe { shared.write_volatile(*byte) };
        shared = shared.wrapping_add(1);
    }
    for word in words {
        // SAFETY: as above; and the bytes of `head` have led to an aligned address.
        unsafe { shared.cast::<u64>().write_volatile(u64::from_ne_bytes(*word)) };
        shared = shared.wrapping_add(WORD);
    }
    for byte in tail {
        // SAFETY: as above.
        unsafe { shared.write_volatile(*byte) };
        shared = shared.wrapping_add(1);
    }
}

/// Bytes from `address` to the next word.
fn unaligned_bytes(address: *const u8) -> usize {
    address.addr().wrapping_neg() % WORD
}
