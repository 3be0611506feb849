//! A worker in its guest's hands, as its monitor hears it: for the fuzz target `worker`, and built with the feature
//! `fuzzing` only.

use std::{
    os::{fd::AsFd as _, unix::net::UnixStream},
    sync::Arc,
    time::Duration,
};

use parking_lot::Mutex;
use rustix::{
    fs::{MemfdFlags, SealFlags},
    net::{RecvFlags, Shutdown},
};

use super::{
    frame::{FrameReader, Heard},
    inbox::Inbox,
    packet::Malformed,
    process,
};
use crate::{limits, resource::Blob, socket};

/// What a monitor has asked for.
#[derive(Debug, Default)]
pub struct Asked {
    /// A blob of this size.
    pub blob: Option<u64>,
    /// Statistics.
    pub statistics: bool,
    /// Whether it maps a driver's own descriptors.
    pub maps_opaque: bool,
    /// Fences, by their timelines. Their tokens count from 1.
    pub fences: Vec<u32>,
}

/// What comes with bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Along {
    /// Nothing.
    Nothing,
    /// Memory of so many bytes, with seals as the bits of `F_SEAL_*` say.
    Memory(u16, u8),
    /// A socket.
    Socket,
}

/// What a monitor made of what it heard.
#[derive(Debug)]
pub struct Made {
    /// The blob that it would give to others.
    pub blob: Option<Blob>,
    /// Why the context is lost, if a worker has said so.
    pub lost: Option<String>,
    /// Why the worker was ended.
    pub malformed: Option<String>,
}

/// Has a monitor hear all of this, in so many pieces.
///
/// # Panics
///
/// A fence did not retire, or more than once.
pub fn hear(pieces: &[(Vec<u8>, Along)], asked: &Asked) -> Made {
    let retired = Arc::new(Mutex::new(vec![0_usize; asked.fences.len()]));
    let counted = Arc::clone(&retired);
    let count = move |_, fence: u64, _| {
        let mut all = counted.lock();
        let times = usize::try_from(fence).ok().and_then(|fence| all.get_mut(fence)).expect("a fence that there is");
        *times = times.saturating_add(1);
        assert_eq!(*times, 1, "a fence has retired before");
    };
    let inbox = Inbox::new("fuzz".to_owned(), Arc::new(count));
    for (fence, ring_idx) in (0..).zip(&asked.fences) {
        inbox.fences.add(*ring_idx, fence);
    }
    if asked.blob.is_some() {
        inbox.expect_blob();
    }
    if asked.statistics {
        inbox.expect_statistics();
    }
    let outcome = listen(pieces, asked, &inbox);
    let blob = inbox.await_blob(Duration::ZERO).and_then(Result::ok);
    let (lost, malformed) = (inbox.lost(), outcome.err().map(|malformed| malformed.to_string()));
    inbox.close("it is over".to_owned());
    assert!(retired.lock().iter().all(|times| *times == 1), "a fence has not retired");
    Made { blob, lost, malformed }
}

fn listen(pieces: &[(Vec<u8>, Along)], asked: &Asked, inbox: &Inbox) -> Result<(), Malformed> {
    let (ours, theirs) = UnixStream::pair().expect("a pair of sockets");
    ours.set_nonblocking(true).expect("a socket can do that");
    let mut reader = FrameReader::new(limits::WORKER_MESSAGE_BYTES);
    for (bytes, along) in pieces {
        say(&ours, bytes, *along);
        while reader.hear(&theirs, RecvFlags::DONTWAIT) == Heard::Bytes {
            while let Some((payload, fd)) = reader.next()? {
                process::take(inbox, asked.blob.unwrap_or(0), asked.maps_opaque, &payload, fd)?;
            }
        }
    }
    rustix::net::shutdown(&ours, Shutdown::Both).expect("a socket can be shut down");
    Ok(())
}

/// Sends bytes with what comes along. What the socket does not take is cut off.
fn say(socket: &UnixStream, bytes: &[u8], along: Along) {
    match along {
        Along::Nothing => drop(socket::send(socket, bytes)),
        Along::Memory(size, seals) => {
            let memory = rustix::fs::memfd_create("fuzz", MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING);
            let memory = memory.expect("memory");
            rustix::fs::ftruncate(&memory, size.into()).expect("memory has a size");
            // It may be sealed against that already.
            let _sealed = rustix::fs::fcntl_add_seals(&memory, SealFlags::from_bits_truncate(seals.into()));
            drop(socket::send_with(socket, bytes, &[memory.as_fd()]));
        }
        Along::Socket => drop(socket::send_with(socket, bytes, &[socket.as_fd()])),
    }
}
