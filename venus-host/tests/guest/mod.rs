//! The guest's end of a vtest connection, as small as tests need it.

#![allow(dead_code, reason = "each test program uses a part of it")]

use std::{
    io::{IoSliceMut, Read, Write},
    mem::MaybeUninit,
    os::{fd::OwnedFd, unix::net::UnixStream},
    ptr::NonNull,
    sync::atomic::{AtomicU32, Ordering},
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    mm::{MapFlags, ProtFlags},
    net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, recvmsg},
};
use venus_host::vtest::{SessionOptions, serve_connection};

/// Long enough for anything that is going to happen.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);

pub(crate) const STATUS_IDLE: u32 = 1;
pub(crate) const STATUS_FATAL: u32 = 2;
pub(crate) const STATUS_ALIVE: u32 = 4;

/// Words as they travel.
pub(crate) fn words(words: &[u32]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_le_bytes()).collect()
}

/// Low and high half.
pub(crate) fn halves(value: u64) -> [u32; 2] {
    [value as u32, (value >> 32) as u32]
}

/// A connection.
pub(crate) struct Guest {
    pub(crate) socket: UnixStream,
}

impl Guest {
    /// A connection to a host on a thread of this process.
    pub(crate) fn start() -> (Self, JoinHandle<()>) {
        let (ours, theirs) = UnixStream::pair().unwrap();
        let host = thread::spawn(move || drop(serve_connection(theirs, SessionOptions::default())));
        (Self::over(ours), host)
    }

    pub(crate) fn over(socket: UnixStream) -> Self {
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        Self { socket }
    }

    /// Sends words.
    pub(crate) fn send(&mut self, message: &[u32]) {
        self.socket.write_all(&words(message)).unwrap();
    }

    /// Receives that many words.
    pub(crate) fn receive(&mut self, count: usize) -> Vec<u32> {
        let mut bytes = vec![0; 4 * count];
        self.socket.read_exact(&mut bytes).unwrap();
        bytes.chunks_exact(4).map(|word| u32::from_le_bytes(word.try_into().unwrap())).collect()
    }

    /// Receives a descriptor and the byte it comes with.
    pub(crate) fn receive_fd(&mut self) -> OwnedFd {
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(2))];
        let mut ancillary = RecvAncillaryBuffer::new(&mut space);
        let mut byte = [0xff; 2];
        let received =
            recvmsg(&self.socket, &mut [IoSliceMut::new(&mut byte)], &mut ancillary, RecvFlags::empty()).unwrap();
        assert_eq!(received.bytes, 1, "one byte carries the descriptor");
        let mut fds: Vec<_> = ancillary
            .drain()
            .flat_map(|message| match message {
                RecvAncillaryMessage::ScmRights(fds) => fds.collect::<Vec<_>>(),
                _ => Vec::new(),
            })
            .collect();
        assert_eq!(fds.len(), 1, "exactly one descriptor");
        fds.pop().unwrap()
    }

    /// Whether the host has closed the connection; waits for it to do something.
    pub(crate) fn is_closed(&mut self) -> bool {
        matches!(self.socket.read(&mut [0]), Ok(0) | Err(_))
    }

    /// All up to and including CONTEXT_INIT.
    pub(crate) fn shake_hands(&mut self) {
        self.socket.write_all(&[5, 0, 0, 0, 8, 0, 0, 0]).unwrap();
        self.socket.write_all(b"test\0").unwrap();
        self.send(&[1, 11, 3]);
        assert_eq!(self.receive(3), [1, 11, 3]);
        self.send(&[1, 17, 4]);
    }

    /// Creates a blob; returns its id and its memory.
    pub(crate) fn create_blob(&mut self, flags: u32, blob_id: u64, size: u64) -> (u32, Shmem) {
        let ([size_low, size_high], [id_low, id_high]) = (halves(size), halves(blob_id));
        self.send(&[6, 18, 2, flags, size_low, size_high, id_low, id_high]);
        let reply = self.receive(3);
        assert_eq!(reply[..2], [1, 18]);
        (reply[2], Shmem::map(&self.receive_fd(), size))
    }

    /// Plain shared memory.
    pub(crate) fn create_shmem(&mut self, size: u64) -> (u32, Shmem) {
        self.create_blob(1, 0, size)
    }

    /// A direct submission without fences.
    pub(crate) fn submit(&mut self, commands: &[u32]) {
        let count = u32::try_from(commands.len()).unwrap();
        let mut message = vec![7 + count, 24, 1, 1, 7, count, 0, 0, 0];
        message.extend(commands);
        self.send(&message);
    }

    /// A direct submission, and when it is done.
    pub(crate) fn submit_and_wait(&mut self, commands: &[u32]) {
        let sync = self.create_sync(0);
        let count = u32::try_from(commands.len()).unwrap();
        let mut message = vec![10 + count, 24, 1, 1, 7, count, 7 + count, 1, 0];
        message.extend(commands);
        message.extend([sync, 1, 0]);
        self.send(&message);
        assert!(self.wait_sync(sync, 1, PATIENCE), "the fence retires");
        self.send(&[1, 20, sync]);
    }

    pub(crate) fn create_sync(&mut self, initial: u64) -> u32 {
        let [low, high] = halves(initial);
        self.send(&[2, 19, low, high]);
        let reply = self.receive(3);
        assert_eq!(reply[..2], [1, 19]);
        reply[2]
    }

    /// Waits for a sync through a descriptor.
    pub(crate) fn wait_sync(&mut self, sync: u32, value: u64, timeout: Duration) -> bool {
        let [low, high] = halves(value);
        self.send(&[5, 23, 0, u32::MAX, sync, low, high]);
        assert_eq!(self.receive(2), [0, 23]);
        let fd = self.receive_fd();
        is_readable(&fd, timeout)
    }

    /// vkCreateRingMESA for a ring laid out like Mesa's; returns its words.
    pub(crate) fn create_ring_command(id: u64, resource: u32, buffer_size: u32, monitor_us: Option<u32>) -> Vec<u32> {
        let mut command = vec![188, 0];
        command.extend(halves(id));
        // pCreateInfo is there; sType; chain: nothing, or one node, then its body
        command.extend([1, 0, 1_000_384_000]);
        match monitor_us {
            None => command.extend([0, 0]),
            Some(period) => command.extend([1, 0, 1_000_384_006, 0, 0, period]),
        }
        command.extend([0, resource]);
        let (head, tail, status, buffer) = (0, 64, 128, 192);
        let extra = buffer + buffer_size;
        for value in [0, extra + 4, 1_000_000, head, tail, status, buffer, buffer_size, extra, 4] {
            command.extend(halves(u64::from(value)));
        }
        command
    }

    /// A ring of `buffer_size` bytes, live.
    pub(crate) fn create_ring(&mut self, id: u64, buffer_size: u32) -> Ring {
        let (resource, memory) = self.create_shmem(u64::from(buffer_size) + 196);
        self.submit_and_wait(&Self::create_ring_command(id, resource, buffer_size, Some(3_000_000)));
        Ring { id, resource, memory, buffer_size, tail: 0 }
    }

    /// What a guest does after it has written a ring's tail.
    pub(crate) fn notify(&mut self, ring: &Ring) {
        if ring.status() & STATUS_IDLE != 0 {
            let [low, high] = halves(ring.id);
            self.submit(&[190, 0, low, high, ring.tail, 0]);
        }
    }
}

/// Whether a descriptor becomes readable.
pub(crate) fn is_readable(fd: &OwnedFd, timeout: Duration) -> bool {
    let mut fds = [PollFd::new(fd, PollFlags::IN)];
    let timeout = Timespec { tv_sec: timeout.as_secs() as i64, tv_nsec: timeout.subsec_nanos().into() };
    poll(&mut fds, Some(&timeout)).unwrap() == 1
}

/// Waits for something to hold.
pub(crate) fn until(what: &str, holds: impl Fn() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < deadline, "waited in vain: {what}");
        thread::sleep(Duration::from_micros(100));
    }
}

/// Shared memory, mapped until dropped: macOS has no other way to read or write it.
pub(crate) struct Shmem {
    words: NonNull<AtomicU32>,
    len: usize,
}

// SAFETY: the mapping belongs to the process, not to a thread, and is accessed by atomics only.
unsafe impl Send for Shmem {}

impl Shmem {
    /// Maps a blob, of which at least `size` bytes have to be there.
    fn map(fd: &OwnedFd, size: u64) -> Self {
        let found = u64::try_from(rustix::fs::fstat(fd).unwrap().st_size).unwrap();
        assert!(found >= size, "{size} bytes were asked for, {found} came");
        let len = usize::try_from(found).unwrap();
        // SAFETY: the address is null, so no existing mapping is replaced.
        let address = unsafe {
            rustix::mm::mmap(std::ptr::null_mut(), len, ProtFlags::READ | ProtFlags::WRITE, MapFlags::SHARED, fd, 0)
        };
        Self { words: NonNull::new(address.unwrap().cast()).unwrap(), len }
    }

    pub(crate) fn word(&self, offset: u64) -> u32 {
        u32::from_le(self.at(offset).load(Ordering::SeqCst))
    }

    pub(crate) fn set_word(&self, offset: u64, word: u32) {
        self.at(offset).store(word.to_le(), Ordering::SeqCst);
    }

    fn at(&self, offset: u64) -> &AtomicU32 {
        assert!(offset.is_multiple_of(4), "words stand at multiples of four");
        // SAFETY:
        // - the mapping begins at a page and has `len` bytes, and lives as long as `self`;
        // - this process reaches it by atomics only, and the host's accesses do not tear a word.
        let words = unsafe { std::slice::from_raw_parts(self.words.as_ptr(), self.len / 4) };
        &words[usize::try_from(offset / 4).unwrap()]
    }
}

impl Drop for Shmem {
    fn drop(&mut self) {
        // SAFETY: this is what `map` mapped, and every borrow of it has ended.
        unsafe { rustix::mm::munmap(self.words.as_ptr().cast(), self.len) }.unwrap();
    }
}

/// A ring, as the guest sees it.
pub(crate) struct Ring {
    pub(crate) id: u64,
    pub(crate) resource: u32,
    pub(crate) memory: Shmem,
    pub(crate) buffer_size: u32,
    pub(crate) tail: u32,
}

impl Ring {
    /// Appends a command and moves the tail.
    pub(crate) fn send(&mut self, command: &[u32]) {
        for word in command {
            self.memory.set_word(u64::from(192 + self.tail % self.buffer_size), *word);
            self.tail = self.tail.wrapping_add(4);
        }
        self.memory.set_word(64, self.tail);
    }

    pub(crate) fn head(&self) -> u32 {
        self.memory.word(0)
    }

    pub(crate) fn status(&self) -> u32 {
        self.memory.word(128)
    }

    pub(crate) fn until_drained(&self) {
        until("drained", || self.head() == self.tail);
    }
}
