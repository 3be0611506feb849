//! What breaks each rule that the ledger says is checked.

use mock_driver::BORDER_COLOURS;
use venus_protocol::wire::CommandType;

/// A rule, a command that breaks it, and how.
pub(super) struct Planted {
    /// The rule's name, less `VUID-` if it is Vulkan's.
    pub(super) rule: &'static str,
    pub(super) command: CommandType,
    /// Structures that have to follow others for that: what is followed, and by what.
    pub(super) chains: &'static [(&'static str, &'static str)],
    /// Members that are null for that, by owner.
    pub(super) nulls: &'static [(&'static str, &'static str)],
    /// What objects that it names are made with: members, by owner, and their values.
    pub(super) made: &'static [(&'static str, &'static str, u64)],
    /// What makes it wrong: members, by owner, and their values.
    pub(super) wrong: &'static [(&'static str, &'static str, u64)],
    /// What its line in the log says of it.
    pub(super) says: &'static str,
}

/// A command that one member makes wrong.
pub(super) const fn plant(
    rule: &'static str,
    command: CommandType,
    wrong: &'static [(&'static str, &'static str, u64)],
    says: &'static str,
) -> Planted {
    Planted { rule, command, chains: &[], nulls: &[], made: &[], wrong, says }
}

impl Planted {
    /// The same, with structures after others.
    pub(super) const fn after(self, chains: &'static [(&'static str, &'static str)]) -> Self {
        Self { chains, ..self }
    }

    /// The same, about objects that were made with such members.
    pub(super) const fn of(self, made: &'static [(&'static str, &'static str, u64)]) -> Self {
        Self { made, ..self }
    }

    /// The same, without some members.
    pub(super) const fn without(self, nulls: &'static [(&'static str, &'static str)]) -> Self {
        Self { nulls, ..self }
    }
}

/// VK_BORDER_COLOR_FLOAT_CUSTOM_EXT.
const FLOAT_CUSTOM: u64 = 1_000_287_003;

/// VK_DESCRIPTOR_TYPE_INLINE_UNIFORM_BLOCK and VK_DESCRIPTOR_TYPE_ACCELERATION_STRUCTURE_KHR.
const INLINE_UNIFORM_BLOCK: u64 = 1_000_138_000;
const ACCELERATION_STRUCTURE: u64 = 1_000_150_000;

/// What leads to an embedded sampler with a border colour of its own.
const EMBEDDED: &[(&str, &str)] = &[
    ("VkPipelineShaderStageCreateInfo", "VkShaderDescriptorSetAndBindingMappingInfoEXT"),
    ("VkSamplerCreateInfo", "VkSamplerCustomBorderColorIndexCreateInfoEXT"),
];

/// A mapping of an embedded sampler that has a border colour of its own, for each source of VkDescriptorMappingSourceEXT
/// that can have one.
const fn embedded(rule: &'static str, wrong: &'static [(&'static str, &'static str, u64)]) -> Planted {
    plant(rule, CommandType::CREATE_COMPUTE_PIPELINES, wrong, "border colour").after(EMBEDDED)
}

pub(super) const PLANTED: &[Planted] = &[
    plant("VkBufferCreateInfo-size-00912", CommandType::CREATE_BUFFER, &[("VkBufferCreateInfo", "size", 0)], "is 0"),
    plant(
        "VkBufferCreateInfo-size-00912",
        CommandType::GET_DEVICE_BUFFER_MEMORY_REQUIREMENTS,
        &[("VkBufferCreateInfo", "size", 0)],
        "is 0",
    ),
    plant(
        "VkShaderModuleCreateInfo-codeSize-08735",
        CommandType::CREATE_SHADER_MODULE,
        &[("VkShaderModuleCreateInfo", "codeSize", 7)],
        "whole number of words",
    ),
    plant(
        "VkSpecializationInfo-offset-00773",
        CommandType::CREATE_COMPUTE_PIPELINES,
        &[("VkSpecializationMapEntry", "offset", 2)],
        "ends at byte 3",
    ),
    plant(
        "VkSpecializationInfo-pMapEntries-00774",
        CommandType::CREATE_GRAPHICS_PIPELINES,
        &[("VkSpecializationMapEntry", "size", 9)],
        "ends at byte 9",
    ),
    embedded(
        "VkDescriptorMappingSourceConstantOffsetEXT-pEmbeddedSampler-11445",
        &[("VkDescriptorSetAndBindingMappingEXT", "source", 0)],
    ),
    embedded(
        "VkDescriptorMappingSourcePushIndexEXT-pEmbeddedSampler-11445",
        &[("VkDescriptorSetAndBindingMappingEXT", "source", 1)],
    ),
    embedded(
        "VkDescriptorMappingSourceIndirectIndexEXT-pEmbeddedSampler-11445",
        &[("VkDescriptorSetAndBindingMappingEXT", "source", 2)],
    ),
    embedded(
        "VkDescriptorMappingSourceIndirectIndexArrayEXT-pEmbeddedSampler-11445",
        &[("VkDescriptorSetAndBindingMappingEXT", "source", 3)],
    ),
    embedded(
        "VkDescriptorMappingSourceShaderRecordIndexEXT-pEmbeddedSampler-11445",
        &[("VkDescriptorSetAndBindingMappingEXT", "source", 8)],
    ),
    plant(
        "VkGraphicsPipelineCreateInfo-pipelineStageCreationFeedbackCount-06594",
        CommandType::CREATE_GRAPHICS_PIPELINES,
        &[("VkPipelineCreationFeedbackCreateInfo", "pipelineStageCreationFeedbackCount", 3)],
        "is 3, but what it belongs to has 1",
    )
    .after(&[("VkGraphicsPipelineCreateInfo", "VkPipelineCreationFeedbackCreateInfo")]),
    plant(
        "VkComputePipelineCreateInfo-pipelineStageCreationFeedbackCount-06566",
        CommandType::CREATE_COMPUTE_PIPELINES,
        &[("VkPipelineCreationFeedbackCreateInfo", "pipelineStageCreationFeedbackCount", 3)],
        "is 3, but what it belongs to has 1",
    )
    .after(&[("VkComputePipelineCreateInfo", "VkPipelineCreationFeedbackCreateInfo")]),
    plant(
        "VkRayTracingPipelineCreateInfoKHR-pipelineStageCreationFeedbackCount-06652",
        CommandType::CREATE_RAY_TRACING_PIPELINES_KHR,
        &[("VkPipelineCreationFeedbackCreateInfo", "pipelineStageCreationFeedbackCount", 3)],
        "is 3, but what it belongs to has 1",
    )
    .after(&[("VkRayTracingPipelineCreateInfoKHR", "VkPipelineCreationFeedbackCreateInfo")]),
    plant(
        "VkDescriptorSetLayoutBindingFlagsCreateInfo-bindingCount-03002",
        CommandType::CREATE_DESCRIPTOR_SET_LAYOUT,
        &[("VkDescriptorSetLayoutBindingFlagsCreateInfo", "bindingCount", 5)],
        "is 5, but what it belongs to has 6",
    )
    .after(&[("VkDescriptorSetLayoutCreateInfo", "VkDescriptorSetLayoutBindingFlagsCreateInfo")]),
    plant(
        "VkDescriptorSetVariableDescriptorCountAllocateInfo-descriptorSetCount-03045",
        CommandType::ALLOCATE_DESCRIPTOR_SETS,
        &[("VkDescriptorSetVariableDescriptorCountAllocateInfo", "descriptorSetCount", 5)],
        "is 5, but what it belongs to has 1",
    )
    .after(&[("VkDescriptorSetAllocateInfo", "VkDescriptorSetVariableDescriptorCountAllocateInfo")]),
    plant(
        "VkWriteDescriptorSet-descriptorType-02221",
        CommandType::UPDATE_DESCRIPTOR_SETS,
        &[
            ("VkWriteDescriptorSet", "descriptorType", INLINE_UNIFORM_BLOCK),
            ("VkWriteDescriptorSetInlineUniformBlock", "dataSize", 8),
        ],
        "is 8, but what it belongs to has 1",
    )
    .after(&[("VkWriteDescriptorSet", "VkWriteDescriptorSetInlineUniformBlock")]),
    plant(
        "VkWriteDescriptorSet-descriptorType-02382",
        CommandType::CMD_PUSH_DESCRIPTOR_SET2,
        &[("VkWriteDescriptorSet", "descriptorType", ACCELERATION_STRUCTURE)],
        "is 0, but what it belongs to has 1",
    ),
    plant(
        "VkRenderPassCreateInfo-pNext-01928",
        CommandType::CREATE_RENDER_PASS,
        &[("VkRenderPassMultiviewCreateInfo", "subpassCount", 4)],
        "is 4, but what it belongs to has 1",
    )
    .after(&[("VkRenderPassCreateInfo", "VkRenderPassMultiviewCreateInfo")]),
    plant(
        "VkRenderPassCreateInfo-pNext-01929",
        CommandType::CREATE_RENDER_PASS,
        &[("VkRenderPassMultiviewCreateInfo", "dependencyCount", 4)],
        "is 4, but what it belongs to has 1",
    )
    .after(&[("VkRenderPassCreateInfo", "VkRenderPassMultiviewCreateInfo")]),
    plant(
        "VkDeviceGroupSubmitInfo-waitSemaphoreCount-00082",
        CommandType::QUEUE_SUBMIT,
        &[("VkDeviceGroupSubmitInfo", "waitSemaphoreCount", 4)],
        "is 4, but what it belongs to has 1",
    )
    .after(&[("VkSubmitInfo", "VkDeviceGroupSubmitInfo")]),
    plant(
        "VkDeviceGroupSubmitInfo-commandBufferCount-00083",
        CommandType::QUEUE_SUBMIT,
        &[("VkDeviceGroupSubmitInfo", "commandBufferCount", 4)],
        "is 4, but what it belongs to has 1",
    )
    .after(&[("VkSubmitInfo", "VkDeviceGroupSubmitInfo")]),
    plant(
        "VkDeviceGroupSubmitInfo-signalSemaphoreCount-00084",
        CommandType::QUEUE_SUBMIT,
        &[("VkDeviceGroupSubmitInfo", "signalSemaphoreCount", 4)],
        "is 4, but what it belongs to has 1",
    )
    .after(&[("VkSubmitInfo", "VkDeviceGroupSubmitInfo")]),
    plant(
        "VkDeviceQueueCreateInfo-queueFamilyIndex-00381",
        CommandType::CREATE_DEVICE,
        &[("VkDeviceQueueCreateInfo", "queueFamilyIndex", 9)],
        "",
    ),
    plant(
        "VkDeviceQueueCreateInfo-queueCount-00382",
        CommandType::CREATE_DEVICE,
        &[("VkDeviceQueueCreateInfo", "queueCount", 1000)],
        "",
    ),
    plant(
        "VkDeviceQueueInfo2-queueFamilyIndex-01842",
        CommandType::GET_DEVICE_QUEUE2,
        &[("VkDeviceQueueInfo2", "queueFamilyIndex", 9)],
        "without queue 0 of family 9",
    ),
    plant(
        "VkDeviceQueueInfo2-queueIndex-01843",
        CommandType::GET_DEVICE_QUEUE2,
        &[("VkDeviceQueueInfo2", "queueIndex", 1000)],
        "without queue 1000 of family 0",
    ),
    plant(
        "vkAllocateMemory-pAllocateInfo-01713",
        CommandType::ALLOCATE_MEMORY,
        &[("VkMemoryAllocateInfo", "allocationSize", 1 << 60)],
        "",
    ),
    plant(
        "vkAllocateMemory-pAllocateInfo-01714",
        CommandType::ALLOCATE_MEMORY,
        &[("VkMemoryAllocateInfo", "memoryTypeIndex", 31)],
        "",
    ),
    plant("vkCmdClearAttachments-rect-02682", CommandType::CMD_CLEAR_ATTACHMENTS, &[("VkExtent2D", "width", 0)], ""),
    plant("vkCmdClearAttachments-rect-02683", CommandType::CMD_CLEAR_ATTACHMENTS, &[("VkExtent2D", "height", 0)], ""),
    plant(
        "vkCmdClearAttachments-layerCount-01934",
        CommandType::CMD_CLEAR_ATTACHMENTS,
        &[("VkClearRect", "layerCount", 0)],
        "",
    ),
    plant(
        "VkPushDataInfoEXT-offset-11243",
        CommandType::CMD_PUSH_DATA_EXT,
        &[("VkPushDataInfoEXT", "offset", 256)],
        "of 256",
    ),
    plant(
        "VkImageCreateInfo-pData-11286",
        CommandType::CREATE_IMAGE,
        &[("VkHostAddressRangeConstEXT", "size", 0)],
        "opaque capture data",
    )
    .after(&[("VkImageCreateInfo", "VkOpaqueCaptureDataCreateInfoEXT")]),
    plant(
        "vkGetImageOpaqueCaptureDataEXT-size-11283",
        CommandType::GET_IMAGE_OPAQUE_CAPTURE_DATA_EXT,
        &[("VkHostAddressRangeEXT", "size", 0)],
        "opaque capture data",
    ),
    plant(
        "VkSamplerCustomBorderColorIndexCreateInfoEXT-index-11289",
        CommandType::CREATE_SAMPLER,
        &[
            ("VkSamplerCreateInfo", "borderColor", FLOAT_CUSTOM),
            ("VkSamplerCustomBorderColorIndexCreateInfoEXT", "index", BORDER_COLOURS as u64),
        ],
        "border colours",
    )
    .after(&[("VkSamplerCreateInfo", "VkSamplerCustomBorderColorIndexCreateInfoEXT")]),
    plant(
        "vkRegisterCustomBorderColorEXT-requestIndex-11287",
        CommandType::REGISTER_CUSTOM_BORDER_COLOR_EXT,
        &[
            ("vkRegisterCustomBorderColorEXT", "requestIndex", 1),
            ("vkRegisterCustomBorderColorEXT", "pIndex", BORDER_COLOURS as u64),
        ],
        "border colours",
    ),
    plant(
        "vkUnregisterCustomBorderColorEXT-index-11288",
        CommandType::UNREGISTER_CUSTOM_BORDER_COLOR_EXT,
        &[("vkUnregisterCustomBorderColorEXT", "index", BORDER_COLOURS as u64)],
        "border colours",
    ),
    plant(
        "VkBufferViewCreateInfo-range-00928",
        CommandType::CREATE_BUFFER_VIEW,
        &[("VkBufferViewCreateInfo", "range", 0)],
        "is 0",
    ),
    // Shader code.
    plant(
        "VkShaderModuleCreateInfo-codeSize-01085",
        CommandType::CREATE_SHADER_MODULE,
        &[("VkShaderModuleCreateInfo", "codeSize", 0)],
        "0 words are no module",
    ),
    plant(
        "OWN-VkShaderModuleCreateInfo-pCode-magic",
        CommandType::CREATE_SHADER_MODULE,
        &[("VkShaderModuleCreateInfo", "pCode", 7)],
        "begins with 0x00000007",
    ),
    plant(
        "OWN-VkShaderModuleCreateInfo-pCode-bound",
        CommandType::CREATE_COMPUTE_PIPELINES,
        &[("VkShaderModuleCreateInfo", "pCode", 0x0723_0203)],
        "has a bound of 119734787 ids",
    )
    .after(&[("VkPipelineShaderStageCreateInfo", "VkShaderModuleCreateInfo")]),
    // The header once more is an instruction that is too long.
    plant(
        "OWN-VkShaderModuleCreateInfo-pCode-instructions",
        CommandType::CREATE_SHADER_MODULE,
        &[("VkShaderModuleCreateInfo", "codeSize", 24)],
        "the instruction at word 5 of 6 has 1827 words",
    ),
    // Numbers of attachments and subpasses.
    plant(
        "VkRenderPassCreateInfo-attachment-00834",
        CommandType::CREATE_RENDER_PASS,
        &[("VkAttachmentReference", "attachment", 1)],
        "pCreateInfo->pSubpasses[].pInputAttachments[].attachment: is 1, and there are 1",
    ),
    plant(
        "VkRenderPassCreateInfo-attachment-00834",
        CommandType::CREATE_RENDER_PASS,
        &[("VkSubpassDescription", "inputAttachmentCount", 0), ("VkAttachmentReference", "attachment", 1)],
        "pCreateInfo->pSubpasses[].pResolveAttachments[].attachment: is 1, and there are 1",
    ),
    plant(
        "VkRenderPassCreateInfo-attachment-00834",
        CommandType::CREATE_RENDER_PASS,
        &[("VkSubpassDescription", "inputAttachmentCount", 0), ("VkAttachmentReference", "attachment", 1)],
        "pCreateInfo->pSubpasses[].pColorAttachments[].attachment: is 1, and there are 1",
    ).without(&[("VkSubpassDescription", "pResolveAttachments")]),
    plant(
        "VkRenderPassCreateInfo-attachment-00834",
        CommandType::CREATE_RENDER_PASS,
        &[("VkSubpassDescription", "inputAttachmentCount", 0), ("VkSubpassDescription", "colorAttachmentCount", 0), ("VkAttachmentReference", "attachment", 1)],
        "pCreateInfo->pSubpasses[].pDepthStencilAttachment->attachment: is 1, and there are 1",
    ),
    plant(
        "VkRenderPassCreateInfo-attachment-00834",
        CommandType::CREATE_RENDER_PASS,
        &[("VkSubpassDescription", "pPreserveAttachments", 1)],
        "pCreateInfo->pSubpasses[].pPreserveAttachments[]: is 1, and there are 1",
    ),
    plant(
        "VkSubpassDescription-attachment-00853",
        CommandType::CREATE_RENDER_PASS,
        &[("VkSubpassDescription", "pPreserveAttachments", u32::MAX as u64)],
        "pCreateInfo->pSubpasses[].pPreserveAttachments[]: is 4294967295, and there are 1",
    ),
    plant(
        "VkRenderPassCreateInfo-pNext-01926",
        CommandType::CREATE_RENDER_PASS,
        &[("VkInputAttachmentAspectReference", "subpass", 1)],
        "is 1, and there are 1",
    )
    .after(&[("VkRenderPassCreateInfo", "VkRenderPassInputAttachmentAspectCreateInfo")]),
    plant(
        "VkRenderPassCreateInfo-pNext-01927",
        CommandType::CREATE_RENDER_PASS,
        &[("VkInputAttachmentAspectReference", "inputAttachmentIndex", 1)],
        "is 1, and there are 1",
    )
    .after(&[("VkRenderPassCreateInfo", "VkRenderPassInputAttachmentAspectCreateInfo")]),
    plant(
        "VkRenderPassCreateInfo-pDependencies-06866",
        CommandType::CREATE_RENDER_PASS,
        &[("VkSubpassDependency", "srcSubpass", 1)],
        "is 1, and there are 1",
    ),
    plant(
        "VkRenderPassCreateInfo-pDependencies-06867",
        CommandType::CREATE_RENDER_PASS,
        &[("VkSubpassDependency", "dstSubpass", 1)],
        "is 1, and there are 1",
    ),
    plant(
        "VkSubpassDescription-colorAttachmentCount-00845",
        CommandType::CREATE_RENDER_PASS,
        &[("VkSubpassDescription", "colorAttachmentCount", 9)],
        "is 9, and the limit is 8",
    ),
    plant(
        "VkRenderPassCreateInfo2-attachment-03051",
        CommandType::CREATE_RENDER_PASS2,
        &[("VkAttachmentReference2", "attachment", 1)],
        "pCreateInfo->pSubpasses[].pInputAttachments[].attachment: is 1, and there are 1",
    ),
    plant(
        "VkRenderPassCreateInfo2-attachment-03051",
        CommandType::CREATE_RENDER_PASS2,
        &[("VkSubpassDescription2", "inputAttachmentCount", 0), ("VkAttachmentReference2", "attachment", 1)],
        "pCreateInfo->pSubpasses[].pResolveAttachments[].attachment: is 1, and there are 1",
    ),
    plant(
        "VkRenderPassCreateInfo2-attachment-03051",
        CommandType::CREATE_RENDER_PASS2,
        &[("VkSubpassDescription2", "inputAttachmentCount", 0), ("VkAttachmentReference2", "attachment", 1)],
        "pCreateInfo->pSubpasses[].pColorAttachments[].attachment: is 1, and there are 1",
    ).without(&[("VkSubpassDescription2", "pResolveAttachments")]),
    plant(
        "VkRenderPassCreateInfo2-attachment-03051",
        CommandType::CREATE_RENDER_PASS2,
        &[("VkSubpassDescription2", "inputAttachmentCount", 0), ("VkSubpassDescription2", "colorAttachmentCount", 0), ("VkAttachmentReference2", "attachment", 1)],
        "pCreateInfo->pSubpasses[].pDepthStencilAttachment->attachment: is 1, and there are 1",
    ),
    plant(
        "VkRenderPassCreateInfo2-attachment-03051",
        CommandType::CREATE_RENDER_PASS2,
        &[("VkSubpassDescription2", "pPreserveAttachments", 1)],
        "pCreateInfo->pSubpasses[].pPreserveAttachments[]: is 1, and there are 1",
    ),
    plant(
        "VkSubpassDescription2-attachment-03073",
        CommandType::CREATE_RENDER_PASS2,
        &[("VkSubpassDescription2", "pPreserveAttachments", u32::MAX as u64)],
        "pCreateInfo->pSubpasses[].pPreserveAttachments[]: is 4294967295, and there are 1",
    ),
    plant(
        "VkRenderPassCreateInfo2-pSubpasses-06473",
        CommandType::CREATE_RENDER_PASS2,
        &[("VkSubpassDescription2", "inputAttachmentCount", 0), ("VkSubpassDescription2", "colorAttachmentCount", 0), ("VkAttachmentReference2", "attachment", 1)],
        "pCreateInfo->pSubpasses[].pNext<VkSubpassDescriptionDepthStencilResolve>.pDepthStencilResolveAttachment->attachment: is 1, and there are 1",
    )
    .after(&[("VkSubpassDescription2", "VkSubpassDescriptionDepthStencilResolve")])
    .without(&[("VkSubpassDescription2", "pDepthStencilAttachment")]),
    plant(
        "OWN-VkFragmentShadingRateAttachmentInfoKHR-pFragmentShadingRateAttachment-attachment",
        CommandType::CREATE_RENDER_PASS2,
        &[("VkSubpassDescription2", "inputAttachmentCount", 0), ("VkSubpassDescription2", "colorAttachmentCount", 0), ("VkAttachmentReference2", "attachment", 1)],
        "pCreateInfo->pSubpasses[].pNext<VkFragmentShadingRateAttachmentInfoKHR>.pFragmentShadingRateAttachment->attachment: is 1, and there are 1",
    )
    .after(&[("VkSubpassDescription2", "VkFragmentShadingRateAttachmentInfoKHR")])
    .without(&[("VkSubpassDescription2", "pDepthStencilAttachment")]),
    plant(
        "VkRenderPassCreateInfo2-srcSubpass-02526",
        CommandType::CREATE_RENDER_PASS2,
        &[("VkSubpassDependency2", "srcSubpass", 1)],
        "is 1, and there are 1",
    ),
    plant(
        "VkRenderPassCreateInfo2-dstSubpass-02527",
        CommandType::CREATE_RENDER_PASS2,
        &[("VkSubpassDependency2", "dstSubpass", 1)],
        "is 1, and there are 1",
    ),
    plant(
        "VkSubpassDescription2-colorAttachmentCount-00845",
        CommandType::CREATE_RENDER_PASS2,
        &[("VkSubpassDescription2", "colorAttachmentCount", 9)],
        "is 9, and the limit is 8",
    ),
    // Sizes.
    plant(
        "VkFramebufferCreateInfo-width-00885",
        CommandType::CREATE_FRAMEBUFFER,
        &[("VkFramebufferCreateInfo", "width", 0)],
        "is 0",
    ),
    plant(
        "VkFramebufferCreateInfo-width-00886",
        CommandType::CREATE_FRAMEBUFFER,
        &[("VkFramebufferCreateInfo", "width", 16_385)],
        "is 16385, and the limit is 16384",
    ),
    plant(
        "VkFramebufferCreateInfo-height-00887",
        CommandType::CREATE_FRAMEBUFFER,
        &[("VkFramebufferCreateInfo", "height", 0)],
        "is 0",
    ),
    plant(
        "VkFramebufferCreateInfo-height-00888",
        CommandType::CREATE_FRAMEBUFFER,
        &[("VkFramebufferCreateInfo", "height", 16_385)],
        "is 16385, and the limit is 16384",
    ),
    plant(
        "VkFramebufferCreateInfo-layers-00889",
        CommandType::CREATE_FRAMEBUFFER,
        &[("VkFramebufferCreateInfo", "layers", 0)],
        "is 0",
    ),
    plant(
        "VkFramebufferCreateInfo-layers-00890",
        CommandType::CREATE_FRAMEBUFFER,
        &[("VkFramebufferCreateInfo", "layers", 2049)],
        "is 2049, and the limit is 2048",
    ),
    plant("VkImageCreateInfo-extent-00944", CommandType::CREATE_IMAGE, &[("VkExtent3D", "width", 0)], "is 0"),
    plant("VkImageCreateInfo-extent-00945", CommandType::CREATE_IMAGE, &[("VkExtent3D", "height", 0)], "is 0"),
    plant(
        "VkImageCreateInfo-extent-00946",
        CommandType::GET_DEVICE_IMAGE_MEMORY_REQUIREMENTS,
        &[("VkExtent3D", "depth", 0)],
        "is 0",
    ),
    plant(
        "VkImageCreateInfo-mipLevels-00947",
        CommandType::CREATE_IMAGE,
        &[("VkImageCreateInfo", "mipLevels", 0)],
        "is 0",
    ),
    plant(
        "VkImageCreateInfo-arrayLayers-00948",
        CommandType::CREATE_IMAGE,
        &[("VkImageCreateInfo", "arrayLayers", 0)],
        "is 0",
    ),
    plant(
        "VkImageCreateInfo-mipLevels-00958",
        CommandType::GET_DEVICE_IMAGE_SUBRESOURCE_LAYOUT,
        &[
            ("VkExtent3D", "width", 8),
            ("VkExtent3D", "height", 2),
            ("VkExtent3D", "depth", 1),
            ("VkImageCreateInfo", "mipLevels", 5),
        ],
        "is 5, and the limit is 4",
    ),
    // Tables of pipelines.
    plant(
        "VkPipelineLayoutCreateInfo-setLayoutCount-00286",
        CommandType::CREATE_PIPELINE_LAYOUT,
        &[("VkPipelineLayoutCreateInfo", "setLayoutCount", 9)],
        "is 9, and the limit is 8",
    ),
    plant(
        "VkPipelineLayoutCreateInfo-setLayoutCount-00286",
        CommandType::CMD_BIND_DESCRIPTOR_SETS2,
        &[("VkPipelineLayoutCreateInfo", "setLayoutCount", 9)],
        "is 9, and the limit is 8",
    )
    .after(&[("VkBindDescriptorSetsInfo", "VkPipelineLayoutCreateInfo")]),
    plant(
        "VkPipelineLayoutCreateInfo-setLayoutCount-00286",
        CommandType::CMD_PUSH_DESCRIPTOR_SET2,
        &[("VkPipelineLayoutCreateInfo", "setLayoutCount", 9)],
        "pNext<VkPipelineLayoutCreateInfo>.setLayoutCount",
    )
    .after(&[("VkPushDescriptorSetInfo", "VkPipelineLayoutCreateInfo")]),
    plant(
        "VkPushConstantRange-size-00298",
        CommandType::CMD_PUSH_CONSTANTS2,
        &[("VkPushConstantRange", "size", 241)],
        "pNext<VkPipelineLayoutCreateInfo>.pPushConstantRanges[].size",
    )
    .after(&[("VkPushConstantsInfo", "VkPipelineLayoutCreateInfo")]),
    plant(
        "VkPushConstantRange-offset-00294",
        CommandType::CREATE_PIPELINE_LAYOUT,
        &[("VkPushConstantRange", "offset", 256)],
        "8 from 256 are more than the limit of 256",
    ),
    plant(
        "VkPushConstantRange-size-00298",
        CommandType::CREATE_PIPELINE_LAYOUT,
        &[("VkPushConstantRange", "size", 241)],
        "241 from 16 are more than the limit of 256",
    ),
    plant(
        "OWN-VkDescriptorSetLayoutBinding-binding-limit",
        CommandType::CREATE_DESCRIPTOR_SET_LAYOUT,
        &[("VkDescriptorSetLayoutBinding", "binding", u32::MAX as u64)],
        "is 4294967295, and the limit is 16777216",
    ),
    plant(
        "VkPipelineVertexInputStateCreateInfo-vertexBindingDescriptionCount-00613",
        CommandType::CREATE_GRAPHICS_PIPELINES,
        &[("VkPipelineVertexInputStateCreateInfo", "vertexBindingDescriptionCount", 33)],
        "is 33, and the limit is 32",
    ),
    plant(
        "VkPipelineVertexInputStateCreateInfo-vertexAttributeDescriptionCount-00614",
        CommandType::CREATE_GRAPHICS_PIPELINES,
        &[("VkPipelineVertexInputStateCreateInfo", "vertexAttributeDescriptionCount", 33)],
        "is 33, and the limit is 32",
    ),
    plant(
        "VkVertexInputBindingDescription-binding-00618",
        CommandType::CREATE_GRAPHICS_PIPELINES,
        &[("VkVertexInputBindingDescription", "binding", 32)],
        "is 32, and there are 32",
    ),
    plant(
        "VkVertexInputAttributeDescription-location-00620",
        CommandType::CREATE_GRAPHICS_PIPELINES,
        &[("VkVertexInputAttributeDescription", "location", 32)],
        "is 32, and there are 32",
    ),
    plant(
        "VkVertexInputAttributeDescription-binding-00621",
        CommandType::CREATE_GRAPHICS_PIPELINES,
        &[("VkVertexInputAttributeDescription", "binding", 32)],
        "is 32, and there are 32",
    ),
    plant(
        "VkPipelineViewportStateCreateInfo-viewportCount-01218",
        CommandType::CREATE_GRAPHICS_PIPELINES,
        &[("VkPipelineViewportStateCreateInfo", "viewportCount", 17), ("VkPipelineRasterizationStateCreateInfo", "rasterizerDiscardEnable", 0)],
        "is 17, and the limit is 16",
    ),
    plant(
        "VkPipelineViewportStateCreateInfo-scissorCount-01219",
        CommandType::CREATE_GRAPHICS_PIPELINES,
        &[("VkPipelineViewportStateCreateInfo", "scissorCount", 17), ("VkPipelineRasterizationStateCreateInfo", "rasterizerDiscardEnable", 0)],
        "is 17, and the limit is 16",
    ),
    plant(
        "OWN-VkPipelineColorBlendStateCreateInfo-attachmentCount-limit",
        CommandType::CREATE_GRAPHICS_PIPELINES,
        &[("VkPipelineColorBlendStateCreateInfo", "attachmentCount", 9)],
        "is 9, and the limit is 8",
    ),
    plant(
        "VkPipelineRenderingCreateInfo-colorAttachmentCount-09533",
        CommandType::CREATE_GRAPHICS_PIPELINES,
        &[("VkPipelineRenderingCreateInfo", "colorAttachmentCount", 9)],
        "is 9, and the limit is 8",
    )
    .after(&[("VkGraphicsPipelineCreateInfo", "VkPipelineRenderingCreateInfo")])
    .without(&[("VkGraphicsPipelineCreateInfo", "renderPass")]),
    plant(
        "VkGraphicsPipelineCreateInfo-pStages-06896",
        CommandType::CREATE_GRAPHICS_PIPELINES,
        &[("VkPipelineShaderStageCreateInfo", "stage", 0x100)],
        "pCreateInfos[].pStages[].stage: is 0x100, which is no stage of such a pipeline",
    ),
    plant(
        "VkGraphicsPipelineCreateInfo-stage-06897",
        CommandType::CREATE_GRAPHICS_PIPELINES,
        &[("VkGraphicsPipelineCreateInfo", "stageCount", 2)],
        "pCreateInfos[].pStages[].stage: is 0x1 once more",
    ),
    plant(
        "VkComputePipelineCreateInfo-stage-00701",
        CommandType::CREATE_COMPUTE_PIPELINES,
        &[("VkPipelineShaderStageCreateInfo", "stage", 1)],
        "pCreateInfos[].stage.stage: is 0x1, which is no stage of such a pipeline",
    ),
    plant(
        "VkRayTracingPipelineCreateInfoKHR-stage-06899",
        CommandType::CREATE_RAY_TRACING_PIPELINES_KHR,
        &[("VkPipelineShaderStageCreateInfo", "stage", 0x4000)],
        "pCreateInfos[].pStages[].stage: is 0x4000, which is no stage of such a pipeline",
    ),
    plant(
        "VkPipelineShaderStageCreateInfo-stage-parameter",
        CommandType::CREATE_COMPUTE_PIPELINES,
        &[("VkPipelineShaderStageCreateInfo", "stage", 1 << 31)],
        "is 0x80000000, which is no stage",
    ),
    plant(
        "VkRayTracingShaderGroupCreateInfoKHR-type-03474",
        CommandType::CREATE_RAY_TRACING_PIPELINES_KHR,
        &[
            ("VkRayTracingShaderGroupCreateInfoKHR", "type", 0),
            ("VkRayTracingShaderGroupCreateInfoKHR", "generalShader", 1),
            ("VkPipelineLibraryCreateInfoKHR", "libraryCount", 0),
        ],
        "is 1, and there are 1",
    ),
    plant(
        "VkRayTracingShaderGroupCreateInfoKHR-type-03476",
        CommandType::CREATE_RAY_TRACING_PIPELINES_KHR,
        &[
            ("VkRayTracingShaderGroupCreateInfoKHR", "intersectionShader", 1),
            ("VkPipelineLibraryCreateInfoKHR", "libraryCount", 0),
        ],
        "is 1, and there are 1",
    ),
    plant(
        "VkRayTracingShaderGroupCreateInfoKHR-closestHitShader-03478",
        CommandType::CREATE_RAY_TRACING_PIPELINES_KHR,
        &[
            ("VkRayTracingShaderGroupCreateInfoKHR", "closestHitShader", 1),
            ("VkPipelineLibraryCreateInfoKHR", "libraryCount", 0),
        ],
        "is 1, and there are 1",
    ),
    plant(
        "VkRayTracingShaderGroupCreateInfoKHR-anyHitShader-03479",
        CommandType::CREATE_RAY_TRACING_PIPELINES_KHR,
        &[
            ("VkRayTracingShaderGroupCreateInfoKHR", "anyHitShader", 1),
            ("VkPipelineLibraryCreateInfoKHR", "libraryCount", 0),
        ],
        "is 1, and there are 1",
    ),
    plant(
        "vkCreateCommandPool-queueFamilyIndex-01937",
        CommandType::CREATE_COMMAND_POOL,
        &[("VkCommandPoolCreateInfo", "queueFamilyIndex", 1)],
        "is 1, and there are 1",
    ),
    // Room in command buffers.
    plant(
        "vkCmdPushConstants-offset-00370",
        CommandType::CMD_PUSH_CONSTANTS,
        &[("vkCmdPushConstants", "offset", 256)],
        "are more than the limit of 256",
    ),
    plant(
        "vkCmdPushConstants-size-00371",
        CommandType::CMD_PUSH_CONSTANTS,
        &[("vkCmdPushConstants", "size", 257)],
        "are more than the limit of 256",
    ),
    plant(
        "VkPushConstantsInfo-offset-00370",
        CommandType::CMD_PUSH_CONSTANTS2,
        &[("VkPushConstantsInfo", "offset", 256)],
        "are more than the limit of 256",
    ),
    plant(
        "VkPushConstantsInfo-size-00371",
        CommandType::CMD_PUSH_CONSTANTS2,
        &[("VkPushConstantsInfo", "size", 257)],
        "are more than the limit of 256",
    ),
    plant(
        "OWN-vkCmdBindDescriptorSets-firstSet-limit",
        CommandType::CMD_BIND_DESCRIPTOR_SETS,
        &[("vkCmdBindDescriptorSets", "firstSet", 8)],
        "1 from 8 are more than the limit of 8",
    ),
    plant(
        "OWN-VkBindDescriptorSetsInfo-firstSet-limit",
        CommandType::CMD_BIND_DESCRIPTOR_SETS2,
        &[("VkBindDescriptorSetsInfo", "firstSet", 8)],
        "1 from 8 are more than the limit of 8",
    ),
    plant(
        "OWN-vkCmdPushDescriptorSet-set-limit",
        CommandType::CMD_PUSH_DESCRIPTOR_SET,
        &[("vkCmdPushDescriptorSet", "set", 8)],
        "is 8, and there are 8",
    ),
    plant(
        "OWN-VkPushDescriptorSetInfo-set-limit",
        CommandType::CMD_PUSH_DESCRIPTOR_SET2,
        &[("VkPushDescriptorSetInfo", "set", 8)],
        "is 8, and there are 8",
    ),
    plant(
        "vkCmdBindVertexBuffers-firstBinding-00624",
        CommandType::CMD_BIND_VERTEX_BUFFERS,
        &[("vkCmdBindVertexBuffers", "firstBinding", 32)],
        "1 from 32 are more than the limit of 32",
    ),
    plant(
        "vkCmdBindVertexBuffers-firstBinding-00625",
        CommandType::CMD_BIND_VERTEX_BUFFERS,
        &[("vkCmdBindVertexBuffers", "bindingCount", 33)],
        "are more than the limit of 32",
    ),
    plant(
        "vkCmdBindVertexBuffers2-firstBinding-03355",
        CommandType::CMD_BIND_VERTEX_BUFFERS2,
        &[("vkCmdBindVertexBuffers2", "firstBinding", 32)],
        "1 from 32 are more than the limit of 32",
    ),
    plant(
        "vkCmdBindVertexBuffers2-firstBinding-03356",
        CommandType::CMD_BIND_VERTEX_BUFFERS2,
        &[("vkCmdBindVertexBuffers2", "bindingCount", 33)],
        "are more than the limit of 32",
    ),
    plant(
        "vkCmdSetViewport-firstViewport-01223",
        CommandType::CMD_SET_VIEWPORT,
        &[("vkCmdSetViewport", "firstViewport", 16)],
        "1 from 16 are more than the limit of 16",
    ),
    plant(
        "vkCmdSetScissor-firstScissor-00592",
        CommandType::CMD_SET_SCISSOR,
        &[("vkCmdSetScissor", "firstScissor", 16)],
        "1 from 16 are more than the limit of 16",
    ),
    plant(
        "vkCmdSetViewportWithCount-viewportCount-03394",
        CommandType::CMD_SET_VIEWPORT_WITH_COUNT,
        &[("vkCmdSetViewportWithCount", "viewportCount", 17)],
        "17 from 0 are more than the limit of 16",
    ),
    plant(
        "vkCmdSetScissorWithCount-scissorCount-03397",
        CommandType::CMD_SET_SCISSOR_WITH_COUNT,
        &[("vkCmdSetScissorWithCount", "scissorCount", 17)],
        "17 from 0 are more than the limit of 16",
    ),
    plant(
        "VkRenderingInfo-colorAttachmentCount-06106",
        CommandType::CMD_BEGIN_RENDERING,
        &[("VkRenderingInfo", "colorAttachmentCount", 9)],
        "is 9, and the limit is 8",
    ),
    plant(
        "vkCmdSetVertexInputEXT-vertexBindingDescriptionCount-04791",
        CommandType::CMD_SET_VERTEX_INPUT_EXT,
        &[("vkCmdSetVertexInputEXT", "vertexBindingDescriptionCount", 33)],
        "is 33, and the limit is 32",
    ),
    plant(
        "vkCmdSetVertexInputEXT-vertexAttributeDescriptionCount-04792",
        CommandType::CMD_SET_VERTEX_INPUT_EXT,
        &[("vkCmdSetVertexInputEXT", "vertexAttributeDescriptionCount", 33)],
        "is 33, and the limit is 32",
    ),
    plant(
        "VkVertexInputBindingDescription2EXT-binding-04796",
        CommandType::CMD_SET_VERTEX_INPUT_EXT,
        &[("VkVertexInputBindingDescription2EXT", "binding", 32)],
        "is 32, and there are 32",
    ),
    plant(
        "VkVertexInputAttributeDescription2EXT-location-06228",
        CommandType::CMD_SET_VERTEX_INPUT_EXT,
        &[("VkVertexInputAttributeDescription2EXT", "location", 32)],
        "is 32, and there are 32",
    ),
    plant(
        "VkVertexInputAttributeDescription2EXT-binding-06229",
        CommandType::CMD_SET_VERTEX_INPUT_EXT,
        &[("VkVertexInputAttributeDescription2EXT", "binding", 32)],
        "is 32, and there are 32",
    ),
    plant(
        "vkCmdSetColorWriteEnableEXT-attachmentCount-06656",
        CommandType::CMD_SET_COLOR_WRITE_ENABLE_EXT,
        &[("vkCmdSetColorWriteEnableEXT", "attachmentCount", 9)],
        "is 9, and the limit is 8",
    ),
    plant(
        "vkCmdUpdateBuffer-dataSize-00037",
        CommandType::CMD_UPDATE_BUFFER,
        &[("vkCmdUpdateBuffer", "dataSize", 65540)],
        "is 65540, and the limit is 65536",
    ),
    // Queries of pools.
    plant(
        "vkCmdBeginQuery-query-00802",
        CommandType::CMD_BEGIN_QUERY,
        &[("vkCmdBeginQuery", "query", 1000)],
        "is 1000, and there are",
    ),
    plant(
        "vkCmdBeginQueryIndexedEXT-query-00802",
        CommandType::CMD_BEGIN_QUERY_INDEXED_EXT,
        &[("vkCmdBeginQueryIndexedEXT", "query", 1000)],
        "is 1000, and there are",
    ),
    plant(
        "vkCmdEndQuery-query-00810",
        CommandType::CMD_END_QUERY,
        &[("vkCmdEndQuery", "query", 1000)],
        "is 1000, and there are",
    ),
    plant(
        "vkCmdEndQueryIndexedEXT-query-02343",
        CommandType::CMD_END_QUERY_INDEXED_EXT,
        &[("vkCmdEndQueryIndexedEXT", "query", 1000)],
        "is 1000, and there are",
    ),
    plant(
        "vkCmdWriteTimestamp-query-04904",
        CommandType::CMD_WRITE_TIMESTAMP,
        &[("vkCmdWriteTimestamp", "query", 1000)],
        "is 1000, and there are",
    ),
    plant(
        "vkCmdWriteTimestamp2-query-04903",
        CommandType::CMD_WRITE_TIMESTAMP2,
        &[("vkCmdWriteTimestamp2", "query", 1000)],
        "is 1000, and there are",
    ),
    plant(
        "vkCmdResetQueryPool-firstQuery-09436",
        CommandType::CMD_RESET_QUERY_POOL,
        &[("vkCmdResetQueryPool", "firstQuery", u32::MAX as u64), ("vkCmdResetQueryPool", "queryCount", 2)],
        "2 from 4294967295 are more than the limit of",
    ),
    plant(
        "vkCmdResetQueryPool-firstQuery-09437",
        CommandType::CMD_RESET_QUERY_POOL,
        &[("vkCmdResetQueryPool", "firstQuery", 1), ("vkCmdResetQueryPool", "queryCount", 1000)],
        "1000 from 1 are more than the limit of",
    ),
    plant(
        "vkCmdCopyQueryPoolResults-firstQuery-09436",
        CommandType::CMD_COPY_QUERY_POOL_RESULTS,
        &[("vkCmdCopyQueryPoolResults", "firstQuery", u32::MAX as u64), ("vkCmdCopyQueryPoolResults", "queryCount", 2)],
        "2 from 4294967295 are more than the limit of",
    ),
    plant(
        "vkCmdCopyQueryPoolResults-firstQuery-09437",
        CommandType::CMD_COPY_QUERY_POOL_RESULTS,
        &[("vkCmdCopyQueryPoolResults", "firstQuery", 1), ("vkCmdCopyQueryPoolResults", "queryCount", 1000)],
        "1000 from 1 are more than the limit of",
    ),
    plant(
        "vkGetQueryPoolResults-firstQuery-09436",
        CommandType::GET_QUERY_POOL_RESULTS,
        &[("vkGetQueryPoolResults", "firstQuery", u32::MAX as u64), ("vkGetQueryPoolResults", "queryCount", 2)],
        "2 from 4294967295 are more than the limit of",
    ),
    plant(
        "vkGetQueryPoolResults-firstQuery-09437",
        CommandType::GET_QUERY_POOL_RESULTS,
        &[("vkGetQueryPoolResults", "firstQuery", 1), ("vkGetQueryPoolResults", "queryCount", 1000)],
        "1000 from 1 are more than the limit of",
    ),
    plant(
        "vkResetQueryPool-firstQuery-09436",
        CommandType::RESET_QUERY_POOL,
        &[("vkResetQueryPool", "firstQuery", u32::MAX as u64), ("vkResetQueryPool", "queryCount", 2)],
        "2 from 4294967295 are more than the limit of",
    ),
    plant(
        "vkResetQueryPool-firstQuery-09437",
        CommandType::RESET_QUERY_POOL,
        &[("vkResetQueryPool", "firstQuery", 1), ("vkResetQueryPool", "queryCount", 1000)],
        "1000 from 1 are more than the limit of",
    ),
    plant(
        "vkCmdWriteAccelerationStructuresPropertiesKHR-query-04880",
        CommandType::CMD_WRITE_ACCELERATION_STRUCTURES_PROPERTIES_KHR,
        &[("vkCmdWriteAccelerationStructuresPropertiesKHR", "firstQuery", 1000)],
        "1 from 1000 are more than the limit of",
    ),
];
