//! What breaks the rules about what is rendered to.

use venus_protocol::wire::CommandType;

use super::planted::{Planted, plant};

pub(super) const PLANTED: &[Planted] = &[
    plant(
        "VkFramebufferCreateInfo-attachmentCount-00876",
        CommandType::CREATE_FRAMEBUFFER,
        &[("VkFramebufferCreateInfo", "attachmentCount", 2)],
        "attachmentCount: is 2, and there are 1 attachments",
    ),
    plant(
        "VkFramebufferCreateInfo-flags-04533",
        CommandType::CREATE_FRAMEBUFFER,
        &[("VkFramebufferCreateInfo", "width", 513)],
        "has 512 x 512 texels and 1 layers, of which 513 x 510 and 1 are used",
    ),
    plant(
        "VkFramebufferCreateInfo-flags-04534",
        CommandType::CREATE_FRAMEBUFFER,
        &[("VkFramebufferCreateInfo", "height", 513)],
        "has 512 x 512 texels and 1 layers, of which 511 x 513 and 1 are used",
    ),
    plant(
        "VkFramebufferCreateInfo-flags-04535",
        CommandType::CREATE_FRAMEBUFFER,
        &[("VkFramebufferCreateInfo", "layers", 2)],
        "has 512 x 512 texels and 1 layers, of which 511 x 510 and 2 are used",
    ),
    plant(
        "VkFramebufferCreateInfo-flags-03190",
        CommandType::CREATE_FRAMEBUFFER,
        &[("VkFramebufferCreateInfo", "flags", 1)],
        "attachmentImageInfoCount: is 0, and there are 1 attachments",
    ),
    plant(
        "VkFramebufferCreateInfo-flags-03191",
        CommandType::CREATE_FRAMEBUFFER,
        &[
            ("VkFramebufferCreateInfo", "flags", 1),
            ("VkFramebufferAttachmentsCreateInfo", "attachmentImageInfoCount", 2),
        ],
        "attachmentImageInfoCount: is 2, and there are 1 attachments",
    )
    .after(&[("VkFramebufferCreateInfo", "VkFramebufferAttachmentsCreateInfo")]),
    plant(
        "VkRenderPassBeginInfo-clearValueCount-00902",
        CommandType::CMD_BEGIN_RENDER_PASS,
        &[("VkRenderPassBeginInfo", "clearValueCount", 0)],
        "clearValueCount: is 0, and attachment 0 is cleared",
    )
    .of(&[("VkAttachmentDescription", "loadOp", 1)]),
    plant(
        "VkRenderPassBeginInfo-pNext-02852",
        CommandType::CMD_BEGIN_RENDER_PASS,
        &[("VkExtent2D", "width", 512)],
        "extent: 512 texels from",
    ),
    plant(
        "VkRenderPassBeginInfo-pNext-02853",
        CommandType::CMD_BEGIN_RENDER_PASS,
        &[("VkExtent2D", "height", 512)],
        "extent: 512 texels from",
    ),
    plant(
        "VkRenderPassBeginInfo-pNext-02850",
        CommandType::CMD_BEGIN_RENDER_PASS,
        &[("VkOffset2D", "x", 0xffff_ffff)],
        "offset: begins at -1",
    ),
    plant(
        "VkRenderPassBeginInfo-pNext-02851",
        CommandType::CMD_BEGIN_RENDER_PASS,
        &[("VkOffset2D", "y", 0xffff_ffff)],
        "offset: begins at -1",
    ),
    plant(
        "VkRenderPassBeginInfo-pNext-02856",
        CommandType::CMD_BEGIN_RENDER_PASS,
        &[("VkExtent2D", "width", 512)],
        "pDeviceRenderAreas[]: 512 texels from",
    )
    .after(&[("VkRenderPassBeginInfo", "VkDeviceGroupRenderPassBeginInfo")]),
    plant(
        "VkRenderPassBeginInfo-pNext-02857",
        CommandType::CMD_BEGIN_RENDER_PASS,
        &[("VkExtent2D", "height", 512)],
        "pDeviceRenderAreas[]: 512 texels from",
    )
    .after(&[("VkRenderPassBeginInfo", "VkDeviceGroupRenderPassBeginInfo")]),
    plant(
        "VkDeviceGroupRenderPassBeginInfo-offset-06166",
        CommandType::CMD_BEGIN_RENDER_PASS,
        &[("VkOffset2D", "x", 0xffff_ffff)],
        "pDeviceRenderAreas[]: begins at -1",
    )
    .after(&[("VkRenderPassBeginInfo", "VkDeviceGroupRenderPassBeginInfo")]),
    plant(
        "VkDeviceGroupRenderPassBeginInfo-offset-06167",
        CommandType::CMD_BEGIN_RENDER_PASS,
        &[("VkOffset2D", "y", 0xffff_ffff)],
        "pDeviceRenderAreas[]: begins at -1",
    )
    .after(&[("VkRenderPassBeginInfo", "VkDeviceGroupRenderPassBeginInfo")]),
    plant(
        "VkRenderPassBeginInfo-clearValueCount-00902",
        CommandType::CMD_BEGIN_RENDER_PASS2,
        &[("VkRenderPassBeginInfo", "clearValueCount", 0)],
        "clearValueCount: is 0, and attachment 0 is cleared",
    )
    .of(&[("VkAttachmentDescription", "loadOp", 1)]),
    plant(
        "VkRenderPassBeginInfo-pNext-02852",
        CommandType::CMD_BEGIN_RENDER_PASS2,
        &[("VkExtent2D", "width", 512)],
        "extent: 512 texels from",
    ),
    plant(
        "VkRenderPassBeginInfo-pNext-02853",
        CommandType::CMD_BEGIN_RENDER_PASS2,
        &[("VkExtent2D", "height", 512)],
        "extent: 512 texels from",
    ),
    plant(
        "VkRenderPassBeginInfo-pNext-02850",
        CommandType::CMD_BEGIN_RENDER_PASS2,
        &[("VkOffset2D", "x", 0xffff_ffff)],
        "offset: begins at -1",
    ),
    plant(
        "VkRenderPassBeginInfo-pNext-02851",
        CommandType::CMD_BEGIN_RENDER_PASS2,
        &[("VkOffset2D", "y", 0xffff_ffff)],
        "offset: begins at -1",
    ),
    plant(
        "VkRenderPassBeginInfo-pNext-02856",
        CommandType::CMD_BEGIN_RENDER_PASS2,
        &[("VkExtent2D", "width", 512)],
        "pDeviceRenderAreas[]: 512 texels from",
    )
    .after(&[("VkRenderPassBeginInfo", "VkDeviceGroupRenderPassBeginInfo")]),
    plant(
        "VkRenderPassBeginInfo-pNext-02857",
        CommandType::CMD_BEGIN_RENDER_PASS2,
        &[("VkExtent2D", "height", 512)],
        "pDeviceRenderAreas[]: 512 texels from",
    )
    .after(&[("VkRenderPassBeginInfo", "VkDeviceGroupRenderPassBeginInfo")]),
    plant(
        "VkDeviceGroupRenderPassBeginInfo-offset-06166",
        CommandType::CMD_BEGIN_RENDER_PASS2,
        &[("VkOffset2D", "x", 0xffff_ffff)],
        "pDeviceRenderAreas[]: begins at -1",
    )
    .after(&[("VkRenderPassBeginInfo", "VkDeviceGroupRenderPassBeginInfo")]),
    plant(
        "VkDeviceGroupRenderPassBeginInfo-offset-06167",
        CommandType::CMD_BEGIN_RENDER_PASS2,
        &[("VkOffset2D", "y", 0xffff_ffff)],
        "pDeviceRenderAreas[]: begins at -1",
    )
    .after(&[("VkRenderPassBeginInfo", "VkDeviceGroupRenderPassBeginInfo")]),
    plant(
        "VkRenderingInfo-pNext-06079",
        CommandType::CMD_BEGIN_RENDERING,
        &[("VkExtent2D", "width", 513)],
        "imageView: has 512 x 512 texels and 1 layers",
    ),
    plant(
        "VkRenderingInfo-pNext-06080",
        CommandType::CMD_BEGIN_RENDERING,
        &[("VkExtent2D", "height", 513)],
        "imageView: has 512 x 512 texels and 1 layers",
    ),
    plant(
        "VkRenderingInfo-pNext-06077",
        CommandType::CMD_BEGIN_RENDERING,
        &[("VkOffset2D", "x", 0xffff_ffff)],
        "offset: begins at -1",
    ),
    plant(
        "VkRenderingInfo-pNext-06078",
        CommandType::CMD_BEGIN_RENDERING,
        &[("VkOffset2D", "y", 0xffff_ffff)],
        "offset: begins at -1",
    ),
    plant(
        "VkRenderingInfo-pNext-06083",
        CommandType::CMD_BEGIN_RENDERING,
        &[("VkExtent2D", "width", 513)],
        "imageView: has 512 x 512 texels and 1 layers",
    )
    .after(&[("VkRenderingInfo", "VkDeviceGroupRenderPassBeginInfo")]),
    plant(
        "VkRenderingInfo-pNext-06084",
        CommandType::CMD_BEGIN_RENDERING,
        &[("VkExtent2D", "height", 513)],
        "imageView: has 512 x 512 texels and 1 layers",
    )
    .after(&[("VkRenderingInfo", "VkDeviceGroupRenderPassBeginInfo")]),
    plant(
        "OWN-VkRenderingInfo-layerCount-views",
        CommandType::CMD_BEGIN_RENDERING,
        &[("VkRenderingInfo", "layerCount", 2)],
        "imageView: has 512 x 512 texels and 1 layers",
    ),
    plant(
        "VkGraphicsPipelineCreateInfo-renderPass-06046",
        CommandType::CREATE_GRAPHICS_PIPELINES,
        &[("VkGraphicsPipelineCreateInfo", "subpass", 1)],
        "subpass: is 1, and there are 1",
    ),
    plant(
        "VkCommandBufferBeginInfo-flags-00054",
        CommandType::BEGIN_COMMAND_BUFFER,
        &[("VkCommandBufferBeginInfo", "flags", 2), ("VkCommandBufferInheritanceInfo", "subpass", 1)],
        "subpass: is 1, and there are 1",
    ),
];
