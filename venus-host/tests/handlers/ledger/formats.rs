//! What breaks the rules about formats.

use venus_protocol::wire::CommandType;

use super::planted::{Planted, plant};

pub(super) const PLANTED: &[Planted] = &[
    plant(
        "VkImageCreateInfo-format-parameter",
        CommandType::CREATE_IMAGE,
        &[("VkImageCreateInfo", "format", 185)],
        "format: is 185, which is none",
    ),
    plant(
        "VkImageCreateInfo-format-parameter",
        CommandType::GET_DEVICE_IMAGE_MEMORY_REQUIREMENTS,
        &[("VkImageCreateInfo", "format", 185)],
        "format: is 185, which is none",
    ),
    plant(
        "VkImageViewCreateInfo-format-parameter",
        CommandType::CREATE_IMAGE_VIEW,
        &[("VkImageViewCreateInfo", "format", 1000156034)],
        "format: is 1000156034, which is none",
    ),
    plant(
        "VkBufferViewCreateInfo-format-parameter",
        CommandType::CREATE_BUFFER_VIEW,
        &[("VkBufferViewCreateInfo", "format", 185)],
        "format: is 185, which is none",
    ),
    plant(
        "VkAttachmentDescription-format-parameter",
        CommandType::CREATE_RENDER_PASS,
        &[("VkAttachmentDescription", "format", 185)],
        "format: is 185, which is none",
    ),
    plant(
        "VkAttachmentDescription2-format-parameter",
        CommandType::CREATE_RENDER_PASS2,
        &[("VkAttachmentDescription2", "format", 185)],
        "format: is 185, which is none",
    ),
    plant(
        "VkVertexInputAttributeDescription-format-parameter",
        CommandType::CREATE_GRAPHICS_PIPELINES,
        &[("VkVertexInputAttributeDescription", "format", 1000330004)],
        "format: is 1000330004, which is none",
    ),
    plant(
        "VkVertexInputAttributeDescription2EXT-format-parameter",
        CommandType::CMD_SET_VERTEX_INPUT_EXT,
        &[("VkVertexInputAttributeDescription2EXT", "format", 185)],
        "format: is 185, which is none",
    ),
    plant(
        "vkGetPhysicalDeviceFormatProperties-format-parameter",
        CommandType::GET_PHYSICAL_DEVICE_FORMAT_PROPERTIES,
        &[("vkGetPhysicalDeviceFormatProperties", "format", 999999999)],
        "format: is 999999999, which is none",
    ),
    plant(
        "vkGetPhysicalDeviceFormatProperties2-format-parameter",
        CommandType::GET_PHYSICAL_DEVICE_FORMAT_PROPERTIES2,
        &[("vkGetPhysicalDeviceFormatProperties2", "format", 185)],
        "format: is 185, which is none",
    ),
];
