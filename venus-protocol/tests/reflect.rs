//! The reflection tables against the specification's spelling, against ash, and against themselves.

use ash::vk;
use venus_protocol::reflect::{self, EnumRow, Item, StructRow};
use venus_protocol::wire::{Arena, CommandHeader, Decoder, IdentityResolver};

/// What Vulkan would call the value of a type, without the underscores that say where words end.
fn compact(name: &str) -> String {
    name.chars().filter(|char| *char != '_').map(|char| char.to_ascii_uppercase()).collect()
}

fn row(name: &str) -> &'static EnumRow {
    reflect::enumeration(name).unwrap_or_else(|| panic!("{name} has a row"))
}

#[track_caller]
fn check(name: &str, value: i64, expected: &str) {
    assert_eq!(row(name).display(value).to_string(), expected);
}

#[test]
fn values_have_the_names_of_the_specification() {
    check("VkFormat", vk::Format::R8G8B8A8_UNORM.as_raw().into(), "VK_FORMAT_R8G8B8A8_UNORM");
    check("VkFormat", vk::Format::G8_B8R8_2PLANE_420_UNORM.as_raw().into(), "VK_FORMAT_G8_B8R8_2PLANE_420_UNORM");
    check("VkFormat", 5_000_000, "5000000");
    check("VkResult", vk::Result::ERROR_DEVICE_LOST.as_raw().into(), "VK_ERROR_DEVICE_LOST");
    check("VkResult", vk::Result::ERROR_OUT_OF_POOL_MEMORY.as_raw().into(), "VK_ERROR_OUT_OF_POOL_MEMORY");
    check("VkImageLayout", vk::ImageLayout::PRESENT_SRC_KHR.as_raw().into(), "VK_IMAGE_LAYOUT_PRESENT_SRC_KHR");
    check("VkObjectType", vk::ObjectType::DEVICE_MEMORY.as_raw().into(), "VK_OBJECT_TYPE_DEVICE_MEMORY");
}

#[test]
fn masks_have_the_names_of_their_bits() {
    let usage = vk::BufferUsageFlags::TRANSFER_DST | vk::BufferUsageFlags::VERTEX_BUFFER;
    let usage = i64::from(usage.as_raw());
    check("VkBufferUsageFlags", usage, "VK_BUFFER_USAGE_TRANSFER_DST_BIT | VK_BUFFER_USAGE_VERTEX_BUFFER_BIT");
    check("VkBufferUsageFlags", 0, "0");
    check("VkBufferUsageFlags", 1 << 31 | 1, "VK_BUFFER_USAGE_TRANSFER_SRC_BIT | 0x80000000");
    check("VkCullModeFlags", 0, "VK_CULL_MODE_NONE");
    check("VkCullModeFlags", 3, "VK_CULL_MODE_FRONT_AND_BACK");
    check("VkShaderStageFlags", 0x1f, "VK_SHADER_STAGE_ALL_GRAPHICS");
    check("VkSampleCountFlagBits", 4, "VK_SAMPLE_COUNT_4_BIT");
    check("VkAccessFlags2", 1 << 33, "VK_ACCESS_2_SHADER_STORAGE_READ_BIT");
    check("VkEventCreateFlags", 1, "VK_EVENT_CREATE_DEVICE_ONLY_BIT");
    check("VkRingCreateFlagsMESA", 5, "0x5");
    check("VkRingStatusFlagsMESA", 3, "VK_RING_STATUS_IDLE_BIT_MESA | VK_RING_STATUS_FATAL_BIT_MESA");
    let wants_reply = i64::from(CommandHeader::GENERATE_REPLY);
    assert_eq!(reflect::COMMAND_FLAGS.display(wants_reply).to_string(), "VK_COMMAND_GENERATE_REPLY_BIT_EXT");
}

#[test]
fn aliases_are_left_out() {
    let names = reflect::enumerations().iter().flat_map(|row| row.values).map(|(_, name)| *name);
    let names: Vec<&str> = names.collect();
    assert!(names.contains(&"VK_FORMAT_G8_B8R8_2PLANE_420_UNORM"));
    assert!(!names.contains(&"VK_FORMAT_G8_B8R8_2PLANE_420_UNORM_KHR"));
    assert_eq!(reflect::enumeration("VkFormatFeatureFlags2KHR").map(|row| row.name), None, "a type's other name");
}

#[test]
fn every_type_has_its_name() {
    for row in reflect::structures() {
        let Some(s_type) = row.s_type else { continue };
        let name = reflect::structure_type_name(s_type).unwrap_or_else(|| panic!("{} has a type", row.name));
        assert_eq!(compact(name), compact(row.name).replacen("VK", "VKSTRUCTURETYPE", 1));
    }
    let params = reflect::commands().flat_map(|row| row.params);
    let handles = params.filter_map(|param| match param.item {
        Item::Handle(row) => Some(row),
        _ => None,
    });
    for row in handles.filter(|row| row.object_type != vk::ObjectType::UNKNOWN) {
        let name = reflect::OBJECT_TYPE.name_of(row.object_type.as_raw().into()).unwrap_or_default();
        assert_eq!(compact(name), compact(row.name).replacen("VK", "VKOBJECTTYPE", 1));
    }
}

/// How deep structures lead into structures, through members and chains.
fn depth(row: &'static StructRow, open: &mut Vec<&'static str>) -> usize {
    assert!(!open.contains(&row.name), "{} leads to itself: {open:?}", row.name);
    open.push(row.name);
    let members = row.members.iter().flat_map(|member| match member.item {
        Item::Struct(row) => vec![row],
        Item::Union(row) => {
            let items = row.members.iter().map(|(_, member)| member.item);
            let structs = items.filter_map(|item| if let Item::Struct(row) = item { Some(row) } else { None });
            structs.collect()
        }
        _ => Vec::new(),
    });
    let deepest = members.chain(row.children()).map(|row| depth(row, open)).max();
    open.pop();
    deepest.unwrap_or(0) + 1
}

/// A walk goes no deeper than the types do, so it cannot be made to exhaust the stack.
#[test]
fn nesting_ends() {
    let deepest = reflect::structures().iter().map(|row| depth(row, &mut Vec::new())).max();
    assert!(deepest <= Some(16), "{deepest:?}");
}

#[test]
fn a_decoder_knows_what_it_consumed() {
    let (arena, bytes) = (Arena::default(), [9_u8; 24]);
    let mut decoder = Decoder::at(&bytes, 4, &arena, &IdentityResolver);
    assert_eq!(decoder.consumed(), &[] as &[u8]);
    assert!(decoder.read::<u64>().is_ok() && decoder.read::<u32>().is_ok());
    assert_eq!((decoder.consumed().as_ptr(), decoder.consumed().len()), (bytes[4..].as_ptr(), 12));
    let beyond = Decoder::at(&bytes, 25, &arena, &IdentityResolver);
    assert_eq!((beyond.consumed(), beyond.remaining()), (&[] as &[u8], 0));
}
