//! Ids that the guest believes in and that have no object which could be used.
//!
//! A guest's driver creates most things without asking for the result: it goes on with an id that may never have come
//! to be, and Vulkan lets its application destroy such a thing, or use it, before anybody can say so. The context must
//! not end by that. So what could not be created is remembered here, by type and with the reason:
//!
//! * destroying it is nothing, and forgets it;
//! * a command that names it is left out (`context/skipped.rs`), which the decoder learns from the table as
//!   [`HandleError::Phantom`](venus_protocol::wire::HandleError::Phantom), the same way as it learns of an id that is
//!   none. So nobody pays for this who names objects only.
//!
//! What depends on a command that was left out must not be used either: a command buffer with a hole in it, a buffer
//! without memory. It becomes a phantom with its object set aside, to be freed or taken back into use later.
//!
//! | word | meaning |
//! |---|---|
//! | phantom | an id in this table |
//! | uncreated | a phantom without an object: the command that should have created it has failed or was left out |
//! | left out | of a command, or a part of one: not executed, and answered all the same |
//! | invalidated | of an object: a command that it depends on was left out |
//! | set aside | of an invalidated object: here instead of in the table of objects, where the decoder would find it |
//! | restored, taken back | moved to the table of objects again |
//! | missed | of a binding of a descriptor set: the write was left out, and none has come since |

use std::{
    collections::{BTreeSet, VecDeque},
    fmt,
    sync::atomic::{AtomicUsize, Ordering},
};

use hashbrown::HashMap;
use parking_lot::Mutex;
use venus_protocol::vk;

use super::table::Entry;
use crate::{
    error::{ResultName, object_type_name},
    limits,
};

/// Why an id has no object that could be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Cause {
    /// The command that should have created it, or that was left out.
    pub(crate) command: &'static str,
    /// The answer to it.
    pub(crate) result: vk::Result,
    /// The object is there and invalid, because the command was left out; else the command failed to create it.
    pub(crate) is_invalidated: bool,
}

impl Cause {
    /// The driver could not create it.
    pub(crate) fn never_created(command: &'static str, result: vk::Result) -> Self {
        Self { command, result, is_invalidated: false }
    }

    /// What a command that names it is answered.
    pub(crate) fn answer(self) -> vk::Result {
        if self.result.as_raw() < 0 { self.result } else { vk::Result::ERROR_UNKNOWN }
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { command, result, is_invalidated } = *self;
        match is_invalidated {
            true => write!(f, "{command} was left out of it, for a reason told before"),
            false => write!(f, "{command} should have created it and failed with {}", ResultName(result)),
        }
    }
}

/// An id without an object that could be used.
#[derive(Debug)]
pub(super) struct Phantom {
    pub(super) kind: vk::ObjectType,
    /// The device that it would belong to.
    pub(super) device: u64,
    pub(super) cause: Cause,
    /// The log has told of it.
    is_told: bool,
    /// Which of the ids in `State::order` stands for it.
    number: u64,
    /// The object, where there is one.
    pub(super) entry: Option<Entry>,
    /// The bindings of a descriptor set that have not been written as they should have been.
    pub(super) missed: BTreeSet<u32>,
}

impl Phantom {
    /// Whether it is an object that was set aside and comes from the pool `pool`.
    pub(super) fn is_of_pool(&self, pool: u64) -> bool {
        self.entry.as_ref().is_some_and(|entry| entry.pool == pool)
    }
}

/// A phantom, as the log tells of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct PhantomView {
    pub(crate) kind: vk::ObjectType,
    pub(crate) id: u64,
    pub(crate) cause: Cause,
}

impl fmt::Display for PhantomView {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the {} {:#x} is of no use: {}", object_type_name(self.kind), self.id, self.cause)
    }
}

#[derive(Debug, Default)]
struct State {
    by_id: HashMap<u64, Phantom, foldhash::fast::RandomState>,
    /// Those without an object, oldest first, and some that are no more.
    order: VecDeque<(u64, u64)>,
    last_number: u64,
    /// How many of `by_id` have an object set aside.
    set_aside: usize,
    /// Some were forgotten for want of room: the youngest of them.
    forgotten: Option<Cause>,
}

impl State {
    fn without_object(&self) -> usize {
        self.by_id.len().saturating_sub(self.set_aside)
    }

    fn take(&mut self, id: u64) -> Option<Phantom> {
        let phantom = self.by_id.remove(&id)?;
        self.set_aside = self.set_aside.saturating_sub(usize::from(phantom.entry.is_some()));
        Some(phantom)
    }

    fn is_current(&self, (id, number): (u64, u64)) -> bool {
        self.by_id.get(&id).is_some_and(|phantom| phantom.number == number && phantom.entry.is_none())
    }

    /// Forgets the oldest, so that another has room.
    fn make_room(&mut self) {
        while self.without_object() >= limits::PHANTOMS
            && let Some(oldest) = self.order.pop_front()
        {
            if self.is_current(oldest) {
                self.forgotten = self.take(oldest.0).map(|phantom| phantom.cause);
            }
        }
        if self.order.len() >= limits::PHANTOMS.saturating_mul(2) {
            let mut order = std::mem::take(&mut self.order);
            order.retain(|entry| self.is_current(*entry));
            self.order = order;
        }
    }
}

/// The phantoms of one context.
#[derive(Debug, Default)]
pub(crate) struct Phantoms {
    state: Mutex<State>,
    /// How many there are, to be looked at without the lock.
    count: AtomicUsize,
    /// How many of them have an object set aside.
    set_aside: AtomicUsize,
}

impl Phantoms {
    /// Whether there are none, which is so for nearly every guest.
    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        self.count.load(Ordering::SeqCst) == 0
    }

    /// How many objects are set aside.
    pub(super) fn objects(&self) -> usize {
        self.set_aside.load(Ordering::Relaxed)
    }

    /// Names the types of the objects that are set aside, one after the other.
    pub(super) fn for_each_aside(&self, mut act: impl FnMut(vk::ObjectType)) {
        if self.objects() != 0 {
            self.with(|state| {
                let aside = state.by_id.values().filter(|phantom| phantom.entry.is_some());
                aside.for_each(|phantom| act(phantom.kind));
            });
        }
    }

    fn with<T>(&self, act: impl FnOnce(&mut State) -> T) -> T {
        let mut state = self.state.lock();
        let done = act(&mut state);
        self.count.store(state.by_id.len(), Ordering::SeqCst);
        self.set_aside.store(state.set_aside, Ordering::Relaxed);
        done
    }

    /// Remembers ids that have no object. Those that have one set aside stay as they are: they are in use.
    #[cold]
    pub(super) fn record(&self, kind: vk::ObjectType, device: u64, ids: &[u64], cause: Cause) {
        self.with(|state| {
            for &id in ids.iter().filter(|&&id| id != 0) {
                if state.by_id.get(&id).is_some_and(|phantom| phantom.entry.is_some()) {
                    continue;
                }
                state.take(id);
                state.make_room();
                state.last_number = state.last_number.wrapping_add(1);
                let number = state.last_number;
                state.order.push_back((id, number));
                let missed = BTreeSet::new();
                state.by_id.insert(id, Phantom { kind, device, cause, is_told: false, number, entry: None, missed });
            }
        });
    }

    /// Sets an object aside. The log has told why.
    #[cold]
    pub(super) fn set_aside(&self, id: u64, entry: Entry, cause: Cause) {
        let Entry { kind, device, .. } = entry;
        let missed = BTreeSet::new();
        let phantom = Phantom { kind, device, cause, is_told: true, number: 0, entry: Some(entry), missed };
        self.with(|state| {
            state.by_id.insert(id, phantom);
            state.set_aside = state.set_aside.saturating_add(1);
        });
    }

    /// Notes that bindings of a descriptor set, which is set aside, have not been written.
    #[cold]
    pub(super) fn miss(&self, id: u64, bindings: &BTreeSet<u32>) {
        self.with(|state| {
            if let Some(phantom) = state.by_id.get_mut(&id).filter(|phantom| phantom.entry.is_some()) {
                let room = limits::MISSED_BINDINGS.saturating_sub(phantom.missed.len());
                phantom.missed.extend(bindings.iter().take(room));
            }
        });
    }

    /// Forgets the id, which must be of type `kind`, and hands out what was set aside.
    pub(super) fn take(&self, kind: vk::ObjectType, id: u64) -> Option<Phantom> {
        if self.is_empty() {
            return None;
        }
        self.with(|state| {
            let found = state.by_id.get(&id).is_some_and(|phantom| phantom.kind == kind);
            if found { state.take(id) } else { None }
        })
    }

    /// As [`Phantoms::take`], for each that fits.
    pub(super) fn take_all(&self, mut fits: impl FnMut(&Phantom) -> bool) -> Vec<(u64, Phantom)> {
        if self.is_empty() {
            return Vec::new();
        }
        self.with(|state| {
            let ids: Vec<u64> = state.by_id.iter().filter(|(_, phantom)| fits(phantom)).map(|(&id, _)| id).collect();
            ids.into_iter().filter_map(|id| Some((id, state.take(id)?))).collect()
        })
    }

    /// The guest has given the ids to something that exists. An object that is set aside stays: it has yet to be freed.
    pub(super) fn forget(&self, ids: &[u64]) {
        if !self.is_empty() {
            self.with(|state| {
                for &id in ids {
                    if state.by_id.get(&id).is_some_and(|phantom| phantom.entry.is_none()) {
                        state.take(id);
                    }
                }
            });
        }
    }

    /// The type of the object that is set aside under this id.
    pub(super) fn aside(&self, id: u64) -> Option<vk::ObjectType> {
        if self.is_empty() {
            return None;
        }
        self.with(|state| state.by_id.get(&id).filter(|phantom| phantom.entry.is_some()).map(|phantom| phantom.kind))
    }

    /// The pool of the object that is set aside under this id, 0 if it has none.
    #[cold]
    pub(super) fn aside_in(&self, id: u64) -> Option<u64> {
        self.with(|state| Some(state.by_id.get(&id)?.entry.as_ref()?.pool))
    }

    /// The device that the id, of whatever type, would belong to.
    #[cold]
    pub(super) fn device(&self, id: u64) -> Option<u64> {
        self.with(|state| state.by_id.get(&id).map(|phantom| phantom.device))
    }

    /// Why the id, of whatever type, has no object that could be used.
    #[cold]
    pub(super) fn cause(&self, id: u64) -> Option<Cause> {
        self.with(|state| state.by_id.get(&id).map(|phantom| phantom.cause))
    }

    /// Forgets the id, of whatever type, and hands out what was set aside.
    pub(super) fn take_any(&self, id: u64) -> Option<Phantom> {
        if self.is_empty() { None } else { self.with(|state| state.take(id)) }
    }

    /// What is known of the id as one of type `kind`. `is_known` says whether there is another account of the id; if not,
    /// it may be one of those that were forgotten.
    #[cold]
    pub(super) fn find(&self, kind: vk::ObjectType, id: u64, is_known: bool) -> Option<PhantomView> {
        self.with(|state| match state.by_id.get(&id) {
            Some(phantom) => (phantom.kind == kind).then_some(PhantomView { kind, id, cause: phantom.cause }),
            None if is_known => None,
            None => state.forgotten.map(|cause| PhantomView { kind, id, cause }),
        })
    }

    /// Whether the log has yet to tell of the id. Asks once.
    #[cold]
    pub(super) fn is_news(&self, id: u64) -> bool {
        self.with(|state| {
            let told = state.by_id.get_mut(&id).map(|phantom| std::mem::replace(&mut phantom.is_told, true));
            told == Some(false)
        })
    }

    /// Forgets everything.
    pub(super) fn clear(&self) {
        self.with(|state| *state = State::default());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KIND: vk::ObjectType = vk::ObjectType::BUFFER;

    fn cause() -> Cause {
        Cause::never_created("vkCreateBuffer", vk::Result::ERROR_OUT_OF_HOST_MEMORY)
    }

    fn knows(phantoms: &Phantoms, id: u64) -> bool {
        phantoms.find(KIND, id, true).is_some()
    }

    #[test]
    fn an_id_is_known_by_its_type_until_it_is_taken() {
        let phantoms = Phantoms::default();
        phantoms.record(KIND, 1, &[0, 7], cause());
        assert!(knows(&phantoms, 7) && !knows(&phantoms, 0));
        assert!(phantoms.find(vk::ObjectType::IMAGE, 7, true).is_none());
        assert!(phantoms.take(vk::ObjectType::IMAGE, 7).is_none());
        assert!(phantoms.is_news(7) && !phantoms.is_news(7));
        assert!(phantoms.take(KIND, 7).is_some() && phantoms.take(KIND, 7).is_none());
        assert!(phantoms.is_empty());
    }

    #[test]
    fn the_oldest_make_room_and_stay_harmless() {
        let phantoms = Phantoms::default();
        let most = limits::PHANTOMS as u64;
        let ids: Vec<u64> = (1..=most).collect();
        phantoms.record(KIND, 1, &ids, cause());
        assert!(phantoms.find(KIND, most + 5, false).is_none(), "all are remembered, and this is none");
        phantoms.record(KIND, 1, &[most + 1], cause());
        assert!(!knows(&phantoms, 1) && knows(&phantoms, 2) && knows(&phantoms, most + 1));
        // What nobody knows better may be one of the forgotten.
        assert!(phantoms.find(KIND, 1, false).is_some());
    }

    #[test]
    fn memory_is_bounded_where_ids_come_and_go() {
        let phantoms = Phantoms::default();
        for id in 1..=5 * limits::PHANTOMS as u64 {
            phantoms.record(KIND, 1, &[id], cause());
            assert!(phantoms.take(KIND, id).is_some());
        }
        let state = phantoms.state.lock();
        assert!(state.order.len() <= 2 * limits::PHANTOMS && state.forgotten.is_none());
    }
}
