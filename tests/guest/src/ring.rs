//! The producer's side of a command ring.
//!
//! The layout is that of Mesa's rings; head, tail and status are words, each with a cache line to itself:
//!
//! | offset | bytes | what | written by |
//! |-------:|------:|------|------------|
//! |      0 |     4 | head: bytes consumed, wraps at 2^32 | host |
//! |     64 |     4 | tail: bytes produced, wraps at 2^32 | guest |
//! |    128 |     4 | status bits | both |
//! |    192 | buffer size | commands | guest |
//! |  192 + buffer size | 4 | extra word | host, when told to |

use std::ffi::c_void;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use venus_protocol::vk;

use super::{Pause, Shmem};

pub(super) const HEAD_OFFSET: usize = 0;
pub(super) const TAIL_OFFSET: usize = 64;
pub(super) const STATUS_OFFSET: usize = 128;
pub(super) const BUFFER_OFFSET: usize = 192;
pub(super) const EXTRA_BYTES: usize = 4;

/// The host sleeps and has to be notified.
pub const STATUS_IDLE: u32 = 0x1;
/// The host has given up on this context.
pub const STATUS_FATAL: u32 = 0x2;
/// The host set this since we last cleared it.
pub const STATUS_ALIVE: u32 = 0x4;

/// How long the host polls an empty ring before it sleeps, and the least time between two notifications. The protocol
/// relies on the two being the same.
const IDLE_TIMEOUT: Duration = Duration::from_millis(1);
/// How often the host promises to say that it is alive.
const MONITOR_PERIOD: Duration = Duration::from_secs(3);
/// How long it may stay silent before we give up on it.
const SILENCE_LIMIT: Duration = Duration::from_secs(10);

/// Where everything is in a resource that holds a ring and no more.
pub(super) fn layout(resource_id: u32, buffer_size: usize) -> vk::RingCreateInfoMESA<'static> {
    let extra_offset = BUFFER_OFFSET + buffer_size;
    vk::RingCreateInfoMESA {
        resource_id,
        size: extra_offset + EXTRA_BYTES,
        head_offset: HEAD_OFFSET,
        tail_offset: TAIL_OFFSET,
        status_offset: STATUS_OFFSET,
        buffer_offset: BUFFER_OFFSET,
        buffer_size,
        extra_offset,
        extra_size: EXTRA_BYTES,
        ..Default::default()
    }
}

/// A place in the ring's stream: bytes since its beginning, modulo 2^32.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RingPosition(pub u32);

/// What the producer has to do after it has published commands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Publication {
    /// The host is looking.
    Seen,
    /// The host sleeps: notify it.
    MustNotify,
}

/// A ring in shared memory.
#[derive(Debug)]
pub struct Ring {
    id: u64,
    memory: Shmem,
    buffer_bytes: u32,
    tail: u32,
    /// The host's head as last seen: most often that is enough to know that there is room.
    head: u32,
    notified: Option<Instant>,
}

impl Ring {
    /// Bytes of shared memory that a ring of this many buffer bytes takes.
    pub fn shmem_bytes(buffer_bytes: u32) -> Result<usize> {
        ensure!(buffer_bytes.is_power_of_two(), "a ring's buffer has a power of two of bytes, {buffer_bytes} is none");
        Ok(BUFFER_OFFSET + usize::try_from(buffer_bytes)? + EXTRA_BYTES)
    }

    /// A ring in `memory`, which must be zeroed and of [`shmem_bytes`](Self::shmem_bytes) bytes.
    pub fn new(id: u64, memory: Shmem, buffer_bytes: u32) -> Self {
        Self { id, memory, buffer_bytes, tail: 0, head: 0, notified: None }
    }

    /// What `vkCreateRingMESA` needs to know, and the monitor to chain to it.
    pub fn create_info(&self) -> Result<(vk::RingCreateInfoMESA<'static>, vk::RingMonitorInfoMESA<'static>)> {
        let buffer_size = usize::try_from(self.buffer_bytes)?;
        let info = vk::RingCreateInfoMESA {
            size: self.memory.mapping.len(),
            idle_timeout: u64::try_from(IDLE_TIMEOUT.as_nanos())?,
            ..layout(self.memory.resource.0, buffer_size)
        };
        let monitor = vk::RingMonitorInfoMESA {
            max_reporting_period_microseconds: u32::try_from(MONITOR_PERIOD.as_micros())?,
            ..Default::default()
        };
        Ok((info, monitor))
    }

    /// The guest's number for it.
    pub fn id(&self) -> u64 {
        self.id
    }

    /// Behind the last command.
    pub fn tail(&self) -> RingPosition {
        RingPosition(self.tail)
    }

    /// Most bytes that one publication may have.
    pub fn capacity(&self) -> usize {
        usize::try_from(self.buffer_bytes).unwrap_or(usize::MAX)
    }

    /// The memory, to be given back once the host has forgotten the ring.
    pub fn into_memory(self) -> Shmem {
        self.memory
    }

    /// Appends whole commands and shows them to the host.
    pub fn publish(&mut self, commands: &[u8], pause: impl FnMut(Pause) -> Result<()>) -> Result<Publication> {
        let len = u32::try_from(commands.len()).ok().filter(|len| *len <= self.buffer_bytes);
        let len = len.with_context(|| format!("{} bytes of commands exceed the ring", commands.len()))?;
        self.wait_for_room(len, pause)?;

        let at = usize::try_from(self.tail & (self.buffer_bytes - 1))?;
        let until_end = self.capacity() - at;
        let (first, wrapped) = commands.split_at(until_end.min(commands.len()));
        self.memory.mapping.write(BUFFER_OFFSET + at, first)?;
        self.memory.mapping.write(BUFFER_OFFSET, wrapped)?;

        self.tail = self.tail.wrapping_add(len);
        // The host sets IDLE and then looks at the tail, we set the tail and then look at IDLE: unless both sides are
        // sequentially consistent, both may miss the other's store.
        self.memory.mapping.word(TAIL_OFFSET)?.store(self.tail, Ordering::SeqCst);
        let status = self.memory.mapping.word(STATUS_OFFSET)?.load(Ordering::SeqCst);
        self.check(status)?;
        Ok(self.after_publication(status))
    }

    fn after_publication(&mut self, status: u32) -> Publication {
        if status & STATUS_IDLE == 0 {
            return Publication::Seen;
        }
        let now = Instant::now();
        // Once notified, the host polls for at least this long.
        if self.notified.is_some_and(|last| now.duration_since(last) < IDLE_TIMEOUT) {
            return Publication::Seen;
        }
        self.notified = Some(now);
        Publication::MustNotify
    }

    fn wait_for_room(&mut self, len: u32, pause: impl FnMut(Pause) -> Result<()>) -> Result<()> {
        let fits = |head: u32, ring: &Self| ring.tail.wrapping_sub(head) <= ring.buffer_bytes - len;
        if fits(self.head, self) {
            return Ok(());
        }
        self.head = self.poll_head("room in the ring", fits, pause)?;
        Ok(())
    }

    /// Waits until the host has executed everything before `position`.
    pub fn wait(&mut self, position: RingPosition, pause: impl FnMut(Pause) -> Result<()>) -> Result<()> {
        // Distances are less than half of the numbers: no ring is that large.
        let passed = |head: u32, _: &Self| head.wrapping_sub(position.0) < 1 << 31;
        self.head = self.poll_head("the host to execute commands", passed, pause)?;
        Ok(())
    }

    fn poll_head(
        &self,
        what: &str,
        done: impl Fn(u32, &Self) -> bool,
        mut pause: impl FnMut(Pause) -> Result<()>,
    ) -> Result<u32> {
        let mut relax = Relax::default();
        loop {
            let head = self.memory.mapping.word(HEAD_OFFSET)?.load(Ordering::Acquire);
            ensure!(
                self.tail.wrapping_sub(head) <= self.buffer_bytes,
                "the host claims to have consumed {head:#x}, and there is only {:#x}",
                self.tail
            );
            if done(head, self) {
                return Ok(head);
            }
            let length = relax.pause();
            pause(length).with_context(|| format!("waiting for {what}"))?;
            if length == Pause::Long {
                let status = self.memory.mapping.word(STATUS_OFFSET)?;
                self.check(status.load(Ordering::Relaxed))?;
                if status.fetch_and(!STATUS_ALIVE, Ordering::Relaxed) & STATUS_ALIVE != 0 {
                    relax.heard = Instant::now();
                }
                let silent = relax.heard.elapsed();
                ensure!(
                    silent < SILENCE_LIMIT,
                    "no sign of life from the host for {silent:.1?} while we waited for {what}"
                );
            }
        }
    }

    fn check(&self, status: u32) -> Result<()> {
        ensure!(status & STATUS_FATAL == 0, "the host has given up on this context; its log says why");
        Ok(())
    }
}

/// The structure with `next` as its chain.
pub(super) fn chained<'a>(
    mut info: vk::RingCreateInfoMESA<'a>,
    next: &'a vk::RingMonitorInfoMESA<'a>,
) -> vk::RingCreateInfoMESA<'a> {
    info.p_next = std::ptr::from_ref(next).cast::<c_void>();
    info
}

/// Waits ever longer: most commands take less than a microsecond, some take seconds.
struct Relax {
    rounds: u32,
    /// When the host last showed that it is alive.
    heard: Instant,
}

impl Default for Relax {
    fn default() -> Self {
        Self { rounds: 0, heard: Instant::now() }
    }
}

impl Relax {
    const SPINS: u32 = 2048;
    const YIELDS: u32 = 64;
    const LONGEST_DOUBLINGS: u32 = 6;

    fn pause(&mut self) -> Pause {
        self.rounds = self.rounds.saturating_add(1);
        if self.rounds <= Self::SPINS {
            std::hint::spin_loop();
            return Pause::Short;
        }
        if self.rounds <= Self::SPINS + Self::YIELDS {
            std::thread::yield_now();
            return Pause::Short;
        }
        let doublings = (self.rounds - Self::SPINS - Self::YIELDS) / 16;
        std::thread::sleep(Duration::from_micros(10 << doublings.min(Self::LONGEST_DOUBLINGS)));
        Pause::Long
    }
}
