//! Fences, and how they retire.

use std::{
    ffi::{c_int, c_void},
    mem::offset_of,
    os::fd::AsRawFd as _,
    sync::PoisonError,
};

use ::venus_host::{
    context::Retired,
    host::{ContextId, RetiredFence},
};
use venus_ffi::Error;

use crate::{
    handle::{venus_host, with, with_handle},
    sized::{self, Versioned},
};

/// Everything before the fence is done.
pub const VENUS_RETIRED_DONE: u32 = 0;
/// Nobody will know: the context is lost or gone, or the queue is. A guest's kernel, which cannot be told so, takes the
/// fence as signalled.
pub const VENUS_RETIRED_LOST: u32 = 1;
/// The same, because the device is lost.
pub const VENUS_RETIRED_DEVICE_LOST: u32 = 2;

/// A fence that has retired.
#[repr(C)]
#[derive(Debug, PartialEq, Eq)]
pub struct venus_retired_fence {
    /// `sizeof` of this structure.
    pub size: usize,
    /// The number that it was created with.
    pub fence: u64,
    /// The context that it was created in.
    pub context: u32,
    /// The timeline that it was created on.
    pub ring_idx: u32,
    /// How: `VENUS_RETIRED_...`.
    pub how: u32,
    /// (always zero)
    pub reserved: u32,
}

// A later member is behind all bytes that today's programs know.
const _: () = assert!(size_of::<venus_retired_fence>() == offset_of!(venus_retired_fence, reserved) + 4);

// SAFETY: it is `repr(C)`, begins with a usize, and holds numbers.
unsafe impl Versioned for venus_retired_fence {
    const NAME: &'static str = "venus_retired_fence";
    const LEAST: usize = size_of::<Self>();
}

/// Gets a fence that has retired; the structure is valid during the call. Called on any thread.
pub type venus_retired_callback = Option<unsafe extern "C" fn(user: *mut c_void, fence: *const venus_retired_fence)>;

pub(crate) fn retired_fence(fence: &RetiredFence) -> venus_retired_fence {
    venus_retired_fence {
        fence: fence.fence,
        context: fence.context.0,
        ring_idx: fence.ring_idx,
        how: match fence.retired {
            Retired::Done => VENUS_RETIRED_DONE,
            Retired::DeviceLost => VENUS_RETIRED_DEVICE_LOST,
            _ => VENUS_RETIRED_LOST,
        },
        ..venus_retired_fence::zeroed()
    }
}

/// Has a fence retire once everything before it on a timeline of the context is done: submissions for `ring_idx` 0, the
/// work of a queue for the others. `fence` is any number of the caller's.
///
/// It retires once in any case, also if this fails: then as lost, as it does if the context is lost or destroyed first.
///
/// # Errors
///
/// -EINVAL: there is no such context or timeline. -EDQUOT: too many fences are pending, so the context is lost.
///
/// # Safety
///
/// `host` comes from venus_host_create().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn venus_host_create_fence(
    host: *mut venus_host,
    context: u32,
    ring_idx: u32,
    fence: u64,
) -> c_int {
    // SAFETY: the caller's promise.
    let host = unsafe { host.as_ref() };
    with("venus_host_create_fence", host, |host| {
        host.create_fence(ContextId(context), ring_idx, fence)?;
        Ok(0)
    })
}

/// Takes the next fence that has retired, where there is no callback: writes it to `fence` and returns 1, or returns 0 if
/// there is none. Those of a timeline come in order.
///
/// # Errors
///
/// -EINVAL: `fence` is null, or does not begin with its size.
///
/// # Safety
///
/// `host` comes from venus_host_create(); `fence` points to a structure of the size that it begins with.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn venus_host_next_retired(host: *mut venus_host, fence: *mut venus_retired_fence) -> c_int {
    // SAFETY: the caller's promise.
    let host = unsafe { host.as_ref() };
    with_handle("venus_host_next_retired", host, |handle| {
        if fence.is_null() {
            return Err(Error::argument("venus_host_next_retired: there is no place for the fence"));
        }
        let mut waiting = handle.retired.lock().unwrap_or_else(PoisonError::into_inner);
        if waiting.is_empty() {
            waiting.extend(handle.turn().take_retired());
        }
        let Some(next) = waiting.front() else { return Ok(0) };
        // SAFETY: the caller's promise.
        unsafe { sized::write(fence, &retired_fence(next)) }?;
        waiting.pop_front();
        Ok(1)
    })
}

/// A descriptor that is readable once fences have retired that venus_host_next_retired() has not begun to take: for an
/// event loop, which then takes them until there are none. It is the host's; neither read nor close it.
///
/// # Safety
///
/// `host` comes from venus_host_create().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn venus_host_retired_fd(host: *mut venus_host) -> c_int {
    // SAFETY: the caller's promise.
    let host = unsafe { host.as_ref() };
    with("venus_host_retired_fd", host, |host| Ok(host.retired_fd().as_raw_fd()))
}
