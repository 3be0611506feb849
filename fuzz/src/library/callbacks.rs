//! What the library calls.

use std::{
    collections::BTreeMap,
    ffi::{CStr, c_char, c_void},
    ptr,
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use venus_host_c::{fences::*, library::*};

/// What callbacks have said.
#[derive(Default)]
pub(super) struct Heard {
    /// Fences that have retired, by their numbers.
    pub(super) retired: Mutex<BTreeMap<u64, usize>>,
    lines: AtomicUsize,
}

impl Heard {
    pub(super) fn pointer(&self) -> *mut c_void {
        ptr::from_ref(self).cast_mut().cast()
    }

    pub(super) fn retire(&self, fence: u64) {
        *self.retired.lock().expect("nobody panics with it").entry(fence).or_default() += 1;
    }
}

/// # Safety
///
/// `user` is a [`Heard`], and `fence` one that has retired.
pub(super) unsafe extern "C" fn retired(user: *mut c_void, fence: *const venus_retired_fence) {
    // SAFETY: it is what the host was made with, which outlives it.
    let heard = unsafe { &*user.cast::<Heard>() };
    // SAFETY: it is valid during the call.
    let fence = unsafe { &*fence };
    assert!(fence.size == size_of::<venus_retired_fence>() && fence.how <= VENUS_RETIRED_DEVICE_LOST);
    heard.retire(fence.fence);
}

/// # Safety
///
/// `user` is a [`Heard`], and `line` a text.
pub(super) unsafe extern "C" fn line(user: *mut c_void, level: u32, line: *const c_char) {
    // SAFETY: it is what it was handed over with, which outlives the log's interest.
    let heard = unsafe { &*user.cast::<Heard>() };
    // SAFETY: it is valid during the call.
    let line = unsafe { CStr::from_ptr(line) };
    assert!((VENUS_LOG_ERROR..=VENUS_LOG_TRACE).contains(&level) && !line.is_empty());
    assert!(line.to_bytes().iter().all(|byte| !byte.is_ascii_control()), "a terminal would obey that: {line:?}");
    heard.lines.fetch_add(1, Ordering::Relaxed);
}

/// # Safety
///
/// `user` counts.
pub(super) unsafe extern "C" fn released(user: *mut c_void) {
    // SAFETY: it is what it was handed over with, which outlives everything.
    unsafe { &*user.cast::<AtomicUsize>() }.fetch_add(1, Ordering::Relaxed);
}
