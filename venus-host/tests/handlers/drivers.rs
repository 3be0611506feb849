//! Drivers that have less, fail, or succeed in part.

use mock_driver::{Mock, Offers};
use venus_protocol::{
    args::EnumerateDeviceExtensionPropertiesArgs,
    reflect,
    vk::{self, ObjectType},
    wire::{Arena, Command as _, CommandType, Decoder, IdentityResolver},
};

use crate::{
    commands::{Outcome, table},
    world::{World, new_ids},
};

/// The names that a guest is told.
pub(crate) fn offered(world: &mut World<'_>) -> Vec<String> {
    world.set_length("vkEnumerateDeviceExtensionProperties", "pPropertyCount", 512);
    let row = reflect::command(CommandType::ENUMERATE_DEVICE_EXTENSION_PROPERTIES).expect("it travels");
    let reply = world.send(row).outcome.expect("a list");
    let arena = Arena::default();
    let mut decoder = Decoder::new(&reply, &arena, &IdentityResolver);
    let reply = EnumerateDeviceExtensionPropertiesArgs::decode_reply(&mut decoder).expect("a reply");
    let name =
        |one: &vk::ExtensionProperties| one.extension_name_as_c_str().expect("a name").to_string_lossy().into_owned();
    reply.p_properties.iter().map(name).collect()
}

/// Checks what is offered: the extensions with these fates and no others.
fn check_offers(offers: Offers, fates: &[&str]) {
    let mock = Mock::offering(offers);
    let offered = offered(&mut World::new(&mock));
    let expected: Vec<String> = table("extensions")
        .into_iter()
        .filter(|(_, fate)| fates.contains(&fate.as_str()))
        .map(|(name, _)| name)
        .collect();
    let mut sorted = offered;
    sorted.sort();
    assert_eq!(sorted, expected);
    mock.assert_clean();
}

#[test]
fn extensions_are_offered_as_the_page_says() {
    assert_eq!(table("extensions").len(), 200);
    check_offers(Offers::default(), &["offered", "offered always", "offered unless"]);
    // Memory is not shared as dma-buf.
    check_offers(Offers::default().without("VK_KHR_external_memory_fd"), &["offered", "offered always"]);
    // A driver that has nothing but what the host cannot do without.
    let bare = Offers { extensions: vec![("VK_EXT_external_memory_host".to_owned(), 1)], ..Offers::default() };
    check_offers(bare, &["offered always"]);
}

/// A driver without SYNC_FD, sparse binding and dma-buf, as on a Mac.
fn poor() -> Offers {
    let mut offers = Offers { sync_fd: false, sparse: false, ..Offers::default() };
    offers.extensions.retain(|(name, _)| !name.contains("external_") || name == "VK_EXT_external_memory_host");
    offers
}

#[test]
fn a_driver_without_descriptors_is_called_the_same() {
    let mock = Mock::offering(poor());
    let treatments = table("treatments");
    for row in reflect::commands() {
        let mut world = World::new(&mock);
        let sent = world.send(row);
        let outcome = Outcome::of(&world, &sent);
        let treatment = treatments[row.command.name()].as_str();
        match treatment {
            "forward" | "create" | "destroy" if row.command != CommandType::FREE_MEMORY => {
                assert_eq!(outcome, Outcome::Forwarded, "{}", row.command);
            }
            "handler" if row.command != CommandType::WAIT_VIRTQUEUE_SEQNO_MESA => {
                assert!(!matches!(outcome, Outcome::Refused(_)), "{}: {outcome:?}", row.command);
            }
            _ => {}
        }
        drop(world);
        mock.assert_clean();
    }
}

#[test]
fn what_the_driver_lacks_is_left_out() {
    for row in reflect::commands().filter(|row| row.command.name().starts_with("vkCmd")) {
        let name = row.command.name();
        let mut offers = Offers::default();
        offers.lacks.insert(name);
        let mock = Mock::offering(offers);
        let mut world = World::new(&mock);
        let sent = world.send(row);
        // The driver may have been asked for its limits.
        let mut called = sent.notes.iter().filter(|note| note.command != "vkGetPhysicalDeviceProperties2");
        assert!(sent.outcome.is_ok() && called.next().is_none(), "{name}: {:?}", sent.notes);
        drop(world);
        mock.assert_clean();
    }
}

/// What a command for three pipelines leaves, if the driver makes the first and the last and returns `result`: how many
/// exist, and the ids in the reply.
fn partial(command: CommandType, result: vk::Result) -> (usize, Vec<bool>) {
    let mock = Mock::take();
    let mut world = World::new(&mock);
    world.set_length(command.name(), "createInfoCount", 3);
    let row = reflect::command(command).expect("it travels");
    let request = world.request(row, None);
    let before = mock.census().of(ObjectType::PIPELINE);
    mock.fail(command.name(), result);
    mock.keep(&[0, 2]);
    let sent = world.submit(request);
    mock.forgive();
    let reply = sent.outcome.unwrap_or_else(|error| panic!("{command}: {error}"));
    assert_eq!(reply[4..8], result.as_raw().to_le_bytes(), "{command}");
    let ids = reply[16..].chunks_exact(8).map(|id| u64::from_le_bytes(id.try_into().expect("eight bytes")));
    let ids: Vec<u64> = ids.collect();
    let asked = new_ids(&sent.request);
    assert!(ids.iter().zip(&asked).all(|(told, asked)| *told == 0 || told == asked), "{ids:?} for {asked:?}");
    let after = mock.census().of(ObjectType::PIPELINE);
    assert_eq!(after.0 - before.0, 2, "the driver made two");
    // What the guest was not told can be destroyed all the same: it may not have asked.
    for (told, asked) in ids.iter().zip(&asked).filter(|(told, _)| **told != 0) {
        let sent = world.send_with(CommandType::DESTROY_PIPELINE, ObjectType::PIPELINE, *asked);
        assert!(sent.outcome.is_ok(), "{told}");
    }
    let kept = ids.iter().filter(|id| **id != 0).count();
    if let Some((_, untold)) = ids.iter().zip(&asked).find(|(told, _)| **told == 0) {
        let sent = world.send_with(CommandType::DESTROY_PIPELINE, ObjectType::PIPELINE, *untold);
        assert!(sent.outcome.is_ok() && sent.notes.is_empty(), "{command}: {untold} exists");
    }
    drop(world);
    mock.assert_clean();
    (kept, ids.iter().map(|id| *id != 0).collect())
}

#[test]
fn some_of_several_pipelines() {
    for command in [
        CommandType::CREATE_GRAPHICS_PIPELINES,
        CommandType::CREATE_COMPUTE_PIPELINES,
        CommandType::CREATE_RAY_TRACING_PIPELINES_KHR,
    ] {
        let compile_required = partial(command, vk::Result::PIPELINE_COMPILE_REQUIRED_EXT);
        assert_eq!(compile_required, (2, vec![true, false, true]), "{command}");
        // Each pipeline exists on its own account, also where another one fails.
        let failed = partial(command, vk::Result::ERROR_OUT_OF_HOST_MEMORY);
        assert_eq!(failed, (2, vec![true, false, true]), "{command}");
    }
}

#[test]
fn allocations_that_fail_have_no_ids() {
    let mock = Mock::take();
    for command in [CommandType::ALLOCATE_COMMAND_BUFFERS, CommandType::ALLOCATE_DESCRIPTOR_SETS] {
        let mut world = World::new(&mock);
        let request = world.request(reflect::command(command).expect("it travels"), None);
        mock.fail(command.name(), vk::Result::ERROR_OUT_OF_POOL_MEMORY);
        let sent = world.submit(request);
        mock.forgive();
        let reply = sent.outcome.unwrap_or_else(|error| panic!("{command}: {error}"));
        assert_eq!(reply[16..], [0; 8], "{command}");
        drop(world);
        mock.assert_clean();
    }
}

/// The calls that a command to copy the results of queries becomes: the flags of each.
fn copies(driver: i32, flags: u64) -> Vec<u32> {
    let mock = Mock::offering(Offers { driver, ..Offers::default() });
    let mut world = World::new(&mock);
    world.set_number("vkCmdCopyQueryPoolResults", "flags", flags);
    let sent = world.send(reflect::command(CommandType::CMD_COPY_QUERY_POOL_RESULTS).expect("it travels"));
    assert!(sent.outcome.is_ok(), "{:?}", sent.outcome);
    // They are what the command ends with.
    let flags = |note: &mock_driver::Note| {
        let last = note.request.last_chunk().expect("a request");
        u32::from_le_bytes(*last)
    };
    let flags = sent.notes.iter().filter(|note| note.command == "vkCmdCopyQueryPoolResults").map(flags).collect();
    drop(world);
    mock.assert_clean();
    flags
}

#[test]
fn lavapipe_writes_results_before_it_says_that_they_are_there() {
    let (wide, waits, available) = (0x1, 0x2, 0x4);
    let lavapipe = vk::DriverId::MESA_LLVMPIPE.as_raw();
    assert_eq!(copies(lavapipe, wide | waits | available), [0x3, 0x7]);
    assert_eq!(copies(lavapipe, wide), [0x1]);
    assert_eq!(copies(0, wide | waits | available), [0x7]);
}

/// Commands of physical devices, and the extensions of which the device has to have one.
const OF_EXTENSIONS: &[(CommandType, &[&str])] = &[
    (
        CommandType::GET_PHYSICAL_DEVICE_CALIBRATEABLE_TIME_DOMAINS_KHR,
        &["VK_KHR_calibrated_timestamps", "VK_EXT_calibrated_timestamps"],
    ),
    (CommandType::GET_PHYSICAL_DEVICE_FRAGMENT_SHADING_RATES_KHR, &["VK_KHR_fragment_shading_rate"]),
    (CommandType::GET_PHYSICAL_DEVICE_MULTISAMPLE_PROPERTIES_EXT, &["VK_EXT_sample_locations"]),
    (CommandType::GET_PHYSICAL_DEVICE_COOPERATIVE_MATRIX_PROPERTIES_KHR, &["VK_KHR_cooperative_matrix"]),
    (CommandType::GET_PHYSICAL_DEVICE_DESCRIPTOR_SIZE_EXT, &["VK_EXT_descriptor_heap"]),
];

#[test]
fn an_entry_point_that_the_loader_has_is_no_extension_of_the_device() {
    for (command, extensions) in OF_EXTENSIONS {
        let lacking = extensions.iter().fold(Offers::default(), |offers, name| offers.without(name));
        for (offers, calls) in [(Offers::default(), 1), (lacking, 0)] {
            let mock = Mock::offering(offers);
            let mut world = World::new(&mock);
            let sent = world.send(reflect::command(*command).expect("it travels"));
            assert!(sent.outcome.is_ok(), "{command}: {:?}", sent.outcome);
            assert_eq!(sent.notes.len(), calls, "{command}: {:?}", sent.notes);
            drop(world);
            mock.assert_clean();
        }
    }
}
