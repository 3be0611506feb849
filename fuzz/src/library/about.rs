//! Calls that ask or tell something about the library, and those that it refuses.

use std::{
    ffi::{CStr, c_char, c_int, c_void},
    ptr,
    sync::{Arc, atomic::AtomicUsize},
};

use venus_host_c::{contexts::*, fences::*, handle::*, library::*, options::*, resources::*, statistics::*};

use super::{
    Monitor,
    callbacks::{line, released},
    served::{sized, submit, told},
};

impl Monitor<'_, '_, '_> {
    pub(super) fn statistics(&mut self) {
        let mut statistics = ptr::null_mut();
        let result = match self.source.byte() {
            0..0x80 => {
                let context = self.context();
                // SAFETY: the host lives, and there is room.
                unsafe { venus_host_statistics(self.host, context, &raw mut statistics) }
            }
            // SAFETY: the same.
            _ => unsafe { venus_host_statistics_of_all(self.host, &raw mut statistics) },
        };
        if told(result) != 0 {
            return;
        }
        // SAFETY: all members are numbers.
        let mut totals = sized(self.source, unsafe { std::mem::zeroed::<venus_totals>() });
        // SAFETY: the snapshot lives, and the structure has as many bytes as it says.
        told(unsafe { venus_statistics_totals(statistics, totals.as_mut_ptr().cast()) });
        // SAFETY: the snapshot lives.
        let text = unsafe { venus_statistics_last_error(statistics) };
        // SAFETY: it is the snapshot's, which lives.
        let text = unsafe { CStr::from_ptr(text) };
        assert!(text.to_bytes().len() < 1 << 16);
        let mut rows = 0;
        let mut row = |take: &dyn Fn(usize, *mut usize) -> c_int, words: usize| {
            let (index, mut room) = (self.source.number() as usize, vec![0_usize; words]);
            room[0] = words * size_of::<usize>();
            rows += usize::from(told(take(index, room.as_mut_ptr())) == 1);
        };
        // SAFETY: the snapshot lives, and each structure has as many bytes as it says.
        row(
            &|nth, at| unsafe { venus_statistics_command(statistics, nth, at.cast()) },
            words::<venus_command_statistics>(),
        );
        // SAFETY: the same.
        row(
            &|nth, at| unsafe { venus_statistics_object(statistics, nth, at.cast()) },
            words::<venus_object_statistics>(),
        );
        // SAFETY: the same.
        row(&|nth, at| unsafe { venus_statistics_ring(statistics, nth, at.cast()) }, words::<venus_ring_statistics>());
        // SAFETY: the same.
        row(&|nth, at| unsafe { venus_statistics_heap(statistics, nth, at.cast()) }, words::<venus_heap_statistics>());
        assert!(rows <= 4);
        // SAFETY: it is the library's, and nobody uses it any more.
        unsafe { venus_statistics_free(statistics) };
    }

    pub(super) fn capset(&mut self) {
        let mut bytes = vec![0_u8; usize::from(self.source.byte()) * 2];
        let at = if bytes.is_empty() { ptr::null_mut() } else { bytes.as_mut_ptr().cast() };
        // SAFETY: there is as much room as is said, or none.
        told(unsafe { venus_capset(at, bytes.len()) });
        // SAFETY: the same, and the host lives.
        told(unsafe { venus_host_capset(self.host, at, bytes.len()) });
        assert_eq!(venus_host_version(), VENUS_HOST_VERSION);
    }

    pub(super) fn log(&mut self) {
        let level = u32::from(self.source.byte() % 7);
        let callback =
            (self.source.byte() < 0x80).then_some(line as unsafe extern "C" fn(*mut c_void, u32, *const c_char));
        // It comes with what lines are told to, and is counted by another: what is released is the callback's own.
        // SAFETY: lines are told to what outlives the host, and the log is turned off before that ends.
        if told(unsafe { venus_set_log(callback, self.heard.pointer(), level, None) }) == 0 {
            let count = Arc::<AtomicUsize>::default();
            let user = Arc::as_ptr(&count).cast_mut().cast();
            // SAFETY: nobody is told, and the counter stays until all is over.
            let result = unsafe { venus_set_log(None, user, level, Some(released)) };
            assert_eq!(told(result), 0, "there is such a level");
            self.logs.push(count);
            // SAFETY: as above.
            told(unsafe { venus_set_log(callback, self.heard.pointer(), level, None) });
        }
    }

    /// Another host beside this one, whose options may be refused.
    pub(super) fn other_host(&mut self) {
        let mut options = self.options();
        let gpu = [b"all\0".as_slice(), b"0\0", b"7\0", b"\xff\0", b"name\0"][self.source.below(5)];
        options.isolation = match self.source.byte() {
            0..0xc0 => VENUS_ISOLATION_POLLED,
            other => other.into(),
        };
        options.flags = if self.source.byte() < 0xe0 { 0 } else { self.source.number() as u32 & !VENUS_HOST_VALIDATE };
        options.gpu = if self.source.byte() < 0x80 { ptr::null() } else { gpu.as_ptr().cast() };
        options.max_memory_bytes = self.source.number();
        options.max_objects = self.source.number();
        options.protocol = if self.source.byte() < 0x80 { 0 } else { 430 + self.source.byte() as u32 % 30 };
        options.reserved = u32::from(self.source.byte() >= 0xf8);
        let options = sized(self.source, options);
        let mut host = ptr::null_mut();
        // SAFETY: the options have as many bytes as they say, and there is room for the host.
        if told(unsafe { venus_host_create(options.as_ptr().cast(), &raw mut host) }) == 0 {
            // SAFETY: it lives. Whether there can be a context is a matter of options.
            if told(unsafe { venus_host_create_context(host, 1, ptr::null()) }) == 0 {
                let stream = self.source.take(64);
                submit(host, 1, stream);
            }
            // SAFETY: it is the library's, and nobody uses it any more.
            assert_eq!(told(unsafe { venus_host_destroy(host, 10_000) }), 0, "nothing is stuck");
        }
    }
}

/// Words of a structure.
fn words<T>() -> usize {
    size_of::<T>() / size_of::<usize>()
}

/// What is null is refused, or nothing.
pub(super) fn without_host() {
    let none = ptr::null_mut();
    let results = [
        // SAFETY: null is looked for.
        unsafe { venus_host_create(ptr::null(), ptr::null_mut()) },
        // SAFETY: null is looked for.
        unsafe { venus_host_create_context(none, 1, ptr::null()) },
        // SAFETY: null is looked for.
        unsafe { venus_host_submit(none, 1, ptr::null(), 4) },
        // SAFETY: null is looked for.
        unsafe { venus_host_create_fence(none, 1, 0, 0) },
        // SAFETY: null is looked for.
        unsafe { venus_host_next_retired(none, ptr::null_mut()) },
        // SAFETY: null is looked for.
        unsafe { venus_host_describe_resource(none, 1, ptr::null_mut()) },
        // SAFETY: null is looked for.
        unsafe { venus_host_process_rings(none) },
    ];
    assert!(results.into_iter().all(|result| told(result) < 0));
    // SAFETY: the same.
    assert_eq!(told(unsafe { venus_host_destroy(none, 0) }), 0);
    // SAFETY: the same.
    unsafe { venus_mapping_release(ptr::null_mut()) };
    // SAFETY: the same.
    unsafe { venus_statistics_free(ptr::null_mut()) };
}
