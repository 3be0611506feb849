//! Recordings of guests that need no driver, replayed: whole, cut, damaged.

use std::{fs, io::Cursor, iter, os::unix::net::UnixStream, path::Path, thread, time::Duration};

use venus_guest::bare::{Guest, STATUS_FATAL, command, message, until};
use venus_host::{
    driver::Config,
    vtest::{SessionOptions, serve_connection},
};
use venus_observe::{
    recording::{self, Ending, Event, Reader},
    replay::{Options, ReplayError, Report, replay},
};
use venus_protocol::wire::CommandType;

/// Replays of these recordings take milliseconds; whatever takes this long hangs.
const STALL: Duration = Duration::from_secs(5);

fn options() -> Options {
    Options::new(Config::default()).stall(STALL)
}

/// What a guest does, as a recording.
fn record(guest: impl FnOnce(&mut Guest)) -> Vec<u8> {
    record_in_view(|connection, _| guest(connection))
}

/// The same of a guest that sees the folder of its recording.
fn record_in_view(guest: impl FnOnce(&mut Guest, &Path)) -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    let settings = recording::Settings::new(folder.path()).memory(true).immediate(true);
    let observe = venus_observe::Settings::new(Some(settings), None);
    let session = SessionOptions::default().observers(move |name, driver| observe.observers(name, driver));
    let (ours, theirs) = UnixStream::pair().unwrap();
    let host = thread::spawn(move || drop(serve_connection(theirs, session)));
    let mut connection = Guest::over(ours);
    connection.shake_hands();
    guest(&mut connection, folder.path());
    drop(connection);
    host.join().unwrap();
    only_file(folder.path())
}

fn only_file(folder: &Path) -> Vec<u8> {
    let paths: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert_eq!(paths.len(), 1, "{paths:?}");
    fs::read(&paths[0]).unwrap()
}

/// A guest with two rings that wait for each other, replies, indirect streams, resources and fences.
fn busy(guest: &mut Guest) {
    let mut one = guest.create_ring(1, 4096);
    let mut other = guest.create_ring(2, 4096);
    let (reply, _replies) = guest.create_shmem(4096);
    let (stream, memory) = guest.create_shmem(4096);
    // With a reply, in a stream of its own.
    let seek = command::asking(command::seek_reply_stream(8));
    memory.set_words(0, &seek);
    for round in 1..=3 {
        one.send(&command::set_reply_stream(reply, 0, 64));
        one.send(&command::wait_virtqueue_seqno(round));
        one.send(&command::asking(command::seek_reply_stream(0)));
        one.send(&command::execute(stream, 0, 4 * seek.len(), Some(16)));
        guest.notify(&one);
        guest.submit(&command::submit_virtqueue_seqno(1, round));
        guest.submit(&command::wait_ring_seqno(1, one.tail));
        other.send(&command::set_reply_stream(reply, 64, 64));
        guest.notify(&other);
        guest.submit_and_wait(&command::wait_ring_seqno(2, other.tail));
    }
    guest.send(&message::unref_resource(stream));
    // Makes the host wait until all of it is done.
    guest.submit_and_wait(&[]);
}

/// Commands that a replay executes: what names a stream is not executed itself, its commands are. How many there are
/// depends on whether a ring was idle when the guest looked.
fn executed(bytes: &[u8]) -> u64 {
    let mut reader = Reader::new(bytes).unwrap();
    let mut commands = 0;
    while let Some(record) = reader.next_record().unwrap() {
        let Event::Begin { request, .. } = record.event else { continue };
        let names_streams = request.first_chunk() == Some(&CommandType::EXECUTE_COMMAND_STREAMS_MESA.0.to_le_bytes());
        commands += u64::from(!names_streams);
    }
    // 2 rings; in each round 3 commands of the first, 1 of a stream, 2 direct ones and 1 of the other ring.
    assert!(commands >= 2 + 3 * 7, "the guest has done {commands} things only");
    commands
}

fn replay_bytes(bytes: &[u8], options: &Options) -> Result<Report, ReplayError> {
    let bytes = bytes.to_vec();
    replay(move || Reader::new(Cursor::new(bytes.clone())), options, &mut |_| {})
}

#[test]
fn everything_comes_out_as_it_was() {
    let bytes = record(busy);
    let report = replay_bytes(&bytes, &options()).unwrap();
    assert!(report.is_equal(true), "{report}");
    assert_eq!(report.ending, Some(Ending::Complete));
    assert_eq!(report.commands, executed(&bytes), "{report}");
    assert_eq!((report.replies_equal, report.fences), (6, 6), "{report}");
}

#[test]
fn a_recording_that_was_cut_is_replayed_up_to_there() {
    let bytes = record(busy);
    let whole = replay_bytes(&bytes, &options()).unwrap().commands;
    let mut most = 0;
    // The header has to be there; a reader says so otherwise.
    let readable = (0..bytes.len()).filter(|len| Reader::new(&bytes[..*len]).is_ok());
    for len in readable.step_by(97) {
        let report = replay_bytes(&bytes[..len], &options()).unwrap();
        assert!(report.is_equal(true), "cut at {len}: {report}");
        assert!(report.commands >= most && report.commands <= whole, "cut at {len}: {report}");
        assert_ne!(report.ending, Some(Ending::Complete), "cut at {len}");
        most = report.commands;
    }
    assert!(most > whole / 2, "{most} of {whole}");
}

#[test]
fn a_damaged_recording_ends_where_the_damage_is() {
    let bytes = record(busy);
    let mut damaged_ends = 0;
    for at in (100..bytes.len()).step_by(113) {
        let mut bytes = bytes.clone();
        bytes[at] ^= 0x40;
        // Without a header there is nothing to replay.
        let Ok(report) = replay_bytes(&bytes, &options()) else { continue };
        assert!(matches!(report.ending, Some(Ending::Damaged { .. } | Ending::Cut { .. })), "byte {at}: {report}");
        damaged_ends += 1;
    }
    assert!(damaged_ends > 10, "{damaged_ends}");
}

#[test]
fn a_lost_context_is_lost_again() {
    let bytes = record(|guest| {
        let mut ring = guest.create_ring(1, 4096);
        ring.send(&command::seek_reply_stream(7));
        guest.notify(&ring);
        until("the context is lost", || ring.status() & STATUS_FATAL != 0);
    });
    let report = replay_bytes(&bytes, &options()).unwrap();
    assert!(report.is_equal(true), "{report}");
    assert!(report.lost.as_ref().is_some_and(|reason| reason.contains("no reply stream is set")), "{report}");
}

/// Whether a command is in a recording in the making.
fn has_begun(bytes: &[u8]) -> bool {
    let Ok(mut reader) = Reader::new(bytes) else { return false };
    iter::from_fn(|| Some(matches!(reader.next_record().ok()??.event, Event::Begin { .. }))).any(|begins| begins)
}

#[test]
fn a_guest_that_left_in_the_middle_of_a_wait_is_replayed_to_the_end() {
    let bytes = record_in_view(|guest, folder| {
        let mut ring = guest.create_ring(1, 4096);
        ring.send(&command::wait_virtqueue_seqno(1));
        guest.notify(&ring);
        until("it waits", || has_begun(&only_file(folder)));
    });
    let report = replay_bytes(&bytes, &options()).unwrap();
    assert!(report.is_equal(true), "{report}");
    assert_eq!(report.commands, 1, "{report}");
}

#[test]
fn it_ends_where_it_is_told_to() {
    let bytes = record(busy);
    let report = replay_bytes(&bytes, &options().until(Some(1))).unwrap();
    assert_eq!((report.commands, report.ending), (2, None), "{report}");
}
