//! Every method by which memory reaches a guest, and what guests and monitors do with it in the wrong order.

use std::sync::Arc;

use venus_host::{
    driver::{Config, MemoryChoice, OpaqueMapper, Profile, Transport},
    resource::{Blob, BlobKind, BlobStorage, HostMapping, ResourceId, host_page_size},
};
use venus_protocol::{args::*, vk, wire::Handle};

use super::{SECOND_NS, SIZE, embedded::Guest};

/// No multiple of any page: what Mesa's ring takes.
const UNALIGNED: u64 = 131_268;

/// The methods that lavapipe has without the help of a kernel module, and the storage that each makes.
const METHODS: [(MemoryChoice, BlobKind); 3] = [
    (MemoryChoice::Import, BlobKind::Shm),
    (MemoryChoice::Opaque, BlobKind::Opaque),
    (MemoryChoice::Pointer, BlobKind::Pointer),
];

fn config(memory: MemoryChoice) -> Config {
    Config::default().memory(memory).transport(Transport::IN_PROCESS)
}

fn word(mapping: &HostMapping, offset: u64) -> u32 {
    let mut bytes = [0; 4];
    mapping.copy_out(usize::try_from(offset).expect("a small offset"), &mut bytes).expect("mapped memory");
    u32::from_ne_bytes(bytes)
}

/// A guest with memory that is a resource and bound to a buffer.
struct World {
    guest: Guest,
    device: Handle<vk::Device>,
    queue: Handle<vk::Queue>,
    pool: Handle<vk::CommandPool>,
    memory: Handle<vk::DeviceMemory>,
    buffer: Handle<vk::Buffer>,
    resource: ResourceId,
    blob: Blob,
}

impl World {
    fn new(config: Config, size: u64) -> Self {
        let mut guest = Guest::new(config);
        let device = guest.device();
        let queue = guest.queue(device, 1).unwrap();
        let pool = guest.command_pool(device);
        let memory = guest.memory(device, size);
        let buffer = guest.buffer(device, size & !3);
        guest.bind(device, buffer, memory);
        let (resource, blob) = guest.export(memory, size).unwrap();
        Self { guest, device, queue, pool, memory, buffer, resource: ResourceId(resource), blob }
    }

    fn map(&mut self) -> HostMapping {
        self.guest.context.map_resource(self.resource).unwrap()
    }

    /// Lets the GPU write everywhere.
    fn fill(&mut self, buffer: Handle<vk::Buffer>, word: u32) {
        let Self { guest, device, queue, pool, .. } = self;
        let commands = guest.record_fill(*device, *pool, buffer, word);
        let fence = guest.fence(*device);
        guest.submit(*queue, &vk::SubmitInfo::default().command_buffers(&[commands.raw]), fence);
        assert_eq!(guest.wait(*device, fence, 10 * SECOND_NS), vk::Result::SUCCESS);
    }
}

#[test]
#[ignore = "needs a Vulkan driver"]
fn the_gpus_writes_are_seen_by_every_method() {
    for (method, kind) in METHODS {
        let mut world = World::new(config(method), SIZE);
        assert_eq!(world.blob.kind(), kind);
        assert_eq!(world.blob.mappable_fd().is_some(), kind == BlobKind::Shm, "{method:?}");
        let mapping = world.map();
        world.fill(world.buffer, 0x1234_5678);
        assert_eq!([word(&mapping, 0), word(&mapping, SIZE - 4)], [0x1234_5678; 2], "{method:?}");
        assert_eq!(world.guest.reason(), "");
    }
}

#[test]
#[ignore = "needs a Vulkan driver"]
fn the_gpu_sees_what_a_monitor_writes() {
    for (method, _) in METHODS {
        let mut world = World::new(config(method), SIZE);
        let (from, to) = (world.map(), World::second(&mut world));
        from.copy_in(SIZE as usize - 4, &0xabad_1dea_u32.to_ne_bytes()).unwrap();
        let World { guest, device, queue, pool, buffer, .. } = &mut world;
        let commands = guest.record_copy(*device, *pool, *buffer, to.0, SIZE);
        let fence = guest.fence(*device);
        guest.submit(*queue, &vk::SubmitInfo::default().command_buffers(&[commands.raw]), fence);
        assert_eq!(guest.wait(*device, fence, 10 * SECOND_NS), vk::Result::SUCCESS);
        assert_eq!(word(&to.1, SIZE - 4), 0xabad_1dea, "{method:?}");
    }
}

impl World {
    /// Another buffer with memory, and where that is mapped.
    fn second(&mut self) -> (Handle<vk::Buffer>, HostMapping) {
        let Self { guest, device, .. } = self;
        let memory = guest.memory(*device, SIZE);
        let buffer = guest.buffer(*device, SIZE);
        guest.bind(*device, buffer, memory);
        let (resource, _) = guest.export(memory, SIZE).unwrap();
        (buffer, guest.context.map_resource(ResourceId(resource)).unwrap())
    }
}

#[test]
#[ignore = "needs a Vulkan driver"]
fn unaligned_sizes_get_whole_pages() {
    for profile in [Profile::Native, Profile::KosmicKrisp] {
        for (method, _) in METHODS {
            // Drivers like those of macOS pass no descriptors.
            if profile != Profile::Native && method == MemoryChoice::Opaque {
                continue;
            }
            let mut world = World::new(config(method).profile(profile), UNALIGNED);
            let page = if profile == Profile::Native { host_page_size() } else { 16 << 10 };
            assert!(
                world.blob.size >= UNALIGNED && world.blob.size.is_multiple_of(page),
                "{method:?}: {}",
                world.blob.size
            );
            let mapping = world.map();
            assert_eq!(mapping.size() as u64, world.blob.size);
            assert_eq!(mapping.address().as_ptr().addr() as u64 % host_page_size(), 0);
            // The tail is there, and is memory.
            mapping.copy_in(mapping.size() - 4, b"tail").unwrap();
            world.fill(world.buffer, 7);
            assert_eq!(word(&mapping, 0), 7);
            assert_eq!(word(&mapping, world.blob.size - 4), u32::from_ne_bytes(*b"tail"));
        }
    }
}

#[test]
#[ignore = "needs a Vulkan driver"]
fn mapping_twice_shows_the_same() {
    for (method, _) in METHODS {
        let mut world = World::new(config(method), SIZE);
        let (one, other) = (world.map(), world.map());
        world.fill(world.buffer, 1);
        drop(one);
        assert_eq!(word(&other, 0), 1, "{method:?}");
        let third = world.map();
        third.copy_in(0, &2_u32.to_ne_bytes()).unwrap();
        assert_eq!(word(&other, 0), 2, "{method:?}");
    }
}

#[test]
#[ignore = "needs a Vulkan driver"]
fn memory_may_be_freed_before_it_is_unmapped() {
    for (method, _) in METHODS {
        let mut world = World::new(config(method), SIZE);
        let mapping = world.map();
        world.fill(world.buffer, 3);
        let World { mut guest, device, memory, buffer, resource, blob, .. } = world;
        guest.send(&DestroyBufferArgs { device, buffer }).unwrap();
        guest.send(&FreeMemoryArgs { device, memory }).unwrap();
        // Whatever comes next does not get its pages.
        for _ in 0..8 {
            guest.memory(device, SIZE);
        }
        let late = guest.context.map_resource(resource).unwrap();
        assert_eq!([word(&mapping, 0), word(&late, SIZE - 4)], [3; 2], "{method:?}");
        drop(late);
        assert!(guest.context.destroy_resource(resource));
        drop(blob);
        assert_eq!(word(&mapping, SIZE - 4), 3, "{method:?}");
        assert_eq!(guest.reason(), "");
        // The context goes, and with it the device; the mapping is the monitor's own.
        drop(guest);
        assert_eq!(word(&mapping, 0), 3, "{method:?}");
    }
}

#[test]
#[ignore = "needs a Vulkan driver"]
fn resources_may_be_dropped_before_memory_is_freed() {
    for (method, _) in METHODS {
        let mut world = World::new(config(method), SIZE);
        assert!(world.guest.context.destroy_resource(world.resource));
        assert!(world.guest.context.map_resource(world.resource).is_err(), "{method:?}");
        drop(std::mem::replace(&mut world.blob, shmem()));
        // The GPU still has it.
        world.fill(world.buffer, 4);
        let World { mut guest, device, memory, buffer, .. } = world;
        guest.send(&DestroyBufferArgs { device, buffer }).unwrap();
        guest.send(&FreeMemoryArgs { device, memory }).unwrap();
        guest.send(&DestroyDeviceArgs { device }).unwrap();
        assert_eq!(guest.reason(), "", "{method:?}");
    }
}

/// A blob that is nobody's memory.
fn shmem() -> Blob {
    let mut guest = Guest::new(config(MemoryChoice::Auto));
    let flags = venus_host::resource::BlobFlags::MAPPABLE;
    guest.context.create_blob(ResourceId(77), flags, 0, 4096).unwrap()
}

#[test]
#[ignore = "needs a Vulkan driver"]
fn an_allocation_and_its_resource_share_a_descriptor() {
    let mut guest = Guest::new(config(MemoryChoice::Import));
    let device = guest.device();
    let memory = guest.memory(device, SIZE);
    let (id, blob) = guest.export(memory, SIZE).unwrap();
    let BlobStorage::Shm(fd) = &blob.storage else { panic!("{blob:?}") };
    assert_eq!(Arc::strong_count(fd), 3, "the allocation's, the resource's and ours");
    assert!(guest.context.destroy_resource(ResourceId(id)));
    drop(guest);
    assert_eq!(Arc::strong_count(fd), 1, "and what is freed comes back");
}

#[test]
#[ignore = "needs a Vulkan driver"]
fn more_than_the_heap_fails_as_in_vulkan() {
    for (method, _) in METHODS {
        let mut guest = Guest::new(config(method));
        let device = guest.device();
        let memory_type = guest.mappable_type();
        for size in [1 << 50, u64::MAX] {
            let info = vk::MemoryAllocateInfo::default().allocation_size(size).memory_type_index(memory_type);
            assert_eq!(guest.allocate(device, &info).0, vk::Result::ERROR_OUT_OF_DEVICE_MEMORY, "{method:?}");
        }
        // The device is none the worse for it.
        guest.memory(device, SIZE);
        assert_eq!(guest.reason(), "");
    }
}

#[test]
#[ignore = "needs a Vulkan driver"]
fn a_method_that_the_embedder_cannot_use_is_not_chosen() {
    for method in [MemoryChoice::Opaque, MemoryChoice::Pointer] {
        let mut guest = Guest::without_gpu(Config::default().memory(method));
        assert_eq!(guest.count_gpus(), 0, "{method:?}");
    }
    // On its own accord the host shares descriptors that anybody can map.
    let world = World::new(Config::default(), SIZE);
    assert!(world.blob.mappable_fd().is_some());
}

#[test]
#[ignore = "needs a Vulkan driver"]
fn opaque_memory_is_mapped_without_its_context() {
    let mut world = World::new(config(MemoryChoice::Opaque), UNALIGNED);
    world.fill(world.buffer, 5);
    let World { guest, blob, .. } = world;
    drop(guest);
    let mut mapper = OpaqueMapper::new(&Config::default()).unwrap();
    let (one, other) = (mapper.map(&blob).unwrap(), mapper.map(&blob).unwrap());
    drop((mapper, blob));
    assert_eq!(word(&one, 0), 5);
    drop(one);
    assert_eq!(word(&other, (UNALIGNED & !3) - 4), 5);
}

#[test]
#[ignore = "needs a Vulkan driver"]
fn a_resource_of_one_context_is_imported_by_another() {
    for method in [MemoryChoice::Import, MemoryChoice::Opaque] {
        let mut compositor = Guest::new(config(method));
        let mut client = World::new(config(method), SIZE);
        let blob = client.blob.clone();
        let id = ResourceId(900);
        compositor.context.attach_resource(id, &blob, SIZE).unwrap();
        compositor.context.attach_resource(id, &blob, SIZE).unwrap_err();
        compositor.context.attach_resource(ResourceId(901), &blob, 1 << 40).unwrap_err();
        let seen = compositor.context.map_resource(id).unwrap();

        let device = compositor.device();
        let queue = compositor.queue(device, 1).unwrap();
        let types = compositor.importable_types(device, id.0);
        let memory_type = compositor.mappable_type();
        assert_ne!(types & 1 << memory_type, 0, "{method:?}");
        let import = vk::ImportMemoryResourceInfoMESA { resource_id: id.0, ..Default::default() };
        let mut info = vk::MemoryAllocateInfo::default().allocation_size(SIZE).memory_type_index(memory_type);
        info.p_next = (&raw const import).cast();
        let (returned, memory) = compositor.allocate(device, &info);
        assert_eq!(returned, vk::Result::SUCCESS, "{method:?}");
        let buffer = compositor.buffer(device, SIZE);
        compositor.bind(device, buffer, memory);

        // The client's GPU work shows there, and the other way round.
        client.fill(client.buffer, 0xc11e);
        assert_eq!(word(&seen, SIZE - 4), 0xc11e, "{method:?}");
        let mine = client.map();
        drop(client);
        let pool = compositor.command_pool(device);
        let commands = compositor.record_fill(device, pool, buffer, 0xc0de);
        let fence = compositor.fence(device);
        compositor.submit(queue, &vk::SubmitInfo::default().command_buffers(&[commands.raw]), fence);
        assert_eq!(compositor.wait(device, fence, 10 * SECOND_NS), vk::Result::SUCCESS);
        assert_eq!(word(&mine, 0), 0xc0de, "{method:?}");

        info.allocation_size = 1 << 30;
        assert_eq!(compositor.allocate(device, &info).0, vk::Result::ERROR_INVALID_EXTERNAL_HANDLE);
        assert_eq!(compositor.reason(), "");
    }
}

#[test]
#[ignore = "needs a Vulkan driver"]
fn pointers_are_not_imported() {
    let mut world = World::new(config(MemoryChoice::Pointer), SIZE);
    let import = vk::ImportMemoryResourceInfoMESA { resource_id: world.resource.0, ..Default::default() };
    let memory_type = world.guest.mappable_type();
    let mut info = vk::MemoryAllocateInfo::default().allocation_size(SIZE).memory_type_index(memory_type);
    info.p_next = (&raw const import).cast();
    assert_eq!(world.guest.allocate(world.device, &info).0, vk::Result::ERROR_INVALID_EXTERNAL_HANDLE);
    assert_eq!(world.guest.reason(), "");
}
