//! Memory that guest and host share, by resource id.
//!
//! A resource owns its storage through descriptors and reference-counted mappings, so the guest may drop the resource,
//! the `VkDeviceMemory` behind it, or both in any order: whoever still uses the storage keeps it alive. Nothing outside
//! [`mapping`] and [`volatile`] touches shared bytes, and nobody ever has a `&[u8]` over them: they change under our hands,
//! so they are copied out once and then looked at.
//!
//! | file | what |
//! |---|---|
//! | [`blob`] | what is handed to whoever gives the guest its memory |
//! | [`file`] | memory files: anonymous, sealed, sized in host pages |
//! | [`mapping`] | a mapped memory file, and its checked access |
//! | [`volatile`] | the copies of shared bytes |
//! | [`count`] | numbers that two processes see |
//! | [`table`] | ids to resources |

mod arrivals;
pub(crate) mod blob;
mod count;
pub(crate) mod file;
pub(crate) mod mapping;
pub(crate) mod table;
pub mod volatile;

use std::{fmt, sync::Arc};

pub(crate) use self::{blob::WeakMapping, count::SharedCount, file::MemoryFile, mapping::Mapping, table::Table};
pub use self::{
    blob::{Blob, BlobKind, BlobStorage, HostMapping, MapInfo, VulkanInfo},
    file::{host_page_size, try_memory_file},
    mapping::HostMemory,
};

/// A resource's number: chosen by whoever creates it (the vtest server, a VMM's guest), non-zero, unique in its
/// context.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ResourceId(pub u32);

impl fmt::Display for ResourceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
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

    /// Whether a request with these flags and this `blob_id` asks for plain shared memory. Others name a `VkDeviceMemory`.
    #[must_use]
    pub(crate) fn ask_for_plain(self, blob_id: u64) -> bool {
        blob_id == 0 && self == Self::MAPPABLE
    }
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
