//! A guest's allocations.

use std::{
    fmt,
    os::fd::OwnedFd,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, Ordering},
    },
};

use ash::vk;

use super::{
    super::{Device, Failure, chain},
    Charge, SharingMethod,
    import::{ImportSource, dma_buf_size},
    mapped::Mapped,
};
use crate::{
    HostError,
    error::{APPLICATION, CREATE_BLOB, Fatal, GUEST_DRIVER},
    resource::{Blob, BlobFlags, BlobStorage, HostMapping, MapInfo, Mapping, MemoryFile, VulkanInfo},
};

/// Advice where this host has no way to share what is wanted.
const SEE_DOCTOR: &str = "`venus doctor` lists how this host shares memory, and why not otherwise";

/// Advice for a guest that wants to map more than it has allocated.
const PAGES: &str = "a guest whose pages are larger than the host's rounds up further than the host: see the page size \
                     in `venus doctor`";

/// A `VkDeviceMemory` and what is behind it. Dropping this does not free the driver's object, which is done by
/// `driver/destroy.rs`; the storage must live until then, so whoever frees holds this.
pub(crate) struct Memory {
    raw: vk::DeviceMemory,
    flags: vk::MemoryPropertyFlags,
    storage: Storage,
    /// A guest may make one resource of it.
    exported: AtomicBool,
    /// What the context's statistics say of it.
    _charge: Option<Charge>,
}

/// Where the bytes are.
#[derive(Debug)]
pub(super) enum Storage {
    /// In the driver, out of the guest's reach.
    Private,
    /// In the driver, exportable.
    DmaBuf,
    /// In a memory file that the driver has imported by address.
    File {
        file: MemoryFile,
        /// The driver's GPU tables point here: must not go before the allocation is freed.
        _mapping: Mapping,
    },
    /// In the driver, exportable as its own descriptor.
    Opaque(VulkanInfo),
    /// In the driver, of so many bytes, to be mapped here when it becomes a resource.
    Pointer { size: u64, mapped: OnceLock<Arc<Mapped>> },
}

impl fmt::Debug for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Memory")
            .field("storage", &self.storage)
            .field("exported", &self.exported)
            .finish_non_exhaustive()
    }
}

impl Memory {
    /// The same, counted for as long as it lives.
    pub(crate) fn charged(self, charge: Charge) -> Self {
        Self { _charge: Some(charge), ..self }
    }

    pub(crate) fn raw(&self) -> vk::DeviceMemory {
        self.raw
    }

    /// Leaves the freeing to the last of its mappings, if it has been mapped for others. The caller holds a reference.
    pub(crate) fn free_after_mappings(&self) -> bool {
        match &self.storage {
            Storage::Pointer { mapped, .. } => mapped.get().inspect(|mapped| mapped.free_when_dropped()).is_some(),
            Storage::Private | Storage::DmaBuf | Storage::File { .. } | Storage::Opaque(_) => false,
        }
    }

    /// Makes the guest a blob of the allocation. At most once.
    pub(crate) fn export(&self, device: &Arc<Device>, flags: BlobFlags, size: u64) -> Result<Blob, HostError> {
        let refuse = |reason: &'static str| Err(Fatal::new(CREATE_BLOB, reason).advice(GUEST_DRIVER).into());
        if flags.contains(BlobFlags::MAPPABLE) && !self.flags.contains(vk::MemoryPropertyFlags::HOST_VISIBLE) {
            return refuse("the allocation is not of a host-visible type, so it cannot be mapped");
        }
        if flags.contains(BlobFlags::CROSS_DEVICE) && !matches!(self.storage, Storage::DmaBuf) {
            let reason = "sharing with other devices takes a dma-buf, and this host has none";
            return Err(Fatal::new(CREATE_BLOB, reason).advice(SEE_DOCTOR).into());
        }
        if self.exported.swap(true, Ordering::Relaxed) {
            return refuse("the allocation has already been made a resource");
        }
        let blob = match &self.storage {
            Storage::Private => {
                let reason = "the allocation is not of a type that can be shared";
                return Err(Fatal::new(CREATE_BLOB, reason).advice(SEE_DOCTOR).into());
            }
            Storage::DmaBuf => self.export_dma_buf(device)?,
            Storage::File { file, .. } => Blob::of_file(file.clone()),
            Storage::Opaque(info) => {
                let fd = self.export_fd(device, vk::ExternalMemoryHandleTypeFlags::OPAQUE_FD)?;
                let storage = BlobStorage::Opaque { fd: Arc::new(fd), info: *info };
                Blob { storage, size: info.allocation_size, map_info: self.map_info() }
            }
            Storage::Pointer { size, mapped } => {
                let memory = Arc::new(Mapped::new(device, self.raw, *size).map_err(|reason| {
                    Fatal::new(CREATE_BLOB, format!("the allocation cannot be mapped: {reason}")).advice(SEE_DOCTOR)
                })?);
                // Exported once, by the flag above, so it is empty.
                let memory = mapped.get_or_init(|| memory);
                let storage = BlobStorage::Pointer(HostMapping::of(Arc::<Mapped>::clone(memory)));
                Blob { storage, size: *size, map_info: self.map_info() }
            }
        };
        if blob.size < size {
            let reason = format!("{size} bytes are wanted and {} are behind the allocation", blob.size);
            return Err(Fatal::new(CREATE_BLOB, reason).member("size").advice(PAGES).into());
        }
        Ok(blob)
    }

    fn export_fd(&self, device: &Device, kind: vk::ExternalMemoryHandleTypeFlags) -> Result<OwnedFd, HostError> {
        device.export_memory(self.raw, kind).map_err(|result| HostError::driver("vkGetMemoryFdKHR", result))
    }

    fn export_dma_buf(&self, device: &Device) -> Result<Blob, HostError> {
        let fd = self.export_fd(device, vk::ExternalMemoryHandleTypeFlags::DMA_BUF_EXT)?;
        let size = dma_buf_size(&fd).map_err(|error| HostError::io("cannot ask for the size of a dma-buf", error))?;
        Ok(Blob { storage: BlobStorage::DmaBuf(Arc::new(fd)), size, map_info: self.map_info() })
    }

    /// How the driver's own mappings of this type behave.
    fn map_info(&self) -> MapInfo {
        let cached = vk::MemoryPropertyFlags::HOST_COHERENT | vk::MemoryPropertyFlags::HOST_CACHED;
        if !self.flags.contains(vk::MemoryPropertyFlags::HOST_VISIBLE) {
            MapInfo::None
        } else if self.flags.contains(cached) {
            MapInfo::Cached
        } else {
            MapInfo::WriteCombining
        }
    }
}

/// VK_MEMORY_ALLOCATE_ZERO_INITIALIZE_BIT_EXT, which is newer than the types.
const ZERO_INITIALIZE: vk::MemoryAllocateFlags = vk::MemoryAllocateFlags::from_raw(0x8);

/// The nodes of a guest's `VkMemoryAllocateInfo` that the driver gets to see, as copies.
#[derive(Default)]
pub(super) struct AllocationChain<'a> {
    flags: Option<vk::MemoryAllocateFlagsInfo<'a>>,
    pub(super) dedicated: Option<vk::MemoryDedicatedAllocateInfo<'a>>,
    capture: Option<vk::MemoryOpaqueCaptureAddressAllocateInfo<'a>>,
}

impl<'a> AllocationChain<'a> {
    /// Leaves out what memory must not ask for that exists already, as the specification has it.
    pub(super) fn for_import(&mut self) {
        // VUID-VkMemoryAllocateFlagsInfo-flags-10760; files of the host's are zero anyway.
        if let Some(flags) = &mut self.flags {
            flags.flags &= !ZERO_INITIALIZE;
        }
    }

    fn of(info: &vk::MemoryAllocateInfo<'a>) -> Self {
        Self {
            flags: chain::find(info).copied(),
            dedicated: chain::find(info).copied(),
            capture: chain::find(info).copied(),
        }
    }

    /// An allocation with these nodes and one more.
    pub(super) fn allocate<T: vk::ExtendsMemoryAllocateInfo>(
        &mut self,
        device: &Device,
        size: u64,
        type_index: u32,
        extra: Option<&mut T>,
    ) -> Result<vk::DeviceMemory, vk::Result> {
        let mut info = vk::MemoryAllocateInfo::default().allocation_size(size).memory_type_index(type_index);
        // `push_next` keeps what hangs on a node, so nodes are unhooked from an earlier attempt first.
        if let Some(node) = &mut self.flags {
            node.p_next = std::ptr::null();
            info = info.push_next(node);
        }
        if let Some(node) = &mut self.dedicated {
            node.p_next = std::ptr::null();
            info = info.push_next(node);
        }
        if let Some(node) = &mut self.capture {
            node.p_next = std::ptr::null();
            info = info.push_next(node);
        }
        if let Some(node) = extra {
            info = info.push_next(node);
        }
        // SAFETY:
        // - handles in the nodes come from the decoder and so from the object table;
        // - what the extra node asks for belongs to an extension that was enabled because the memory plan chose it.
        unsafe { device.fns().allocate_memory(&info, None) }
    }
}

impl Device {
    /// vkAllocateMemory. With an import source, the guest wants the memory of a resource; otherwise memory that a guest
    /// can map is made so that it can be shared.
    pub(crate) fn allocate_memory(
        &self,
        info: &vk::MemoryAllocateInfo<'_>,
        import: Option<ImportSource>,
    ) -> Result<Memory, Failure> {
        let plan = self.physical().memory_plan();
        let type_index = info.memory_type_index;
        let Some((_, kind)) = super::types(plan.driver_view()).find(|(index, _)| *index == type_index) else {
            let reason = format!("is {type_index}, and the device has {} types", plan.driver_view().memory_type_count);
            let member = "pAllocateInfo->memoryTypeIndex";
            return Err(Failure::refused(vk::Result::ERROR_UNKNOWN, member, reason, APPLICATION));
        };
        let heap = usize::try_from(kind.heap_index).ok().and_then(|index| plan.driver_view().memory_heaps.get(index));
        if let Some(heap) = heap.filter(|heap| info.allocation_size > heap.size) {
            let reason = format!("{} bytes are more than the whole heap of {}", info.allocation_size, heap.size);
            return Err(too_large(reason));
        }
        let mut chain = AllocationChain::of(info);
        let flags = kind.property_flags;
        let (raw, storage) = match import {
            Some(ImportSource::DmaBuf(fd)) => self.import_dma_buf(&mut chain, info, fd)?,
            Some(ImportSource::File(file)) => self.import_file(&mut chain, type_index, info.allocation_size, file)?,
            Some(ImportSource::Opaque(fd, exported)) => self.import_opaque(&mut chain, info, fd, exported)?,
            // Where a guest can have a dma-buf at all, who asks for one gets one or hears why not, whatever its type's way.
            None if wants_dma_buf(info) && plan.shares_dma_buf() => self.allocate_exportable(&mut chain, info)?,
            None => match plan.method_of(type_index) {
                Some(SharingMethod::DmaBuf) => self.allocate_exportable(&mut chain, info)?,
                Some(SharingMethod::Import) => {
                    let size = self.whole_pages(info.allocation_size)?;
                    let file = MemoryFile::create(size).map_err(|error| out_of_memory(&error))?;
                    self.import_file(&mut chain, type_index, size, file)?
                }
                Some(SharingMethod::Opaque) => self.allocate_opaque(&mut chain, info)?,
                Some(SharingMethod::Pointer) => self.allocate_whole_pages(&mut chain, info)?,
                None => {
                    let none = None::<&mut vk::ExportMemoryAllocateInfo<'_>>;
                    (chain.allocate(self, info.allocation_size, type_index, none)?, Storage::Private)
                }
            },
        };
        Ok(Memory { raw, flags, storage, exported: AtomicBool::new(false), _charge: None })
    }

    fn allocate_exportable(
        &self,
        chain: &mut AllocationChain<'_>,
        info: &vk::MemoryAllocateInfo<'_>,
    ) -> Result<(vk::DeviceMemory, Storage), Failure> {
        let mut export =
            vk::ExportMemoryAllocateInfo::default().handle_types(vk::ExternalMemoryHandleTypeFlags::DMA_BUF_EXT);
        // The guest maps whole pages, so there have to be whole pages.
        let size = self.whole_pages(info.allocation_size)?;
        let size = if chain.dedicated.is_some() { info.allocation_size } else { size };
        let raw = chain.allocate(self, size, info.memory_type_index, Some(&mut export))?;
        Ok((raw, Storage::DmaBuf))
    }

    /// Memory that is exported as the driver's own descriptor. Not as a dedicated allocation: an importer would have to
    /// name the same buffer or image, and has none.
    fn allocate_opaque(
        &self,
        chain: &mut AllocationChain<'_>,
        info: &vk::MemoryAllocateInfo<'_>,
    ) -> Result<(vk::DeviceMemory, Storage), Failure> {
        chain.dedicated = None;
        let size = self.whole_pages(info.allocation_size)?;
        let mut export =
            vk::ExportMemoryAllocateInfo::default().handle_types(vk::ExternalMemoryHandleTypeFlags::OPAQUE_FD);
        let raw = chain.allocate(self, size, info.memory_type_index, Some(&mut export))?;
        Ok((raw, Storage::Opaque(self.vulkan_info(size, info.memory_type_index))))
    }

    /// A size in whole pages, which is how guests map memory.
    pub(super) fn whole_pages(&self, size: u64) -> Result<u64, Failure> {
        self.physical().memory_plan().round_up(size).ok_or_else(|| overflow(size))
    }

    pub(super) fn vulkan_info(&self, allocation_size: u64, memory_type_index: u32) -> VulkanInfo {
        let (device_uuid, driver_uuid) = self.physical().uuids();
        VulkanInfo { device_uuid, driver_uuid, allocation_size, memory_type_index }
    }

    /// Memory that is mapped here. Not as a dedicated allocation, whose size could not be rounded: drivers place small
    /// allocations between others, and whoever maps them on needs whole pages.
    fn allocate_whole_pages(
        &self,
        chain: &mut AllocationChain<'_>,
        info: &vk::MemoryAllocateInfo<'_>,
    ) -> Result<(vk::DeviceMemory, Storage), Failure> {
        chain.dedicated = None;
        let size = self.whole_pages(info.allocation_size)?;
        let none = None::<&mut vk::ExportMemoryAllocateInfo<'_>>;
        let raw = chain.allocate(self, size, info.memory_type_index, none)?;
        Ok((raw, Storage::Pointer { size, mapped: OnceLock::new() }))
    }
}

/// Whether the guest wants to hand the memory on as dma-buf.
fn wants_dma_buf(info: &vk::MemoryAllocateInfo<'_>) -> bool {
    chain::find::<vk::ExportMemoryAllocateInfo<'_>>(info)
        .is_some_and(|export| export.handle_types.contains(vk::ExternalMemoryHandleTypeFlags::DMA_BUF_EXT))
}

/// What of vkAllocateMemory decides how much is wanted.
pub(super) const SIZE: &str = "pAllocateInfo->allocationSize";

#[cold]
fn too_large(reason: String) -> Failure {
    let advice = "the program asks for more than it was told there is: lower its settings, or use a larger GPU";
    Failure::refused(vk::Result::ERROR_OUT_OF_DEVICE_MEMORY, SIZE, reason, advice)
}

#[cold]
fn overflow(size: u64) -> Failure {
    too_large(format!("{size} bytes cannot be rounded up to whole pages"))
}

/// The failure when the host has no memory, address space or descriptor left.
#[cold]
pub(super) fn out_of_memory(error: &HostError) -> Failure {
    let advice = "this host has no memory, address space or open files left for the guest: see the limits of its process \
                  (ulimit -a) and open files in `venus doctor`";
    Failure::refused(vk::Result::ERROR_OUT_OF_DEVICE_MEMORY, SIZE, error.to_string(), advice)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_that_exists_is_not_asked_to_be_zeroed() {
        let kept = vk::MemoryAllocateFlags::DEVICE_ADDRESS;
        let mut flags = vk::MemoryAllocateFlagsInfo::default().flags(kept | ZERO_INITIALIZE);
        let info = vk::MemoryAllocateInfo::default().push_next(&mut flags);
        let mut chain = AllocationChain::of(&info);
        assert_eq!(
            chain.flags.map(|node| node.flags.as_raw()),
            Some((kept | ZERO_INITIALIZE).as_raw()),
            "new memory is"
        );
        chain.for_import();
        assert_eq!(chain.flags.map(|node| node.flags.as_raw()), Some(kept.as_raw()));
    }
}
