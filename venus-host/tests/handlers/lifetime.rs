//! The life of objects: who goes with whom, what may not be named, and that the driver frees each thing once.
//!
//! The driver complains about handles that do not exist any more, of the wrong type or of another device, and about
//! owners that go before what they own; so every test here ends with its account.

use std::{collections::BTreeSet, sync::mpsc, thread, time::Duration};

use mock_driver::Mock;
use venus_protocol::{
    reflect::{self, Item},
    vk::ObjectType,
    wire::CommandType,
};

use crate::world::{Ring, World, named, new_ids, silent};

/// Everything that a command destroys or frees, with the command.
pub(crate) fn mortals() -> Vec<(ObjectType, CommandType)> {
    let destroys = |row: &&reflect::CommandRow| {
        let name = row.command.name();
        name.starts_with("vkDestroy") || name.starts_with("vkFree")
    };
    let last_handle = |row: &'static reflect::CommandRow| {
        row.params.iter().rev().find_map(|param| match param.item {
            Item::Handle(handle) => Some(handle.object_type),
            _ => None,
        })
    };
    reflect::commands()
        .filter(destroys)
        .filter_map(|row| Some((last_handle(row)?, row.command)))
        .filter(|(kind, _)| *kind != ObjectType::DEFERRED_OPERATION_KHR)
        .collect()
}

/// The context is lost, and the log names the command.
pub(crate) fn assert_lost(world: &World<'_>, command: CommandType, why: &str) {
    let reason = world.context.lost().map(ToString::to_string).unwrap_or_default();
    assert!(reason.starts_with(command.name()), "{why}: {command} ended in {reason:?}");
}

#[test]
fn everything_dies_once() {
    let mock = Mock::take();
    let mut tried = 0;
    for (kind, destroy) in mortals() {
        let mut world = World::new(&mock);
        let id = world.object(kind);
        let before = mock.census().of(kind);
        assert_eq!(before.0 - before.1, 1, "{kind:?}");
        let sent = world.send_with(destroy, kind, id);
        assert!(sent.outcome.is_ok(), "{destroy}: {:?}", sent.outcome);
        let (made, gone) = mock.census().of(kind);
        assert_eq!(made, gone, "{kind:?} lives on after {destroy}");
        // The guest that names it again has lost track.
        let again = world.send_with(destroy, kind, id);
        assert!(again.outcome.is_err() && again.notes.is_empty(), "{destroy} twice: {:?}", again.notes);
        assert_lost(&world, destroy, "destroyed twice");
        drop(world);
        mock.assert_clean();
        tried += 1;
    }
    assert_eq!(tried, 27);
}

#[test]
fn destroying_nothing_is_nothing() {
    let mock = Mock::take();
    for (kind, destroy) in mortals() {
        let mut world = World::new(&mock);
        world.object(ObjectType::DEVICE);
        let sent = world.send_with(destroy, kind, 0);
        // The command's own object cannot be null.
        if matches!(kind, ObjectType::INSTANCE | ObjectType::DEVICE) {
            assert_lost(&world, destroy, "a null owner");
        } else {
            assert!(sent.outcome.is_ok(), "{destroy}: {:?}", sent.outcome);
            let names: Vec<_> = sent.notes.iter().map(|note| note.command).collect();
            let frees = matches!(kind, ObjectType::COMMAND_BUFFER | ObjectType::DESCRIPTOR_SET);
            assert!(names.is_empty() || frees, "{destroy} of nothing calls {names:?}");
        }
        drop(world);
        mock.assert_clean();
    }
}

/// Sends every command with something wrong in place of an id, which `wrong` makes up. The driver must not be called.
fn check_wrong_ids(all: bool, skip_owner: bool, wrong: impl Fn(&mut World<'_>, ObjectType) -> Option<u64>) -> usize {
    let mock = Mock::take();
    let mut seen = BTreeSet::new();
    for row in reflect::commands() {
        let mut world = World::new(&mock);
        let mut request = world.request(row, None);
        let mut places = places(&world, &request, skip_owner);
        if !all {
            places.drain(..places.len().saturating_sub(1));
        }
        for nth in places {
            let named = named(&request)[nth];
            if !seen.insert((named.member.owner, named.member.name)) {
                continue;
            }
            let Some(id) = wrong(&mut world, named.kind) else { continue };
            let mut bytes = request.clone();
            named.replace(&mut bytes, id);
            let sent = world.submit(bytes);
            assert!(sent.outcome.is_err(), "{}: {} may be {id}", row.command, named.member);
            assert!(sent.notes.is_empty(), "{}: {} reaches the driver", row.command, named.member);
            assert_lost(&world, row.command, &named.member.to_string());
            world = World::new(&mock);
            request = world.request(row, None);
        }
        drop(world);
        mock.assert_clean();
    }
    seen.len()
}

/// Which of the ids in a request name something that exists, by position.
pub(crate) fn places(world: &World<'_>, request: &[u8], skip_owner: bool) -> Vec<usize> {
    let exists = |(nth, named): (usize, crate::world::Named)| {
        (world.handle(named.id) != 0 && !(skip_owner && nth == 0)).then_some(nth)
    };
    named(request).into_iter().enumerate().filter_map(exists).collect()
}

/// A type that is not this one, and easily made.
fn other(kind: ObjectType) -> ObjectType {
    if kind == ObjectType::EVENT { ObjectType::FENCE } else { ObjectType::EVENT }
}

#[test]
fn ids_that_nothing_has_are_refused() {
    assert!(check_wrong_ids(false, false, |_, _| Some(u64::MAX - 1)) > 200);
}

#[test]
fn ids_of_another_type_are_refused() {
    assert!(check_wrong_ids(false, false, |world, kind| Some(world.object(other(kind)))) > 200);
}

#[test]
fn ids_of_what_is_gone_are_refused() {
    let mortals = mortals();
    let tried = check_wrong_ids(false, false, |world, kind| {
        let (_, destroy) = mortals.iter().find(|(known, _)| *known == kind)?;
        if matches!(kind, ObjectType::INSTANCE | ObjectType::DEVICE) {
            return None;
        }
        let id = world.make(kind);
        world.send_with(*destroy, kind, id).outcome.expect("it dies");
        Some(id)
    });
    assert!(tried > 200);
}

#[test]
fn ids_of_another_device_are_refused() {
    let tried = check_wrong_ids(true, true, |world, kind| {
        let has_device = !matches!(kind, ObjectType::INSTANCE | ObjectType::PHYSICAL_DEVICE);
        has_device.then(|| world.on_another_device(|world| world.object(kind)))
    });
    assert!(tried > 200);
}

#[test]
fn private_data_is_of_the_devices_own_objects() {
    let mock = Mock::take();
    for command in [CommandType::SET_PRIVATE_DATA, CommandType::GET_PRIVATE_DATA] {
        let mut world = World::new(&mock);
        let buffer = world.on_another_device(|world| world.object(ObjectType::BUFFER));
        let sent = world.send_with(command, ObjectType::BUFFER, buffer);
        assert!(sent.outcome.is_err() && sent.notes.is_empty(), "{command}");
        assert_lost(&world, command, "another device's buffer");
        drop(world);
        mock.assert_clean();
    }
}

#[test]
fn two_devices_live_side_by_side() {
    let mock = Mock::take();
    let mut world = World::new(&mock);
    for row in reflect::commands().filter(|row| row.command.name().starts_with("vkCmd")) {
        world.forget();
        assert!(world.send(row).outcome.is_ok(), "{}", row.command);
        let sent = world.on_another_device(|world| world.send(row));
        assert!(sent.outcome.is_ok(), "{}: {:?}", row.command, sent.outcome);
    }
    drop(world);
    mock.assert_clean();
}

#[test]
fn pools_take_their_children_along() {
    let mock = Mock::take();
    for (pool, child, destroy, free) in [
        (
            ObjectType::COMMAND_POOL,
            ObjectType::COMMAND_BUFFER,
            CommandType::DESTROY_COMMAND_POOL,
            CommandType::FREE_COMMAND_BUFFERS,
        ),
        (
            ObjectType::DESCRIPTOR_POOL,
            ObjectType::DESCRIPTOR_SET,
            CommandType::DESTROY_DESCRIPTOR_POOL,
            CommandType::FREE_DESCRIPTOR_SETS,
        ),
        (
            ObjectType::DESCRIPTOR_POOL,
            ObjectType::DESCRIPTOR_SET,
            CommandType::RESET_DESCRIPTOR_POOL,
            CommandType::FREE_DESCRIPTOR_SETS,
        ),
    ] {
        let mut world = World::new(&mock);
        let children: Vec<_> = (0..3).map(|_| world.make(child)).collect();
        let owner = world.object(pool);
        let sent = world.send_with(destroy, pool, owner);
        sent.outcome.expect("the pool goes");
        assert_eq!(sent.notes.iter().map(|note| note.command).collect::<Vec<_>>(), [destroy.name()]);
        // Nothing of it can be named any more, with whatever pool.
        world.forget();
        let sent = world.send_with(free, child, children[1]);
        assert!(sent.outcome.is_err() && sent.notes.is_empty(), "{free} after {destroy}");
        assert_lost(&world, free, "a child outlives its pool");
        drop(world);
        mock.assert_clean();
    }
}

#[test]
fn children_are_freed_to_their_own_pool() {
    let mock = Mock::take();
    for (pool, child, free) in [
        (ObjectType::COMMAND_POOL, ObjectType::COMMAND_BUFFER, CommandType::FREE_COMMAND_BUFFERS),
        (ObjectType::DESCRIPTOR_POOL, ObjectType::DESCRIPTOR_SET, CommandType::FREE_DESCRIPTOR_SETS),
    ] {
        let mut world = World::new(&mock);
        let id = world.object(child);
        let other = world.make(pool);
        let sent = world.send_with(free, pool, other);
        assert!(sent.outcome.is_err() && sent.notes.is_empty(), "{child:?} {id} is freed to another pool");
        assert_lost(&world, free, "another pool's child");
        drop(world);
        mock.assert_clean();
    }
}

/// Makes one of everything.
fn populate(world: &mut World<'_>) {
    for (kind, _) in mortals() {
        world.object(kind);
    }
}

#[test]
fn a_device_takes_everything_along() {
    let mock = Mock::take();
    for end in [Some(CommandType::DESTROY_DEVICE), Some(CommandType::DESTROY_INSTANCE), None] {
        let mut world = World::new(&mock);
        populate(&mut world);
        world.on_another_device(populate);
        if let Some(end) = end {
            let sent = world.send(reflect::command(end).expect("it travels"));
            sent.outcome.expect("it goes");
        }
        if end == Some(CommandType::DESTROY_INSTANCE) {
            mock.assert_clean();
        }
        drop(world);
        mock.assert_clean();
        for (kind, _) in mortals() {
            let (made, gone) = mock.census().of(kind);
            assert!(made > 0 && made == gone, "{kind:?}: {made} made, {gone} gone, after {end:?}");
        }
    }
}

#[test]
fn an_id_in_use_is_not_given_twice() {
    let mock = Mock::take();
    for (kind, _) in mortals() {
        if kind == ObjectType::INSTANCE {
            continue;
        }
        let mut world = World::new(&mock);
        let row = World::maker(kind);
        let taken = world.object(ObjectType::EVENT);
        let mut request = world.request(row, None);
        let new = new_ids(&request);
        let place = named(&request).into_iter().find(|named| new.contains(&named.id)).expect("something new");
        place.replace(&mut request, taken);
        let sent = world.submit(request);
        assert!(sent.outcome.is_err(), "{}", row.command);
        assert_lost(&world, row.command, "an id given twice");
        drop(world);
        // What the driver made is not left behind.
        mock.assert_clean();
    }
}

#[test]
fn what_another_ring_records_with_is_freed_after_it() {
    let mock = Mock::take();
    let mut world = World::new(&mock);
    let fill = reflect::command(CommandType::CMD_FILL_BUFFER).expect("it travels");
    let request = silent(world.request(fill, None));
    let buffer = world.object(ObjectType::BUFFER);
    let mut ring = Ring::new(&mut world);
    mock.hold("vkCmdFillBuffer");
    ring.write(&mut world, &request);
    mock.wait_for_arrival();
    // The driver is in the middle of a command that uses the buffer.
    let sent = world.send_with(CommandType::DESTROY_BUFFER, ObjectType::BUFFER, buffer);
    sent.outcome.expect("the id goes at once");
    assert_eq!(mock.census().of(ObjectType::BUFFER), (1, 0));
    mock.release();
    ring.wait();
    drop(world);
    mock.assert_clean();
    assert_eq!(mock.census().of(ObjectType::BUFFER), (1, 1));
}

#[test]
fn freeing_to_a_pool_waits_for_whoever_records() {
    let mock = Mock::take();
    let mut world = World::new(&mock);
    let fill = reflect::command(CommandType::CMD_FILL_BUFFER).expect("it travels");
    let request = silent(world.request(fill, None));
    let mut ring = Ring::new(&mut world);
    mock.hold("vkCmdFillBuffer");
    ring.write(&mut world, &request);
    mock.wait_for_arrival();
    mock.notes();
    let (freed, when) = mpsc::channel();
    thread::scope(|scope| {
        let world = &mut world;
        scope.spawn(move || {
            let commands = world.object(ObjectType::COMMAND_BUFFER);
            let sent = world.send_with(CommandType::FREE_COMMAND_BUFFERS, ObjectType::COMMAND_BUFFER, commands);
            freed.send(sent.outcome.map(drop)).expect("somebody listens");
        });
        // It cannot be done before the driver is: long enough to see that it waits, and no harm if it were not.
        assert!(when.recv_timeout(Duration::from_millis(100)).is_err(), "freed under the driver's hands");
        mock.release();
        when.recv().expect("an outcome").expect("freed at last");
    });
    ring.wait();
    drop(world);
    mock.assert_clean();
}
