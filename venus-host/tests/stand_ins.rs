//! A guest in the host's own process: for memory without a descriptor it gets one that stands for it.

use std::{
    fs::File,
    os::{
        fd::{AsFd, BorrowedFd},
        unix::{fs::FileExt, net::UnixListener},
    },
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use mock_driver::Mock;
use venus_guest::{Gpu, Guest};
use venus_host::{
    HostError,
    driver::{Config, EntryPoint, MemoryChoice, Transport},
    resource::{Blob, BlobStorage},
    vtest::{SessionOptions, serve_connection},
};
use venus_protocol::vk;

/// What a stand-in begins with.
const WORD: u32 = 0x57a4_d1f0;

/// A file in place of memory; counted while it lives.
struct StandIn(File, Arc<AtomicUsize>);

impl StandIn {
    fn new(blob: &Blob, alive: &Arc<AtomicUsize>) -> Self {
        assert!(matches!(blob.storage, BlobStorage::Pointer(_)), "{blob:?}");
        let file = tempfile::tempfile().unwrap();
        file.set_len(blob.size).unwrap();
        file.write_all_at(&WORD.to_le_bytes(), 0).unwrap();
        alive.fetch_add(1, Ordering::SeqCst);
        Self(file, Arc::clone(alive))
    }
}

impl AsFd for StandIn {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl Drop for StandIn {
    fn drop(&mut self) {
        self.1.fetch_sub(1, Ordering::SeqCst);
    }
}

/// Memory that only pointers share, on a driver in this process.
fn pointers(mock: &Mock) -> Config {
    // SAFETY: what the driver gives has the signatures that ash declares, does what the specification asks of it, and
    // is part of this program, as `Mock::entry_point` says.
    let entry = unsafe { EntryPoint::new(mock.entry_point()) };
    Config::default().entry(entry).memory(MemoryChoice::Pointer).transport(Transport::IN_PROCESS)
}

/// A guest, and a host that serves it.
fn start(options: SessionOptions) -> (Guest, thread::JoinHandle<Option<String>>) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("socket");
    let listener = UnixListener::bind(&path).unwrap();
    let host = thread::spawn(move || serve_connection(listener.accept().unwrap().0, options).lost);
    // SAFETY: nothing is sent but what `Gpu` sends, whose structures are filled through ash's setters.
    (unsafe { Guest::connect(&path, "test") }.unwrap(), host)
}

#[test]
fn a_stand_in_is_sent_and_lives_as_long_as_its_resource() {
    let mock = Mock::take();
    let alive = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&alive);
    let make = move |blob: &Blob| Ok(Box::new(StandIn::new(blob, &counter)) as Box<dyn AsFd + Send>);
    let (guest, host) = start(SessionOptions::new(pointers(&mock)).stand_ins(make));
    let mut gpu = Gpu::open(guest).unwrap();
    let buffers = [0, 1].map(|_| gpu.host_buffer(4096, vk::BufferUsageFlags::TRANSFER_DST).unwrap());
    let word = |offset| buffers[0].shared.mapping.word(offset).unwrap().load(Ordering::Relaxed);
    assert_eq!([word(0), word(4092)], [WORD, 0], "the guest maps the stand-in");
    assert_eq!(alive.load(Ordering::SeqCst), 2);
    let [first, _second] = buffers;
    gpu.guest().release(first.shared).unwrap();
    // The socket's answers come in order.
    gpu.guest().create_shmem(4096).unwrap();
    assert_eq!(alive.load(Ordering::SeqCst), 1);
    gpu.close().unwrap();
    assert_eq!(host.join().unwrap(), None);
    assert_eq!(alive.load(Ordering::SeqCst), 0, "whoever leaves gives everything back");
    mock.assert_clean();
}

#[test]
fn memory_that_nothing_stands_for_is_refused() {
    let mock = Mock::take();
    let make = |_: &Blob| Err(HostError::Unsupported("not today".into()));
    let (guest, host) = start(SessionOptions::new(pointers(&mock)).stand_ins(make));
    let mut gpu = Gpu::open(guest).unwrap();
    assert!(gpu.host_buffer(4096, vk::BufferUsageFlags::TRANSFER_DST).is_err(), "nobody can map a pipe");
    gpu.close().unwrap();
    assert_eq!(host.join().unwrap(), None);
    mock.assert_clean();
}

#[test]
fn without_stand_ins_pointers_are_not_shared() {
    let mock = Mock::take();
    let (guest, host) = start(SessionOptions::new(pointers(&mock)));
    // No device is left that could share its memory.
    assert!(Gpu::open(guest).is_err());
    assert_eq!(host.join().unwrap(), None);
    mock.assert_clean();
}
