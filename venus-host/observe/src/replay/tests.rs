//! Replays of recordings that no guest has made.

use std::fs;

use venus_host::{
    HostError,
    driver::Config,
    endpoint::{BlobRequest, Command, Observer as _, Outcome, Place, Source},
    resource::{BlobFlags, ResourceId},
};
use venus_protocol::wire::{CommandHeader, CommandType};

use super::*;
use crate::recording::{Recorder, Settings};

const RING: u64 = 0x10;

fn options() -> Options {
    Options { driver: Config::default(), paced: false, until: None, stall: Duration::from_secs(10), images: None }
}

/// A recording of what `tell` tells its recorder.
fn recorded(tell: impl FnOnce(&Recorder)) -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    let settings = Settings::new(folder.path()).memory(true);
    let recorder = Recorder::create(&settings, "made up", &Config::default()).unwrap();
    tell(&recorder);
    let path = recorder.path().to_owned();
    drop(recorder);
    fs::read(path).unwrap()
}

fn replay_bytes(bytes: &[u8], options: &Options) -> Result<Report, ReplayError> {
    let bytes = bytes.to_vec();
    replay(move || Reader::new(io::Cursor::new(bytes.clone())), options, &mut |_| {})
}

fn words(words: &[u32]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_le_bytes()).collect()
}

/// A command that ended well, with this reply.
fn tell(recorder: &Recorder, source: Source, request: &[u32], reply: &[u8]) {
    let place = begin(recorder, source, request);
    recorder.endpoint(source, true).unwrap().end(place, Outcome::Done, reply);
}

fn begin(recorder: &Recorder, source: Source, request: &[u32]) -> Place {
    let place = Place { source, depth: 0, position: 0 };
    let header = CommandHeader { command: CommandType(request[0]), flags: request[1] };
    let request = words(request);
    recorder.endpoint(source, true).unwrap().begin(&Command::new(place, header, &request));
    place
}

/// Plain shared memory.
fn shared_memory(id: u32, size: u64) -> BlobRequest {
    BlobRequest::new(ResourceId(id), BlobFlags::MAPPABLE, 0, size)
}

/// A shared-memory resource 1 and a ring in it.
fn tell_of_a_ring(recorder: &Recorder) {
    // Only its failure would be looked at.
    let blob = crate::test_memory::shared_memory(4096);
    recorder.blob(&shared_memory(1, 4096), Ok(&blob));
    let mut command = vec![CommandType::CREATE_RING_MESA.0, 0, RING as u32, 0, 1, 0, 1_000_384_000, 0, 0, 0, 1];
    for value in [0, 4096, 1_000_000, 0, 64, 128, 192, 1024, 1216, 4] {
        command.extend([value, 0]);
    }
    tell(recorder, Source::Direct, &command, &[]);
}

#[test]
fn a_command_that_does_not_end_is_a_stall() {
    let bytes = recorded(|recorder| {
        tell_of_a_ring(recorder);
        // Nothing lets the ring continue, whatever the recording says.
        tell(recorder, Source::Ring(RING), &[CommandType::WAIT_VIRTQUEUE_SEQNO_MESA.0, 0, 1, 0], &[]);
        begin(recorder, Source::Direct, &[CommandType::NOTIFY_RING_MESA.0, 0, RING as u32, 0, 0, 0]);
    });
    let stalled = replay_bytes(&bytes, &Options { stall: Duration::from_millis(100), ..options() });
    let Err(ReplayError::Stalled { what, waits_for, .. }) = stalled else { panic!("no stall: {stalled:?}") };
    assert_eq!((&*what, &*waits_for), ("#1 vkWaitVirtqueueSeqnoMESA", "a direct submission"));
}

#[test]
fn a_fence_that_does_not_retire_is_a_stall() {
    let bytes = recorded(|recorder| {
        tell_of_a_ring(recorder);
        recorder.retired(7);
        begin(recorder, Source::Direct, &[CommandType::NOTIFY_RING_MESA.0, 0, RING as u32, 0, 0, 0]);
    });
    let stalled = replay_bytes(&bytes, &Options { stall: Duration::from_millis(100), ..options() });
    let Err(ReplayError::Stalled { what, .. }) = stalled else { panic!("no stall: {stalled:?}") };
    assert_eq!(what, "fence 7");
}

#[test]
fn what_comes_out_otherwise_is_told() {
    let bytes = recorded(|recorder| {
        // A resource of no bytes cannot be had.
        recorder.blob(&shared_memory(2, 0), Err(&HostError::Unsupported("the context is being destroyed".into())));
        recorder.blob(&shared_memory(3, 4096), Err(&HostError::Unsupported("the context is being destroyed".into())));
        tell_of_a_ring(recorder);
        // No reply stream is set, so this ends the context.
        tell(recorder, Source::Ring(RING), &[CommandType::SEEK_REPLY_COMMAND_STREAM_MESA.0, 0, 8, 0], &[]);
        tell(recorder, Source::Ring(RING), &[CommandType::SEEK_REPLY_COMMAND_STREAM_MESA.0, 0, 8, 0], &[]);
        recorder.left();
    });
    let report = replay_bytes(&bytes, &options()).unwrap();
    assert!(!report.is_equal(false), "{report}");
    let found: Vec<_> = report.results.iter().map(|one| (one.number, one.what, &*one.expected)).collect();
    assert_eq!(
        found,
        [
            (None, "creating a resource", "the context is being destroyed"),
            (Some(1), "vkSeekReplyCommandStreamMESA", "done")
        ],
        "{report}"
    );
    assert!(report.lost.is_some());
}

#[test]
fn bytes_that_are_no_commands_do_no_harm() {
    for request in [
        &[u32::MAX, 0][..],
        &[CommandType::QUEUE_SUBMIT.0, 1, 7, 0, u32::MAX, u32::MAX],
        &[CommandType::EXECUTE_COMMAND_STREAMS_MESA.0, 0, 1, u32::MAX, u32::MAX],
        &[CommandType::GET_DEVICE_QUEUE2.0, 0, 0, 0],
        &[CommandType::ALLOCATE_MEMORY.0, 0],
        &[CommandType::CMD_COPY_IMAGE_TO_BUFFER.0, 0, 1, 0],
    ] {
        let bytes = recorded(|recorder| tell(recorder, Source::Direct, request, b"no reply either"));
        let images = Some(PathBuf::from("/nonexistent"));
        let report = replay_bytes(&bytes, &Options { images, ..options() }).unwrap();
        let is_unrolled = request[0] == CommandType::EXECUTE_COMMAND_STREAMS_MESA.0;
        assert_eq!(report.is_equal(false), is_unrolled, "{request:?}: {report}");
    }
}

#[test]
fn memory_and_resources_that_are_not_there_are_noted() {
    let bytes = recorded(|recorder| {
        recorder.unref(ResourceId(9));
        recorder.unref(ResourceId(0));
        let number = recorder.fence(70);
        recorder.retired(number);
        let number = recorder.fence(3);
        recorder.retired(number);
    });
    let report = replay_bytes(&bytes, &options()).unwrap();
    assert_eq!((report.fences, report.fences_different), (2, 0), "{report}");
    assert!(report.notes.iter().any(|note| note.contains("ring_idx 70")), "{report}");
    assert!(report.notes.iter().any(|note| note.contains("no queue is bound to ring_idx 3")), "{report}");
}

#[test]
fn an_address_that_nobody_asked_for_ends_the_replay() {
    let trace = [CommandType::CMD_TRACE_RAYS_INDIRECT2_KHR.0, 0, 5, 0, 0x1000, 0x7f];
    let bytes = recorded(|recorder| {
        tell_of_a_ring(recorder);
        tell(recorder, Source::Direct, &trace, &[]);
        tell(recorder, Source::Ring(RING), &trace, &[]);
        recorder.left();
    });
    let stopped = replay_bytes(&bytes, &options()).unwrap_err().to_string();
    let expected = "#1 vkCmdTraceRaysIndirect2KHR names memory by the address 0x7f00001000 \
                    (vkCmdTraceRaysIndirect2KHR.indirectDeviceAddress), which the program never asked for";
    assert!(stopped.starts_with(expected) && stopped.ends_with("--until #0"), "{stopped}");
}
