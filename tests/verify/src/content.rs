//! What requests say where it matters to a host. Everything else is a number that occurs once, so that a host that
//! mixes two members up is caught.

use std::{collections::BTreeMap, sync::LazyLock};

use venus_protocol::{
    reflect::{self, CommandRow, Item, StructRow},
    vk,
    wire::CommandType,
};

/// Who has what requests name, and makes what they lack.
pub trait Guest {
    /// The id of a live object of this type, 0 for none.
    fn object(&mut self, kind: vk::ObjectType) -> u64;

    /// A resource that an allocation was turned into.
    fn memory_resource(&mut self) -> u32;

    /// A resource of plain shared memory, which nothing else uses.
    fn shmem(&mut self) -> u32;

    /// A ring that exists.
    fn ring(&mut self) -> u64;

    /// A number that was never used.
    fn new_id(&mut self) -> u64;

    /// How far it is.
    fn said(&mut self) -> &mut Said;
}

/// How far a guest is with what it says.
#[derive(Clone, Copy, Debug)]
pub struct Said {
    /// The command of the current request.
    pub command: CommandType,
    /// How many words of code that has.
    pub words: usize,
    /// How many queues were asked for. Each is asked for once.
    pub queues: u32,
}

impl Default for Said {
    fn default() -> Self {
        Self { command: CommandType::CREATE_INSTANCE, words: 0, queues: 0 }
    }
}

/// A value for a member.
#[derive(Clone, Copy, Debug)]
enum Value {
    /// This number.
    Number(u64),
    /// One of these after the other, from the first again.
    Words(&'static [u32]),
    /// The id of a live object, in a member that is no handle to the protocol.
    Object(vk::ObjectType),
    /// A resource that an allocation was turned into.
    MemoryResource,
    /// A resource of plain shared memory.
    Shmem,
    /// A ring that exists.
    Ring,
    /// A ring that does not.
    NewRing,
    /// The index of a queue that nobody has asked for.
    QueueIndex,
    /// A timeline that nobody uses.
    RingIdx,
    /// A stage of the pipelines that the command makes.
    Stage,
    /// Texels of what is made: more than any number that means nothing.
    Extent,
}

use Value::{Extent, MemoryResource, NewRing, Number, Object, QueueIndex, Ring, RingIdx, Shmem, Stage, Words};

/// VK_PIPELINE_BIND_POINT_RAY_TRACING_KHR.
const RAY_TRACING: u64 = 1_000_165_000;

/// The numbers of a set layout's bindings.
const BINDINGS: &[u32] = &[0, 1, 2, 3, 4, 5];

/// Bytes of a buffer: more than any number that means nothing.
pub const BUFFER_BYTES: u64 = 1 << 20;

/// Texels of an image in each direction.
pub const IMAGE_TEXELS: u64 = 1 << 9;

/// Values by command or structure, and member.
const VALUES: &[(&str, &str, Value)] = &[
    // A device has one family, and the host looks for the queue that the guest names.
    ("VkDeviceQueueCreateInfo", "queueFamilyIndex", Number(0)),
    ("VkDeviceQueueCreateInfo", "queueCount", Number(8)),
    ("VkDeviceQueueCreateInfo", "flags", Number(0)),
    ("VkDeviceQueueInfo2", "queueFamilyIndex", Number(0)),
    ("VkDeviceQueueInfo2", "queueIndex", QueueIndex),
    ("VkDeviceQueueInfo2", "flags", Number(0)),
    ("VkDeviceQueueTimelineInfoMESA", "ringIdx", RingIdx),
    // Extensions and layers are answered by the host.
    ("VkInstanceCreateInfo", "enabledLayerCount", Number(0)),
    ("VkInstanceCreateInfo", "enabledExtensionCount", Number(0)),
    ("VkDeviceCreateInfo", "enabledLayerCount", Number(0)),
    ("VkDeviceCreateInfo", "enabledExtensionCount", Number(0)),
    // Memory is one type, and comes in pages.
    ("VkMemoryAllocateInfo", "memoryTypeIndex", Number(0)),
    ("VkMemoryAllocateInfo", "allocationSize", Number(4096)),
    ("vkBindBufferMemory", "memoryOffset", Number(0)),
    ("vkBindImageMemory", "memoryOffset", Number(0)),
    ("VkBindBufferMemoryInfo", "memoryOffset", Number(0)),
    ("VkBindImageMemoryInfo", "memoryOffset", Number(0)),
    ("VkSparseMemoryBind", "resourceOffset", Number(0)),
    ("VkSparseMemoryBind", "size", Number(4096)),
    ("VkSparseMemoryBind", "memoryOffset", Number(0)),
    ("VkImportMemoryResourceInfoMESA", "resourceId", MemoryResource),
    ("vkGetMemoryResourcePropertiesMESA", "resourceId", MemoryResource),
    ("VkImportSemaphoreResourceInfoMESA", "resourceId", Number(0)),
    // A handle that is a number.
    ("vkSetPrivateData", "objectType", Number(9)),
    ("vkSetPrivateData", "objectHandle", Object(vk::ObjectType::BUFFER)),
    ("vkGetPrivateData", "objectType", Number(9)),
    ("vkGetPrivateData", "objectHandle", Object(vk::ObjectType::BUFFER)),
    // What is recorded fits into what was made.
    ("VkBufferCreateInfo", "size", Number(BUFFER_BYTES)),
    // Lengths that Vulkan says twice, and that the host compares.
    ("VkSpecializationMapEntry", "offset", Number(0)),
    ("VkSpecializationMapEntry", "size", Number(1)),
    ("VkWriteDescriptorSet", "descriptorType", Number(1)),
    ("vkGetQueryPoolResults", "queryCount", Number(1)),
    ("vkGetQueryPoolResults", "stride", Number(8)),
    ("vkGetRayTracingShaderGroupHandlesKHR", "groupCount", Number(1)),
    ("vkGetRayTracingCaptureReplayShaderGroupHandlesKHR", "groupCount", Number(1)),
    // A tag is as long as half of it.
    ("vkGetPipelineCacheData", "pDataSize", Number(64)),
    // The host sends arrays without gaps.
    ("vkCmdDrawMultiEXT", "stride", Number(8)),
    ("vkCmdDrawMultiIndexedEXT", "stride", Number(12)),
    // What drivers index by.
    ("VkCommandPoolCreateInfo", "queueFamilyIndex", Number(0)),
    ("VkAttachmentReference", "attachment", Number(0)),
    ("VkAttachmentReference2", "attachment", Number(0)),
    ("VkSubpassDescription", "pPreserveAttachments", Number(0)),
    ("VkSubpassDescription2", "pPreserveAttachments", Number(0)),
    ("VkSubpassDependency", "srcSubpass", Number(0)),
    ("VkSubpassDependency", "dstSubpass", Number(0)),
    ("VkSubpassDependency2", "srcSubpass", Number(0)),
    ("VkSubpassDependency2", "dstSubpass", Number(0)),
    ("VkInputAttachmentAspectReference", "subpass", Number(0)),
    ("VkInputAttachmentAspectReference", "inputAttachmentIndex", Number(0)),
    ("VkDescriptorSetLayoutCreateInfo", "bindingCount", Number(BINDINGS.len() as u64)),
    ("VkDescriptorSetLayoutCreateInfo", "flags", Number(1)),
    ("VkDescriptorSetLayoutBindingFlagsCreateInfo", "bindingCount", Number(BINDINGS.len() as u64)),
    ("VkDescriptorSetLayoutBinding", "binding", Words(BINDINGS)),
    ("VkDescriptorSetLayoutBinding", "descriptorType", Number(1)),
    ("VkDescriptorSetLayoutBinding", "descriptorCount", Number(2)),
    ("VkWriteDescriptorSet", "dstBinding", Number(2)),
    ("VkWriteDescriptorSet", "dstArrayElement", Number(1)),
    ("VkCopyDescriptorSet", "srcBinding", Number(3)),
    ("VkCopyDescriptorSet", "srcArrayElement", Number(2)),
    ("VkCopyDescriptorSet", "dstBinding", Number(4)),
    ("VkCopyDescriptorSet", "dstArrayElement", Number(1)),
    ("VkCopyDescriptorSet", "descriptorCount", Number(2)),
    ("vkCmdBindDescriptorSets", "firstSet", Number(0)),
    ("VkBindDescriptorSetsInfo", "firstSet", Number(0)),
    ("vkCmdPushDescriptorSet", "set", Number(0)),
    ("VkPushDescriptorSetInfo", "set", Number(0)),
    ("VkFramebufferCreateInfo", "flags", Number(0)),
    ("VkFramebufferCreateInfo", "width", Number(IMAGE_TEXELS - 1)),
    ("VkFramebufferCreateInfo", "height", Number(IMAGE_TEXELS - 2)),
    ("VkFramebufferCreateInfo", "layers", Number(1)),
    ("VkRenderingInfo", "layerCount", Number(1)),
    ("VkRenderingInfo", "viewMask", Number(0)),
    ("VkGraphicsPipelineCreateInfo", "subpass", Number(0)),
    ("VkCommandBufferInheritanceInfo", "subpass", Number(0)),
    ("vkCmdBindTransformFeedbackBuffersEXT", "firstBinding", Number(2)),
    ("vkCmdBeginTransformFeedbackEXT", "firstCounterBuffer", Number(3)),
    ("vkCmdEndTransformFeedbackEXT", "firstCounterBuffer", Number(1)),
    ("VkRenderingAttachmentLocationInfo", "pColorAttachmentLocations", Number(5)),
    ("VkVertexInputBindingDivisorDescription", "binding", Number(6)),
    ("VkGraphicsPipelineCreateInfo", "basePipelineIndex", Number(u32::MAX as u64)),
    ("VkComputePipelineCreateInfo", "basePipelineIndex", Number(u32::MAX as u64)),
    ("VkRayTracingPipelineCreateInfoKHR", "basePipelineIndex", Number(u32::MAX as u64)),
    ("vkCmdBindPipeline", "pipelineBindPoint", Number(RAY_TRACING)),
    ("vkCmdBindDescriptorSets", "pipelineBindPoint", Number(1)),
    ("vkCmdPushDescriptorSet", "pipelineBindPoint", Number(1)),
    ("vkCmdSetPrimitiveTopology", "primitiveTopology", Number(9)),
    ("vkCmdSetDepthCompareOp", "depthCompareOp", Number(7)),
    ("vkCmdSetStencilOp", "failOp", Number(4)),
    ("vkCmdSetStencilOp", "passOp", Number(5)),
    ("vkCmdSetStencilOp", "depthFailOp", Number(6)),
    ("vkCmdSetStencilOp", "compareOp", Number(3)),
    ("vkCmdSetLogicOpEXT", "logicOp", Number(13)),
    ("vkGetRayTracingShaderGroupHandlesKHR", "firstGroup", Number(0)),
    ("vkGetRayTracingCaptureReplayShaderGroupHandlesKHR", "firstGroup", Number(0)),
    ("vkGetRayTracingShaderGroupStackSizeKHR", "group", Number(0)),
    ("VkRayTracingPipelineCreateInfoKHR", "flags", Number(0)),
    // A pipeline cannot be made of one that is there already.
    ("VkPipelineLibraryCreateInfoKHR", "libraryCount", Number(0)),
    ("VkImageCreateInfo", "mipLevels", Number(1)),
    ("VkImageCreateInfo", "imageType", Number(2)),
    ("VkImageCreateInfo", "flags", Number(0x28)),
    ("VkImageCreateInfo", "format", Number(37)),
    ("VkImageCreateInfo", "arrayLayers", Number(1)),
    ("VkImageCreateInfo", "samples", Number(1)),
    ("VkExtent3D", "width", Extent),
    ("VkExtent3D", "height", Extent),
    ("VkExtent3D", "depth", Extent),
    ("VkImageViewCreateInfo", "viewType", Number(2)),
    ("VkImageViewCreateInfo", "format", Number(37)),
    ("VkImageSubresource", "mipLevel", Number(0)),
    ("VkImageSubresource", "arrayLayer", Number(0)),
    ("VkImageSubresourceLayers", "mipLevel", Number(0)),
    ("VkImageSubresourceLayers", "baseArrayLayer", Number(0)),
    ("VkImageSubresourceLayers", "layerCount", Number(1)),
    ("VkImageSubresourceRange", "baseMipLevel", Number(0)),
    ("VkImageSubresourceRange", "levelCount", Number(1)),
    ("VkImageSubresourceRange", "baseArrayLayer", Number(0)),
    ("VkImageSubresourceRange", "layerCount", Number(1)),
    ("VkPipelineShaderStageCreateInfo", "stage", Stage),
    ("VkVertexInputBindingDescription", "binding", Number(3)),
    ("VkVertexInputAttributeDescription", "location", Number(4)),
    ("VkVertexInputAttributeDescription", "binding", Number(5)),
    ("VkPushConstantRange", "offset", Number(16)),
    ("VkPushConstantRange", "size", Number(8)),
    ("VkRayTracingShaderGroupCreateInfoKHR", "type", Number(2)),
    ("VkRayTracingShaderGroupCreateInfoKHR", "closestHitShader", Number(0)),
    ("VkRayTracingShaderGroupCreateInfoKHR", "anyHitShader", Number(0)),
    ("VkRayTracingShaderGroupCreateInfoKHR", "intersectionShader", Number(0)),
    // A module without instructions.
    ("VkShaderModuleCreateInfo", "codeSize", Number(20)),
    ("VkShaderModuleCreateInfo", "pCode", Words(&[0x0723_0203, 0x1_0000, 0, 8, 0])),
    // Rings and streams. A ring: head, tail, status, buffer, and a word to spare.
    ("VkCommandStreamDescriptionMESA", "resourceId", Shmem),
    ("VkCommandStreamDescriptionMESA", "offset", Number(0)),
    ("VkCommandStreamDescriptionMESA", "size", Number(0)),
    ("vkSeekReplyCommandStreamMESA", "position", Number(0)),
    ("vkCreateRingMESA", "ring", NewRing),
    ("VkRingCreateInfoMESA", "resourceId", Shmem),
    ("VkRingCreateInfoMESA", "flags", Number(0)),
    ("VkRingCreateInfoMESA", "offset", Number(0)),
    ("VkRingCreateInfoMESA", "size", Number(8192)),
    ("VkRingCreateInfoMESA", "idleTimeout", Number(1_000_000)),
    ("VkRingCreateInfoMESA", "headOffset", Number(ring::HEAD as u64)),
    ("VkRingCreateInfoMESA", "tailOffset", Number(ring::TAIL as u64)),
    ("VkRingCreateInfoMESA", "statusOffset", Number(128)),
    ("VkRingCreateInfoMESA", "bufferOffset", Number(ring::BUFFER as u64)),
    ("VkRingCreateInfoMESA", "bufferSize", Number(ring::BUFFER_BYTES as u64)),
    ("VkRingCreateInfoMESA", "extraOffset", Number(4288)),
    ("VkRingCreateInfoMESA", "extraSize", Number(4)),
    ("vkDestroyRingMESA", "ring", Ring),
    ("vkNotifyRingMESA", "ring", Ring),
    ("vkWriteRingExtraMESA", "ring", Ring),
    ("vkWriteRingExtraMESA", "offset", Number(0)),
    ("vkSubmitVirtqueueSeqnoMESA", "ring", Ring),
    ("vkWaitRingSeqnoMESA", "ring", Ring),
    ("vkWaitRingSeqnoMESA", "seqno", Number(0)),
    ("vkWaitVirtqueueSeqnoMESA", "seqno", Number(0)),
];

/// What is left out.
const NULL: &[(&str, &str)] = &[
    ("vkEnumerateDeviceExtensionProperties", "pLayerName"),
    ("vkEnumerateInstanceExtensionProperties", "pLayerName"),
    ("vkExecuteCommandStreamsMESA", "pReplyPositions"),
    ("VkDescriptorSetLayoutBinding", "pImmutableSamplers"),
];

/// What is only legal on a ring.
pub const ON_RING: &[&str] = &["vkWaitVirtqueueSeqnoMESA"];

/// Chains without which a command means nothing.
const CHAINS: &[(&str, &str)] = &[("VkDeviceQueueInfo2", "VkDeviceQueueTimelineInfoMESA")];

/// The value of a member, if it matters.
pub fn value(guest: &mut impl Guest, owner: &str, member: &str) -> Option<u64> {
    static BY_NAME: LazyLock<BTreeMap<(&str, &str), Value>> =
        LazyLock::new(|| VALUES.iter().map(|(owner, member, value)| ((*owner, *member), *value)).collect());
    Some(match *BY_NAME.get(&(owner, member))? {
        Number(number) => number,
        Words(words) => {
            let nth = &mut guest.said().words;
            *nth += 1;
            words[(*nth - 1) % words.len()].into()
        }
        Object(kind) => guest.object(kind),
        MemoryResource => guest.memory_resource().into(),
        Shmem => guest.shmem().into(),
        Ring => guest.ring(),
        NewRing => guest.new_id(),
        RingIdx => u64::from(guest.said().queues) + 1,
        // Compute, ray generation, and vertices.
        Stage => match guest.said().command {
            CommandType::CREATE_COMPUTE_PIPELINES => 0x20,
            CommandType::CREATE_RAY_TRACING_PIPELINES_KHR => 0x100,
            _ => 1,
        },
        Extent => match guest.said().command {
            CommandType::CREATE_IMAGE
            | CommandType::GET_DEVICE_IMAGE_MEMORY_REQUIREMENTS
            | CommandType::GET_DEVICE_IMAGE_SPARSE_MEMORY_REQUIREMENTS
            | CommandType::GET_DEVICE_IMAGE_SUBRESOURCE_LAYOUT => IMAGE_TEXELS,
            _ => return None,
        },
        // Asked for last, because members follow the chain.
        QueueIndex => {
            let queues = &mut guest.said().queues;
            *queues += 1;
            u64::from(*queues) - 1
        }
    })
}

/// Whether a member has to be left out.
pub fn is_null(owner: &str, member: &str) -> bool {
    NULL.contains(&(owner, member))
}

/// The structures that have to follow this one.
pub fn chain(root: &'static StructRow) -> impl Iterator<Item = &'static StructRow> {
    CHAINS.iter().filter(|(name, _)| *name == root.name).filter_map(|(_, child)| reflect::structure(child))
}

/// The command that makes objects of a type: the first, if there are several. Pipelines trace rays, since some commands take no
/// others.
pub fn maker(kind: vk::ObjectType) -> Option<&'static CommandRow> {
    static MAKERS: LazyLock<BTreeMap<i32, &'static CommandRow>> = LazyLock::new(|| {
        let mut makers = BTreeMap::new();
        let others = [
            CommandType::GET_DEVICE_QUEUE,
            CommandType::CREATE_GRAPHICS_PIPELINES,
            CommandType::CREATE_COMPUTE_PIPELINES,
        ];
        for row in reflect::commands().filter(|row| !others.contains(&row.command)) {
            for param in row.outputs() {
                if let Item::Handle(handle) = param.item {
                    makers.entry(handle.object_type.as_raw()).or_insert(row);
                }
            }
        }
        makers
    });
    MAKERS.get(&kind.as_raw()).copied()
}

/// vkSetReplyCommandStreamMESA for the first bytes of a resource.
pub fn reply_stream(resource: u32, bytes: u64) -> Vec<u8> {
    let words = [CommandType::SET_REPLY_COMMAND_STREAM_MESA.0, 0, 1, 0, resource];
    let words = words.iter().flat_map(|word| word.to_le_bytes());
    words.chain([0, bytes].into_iter().flat_map(u64::to_le_bytes)).collect()
}

/// Where the parts of a ring are in its memory, as [`value`] has it.
pub mod ring {
    /// How far the host has come.
    pub const HEAD: usize = 0;
    /// How far the guest has come.
    pub const TAIL: usize = 64;
    /// The commands.
    pub const BUFFER: usize = 192;
    /// Bytes for commands.
    pub const BUFFER_BYTES: usize = 4096;
}
