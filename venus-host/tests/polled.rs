//! Rings that their monitor polls, and streams that commands name. No Vulkan driver is needed.

use venus_guest::bare::{STATUS_FATAL, bytes, command};
use venus_host::{
    context::{Context, Options, Progress},
    driver::Config,
    resource::{BlobFlags, HostMapping, ResourceId},
};

/// Where rings laid out like Mesa's have their words and their buffer.
const HEAD: usize = 0;
const TAIL: usize = 64;
const STATUS: usize = 128;
const BUFFER: usize = 192;

const RING: u64 = 0x10;
const RING_MEMORY: u32 = 1;
const STREAM: u32 = 2;

/// A context whose rings nobody but the test reads, with one ring and memory for one stream.
struct Polled {
    context: Context,
    ring: HostMapping,
    stream: HostMapping,
    written: usize,
}

impl Polled {
    fn new() -> Self {
        let mut context = Context::new(Options::new("test", Config::default()).poll_rings());
        let mut shared = |id| {
            context.create_blob(ResourceId(id), BlobFlags::MAPPABLE, 0, 8192).unwrap();
            context.map_resource(ResourceId(id)).unwrap()
        };
        let (ring, stream) = (shared(RING_MEMORY), shared(STREAM));
        context.submit(&bytes(&command::create_ring(RING, RING_MEMORY, 4096, None))).unwrap();
        Self { context, ring, stream, written: 0 }
    }

    fn write_ring(&mut self, words: &[u32]) {
        let bytes = bytes(words);
        self.ring.copy_in(BUFFER + self.written, &bytes).unwrap();
        self.written += bytes.len();
        self.ring.copy_in(TAIL, &u32::try_from(self.written).unwrap().to_le_bytes()).unwrap();
    }

    /// Puts a stream into its memory and returns the command that names it.
    fn put_stream(&self, words: &[u32]) -> Vec<u32> {
        let bytes = bytes(words);
        self.stream.copy_in(0, &bytes).unwrap();
        command::execute(STREAM, 0, bytes.len(), None)
    }

    fn word(&self, at: usize) -> u32 {
        let mut word = [0; 4];
        self.ring.copy_out(at, &mut word).unwrap();
        u32::from_le_bytes(word)
    }

    #[track_caller]
    fn check_lost(&self, expected: &str) {
        let lost = self.context.lost().expect("the context is lost").to_string();
        assert!(lost.starts_with(expected), "{lost}");
    }
}

#[test]
fn a_command_that_waits_gives_the_thread_back() {
    let mut polled = Polled::new();
    polled.write_ring(&command::wait_virtqueue_seqno(7));
    for _ in 0..3 {
        assert_eq!(polled.context.process_rings(), Progress::Blocked);
        assert_eq!(polled.word(HEAD), 0);
    }
    polled.context.submit(&bytes(&command::submit_virtqueue_seqno(RING, 7))).unwrap();
    assert_eq!(polled.context.process_rings(), Progress::Worked);
    assert_eq!(usize::try_from(polled.word(HEAD)), Ok(polled.written));
}

#[test]
fn a_stream_cannot_wait_since_it_would_begin_again() {
    let mut polled = Polled::new();
    let stream = [command::set_reply_stream(STREAM, 0, 8), command::wait_virtqueue_seqno(7)].concat();
    let execute = polled.put_stream(&stream);
    polled.write_ring(&execute);
    assert_eq!(polled.context.process_rings(), Progress::Ended);
    assert_ne!(polled.word(STATUS) & STATUS_FATAL, 0);
    polled.check_lost("vkExecuteCommandStreamsMESA: a command of the stream has to wait");
}

#[test]
fn a_command_is_current_again_after_the_stream_that_it_names() {
    let mut polled = Polled::new();
    let execute = polled.put_stream(&command::set_reply_stream(STREAM, 0, 8));
    let (first, second) = (bytes(&execute), bytes(&command::execute(99, 0, 8, None)));
    polled.context.submit(&first).unwrap();
    assert_eq!(polled.context.statistics().executed, 3, "the ring's creation, this one and the one in the stream");
    let lost = polled.context.submit(&[first.clone(), second].concat()).unwrap_err();
    assert_eq!((lost.command, &*lost.stream), ("vkExecuteCommandStreamsMESA", "direct submission"));
    assert_eq!(lost.offset, Some(first.len() as u64));
    assert_eq!(polled.context.submit(&first).unwrap_err().to_string(), polled.context.lost().unwrap().to_string());
}

#[test]
fn streams_do_not_nest() {
    let mut polled = Polled::new();
    let inner = command::execute(STREAM, 0, 8, None);
    let execute = polled.put_stream(&inner);
    polled.context.submit(&bytes(&execute)).unwrap_err();
    polled.check_lost(
        "vkExecuteCommandStreamsMESA: is not legal inside an indirect stream (indirect stream of direct submission at byte 0)",
    );
}
