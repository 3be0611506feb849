//! The vtest socket, message by message, against a host on a thread of this process. No Vulkan driver is needed.

use std::{
    io::Write,
    os::unix::net::UnixStream,
    thread::{self, JoinHandle},
    time::Duration,
};

use venus_guest::{
    BlobFlags,
    bare::{Guest, PATIENCE, STATUS_ALIVE, STATUS_FATAL, Waited, bytes, command, message, until},
};
use venus_host::vtest::{SessionOptions, Summary, serve_connection};

/// A connection to a host on a thread of this process.
fn start() -> (Guest, JoinHandle<Summary>) {
    let (ours, theirs) = UnixStream::pair().unwrap();
    let host = thread::spawn(move || serve_connection(theirs, SessionOptions::default()));
    (Guest::over(ours), host)
}

#[test]
fn the_handshake_byte_for_byte() {
    let (mut guest, host) = start();
    let to_host = [
        // CREATE_RENDERER; its length counts bytes, and nothing pads the name
        &[0x09, 0x00, 0x00, 0x00, 0x08, 0x00, 0x00, 0x00, b'v', b'k', b'c', b'u', b'b', b'e', b'-', b'1', 0][..],
        // PING, then the probe that tells old servers apart
        &bytes(&[0x0000_0000, 0x0000_000a]),
        &bytes(&[0x0000_0002, 0x0000_0007, 0, 0]),
        &bytes(&[0x0000_0001, 0x0000_000b, 0x0000_0003]),
        // MAX_TIMELINE_COUNT, the Venus capset, CONTEXT_INIT
        &bytes(&[0x0000_0001, 0x0000_000f, 0x0000_0001]),
        &bytes(&[0x0000_0002, 0x0000_0010, 0x0000_0004, 0x0000_0000]),
        &bytes(&[0x0000_0001, 0x0000_0011, 0x0000_0004]),
    ];
    for message in to_host {
        guest.socket.write_all(message).unwrap();
    }
    assert_eq!(guest.receive(2), [0x0000_0000, 0x0000_000a]);
    assert_eq!(guest.receive(3), [0x0000_0001, 0x0000_0007, 0x0000_0000]);
    assert_eq!(guest.receive(3), [0x0000_0001, 0x0000_000b, 0x0000_0003]);
    assert_eq!(guest.receive(4), [0x0000_0002, 0x0000_000f, 0x0000_0001, 0x0000_0040]);
    assert_eq!(guest.receive(3), [0x0000_0029, 0x0000_0010, 0x0000_0001]);
    let capset = guest.receive(40);
    assert_eq!(capset[..5], [1, 0x0040_4165, 1, 4, 1]);
    assert_eq!(capset[37..], [1, 1, 0]);

    // The first resource: a ring's memory.
    let (id, memory) = guest.create_shmem(131_268);
    assert_eq!(id, 1);
    assert_eq!(memory.word(131_264), 0);
    drop(guest);
    host.join().unwrap();
}

#[test]
fn a_message_may_come_in_any_pieces() {
    let (mut guest, _host) = start();
    let mut stream = bytes(&[4, 8]);
    stream.extend(b"abc\0");
    stream.extend(bytes(&message::protocol_version(9)));
    for byte in stream {
        guest.socket.write_all(&[byte]).unwrap();
    }
    assert_eq!(guest.receive(3), [1, 11, 3], "the older of both versions");
}

#[test]
fn unknown_parameters_and_capsets_are_not_there() {
    let (mut guest, _host) = start();
    guest.shake_hands();
    guest.send(&message::get_param(2));
    assert_eq!(guest.receive(4), [2, 15, 0, 0]);
    guest.send(&message::get_capset(2, 0));
    assert_eq!(guest.receive(3), [1, 16, 0]);
    guest.send(&message::get_capset(4, 1));
    assert_eq!(guest.receive(3), [1, 16, 0]);
    // It may come again.
    guest.send(&message::context_init(4));
    guest.ping();
}

#[test]
fn what_breaks_the_protocol_ends_the_connection() {
    for (what, shake_hands, message) in [
        ("no CREATE_RENDERER first", false, &[0, 10][..]),
        ("a second CREATE_RENDERER", true, &[4, 8, 0]),
        ("another capset", true, &[1, 17, 2]),
        ("a virgl request", true, &[0, 1]),
        ("a length that is too large", true, &[0xffff_ffff, 24]),
        ("a length that is wrong", true, &[2, 11, 3, 3]),
        ("memory of the guest", true, &[6, 18, 1, 1, 4096, 0, 0, 0]),
        ("an unknown sync", true, &[1, 21, 77]),
        ("no batches", true, &[1, 24, 0]),
        ("a batch outside its message", true, &[7, 24, 1, 1, 7, 1, 0, 0, 0]),
    ] {
        let (mut guest, host) = start();
        if shake_hands {
            guest.shake_hands();
        }
        guest.send(message);
        assert!(guest.is_reset(), "{what}");
        host.join().unwrap();
    }
}

#[test]
fn requests_that_need_a_context_wait_for_one() {
    for message in [
        message::create_blob(BlobFlags::MAPPABLE, 0, 4096),
        message::submit(&[], Some(0), None),
        message::unref_resource(1),
    ] {
        let (mut guest, _host) = start();
        guest.create_renderer("");
        guest.send(&message);
        assert!(guest.is_closed(), "{message:?}");
    }
}

#[test]
fn resources_come_and_go() {
    let (mut guest, _host) = start();
    guest.shake_hands();
    let (first, _) = guest.create_shmem(4096);
    let (second, memory) = guest.create_shmem(8192);
    assert_eq!((first, second), (1, 2));
    for resource in [first, 99, first] {
        guest.send(&message::unref_resource(resource));
    }
    let (third, _) = guest.create_shmem(4096);
    assert_eq!(third, first, "ids are used again");
    guest.send(&message::unref_resource(second));
    guest.ping();
    memory.set_word(8188, 1);
}

#[test]
fn syncs_are_signalled_by_writes_and_fences() {
    let (mut guest, _host) = start();
    guest.shake_hands();
    let sync = guest.create_sync(3);
    assert!(guest.wait_sync(sync, 3, Duration::ZERO));
    assert!(!guest.wait_sync(sync, 4, Duration::from_millis(5)));
    guest.send(&message::write_sync(sync, 0x1_0000_0000));
    assert_eq!(guest.read_sync(sync), 0x1_0000_0000);
    assert!(guest.wait_sync(sync, 0x1_0000_0000, Duration::ZERO));
    // An empty submission with a fence on the CPU's timeline, and one that names no timeline.
    guest.send(&message::submit(&[], Some(0), Some((sync, 7))));
    guest.send(&message::submit(&[], None, Some((sync, 8))));
    assert_eq!(guest.read_sync(sync), 8);
}

#[test]
fn polls_and_abandoned_waits_cost_nothing_for_long() {
    let (mut guest, _host) = start();
    guest.shake_hands();
    let sync = guest.create_sync(0);
    for _ in 0..5_000 {
        assert_eq!(guest.sync_event_within(sync, 1, 0).state(), Waited::Pending);
        assert_eq!(guest.sync_event_within(sync, 1, 60_000).state(), Waited::Pending);
        assert_eq!(guest.sync_event_within(sync, 0, 0).state(), Waited::Done);
    }
}

#[test]
fn many_may_wait_at_a_time() {
    let (mut guest, _host) = start();
    guest.shake_hands();
    let syncs = [guest.create_sync(0), guest.create_sync(0)];
    let events: Vec<_> = (0..1_000).map(|index| guest.sync_event_within(syncs[index % 2], 1, 2_000)).collect();
    for (first, sync) in syncs.into_iter().enumerate() {
        assert!(events.iter().skip(first).step_by(2).all(|event| event.state() == Waited::Pending));
        guest.send(&message::write_sync(sync, 1));
        assert!(events.iter().skip(first).step_by(2).all(|event| event.wait(PATIENCE) == Waited::Done));
    }
}

#[test]
fn whoever_waits_hears_of_the_hosts_end() {
    let (mut guest, host) = start();
    guest.shake_hands();
    let sync = guest.create_sync(0);
    let (waits, polls) = (guest.sync_event(sync, 1), guest.sync_event_within(sync, 1, 0));
    guest.send(&[0, 0]);
    assert!(guest.is_closed());
    host.join().unwrap();
    assert_eq!((waits.wait(PATIENCE), polls.wait(PATIENCE)), (Waited::Lost, Waited::Lost));
}

#[test]
fn one_wait_may_be_for_very_many() {
    const SYNCS: u32 = 10_000;
    let (mut guest, _host) = start();
    guest.shake_hands();
    let syncs: Vec<_> = (0..SYNCS).map(|_| guest.create_sync(1)).collect();
    guest.send(&[2 + 3 * SYNCS, 23, 0, u32::MAX]);
    for sync in syncs {
        guest.send(&[sync, 1, 0]);
    }
    assert_eq!(guest.receive(2), [0, 23]);
    guest.receive_fd();
}

#[test]
fn a_ring_executes_and_replies() {
    let (mut guest, host) = start();
    guest.shake_hands();
    let mut ring = guest.create_ring(0x7f12_3456_7890, 4096);
    let (reply_resource, reply) = guest.create_shmem(4096);
    for round in 0..100 {
        // Itself with a reply.
        ring.send(&command::asking(command::set_reply_stream(reply_resource, 16, 8)));
        guest.notify(&ring);
        ring.until_drained();
        assert_eq!(reply.word(16), 178, "round {round}");
        reply.set_word(16, 0);
    }
    until("alive", || ring.status() & STATUS_ALIVE != 0);
    guest.submit_and_wait(&command::write_ring_extra(ring.id, 0, 0xcafe));
    assert_eq!(ring.extra(), 0xcafe);
    guest.submit_and_wait(&command::destroy_ring(ring.id));
    guest.send(&message::unref_resource(ring.resource));
    assert_eq!(ring.status() & STATUS_FATAL, 0);
    drop(guest);
    host.join().unwrap();
}

#[test]
fn indirect_streams_are_executed_from_a_copy_and_not_nested() {
    let (mut guest, _host) = start();
    guest.shake_hands();
    let mut ring = guest.create_ring(1, 4096);
    let (upload, commands) = guest.create_shmem(4096);
    let (reply_resource, reply) = guest.create_shmem(4096);
    let stream = [
        command::asking(command::set_reply_stream(reply_resource, 0, 64)),
        command::asking(command::seek_reply_stream(32)),
    ]
    .concat();
    commands.set_words(64, &stream);
    let execute = command::execute(upload, 64, 4 * stream.len(), None);
    ring.send(&execute);
    guest.notify(&ring);
    ring.until_drained();
    assert_eq!((reply.word(0), reply.word(32)), (178, 179));

    commands.set_words(1024, &execute);
    ring.send(&command::execute(upload, 1024, 4 * execute.len(), None));
    guest.notify(&ring);
    until("fatal", || ring.status() & STATUS_FATAL != 0);
}

#[test]
fn the_two_channels_wait_for_each_other() {
    let (mut guest, _host) = start();
    guest.shake_hands();
    let mut ring = guest.create_ring(5, 4096);
    // The ring waits for submission 1, the submission after that waits for the ring.
    ring.send(&command::wait_virtqueue_seqno(1));
    guest.notify(&ring);
    let submission = [command::submit_virtqueue_seqno(5, 1), command::wait_ring_seqno(5, ring.tail)];
    guest.submit_and_wait(&submission.concat());
    assert_eq!(ring.head(), ring.tail);
}

#[test]
fn a_guest_that_breaks_venus_is_still_answered() {
    let (mut guest, host) = start();
    guest.shake_hands();
    let mut ring = guest.create_ring(5, 4096);
    // No command has this number.
    ring.send(&[0xffff, 0]);
    guest.notify(&ring);
    until("fatal", || ring.status() & STATUS_FATAL != 0);
    // Fences are lost, memory is given, the connection lives.
    let cut = &command::set_reply_stream(1, 0, 8)[..2];
    for timeline in [Some(0), Some(63), None] {
        let sync = guest.create_sync(0);
        guest.send(&message::submit(cut, timeline, Some((sync, 1))));
        assert_eq!(guest.sync_event(sync, 1).wait(PATIENCE), Waited::Lost);
        assert_eq!(guest.sync_event_within(sync, 1, 0).state(), Waited::Lost);
        assert_eq!(guest.read_sync(sync), 1, "who has been told finds nothing more to wait for");
    }
    let (_, memory) = guest.create_shmem(4096);
    assert_eq!(memory.word(0), 0);
    drop(guest);
    host.join().unwrap();
}

#[test]
fn whoever_waits_hears_that_the_context_is_lost() {
    let (mut guest, _host) = start();
    guest.shake_hands();
    let mut ring = guest.create_ring(5, 4096);
    let sync = guest.create_sync(1);
    let waits = guest.sync_event(sync, 2);
    assert_eq!(waits.state(), Waited::Pending);
    ring.send(&[0xffff, 0]);
    guest.notify(&ring);
    assert_eq!(waits.wait(PATIENCE), Waited::Lost);
    assert_eq!(guest.sync_event(sync, 1).state(), Waited::Done, "that had come before");
}

#[test]
fn who_only_reads_what_is_lost_loses_the_connection() {
    let (mut guest, _host) = start();
    guest.shake_hands();
    let sync = guest.create_sync(0);
    guest.send(&message::submit(&[0xffff, 0], Some(0), Some((sync, 1))));
    guest.send(&message::read_sync(sync));
    assert!(guest.is_reset());
}

#[test]
fn what_cannot_be_made_cannot_be_mapped_and_costs_nothing_else() {
    let (mut guest, host) = start();
    guest.shake_hands();
    let ring = guest.create_ring(5, 4096);
    for (flags, blob_id, size) in [
        (BlobFlags::MAPPABLE, 77, 4096),
        (BlobFlags::MAPPABLE, 0, u64::MAX),
        (BlobFlags::MAPPABLE, 0, 0),
        (BlobFlags::SHAREABLE, 0, 4096),
    ] {
        let (id, fd) = guest.create_blob_fd(flags, blob_id, size);
        assert!(venus_guest::Mapping::new(&fd, 4096).is_err(), "blob {blob_id} of {size} bytes");
        guest.send(&message::unref_resource(id));
        let (again, _) = guest.create_shmem(4096);
        assert_eq!(again, id, "the number is used again");
        guest.send(&message::unref_resource(again));
    }
    guest.submit_and_wait(&command::write_ring_extra(5, 0, 0xcafe));
    assert_eq!((ring.extra(), ring.status() & STATUS_FATAL), (0xcafe, 0));
    drop(guest);
    let summary = host.join().unwrap();
    assert_eq!((summary.failures, summary.lost), (4, None));
}

#[test]
fn direct_submissions_are_checked_like_rings() {
    for (what, commands) in [
        ("an unknown ring", command::notify_ring(9, 0)),
        ("a wait for a ring, on the context", command::wait_virtqueue_seqno(1)),
        ("a ring in memory that does not exist", command::create_ring(1, 77, 4096, None)),
        ("a reply stream that is too large", command::set_reply_stream(1, 0, 4096 << 32 | 4)),
        ("half a command", command::set_reply_stream(1, 0, 8)[..3].to_vec()),
    ] {
        let (mut guest, _host) = start();
        guest.shake_hands();
        let mut ring = guest.create_ring(5, 4096);
        guest.submit_and_lose(&commands);
        // The other endpoint learns of it.
        until(what, || ring.status() & STATUS_FATAL != 0);
        ring.send(&command::seek_reply_stream(0));
        assert_eq!(ring.head(), 0, "nothing is executed any more");
    }
}

#[test]
fn memory_in_use_by_a_ring_must_not_go() {
    let (mut guest, _host) = start();
    guest.shake_hands();
    let ring = guest.create_ring(5, 4096);
    guest.send(&message::unref_resource(ring.resource));
    guest.ping();
    // The ring is gone, so the next command for it finds none; what matters is that the host lives.
    guest.submit_and_lose(&command::notify_ring(5, 0));
}

#[test]
fn a_guest_may_leave_at_any_point() {
    for len in 0..100 {
        let (mut guest, host) = start();
        let mut stream = bytes(&[4, 8]);
        stream.extend(b"abc\0");
        stream.extend(bytes(&message::context_init(4)));
        stream.extend(bytes(&message::create_blob(BlobFlags::MAPPABLE, 0, 4096)));
        let submission = message::submit(&command::wait_virtqueue_seqno(1), Some(0), Some((5, 1)));
        stream.extend(bytes(&submission));
        guest.socket.write_all(&stream[..len.min(stream.len())]).unwrap();
        drop(guest);
        host.join().unwrap();
    }
}

#[test]
fn a_guest_may_leave_while_both_channels_wait() {
    let (mut guest, host) = start();
    guest.shake_hands();
    let mut ring = guest.create_ring(5, 4096);
    ring.send(&command::wait_virtqueue_seqno(1));
    guest.notify(&ring);
    drop(guest);
    host.join().unwrap();
}
