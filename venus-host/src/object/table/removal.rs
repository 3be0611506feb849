//! Taking objects out of the table, together with what goes with them.

use super::*;

impl Table {
    /// Takes `id` out of the table, so that no endpoint resolves it any more. It must be of type `kind` and belong to
    /// `device`. `None` if there is nothing to free, because it could not be created.
    pub(crate) fn remove(&self, kind: vk::ObjectType, id: u64, device: u64) -> Result<Option<Removed>, TableError> {
        let mut map = self.unlink();
        let Some(entry) = map.get(&id) else { return self.remove_phantom(kind, id, device) };
        if entry.kind != kind {
            return Err(TableError::Unknown { kind, id });
        }
        if entry.device != device {
            return Err(TableError::OtherDevice { kind, id, device });
        }
        let removed = remove_locked(&mut map, id).ok_or(TableError::Unknown { kind, id })?;
        self.tombstones.record([Tombstone { id, kind, fate: Fate::Destroyed }]);
        Ok(Some(removed))
    }

    /// Takes a pool out of the table together with everything allocated from it. `None` as of [`Table::remove`].
    pub(crate) fn remove_pool(
        &self,
        kind: vk::ObjectType,
        id: u64,
        device: u64,
    ) -> Result<Option<Removed>, TableError> {
        let Some(removed) = self.remove(kind, id, device)? else { return Ok(None) };
        self.pools.write().remove(&(kind.as_raw(), device, removed.raw));
        if self.restricted.forget(|pool, _| pool == id) {
            self.device_generation.fetch_add(1, Ordering::Release);
        }
        if let Detail::Pool(children) = &removed.detail {
            let mut map = self.unlink();
            self.remove_children(&mut map, children, Fate::WithPool(id));
        }
        Ok(Some(removed))
    }

    /// Takes everything allocated from the pool `id` out of the table and leaves the pool.
    pub(crate) fn remove_pooled(&self, id: u64) {
        let mut map = self.unlink();
        let children = match map.get_mut(&id).map(|entry| &mut entry.detail) {
            Some(Detail::Pool(children)) => std::mem::take(children),
            _ => return,
        };
        self.remove_children(&mut map, &children, Fate::PoolReset(id));
    }

    fn remove_children(&self, map: &mut Map, children: &PooledIds, fate: Fate) {
        let mut remove = |id| map.remove(&id).or_else(|| self.phantoms.take_any(id)?.entry);
        let ended: Vec<_> =
            children.iter().filter_map(|&id| Some(Tombstone { id, kind: remove(id)?.kind, fate })).collect();
        self.tombstones.record(ended);
    }

    /// Takes objects, all of type `kind`, out of the table; ids of 0 are skipped, and those that could not be created are
    /// forgotten. Each other must have been allocated from `pool`: if one was not, nothing is removed.
    ///
    /// `named` are their ids, and what the decoder took them for: null where an object was set aside. Answers the driver's
    /// handles of those. Another ring may have set one aside since, which the decoder knows, then.
    pub(crate) fn remove_from_pool(
        &self,
        kind: vk::ObjectType,
        named: impl Iterator<Item = (u64, u64)> + Clone,
        pool: u64,
    ) -> Result<Vec<u64>, TableError> {
        let mut map = self.unlink();
        let named = named.filter(|&(id, _)| id != 0);
        let mut objects = 0_usize;
        for (id, _) in named.clone() {
            objects = objects.saturating_add(usize::from(self.is_pooled(&map, kind, id, pool)?));
        }
        let (mut unknown, mut again) = (Vec::new(), 0);
        for (id, raw) in named.clone() {
            let Some(entry) = self.take_pooled(&mut map, kind, id) else {
                again = id;
                continue;
            };
            objects = objects.saturating_sub(1);
            if raw == 0 {
                unknown.push(entry.raw);
            }
        }
        if objects != 0 {
            // An id that is named twice is gone the second time; the driver would free it twice.
            return Err(TableError::Unknown { kind, id: again });
        }
        self.tombstones.record(named.map(|(id, _)| Tombstone { id, kind, fate: Fate::Destroyed }));
        Ok(unknown)
    }

    /// Whether `id` has an object, which must be of type `kind` and from the pool `pool`, or is a phantom without one.
    fn is_pooled(&self, map: &Map, kind: vk::ObjectType, id: u64, pool: u64) -> Result<bool, TableError> {
        let owner = match map.get(&id) {
            Some(entry) if entry.kind != kind => return Err(TableError::Unknown { kind, id }),
            Some(entry) => Some(entry.pool),
            None if self.phantom_of(kind, id).is_none() => return Err(TableError::Unknown { kind, id }),
            None => self.phantoms.aside_in(id),
        };
        match owner {
            Some(owner) if owner != pool => Err(TableError::OtherPool { kind, id, pool_kind: pool_of(kind), pool }),
            owner => Ok(owner.is_some()),
        }
    }

    /// Takes out what is called `id`, in use or set aside.
    fn take_pooled(&self, map: &mut Map, kind: vk::ObjectType, id: u64) -> Option<Entry> {
        let entry = map.remove(&id).or_else(|| self.phantoms.take(kind, id)?.entry)?;
        unpool(map, id, entry.pool);
        Some(entry)
    }

    /// Takes a device out of the table together with everything that belongs to it. The second part of the answer is in
    /// teardown order and holds only what the driver has to be told to free.
    pub(crate) fn remove_device(&self, id: u64) -> Result<(Removed, Vec<Removed>), TableError> {
        let mut map = self.unlink();
        let device = remove_kind(&mut map, vk::ObjectType::DEVICE, id)?;
        self.devices.fetch_sub(1, Ordering::Relaxed);
        // What is set aside, too, and that while nobody can set aside more.
        let aside = self.phantoms.take_all(|phantom| phantom.device == id);
        map.extend(aside.into_iter().filter_map(|(id, phantom)| Some((id, phantom.entry?))));
        let mut children: Vec<Removed> =
            map.extract_if(|_, entry| entry.device == id).map(|(id, entry)| removed(id, entry)).collect();
        self.restricted.forget(|_, device| device == id);
        self.device_generation.fetch_add(1, Ordering::Release);
        drop(map);
        self.tombstones.record([Tombstone { id, kind: vk::ObjectType::DEVICE, fate: Fate::Destroyed }]);
        let fate = Fate::WithDevice(id);
        self.tombstones.record(children.iter().map(|child| Tombstone { id: child.id, kind: child.kind, fate }));
        self.pools.write().retain(|(_, device, _), _| *device != id);
        children.retain(|child| teardown_rank(child.kind).is_some());
        children.sort_by_key(|child| (teardown_rank(child.kind), child.id));
        Ok((device, children))
    }
}

fn remove_kind(map: &mut Map, kind: vk::ObjectType, id: u64) -> Result<Removed, TableError> {
    let found = map.get(&id).is_some_and(|entry| entry.kind == kind);
    let entry = if found { remove_locked(map, id) } else { None };
    entry.ok_or(TableError::Unknown { kind, id })
}

/// Removes an entry and its pool's knowledge of it.
pub(super) fn remove_locked(map: &mut Map, id: u64) -> Option<Removed> {
    let entry = map.remove(&id)?;
    unpool(map, id, entry.pool);
    Some(removed(id, entry))
}

/// Lets the pool `pool` forget that it has given out `id`.
fn unpool(map: &mut Map, id: u64, pool: u64) {
    if let Some(Detail::Pool(children)) = map.get_mut(&pool).map(|pool| &mut pool.detail) {
        children.remove(&id);
    }
}

pub(super) fn removed(id: u64, entry: Entry) -> Removed {
    Removed { id, kind: entry.kind, raw: entry.raw, detail: entry.detail }
}
