//! The rings of one context, by id.

use std::{
    fmt,
    sync::Arc,
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use parking_lot::Mutex;

use super::{
    Control, Execute, Mode, Progress, RingId,
    consumer::{self, Consumer, Poll},
    monitor::Monitor,
    shared::SharedThread,
};
use crate::{
    error::{Fatal, HostError},
    limits,
    resource::ResourceId,
    thread::sharpen_timers,
};

/// How often a join with a time-out looks.
const JOIN_LOOK: Duration = Duration::from_millis(1);

/// All rings of a context, and the monitor that watches them.
#[derive(Debug)]
pub(crate) struct Table {
    rings: Mutex<Vec<Ring>>,
    /// How many may have a thread of their own.
    most: usize,
    /// The others, once there are some.
    shared: Mutex<Option<SharedThread>>,
    monitor: Arc<Monitor>,
}

struct Ring {
    control: Arc<Control>,
    consumer: Runner,
}

enum Runner {
    Thread(JoinHandle<()>),
    /// Absent while it is being polled.
    Polled(Option<Box<dyn Poll>>),
    /// The thread of [`Table::shared`].
    Shared,
    /// Whoever feeds it, under [`Control::feeding`].
    Feeder,
}

impl Table {
    /// A table in which up to `most` rings have threads of their own.
    pub(crate) fn holding(most: usize) -> Self {
        Self { rings: Mutex::default(), most, shared: Mutex::default(), monitor: Arc::default() }
    }

    /// Who will call the next ring, in a context whose rings are called by `mode`.
    pub(crate) fn mode(&self, mode: Mode) -> Mode {
        if mode == Mode::Thread && self.rings.lock().len() >= self.most { Mode::Shared } else { mode }
    }

    /// Starts a ring. `executor` is what its commands are given to.
    pub(crate) fn create<E: Execute>(&self, control: Arc<Control>, executor: E) -> Result<(), HostError> {
        let mut rings = self.rings.lock();
        if rings.len() >= limits::ALL_RINGS {
            return Err(HostError::limit("rings of one context", limits::ALL_RINGS));
        }
        if rings.iter().any(|ring| ring.control.id == control.id) {
            let fatal = Fatal::new("vkCreateRingMESA", format!("{} exists already", control.name())).member("ring");
            return Err(fatal.into());
        }
        // Before its thread: what fails here must not leave one behind.
        self.monitor.add(&control)?;
        // Made only where somebody runs it: a consumer that is dropped ends its ring.
        let consume = |executor| Consumer::new(Arc::clone(&control), Arc::clone(&self.monitor), executor);
        let consumer = match control.mode {
            Mode::Fed => Runner::Feeder,
            Mode::Polled => Runner::Polled(Some(Box::new(consume(executor)))),
            Mode::Shared => self.share(&control, consume(executor))?,
            Mode::Thread => {
                let consumer = consume(executor);
                let thread = thread::Builder::new()
                    .name(format!("venus-ring-{}", rings.len()))
                    .spawn(move || {
                        sharpen_timers();
                        consumer::run_thread(consumer);
                    })
                    .map_err(|error| {
                        self.monitor.remove(control.id);
                        HostError::io("cannot start a ring's thread", error)
                    })?;
                Runner::Thread(thread)
            }
        };
        rings.push(Ring { control, consumer });
        Ok(())
    }

    /// Gives a ring to the thread for those without one of their own.
    fn share<E: Execute>(&self, control: &Control, consumer: Consumer<E>) -> Result<Runner, HostError> {
        let mut thread = self.shared.lock();
        let thread = match &mut *thread {
            Some(thread) => thread,
            none => none.insert(SharedThread::start().inspect_err(|_| self.monitor.remove(control.id))?),
        };
        control.share(thread.waker());
        thread.join(Box::new(consumer));
        Ok(Runner::Shared)
    }

    /// The ring with this id.
    pub(crate) fn lookup(&self, id: RingId) -> Option<Arc<Control>> {
        self.rings.lock().iter().find(|ring| ring.control.id == id).map(|ring| Arc::clone(&ring.control))
    }

    /// Stops a ring and waits until it has: afterwards the host does not touch its memory any more. False if there is
    /// no such ring.
    pub(crate) fn destroy(&self, id: RingId) -> bool {
        let removed = {
            let mut rings = self.rings.lock();
            let index = rings.iter().position(|ring| ring.control.id == id);
            index.map(|index| rings.swap_remove(index))
        };
        let Some(ring) = removed else { return false };
        self.monitor.remove(id);
        ring.control.stop();
        match ring.consumer {
            Runner::Thread(thread) => join(thread),
            Runner::Feeder => drop(ring.control.feeding.lock()),
            Runner::Shared => ring.control.wait_ended(),
            Runner::Polled(_) => {}
        }
        true
    }

    /// Stops the rings whose memory, reply stream or indirect stream is in `resource`, and names one of them.
    pub(crate) fn destroy_users(&self, resource: ResourceId) -> Option<String> {
        let users: Vec<_> = self
            .rings
            .lock()
            .iter()
            .filter(|ring| ring.control.uses(resource))
            .map(|ring| Arc::clone(&ring.control))
            .collect();
        for ring in &users {
            self.destroy(ring.id);
        }
        users.first().map(|ring| ring.name())
    }

    /// Shows all rings, one after the other.
    pub(crate) fn for_each(&self, show: impl FnMut(&Control)) {
        self.rings.lock().iter().map(|ring| &*ring.control).for_each(show);
    }

    /// Makes every ring look whether it has to end.
    pub(crate) fn wake_all(&self) {
        for ring in &*self.rings.lock() {
            ring.control.wake_all();
        }
    }

    /// Polls every ring in [`Mode::Polled`] once and reports the busiest.
    pub(crate) fn poll(&self) -> Progress {
        let ids: Vec<_> = self.rings.lock().iter().map(|ring| ring.control.id).collect();
        ids.into_iter().filter_map(|id| self.poll_one(id)).min().unwrap_or(Progress::Idle)
    }

    /// Polls one ring; nothing if it does not exist, has a thread, or is being polled.
    pub(crate) fn poll_one(&self, id: RingId) -> Option<Progress> {
        let mut consumer = self.polled_slot(id, |slot| slot.take())?;
        // Without the lock: the commands may create, look up or destroy rings.
        let progress = consumer.process_available();
        self.polled_slot(id, |slot| slot.replace(consumer));
        Some(progress)
    }

    fn polled_slot<T>(&self, id: RingId, with: impl FnOnce(&mut Option<Box<dyn Poll>>) -> Option<T>) -> Option<T> {
        let mut rings = self.rings.lock();
        match &mut rings.iter_mut().find(|ring| ring.control.id == id)?.consumer {
            Runner::Polled(slot) => with(slot),
            Runner::Thread(_) | Runner::Shared | Runner::Feeder => None,
        }
    }

    /// Stops everything. Returns the rings that were still inside a command after `timeout`; their threads are left
    /// behind, with all that they refer to.
    pub(crate) fn stop_all(&self, timeout: Duration) -> Vec<RingId> {
        let rings = std::mem::take(&mut *self.rings.lock());
        self.monitor.stop();
        for ring in &rings {
            ring.control.stop();
        }
        let start = Instant::now();
        let mut stuck = Vec::new();
        for ring in rings {
            let has_ended = || match &ring.consumer {
                Runner::Thread(thread) => thread.is_finished(),
                Runner::Feeder => ring.control.feeding.try_lock().is_some(),
                Runner::Shared => ring.control.has_ended(),
                Runner::Polled(_) => true,
            };
            let mut ended = has_ended();
            while !ended && start.elapsed() < timeout {
                thread::sleep(JOIN_LOOK);
                ended = has_ended();
            }
            if ended {
                if let Runner::Thread(thread) = ring.consumer {
                    join(thread);
                }
            } else {
                stuck.push(ring.control.id);
            }
        }
        if stuck.is_empty()
            && let Some(thread) = self.shared.lock().take()
        {
            join(thread.stop());
        }
        stuck
    }
}

fn join(thread: JoinHandle<()>) {
    if thread.join().is_err() {
        tracing::error!("a ring's thread panicked; this is a bug in the host");
    }
}

impl fmt::Debug for Ring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ring").field("control", &self.control).finish_non_exhaustive()
    }
}
