//! Queue families that cannot do everything: what is recorded for them, and what guests are told of them.

use mock_driver::{Mock, Offers};
use venus_protocol::{
    args::*,
    reflect,
    vk::{self, ObjectType},
    wire::{Arena, Command, CommandType, Decoder, IdentityResolver},
};

use crate::world::{World, named, row};

const GRAPHICS: u32 = 0x1;
const COMPUTE: u32 = 0x2;
const TRANSFER: u32 = 0x4;
const SPARSE: u32 = 0x8;

/// A driver with these families.
fn with_families(families: &[u32]) -> Offers {
    Offers { families: families.to_vec(), ..Offers::default() }
}

/// Lets what is made from now on be for a family.
fn choose(world: &mut World<'_>, family: u64) {
    for owner in ["VkDeviceQueueCreateInfo", "VkCommandPoolCreateInfo", "VkDeviceQueueInfo2"] {
        world.set_number(owner, "queueFamilyIndex", family);
    }
}

/// Whether a command that acts on a command buffer reaches the driver; it may be left out, but not be the guest's end.
fn reaches(world: &mut World<'_>, command: CommandType) -> bool {
    let sent = world.send(row(command));
    assert!(sent.outcome.is_ok(), "{command}: {:?}", sent.outcome);
    sent.notes.iter().any(|note| note.command == command.name())
}

/// Which of some commands reach the driver in a command buffer for queues that can do `flags`.
fn reached(flags: u32) -> Vec<&'static str> {
    const TRIED: [CommandType; 9] = [
        CommandType::BEGIN_COMMAND_BUFFER,
        CommandType::CMD_DRAW,
        CommandType::CMD_DISPATCH,
        CommandType::CMD_BIND_PIPELINE,
        CommandType::CMD_FILL_BUFFER,
        CommandType::CMD_WRITE_TIMESTAMP,
        CommandType::CMD_RESET_QUERY_POOL,
        CommandType::CMD_COPY_QUERY_POOL_RESULTS,
        CommandType::END_COMMAND_BUFFER,
    ];
    let mock = Mock::offering(with_families(&[GRAPHICS | COMPUTE | TRANSFER, flags]));
    let mut world = World::new(&mock);
    choose(&mut world, 1);
    world.object(ObjectType::COMMAND_BUFFER);
    let reached = TRIED.into_iter().filter(|command| reaches(&mut world, *command)).map(CommandType::name).collect();
    drop(world);
    mock.assert_clean();
    reached
}

#[test]
fn command_buffers_are_given_what_their_queues_can_do() {
    let always = ["vkBeginCommandBuffer", "vkCmdFillBuffer", "vkCmdWriteTimestamp", "vkEndCommandBuffer"];
    assert_eq!(reached(TRANSFER), always);
    let all = reached(GRAPHICS | COMPUTE);
    assert_eq!(all.len(), 9, "{all:?}");
    let without = |left_out: &str| all.iter().copied().filter(|name| *name != left_out).collect::<Vec<_>>();
    assert_eq!(reached(COMPUTE), without("vkCmdDraw"));
    assert_eq!(reached(GRAPHICS), without("vkCmdDispatch"));
}

#[test]
fn nothing_can_be_recorded_for_queues_that_can_do_nothing() {
    let mock = Mock::offering(with_families(&[GRAPHICS | COMPUTE | TRANSFER, 0]));
    let (mut kept, mut reached) = (0, 0);
    for row in reflect::commands().filter(|row| row.command.name().starts_with("vkCmd")) {
        let mut world = World::new(&mock);
        choose(&mut world, 1);
        if reaches(&mut world, row.command) {
            reached += 1
        } else {
            kept += 1
        }
        drop(world);
        mock.assert_clean();
    }
    assert_eq!((kept, reached), (147, 0));
}

#[test]
fn each_command_buffer_has_its_own_family() {
    let mock = Mock::offering(with_families(&[GRAPHICS | COMPUTE, TRANSFER]));
    let mut world = World::new(&mock);
    // The device has queues of one family, and pools may be for it or for others.
    choose(&mut world, 1);
    let command_buffer = |world: &mut World<'_>, family: u64| {
        world.set_number("VkCommandPoolCreateInfo", "queueFamilyIndex", family);
        world.forget();
        (world.object(ObjectType::COMMAND_BUFFER), world.object(ObjectType::COMMAND_POOL))
    };
    let (transfer, pool) = command_buffer(&mut world, 1);
    let (any, _) = command_buffer(&mut world, 0);
    let draws = |world: &mut World<'_>, id| {
        let sent = world.send_with(CommandType::CMD_DRAW, ObjectType::COMMAND_BUFFER, id);
        assert!(sent.outcome.is_ok(), "{:?}", sent.outcome);
        !sent.notes.is_empty()
    };
    for _ in 0..2 {
        assert!(!draws(&mut world, transfer));
        assert!(draws(&mut world, any));
    }
    // With the last such pool goes the care.
    let sent = world.send_with(CommandType::DESTROY_COMMAND_POOL, ObjectType::COMMAND_POOL, pool);
    assert!(sent.outcome.is_ok());
    assert!(draws(&mut world, any));
    drop(world);
    mock.assert_clean();
}

/// Bits of timestamps that guests are told of each family, by both versions of the query.
fn timestamp_bits(families: &[u32]) -> Vec<[u32; 2]> {
    let mock = Mock::offering(with_families(families));
    let mut world = World::new(&mock);
    for command in ["vkGetPhysicalDeviceQueueFamilyProperties", "vkGetPhysicalDeviceQueueFamilyProperties2"] {
        world.set_length(command, "pQueueFamilyPropertyCount", families.len() as u64);
    }
    let replies = [
        CommandType::GET_PHYSICAL_DEVICE_QUEUE_FAMILY_PROPERTIES,
        CommandType::GET_PHYSICAL_DEVICE_QUEUE_FAMILY_PROPERTIES2,
    ]
    .map(|command| world.send(row(command)).outcome.expect("a reply"));
    let arena = Arena::default();
    let [first, second] = replies.each_ref().map(|reply| Decoder::new(reply, &arena, &IdentityResolver));
    let (mut first, mut second) = (first, second);
    let first = GetPhysicalDeviceQueueFamilyPropertiesArgs::decode_reply(&mut first).expect("a reply");
    let second = GetPhysicalDeviceQueueFamilyProperties2Args::decode_reply(&mut second).expect("a reply");
    let second = second.p_queue_family_properties.iter().map(|family| &family.queue_family_properties);
    let both = first.p_queue_family_properties.iter().zip(second);
    both.map(|(first, second)| [first.timestamp_valid_bits, second.timestamp_valid_bits]).collect()
}

#[test]
fn there_are_timestamps_where_they_can_be_copied() {
    let told = timestamp_bits(&[GRAPHICS | COMPUTE, TRANSFER, COMPUTE | TRANSFER, TRANSFER | SPARSE, 0x20]);
    assert_eq!(told, [[64; 2], [0; 2], [64; 2], [0; 2], [0; 2]]);
}

#[test]
fn sparse_binding_takes_a_queue_for_it() {
    for (flags, expected) in [
        (GRAPHICS | COMPUTE | SPARSE, vk::Result::SUCCESS),
        (GRAPHICS | COMPUTE, vk::Result::ERROR_FEATURE_NOT_PRESENT),
    ] {
        let mock = Mock::offering(with_families(&[flags]));
        let mut world = World::new(&mock);
        let sent = world.send(row(CommandType::QUEUE_BIND_SPARSE));
        let reply = sent.outcome.expect("a reply");
        assert_eq!(reply[4..8], expected.as_raw().to_le_bytes());
        let is_bound = sent.notes.iter().any(|note| note.command == "vkQueueBindSparse");
        assert_eq!(is_bound, expected == vk::Result::SUCCESS);
        drop(world);
        mock.assert_clean();
    }
}

/// The command buffers that a command names, as the driver is called.
fn executed(world: &mut World<'_>, command: CommandType) -> Option<usize> {
    let sent = world.send(row(command));
    assert!(sent.outcome.is_ok(), "{command}: {:?}", sent.outcome);
    let call = sent.notes.iter().find(|note| note.command == command.name())?;
    Some(named(&call.request).iter().filter(|named| named.kind == ObjectType::COMMAND_BUFFER).count())
}

#[test]
fn queues_execute_what_was_recorded_for_them() {
    let mock = Mock::offering(with_families(&[GRAPHICS | COMPUTE, TRANSFER]));
    for submit in [CommandType::QUEUE_SUBMIT, CommandType::QUEUE_SUBMIT2] {
        for (queue, pool, expected) in [(1, 1, 1), (1, 0, 0), (0, 0, 1), (0, 1, 1)] {
            let mut world = World::new(&mock);
            choose(&mut world, queue);
            world.object(ObjectType::QUEUE);
            world.set_number("VkCommandPoolCreateInfo", "queueFamilyIndex", pool);
            assert_eq!(executed(&mut world, submit), Some(expected), "{submit} of {pool} to {queue}");
            drop(world);
            mock.assert_clean();
        }
    }
}

#[test]
fn command_buffers_execute_what_was_recorded_for_their_queues() {
    let mock = Mock::offering(with_families(&[GRAPHICS | COMPUTE, TRANSFER]));
    let mut world = World::new(&mock);
    choose(&mut world, 1);
    for (pool, secondary, expected) in [(1, 1, true), (1, 0, false), (0, 1, true), (0, 0, true)] {
        let make = |world: &mut World<'_>, family| {
            world.set_number("VkCommandPoolCreateInfo", "queueFamilyIndex", family);
            world.forget();
            world.object(ObjectType::COMMAND_BUFFER)
        };
        let (primary, secondary) = (make(&mut world, pool), make(&mut world, secondary));
        let mut request = world.request(row(CommandType::CMD_EXECUTE_COMMANDS), None);
        let names = named(&request).into_iter().filter(|named| named.kind == ObjectType::COMMAND_BUFFER);
        names.zip([primary, secondary]).for_each(|(named, id)| named.replace(&mut request, id));
        let sent = world.submit(request);
        assert!(sent.outcome.is_ok(), "{:?}", sent.outcome);
        assert_eq!(!sent.notes.is_empty(), expected, "{secondary} in {primary}");
    }
    drop(world);
    mock.assert_clean();
}
