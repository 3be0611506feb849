//! Rings end to end, with a guest of a few lines and an executor that knows a few commands.
//!
//! A test command is `words of the command, opcode, arguments…`; see [`op`].

mod idle;
#[cfg(all(target_os = "linux", target_env = "gnu"))]
mod kept;
mod shared;
mod table;
mod waits;

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU32, Ordering},
        mpsc,
    },
    thread,
    time::{Duration, Instant},
};

use super::{
    Control, CreateInfo, Execute, Layout, Mode, Progress, Region, RingId, Settings, Table, WaitError,
    consumer::{Consumer, Poll},
    monitor::Monitor,
    region::{STATUS_ALIVE, STATUS_FATAL, STATUS_IDLE},
};
use crate::{
    error::{Fatal, HostError, Interrupt},
    limits,
    resource::{Mapping, MemoryFile, ResourceId},
};

/// Long enough for anything that is going to happen.
const PATIENCE: Duration = Duration::from_secs(10);

const BUFFER: u32 = 256;
const IDLE_TIMEOUT: Duration = Duration::from_millis(1);

mod op {
    /// Remember the arguments.
    pub(super) const RECORD: u32 = 1;
    /// Break the rules.
    pub(super) const FAIL: u32 = 2;
    /// vkWaitVirtqueueSeqnoMESA.
    pub(super) const WAIT_VIRTQUEUE: u32 = 3;
    /// Wait until the test opens the gate.
    pub(super) const GATE: u32 = 4;
    /// Write 0x600d where replies go.
    pub(super) const REPLY: u32 = 5;
    /// Panic.
    pub(super) const PANIC: u32 = 6;
    /// Take memory, and free it.
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    pub(super) const TAKE: u32 = 7;
}

#[derive(Clone)]
struct FakeExecutor {
    control: Arc<Control>,
    reply: Arc<Mapping>,
    log: Arc<Mutex<Vec<u32>>>,
    lost: Arc<AtomicBool>,
    reason: Arc<Mutex<Option<Fatal>>>,
    gate: Arc<AtomicBool>,
    batches: Arc<AtomicU32>,
    /// Whether it stands before the gate.
    at_gate: Arc<AtomicBool>,
}

fn word(stream: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(stream.get(at..at + 4)?.try_into().ok()?))
}

impl Execute for FakeExecutor {
    fn enter(&mut self, _base: u64) {
        self.batches.fetch_add(1, Ordering::SeqCst);
    }

    fn leave(&mut self) {}

    fn execute(&mut self, stream: &[u8], at: usize) -> Result<usize, Interrupt> {
        let truncated = || Interrupt::from(Fatal::new("test", "truncated"));
        let next = at + 4 * word(stream, at).ok_or_else(truncated)? as usize;
        let arguments: Vec<u32> = (at + 8..next).step_by(4).filter_map(|at| word(stream, at)).collect();
        if next > stream.len() {
            return Err(truncated());
        }
        match word(stream, at + 4).ok_or_else(truncated)? {
            op::RECORD => self.log.lock().unwrap().extend(arguments),
            op::WAIT_VIRTQUEUE if matches!(self.control.mode, Mode::Polled | Mode::Shared) => {
                if !self.control.virtqueue_reached(u64::from(arguments[0])) {
                    return Err(Interrupt::Blocked);
                }
            }
            op::WAIT_VIRTQUEUE => self.control.wait_virtqueue_seqno(u64::from(arguments[0]), || self.is_lost())?,
            op::GATE => {
                self.at_gate.store(true, Ordering::SeqCst);
                while !self.gate.load(Ordering::SeqCst) {
                    thread::yield_now();
                }
            }
            op::REPLY => self.reply.copy_in(2048, &0x600d_u32.to_le_bytes()).unwrap(),
            op::PANIC => panic!("as a test wants it"),
            #[cfg(all(target_os = "linux", target_env = "gnu"))]
            op::TAKE => crate::allocator::tests::use_some(),
            _ => return Err(Interrupt::from(Fatal::new("test", "broke the rules"))),
        }
        Ok(next)
    }

    fn is_lost(&self) -> bool {
        self.lost.load(Ordering::SeqCst)
    }

    fn fail(&self, reason: Fatal) {
        self.reason.lock().unwrap().get_or_insert(reason);
        self.lost.store(true, Ordering::SeqCst);
    }
}

/// A ring in a file of a page.
fn control(id: RingId, file: &MemoryFile, mode: Mode, monitor_period: Option<Duration>) -> Arc<Control> {
    let info = CreateInfo {
        offset: 0,
        size: 1024,
        head_offset: 0,
        tail_offset: 64,
        status_offset: 128,
        buffer_offset: 192,
        buffer_size: u64::from(BUFFER),
        extra_offset: 448,
        extra_size: 8,
    };
    let region = Region::new(Arc::new(file.map().unwrap()), Layout::new(&info, 4096).unwrap()).unwrap();
    let settings = Settings { idle_timeout: IDLE_TIMEOUT, monitor_period };
    Arc::new(Control::new(id, region, mode, ResourceId(1), settings))
}

/// A ring with both of its ends.
struct Fixture {
    table: Arc<Table>,
    control: Arc<Control>,
    executor: FakeExecutor,
    memory: Arc<Mapping>,
    tail: u32,
}

impl Fixture {
    fn new(mode: Mode) -> Self {
        Self::with(mode, None)
    }

    fn with(mode: Mode, monitor_period: Option<Duration>) -> Self {
        Self::beside(&Arc::new(Table::holding(limits::RINGS)), RingId(0x7f00), mode, monitor_period)
    }

    /// One more ring of a table.
    fn beside(table: &Arc<Table>, id: RingId, mode: Mode, monitor_period: Option<Duration>) -> Self {
        let file = MemoryFile::create(4096).unwrap();
        let memory = Arc::new(file.map().unwrap());
        let control = control(id, &file, table.mode(mode), monitor_period);
        let executor = FakeExecutor {
            control: Arc::clone(&control),
            reply: Arc::clone(&memory),
            log: Arc::default(),
            lost: Arc::default(),
            reason: Arc::default(),
            gate: Arc::default(),
            batches: Arc::default(),
            at_gate: Arc::default(),
        };
        let table = Arc::clone(table);
        table.create(Arc::clone(&control), executor.clone()).unwrap();
        Self { table, control, executor, memory, tail: 0 }
    }

    /// Appends one command without moving the tail word.
    fn write(&mut self, opcode: u32, arguments: &[u32]) {
        let length = u32::try_from(arguments.len()).unwrap() + 2;
        for word in [length, opcode].iter().chain(arguments) {
            let at = 192 + (self.tail % BUFFER) as usize;
            self.memory.copy_in(at, &word.to_le_bytes()).unwrap();
            self.tail = self.tail.wrapping_add(4);
        }
    }

    /// Hands everything written to the host.
    fn publish(&self) {
        self.memory.atomic_u32(64).unwrap().store(self.tail, Ordering::SeqCst);
    }

    /// What a guest does after it moved the tail.
    fn publish_and_notify(&self) {
        self.publish();
        if self.status() & STATUS_IDLE != 0 {
            self.control.notify();
        }
    }

    fn send(&mut self, opcode: u32, arguments: &[u32]) {
        self.write(opcode, arguments);
        self.publish_and_notify();
    }

    fn head(&self) -> u32 {
        self.memory.atomic_u32(0).unwrap().load(Ordering::Acquire)
    }

    fn status(&self) -> u32 {
        self.memory.atomic_u32(128).unwrap().load(Ordering::SeqCst)
    }

    fn drained(&self) -> bool {
        self.head() == self.tail
    }

    fn log(&self) -> Vec<u32> {
        self.executor.log.lock().unwrap().clone()
    }

    fn reason(&self) -> String {
        self.executor.reason.lock().unwrap().as_ref().map(ToString::to_string).unwrap_or_default()
    }

    /// Waits for the guest side to see something.
    fn until(&self, what: &str, holds: impl Fn(&Self) -> bool) {
        let deadline = Instant::now() + PATIENCE;
        while !holds(self) {
            assert!(
                Instant::now() < deadline,
                "{what}: head {} tail {} status {:#x}",
                self.head(),
                self.tail,
                self.status()
            );
            thread::sleep(Duration::from_micros(50));
        }
    }

    fn until_idle(&self) {
        self.until("idle", |ring| ring.status() & STATUS_IDLE != 0);
    }
}

impl Drop for Fixture {
    fn drop(&mut self) {
        self.executor.gate.store(true, Ordering::SeqCst);
        assert_eq!(self.table.stop_all(PATIENCE), []);
    }
}

#[test]
fn commands_are_executed_in_order_across_the_end_of_the_buffer() {
    let mut ring = Fixture::new(Mode::Thread);
    let mut expected = Vec::new();
    // Commands of 12, 16, 20 and 24 bytes, so that one straddles the end of the buffer in nearly every round.
    for i in 0..2_000 {
        let arguments: Vec<u32> = (0..=i % 4).map(|j| i * 10 + j).collect();
        let bytes = 4 * (u32::try_from(arguments.len()).unwrap() + 2);
        ring.until("room", |ring| ring.tail.wrapping_sub(ring.head()) + bytes <= BUFFER);
        ring.write(op::RECORD, &arguments);
        ring.publish_and_notify();
        expected.extend(arguments);
    }
    ring.until("drained", Fixture::drained);
    assert_eq!(ring.log(), expected);
    assert_eq!(ring.status() & STATUS_FATAL, 0);
}

#[test]
fn a_full_buffer_is_one_batch() {
    let mut ring = Fixture::new(Mode::Polled);
    for i in 0..BUFFER / 16 {
        ring.write(op::RECORD, &[i, i]);
    }
    ring.publish();
    assert_eq!(ring.table.poll(), Progress::Worked);
    assert_eq!(ring.executor.batches.load(Ordering::SeqCst), 1);
    assert!(ring.drained());
}

#[test]
fn the_reply_is_there_when_head_says_so() {
    let mut ring = Fixture::new(Mode::Thread);
    for _ in 0..200 {
        ring.memory.copy_in(2048, &[0; 4]).unwrap();
        ring.send(op::REPLY, &[]);
        ring.until("drained", Fixture::drained);
        let mut reply = [0; 4];
        ring.memory.copy_out(2048, &mut reply).unwrap();
        assert_eq!(u32::from_le_bytes(reply), 0x600d);
    }
}

#[test]
fn head_moves_after_each_command() {
    let mut ring = Fixture::new(Mode::Thread);
    ring.write(op::RECORD, &[1]);
    ring.write(op::GATE, &[]);
    ring.write(op::RECORD, &[2]);
    ring.publish_and_notify();
    ring.until("the first command", |ring| ring.head() == 12);
    thread::sleep(Duration::from_millis(2));
    assert_eq!((ring.head(), ring.log()), (12, vec![1]));
    ring.executor.gate.store(true, Ordering::SeqCst);
    ring.until("drained", Fixture::drained);
}

#[test]
fn a_tail_too_far_ahead_is_fatal() {
    let mut ring = Fixture::new(Mode::Thread);
    ring.tail = BUFFER + 4;
    ring.publish_and_notify();
    ring.until("fatal", |ring| ring.status() & STATUS_FATAL != 0);
    assert!(ring.reason().contains("260 bytes ahead"), "{}", ring.reason());
    assert!(ring.reason().contains("ring 0x7f00"), "{}", ring.reason());
    assert_eq!(ring.head(), 0);
}

#[test]
fn a_tail_that_moves_back_is_fatal() {
    let mut ring = Fixture::new(Mode::Thread);
    ring.send(op::RECORD, &[1]);
    ring.until("drained", Fixture::drained);
    ring.tail = 8;
    ring.publish_and_notify();
    ring.until("fatal", |ring| ring.status() & STATUS_FATAL != 0);
}

#[test]
fn a_bad_command_is_fatal_and_names_its_place() {
    let mut ring = Fixture::new(Mode::Thread);
    ring.write(op::RECORD, &[1]);
    ring.write(op::FAIL, &[]);
    ring.write(op::RECORD, &[2]);
    ring.publish_and_notify();
    ring.until("fatal", |ring| ring.status() & STATUS_FATAL != 0);
    assert_eq!(ring.reason(), "test: broke the rules (ring 0x7f00 at byte 12)");
    assert_eq!((ring.head(), ring.log()), (12, vec![1]));
}

#[test]
fn a_context_lost_elsewhere_reaches_a_sleeping_ring() {
    let ring = Fixture::new(Mode::Thread);
    ring.until_idle();
    thread::sleep(Duration::from_millis(3));
    ring.executor.lost.store(true, Ordering::SeqCst);
    ring.table.wake_all();
    ring.until("fatal", |ring| ring.status() & STATUS_FATAL != 0);
}

#[test]
fn extra_words_are_bounded() {
    let ring = Fixture::new(Mode::Polled);
    assert_eq!(ring.control.region.write_extra(4, 9), Some(()));
    let mut word = [0; 4];
    ring.memory.copy_out(452, &mut word).unwrap();
    assert_eq!(u32::from_le_bytes(word), 9);
    for offset in [2, 5, 8, u64::MAX, u64::MAX - 3] {
        assert_eq!(ring.control.region.write_extra(offset, 1), None, "{offset}");
    }
}

#[test]
fn a_polled_ring_gives_the_thread_back() {
    let mut ring = Fixture::new(Mode::Polled);
    assert_eq!(ring.table.poll(), Progress::Empty);
    ring.write(op::RECORD, &[1]);
    ring.write(op::WAIT_VIRTQUEUE, &[1]);
    ring.write(op::RECORD, &[2]);
    ring.publish();
    assert_eq!(ring.table.poll(), Progress::Blocked);
    assert_eq!(ring.table.poll(), Progress::Blocked);
    assert_eq!(ring.log(), [1]);
    ring.control.submit_virtqueue_seqno(1);
    assert_eq!(ring.table.poll(), Progress::Worked);
    assert_eq!(ring.log(), [1, 2]);

    // Nothing more comes: IDLE is published after the time-out, and a notification is what ends it.
    assert_eq!(ring.table.poll(), Progress::Empty);
    let deadline = Instant::now() + PATIENCE;
    while ring.table.poll() != Progress::Idle {
        assert!(Instant::now() < deadline);
    }
    assert_ne!(ring.status() & STATUS_IDLE, 0);
    ring.send(op::RECORD, &[3]);
    assert_eq!(ring.table.poll(), Progress::Worked);
    assert_eq!(ring.status() & STATUS_IDLE, 0);
    assert_eq!(ring.log(), [1, 2, 3]);
}

#[test]
fn counters_wrap_around_two_to_the_thirty_second() {
    let mut ring = Fixture::new(Mode::Polled);
    ring.tail = u32::MAX - 3;
    let monitor = Arc::default();
    let mut consumer = Consumer::new(Arc::clone(&ring.control), monitor, ring.executor.clone()).resume_at(ring.tail);
    ring.write(op::RECORD, &[1, 2]);
    ring.write(op::RECORD, &[3]);
    ring.publish();
    assert_eq!(consumer.process_available(), Progress::Worked);
    assert_eq!((ring.head(), ring.log()), (24, vec![1, 2, 3]));
    assert!(ring.control.has_consumed(u32::MAX));
    assert!(!ring.control.has_consumed(25));
}

#[test]
fn a_polled_ring_ends_when_its_context_is_lost() {
    let mut ring = Fixture::new(Mode::Polled);
    ring.send(op::FAIL, &[]);
    assert_eq!(ring.table.poll(), Progress::Ended);
    assert_eq!(ring.table.poll(), Progress::Ended);
    assert_ne!(ring.status() & STATUS_FATAL, 0);
}
