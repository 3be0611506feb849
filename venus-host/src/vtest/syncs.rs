//! Sync objects: 64-bit timelines that a guest waits for through descriptors.
//!
//! The guest creates syncs, writes them itself or has fences write them, and asks for a descriptor that becomes
//! readable once its condition holds. Fences retire on other threads, so the table is shared; nothing blocks under its
//! lock.
//!
//! Every request has an answer, also beyond the bounds: the guest waits for one, and has no way to hear of an error. A
//! wait that cannot be kept is one of the [standing answers](super::event::Standing), and where there is no room for a
//! sync, its id is that of [a sync that is lost](Syncs::create).
//!
//! A sync whose fence is lost never reaches its value. Who waits for it is told so, and Mesa's wait returns
//! `VK_ERROR_DEVICE_LOST`. Who only reads it cannot be told: see [`Read`].

use std::{
    os::fd::OwnedFd,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use foldhash::fast::RandomState;
use hashbrown::HashMap;
use parking_lot::Mutex;

use super::{
    event::Event,
    framing::FramingError,
    ids::Ids,
    waits::{Condition, SyncObject, Verdict, Waits, judge},
};
use crate::limits;

/// The syncs of one connection.
#[derive(Debug, Default)]
pub(super) struct Syncs {
    state: Mutex<State>,
    /// Some bound was met, which is told once.
    told: AtomicBool,
}

#[derive(Debug, Default)]
struct State {
    by_id: HashMap<u32, Arc<SyncObject>, RandomState>,
    ids: Ids,
    created: u64,
    /// The id that is given where there is no room for a sync.
    refused: Option<u32>,
    waits: Waits,
    /// The context is lost, so that nothing will come that has not.
    lost: bool,
    /// A wait has told the guest of a loss.
    loss_told: bool,
    /// How many syncs pending fences will set.
    promised: usize,
}

impl State {
    fn lookup(&self, id: u32) -> Result<&Arc<SyncObject>, FramingError> {
        self.by_id.get(&id).ok_or_else(|| FramingError::Illegal(format!("no sync has id {id}")))
    }

    fn insert(&mut self, initial: u64) -> u32 {
        let id = self.ids.allocate();
        self.created = self.created.wrapping_add(1);
        self.by_id.insert(id, Arc::new(SyncObject::new(self.created, initial)));
        id
    }

    fn resolve(&self, syncs: &[(u32, u64)]) -> Result<Vec<Condition>, FramingError> {
        syncs.iter().map(|(id, value)| Ok((Arc::clone(self.lookup(*id)?), *value))).collect()
    }
}

/// What a guest gets to wait with.
#[derive(Debug)]
pub(super) enum Waiting {
    /// The wait is over.
    Done,
    /// It is not, and the guest does not want to wait, or cannot be told when it is.
    Pending,
    /// It never will be.
    Lost,
    /// What becomes readable once it is.
    Event(OwnedFd),
}

/// What a sync's value says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Read {
    /// As far as it is known. Of a guest that knows that something is lost, a value that was lost is as good as reached, so
    /// that nobody looks out for it for ever: Vulkan lets vkGetFenceStatus say so after the loss of a device.
    Value(u64),
    /// It will not change, the guest does not know, and nothing that can be answered here says so.
    Lost,
}

impl Syncs {
    /// Makes a sync and returns its id. Where there is no room for another, that is the id of a sync that never reaches a
    /// value.
    pub(super) fn create(&self, initial: u64) -> u32 {
        let mut state = self.state.lock();
        let kept = state.by_id.len().saturating_sub(state.refused.iter().count());
        if kept < limits::SYNCS {
            return state.insert(initial);
        }
        if let Some(id) = state.refused {
            return id;
        }
        let what = format_args!("{} syncs, and those that come now never reach a value", limits::SYNCS);
        self.tell(what, "look for a leak of fences or semaphores in its program");
        let id = state.insert(0);
        if let Some(sync) = state.by_id.get(&id).cloned() {
            state.waits.lose(&sync, 0);
        }
        state.refused = Some(id);
        id
    }

    /// Forgets an id. Waits and fences that refer to the sync are not affected; an unknown id is ignored.
    pub(super) fn unref(&self, id: u32) {
        let mut state = self.state.lock();
        if state.refused != Some(id) && state.by_id.remove(&id).is_some() {
            state.ids.free(id);
        }
    }

    /// The current value.
    pub(super) fn read(&self, id: u32) -> Result<Read, FramingError> {
        let state = self.state.lock();
        let sync = state.lookup(id)?;
        Ok(match sync.missed() {
            None => Read::Value(sync.value()),
            Some(promised) if state.loss_told => Read::Value(promised),
            Some(_) => Read::Lost,
        })
    }

    /// Sets the value, up or down, and wakes whoever that satisfies.
    pub(super) fn write(&self, id: u32, value: u64) -> Result<(), FramingError> {
        let mut state = self.state.lock();
        let sync = Arc::clone(state.lookup(id)?);
        if state.refused != Some(id) {
            state.waits.set(&sync, value);
        }
        Ok(())
    }

    /// Resolves ids for a signal that comes later.
    pub(super) fn resolve(&self, syncs: &[(u32, u64)]) -> Result<Vec<Condition>, FramingError> {
        let state = self.state.lock();
        let mut resolved = state.resolve(syncs)?;
        if let Some(refused) = state.refused.and_then(|id| state.by_id.get(&id)) {
            resolved.retain(|(sync, _)| !Arc::ptr_eq(sync, refused));
        }
        Ok(resolved)
    }

    /// Takes so many syncs into account that a pending fence will set, if there is room for them.
    pub(super) fn promise(&self, count: usize) -> bool {
        let mut state = self.state.lock();
        let promised = state.promised.saturating_add(count);
        let has_room = promised <= limits::PROMISED_SYNCS;
        if has_room {
            state.promised = promised;
        } else {
            let what = format_args!("pending fences for more than {} syncs", limits::PROMISED_SYNCS);
            self.tell(what, "look for a leak of submissions in its program");
        }
        has_room
    }

    /// Undoes [`Syncs::promise`].
    pub(super) fn keep_promise(&self, count: usize) {
        let mut state = self.state.lock();
        state.promised = state.promised.saturating_sub(count);
    }

    /// Sets resolved syncs to their values.
    pub(super) fn signal(&self, syncs: &[Condition]) {
        let mut state = self.state.lock();
        for (sync, value) in syncs {
            state.waits.set(sync, *value);
        }
    }

    /// Says that resolved syncs will not reach their values.
    pub(super) fn lose(&self, syncs: &[Condition]) {
        let mut state = self.state.lock();
        let before = state.waits.len();
        for (sync, value) in syncs {
            state.waits.lose(sync, *value);
        }
        state.loss_told |= state.waits.len() < before;
    }

    /// Says that no sync will reach any value that it has not, unless the guest gives it that itself.
    pub(super) fn lose_all(&self) {
        self.state.lock().lost = true;
        self.lose_waits();
    }

    /// Ends all waits as lost, also those for what nobody has begun yet. The guest may go on with another device.
    pub(super) fn lose_waits(&self) {
        let mut state = self.state.lock();
        state.loss_told |= state.waits.len() > 0;
        state.waits.lose_all();
    }

    /// What to wait with until any or all of the syncs have reached their values. A time-out that is negative as a signed
    /// number means for ever.
    pub(super) fn wait(&self, any: bool, timeout_ms: u32, syncs: &[(u32, u64)]) -> Result<Waiting, FramingError> {
        let mut state = self.state.lock();
        let conditions = state.resolve(syncs)?;
        match judge(any, &conditions) {
            Verdict::Done => return Ok(Waiting::Done),
            Verdict::Pending if !state.lost && timeout_ms == 0 => return Ok(Waiting::Pending),
            Verdict::Pending if !state.lost => {}
            Verdict::Pending | Verdict::Lost => {
                state.loss_told = true;
                return Ok(Waiting::Lost);
            }
        }
        Ok(match self.event(&mut state.waits, conditions.len()) {
            Some((event, theirs)) => {
                state.waits.push(any, conditions, event);
                Waiting::Event(theirs)
            }
            None if i32::try_from(timeout_ms).is_ok() => Waiting::Pending,
            None => Waiting::Lost,
        })
    }

    /// An event for a wait with so many conditions, as far as there may be another.
    fn event(&self, waits: &mut Waits, conditions: usize) -> Option<(Event, OwnedFd)> {
        let event = |waits: &Waits| match waits.has_room(conditions) {
            true => Event::new(),
            false => Err(std::io::Error::other("they name too many syncs")),
        };
        event(waits)
            .or_else(|_full| {
                waits.sweep();
                event(waits)
            })
            .inspect_err(|error| {
                let waits = waits.len();
                let what = format_args!("{waits} waits, and there is nothing for another to wait with ({error})");
                self.tell(what, "raise the limit of open files (ulimit -n), or look for a leak in its program");
            })
            .ok()
    }

    /// Tells of a bound that was met, if it is the first.
    fn tell(&self, what: std::fmt::Arguments<'_>, advice: &str) {
        if !self.told.swap(true, Ordering::Relaxed) {
            tracing::warn!("the guest has {what}: its waits say VK_ERROR_DEVICE_LOST or VK_TIMEOUT; {advice}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{
        super::event::tests::{Polled, polled},
        *,
    };

    /// What a guest finds that waits without limit.
    fn wait(syncs: &Syncs, any: bool, conditions: &[(u32, u64)]) -> OwnedFd {
        match syncs.wait(any, u32::MAX, conditions).unwrap() {
            Waiting::Event(fd) => fd,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_wait_ends_when_its_condition_holds() {
        let syncs = Syncs::default();
        let (a, b) = (syncs.create(0), syncs.create(5));
        assert!(a != 0 && b != 0 && a != b);
        assert!(matches!(syncs.wait(false, u32::MAX, &[(b, 5)]), Ok(Waiting::Done)), "satisfied already");
        let all = wait(&syncs, false, &[(a, 1), (b, 6)]);
        let any = wait(&syncs, true, &[(a, 1), (b, 6)]);
        assert_eq!((polled(&all), polled(&any)), (Polled::Pending, Polled::Pending));
        syncs.write(a, 1).unwrap();
        assert_eq!((polled(&all), polled(&any)), (Polled::Pending, Polled::Done));
        syncs.write(b, 7).unwrap();
        assert_eq!(polled(&all), Polled::Done);
        assert_eq!(syncs.read(b).unwrap(), Read::Value(7));
    }

    #[test]
    fn a_fence_signals_a_sync_that_has_lost_its_id() {
        let syncs = Syncs::default();
        let id = syncs.create(0);
        let fd = wait(&syncs, false, &[(id, 3)]);
        let resolved = syncs.resolve(&[(id, 3)]).unwrap();
        syncs.unref(id);
        syncs.unref(id);
        assert!(syncs.read(id).is_err());
        assert!(syncs.wait(false, 0, &[(id, 3)]).is_err());
        syncs.signal(&resolved);
        assert_eq!(polled(fd), Polled::Done);
    }

    #[test]
    fn who_does_not_wait_costs_nothing() {
        let syncs = Syncs::default();
        let id = syncs.create(0);
        assert!(matches!(syncs.wait(false, 0, &[(id, 1)]), Ok(Waiting::Pending)));
        assert_eq!(syncs.state.lock().waits.len(), 0);
        drop(wait(&syncs, false, &[(id, 1)]));
        assert_eq!(syncs.state.lock().waits.len(), 1);
    }

    #[test]
    fn a_guest_that_stopped_listening_harms_nobody() {
        let syncs = Syncs::default();
        let id = syncs.create(0);
        drop(wait(&syncs, false, &[(id, 1)]));
        syncs.write(id, 1).unwrap();
    }

    #[test]
    fn there_is_an_answer_beyond_the_bound() {
        let syncs = Syncs::default();
        let first = syncs.create(7);
        let ids: Vec<_> = (1..limits::SYNCS).map(|_| syncs.create(0)).collect();
        let refused = syncs.create(7);
        assert_eq!(syncs.create(0), refused, "all that come now are one");
        assert!(ids.iter().all(|id| *id != refused));
        syncs.write(refused, 7).unwrap();
        syncs.signal(&syncs.resolve(&[(refused, 7), (first, 8)]).unwrap());
        assert_eq!((syncs.read(refused).unwrap(), syncs.read(first).unwrap()), (Read::Value(0), Read::Value(8)));
        assert!(matches!(syncs.wait(false, 0, &[(first, 8), (refused, 1)]), Ok(Waiting::Lost)));
        syncs.unref(refused);
        syncs.unref(first);
        assert_eq!(syncs.create(0), first, "there is room again");
    }

    #[test]
    fn a_loss_is_told_to_who_waits_and_then_to_who_reads() {
        let syncs = Syncs::default();
        let (id, other) = (syncs.create(3), syncs.create(0));
        let waits = wait(&syncs, false, &[(other, 1)]);
        syncs.lose(&syncs.resolve(&[(id, 3)]).unwrap());
        assert_eq!(syncs.read(id).unwrap(), Read::Value(3), "it had reached that");
        syncs.lose(&syncs.resolve(&[(id, 5)]).unwrap());
        assert_eq!(syncs.read(id).unwrap(), Read::Lost);
        assert!(matches!(syncs.wait(false, 0, &[(id, 3)]), Ok(Waiting::Done)));
        assert!(matches!(syncs.wait(false, 0, &[(id, 4)]), Ok(Waiting::Lost)));
        assert_eq!(syncs.read(id).unwrap(), Read::Value(5));
        assert_eq!(polled(waits), Polled::Pending);
        syncs.write(id, 0).unwrap();
        assert_eq!(syncs.read(id).unwrap(), Read::Value(0), "the guest uses it again");
    }

    #[test]
    fn with_its_context_a_guest_loses_every_wait() {
        let syncs = Syncs::default();
        let id = syncs.create(1);
        let waits = wait(&syncs, true, &[(id, 2)]);
        syncs.lose_all();
        assert_eq!(polled(waits), Polled::Lost);
        assert!(matches!(syncs.wait(false, 0, &[(id, 1)]), Ok(Waiting::Done)));
        for timeout_ms in [0, 100, u32::MAX] {
            assert!(matches!(syncs.wait(false, timeout_ms, &[(id, 2)]), Ok(Waiting::Lost)), "{timeout_ms}");
        }
        assert_eq!(syncs.read(id).unwrap(), Read::Value(1));
    }

    #[test]
    fn with_its_device_a_guest_loses_the_waits_that_it_has() {
        let syncs = Syncs::default();
        let id = syncs.create(0);
        let waits = wait(&syncs, true, &[(id, 1)]);
        syncs.lose_waits();
        assert_eq!(polled(waits), Polled::Lost);
        let again = wait(&syncs, true, &[(id, 1)]);
        syncs.write(id, 1).unwrap();
        assert_eq!(polled(again), Polled::Done, "of a new device");
    }

    #[test]
    fn waits_name_so_many_syncs_and_no_more() {
        let syncs = Syncs::default();
        let id = syncs.create(0);
        let most = vec![(id, 1); limits::WAITED_SYNCS];
        let first = wait(&syncs, false, &most);
        assert!(matches!(syncs.wait(false, u32::MAX, &[(id, 1)]), Ok(Waiting::Lost)));
        assert!(matches!(syncs.wait(false, 100, &[(id, 1)]), Ok(Waiting::Pending)));
        drop(first);
        let second = wait(&syncs, false, &[(id, 1)]);
        syncs.write(id, 1).unwrap();
        assert_eq!(polled(second), Polled::Done);
    }
}
