//! Fences, of the device's own timeline and of contexts. None can be had as a descriptor.

use std::ffi::c_int;

use super::answer;
use crate::{failure::absent, renderer};

/// A fence of the device's own timeline: it retires at once, since nothing is ordered by that timeline that would take
/// longer.
#[unsafe(no_mangle)]
pub(crate) extern "C" fn virgl_renderer_create_fence(client_fence_id: c_int, _ctx_id: u32) -> c_int {
    let answer = answer("virgl_renderer_create_fence", || {
        renderer::with(|device| {
            device.create_fence(client_fence_id);
            Ok(())
        })
    });
    answer.saturating_neg()
}

/// A fence of a context's timeline: 0 for what was submitted to the context, else the queue that is bound to it.
///
/// It retires even if this fails, unless there is no device: guests' kernels wait without a limit.
#[unsafe(no_mangle)]
pub(crate) extern "C" fn virgl_renderer_context_create_fence(
    ctx_id: u32,
    _flags: u32,
    ring_idx: u32,
    fence_id: u64,
) -> c_int {
    answer("virgl_renderer_context_create_fence", || {
        renderer::with(|device| device.create_context_fence(ctx_id, ring_idx, fence_id))
    })
}

/// Fences of contexts are told of by callbacks alone.
#[unsafe(no_mangle)]
pub(crate) extern "C" fn virgl_renderer_context_poll(_ctx_id: u32) {}

/// There is no descriptor to wait for: -1.
#[unsafe(no_mangle)]
pub(crate) extern "C" fn virgl_renderer_context_get_poll_fd(_ctx_id: u32) -> c_int {
    -1
}

/// Fails: a fence is no descriptor here.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn virgl_renderer_export_fence(_client_fence_id: u64, _fd: *mut c_int) -> c_int {
    answer("virgl_renderer_export_fence", || Err(absent("descriptor for a fence")))
}

/// Fails: a fence is no descriptor here.
#[unsafe(no_mangle)]
pub(crate) extern "C" fn virgl_renderer_export_signalled_fence() -> c_int {
    answer("virgl_renderer_export_signalled_fence", || Err(absent("descriptor for a fence")))
}

/// Fails: a descriptor cannot be waited for before a submission.
#[unsafe(no_mangle)]
pub(crate) extern "C" fn virgl_renderer_attach_fence(_ctx_id: c_int, _fence_fd: c_int) -> c_int {
    answer("virgl_renderer_attach_fence", || Err(absent("descriptor for a fence")))
}

/// Fails: a fence is no descriptor here.
#[unsafe(no_mangle)]
pub(crate) extern "C" fn virgl_renderer_get_fence_fd(_fence_id: u64) -> c_int {
    answer("virgl_renderer_get_fence_fd", || Err(absent("descriptor for a fence")))
}
