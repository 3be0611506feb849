//! Memory that a monitor in this process has mapped: in which order the driver sees its end.

use mock_driver::{Mock, Offers};
use venus_host::{
    driver::{Config, MemoryChoice, Transport},
    resource::{BlobFlags, ResourceId},
};
use venus_protocol::{
    reflect,
    vk::{self, ObjectType},
    wire::CommandType,
};

use crate::world::{self, World};

/// A resource that the worlds here do not use for themselves.
const RESOURCE: ResourceId = ResourceId(5000);

/// Bytes of it.
const SIZE: u64 = 4096;

fn config(mock: &Mock) -> Config {
    world::config(mock).memory(MemoryChoice::Pointer).transport(Transport::IN_PROCESS)
}

#[test]
fn lent_memory_ends_with_its_last_mapping() {
    let mock = Mock::take();
    let mut world = World::with(&mock, config(&mock));
    let memory = world.object(ObjectType::DEVICE_MEMORY);
    let blob = world.context.create_blob(RESOURCE, BlobFlags::MAPPABLE, memory, SIZE).expect("a pointer");
    let mapping = world.context.map_resource(RESOURCE).expect("a mapping");
    assert!(mock.names().contains(&"vkMapMemory"));

    let freed = world.send_with(CommandType::FREE_MEMORY, ObjectType::DEVICE_MEMORY, memory);
    assert!(freed.outcome.is_ok() && freed.notes.is_empty(), "{:?}", freed.notes);
    assert!(world.context.destroy_resource(RESOURCE));
    drop(blob);
    drop(world);
    let ended: Vec<_> = mock.names().into_iter().filter(|name| ENDS.contains(name)).collect();
    assert_eq!(ended, [""; 0], "the monitor still uses it");
    drop(mapping);
    assert_eq!(mock.names(), ENDS);
    mock.assert_clean();
}

/// Owners after what they own.
const ENDS: [&str; 3] = ["vkFreeMemory", "vkDestroyDevice", "vkDestroyInstance"];

#[test]
fn memory_that_nobody_has_mapped_is_freed_at_once() {
    let mock = Mock::take();
    let mut world = World::with(&mock, config(&mock));
    let memory = world.object(ObjectType::DEVICE_MEMORY);
    let freed = world.send_with(CommandType::FREE_MEMORY, ObjectType::DEVICE_MEMORY, memory);
    assert_eq!(freed.notes.iter().map(|note| note.command).collect::<Vec<_>>(), ["vkFreeMemory"]);
    drop(world);
    mock.assert_clean();
}

#[test]
fn a_context_that_goes_with_lent_memory_leaves_nothing() {
    let mock = Mock::take();
    for drops_mapping_first in [true, false] {
        let mut world = World::with(&mock, config(&mock));
        let memory = world.object(ObjectType::DEVICE_MEMORY);
        // A second one, which is not lent, goes with the context.
        world.make(ObjectType::DEVICE_MEMORY);
        let blob = world.context.create_blob(RESOURCE, BlobFlags::MAPPABLE, memory, SIZE).expect("a pointer");
        if drops_mapping_first {
            drop(blob);
            drop(world);
        } else {
            drop(world);
            assert_ne!(mock.census().alive(), []);
            drop(blob);
        }
        mock.assert_clean();
    }
}

#[test]
fn an_instance_waits_for_a_device_whose_memory_is_lent() {
    let mock = Mock::take();
    let mut world = World::with(&mock, config(&mock));
    let memory = world.object(ObjectType::DEVICE_MEMORY);
    let blob = world.context.create_blob(RESOURCE, BlobFlags::MAPPABLE, memory, SIZE).expect("a pointer");
    assert!(world.context.destroy_resource(RESOURCE));
    let instance = world.object(ObjectType::INSTANCE);
    mock.notes();
    let sent = world.send_with(CommandType::DESTROY_INSTANCE, ObjectType::INSTANCE, instance);
    assert!(sent.outcome.is_ok() && sent.notes.iter().all(|note| !ENDS.contains(&note.command)), "{:?}", sent.notes);
    drop(blob);
    assert_eq!(mock.names(), ENDS);
    drop(world);
    mock.assert_clean();
}

#[test]
fn memory_that_cannot_be_mapped_is_no_resource() {
    let mock = Mock::take();
    let mut world = World::with(&mock, config(&mock));
    let memory = world.object(ObjectType::DEVICE_MEMORY);
    mock.fail("vkMapMemory", vk::Result::ERROR_MEMORY_MAP_FAILED);
    let refused = world.context.create_blob(RESOURCE, BlobFlags::MAPPABLE, memory, SIZE).unwrap_err().to_string();
    assert!(refused.contains("cannot be mapped"), "{refused}");
    mock.forgive();
    drop(world);
    mock.assert_clean();
}

/// Whether the driver is told that an allocation is dedicated, which the guest says.
fn tells_dedication(offers: Offers) -> bool {
    let mock = Mock::offering(offers);
    let mut world = World::new(&mock);
    let dedicated = reflect::structure("VkMemoryDedicatedAllocateInfo").expect("it travels");
    let row = reflect::command(CommandType::ALLOCATE_MEMORY).expect("it travels");
    let request = world.request(row, Some(("VkMemoryAllocateInfo", dedicated)));
    let sent = world.submit(request);
    let allocation = sent.notes.iter().find(|note| note.command == "vkAllocateMemory").expect("an allocation");
    let wanted = vk::StructureType::MEMORY_DEDICATED_ALLOCATE_INFO.as_raw().to_le_bytes();
    allocation.request.chunks_exact(4).any(|word| word == wanted)
}

#[test]
fn imported_memory_is_nobodys_own() {
    assert!(tells_dedication(Offers::default()));
    // VUID-VkMemoryAllocateInfo-pNext-02806.
    assert!(!tells_dedication(Offers { sparse: false, ..Offers::default() }.without("VK_KHR_external_memory_fd")));
}
