//! The heartbeat: sets ALIVE in the status word of every ring whose guest asked for it.
//!
//! A guest that waits for a long command looks whether the bit comes back after it has cleared it, and aborts if not.
//! So the heartbeat comes from a thread of its own, which never executes a command and takes no lock that one could
//! hold.
//!
//! The thread exists once a context has a monitored ring. It ticks twice per period, for margin, and sleeps while all
//! monitored rings are idle: an idle ring has no commands, so nobody waits for it. Where many guests start at once, the
//! thread may get the processor too late for the first look of its guest; so whoever adds a ring or wakes it up sets the
//! bit before anything else.

use std::{fmt, sync::Arc, time::Duration};

use super::{Control, RingId};
use crate::{
    error::HostError,
    limits,
    sync::{
        Condvar, Mutex,
        atomic::{AtomicBool, Ordering},
        thread::{self, JoinHandle},
    },
};

/// The heartbeat of one context.
#[derive(Default)]
pub(crate) struct Monitor {
    state: Mutex<State>,
    changed: Condvar,
    /// Whether the thread sleeps because every monitored ring does.
    parked: AtomicBool,
}

#[derive(Default)]
struct State {
    rings: Vec<Arc<Control>>,
    thread: Option<JoinHandle<()>>,
    stop: bool,
}

impl Monitor {
    /// Starts watching a ring, if it wants to be watched. The thread starts with the first one.
    pub(crate) fn add(self: &Arc<Self>, ring: &Arc<Control>) -> Result<(), HostError> {
        if ring.settings.monitor_period.is_none() {
            return Ok(());
        }
        ring.show_alive();
        let mut state = self.state.lock();
        state.rings.push(Arc::clone(ring));
        if state.thread.is_none() && !state.stop {
            let monitor = Arc::clone(self);
            let thread = thread::Builder::new()
                .name("venus-monitor".to_owned())
                .spawn(move || monitor.run())
                .map_err(|error| HostError::io("cannot start the ring monitor", error))?;
            state.thread = Some(thread);
        }
        // A shorter period counts at once.
        self.changed.notify_all();
        Ok(())
    }

    /// Stops watching a ring, whose memory may go away after this.
    pub(crate) fn remove(&self, ring: RingId) {
        self.state.lock().rings.retain(|other| other.id != ring);
    }

    /// Ends the thread.
    pub(crate) fn stop(&self) {
        let thread = {
            let mut state = self.state.lock();
            state.stop = true;
            state.rings.clear();
            self.changed.notify_all();
            state.thread.take()
        };
        if let Some(thread) = thread
            && thread.join().is_err()
        {
            tracing::error!("the ring monitor panicked");
        }
    }

    /// `ring` has gone idle.
    pub(super) fn ring_sleeps(&self, ring: &Control) {
        ring.idle.store(true, Ordering::SeqCst);
    }

    /// `ring` has work again. Together with the check in `all_idle` this is a handshake: either the monitor sees that
    /// the ring is awake, or the ring sees that the monitor is parked.
    pub(super) fn ring_wakes(&self, ring: &Control) {
        ring.show_alive();
        ring.idle.store(false, Ordering::SeqCst);
        if self.parked.load(Ordering::SeqCst) {
            let _state = self.state.lock();
            self.changed.notify_all();
        }
    }

    fn run(&self) {
        let mut state = self.state.lock();
        while !state.stop {
            for ring in &state.rings {
                ring.show_alive();
            }
            self.parked.store(true, Ordering::SeqCst);
            if state.rings.iter().all(|ring| ring.idle.load(Ordering::SeqCst)) {
                self.changed.wait(&mut state);
                self.parked.store(false, Ordering::SeqCst);
            } else {
                self.parked.store(false, Ordering::SeqCst);
                let period = state.rings.iter().filter_map(|ring| ring.settings.monitor_period).min();
                let period = period.unwrap_or(Duration::from_secs(1)).max(limits::RING_MONITOR_PERIOD);
                self.changed.wait_for(&mut state, period.checked_div(2).unwrap_or(period));
            }
        }
    }
}

impl fmt::Debug for Monitor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Monitor").finish_non_exhaustive()
    }
}
