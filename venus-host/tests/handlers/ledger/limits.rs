//! What breaks rules about limits, and what is before or beside.

use venus_protocol::wire::CommandType;

use super::planted::{Planted, plant};

pub(super) const PLANTED: &[Planted] = &[
    plant(
        "vkCmdBindTransformFeedbackBuffersEXT-firstBinding-02356",
        CommandType::CMD_BIND_TRANSFORM_FEEDBACK_BUFFERS_EXT,
        &[("vkCmdBindTransformFeedbackBuffersEXT", "firstBinding", 4)],
        "1 from 4 are more than the limit of 4",
    ),
    plant(
        "vkCmdBindTransformFeedbackBuffersEXT-firstBinding-02357",
        CommandType::CMD_BIND_TRANSFORM_FEEDBACK_BUFFERS_EXT,
        &[
            ("vkCmdBindTransformFeedbackBuffersEXT", "firstBinding", 3),
            ("vkCmdBindTransformFeedbackBuffersEXT", "bindingCount", 2),
        ],
        "2 from 3 are more than the limit of 4",
    ),
    plant(
        "vkCmdBeginTransformFeedbackEXT-firstCounter-02368",
        CommandType::CMD_BEGIN_TRANSFORM_FEEDBACK_EXT,
        &[("vkCmdBeginTransformFeedbackEXT", "firstCounterBuffer", 4)],
        "1 from 4 are more than the limit of 4",
    ),
    plant(
        "vkCmdBeginTransformFeedbackEXT-firstCounter-02369",
        CommandType::CMD_BEGIN_TRANSFORM_FEEDBACK_EXT,
        &[
            ("vkCmdBeginTransformFeedbackEXT", "firstCounterBuffer", 3),
            ("vkCmdBeginTransformFeedbackEXT", "counterBufferCount", 2),
        ],
        "2 from 3 are more than the limit of 4",
    ),
    plant(
        "vkCmdEndTransformFeedbackEXT-firstCounterBuffer-02376",
        CommandType::CMD_END_TRANSFORM_FEEDBACK_EXT,
        &[("vkCmdEndTransformFeedbackEXT", "firstCounterBuffer", 4)],
        "1 from 4 are more than the limit of 4",
    ),
    plant(
        "vkCmdEndTransformFeedbackEXT-firstCounterBuffer-02377",
        CommandType::CMD_END_TRANSFORM_FEEDBACK_EXT,
        &[
            ("vkCmdEndTransformFeedbackEXT", "firstCounterBuffer", 3),
            ("vkCmdEndTransformFeedbackEXT", "counterBufferCount", 2),
        ],
        "2 from 3 are more than the limit of 4",
    ),
    plant(
        "VkRenderingAttachmentLocationInfo-colorAttachmentCount-09514",
        CommandType::CMD_SET_RENDERING_ATTACHMENT_LOCATIONS,
        &[("VkRenderingAttachmentLocationInfo", "colorAttachmentCount", 9)],
        "is 9, and the limit is 8",
    ),
    plant(
        "VkRenderingAttachmentLocationInfo-pColorAttachmentLocations-09515",
        CommandType::CMD_SET_RENDERING_ATTACHMENT_LOCATIONS,
        &[("VkRenderingAttachmentLocationInfo", "pColorAttachmentLocations", 8)],
        "is 8, and there are 8",
    ),
    plant(
        "VkRenderingInputAttachmentIndexInfo-colorAttachmentCount-09525",
        CommandType::CMD_SET_RENDERING_INPUT_ATTACHMENT_INDICES,
        &[("VkRenderingInputAttachmentIndexInfo", "colorAttachmentCount", 9)],
        "is 9, and the limit is 8",
    ),
    plant(
        "VkRenderingAttachmentLocationInfo-colorAttachmentCount-09514",
        CommandType::CREATE_GRAPHICS_PIPELINES,
        &[("VkRenderingAttachmentLocationInfo", "colorAttachmentCount", 9)],
        "is 9, and the limit is 8",
    )
    .after(&[("VkGraphicsPipelineCreateInfo", "VkRenderingAttachmentLocationInfo")]),
    plant(
        "VkRenderingAttachmentLocationInfo-pColorAttachmentLocations-09515",
        CommandType::CREATE_GRAPHICS_PIPELINES,
        &[("VkRenderingAttachmentLocationInfo", "pColorAttachmentLocations", 8)],
        "is 8, and there are 8",
    )
    .after(&[("VkGraphicsPipelineCreateInfo", "VkRenderingAttachmentLocationInfo")]),
    plant(
        "VkRenderingInputAttachmentIndexInfo-colorAttachmentCount-09525",
        CommandType::CREATE_GRAPHICS_PIPELINES,
        &[("VkRenderingInputAttachmentIndexInfo", "colorAttachmentCount", 9)],
        "is 9, and the limit is 8",
    )
    .after(&[("VkGraphicsPipelineCreateInfo", "VkRenderingInputAttachmentIndexInfo")]),
    plant(
        "VkPipelineColorWriteCreateInfoEXT-attachmentCount-06655",
        CommandType::CREATE_GRAPHICS_PIPELINES,
        &[("VkPipelineColorWriteCreateInfoEXT", "attachmentCount", 9)],
        "is 9, and the limit is 8",
    )
    .after(&[("VkPipelineColorBlendStateCreateInfo", "VkPipelineColorWriteCreateInfoEXT")]),
    plant(
        "VkVertexInputBindingDivisorDescription-binding-01869",
        CommandType::CREATE_GRAPHICS_PIPELINES,
        &[("VkVertexInputBindingDivisorDescription", "binding", 32)],
        "is 32, and there are 32",
    )
    .after(&[("VkPipelineVertexInputStateCreateInfo", "VkPipelineVertexInputDivisorStateCreateInfo")]),
    plant(
        "VkPipelineTessellationStateCreateInfo-patchControlPoints-01214",
        CommandType::CREATE_GRAPHICS_PIPELINES,
        &[
            ("VkPipelineShaderStageCreateInfo", "stage", 4),
            ("VkPipelineTessellationStateCreateInfo", "patchControlPoints", 33),
        ],
        "is 33, and the limit is 32",
    ),
    plant(
        "VkPipelineTessellationStateCreateInfo-patchControlPoints-01214",
        CommandType::CREATE_GRAPHICS_PIPELINES,
        &[
            ("VkPipelineShaderStageCreateInfo", "stage", 4),
            ("VkPipelineTessellationStateCreateInfo", "patchControlPoints", 0),
        ],
        "patchControlPoints: is 0",
    ),
    plant(
        "vkCmdSetPatchControlPointsEXT-patchControlPoints-04874",
        CommandType::CMD_SET_PATCH_CONTROL_POINTS_EXT,
        &[("vkCmdSetPatchControlPointsEXT", "patchControlPoints", 33)],
        "is 33, and the limit is 32",
    ),
    plant(
        "vkCmdSetPatchControlPointsEXT-patchControlPoints-04874",
        CommandType::CMD_SET_PATCH_CONTROL_POINTS_EXT,
        &[("vkCmdSetPatchControlPointsEXT", "patchControlPoints", 0)],
        "patchControlPoints: is 0",
    ),
    plant(
        "vkCreateGraphicsPipelines-flags-00720",
        CommandType::CREATE_GRAPHICS_PIPELINES,
        &[("VkGraphicsPipelineCreateInfo", "flags", 4), ("VkGraphicsPipelineCreateInfo", "basePipelineIndex", 0)],
        "is 0, in the pipeline at 0",
    ),
    plant(
        "vkCreateComputePipelines-flags-00695",
        CommandType::CREATE_COMPUTE_PIPELINES,
        &[("VkComputePipelineCreateInfo", "flags", 4), ("VkComputePipelineCreateInfo", "basePipelineIndex", 0)],
        "is 0, in the pipeline at 0",
    ),
    plant(
        "vkCreateRayTracingPipelinesKHR-flags-03415",
        CommandType::CREATE_RAY_TRACING_PIPELINES_KHR,
        &[
            ("VkRayTracingPipelineCreateInfoKHR", "flags", 4),
            ("VkRayTracingPipelineCreateInfoKHR", "basePipelineIndex", 0),
        ],
        "is 0, in the pipeline at 0",
    ),
    plant(
        "VkBufferCreateInfo-sharingMode-01419",
        CommandType::CREATE_BUFFER,
        &[("VkBufferCreateInfo", "sharingMode", 1), ("VkBufferCreateInfo", "pQueueFamilyIndices", 9)],
        "is 9, and there are 1",
    ),
    plant(
        "VkImageCreateInfo-sharingMode-01420",
        CommandType::CREATE_IMAGE,
        &[("VkImageCreateInfo", "sharingMode", 1), ("VkImageCreateInfo", "pQueueFamilyIndices", 9)],
        "is 9, and there are 1",
    ),
    plant(
        "VkQueryPoolCreateInfo-queryCount-02763",
        CommandType::CREATE_QUERY_POOL,
        &[("VkQueryPoolCreateInfo", "queryCount", 0)],
        "is 0",
    ),
    plant(
        "VkRenderingInfo-pNext-07815",
        CommandType::CMD_BEGIN_RENDERING,
        &[("VkExtent2D", "width", 16384)],
        "are more than the limit of 16384",
    ),
    plant(
        "VkRenderingInfo-pNext-07816",
        CommandType::CMD_BEGIN_RENDERING,
        &[("VkExtent2D", "height", 16384)],
        "are more than the limit of 16384",
    ),
    plant(
        "VkRenderingInfo-layerCount-07817",
        CommandType::CMD_BEGIN_RENDERING,
        &[("VkRenderingInfo", "layerCount", 2049)],
        "2049 are more than the limit of 2048",
    ),
    plant(
        "VkDeviceGroupRenderPassBeginInfo-offset-06168",
        CommandType::CMD_BEGIN_RENDERING,
        &[("VkExtent2D", "width", 16384)],
        "are more than the limit of 16384",
    )
    .after(&[("VkRenderingInfo", "VkDeviceGroupRenderPassBeginInfo")]),
    plant(
        "VkDeviceGroupRenderPassBeginInfo-offset-06169",
        CommandType::CMD_BEGIN_RENDERING,
        &[("VkExtent2D", "height", 16384)],
        "are more than the limit of 16384",
    )
    .after(&[("VkRenderingInfo", "VkDeviceGroupRenderPassBeginInfo")]),
];
