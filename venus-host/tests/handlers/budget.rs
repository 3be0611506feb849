//! What one guest may hold: more is answered, and what was given back can be had again.

use std::{
    thread,
    time::{Duration, Instant},
};

use mock_driver::Mock;
use venus_host::{
    limits::{Budget, LEAST_COMMAND_BYTES, SPARE_DESCRIPTORS},
    resource::{BlobFlags, ResourceId},
};
use venus_protocol::{
    args::GetPhysicalDevicePropertiesArgs,
    reflect,
    vk::{self, ObjectType},
    wire::{Arena, Command as _, CommandType, Decoder, IdentityResolver},
};

use crate::{
    lifetime::mortals,
    phantoms::result,
    world::{REPLY_BYTES, Ring, World, config, new_ids, silent},
};

/// Makes objects until that is refused: how many there were, and the refusal.
fn fill(world: &mut World<'_>, command: CommandType) -> (Vec<u64>, vk::Result) {
    let row = reflect::command(command).expect("it travels");
    let mut made = Vec::new();
    loop {
        let sent = world.send(row);
        match result(&sent) {
            vk::Result::SUCCESS => made.extend(new_ids(&sent.request)),
            refused => return (made, refused),
        }
        assert!(made.len() < 1000, "nothing is refused");
    }
}

/// Destroys one, and makes another.
fn check_comes_back(world: &mut World<'_>, kind: ObjectType, id: u64) {
    let destroy = mortals().into_iter().find(|(mortal, _)| *mortal == kind).expect("it is mortal").1;
    assert!(world.send_with(destroy, kind, id).outcome.is_ok());
    assert_eq!(result(&world.send(World::maker(kind))), vk::Result::SUCCESS, "{kind:?}");
    assert!(world.context.lost().is_none());
}

#[test]
fn memory() {
    let mock = Mock::take();
    let bytes = REPLY_BYTES as u64 + 3 * 4096;
    let mut world = World::within(&mock, config(&mock), Budget::default().memory_bytes(bytes));
    world.set_number("VkMemoryAllocateInfo", "allocationSize", 4096);
    world.object(ObjectType::DEVICE);
    let (made, refused) = fill(&mut world, CommandType::ALLOCATE_MEMORY);
    assert_eq!((made.len(), refused), (3, vk::Result::ERROR_OUT_OF_DEVICE_MEMORY));
    // What rings and replies lie in counts as well.
    let blob = world.context.create_blob(ResourceId(7000), BlobFlags::MAPPABLE, 0, 4096);
    let refused = blob.expect_err("there is no more").to_string();
    assert!(refused.contains(&bytes.to_string()) && refused.contains("venus serve --help"), "{refused}");
    check_comes_back(&mut world, ObjectType::DEVICE_MEMORY, made[0]);
    drop(world);
    mock.assert_clean();
}

#[test]
fn heaps_are_no_larger_than_what_a_guest_may_have() {
    let mock = Mock::take();
    let mut sizes = Vec::new();
    for budget in [Budget::default(), Budget::default().memory_bytes(1_234_567)] {
        let mut world = World::within(&mock, config(&mock), budget);
        for command in
            [CommandType::GET_PHYSICAL_DEVICE_MEMORY_PROPERTIES, CommandType::GET_PHYSICAL_DEVICE_MEMORY_PROPERTIES2]
        {
            let reply = world.send(reflect::command(command).expect("it travels")).outcome.expect("a reply");
            sizes.push(reply.windows(8).any(|word| word == 1_234_567_u64.to_le_bytes()));
        }
        drop(world);
        mock.assert_clean();
    }
    assert_eq!(sizes, [false, false, true, true]);
}

#[test]
fn allocations_for_want_of_descriptors() {
    let mock = Mock::take();
    let budget = Budget::default().descriptors(SPARE_DESCRIPTORS + 5);
    let mut world = World::within(&mock, config(&mock), budget);
    let told = world.send(reflect::command(CommandType::GET_PHYSICAL_DEVICE_PROPERTIES).expect("it travels"));
    let (reply, arena) = (told.outcome.expect("a reply"), Arena::default());
    let mut decoder = Decoder::new(&reply, &arena, &IdentityResolver);
    let told = GetPhysicalDevicePropertiesArgs::decode_reply(&mut decoder).expect("a reply");
    assert_eq!(told.p_properties.expect("properties").limits.max_memory_allocation_count, 5);
    world.object(ObjectType::DEVICE);
    let (made, refused) = fill(&mut world, CommandType::ALLOCATE_MEMORY);
    assert_eq!((made.len(), refused), (5, vk::Result::ERROR_TOO_MANY_OBJECTS));
    check_comes_back(&mut world, ObjectType::DEVICE_MEMORY, made[0]);
    drop(world);
    mock.assert_clean();
}

#[test]
fn objects() {
    let mock = Mock::take();
    for (kind, _) in mortals().into_iter().filter(|(kind, _)| *kind != ObjectType::INSTANCE) {
        let mut world = World::within(&mock, config(&mock), Budget::default().objects(24));
        // Its parents, and one of it.
        world.object(kind);
        let (made, refused) = fill(&mut world, World::maker(kind).command);
        assert_eq!(refused, vk::Result::ERROR_OUT_OF_HOST_MEMORY, "{kind:?}");
        let (all, gone) = mock.census().of(kind);
        assert_eq!(all - gone, made.len() + 1, "{kind:?}: what was refused is not left behind");
        if kind != ObjectType::DEVICE {
            check_comes_back(&mut world, kind, made[0]);
        }
        drop(world);
        mock.assert_clean();
    }
}

#[test]
fn a_queue_without_room_is_there_when_there_is_room() {
    let mock = Mock::take();
    let mut world = World::within(&mock, config(&mock), Budget::default().objects(8));
    world.object(ObjectType::DEVICE);
    let row = World::maker(ObjectType::QUEUE);
    let request = world.request(row, None);
    let (made, _) = fill(&mut world, CommandType::CREATE_BUFFER);
    assert!(world.submit(request.clone()).outcome.is_ok());
    world.send_with(CommandType::DESTROY_BUFFER, ObjectType::BUFFER, made[0]);
    assert!(world.submit(request).outcome.is_ok(), "{:?}", world.context.lost());
    drop(world);
    mock.assert_clean();
}

#[test]
fn what_one_command_takes() {
    let mock = Mock::take();
    let mut world = World::within(&mock, config(&mock), Budget::default().memory_bytes(32 << 20));
    let row = reflect::command(CommandType::GET_PIPELINE_CACHE_DATA).expect("it travels");
    assert_eq!(result(&world.send(row)), vk::Result::SUCCESS);
    world.set_length("vkGetPipelineCacheData", "pDataSize", LEAST_COMMAND_BYTES + 1);
    let sent = world.send(row);
    assert!(sent.notes.is_empty() && sent.outcome.is_err(), "{:?}", sent.outcome);
    let lost = world.context.lost().expect("it is lost").to_string();
    assert!(lost.starts_with("vkGetPipelineCacheData") && lost.contains(&LEAST_COMMAND_BYTES.to_string()), "{lost}");
    drop(world);
    mock.assert_clean();
}

#[test]
fn rings() {
    let mock = Mock::take();
    let mut world = World::within(&mock, config(&mock), Budget::default().rings(2));
    let fill = reflect::command(CommandType::CMD_FILL_BUFFER).expect("it travels");
    let request = silent(world.request(fill, None));
    let create = reflect::command(CommandType::CREATE_RING_MESA).expect("it travels");
    for _ in 0..3 {
        assert!(world.send(create).outcome.is_ok());
    }
    // One more than may have threads of their own: it shares one.
    let mut ring = Ring::new(&mut world);
    mock.notes();
    ring.write(&mut world, &request);
    ring.wait();
    assert_eq!(mock.names(), ["vkCmdFillBuffer"]);
    drop(world);
    mock.assert_clean();
}

/// A guest with a submission, and this much of the GPU's time.
fn submitted<'m>(mock: &'m Mock, limit: Duration) -> World<'m> {
    let mut world = World::within(mock, config(mock), Budget::default().gpu_time(limit));
    let sent = world.send(reflect::command(CommandType::QUEUE_SUBMIT).expect("it travels"));
    assert_eq!(result(&sent), vk::Result::SUCCESS);
    world
}

#[test]
fn a_gpu_that_does_not_come_to_an_end_ends_its_context() {
    let mock = Mock::take();
    mock.fail("vkGetFenceStatus", vk::Result::NOT_READY);
    let world = submitted(&mock, Duration::from_millis(50));
    let deadline = Instant::now() + Duration::from_secs(60);
    while world.context.lost().is_none() {
        assert!(Instant::now() < deadline, "nobody has noticed");
        thread::sleep(Duration::from_millis(5));
    }
    let lost = world.context.lost().expect("it is").to_string();
    assert!(lost.contains("vkQueueSubmit") && lost.contains("50ms") && lost.contains("venus serve --help"), "{lost}");
    mock.forgive();
    drop(world);
    mock.assert_clean();
}

#[test]
fn a_gpu_that_comes_to_its_end_in_time_is_watched_on_and_nothing_is_left_of_it() {
    let mock = Mock::take();
    let mut world = submitted(&mock, Duration::from_secs(3600));
    let fences = |mock: &Mock| mock.names().iter().filter(|name| **name == "vkQueueSubmit").count();
    // The guest's own is noted with what it sends.
    let deadline = Instant::now() + Duration::from_secs(60);
    while fences(&mock) == 0 {
        assert!(Instant::now() < deadline, "nobody watches");
        thread::sleep(Duration::from_millis(5));
    }
    let sent = world.send(reflect::command(CommandType::QUEUE_SUBMIT).expect("it travels"));
    assert_eq!(result(&sent), vk::Result::SUCCESS);
    assert!(world.context.lost().is_none());
    drop(world);
    mock.assert_clean();
}
