//! The device of an endpoint's last command.

use std::sync::Arc;

use crate::{
    driver::{Device, FamilyProcs, Procs, bounds::Room},
    object,
};

/// The device of the last command, and how long that can be trusted: a run of commands for one device looks it up once.
#[derive(Debug, Default)]
pub(crate) struct DeviceCache {
    device: Option<Arc<Device>>,
    /// What commands that act on the owner call the driver by.
    procs: Option<Arc<Procs>>,
    /// What there is room for in its command buffers.
    room: Room,
    /// The family that the owner, a command buffer, is for, if that cannot do everything.
    family: Option<Arc<FamilyProcs>>,
    /// `Table::device_generation` when it was looked up.
    generation: u64,
    /// It is the only device, and all its command buffers may be given everything: so it is every owner's.
    is_sole: bool,
    /// What the last command acted on.
    owner: u64,
    /// `Table::removals` when it was looked up.
    removals: u64,
}

impl DeviceCache {
    /// The device that the object `owner` is or belongs to; `None` if there is none any more.
    #[inline]
    pub(crate) fn device(&mut self, objects: &object::Table, owner: u64) -> Option<&Arc<Device>> {
        self.look(objects, owner);
        self.device.as_ref()
    }

    /// What a command that acts on `owner` calls the driver by; `None` if there is no such object any more.
    #[inline]
    pub(crate) fn procs(&mut self, objects: &object::Table, owner: u64) -> Option<&Procs> {
        self.look(objects, owner);
        self.procs.as_deref()
    }

    /// The same, and what there is room for in a command buffer.
    #[inline]
    pub(crate) fn procs_and_room(&mut self, objects: &object::Table, owner: u64) -> Option<(&Procs, Room)> {
        self.look(objects, owner);
        Some((self.procs.as_deref()?, self.room))
    }

    /// The same, and the device.
    #[inline]
    pub(crate) fn all(&mut self, objects: &object::Table, owner: u64) -> Option<(&Device, &Procs, Room)> {
        self.look(objects, owner);
        Some((self.device.as_deref()?, self.procs.as_deref()?, self.room))
    }

    /// The family that the last command's owner is for, if that cannot do everything.
    pub(crate) fn family(&self) -> Option<&FamilyProcs> {
        self.family.as_deref()
    }

    #[inline]
    fn look(&mut self, objects: &object::Table, owner: u64) {
        let generation = objects.device_generation();
        if self.generation != generation || !(self.is_sole || self.is_of(objects, owner)) {
            self.find(objects, owner, generation);
        }
    }

    /// Whether the last command acted on the same object.
    fn is_of(&self, objects: &object::Table, owner: u64) -> bool {
        self.owner == owner && self.removals == objects.removals()
    }

    #[cold]
    fn find(&mut self, objects: &object::Table, owner: u64, generation: u64) {
        let removals = objects.removals();
        let is_sole = !objects.has_restricted_pools() && objects.device_count() == 1;
        let device = objects.device_of(owner);
        let family = if is_sole { None } else { objects.restricted_procs(owner) };
        let procs = match &family {
            Some(family) => Some(Arc::clone(family.procs())),
            None => device.as_ref().map(|device| Arc::clone(device.procs())),
        };
        let room = device.as_ref().map(|device| device.room()).unwrap_or_default();
        *self = Self { device, procs, room, family, generation, is_sole, owner, removals };
    }

    /// Lets go of the device.
    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }
}
