//! Opaque descriptors, mapped: for a monitor whose guest's memory is shared by the third method.
//!
//! Such a descriptor means something to the driver that made it, and to nobody else: what a plain `mmap` shows may begin
//! with a private header. So it is imported into a device of our own on the same GPU, and that is mapped. Nothing here
//! is the guest's: its context, device and memory may be gone.
//!
//! # Whose word it is
//!
//! Vulkan wants an import to repeat the size and the type of the exported allocation, and gives nobody a way to find them out.
//! A descriptor of a context in this process comes with what its driver was told. One of a worker process comes with what the
//! worker says, and a worker may be in its guest's hands: then it is the driver that has to stand a wrong one. The monitor
//! bounds the size and the type and keeps memory files from becoming shorter (`worker/check.rs`), which is all that can be done. So
//! worker processes share memory in this way only where an embedder sets [`Transport::opaque`](super::Transport).

use std::{
    fmt,
    os::fd::{AsFd, FromRawFd, IntoRawFd, OwnedFd},
    ptr::NonNull,
    sync::Arc,
};

use ash::vk;

use super::{
    super::{Config, GpuChoice, Instance, Loader, PhysicalDevice, extensions},
    mapped,
};
use crate::{
    error::HostError,
    resource::{Blob, BlobStorage, HostMapping, HostMemory, VulkanInfo},
};

/// Imports blobs of kind `Opaque` and maps them.
#[derive(Debug)]
pub struct OpaqueMapper {
    instance: Arc<OwnInstance>,
    /// Those that have been needed.
    devices: Vec<Arc<OwnDevice>>,
}

impl OpaqueMapper {
    /// One for the driver that `config` leads to.
    pub fn new(config: &Config) -> Result<Self, HostError> {
        let loader = Loader::of(config)?;
        // What a guest may see does not matter here: blobs say which GPU they are of.
        let config = Config { gpu: GpuChoice::All, validate: false, ..config.clone() };
        let instance = Instance::for_host(&loader, &config)?;
        Ok(Self { instance: Arc::new(OwnInstance(instance)), devices: Vec::new() })
    }

    /// Maps a blob. Neither the blob nor this mapper is needed for the mapping to live.
    pub fn map(&mut self, blob: &Blob) -> Result<HostMapping, HostError> {
        let BlobStorage::Opaque { fd, info } = &blob.storage else { return blob.map() };
        let device = self.device(info)?;
        let fd = fd.as_fd().try_clone_to_owned();
        let fd = fd.map_err(|error| HostError::io("cannot duplicate the descriptor of a blob", error))?;
        let memory =
            device.import(fd, info).map_err(|result| HostError::driver("a blob cannot be imported", result))?;
        // Owned from here on, so that it is freed should mapping fail.
        let mut memory = Imported { device, raw: memory, address: NonNull::dangling(), size: 0 };
        (memory.address, memory.size) = mapped::map(&memory.device.fns, memory.raw, info.allocation_size)
            .map_err(|reason| HostError::Unsupported(format!("a blob cannot be mapped: {reason}").into()))?;
        Ok(HostMapping::of(Arc::new(memory)))
    }

    fn device(&mut self, info: &VulkanInfo) -> Result<Arc<OwnDevice>, HostError> {
        let wanted = (info.device_uuid, info.driver_uuid);
        if let Some(device) = self.devices.iter().find(|device| device.uuids == wanted) {
            return Ok(Arc::clone(device));
        }
        let all = self.instance.0.enumerate();
        let all = all.map_err(|result| HostError::driver("vkEnumeratePhysicalDevices failed", result))?;
        let Some(physical) = all.into_iter().find(|physical| physical.uuids() == wanted) else {
            return Err(HostError::Unsupported(
                "a blob is of a GPU or of a driver that this process does not have".into(),
            ));
        };
        let device = OwnDevice::new(&self.instance, &physical, wanted);
        let device = Arc::new(device.map_err(|result| HostError::driver("vkCreateDevice failed", result))?);
        self.devices.push(Arc::clone(&device));
        Ok(device)
    }
}

/// An instance that goes with the last device.
#[derive(Debug)]
struct OwnInstance(Instance);

impl Drop for OwnInstance {
    fn drop(&mut self) {
        self.0.destroy();
    }
}

/// A device that does nothing but map memory.
struct OwnDevice {
    fns: ash::Device,
    uuids: ([u8; vk::UUID_SIZE], [u8; vk::UUID_SIZE]),
    /// Last, since it has to go last.
    _instance: Arc<OwnInstance>,
}

impl OwnDevice {
    fn new(
        instance: &Arc<OwnInstance>,
        physical: &PhysicalDevice,
        uuids: ([u8; vk::UUID_SIZE], [u8; vk::UUID_SIZE]),
    ) -> Result<Self, vk::Result> {
        let names = extensions::to_enable([], physical.extensions());
        let names: Vec<_> = names.iter().map(|name| name.as_ptr()).collect();
        // Vulkan wants a queue, whatever it is for; nobody uses it.
        let queue = [vk::DeviceQueueCreateInfo::default().queue_family_index(0).queue_priorities(&[1.0])];
        let info = vk::DeviceCreateInfo::default().queue_create_infos(&queue).enabled_extension_names(&names);
        // SAFETY: each GPU has a family 0 with a queue, the extensions are in the device's list, and all pointers are
        // to locals.
        let fns = unsafe { physical.instance().create_device(physical.raw(), &info, None)? };
        Ok(Self { fns, uuids, _instance: Arc::clone(instance) })
    }

    fn import(&self, fd: OwnedFd, info: &VulkanInfo) -> Result<vk::DeviceMemory, vk::Result> {
        // The driver takes the descriptor over if it succeeds, and only then.
        let raw_fd = fd.into_raw_fd();
        let mut import =
            vk::ImportMemoryFdInfoKHR::default().handle_type(vk::ExternalMemoryHandleTypeFlags::OPAQUE_FD).fd(raw_fd);
        let allocate = vk::MemoryAllocateInfo::default()
            .allocation_size(info.allocation_size)
            .memory_type_index(info.memory_type_index)
            .push_next(&mut import);
        // SAFETY:
        // - size and type are those of the exported allocation, whose device has the same GPU and driver: its context in
        //   this process says so, or a worker process, whose word an embedder takes by `Transport::opaque`;
        // - the extension is enabled where the driver has it, and a driver that exports has it.
        unsafe { self.fns.allocate_memory(&allocate, None) }.inspect_err(|_| {
            // SAFETY: the driver left it to us, by the rule above.
            drop(unsafe { OwnedFd::from_raw_fd(raw_fd) });
        })
    }
}

impl Drop for OwnDevice {
    fn drop(&mut self) {
        // SAFETY: its only children are the imports, each of which keeps this alive.
        unsafe { self.fns.destroy_device(None) };
    }
}

impl fmt::Debug for OwnDevice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OwnDevice").field("uuids", &self.uuids).finish_non_exhaustive()
    }
}

/// An imported allocation and where it is mapped.
#[derive(Debug)]
struct Imported {
    device: Arc<OwnDevice>,
    raw: vk::DeviceMemory,
    address: NonNull<u8>,
    size: usize,
}

// SAFETY: the driver keeps the allocation mapped until it is freed, which `Drop` does; `mapped::map` has checked the
// alignment, and the fields do not change once the value is shared. Nobody has a Rust reference to these bytes.
unsafe impl HostMemory for Imported {
    fn address(&self) -> NonNull<u8> {
        self.address
    }

    fn size(&self) -> usize {
        self.size
    }
}

// SAFETY: the mapping belongs to the process; freeing it is allowed on any thread, and happens once.
unsafe impl Send for Imported {}
// SAFETY: shared references only read fields that do not change.
unsafe impl Sync for Imported {}

impl Drop for Imported {
    fn drop(&mut self) {
        // SAFETY: the handle is this value's own; freeing unmaps.
        unsafe { self.device.fns.free_memory(self.raw, None) };
    }
}
