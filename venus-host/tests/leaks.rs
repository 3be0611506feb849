//! Nothing is left behind. A program of its own, since it counts what the whole process holds.

#![cfg(target_os = "linux")]

mod guest;

use guest::{Guest, until};

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
    let (mut guest, host) = Guest::start();
    guest.shake_hands();
    let mut ring = guest.create_ring(1, 4096);
    let (reply_resource, _reply) = guest.create_shmem(4096);
    ring.send(&[178, 1, 1, 0, reply_resource, 0, 0, 8, 0]);
    guest.notify(&ring);
    ring.until_drained();
    assert_ne!(mappings(), 0, "what lives is seen, so that what is left behind would be");
    let sync = guest.create_sync(0);
    guest.send(&[5, 23, 0, u32::MAX, sync, 1, 0]);
    assert_eq!(guest.receive(2), [0, 23]);
    let _fd = guest.receive_fd();
    // The ring's last command waits for something that never comes.
    ring.send(&[252, 0, 1, 0]);
    guest.notify(&ring);
    drop(guest);
    host.join().unwrap();
}
