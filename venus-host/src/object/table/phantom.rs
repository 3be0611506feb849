//! What the table knows of ids without an object that could be used: see `phantoms.rs`.

use std::collections::BTreeSet;

use super::*;
use crate::object::phantoms::Phantom;

/// What a descriptor set misses.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Missed {
    pub(crate) set: u64,
    pub(crate) cause: Cause,
    pub(crate) bindings: BTreeSet<u32>,
}

impl Table {
    /// Writes down that the driver could not make what the guest will call `ids`, of the device `device`.
    #[cold]
    pub(crate) fn record_uncreated(&self, kind: vk::ObjectType, device: u64, ids: &[u64], cause: Cause) {
        self.phantoms.record(kind, device, ids, cause);
    }

    /// What is known of an id that has no object of type `kind`; `None` if nothing is, or it has another object.
    #[cold]
    pub(crate) fn phantom(&self, kind: vk::ObjectType, id: u64) -> Option<PhantomView> {
        if self.map.read().contains_key(&id) { None } else { self.phantom_of(kind, id) }
    }

    /// As [`Table::phantom`], for whoever knows that the id has no object.
    #[cold]
    pub(super) fn phantom_of(&self, kind: vk::ObjectType, id: u64) -> Option<PhantomView> {
        self.phantoms.find(kind, id, self.tombstones.find(id).is_some())
    }

    /// Whether the log has yet to tell of the id, which it does once.
    #[cold]
    pub(crate) fn is_news(&self, id: u64) -> bool {
        self.phantoms.is_news(id)
    }

    /// Why an id does not resolve that has no object.
    #[cold]
    pub(super) fn unresolved(&self, kind: vk::ObjectType, id: u64) -> HandleError {
        if self.phantom_of(kind, id).is_some() { HandleError::Phantom } else { HandleError::Unknown }
    }

    /// Sets an object aside, which must not be used before [`Table::restore`]. False if `id` is no longer of type `kind`,
    /// or of another device than `device`, where that is given: another ring may have given it to something else.
    #[cold]
    pub(crate) fn set_aside(&self, kind: vk::ObjectType, id: u64, device: Option<u64>, cause: Cause) -> bool {
        let mut map = self.unlink();
        let is_meant = |entry: &Entry| entry.kind == kind && device.is_none_or(|device| entry.device == device);
        if !map.get(&id).is_some_and(is_meant) {
            return false;
        }
        let Some(entry) = map.remove(&id) else { return false };
        self.phantoms.set_aside(id, entry, cause);
        true
    }

    /// Takes an object that was set aside back into use, and answers the driver's handle.
    #[cold]
    pub(crate) fn restore(&self, kind: vk::ObjectType, id: u64) -> Option<u64> {
        self.take_back(kind, id).map(|(raw, _)| raw)
    }

    /// As [`Table::restore`], of a descriptor set that misses something. Answers which bindings, and why.
    #[cold]
    pub(crate) fn restore_set(&self, id: u64) -> Option<Missed> {
        let (_, Phantom { cause, missed, .. }) = self.take_back(vk::ObjectType::DESCRIPTOR_SET, id)?;
        Some(Missed { set: id, cause, bindings: missed })
    }

    fn take_back(&self, kind: vk::ObjectType, id: u64) -> Option<(u64, Phantom)> {
        let mut map = self.map.write();
        if self.phantoms.aside(id) != Some(kind) {
            return None;
        }
        let mut phantom = self.phantoms.take(kind, id)?;
        let entry = phantom.entry.take()?;
        let raw = entry.raw;
        map.insert(id, entry);
        Some((raw, phantom))
    }

    /// Sets a descriptor set aside, or leaves it there, until the bindings are written. Nothing if there are none.
    #[cold]
    pub(crate) fn miss(&self, device: Option<u64>, missed: &Missed) {
        if !missed.bindings.is_empty() {
            self.set_aside(vk::ObjectType::DESCRIPTOR_SET, missed.set, device, missed.cause);
            self.phantoms.miss(missed.set, &missed.bindings);
        }
    }

    /// Takes everything back into use that was allocated from the pool `pool` and set aside.
    pub(crate) fn restore_pooled(&self, pool: u64) {
        if self.phantoms.is_empty() {
            return;
        }
        let mut map = self.map.write();
        for (id, phantom) in self.phantoms.take_all(|phantom| phantom.is_of_pool(pool)) {
            if let Some(entry) = phantom.entry {
                map.insert(id, entry);
            }
        }
    }

    /// As [`Table::remove`], for an id without an object: nothing is left of it but, where an object was set aside,
    /// that.
    #[cold]
    pub(super) fn remove_phantom(
        &self,
        kind: vk::ObjectType,
        id: u64,
        device: u64,
    ) -> Result<Option<Removed>, TableError> {
        if self.phantom_of(kind, id).is_none() {
            return Err(TableError::Unknown { kind, id });
        }
        if self.phantoms.device(id).is_some_and(|owner| owner != device) {
            return Err(TableError::OtherDevice { kind, id, device });
        }
        let Some(phantom) = self.phantoms.take(kind, id) else { return Ok(None) };
        self.tombstones.record([Tombstone { id, kind, fate: Fate::Destroyed }]);
        Ok(phantom.entry.map(|entry| removed(id, entry)))
    }

    /// Forgets an id without an object.
    #[cold]
    pub(crate) fn forget_phantom(&self, kind: vk::ObjectType, id: u64) {
        if self.phantoms.aside(id).is_none() {
            self.phantoms.take(kind, id);
        }
    }

    /// Fails if one of the ids has an object that is set aside.
    pub(super) fn require_unused(&self, ids: &[u64]) -> Result<(), TableError> {
        match ids.iter().find_map(|&id| Some((id, self.phantoms.aside(id)?))) {
            None => Ok(()),
            Some((id, by)) => Err(TableError::IdInUse { id, by }),
        }
    }
}
