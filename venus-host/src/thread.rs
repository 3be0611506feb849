//! What threads have to be told on one system and not on another.
//!
//! Whatever has a portable form is written where it is used; here stands what does not, and what a Rust crate for it
//! would be larger than.

#![deny(unsafe_code)]

use std::time::{Duration, Instant};

/// The moment that is `after` from now, for a wait that ends then.
pub(crate) fn deadline(after: Duration) -> Instant {
    let now = Instant::now();
    now.checked_add(after).unwrap_or(now)
}

/// Asks the system to end this thread's short sleeps on time. Best effort.
///
/// Linux may end them 50 us late by default, macOS a millisecond: it joins the wake-ups of threads that nobody called
/// urgent.
pub(crate) fn sharpen_timers() {
    #[cfg(target_os = "linux")]
    if let Err(error) = rustix::thread::set_current_timer_slack(std::num::NonZero::new(1)) {
        tracing::debug!("cannot sharpen timers: {error}");
    }
    #[cfg(target_vendor = "apple")]
    apple::make_urgent();
}

/// The temporary objects of Metal that calls to a driver leave on this thread; they are freed when this is dropped.
///
/// Objective-C hands out objects that live until the thread's innermost pool ends. The threads of an application's
/// event loop have one per event; those of ours have none, so that a driver that relies on one would leak for as long as
/// the guest runs. Other systems have nothing of the kind.
#[must_use = "the pool ends when this is dropped"]
#[derive(Debug)]
pub(crate) struct AutoreleasePool {
    #[cfg(target_vendor = "apple")]
    token: *mut std::ffi::c_void,
    /// Pools are a stack per thread.
    _thread_bound: std::marker::PhantomData<*mut ()>,
}

impl AutoreleasePool {
    /// Opens a pool on this thread.
    #[inline]
    pub(crate) fn new() -> Self {
        Self {
            #[cfg(target_vendor = "apple")]
            token: apple::push_pool(),
            _thread_bound: std::marker::PhantomData,
        }
    }
}

#[cfg(target_vendor = "apple")]
impl Drop for AutoreleasePool {
    fn drop(&mut self) {
        apple::pop_pool(self);
    }
}

#[cfg(target_vendor = "apple")]
#[expect(unsafe_code, reason = "three functions of the system that have no safe form")]
mod apple {
    use std::ffi::{c_int, c_uint, c_void};

    use super::AutoreleasePool;

    /// `QOS_CLASS_USER_INTERACTIVE` of `sys/qos.h`: work that a person waits for.
    const USER_INTERACTIVE: c_uint = 0x21;

    unsafe extern "C" {
        fn pthread_set_qos_class_self_np(class: c_uint, relative_priority: c_int) -> c_int;
    }

    #[link(name = "objc", kind = "dylib")]
    unsafe extern "C" {
        fn objc_autoreleasePoolPush() -> *mut c_void;
        fn objc_autoreleasePoolPop(token: *mut c_void);
    }

    pub(super) fn make_urgent() {
        // SAFETY: it concerns the calling thread only, and takes plain numbers, of which it refuses those it does not
        // know.
        let refused = unsafe { pthread_set_qos_class_self_np(USER_INTERACTIVE, 0) };
        if refused != 0 {
            tracing::debug!("cannot make a thread urgent: error {refused}");
        }
    }

    pub(super) fn push_pool() -> *mut c_void {
        // SAFETY: a pool may be opened on any thread at any time.
        unsafe { objc_autoreleasePoolPush() }
    }

    pub(super) fn pop_pool(pool: &mut AutoreleasePool) {
        // SAFETY:
        // - the token is that of a pool of this thread, since an `AutoreleasePool` cannot leave the thread it was made
        //   on, and it is popped once, by its drop;
        // - pools opened later are gone, or go with this one, as a stack of them does.
        unsafe { objc_autoreleasePoolPop(pool.token) };
    }
}
