//! Null handles where Vulkan asks for an object: no driver sees them, and no context ends by them.

use std::collections::BTreeSet;

use mock_driver::Mock;
use venus_protocol::{
    reflect::{self, CommandRow, Returns},
    vk::{self, ObjectType},
    wire::CommandType,
};

use crate::{
    phantoms::{calls, is_alive, phantom, result},
    world::{LeftOut, Named, World, named, new_ids, row},
};

/// Whether the rest of the command is executed.
fn is_submission(command: CommandType) -> bool {
    matches!(command, CommandType::QUEUE_SUBMIT | CommandType::QUEUE_SUBMIT2 | CommandType::QUEUE_BIND_SPARSE)
}

/// The handles of a request that name something, but for the one that the command acts on.
fn used(request: &[u8]) -> Vec<Named> {
    let created = new_ids(request);
    named(request).into_iter().skip(1).filter(|named| named.id != 0 && !created.contains(&named.id)).collect()
}

/// Has `look` see each member that may be null, or each that may not, in a request in which it is. Returns how many there
/// are. What is told to `look` last names the command and the member.
fn with_each_null(
    mock: &Mock,
    required: bool,
    mut look: impl FnMut(&'static CommandRow, &mut World<'_>, &LeftOut, Vec<u8>, &str),
) -> usize {
    let mut seen = BTreeSet::new();
    for row in reflect::commands() {
        let request = World::new(mock).request(row, None);
        mock.assert_clean();
        for (nth, place) in used(&request).into_iter().enumerate().filter(|(_, place)| place.required == required) {
            if !seen.insert((place.member.owner, place.member.name)) {
                continue;
            }
            let (mut world, left_out) = World::observed(mock);
            let mut request = world.request(row, None);
            used(&request)[nth].replace(&mut request, 0);
            look(row, &mut world, &left_out, request, &format!("{}: {}", row.command, place.member));
            drop(world);
            mock.assert_clean();
        }
    }
    seen.len()
}

#[test]
fn a_command_that_lacks_an_object_is_left_out() {
    let mock = Mock::take();
    let seen = with_each_null(&mock, true, |row, world, left_out, request, what| {
        let created = new_ids(&request);
        let sent = world.submit(request);
        let told = left_out.reasons().join("\n");
        if is_submission(row.command) {
            assert_eq!(calls(&sent), [row.command.name()], "{what}");
            assert!(named(&sent.notes[0].request).iter().all(|named| named.id != 0 || !named.required), "{what}");
        } else {
            assert_eq!(calls(&sent), [""; 0], "{what}");
            assert!(told.contains("and Vulkan asks for a Vk"), "{what}: {told:?}");
            if row.returns == Returns::Result {
                assert_eq!(result(&sent), vk::Result::ERROR_VALIDATION_FAILED_EXT, "{what}");
            }
        }
        // What it should have created is as if the driver had refused.
        for (kind, destroy) in crate::lifetime::mortals() {
            let is_of_kind = World::maker(kind).command == row.command;
            if let Some(id) = created.first().filter(|_| is_of_kind) {
                assert_eq!(calls(&world.send_with(destroy, kind, *id)), [""; 0], "{what}");
            }
        }
        is_alive(world);
    });
    assert!(seen > 100, "{seen}");
}

#[test]
fn null_is_no_object_only_where_vulkan_lets_it_be() {
    let mock = Mock::take();
    let seen = with_each_null(&mock, false, |_, world, left_out, request, what| {
        // What a handler makes of it is its own business.
        let sent = world.submit(request);
        let told = format!("{:?} {:?}", sent.outcome.err().map(|fatal| fatal.to_string()), left_out.reasons());
        assert!(!told.contains("and Vulkan asks for a Vk"), "{what}: {told}");
    });
    assert!(seen > 20, "{seen}");
}

#[test]
fn null_beside_a_phantom_is_left_out_with_it() {
    let mock = Mock::take();
    for command in [CommandType::BIND_BUFFER_MEMORY, CommandType::BIND_BUFFER_MEMORY2, CommandType::QUEUE_BIND_SPARSE] {
        let mut world = World::new(&mock);
        let wanted = row(command);
        let mut request = world.request(wanted, None);
        let places = used(&request);
        let (kind, null) = match command {
            CommandType::QUEUE_BIND_SPARSE => (ObjectType::SEMAPHORE, ObjectType::BUFFER),
            _ => (ObjectType::BUFFER, ObjectType::DEVICE_MEMORY),
        };
        let missing = phantom(&mut world, kind);
        places.iter().find(|place| place.kind == kind).expect("it is named").replace(&mut request, missing);
        places.iter().find(|place| place.kind == null).expect("it is named").replace(&mut request, 0);
        let expected: &[&str] = if is_submission(command) { &[command.name()] } else { &[] };
        assert_eq!(calls(&world.submit(request)), expected, "{command}");
        is_alive(&mut world);
        drop(world);
        mock.assert_clean();
    }
}

#[test]
fn what_was_recorded_without_an_object_is_not_submitted() {
    let mock = Mock::take();
    let mut world = World::new(&mock);
    let mut request = world.request(row(CommandType::CMD_COPY_BUFFER), None);
    let source = used(&request).into_iter().find(|place| place.member.name == "srcBuffer").expect("a source");
    source.replace(&mut request, 0);
    assert_eq!(calls(&world.submit(request)), [""; 0]);
    let buffer = world.object(ObjectType::COMMAND_BUFFER);
    let raw = world.handle(buffer);
    let sent = world.send(row(CommandType::QUEUE_SUBMIT));
    assert_eq!(calls(&sent), ["vkQueueSubmit"]);
    assert!(named(&sent.notes[0].request).iter().all(|named| named.id != raw), "it has a hole");
    // It begins anew, whole.
    assert_eq!(calls(&world.send(row(CommandType::BEGIN_COMMAND_BUFFER))).last(), Some(&"vkBeginCommandBuffer"));
    assert_eq!(calls(&world.send(row(CommandType::CMD_COPY_BUFFER))), ["vkCmdCopyBuffer"]);
    drop(world);
    mock.assert_clean();
}
