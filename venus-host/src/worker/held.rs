//! What one context holds of memory, as its monitor counts it.
//!
//! Plain memory is the monitor's to make, without a word from whoever serves the context: so it counts for itself how many
//! resources the context knows and how much of them is plain, and keeps to what its guest may have
//! ([`Holdings`]).

use std::collections::BTreeMap;

use parking_lot::Mutex;

use crate::{
    HostError,
    endpoint::{Breadcrumbs, Holdings, too_much},
    limits,
    resource::ResourceId,
};

/// The resources that one context knows.
#[derive(Debug)]
pub(super) struct Held {
    state: Mutex<State>,
    /// What the monitor itself knows that the guest may hold. Whoever serves it says later what it may.
    most: u64,
    shown: Option<Holdings>,
}

#[derive(Debug, Default)]
struct State {
    /// Bytes of each that are plain memory.
    plain: BTreeMap<ResourceId, u64>,
    /// All of them.
    bytes: u64,
}

impl Held {
    /// Those of a context that knows none, and may hold no more than `most` bytes. What it holds is written to `breadcrumbs`.
    pub(super) fn new(most: u64, breadcrumbs: &Breadcrumbs) -> Self {
        Self { state: Mutex::default(), most, shown: breadcrumbs.holdings() }
    }

    /// Adds a resource that the monitor is about to make, of so many bytes of plain memory.
    ///
    /// # Errors
    ///
    /// It would be too much.
    pub(super) fn promise(&self, id: ResourceId, bytes: u64) -> Result<(), HostError> {
        if self.state.lock().plain.len() >= limits::RESOURCES {
            return Err(HostError::limit("resources of one context", limits::RESOURCES));
        }
        self.add(id, bytes);
        // After it was written down: whoever serves the context does the same with what it gives.
        let checked = match &self.shown {
            _ if self.state.lock().bytes > self.most => Err(too_much(bytes, self.most)),
            Some(shown) => shown.check(bytes),
            None => Ok(()),
        };
        if checked.is_err() {
            self.remove(id);
        }
        checked
    }

    /// Adds a resource, of which so many bytes are plain memory.
    pub(super) fn add(&self, id: ResourceId, plain: u64) {
        self.change(|state| {
            let before = state.plain.insert(id, plain).unwrap_or(0);
            state.bytes = state.bytes.saturating_sub(before).saturating_add(plain);
        });
    }

    /// Removes a resource.
    pub(super) fn remove(&self, id: ResourceId) {
        self.change(|state| {
            let before = state.plain.remove(&id).unwrap_or(0);
            state.bytes = state.bytes.saturating_sub(before);
        });
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        let mut state = self.state.lock();
        change(&mut state);
        if let Some(shown) = &self.shown {
            shown.note_plain(state.bytes);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_context_knows_so_many_resources() {
        let held = Held::new(u64::MAX, &Breadcrumbs::default());
        let last = u32::try_from(limits::RESOURCES).unwrap();
        for id in 1..=last {
            held.promise(ResourceId(id), 1).unwrap();
        }
        assert!(matches!(held.promise(ResourceId(last + 1), 1), Err(HostError::Limit { .. })));
        held.remove(ResourceId(last));
        held.remove(ResourceId(last));
        held.add(ResourceId(1), 0);
        assert_eq!(held.state.lock().bytes, u64::from(last) - 2);
        held.promise(ResourceId(last + 1), 1).unwrap();
    }
}
