//! Putting objects into the table.

use hashbrown::hash_map;

use super::{removal::remove_locked, *};

impl Table {
    /// Registers an object that the driver has just created.
    pub(crate) fn insert(&self, object: NewObject) -> Result<(), TableError> {
        let NewObject { id, kind, raw, device, .. } = object;
        let is_pool = matches!(object.detail, Detail::Pool(_));
        self.require_room()?;
        self.insert_unused(object)?;
        if is_pool {
            self.pools.write().insert((kind.as_raw(), device, raw), id);
        }
        if kind == vk::ObjectType::DEVICE {
            self.device_generation.fetch_add(1, Ordering::Release);
        }
        Ok(())
    }

    fn insert_unused(&self, object: NewObject) -> Result<(), TableError> {
        let NewObject { id, kind, .. } = object;
        let mut map = self.map.write();
        self.require_unused(&[id])?;
        insert_locked(&mut map, object, self.room())?;
        self.phantoms.forget(&[id]);
        if kind == vk::ObjectType::DEVICE {
            self.devices.fetch_add(1, Ordering::Relaxed);
        }
        Ok(())
    }

    /// Registers several objects of one kind, all or none: `ids` and `raws` are parallel, null handles are skipped.
    pub(crate) fn insert_all(
        &self,
        kind: vk::ObjectType,
        device: u64,
        pool: u64,
        ids: &[u64],
        raws: impl Iterator<Item = u64> + Clone,
    ) -> Result<(), TableError> {
        self.require_room()?;
        let mut map = self.map.write();
        self.require_unused(ids)?;
        let room = self.room();
        for (n, (&id, raw)) in ids.iter().zip(raws.clone()).enumerate() {
            if raw == 0 {
                continue;
            }
            let object = NewObject { id, kind, raw, device, pool, detail: Detail::Plain };
            if let Err(error) = insert_locked(&mut map, object, room) {
                self.removals.note();
                for (&id, _) in ids.iter().zip(raws).take(n).filter(|&(_, raw)| raw != 0) {
                    remove_locked(&mut map, id);
                }
                return Err(error);
            }
            self.phantoms.forget(&[id]);
        }
        Ok(())
    }

    /// How many objects may be in the map: those that are set aside are alive as well.
    fn room(&self) -> usize {
        self.most.saturating_sub(self.phantoms.objects())
    }

    /// Fails if as many objects wait to be freed as may be alive: one ring waits for ever while another creates and
    /// destroys.
    fn require_room(&self) -> Result<(), TableError> {
        if self.reclaim.pending_count() < self.most { Ok(()) } else { Err(TableError::Full { most: self.most }) }
    }
}

fn insert_locked(map: &mut Map, object: NewObject, most: usize) -> Result<(), TableError> {
    let NewObject { id, kind, raw, device, pool, detail } = object;
    if id == 0 {
        return Err(TableError::ZeroId { kind });
    }
    if map.len() >= most {
        return Err(TableError::Full { most });
    }
    // As with pools below: another ring may be destroying the device, and what it owned has been listed by now.
    if device != 0 && !map.contains_key(&device) {
        return Err(TableError::Unknown { kind: vk::ObjectType::DEVICE, id: device });
    }
    match map.entry(id) {
        hash_map::Entry::Occupied(found) => {
            return Err(TableError::IdInUse { id, by: found.get().kind });
        }
        hash_map::Entry::Vacant(free) => free.insert(Entry { kind, raw, device, pool, detail }),
    };
    if pool != 0 {
        // The pool was resolved by the command that allocates from it; it can only be gone if another ring destroys it
        // right now, and then so is the new object.
        match map.get_mut(&pool).map(|pool| &mut pool.detail) {
            Some(Detail::Pool(children)) => {
                children.insert(id);
            }
            _ => {
                map.remove(&id);
                return Err(TableError::Unknown { kind: pool_of(kind), id: pool });
            }
        }
    }
    Ok(())
}
