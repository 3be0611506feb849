//! How long a monitor waits for its guest's contexts, and how much waits for them, all in all.
//!
//! Who waits is often the thread that all of a virtual machine needs, and a guest can have its contexts take as long as it
//! likes, one after the other. So each context that was waited for in vain halves the patience with those that come after.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use super::outbox::AllQueued;

/// The patience of one monitor.
#[derive(Debug, Default)]
pub(crate) struct Patience {
    pub(super) all_queued: Arc<AllQueued>,
    /// Contexts that were waited for in vain.
    strikes: AtomicU32,
}

/// What is left at the end: as long as an answer may take on a busy machine if nothing is wrong.
const LEAST: Duration = Duration::from_millis(250);

impl Patience {
    /// What is left of `whole`.
    pub(super) fn of(&self, whole: Duration) -> Duration {
        let halves = 1_u32.checked_shl(self.strikes.load(Ordering::Relaxed)).unwrap_or(u32::MAX);
        whole.checked_div(halves).unwrap_or_default().max(LEAST).min(whole)
    }

    /// A context was waited for in vain.
    pub(super) fn strike(&self) {
        let _before = self.strikes.fetch_add(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits;

    #[test]
    fn a_thousand_contexts_cost_little_more_than_a_few() {
        let patience = Patience::default();
        assert_eq!(patience.of(limits::WORKER_PATIENCE), limits::WORKER_PATIENCE);
        let mut all = Duration::ZERO;
        for _ in 0..limits::CONTEXTS {
            all += patience.of(limits::WORKER_PATIENCE) - LEAST;
            patience.strike();
        }
        assert!(all < 2 * limits::WORKER_PATIENCE, "{all:?}");
        assert_eq!(patience.of(limits::WORKER_PATIENCE), LEAST);
        assert_eq!(patience.of(Duration::ZERO), Duration::ZERO);
    }
}
