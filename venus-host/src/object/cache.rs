//! An endpoint's memory of what it resolved last.
//!
//! A run of commands names the same few objects again and again: the command buffer in each of them, its pipeline
//! layout, a handful of sets and buffers. Asking the table costs two atomic operations on a lock that all endpoints
//! share; asking here costs a load and two compares.
//!
//! What is remembered is good as long as nothing was removed from the table, which a counter tells
//! ([`Table::removals`]). Whoever removes an object moves the counter first and looks at the endpoints' presence
//! second; an endpoint announces its presence first and looks at the counter second. All four are `SeqCst`, so at least
//! one of the two sees the other: either the endpoint forgets, or the remover waits with freeing (`reclaim.rs`).

use std::{cell::Cell, fmt};

use venus_protocol::{
    vk,
    wire::{HandleError, HandleResolver},
};

use super::{Table, table::Found};

/// Objects remembered. Ids are mostly consecutive, so their low bits spread well.
const SLOTS: usize = 64;
const _: () = assert!(SLOTS.is_power_of_two());

/// The bits of an id that choose its slot.
const SLOT_MASK: usize = SLOTS - 1;

#[derive(Clone, Copy)]
struct Slot {
    /// 0 for none: no object has this id.
    id: u64,
    kind: vk::ObjectType,
    found: Found,
}

const EMPTY: Slot = Slot { id: 0, kind: vk::ObjectType::UNKNOWN, found: Found { raw: 0, device: 0 } };

/// What one endpoint remembers. Belongs to the endpoint's thread.
pub(crate) struct ResolveCache {
    /// The table's counter when this was last known to be right.
    removals: Cell<u64>,
    /// `Table::device_generation` when the devices were last counted.
    generation: Cell<u64>,
    /// There are several devices, so that it matters which one an object belongs to.
    has_several: Cell<bool>,
    /// The device that the objects of the current command must belong to; 0 for any.
    device: Cell<u64>,
    slots: [Cell<Slot>; SLOTS],
}

impl Default for ResolveCache {
    fn default() -> Self {
        Self {
            removals: Cell::new(0),
            generation: Cell::new(0),
            has_several: Cell::new(false),
            device: Cell::new(0),
            slots: [const { Cell::new(EMPTY) }; SLOTS],
        }
    }
}

impl ResolveCache {
    fn forget(&self, removals: u64) {
        for slot in &self.slots {
            slot.set(EMPTY);
        }
        self.removals.set(removals);
    }

    /// The slot that would remember `id`.
    fn slot(&self, id: u64) -> Option<&Cell<Slot>> {
        // Of the id's low bits, so that nothing is lost where an address is shorter.
        let low = usize::try_from(id & u64::from(u32::MAX)).unwrap_or_default();
        self.slots.get(low & SLOT_MASK)
    }
}

impl fmt::Debug for ResolveCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResolveCache").field("removals", &self.removals).finish_non_exhaustive()
    }
}

/// The table as one endpoint sees it. The endpoint must be online (`Table::enter`) while it uses this.
#[derive(Debug)]
pub(crate) struct CachedResolver<'a> {
    pub(super) table: &'a Table,
    pub(super) cache: &'a ResolveCache,
}

impl CachedResolver<'_> {
    #[inline]
    fn find(&self, kind: vk::ObjectType, id: u64) -> Result<Found, HandleError> {
        if self.table.removals() == self.cache.removals.get()
            && let Some(known) = self.cache.slot(id).map(Cell::get)
            && known.id == id
            && known.kind == kind
        {
            return Ok(known.found);
        }
        self.look_up(kind, id)
    }

    /// Asks the table, and remembers what it says. Not inline, since most commands name what the one before has named, and
    /// what is needed here would be saved and restored for each.
    #[inline(never)]
    fn look_up(&self, kind: vk::ObjectType, id: u64) -> Result<Found, HandleError> {
        let removals = self.table.removals();
        if removals != self.cache.removals.get() {
            self.cache.forget(removals);
        }
        let found = self.table.find(kind, id)?;
        if let Some(slot) = self.cache.slot(id) {
            slot.set(Slot { id, kind, found });
        }
        Ok(found)
    }

    /// Whether there are several devices.
    #[inline]
    fn has_several_devices(&self) -> bool {
        let generation = self.table.device_generation();
        if generation != self.cache.generation.get() {
            self.count_devices(generation);
        }
        self.cache.has_several.get()
    }

    /// One has appeared or gone.
    #[cold]
    fn count_devices(&self, generation: u64) {
        self.cache.generation.set(generation);
        self.cache.has_several.set(self.table.device_count() > 1);
    }
}

impl HandleResolver for CachedResolver<'_> {
    #[inline]
    fn resolve(&self, kind: vk::ObjectType, id: u64) -> Result<u64, HandleError> {
        let found = self.find(kind, id)?;
        let wanted = self.cache.device.get();
        if wanted != 0 && found.device != 0 && found.device != wanted {
            return Err(HandleError::OtherDevice);
        }
        Ok(found.raw)
    }

    /// With one device, which nearly every guest has, there is nothing to compare.
    #[inline]
    fn resolve_owner(&self, kind: vk::ObjectType, id: u64) -> Result<u64, HandleError> {
        let found = self.find(kind, id)?;
        self.cache.device.set(if self.has_several_devices() { found.device } else { 0 });
        Ok(found.raw)
    }
}

/// As [`CachedResolver`], for the second look at a command that names phantoms: those are null handles, and so is what
/// should not be one.
#[derive(Debug)]
pub(crate) struct LenientResolver<'a>(pub(crate) CachedResolver<'a>);

impl HandleResolver for LenientResolver<'_> {
    #[cold]
    fn resolve(&self, kind: vk::ObjectType, id: u64) -> Result<u64, HandleError> {
        null_for_phantom(self.0.resolve(kind, id))
    }

    #[cold]
    fn resolve_owner(&self, kind: vk::ObjectType, id: u64) -> Result<u64, HandleError> {
        null_for_phantom(self.0.resolve_owner(kind, id))
    }

    fn resolve_null(&self, _kind: vk::ObjectType) -> Result<u64, HandleError> {
        Ok(0)
    }
}

fn null_for_phantom(resolved: Result<u64, HandleError>) -> Result<u64, HandleError> {
    match resolved {
        Err(HandleError::Phantom) => Ok(0),
        resolved => resolved,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::object::{Detail, NewObject};

    fn buffer(id: u64) -> NewObject {
        NewObject { id, kind: vk::ObjectType::BUFFER, raw: id + 0x1000, device: 1, pool: 0, detail: Detail::Plain }
    }

    /// A table with the device that the buffers belong to.
    fn table() -> Table {
        let table = Table::holding(1000);
        table.insert(NewObject { kind: vk::ObjectType::DEVICE, device: 0, ..buffer(1) }).unwrap();
        table
    }

    #[test]
    fn it_answers_as_the_table_does() {
        let (table, cache) = (table(), ResolveCache::default());
        let resolver = table.cached(&cache);
        table.insert(buffer(7)).unwrap();
        // Two ids that share a slot.
        table.insert(buffer(7 + SLOTS as u64)).unwrap();
        for _ in 0..3 {
            for id in [7, 7 + SLOTS as u64] {
                assert_eq!(resolver.resolve(vk::ObjectType::BUFFER, id), Ok(id + 0x1000));
            }
        }
        let wrong = Err(HandleError::WrongType(vk::ObjectType::BUFFER));
        assert_eq!(resolver.resolve(vk::ObjectType::IMAGE, 7), wrong);
        assert_eq!(resolver.resolve(vk::ObjectType::BUFFER, 8), Err(HandleError::Unknown));
    }

    #[test]
    fn objects_of_another_device_are_none() {
        let (table, cache) = (table(), ResolveCache::default());
        let resolver = table.cached(&cache);
        table.insert(buffer(7)).unwrap();
        let device = |id| resolver.resolve_owner(vk::ObjectType::DEVICE, id);
        assert!(device(1).is_ok() && resolver.resolve(vk::ObjectType::BUFFER, 7).is_ok());
        table.insert(NewObject { kind: vk::ObjectType::DEVICE, device: 0, ..buffer(2) }).unwrap();
        assert!(device(2).is_ok());
        assert_eq!(resolver.resolve(vk::ObjectType::BUFFER, 7), Err(HandleError::OtherDevice));
        // A buffer is its device's, as the object that a command acts on and beside it.
        assert!(resolver.resolve_owner(vk::ObjectType::BUFFER, 7).is_ok());
        assert!(resolver.resolve(vk::ObjectType::BUFFER, 7).is_ok());
    }

    #[test]
    fn it_forgets_what_was_removed_or_replaced() {
        let (table, cache) = (table(), ResolveCache::default());
        let resolver = table.cached(&cache);
        table.insert(buffer(7)).unwrap();
        assert!(resolver.resolve(vk::ObjectType::BUFFER, 7).is_ok());
        table.replace(vk::ObjectType::BUFFER, 7, 5).unwrap();
        assert_eq!(resolver.resolve(vk::ObjectType::BUFFER, 7), Ok(5));
        table.remove(vk::ObjectType::BUFFER, 7, 1).unwrap();
        assert_eq!(resolver.resolve(vk::ObjectType::BUFFER, 7), Err(HandleError::Unknown));
        table.insert(buffer(7)).unwrap();
        assert_eq!(resolver.resolve(vk::ObjectType::BUFFER, 7), Ok(0x1007));
    }
}
