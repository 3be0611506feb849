//! Resources that a guest uses as memory.

use std::{
    os::fd::{AsFd, FromRawFd, IntoRawFd, OwnedFd},
    sync::Arc,
};

use ash::vk;

use super::{
    super::{Device, Failure},
    allocation::{AllocationChain, SIZE, Storage, out_of_memory},
};
use crate::{
    error::APPLICATION,
    resource::{Blob, BlobStorage, MemoryFile, VulkanInfo},
};

/// A resource that the guest wants to use as memory.
#[derive(Debug)]
pub(crate) enum ImportSource {
    DmaBuf(OwnedFd),
    File(MemoryFile),
    Opaque(OwnedFd, VulkanInfo),
}

impl ImportSource {
    /// Bytes behind it.
    pub(crate) fn size(&self) -> u64 {
        match self {
            Self::DmaBuf(fd) => dma_buf_size(fd).unwrap_or(0),
            Self::File(file) => file.size(),
            Self::Opaque(_, info) => info.allocation_size,
        }
    }

    /// From a blob's descriptor, duplicated where the driver takes it over. `None` if such storage cannot be imported.
    pub(crate) fn from_blob(blob: &Blob) -> Option<Self> {
        match &blob.storage {
            BlobStorage::DmaBuf(fd) => fd.try_clone().ok().map(Self::DmaBuf),
            BlobStorage::Shm(fd) => MemoryFile::adopt(Arc::clone(fd)).ok().map(Self::File),
            BlobStorage::Opaque { fd, info } => fd.try_clone().ok().map(|fd| Self::Opaque(fd, *info)),
            BlobStorage::Pointer(_) => None,
        }
    }
}

impl Device {
    /// Imports what this or another context of the same driver has exported. Vulkan wants size and type of the original
    /// (VUID-VkMemoryAllocateInfo-allocationSize-01742), which the guest may have asked for with different words: its
    /// size may be the one before rounding.
    pub(super) fn import_opaque(
        &self,
        chain: &mut AllocationChain<'_>,
        info: &vk::MemoryAllocateInfo<'_>,
        fd: OwnedFd,
        exported: VulkanInfo,
    ) -> Result<(vk::DeviceMemory, Storage), Failure> {
        if info.allocation_size > exported.allocation_size {
            return Err(too_short(info.allocation_size, exported.allocation_size));
        }
        let own = self.vulkan_info(exported.allocation_size, info.memory_type_index);
        if own != exported {
            let reason = "the resource is of another GPU, driver or memory type";
            let (result, member) = (vk::Result::ERROR_INVALID_EXTERNAL_HANDLE, "pAllocateInfo->memoryTypeIndex");
            return Err(Failure::refused(result, member, reason, APPLICATION));
        }
        chain.dedicated = None;
        let kind = vk::ExternalMemoryHandleTypeFlags::OPAQUE_FD;
        let raw = self.import_fd(chain, exported.allocation_size, info.memory_type_index, fd, kind)?;
        // Imported memory could be exported again only if it were allocated for that; whoever has it has the resource.
        Ok((raw, Storage::Private))
    }

    pub(super) fn import_dma_buf(
        &self,
        chain: &mut AllocationChain<'_>,
        info: &vk::MemoryAllocateInfo<'_>,
        fd: OwnedFd,
    ) -> Result<(vk::DeviceMemory, Storage), Failure> {
        let behind = dma_buf_size(&fd).unwrap_or(0);
        if info.allocation_size > behind {
            return Err(too_short(info.allocation_size, behind));
        }
        let kind = vk::ExternalMemoryHandleTypeFlags::DMA_BUF_EXT;
        let raw = self.import_fd(chain, info.allocation_size, info.memory_type_index, fd, kind)?;
        Ok((raw, Storage::DmaBuf))
    }

    fn import_fd(
        &self,
        chain: &mut AllocationChain<'_>,
        size: u64,
        type_index: u32,
        fd: OwnedFd,
        kind: vk::ExternalMemoryHandleTypeFlags,
    ) -> Result<vk::DeviceMemory, vk::Result> {
        chain.for_import();
        // The driver takes the descriptor over if it succeeds, and only then.
        let raw_fd = fd.into_raw_fd();
        let mut import = vk::ImportMemoryFdInfoKHR::default().handle_type(kind).fd(raw_fd);
        chain.allocate(self, size, type_index, Some(&mut import)).inspect_err(|_| {
            // SAFETY: the driver left it to us, by the rule above.
            drop(unsafe { OwnedFd::from_raw_fd(raw_fd) });
        })
    }

    /// Memory of the given size over a memory file that is at least as long.
    pub(super) fn import_file(
        &self,
        chain: &mut AllocationChain<'_>,
        type_index: u32,
        size: u64,
        file: MemoryFile,
    ) -> Result<(vk::DeviceMemory, Storage), Failure> {
        let size = self.whole_pages(size)?;
        if size > file.size() {
            return Err(too_short(size, file.size()));
        }
        let mapping = file.map().map_err(|error| out_of_memory(&error))?;
        let mut import = vk::ImportMemoryHostPointerInfoEXT::default()
            .handle_type(vk::ExternalMemoryHandleTypeFlags::HOST_ALLOCATION_EXT)
            .host_pointer(mapping.address().as_ptr().cast());
        // What is imported by its address is nobody's dedicated memory (VUID-VkMemoryAllocateInfo-pNext-02806).
        chain.dedicated = None;
        chain.for_import();
        let raw = chain.allocate(self, size, type_index, Some(&mut import))?;
        Ok((raw, Storage::File { file, _mapping: mapping }))
    }

    /// The memory types as which a resource can be imported.
    pub(crate) fn importable_types(&self, source: &ImportSource) -> Result<u32, Failure> {
        let bits = match source {
            ImportSource::DmaBuf(fd) => self.dma_buf_types(fd.as_fd())?,
            ImportSource::File(file) => {
                let mapping = file.map().map_err(|error| out_of_memory(&error))?;
                self.host_pointer_types(mapping.address())?
            }
            ImportSource::Opaque(_, info) => 1_u32.checked_shl(info.memory_type_index).unwrap_or(0),
        };
        Ok(bits)
    }
}

/// Bytes behind a dma-buf, which tells its size as files do.
pub(super) fn dma_buf_size(fd: &OwnedFd) -> rustix::io::Result<u64> {
    rustix::fs::seek(fd, rustix::fs::SeekFrom::End(0))
}

/// A resource that is shorter than what shall be made of it.
#[cold]
fn too_short(wanted: u64, behind: u64) -> Failure {
    let reason = format!("{wanted} bytes are to be imported from a resource of {behind}");
    Failure::refused(vk::Result::ERROR_INVALID_EXTERNAL_HANDLE, SIZE, reason, APPLICATION)
}
