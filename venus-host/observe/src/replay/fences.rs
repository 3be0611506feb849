//! Fences of the guest's kernel: which have retired, and in which order.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::{Duration, Instant},
};

use parking_lot::{Condvar, Mutex};

/// The fences of one replay.
#[derive(Debug, Default)]
pub(super) struct Fences {
    state: Mutex<State>,
    retired: Condvar,
}

#[derive(Debug, Default)]
struct State {
    /// The timeline of each fence.
    ring_idx: BTreeMap<u64, u32>,
    retired: BTreeSet<u64>,
    /// The order in which fences retired, by timeline.
    here: BTreeMap<u32, Vec<u64>>,
    /// The same, in the recording.
    recorded: Vec<u64>,
}

impl Fences {
    /// Notes that a fence is created on a timeline.
    pub(super) fn create(&self, number: u64, ring_idx: u32) {
        self.state.lock().ring_idx.insert(number, ring_idx);
    }

    /// Notes that a fence retires in the replay.
    pub(super) fn retire(&self, number: u64) {
        let mut state = self.state.lock();
        if let Some(ring_idx) = state.ring_idx.get(&number).copied()
            && state.retired.insert(number)
        {
            state.here.entry(ring_idx).or_default().push(number);
        }
        drop(state);
        self.retired.notify_all();
    }

    /// Notes that a fence retired in the recording.
    pub(super) fn expect(&self, number: u64) {
        self.state.lock().recorded.push(number);
    }

    /// Waits for a fence to retire, at most for `limit`; true if it has.
    pub(super) fn wait(&self, number: u64, limit: Duration) -> bool {
        let since = Instant::now();
        let mut state = self.state.lock();
        while !state.retired.contains(&number) {
            if self.retired.wait_for(&mut state, limit.saturating_sub(since.elapsed())).timed_out() {
                return state.retired.contains(&number);
            }
        }
        true
    }

    /// How many fences retired in the recorded order, and how many did not.
    pub(super) fn compare(&self) -> (u64, u64) {
        let state = self.state.lock();
        let mut expected: BTreeMap<u32, Vec<u64>> = BTreeMap::new();
        for number in &state.recorded {
            // A fence that was recorded without its creation cannot be told from one that has not retired.
            let ring_idx = state.ring_idx.get(number).copied().unwrap_or(u32::MAX);
            expected.entry(ring_idx).or_default().push(*number);
        }
        let (mut equal, mut different) = (0_usize, 0_usize);
        for (ring_idx, recorded) in expected {
            let here = state.here.get(&ring_idx).map(Vec::as_slice).unwrap_or_default();
            let same = recorded.iter().zip(here).filter(|(recorded, here)| recorded == here).count();
            equal = equal.saturating_add(same);
            different = different.saturating_add(recorded.len().saturating_sub(same));
        }
        (equal as u64, different as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn order_counts_on_each_timeline_and_not_between_them() {
        let fences = Fences::default();
        for (number, ring_idx) in [(0, 1), (1, 2), (2, 1), (3, 1)] {
            fences.create(number, ring_idx);
        }
        for number in [1, 0, 2] {
            fences.retire(number);
        }
        for number in [0, 1, 2] {
            fences.expect(number);
        }
        assert_eq!(fences.compare(), (3, 0));
        fences.expect(3);
        assert_eq!(fences.compare(), (3, 1), "one has not retired");
        assert!(fences.wait(2, Duration::ZERO));
        assert!(!fences.wait(3, Duration::ZERO));
        fences.expect(9);
        assert_eq!(fences.compare(), (3, 2), "one was never created");
    }

    #[test]
    fn another_order_is_a_difference() {
        let fences = Fences::default();
        for number in 0..3 {
            fences.create(number, 1);
        }
        for number in [1, 0, 2] {
            fences.retire(number);
        }
        for number in [0, 1, 2] {
            fences.expect(number);
        }
        assert_eq!(fences.compare(), (1, 2));
    }
}
