//! Nothing is left behind. A program of its own, since it counts what the whole process holds.

#![cfg(target_os = "linux")]

use std::{os::unix::net::UnixStream, thread};

use venus_guest::bare::{Guest, command, until};
use venus_host::vtest::{SessionOptions, serve_connection};

fn count(path: &str) -> usize {
    std::fs::read_dir(path).unwrap().count()
}

fn mappings() -> usize {
    std::fs::read_to_string("/proc/self/maps").unwrap().lines().filter(|line| line.contains("venus-shm")).count()
}

#[test]
fn a_hundred_connections_leave_no_descriptor_thread_or_mapping() {
    // Once before counting: the first connection may open what stays open.
    connection();
    let (fds, threads) = (count("/proc/self/fd"), count("/proc/self/task"));
    for _ in 0..100 {
        connection();
    }
    assert_eq!(count("/proc/self/fd"), fds);
    // A thread that has been joined may still be listed for an instant.
    until("the threads are gone", || count("/proc/self/task") == threads);
    assert_eq!(mappings(), 0);
}

/// A guest that makes one of everything and leaves without tidying up.
fn connection() {
    let (ours, theirs) = UnixStream::pair().unwrap();
    let host = thread::spawn(move || drop(serve_connection(theirs, SessionOptions::default())));
    let mut guest = Guest::over(ours);
    guest.shake_hands();
    let mut ring = guest.create_ring(1, 4096);
    let (reply_resource, _reply) = guest.create_shmem(4096);
    ring.send(&command::asking(command::set_reply_stream(reply_resource, 0, 8)));
    guest.notify(&ring);
    ring.until_drained();
    assert_ne!(mappings(), 0, "what lives is seen, so that what is left behind would be");
    let sync = guest.create_sync(0);
    let _event = guest.sync_event(sync, 1);
    // The ring's last command waits for something that never comes.
    ring.send(&command::wait_virtqueue_seqno(1));
    guest.notify(&ring);
    drop(guest);
    host.join().unwrap();
}
