//! The guest of the tests for monitors that are not written in Rust: see `include/venus_guest.h`.
#![expect(unsafe_code, reason = "called from C, and calls back")]

use std::{
    ffi::{c_int, c_void},
    panic::catch_unwind,
    ptr::{self, NonNull},
    time::Duration,
};

use anyhow::{Context as _, Result, ensure};
use venus_guest::{BlobFlags, Capset, Guest, Mapping, Pause, ResourceId, Transport, programs};

/// `struct venus_guest_transport`.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Functions {
    monitor: *mut c_void,
    capset: *const c_void,
    capset_size: usize,
    create_blob: unsafe extern "C" fn(*mut c_void, u32, u64, u64, *mut u32, *mut *mut c_void) -> c_int,
    destroy_resource: unsafe extern "C" fn(*mut c_void, u32) -> c_int,
    submit: unsafe extern "C" fn(*mut c_void, *const c_void, usize) -> c_int,
    wait_fence: unsafe extern "C" fn(*mut c_void, u32) -> c_int,
    pause: unsafe extern "C" fn(*mut c_void) -> c_int,
}

/// The monitor that has called us.
struct Monitor {
    functions: Functions,
    capset: Capset,
}

/// Draws a triangle.
///
/// # Safety
///
/// `functions` points to a `struct venus_guest_transport` as the header has it, and there is room for
/// `size * size * 4` bytes at `pixels`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn venus_guest_triangle(functions: *const Functions, size: u32, pixels: *mut u8) -> c_int {
    let drawn = catch_unwind(|| {
        // SAFETY: the caller's promise.
        let functions = unsafe { functions.read() };
        triangle(functions, size)
    });
    match drawn {
        Ok(Ok(image)) => {
            // SAFETY: an image has as many bytes as the caller promises room for.
            unsafe { ptr::copy_nonoverlapping(image.pixels.as_ptr(), pixels, image.pixels.len()) };
            0
        }
        Ok(Err(error)) => {
            eprintln!("the guest: {error:#}");
            -1
        }
        // The panic has said why.
        Err(_) => -1,
    }
}

fn triangle(functions: Functions, size: u32) -> Result<programs::Image> {
    ensure!((1..=4096).contains(&size), "a picture of {size} pixels");
    // SAFETY: the monitor gives as many bytes.
    let capset = unsafe { std::slice::from_raw_parts(functions.capset.cast::<u8>(), functions.capset_size) };
    let monitor = Monitor { functions, capset: Capset::parse(capset) };
    // SAFETY: nothing is sent but what the program sends, whose structures are filled through ash's setters.
    let guest = unsafe { Guest::over(monitor) }?;
    programs::triangle(guest, size)
}

impl Transport for Monitor {
    fn capset(&self) -> &Capset {
        &self.capset
    }

    fn create_blob(&mut self, flags: BlobFlags, blob_id: u64, size: u64) -> Result<(ResourceId, Mapping)> {
        let Functions { monitor, create_blob, .. } = self.functions;
        let (mut resource, mut address) = (0, ptr::null_mut());
        // SAFETY: it is the monitor's own function, called as its header says.
        check("create_blob", unsafe {
            create_blob(monitor, flags.0, blob_id, size, &raw mut resource, &raw mut address)
        })?;
        let address = NonNull::new(address.cast()).context("the monitor has mapped a blob at null")?;
        // SAFETY: the monitor keeps the blob there until the resource is destroyed, which `Guest` does after it has
        // dropped the mapping, or never.
        let mapping = unsafe { Mapping::kept(address, usize::try_from(size)?, Box::new(())) };
        Ok((ResourceId(resource), mapping))
    }

    fn unref_resource(&mut self, resource: ResourceId) -> Result<()> {
        let Functions { monitor, destroy_resource, .. } = self.functions;
        // SAFETY: it is the monitor's own function, called as its header says.
        check("destroy_resource", unsafe { destroy_resource(monitor, resource.0) })
    }

    fn submit(&mut self, commands: &[u8]) -> Result<()> {
        let Functions { monitor, submit, .. } = self.functions;
        // SAFETY: it is the monitor's own function, called as its header says.
        check("submit", unsafe { submit(monitor, commands.as_ptr().cast(), commands.len()) })
    }

    fn submit_and_wait(&mut self, commands: &[u8], ring_idx: u32, _: Duration) -> Result<()> {
        self.submit(commands)?;
        let Functions { monitor, wait_fence, .. } = self.functions;
        // SAFETY: it is the monitor's own function, called as its header says.
        check("wait_fence", unsafe { wait_fence(monitor, ring_idx) })
    }

    fn pause(&mut self, _: Pause) -> Result<()> {
        let Functions { monitor, pause, .. } = self.functions;
        // SAFETY: it is the monitor's own function, called as its header says.
        check("pause", unsafe { pause(monitor) })
    }
}

fn check(function: &str, returned: c_int) -> Result<()> {
    ensure!(returned >= 0, "the monitor's {function} returned {returned}");
    Ok(())
}
