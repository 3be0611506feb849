//! Command pools of queue families that cannot do everything.
//!
//! Few guests have any. Who has one looks a command buffer's pool up when it turns to another command buffer; everybody
//! else looks at nothing but the number that tells of new devices.

use std::sync::{Arc, atomic::Ordering};

use hashbrown::HashMap;
use parking_lot::RwLock;

use super::Table;
use crate::driver::FamilyProcs;

/// A pool's device, and what its command buffers call the driver by.
type Pool = (u64, Arc<FamilyProcs>);

/// Such pools by id.
#[derive(Debug, Default)]
pub(super) struct RestrictedPools(RwLock<HashMap<u64, Pool, foldhash::fast::RandomState>>);

impl RestrictedPools {
    /// Forgets pools; whether there were any.
    pub(super) fn forget(&self, is_gone: impl Fn(u64, u64) -> bool) -> bool {
        let mut pools = self.0.write();
        let before = pools.len();
        pools.retain(|id, (device, _)| !is_gone(*id, *device));
        pools.len() != before
    }
}

impl Table {
    /// Notes that the command pool `id` is for such a family.
    pub(crate) fn restrict_pool(&self, id: u64, device: u64, procs: Arc<FamilyProcs>) {
        self.restricted.0.write().insert(id, (device, procs));
        self.device_generation.fetch_add(1, Ordering::Release);
    }

    /// Whether there are such pools.
    pub(crate) fn has_restricted_pools(&self) -> bool {
        !self.restricted.0.read().is_empty()
    }

    /// What a command buffer of such a pool calls the driver by; `None` for all else.
    pub(crate) fn restricted_procs(&self, command_buffer: u64) -> Option<Arc<FamilyProcs>> {
        self.restricted_pool(self.pool_of(command_buffer)?)
    }

    /// As [`Table::restricted_procs`], of the pool itself.
    pub(crate) fn restricted_pool(&self, pool: u64) -> Option<Arc<FamilyProcs>> {
        self.restricted.0.read().get(&pool).map(|(_, procs)| Arc::clone(procs))
    }
}
