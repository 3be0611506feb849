//! Handlers, memory and sync on a real driver: what a guest sees of them, command by command.
//!
//! They take any Vulkan driver (Debian: mesa-vulkan-drivers for lavapipe) and are ignored without being asked for:
//! `cargo test -p venus-host --test driver -- --ignored`.

mod embedded;
mod memory;

use std::{fs::File, os::unix::fs::FileExt, sync::mpsc, time::Duration};

use embedded::Guest;
use venus_host::context::Retired;
use venus_host::driver::{Config, MemoryChoice, Profile};
use venus_protocol::{
    args::*,
    vk,
    wire::{Command, Handle, Handles, NewHandles},
};

const SIZE: u64 = 64 << 10;
const SECOND_NS: u64 = 1_000_000_000;

/// The first and the last word of shared memory.
fn ends(file: &File) -> [u32; 2] {
    let mut words = [[0; 4]; 2];
    for (word, offset) in words.iter_mut().zip([0, SIZE - 4]) {
        file.read_exact_at(word, offset).expect("the memory is readable");
    }
    words.map(u32::from_ne_bytes)
}

/// Lets the GPU fill memory and looks at it from outside.
fn fill_and_look(config: Config) {
    let mut guest = Guest::new(config);
    let device = guest.device();
    let queue = guest.queue(device, 1).unwrap();
    let memory = guest.memory(device, SIZE);
    let buffer = guest.buffer(device, SIZE);
    guest.bind(device, buffer, memory);
    let (_, blob) = guest.export(memory, SIZE).unwrap();
    assert!(blob.size >= SIZE);
    let pool = guest.command_pool(device);
    let commands = guest.record_fill(device, pool, buffer, 0x1234_5678);
    let fence = guest.fence(device);
    guest.submit(queue, &vk::SubmitInfo::default().command_buffers(&[commands.raw]), fence);
    assert_eq!(guest.wait(device, fence, 10 * SECOND_NS), vk::Result::SUCCESS);
    let file = File::from(blob.mappable_fd().expect("a descriptor to map").try_clone_to_owned().unwrap());
    assert_eq!(ends(&file), [0x1234_5678; 2]);

    // The blob outlives the allocation, and the context.
    guest.send(&FreeMemoryArgs { device, memory }).unwrap();
    assert_eq!(ends(&file), [0x1234_5678; 2]);
    drop(guest);
    assert_eq!(ends(&file), [0x1234_5678; 2]);
}

#[test]
#[ignore = "needs a Vulkan driver"]
fn the_gpus_writes_reach_the_guest() {
    fill_and_look(Config::default());
}

#[test]
#[ignore = "needs a Vulkan driver"]
fn so_they_do_by_imported_memory() {
    fill_and_look(Config::default().memory(MemoryChoice::Import));
}

#[test]
#[ignore = "needs a Vulkan driver"]
fn so_they_do_on_what_looks_like_a_mac() {
    fill_and_look(Config::default().profile(Profile::KosmicKrisp));
}

#[test]
#[ignore = "needs a Vulkan driver"]
fn guests_are_offered_what_they_insist_on() {
    let names = Guest::new(Config::default()).extensions();
    for name in ["VK_KHR_external_memory_fd", "VK_KHR_external_fence_fd", "VK_KHR_external_semaphore_fd"] {
        assert!(names.iter().any(|known| known == name), "{name}");
    }
    for name in ["VK_EXT_tooling_info", "VK_KHR_map_memory2", "VK_KHR_swapchain", "VK_EXT_external_memory_host"] {
        assert!(!names.iter().any(|known| known == name), "{name}");
    }
}

#[test]
#[ignore = "needs a Vulkan driver"]
fn a_fence_of_the_guests_kernel_follows_the_queue() {
    let mut guest = Guest::new(Config::default());
    let device = guest.device();
    guest.queue(device, 5).unwrap();
    let (retired, retirements) = mpsc::channel();
    for n in 0..100 {
        let retired = retired.clone();
        guest.context.create_fence(5, Box::new(move |how| retired.send((n, how)).unwrap())).unwrap();
    }
    let order: Vec<_> = (0..100).map(|_| retirements.recv_timeout(Duration::from_secs(10)).unwrap()).collect();
    assert_eq!(order, (0..100).map(|n| (n, Retired::Done)).collect::<Vec<_>>());

    // What is pending at the end is retired, once.
    guest.context.create_fence(5, Box::new(move |how| retired.send((100, how)).unwrap())).unwrap();
    drop(guest);
    assert_eq!(retirements.iter().collect::<Vec<_>>(), [(100, Retired::Done)]);
}

/// By the driver's SYNC_FD where it has it, as lavapipe has from Mesa 26 on.
#[test]
#[ignore = "needs a Vulkan driver"]
fn exported_sync_objects_lose_their_payload() {
    export_and_import(Profile::Native);
}

#[test]
#[ignore = "needs a Vulkan driver"]
fn so_they_do_by_emulation() {
    export_and_import(Profile::KosmicKrisp);
}

fn export_and_import(profile: Profile) {
    let mut guest = Guest::new(Config::default().profile(profile));
    let device = guest.device();
    let queue = guest.queue(device, 1).unwrap();
    let (fence, semaphore) = (guest.fence(device), guest.semaphore(device));

    for _ in 0..20 {
        // Signal the semaphore, take the signal away, and it can be signalled again.
        guest.submit(queue, &vk::SubmitInfo::default().signal_semaphores(&[semaphore.raw]), fence);
        guest.send(&WaitSemaphoreResourceMESAArgs { device, semaphore }).unwrap();
        // The fence may be pending or signalled; after this it is neither.
        guest.send(&ResetFenceResourceMESAArgs { device, fence }).unwrap();
        assert_eq!(guest.wait(device, fence, 1), vk::Result::TIMEOUT);

        // An import signals the semaphore, so that a batch can wait for it.
        let info = vk::ImportSemaphoreResourceInfoMESA { semaphore: semaphore.raw, ..Default::default() };
        guest.send(&ImportSemaphoreResourceMESAArgs { device, p_import_semaphore_resource_info: &info }).unwrap();
        let stages = [vk::PipelineStageFlags::ALL_COMMANDS];
        let waits = [semaphore.raw];
        let batch = vk::SubmitInfo::default().wait_semaphores(&waits).wait_dst_stage_mask(&stages);
        guest.submit(queue, &batch, fence);
        assert_eq!(guest.wait(device, fence, 10 * SECOND_NS), vk::Result::SUCCESS);
        let p_fences = Handles { ids: &[fence.id], raws: &[fence.raw] };
        guest.send(&ResetFencesArgs { device, fence_count: 1, p_fences }).unwrap();
    }
}

#[test]
#[ignore = "needs a Vulkan driver"]
fn memory_can_be_imported_again() {
    let mut guest = Guest::new(Config::default().memory(MemoryChoice::Import));
    let device = guest.device();
    let queue = guest.queue(device, 1).unwrap();
    let first = guest.memory(device, SIZE);
    let (resource, blob) = guest.export(first, SIZE).unwrap();

    let import = vk::ImportMemoryResourceInfoMESA { resource_id: resource, ..Default::default() };
    let memory_type = guest.mappable_type();
    let mut info = vk::MemoryAllocateInfo::default().allocation_size(SIZE).memory_type_index(memory_type);
    info.p_next = (&raw const import).cast();
    let (returned, second) = guest.allocate(device, &info);
    assert_eq!(returned, vk::Result::SUCCESS);
    let buffer = guest.buffer(device, SIZE);
    guest.bind(device, buffer, second);
    let pool = guest.command_pool(device);
    let commands = guest.record_fill(device, pool, buffer, 0xfeed_beef);
    let fence = guest.fence(device);
    guest.submit(queue, &vk::SubmitInfo::default().command_buffers(&[commands.raw]), fence);
    assert_eq!(guest.wait(device, fence, 10 * SECOND_NS), vk::Result::SUCCESS);
    assert_eq!(
        ends(&File::from(blob.mappable_fd().expect("a descriptor to map").try_clone_to_owned().unwrap())),
        [0xfeed_beef; 2]
    );

    // More than there is, and what does not exist, are ordinary failures.
    info.allocation_size = 1 << 30;
    assert_eq!(guest.allocate(device, &info).0, vk::Result::ERROR_INVALID_EXTERNAL_HANDLE);
    let import = vk::ImportMemoryResourceInfoMESA { resource_id: 4_711, ..Default::default() };
    info.p_next = (&raw const import).cast();
    assert_eq!(guest.allocate(device, &info).0, vk::Result::ERROR_INVALID_EXTERNAL_HANDLE);
    assert_eq!(guest.reason(), "");
}

#[test]
#[ignore = "needs a Vulkan driver"]
fn absurd_allocations_fail_as_in_vulkan() {
    let mut guest = Guest::new(Config::default());
    let device = guest.device();
    let memory_type = guest.mappable_type();
    for size in [1 << 60, u64::MAX, u64::MAX - 4095] {
        let info = vk::MemoryAllocateInfo::default().allocation_size(size).memory_type_index(memory_type);
        assert_eq!(guest.allocate(device, &info).0, vk::Result::ERROR_OUT_OF_DEVICE_MEMORY);
    }
    let info = vk::MemoryAllocateInfo::default().allocation_size(4096).memory_type_index(99);
    assert_eq!(guest.allocate(device, &info).0, vk::Result::ERROR_UNKNOWN);
}

#[test]
#[ignore = "needs a Vulkan driver"]
fn an_allocation_becomes_a_resource_once() {
    let mut guest = Guest::new(Config::default());
    let device = guest.device();
    let memory = guest.memory(device, SIZE);
    guest.export(memory, SIZE).unwrap();
    let again = guest.export(memory, SIZE).unwrap_err().to_string();
    assert!(again.contains("already"), "{again}");
    let other = guest.memory(device, SIZE);
    assert!(guest.export(other, 1 << 40).is_err());
    assert!(guest.export(Handle::identity(9_999), SIZE).is_err());
    assert_eq!(guest.reason(), "");
}

#[test]
#[ignore = "needs a Vulkan driver"]
fn a_device_takes_everything_along() {
    let mut guest = Guest::new(Config::default());
    for _ in 0..3 {
        let device = guest.device();
        let queue = guest.queue(device, 1).unwrap();
        let memory = guest.memory(device, SIZE);
        let buffer = guest.buffer(device, SIZE);
        guest.bind(device, buffer, memory);
        let pool = guest.command_pool(device);
        let commands = guest.record_fill(device, pool, buffer, 1);
        guest.submit(queue, &vk::SubmitInfo::default().command_buffers(&[commands.raw]), Handle::default());
        // The number is free for the next device's queue.
        guest.send(&DestroyDeviceArgs { device }).unwrap();
    }
    guest.send(&DestroyInstanceArgs { instance: guest.instance }).unwrap();
    assert_eq!(guest.reason(), "");
}

/// Something that ends a context, and what the log says about it.
fn check_fatal(expected: &str, misbehave: impl FnOnce(&mut Guest, Handle<vk::Device>)) {
    let mut guest = Guest::new(Config::default());
    let device = guest.device();
    misbehave(&mut guest, device);
    let reason = guest.reason();
    assert!(reason.contains(expected), "expected {expected:?} in {reason:?}");
}

#[test]
#[ignore = "needs a Vulkan driver"]
fn misbehaviour_is_named() {
    check_fatal("vkDestroyBuffer", |guest, device| {
        let buffer = guest.buffer(device, 64);
        guest.send(&DestroyBufferArgs { device, buffer }).unwrap();
        guest.send(&DestroyBufferArgs { device, buffer }).unwrap_err();
    });
    check_fatal("vkCreateInstance: a context has one instance", |guest, _| {
        guest.create_instance().unwrap_err();
    });
    check_fatal("vkGetDeviceQueue2, pQueueInfo: the queue has been asked for before", |guest, device| {
        guest.queue(device, 1).unwrap();
        guest.queue(device, 2).unwrap_err();
    });
    check_fatal(
        "vkGetDeviceQueue2, pQueueInfo->pNext<VkDeviceQueueTimelineInfoMESA>.ringIdx: ringIdx 64",
        |guest, device| {
            guest.queue(device, 64).unwrap_err();
        },
    );
    check_fatal("vkDeviceWaitIdle: guest drivers wait for fences", |guest, device| {
        guest.send(&DeviceWaitIdleArgs { device }).unwrap_err();
    });
    check_fatal("vkFreeCommandBuffers: no VkCommandBuffer has the id", |guest, device| {
        let pool = guest.command_pool(device);
        let buffer = guest.command_buffer(device, pool);
        // The same command buffer twice.
        let p_command_buffers = Handles { ids: &[buffer.id; 2], raws: &[buffer.raw; 2] };
        let args = FreeCommandBuffersArgs { device, command_pool: pool, command_buffer_count: 2, p_command_buffers };
        guest.send(&args).unwrap_err();
    });
    check_fatal("does not belong to VkCommandPool", |guest, device| {
        let (pool, other) = (guest.command_pool(device), guest.command_pool(device));
        let buffer = guest.command_buffer(device, pool);
        let p_command_buffers = Handles { ids: &[buffer.id], raws: &[buffer.raw] };
        let args = FreeCommandBuffersArgs { device, command_pool: other, command_buffer_count: 1, p_command_buffers };
        guest.send(&args).unwrap_err();
    });
    check_fatal("create fence", |guest, device| {
        // Not the guest's context: whoever asked is told, and the fence is retired.
        let (retired, retirements) = mpsc::channel();
        guest.queue(device, 1).unwrap();
        let error = guest.context.create_fence(2, Box::new(move |how| retired.send(how).unwrap())).unwrap_err();
        assert_eq!(retirements.recv().unwrap(), Retired::Lost);
        guest.context.fail(venus_host::Fatal::new("create fence", error.to_string()));
    });
    assert_eq!(DestroyBufferArgs::NAME, "vkDestroyBuffer");
}

#[test]
#[ignore = "needs a Vulkan driver"]
fn half_a_word_of_code_is_refused() {
    let mut guest = Guest::new(Config::default());
    let device = guest.device();
    let code = [0_u32; 2];
    let info = vk::ShaderModuleCreateInfo { code_size: 6, p_code: code.as_ptr(), ..Default::default() };
    let (mut ids, mut raws) = ([guest.id()], [vk::ShaderModule::null()]);
    let p_shader_module = NewHandles { ids: &mut ids, raws: &mut raws };
    let args = CreateShaderModuleArgs { device, p_create_info: &info, p_shader_module };
    let returned = guest.call(&args, |reply| CreateShaderModuleArgs::decode_reply(reply).expect("a reply").returned);
    assert_eq!(returned.unwrap(), vk::Result::ERROR_VALIDATION_FAILED_EXT);
}

#[test]
#[ignore = "needs a Vulkan driver"]
fn query_results_stay_inside_their_room() {
    let mut guest = Guest::new(Config::default());
    let device = guest.device();
    let id = guest.id();
    let info = vk::QueryPoolCreateInfo::default().query_type(vk::QueryType::OCCLUSION).query_count(4);
    let (mut ids, mut raws) = ([id], [vk::QueryPool::null()]);
    let p_query_pool = NewHandles { ids: &mut ids, raws: &mut raws };
    guest.send(&CreateQueryPoolArgs { device, p_create_info: &info, p_query_pool }).unwrap();
    let mut ask = |data_size, stride| {
        let args = GetQueryPoolResultsArgs {
            device,
            query_pool: Handle::identity(id),
            first_query: 0,
            query_count: 4,
            data_size,
            p_data: &mut vec![0; data_size],
            stride,
            flags: vk::QueryResultFlags::TYPE_64 | vk::QueryResultFlags::WITH_AVAILABILITY,
        };
        let answer = |reply: &mut venus_protocol::wire::Decoder<'_>| {
            let reply = GetQueryPoolResultsArgs::decode_reply(reply).expect("a reply");
            (reply.returned, reply.p_data.len())
        };
        guest.call(&args, answer).unwrap()
    };
    assert_eq!(ask(64, 16).1, 64);
    // Too little, as a careless application may have it, and far too little.
    assert_eq!(ask(8, 16).1, 8);
    assert_eq!(ask(8, 1 << 32).0, vk::Result::ERROR_VALIDATION_FAILED_EXT);
}

#[test]
#[ignore = "needs a Vulkan driver"]
fn pools_are_reset_and_reused() {
    let mut guest = Guest::new(Config::default());
    let device = guest.device();
    let command_pool = guest.command_pool(device);
    let buffer = guest.command_buffer(device, command_pool);
    let p_command_buffers = Handles { ids: &[buffer.id], raws: &[buffer.raw] };
    let free = FreeCommandBuffersArgs { device, command_pool, command_buffer_count: 1, p_command_buffers };
    guest.send(&free).unwrap();
    let survivor = guest.command_buffer(device, command_pool);
    let flags = vk::CommandPoolResetFlags::empty();
    guest.send(&ResetCommandPoolArgs { device, command_pool, flags }).unwrap();
    guest.send(&ResetCommandBufferArgs { command_buffer: survivor, flags: Default::default() }).unwrap();
    guest.send(&DestroyCommandPoolArgs { device, command_pool }).unwrap();
    // It went with its pool.
    guest.send(&ResetCommandBufferArgs { command_buffer: survivor, flags: Default::default() }).unwrap_err();
    assert!(guest.reason().contains("vkResetCommandBuffer"), "{}", guest.reason());
}
