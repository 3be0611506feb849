//! What freeing an object of each type takes: which commands can be using it, and when it goes with its device.
//!
//! The types are `vk::ObjectType`s. Everything that is not mentioned has the defaults of what belongs to no device.

use venus_protocol::vk;

/// A set of object classes that a command may be using. Objects of one class are used by the same sort of command, so a
/// long command holds up the freeing of its own classes only; see `reclaim.rs`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Uses(pub(crate) u8);

impl Uses {
    /// What pipeline creation takes: shaders, layouts, render passes, caches, pipelines, samplers.
    pub(crate) const PIPELINES: Self = Self(0x01);
    /// What waiting takes: fences and semaphores.
    pub(crate) const WAITS: Self = Self(0x02);
    /// Command pools and descriptor pools.
    pub(crate) const POOLS: Self = Self(0x04);
    /// Command buffers and descriptor sets: what lives in a pool.
    pub(crate) const POOLED: Self = Self(0x08);
    /// A pool together with what lives in it, which goes with the pool.
    pub(crate) const POOLS_AND_POOLED: Self = Self(Self::POOLS.0 | Self::POOLED.0);
    /// Buffers, images, views, memory, queries, events and the rest.
    pub(crate) const OTHER: Self = Self(0x10);
    /// Everything: what an ordinary command may be using, and what destroying a device has to wait for.
    pub(crate) const ALL: Self = Self(0x1f);

    /// Whether the sets have a class in common.
    pub(crate) const fn meets(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }
}

/// The class of objects of `kind`.
pub(super) const fn class(kind: vk::ObjectType) -> Uses {
    match kind {
        vk::ObjectType::COMMAND_BUFFER | vk::ObjectType::DESCRIPTOR_SET => Uses::POOLED,
        vk::ObjectType::COMMAND_POOL | vk::ObjectType::DESCRIPTOR_POOL => Uses::POOLS_AND_POOLED,
        vk::ObjectType::PIPELINE
        | vk::ObjectType::DEFERRED_OPERATION_KHR
        | vk::ObjectType::PIPELINE_CACHE
        | vk::ObjectType::SHADER_MODULE
        | vk::ObjectType::RENDER_PASS
        | vk::ObjectType::DESCRIPTOR_UPDATE_TEMPLATE
        | vk::ObjectType::PIPELINE_LAYOUT
        | vk::ObjectType::DESCRIPTOR_SET_LAYOUT
        | vk::ObjectType::SAMPLER
        | vk::ObjectType::SAMPLER_YCBCR_CONVERSION => Uses::PIPELINES,
        vk::ObjectType::FENCE | vk::ObjectType::SEMAPHORE => Uses::WAITS,
        vk::ObjectType::FRAMEBUFFER
        | vk::ObjectType::BUFFER_VIEW
        | vk::ObjectType::IMAGE_VIEW
        | vk::ObjectType::ACCELERATION_STRUCTURE_KHR
        | vk::ObjectType::QUERY_POOL
        | vk::ObjectType::EVENT
        | vk::ObjectType::BUFFER
        | vk::ObjectType::IMAGE
        | vk::ObjectType::DEVICE_MEMORY
        | vk::ObjectType::PRIVATE_DATA_SLOT => Uses::OTHER,
        _ => Uses::ALL,
    }
}

/// The type of the pools that objects of `kind`, a pooled type, are allocated from.
pub(super) const fn pool_of(kind: vk::ObjectType) -> vk::ObjectType {
    match kind {
        vk::ObjectType::COMMAND_BUFFER => vk::ObjectType::COMMAND_POOL,
        _ => vk::ObjectType::DESCRIPTOR_POOL,
    }
}

/// When a whole device goes, its objects go in ascending order of this: users before what they use, memory last. `None`
/// for what the driver frees together with something else: queues with the device, pooled objects with the pool.
pub(super) const fn teardown_rank(kind: vk::ObjectType) -> Option<u8> {
    Some(match kind {
        vk::ObjectType::COMMAND_POOL | vk::ObjectType::DESCRIPTOR_POOL => 0,
        vk::ObjectType::FRAMEBUFFER | vk::ObjectType::PIPELINE | vk::ObjectType::DEFERRED_OPERATION_KHR => 1,
        vk::ObjectType::PIPELINE_CACHE
        | vk::ObjectType::SHADER_MODULE
        | vk::ObjectType::RENDER_PASS
        | vk::ObjectType::DESCRIPTOR_UPDATE_TEMPLATE => 2,
        vk::ObjectType::PIPELINE_LAYOUT => 3,
        vk::ObjectType::DESCRIPTOR_SET_LAYOUT
        | vk::ObjectType::BUFFER_VIEW
        | vk::ObjectType::IMAGE_VIEW
        | vk::ObjectType::ACCELERATION_STRUCTURE_KHR => 4,
        vk::ObjectType::SAMPLER
        | vk::ObjectType::QUERY_POOL
        | vk::ObjectType::EVENT
        | vk::ObjectType::FENCE
        | vk::ObjectType::SEMAPHORE => 5,
        vk::ObjectType::SAMPLER_YCBCR_CONVERSION | vk::ObjectType::BUFFER | vk::ObjectType::IMAGE => 6,
        vk::ObjectType::DEVICE_MEMORY => 7,
        vk::ObjectType::PRIVATE_DATA_SLOT => 8,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users_go_before_what_they_use() {
        let order = |kind| teardown_rank(kind).unwrap();
        assert!(order(vk::ObjectType::DESCRIPTOR_POOL) < order(vk::ObjectType::DESCRIPTOR_SET_LAYOUT));
        assert!(order(vk::ObjectType::FRAMEBUFFER) < order(vk::ObjectType::IMAGE_VIEW));
        assert!(order(vk::ObjectType::IMAGE_VIEW) < order(vk::ObjectType::IMAGE));
        assert!(order(vk::ObjectType::ACCELERATION_STRUCTURE_KHR) < order(vk::ObjectType::BUFFER));
        assert!(order(vk::ObjectType::SAMPLER) < order(vk::ObjectType::SAMPLER_YCBCR_CONVERSION));
        assert!(order(vk::ObjectType::IMAGE) < order(vk::ObjectType::DEVICE_MEMORY));
    }
}
