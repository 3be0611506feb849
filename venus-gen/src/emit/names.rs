//! Vulkan names to Rust names. Every rule is here and nothing else is.

use heck::{ToShoutySnakeCase as _, ToSnakeCase as _};
use proc_macro2::{Ident, Span};

/// `vkCmdDrawIndexed` to `cmd_draw_indexed`.
pub(crate) fn command_method(c_name: &str) -> String {
    c_name.strip_prefix("vk").unwrap_or(c_name).to_snake_case()
}

/// `vkCmdDrawIndexed` to `CmdDrawIndexed`.
pub(crate) fn command_type(c_name: &str) -> String {
    c_name.strip_prefix("vk").unwrap_or(c_name).to_owned()
}

/// `vkCmdDrawIndexed` to `CMD_DRAW_INDEXED`.
pub(crate) fn command_constant(c_name: &str) -> String {
    command_method(c_name).to_shouty_snake_case()
}

/// `VkBufferCreateInfo` to `BufferCreateInfo`; the bits of a bitmask share the bitmask's type, as in ash.
pub(crate) fn type_name(c_name: &str) -> String {
    c_name.strip_prefix("Vk").unwrap_or(c_name).replace("FlagBits", "Flags")
}

/// `VkBufferCreateInfo` to `buffer_create_info`.
pub(crate) fn type_snake(c_name: &str) -> String {
    type_name(c_name).to_snake_case()
}

/// `VK_STRUCTURE_TYPE_BUFFER_CREATE_INFO` to `BUFFER_CREATE_INFO`.
pub(crate) fn structure_type(c_name: &str) -> String {
    c_name.strip_prefix("VK_STRUCTURE_TYPE_").unwrap_or(c_name).to_owned()
}

/// `VK_SHARING_MODE_CONCURRENT` of `SharingMode` to `CONCURRENT`, `VK_QUEUE_GRAPHICS_BIT` of `QueueFlags` to `GRAPHICS`.
pub(crate) fn value(rust_type: &str, c_name: &str) -> String {
    let prefix = format!("VK_{}_", rust_type.trim_end_matches("Flags").to_shouty_snake_case());
    let value = c_name.strip_prefix(&prefix).unwrap_or(c_name);
    value.strip_suffix("_BIT").unwrap_or(value).to_owned()
}

/// `VK_QUEUE_VIDEO_DECODE_BIT_KHR` to `VIDEO_DECODE_KHR`, as ash names bits.
pub(crate) fn queue_flag(c_name: &str) -> String {
    value("QueueFlags", c_name).replace("_BIT_", "_")
}

/// ash's (and Rust's) name of a C scalar or base type.
pub(crate) fn scalar(c_name: &str) -> String {
    match c_name {
        "uint8_t" => "u8",
        "uint16_t" => "u16",
        "uint32_t" => "u32",
        "uint64_t" => "u64",
        "int32_t" => "i32",
        "int64_t" => "i64",
        "float" => "f32",
        "double" => "f64",
        "size_t" => "usize",
        "int" => "c_int",
        other => return type_name(other),
    }
    .to_owned()
}

/// `VkBufferCreateInfo` to `BUFFER_CREATE_INFO`, as statics and constants are named.
pub(crate) fn type_constant(c_name: &str) -> String {
    type_snake(c_name).to_uppercase()
}

/// `VkSampleCountFlagBits` to `SAMPLE_COUNT_FLAG_BITS`, a row of the reflection tables.
pub(crate) fn type_row(c_name: &str) -> String {
    c_name.strip_prefix("Vk").unwrap_or(c_name).to_shouty_snake_case()
}

/// `ppEnabledLayerNames` to `pp_enabled_layer_names`; `type` to `ty`, as in ash; other keywords get a `_`.
pub(crate) fn variable(c_name: &str) -> String {
    match c_name.to_snake_case().as_str() {
        "type" => "ty".to_owned(),
        keyword if syn::parse_str::<Ident>(keyword).is_err() => format!("{keyword}_"),
        name => name.to_owned(),
    }
}

/// `448` to `V448`, the constant of a level.
pub(crate) fn level(number: u32) -> Ident {
    ident(&format!("V{number}"))
}

/// `command_buffer` to `CommandBufferCommands`, the trait of a family.
pub(crate) fn family_trait(family: &str) -> String {
    format!("{}Commands", heck::AsUpperCamelCase(family))
}

pub(crate) fn ident(name: &str) -> Ident {
    Ident::new(name, Span::call_site())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands() {
        assert_eq!(command_method("vkGetPhysicalDeviceProperties2"), "get_physical_device_properties2");
        assert_eq!(command_constant("vkCmdSetCullModeEXT"), "CMD_SET_CULL_MODE_EXT");
        assert_eq!(command_type("vkCreateBuffer"), "CreateBuffer");
    }

    #[test]
    fn types() {
        assert_eq!(type_name("VkSampleCountFlagBits"), "SampleCountFlags");
        assert_eq!(type_name("VkAccessFlagBits2"), "AccessFlags2");
        assert_eq!(type_snake("VkRingCreateInfoMESA"), "ring_create_info_mesa");
    }

    #[test]
    fn values() {
        assert_eq!(value("SharingMode", "VK_SHARING_MODE_CONCURRENT"), "CONCURRENT");
        assert_eq!(value("FramebufferCreateFlags", "VK_FRAMEBUFFER_CREATE_IMAGELESS_BIT"), "IMAGELESS");
    }

    #[test]
    fn variables() {
        assert_eq!(variable("pNext"), "p_next");
        assert_eq!(variable("type"), "ty");
        assert_eq!(variable("match"), "match_");
        assert_eq!(variable("maxImageDimension1D"), "max_image_dimension1_d");
    }
}
