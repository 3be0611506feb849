//! Stands in for the host's table: one object, behind the same lock, and the same counter.

use venus_protocol::{vk, wire::HandleError};

use super::{CachedResolver, ResolveCache, reclaim::Reclaim, removals::Removals};
use crate::sync::RwLock;

/// What decoding a command needs to know of an object.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Found {
    pub(super) raw: u64,
    pub(super) device: u64,
}

/// A table of at most one object.
pub(crate) struct Table {
    object: RwLock<Option<u64>>,
    removals: Removals,
    pub(super) reclaim: Reclaim,
}

impl Table {
    /// A table with the object `id`.
    pub(super) fn with(id: u64) -> Self {
        Self { object: RwLock::new(Some(id)), removals: Removals::default(), reclaim: Reclaim::new() }
    }

    pub(super) fn removals(&self) -> u64 {
        self.removals.count()
    }

    pub(super) fn find(&self, _kind: vk::ObjectType, id: u64) -> Result<Found, HandleError> {
        let found = self.object.read().filter(|object| *object == id);
        found.map(|raw| Found { raw, device: 0 }).ok_or(HandleError::Unknown)
    }

    /// Takes the object out, as the host's does.
    pub(super) fn remove(&self) {
        let mut object = self.object.write();
        self.removals.note();
        *object = None;
    }

    pub(super) fn cached<'a>(&'a self, cache: &'a ResolveCache) -> CachedResolver<'a> {
        CachedResolver { table: self, cache }
    }

    pub(super) fn device_generation(&self) -> u64 {
        0
    }

    pub(super) fn device_count(&self) -> usize {
        1
    }
}

impl std::fmt::Debug for Table {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Table").finish_non_exhaustive()
    }
}
