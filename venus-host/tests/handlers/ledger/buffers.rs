//! What breaks the rules about ranges of buffers.

use venus_protocol::wire::CommandType;
use venus_verify::content::BUFFER_BYTES;

use super::planted::{Planted, plant};

pub(super) const PLANTED: &[Planted] = &[
    plant(
        "vkCmdCopyBuffer-srcOffset-00113",
        CommandType::CMD_COPY_BUFFER,
        &[("VkBufferCopy", "srcOffset", BUFFER_BYTES + 1)],
        "srcOffset: ",
    ),
    plant(
        "vkCmdCopyBuffer-dstOffset-00114",
        CommandType::CMD_COPY_BUFFER,
        &[("VkBufferCopy", "dstOffset", BUFFER_BYTES + 1)],
        "dstOffset: ",
    ),
    plant(
        "vkCmdCopyBuffer-size-00115",
        CommandType::CMD_COPY_BUFFER,
        &[("VkBufferCopy", "size", BUFFER_BYTES + 1)],
        "srcOffset: 1048577 bytes from",
    ),
    plant(
        "vkCmdCopyBuffer-size-00116",
        CommandType::CMD_COPY_BUFFER,
        &[("VkBufferCopy", "srcOffset", 0), ("VkBufferCopy", "dstOffset", 1), ("VkBufferCopy", "size", BUFFER_BYTES)],
        "dstOffset: 1048576 bytes from 1 on",
    ),
    plant(
        "VkCopyBufferInfo2-srcOffset-00113",
        CommandType::CMD_COPY_BUFFER2,
        &[("VkBufferCopy2", "srcOffset", BUFFER_BYTES + 1)],
        "srcOffset: ",
    ),
    plant(
        "VkCopyBufferInfo2-dstOffset-00114",
        CommandType::CMD_COPY_BUFFER2,
        &[("VkBufferCopy2", "dstOffset", BUFFER_BYTES + 1)],
        "dstOffset: ",
    ),
    plant(
        "VkCopyBufferInfo2-size-00115",
        CommandType::CMD_COPY_BUFFER2,
        &[("VkBufferCopy2", "size", BUFFER_BYTES + 1)],
        "srcOffset: 1048577 bytes from",
    ),
    plant(
        "VkCopyBufferInfo2-size-00116",
        CommandType::CMD_COPY_BUFFER2,
        &[
            ("VkBufferCopy2", "srcOffset", 0),
            ("VkBufferCopy2", "dstOffset", 1),
            ("VkBufferCopy2", "size", BUFFER_BYTES),
        ],
        "dstOffset: 1048576 bytes from 1 on",
    ),
    plant(
        "vkCmdFillBuffer-dstOffset-00024",
        CommandType::CMD_FILL_BUFFER,
        &[("vkCmdFillBuffer", "dstOffset", BUFFER_BYTES + 1)],
        "more than the",
    ),
    plant(
        "vkCmdFillBuffer-size-00027",
        CommandType::CMD_FILL_BUFFER,
        &[("vkCmdFillBuffer", "dstOffset", 4), ("vkCmdFillBuffer", "size", BUFFER_BYTES)],
        "1048576 bytes from 4 on",
    ),
    plant(
        "vkCmdUpdateBuffer-dstOffset-00032",
        CommandType::CMD_UPDATE_BUFFER,
        &[("vkCmdUpdateBuffer", "dstOffset", BUFFER_BYTES + 1)],
        "more than the",
    ),
    plant(
        "vkCmdUpdateBuffer-dataSize-00033",
        CommandType::CMD_UPDATE_BUFFER,
        &[("vkCmdUpdateBuffer", "dstOffset", BUFFER_BYTES - 3), ("vkCmdUpdateBuffer", "dataSize", 4)],
        "4 bytes from 1048573 on",
    ),
    plant(
        "vkCmdCopyQueryPoolResults-dstOffset-00819",
        CommandType::CMD_COPY_QUERY_POOL_RESULTS,
        &[
            ("vkCmdCopyQueryPoolResults", "dstOffset", BUFFER_BYTES + 1),
            ("vkCmdCopyQueryPoolResults", "firstQuery", 0),
            ("vkCmdCopyQueryPoolResults", "queryCount", 0),
        ],
        "more than the",
    ),
    plant(
        "vkCmdBindIndexBuffer-offset-08782",
        CommandType::CMD_BIND_INDEX_BUFFER,
        &[("vkCmdBindIndexBuffer", "offset", BUFFER_BYTES + 1)],
        "more than the",
    ),
    plant(
        "vkCmdBindIndexBuffer2-offset-08782",
        CommandType::CMD_BIND_INDEX_BUFFER2,
        &[("vkCmdBindIndexBuffer2", "offset", BUFFER_BYTES + 1)],
        "more than the",
    ),
    plant(
        "vkCmdBindIndexBuffer2-size-08768",
        CommandType::CMD_BIND_INDEX_BUFFER2,
        &[("vkCmdBindIndexBuffer2", "offset", 4), ("vkCmdBindIndexBuffer2", "size", BUFFER_BYTES)],
        "1048576 bytes from 4 on",
    ),
    plant(
        "vkCmdBindVertexBuffers-pOffsets-00626",
        CommandType::CMD_BIND_VERTEX_BUFFERS,
        &[("vkCmdBindVertexBuffers", "pOffsets", BUFFER_BYTES + 1)],
        "more than the",
    ),
    plant(
        "vkCmdBindVertexBuffers2-pOffsets-03357",
        CommandType::CMD_BIND_VERTEX_BUFFERS2,
        &[("vkCmdBindVertexBuffers2", "pOffsets", BUFFER_BYTES + 1)],
        "more than the",
    ),
    plant(
        "vkCmdBindVertexBuffers2-pSizes-03358",
        CommandType::CMD_BIND_VERTEX_BUFFERS2,
        &[("vkCmdBindVertexBuffers2", "pOffsets", 4), ("vkCmdBindVertexBuffers2", "pSizes", BUFFER_BYTES)],
        "1048576 bytes from 4 on",
    ),
    plant(
        "vkCmdBindTransformFeedbackBuffersEXT-pOffsets-02358",
        CommandType::CMD_BIND_TRANSFORM_FEEDBACK_BUFFERS_EXT,
        &[("vkCmdBindTransformFeedbackBuffersEXT", "pOffsets", BUFFER_BYTES + 1)],
        "more than the",
    ),
    plant(
        "vkCmdBindTransformFeedbackBuffersEXT-pOffsets-02363",
        CommandType::CMD_BIND_TRANSFORM_FEEDBACK_BUFFERS_EXT,
        &[
            ("vkCmdBindTransformFeedbackBuffersEXT", "pOffsets", 4),
            ("vkCmdBindTransformFeedbackBuffersEXT", "pSizes", BUFFER_BYTES),
        ],
        "1048576 bytes from 4 on",
    ),
    plant(
        "VkConditionalRenderingBeginInfoEXT-offset-01983",
        CommandType::CMD_BEGIN_CONDITIONAL_RENDERING_EXT,
        &[("VkConditionalRenderingBeginInfoEXT", "offset", BUFFER_BYTES - 3)],
        "4 bytes from 1048573 on",
    ),
    plant(
        "vkCmdDispatchIndirect-offset-00407",
        CommandType::CMD_DISPATCH_INDIRECT,
        &[("vkCmdDispatchIndirect", "offset", BUFFER_BYTES - 3)],
        "12 bytes from 1048573 on",
    ),
    plant(
        "vkCmdDrawIndirect-drawCount-00487",
        CommandType::CMD_DRAW_INDIRECT,
        &[("vkCmdDrawIndirect", "offset", BUFFER_BYTES - 3), ("vkCmdDrawIndirect", "drawCount", 1)],
        "16 bytes from 1048573 on",
    ),
    plant(
        "vkCmdDrawIndirect-drawCount-00488",
        CommandType::CMD_DRAW_INDIRECT,
        &[
            ("vkCmdDrawIndirect", "offset", 0),
            ("vkCmdDrawIndirect", "drawCount", 3),
            ("vkCmdDrawIndirect", "stride", 524288),
        ],
        "1048592 bytes from 0 on",
    ),
    plant(
        "vkCmdDrawIndexedIndirect-drawCount-00539",
        CommandType::CMD_DRAW_INDEXED_INDIRECT,
        &[("vkCmdDrawIndexedIndirect", "offset", BUFFER_BYTES - 3), ("vkCmdDrawIndexedIndirect", "drawCount", 1)],
        "20 bytes from 1048573 on",
    ),
    plant(
        "vkCmdDrawIndexedIndirect-drawCount-00540",
        CommandType::CMD_DRAW_INDEXED_INDIRECT,
        &[
            ("vkCmdDrawIndexedIndirect", "offset", 0),
            ("vkCmdDrawIndexedIndirect", "drawCount", 3),
            ("vkCmdDrawIndexedIndirect", "stride", 524288),
        ],
        "1048596 bytes from 0 on",
    ),
    plant(
        "vkCmdDrawMeshTasksIndirectEXT-drawCount-07089",
        CommandType::CMD_DRAW_MESH_TASKS_INDIRECT_EXT,
        &[
            ("vkCmdDrawMeshTasksIndirectEXT", "offset", BUFFER_BYTES - 3),
            ("vkCmdDrawMeshTasksIndirectEXT", "drawCount", 1),
        ],
        "12 bytes from 1048573 on",
    ),
    plant(
        "vkCmdDrawMeshTasksIndirectEXT-drawCount-07090",
        CommandType::CMD_DRAW_MESH_TASKS_INDIRECT_EXT,
        &[
            ("vkCmdDrawMeshTasksIndirectEXT", "offset", 0),
            ("vkCmdDrawMeshTasksIndirectEXT", "drawCount", 3),
            ("vkCmdDrawMeshTasksIndirectEXT", "stride", 524288),
        ],
        "1048588 bytes from 0 on",
    ),
    plant(
        "vkCmdDrawIndirectCount-maxDrawCount-03111",
        CommandType::CMD_DRAW_INDIRECT_COUNT,
        &[
            ("vkCmdDrawIndirectCount", "offset", 0),
            ("vkCmdDrawIndirectCount", "maxDrawCount", 3),
            ("vkCmdDrawIndirectCount", "stride", 524288),
        ],
        "1048592 bytes from 0 on",
    ),
    plant(
        "vkCmdDrawIndirectCount-countBufferOffset-04129",
        CommandType::CMD_DRAW_INDIRECT_COUNT,
        &[("vkCmdDrawIndirectCount", "countBufferOffset", BUFFER_BYTES - 3)],
        "4 bytes from 1048573 on",
    ),
    plant(
        "vkCmdDrawIndexedIndirectCount-maxDrawCount-03143",
        CommandType::CMD_DRAW_INDEXED_INDIRECT_COUNT,
        &[
            ("vkCmdDrawIndexedIndirectCount", "offset", 0),
            ("vkCmdDrawIndexedIndirectCount", "maxDrawCount", 3),
            ("vkCmdDrawIndexedIndirectCount", "stride", 524288),
        ],
        "1048596 bytes from 0 on",
    ),
    plant(
        "vkCmdDrawIndexedIndirectCount-countBufferOffset-04129",
        CommandType::CMD_DRAW_INDEXED_INDIRECT_COUNT,
        &[("vkCmdDrawIndexedIndirectCount", "countBufferOffset", BUFFER_BYTES - 3)],
        "4 bytes from 1048573 on",
    ),
    plant(
        "vkCmdDrawMeshTasksIndirectCountEXT-maxDrawCount-07097",
        CommandType::CMD_DRAW_MESH_TASKS_INDIRECT_COUNT_EXT,
        &[
            ("vkCmdDrawMeshTasksIndirectCountEXT", "offset", 0),
            ("vkCmdDrawMeshTasksIndirectCountEXT", "maxDrawCount", 3),
            ("vkCmdDrawMeshTasksIndirectCountEXT", "stride", 524288),
        ],
        "1048588 bytes from 0 on",
    ),
    plant(
        "vkCmdDrawMeshTasksIndirectCountEXT-countBufferOffset-04129",
        CommandType::CMD_DRAW_MESH_TASKS_INDIRECT_COUNT_EXT,
        &[("vkCmdDrawMeshTasksIndirectCountEXT", "countBufferOffset", BUFFER_BYTES - 3)],
        "4 bytes from 1048573 on",
    ),
    plant(
        "VkBufferViewCreateInfo-offset-00925",
        CommandType::CREATE_BUFFER_VIEW,
        &[("VkBufferViewCreateInfo", "offset", BUFFER_BYTES + 1)],
        "more than the",
    ),
    plant(
        "VkBufferViewCreateInfo-offset-00931",
        CommandType::CREATE_BUFFER_VIEW,
        &[("VkBufferViewCreateInfo", "offset", 4), ("VkBufferViewCreateInfo", "range", BUFFER_BYTES)],
        "1048576 bytes from 4 on",
    ),
    plant(
        "VkAccelerationStructureCreateInfoKHR-offset-03616",
        CommandType::CREATE_ACCELERATION_STRUCTURE_KHR,
        &[("VkAccelerationStructureCreateInfoKHR", "offset", BUFFER_BYTES + 1)],
        "more than the",
    ),
    plant(
        "OWN-vkCmdBeginTransformFeedbackEXT-pCounterBufferOffsets-size",
        CommandType::CMD_BEGIN_TRANSFORM_FEEDBACK_EXT,
        &[("vkCmdBeginTransformFeedbackEXT", "pCounterBufferOffsets", BUFFER_BYTES - 3)],
        "4 bytes from 1048573 on",
    ),
    plant(
        "OWN-vkCmdEndTransformFeedbackEXT-pCounterBufferOffsets-size",
        CommandType::CMD_END_TRANSFORM_FEEDBACK_EXT,
        &[("vkCmdEndTransformFeedbackEXT", "pCounterBufferOffsets", BUFFER_BYTES - 3)],
        "4 bytes from 1048573 on",
    ),
    plant(
        "OWN-vkCmdDrawIndirectByteCountEXT-counterBufferOffset-size",
        CommandType::CMD_DRAW_INDIRECT_BYTE_COUNT_EXT,
        &[("vkCmdDrawIndirectByteCountEXT", "counterBufferOffset", BUFFER_BYTES - 3)],
        "4 bytes from 1048573 on",
    ),
    plant(
        "OWN-vkCmdCopyQueryPoolResults-dstBuffer-size",
        CommandType::CMD_COPY_QUERY_POOL_RESULTS,
        &[
            ("vkCmdCopyQueryPoolResults", "firstQuery", 0),
            ("vkCmdCopyQueryPoolResults", "queryCount", 2),
            ("vkCmdCopyQueryPoolResults", "dstOffset", 0),
            ("vkCmdCopyQueryPoolResults", "stride", BUFFER_BYTES),
            ("vkCmdCopyQueryPoolResults", "flags", 0),
            ("VkQueryPoolCreateInfo", "queryCount", 2),
        ],
        "1048580 bytes from 0 on",
    ),
];
