//! Memory that guest and host share, by resource id.
//!
//! A resource owns its storage through descriptors and reference-counted mappings, so the guest may drop the resource,
//! the `VkDeviceMemory` behind it, or both in any order: whoever still uses the storage keeps it alive. Nothing outside
//! [`mapping`] touches shared bytes, and nobody ever has a `&[u8]` over them: they change under our hands, so they are
//! copied out once and then looked at.
//!
//! | file | what |
//! |---|---|
//! | [`file`] | memory files: anonymous, sealed, sized in host pages |
//! | [`mapping`] | a mapped memory file, and the only raw access to it |
//! | [`table`] | ids to resources |

pub(crate) mod file;
pub(crate) mod mapping;
pub(crate) mod table;

use std::{fmt, os::fd::OwnedFd, sync::Arc};

pub use self::file::host_page_size;
pub(crate) use self::{file::MemoryFile, mapping::Mapping, table::Table};

/// A resource's number: chosen by whoever creates it (the vtest server, a VMM's guest), non-zero, unique in its
/// context.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ResourceId(pub u32);

impl fmt::Display for ResourceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// What a descriptor of a resource is, which decides what its receiver may do with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BlobKind {
    /// A memory file: map it.
    Shm,
    /// A dma-buf: map it, or import it into a driver.
    DmaBuf,
    /// A driver's own: import it into the same driver. Never map it, its first bytes may be a private header.
    Opaque,
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

/// Flags of a create-blob request, as they travel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BlobFlags(pub u32);

impl BlobFlags {
    /// The guest wants to map it.
    pub const MAPPABLE: Self = Self(1);
    /// The guest wants to hand it to other processes.
    pub const SHAREABLE: Self = Self(2);
    /// The guest wants to hand it to other devices, so it has to be a dma-buf.
    pub const CROSS_DEVICE: Self = Self(4);

    /// Whether all bits of `other` are set.
    #[must_use]
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }
}

/// Storage that can be handed to a guest.
#[derive(Debug)]
pub struct Blob {
    /// The descriptor; the blob's own, so the storage outlives the `VkDeviceMemory` it came from.
    pub fd: OwnedFd,
    /// What the descriptor is.
    pub kind: BlobKind,
    /// Bytes behind it, at least what was asked for and a multiple of the host page where we made it.
    pub size: u64,
    /// How to map it.
    pub map_info: MapInfo,
}

/// A resource of one context.
#[derive(Debug)]
pub(crate) struct Resource {
    pub(crate) id: ResourceId,
    /// Bytes the guest asked for: the bound of every range it names.
    pub(crate) size: u64,
    pub(crate) storage: Storage,
}

/// Where a resource's bytes are.
#[derive(Debug)]
pub(crate) enum Storage {
    /// Plain shared memory (`blob_id` 0), mapped here: rings, command uploads and replies live in it. The only kind
    /// whose bytes we touch.
    Shmem(Arc<Mapping>),
    /// Exported from a `VkDeviceMemory`: only the driver and the guest touch it.
    Memory(Blob),
}

impl Resource {
    /// The mapping, if this is plain shared memory.
    pub(crate) fn mapping(&self) -> Option<&Arc<Mapping>> {
        match &self.storage {
            Storage::Shmem(mapping) => Some(mapping),
            Storage::Memory(_) => None,
        }
    }
}
