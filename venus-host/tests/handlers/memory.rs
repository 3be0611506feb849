//! Memory that a monitor in this process has mapped: in which order the driver sees its end.

use mock_driver::{Mock, Offers};
use venus_host::{
    driver::{Config, MemoryChoice, Profile, Transport},
    resource::{BlobFlags, BlobKind, ResourceId},
};
use venus_protocol::{
    args::{
        GetDeviceImageMemoryRequirementsArgs, GetImageMemoryRequirements2Args, GetImageMemoryRequirementsArgs,
        GetPhysicalDeviceMemoryProperties2Args, GetPhysicalDeviceMemoryPropertiesArgs,
    },
    reflect,
    vk::{self, ObjectType},
    wire::{Arena, Command, CommandType, Decoder, IdentityResolver},
};

use crate::world::{self, World, look};

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

/// The memory of a headless NVIDIA card: types 2 and 3 are the machine's, 4 is the card's and seen through its bar.
fn card() -> Offers {
    let mut offers =
        Offers { sparse: false, memory: vec![0, 0x1, 0x6, 0xe, 0x7], importable: 0b1100, ..Offers::default() };
    offers.extensions.retain(|(name, _)| name != "VK_EXT_external_memory_dma_buf");
    offers
}

/// What the guest is told of each memory type, by either query.
fn told(world: &mut World<'_>) -> Vec<u32> {
    fn flags(memory: &vk::PhysicalDeviceMemoryProperties) -> Vec<u32> {
        let all = memory.memory_types.iter().map(|kind| kind.property_flags.as_raw());
        all.take(memory.memory_type_count as usize).collect()
    }
    let (arena, mut seen) = (Arena::default(), Vec::new());
    for command in [GetPhysicalDeviceMemoryPropertiesArgs::TYPE, GetPhysicalDeviceMemoryProperties2Args::TYPE] {
        let reply = world.send(reflect::command(command).expect("it travels")).outcome.expect("a reply");
        let mut decoder = Decoder::new(&reply, &arena, &IdentityResolver);
        seen.push(if command == GetPhysicalDeviceMemoryPropertiesArgs::TYPE {
            let reply = GetPhysicalDeviceMemoryPropertiesArgs::decode_reply(&mut decoder).expect("a reply");
            flags(reply.p_memory_properties.expect("an answer"))
        } else {
            let reply = GetPhysicalDeviceMemoryProperties2Args::decode_reply(&mut decoder).expect("a reply");
            flags(&reply.p_memory_properties.expect("an answer").memory_properties)
        });
    }
    assert_eq!(seen[0], seen[1]);
    seen.remove(0)
}

/// An allocation of the memory type.
fn allocate(world: &mut World<'_>, memory_type: u64) -> u64 {
    world.set_number("VkMemoryAllocateInfo", "memoryTypeIndex", memory_type);
    world.set_number("VkMemoryAllocateInfo", "allocationSize", SIZE - 96);
    world.make(ObjectType::DEVICE_MEMORY)
}

#[test]
fn each_memory_type_is_shared_in_its_own_way() {
    let mock = Mock::offering(card());
    let socket = world::config(&mock);
    for (config, seen, kind) in [
        (socket.clone(), 0x1, None),
        (socket.clone().transport(Transport::IN_PROCESS), 0x7, Some(BlobKind::Pointer)),
        (socket.clone().transport(Transport::default().pointers()), 0x7, Some(BlobKind::Pointer)),
        (socket.clone().transport(Transport::default().opaque()), 0x7, Some(BlobKind::Opaque)),
    ] {
        let mut world = World::with(&mock, config);
        assert_eq!(told(&mut world), [0, 0x1, 0x6, 0xe, seen]);
        let kinds = [1, 2, 3, 4].map(|memory_type| {
            let memory = allocate(&mut world, memory_type);
            let id = ResourceId(RESOURCE.0 + u32::try_from(memory_type).expect("a small number"));
            world.context.create_blob(id, BlobFlags::MAPPABLE, memory, SIZE).ok().map(|blob| blob.kind())
        });
        assert_eq!(kinds, [None, Some(BlobKind::Shm), Some(BlobKind::Shm), kind]);
        drop(world);
        mock.assert_clean();
    }
}

/// By which way type 2 is shared, which can be imported, too.
fn way(offers: Offers, profile: Profile) -> BlobKind {
    let mock = Mock::offering(offers);
    let config = world::config(&mock).transport(Transport::IN_PROCESS).profile(profile);
    let mut world = World::with(&mock, config);
    // No more than such drivers have.
    world.set_length("VkDeviceQueueCreateInfo", "queueCount", 1);
    world.leave_out("VkDeviceCreateInfo", "pEnabledFeatures", true);
    let memory = allocate(&mut world, 2);
    let kind = world.context.create_blob(RESOURCE, BlobFlags::MAPPABLE, memory, SIZE).expect("a blob").kind();
    drop(world);
    mock.assert_clean();
    kind
}

#[test]
fn on_metal_pointers_come_before_imports() {
    assert_eq!(way(card(), Profile::Native), BlobKind::Shm);
    assert_eq!(way(card(), Profile::MoltenVk), BlobKind::Pointer);
    assert_eq!(way(card(), Profile::KosmicKrisp), BlobKind::Pointer);
    // VK_DRIVER_ID_MESA_KOSMICKRISP, which is newer than the types.
    for driver in [vk::DriverId::MOLTENVK.as_raw(), 28] {
        assert_eq!(way(Offers { driver, ..card() }, Profile::Native), BlobKind::Pointer, "{driver}");
    }
}

/// The memory types that an image is said to fit into, by each of the three queries.
fn fits(world: &mut World<'_>, tiling: vk::ImageTiling) -> [u32; 3] {
    world.set_number("VkImageCreateInfo", "tiling", tiling.as_raw().try_into().expect("a small number"));
    world.forget_one(ObjectType::IMAGE);
    world.object(ObjectType::IMAGE);
    [
        look!(world, None, GetImageMemoryRequirementsArgs, |told| told
            .p_memory_requirements
            .expect("an answer")
            .memory_type_bits),
        look!(world, None, GetImageMemoryRequirements2Args, |told| {
            told.p_memory_requirements.expect("an answer").memory_requirements.memory_type_bits
        }),
        look!(world, None, GetDeviceImageMemoryRequirementsArgs, |told| {
            told.p_memory_requirements.expect("an answer").memory_requirements.memory_type_bits
        }),
    ]
}

#[test]
fn images_stay_out_of_imported_memory_on_metal() {
    let moltenvk = || Offers { driver: vk::DriverId::MOLTENVK.as_raw(), ..card() };
    // A machine whose memory is of one type only: an image has to lie somewhere.
    let single = || Offers { memory: vec![0xf], importable: 1, ..moltenvk() };
    let (socket, here) = (Transport::default(), Transport::IN_PROCESS);
    for (offers, transport, optimal) in [
        (card(), socket, 0b11111),
        (moltenvk(), socket, 0b10011),
        // Nothing is imported.
        (moltenvk(), here, 0b11111),
        (single(), socket, 0b1),
    ] {
        let all = (1 << offers.memory.len()) - 1;
        let mock = Mock::offering(offers);
        let mut world = World::with(&mock, world::config(&mock).transport(transport));
        for _ in 0..2 {
            assert_eq!(fits(&mut world, vk::ImageTiling::LINEAR), [all; 3]);
            assert_eq!(fits(&mut world, vk::ImageTiling::OPTIMAL), [optimal; 3]);
            // A driver may give the handle of an image that is gone to another.
            let image = world.object(ObjectType::IMAGE);
            world.send_with(CommandType::DESTROY_IMAGE, ObjectType::IMAGE, image);
        }
        drop(world);
        mock.assert_clean();
    }
}

#[test]
fn lent_memory_of_a_card_ends_with_its_mapping_and_the_rest_at_once() {
    let mock = Mock::offering(card());
    let mut world = World::with(&mock, world::config(&mock).transport(Transport::IN_PROCESS));
    let [imported, lent] = [2, 4].map(|memory_type| allocate(&mut world, memory_type));
    let blob = world.context.create_blob(RESOURCE, BlobFlags::MAPPABLE, lent, SIZE).expect("a pointer");
    assert_eq!(blob.size, SIZE, "whole pages");
    let names = |sent: world::Sent| sent.notes.iter().map(|note| note.command).collect::<Vec<_>>();
    assert_eq!(names(world.send_with(CommandType::FREE_MEMORY, ObjectType::DEVICE_MEMORY, lent)), [""; 0]);
    let freed = world.send_with(CommandType::FREE_MEMORY, ObjectType::DEVICE_MEMORY, imported);
    assert_eq!(names(freed), ["vkFreeMemory"]);
    drop(world);
    let ended: Vec<_> = mock.names().into_iter().filter(|name| ENDS.contains(name)).collect();
    assert_eq!(ended, [""; 0], "the monitor still has it");
    drop(blob);
    assert_eq!(mock.names(), ENDS);
    mock.assert_clean();
}

#[test]
fn a_forced_way_is_the_only_one() {
    let mock = Mock::offering(card());
    let config = world::config(&mock).transport(Transport::IN_PROCESS);
    for (choice, seen) in
        [(MemoryChoice::Import, [0, 0x1, 0x6, 0xe, 0x1]), (MemoryChoice::Pointer, [0, 0x1, 0x6, 0xe, 0x7])]
    {
        assert_eq!(told(&mut World::with(&mock, config.clone().memory(choice))), seen, "{choice:?}");
    }
}
