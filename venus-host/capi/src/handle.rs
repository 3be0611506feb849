//! A host behind a pointer.

use std::{
    collections::VecDeque,
    ffi::{c_int, c_void},
    sync::{Mutex, PoisonError},
    time::Duration,
};

use ::venus_host::{
    context::Progress,
    error::errno,
    host::{Host, RetiredFence},
    worker::Launch,
};
use venus_ffi::{Error, guard, log};

use crate::options::{host_options, venus_host_options};

/// A host: one virtio-gpu device. Made by venus_host_create(), ended by venus_host_destroy().
#[derive(Debug)]
pub struct venus_host {
    host: Mutex<Host>,
    /// How worker processes are started.
    pub(crate) launch: Launch,
    /// Retired fences that the host has given and C has not taken.
    pub(crate) retired: Mutex<VecDeque<RetiredFence>>,
}

// Functions may be called on every thread.
const _: fn() = || {
    fn on_every_thread<T: Send + Sync>() {}
    on_every_thread::<venus_host>();
};

/// A pointer of the caller's, which is passed back to it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct User(pub(crate) *mut c_void);

impl User {
    pub(crate) fn pointer(self) -> *mut c_void {
        self.0
    }
}

// SAFETY: it is never followed here; whoever hands it over promises that its callback can take it on any thread.
unsafe impl Send for User {}
// SAFETY: the same.
unsafe impl Sync for User {}

/// Commands were executed: come back at once.
pub const VENUS_PROGRESS_WORKED: u32 = 0;
/// There were none, but a guest counts on being polled: come back within a millisecond or so.
pub const VENUS_PROGRESS_EMPTY: u32 = 1;
/// A command waits for something that has not happened yet, such as the end of work of the GPU or a submission: come back
/// soon, and after the next submission.
pub const VENUS_PROGRESS_BLOCKED: u32 = 2;
/// Guests make a submission before they need their rings again: come back after the next one.
pub const VENUS_PROGRESS_IDLE: u32 = 3;
/// No ring will ever execute anything again.
pub const VENUS_PROGRESS_ENDED: u32 = 4;

/// Makes a host, and stores it at `host`. Touches no driver: that is loaded when a guest needs it.
///
/// With null options all is as after `venus_host_options options = { .size = sizeof options };`.
///
/// # Errors
///
/// -EINVAL: an option, or an environment variable that is looked at, has a value that does not exist. -EOPNOTSUPP:
/// the isolation is not to be had here. -EMFILE: there are no descriptors left.
///
/// # Safety
///
/// `options` is null or points to a structure of the size that it begins with; `host` is null or points to a pointer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn venus_host_create(options: *const venus_host_options, host: *mut *mut venus_host) -> c_int {
    const FUNCTION: &str = "venus_host_create";
    enter(FUNCTION, || {
        log::start(log::Level::Warn);
        if host.is_null() {
            return Err(Error::argument(format!("{FUNCTION}: there is no place for the host")));
        }
        // SAFETY: the caller's promise.
        let (options, launch) = unsafe { host_options(options) }?;
        let made = venus_host { host: Mutex::new(Host::new(options)?), launch, retired: Mutex::default() };
        // SAFETY: it is not null, so by the caller's promise there is room for a pointer.
        unsafe { host.write(Box::into_raw(Box::new(made))) };
        Ok(0)
    })
}

/// Ends all contexts of a host, waits for that at most `patience_ms` milliseconds, and frees the host. Null is nothing.
///
/// Fences that have not retired do so before this returns, as lost; the callback for them is not called afterwards.
/// Mappings stay until they are given back.
///
/// # Errors
///
/// -ETIMEDOUT: the host is gone, too, but something of it is stuck in the driver and was left behind: memory that was
/// imported without a release callback must stay as long as the process lives.
///
/// # Safety
///
/// `host` is null or comes from venus_host_create(), and nobody uses it any more.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn venus_host_destroy(host: *mut venus_host, patience_ms: u32) -> c_int {
    const FUNCTION: &str = "venus_host_destroy";
    enter(FUNCTION, || {
        if host.is_null() {
            return Ok(0);
        }
        // SAFETY: it is `venus_host_create`'s, by the caller's promise, and was not given back before.
        let host = unsafe { Box::from_raw(host) };
        let host = host.host.into_inner().unwrap_or_else(PoisonError::into_inner);
        let patience = Duration::from_millis(patience_ms.into());
        if host.shutdown(patience) {
            return Ok(0);
        }
        let sentence = format!("{FUNCTION}: something is still inside of the driver after {patience:?}");
        Err(Error::new(errno::TIMEDOUT, sentence))
    })
}

/// Executes what is in the rings of polled contexts, and returns how busy the busiest is (`VENUS_PROGRESS_...`). Takes
/// what is there, on this thread, and never sleeps.
///
/// # Safety
///
/// `host` comes from venus_host_create().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn venus_host_process_rings(host: *mut venus_host) -> c_int {
    // SAFETY: the caller's promise.
    let host = unsafe { host.as_ref() };
    with("venus_host_process_rings", host, |host| {
        let progress = match host.process_rings() {
            Progress::Worked => VENUS_PROGRESS_WORKED,
            Progress::Empty => VENUS_PROGRESS_EMPTY,
            Progress::Blocked => VENUS_PROGRESS_BLOCKED,
            Progress::Ended => VENUS_PROGRESS_ENDED,
            _ => VENUS_PROGRESS_IDLE,
        };
        Ok(c_int::try_from(progress).unwrap_or(c_int::MAX))
    })
}

/// Runs a function of the library's, unless it is called by a callback.
pub(crate) fn enter(function: &'static str, body: impl FnOnce() -> Result<c_int, Error>) -> c_int {
    match guard::refuse_reentry(function) {
        Ok(()) => guard::call(function, body),
        Err(error) => guard::fail(&error),
    }
}

/// Runs a function on a host, when it is this call's turn.
pub(crate) fn with(
    function: &'static str,
    host: Option<&venus_host>,
    body: impl FnOnce(&mut Host) -> Result<c_int, Error>,
) -> c_int {
    with_handle(function, host, |handle| body(&mut handle.turn()))
}

/// As [`with`], without a turn.
pub(crate) fn with_handle(
    function: &'static str,
    host: Option<&venus_host>,
    body: impl FnOnce(&venus_host) -> Result<c_int, Error>,
) -> c_int {
    enter(function, || body(host.ok_or_else(|| Error::argument(format!("{function}: the host is null")))?))
}

impl venus_host {
    /// Waits until no other call is busy with the host.
    pub(crate) fn turn(&self) -> std::sync::MutexGuard<'_, Host> {
        // A panic, which is a fault of ours, has been told to whoever met it. The host itself keeps its invariants.
        self.host.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
