//! Telling the monitor which fences have retired, on a thread where it wants to hear it.
//!
//! A monitor that asked for `VIRGL_RENDERER_ASYNC_FENCE_CB` is told by one thread of ours, as soon as it happens. Any other
//! is told inside `virgl_renderer_poll` and never elsewhere: QEMU 10 handles such a callback without a lock. In both cases
//! fences of one timeline come in their order, each once, and none after [`Fences::end`].
//!
//! No lock of this library is held while the monitor is called, so its callback may take whatever lock it holds when it
//! calls us.

use std::{
    collections::VecDeque,
    io,
    sync::Arc,
    thread::{self, JoinHandle, ThreadId},
    time::{Duration, Instant},
};

use parking_lot::{Condvar, Mutex};

use crate::abi::consumer::Consumer;

/// How long others wait for a fence callback that has begun.
const PATIENCE: Duration = Duration::from_secs(5);

/// A fence that has retired.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fence {
    /// Of the device's own timeline.
    Device(u32),
    /// Of a context's.
    Context {
        /// The context.
        context: u32,
        /// Which of its timelines.
        ring_idx: u32,
        /// The monitor's number.
        fence: u64,
    },
}

/// Takes retired fences, on any thread.
#[derive(Debug, Clone, Default)]
pub(crate) struct Retired(Arc<Queue>);

#[derive(Debug, Default)]
struct Queue {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    fences: VecDeque<Fence>,
    has_ended: bool,
    /// Threads on which the monitor is being told of one.
    telling: Vec<ThreadId>,
}

impl Retired {
    /// One more, behind the others.
    pub(crate) fn push(&self, fence: Fence) {
        let mut state = self.0.state.lock();
        if !state.has_ended {
            state.fences.push_back(fence);
            self.0.changed.notify_all();
        }
    }

    /// Drops those that nobody has been told of.
    pub(crate) fn forget(&self) {
        self.0.state.lock().fences.clear();
    }

    /// Waits for callbacks that have begun. One that asks for this itself is not waited for, nor are others then, which may
    /// wait for it; nor is one that needs a lock that the monitor holds meanwhile waited for without an end.
    pub(crate) fn settle(&self) {
        let until = Instant::now().checked_add(PATIENCE);
        let mut state = self.0.state.lock();
        while !state.telling.is_empty() && !state.telling.contains(&thread::current().id()) {
            if until.is_none_or(|until| self.0.changed.wait_until(&mut state, until).timed_out()) {
                tracing::error!(
                    "a fence callback of the monitor's does not return for {PATIENCE:?}, and is not waited for any more"
                );
                return;
            }
        }
    }

    /// The next one, if there is one now.
    fn next(&self) -> Option<Telling<'_>> {
        self.0.state.lock().begin(&self.0)
    }

    /// The next one, once there is one; `None` after the end.
    fn wait(&self) -> Option<Telling<'_>> {
        let mut state = self.0.state.lock();
        loop {
            if state.has_ended {
                return None;
            }
            if let Some(telling) = state.begin(&self.0) {
                return Some(telling);
            }
            self.0.changed.wait(&mut state);
        }
    }

    fn end(&self) {
        let mut state = self.0.state.lock();
        state.has_ended = true;
        state.fences.clear();
        self.0.changed.notify_all();
    }
}

impl State {
    /// Takes the first fence, of which this thread is going to tell.
    fn begin<'a>(&mut self, queue: &'a Queue) -> Option<Telling<'a>> {
        let fence = self.fences.pop_front()?;
        self.telling.push(thread::current().id());
        Some(Telling { fence, queue })
    }
}

/// A fence that this thread tells the monitor of.
struct Telling<'a> {
    fence: Fence,
    queue: &'a Queue,
}

impl Telling<'_> {
    fn tell(self, consumer: &Consumer) {
        match self.fence {
            Fence::Device(fence) => consumer.write_fence(fence),
            Fence::Context { context, ring_idx, fence } => consumer.write_context_fence(context, ring_idx, fence),
        }
    }
}

impl Drop for Telling<'_> {
    fn drop(&mut self) {
        let mut state = self.queue.state.lock();
        if let Some(at) = state.telling.iter().position(|thread| *thread == thread::current().id()) {
            state.telling.swap_remove(at);
        }
        self.queue.changed.notify_all();
    }
}

/// Tells one monitor.
#[derive(Debug)]
pub(crate) struct Fences {
    retired: Retired,
    consumer: Consumer,
    /// Tells it, if it wants to hear at any time.
    teller: Option<JoinHandle<()>>,
}

impl Fences {
    /// Tells at any time if `is_async`, else when it is polled.
    pub(crate) fn new(consumer: Consumer, is_async: bool) -> io::Result<Self> {
        let retired = Retired::default();
        let teller = if is_async {
            let retired = retired.clone();
            let tell_all = move || {
                while let Some(telling) = retired.wait() {
                    telling.tell(&consumer);
                }
            };
            Some(thread::Builder::new().name("venus-fences".to_owned()).spawn(tell_all)?)
        } else {
            None
        };
        Ok(Self { retired, consumer, teller })
    }

    /// Where fences go that have retired.
    pub(crate) fn retired(&self) -> Retired {
        self.retired.clone()
    }

    /// What tells a monitor that polls, without a lock of this library; `None` if the monitor does not.
    pub(crate) fn poller(&self) -> Option<Poller> {
        self.teller.is_none().then(|| Poller { retired: self.retired.clone(), consumer: self.consumer })
    }

    /// Tells nothing any more. Waits for callbacks that have begun as [`Retired::settle`] does, but for that of our own thread
    /// without an end.
    pub(crate) fn end(self) {
        self.retired.end();
        if self.teller.is_none() {
            self.retired.settle();
        }
        if let Some(teller) = self.teller
            && teller.thread().id() != thread::current().id()
            && teller.join().is_err()
        {
            tracing::error!("the thread that tells of fences has panicked");
        }
    }
}

/// Tells of the fences that have retired so far.
#[derive(Debug)]
pub(crate) struct Poller {
    retired: Retired,
    consumer: Consumer,
}

impl Poller {
    /// Tells of all of them. A monitor that ends the library meanwhile hears no more.
    pub(crate) fn poll(&self) {
        while let Some(telling) = self.retired.next() {
            telling.tell(&self.consumer);
        }
    }
}
