//! The device's resources, by id.
//!
//! A resource is the device's, not a context's: contexts know it while it is attached to them, and it stays when they go.

use std::collections::{BTreeMap, BTreeSet};

use super::ContextId;
use crate::{
    HostError,
    error::CREATE_BLOB,
    limits,
    resource::{Blob, BlobKind, ResourceId, WeakMapping},
};

/// A resource.
#[derive(Debug)]
pub(super) struct Resource {
    pub(super) blob: Blob,
    /// Bytes that were asked for.
    pub(super) size: u64,
    /// Its bytes are the host's to read and write, too: rings, replies and streams may lie in it.
    pub(super) is_plain: bool,
    /// The contexts that know it.
    pub(super) attached: BTreeSet<ContextId>,
    /// Where it is in this process, as long as somebody who has asked keeps it.
    pub(super) mapping: WeakMapping,
}

impl Resource {
    /// How many descriptors of this process it has.
    fn descriptors(&self) -> usize {
        usize::from(self.blob.kind() != BlobKind::Pointer)
    }
}

/// All of them.
#[derive(Debug, Default)]
pub(super) struct Resources {
    by_id: BTreeMap<ResourceId, Resource>,
    /// How many of them have a descriptor.
    descriptors: usize,
}

impl Resources {
    /// Fails unless a resource can be made with this id and of so many bytes.
    pub(super) fn check_new(&self, id: ResourceId, size: u64) -> Result<(), HostError> {
        if id.0 == 0 || size == 0 {
            return Err(HostError::fatal(CREATE_BLOB, format!("resource id {id} with {size} bytes")));
        }
        if size > limits::RESOURCE_BYTES {
            return Err(HostError::limit("bytes of one resource", limits::RESOURCE_BYTES));
        }
        if self.by_id.len() >= limits::DEVICE_RESOURCES {
            return Err(HostError::limit("resources of one device", limits::DEVICE_RESOURCES));
        }
        if self.by_id.contains_key(&id) {
            return Err(HostError::fatal(CREATE_BLOB, format!("resource id {id} is in use")));
        }
        Ok(())
    }

    /// Fails if this process, which may have `open_files` descriptors, has none for another resource. So many of resources that
    /// have gone may be `leaving`.
    pub(super) fn check_descriptors(&self, open_files: u64, leaving: usize) -> Result<(), HostError> {
        let most = usize::try_from(open_files.saturating_sub(limits::SPARE_DESCRIPTORS)).unwrap_or(usize::MAX);
        if self.descriptors.saturating_add(leaving) >= most {
            return Err(HostError::limit("descriptors of this process for resources (see ulimit -n)", most));
        }
        Ok(())
    }

    /// Adds one that was checked.
    pub(super) fn insert(&mut self, id: ResourceId, blob: Blob, size: u64, is_plain: bool) -> &mut Resource {
        let made = Resource { blob, size, is_plain, attached: BTreeSet::new(), mapping: WeakMapping::default() };
        self.descriptors = self.descriptors.saturating_add(made.descriptors());
        self.by_id.entry(id).or_insert(made)
    }

    pub(super) fn get(&self, id: ResourceId) -> Option<&Resource> {
        self.by_id.get(&id)
    }

    /// The resource with this id, for whoever is to be told what was wrong.
    pub(super) fn lookup(&mut self, id: ResourceId, command: &'static str) -> Result<&mut Resource, HostError> {
        self.by_id.get_mut(&id).ok_or_else(|| HostError::fatal(command, format!("there is no resource {id}")))
    }

    pub(super) fn remove(&mut self, id: ResourceId) -> Option<Resource> {
        let removed = self.by_id.remove(&id)?;
        self.descriptors = self.descriptors.saturating_sub(removed.descriptors());
        Some(removed)
    }

    /// A context has gone.
    pub(super) fn forget(&mut self, context: ContextId) {
        for resource in self.by_id.values_mut() {
            resource.attached.remove(&context);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resource::{BlobStorage, MapInfo, MemoryFile};

    #[test]
    fn descriptors_are_left_for_everything_else() {
        let mut resources = Resources::default();
        let open_files = limits::SPARE_DESCRIPTORS + 2;
        for id in [1, 2] {
            resources.check_descriptors(open_files, 0).unwrap();
            let blob = Blob::of_file(MemoryFile::create(4096).unwrap());
            resources.insert(ResourceId(id), blob, 4096, true);
        }
        assert!(matches!(resources.check_descriptors(open_files, 0), Err(HostError::Limit { .. })));
        assert!(resources.check_descriptors(open_files + 1, 0).is_ok());
        let pointer = BlobStorage::Pointer(resources.get(ResourceId(1)).unwrap().blob.map().unwrap());
        resources.insert(ResourceId(3), Blob::new(pointer, 4096, MapInfo::Cached), 4096, true);
        assert!(resources.check_descriptors(open_files + 1, 0).is_ok(), "a pointer is no descriptor");
        assert!(resources.remove(ResourceId(3)).is_some() && resources.remove(ResourceId(1)).is_some());
        assert!(resources.remove(ResourceId(1)).is_none());
        assert!(resources.check_descriptors(open_files, 0).is_ok());
        assert!(resources.check_descriptors(open_files, 1).is_err(), "one is leaving");
        assert!(resources.check_descriptors(0, 0).is_err());
    }
}
