//! A guest that stops waiting does not end an embedder that leaves signals as the system has them.
//!
//! Alone in its program, since how a process takes a signal is one for all its threads.

use std::{ffi::c_int, os::unix::net::UnixStream, thread, time::Duration};

use venus_guest::bare::{Guest, message};
use venus_host::vtest::{SessionOptions, serve_connection};

const SIGPIPE: c_int = 13;

unsafe extern "C" {
    fn signal(signal: c_int, handler: usize) -> usize;
}

#[test]
fn a_wait_that_nobody_listens_to_is_no_signal() {
    const DEFAULT: usize = 0;
    // SAFETY: the default needs no handler, and no other thread has anything to do with this signal.
    unsafe { signal(SIGPIPE, DEFAULT) };
    let (ours, theirs) = UnixStream::pair().unwrap();
    let host = thread::spawn(move || serve_connection(theirs, SessionOptions::default()));
    let mut guest = Guest::over(ours);
    guest.shake_hands();
    let sync = guest.create_sync(0);
    for value in 1..10 {
        drop(guest.sync_event(sync, value));
        guest.send(&message::write_sync(sync, value));
        assert_eq!(guest.read_sync(sync), value);
    }
    assert!(guest.wait_sync(sync, 9, Duration::ZERO));
    drop(guest);
    assert_eq!(host.join().unwrap().lost, None);
}
