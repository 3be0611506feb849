//! Events that belong to no endpoint: fences of the guest's kernel on the timelines of queues, and the loss of the
//! context.
//!
//! Fences overlap, but slices of one track must be nested. So a timeline has as many tracks as it ever had fences
//! pending at once. All have the same name, and Perfetto shows them as one.

use std::collections::BTreeMap;

use parking_lot::Mutex;
use venus_host::limits;

use super::system;

/// Most events that wait to be written. Guests create fences per frame, not per command.
const EVENTS: usize = 1 << 14;

/// The name of a fence that is not traced.
pub(super) const UNTRACED: u64 = u64::MAX;

/// Which track a fence is on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Row {
    pub(super) ring_idx: u32,
    pub(super) slot: u32,
}

/// An event. Times are in nanoseconds.
#[derive(Debug)]
pub(super) enum Event {
    Fence { at: u64, row: Row },
    Retired { at: u64, row: Row },
    Lost { at: u64, reason: String },
}

#[derive(Debug, Default)]
struct State {
    events: Vec<Event>,
    /// Whether each slot is taken, by timeline.
    slots: BTreeMap<u32, Vec<bool>>,
    /// How many slots are taken in all, so that room is reserved for so many ends.
    pending: usize,
    dropped: u64,
}

/// The fences of a context.
#[derive(Debug, Default)]
pub(super) struct Fences(Mutex<State>);

impl Fences {
    /// Adds the creation of a fence. Returns its name.
    pub(super) fn create(&self, ring_idx: u32) -> u64 {
        // There is no such timeline, and a guest may name any.
        if ring_idx >= limits::TIMELINES {
            return UNTRACED;
        }
        let mut state = self.0.lock();
        if state.events.len().saturating_add(state.pending).saturating_add(2) > EVENTS {
            state.dropped = state.dropped.saturating_add(1);
            return UNTRACED;
        }
        let slots = state.slots.entry(ring_idx).or_default();
        let index = slots.iter().position(|is_taken| !is_taken).unwrap_or(slots.len());
        match slots.get_mut(index) {
            Some(is_taken) => *is_taken = true,
            None => slots.push(true),
        }
        let slot = u32::try_from(index).unwrap_or(u32::MAX);
        state.pending = state.pending.saturating_add(1);
        state.events.push(Event::Fence { at: system::now(), row: Row { ring_idx, slot } });
        u64::from(ring_idx) << 32 | u64::from(slot)
    }

    /// Adds the retirement of a fence, by its name.
    pub(super) fn retire(&self, name: u64) {
        if name == UNTRACED {
            return;
        }
        let [ring_idx, slot] = [name >> 32, name & u64::from(u32::MAX)].map(|half| u32::try_from(half).unwrap_or(0));
        let mut state = self.0.lock();
        let index = usize::try_from(slot).unwrap_or(usize::MAX);
        if let Some(is_taken) = state.slots.get_mut(&ring_idx).and_then(|slots| slots.get_mut(index)) {
            *is_taken = false;
        }
        state.pending = state.pending.saturating_sub(1);
        state.events.push(Event::Retired { at: system::now(), row: Row { ring_idx, slot } });
    }

    /// Adds the loss of the context.
    pub(super) fn lose(&self, reason: &str) {
        self.0.lock().events.push(Event::Lost { at: system::now(), reason: reason.to_owned() });
    }

    /// Takes the events, and the number of fences that were dropped since the last time.
    pub(super) fn take(&self) -> (Vec<Event>, u64) {
        let mut state = self.0.lock();
        (std::mem::take(&mut state.events), std::mem::take(&mut state.dropped))
    }
}
