//! The device of an endpoint's last command.

use std::sync::Arc;

use crate::{driver::Device, object};

/// The device of the last command, and how long that can be trusted: a run of commands for one device looks it up once.
#[derive(Debug, Default)]
pub(crate) struct DeviceCache {
    device: Option<Arc<Device>>,
    /// `Table::device_generation` when it was looked up.
    generation: u64,
    /// It was the only device, so every object of a device is this one's.
    is_sole: bool,
}

impl DeviceCache {
    /// The device that the object `owner` is or belongs to; `None` if there is none any more.
    #[inline]
    pub(crate) fn device(&mut self, objects: &object::Table, owner: u64) -> Option<&Arc<Device>> {
        let generation = objects.device_generation();
        if !self.is_sole || self.generation != generation {
            self.find(objects, owner, generation);
        }
        self.device.as_ref()
    }

    #[cold]
    fn find(&mut self, objects: &object::Table, owner: u64, generation: u64) {
        let is_sole = objects.device_count() == 1;
        *self = Self { device: objects.device_of(owner), generation, is_sole };
    }

    /// Lets go of the device.
    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }
}
