//! Ids that a guest takes for objects and that could not be created: what becomes of commands that name them.

use std::{collections::BTreeSet, ops::ControlFlow};

use mock_driver::Mock;
use venus_guest::bare::bytes;
use venus_host::limits::NAMES;
use venus_protocol::{
    reflect::{self, Piece, Visitor},
    vk::{self, ObjectType},
    wire::{CommandType, Member},
};

use crate::{
    lifetime::{assert_lost, mortals, places},
    world::{Sent, World, named, new_ids, silent},
};

pub(crate) const REFUSED: vk::Result = vk::Result::ERROR_OUT_OF_DEVICE_MEMORY;

/// An id that the guest believes in, since it has not asked whether the object could be created.
pub(crate) fn phantom(world: &mut World<'_>, kind: ObjectType) -> u64 {
    let row = World::maker(kind);
    // Its parents exist before the driver begins to fail.
    let request = silent(world.request(row, None));
    let id = new_ids(&request)[0];
    world.mock.fail(row.command.name(), REFUSED);
    let sent = world.submit(request);
    world.mock.forgive();
    sent.outcome.unwrap_or_else(|error| panic!("{}: {error}", row.command));
    id
}

/// Sends a command with this id in one place.
pub(crate) fn send_with(world: &mut World<'_>, command: CommandType, member: &str, id: u64) -> Sent {
    let mut request = world.request(reflect::command(command).expect("it travels"), None);
    let named = named(&request).into_iter().find(|named| named.member.name == member).expect("a handle");
    named.replace(&mut request, id);
    world.submit(request)
}

pub(crate) fn calls(sent: &Sent) -> Vec<&'static str> {
    assert!(sent.outcome.is_ok(), "{:?}", sent.outcome);
    sent.notes.iter().map(|note| note.command).collect()
}

/// The result in a reply.
pub(crate) fn result(sent: &Sent) -> vk::Result {
    let reply = sent.outcome.as_ref().expect("a reply");
    vk::Result::from_raw(i32::from_le_bytes(reply[4..8].try_into().expect("a result")))
}

pub(crate) fn is_alive(world: &mut World<'_>) {
    let fence = reflect::command(CommandType::CREATE_FENCE).expect("it travels");
    assert_eq!(calls(&world.send(fence)), ["vkCreateFence"]);
}

/// Types of which no command can fail to make one, without ending all.
fn always_made(kind: ObjectType) -> bool {
    matches!(kind, ObjectType::INSTANCE | ObjectType::PHYSICAL_DEVICE | ObjectType::QUEUE)
        || kind == ObjectType::DEFERRED_OPERATION_KHR
}

#[test]
fn destroying_what_could_not_be_made_is_nothing() {
    let mock = Mock::take();
    for (kind, destroy) in mortals().into_iter().filter(|(kind, _)| !always_made(*kind)) {
        let mut world = World::new(&mock);
        let id = phantom(&mut world, kind);
        let sent = world.send_with(destroy, kind, id);
        assert_eq!(calls(&sent), [""; 0], "{destroy}");
        if kind != ObjectType::DEVICE {
            is_alive(&mut world);
            // It is forgotten then, as if it had been.
            let again = world.send_with(destroy, kind, id);
            assert!(again.outcome.is_err() && again.notes.is_empty(), "{destroy} twice");
            assert_lost(&world, destroy, "destroyed twice");
        }
        drop(world);
        mock.assert_clean();
    }
}

#[test]
fn a_refusal_is_told_to_those_who_ask() {
    let mock = Mock::take();
    for (kind, _) in mortals() {
        let mut world = World::new(&mock);
        let row = World::maker(kind);
        let request = world.request(row, None);
        mock.fail(row.command.name(), REFUSED);
        assert_eq!(result(&world.submit(request)), REFUSED, "{}", row.command);
        mock.forgive();
        drop(world);
        mock.assert_clean();
    }
}

/// Commands that reach the driver although they name a phantom in this place.
fn goes_on(command: CommandType, member: &str) -> bool {
    match command {
        CommandType::QUEUE_SUBMIT | CommandType::QUEUE_SUBMIT2 => {
            matches!(
                member,
                "fence" | "pCommandBuffers" | "commandBuffer" | "pWaitSemaphores" | "pSignalSemaphores" | "semaphore"
            )
        }
        CommandType::QUEUE_BIND_SPARSE => member != "queue",
        _ => member == "basePipelineHandle",
    }
}

#[test]
fn a_command_that_names_a_phantom_is_left_out() {
    let mock = Mock::take();
    let mut seen = BTreeSet::new();
    for row in reflect::commands() {
        let mut world = World::new(&mock);
        let request = world.request(row, None);
        let all = named(&request);
        let created = new_ids(&request);
        let places = places(&world, &request, false);
        drop(world);
        for nth in places {
            let place = all[nth];
            // What is in a pool is freed to that pool.
            let frees = matches!(row.command, CommandType::FREE_COMMAND_BUFFERS | CommandType::FREE_DESCRIPTOR_SETS);
            let is_pool = matches!(place.kind, ObjectType::COMMAND_POOL | ObjectType::DESCRIPTOR_POOL);
            if always_made(place.kind) || created.contains(&place.id) || frees && is_pool {
                continue;
            }
            if !seen.insert((place.member.owner, place.member.name)) {
                continue;
            }
            let mut world = World::new(&mock);
            let mut bytes = world.request(row, None);
            let id = phantom(&mut world, place.kind);
            named(&bytes)[nth].replace(&mut bytes, id);
            let sent = world.submit(bytes);
            let calls = calls(&sent);
            let what = format!("{}: {}", row.command, place.member);
            if goes_on(row.command, place.member.name) {
                assert_eq!(calls, [row.command.name()], "{what}");
            } else if row.command == CommandType::UPDATE_DESCRIPTOR_SETS && place.kind != ObjectType::DEVICE {
                assert_eq!(calls, [row.command.name()], "{what}: a write and a copy are two things");
                assert!(named(&sent.notes[0].request).len() < all.len(), "{what}");
            } else {
                assert_eq!(calls, [""; 0], "{what}");
            }
            if place.kind != ObjectType::DEVICE {
                is_alive(&mut world);
            }
            drop(world);
            mock.assert_clean();
        }
        mock.assert_clean();
    }
    assert!(seen.len() > 180, "{}", seen.len());
}

#[test]
fn a_command_that_names_nothing_but_phantoms_is_left_out() {
    let mock = Mock::take();
    let mut tried = 0;
    for row in reflect::commands() {
        let mut world = World::new(&mock);
        let request = world.request(row, None);
        let created = new_ids(&request);
        let used = named(&request).into_iter().filter(|named| named.id != 0 && !created.contains(&named.id));
        let used: Vec<_> = used.filter(|named| !always_made(named.kind)).collect();
        if used.is_empty() || row.command == CommandType::DESTROY_DEVICE {
            continue;
        }
        for asks in [true, false] {
            let mut bytes = if asks { world.request(row, None) } else { silent(world.request(row, None)) };
            for place in named(&bytes).iter().filter(|named| used.iter().any(|used| used.member == named.member)) {
                let id = if place.id == 0 { 0 } else { phantom(&mut world, place.kind) };
                place.replace(&mut bytes, id);
            }
            let sent = world.submit(bytes);
            let calls = calls(&sent);
            let goes_on = used.iter().all(|used| goes_on(row.command, used.member.name));
            assert!(calls.is_empty() || goes_on, "{}: {calls:?}", row.command);
        }
        is_alive(&mut world);
        tried += 1;
        drop(world);
        mock.assert_clean();
    }
    assert!(tried > 200, "{tried}");
}

#[test]
fn bytes_behind_a_phantom_are_checked_all_the_same() {
    let mock = Mock::take();
    let mut world = World::new(&mock);
    let memory = phantom(&mut world, ObjectType::DEVICE_MEMORY);
    let bind = reflect::command(CommandType::BIND_BUFFER_MEMORY).expect("it travels");
    let mut request = world.request(bind, None);
    for named in named(&request) {
        match named.kind {
            ObjectType::DEVICE_MEMORY => named.replace(&mut request, u64::MAX - 1),
            ObjectType::BUFFER => named.replace(&mut request, memory),
            _ => {}
        }
    }
    // A phantom of another type is none, and neither is what nobody knows.
    assert!(world.submit(request).outcome.is_err());
    assert_lost(&world, CommandType::BIND_BUFFER_MEMORY, "an id that nothing has");
    drop(world);

    let mut world = World::new(&mock);
    let buffer = phantom(&mut world, ObjectType::BUFFER);
    let mut request = world.request(bind, None);
    for named in named(&request) {
        match named.kind {
            ObjectType::BUFFER => named.replace(&mut request, buffer),
            ObjectType::DEVICE_MEMORY => named.replace(&mut request, u64::MAX - 1),
            _ => {}
        }
    }
    assert!(world.submit(request).outcome.is_err());
    let lost = world.context.lost().expect("it is lost").to_string();
    // Behind the command that sets the reply stream, the command's header, device and buffer.
    assert!(
        lost.starts_with("vkBindBufferMemory, memory: no VkDeviceMemory") && lost.contains("at byte 60)"),
        "{lost}"
    );
    drop(world);
    mock.assert_clean();
}

#[test]
fn private_data_of_phantoms_is_answered() {
    let mock = Mock::take();
    let mut world = World::new(&mock);
    let buffer = phantom(&mut world, ObjectType::BUFFER);
    let sent = world.send_with(CommandType::SET_PRIVATE_DATA, ObjectType::BUFFER, buffer);
    assert_eq!((calls(&sent), result(&sent)), (vec![], REFUSED));
    drop(world);
    mock.assert_clean();
}

#[test]
fn what_a_left_out_command_should_have_made_is_a_phantom_too() {
    let mock = Mock::take();
    let mut world = World::new(&mock);
    let image = phantom(&mut world, ObjectType::IMAGE);
    let sent = send_with(&mut world, CommandType::CREATE_IMAGE_VIEW, "image", image);
    assert_eq!(result(&sent), REFUSED);
    assert_eq!(sent.outcome.as_ref().unwrap()[16..24], [0; 8], "no id for nothing");
    let view = new_ids(&sent.request)[0];
    assert_eq!(calls(&world.send_with(CommandType::DESTROY_IMAGE_VIEW, ObjectType::IMAGE_VIEW, view)), [""; 0]);
    drop(world);
    mock.assert_clean();
}

#[test]
fn a_buffer_without_memory_is_left_out_and_destroyed_as_usual() {
    let mock = Mock::take();
    for (bind, kind, destroy) in [
        (CommandType::BIND_BUFFER_MEMORY, ObjectType::BUFFER, CommandType::DESTROY_BUFFER),
        (CommandType::BIND_BUFFER_MEMORY2, ObjectType::BUFFER, CommandType::DESTROY_BUFFER),
        (CommandType::BIND_IMAGE_MEMORY, ObjectType::IMAGE, CommandType::DESTROY_IMAGE),
        (CommandType::BIND_IMAGE_MEMORY2, ObjectType::IMAGE, CommandType::DESTROY_IMAGE),
    ] {
        let mut world = World::new(&mock);
        let id = world.object(kind);
        let memory = phantom(&mut world, ObjectType::DEVICE_MEMORY);
        let bound = send_with(&mut world, bind, "memory", memory);
        assert_eq!((calls(&bound), result(&bound)), (vec![], REFUSED));
        for user in [CommandType::CMD_FILL_BUFFER, CommandType::CREATE_IMAGE_VIEW] {
            let row = reflect::command(user).expect("it travels");
            let uses = named(&world.request(row, None)).iter().any(|named| named.id == id);
            let sent = world.send(row);
            assert_eq!(calls(&sent).is_empty(), uses, "{user} after {bind}");
        }
        assert_eq!(calls(&world.send_with(destroy, kind, id)), [destroy.name()]);
        drop(world);
        mock.assert_clean();
    }
}

#[test]
fn phantoms_among_others_are_freed() {
    let mock = Mock::take();
    for (kind, free, count, owner) in [
        (ObjectType::COMMAND_BUFFER, CommandType::FREE_COMMAND_BUFFERS, "commandBufferCount", "vkFreeCommandBuffers"),
        (ObjectType::DESCRIPTOR_SET, CommandType::FREE_DESCRIPTOR_SETS, "descriptorSetCount", "vkFreeDescriptorSets"),
    ] {
        let mut world = World::new(&mock);
        let ids = [phantom(&mut world, kind), world.make(kind), phantom(&mut world, kind), world.make(kind)];
        world.set_length(owner, count, 4);
        let mut request = world.request(reflect::command(free).expect("it travels"), None);
        let places = named(&request).into_iter().filter(|named| named.kind == kind);
        places.zip(ids).for_each(|(place, id)| place.replace(&mut request, id));
        assert_eq!(calls(&world.submit(request)), [free.name()]);
        let (made, gone) = mock.census().of(kind);
        assert!(made > 0 && made - gone <= 1, "{made} {gone}");
        is_alive(&mut world);
        drop(world);
        mock.assert_clean();
    }
}

/// What the flags of pipelines and their newer stand-ins say in a request.
#[derive(Default)]
struct PipelineFlags(Vec<u64>);

impl Visitor for PipelineFlags {
    fn visit(&mut self, _at: usize, _len: usize, member: Member, piece: Piece<'_>) -> ControlFlow<()> {
        let is_pipeline = member.owner.contains("Pipeline") && !member.owner.contains("State");
        if let Piece::Value(_, bytes) = piece
            && (member.name, is_pipeline) == ("flags", true)
        {
            self.0.push(bytes.iter().rev().fold(0, |value, byte| value << 8 | u64::from(*byte)));
        }
        ControlFlow::Continue(())
    }
}

/// The flags of a request's one pipeline: its own, its stages' and those in its chain, in the order in which they travel.
fn pipeline_flags(request: &[u8]) -> Vec<u64> {
    let mut flags = PipelineFlags::default();
    reflect::walk_request(request, &mut flags).expect("requests can be walked");
    flags.0
}

#[test]
fn a_pipeline_that_derives_from_a_phantom_is_made_without_it() {
    const NEWER: &str = "VkPipelineCreateFlags2CreateInfo";
    let mock = Mock::take();
    for (create, info) in [
        (CommandType::CREATE_COMPUTE_PIPELINES, "VkComputePipelineCreateInfo"),
        (CommandType::CREATE_GRAPHICS_PIPELINES, "VkGraphicsPipelineCreateInfo"),
    ] {
        let mut world = World::new(&mock);
        let phantom = phantom(&mut world, ObjectType::PIPELINE);
        // One bit stays.
        world.set_number(info, "flags", 0x6);
        world.set_number(NEWER, "flags", 0x6);
        world.set_number("VkPipelineShaderStageCreateInfo", "flags", 0x7);
        let row = reflect::command(create).expect("it travels");
        let mut request = world.request(row, Some((info, reflect::structure(NEWER).expect("it travels"))));
        let base = named(&request).into_iter().find(|named| named.member.name == "basePipelineHandle").expect("a base");
        base.replace(&mut request, phantom);
        let before = pipeline_flags(&request);
        assert_eq!(before.iter().filter(|flags| **flags == 0x6).count(), 2, "{before:?}");
        let sent = world.submit(request);
        assert_eq!((calls(&sent), result(&sent)), (vec![create.name()], vk::Result::SUCCESS));
        let called = &sent.notes[0].request;
        let base = named(called).into_iter().find(|named| named.member.name == "basePipelineHandle").expect("a base");
        assert_eq!(base.id, 0);
        let after: Vec<_> = before.into_iter().map(|flags| if flags == 0x6 { 0x2 } else { flags }).collect();
        assert_eq!(pipeline_flags(called), after, "{create}");
        drop(world);
        mock.assert_clean();
    }
}

#[test]
fn a_second_look_has_its_limit() {
    let mock = Mock::take();
    for (excess, ends) in [(0, false), (1, true)] {
        let mut world = World::new(&mock);
        let pool = world.object(ObjectType::DESCRIPTOR_POOL);
        let device = world.object(ObjectType::DEVICE);
        let set = phantom(&mut world, ObjectType::DESCRIPTOR_SET);
        // The device and the pool are names as well.
        let count = NAMES - 2 + excess;
        let free = CommandType::FREE_DESCRIPTOR_SETS;
        let mut request = bytes(&[free.0, 0]);
        request.extend([device, pool].iter().flat_map(|id| id.to_le_bytes()));
        request.extend(u32::try_from(count).expect("it fits").to_le_bytes());
        request.extend((count as u64).to_le_bytes());
        request.extend(set.to_le_bytes());
        request.resize(request.len() + (count - 1) * 8, 0);
        assert_eq!(world.submit(request).outcome.is_err(), ends, "{:?}", world.context.lost());
        drop(world);
        mock.assert_clean();
    }
}
