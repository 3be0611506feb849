//! The objects that measured commands name: as many as a host that is at work has, of several types.

use hashbrown::HashMap;
use parking_lot::RwLock;
use venus_protocol::vk;
use venus_protocol::wire::{Handle, HandleError, HandleResolver};

/// Types of the objects.
const KINDS: [vk::ObjectType; 16] = [
    vk::ObjectType::PHYSICAL_DEVICE,
    vk::ObjectType::DEVICE,
    vk::ObjectType::QUEUE,
    vk::ObjectType::COMMAND_BUFFER,
    vk::ObjectType::BUFFER,
    vk::ObjectType::IMAGE,
    vk::ObjectType::IMAGE_VIEW,
    vk::ObjectType::SAMPLER,
    vk::ObjectType::FENCE,
    vk::ObjectType::SEMAPHORE,
    vk::ObjectType::DESCRIPTOR_SET,
    vk::ObjectType::PIPELINE_LAYOUT,
    vk::ObjectType::PIPELINE_CACHE,
    vk::ObjectType::PIPELINE,
    vk::ObjectType::RENDER_PASS,
    vk::ObjectType::SHADER_MODULE,
];
/// Objects of each type: 4 048 in all.
const OF_A_KIND: u64 = 253;

/// A table of objects, built like the host's: hashed by id, with a check of the type. But for the seed of its hash, which
/// is always the same, so that each run finds the same collisions.
#[derive(Debug)]
pub(crate) struct Objects {
    table: HashMap<u64, (vk::ObjectType, u64), foldhash::fast::FixedState>,
}

impl Objects {
    pub(crate) fn new() -> Self {
        let kinds =
            (0..).zip(KINDS).flat_map(|(row, kind)| (0..OF_A_KIND).map(move |i| (1 + row * OF_A_KIND + i, kind)));
        Self { table: kinds.map(|(id, kind)| (id, (kind, id))).collect() }
    }

    /// The `i`th object of its type, beginning anew after the last.
    pub(crate) fn handle<H: vk::Handle>(i: u64) -> Handle<H> {
        let row = (0..).zip(KINDS).find(|(_, kind)| *kind == H::TYPE).map(|(row, _)| row);
        let row: u64 = row.expect("measured commands name objects of these types only");
        Handle::identity(1 + row * OF_A_KIND + i % OF_A_KIND)
    }
}

impl HandleResolver for Objects {
    #[inline]
    fn resolve(&self, kind: vk::ObjectType, id: u64) -> Result<u64, HandleError> {
        match self.table.get(&id) {
            Some((found, raw)) if *found == kind => Ok(*raw),
            Some((found, _)) => Err(HandleError::WrongType(*found)),
            None => Err(HandleError::Unknown),
        }
    }
}

/// The same behind a lock that nobody else wants, taken for each lookup.
#[derive(Debug)]
pub(crate) struct Locked(pub(crate) RwLock<Objects>);

impl HandleResolver for Locked {
    #[inline]
    fn resolve(&self, kind: vk::ObjectType, id: u64) -> Result<u64, HandleError> {
        self.0.read().resolve(kind, id)
    }
}
