//! Numbers of recorded commands that are as high as they may be.

use venus_protocol::wire::CommandType;
use venus_verify::content::BUFFER_BYTES;

/// How many queries pools have here.
const QUERIES: u64 = 4;

/// Structures, and their members with the values of those.
pub(super) const STRUCTURES: &[(&str, &str, u64)] = &[
    ("VkQueryPoolCreateInfo", "queryCount", QUERIES),
    ("VkVertexInputBindingDescription2EXT", "binding", 31),
    ("VkVertexInputAttributeDescription2EXT", "location", 31),
    ("VkVertexInputAttributeDescription2EXT", "binding", 31),
    ("VkPushConstantsInfo", "offset", 252),
    ("VkPushConstantsInfo", "size", 4),
    ("VkBindDescriptorSetsInfo", "firstSet", 7),
    ("VkPushDescriptorSetInfo", "set", 7),
    ("VkRenderingInfo", "colorAttachmentCount", 8),
    ("VkPipelineLayoutCreateInfo", "setLayoutCount", 8),
    ("VkBufferCopy", "srcOffset", 0),
    ("VkBufferCopy", "dstOffset", BUFFER_BYTES / 2),
    ("VkBufferCopy", "size", BUFFER_BYTES / 2),
    ("VkBufferCopy2", "srcOffset", BUFFER_BYTES),
    ("VkBufferCopy2", "size", 0),
];

/// Commands, and their members with the values of those.
pub(super) const FITTING: &[(CommandType, &[(&str, u64)])] = &[
    (CommandType::CMD_PUSH_CONSTANTS, &[("offset", 0), ("size", 256)]),
    (CommandType::CMD_PUSH_CONSTANTS, &[("offset", 252), ("size", 4)]),
    (CommandType::CMD_PUSH_CONSTANTS2, &[]),
    (CommandType::CMD_BIND_DESCRIPTOR_SETS, &[("firstSet", 0), ("descriptorSetCount", 8)]),
    (CommandType::CMD_BIND_DESCRIPTOR_SETS, &[("firstSet", 7), ("descriptorSetCount", 1)]),
    (CommandType::CMD_BIND_DESCRIPTOR_SETS2, &[]),
    (CommandType::CMD_PUSH_DESCRIPTOR_SET, &[("set", 7)]),
    (CommandType::CMD_PUSH_DESCRIPTOR_SET2, &[]),
    (CommandType::CMD_BIND_VERTEX_BUFFERS, &[("firstBinding", 0), ("bindingCount", 32)]),
    (CommandType::CMD_BIND_VERTEX_BUFFERS, &[("firstBinding", 31), ("bindingCount", 1)]),
    (CommandType::CMD_BIND_VERTEX_BUFFERS2, &[("firstBinding", 30), ("bindingCount", 2)]),
    (CommandType::CMD_SET_VIEWPORT, &[("firstViewport", 0), ("viewportCount", 16)]),
    (CommandType::CMD_SET_VIEWPORT, &[("firstViewport", 15), ("viewportCount", 1)]),
    (CommandType::CMD_SET_SCISSOR, &[("firstScissor", 0), ("scissorCount", 16)]),
    (CommandType::CMD_SET_SCISSOR, &[("firstScissor", 15), ("scissorCount", 1)]),
    (CommandType::CMD_SET_VIEWPORT_WITH_COUNT, &[("viewportCount", 16)]),
    (CommandType::CMD_SET_SCISSOR_WITH_COUNT, &[("scissorCount", 16)]),
    (
        CommandType::CMD_SET_VERTEX_INPUT_EXT,
        &[("vertexBindingDescriptionCount", 32), ("vertexAttributeDescriptionCount", 32)],
    ),
    (CommandType::CMD_BEGIN_RENDERING, &[]),
    (CommandType::CMD_SET_COLOR_WRITE_ENABLE_EXT, &[("attachmentCount", 8)]),
    (CommandType::CMD_UPDATE_BUFFER, &[("dataSize", 65_536)]),
    (CommandType::CMD_COPY_BUFFER, &[]),
    (CommandType::CMD_COPY_BUFFER2, &[]),
    (CommandType::CMD_FILL_BUFFER, &[("dstOffset", 0), ("size", BUFFER_BYTES)]),
    (CommandType::CMD_FILL_BUFFER, &[("dstOffset", 4), ("size", u64::MAX)]),
    (CommandType::CMD_UPDATE_BUFFER, &[("dstOffset", BUFFER_BYTES - 4), ("dataSize", 4)]),
    (CommandType::CMD_BIND_INDEX_BUFFER, &[("offset", BUFFER_BYTES - 2)]),
    (CommandType::CMD_BIND_INDEX_BUFFER2, &[("offset", 4), ("size", u64::MAX)]),
    (CommandType::CMD_BIND_VERTEX_BUFFERS, &[("pOffsets", BUFFER_BYTES - 1)]),
    (CommandType::CMD_BIND_VERTEX_BUFFERS2, &[("pOffsets", BUFFER_BYTES - 4), ("pSizes", 4)]),
    (CommandType::CMD_DRAW_INDIRECT, &[("offset", BUFFER_BYTES - 16), ("drawCount", 1)]),
    (CommandType::CMD_DRAW_INDEXED_INDIRECT, &[("offset", BUFFER_BYTES), ("drawCount", 0)]),
    (CommandType::CMD_DRAW_MESH_TASKS_INDIRECT_EXT, &[("offset", BUFFER_BYTES - 12), ("drawCount", 1)]),
    (CommandType::CMD_DRAW_INDIRECT_COUNT, &[("countBufferOffset", BUFFER_BYTES - 4)]),
    (CommandType::CMD_DISPATCH_INDIRECT, &[("offset", BUFFER_BYTES - 12)]),
    (CommandType::CMD_BEGIN_QUERY, &[("query", QUERIES - 1)]),
    (CommandType::CMD_END_QUERY, &[("query", QUERIES - 1)]),
    (CommandType::CMD_BEGIN_QUERY_INDEXED_EXT, &[("query", QUERIES - 1)]),
    (CommandType::CMD_END_QUERY_INDEXED_EXT, &[("query", QUERIES - 1)]),
    (CommandType::CMD_WRITE_TIMESTAMP, &[("query", QUERIES - 1)]),
    (CommandType::CMD_WRITE_TIMESTAMP2, &[("query", QUERIES - 1)]),
    (CommandType::CMD_RESET_QUERY_POOL, &[("firstQuery", 0), ("queryCount", QUERIES)]),
    (CommandType::CMD_RESET_QUERY_POOL, &[("firstQuery", QUERIES - 1), ("queryCount", 1)]),
    (CommandType::CMD_COPY_QUERY_POOL_RESULTS, &[("firstQuery", 0), ("queryCount", QUERIES)]),
    (CommandType::CMD_COPY_QUERY_POOL_RESULTS, &[("firstQuery", QUERIES - 1), ("queryCount", 0)]),
    (CommandType::GET_QUERY_POOL_RESULTS, &[("firstQuery", 0), ("queryCount", QUERIES)]),
    (CommandType::GET_QUERY_POOL_RESULTS, &[("firstQuery", QUERIES - 1), ("queryCount", 0)]),
    (CommandType::RESET_QUERY_POOL, &[("firstQuery", 0), ("queryCount", QUERIES)]),
    (
        CommandType::CMD_WRITE_ACCELERATION_STRUCTURES_PROPERTIES_KHR,
        &[("firstQuery", QUERIES - 2), ("accelerationStructureCount", 2)],
    ),
];
