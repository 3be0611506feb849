//! Commands of several parts, some of which name what could not be created: the others are executed.

use mock_driver::Mock;
use venus_protocol::{
    reflect,
    vk::ObjectType,
    wire::{CommandType, Member},
};

use crate::{
    phantoms::{REFUSED, calls, phantom, result},
    world::{World, named},
};

/// The ids in one place of a request.
fn ids(request: &[u8], member: &str) -> Vec<u64> {
    named(request).iter().filter(|named| named.member.name == member).map(|named| named.id).collect()
}

#[test]
fn what_comes_along_with_a_phantom_is_bound_all_the_same() {
    let mock = Mock::take();
    for (bind, kind, member) in [
        (CommandType::BIND_BUFFER_MEMORY2, ObjectType::BUFFER, "buffer"),
        (CommandType::BIND_IMAGE_MEMORY2, ObjectType::IMAGE, "image"),
    ] {
        for bad in 0..3 {
            let mut world = World::new(&mock);
            let resources = [world.make(kind), world.make(kind), world.make(kind)];
            let memory = phantom(&mut world, ObjectType::DEVICE_MEMORY);
            world.set_length(bind.name(), "bindInfoCount", 3);
            let mut request = world.request(reflect::command(bind).expect("it travels"), None);
            let places = named(&request);
            let of = |name| places.iter().filter(move |place| place.member.name == name);
            of(member).zip(resources).for_each(|(place, id)| place.replace(&mut request, id));
            of("memory").nth(bad).expect("a memory").replace(&mut request, memory);
            let sent = world.submit(request.clone());
            assert_eq!((calls(&sent), result(&sent)), (vec![bind.name()], REFUSED));
            let mut bound = ids(&world.as_call(&request), member);
            bound.remove(bad);
            assert_eq!(ids(&sent.notes[0].request, member), bound);
            for (n, id) in resources.into_iter().enumerate() {
                let binds = !calls(&world.send_with(bind, kind, id)).is_empty();
                assert_eq!(binds, n != bad, "{bind}: {n} of 3, and {bad} has no memory");
            }
            drop(world);
            mock.assert_clean();
        }
    }
}

#[test]
fn what_comes_along_with_a_phantom_is_written_all_the_same() {
    let mock = Mock::take();
    let update = CommandType::UPDATE_DESCRIPTOR_SETS;
    let mut world = World::new(&mock);
    let sets = [world.make(ObjectType::DESCRIPTOR_SET), world.make(ObjectType::DESCRIPTOR_SET)];
    let buffer = phantom(&mut world, ObjectType::BUFFER);
    world.set_length(update.name(), "descriptorWriteCount", 2);
    let mut request = world.request(reflect::command(update).expect("it travels"), None);
    let places = named(&request);
    let writes = places.iter().filter(|place| place.member == Member { owner: "VkWriteDescriptorSet", name: "dstSet" });
    writes.zip(sets).for_each(|(place, id)| place.replace(&mut request, id));
    places.iter().find(|place| place.member.name == "buffer").expect("a buffer").replace(&mut request, buffer);
    let sent = world.submit(request);
    assert_eq!(calls(&sent), [update.name()]);
    let written = ids(&sent.notes[0].request, "dstSet");
    assert!(written.contains(&world.handle(sets[1])) && !written.contains(&world.handle(sets[0])), "{written:?}");
    let bind = CommandType::CMD_BIND_DESCRIPTOR_SETS;
    assert_eq!(calls(&world.send_with(bind, ObjectType::DESCRIPTOR_SET, sets[1])), [bind.name()]);
    assert_eq!(calls(&world.send_with(bind, ObjectType::DESCRIPTOR_SET, sets[0])), [""; 0]);
    drop(world);
    mock.assert_clean();
}

#[test]
fn a_descriptor_set_waits_for_what_it_has_missed() {
    let mock = Mock::take();
    let mut world = World::new(&mock);
    let update = reflect::command(CommandType::UPDATE_DESCRIPTOR_SETS).expect("it travels");
    let bind = reflect::command(CommandType::CMD_BIND_DESCRIPTOR_SETS).expect("it travels");
    world.set_length("vkUpdateDescriptorSets", "descriptorCopyCount", 0);
    let phantom = phantom(&mut world, ObjectType::BUFFER);
    let write = |world: &mut World<'_>, binding, buffer: Option<u64>| {
        world.set_number("VkWriteDescriptorSet", "dstBinding", binding);
        let mut request = world.request(update, None);
        let place = named(&request).into_iter().find(|named| named.kind == ObjectType::BUFFER).expect("a buffer");
        buffer.into_iter().for_each(|id| place.replace(&mut request, id));
        calls(&world.submit(request)).len()
    };
    let binds = |world: &mut World<'_>| {
        // A command buffer of which something is missing stays so.
        world.forget_one(ObjectType::COMMAND_BUFFER);
        calls(&world.send(bind)).len()
    };
    assert_eq!((write(&mut world, 3, Some(phantom)), binds(&mut world)), (0, 0));
    // Another binding is written, and that is not enough.
    assert_eq!((write(&mut world, 4, None), binds(&mut world)), (1, 0));
    assert_eq!((write(&mut world, 5, Some(phantom)), binds(&mut world)), (0, 0));
    assert_eq!((write(&mut world, 3, None), binds(&mut world)), (1, 0));
    assert_eq!((write(&mut world, 5, None), binds(&mut world)), (1, 1));
    drop(world);
    mock.assert_clean();
}

#[test]
fn a_descriptor_set_that_missed_a_write_waits_for_the_next() {
    let mock = Mock::take();
    let mut world = World::new(&mock);
    world.object(ObjectType::COMMAND_BUFFER);
    let buffer = phantom(&mut world, ObjectType::BUFFER);
    let update = reflect::command(CommandType::UPDATE_DESCRIPTOR_SETS).expect("it travels");
    let bind = reflect::command(CommandType::CMD_BIND_DESCRIPTOR_SETS).expect("it travels");
    world.set_length("vkUpdateDescriptorSets", "descriptorCopyCount", 0);
    let mut request = world.request(update, None);
    let places: Vec<_> = named(&request).into_iter().filter(|named| named.kind == ObjectType::BUFFER).collect();
    assert!(!places.is_empty());
    places.iter().for_each(|place| place.replace(&mut request, buffer));
    assert_eq!(calls(&world.submit(request)), [""; 0]);
    assert_eq!(calls(&world.send(update)), ["vkUpdateDescriptorSets"]);
    assert_eq!(calls(&world.send(bind)), ["vkCmdBindDescriptorSets"]);
    drop(world);
    mock.assert_clean();
}
