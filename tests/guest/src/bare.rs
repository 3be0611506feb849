//! A guest in single messages, for tests of hosts: it says what it is told, right or wrong, and looks at every answer.
//!
//! Where [`crate::Guest`] keeps the protocol's rules, this one breaks them on demand. It is for tests, so it panics where a
//! host does not do what it should; and it waits no longer than [`PATIENCE`] for anything.

use std::io::{ErrorKind, Read as _, Write as _};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::{Duration, Instant};

use venus_protocol::args::{
    CreateRingMESAArgs, DestroyRingMESAArgs, ExecuteCommandStreamsMESAArgs, NotifyRingMESAArgs,
    SeekReplyCommandStreamMESAArgs, SetReplyCommandStreamMESAArgs, SubmitVirtqueueSeqnoMESAArgs, WaitRingSeqnoMESAArgs,
    WaitVirtqueueSeqnoMESAArgs, WriteRingExtraMESAArgs,
};
use venus_protocol::vk;
use venus_protocol::wire::{Command, CommandHeader, Encoder};

use crate::ring::{BUFFER_OFFSET, EXTRA_BYTES, HEAD_OFFSET, STATUS_OFFSET, TAIL_OFFSET, chained, layout};
pub use crate::ring::{STATUS_ALIVE, STATUS_FATAL, STATUS_IDLE};
pub use crate::vtest::Waited;
use crate::vtest::{BLOB_HOST3D, CAPSET_VENUS, VERSION, halves, kind, receive_fd, waited};
use crate::{BlobFlags, Mapping};

/// Long enough for anything that is going to happen.
pub const PATIENCE: Duration = Duration::from_secs(10);

/// Words as they travel.
pub fn bytes(words: &[u32]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_le_bytes()).collect()
}

/// Waits for something to hold.
///
/// # Panics
///
/// It does not within [`PATIENCE`].
pub fn until(what: &str, holds: impl Fn() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < deadline, "waited in vain: {what}");
        thread::sleep(Duration::from_micros(100));
    }
}

/// Commands about rings and streams, as words.
///
/// Each is what the protocol's encoder makes of the command that it is named after.
pub mod command {
    use super::*;

    /// A command with what it points to.
    fn encoded<'a, C: Command<'a>>(args: &C) -> Vec<u32> {
        #[expect(unsafe_code, reason = "keeps the encoder's contract")]
        // SAFETY: whoever calls this, in this module, points to structures that outlive the call, with no chain but the one
        // to a structure beside them.
        let mut encoder = unsafe { Encoder::new() };
        args.encode(&mut encoder, 0);
        encoder.bytes().as_chunks().0.iter().map(|word| u32::from_le_bytes(*word)).collect()
    }

    /// The same command, with the wish for a reply.
    pub fn asking(mut command: Vec<u32>) -> Vec<u32> {
        const FLAGS: usize = 1;
        command[FLAGS] |= CommandHeader::GENERATE_REPLY;
        command
    }

    /// `vkSetReplyCommandStreamMESA`: replies go to `size` bytes of a resource.
    pub fn set_reply_stream(resource_id: u32, offset: usize, size: usize) -> Vec<u32> {
        let stream = vk::CommandStreamDescriptionMESA { resource_id, offset, size };
        encoded(&SetReplyCommandStreamMESAArgs { p_stream: &stream })
    }

    /// `vkSeekReplyCommandStreamMESA`: the next reply goes there.
    pub fn seek_reply_stream(position: usize) -> Vec<u32> {
        encoded(&SeekReplyCommandStreamMESAArgs { position })
    }

    /// `vkExecuteCommandStreamsMESA` for one stream, whose replies go to `replies` or to where the last one ended.
    pub fn execute(resource_id: u32, offset: usize, size: usize, replies: Option<usize>) -> Vec<u32> {
        encoded(&ExecuteCommandStreamsMESAArgs {
            stream_count: 1,
            p_streams: &[vk::CommandStreamDescriptionMESA { resource_id, offset, size }],
            p_reply_positions: replies.as_slice(),
            dependency_count: 0,
            p_dependencies: &[],
            flags: Default::default(),
        })
    }

    /// `vkCreateRingMESA` for a ring laid out like Mesa's; with a monitor, if it has a period in microseconds.
    pub fn create_ring(ring: u64, resource_id: u32, buffer_size: usize, monitor_us: Option<u32>) -> Vec<u32> {
        let info = vk::RingCreateInfoMESA { idle_timeout: 1_000_000, ..layout(resource_id, buffer_size) };
        let max_reporting_period_microseconds = monitor_us.unwrap_or_default();
        let monitor = vk::RingMonitorInfoMESA { max_reporting_period_microseconds, ..Default::default() };
        let info = if monitor_us.is_some() { chained(info, &monitor) } else { info };
        encoded(&CreateRingMESAArgs { ring, p_create_info: &info })
    }

    /// `vkDestroyRingMESA`.
    pub fn destroy_ring(ring: u64) -> Vec<u32> {
        encoded(&DestroyRingMESAArgs { ring })
    }

    /// `vkNotifyRingMESA`: there are commands before `seqno`.
    pub fn notify_ring(ring: u64, seqno: u32) -> Vec<u32> {
        encoded(&NotifyRingMESAArgs { ring, seqno, flags: Default::default() })
    }

    /// `vkWriteRingExtraMESA`.
    pub fn write_ring_extra(ring: u64, offset: usize, value: u32) -> Vec<u32> {
        encoded(&WriteRingExtraMESAArgs { ring, offset, value })
    }

    /// `vkSubmitVirtqueueSeqnoMESA`: lets a ring go on that waits for this submission.
    pub fn submit_virtqueue_seqno(ring: u64, seqno: u64) -> Vec<u32> {
        encoded(&SubmitVirtqueueSeqnoMESAArgs { ring, seqno })
    }

    /// `vkWaitVirtqueueSeqnoMESA`: the ring waits for a submission.
    pub fn wait_virtqueue_seqno(seqno: u64) -> Vec<u32> {
        encoded(&WaitVirtqueueSeqnoMESAArgs { seqno })
    }

    /// `vkWaitRingSeqnoMESA`: a submission waits until a ring has executed what is before `seqno`.
    pub fn wait_ring_seqno(ring: u64, seqno: u32) -> Vec<u32> {
        encoded(&WaitRingSeqnoMESAArgs { ring, seqno: seqno.into() })
    }
}

/// Messages of the socket, as words: how many follow, which kind, and what follows.
pub mod message {
    use super::*;

    fn of_kind<const N: usize>(kind: u32, fields: [u32; N]) -> Vec<u32> {
        [u32::try_from(N).expect("a short message"), kind].into_iter().chain(fields).collect()
    }

    /// Asks for an answer, and nothing else.
    pub fn ping() -> Vec<u32> {
        of_kind(kind::PING_PROTOCOL_VERSION, [])
    }

    /// The newest version of the socket's protocol that the guest speaks.
    pub fn protocol_version(version: u32) -> Vec<u32> {
        of_kind(kind::PROTOCOL_VERSION, [version])
    }

    /// Asks for a parameter of the host.
    pub fn get_param(param: u32) -> Vec<u32> {
        of_kind(kind::GET_PARAM, [param])
    }

    /// Asks for a capability set.
    pub fn get_capset(capset: u32, version: u32) -> Vec<u32> {
        of_kind(kind::GET_CAPSET, [capset, version])
    }

    /// Makes the context one for this capability set.
    pub fn context_init(capset: u32) -> Vec<u32> {
        of_kind(kind::CONTEXT_INIT, [capset])
    }

    /// Creates a blob of memory of the host's.
    pub fn create_blob(flags: BlobFlags, blob_id: u64, size: u64) -> Vec<u32> {
        let ([size_low, size_high], [id_low, id_high]) = (halves(size), halves(blob_id));
        of_kind(kind::RESOURCE_CREATE_BLOB, [BLOB_HOST3D, flags.0, size_low, size_high, id_low, id_high])
    }

    /// Gives a blob back.
    pub fn unref_resource(resource: u32) -> Vec<u32> {
        of_kind(kind::RESOURCE_UNREF, [resource])
    }

    /// Creates a sync.
    pub fn create_sync(initial: u64) -> Vec<u32> {
        of_kind(kind::SYNC_CREATE, halves(initial))
    }

    /// Gives a sync back.
    pub fn unref_sync(sync: u32) -> Vec<u32> {
        of_kind(kind::SYNC_UNREF, [sync])
    }

    /// Asks for a sync's value.
    pub fn read_sync(sync: u32) -> Vec<u32> {
        of_kind(kind::SYNC_READ, [sync])
    }

    /// Sets a sync's value.
    pub fn write_sync(sync: u32, value: u64) -> Vec<u32> {
        let [low, high] = halves(value);
        of_kind(kind::SYNC_WRITE, [sync, low, high])
    }

    /// Asks for a descriptor that is readable once a sync has the value, to wait with for so long.
    pub fn wait_sync(sync: u32, value: u64, timeout_ms: u32) -> Vec<u32> {
        const WAIT_ALL: u32 = 0;
        let [low, high] = halves(value);
        of_kind(kind::SYNC_WAIT, [WAIT_ALL, timeout_ms, sync, low, high])
    }

    /// One batch of commands, on `timeline` or on none, and the value that its fence gives a sync.
    pub fn submit(commands: &[u32], timeline: Option<u32>, signal: Option<(u32, u64)>) -> Vec<u32> {
        const BATCHES_WORDS: u32 = 7;
        let count = u32::try_from(commands.len()).expect("a short submission");
        let signal: Vec<u32> = signal.map_or(Vec::new(), |(sync, value)| [&[sync][..], &halves(value)].concat());
        let syncs = u32::try_from(signal.len() / 3).expect("one sync at most");
        let len = BATCHES_WORDS + count + 3 * syncs;
        let signals_at = if syncs > 0 { BATCHES_WORDS + count } else { 0 };
        // Without the flag nobody looks at the number.
        let (flags, timeline) = timeline.map_or((0, 9), |timeline| (1, timeline));
        let head = [len, kind::SUBMIT_CMD2, 1, flags, BATCHES_WORDS, count, signals_at, syncs, timeline];
        [&head, commands, &signal].concat()
    }
}

/// A connection.
#[derive(Debug)]
pub struct Guest {
    /// The socket, for what has no method.
    pub socket: UnixStream,
}

impl Guest {
    /// A guest that has said nothing yet.
    pub fn over(socket: UnixStream) -> Self {
        socket.set_read_timeout(Some(PATIENCE)).expect("a time-out");
        Self { socket }
    }

    /// Sends words.
    pub fn send(&mut self, message: &[u32]) {
        self.socket.write_all(&bytes(message)).expect("the host listens");
    }

    /// Receives that many words.
    pub fn receive(&mut self, count: usize) -> Vec<u32> {
        let mut bytes = vec![0; 4 * count];
        self.socket.read_exact(&mut bytes).expect("the host answers");
        bytes.as_chunks().0.iter().map(|word| u32::from_le_bytes(*word)).collect()
    }

    /// Receives a descriptor and the byte it comes with.
    pub fn receive_fd(&mut self) -> OwnedFd {
        receive_fd(&self.socket).expect("the host sends a descriptor")
    }

    /// Whether the host has closed the connection; waits for it to do something.
    pub fn is_closed(&mut self) -> bool {
        matches!(self.socket.read(&mut [0]), Ok(0) | Err(_))
    }

    /// Whether the host has closed the connection so that a guest in the middle of a read ends: as reset. Only Linux tells
    /// that from the end of the stream.
    pub fn is_reset(&mut self) -> bool {
        match self.socket.read(&mut [0]) {
            Err(error) => error.kind() == ErrorKind::ConnectionReset,
            Ok(bytes) => bytes == 0 && cfg!(not(target_os = "linux")),
        }
    }

    /// Makes the context, named `name` in the host's log.
    pub fn create_renderer(&mut self, name: &str) {
        // The one message whose length counts bytes; the name ends with a NUL.
        let len = u32::try_from(name.len() + 1).expect("a short name");
        self.send(&[len, kind::CREATE_RENDERER]);
        self.socket.write_all(&[name.as_bytes(), &[0]].concat()).expect("the host listens");
    }

    /// All up to the point from which there is a context.
    pub fn shake_hands(&mut self) {
        self.create_renderer("test");
        self.send(&message::protocol_version(VERSION));
        assert_eq!(self.receive(3), message::protocol_version(VERSION));
        self.send(&message::context_init(CAPSET_VENUS));
    }

    /// Creates a blob; returns its id and its memory.
    pub fn create_blob(&mut self, flags: BlobFlags, blob_id: u64, size: u64) -> (u32, Shmem) {
        let (id, fd) = self.create_blob_fd(flags, blob_id, size);
        (id, Shmem::new(&fd, size))
    }

    /// Creates a blob; returns its id and what its memory is mapped with, which need not be possible.
    pub fn create_blob_fd(&mut self, flags: BlobFlags, blob_id: u64, size: u64) -> (u32, OwnedFd) {
        self.send(&message::create_blob(flags, blob_id, size));
        let reply = self.receive(3);
        assert_eq!(reply[..2], [1, kind::RESOURCE_CREATE_BLOB]);
        (reply[2], self.receive_fd())
    }

    /// Plain shared memory.
    pub fn create_shmem(&mut self, size: u64) -> (u32, Shmem) {
        self.create_blob(BlobFlags::MAPPABLE, 0, size)
    }

    /// A direct submission without fences.
    pub fn submit(&mut self, commands: &[u32]) {
        self.send(&message::submit(commands, Some(0), None));
    }

    /// A direct submission, and when it is done.
    pub fn submit_and_wait(&mut self, commands: &[u32]) {
        let sync = self.create_sync(0);
        self.send(&message::submit(commands, Some(0), Some((sync, 1))));
        assert!(self.wait_sync(sync, 1, PATIENCE), "the fence retires");
        self.send(&message::unref_sync(sync));
    }

    /// A direct submission that loses the context, and so its fence.
    pub fn submit_and_lose(&mut self, commands: &[u32]) {
        let sync = self.create_sync(0);
        self.send(&message::submit(commands, Some(0), Some((sync, 1))));
        assert_eq!(self.sync_event(sync, 1).wait(PATIENCE), Waited::Lost);
        self.send(&message::unref_sync(sync));
    }

    /// Creates a sync.
    pub fn create_sync(&mut self, initial: u64) -> u32 {
        self.send(&message::create_sync(initial));
        let reply = self.receive(3);
        assert_eq!(reply[..2], [1, kind::SYNC_CREATE]);
        reply[2]
    }

    /// What a sync's value is.
    pub fn read_sync(&mut self, sync: u32) -> u64 {
        self.send(&message::read_sync(sync));
        let reply = self.receive(4);
        assert_eq!(reply[..2], [2, kind::SYNC_READ]);
        u64::from(reply[2]) | u64::from(reply[3]) << 32
    }

    /// Waits for a sync through a descriptor.
    pub fn wait_sync(&mut self, sync: u32, value: u64, timeout: Duration) -> bool {
        self.sync_event(sync, value).wait(timeout) == Waited::Done
    }

    /// What says when a sync has the value, to wait with for ever.
    pub fn sync_event(&mut self, sync: u32, value: u64) -> Event {
        self.sync_event_within(sync, value, u32::MAX)
    }

    /// What says when a sync has the value, to wait with for so long.
    pub fn sync_event_within(&mut self, sync: u32, value: u64, timeout_ms: u32) -> Event {
        self.send(&message::wait_sync(sync, value, timeout_ms));
        assert_eq!(self.receive(2), [0, kind::SYNC_WAIT]);
        Event(self.receive_fd())
    }

    /// Waits until the host has come to this point.
    pub fn ping(&mut self) {
        self.send(&message::ping());
        assert_eq!(self.receive(2), message::ping());
    }

    /// A ring of `buffer_size` bytes, live.
    pub fn create_ring(&mut self, id: u64, buffer_size: u32) -> Ring {
        let bytes = usize::try_from(buffer_size).expect("a small ring");
        let size = BUFFER_OFFSET + bytes + EXTRA_BYTES;
        let (resource, memory) = self.create_shmem(u64::try_from(size).expect("a small ring"));
        self.submit_and_wait(&command::create_ring(id, resource, bytes, Some(3_000_000)));
        Ring { id, resource, memory, buffer_size, tail: 0 }
    }

    /// What a guest does after it has written a ring's tail.
    pub fn notify(&mut self, ring: &Ring) {
        if ring.status() & STATUS_IDLE != 0 {
            self.submit(&command::notify_ring(ring.id, ring.tail));
        }
    }
}

/// The descriptor that a guest waits with.
#[derive(Debug)]
pub struct Event(OwnedFd);

impl Event {
    /// What it says, within `timeout`.
    pub fn wait(&self, timeout: Duration) -> Waited {
        waited(&self.0, timeout).expect("a descriptor can be polled")
    }

    /// What it says now.
    pub fn state(&self) -> Waited {
        self.wait(Duration::ZERO)
    }
}

/// Shared memory, word by word.
#[derive(Debug)]
pub struct Shmem(Mapping);

impl Shmem {
    fn new(fd: &OwnedFd, size: u64) -> Self {
        let size = usize::try_from(size).expect("a blob that can be mapped");
        Self(Mapping::new(fd, size).expect("the blob can be mapped"))
    }

    /// The word at an offset.
    pub fn word(&self, offset: usize) -> u32 {
        u32::from_le(self.0.word(offset).expect("a word of the blob").load(Ordering::SeqCst))
    }

    /// Changes the word at an offset.
    pub fn set_word(&self, offset: usize, word: u32) {
        self.0.word(offset).expect("a word of the blob").store(word.to_le(), Ordering::SeqCst);
    }

    /// Changes the words from an offset on.
    pub fn set_words(&self, offset: usize, words: &[u32]) {
        for (index, word) in words.iter().enumerate() {
            self.set_word(offset + 4 * index, *word);
        }
    }
}

/// A ring, as the guest sees it.
#[derive(Debug)]
pub struct Ring {
    /// The guest's number for it.
    pub id: u64,
    /// The memory that it is in.
    pub resource: u32,
    /// The same, mapped.
    pub memory: Shmem,
    /// Bytes of commands that it holds.
    pub buffer_size: u32,
    /// Behind the last command.
    pub tail: u32,
}

impl Ring {
    /// Appends a command and moves the tail.
    pub fn send(&mut self, command: &[u32]) {
        for word in command {
            let at = usize::try_from(self.tail % self.buffer_size).expect("a small ring");
            self.memory.set_word(BUFFER_OFFSET + at, *word);
            self.tail = self.tail.wrapping_add(4);
        }
        self.memory.set_word(TAIL_OFFSET, self.tail);
    }

    /// Behind the last command that was executed.
    pub fn head(&self) -> u32 {
        self.memory.word(HEAD_OFFSET)
    }

    /// The status bits.
    pub fn status(&self) -> u32 {
        self.memory.word(STATUS_OFFSET)
    }

    /// The word that the host writes when it is told to.
    pub fn extra(&self) -> u32 {
        self.memory.word(BUFFER_OFFSET + usize::try_from(self.buffer_size).expect("a small ring"))
    }

    /// Waits until everything is executed.
    pub fn until_drained(&self) {
        until("drained", || self.head() == self.tail);
    }
}
