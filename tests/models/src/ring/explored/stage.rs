//! What models of rings are made of: a ring, its guest, and what executes its commands.

use std::{sync::Arc, time::Duration};

use crate::{
    error::{Fatal, Interrupt},
    resource::{Mapping, ResourceId},
    ring::{
        Control, Execute, Layout, Mode, Region, RingId, Settings,
        consumer::Consumer,
        region::{STATUS_ALIVE, STATUS_IDLE},
    },
    sync::{
        Condvar, Mutex,
        atomic::{AtomicBool, AtomicU32, Ordering},
        world,
    },
};

/// Bytes of a command.
pub(super) const COMMAND: u32 = 4;
const HEAD: usize = 0;
const TAIL: usize = 4;
const STATUS: usize = 8;
const BUFFER: usize = 12;
const BUFFER_SIZE: u32 = 8;

/// A ring of two words, which goes idle as soon as it has looked twice.
pub(super) fn ring(mode: Mode) -> (Arc<Control>, Guest) {
    with_heartbeat(mode, None)
}

fn with_heartbeat(mode: Mode, monitor_period: Option<Duration>) -> (Arc<Control>, Guest) {
    let layout = Layout {
        head: HEAD,
        tail: TAIL,
        status: STATUS,
        buffer: BUFFER,
        buffer_size: BUFFER_SIZE,
        extra: 0,
        extra_size: 0,
    };
    let mapping = Arc::new(Mapping::of_words(5));
    let region = Region::new(Arc::clone(&mapping), layout).expect("five words");
    let settings = Settings { idle_timeout: Duration::ZERO, monitor_period };
    let control = Control::new(RingId(1), region, mode, ResourceId(1), settings);
    (Arc::new(control), Guest { memory: mapping, tail: 0 })
}

/// The same, whose guest asks for a heartbeat.
pub(super) fn watched_ring() -> (Arc<Control>, Guest) {
    with_heartbeat(Mode::Thread, Some(Duration::ZERO))
}

/// The consumer of such a ring.
pub(super) fn consumer(control: &Arc<Control>, executor: Executor) -> Consumer<Executor> {
    Consumer::new(Arc::clone(control), Arc::default(), executor)
}

/// How a guest's driver stores the tail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Store {
    /// As newer ones do.
    SeqCst,
    /// As Mesa did before: what comes after may be done before.
    Release,
}

/// The guest's end of a ring.
pub(super) struct Guest {
    memory: Arc<Mapping>,
    tail: u32,
}

impl Guest {
    fn word(&self, offset: usize) -> &AtomicU32 {
        self.memory.atomic_u32(offset).expect("a word of the ring")
    }

    /// Writes a command, which is not zero; answers where it ends, and whether the host wants to be notified.
    pub(super) fn send(&mut self, command: u32, store: Store) -> (u32, bool) {
        let index = usize::try_from(self.tail & (BUFFER_SIZE - 1)).expect("a small number");
        self.word(BUFFER + index).store(command, Ordering::Relaxed);
        self.tail += COMMAND;
        let publish = |order| {
            self.word(TAIL).store(self.tail, order);
            self.word(STATUS).load(Ordering::SeqCst)
        };
        let status = match store {
            Store::SeqCst => publish(Ordering::SeqCst),
            Store::Release => world::unordered(|| publish(Ordering::Release)),
        };
        (self.tail, status & STATUS_IDLE != 0)
    }

    /// Asks for a sign that the host lives.
    pub(super) fn clear_alive(&self) {
        self.word(STATUS).fetch_and(!STATUS_ALIVE, Ordering::SeqCst);
    }

    /// Whether there was one.
    pub(super) fn sees_alive(&self) -> bool {
        self.word(STATUS).load(Ordering::SeqCst) & STATUS_ALIVE != 0
    }

    /// How far the host has come.
    pub(super) fn head(&self) -> u32 {
        self.word(HEAD).load(Ordering::Acquire)
    }
}

/// What executes commands: it notes them, and tells those who wait.
#[derive(Clone, Default)]
pub(super) struct Executor(Arc<Executed>);

#[derive(Default)]
struct Executed {
    commands: Mutex<Vec<u32>>,
    more: Condvar,
    lost: AtomicBool,
    /// What the last command answers, in memory that the guest sees.
    reply: AtomicU32,
    failed: Mutex<Option<String>>,
}

impl Executor {
    /// Waits until so many commands were executed.
    pub(super) fn wait_for(&self, count: usize) -> Vec<u32> {
        let mut commands = self.0.commands.lock();
        while commands.len() < count {
            self.0.more.wait(&mut commands);
        }
        commands.clone()
    }

    /// Answers, where the guest sees it.
    pub(super) fn answer(&self, reply: u32) {
        self.0.reply.store(reply, Ordering::Relaxed);
    }

    pub(super) fn reply(&self) -> u32 {
        self.0.reply.load(Ordering::Relaxed)
    }

    /// Marks the context as lost, as somebody else would; who does that then wakes its rings.
    pub(super) fn lose(&self) {
        self.0.lost.store(true, Ordering::Release);
    }

    pub(super) fn is_lost(&self) -> bool {
        self.0.lost.load(Ordering::Acquire)
    }

    /// Why the ring has ended its context, if it has.
    pub(super) fn failed(&self) -> Option<String> {
        self.0.failed.lock().clone()
    }
}

impl Execute for Executor {
    fn enter(&mut self, _base: u64) {}

    fn leave(&mut self) {}

    fn execute(&mut self, stream: &[u8], at: usize) -> Result<usize, Interrupt> {
        let next = at + COMMAND as usize;
        let command = stream.get(at..next).and_then(|bytes| bytes.try_into().ok()).map(u32::from_le_bytes);
        let command = command.expect("whole commands");
        assert_ne!(command, 0, "a command was read that the guest had not written");
        self.answer(command);
        self.0.commands.lock().push(command);
        self.0.more.notify_all();
        Ok(next)
    }

    fn is_lost(&self) -> bool {
        Self::is_lost(self)
    }

    fn fail(&self, reason: Fatal) {
        *self.0.failed.lock() = Some(reason.0);
        self.lose();
    }
}
