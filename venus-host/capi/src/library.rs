//! What concerns the library and no host.

use std::{
    ffi::{CStr, c_char, c_int, c_void},
    sync::Arc,
};

use ::venus_host::context::{self, CAPSET_BYTES};
use venus_ffi::{Error, environment, guard, log};

use crate::{
    handle::{User, venus_host, with},
    imports::venus_release_callback,
};

/// The version of this header: its major number in the upper 16 bits, which changes when programs have to, and its
/// minor number in the lower ones, which grows when functions or members are added.
pub const VENUS_HOST_VERSION: u32 = 2;

/// virtio-gpu's number of the Venus capability set (VIRTIO_GPU_CAPSET_VENUS).
pub const VENUS_CAPSET_ID: u32 = 4;
const _: () = assert!(VENUS_CAPSET_ID == context::CAPSET_ID);

/// The version of the capability set.
pub const VENUS_CAPSET_VERSION: u32 = 0;
const _: () = assert!(VENUS_CAPSET_VERSION == context::CAPSET_VERSION);

/// No line at all.
pub const VENUS_LOG_OFF: u32 = 0;
/// Somebody is not served.
pub const VENUS_LOG_ERROR: u32 = 1;
/// Something is not as it should be, and the host goes on.
pub const VENUS_LOG_WARN: u32 = 2;
/// What happens.
pub const VENUS_LOG_INFO: u32 = 3;
/// What happens, in detail.
pub const VENUS_LOG_DEBUG: u32 = 4;
/// Everything.
pub const VENUS_LOG_TRACE: u32 = 5;

/// Gets a line of the log: its level (`VENUS_LOG_...`) and its text, which is valid during the call. Called on any
/// thread, also on several at a time.
pub type venus_log_callback = Option<unsafe extern "C" fn(user: *mut c_void, level: u32, line: *const c_char)>;

/// What came with a callback, until nobody calls that any more.
struct Kept {
    user: User,
    release: venus_release_callback,
}

impl Drop for Kept {
    fn drop(&mut self) {
        if let Some(release) = self.release {
            // SAFETY: the caller promises that it can be called with this, once, on any thread.
            guard::callback(|| unsafe { release(self.user.pointer()) });
        }
    }
}

/// The version of the library, to be compared with `VENUS_HOST_VERSION` of the header that a program was compiled with:
/// the upper 16 bits have to be the same, the lower ones not less.
#[unsafe(no_mangle)]
pub extern "C" fn venus_host_version() -> u32 {
    VENUS_HOST_VERSION
}

/// The sentence about the last call that failed on this thread: what was wrong, and where something can be done about
/// it, what. Empty if none has failed.
///
/// The text is the library's and valid until the next call fails on this thread, or the thread ends.
#[unsafe(no_mangle)]
pub extern "C" fn venus_last_error() -> *const c_char {
    guard::last_error()
}

/// Sends lines of the log that matter as much as `level` (`VENUS_LOG_...`) to `callback`, for all hosts of this process;
/// with a null callback or VENUS_LOG_OFF to nobody, as in the beginning. `user` is passed on.
///
/// Beside this, lines go to standard error as the environment variable VENUS_LOG says (off, error, warn, info, debug or
/// trace; warn if it says nothing). What worker processes have to say is among both.
///
/// The callback is kept. Once this returns, another thread may still be about to call an earlier one: `release`, unless it is
/// null, is called with `user` once nobody does any more, on any thread. If this fails, it is not called.
///
/// # Errors
///
/// -EINVAL: there is no such level.
///
/// # Safety
///
/// `callback` can be called with `user` on any thread until `release` is called, or for ever without that; `release` can be
/// called on any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn venus_set_log(
    callback: venus_log_callback,
    user: *mut c_void,
    level: u32,
    release: venus_release_callback,
) -> c_int {
    guard::call("venus_set_log", || {
        log::start(log::Level::Warn);
        let wanted = log::Level::of(level)
            .ok_or_else(|| Error::argument(format!("venus_set_log: there is no level {level}")))?;
        let kept = Kept { user: User(user), release };
        let sink = callback.map(|callback| -> log::Sink {
            Arc::new(move |level, line: &CStr| {
                let kept = &kept;
                // SAFETY: the caller promises that it can be called with this on any thread, and the text lives that
                // long.
                guard::callback(|| unsafe { callback(kept.user.pointer(), u32::from(level as u8), line.as_ptr()) });
            })
        });
        log::set_sink(wanted, sink);
        Ok(0)
    })
}

/// Copies the Venus capability set, which a guest reads before it makes a context, to `bytes`, and returns how many bytes
/// it has. With a null pointer it only returns that.
///
/// Needs no host, and asks no driver: what a driver lacks, the guest is told later. It is that of hosts whose options name
/// no level of the protocol; venus_host_capset() has that of one host.
///
/// # Errors
///
/// -EINVAL: `size` is less than the set has, or the environment variable VENUS_PROTOCOL has a value that does not exist.
///
/// # Safety
///
/// `bytes` is null, or points to `size` writable bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn venus_capset(bytes: *mut c_void, size: usize) -> c_int {
    guard::call("venus_capset", || {
        let capset = context::capset(environment::protocol()?);
        // SAFETY: the caller's promise.
        unsafe { copy_capset("venus_capset", &capset, bytes, size) }
    })
}

/// As venus_capset(), for guests of this host.
///
/// # Errors
///
/// -EINVAL: `size` is less than the set has.
///
/// # Safety
///
/// `host` comes from venus_host_create(). `bytes` is null, or points to `size` writable bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn venus_host_capset(host: *mut venus_host, bytes: *mut c_void, size: usize) -> c_int {
    const FUNCTION: &str = "venus_host_capset";
    // SAFETY: the caller's promise.
    let host = unsafe { host.as_ref() };
    // SAFETY: the caller's promise.
    with(FUNCTION, host, |host| unsafe { copy_capset(FUNCTION, &host.capset(), bytes, size) })
}

/// # Safety
///
/// `bytes` is null, or points to `size` writable bytes.
unsafe fn copy_capset(
    function: &str,
    capset: &[u8; CAPSET_BYTES],
    bytes: *mut c_void,
    size: usize,
) -> Result<c_int, Error> {
    if !bytes.is_null() {
        if size < capset.len() {
            let needed = capset.len();
            return Err(Error::argument(format!("{function}: {size} bytes for a set of {needed}")));
        }
        // SAFETY: as many bytes are writable there, by the check above and the caller's promise.
        unsafe { bytes.cast::<u8>().copy_from_nonoverlapping(capset.as_ptr(), capset.len()) };
    }
    Ok(c_int::try_from(capset.len()).unwrap_or(c_int::MAX))
}
