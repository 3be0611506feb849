//! The device: its start, its end, its capability sets.

use std::ffi::{c_int, c_void};

use venus_ffi::environment;
use venus_host::context::{CAPSET_BYTES, CAPSET_ID, CAPSET_VERSION, capset};

use super::{answer, perform};
use crate::{
    abi::consumer::{Consumer, RawCallbacks},
    failure::refused,
    log, renderer,
};

/// Initialises the device of this process. Whoever has done so may do it again; somebody else may not.
///
/// Flags that are not known here are ignored: one that is must not keep the others from working.
///
/// # Safety
///
/// `callbacks` has the fields of its version. They can be called with `cookie` until [`virgl_renderer_cleanup`] returns, on
/// any thread if `flags` has `VIRGL_RENDERER_ASYNC_FENCE_CB`.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn virgl_renderer_init(
    cookie: *mut c_void,
    flags: c_int,
    callbacks: *mut RawCallbacks,
) -> c_int {
    log::start();
    answer("virgl_renderer_init", || {
        // SAFETY: the contract of this function.
        let consumer = unsafe { Consumer::read(cookie, callbacks) };
        let consumer = consumer.ok_or_else(|| refused("there are no callbacks"))?;
        renderer::init(consumer, flags)
    })
}

/// Ends the device. No callback comes afterwards. The cookie is not looked at.
#[unsafe(no_mangle)]
pub(crate) extern "C" fn virgl_renderer_cleanup(_cookie: *mut c_void) {
    perform("virgl_renderer_cleanup", || {
        renderer::cleanup();
        Ok(())
    });
}

/// Ends all contexts and resources; the device stays. Fences that nobody has been told of are forgotten; a callback that
/// has begun on another thread is waited for, if it does not take too long: it may wait for a lock that the monitor holds here.
#[unsafe(no_mangle)]
pub(crate) extern "C" fn virgl_renderer_reset() {
    perform("virgl_renderer_reset", renderer::reset);
}

/// Calls the fence callbacks of what has retired, for a monitor that has not asked to hear of it at any time.
#[unsafe(no_mangle)]
pub(crate) extern "C" fn virgl_renderer_poll() {
    perform("virgl_renderer_poll", || {
        renderer::poll();
        Ok(())
    });
}

/// There is no descriptor to wait for: -1.
#[unsafe(no_mangle)]
pub(crate) extern "C" fn virgl_renderer_get_poll_fd() -> c_int {
    -1
}

/// There is no OpenGL context 0 whose currency anything would depend on.
#[unsafe(no_mangle)]
pub(crate) extern "C" fn virgl_renderer_force_ctx_0() {}

/// Whether a guest may be told of a capability set.
fn is_served(set: u32) -> bool {
    set == CAPSET_ID && !renderer::is_initialised_without_venus()
}

/// Which version of a capability set there is, and how long it is; 0 and 0 if it is not served. Monitors ask before they
/// initialise the library.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn virgl_renderer_get_cap_set(set: u32, max_ver: *mut u32, max_size: *mut u32) {
    perform("virgl_renderer_get_cap_set", || {
        let size = if is_served(set) { u32::try_from(CAPSET_BYTES).unwrap_or(0) } else { 0 };
        for (place, value) in [(max_ver, CAPSET_VERSION), (max_size, size)] {
            if !place.is_null() {
                // SAFETY: it leads to a number, by the contract of the module.
                unsafe { place.write(value) };
            }
        }
        Ok(())
    });
}

/// Writes a capability set; nothing if it is not served.
///
/// # Safety
///
/// `caps` has room for as many bytes as [`virgl_renderer_get_cap_set`] says.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn virgl_renderer_fill_caps(set: u32, _version: u32, caps: *mut c_void) {
    perform("virgl_renderer_fill_caps", || {
        if is_served(set) && !caps.is_null() {
            let capset = capset(environment::protocol()?);
            // SAFETY: there is room for so many bytes, by the contract of this function.
            unsafe { caps.cast::<[u8; CAPSET_BYTES]>().write_unaligned(capset) };
        }
        Ok(())
    });
}
