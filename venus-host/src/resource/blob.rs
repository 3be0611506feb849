//! Storage that is handed to whoever gives a guest its memory.
//!
//! What a receiver may do with storage depends on what it is, so [`BlobStorage`] is an enum and nothing can be mapped
//! by mistake: the first bytes of a driver's own descriptor may be a private header, and a pointer has no descriptor at
//! all. A blob owns what it names, whatever becomes of the guest's resource, its `VkDeviceMemory` or its context.
//!
//! This file knows nothing of Vulkan: memory that a driver has mapped comes as a [`HostMemory`]. Where next: who makes
//! blobs is `driver/memory/`.

use std::{
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    ptr::NonNull,
    sync::{Arc, Weak},
};

use super::{HostMemory, Mapping, MemoryFile, host_page_size};
use crate::error::HostError;

/// What the storage of a blob is, without the storage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum BlobKind {
    /// A memory file: map it.
    Shm,
    /// A dma-buf: map it, or import it into a driver.
    DmaBuf,
    /// A driver's own: import it into the same driver. Never map it, its first bytes may be a private header.
    Opaque,
    /// Memory of this process.
    Pointer,
}

/// How a guest should map the memory; the values travel in virtio-gpu's RESOURCE_MAP_BLOB reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MapInfo {
    /// Not mappable.
    None = 0,
    /// Ordinary cached memory.
    Cached = 1,
    /// Uncached.
    Uncached = 2,
    /// Write-combining.
    WriteCombining = 3,
}

/// What it takes, besides the descriptor, to import a driver's own memory into the same driver again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VulkanInfo {
    /// `VkPhysicalDeviceIDProperties::deviceUUID` of the GPU; the importer's has to be the same.
    pub device_uuid: [u8; 16],
    /// `VkPhysicalDeviceIDProperties::driverUUID`; the importer's has to be the same.
    pub driver_uuid: [u8; 16],
    /// `VkMemoryAllocateInfo::allocationSize`, which an importer has to repeat.
    pub allocation_size: u64,
    /// `VkMemoryAllocateInfo::memoryTypeIndex`, which an importer has to repeat.
    pub memory_type_index: u32,
}

/// Storage that can be handed to a guest. Its clones share one descriptor.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Blob {
    /// Where the bytes are; the blob's own, so they outlive the `VkDeviceMemory` they came from.
    pub storage: BlobStorage,
    /// Bytes behind it, at least what was asked for and a multiple of the host page where we made it.
    pub size: u64,
    /// How to map it.
    pub map_info: MapInfo,
}

/// Where a blob's bytes are.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum BlobStorage {
    /// A memory file: map it.
    Shm(Arc<OwnedFd>),
    /// A dma-buf: map it, or import it into a driver.
    DmaBuf(Arc<OwnedFd>),
    /// A driver's own descriptor. Never map it: `driver::OpaqueMapper` imports it into the same driver and maps that.
    Opaque {
        /// The driver's.
        fd: Arc<OwnedFd>,
        /// What an importer has to know.
        info: VulkanInfo,
    },
    /// Memory of this process, mapped by the driver.
    Pointer(HostMapping),
}

impl Blob {
    /// Storage that somebody else has made, such as another context in another process.
    #[must_use]
    pub fn new(storage: BlobStorage, size: u64, map_info: MapInfo) -> Self {
        Self { storage, size, map_info }
    }

    /// What the storage is.
    #[must_use]
    pub fn kind(&self) -> BlobKind {
        match self.storage {
            BlobStorage::Shm(_) => BlobKind::Shm,
            BlobStorage::DmaBuf(_) => BlobKind::DmaBuf,
            BlobStorage::Opaque { .. } => BlobKind::Opaque,
            BlobStorage::Pointer(_) => BlobKind::Pointer,
        }
    }

    /// The descriptor, if it is one that its receiver may map.
    #[must_use]
    pub fn mappable_fd(&self) -> Option<BorrowedFd<'_>> {
        match &self.storage {
            BlobStorage::Shm(fd) | BlobStorage::DmaBuf(fd) => Some(fd.as_fd()),
            BlobStorage::Opaque { .. } | BlobStorage::Pointer(_) => None,
        }
    }

    /// Maps the storage, or tells where it is mapped already. A driver's own descriptor is refused: see
    /// [`BlobStorage::Opaque`].
    pub fn map(&self) -> Result<HostMapping, HostError> {
        match &self.storage {
            BlobStorage::Shm(fd) | BlobStorage::DmaBuf(fd) => {
                Mapping::new(fd.as_fd(), self.size).map(|mapping| HostMapping(Arc::new(mapping)))
            }
            BlobStorage::Pointer(memory) => Ok(memory.clone()),
            BlobStorage::Opaque { .. } => {
                Err(HostError::Unsupported("a driver's own descriptor is not mapped, but imported into Vulkan".into()))
            }
        }
    }

    /// The blob of a memory file.
    pub(crate) fn of_file(file: MemoryFile) -> Self {
        let size = file.size();
        // Pages of a memory file are ordinary cached memory for the CPU, whatever a driver calls their type.
        Self { storage: BlobStorage::Shm(file.into()), size, map_info: MapInfo::Cached }
    }
}

/// A blob's bytes in the address space of this process, for as long as this or a clone of it lives: freeing the
/// guest's memory, dropping its resource or its context does not unmap it.
#[derive(Debug, Clone)]
pub struct HostMapping(Arc<Mapping>);

/// A [`HostMapping`] that is not kept alive by this.
#[derive(Debug, Clone, Default)]
pub(crate) struct WeakMapping(Weak<Mapping>);

impl WeakMapping {
    /// The mapping, if it is still there.
    pub(crate) fn upgrade(&self) -> Option<HostMapping> {
        self.0.upgrade().map(HostMapping)
    }
}

impl HostMapping {
    /// Memory of an embedder's own.
    ///
    /// # Errors
    ///
    /// It is empty, or does not begin with a host page.
    pub fn from_memory(memory: Arc<dyn HostMemory>) -> Result<Self, HostError> {
        let (address, size) = (memory.address(), memory.size());
        let page = host_page_size();
        let is_aligned = u64::try_from(address.addr().get()).is_ok_and(|address| address.is_multiple_of(page));
        if size == 0 || !is_aligned {
            let reason = format!("{size} bytes at {address:p} are not memory that begins with a page of {page} bytes");
            return Err(HostError::fatal("import memory", reason));
        }
        Ok(Self::of(memory))
    }

    /// Memory that somebody else has mapped.
    pub(crate) fn of(memory: Arc<dyn HostMemory>) -> Self {
        Self(Arc::new(Mapping::borrowed(memory)))
    }

    /// Memory that is mapped here.
    pub(crate) fn shared(mapping: Arc<Mapping>) -> Self {
        Self(mapping)
    }

    /// What a resource of plain shared memory holds.
    pub(crate) fn into_shared(self) -> Arc<Mapping> {
        self.0
    }

    /// What leads to it as long as somebody else keeps it.
    pub(crate) fn downgrade(&self) -> WeakMapping {
        WeakMapping(Arc::downgrade(&self.0))
    }

    /// Where it begins: the start of a host page. The guest may write there at any time.
    #[must_use]
    pub fn address(&self) -> NonNull<u8> {
        self.0.address()
    }

    /// Bytes mapped, a multiple of the host page.
    #[must_use]
    pub fn size(&self) -> usize {
        self.0.size()
    }

    /// Copies bytes out.
    pub fn copy_out(&self, offset: usize, private: &mut [u8]) -> Result<(), HostError> {
        self.0.copy_out(offset, private).map_err(|error| HostError::fatal("read mapped memory", error.to_string()))
    }

    /// Copies bytes in.
    pub fn copy_in(&self, offset: usize, private: &[u8]) -> Result<(), HostError> {
        self.0.copy_in(offset, private).map_err(|error| HostError::fatal("write mapped memory", error.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_drivers_own_descriptor_is_never_mapped() {
        let file = MemoryFile::create(4096).unwrap();
        let info =
            VulkanInfo { device_uuid: [1; 16], driver_uuid: [2; 16], allocation_size: 4096, memory_type_index: 0 };
        let storage = BlobStorage::Opaque { fd: file.into(), info };
        let blob = Blob { storage, size: 4096, map_info: MapInfo::Cached };
        assert_eq!(blob.kind(), BlobKind::Opaque);
        assert!(blob.mappable_fd().is_none());
        assert!(blob.map().is_err());
        assert!(blob.clone().mappable_fd().is_none());
    }

    /// Memory whose address and size are a test's.
    #[derive(Debug)]
    struct Somewhere(HostMapping, usize, usize);

    // SAFETY: the tests below give what the trait asks for, or do not get as far as an access.
    #[expect(unsafe_code, reason = "an embedder's memory is its word")]
    unsafe impl HostMemory for Somewhere {
        fn address(&self) -> NonNull<u8> {
            self.0.address().map_addr(|address| address.saturating_add(self.1))
        }

        fn size(&self) -> usize {
            self.2
        }
    }

    #[test]
    fn an_embedders_memory_begins_with_a_page() {
        let pages = Blob::of_file(MemoryFile::create(2 * host_page_size()).unwrap()).map().unwrap();
        let page = pages.size() / 2;
        let take = |offset, size| HostMapping::from_memory(Arc::new(Somewhere(pages.clone(), offset, size)));
        assert!(take(64, page).is_err() && take(0, 0).is_err());
        let memory = take(page, 100).unwrap();
        memory.copy_in(96, b"ours").unwrap();
        assert!(memory.copy_in(97, b"ours").is_err());
        let mut seen = [0; 4];
        pages.copy_out(page + 96, &mut seen).unwrap();
        assert_eq!(&seen, b"ours");
    }

    #[test]
    fn a_blob_can_be_mapped_twice_and_outlived() {
        let blob = Blob::of_file(MemoryFile::create(4096).unwrap());
        let (one, other) = (blob.map().unwrap(), blob.clone().map().unwrap());
        drop(blob);
        one.copy_in(4092, b"both").unwrap();
        drop(one);
        let mut seen = [0; 4];
        other.copy_out(4092, &mut seen).unwrap();
        assert_eq!(&seen, b"both");
        assert!(other.copy_out(other.size(), &mut seen).is_err());
    }
}
