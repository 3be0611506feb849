//! The address space that a monitor shows its guest as a PCI BAR: blobs are mapped into it at places of the guest's choice.

use std::ptr::{self, NonNull};

use anyhow::{Context as _, Result, ensure};
use rustix::mm::{MapFlags, ProtFlags, mmap_anonymous, munmap};

/// Bytes of it.
const BYTES: usize = 1 << 30;

/// Address space without anything in it.
#[derive(Debug)]
pub struct Window {
    base: NonNull<u8>,
    used: usize,
}

impl Window {
    /// Takes it from the process.
    pub fn new() -> Result<Self> {
        // SAFETY: the address is null, so the system chooses one, and no existing mapping is replaced.
        let base = unsafe {
            mmap_anonymous(ptr::null_mut(), BYTES, ProtFlags::empty(), MapFlags::PRIVATE | MapFlags::NORESERVE)
        };
        let base = NonNull::new(base.context("address space")?.cast()).context("address space at null")?;
        Ok(Self { base, used: 0 })
    }

    /// A place for so many bytes, which nobody has had yet.
    pub fn place(&mut self, bytes: usize) -> Result<NonNull<u8>> {
        let start = self.used;
        self.used += bytes.next_multiple_of(64 << 10);
        ensure!(self.used <= BYTES, "the window is full");
        // SAFETY: `start` lies in the window, by the check above.
        Ok(unsafe { self.base.add(start) })
    }
}

/// Takes what is at a place of a window out of it: a library that has mapped something there leaves that to the monitor.
///
/// # Safety
///
/// The place is one that [`Window::place`] gave for so many bytes, and nobody uses what is there.
pub unsafe fn clear(place: NonNull<u8>, bytes: usize) -> Result<()> {
    let flags = MapFlags::PRIVATE | MapFlags::NORESERVE | MapFlags::FIXED;
    // SAFETY: what is replaced lies in a window, and nobody uses it, by this function's contract.
    unsafe { mmap_anonymous(place.as_ptr().cast(), bytes, ProtFlags::empty(), flags) }.context("clearing a place")?;
    Ok(())
}

impl Drop for Window {
    fn drop(&mut self) {
        // SAFETY: this is the range that `new` has mapped, whatever was put into it since; the monitor drops it last.
        let unmapped = unsafe { munmap(self.base.as_ptr().cast(), BYTES) };
        debug_assert!(unmapped.is_ok(), "a mapping can be unmapped");
    }
}
