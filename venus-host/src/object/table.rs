//! The table of ids.
//!
//! | who | does | lock |
//! |---|---|---|
//! | decoder | [`HandleResolver::resolve`], for every handle that `cache.rs` does not remember | read, for one hash lookup |
//! | creating handlers | [`Table::insert`], after the driver call succeeded | write |
//! | destroying handlers | [`Table::remove`] and relatives, then [`Table::retire`] | write; freeing is outside of it |
//!
//! The lock of `phantoms.rs` is taken last, and never held while another one is taken.
//!
//! An id appears after its object exists and disappears before its object is freed, so whoever resolves it holds a live
//! handle until the end of its command (`reclaim.rs` sees to that).

mod error;
mod insertion;
mod phantom;
mod removal;

use std::{
    collections::BTreeMap,
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    time::Duration,
};

use hashbrown::{HashMap, HashSet};
use parking_lot::{RwLock, RwLockWriteGuard};
use venus_protocol::{
    vk,
    wire::{HandleError, HandleResolver},
};

use self::removal::removed;
pub(crate) use self::{error::TableError, phantom::Missed};
use super::{
    CachedResolver, ResolveCache,
    class::{Uses, class, pool_of, teardown_rank},
    phantoms::{Cause, PhantomView, Phantoms},
    reclaim::{Presence, Reclaim},
    removals::Removals,
    restricted::RestrictedPools,
    tombstones::{Fate, Tombstone, Tombstones},
};
use crate::driver;

type Map = HashMap<u64, Entry, foldhash::fast::RandomState>;

/// What a pool has given out. Boxed where it is used: one object in a thousand is a pool, and the others should not
/// grow.
pub(crate) type PooledIds = HashSet<u64, foldhash::fast::RandomState>;

/// Ids of pools by type, device and driver handle.
type Pools = HashMap<(i32, u64, u64), u64, foldhash::fast::RandomState>;

/// How long freeing a pooled object waits for other endpoints to finish their commands. Those are short; one that takes
/// this long is stuck in the driver, and freeing under it is not an option.
const POOLED_FREE_LIMIT: Duration = Duration::from_secs(10);

/// What an object is to the host, beyond a handle to pass on.
#[derive(Debug)]
pub(crate) enum Detail {
    /// Nothing: the handle says it all.
    Plain,
    /// Caches of the physical device.
    PhysicalDevice(Arc<driver::PhysicalDevice>),
    /// Entry points, queues, strategies.
    Device(Arc<driver::Device>),
    /// Size and storage of the allocation.
    Memory(Arc<driver::Memory>),
    /// The ids of what was allocated from the pool.
    Pool(Box<PooledIds>),
    /// What a query pool has.
    Queries(Queries),
}

/// What a query pool has.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Queries {
    pub(crate) count: u32,
    /// How many numbers each of them answers.
    pub(crate) numbers: u32,
}

/// One object.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) kind: vk::ObjectType,
    raw: u64,
    /// Id of the device it belongs to; 0 for instances and physical devices.
    pub(super) device: u64,
    /// Id of the pool it was allocated from, else 0.
    pub(super) pool: u64,
    detail: Detail,
}

/// What decoding a command needs to know of an object.
#[derive(Debug, Clone, Copy)]
pub(super) struct Found {
    /// The driver's handle.
    pub(super) raw: u64,
    /// Id of the device that it is or belongs to; 0 for instances and physical devices.
    pub(super) device: u64,
}

/// An object to be registered.
#[derive(Debug)]
pub(crate) struct NewObject {
    pub(super) id: u64,
    pub(super) kind: vk::ObjectType,
    pub(super) raw: u64,
    /// Id of its device, 0 if it has none.
    pub(super) device: u64,
    /// Id of its pool, 0 if it has none.
    pub(super) pool: u64,
    pub(super) detail: Detail,
}

impl NewObject {
    /// An object that belongs to no device or pool and is nothing beyond its handle.
    pub(crate) fn new<H: vk::Handle>(id: u64, handle: H) -> Self {
        Self { id, kind: H::TYPE, raw: handle.as_raw(), device: 0, pool: 0, detail: Detail::Plain }
    }

    /// The same, as an object of a device.
    pub(crate) fn of_device(self, device: u64) -> Self {
        Self { device, ..self }
    }

    /// The same, and more than its handle.
    pub(crate) fn with(self, detail: Detail) -> Self {
        Self { detail, ..self }
    }
}

/// An object that is no longer in the table and has yet to be freed.
#[derive(Debug)]
pub(crate) struct Removed {
    pub(crate) id: u64,
    pub(crate) kind: vk::ObjectType,
    pub(crate) raw: u64,
    pub(crate) detail: Detail,
}

/// All objects of one context.
pub(crate) struct Table {
    map: RwLock<Map>,
    /// An allocation names its pool inside a structure, where the decoder has already put the driver's handle: this
    /// leads back to the id.
    pools: RwLock<Pools>,
    reclaim: Reclaim,
    tombstones: Tombstones,
    phantoms: Phantoms,
    /// How many objects there may be.
    most: usize,
    pub(super) restricted: RestrictedPools,
    /// How many of the objects are devices.
    devices: AtomicUsize,
    /// How often something was removed or replaced; see [`Table::removals`].
    removals: Removals,
    /// Moves whenever a device or a restricted pool appears or disappears, so that a cached device can be trusted by
    /// looking at a number.
    pub(super) device_generation: AtomicU64,
}

impl Table {
    /// A table for up to `most` objects.
    pub(crate) fn holding(most: usize) -> Self {
        Self {
            map: RwLock::default(),
            pools: RwLock::default(),
            reclaim: Reclaim::new(),
            tombstones: Tombstones::default(),
            phantoms: Phantoms::default(),
            most,
            restricted: RestrictedPools::default(),
            devices: AtomicUsize::new(0),
            removals: Removals::default(),
            device_generation: AtomicU64::new(0),
        }
    }

    /// The ids of all devices.
    pub(crate) fn device_ids(&self) -> Vec<u64> {
        self.map.read().iter().filter(|(_, entry)| entry.kind == vk::ObjectType::DEVICE).map(|(&id, _)| id).collect()
    }

    /// Takes everything that is left out of the table: instance and physical devices, once the devices are gone.
    pub(crate) fn clear(&self) {
        let mut map = self.unlink();
        map.clear();
        self.phantoms.clear();
        self.devices.store(0, Ordering::Relaxed);
    }

    /// Replaces the driver's handle behind `id`, which keeps its type and owner. Answers the former handle.
    pub(crate) fn replace(&self, kind: vk::ObjectType, id: u64, raw: u64) -> Result<u64, TableError> {
        let mut map = self.unlink();
        let entry = map.get_mut(&id).filter(|entry| entry.kind == kind);
        let entry = entry.ok_or(TableError::Unknown { kind, id })?;
        Ok(std::mem::replace(&mut entry.raw, raw))
    }

    /// Whether the id is one that the guest believes in without an object.
    pub(crate) fn is_phantom(&self, id: u64) -> bool {
        self.phantoms.cause(id).is_some()
    }

    /// What became of the id, which leads nowhere, as a clause for the log.
    #[cold]
    pub(crate) fn fate_of(&self, id: u64) -> String {
        if let Some(cause) = self.phantoms.cause(id) {
            return cause.to_string();
        }
        match self.tombstones.find(id) {
            Some(tombstone) => tombstone.to_string(),
            None if self.tombstones.is_complete() => "no object has ever had this id".to_owned(),
            None => "it was destroyed long ago, or never created".to_owned(),
        }
    }

    /// The driver's handle behind `id`, which must be of type `kind`.
    pub(crate) fn lookup(&self, kind: vk::ObjectType, id: u64) -> Option<u64> {
        self.map.read().get(&id).filter(|entry| entry.kind == kind).map(|entry| entry.raw)
    }

    /// The id of the pool that the driver calls `raw`.
    pub(crate) fn pool_id(&self, kind: vk::ObjectType, device: u64, raw: u64) -> Option<u64> {
        self.pools.read().get(&(kind.as_raw(), device, raw)).copied()
    }

    /// The physical device `id`.
    pub(crate) fn physical_device(&self, id: u64) -> Option<Arc<driver::PhysicalDevice>> {
        self.detail(
            id,
            |detail| {
                if let Detail::PhysicalDevice(found) = detail { Some(Arc::clone(found)) } else { None }
            },
        )
    }

    /// The allocation `id`.
    pub(crate) fn memory(&self, id: u64) -> Option<Arc<driver::Memory>> {
        self.detail(id, |detail| if let Detail::Memory(found) = detail { Some(Arc::clone(found)) } else { None })
    }

    /// What the query pool `id` has, which the driver calls `raw`.
    pub(crate) fn queries(&self, id: u64, raw: u64) -> Option<Queries> {
        let map = self.map.read();
        let entry = map.get(&id).filter(|entry| entry.raw == raw)?;
        if let Detail::Queries(queries) = entry.detail { Some(queries) } else { None }
    }

    /// The device that `id` is or belongs to.
    pub(crate) fn device_of(&self, id: u64) -> Option<Arc<driver::Device>> {
        let map = self.map.read();
        let entry = map.get(&id)?;
        let entry = if entry.kind == vk::ObjectType::DEVICE { entry } else { map.get(&entry.device)? };
        if let Detail::Device(found) = &entry.detail { Some(Arc::clone(found)) } else { None }
    }

    /// The object `id`, which must be of type `kind`.
    #[inline]
    pub(super) fn find(&self, kind: vk::ObjectType, id: u64) -> Result<Found, HandleError> {
        let map = self.map.read();
        match map.get(&id) {
            Some(entry) if entry.kind == kind => {
                let device = if kind == vk::ObjectType::DEVICE { id } else { entry.device };
                Ok(Found { raw: entry.raw, device })
            }
            Some(entry) => Err(HandleError::WrongType(entry.kind)),
            None => Err(self.unresolved(kind, id)),
        }
    }

    /// A number that changes before anything is removed or replaced.
    #[inline]
    pub(crate) fn removals(&self) -> u64 {
        self.removals.count()
    }

    /// The table with an endpoint's memory in front of it.
    pub(crate) fn cached<'a>(&'a self, cache: &'a ResolveCache) -> CachedResolver<'a> {
        CachedResolver { table: self, cache }
    }

    /// The pool that the object `id` was allocated from.
    pub(super) fn pool_of(&self, id: u64) -> Option<u64> {
        self.map.read().get(&id).map(|entry| entry.pool)
    }

    /// A number that changes whenever a device or a restricted pool appears or disappears.
    #[inline]
    pub(crate) fn device_generation(&self) -> u64 {
        self.device_generation.load(Ordering::Acquire)
    }

    /// How many devices there are.
    pub(crate) fn device_count(&self) -> usize {
        self.devices.load(Ordering::Relaxed)
    }

    /// How many objects there are of each type, in the order of the types' numbers.
    pub(crate) fn count_by_type(&self) -> Vec<(vk::ObjectType, u64)> {
        let mut counts = BTreeMap::<i32, u64>::new();
        let mut count = |kind: vk::ObjectType| {
            let count = counts.entry(kind.as_raw()).or_default();
            *count = count.saturating_add(1);
        };
        self.map.read().values().for_each(|entry| count(entry.kind));
        self.phantoms.for_each_aside(count);
        counts.into_iter().map(|(kind, count)| (vk::ObjectType::from_raw(kind), count)).collect()
    }

    /// How many objects there are.
    pub(crate) fn len(&self) -> usize {
        self.map.read().len().saturating_add(self.phantoms.objects())
    }

    /// Adds an endpoint. See [`Reclaim`].
    pub(crate) fn register(&self) -> Presence {
        self.reclaim.register()
    }

    /// An endpoint starts to decode. See [`Reclaim::enter`].
    pub(crate) fn enter(&self, presence: &mut Presence) {
        self.reclaim.enter(presence);
    }

    /// An endpoint has finished a command. See [`Reclaim::boundary`].
    #[inline]
    pub(crate) fn boundary(&self, presence: &mut Presence) {
        self.reclaim.boundary(presence);
    }

    /// An endpoint stops decoding. See [`Reclaim::leave`].
    pub(crate) fn leave(&self, presence: &mut Presence) {
        self.reclaim.leave(presence);
    }

    /// Does something that may take long and uses nothing but objects of `uses`.
    pub(crate) fn long<R>(&self, presence: &Presence, uses: Uses, work: impl FnOnce() -> R) -> R {
        self.reclaim.begin_long(presence, uses);
        let result = work();
        self.reclaim.end_long(presence);
        result
    }

    /// Frees an object of `kind` that was just removed, once no other endpoint can be using it.
    pub(crate) fn retire(&self, presence: &Presence, kind: vk::ObjectType, free: impl FnOnce() + Send + 'static) {
        self.reclaim.retire(presence, class(kind), free);
    }

    /// Waits until no other endpoint can be using the pooled objects that were just removed.
    pub(crate) fn wait_for_others(&self, presence: &Presence) -> Result<(), TableError> {
        if self.reclaim.wait_for_others(presence, POOLED_FREE_LIMIT) { Ok(()) } else { Err(TableError::Busy) }
    }

    /// Frees everything that still waits to be freed. Only when no endpoint runs any more.
    pub(crate) fn free_all(&self) {
        self.reclaim.free_all();
    }

    /// The map, for somebody who is going to remove or replace something: whoever remembers what it resolved forgets
    /// it.
    fn unlink(&self) -> RwLockWriteGuard<'_, Map> {
        let map = self.map.write();
        self.removals.note();
        map
    }

    fn detail<T>(&self, id: u64, pick: impl FnOnce(&Detail) -> Option<T>) -> Option<T> {
        self.map.read().get(&id).and_then(|entry| pick(&entry.detail))
    }
}

impl HandleResolver for Table {
    #[inline]
    fn resolve(&self, kind: vk::ObjectType, id: u64) -> Result<u64, HandleError> {
        self.find(kind, id).map(|found| found.raw)
    }
}

impl fmt::Debug for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Table").field("objects", &self.len()).field("reclaim", &self.reclaim).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
