//! Trying the methods.
//!
//! Extension lists promise more than drivers keep: an export may fail for want of a kernel device, an import may be
//! refused for one memory type and accepted for its neighbour. So each method allocates a page of every host-visible type
//! on a device made for the purpose, and counts what worked. Whether the GPU's writes arrive is looked at in `fill`.

use std::os::fd::{AsFd, FromRawFd, IntoRawFd, OwnedFd};

use ash::vk;
use rustix::mm::{MapFlags, ProtFlags};

use super::{
    super::{PhysicalDevice, device::host_pointer_types, extensions},
    Attempt, MemoryPlan, SharingMethod, TypeMask, mapped, types,
};
use crate::resource::{Mapping, MemoryFile, host_page_size};

/// Finds out how memory of `physical` can reach a guest, unless somebody has.
pub(crate) fn plan(physical: &PhysicalDevice) -> MemoryPlan {
    let (choice, transport) = physical.memory_choice();
    // SAFETY: the physical device is alive as long as its instance.
    let memory = unsafe { physical.instance().get_physical_device_memory_properties(physical.raw()) };
    let granularity = import_alignment(physical).max(physical.profile().granularity());
    let methods = choice.methods(physical.is_metal());
    let may_be_tried = |method| methods.contains(&method) && transport.refuses(method).is_none();
    let known = physical.shared_memory();
    let known = known.and_then(|known| known.plan(memory, host_visible(&memory), granularity, may_be_tried));
    if let Some(known) = known {
        return known;
    }
    let mut attempts = Vec::new();
    match Probe::new(physical) {
        Ok(probe) => {
            let all = host_visible(&memory);
            let mut left = all;
            for &method in methods {
                let outcome = match transport.refuses(method) {
                    // No news where something works: `venus doctor` tells it in any case.
                    Some(_) if left != all => continue,
                    Some(reason) => Err(reason.to_owned()),
                    None => probe.attempt(method, left, granularity),
                };
                left = outcome.as_ref().map_or(left, |works| left.without(*works));
                attempts.push(Attempt { method, outcome });
                if left.is_empty() && !all.is_empty() {
                    break;
                }
            }
        }
        Err(result) => {
            let outcome = Err(format!("no device can be created to try it: {result}"));
            attempts.extend(methods.iter().map(|&method| Attempt { method, outcome: outcome.clone() }));
        }
    }
    MemoryPlan::new(memory, granularity, attempts)
}

/// How the ways that take a virtual machine monitor would fare, whatever was chosen: for `venus doctor`.
pub(crate) fn for_monitors(physical: &PhysicalDevice) -> Vec<Attempt> {
    let plan = physical.memory_plan();
    let probe = Probe::new(physical).map_err(|result| format!("no device can be created to try it: {result}"));
    let attempt = |method| {
        let probe = probe.as_ref().map_err(Clone::clone)?;
        probe.attempt(method, host_visible(plan.driver_view()), plan.granularity())
    };
    [SharingMethod::Opaque, SharingMethod::Pointer].map(|method| Attempt { method, outcome: attempt(method) }).into()
}

/// The types that a guest could map, if they were shared.
fn host_visible(memory: &vk::PhysicalDeviceMemoryProperties) -> TypeMask {
    let mut found = TypeMask::default();
    let visible = |flags: vk::MemoryPropertyFlags| flags.contains(vk::MemoryPropertyFlags::HOST_VISIBLE);
    types(memory).filter(|(_, kind)| visible(kind.property_flags)).for_each(|(index, _)| found.insert(index));
    found
}

/// What the driver wants of the address and size of imported memory.
fn import_alignment(physical: &PhysicalDevice) -> u64 {
    if !physical.extensions().has_c(ash::ext::external_memory_host::NAME) {
        return 1;
    }
    let mut host = vk::PhysicalDeviceExternalMemoryHostPropertiesEXT::default();
    let mut properties = vk::PhysicalDeviceProperties2::default().push_next(&mut host);
    // SAFETY: the structure in the chain belongs to an extension that the device has.
    unsafe { physical.instance().get_physical_device_properties2(physical.raw(), &mut properties) };
    host.min_imported_host_pointer_alignment.max(1)
}

/// A device of our own with one queue, gone when dropped.
pub(super) struct Probe<'a> {
    physical: &'a PhysicalDevice,
    pub(super) device: ash::Device,
    pub(super) family: u32,
}

impl<'a> Probe<'a> {
    pub(super) fn new(physical: &'a PhysicalDevice) -> Result<Self, vk::Result> {
        Self::with(physical, None, &vk::PhysicalDeviceFeatures::default())
    }

    /// With these features, and a queue of another family too.
    pub(super) fn with(
        physical: &'a PhysicalDevice,
        other: Option<u32>,
        features: &vk::PhysicalDeviceFeatures,
    ) -> Result<Self, vk::Result> {
        let names = extensions::to_enable([], physical.extensions());
        let names: Vec<_> = names.iter().map(|name| name.as_ptr()).collect();
        // Transfers are possible on any of these; a family that can do nothing but sparse binding or video may come
        // first.
        let can_transfer = vk::QueueFlags::GRAPHICS | vk::QueueFlags::COMPUTE | vk::QueueFlags::TRANSFER;
        let family = physical.family_with(can_transfer).ok_or(vk::Result::ERROR_FEATURE_NOT_PRESENT)?;
        let queue = |family| vk::DeviceQueueCreateInfo::default().queue_family_index(family).queue_priorities(&[1.0]);
        let families = [family].into_iter().chain(other.filter(|other| *other != family));
        let queues: Vec<_> = families.map(queue).collect();
        let info = vk::DeviceCreateInfo::default()
            .queue_create_infos(&queues)
            .enabled_extension_names(&names)
            .enabled_features(features);
        // SAFETY: the families exist and have a queue each, the extensions are in the device's list, the features are
        // those that it has, and all pointers are to locals.
        let device = unsafe { physical.instance().create_device(physical.raw(), &info, None)? };
        Ok(Self { physical, device, family })
    }

    /// Which of the types the method can share, or why none.
    fn attempt(&self, method: SharingMethod, candidates: TypeMask, granularity: u64) -> Result<TypeMask, String> {
        let size = granularity.max(host_page_size());
        let mut last_failure = None;
        let mut works = TypeMask::default();
        match method {
            SharingMethod::DmaBuf => {
                self.require(ash::khr::external_memory_fd::NAME)?;
                self.require(ash::ext::external_memory_dma_buf::NAME)?;
            }
            SharingMethod::Import => self.require(ash::ext::external_memory_host::NAME)?,
            SharingMethod::Opaque => self.require(ash::khr::external_memory_fd::NAME)?,
            SharingMethod::Pointer => {}
        }
        for index in candidates.indices() {
            let outcome = match method {
                SharingMethod::DmaBuf => self.try_dma_buf(index, size),
                SharingMethod::Import => self.try_import(index, size),
                SharingMethod::Opaque => self.try_opaque(index, size),
                SharingMethod::Pointer => self.try_pointer(index, size),
            };
            match outcome {
                Ok(()) => works.insert(index),
                Err(reason) => last_failure = Some(format!("memory type {index}: {reason}")),
            }
        }
        if !works.is_empty() {
            return Ok(works);
        }
        Err(last_failure.unwrap_or_else(|| "the GPU has no memory type that is host-visible".to_owned()))
    }

    fn require(&self, extension: &std::ffi::CStr) -> Result<(), String> {
        if self.physical.extensions().has_c(extension) {
            return Ok(());
        }
        Err(format!("the driver has no {}", extension.to_string_lossy()))
    }

    /// Allocates memory and exports it.
    fn export(
        &self,
        index: u32,
        size: u64,
        handle_type: vk::ExternalMemoryHandleTypeFlags,
    ) -> Result<(ProbeMemory<'_>, OwnedFd), String> {
        let mut export = vk::ExportMemoryAllocateInfo::default().handle_types(handle_type);
        let info =
            vk::MemoryAllocateInfo::default().allocation_size(size).memory_type_index(index).push_next(&mut export);
        let memory = self.allocate(&info)?;
        let api = ash::khr::external_memory_fd::Device::new(self.physical.instance(), &self.device);
        let info = vk::MemoryGetFdInfoKHR::default().memory(memory.raw).handle_type(handle_type);
        // SAFETY: the memory was allocated for export as this type, and the extension is enabled.
        let fd = unsafe { api.get_memory_fd(&info) }.map_err(|result| format!("vkGetMemoryFdKHR: {result}"))?;
        // SAFETY: the call succeeded, so the descriptor is open and ours alone.
        Ok((memory, unsafe { OwnedFd::from_raw_fd(fd) }))
    }

    /// Exports a page as the driver's own descriptor, imports that and maps it, as a monitor would.
    fn try_opaque(&self, index: u32, size: u64) -> Result<(), String> {
        let handle_type = vk::ExternalMemoryHandleTypeFlags::OPAQUE_FD;
        let (_exported, fd) = self.export(index, size, handle_type)?;
        // The driver takes the descriptor over if it succeeds, and only then.
        let raw_fd = fd.into_raw_fd();
        let mut import = vk::ImportMemoryFdInfoKHR::default().handle_type(handle_type).fd(raw_fd);
        let info =
            vk::MemoryAllocateInfo::default().allocation_size(size).memory_type_index(index).push_next(&mut import);
        let imported = self.allocate(&info).inspect_err(|_| {
            // SAFETY: the driver left it to us, by the rule above.
            drop(unsafe { OwnedFd::from_raw_fd(raw_fd) });
        })?;
        mapped::map(&self.device, imported.raw, size).map(drop)
    }

    /// Maps a page into this process.
    fn try_pointer(&self, index: u32, size: u64) -> Result<(), String> {
        let info = vk::MemoryAllocateInfo::default().allocation_size(size).memory_type_index(index);
        let memory = self.allocate(&info)?;
        mapped::map(&self.device, memory.raw, size).map(drop)
    }

    /// Exports a page and maps it as the guest would.
    fn try_dma_buf(&self, index: u32, size: u64) -> Result<(), String> {
        let (_memory, fd) = self.export(index, size, vk::ExternalMemoryHandleTypeFlags::DMA_BUF_EXT)?;
        let behind = rustix::fs::seek(&fd, rustix::fs::SeekFrom::End(0))
            .map_err(|error| format!("its size is unknown: {error}"))?;
        if behind < size {
            return Err(format!("the dma-buf has {behind} bytes, {size} were allocated"));
        }
        check_mappable(&fd, size)
    }

    /// Imports a page of a memory file.
    fn try_import(&self, index: u32, size: u64) -> Result<(), String> {
        let mapping = MemoryFile::create(size).and_then(|file| file.map()).map_err(|error| error.to_string())?;
        self.import(index, size, &mapping).map(drop)
    }

    /// Rounds the size of imported memory up; `None` if it overflows.
    pub(super) fn round_up(&self, size: u64) -> Option<u64> {
        self.physical.memory_plan().round_up(size)
    }

    pub(super) fn import(&self, index: u32, size: u64, mapping: &Mapping) -> Result<ProbeMemory<'_>, String> {
        let handle_type = vk::ExternalMemoryHandleTypeFlags::HOST_ALLOCATION_EXT;
        let api = ash::ext::external_memory_host::Device::new(self.physical.instance(), &self.device);
        // SAFETY: the pointer is the start of a mapping, so aligned to pages.
        let possible = unsafe { host_pointer_types(&api, mapping.address()) };
        let possible = possible.map_err(|result| format!("vkGetMemoryHostPointerPropertiesEXT: {result}"))?;
        if !TypeMask(possible).contains(index) {
            return Err("the driver does not import host memory as this type".to_owned());
        }
        let mut import = vk::ImportMemoryHostPointerInfoEXT::default()
            .handle_type(handle_type)
            .host_pointer(mapping.address().as_ptr().cast());
        let info =
            vk::MemoryAllocateInfo::default().allocation_size(size).memory_type_index(index).push_next(&mut import);
        self.allocate(&info)
    }

    fn allocate(&self, info: &vk::MemoryAllocateInfo<'_>) -> Result<ProbeMemory<'_>, String> {
        // SAFETY: the type exists, and what the chain asks for belongs to enabled extensions; imported memory outlives
        // the allocation, as the callers hold the mapping longer.
        let raw = unsafe { self.device.allocate_memory(info, None) };
        Ok(ProbeMemory { device: &self.device, raw: raw.map_err(|result| format!("vkAllocateMemory: {result}"))? })
    }
}

impl Drop for Probe<'_> {
    fn drop(&mut self) {
        // SAFETY: all children are gone, since they borrow the probe or are destroyed where they are made.
        unsafe { self.device.destroy_device(None) };
    }
}

pub(super) struct ProbeMemory<'a> {
    device: &'a ash::Device,
    pub(super) raw: vk::DeviceMemory,
}

impl Drop for ProbeMemory<'_> {
    fn drop(&mut self) {
        // SAFETY: the handle is this value's own and nothing submitted refers to it any more.
        unsafe { self.device.free_memory(self.raw, None) };
    }
}

fn check_mappable(fd: &OwnedFd, size: u64) -> Result<(), String> {
    let len = usize::try_from(size).map_err(|_| "it does not fit into the address space".to_owned())?;
    // SAFETY: the address is null, so no existing mapping is replaced.
    let mapped = unsafe {
        rustix::mm::mmap(std::ptr::null_mut(), len, ProtFlags::READ | ProtFlags::WRITE, MapFlags::SHARED, fd.as_fd(), 0)
    };
    let address = mapped.map_err(|error| format!("the dma-buf cannot be mapped: {error}"))?;
    // SAFETY: exactly what was mapped above, and nothing refers to it.
    unsafe { rustix::mm::munmap(address, len) }.map_err(|error| format!("the dma-buf cannot be unmapped: {error}"))
}
