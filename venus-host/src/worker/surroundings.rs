//! What a worker process leaves behind of its monitor's surroundings before it hears its guest's first command.
//!
//! A monitor may be part of somebody else's program, whose descriptors a program that it starts inherits unless each is
//! marked: disks and network devices among them. Who takes over a worker has what the worker has, so it has none of them.

#![expect(unsafe_code, reason = "a descriptor that was inherited is a number, and signals have no safe form")]

use std::{
    ffi::c_int,
    fs,
    os::fd::{BorrowedFd, FromRawFd as _, OwnedFd, RawFd},
};

use rustix::io::{FdFlags, fcntl_getfd};

/// The first descriptor that is not of the standard streams.
const FIRST: RawFd = 3;

/// Closes the descriptors that this process was started with, except for the standard streams: those that are not marked
/// as this program's own (close-on-exec), as all are that Rust's library opens. [`serve`](super::serve()) does so by itself;
/// a worker of another kind does it first of all, before anything owns an unmarked descriptor. Best effort.
pub fn close_inherited() {
    let Ok(open) = fs::read_dir("/dev/fd") else { return };
    let numbers = open.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    // All at once: the listing has a descriptor, too.
    let numbers: Vec<RawFd> = numbers.filter(|number| *number >= FIRST).collect();
    for number in numbers {
        // SAFETY: the number is not -1, and whatever it is, it is used for a question that an unused number answers with
        // an error.
        let inherited = unsafe { BorrowedFd::borrow_raw(number) };
        if fcntl_getfd(inherited).is_ok_and(|flags| !flags.contains(FdFlags::CLOEXEC)) {
            // SAFETY: it is open, as the system has just said, and has no owner in this program: it came with the program's
            // start, or it would be marked.
            drop(unsafe { OwnedFd::from_raw_fd(number) });
        }
    }
}

/// Makes a pipe or socket that nobody reads an error of whoever writes to it, as in each program of Rust's. A library that is
/// run as a program has no such beginning, and the log or a driver would be the end of it.
pub(super) fn ignore_sigpipe() {
    /// `SIGPIPE` and `SIG_IGN` of `signal.h`, on all systems that this is built for.
    const SIGPIPE: c_int = 13;
    const IGNORE: usize = 1;
    unsafe extern "C" {
        fn signal(signal: c_int, handler: usize) -> usize;
    }
    // SAFETY: it changes what this process does about a signal, and no code is run by it.
    unsafe { signal(SIGPIPE, IGNORE) };
}
