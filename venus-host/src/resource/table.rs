//! Resources by id.
//!
//! The table is read by every endpoint when it names a stream and changed only by the channel that creates and drops
//! resources, so it is a read-mostly map behind a lock that nobody holds for longer than a lookup. Endpoints that use
//! the same resource again and again (reply streams) skip even that: see [`Table::generation`].

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use foldhash::fast::RandomState;
use hashbrown::{HashMap, hash_map::Entry};
use parking_lot::RwLock;

use super::{Resource, ResourceId, Storage, arrivals::Arrivals};
use crate::{
    error::{CREATE_BLOB, HostError},
    limits,
};

/// The resources of one context.
#[derive(Debug, Default)]
pub(crate) struct Table {
    by_id: RwLock<HashMap<ResourceId, Arc<Resource>, RandomState>>,
    generation: AtomicU64,
    /// Those who wait for one.
    arrivals: Arrivals,
}

impl Table {
    /// Waits until a resource is here, or `is_over` says that it need not be waited for any more.
    pub(crate) fn await_arrival(&self, id: ResourceId, is_over: impl Fn() -> bool) {
        self.arrivals.wait(|| self.lookup(id).is_some() || is_over());
    }

    /// Has those look who wait for a resource.
    pub(crate) fn wake(&self) {
        self.arrivals.wake();
    }

    /// Makes a resource known to the endpoints of the context. Fails if the id is taken or there are too many.
    pub(crate) fn insert(&self, resource: Resource) -> Result<Arc<Resource>, HostError> {
        let mut by_id = self.by_id.write();
        if by_id.len() >= limits::RESOURCES {
            return Err(HostError::limit("resources of one context", limits::RESOURCES));
        }
        match by_id.entry(resource.id) {
            Entry::Vacant(vacant) => Ok(Arc::clone(vacant.insert(Arc::new(resource)))),
            Entry::Occupied(_) => Err(HostError::fatal(CREATE_BLOB, format!("resource id {} is in use", resource.id))),
        }
    }

    /// Forgets a resource and returns it. Endpoints that still use its storage keep that alive.
    pub(crate) fn remove(&self, id: ResourceId) -> Option<Arc<Resource>> {
        let removed = self.by_id.write().remove(&id);
        if removed.is_some() {
            self.generation.fetch_add(1, Ordering::Release);
        }
        removed
    }

    /// The resource with this id.
    pub(crate) fn lookup(&self, id: ResourceId) -> Option<Arc<Resource>> {
        self.by_id.read().get(&id).cloned()
    }

    /// How many bytes are plain shared memory, and how many are allocations.
    pub(crate) fn bytes(&self) -> (u64, u64) {
        let by_id = self.by_id.read();
        by_id.values().fold((0, 0), |(plain, memory), resource| match resource.storage {
            Storage::Shmem(_) => (resource.size.saturating_add(plain), memory),
            Storage::Memory(_) => (plain, resource.size.saturating_add(memory)),
        })
    }

    /// Changes whenever an id stops meaning what it meant. Whoever found a resource at one generation may use it again
    /// without a lookup while the generation stays.
    pub(crate) fn generation(&self) -> u64 {
        self.generation.load(Ordering::Acquire)
    }

    /// Forgets everything.
    pub(crate) fn clear(&self) {
        self.by_id.write().clear();
        self.generation.fetch_add(1, Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resource::{MemoryFile, Storage};

    fn shmem(id: u32) -> Resource {
        let mapping = MemoryFile::create(64).unwrap().map().unwrap();
        Resource { id: ResourceId(id), size: 64, storage: Storage::Shmem(Arc::new(mapping)) }
    }

    #[test]
    fn storage_outlives_its_id() {
        let table = Table::default();
        table.insert(shmem(1)).unwrap();
        let user = table.lookup(ResourceId(1)).unwrap();
        let before = table.generation();
        assert!(table.remove(ResourceId(1)).is_some());
        assert!(table.remove(ResourceId(1)).is_none());
        assert_ne!(table.generation(), before);
        assert!(table.lookup(ResourceId(1)).is_none());
        user.mapping().unwrap().copy_in(0, b"still here").unwrap();
    }

    #[test]
    fn an_id_is_used_once() {
        let table = Table::default();
        table.insert(shmem(1)).unwrap();
        assert!(matches!(table.insert(shmem(1)), Err(HostError::Guest(_))));
    }
}
