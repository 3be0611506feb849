//! A guest is answered when there are no descriptors left, and served again when there are.
//!
//! Alone in its program, since the limit of descriptors is one for all its threads.

use std::{os::unix::net::UnixStream, thread};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use venus_guest::bare::{Guest, PATIENCE, Waited, message};
use venus_host::vtest::{SessionOptions, serve_connection};

const DESCRIPTORS: u64 = 64;

#[test]
fn waits_are_answered_without_descriptors() {
    let (ours, theirs) = UnixStream::pair().unwrap();
    let host = thread::spawn(move || serve_connection(theirs, SessionOptions::default()));
    let mut guest = Guest::over(ours);
    guest.shake_hands();
    let sync = guest.create_sync(0);
    let limit = getrlimit(Resource::Nofile);
    let set = |current| setrlimit(Resource::Nofile, Rlimit { current, ..limit }).unwrap();
    set(Some(DESCRIPTORS));
    // The guest needs one for each answer, too, so it leaves room for that.
    let room = std::fs::File::open("/dev/null").unwrap();
    let mut held = Vec::new();
    while let Ok(file) = room.try_clone() {
        held.push(file);
    }
    held.truncate(held.len() - 3);
    let first = guest.sync_event(sync, 1);
    assert_eq!(first.state(), Waited::Pending, "there was room for one pipe");
    held.push(room);
    let poll = guest.sync_event_within(sync, 1, 1_000);
    assert_eq!(poll.state(), Waited::Pending);
    drop(poll);
    let wait = guest.sync_event(sync, 1);
    assert_eq!(wait.state(), Waited::Lost, "what cannot be told when it is over is not begun");
    drop((wait, held));
    let second = guest.sync_event(sync, 1);
    guest.send(&message::write_sync(sync, 1));
    assert_eq!((first.wait(PATIENCE), second.wait(PATIENCE)), (Waited::Done, Waited::Done));
    set(limit.current);
    drop(guest);
    assert_eq!(host.join().unwrap().lost, None);
}
