//! What became of ids that lead nowhere: for the log, and for nothing else.
//!
//! A guest that names an object which does not exist loses its context, and the log should say whose fault that is: was
//! the object destroyed, and by which command? So the table keeps a tombstone for each of the last ids that ended, made
//! on destruction only; nobody reads them before something is wrong. Of what could not be created `phantoms.rs` tells.

use std::{collections::VecDeque, fmt};

use parking_lot::Mutex;
use venus_protocol::vk;

use crate::error::object_type_name;

/// Ids remembered. Use after destruction mostly follows within a frame, which destroys tens of objects.
const CAPACITY: usize = 1024;

/// How an id came to lead nowhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    /// By the command for it.
    Destroyed,
    /// Its pool was destroyed; the pool's id.
    WithPool(u64),
    /// Its pool was reset; the pool's id.
    PoolReset(u64),
    /// Its device was destroyed; the device's id.
    WithDevice(u64),
}

/// One id that leads nowhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Tombstone {
    pub(crate) id: u64,
    pub(crate) kind: vk::ObjectType,
    pub(crate) fate: Fate,
}

impl fmt::Display for Tombstone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = object_type_name(self.kind);
        match self.fate {
            Fate::Destroyed => write!(f, "the {name} of this id was destroyed by {}", destroyer(self.kind)),
            Fate::WithPool(pool) => write!(f, "the {name} of this id went with its pool {pool:#x}"),
            Fate::PoolReset(pool) => write!(f, "the {name} of this id was freed when its pool {pool:#x} was reset"),
            Fate::WithDevice(device) => write!(f, "the {name} of this id went with its VkDevice {device:#x}"),
        }
    }
}

/// The command that ends an object of `kind`.
fn destroyer(kind: vk::ObjectType) -> String {
    match kind {
        vk::ObjectType::DEVICE_MEMORY => "vkFreeMemory".to_owned(),
        vk::ObjectType::COMMAND_BUFFER => "vkFreeCommandBuffers".to_owned(),
        vk::ObjectType::DESCRIPTOR_SET => "vkFreeDescriptorSets".to_owned(),
        kind => {
            let name = object_type_name(kind);
            format!("vkDestroy{}", name.strip_prefix("Vk").unwrap_or(name))
        }
    }
}

/// The last ids of one context that ended.
#[derive(Debug, Default)]
pub(crate) struct Tombstones {
    /// Oldest first.
    stones: Mutex<VecDeque<Tombstone>>,
}

impl Tombstones {
    /// Writes down how ids ended.
    pub(crate) fn record(&self, ended: impl IntoIterator<Item = Tombstone>) {
        let mut stones = self.stones.lock();
        for stone in ended {
            if stones.len() >= CAPACITY {
                stones.pop_front();
            }
            stones.push_back(stone);
        }
    }

    /// How `id` ended last, as far as that is remembered.
    pub(crate) fn find(&self, id: u64) -> Option<Tombstone> {
        self.stones.lock().iter().rev().find(|stone| stone.id == id).copied()
    }

    /// Whether every id that ever ended is remembered.
    pub(crate) fn is_complete(&self) -> bool {
        self.stones.lock().len() < CAPACITY
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tombstone(id: u64, kind: vk::ObjectType, fate: Fate) -> Tombstone {
        Tombstone { id, kind, fate }
    }

    #[test]
    fn the_last_ids_are_remembered() {
        let stones = Tombstones::default();
        let buffers = |ids: std::ops::Range<u64>| ids.map(|id| tombstone(id, vk::ObjectType::BUFFER, Fate::Destroyed));
        stones.record(buffers(1..11));
        assert!(stones.is_complete());
        assert_eq!(stones.find(10).map(|stone| stone.id), Some(10));
        assert_eq!(stones.find(11), None);
        stones.record(buffers(11..11 + CAPACITY as u64));
        assert!(!stones.is_complete());
        assert_eq!(stones.find(10), None);
        // An id that was used twice ended as its last bearer did.
        stones.record([tombstone(11, vk::ObjectType::IMAGE, Fate::WithDevice(2))]);
        assert_eq!(stones.find(11).map(|stone| stone.fate), Some(Fate::WithDevice(2)));
    }

    #[test]
    fn an_end_reads_well() {
        let check = |kind, fate, expected: &str| assert_eq!(tombstone(1, kind, fate).to_string(), expected);
        check(vk::ObjectType::BUFFER, Fate::Destroyed, "the VkBuffer of this id was destroyed by vkDestroyBuffer");
        check(
            vk::ObjectType::DEVICE_MEMORY,
            Fate::Destroyed,
            "the VkDeviceMemory of this id was destroyed by vkFreeMemory",
        );
    }
}
