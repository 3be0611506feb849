//! The vtest socket, message by message, against a host on a thread of this process. No Vulkan driver is needed.

mod guest;

use std::{io::Write, time::Duration};

use guest::{Guest, PATIENCE, STATUS_ALIVE, STATUS_FATAL, halves, until, words};

#[test]
fn the_handshake_byte_for_byte() {
    let (mut guest, host) = Guest::start();
    let to_host = [
        // CREATE_RENDERER; its length counts bytes, and nothing pads the name
        &[0x09, 0x00, 0x00, 0x00, 0x08, 0x00, 0x00, 0x00, b'v', b'k', b'c', b'u', b'b', b'e', b'-', b'1', 0][..],
        // PING, then the probe that tells old servers apart
        &words(&[0x0000_0000, 0x0000_000a]),
        &words(&[0x0000_0002, 0x0000_0007, 0, 0]),
        &words(&[0x0000_0001, 0x0000_000b, 0x0000_0003]),
        // MAX_TIMELINE_COUNT, the Venus capset, CONTEXT_INIT
        &words(&[0x0000_0001, 0x0000_000f, 0x0000_0001]),
        &words(&[0x0000_0002, 0x0000_0010, 0x0000_0004, 0x0000_0000]),
        &words(&[0x0000_0001, 0x0000_0011, 0x0000_0004]),
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
    assert_eq!(capset[..5], [1, 0x0040_4133, 1, 3, 1]);
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
    let (mut guest, _host) = Guest::start();
    let mut bytes = words(&[4, 8]);
    bytes.extend(b"abc\0");
    bytes.extend(words(&[1, 11, 9]));
    for byte in bytes {
        guest.socket.write_all(&[byte]).unwrap();
    }
    assert_eq!(guest.receive(3), [1, 11, 3], "the older of both versions");
}

#[test]
fn unknown_parameters_and_capsets_are_not_there() {
    let (mut guest, _host) = Guest::start();
    guest.shake_hands();
    guest.send(&[1, 15, 2]);
    assert_eq!(guest.receive(4), [2, 15, 0, 0]);
    guest.send(&[2, 16, 2, 0]);
    assert_eq!(guest.receive(3), [1, 16, 0]);
    guest.send(&[2, 16, 4, 1]);
    assert_eq!(guest.receive(3), [1, 16, 0]);
    guest.send(&[1, 17, 4]);
    guest.send(&[0, 10]);
    assert_eq!(guest.receive(2), [0, 10], "CONTEXT_INIT may come again");
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
        let (mut guest, host) = Guest::start();
        if shake_hands {
            guest.shake_hands();
        }
        guest.send(message);
        assert!(guest.is_closed(), "{what}");
        host.join().unwrap();
    }
}

#[test]
fn requests_that_need_a_context_wait_for_one() {
    for message in [&[6, 18, 2, 1, 4096, 0, 0, 0][..], &[7, 24, 1, 1, 7, 0, 0, 0, 0], &[1, 3, 1]] {
        let (mut guest, _host) = Guest::start();
        guest.socket.write_all(&[1, 0, 0, 0, 8, 0, 0, 0, 0]).unwrap();
        guest.send(message);
        assert!(guest.is_closed(), "{message:?}");
    }
}

#[test]
fn resources_come_and_go() {
    let (mut guest, _host) = Guest::start();
    guest.shake_hands();
    let (first, _) = guest.create_shmem(4096);
    let (second, memory) = guest.create_shmem(8192);
    assert_eq!((first, second), (1, 2));
    guest.send(&[1, 3, first]);
    guest.send(&[1, 3, 99]);
    guest.send(&[1, 3, first]);
    let (third, _) = guest.create_shmem(4096);
    assert_eq!(third, first, "ids are used again");
    guest.send(&[1, 3, second]);
    guest.send(&[0, 10]);
    assert_eq!(guest.receive(2), [0, 10]);
    memory.set_word(8188, 1);
}

#[test]
fn syncs_are_signalled_by_writes_and_fences() {
    let (mut guest, _host) = Guest::start();
    guest.shake_hands();
    let sync = guest.create_sync(3);
    assert!(guest.wait_sync(sync, 3, Duration::ZERO));
    assert!(!guest.wait_sync(sync, 4, Duration::from_millis(5)));
    guest.send(&[3, 22, sync, 0, 1]);
    guest.send(&[1, 21, sync]);
    assert_eq!(guest.receive(4), [2, 21, 0, 1]);
    assert!(guest.wait_sync(sync, 0x1_0000_0000, Duration::ZERO));
    // An empty submission with a fence on the CPU's timeline, and one that names no timeline.
    guest.send(&[10, 24, 1, 1, 7, 0, 7, 1, 0, sync, 7, 0]);
    guest.send(&[10, 24, 1, 0, 7, 0, 7, 1, 9, sync, 8, 0]);
    guest.send(&[1, 21, sync]);
    assert_eq!(guest.receive(4), [2, 21, 8, 0]);
}

#[test]
fn a_ring_executes_and_replies() {
    let (mut guest, host) = Guest::start();
    guest.shake_hands();
    let mut ring = guest.create_ring(0x7f12_3456_7890, 4096);
    let (reply_resource, reply) = guest.create_shmem(4096);
    for round in 0..100 {
        // vkSetReplyCommandStreamMESA, itself with a reply, to 8 bytes at 16.
        ring.send(&[178, 1, 1, 0, reply_resource, 16, 0, 8, 0]);
        guest.notify(&ring);
        ring.until_drained();
        assert_eq!(reply.word(16), 178, "round {round}");
        reply.set_word(16, 0);
    }
    until("alive", || ring.status() & STATUS_ALIVE != 0);
    // vkWriteRingExtraMESA and vkDestroyRingMESA, directly.
    let [low, high] = halves(ring.id);
    guest.submit_and_wait(&[191, 0, low, high, 0, 0, 0xcafe]);
    assert_eq!(ring.memory.word(192 + 4096), 0xcafe);
    guest.submit_and_wait(&[189, 0, low, high]);
    guest.send(&[1, 3, ring.resource]);
    assert_eq!(ring.status() & STATUS_FATAL, 0);
    drop(guest);
    host.join().unwrap();
}

#[test]
fn indirect_streams_are_executed_from_a_copy_and_not_nested() {
    let (mut guest, _host) = Guest::start();
    guest.shake_hands();
    let mut ring = guest.create_ring(1, 4096);
    let (upload, commands) = guest.create_shmem(4096);
    let (reply_resource, reply) = guest.create_shmem(4096);
    for (i, word) in [178, 1, 1, 0, reply_resource, 0, 0, 64, 0].iter().chain(&[179, 1, 32, 0]).enumerate() {
        commands.set_word(64 + 4 * i as u64, *word);
    }
    // One stream of 52 bytes at 64; no reply positions, no dependencies.
    let execute =
        |resource: u32, offset: u32, size: u32| vec![180, 0, 1, 1, 0, resource, offset, 0, size, 0, 0, 0, 0, 0, 0, 0];
    ring.send(&execute(upload, 64, 52));
    guest.notify(&ring);
    ring.until_drained();
    assert_eq!((reply.word(0), reply.word(32)), (178, 179));

    for (i, word) in execute(upload, 64, 52).iter().enumerate() {
        commands.set_word(1024 + 4 * i as u64, *word);
    }
    ring.send(&execute(upload, 1024, 64));
    guest.notify(&ring);
    until("fatal", || ring.status() & STATUS_FATAL != 0);
}

#[test]
fn the_two_channels_wait_for_each_other() {
    let (mut guest, _host) = Guest::start();
    guest.shake_hands();
    let mut ring = guest.create_ring(5, 4096);
    // The ring waits for submission 1, the submission after that waits for the ring.
    ring.send(&[252, 0, 1, 0]);
    guest.notify(&ring);
    guest.submit_and_wait(&[251, 0, 5, 0, 1, 0, 253, 0, 5, 0, ring.tail, 0]);
    assert_eq!(ring.head(), ring.tail);
}

#[test]
fn a_guest_that_breaks_venus_is_still_answered() {
    let (mut guest, host) = Guest::start();
    guest.shake_hands();
    let mut ring = guest.create_ring(5, 4096);
    ring.send(&[0xffff, 0]);
    guest.notify(&ring);
    until("fatal", || ring.status() & STATUS_FATAL != 0);
    // Fences retire, memory is given, the connection lives.
    guest.submit_and_wait(&[178, 0]);
    let sync = guest.create_sync(0);
    guest.send(&[10, 24, 1, 1, 7, 0, 7, 1, 63, sync, 1, 0]);
    assert!(guest.wait_sync(sync, 1, PATIENCE));
    let (_, memory) = guest.create_blob(1, 77, 4096);
    assert_eq!(memory.word(0), 0);
    drop(guest);
    host.join().unwrap();
}

#[test]
fn direct_submissions_are_checked_like_rings() {
    for (what, commands) in [
        ("an unknown ring", vec![190, 0, 9, 0, 0, 0]),
        ("a wait for a ring, on the context", vec![252, 0, 1, 0]),
        ("a ring in memory that does not exist", Guest::create_ring_command(1, 77, 4096, None)),
        ("a reply stream that is too large", vec![178, 0, 1, 0, 1, 0, 0, 4, 4096]),
        ("half a command", vec![178, 0, 1]),
    ] {
        let (mut guest, _host) = Guest::start();
        guest.shake_hands();
        let mut ring = guest.create_ring(5, 4096);
        guest.submit_and_wait(&commands);
        // The other endpoint learns of it.
        until(what, || ring.status() & STATUS_FATAL != 0);
        ring.send(&[179, 0, 0, 0]);
        assert_eq!(ring.head(), 0, "nothing is executed any more");
    }
}

#[test]
fn memory_in_use_by_a_ring_must_not_go() {
    let (mut guest, _host) = Guest::start();
    guest.shake_hands();
    let ring = guest.create_ring(5, 4096);
    guest.send(&[1, 3, ring.resource]);
    guest.send(&[0, 10]);
    assert_eq!(guest.receive(2), [0, 10]);
    // The ring is gone, so the next command for it finds none; what matters is that the host lives.
    guest.submit_and_wait(&[190, 0, 5, 0, 0, 0]);
}

#[test]
fn a_guest_may_leave_at_any_point() {
    for bytes in 0..100 {
        let (mut guest, host) = Guest::start();
        let mut stream = words(&[4, 8]);
        stream.extend(b"abc\0");
        stream.extend(words(&[
            1, 17, 4, 6, 18, 2, 1, 4096, 0, 0, 0, 14, 24, 1, 1, 7, 4, 11, 1, 0, 252, 0, 1, 0, 5, 1, 0,
        ]));
        guest.socket.write_all(&stream[..bytes.min(stream.len())]).unwrap();
        drop(guest);
        host.join().unwrap();
    }
}

#[test]
fn a_guest_may_leave_while_both_channels_wait() {
    let (mut guest, host) = Guest::start();
    guest.shake_hands();
    let mut ring = guest.create_ring(5, 4096);
    ring.send(&[252, 0, 1, 0]);
    guest.notify(&ring);
    drop(guest);
    host.join().unwrap();
}
