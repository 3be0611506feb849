//! Pipeline-cache data: the driver parses what it has written, and nothing else.

use mock_driver::Mock;
use venus_host::driver::{CacheKey, PipelineCaches};
use venus_protocol::{
    args::GetPipelineCacheDataArgs,
    vk,
    wire::{Arena, Command as _, CommandType, Decoder, IdentityResolver},
};

use crate::{
    large::around_data,
    world::{World, config, row},
};

/// Bytes behind the driver's data.
const TAG: usize = 32;

/// What the driver has in its caches: a header, and more.
fn data() -> Vec<u8> {
    (0..100).collect()
}

fn with(mock: &Mock, caches: PipelineCaches) -> World<'_> {
    World::with(mock, config(mock).pipeline_caches(caches))
}

fn checked(key: u8) -> PipelineCaches {
    PipelineCaches::Checked(CacheKey::new([key; CacheKey::BYTES]))
}

/// A request for a cache with this data.
fn request(world: &mut World<'_>, data: &[u8]) -> Vec<u8> {
    let (mut request, after) = around_data(world);
    request.extend([data.len() as u64; 2].iter().flat_map(|size| size.to_le_bytes()));
    request.extend(data);
    request.resize(request.len().next_multiple_of(4), 0);
    request.extend(after);
    request
}

/// Fails unless the driver is given `expected` when a guest brings `data`.
fn assert_given(world: &mut World<'_>, data: &[u8], expected: &[u8]) {
    let expected = request(world, expected);
    let expected = world.as_call(&expected);
    let request = request(world, data);
    let sent = world.submit(request);
    assert!(sent.outcome.is_ok(), "{:?}", sent.outcome);
    assert_eq!(sent.notes.len(), 1);
    assert_eq!(sent.notes[0].request, expected);
}

/// What a guest with so much room gets; without room it asks how much there is.
fn ask(world: &mut World<'_>, room: Option<usize>) -> (vk::Result, usize, Vec<u8>) {
    world.leave_out("vkGetPipelineCacheData", "pData", room.is_none());
    world.set_length("vkGetPipelineCacheData", "pDataSize", room.unwrap_or(0) as u64);
    let sent = world.send(row(CommandType::GET_PIPELINE_CACHE_DATA));
    let (reply, arena) = (sent.outcome.expect("a reply"), Arena::default());
    let mut decoder = Decoder::new(&reply, &arena, &IdentityResolver);
    let told = GetPipelineCacheDataArgs::decode_reply(&mut decoder).expect("a reply");
    (told.returned, *told.p_data_size.expect("a size"), told.p_data.to_vec())
}

/// The data as a guest of this host gets it.
fn tagged(world: &mut World<'_>) -> Vec<u8> {
    world.mock.fill_caches(&data());
    ask(world, Some(data().len() + TAG)).2
}

#[test]
fn what_a_guest_gets_has_a_tag_behind_it_and_comes_back_without() {
    let mock = Mock::take();
    let mut world = with(&mock, checked(1));
    let mut all = tagged(&mut world);
    assert_eq!((all.len(), &all[..data().len()]), (data().len() + TAG, &data()[..]));
    assert_given(&mut world, &all, &data());
    // Another guest of the same host, as after its restart.
    drop(world);
    let mut world = with(&mock, checked(1));
    assert_given(&mut world, &all, &data());
    all.clear();
    assert_given(&mut world, &all, &[]);
    drop(world);
    mock.assert_clean();
}

#[test]
fn whatever_else_a_guest_brings_is_an_empty_cache() {
    let mock = Mock::take();
    let mut world = with(&mock, checked(1));
    let all = tagged(&mut world);
    let mut forged = all.clone();
    forged[40] ^= 1;
    let mut other_tag = all.clone();
    other_tag[all.len() - 1] ^= 0x80;
    let longer = [&all[..], &[0; 4]].concat();
    let inserted = [&all[..60], &[0; 4], &all[60..]].concat();
    let nothing_but_a_tag = vec![7; TAG];
    let cut = [all.len() - 1, all.len() - TAG, data().len() - 4, TAG, 4, 1].map(|len| all[..len].to_vec());
    for brought in [forged, other_tag, longer, inserted, nothing_but_a_tag, data()].into_iter().chain(cut) {
        assert_given(&mut world, &brought, &[]);
    }
    drop(world);
    // A host with another key.
    let mut world = with(&mock, checked(2));
    assert_given(&mut world, &all, &[]);
    drop(world);
    mock.assert_clean();
}

#[test]
fn whoever_trusts_guests_gives_everything_to_the_driver() {
    let mock = Mock::take();
    let mut world = with(&mock, PipelineCaches::Trusted);
    world.mock.fill_caches(&data());
    assert_eq!(ask(&mut world, None), (vk::Result::SUCCESS, data().len(), Vec::new()));
    assert_eq!(ask(&mut world, Some(data().len())), (vk::Result::SUCCESS, data().len(), data()));
    for brought in [data(), vec![1; 7], vec![2; 200]] {
        assert_given(&mut world, &brought, &brought);
    }
    drop(world);
    mock.assert_clean();
}

#[test]
fn sizes_include_the_tag_and_incomplete_data_has_one() {
    let mock = Mock::take();
    let mut world = with(&mock, checked(1));
    world.mock.fill_caches(&data());
    let len = data().len();
    assert_eq!(ask(&mut world, None), (vk::Result::SUCCESS, len + TAG, Vec::new()));
    for room in [len + TAG, len + TAG + 1, 4096] {
        let (result, size, all) = ask(&mut world, Some(room));
        assert_eq!((result, size, &all[..len]), (vk::Result::SUCCESS, len + TAG, &data()[..]));
    }
    // No driver writes less than a header, and nobody a tag behind nothing.
    for room in [1, TAG, TAG + 1, TAG + 31] {
        assert_eq!(ask(&mut world, Some(room)), (vk::Result::INCOMPLETE, 0, Vec::new()), "{room}");
    }
    for room in [TAG + 32, len, len + TAG - 1] {
        let (result, size, part) = ask(&mut world, Some(room));
        assert_eq!((result, size, part.len()), (vk::Result::INCOMPLETE, room, room));
        assert_eq!(part[..room - TAG], data()[..room - TAG]);
        assert_given(&mut world, &part, &data()[..room - TAG]);
    }
    world.mock.fill_caches(&[]);
    assert_eq!(ask(&mut world, None), (vk::Result::SUCCESS, 0, Vec::new()));
    assert_eq!(ask(&mut world, Some(100)), (vk::Result::SUCCESS, 0, Vec::new()));
    drop(world);
    mock.assert_clean();
}

#[test]
fn what_a_failing_driver_leaves_has_no_tag() {
    let mock = Mock::take();
    let mut world = with(&mock, checked(1));
    // Before, so that it does not fail, too.
    world.object(vk::ObjectType::PIPELINE_CACHE);
    mock.fail("vkGetPipelineCacheData", vk::Result::ERROR_OUT_OF_HOST_MEMORY);
    for room in [None, Some(132)] {
        let (result, size, data) = ask(&mut world, room);
        assert_eq!((result, size), (vk::Result::ERROR_OUT_OF_HOST_MEMORY, room.unwrap_or(0)));
        assert!(data.iter().all(|byte| *byte == 0));
    }
    mock.forgive();
    drop(world);
    mock.assert_clean();
}
