//! Fences on queue timelines.
//!
//! A fence of the guest's kernel on `ring_idx` n is an empty submission with a `VkFence` to the queue bound to n.
//! Fences of one timeline are retired in order by one thread, which exists from the first fence on. Whatever happens, a
//! fence is retired exactly once: after an error, a lost device or the end of the device at once and [as
//! lost](Retired::Lost), since a guest kernel that waits for a fence waits for ever.

use std::{
    collections::VecDeque,
    fmt,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use parking_lot::{Condvar, Mutex};
use venus_protocol::vk;

use super::Queue;
use crate::{
    HostError,
    driver::Device,
    error::ResultName,
    limits,
    thread::{AutoreleasePool, deadline},
};

/// How a fence ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Retired {
    /// Everything before it is done.
    Done,
    /// Nobody will know: the context is lost, the queue is gone or could not be asked. A guest that can be told so should
    /// be, as `VK_ERROR_DEVICE_LOST`; a guest kernel, which cannot, takes the fence as signalled.
    Lost,
    /// As [`Retired::Lost`], because the device is lost, and with it everything else that it would have done.
    DeviceLost,
}

impl From<vk::Result> for Retired {
    fn from(failure: vk::Result) -> Self {
        if failure == vk::Result::ERROR_DEVICE_LOST { Self::DeviceLost } else { Self::Lost }
    }
}

/// Called when a fence retires, on any thread, exactly once, with what is known of it. No lock is held.
pub type Retire = Box<dyn FnOnce(Retired) + Send>;

/// How long one look at a fence takes at most; between two looks the thread notices that it has to stop.
const WAIT_SLICE: Duration = Duration::from_secs(3);

/// How long a fence waits for its turn at the queue before that is left to the timeline's thread. Submissions take
/// microseconds; one that takes longer waits inside the driver, perhaps for ever, and whoever asks for a fence also
/// carries the messages that would end the guest.
const SUBMIT_LIMIT: Duration = Duration::from_millis(200);

/// Fences kept for reuse per timeline. Guests have a handful in flight.
const SPARE_FENCES: usize = 16;

/// Why a queue cannot be bound to a timeline.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum BindError {
    /// 0 is the CPU's timeline, and there are 64 in all.
    #[error("ringIdx {0} is not between 1 and 63")]
    OutOfRange(u32),
    /// Another queue has it.
    #[error("ringIdx {0} is bound to another queue")]
    InUse(u32),
}

/// Which queue serves which `ring_idx` of one context.
#[derive(Debug, Default)]
pub(crate) struct Timelines {
    /// By `ring_idx`, grown as needed.
    bound: Mutex<Vec<Option<Arc<Timeline>>>>,
}

impl Timelines {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// Lets a queue serve `ring_idx` until its device goes.
    pub(crate) fn bind(&self, ring_idx: u32, device: Arc<Device>, queue: Arc<Queue>) -> Result<(), BindError> {
        let index = usize::try_from(ring_idx).ok().filter(|_| (1..limits::TIMELINES).contains(&ring_idx));
        let index = index.ok_or(BindError::OutOfRange(ring_idx))?;
        let mut bound = self.bound.lock();
        if bound.len() <= index {
            bound.resize_with(index.saturating_add(1), || None);
        }
        match bound.get_mut(index) {
            Some(slot @ None) => *slot = Some(Arc::new(Timeline::new(ring_idx, device, queue))),
            _ => return Err(BindError::InUse(ring_idx)),
        }
        Ok(())
    }

    /// Calls `retire` once everything that was submitted to the queue of `ring_idx` before is done. On timeline 0, the
    /// CPU's, that is now: the caller has executed what came before. After an error it has been called, as lost.
    pub(crate) fn create_fence(&self, ring_idx: u32, retire: Retire) -> Result<(), HostError> {
        if ring_idx == 0 {
            retire(Retired::Done);
            return Ok(());
        }
        let index = usize::try_from(ring_idx).unwrap_or(usize::MAX);
        let timeline = self.bound.lock().get(index).cloned().flatten();
        let Some(timeline) = timeline else {
            retire(Retired::Lost);
            return Err(HostError::fatal("create-fence", format!("no queue is bound to ring_idx {ring_idx}")));
        };
        timeline.push(retire)
    }

    /// Whether all numbers are those of one device.
    #[cfg(feature = "vtest")]
    pub(crate) fn is_one_device(&self) -> bool {
        let bound = self.bound.lock();
        let mut devices = bound.iter().flatten().map(|timeline| timeline.device.id());
        devices.next().is_some_and(|first| devices.all(|device| device == first))
    }

    /// Frees the numbers of a device's queues. Their fences go on until the answer is stopped, which has to happen.
    pub(crate) fn unbind_device(&self, device: u64) -> Unbound {
        let mut gone = Vec::new();
        for slot in self.bound.lock().iter_mut() {
            gone.extend(slot.take_if(|timeline| timeline.device.id() == device));
        }
        Unbound(gone)
    }
}

/// Timelines that no number leads to any more.
#[derive(Debug)]
#[must_use = "fences are pending until these are stopped"]
pub(crate) struct Unbound(Vec<Arc<Timeline>>);

impl Unbound {
    /// Retires all fences. The device should be idle.
    pub(crate) fn stop(self) {
        for timeline in self.0 {
            timeline.stop();
        }
    }
}

/// One timeline.
struct Timeline {
    ring_idx: u32,
    device: Arc<Device>,
    queue: Arc<Queue>,
    state: Mutex<State>,
    wake: Condvar,
    /// The log has told of a lost fence.
    told: AtomicBool,
}

#[derive(Default)]
struct State {
    pending: VecDeque<Pending>,
    /// How many of them wait for [`Wait::Submit`].
    late: usize,
    spare: Vec<vk::Fence>,
    thread: Option<JoinHandle<()>>,
    stopping: bool,
}

/// A fence that is not retired yet.
struct Pending {
    wait: Wait,
    retire: Retire,
}

/// What comes before a fence is retired.
enum Wait {
    /// The queue has this fence.
    For(vk::Fence),
    /// The queue could not be had in time: it has to be given a fence first.
    Submit,
    /// The queue took no fence, so there is nothing to wait for but the fences before.
    Nothing(Retired),
}

impl Timeline {
    fn new(ring_idx: u32, device: Arc<Device>, queue: Arc<Queue>) -> Self {
        Self { ring_idx, device, queue, state: Mutex::default(), wake: Condvar::new(), told: AtomicBool::new(false) }
    }

    fn push(self: &Arc<Self>, retire: Retire) -> Result<(), HostError> {
        let mut state = self.state.lock();
        let full = state.pending.len() >= limits::FENCES;
        if state.stopping || full {
            drop(state);
            if full {
                self.tell(format_args!("{} fences are pending", limits::FENCES));
            }
            retire(Retired::Lost);
            return Ok(());
        }
        if state.thread.is_none() {
            let this = Arc::clone(self);
            match thread::Builder::new().name(format!("venus-queue-{}", self.ring_idx)).spawn(move || this.run()) {
                Ok(thread) => state.thread = Some(thread),
                Err(error) => {
                    drop(state);
                    retire(Retired::Lost);
                    return Err(HostError::io("cannot start a thread to wait for a queue", error));
                }
            }
        }
        // The lock is held across the submission so that fences are waited for in the order in which the queue has
        // them.
        let wait = match state.late {
            0 => self.submit(state.spare.pop(), SUBMIT_LIMIT),
            _ => Wait::Submit,
        };
        if matches!(wait, Wait::Submit) {
            state.late = state.late.saturating_add(1);
        }
        state.pending.push_back(Pending { wait, retire });
        drop(state);
        self.wake.notify_one();
        Ok(())
    }

    /// Gives the queue a fence, if it can be had in time.
    fn submit(&self, spare: Option<vk::Fence>, limit: Duration) -> Wait {
        let refused = |result: vk::Result| {
            self.tell(format_args!("a queue takes no fence ({})", ResultName(result)));
            Wait::Nothing(result.into())
        };
        let fence = match spare.map_or_else(|| self.device.create_fence(), Ok) {
            Ok(fence) => fence,
            Err(result) => return refused(result),
        };
        match self.device.submit_fence(&self.queue, fence, deadline(limit)) {
            Some(Ok(())) => Wait::For(fence),
            Some(Err(result)) => {
                self.device.destroy_fence(fence);
                refused(result)
            }
            None => {
                self.device.destroy_fence(fence);
                Wait::Submit
            }
        }
    }

    /// The thread.
    fn run(&self) {
        loop {
            let next = {
                let mut state = self.state.lock();
                while state.pending.is_empty() && !state.stopping {
                    self.wake.wait(&mut state);
                }
                // What is left is `stop`'s, which does not wait: a stuck queue would take one slice per fence.
                if state.stopping {
                    return;
                }
                let next = state.pending.pop_front();
                if next.as_ref().is_some_and(|next| matches!(next.wait, Wait::Submit)) {
                    state.late = state.late.saturating_sub(1);
                }
                next
            };
            let Some(Pending { mut wait, retire }) = next else {
                return;
            };
            let _pool = AutoreleasePool::new();
            while matches!(wait, Wait::Submit) && !self.state.lock().stopping {
                wait = self.submit(None, WAIT_SLICE);
            }
            match wait {
                Wait::For(fence) => {
                    let waited = self.wait(fence);
                    retire(how(waited));
                    if waited != Ok(false) {
                        self.recycle(fence);
                    }
                }
                Wait::Submit => retire(Retired::Lost),
                Wait::Nothing(retired) => retire(retired),
            }
        }
    }

    /// Waits for a fence; `Ok(false)` if it was given up while still pending, so that it cannot be reused.
    fn wait(&self, fence: vk::Fence) -> Result<bool, vk::Result> {
        loop {
            match self.device.wait_fence(fence, WAIT_SLICE) {
                Ok(true) => return Ok(true),
                Ok(false) if self.state.lock().stopping => {
                    self.tell(format_args!("a queue does not come to an end"));
                    return Ok(false);
                }
                Ok(false) => {}
                Err(result) => {
                    self.tell(format_args!("waiting for a queue failed ({})", ResultName(result)));
                    return Err(result);
                }
            }
        }
    }

    /// Tells of the first fence of the queue that is lost.
    #[cold]
    fn tell(&self, why: fmt::Arguments<'_>) {
        if !self.told.swap(true, Ordering::Relaxed) {
            tracing::warn!(ring_idx = self.ring_idx, "{why}: the fences of such a queue are lost");
        }
    }

    fn recycle(&self, fence: vk::Fence) {
        let mut state = self.state.lock();
        if state.spare.len() < SPARE_FENCES && self.device.reset_fence(fence).is_ok() {
            state.spare.push(fence);
        } else {
            self.device.destroy_fence(fence);
        }
    }

    /// Retires what is left and ends the thread.
    fn stop(&self) {
        let thread = {
            let mut state = self.state.lock();
            state.stopping = true;
            state.thread.take()
        };
        self.wake.notify_one();
        if thread.is_some_and(|thread| thread.join().is_err()) {
            tracing::error!(ring_idx = self.ring_idx, "the thread that waits for a queue panicked");
        }
        let (pending, spare) = {
            let mut state = self.state.lock();
            (std::mem::take(&mut state.pending), std::mem::take(&mut state.spare))
        };
        for Pending { wait, retire } in pending {
            match wait {
                Wait::For(fence) => {
                    let waited = self.device.wait_fence(fence, Duration::ZERO);
                    retire(how(waited));
                    if waited != Ok(false) {
                        self.device.destroy_fence(fence);
                    }
                }
                Wait::Submit => retire(Retired::Lost),
                Wait::Nothing(retired) => retire(retired),
            }
        }
        for fence in spare {
            self.device.destroy_fence(fence);
        }
    }
}

/// How a fence has ended that was waited for so.
fn how(waited: Result<bool, vk::Result>) -> Retired {
    match waited {
        Ok(true) => Retired::Done,
        Ok(false) => Retired::Lost,
        Err(result) => result.into(),
    }
}

impl fmt::Debug for Timeline {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Timeline").field("ring_idx", &self.ring_idx).field("queue", &self.queue).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;

    use super::*;

    /// What a fence without a queue says.
    fn retired(ring_idx: u32) -> (Result<(), HostError>, Retired) {
        let (send, receive) = channel();
        let outcome = Timelines::new().create_fence(ring_idx, Box::new(move |retired| send.send(retired).unwrap()));
        (outcome, receive.try_recv().unwrap())
    }

    #[test]
    fn the_cpu_timeline_retires_at_once() {
        assert!(matches!(retired(0), (Ok(()), Retired::Done)));
    }

    #[test]
    fn a_timeline_without_a_queue_is_refused_and_retires() {
        for ring_idx in [1, 63, 64, u32::MAX] {
            assert!(matches!(retired(ring_idx), (Err(_), Retired::Lost)), "{ring_idx}");
        }
    }
}
