//! What a caller does with a host: how a guest is served by the library for C, and what every call has in common.

use std::{
    cell::Cell,
    ffi::{CStr, c_int, c_void},
    ptr,
    rc::Rc,
    sync::atomic::{AtomicU8, Ordering},
};

use venus_host_c::{contexts::*, fences::*, handle::*, library::*, resources::*};

use super::PAGE;
use crate::{
    guest::{Memory, Service},
    source::Source,
};

/// A mapping, until it is given back.
pub(crate) struct Mapped {
    mapping: *mut venus_mapping,
    address: *mut c_void,
    size: usize,
}

impl Mapped {
    pub(super) fn of(host: *mut venus_host, resource: u32) -> Option<Self> {
        let (mut mapping, mut address, mut size) = (ptr::null_mut(), ptr::null_mut(), 0);
        // SAFETY: the host lives, and there is room for what it gives.
        let result = unsafe { venus_host_map(host, resource, &raw mut mapping, &raw mut address, &raw mut size) };
        (told(result) == 0).then(|| {
            assert!(!mapping.is_null() && !address.is_null() && size > 0 && address.addr().is_multiple_of(PAGE));
            let mapped = Self { mapping, address, size };
            // All of it is there.
            for at in [0, size - 1] {
                mapped.byte(at).store(7, Ordering::Relaxed);
            }
            mapped
        })
    }

    fn byte(&self, at: usize) -> &AtomicU8 {
        assert!(at < self.size);
        // SAFETY: it is in the mapping.
        let byte = unsafe { self.address.cast::<u8>().add(at) };
        // SAFETY: it is mapped as long as this lives, and others use it as memory that is shared.
        unsafe { AtomicU8::from_ptr(byte) }
    }
}

impl Memory for Mapped {
    fn put(&self, at: usize, bytes: &[u8]) {
        if at.saturating_add(bytes.len()) <= self.size {
            (at..).zip(bytes).for_each(|(at, byte)| self.byte(at).store(*byte, Ordering::Relaxed));
        }
    }

    fn get(&self, at: usize, bytes: &mut [u8]) {
        if at.saturating_add(bytes.len()) <= self.size {
            (at..).zip(bytes).for_each(|(at, byte)| *byte = self.byte(at).load(Ordering::Relaxed));
        }
    }
}

impl Drop for Mapped {
    fn drop(&mut self) {
        // SAFETY: it is the library's, and nobody uses it any more.
        unsafe { venus_mapping_release(self.mapping) };
    }
}

/// Looks at what a function has returned.
pub(super) fn told(result: c_int) -> c_int {
    if result >= 0 {
        return result;
    }
    // SAFETY: it is a text of the library's, valid until the next call that fails.
    let sentence = unsafe { CStr::from_ptr(venus_last_error()) };
    assert!(!sentence.is_empty(), "{result} has no sentence");
    // Those that the header names, and what opening files and making threads may come to.
    let errno = -result;
    assert!((1..=133).contains(&errno) && errno != libc::ENOTRECOVERABLE, "{errno}: {sentence:?}");
    result
}

/// A context, as a guest is served by it.
pub(super) struct Served {
    pub(super) host: *mut venus_host,
    pub(super) context: u32,
    pub(super) next_fence: Rc<Cell<u64>>,
    pub(super) is_polled: bool,
}

impl Service for Served {
    type Memory = Mapped;

    fn submit(&mut self, stream: &[u8]) -> bool {
        submit(self.host, self.context, stream) == 0
    }

    fn is_lost(&self) -> bool {
        // SAFETY: the host lives as long as its guests.
        told(unsafe { venus_host_check_context(self.host, self.context) }) != 0
    }

    fn create_blob(&mut self, resource: u32, flags: u32, memory: u64, size: u64) -> bool {
        // SAFETY: the same.
        told(unsafe { venus_host_create_blob(self.host, self.context, resource, flags, memory, size) }) == 0
    }

    fn map(&mut self, resource: u32) -> Option<Mapped> {
        Mapped::of(self.host, resource)
    }

    fn unref(&mut self, resource: u32) {
        // SAFETY: the same.
        told(unsafe { venus_host_destroy_resource(self.host, resource) });
    }

    fn fence(&mut self, ring_idx: u32) {
        fence(self.host, self.context, ring_idx, &self.next_fence);
    }

    fn process_rings(&mut self) {
        process_rings(self.host);
    }

    fn keeps_replies(&self) -> bool {
        self.is_polled
    }
}

pub(super) fn submit(host: *mut venus_host, context: u32, stream: &[u8]) -> c_int {
    // SAFETY: the host lives, and the bytes are there.
    told(unsafe { venus_host_submit(host, context, stream.as_ptr().cast(), stream.len()) })
}

pub(super) fn fence(host: *mut venus_host, context: u32, ring_idx: u32, next: &Cell<u64>) {
    let number = next.get();
    next.set(number + 1);
    // SAFETY: the host lives.
    told(unsafe { venus_host_create_fence(host, context, ring_idx, number) });
}

pub(super) fn process_rings(host: *mut venus_host) {
    // SAFETY: the host lives.
    let progress = told(unsafe { venus_host_process_rings(host) });
    assert!((0..=VENUS_PROGRESS_ENDED as c_int).contains(&progress));
}

/// Memory for a structure of some size: that of ours if nothing else is chosen, else one of an older program's or of a
/// later one's, whose new members are zero, or not.
pub(super) fn sized<T>(source: &mut Source<'_>, value: T) -> Vec<usize> {
    let ours = size_of::<T>();
    let size = match source.byte() {
        0..0xe0 => ours,
        0xe0..0xf0 => usize::from(source.byte()),
        0xf0..0xf8 => ours + 8,
        _ => source.number() as usize,
    };
    // Sizes that nobody means are refused before anything is read.
    let room = size.min(1 << 16).max(ours).div_ceil(size_of::<usize>());
    let mut words = vec![0_usize; room];
    // SAFETY: there is room, and words are aligned as all of these structures are.
    unsafe { words.as_mut_ptr().cast::<T>().write(value) };
    words[0] = size;
    if size == ours + 8 {
        words[ours / 8] = usize::from(source.byte() >= 0x80);
    }
    words
}
