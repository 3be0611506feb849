//! Contexts, and what they are told to execute.

use std::ffi::{c_int, c_void};

use ::venus_host::host::ContextId;
use venus_ffi::Error;

use crate::{
    handle::{venus_host, with, with_handle},
    options::{context_options, venus_context_options},
};

/// Makes a context: VIRTIO_GPU_CMD_CTX_CREATE. No driver is called before the guest creates its instance.
///
/// # Errors
///
/// -EINVAL: there is one of that number. -EDQUOT: there are too many. -EOPNOTSUPP: the isolation is not to be had here.
/// -EAGAIN and others: the system has no thread or process for it.
///
/// # Safety
///
/// `host` comes from venus_host_create(); `options` is null or points to a structure of the size that it begins with.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn venus_host_create_context(
    host: *mut venus_host,
    context: u32,
    options: *const venus_context_options,
) -> c_int {
    // SAFETY: the caller's promise.
    let host = unsafe { host.as_ref() };
    with_handle("venus_host_create_context", host, |handle| {
        // SAFETY: the caller's promise.
        let options = unsafe { context_options(options, &handle.launch) }?;
        handle.turn().create_context(ContextId(context), options)?;
        Ok(0)
    })
}

/// Ends a context: VIRTIO_GPU_CMD_CTX_DESTROY. Returns 1, or 0 if there is none of that number.
///
/// Fences of it that are left retire as lost before this returns. Resources stay, and what is mapped stays mapped.
///
/// # Safety
///
/// `host` comes from venus_host_create().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn venus_host_destroy_context(host: *mut venus_host, context: u32) -> c_int {
    // SAFETY: the caller's promise.
    let host = unsafe { host.as_ref() };
    with("venus_host_destroy_context", host, |host| Ok(c_int::from(host.destroy_context(ContextId(context)))))
}

/// Whether a context lives: 0 if it does or there is none of that number. A context is lost when its guest breaks the
/// protocol, when its process dies, or when it cannot be served any more; it stays so until it is destroyed.
///
/// # Errors
///
/// -EPIPE: it is lost, and venus_last_error() says why.
///
/// # Safety
///
/// `host` comes from venus_host_create().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn venus_host_check_context(host: *mut venus_host, context: u32) -> c_int {
    // SAFETY: the caller's promise.
    let host = unsafe { host.as_ref() };
    with("venus_host_check_context", host, |host| match host.lost(ContextId(context)) {
        None => Ok(0),
        Some(reason) => Err(Error::new(::venus_host::error::errno::PIPE, reason)),
    })
}

/// Executes a direct submission, whole commands one after the other: VIRTIO_GPU_CMD_SUBMIT_3D. Polled contexts execute it
/// before this returns; for others it is queued, in order with everything else that is asked of the context.
///
/// # Errors
///
/// -EINVAL: there is no such context. -EPIPE: the context is lost, before or by these commands.
///
/// # Safety
///
/// `host` comes from venus_host_create(); `commands` points to `size` readable bytes, which do not change meanwhile.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn venus_host_submit(
    host: *mut venus_host,
    context: u32,
    commands: *const c_void,
    size: usize,
) -> c_int {
    // SAFETY: the caller's promise.
    let host = unsafe { host.as_ref() };
    with("venus_host_submit", host, |host| {
        if commands.is_null() && size != 0 {
            return Err(Error::argument(format!("venus_host_submit: no commands of {size} bytes")));
        }
        let commands = match size {
            0 => &[][..],
            // SAFETY: it is not null, and the caller promises as many bytes that do not change.
            _ => unsafe { std::slice::from_raw_parts(commands.cast::<u8>(), size) },
        };
        host.submit(ContextId(context), commands)?;
        Ok(0)
    })
}
