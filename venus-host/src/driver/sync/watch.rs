//! Whether a GPU comes to an end of what a guest's queues were given.
//!
//! A queue that was given something gets a fence behind it. While there is such a fence it is looked at now and then, by
//! one thread for all queues of a device: so a guest that has the GPU busy costs an empty submission for each look that
//! finds the last one done, and a guest with nothing to do costs nothing.

use std::{
    fmt, io,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use parking_lot::{Condvar, Mutex};
use venus_protocol::vk;

use super::Queue;
use crate::{
    driver::Device,
    thread::{AutoreleasePool, deadline},
};

/// Told that a queue has not come to an end, once.
pub(crate) type GiveUp = Box<dyn Fn() + Send + Sync>;

/// Looks in the time that a queue may take: one that takes longer is noticed by the next.
const LOOKS: u32 = 8;
/// Longest between two looks.
const LONGEST: Duration = Duration::from_secs(1);
/// Shortest.
const SHORTEST: Duration = Duration::from_millis(10);

/// The watch over a device's queues.
pub(crate) struct Watch {
    limit: Duration,
    give_up: GiveUp,
    has_given_up: AtomicBool,
    state: Mutex<State>,
    wake: Condvar,
}

#[derive(Default)]
struct State {
    /// A queue was given something since the thread has looked.
    has_work: bool,
    thread: Option<JoinHandle<()>>,
    stopping: bool,
}

impl Watch {
    /// Calls `give_up` if a queue takes longer than `limit` to come to the end of what it was given.
    pub(crate) fn new(limit: Duration, give_up: GiveUp) -> Arc<Self> {
        Arc::new(Self {
            limit,
            give_up,
            has_given_up: AtomicBool::new(false),
            state: Mutex::default(),
            wake: Condvar::new(),
        })
    }

    /// To be called before a queue is given something, and after: before, since the driver may not return, and after, since
    /// a fence may be before it in the queue. Fails if there can be no thread.
    pub(crate) fn note(self: &Arc<Self>, device: &Arc<Device>, queue: &Queue) -> io::Result<()> {
        if queue.set_busy() {
            return Ok(());
        }
        let mut state = self.state.lock();
        if state.thread.is_none() && !state.stopping {
            let (this, device) = (Arc::clone(self), Arc::clone(device));
            let thread = thread::Builder::new().name("venus-watch".to_owned());
            state.thread = Some(thread.spawn(move || this.run(&device))?);
        }
        state.has_work = true;
        drop(state);
        self.wake.notify_one();
        Ok(())
    }

    /// Whether a queue has not come to an end in time: there is no use in waiting for it.
    pub(crate) fn has_given_up(&self) -> bool {
        self.has_given_up.load(Ordering::Acquire)
    }

    /// Ends the thread. The device should be idle: what is pending else is left behind.
    pub(crate) fn stop(&self) {
        let thread = {
            let mut state = self.state.lock();
            state.stopping = true;
            state.thread.take()
        };
        self.wake.notify_one();
        if thread.is_some_and(|thread| thread.join().is_err()) {
            tracing::error!("the thread that watches a GPU panicked");
        }
    }

    /// The thread.
    fn run(&self, device: &Device) {
        let mut probes: Vec<Probe> = device.queues().iter().map(|_| Probe::default()).collect();
        while self.rest(probes.iter().any(|probe| probe.since.is_some())) {
            let _pool = AutoreleasePool::new();
            let longest = device.queues().iter().zip(&mut probes).map(|(queue, probe)| probe.look(device, queue)).max();
            if longest.is_some_and(|longest| longest > self.limit) {
                self.has_given_up.store(true, Ordering::Release);
                (self.give_up)();
                // The fences are the queues' until the device ends.
                while self.rest(false) {}
                break;
            }
        }
        for probe in probes {
            probe.end(device);
        }
    }

    /// Waits until it is time to look again: a while, or until a queue is given something if all have come to an end.
    /// False if there is nothing more to look at.
    fn rest(&self, is_busy: bool) -> bool {
        let mut state = self.state.lock();
        if is_busy {
            let until = deadline(self.limit.checked_div(LOOKS).unwrap_or_default().clamp(SHORTEST, LONGEST));
            while !state.stopping && !self.wake.wait_until(&mut state, until).timed_out() {}
        } else {
            while !state.stopping && !state.has_work {
                self.wake.wait(&mut state);
            }
        }
        state.has_work = false;
        !state.stopping
    }
}

/// What is known of one queue.
#[derive(Default)]
struct Probe {
    /// Since when it has not come to an end.
    since: Option<Instant>,
    /// The fence behind what it was given, if the queue could be had.
    pending: Option<vk::Fence>,
    spare: Option<vk::Fence>,
}

impl Probe {
    /// How long the queue has not come to an end.
    fn look(&mut self, device: &Device, queue: &Queue) -> Duration {
        if let Some(fence) = self.pending.take_if(|fence| device.is_signalled(*fence)) {
            self.since = None;
            match device.reset_fence(fence) {
                Ok(()) => self.spare = Some(fence),
                Err(_) => device.destroy_fence(fence),
            }
        }
        if self.since.is_none() && queue.take_busy() {
            self.since = Some(Instant::now());
        }
        let Some(since) = self.since else { return Duration::ZERO };
        if self.pending.is_none() && !self.submit(device, queue) {
            self.since = None;
        }
        since.elapsed()
    }

    /// Gives the queue a fence, or leaves that to the next look if somebody has the queue. False if it takes none: of a
    /// device that is lost, or has no memory, the guest hears itself.
    fn submit(&mut self, device: &Device, queue: &Queue) -> bool {
        let Ok(fence) = self.spare.take().map_or_else(|| device.create_fence(), Ok) else { return false };
        match device.submit_fence(queue, fence, Instant::now()) {
            Some(Ok(())) => self.pending = Some(fence),
            Some(Err(_)) => {
                device.destroy_fence(fence);
                return false;
            }
            None => self.spare = Some(fence),
        }
        true
    }

    fn end(self, device: &Device) {
        let done = self.pending.filter(|fence| device.is_signalled(*fence));
        for fence in done.into_iter().chain(self.spare) {
            device.destroy_fence(fence);
        }
    }
}

impl fmt::Debug for Watch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watch").field("limit", &self.limit).finish_non_exhaustive()
    }
}
