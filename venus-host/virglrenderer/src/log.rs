//! Where the log goes: to standard error as `VENUS_LOG` says, and to the monitor's callback if it has given one.
//!
//! Monitors have two kinds. The newer takes a line; the older takes what `vprintf` takes, a format and its arguments. It is
//! given a format that has none.

use std::{
    ffi::{CStr, CString, c_char, c_int, c_void},
    sync::Arc,
};

pub(crate) use venus_ffi::log::send;
use venus_ffi::log::{Level, set_sink};

/// `virgl_log_callback_type`: level, line, and what came with the callback.
pub(crate) type LogCallback = unsafe extern "C" fn(c_int, *const c_char, *mut c_void);
/// `virgl_free_data_callback_type`.
pub(crate) type FreeCallback = unsafe extern "C" fn(*mut c_void);
/// `virgl_debug_callback_type`: a format, and a `va_list`.
pub(crate) type DebugCallback = unsafe extern "C" fn(*const c_char, *mut NoArguments);

/// A `va_list` without arguments, as the C of 64-bit systems passes it: by address. On x86-64 it is this structure, all of
/// whose registers are used up; elsewhere a longer one, or no structure at all, of which nothing is read either.
#[derive(Debug)]
#[repr(C, align(16))]
pub(crate) struct NoArguments {
    registers_used: [u32; 2],
    elsewhere: [usize; 4],
}

impl NoArguments {
    /// `gp_offset` and `fp_offset` of x86-64's when no register is left.
    const USED_UP: [u32; 2] = [48, 304];

    fn new() -> Self {
        Self { registers_used: Self::USED_UP, elsewhere: [0; 4] }
    }
}

/// What came with a callback, and how it is freed.
struct UserData {
    data: *mut c_void,
    free: Option<FreeCallback>,
}

// SAFETY: the monitor's callback takes it on any thread: that is the contract of `virgl_set_log_callback`.
unsafe impl Send for UserData {}
// SAFETY: as above.
unsafe impl Sync for UserData {}

impl Drop for UserData {
    fn drop(&mut self) {
        if let Some(free) = self.free {
            // SAFETY: the function came with this address, to be called once when it is not needed any more.
            unsafe { free(self.data) };
        }
    }
}

/// What callbacks get; standard error gets what `VENUS_LOG` says, warnings without.
const CALLBACKS: Level = Level::Info;

/// Begins to log, as the environment asks for. Does nothing when that has been done.
pub(crate) fn start() {
    venus_ffi::log::start(Level::Warn);
}

/// Sends the log to a callback that takes lines.
///
/// # Safety
///
/// Until another is set, `callback` can be called with `data` on any thread, and `free` once after that.
pub(crate) unsafe fn send_lines(callback: LogCallback, data: *mut c_void, free: Option<FreeCallback>) {
    start();
    let data = Arc::new(UserData { data, free });
    let sink = move |level, line: &CStr| {
        let data = &data;
        // SAFETY: the contract of this function; a C string is a line.
        unsafe { callback(number(level), line.as_ptr(), data.data) };
    };
    set_sink(CALLBACKS, Some(Arc::new(sink)));
}

/// Sends the log to a callback that takes formats.
///
/// # Safety
///
/// Until another is set, `callback` can be called on any thread.
pub(crate) unsafe fn send_formats(callback: DebugCallback) {
    start();
    let sink = move |_, line: &CStr| {
        let format = escaped(line);
        let mut arguments = NoArguments::new();
        // SAFETY: the contract of this function; the format is a C string that asks for no arguments.
        unsafe { callback(format.as_ptr(), &raw mut arguments) };
    };
    set_sink(CALLBACKS, Some(Arc::new(sink)));
}

/// Sends the log to no callback.
pub(crate) fn send_nowhere_else() {
    set_sink(Level::Off, None);
}

/// `virgl_log_level_flags`.
fn number(level: Level) -> c_int {
    match level {
        Level::Error => 3,
        Level::Warn => 2,
        Level::Info => 1,
        Level::Off | Level::Debug | Level::Trace => 0,
    }
}

/// A format that prints this line, and its end.
fn escaped(line: &CStr) -> CString {
    let mut format = Vec::with_capacity(line.to_bytes().len().saturating_add(2));
    for byte in line.to_bytes() {
        format.push(*byte);
        if *byte == b'%' {
            format.push(b'%');
        }
    }
    format.push(b'\n');
    CString::new(format).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_a_format_without_arguments() {
        assert_eq!(escaped(c"100% of %s"), *c"100%% of %%s\n");
        assert_eq!(escaped(c""), *c"\n");
    }

    #[test]
    fn levels_have_virglrenderers_numbers() {
        let levels = [Level::Trace, Level::Debug, Level::Info, Level::Warn, Level::Error];
        assert_eq!(levels.map(number), [0, 0, 1, 2, 3]);
    }
}
