//! What the host knows about each type of object: its name, when it goes, and which commands can be using it.
//!
//! The types are `vk::ObjectType`s. Only those that Venus can create have a row; everything else has the defaults of an
//! ordinary child of a device.

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

/// One type of object.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Kind {
    /// The C type's name.
    pub(crate) name: &'static str,
    /// When a whole device goes, objects go in ascending order of this: users before what they use, memory last.
    pub(crate) teardown: u8,
    /// Which class it belongs to.
    pub(crate) class: Uses,
}

/// The teardown rank of objects that the driver frees together with something else: queues with the device, pooled
/// objects with the pool.
pub(crate) const NO_TEARDOWN: u8 = u8::MAX;

const fn row(name: &'static str, teardown: u8, class: Uses) -> Kind {
    Kind { name, teardown, class }
}

/// The row of `kind`.
pub(crate) const fn facts(kind: vk::ObjectType) -> Kind {
    match kind {
        vk::ObjectType::INSTANCE => row("VkInstance", NO_TEARDOWN, Uses::ALL),
        vk::ObjectType::PHYSICAL_DEVICE => row("VkPhysicalDevice", NO_TEARDOWN, Uses::ALL),
        vk::ObjectType::DEVICE => row("VkDevice", NO_TEARDOWN, Uses::ALL),
        vk::ObjectType::QUEUE => row("VkQueue", NO_TEARDOWN, Uses::ALL),
        vk::ObjectType::COMMAND_BUFFER => row("VkCommandBuffer", NO_TEARDOWN, Uses::POOLED),
        vk::ObjectType::DESCRIPTOR_SET => row("VkDescriptorSet", NO_TEARDOWN, Uses::POOLED),
        vk::ObjectType::COMMAND_POOL => row("VkCommandPool", 0, Uses::POOLS_AND_POOLED),
        vk::ObjectType::DESCRIPTOR_POOL => row("VkDescriptorPool", 0, Uses::POOLS_AND_POOLED),
        vk::ObjectType::FRAMEBUFFER => row("VkFramebuffer", 1, Uses::OTHER),
        vk::ObjectType::PIPELINE => row("VkPipeline", 1, Uses::PIPELINES),
        vk::ObjectType::DEFERRED_OPERATION_KHR => row("VkDeferredOperationKHR", 1, Uses::PIPELINES),
        vk::ObjectType::PIPELINE_CACHE => row("VkPipelineCache", 2, Uses::PIPELINES),
        vk::ObjectType::SHADER_MODULE => row("VkShaderModule", 2, Uses::PIPELINES),
        vk::ObjectType::RENDER_PASS => row("VkRenderPass", 2, Uses::PIPELINES),
        vk::ObjectType::DESCRIPTOR_UPDATE_TEMPLATE => row("VkDescriptorUpdateTemplate", 2, Uses::PIPELINES),
        vk::ObjectType::PIPELINE_LAYOUT => row("VkPipelineLayout", 3, Uses::PIPELINES),
        vk::ObjectType::DESCRIPTOR_SET_LAYOUT => row("VkDescriptorSetLayout", 4, Uses::PIPELINES),
        vk::ObjectType::BUFFER_VIEW => row("VkBufferView", 4, Uses::OTHER),
        vk::ObjectType::IMAGE_VIEW => row("VkImageView", 4, Uses::OTHER),
        vk::ObjectType::ACCELERATION_STRUCTURE_KHR => row("VkAccelerationStructureKHR", 4, Uses::OTHER),
        vk::ObjectType::SAMPLER => row("VkSampler", 5, Uses::PIPELINES),
        vk::ObjectType::QUERY_POOL => row("VkQueryPool", 5, Uses::OTHER),
        vk::ObjectType::EVENT => row("VkEvent", 5, Uses::OTHER),
        vk::ObjectType::FENCE => row("VkFence", 5, Uses::WAITS),
        vk::ObjectType::SEMAPHORE => row("VkSemaphore", 5, Uses::WAITS),
        vk::ObjectType::SAMPLER_YCBCR_CONVERSION => row("VkSamplerYcbcrConversion", 6, Uses::PIPELINES),
        vk::ObjectType::BUFFER => row("VkBuffer", 6, Uses::OTHER),
        vk::ObjectType::IMAGE => row("VkImage", 6, Uses::OTHER),
        vk::ObjectType::DEVICE_MEMORY => row("VkDeviceMemory", 7, Uses::OTHER),
        vk::ObjectType::PRIVATE_DATA_SLOT => row("VkPrivateDataSlot", 8, Uses::OTHER),
        _ => row("object of a type Venus cannot create", NO_TEARDOWN, Uses::ALL),
    }
}

/// The C name of `kind`.
pub(crate) const fn name(kind: vk::ObjectType) -> &'static str {
    facts(kind).name
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users_go_before_what_they_use() {
        let order = |kind| facts(kind).teardown;
        assert!(order(vk::ObjectType::DESCRIPTOR_POOL) < order(vk::ObjectType::DESCRIPTOR_SET_LAYOUT));
        assert!(order(vk::ObjectType::FRAMEBUFFER) < order(vk::ObjectType::IMAGE_VIEW));
        assert!(order(vk::ObjectType::IMAGE_VIEW) < order(vk::ObjectType::IMAGE));
        assert!(order(vk::ObjectType::ACCELERATION_STRUCTURE_KHR) < order(vk::ObjectType::BUFFER));
        assert!(order(vk::ObjectType::SAMPLER) < order(vk::ObjectType::SAMPLER_YCBCR_CONVERSION));
        assert!(order(vk::ObjectType::IMAGE) < order(vk::ObjectType::DEVICE_MEMORY));
    }
}
