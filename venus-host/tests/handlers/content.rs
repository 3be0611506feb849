//! What requests say where it matters to the host. Everything else is a number that occurs once, so that a host that
//! mixes two members up is caught.

use venus_protocol::vk;

/// A value for a member.
#[derive(Clone, Copy)]
pub(crate) enum Value {
    /// This number.
    Number(u64),
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
}

use Value::{MemoryResource, NewRing, Number, Object, QueueIndex, Ring, RingIdx, Shmem};

/// Values by command or structure, and member.
pub(crate) const VALUES: &[(&str, &str, Value)] = &[
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
    ("VkImportMemoryResourceInfoMESA", "resourceId", MemoryResource),
    ("vkGetMemoryResourcePropertiesMESA", "resourceId", MemoryResource),
    ("VkImportSemaphoreResourceInfoMESA", "resourceId", Number(0)),
    // A handle that is a number.
    ("vkSetPrivateData", "objectType", Number(9)),
    ("vkSetPrivateData", "objectHandle", Object(vk::ObjectType::BUFFER)),
    ("vkGetPrivateData", "objectType", Number(9)),
    ("vkGetPrivateData", "objectHandle", Object(vk::ObjectType::BUFFER)),
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
    ("VkRingCreateInfoMESA", "headOffset", Number(0)),
    ("VkRingCreateInfoMESA", "tailOffset", Number(64)),
    ("VkRingCreateInfoMESA", "statusOffset", Number(128)),
    ("VkRingCreateInfoMESA", "bufferOffset", Number(192)),
    ("VkRingCreateInfoMESA", "bufferSize", Number(4096)),
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
pub(crate) const NULL: &[(&str, &str)] = &[
    ("vkEnumerateDeviceExtensionProperties", "pLayerName"),
    ("vkEnumerateInstanceExtensionProperties", "pLayerName"),
    ("vkExecuteCommandStreamsMESA", "pReplyPositions"),
];

/// What is only legal on a ring.
pub(crate) const ON_RING: &[&str] = &["vkWaitVirtqueueSeqnoMESA"];

/// Chains without which a command means nothing.
pub(crate) const CHAINS: &[(&str, &str)] = &[("VkDeviceQueueInfo2", "VkDeviceQueueTimelineInfoMESA")];

/// The value of a member, if it matters.
pub(crate) fn value(owner: &str, member: &str) -> Option<Value> {
    VALUES.iter().find(|(known, name, _)| *known == owner && *name == member).map(|(_, _, value)| *value)
}
