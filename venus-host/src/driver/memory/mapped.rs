//! Allocations that the driver has mapped into this process, for a monitor that maps them on into its guest.
//!
//! A pointer does not keep memory alive as a descriptor does: vkFreeMemory unmaps at once, under the guest's feet. So
//! an allocation that has been mapped is freed only when the guest has freed it *and* the last mapping is dropped, and its
//! device, which Vulkan wants to outlive it, is destroyed only then; the instance follows
//! (`Instance::destroy_after_devices`). An embedder may drop mappings on any thread, and after the context.

use std::{
    ffi::c_void,
    fmt,
    ptr::NonNull,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use ash::vk::{self, Handle as _};
use parking_lot::Mutex;

use super::super::{Device, destroy};
use crate::resource::{HostMemory, host_page_size};

/// How many of a device's allocations are mapped for others.
#[derive(Debug, Default)]
pub(crate) struct MappedAllocations(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    count: usize,
    /// The guest has destroyed the device.
    is_ended: bool,
}

impl MappedAllocations {
    /// Ends the device with the last of what is mapped. `false` if nothing is.
    pub(crate) fn end(&self) -> bool {
        let mut state = self.0.lock();
        state.is_ended = state.count != 0;
        state.is_ended
    }

    fn add(&self) {
        let mut state = self.0.lock();
        state.count = state.count.saturating_add(1);
    }

    /// Whether this was the last of a device that has ended.
    fn remove(&self) -> bool {
        let mut state = self.0.lock();
        state.count = state.count.saturating_sub(1);
        state.count == 0 && state.is_ended
    }
}

/// A mapped allocation.
pub(super) struct Mapped {
    device: Arc<Device>,
    raw: vk::DeviceMemory,
    address: NonNull<u8>,
    size: usize,
    /// The guest has freed the allocation, and nothing the guest has made uses it any more.
    is_freed: AtomicBool,
}

impl Mapped {
    /// Maps an allocation of `size` bytes, which is not mapped yet. From now on, it is freed by this value.
    pub(super) fn new(device: &Arc<Device>, raw: vk::DeviceMemory, size: u64) -> Result<Self, String> {
        let (address, size) = map(device.fns(), raw, size)?;
        device.mapped_allocations().add();
        Ok(Self { device: Arc::clone(device), raw, address, size, is_freed: AtomicBool::new(false) })
    }

    /// The guest has freed it.
    pub(super) fn free_when_dropped(&self) {
        self.is_freed.store(true, Ordering::Release);
    }
}

impl Drop for Mapped {
    fn drop(&mut self) {
        // Without the guest's word, the GPU may be using it: the device hangs and is left behind with all it owns.
        if !self.is_freed.load(Ordering::Acquire) {
            return;
        }
        destroy::object(&self.device, vk::ObjectType::DEVICE_MEMORY, self.raw.as_raw());
        if self.device.mapped_allocations().remove() {
            destroy::device_now(&self.device);
        }
    }
}

// SAFETY: the driver keeps the allocation mapped until it is freed, which `Drop` does; `map` has checked the alignment,
// and the fields never change. Nobody has a Rust reference to what a GPU and a guest write.
unsafe impl HostMemory for Mapped {
    fn address(&self) -> NonNull<u8> {
        self.address
    }

    fn size(&self) -> usize {
        self.size
    }
}

// SAFETY: the mapping belongs to the process; freeing it is allowed on any thread, and happens once.
unsafe impl Send for Mapped {}
// SAFETY: shared references only read fields that never change, and an atomic.
unsafe impl Sync for Mapped {}

impl fmt::Debug for Mapped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mapped").field("address", &self.address).field("size", &self.size).finish_non_exhaustive()
    }
}

/// vkMapMemory for all `size` bytes of an allocation that is not mapped, refused where a page of a guest could not be
/// put there. It stays mapped.
pub(super) fn map(device: &ash::Device, raw: vk::DeviceMemory, size: u64) -> Result<(NonNull<u8>, usize), String> {
    let len = usize::try_from(size).map_err(|_| "it does not fit into the address space".to_owned())?;
    // SAFETY: the memory is of this device, host-visible and not mapped: it is the callers' own, and each maps it once.
    let address = unsafe { device.map_memory(raw, 0, vk::WHOLE_SIZE, vk::MemoryMapFlags::empty()) };
    let address: *mut c_void = address.map_err(|result| format!("vkMapMemory: {result}"))?;
    let page = usize::try_from(host_page_size()).unwrap_or(usize::MAX);
    match NonNull::new(address.cast::<u8>()) {
        Some(start) if start.addr().get().is_multiple_of(page) => Ok((start, len)),
        _ => {
            // SAFETY: mapped above.
            unsafe { device.unmap_memory(raw) };
            Err(format!("the driver maps it at {address:p}, which is not the start of a page of {page} bytes"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_ends_with_the_last_mapping() {
        let mapped = MappedAllocations::default();
        assert!(!mapped.end(), "nothing is mapped, so it ends now");
        mapped.add();
        mapped.add();
        assert!(!mapped.remove(), "the guest has not destroyed it");
        assert!(mapped.end());
        assert!(mapped.remove());
    }
}
