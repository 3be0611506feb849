//! What one context holds of memory, as its monitor counts it.
//!
//! Plain memory is the monitor's to make, without a word from whoever serves the context: so it counts for itself how many
//! resources the context knows and how much of them is plain, and keeps to what its guest may have
//! ([`Holdings`]).
//!
//! What the guest gives back counts until whoever serves the context has come to forget it: the messages that brought the
//! memory may still wait in a queue, and keep it and its descriptor.

use std::collections::{BTreeMap, VecDeque};

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

/// What a resource takes.
#[derive(Debug, Clone, Copy, Default)]
struct Taken {
    /// Bytes of plain memory.
    plain: u64,
    /// Descriptors in the message that the context hears of it by.
    files: usize,
}

/// A resource that the guest has given back.
#[derive(Debug)]
struct Leaving {
    id: ResourceId,
    taken: Taken,
    /// The number of the message that has the context forget it.
    message: u64,
}

#[derive(Debug, Default)]
struct State {
    known: BTreeMap<ResourceId, Taken>,
    /// In the order of their messages.
    leaving: VecDeque<Leaving>,
    /// Bytes of plain memory of both.
    bytes: u64,
    /// Descriptors of what is leaving.
    files: usize,
    /// Messages about resources.
    sent: u64,
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
    pub(super) fn promise(&self, id: ResourceId, plain: u64) -> Result<(), HostError> {
        self.take(id, Taken { plain, files: 1 }, true)
    }

    /// Adds a resource of somebody else's, of which so many bytes are plain memory.
    ///
    /// # Errors
    ///
    /// It would be too much. Such memory counts against whoever made it, too, so this is only looked at while there is some that
    /// may be nobody's any more.
    pub(super) fn borrow(&self, id: ResourceId, plain: u64) -> Result<(), HostError> {
        let is_left = self.with(|state| !state.leaving.is_empty());
        self.take(id, Taken { plain, files: 1 }, is_left)
    }

    fn take(&self, id: ResourceId, taken: Taken, is_bounded: bool) -> Result<(), HostError> {
        let bytes = self.with(|state| {
            if state.known.len().saturating_add(state.leaving.len()) >= limits::RESOURCES {
                return Err(HostError::limit("resources of one context", limits::RESOURCES));
            }
            state.know(id, taken);
            Ok(state.bytes)
        })?;
        // After it was written down: whoever serves the context does the same with what it gives.
        let checked = match &self.shown {
            _ if !is_bounded => Ok(()),
            _ if bytes > self.most => Err(too_much(taken.plain, self.most)),
            Some(shown) => shown.check(taken.plain),
            None => Ok(()),
        };
        if checked.is_err() {
            self.withdraw(id);
        }
        checked
    }

    /// Adds a resource that whoever serves the context has made.
    pub(super) fn add(&self, id: ResourceId) {
        self.with(|state| state.know(id, Taken::default()));
    }

    /// Removes a resource that nobody was told of.
    pub(super) fn withdraw(&self, id: ResourceId) {
        self.with(|state| {
            let taken = state.known.remove(&id).unwrap_or_default();
            state.bytes = state.bytes.saturating_sub(taken.plain);
        });
    }

    /// A message about a resource is about to be sent.
    pub(super) fn note_message(&self) {
        self.with(State::number);
    }

    /// A message is about to be sent that has the context forget a resource.
    pub(super) fn forget(&self, id: ResourceId) {
        self.with(|state| {
            let (message, taken) = (state.number(), state.known.remove(&id).unwrap_or_default());
            state.files = state.files.saturating_add(taken.files);
            state.leaving.push_back(Leaving { id, taken, message });
        });
    }

    /// Whether the context has yet to forget a resource that had this id.
    pub(super) fn is_leaving(&self, id: ResourceId) -> bool {
        self.with(|state| state.leaving.iter().any(|leaving| leaving.id == id))
    }

    /// Descriptors of this process that messages may keep whose resources have gone.
    pub(super) fn files_leaving(&self) -> usize {
        self.with(|state| state.files)
    }

    /// Looks at the state, or changes it, without what the context has forgotten by now.
    fn with<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let mut state = self.state.lock();
        state.settle(self.shown.as_ref().map_or(u64::MAX, Holdings::handled));
        let outcome = change(&mut state);
        if let Some(shown) = &self.shown {
            shown.note_plain(state.bytes);
            shown.note_sent(state.sent);
        }
        outcome
    }
}

impl State {
    fn know(&mut self, id: ResourceId, taken: Taken) {
        let before = self.known.insert(id, taken).unwrap_or_default();
        self.bytes = self.bytes.saturating_sub(before.plain).saturating_add(taken.plain);
    }

    /// The number of the next message.
    fn number(&mut self) -> u64 {
        self.sent = self.sent.saturating_add(1);
        self.sent
    }

    /// So many messages were handled.
    fn settle(&mut self, handled: u64) {
        while let Some(Leaving { taken, .. }) = self.leaving.pop_front_if(|leaving| leaving.message <= handled) {
            self.bytes = self.bytes.saturating_sub(taken.plain);
            self.files = self.files.saturating_sub(taken.files);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: ResourceId = ResourceId(1);

    #[test]
    fn a_context_knows_so_many_resources() {
        let breadcrumbs = Breadcrumbs::private();
        let held = Held::new(u64::MAX, &breadcrumbs);
        let last = u32::try_from(limits::RESOURCES).unwrap();
        for id in 1..=last {
            held.promise(ResourceId(id), 1).unwrap();
        }
        let refused = |held: &Held| matches!(held.promise(ResourceId(last + 1), 1), Err(HostError::Limit { .. }));
        assert!(refused(&held));
        held.withdraw(ResourceId(last));
        held.withdraw(ResourceId(last));
        held.add(PLAIN);
        assert_eq!(held.state.lock().bytes, u64::from(last) - 2);
        held.promise(ResourceId(last + 1), 1).unwrap();
        held.forget(ResourceId(last + 1));
        assert!(refused(&held), "the context may know it still");
        breadcrumbs.holdings().unwrap().note_handled();
        assert!(!refused(&held));
    }

    #[test]
    fn what_is_given_back_counts_until_the_context_has_come_to_it() {
        let breadcrumbs = Breadcrumbs::private();
        let context = breadcrumbs.holdings().unwrap();
        let held = Held::new(100, &breadcrumbs);
        held.promise(PLAIN, 60).unwrap();
        held.note_message();
        held.borrow(ResourceId(2), 60).unwrap();
        held.note_message();
        held.forget(ResourceId(2));
        assert_eq!((context.last_on_its_way(), context.plain_bytes(), held.files_leaving()), (Some(3), 120, 1));
        assert!(held.is_leaving(ResourceId(2)) && !held.is_leaving(PLAIN));
        assert!(held.promise(ResourceId(3), 1).is_err() && held.borrow(ResourceId(3), 1).is_err());
        for _ in 0..2 {
            context.note_handled();
        }
        assert!(held.promise(ResourceId(3), 1).is_err(), "it is next");
        context.note_handled();
        assert!(!held.is_leaving(ResourceId(2)) && held.files_leaving() == 0);
        assert_eq!((context.last_on_its_way(), context.plain_bytes()), (None, 60));
        held.promise(ResourceId(3), 40).unwrap();
        held.borrow(ResourceId(4), 60).unwrap();
    }
}
