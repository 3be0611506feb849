//! What a ring does: fetch, execute, publish, and go idle when there is nothing to do.
//!
//! A [`Consumer`] advances by [`step`](Consumer::step)s that never sleep, so the same code runs on a thread of its own
//! ([`run_thread`]) and under an owner that polls ([`Poll`]). Its states:
//!
//! ```text
//!            commands                     empty for idle_timeout, tail still unchanged after IDLE is published
//!   polling ----------> polling   polling ----------------------------------------------------------------> idle
//!      ^                                                                                                       |
//!      +------------------- notified, or the tail has moved at the second look -------------------------------+
//! ```
//!
//! Two traps are behind the rules of going idle:
//!
//! * The guest sends at most one notification per millisecond. It relies on the host polling that long after a wake-up,
//!   so `idle_timeout` is a lower bound, counted from the last activity, wake-up *or notification*, and never
//!   shortened. A notification may come late, when the second look has woken the ring already.
//! * Guests older than their fix of this store the tail with release order only and may miss an IDLE that they should
//!   have seen. Nothing on this side can order the guest's accesses, so an idle ring takes a second look a moment later
//!   and only then sleeps for good. An idle guest therefore costs one wake-up per idle period, not one per unit of
//!   time; and in a worker, which keeps memory for the next commands, another one to give it back.

use std::{sync::Arc, time::Duration};

use super::{Control, Region, control::reached, monitor::Monitor, region};
use crate::{
    allocator,
    error::{Fatal, GUEST_DRIVER, Interrupt},
    sync::{Instant, hint, thread},
    thread::AutoreleasePool,
};

/// What a ring without commands does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rest {
    /// Looks for commands all the time.
    Polling,
    /// Sleeps until it is notified.
    Idle,
}

/// Executes the commands of a ring.
pub(crate) trait Execute: Send + 'static {
    /// A batch of commands begins, the first byte of which stands at `base` of the endpoint's stream.
    fn enter(&mut self, base: u64);

    /// The batch is over: nothing will be executed until the next `enter`.
    fn leave(&mut self);

    /// Executes the command at byte `at` of `stream`, writes its reply, and returns where the next one starts.
    fn execute(&mut self, stream: &[u8], at: usize) -> Result<usize, Interrupt>;

    /// Whether the context is lost, so that nothing more must be executed.
    fn is_lost(&self) -> bool;

    /// Ends the context.
    fn fail(&self, reason: Fatal);

    /// Is told that there are no commands, when that begins and when the ring goes idle.
    fn rest(&mut self, rest: Rest) {
        let _ = rest;
    }
}

/// Polling rounds that only burn cycles before the consumer starts to yield. A guest that has just read a reply sends
/// its next command within a microsecond or two.
const SPINS: u32 = 64;

/// Rounds up to this one yield the processor; later ones sleep.
const YIELDS: u32 = SPINS + 15;

/// First sleep, doubled at each power of two of the number of sleeps, and no longer than the idle timeout.
const FIRST_SLEEP: Duration = Duration::from_micros(10);

/// Between publishing IDLE and the second look.
const SECOND_LOOK: Duration = Duration::from_micros(500);

/// How long a ring is idle before memory is given back that is kept for its next commands.
pub(super) const LONG_REST: Duration = Duration::from_secs(2);

/// What a ring polled by its owner has to report, the busiest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Progress {
    /// Commands were executed.
    Worked,
    /// No commands, but the guest counts on being polled: come back within the idle timeout.
    Empty,
    /// A command waits for a direct submission: come back after the next one.
    Blocked,
    /// The guest will notify before it needs the ring again.
    Idle,
    /// The ring will never execute anything again.
    Ended,
}

/// A ring that its owner polls.
pub(crate) trait Poll: Send {
    /// Executes what is there, without sleeping.
    fn process_available(&mut self) -> Progress;
}

#[derive(Debug)]
enum State {
    /// Looking for commands; the time since when there were none, once there were none.
    Polling {
        empty_since: Option<Instant>,
    },
    /// IDLE is published; whether the second look was taken.
    Idle {
        looked: bool,
    },
    Ended,
}

/// The reading end of one ring.
#[derive(Debug)]
pub(crate) struct Consumer<E> {
    control: Arc<Control>,
    monitor: Arc<Monitor>,
    executor: E,
    /// Private copy of the batch being executed; grows to the largest one and stays.
    batch: Vec<u8>,
    /// Bytes of it that are in use, and how many of those are executed.
    batch_len: usize,
    at: usize,
    /// Ring position of the batch's first byte.
    base: u32,
    idle_after: Duration,
    state: State,
}

impl<E> Drop for Consumer<E> {
    /// Nobody is left to execute anything. If nobody has stopped the ring, its thread has panicked, for which another ring
    /// may be to blame that shares the thread: its guest is told, and those who wait for its end go on.
    fn drop(&mut self) {
        if !matches!(self.state, State::Ended) {
            self.end(!self.control.is_stopped());
        }
    }
}

impl<E: Execute> Consumer<E> {
    pub(crate) fn new(control: Arc<Control>, monitor: Arc<Monitor>, executor: E) -> Self {
        // The guest's clock may run slightly slower than ours.
        let idle_timeout = control.settings.idle_timeout;
        let idle_after = idle_timeout.saturating_add(idle_timeout.checked_div(16).unwrap_or_default());
        Self {
            control,
            monitor,
            executor,
            batch: Vec::new(),
            batch_len: 0,
            at: 0,
            base: 0,
            idle_after,
            state: State::Polling { empty_since: None },
        }
    }

    /// As if the ring had come this far already.
    #[cfg(test)]
    pub(super) fn resume_at(mut self, position: u32) -> Self {
        self.base = position;
        self
    }

    fn region(&self) -> &Region {
        &self.control.region
    }

    /// Ring position up to which everything is fetched.
    fn fetched(&self) -> u32 {
        self.base.wrapping_add(low_bits(self.batch_len))
    }

    /// Does one thing: a batch, a look at an empty ring, or a step into or out of idleness.
    fn step(&mut self) -> Progress {
        if matches!(self.state, State::Ended) {
            return Progress::Ended;
        }
        if self.control.is_stopped() || self.executor.is_lost() {
            return self.end(self.executor.is_lost());
        }
        match self.state {
            State::Idle { looked }
                if !self.control.is_notified() && self.region().tail_after_idle() == self.fetched() =>
            {
                self.state = State::Idle { looked: true };
                if looked { Progress::Idle } else { Progress::Empty }
            }
            State::Idle { .. } => {
                self.leave_idle();
                self.step_polling()
            }
            _ => self.step_polling(),
        }
    }

    fn step_polling(&mut self) -> Progress {
        match self.execute_batch() {
            Ok(Progress::Empty) => self.step_empty(),
            Ok(progress) => {
                self.state = State::Polling { empty_since: None };
                progress
            }
            Err(Interrupt::Stopped) => self.end(self.executor.is_lost()),
            Err(interrupt) => self.fail(interrupt.into_fatal("ring")),
        }
    }

    /// Fetches and executes everything up to the tail.
    fn execute_batch(&mut self) -> Result<Progress, Interrupt> {
        if self.at == self.batch_len && !self.fetch()? {
            return Ok(Progress::Empty);
        }
        let _pool = AutoreleasePool::new();
        self.executor.enter(u64::from(self.base));
        let outcome = self.execute_fetched();
        self.executor.leave();
        outcome
    }

    /// Copies what the guest has written since the last fetch; false if that is nothing.
    fn fetch(&mut self) -> Result<bool, Interrupt> {
        let position = self.fetched();
        let available = self.region().tail().wrapping_sub(position);
        if available == 0 {
            return Ok(false);
        }
        let size = self.region().buffer_size();
        if available > size {
            return Err(self.broken(format!(
                "is {available} bytes ahead of the head, in a buffer of {size}: commands were overwritten that had not \
                 been executed"
            )));
        }
        let len = usize::try_from(available).unwrap_or(usize::MAX);
        if self.batch.len() < len {
            self.batch.resize(len, 0);
        }
        let batch = self.batch.get_mut(..len).unwrap_or_default();
        self.control.region.fetch(position, batch).map_err(|error| Fatal::new("ring", error.to_string()))?;
        (self.base, self.batch_len, self.at) = (position, len, 0);
        Ok(true)
    }

    fn execute_fetched(&mut self) -> Result<Progress, Interrupt> {
        let stream = self.batch.get(..self.batch_len).unwrap_or_default();
        while self.at < stream.len() {
            if self.control.is_stopped() || self.executor.is_lost() {
                return Err(Interrupt::Stopped);
            }
            let next = match self.executor.execute(stream, self.at) {
                Ok(next) => next,
                Err(Interrupt::Blocked) => return Ok(Progress::Blocked),
                Err(Interrupt::Stopped) => return Err(Interrupt::Stopped),
                Err(interrupt) => return Err(self.locate(interrupt).into()),
            };
            debug_assert!(next > self.at && next <= stream.len(), "an executor has to advance inside its stream");
            self.at = next;
            self.control.advance(self.base.wrapping_add(low_bits(next)));
        }
        Ok(Progress::Worked)
    }

    /// Nothing to execute: fail whoever waits in vain, and go idle when the time has come.
    fn step_empty(&mut self) -> Progress {
        // The waiter's request came after everything the guest had written before it, so a second look at the tail is
        // conclusive.
        if let Some(awaited) = self.control.awaited()
            && self.region().tail() == self.fetched()
            && !reached(self.fetched(), awaited)
        {
            let reason =
                format!("waits for position {awaited}, but the guest has written only up to {}", self.fetched());
            return self.fail(Fatal::new("vkWaitRingSeqnoMESA", reason).located(
                self.control.name(),
                u64::from(self.fetched()),
                0,
            ));
        }
        let now = Instant::now();
        match &mut self.state {
            // A doorbell that was rung at a ring awake is activity: its guest has seen IDLE, and rings no second time so
            // soon.
            State::Polling { empty_since: Some(since) } if now.saturating_duration_since(*since) >= self.idle_after => {
                if self.control.take_notified() {
                    *since = now;
                    return Progress::Empty;
                }
                self.enter_idle()
            }
            State::Polling { empty_since } => {
                if empty_since.replace(empty_since.unwrap_or(now)).is_none() {
                    self.executor.rest(Rest::Polling);
                }
                Progress::Empty
            }
            State::Idle { .. } | State::Ended => Progress::Empty,
        }
    }

    /// Publishes IDLE, unless the guest has just moved the tail. The order of these lines is the handshake.
    fn enter_idle(&mut self) -> Progress {
        self.region().set_status(region::STATUS_IDLE);
        if self.region().tail_after_idle() != self.fetched() || self.control.awaited().is_some() {
            self.region().clear_status(region::STATUS_IDLE);
            self.state = State::Polling { empty_since: None };
            return Progress::Empty;
        }
        self.state = State::Idle { looked: false };
        self.monitor.ring_sleeps(&self.control);
        self.executor.rest(Rest::Idle);
        Progress::Empty
    }

    /// Takes the notification first, so that one which comes later counts on its own.
    fn leave_idle(&mut self) {
        self.control.take_notified();
        self.region().clear_status(region::STATUS_IDLE);
        self.monitor.ring_wakes(&self.control);
        self.state = State::Polling { empty_since: None };
    }

    #[cold]
    fn broken(&self, reason: String) -> Interrupt {
        let position = u64::from(self.fetched());
        Fatal::new("ring", reason).member("tail").advice(GUEST_DRIVER).located(self.control.name(), position, 0).into()
    }

    #[cold]
    fn locate(&self, interrupt: Interrupt) -> Fatal {
        let at = u64::try_from(self.at).unwrap_or(u64::MAX);
        interrupt.into_fatal("ring").located(self.control.name(), u64::from(self.base), at)
    }

    #[cold]
    fn fail(&mut self, reason: Fatal) -> Progress {
        self.executor.fail(reason);
        self.end(true)
    }
}

impl<E: Execute> Consumer<E> {
    /// Sleeps until somebody wakes the ring. What its commands have left in the C library's hands is given back once there
    /// have been none for a while: that is one more wake-up of each idle period.
    fn sleep(&self) {
        let is_lost = || self.executor.is_lost();
        if allocator::keeps() {
            if self.control.sleep(Some(LONG_REST), is_lost) {
                return;
            }
            allocator::give_back();
        }
        self.control.sleep(None, is_lost);
    }
}

impl<E> Consumer<E> {
    fn end(&mut self, fatal: bool) -> Progress {
        self.state = State::Ended;
        self.control.end(fatal);
        self.monitor.ring_sleeps(&self.control);
        Progress::Ended
    }
}

impl<E: Execute> Poll for Consumer<E> {
    fn process_available(&mut self) -> Progress {
        let mut worked = false;
        loop {
            match self.step() {
                Progress::Worked => worked = true,
                Progress::Empty if worked => return Progress::Worked,
                other => return other,
            }
        }
    }
}

/// Runs a ring until it ends. The body of a ring's thread.
pub(crate) fn run_thread<E: Execute>(mut consumer: Consumer<E>) {
    allocator::use_large_pages();
    let control = Arc::clone(&consumer.control);
    let mut round = 0;
    loop {
        match consumer.step() {
            Progress::Worked => round = 0,
            Progress::Empty if matches!(consumer.state, State::Idle { .. }) => {
                control.sleep(Some(SECOND_LOOK), || consumer.executor.is_lost());
                round = 0;
            }
            Progress::Empty => {
                back_off(round, control.settings.idle_timeout);
                round = round.saturating_add(1);
            }
            Progress::Idle => {
                consumer.sleep();
                round = 0;
            }
            // A command that has to wait does so inside the executor when the ring has a thread.
            Progress::Blocked => thread::yield_now(),
            Progress::Ended => break,
        }
    }
    drop(consumer);
    // The allocator keeps this thread's heap for another.
    allocator::give_back();
}

/// Lets time pass between two looks at an empty ring: briefly at first, since most waits are short.
pub(super) fn back_off(round: u32, longest: Duration) {
    if round < SPINS {
        hint::spin_loop();
    } else if round < YIELDS {
        thread::yield_now();
    } else {
        let doublings = round.saturating_sub(YIELDS).checked_ilog2().unwrap_or(0).saturating_sub(3);
        thread::sleep(FIRST_SLEEP.saturating_mul(1_u32.checked_shl(doublings).unwrap_or(u32::MAX)).min(longest));
    }
}

/// A position in a batch as ring arithmetic: batches are at most as long as the buffer, which fits.
fn low_bits(len: usize) -> u32 {
    u32::try_from(len).unwrap_or(u32::MAX)
}
