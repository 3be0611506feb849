//! Those who wait for a resource.

use std::time::Duration;

use crate::sync::{Condvar, Mutex};

/// How long a waiter sleeps before it looks again, for ends of which nobody tells it.
const LOOK: Duration = Duration::from_millis(20);

/// Where they wait.
#[derive(Debug, Default)]
pub(super) struct Arrivals {
    waiting: Mutex<()>,
    arrived: Condvar,
}

impl Arrivals {
    /// Waits until `is_over`.
    pub(super) fn wait(&self, is_over: impl Fn() -> bool) {
        let mut waiting = self.waiting.lock();
        while !is_over() {
            self.arrived.wait_for(&mut waiting, LOOK);
        }
    }

    /// Has all of them look.
    pub(super) fn wake(&self) {
        // Whoever has seen that it is not over waits by now, or looks again.
        drop(self.waiting.lock());
        self.arrived.notify_all();
    }
}
