//! A mapped memory file, and the only access to bytes that a guest may be changing.
//!
//! Two rules make this sound in the face of a hostile guest:
//!
//! * No Rust reference to shared bytes exists, except to an atomic: everything else is copied, with volatile
//!   accesses, between shared and private memory. A value that is needed twice is copied once.
//! * Every access is checked against the mapping's length here, whatever the caller has checked before: offsets come
//!   from a guest.
//!
//! The copies themselves are in [`volatile`].

#![allow(unsafe_code, reason = "raw access to shared memory, with ring/region.rs on top of it")]

use std::{
    fmt,
    os::fd::BorrowedFd,
    ptr::{self, NonNull},
    sync::{
        Arc,
        atomic::{AtomicU32, AtomicU64},
    },
};

use rustix::mm::{MapFlags, ProtFlags};

use super::volatile;
use crate::error::HostError;

/// A range that does not lie inside its mapping.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{len} bytes at {offset} do not lie inside shared memory of {size} bytes")]
pub(crate) struct OutOfRange {
    offset: usize,
    len: usize,
    size: usize,
}

/// Memory that somebody else has mapped into this process: a driver, or an embedder that gives its guest memory of its
/// own, such as an application on macOS's Virtualization framework.
///
/// # Safety
///
/// [`Self::size`] bytes from [`Self::address`], which is aligned to host pages, can be read and written as long as the
/// value lives, and both methods always answer the same. No Rust reference to these bytes exists.
pub unsafe trait HostMemory: fmt::Debug + Send + Sync {
    /// Where it begins: the start of a host page.
    fn address(&self) -> NonNull<u8>;

    /// Bytes from there.
    fn size(&self) -> usize;
}

/// Shared, writable memory: a mapping of a whole memory file, which is unmapped on drop, or one that somebody else
/// keeps. Share it through an `Arc`.
#[derive(Debug)]
pub(crate) struct Mapping {
    address: NonNull<u8>,
    size: usize,
    /// Who has mapped it and will unmap it, if that was not us.
    keeper: Option<Arc<dyn HostMemory>>,
}

// SAFETY:
// - The mapping belongs to the process, not to a thread, and `Drop` may run on any thread.
// - All access goes through `&self` methods that use volatile or atomic operations, as for memory that a device shares.
unsafe impl Send for Mapping {}

// SAFETY: as for `Send`; concurrent copies of the same bytes may see a mixture of old and new ones, which is also what
// a guest can cause at any time and what every caller has to expect.
unsafe impl Sync for Mapping {}

impl Mapping {
    /// Maps `size` bytes of `fd`, from its start.
    pub(super) fn new(fd: BorrowedFd<'_>, size: u64) -> Result<Self, HostError> {
        let fail = |error| HostError::io(format!("cannot map {size} bytes of shared memory"), error);
        let size = usize::try_from(size).map_err(|_| fail(rustix::io::Errno::NOMEM))?;
        // SAFETY:
        // - the address is null, so the system chooses one, and no existing mapping is replaced;
        // - the protection asks for nothing that the memory file, opened for reading and writing, does not allow.
        let address = unsafe {
            rustix::mm::mmap(ptr::null_mut(), size, ProtFlags::READ | ProtFlags::WRITE, MapFlags::SHARED, fd, 0)
        };
        let address = NonNull::new(address.map_err(fail)?.cast()).ok_or_else(|| fail(rustix::io::Errno::NOMEM))?;
        Ok(Self { address, size, keeper: None })
    }

    /// Memory that `keeper` has mapped.
    pub(super) fn borrowed(keeper: Arc<dyn HostMemory>) -> Self {
        Self { address: keeper.address(), size: keeper.size(), keeper: Some(keeper) }
    }

    /// Bytes mapped.
    pub(crate) fn size(&self) -> usize {
        self.size
    }

    /// Where it is mapped, for a driver that imports the memory. Reading or writing through it is for the driver alone.
    pub(crate) fn address(&self) -> NonNull<u8> {
        self.address
    }

    /// Copies shared bytes into private memory.
    pub(crate) fn copy_out(&self, offset: usize, private: &mut [u8]) -> Result<(), OutOfRange> {
        let shared = self.range(offset, private.len())?;
        // SAFETY: by `range`, as many bytes are mapped there, for as long as `self` lives; nobody has a reference to them.
        unsafe { volatile::copy_out(shared, private) };
        Ok(())
    }

    /// Copies private bytes into shared memory.
    pub(crate) fn copy_in(&self, offset: usize, private: &[u8]) -> Result<(), OutOfRange> {
        let shared = self.range(offset, private.len())?;
        // SAFETY: as in `copy_out`; and the mapping is writable.
        unsafe { volatile::copy_in(shared, private) };
        Ok(())
    }

    /// The word at `offset` as an atomic. An offset that is no multiple of four is out of range, like one past the end.
    #[inline]
    pub(crate) fn atomic_u32(&self, offset: usize) -> Result<&AtomicU32, OutOfRange> {
        let word = self.aligned::<u32>(offset)?;
        // SAFETY:
        // - `word` points to four mapped bytes, aligned (`aligned`), that stay mapped for the lifetime of `&self`;
        // - this process accesses them only through such atomics and the volatile copies of this file, and the other
        //   process is outside the language: the hardware's word accesses do not tear.
        Ok(unsafe { AtomicU32::from_ptr(word) })
    }

    /// The eight bytes at `offset` as an atomic. An offset that is no multiple of eight is out of range, too.
    pub(crate) fn atomic_u64(&self, offset: usize) -> Result<&AtomicU64, OutOfRange> {
        let word = self.aligned::<u64>(offset)?;
        // SAFETY: as in `atomic_u32`, with eight bytes.
        Ok(unsafe { AtomicU64::from_ptr(word) })
    }

    /// The address of a `T` at `offset`, if it is mapped and aligned.
    #[inline]
    fn aligned<T>(&self, offset: usize) -> Result<*mut T, OutOfRange> {
        let at = self.range(offset, size_of::<T>())?.cast::<T>();
        if at.is_aligned() { Ok(at) } else { Err(OutOfRange { offset, len: size_of::<T>(), size: self.size }) }
    }

    /// The address of `offset`, if `len` bytes from there are mapped.
    #[inline]
    fn range(&self, offset: usize, len: usize) -> Result<*mut u8, OutOfRange> {
        match offset.checked_add(len) {
            Some(end) if end <= self.size => Ok(self.address.as_ptr().wrapping_add(offset)),
            _ => Err(OutOfRange { offset, len, size: self.size }),
        }
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        if self.keeper.is_some() {
            return;
        }
        // SAFETY:
        // - without a keeper, address and size are those of the `mmap` in `new`, and it is unmapped nowhere else;
        // - every reference into it borrows from `self`.
        let unmapped = unsafe { rustix::mm::munmap(self.address.as_ptr().cast(), self.size) };
        debug_assert!(unmapped.is_ok(), "munmap of our own mapping failed: {unmapped:?}");
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::Ordering;

    use crate::resource::MemoryFile;

    #[test]
    fn copies_at_every_alignment_and_length() {
        let mapping = MemoryFile::create(4096).unwrap().map().unwrap();
        for offset in 0..9 {
            for len in 0..40 {
                let bytes: Vec<u8> = (0..len).map(|i| u8::try_from(i * 7 + offset).unwrap_or(255)).collect();
                mapping.copy_in(offset, &bytes).unwrap();
                let mut back = vec![0; len];
                mapping.copy_out(offset, &mut back).unwrap();
                assert_eq!(back, bytes, "offset {offset}, length {len}");
            }
        }
    }

    #[test]
    fn nothing_outside_is_reachable() {
        let mapping = MemoryFile::create(4096).unwrap().map().unwrap();
        let size = mapping.size();
        assert!(mapping.copy_out(size, &mut []).is_ok());
        assert!(mapping.copy_out(size, &mut [0]).is_err());
        assert!(mapping.copy_in(size - 3, &[0; 4]).is_err());
        assert!(mapping.copy_in(usize::MAX, &[0; 4]).is_err());
        assert!(mapping.atomic_u32(size - 4).is_ok());
        assert!(mapping.atomic_u32(size - 2).is_err());
        assert!(mapping.atomic_u32(2).is_err());
        assert!(mapping.atomic_u64(size - 8).is_ok());
        assert!(mapping.atomic_u64(size - 4).is_err() && mapping.atomic_u64(4).is_err());
    }

    #[test]
    fn two_mappings_are_one_memory() {
        let file = MemoryFile::create(4096).unwrap();
        let (one, other) = (file.map().unwrap(), file.map().unwrap());
        one.atomic_u32(64).unwrap().store(7, Ordering::SeqCst);
        assert_eq!(other.atomic_u32(64).unwrap().load(Ordering::SeqCst), 7);
    }
}
