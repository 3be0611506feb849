//! What others do to a ring: notify it, stop it, wait for it, let it continue.
//!
//! A ring's consumer and the context's submission thread meet here and nowhere else. Everything that wakes somebody up
//! happens under one lock, which the consumer does not take while it has work.

use std::{fmt, sync::OnceLock, time::Duration};

use super::{Region, RingId, region};
use crate::{
    error::Interrupt,
    resource::ResourceId,
    sync::{
        Condvar, Instant, LOOKS_BEFORE_SLEEP, Mutex, MutexGuard,
        atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering},
        thread::{self, Thread},
    },
};

/// How long the waiter for a ring sleeps before it looks again. A wake-up can be missed only in the few nanoseconds
/// before the consumer's store becomes visible, which is too rare to pay a full fence per command for.
const WAITER_LOOK: Duration = Duration::from_millis(1);

/// How often a long wait asks whether the guest is still there.
const WAITER_ASK: Duration = Duration::from_millis(50);

/// Why a wait ended without what it waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum WaitError {
    /// The ring ended, or the context is lost or abandoned.
    Ended,
    /// The ring itself waits for a submission that can only come from the thread that waits for the ring.
    Deadlock,
}

/// Who calls a ring's consumer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    /// A thread of its own.
    Thread,
    /// The owner of the context, whenever it likes. Nothing may block then: commands that have to wait are retried.
    Polled,
    /// A thread that it shares with others, since there may be no more threads. Nothing may block either.
    Shared,
    /// Nobody reads the ring: a player executes its commands from elsewhere, each ring's on a thread of its own, and
    /// tells how far it is ([`Control::pass`]). Waits are those of [`Mode::Thread`].
    Fed,
}

/// What the guest asked for at vkCreateRingMESA, besides the layout.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Settings {
    /// How long an empty ring keeps polling, at least.
    pub(crate) idle_timeout: Duration,
    /// How often the guest wants to see the ALIVE bit, if it does.
    pub(crate) monitor_period: Option<Duration>,
}

/// A ring, as everybody but its consumer sees it.
pub(crate) struct Control {
    pub(crate) id: RingId,
    pub(crate) region: Region,
    pub(crate) mode: Mode,
    /// The resource that the ring lives in.
    pub(crate) resource: ResourceId,
    pub(crate) settings: Settings,
    /// Resources that hold the current reply stream and the indirect stream being executed; 0 for none.
    pub(crate) reply_resource: AtomicU32,
    pub(crate) indirect_resource: AtomicU32,
    /// Whether IDLE is published. Lets the monitor sleep while all rings do.
    pub(crate) idle: AtomicBool,
    /// The head as published, in memory that the guest cannot write.
    consumed: AtomicU32,
    stop: AtomicBool,
    /// Whether somebody waits for `consumed` to reach `awaited`.
    waiting: AtomicBool,
    awaited: AtomicU32,
    virtqueue_seqno: AtomicU64,
    /// Held while a command of a ring in [`Mode::Fed`] executes, after a look whether the ring is stopped: what a ring's
    /// thread is to those who wait for its end.
    pub(crate) feeding: Mutex<()>,
    state: Mutex<State>,
    /// The thread of a ring in [`Mode::Shared`].
    shared_thread: OnceLock<Thread>,
    /// Wakes the consumer: notified, stopped, context lost, virtqueue moved on.
    consumer: Condvar,
    /// Wakes the waiter: head moved on, ring ended, context lost.
    waiter: Condvar,
}

#[derive(Debug, Default)]
struct State {
    /// vkNotifyRingMESA came and has not been answered: by waking up, or by staying awake for longer.
    notified: bool,
    /// What the consumer waits for in vkWaitVirtqueueSeqnoMESA.
    awaited_virtqueue: Option<u64>,
    /// The consumer will execute nothing more.
    ended: bool,
}

impl Control {
    pub(crate) fn new(id: RingId, region: Region, mode: Mode, resource: ResourceId, settings: Settings) -> Self {
        Self {
            id,
            region,
            mode,
            resource,
            settings,
            reply_resource: AtomicU32::new(0),
            indirect_resource: AtomicU32::new(0),
            idle: AtomicBool::new(false),
            consumed: AtomicU32::new(0),
            stop: AtomicBool::new(false),
            waiting: AtomicBool::new(false),
            awaited: AtomicU32::new(0),
            virtqueue_seqno: AtomicU64::new(0),
            feeding: Mutex::new(()),
            state: Mutex::new(State::default()),
            shared_thread: OnceLock::new(),
            consumer: Condvar::new(),
            waiter: Condvar::new(),
        }
    }

    /// What the log calls this ring.
    pub(crate) fn name(&self) -> String {
        format!("ring {:#x}", self.id.0)
    }

    /// Whether destroying `resource` would pull memory from under this ring.
    pub(crate) fn uses(&self, resource: ResourceId) -> bool {
        self.resource == resource
            || self.reply_resource.load(Ordering::Relaxed) == resource.0
            || self.indirect_resource.load(Ordering::Relaxed) == resource.0
    }

    // What the consumer does.

    /// Publishes that everything before `head` is done, replies included.
    pub(super) fn advance(&self, head: u32) {
        self.region.publish_head(head);
        self.pass(head);
    }

    /// Notes that everything before `head` is done, without telling the guest.
    pub(crate) fn pass(&self, head: u32) {
        self.consumed.store(head, Ordering::Release);
        if self.waiting.load(Ordering::Relaxed) && reached(head, self.awaited.load(Ordering::Relaxed)) {
            self.wake_waiter();
        }
    }

    #[cold]
    fn wake_waiter(&self) {
        let _state = self.state.lock();
        self.waiter.notify_all();
    }

    /// The position that somebody waits for, if somebody does.
    pub(super) fn awaited(&self) -> Option<u32> {
        self.waiting.load(Ordering::SeqCst).then(|| self.awaited.load(Ordering::SeqCst))
    }

    /// Whether the ring has to end.
    pub(crate) fn is_stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    /// Whether a notification came since this was asked last, or since the ring was woken.
    pub(super) fn take_notified(&self) -> bool {
        std::mem::take(&mut self.state.lock().notified)
    }

    /// Tells a guest that asked for it that the host lives.
    pub(super) fn show_alive(&self) {
        if self.settings.monitor_period.is_some() {
            self.region.set_status(region::STATUS_ALIVE);
        }
    }

    /// Whether a notification came that nobody has taken.
    pub(super) fn is_notified(&self) -> bool {
        self.state.lock().notified
    }

    /// Sleeps until notified, stopped, or `lost`, at most for `timeout`; false if it was that long.
    pub(super) fn sleep(&self, timeout: Option<Duration>, lost: impl Fn() -> bool) -> bool {
        let mut state = self.state.lock();
        let deadline = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
        while !state.notified && !self.is_stopped() && !lost() {
            match deadline {
                None => self.consumer.wait(&mut state),
                Some(deadline) => {
                    if self.consumer.wait_until(&mut state, deadline).timed_out() {
                        return false;
                    }
                }
            }
        }
        true
    }

    /// The consumer has executed its last command.
    pub(super) fn end(&self, fatal: bool) {
        if fatal {
            self.region.set_status(region::STATUS_FATAL);
        }
        self.state.lock().ended = true;
        self.waiter.notify_all();
    }

    // What others do.

    /// Names the thread that calls the consumer, for a ring in [`Mode::Shared`].
    pub(super) fn share(&self, thread: Thread) {
        // A ring is created once.
        let _first = self.shared_thread.set(thread);
    }

    /// Makes the consumer look at the world again.
    fn wake_consumer(&self) {
        self.consumer.notify_all();
        if let Some(thread) = self.shared_thread.get() {
            thread.unpark();
        }
    }

    /// Whether the consumer will execute nothing more.
    pub(super) fn has_ended(&self) -> bool {
        self.state.lock().ended
    }

    /// Waits for that.
    pub(super) fn wait_ended(&self) {
        let mut state = self.state.lock();
        while !state.ended {
            self.waiter.wait(&mut state);
        }
    }

    /// vkNotifyRingMESA: wakes the consumer, or keeps it from falling asleep.
    pub(crate) fn notify(&self) {
        self.state.lock().notified = true;
        self.wake_consumer();
    }

    /// Asks the consumer to end after the command it is executing. Cancels both kinds of waits.
    pub(crate) fn stop(&self) {
        self.stop.store(true, Ordering::Release);
        self.wake_all();
    }

    /// Makes everybody who sleeps here look at the world again.
    pub(crate) fn wake_all(&self) {
        let _state = self.state.lock();
        self.wake_consumer();
        self.waiter.notify_all();
    }

    /// vkSubmitVirtqueueSeqnoMESA: lets the ring continue past a wait for `seqno`.
    pub(crate) fn submit_virtqueue_seqno(&self, seqno: u64) {
        let state = self.state.lock();
        self.virtqueue_seqno.store(seqno, Ordering::Release);
        // Guests send one with every fence. Who begins to wait later looks first, under the lock.
        if state.awaited_virtqueue.is_some() || self.shared_thread.get().is_some() {
            self.wake_consumer();
        }
    }

    /// Whether the context's submissions have come as far as `seqno`.
    pub(crate) fn virtqueue_reached(&self, seqno: u64) -> bool {
        self.virtqueue_seqno.load(Ordering::Acquire) >= seqno
    }

    /// vkWaitVirtqueueSeqnoMESA, on the ring's own thread.
    pub(crate) fn wait_virtqueue_seqno(&self, seqno: u64, lost: impl Fn() -> bool) -> Result<(), Interrupt> {
        let mut state = self.state.lock();
        state.awaited_virtqueue = Some(seqno);
        self.waiter.notify_all();
        let outcome = loop {
            if self.virtqueue_reached(seqno) {
                break Ok(());
            }
            if self.is_stopped() || lost() {
                break Err(Interrupt::Stopped);
            }
            self.consumer.wait(&mut state);
        };
        state.awaited_virtqueue = None;
        outcome
    }

    /// Whether the host has executed everything before `seqno`.
    pub(crate) fn has_consumed(&self, seqno: u32) -> bool {
        reached(self.consumed.load(Ordering::Acquire), seqno)
    }

    /// How much the guest has written that is not executed.
    pub(crate) fn unexecuted_bytes(&self) -> u32 {
        let bytes = self.region.tail().wrapping_sub(self.consumed.load(Ordering::Acquire));
        // Two values of different moments, one of them the guest's.
        bytes.min(self.region.buffer_size())
    }

    /// vkWaitRingSeqnoMESA, on the context's thread. `lost` says whether the context is, `abandoned` whether the guest
    /// is gone.
    pub(crate) fn wait_consumed(
        &self,
        seqno: u32,
        lost: impl Fn() -> bool,
        abandoned: impl Fn() -> bool,
    ) -> Result<(), WaitError> {
        for _ in 0..LOOKS_BEFORE_SLEEP {
            if self.has_consumed(seqno) {
                return Ok(());
            }
            thread::yield_now();
        }
        let mut state = self.state.lock();
        self.awaited.store(seqno, Ordering::SeqCst);
        self.waiting.store(true, Ordering::SeqCst);
        // An idle ring has to look: the guest may wait for something that it never sent.
        state.notified = true;
        self.wake_consumer();
        let outcome = self.wait_consumed_locked(&mut state, seqno, lost, abandoned);
        self.waiting.store(false, Ordering::SeqCst);
        outcome
    }

    fn wait_consumed_locked(
        &self,
        state: &mut MutexGuard<'_, State>,
        seqno: u32,
        lost: impl Fn() -> bool,
        abandoned: impl Fn() -> bool,
    ) -> Result<(), WaitError> {
        let mut asked_at = Instant::now();
        loop {
            if self.has_consumed(seqno) {
                return Ok(());
            }
            if state.ended || self.is_stopped() || lost() {
                return Err(WaitError::Ended);
            }
            if state.awaited_virtqueue.is_some_and(|wanted| !self.virtqueue_reached(wanted)) {
                return Err(WaitError::Deadlock);
            }
            self.waiter.wait_for(state, WAITER_LOOK);
            let now = Instant::now();
            if now.saturating_duration_since(asked_at) >= WAITER_ASK {
                asked_at = now;
                if abandoned() {
                    return Err(WaitError::Ended);
                }
            }
        }
    }
}

/// Whether the wrapping counter `head` has come as far as `seqno`: they are never more than half the range apart.
pub(crate) fn reached(head: u32, seqno: u32) -> bool {
    head.wrapping_sub(seqno) <= u32::MAX / 2
}

impl fmt::Debug for Control {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Control").field("id", &self.id).field("resource", &self.resource).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::reached;

    #[test]
    fn counters_wrap() {
        for (head, seqno, expected) in
            [(0, 0, true), (8, 4, true), (4, 8, false), (4, u32::MAX - 3, true), (u32::MAX - 3, 4, false)]
        {
            assert_eq!(reached(head, seqno), expected, "{head} {seqno}");
        }
    }
}
