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

/// Calls something that may write to a pipe which nobody reads, without the signal that this is. The error stays.
///
/// Rust's programs ignore that signal; those of others die of it, and how a process takes a signal is not for a library
/// to say. What a socket has a flag for, a pipe has not.
#[cfg(feature = "vtest")]
pub(crate) fn without_sigpipe<R>(call: impl FnOnce() -> std::io::Result<R>) -> std::io::Result<R> {
    let blocked = signals::block_sigpipe();
    let result = call();
    if result.as_ref().is_err_and(|error| error.kind() == std::io::ErrorKind::BrokenPipe) {
        signals::take_sigpipe(&blocked);
    }
    signals::unblock(&blocked);
    result
}

#[cfg(feature = "vtest")]
#[expect(unsafe_code, reason = "six functions of the system that have no safe form")]
mod signals {
    use std::{ffi::c_int, mem::MaybeUninit};

    /// `SIGPIPE` of `signal.h`, on all systems that this is built for.
    const SIGPIPE: c_int = 13;
    /// `SIG_BLOCK`; Apple and Linux count from different numbers.
    const BLOCK: c_int = if cfg!(target_vendor = "apple") { 1 } else { 0 };
    /// `SIG_SETMASK`.
    const REPLACE: c_int = if cfg!(target_vendor = "apple") { 3 } else { 2 };

    /// `sigset_t`: Linux has 128 bytes, Apple fewer.
    #[derive(Clone, Copy)]
    #[repr(C, align(16))]
    struct Set([u8; 128]);

    unsafe extern "C" {
        fn sigemptyset(set: *mut Set) -> c_int;
        fn sigaddset(set: *mut Set, signal: c_int) -> c_int;
        fn sigismember(set: *const Set, signal: c_int) -> c_int;
        fn sigpending(set: *mut Set) -> c_int;
        fn sigwait(set: *const Set, signal: *mut c_int) -> c_int;
        fn pthread_sigmask(how: c_int, set: *const Set, old: *mut Set) -> c_int;
    }

    /// What the thread had blocked before.
    pub(super) struct Blocked(Set);

    fn only_sigpipe() -> Set {
        let mut set = Set([0; 128]);
        // SAFETY: both fill a set that is ours and as large as the system's.
        unsafe { sigemptyset(&raw mut set) };
        // SAFETY: as above.
        unsafe { sigaddset(&raw mut set, SIGPIPE) };
        set
    }

    /// Lets the signal wait, on this thread.
    pub(super) fn block_sigpipe() -> Blocked {
        let (set, mut old) = (only_sigpipe(), Set([0; 128]));
        // SAFETY: it concerns the calling thread only, reads one set and fills the other.
        unsafe { pthread_sigmask(BLOCK, &raw const set, &raw mut old) };
        Blocked(old)
    }

    /// Takes the signal away if it is waiting, unless it would go on waiting anyway.
    pub(super) fn take_sigpipe(blocked: &Blocked) {
        let mut pending = Set([0; 128]);
        // SAFETY: it fills a set that is ours.
        unsafe { sigpending(&raw mut pending) };
        let has = |set: &Set| {
            // SAFETY: it reads a set that one of these functions has filled.
            unsafe { sigismember(std::ptr::from_ref(set), SIGPIPE) == 1 }
        };
        if has(&pending) && !has(&blocked.0) {
            let (set, mut taken) = (only_sigpipe(), MaybeUninit::uninit());
            // SAFETY: the signal is blocked and waiting, so this takes it and does not wait; it writes one number.
            unsafe { sigwait(&raw const set, taken.as_mut_ptr()) };
        }
    }

    /// Undoes [`block_sigpipe`].
    pub(super) fn unblock(blocked: &Blocked) {
        // SAFETY: it concerns the calling thread only, and reads a set that this function has filled before.
        unsafe { pthread_sigmask(REPLACE, &raw const blocked.0, std::ptr::null_mut()) };
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
