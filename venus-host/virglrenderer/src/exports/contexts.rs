//! Contexts and what they are sent.

use std::ffi::{c_char, c_int, c_void};

use super::{answer, perform, required};
use crate::{failure::refused, renderer};

/// Bytes of virtio-gpu's field for a name: more is not there, whatever length a guest has given.
const NAME_BYTES: usize = 64;

/// The name as text. It ends at its length, or at a NUL before that.
///
/// # Safety
///
/// `name` is null or leads to `length` bytes, or to 64 if those are fewer.
unsafe fn text(name: *const c_char, length: u32) -> String {
    let length = usize::try_from(length).unwrap_or(NAME_BYTES).min(NAME_BYTES);
    if name.is_null() {
        return String::new();
    }
    // SAFETY: the contract of this function.
    let bytes = unsafe { std::slice::from_raw_parts(name.cast::<u8>(), length) };
    let bytes = bytes.split(|byte| *byte == 0).next().unwrap_or_default();
    String::from_utf8_lossy(bytes).into_owned()
}

/// Makes an OpenGL context: there are none here, so it fails.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn virgl_renderer_context_create(handle: u32, nlen: u32, name: *const c_char) -> c_int {
    // SAFETY: the same contract.
    unsafe { virgl_renderer_context_create_with_flags(handle, 0, nlen, name) }
}

/// Makes a context that speaks what the low byte of the flags names: 4, which is Venus.
///
/// # Safety
///
/// `name` leads to `nlen` bytes, of which 64 are read at most. They need not end with a NUL.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn virgl_renderer_context_create_with_flags(
    ctx_id: u32,
    ctx_flags: u32,
    nlen: u32,
    name: *const c_char,
) -> c_int {
    answer("virgl_renderer_context_create_with_flags", || {
        // SAFETY: the contract of this function.
        let name = unsafe { text(name, nlen) };
        renderer::with(|device| device.create_context(ctx_id, ctx_flags, &name))
    })
}

/// Ends a context. Its fences retire; its resources stay.
#[unsafe(no_mangle)]
pub(crate) extern "C" fn virgl_renderer_context_destroy(handle: u32) {
    perform("virgl_renderer_context_destroy", || {
        renderer::with(|device| {
            device.destroy_context(handle);
            Ok(())
        })
    });
}

/// Sends commands to a context: `ndw` words. They are copied, and executed later.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn virgl_renderer_submit_cmd(buffer: *mut c_void, ctx_id: c_int, ndw: c_int) -> c_int {
    // SAFETY: the same contract.
    unsafe { virgl_renderer_submit_cmd2(buffer, ctx_id, ndw, std::ptr::null_mut(), 0) }
}

/// The same. Fences to wait for before cannot be given; guests' kernels wait themselves.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn virgl_renderer_submit_cmd2(
    buffer: *mut c_void,
    ctx_id: c_int,
    ndw: c_int,
    _in_fence_ids: *mut u64,
    num_in_fences: u32,
) -> c_int {
    let answer = answer("virgl_renderer_submit_cmd", || {
        if num_in_fences != 0 {
            return Err(refused("fences to wait for before a submission are not supported"));
        }
        let bytes = usize::try_from(ndw).ok().and_then(|words| words.checked_mul(4));
        let bytes = bytes.ok_or_else(|| refused(format!("{ndw} words")))?;
        let commands = match bytes {
            0 => &[],
            _ => {
                let start = required(buffer.cast::<u8>())?;
                // SAFETY: so many bytes are there and stay as they are during the call, by the contract of the module: the
                // monitor has copied them out of the guest's memory.
                unsafe { std::slice::from_raw_parts(start.as_ptr(), bytes) }
            }
        };
        renderer::with(|device| device.submit(ctx_id, commands))
    });
    answer.saturating_neg()
}

/// Lets a context use a resource.
#[unsafe(no_mangle)]
pub(crate) extern "C" fn virgl_renderer_ctx_attach_resource(ctx_id: c_int, res_handle: c_int) {
    perform("virgl_renderer_ctx_attach_resource", || renderer::with(|device| device.attach(ctx_id, res_handle)));
}

/// Takes a resource away from a context.
#[unsafe(no_mangle)]
pub(crate) extern "C" fn virgl_renderer_ctx_detach_resource(ctx_id: c_int, res_handle: c_int) {
    perform("virgl_renderer_ctx_detach_resource", || {
        renderer::with(|device| {
            device.detach(ctx_id, res_handle);
            Ok(())
        })
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_end_at_their_length_or_before() {
        let read = |bytes: &[u8], length| {
            // SAFETY: the bytes are there, and the lengths below are theirs or above 64.
            unsafe { text(bytes.as_ptr().cast(), length) }
        };
        assert_eq!(read(b"vkcube and what lies behind", 6), "vkcube");
        assert_eq!(read(b"vkcube\0and what lies behind", 27), "vkcube");
        assert_eq!(read(&[b'x'; 64], u32::MAX), "x".repeat(64));
        assert_eq!(read(b"\xff", 1), "\u{fffd}");
        assert_eq!(read(b"", 0), "");
        // SAFETY: null is permitted.
        assert_eq!(unsafe { text(std::ptr::null(), 10) }, "");
    }
}
