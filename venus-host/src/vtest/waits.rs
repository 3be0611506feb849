//! Waits that are not over, found by the syncs that can end them.
//!
//! Guests keep thousands of syncs and hundreds of waits, and signal a sync for each submission, so a signal looks only at
//! the waits that it may end. A wait for any of several syncs is watched for at each of them; a wait for all of them at
//! one that has not come, and when that comes, at the next.
//!
//! A guest may stop waiting at any time and only closes its end. Nothing tells us, so all are asked whenever their number
//! has doubled: never by the clock, since a wait that is forgotten too early hangs.

use std::{
    collections::BTreeSet,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

use foldhash::fast::RandomState;
use hashbrown::HashMap;

use super::event::{self, Event};
use crate::limits;

/// Below this number of waits, nobody is asked whether they are over.
const FEW: usize = 64;

/// One timeline. It changes under the table's lock only; a wait or a fence keeps it alive after the guest has dropped its
/// id.
#[derive(Debug)]
pub(super) struct SyncObject {
    /// Which one, among all that the connection ever had.
    number: u64,
    value: AtomicU64,
    /// What would have set a value has failed.
    lost: AtomicBool,
    /// Which value that was.
    promised: AtomicU64,
}

impl SyncObject {
    pub(super) fn new(number: u64, value: u64) -> Self {
        Self { number, value: AtomicU64::new(value), lost: AtomicBool::new(false), promised: AtomicU64::new(0) }
    }

    pub(super) fn value(&self) -> u64 {
        self.value.load(Ordering::Relaxed)
    }

    /// A value that it would have by now if that had not been lost.
    pub(super) fn missed(&self) -> Option<u64> {
        let promised = self.promised.load(Ordering::Relaxed);
        (self.is_lost() && promised > self.value()).then_some(promised)
    }

    fn is_lost(&self) -> bool {
        self.lost.load(Ordering::Relaxed)
    }

    fn set(&self, value: u64) {
        self.value.store(value, Ordering::Relaxed);
        self.lost.store(false, Ordering::Relaxed);
        self.promised.store(0, Ordering::Relaxed);
    }
}

/// What a wait wants of a sync: at least this value.
pub(super) type Condition = (Arc<SyncObject>, u64);

fn holds((sync, wanted): &Condition) -> bool {
    sync.value() >= *wanted
}

/// What is known of a wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It is over.
    Done,
    /// It can still end.
    Pending,
    /// It never will.
    Lost,
}

/// Whether conditions hold: any of them, or all.
pub(super) fn judge(any: bool, conditions: &[Condition]) -> Verdict {
    let done = if any { conditions.iter().any(holds) } else { conditions.iter().all(holds) };
    match done {
        true => Verdict::Done,
        false if conditions.iter().any(|condition| condition.0.is_lost() && !holds(condition)) => Verdict::Lost,
        false => Verdict::Pending,
    }
}

/// One wait.
#[derive(Debug)]
struct Wait {
    any: bool,
    conditions: Vec<Condition>,
    /// Of a wait for all: the one that is watched.
    watched: usize,
    event: Event,
}

impl Wait {
    /// The first condition that does not hold, from the watched one on and around.
    fn missing(&self) -> Option<usize> {
        let (before, after) = self.conditions.split_at_checked(self.watched)?;
        let fails = |condition: &Condition| !holds(condition);
        match after.iter().position(fails) {
            Some(index) => self.watched.checked_add(index),
            None => before.iter().position(fails),
        }
    }

    fn watch(&self, index: usize, number: u64) -> Option<Watch> {
        self.conditions.get(index).map(|(sync, wanted)| Watch { sync: sync.number, wanted: *wanted, wait: number })
    }
}

/// A sync whose value a wait looks forward to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Watch {
    sync: u64,
    wanted: u64,
    wait: u64,
}

/// The waits of one connection that are not over.
#[derive(Debug, Default)]
pub(super) struct Waits {
    by_number: HashMap<u64, Wait, RandomState>,
    watches: BTreeSet<Watch>,
    /// How many conditions they have together.
    conditions: usize,
    numbers: u64,
    /// At how many waits it is asked again which are over.
    sweep_at: usize,
}

impl Waits {
    pub(super) fn len(&self) -> usize {
        self.by_number.len()
    }

    /// Whether there is room for a wait with so many conditions.
    pub(super) fn has_room(&self, conditions: usize) -> bool {
        self.len() < limits::PENDING_WAITS && self.conditions.saturating_add(conditions) <= limits::WAITED_SYNCS
    }

    /// Adds a wait whose verdict is out.
    pub(super) fn push(&mut self, any: bool, conditions: Vec<Condition>, event: Event) {
        if self.by_number.len() >= self.sweep_at.max(FEW) {
            self.sweep();
        }
        self.numbers = self.numbers.wrapping_add(1);
        let number = self.numbers;
        self.conditions = self.conditions.saturating_add(conditions.len());
        let mut wait = Wait { any, conditions, watched: 0, event };
        if any {
            self.watches.extend((0..wait.conditions.len()).filter_map(|index| wait.watch(index, number)));
        } else {
            wait.watched = wait.missing().unwrap_or_default();
            self.watches.extend(wait.watch(wait.watched, number));
        }
        self.by_number.insert(number, wait);
    }

    /// Gives a sync a value, up or down, and ends the waits that this ends.
    pub(super) fn set(&mut self, sync: &SyncObject, value: u64) {
        sync.set(value);
        let first = Watch { sync: sync.number, wanted: 0, wait: 0 };
        let last = Watch { sync: sync.number, wanted: value, wait: u64::MAX };
        while let Some(watch) = self.watches.range(first..=last).next().copied() {
            self.watches.remove(&watch);
            self.advance(watch.wait);
        }
    }

    /// Ends a wait one of whose watches has come, or watches for what else it needs.
    fn advance(&mut self, number: u64) {
        let Some(wait) = self.by_number.get_mut(&number) else { return };
        match wait.missing().filter(|_| !wait.any) {
            Some(index) => {
                wait.watched = index;
                self.watches.extend(wait.watch(index, number));
            }
            None => {
                if let Some(wait) = self.remove(number) {
                    wait.event.signal();
                }
            }
        }
    }

    fn remove(&mut self, number: u64) -> Option<Wait> {
        let wait = self.by_number.remove(&number)?;
        self.conditions = self.conditions.saturating_sub(wait.conditions.len());
        let watched = if wait.any { 0..wait.conditions.len() } else { wait.watched..wait.watched.saturating_add(1) };
        for index in watched {
            if let Some(watch) = wait.watch(index, number) {
                self.watches.remove(&watch);
            }
        }
        Some(wait)
    }

    /// Marks a sync as one that will not have `promised`, or any other value, and ends the waits that needed it, as lost.
    pub(super) fn lose(&mut self, sync: &SyncObject, promised: u64) {
        sync.lost.store(true, Ordering::Relaxed);
        sync.promised.fetch_max(promised, Ordering::Relaxed);
        let is_lost = |wait: &Wait| judge(wait.any, &wait.conditions) == Verdict::Lost;
        let lost: Vec<_> = self.by_number.iter().filter(|(_, wait)| is_lost(wait)).map(|(number, _)| *number).collect();
        for number in lost {
            self.remove(number);
        }
    }

    /// Ends every wait as lost.
    pub(super) fn lose_all(&mut self) {
        self.by_number.clear();
        self.watches.clear();
        self.conditions = 0;
    }

    /// Forgets the waits whose guest has stopped waiting.
    pub(super) fn sweep(&mut self) {
        for number in event::abandoned(self.by_number.iter().map(|(number, wait)| (*number, &wait.event))) {
            self.remove(number);
        }
        self.sweep_at = self.by_number.len().saturating_mul(2);
    }
}

#[cfg(test)]
mod tests {
    use std::os::fd::OwnedFd;

    use super::{
        super::event::tests::{Polled, polled},
        *,
    };

    fn syncs(count: u64) -> Vec<Arc<SyncObject>> {
        (1..=count).map(|number| Arc::new(SyncObject::new(number, 0))).collect()
    }

    fn push(waits: &mut Waits, any: bool, syncs: &[Arc<SyncObject>], wanted: u64) -> OwnedFd {
        let (event, guest) = Event::new().unwrap();
        waits.push(any, syncs.iter().map(|sync| (Arc::clone(sync), wanted)).collect(), event);
        guest
    }

    #[test]
    fn all_means_all_at_a_time() {
        let (mut waits, syncs) = (Waits::default(), syncs(3));
        let guest = push(&mut waits, false, &syncs, 1);
        for (index, value) in [(2, 1), (0, 1), (2, 0), (1, 1)] {
            waits.set(&syncs[index], value);
            assert_eq!(polled(&guest), Polled::Pending, "sync {index} at {value}");
        }
        waits.set(&syncs[2], 5);
        assert_eq!(polled(&guest), Polled::Done);
        assert!(waits.by_number.is_empty() && waits.watches.is_empty() && waits.conditions == 0);
    }

    #[test]
    fn any_leaves_nothing_behind() {
        let (mut waits, syncs) = (Waits::default(), syncs(3));
        let guest = push(&mut waits, true, &[&syncs[..], &syncs[..]].concat(), 1);
        waits.set(&syncs[1], 1);
        assert_eq!(polled(&guest), Polled::Done);
        assert!(waits.by_number.is_empty() && waits.watches.is_empty());
    }

    #[test]
    fn a_signal_ends_what_wanted_less() {
        let (mut waits, syncs) = (Waits::default(), syncs(1));
        let guests: Vec<_> = (1..=4).map(|wanted| push(&mut waits, wanted % 2 == 0, &syncs, wanted)).collect();
        waits.set(&syncs[0], 3);
        let found: Vec<_> = guests.iter().map(polled).collect();
        assert_eq!(found, [Polled::Done, Polled::Done, Polled::Done, Polled::Pending]);
    }

    #[test]
    fn what_was_abandoned_is_forgotten_when_there_are_twice_as_many() {
        let (mut waits, syncs) = (Waits::default(), syncs(1));
        let kept: Vec<_> = (0..FEW / 2).map(|_| push(&mut waits, false, &syncs, 1)).collect();
        for _ in 0..10 * FEW {
            drop(push(&mut waits, true, &syncs, 1));
            assert!(waits.len() <= FEW, "{} waits", waits.len());
        }
        waits.set(&syncs[0], 1);
        assert!(kept.iter().all(|guest| polled(guest) == Polled::Done));
    }

    #[test]
    fn a_sync_that_is_lost_loses_who_needs_it() {
        let (mut waits, syncs) = (Waits::default(), syncs(2));
        let needs = push(&mut waits, false, &syncs, 1);
        let wants = push(&mut waits, true, &syncs[1..], 1);
        let other = push(&mut waits, false, &syncs[..1], 1);
        waits.lose(&syncs[1], 1);
        assert_eq!((polled(needs), polled(wants)), (Polled::Lost, Polled::Lost));
        assert_eq!(polled(&other), Polled::Pending);
        let condition = [(Arc::clone(&syncs[1]), 1)];
        assert_eq!((judge(false, &condition), syncs[1].missed()), (Verdict::Lost, Some(1)));
        waits.set(&syncs[1], 0);
        assert_eq!((judge(false, &condition), syncs[1].missed()), (Verdict::Pending, None), "the guest uses it again");
        waits.lose_all();
        assert_eq!(polled(other), Polled::Lost);
    }
}
