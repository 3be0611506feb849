//! Descriptor heaps: what guests get of descriptors, and sizes that drivers would believe.

use mock_driver::{BORDER_COLOURS, Mock, Offers, RESOURCE_DESCRIPTOR, SAMPLER_DESCRIPTOR};
use venus_protocol::{
    args::*,
    reflect,
    vk::{self, ObjectType},
    wire::{Arena, Command, CommandType, Decoder, IdentityResolver},
};

use crate::{
    phantoms::{calls, result},
    world::{World, row},
};

#[test]
fn descriptors_travel_in_the_reply_whatever_room_there_is() {
    let mock = Mock::take();
    let mut world = World::new(&mock);
    world.object(ObjectType::DEVICE);
    for room in [0, 1, 5, 32, 64, 100] {
        world.set_length("vkWriteSamplerDescriptorMESA", "dataSize", room);
        world.set_length("vkWriteResourceDescriptorMESA", "dataSize", room);
        let arena = Arena::default();
        let read = |descriptor: &[u8]| {
            let mut expected = descriptor[..descriptor.len().min(room as usize)].to_vec();
            expected.resize(room as usize, 0);
            expected
        };
        let reply = world.send(row(CommandType::WRITE_SAMPLER_DESCRIPTOR_MESA)).outcome.expect("a reply");
        let mut decoder = Decoder::new(&reply, &arena, &IdentityResolver);
        let told = WriteSamplerDescriptorMESAArgs::decode_reply(&mut decoder).expect("a reply");
        assert_eq!((told.returned, told.p_data), (vk::Result::SUCCESS, read(&SAMPLER_DESCRIPTOR).as_slice()));
        let reply = world.send(row(CommandType::WRITE_RESOURCE_DESCRIPTOR_MESA)).outcome.expect("a reply");
        let mut decoder = Decoder::new(&reply, &arena, &IdentityResolver);
        let told = WriteResourceDescriptorMESAArgs::decode_reply(&mut decoder).expect("a reply");
        assert_eq!((told.returned, told.p_data), (vk::Result::SUCCESS, read(&RESOURCE_DESCRIPTOR).as_slice()));
    }
    drop(world);
    mock.assert_clean();
}

/// VK_BORDER_COLOR_FLOAT_CUSTOM_EXT.
const FLOAT_CUSTOM: u64 = 1_000_287_003;

/// What a member may be at most, or at least, and what it may not be.
type Bound = (CommandType, Option<(&'static str, &'static str)>, (&'static str, &'static str), u64, u64);

const BOUNDS: &[Bound] = &[
    (CommandType::CMD_PUSH_DATA_EXT, None, ("VkPushDataInfoEXT", "offset"), 255, 256),
    (CommandType::CMD_PUSH_DATA_EXT, None, ("VkHostAddressRangeConstEXT", "size"), 250, 257),
    (CommandType::GET_IMAGE_OPAQUE_CAPTURE_DATA_EXT, None, ("VkHostAddressRangeEXT", "size"), 1, 0),
    (
        CommandType::CREATE_IMAGE,
        Some(("VkImageCreateInfo", "VkOpaqueCaptureDataCreateInfoEXT")),
        ("VkHostAddressRangeConstEXT", "size"),
        1,
        0,
    ),
    (
        CommandType::GET_DEVICE_IMAGE_MEMORY_REQUIREMENTS,
        Some(("VkImageCreateInfo", "VkOpaqueCaptureDataCreateInfoEXT")),
        ("VkHostAddressRangeConstEXT", "size"),
        1,
        0,
    ),
    (
        CommandType::GET_DEVICE_IMAGE_SUBRESOURCE_LAYOUT,
        Some(("VkImageCreateInfo", "VkOpaqueCaptureDataCreateInfoEXT")),
        ("VkHostAddressRangeConstEXT", "size"),
        1,
        0,
    ),
    (
        CommandType::GET_DEVICE_IMAGE_SPARSE_MEMORY_REQUIREMENTS,
        Some(("VkImageCreateInfo", "VkOpaqueCaptureDataCreateInfoEXT")),
        ("VkHostAddressRangeConstEXT", "size"),
        1,
        0,
    ),
    (
        CommandType::CREATE_SAMPLER,
        Some(("VkSamplerCreateInfo", "VkSamplerCustomBorderColorIndexCreateInfoEXT")),
        ("VkSamplerCustomBorderColorIndexCreateInfoEXT", "index"),
        BORDER_COLOURS as u64 - 1,
        BORDER_COLOURS as u64,
    ),
    (
        CommandType::WRITE_SAMPLER_DESCRIPTOR_MESA,
        Some(("VkSamplerCreateInfo", "VkSamplerCustomBorderColorIndexCreateInfoEXT")),
        ("VkSamplerCustomBorderColorIndexCreateInfoEXT", "index"),
        BORDER_COLOURS as u64 - 1,
        BORDER_COLOURS as u64,
    ),
    (
        CommandType::REGISTER_CUSTOM_BORDER_COLOR_EXT,
        None,
        ("vkRegisterCustomBorderColorEXT", "pIndex"),
        BORDER_COLOURS as u64 - 1,
        BORDER_COLOURS as u64,
    ),
    (
        CommandType::UNREGISTER_CUSTOM_BORDER_COLOR_EXT,
        None,
        ("vkUnregisterCustomBorderColorEXT", "index"),
        BORDER_COLOURS as u64 - 1,
        BORDER_COLOURS as u64,
    ),
];

/// What becomes of a command with one member as a test wants it: the calls of the driver but for the question about its
/// limits, and the result if there is one.
fn with(
    world: &mut World<'_>,
    (command, chain, member): (CommandType, Option<(&'static str, &'static str)>, (&'static str, &'static str)),
    number: u64,
) -> (Vec<&'static str>, Option<vk::Result>) {
    let row = row(command);
    let chain = chain.map(|(root, child)| (root, reflect::structure(child).expect("it travels")));
    world.set_number("vkRegisterCustomBorderColorEXT", "requestIndex", 1);
    world.set_number("VkSamplerCreateInfo", "borderColor", FLOAT_CUSTOM);
    world.set_number("VkPushDataInfoEXT", "offset", 6);
    world.set_length("VkHostAddressRangeConstEXT", "size", 1);
    // What it names is made as usual.
    world.request(row, chain);
    world.set_number(member.0, member.1, number);
    world.set_length(member.0, member.1, number);
    let request = world.request(row, chain);
    let sent = world.submit(request);
    let calls = calls(&sent).into_iter().filter(|name| *name != "vkGetPhysicalDeviceProperties2").collect();
    let has_result = command.name().starts_with("vkCreate")
        || command.name().starts_with("vkWrite")
        || matches!(
            command,
            CommandType::GET_IMAGE_OPAQUE_CAPTURE_DATA_EXT | CommandType::REGISTER_CUSTOM_BORDER_COLOR_EXT
        );
    (calls, has_result.then(|| result(&sent)))
}

#[test]
fn what_a_driver_would_index_or_copy_by_is_compared_with_its_limits() {
    let mock = Mock::take();
    for &(command, chain, member, right, wrong) in BOUNDS {
        let mut world = World::new(&mock);
        let (calls, result) = with(&mut world, (command, chain, member), right);
        assert_eq!(calls.len(), 1, "{command}: {member:?} is {right}");
        assert!(result.is_none_or(|result| result == vk::Result::SUCCESS), "{command}: {result:?}");
        drop(world);
        let mut world = World::new(&mock);
        let (calls, result) = with(&mut world, (command, chain, member), wrong);
        assert_eq!(calls, [""; 0], "{command}: {member:?} is {wrong}");
        assert!(result.is_none_or(|result| result == vk::Result::ERROR_VALIDATION_FAILED_EXT), "{command}: {result:?}");
        drop(world);
        mock.assert_clean();
    }
}

#[test]
fn a_driver_without_heaps_is_asked_for_nothing_of_them() {
    let mock = Mock::offering(Offers::default().without("VK_EXT_descriptor_heap"));
    for &(command, chain, member, right, _) in BOUNDS {
        let mut world = World::new(&mock);
        assert_eq!(with(&mut world, (command, chain, member), right).0, [""; 0], "{command}");
        drop(world);
        mock.assert_clean();
    }
}

#[test]
fn samplers_in_pipelines_have_no_border_colour_of_their_own() {
    let mock = Mock::take();
    let mut world = World::new(&mock);
    let row = row(CommandType::CREATE_COMPUTE_PIPELINES);
    let mapping = reflect::structure("VkShaderDescriptorSetAndBindingMappingInfoEXT").expect("it travels");
    let chain = Some(("VkPipelineShaderStageCreateInfo", mapping));
    let request = world.request(row, chain);
    assert_eq!(result(&world.submit(request)), vk::Result::SUCCESS);
    world.follow("VkSamplerCreateInfo", "VkSamplerCustomBorderColorIndexCreateInfoEXT");
    let request = world.request(row, chain);
    let sent = world.submit(request);
    assert_eq!((calls(&sent), result(&sent)), (vec![], vk::Result::ERROR_VALIDATION_FAILED_EXT));
    drop(world);
    mock.assert_clean();
}
