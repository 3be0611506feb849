//! The C functions: null pointers, panics, errors as numbers. What they do is in [`crate::renderer`].
//!
//! | file | what |
//! |---|---|
//! | [`lifecycle`] | the device: its start, its end, its capability sets |
//! | [`contexts`] | contexts and what they are sent |
//! | [`fences`] | fences |
//! | [`resources`] | resources that can be looked at, and pages of the guest |
//! | [`blobs`] | memory of contexts |
//! | [`messages`] | where the log goes |
//!
//! Functions answer 0, or an errno: negative, except for `virgl_renderer_submit_cmd`, `virgl_renderer_submit_cmd2` and
//! `virgl_renderer_create_fence`, which have always answered positive ones. The log says why.
//!
//! # Safety
//!
//! What holds for all of them: pointers are null or lead to what the type says, for the duration of the call. Where more is
//! asked for, the function says so.

#![allow(clippy::missing_safety_doc, reason = "the module says it for all of them")]

mod blobs;
mod contexts;
mod fences;
mod lifecycle;
mod messages;
mod resources;

use std::{
    ffi::c_int,
    ptr::NonNull,
    sync::atomic::{AtomicU32, Ordering},
};

use venus_ffi::{Error, guard};

use crate::failure::refused;

/// Refusals that the log is told of at its usual level. A guest can bring about as many as it likes.
const LOGGED: u32 = 100;

/// Runs `call` behind the border: no panic crosses it, an error becomes a negative errno and a line of the log.
fn answer(name: &'static str, call: impl FnOnce() -> Result<(), Error>) -> c_int {
    let answer = guard::call(name, || call().inspect_err(|error| tell(name, error)).map(|()| 0));
    answer.min(0)
}

/// The same for a function that has nothing to answer.
fn perform(name: &'static str, call: impl FnOnce() -> Result<(), Error>) {
    let _logged = answer(name, call);
}

/// The same for a function that answers a value, `failed` if there is none.
fn value<T>(name: &'static str, failed: T, call: impl FnOnce() -> Result<T, Error>) -> T {
    guard::call_or(name, failed, || call().inspect_err(|error| tell(name, error)))
}

/// Logs a refusal.
#[cold]
fn tell(name: &str, error: &Error) {
    static REFUSALS: AtomicU32 = AtomicU32::new(0);
    match REFUSALS.fetch_add(1, Ordering::Relaxed) {
        ..LOGGED => tracing::warn!("{name}: {error}"),
        LOGGED => tracing::warn!("{name}: {error}; from now on such lines are for VENUS_LOG=debug"),
        _ => tracing::debug!("{name}: {error}"),
    }
}

/// The pointer, unless it is null.
fn required<T>(pointer: *mut T) -> Result<NonNull<T>, Error> {
    NonNull::new(pointer).ok_or_else(|| refused("a pointer is null"))
}
