//! What breaks the rules about memory that something is bound to.

use venus_protocol::wire::CommandType;

use super::planted::{Planted, plant};

pub(super) const PLANTED: &[Planted] = &[
    plant(
        "vkBindBufferMemory-memoryOffset-01031",
        CommandType::BIND_BUFFER_MEMORY,
        &[("vkBindBufferMemory", "memoryOffset", 4096)],
        "memoryOffset: is 4096 in 4096 bytes of type 0: it takes 4096",
    ),
    plant(
        "vkBindBufferMemory-memoryOffset-01036",
        CommandType::BIND_BUFFER_MEMORY,
        &[("vkBindBufferMemory", "memoryOffset", 1)],
        "memoryOffset: is 1 in 16384 bytes of type 0: it takes 4096, aligned to 4096",
    )
    .of(&[("VkMemoryAllocateInfo", "allocationSize", 16384)]),
    plant(
        "vkBindBufferMemory-size-01037",
        CommandType::BIND_BUFFER_MEMORY,
        &[],
        "memoryOffset: is 0 in 2048 bytes of type 0: it takes 4096",
    )
    .of(&[("VkMemoryAllocateInfo", "allocationSize", 2048)]),
    plant(
        "VkBindBufferMemoryInfo-memoryOffset-01031",
        CommandType::BIND_BUFFER_MEMORY2,
        &[("VkBindBufferMemoryInfo", "memoryOffset", 4096)],
        "memoryOffset: is 4096 in 4096 bytes of type 0: it takes 4096",
    ),
    plant(
        "VkBindBufferMemoryInfo-memoryOffset-01036",
        CommandType::BIND_BUFFER_MEMORY2,
        &[("VkBindBufferMemoryInfo", "memoryOffset", 1)],
        "memoryOffset: is 1 in 16384 bytes of type 0: it takes 4096, aligned to 4096",
    )
    .of(&[("VkMemoryAllocateInfo", "allocationSize", 16384)]),
    plant(
        "VkBindBufferMemoryInfo-size-01037",
        CommandType::BIND_BUFFER_MEMORY2,
        &[],
        "memoryOffset: is 0 in 2048 bytes of type 0: it takes 4096",
    )
    .of(&[("VkMemoryAllocateInfo", "allocationSize", 2048)]),
    plant(
        "vkBindImageMemory-memoryOffset-01046",
        CommandType::BIND_IMAGE_MEMORY,
        &[("vkBindImageMemory", "memoryOffset", 4096)],
        "memoryOffset: is 4096 in 4096 bytes of type 0: it takes 4096",
    ),
    plant(
        "vkBindImageMemory-memoryOffset-01048",
        CommandType::BIND_IMAGE_MEMORY,
        &[("vkBindImageMemory", "memoryOffset", 1)],
        "memoryOffset: is 1 in 16384 bytes of type 0: it takes 4096, aligned to 4096",
    )
    .of(&[("VkMemoryAllocateInfo", "allocationSize", 16384)]),
    plant(
        "vkBindImageMemory-size-01049",
        CommandType::BIND_IMAGE_MEMORY,
        &[],
        "memoryOffset: is 0 in 2048 bytes of type 0: it takes 4096",
    )
    .of(&[("VkMemoryAllocateInfo", "allocationSize", 2048)]),
    plant(
        "VkBindImageMemoryInfo-memoryOffset-01046",
        CommandType::BIND_IMAGE_MEMORY2,
        &[("VkBindImageMemoryInfo", "memoryOffset", 4096)],
        "memoryOffset: is 4096 in 4096 bytes of type 0: it takes 4096",
    ),
    plant(
        "VkBindImageMemoryInfo-pNext-01616",
        CommandType::BIND_IMAGE_MEMORY2,
        &[("VkBindImageMemoryInfo", "memoryOffset", 1)],
        "memoryOffset: is 1 in 16384 bytes of type 0: it takes 4096, aligned to 4096",
    )
    .of(&[("VkMemoryAllocateInfo", "allocationSize", 16384)]),
    plant(
        "VkBindImageMemoryInfo-pNext-01617",
        CommandType::BIND_IMAGE_MEMORY2,
        &[],
        "memoryOffset: is 0 in 2048 bytes of type 0: it takes 4096",
    )
    .of(&[("VkMemoryAllocateInfo", "allocationSize", 2048)]),
    plant(
        "VkSparseMemoryBind-resourceOffset-01099",
        CommandType::QUEUE_BIND_SPARSE,
        &[("VkSparseMemoryBind", "resourceOffset", 4097)],
        "resourceOffset: 4096 bytes from 4097 on are more than the 4096",
    ),
    plant(
        "VkSparseMemoryBind-size-01100",
        CommandType::QUEUE_BIND_SPARSE,
        &[("VkSparseMemoryBind", "size", 4097)],
        "resourceOffset: 4097 bytes from 0 on are more",
    ),
    plant(
        "VkSparseMemoryBind-memoryOffset-01101",
        CommandType::QUEUE_BIND_SPARSE,
        &[("VkSparseMemoryBind", "memoryOffset", 4097)],
        "memoryOffset: 4096 bytes from 4097 on are more",
    ),
    plant(
        "VkSparseMemoryBind-size-01102",
        CommandType::QUEUE_BIND_SPARSE,
        &[("VkSparseMemoryBind", "memoryOffset", 1)],
        "memoryOffset: 4096 bytes from 1 on are more",
    ),
    plant(
        "VkSparseImageMemoryBindInfo-subresource-01722",
        CommandType::QUEUE_BIND_SPARSE,
        &[("VkImageSubresource", "mipLevel", 1)],
        "mipLevel: is 1, and there are 1",
    ),
    plant(
        "VkSparseImageMemoryBindInfo-subresource-01723",
        CommandType::QUEUE_BIND_SPARSE,
        &[("VkImageSubresource", "arrayLayer", 1)],
        "arrayLayer: is 1, and there are 1",
    ),
];
