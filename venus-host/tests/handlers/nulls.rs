//! Null handles where Vulkan asks for an object: no driver sees them, and no context ends by them.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex},
};

use mock_driver::Mock;
use venus_host::{
    context::Options,
    endpoint::{EndpointObserver, Observer, Outcome, Place, Source},
};
use venus_protocol::{
    reflect::{self, Returns},
    vk::{self, ObjectType},
    wire::CommandType,
};

use crate::{
    phantoms::{calls, is_alive, phantom, result},
    world::{Named, World, config, named, new_ids, row},
};

/// Keeps why commands were left out.
#[derive(Clone, Default)]
struct Listener(Arc<Mutex<Vec<String>>>);

impl Observer for Listener {
    fn endpoint(&self, _source: Source, _has_thread: bool) -> Option<Box<dyn EndpointObserver>> {
        Some(Box::new(self.clone()))
    }
}

impl EndpointObserver for Listener {
    fn end(&mut self, _place: Place, outcome: Outcome<'_>, _reply: &[u8]) {
        if let Outcome::LeftOut(reason) = outcome {
            self.0.lock().unwrap().push(reason.to_owned());
        }
    }
}

/// Whether the rest of the command is executed.
fn is_submission(command: CommandType) -> bool {
    matches!(command, CommandType::QUEUE_SUBMIT | CommandType::QUEUE_SUBMIT2 | CommandType::QUEUE_BIND_SPARSE)
}

/// The handles of a request that name something, but for the one that the command acts on.
fn used(request: &[u8]) -> Vec<Named> {
    let created = new_ids(request);
    named(request).into_iter().skip(1).filter(|named| named.id != 0 && !created.contains(&named.id)).collect()
}

#[test]
fn a_command_that_lacks_an_object_is_left_out() {
    let mock = Mock::take();
    let mut seen = BTreeSet::new();
    for row in reflect::commands() {
        let request = World::new(&mock).request(row, None);
        mock.assert_clean();
        for (nth, place) in used(&request).into_iter().enumerate().filter(|(_, place)| place.required) {
            if !seen.insert((place.member.owner, place.member.name)) {
                continue;
            }
            let what = format!("{}: {}", row.command, place.member);
            let listener = Listener::default();
            let mut world = World::of(&mock, Options::new("test", config(&mock)).observer(Arc::new(listener.clone())));
            let mut request = world.request(row, None);
            used(&request)[nth].replace(&mut request, 0);
            let created = new_ids(&request);
            let sent = world.submit(request);
            let told = listener.0.lock().unwrap().join("\n");
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
            is_alive(&mut world);
            drop(world);
            mock.assert_clean();
        }
    }
    assert!(seen.len() > 100, "{}", seen.len());
}

#[test]
fn null_is_no_object_only_where_vulkan_lets_it_be() {
    let mock = Mock::take();
    let mut seen = BTreeSet::new();
    for row in reflect::commands() {
        let request = World::new(&mock).request(row, None);
        mock.assert_clean();
        for (nth, place) in used(&request).into_iter().enumerate().filter(|(_, place)| !place.required) {
            if !seen.insert((place.member.owner, place.member.name)) {
                continue;
            }
            let listener = Listener::default();
            let mut world = World::of(&mock, Options::new("test", config(&mock)).observer(Arc::new(listener.clone())));
            let mut request = world.request(row, None);
            used(&request)[nth].replace(&mut request, 0);
            // What a handler makes of it is its own business.
            let sent = world.submit(request);
            let told =
                format!("{:?} {:?}", sent.outcome.err().map(|fatal| fatal.to_string()), listener.0.lock().unwrap());
            assert!(!told.contains("and Vulkan asks for a Vk"), "{}: {}: {told}", row.command, place.member);
            drop(world);
            mock.assert_clean();
        }
    }
    assert!(seen.len() > 20, "{}", seen.len());
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
