//! Where the log goes. The callback that was set last gets it.

use std::ffi::c_void;

use parking_lot::Mutex;

use super::{perform, value};
use crate::log::{self, DebugCallback, FreeCallback, LogCallback};

/// The callback of [`virgl_set_debug_callback`], to be returned when it is replaced.
static DEBUG: Mutex<Option<DebugCallback>> = Mutex::new(None);

/// Sends the log to a callback, line by line; to none for null.
///
/// # Safety
///
/// Until another is set, `callback` can be called with `user_data` on any thread; `free` is called with it after that.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn virgl_set_log_callback(
    callback: Option<LogCallback>,
    user_data: *mut c_void,
    free: Option<FreeCallback>,
) {
    perform("virgl_set_log_callback", || {
        *DEBUG.lock() = None;
        match callback {
            // SAFETY: the contract of this function.
            Some(callback) => unsafe { log::send_lines(callback, user_data, free) },
            None => log::send_nowhere_else(),
        }
        Ok(())
    });
}

/// The same for a callback that takes a format and a `va_list`. Returns the one before.
///
/// # Safety
///
/// Until another is set, `callback` can be called on any thread.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn virgl_set_debug_callback(callback: Option<DebugCallback>) -> Option<DebugCallback> {
    value("virgl_set_debug_callback", None, || {
        let before = std::mem::replace(&mut *DEBUG.lock(), callback);
        match callback {
            // SAFETY: the contract of this function.
            Some(callback) => unsafe { log::send_formats(callback) },
            None if before.is_some() => log::send_nowhere_else(),
            None => {}
        }
        Ok(before)
    })
}
