//! Guests that do something wrong on purpose: the host's log says in one line what, where, and what to do.

use std::ffi::c_void;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use crate::common::{guest, host, host_with};
use testbed::server::Server;
use testbed::skipping::skip;
use venus_guest::{Gpu, Guest, Ring};
use venus_protocol::args::{
    CreateBufferArgs, CreateBufferViewArgs, CreateRingMESAArgs, DestroyBufferArgs, DestroyBufferViewArgs,
    NotifyRingMESAArgs,
};
use venus_protocol::vk;
use venus_protocol::wire::{Command as _, Encoder, Handle};

/// How long the host may take to notice.
const NOTICE: Duration = Duration::from_secs(10);

/// The lines of the log that a person has to look at.
fn complaints(server: &Server) -> Vec<String> {
    let log = server.log();
    log.lines().filter(|line| line.contains(" WARN ") || line.contains("ERROR ")).map(str::to_owned).collect()
}

/// The one complaint, which has all of `parts`.
fn expect_one_line(server: &Server, parts: &[&str]) {
    let started = Instant::now();
    while complaints(server).is_empty() && started.elapsed() < NOTICE {
        std::thread::sleep(Duration::from_millis(5));
    }
    let lines = complaints(server);
    let [line] = &lines[..] else { panic!("one line, not {lines:#?}") };
    for part in parts {
        assert!(line.contains(part), "{part:?} is missing in: {line}");
    }
}

/// Waits until the host has given the guest up.
fn expect_lost(guest: &mut Guest) {
    let error = guest.finish().unwrap_err().to_string();
    assert!(error.contains("given up"), "{error}");
}

fn create_buffer(gpu: &mut Gpu, info: &vk::BufferCreateInfo<'_>) -> (Handle<vk::Buffer>, vk::Result) {
    let (device, mut buffer) = (gpu.device, gpu.guest().fresh());
    let args = CreateBufferArgs { device, p_create_info: info, p_buffer: buffer.slot() };
    let result = gpu.guest().call(&args, |reply| Ok(CreateBufferArgs::decode_reply(reply)?.returned)).unwrap();
    (buffer.handle(), result)
}

#[test]
fn a_bad_handle_is_named() {
    let Some(server) = host("a_bad_handle_is_named") else {
        return;
    };
    let mut gpu = Gpu::open(guest(&server)).unwrap();
    let (device, buffer) = (gpu.device, Handle::identity(0xdead));
    gpu.guest().send(&DestroyBufferArgs { device, buffer }).unwrap();
    expect_lost(gpu.guest());
    let parts = [
        "guest context lost: vkDestroyBuffer, buffer: no VkBuffer has the id 0xdead: no object has ever had this id (ring \
         0x1000 at byte ",
        "validation layers",
        "context=\"venus-tests#1\"",
    ];
    expect_one_line(&server, &parts);
}

#[test]
fn a_destroyed_object_is_told_from_one_that_never_was() {
    let Some(server) = host("a_destroyed_object_is_told_from_one_that_never_was") else {
        return;
    };
    let mut gpu = Gpu::open(guest(&server)).unwrap();
    let info = vk::BufferCreateInfo::default().size(4096).usage(vk::BufferUsageFlags::TRANSFER_DST);
    let (buffer, result) = create_buffer(&mut gpu, &info);
    assert_eq!(result, vk::Result::SUCCESS);
    let device = gpu.device;
    for _ in 0..2 {
        gpu.guest().send(&DestroyBufferArgs { device, buffer }).unwrap();
    }
    expect_lost(gpu.guest());
    expect_one_line(
        &server,
        &["vkDestroyBuffer, buffer: ", "the VkBuffer of this id was destroyed by vkDestroyBuffer"],
    );
}

#[test]
fn an_unknown_chain_node_is_named() {
    let Some(server) = host("an_unknown_chain_node_is_named") else {
        return;
    };
    let mut gpu = Gpu::open(guest(&server)).unwrap();
    let (device, mut buffer) = (gpu.device, gpu.guest().fresh());
    let mut external = vk::ExternalMemoryBufferCreateInfo::default();
    let info =
        vk::BufferCreateInfo::default().size(4096).usage(vk::BufferUsageFlags::TRANSFER_DST).push_next(&mut external);
    // SAFETY: the structures are filled through ash's setters, which tie every pointer to what it leads to.
    let mut encoder = unsafe { Encoder::new() };
    CreateBufferArgs { device, p_create_info: &info, p_buffer: buffer.slot() }.encode(&mut encoder, 0);
    // No encoder sends what the protocol does not have, so a node of another type is made one.
    let mut stream = encoder.bytes().to_vec();
    let known = vk::StructureType::EXTERNAL_MEMORY_BUFFER_CREATE_INFO.as_raw().to_le_bytes();
    let at = stream.windows(4).position(|word| word == known).unwrap();
    stream[at..at + 4].copy_from_slice(&vk::StructureType::DEBUG_UTILS_LABEL_EXT.as_raw().to_le_bytes());
    gpu.guest().execute(&stream).unwrap();
    expect_lost(gpu.guest());
    let parts = [
        "guest context lost: vkCreateBuffer, pCreateInfo->pNext: VK_STRUCTURE_TYPE_DEBUG_UTILS_LABEL_EXT, of extension 129, \
         is not known",
        "(ring 0x1000 at byte ",
        "update the host",
    ];
    expect_one_line(&server, &parts);
}

#[test]
fn a_ring_overrun_is_named() {
    const BUFFER_BYTES: u32 = 4096;
    /// Where our rings have their tail.
    const TAIL_OFFSET: usize = 64;
    let Some(server) = host("a_ring_overrun_is_named") else {
        return;
    };
    let mut guest = guest(&server);
    let memory = guest.create_shmem(Ring::shmem_bytes(BUFFER_BYTES).unwrap()).unwrap();
    let ring = Ring::new(0x2000, memory, BUFFER_BYTES);
    let (mut info, monitor) = ring.create_info().unwrap();
    info.p_next = std::ptr::from_ref(&monitor).cast::<c_void>();
    guest.submit_direct(&CreateRingMESAArgs { ring: ring.id(), p_create_info: &info }).unwrap();
    let id = ring.id();
    let memory = ring.into_memory();
    // One word more than there is room for.
    memory.mapping.word(TAIL_OFFSET).unwrap().store(BUFFER_BYTES + 4, Ordering::SeqCst);
    guest.submit_direct(&NotifyRingMESAArgs { ring: id, seqno: BUFFER_BYTES + 4, flags: Default::default() }).unwrap();
    let parts = [
        "guest context lost: ring, tail: is 4100 bytes ahead of the head, in a buffer of 4096: commands were overwritten",
        "(ring 0x2000 at byte 0)",
        "report it against the guest's driver",
    ];
    expect_one_line(&server, &parts);
}

#[test]
fn a_driver_that_fails_is_quoted() {
    let Some(server) = host("a_driver_that_fails_is_quoted") else {
        return;
    };
    let mut gpu = Gpu::open(guest(&server)).unwrap();
    let requirements = vk::MemoryRequirements { size: 1 << 50, alignment: 1, memory_type_bits: u32::MAX };
    let visible = vk::MemoryPropertyFlags::HOST_VISIBLE;
    assert!(gpu.allocate(&requirements, visible).is_err());
    let parts = [
        "vkAllocateMemory, pAllocateInfo->allocationSize: 1125899906842624 bytes are more than the whole heap",
        "refused with VK_ERROR_OUT_OF_DEVICE_MEMORY (ring 0x1000 at byte ",
        "lower its settings",
    ];
    expect_one_line(&server, &parts);
    // It is no reason to lose the guest.
    gpu.close().unwrap();
}

#[test]
fn a_guest_that_wants_more_than_it_may_have_goes_on_without() {
    let name = "a_guest_that_wants_more_than_it_may_have_goes_on_without";
    let Some(server) = host_with(name, &["--max-memory", "64M"]) else {
        return;
    };
    let mut gpu = Gpu::open(guest(&server)).unwrap();
    let requirements = |size| vk::MemoryRequirements { size, alignment: 1, memory_type_bits: u32::MAX };
    let visible = vk::MemoryPropertyFlags::HOST_VISIBLE;
    assert!(gpu.allocate(&requirements(128 << 20), visible).is_err());
    expect_one_line(&server, &["vkAllocateMemory", "VK_ERROR_OUT_OF_DEVICE_MEMORY", "`venus serve --help`"]);
    gpu.allocate(&requirements(1 << 20), visible).unwrap();
    gpu.close().unwrap();
}

#[test]
fn an_old_guest_is_told_so() {
    let Some(server) = host("an_old_guest_is_told_so") else {
        return;
    };
    let mut guest = guest(&server);
    for id in [0x2000, 0x3000] {
        let memory = guest.create_shmem(Ring::shmem_bytes(4096).unwrap()).unwrap();
        let ring = Ring::new(id, memory, 4096);
        let (info, _) = ring.create_info().unwrap();
        guest.submit_direct(&CreateRingMESAArgs { ring: id, p_create_info: &info }).unwrap();
    }
    expect_one_line(&server, &["old guest: it creates rings without VkRingMonitorInfoMESA", "update the guest's Mesa"]);
}

#[test]
fn what_validation_finds_has_its_command() {
    const NAME: &str = "what_validation_finds_has_its_command";
    const RULE: &str = "VUID-VkBufferCreateInfo-sharingMode-00914";
    let Some(server) = host_with(NAME, &["--validate"]) else {
        return;
    };
    let mut gpu = Gpu::open(guest(&server)).unwrap();
    let info = vk::BufferCreateInfo::default().size(4096).usage(vk::BufferUsageFlags::TRANSFER_DST);
    // Shared by no family.
    let shared = info.sharing_mode(vk::SharingMode::CONCURRENT);
    let device = gpu.device;
    for _ in 0..5 {
        let (buffer, _) = create_buffer(&mut gpu, &shared);
        gpu.guest().send(&DestroyBufferArgs { device, buffer }).unwrap();
    }
    // A buffer that is not made for views, which the message has to name.
    let (buffer, _) = create_buffer(&mut gpu, &info);
    let mut view = gpu.guest().fresh();
    let info = vk::BufferViewCreateInfo::default().buffer(buffer.raw).format(vk::Format::R32_UINT).range(4096);
    let args = CreateBufferViewArgs { device, p_create_info: &info, p_view: view.slot() };
    gpu.guest().send(&args).unwrap();
    gpu.guest().send(&DestroyBufferViewArgs { device, buffer_view: view.handle() }).unwrap();
    gpu.guest().send(&DestroyBufferArgs { device, buffer }).unwrap();
    gpu.close().unwrap();
    server.expect_no_guests(NOTICE).unwrap();
    let lines = complaints(&server);
    if let Some(line) = lines.iter().find(|line| line.contains("is not installed")) {
        // Nothing can be found then; that much has to be said.
        assert!(line.contains("validation was asked for, but VK_LAYER_KHRONOS_validation"), "{line}");
        return skip(NAME, "this machine has no validation layer");
    }
    let found: Vec<_> = lines.iter().filter(|line| line.contains(&format!("validation: {RULE}: "))).collect();
    assert_eq!(found.len(), 3, "the first few are told: {lines:#?}");
    for line in &found {
        assert!(line.contains("(vkCreateBuffer, ring 0x1000 at byte "), "{line}");
    }
    assert!(found[2].contains("more of this kind are only counted"), "{}", found[2]);
    let name = format!("VkBuffer {:#x}]", buffer.id);
    let named = lines.iter().find(|line| line.contains("(vkCreateBufferView, ring")).unwrap();
    assert!(named.contains(&name), "{name} in {named}");
    let summary = lines.iter().find(|line| line.contains("validation sent ")).unwrap();
    assert!(summary.contains(&format!("{RULE} x 5")), "{summary}");
}
