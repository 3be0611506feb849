//! A command as large as programs have been seen to send.

use std::os::unix::fs::FileExt;

use mock_driver::Mock;
use venus_guest::bare::{bytes, command};
use venus_host::{
    driver::PipelineCaches,
    resource::{BlobFlags, ResourceId},
};
use venus_protocol::{reflect, wire::CommandType};

use crate::world::{World, config, file, silent};

/// A resource that the worlds here do not use for themselves.
const UPLOAD: u32 = 6000;

/// Bytes of data that every host took before.
const SHORT: usize = 0x1_0004;

/// Bytes of data that are more than a quarter of a gibibyte.
const LONG: usize = (256 << 20) + 140;

/// A request for a pipeline cache, up to the size of its data, and from the data's end on.
pub(crate) fn around_data(world: &mut World<'_>) -> (Vec<u8>, Vec<u8>) {
    world.set_length("VkPipelineCacheCreateInfo", "initialDataSize", SHORT as u64);
    let row = reflect::command(CommandType::CREATE_PIPELINE_CACHE).expect("it travels");
    let request = silent(world.request(row, None));
    let size = (SHORT as u64).to_le_bytes();
    let at = request.windows(8).position(|word| word == size).expect("the size");
    (request[..at].to_vec(), request[at + 16 + SHORT..].to_vec())
}

#[test]
fn a_pipeline_cache_of_a_quarter_gibibyte_travels() {
    let mock = Mock::take();
    let mut world = World::with(&mock, config(&mock).pipeline_caches(PipelineCaches::Trusted));
    let (mut before, after) = around_data(&mut world);
    before.extend([LONG as u64; 2].iter().flat_map(|size| size.to_le_bytes()));
    let len = before.len() + LONG + after.len();
    let size = len.next_multiple_of(4096);
    let blob = world.context.create_blob(ResourceId(UPLOAD), BlobFlags::MAPPABLE, 0, size as u64);
    let file = file(&blob.expect("shared memory"));
    file.write_all_at(&before, 0).expect("it is writable");
    file.write_all_at(&after, (before.len() + LONG) as u64).expect("it is writable");
    mock.notes();
    let executed = world.context.submit(&bytes(&command::execute(UPLOAD, 0, len, None)));
    assert!(executed.is_ok(), "{executed:?}");
    let notes = mock.notes();
    assert!(notes.len() == 1 && notes[0].request.len() > LONG, "{} bytes", notes[0].request.len());
    drop(world);
    mock.assert_clean();
}
