//! What a context says of itself: what became of each command, what it holds, and what its GPUs have left.

use mock_driver::{HEAP, HEAP_BUDGET, Mock, Offers};
use venus_host::endpoint::{CommandStatistics, Statistics};
use venus_protocol::{vk::ObjectType, wire::CommandType};

use crate::{
    phantoms::phantom,
    world::{World, row, silent},
};

/// Dispatched, handled, refused, failed.
fn counts(statistics: &Statistics, command: CommandType) -> Option<[u64; 4]> {
    let CommandStatistics { dispatched, handled, refused, failed, .. } = *statistics.command(command)?;
    Some([dispatched, handled, refused, failed])
}

#[test]
fn every_command_is_counted_by_what_became_of_it() {
    let mock = Mock::take();
    let mut world = World::new(&mock);
    assert_eq!(world.context.statistics().command(CommandType::CREATE_BUFFER), None);
    world.make(ObjectType::BUFFER);
    world.make(ObjectType::BUFFER);
    let buffer = phantom(&mut world, ObjectType::BUFFER);
    let sent = world.send_with(CommandType::CMD_FILL_BUFFER, ObjectType::BUFFER, buffer);
    assert!(sent.outcome.is_ok() && sent.notes.is_empty());
    let statistics = world.context.statistics();
    assert_eq!(counts(&statistics, CommandType::CREATE_BUFFER), Some([3, 2, 0, 1]));
    assert_eq!(counts(&statistics, CommandType::CMD_FILL_BUFFER), Some([1, 0, 1, 0]));
    assert_eq!(counts(&statistics, CommandType::CREATE_DEVICE), Some([1, 1, 0, 0]));
    // The host says no by itself: there is no second instance.
    world.send(row(CommandType::CREATE_INSTANCE)).outcome.unwrap_err();
    let statistics = world.context.statistics();
    assert_eq!(counts(&statistics, CommandType::CREATE_INSTANCE), Some([2, 1, 0, 1]));
    assert!(statistics.lost.is_some_and(|lost| lost.starts_with("vkCreateInstance")));
}

#[test]
fn what_a_handler_refuses_is_no_failure_of_the_driver() {
    let mock = Mock::take();
    let mut world = World::new(&mock);
    world.set_number("VkShaderModuleCreateInfo", "codeSize", 3);
    let sent = world.send(row(CommandType::CREATE_SHADER_MODULE));
    assert!(sent.notes.is_empty(), "{:?}", sent.notes);
    sent.outcome.unwrap();
    let statistics = world.context.statistics();
    assert_eq!(counts(&statistics, CommandType::CREATE_SHADER_MODULE), Some([1, 0, 1, 0]));
    assert!(statistics.last_error.is_some_and(|line| line.starts_with("vkCreateShaderModule")));
}

#[test]
fn commands_of_rings_count_with_the_others_and_after_the_ring() {
    let mock = Mock::take();
    let mut world = World::new(&mock);
    world.make(ObjectType::FENCE);
    world.send_on_ring(row(CommandType::CREATE_FENCE)).outcome.unwrap();
    let commands = |world: &World<'_>| counts(&world.context.statistics(), CommandType::CREATE_FENCE);
    assert_eq!(commands(&world), Some([2, 2, 0, 0]));
    assert_eq!(world.context.statistics().rings.len(), 1);
    world.send(row(CommandType::DESTROY_RING_MESA)).outcome.unwrap();
    assert_eq!(commands(&world), Some([2, 2, 0, 0]));
    assert_eq!(world.context.statistics().rings.len(), 0);
}

#[test]
fn objects_are_counted_by_their_types() {
    let mock = Mock::take();
    let mut world = World::new(&mock);
    let buffer = world.object(ObjectType::BUFFER);
    world.make(ObjectType::BUFFER);
    world.make(ObjectType::DEVICE_MEMORY);
    let statistics = world.context.statistics();
    assert_eq!(statistics.objects_of(ObjectType::BUFFER), 2);
    assert_eq!((statistics.allocations, statistics.objects_of(ObjectType::DEVICE_MEMORY)), (1, 1));
    let names: Vec<_> = statistics.objects.iter().map(|row| row.name()).collect();
    assert_eq!(names, ["VkInstance", "VkPhysicalDevice", "VkDevice", "VkDeviceMemory", "VkBuffer"]);
    world.send_with(CommandType::DESTROY_BUFFER, ObjectType::BUFFER, buffer).outcome.unwrap();
    assert_eq!(world.context.statistics().objects_of(ObjectType::BUFFER), 1);
}

#[test]
fn an_object_that_is_set_aside_is_an_object() {
    let mock = Mock::take();
    let mut world = World::new(&mock);
    let memory = phantom(&mut world, ObjectType::DEVICE_MEMORY);
    world.make(ObjectType::BUFFER);
    let request = world.request(row(CommandType::BIND_BUFFER_MEMORY), None);
    let named = crate::world::named(&request).into_iter().find(|named| named.kind == ObjectType::DEVICE_MEMORY);
    let mut request = silent(request);
    named.unwrap().replace(&mut request, memory);
    let before = world.context.statistics().objects_of(ObjectType::BUFFER);
    world.submit(request).outcome.unwrap();
    assert_eq!(world.context.statistics().objects_of(ObjectType::BUFFER), before);
}

#[test]
fn heaps_are_those_of_gpus_with_devices() {
    let mock = Mock::take();
    let mut world = World::new(&mock);
    world.object(ObjectType::PHYSICAL_DEVICE);
    assert_eq!(world.context.statistics().gpus, [], "there is no device");
    let device = world.object(ObjectType::DEVICE);
    let [gpu] = world.context.statistics().gpus.try_into().unwrap();
    let [heap] = gpu.heaps[..] else { panic!("{gpu:?}") };
    assert_eq!((heap.size, heap.is_device_local), (HEAP, true));
    assert_eq!((heap.budget, heap.usage), (Some(HEAP_BUDGET), Some(0)));
    world.send_with(CommandType::DESTROY_DEVICE, ObjectType::DEVICE, device).outcome.unwrap();
    assert_eq!(world.context.statistics().gpus, []);
}

#[test]
fn a_driver_without_budgets_has_heaps() {
    let mut offers = Offers::default();
    offers.extensions.retain(|(name, _)| name != "VK_EXT_memory_budget");
    let mock = Mock::offering(offers);
    let mut world = World::new(&mock);
    world.object(ObjectType::DEVICE);
    let statistics = world.context.statistics();
    let heap = statistics.gpus[0].heaps[0];
    assert_eq!((heap.size, heap.budget, heap.usage), (HEAP, None, None));
}

#[test]
fn statistics_are_taken_while_a_guest_works_and_leaves() {
    let mock = Mock::take();
    let mut world = World::new(&mock);
    world.object(ObjectType::DEVICE);
    let sampler = world.context.sampler();
    let looker = std::thread::spawn(move || {
        let mut looks = 0_u64;
        while let Some(statistics) = sampler.statistics() {
            assert!(statistics.gpus.len() <= 1);
            looks += 1;
        }
        looks
    });
    for _ in 0..200 {
        world.send(row(CommandType::CREATE_FENCE)).outcome.unwrap();
    }
    let instance = world.object(ObjectType::INSTANCE);
    world.send_with(CommandType::DESTROY_INSTANCE, ObjectType::INSTANCE, instance).outcome.unwrap();
    assert_eq!(counts(&world.context.statistics(), CommandType::CREATE_FENCE), Some([200, 200, 0, 0]));
    drop(world);
    looker.join().unwrap();
}
