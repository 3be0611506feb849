//! When a removed object may be freed: quiescent-state reclamation.
//!
//! Rings execute concurrently. One may destroy a buffer whose handle another has just resolved and is about to give to
//! the driver. Vulkan makes the guest's application promise that this never happens; a hostile guest promises nothing.
//! Reference counts on every handle of every command would cost more than the commands, so nobody counts: instead, each
//! endpoint says when it stands *between* commands, where it holds no handle at all.
//!
//! * An endpoint registers and gets a [`Presence`]. While it decodes it is *online*, and after every command it
//!   announces the newest epoch ([`Reclaim::boundary`]: one load, and a store if the epoch moved). Before it idles,
//!   sleeps or waits for another endpoint it goes offline.
//! * Destroying first removes the id from the table, so that nobody new resolves it, then moves the epoch, and frees
//!   the driver's object once every *other* online endpoint has announced that epoch. With no other endpoint online,
//!   which is the usual case, that is at once.
//! * A long command says what it uses ([`Reclaim::begin_long`]): compiling a pipeline for a second does not hold up the
//!   freeing of buffers, and waiting for a fence does not hold up anything but fences and semaphores.
//! * Freeing an object *back to a pool* cannot be put off, because the guest counts on the space and because it would
//!   touch the pool behind the guest's back. There the freeing endpoint waits instead ([`Reclaim::wait_for_others`]),
//!   for microseconds in any sane guest.
//!
//! Memory order. An endpoint publishes what it may be using (going online, ending a long command) and then reads the
//! table; a remover changes the table and then reads what endpoints have published. Each must not miss the other's
//! store, so these stores and loads are `SeqCst`, on the endpoint's side at rates where that costs nothing. Announcing
//! an epoch may lag behind: a remover that sees an old one only waits longer. The same holds between who leaves and who has
//! something wait, or both would leave it to the other. `tests/models` explores all of this.

use std::{collections::VecDeque, fmt, sync::Arc, time::Duration};

use super::class::Uses;
use crate::sync::{
    Instant, Mutex, MutexGuard, RwLock,
    atomic::{AtomicBool, AtomicU8, AtomicU64, AtomicUsize, Ordering},
    thread,
};

/// Epoch of an endpoint that holds no handle and will resolve none before it is online again.
const OFFLINE: u64 = 0;

/// How many boundaries an endpoint passes before it looks again at frees that could not happen the last time.
const RETRY_INTERVAL: u32 = 64;

/// How long [`Reclaim::wait_for_others`] yields before it starts to sleep: longer than ordinary commands take.
const SPIN_TIME: Duration = Duration::from_micros(100);

/// What an endpoint publishes. On a cache line of its own: it is stored to after every command.
#[repr(align(64))]
struct Slot {
    /// Newest epoch announced between two commands, or [`OFFLINE`].
    epoch: AtomicU64,
    /// What the current command may be using.
    uses: AtomicU8,
    /// The endpoint is gone and the slot can be dropped.
    gone: AtomicBool,
}

impl Slot {
    /// Whether this endpoint cannot be using an object of `class` that was removed before `epoch`.
    fn is_clear_of(&self, class: Uses, epoch: u64) -> bool {
        let announced = self.epoch.load(Ordering::SeqCst);
        announced == OFFLINE || announced >= epoch || !Uses(self.uses.load(Ordering::SeqCst)).meets(class)
    }
}

/// An endpoint's registration. Dropping it counts as going offline for good.
pub(crate) struct Presence {
    slot: Arc<Slot>,
    /// What the slot holds, so that an unmoved epoch costs no store.
    announced: u64,
    /// Boundaries until pending frees are tried again.
    retry_in: u32,
}

impl Drop for Presence {
    fn drop(&mut self) {
        self.slot.epoch.store(OFFLINE, Ordering::Release);
        self.slot.gone.store(true, Ordering::Release);
    }
}

impl fmt::Debug for Presence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Presence").field("announced", &self.announced).finish_non_exhaustive()
    }
}

/// A free that has to wait.
struct Pending {
    epoch: u64,
    class: Uses,
    free: Box<dyn FnOnce() + Send>,
}

/// The epochs of one context.
pub(crate) struct Reclaim {
    epoch: AtomicU64,
    slots: RwLock<Vec<Arc<Slot>>>,
    /// In the order of removal, which is the order in which they are freed if possible.
    pending: Mutex<VecDeque<Pending>>,
    /// Length of `pending`, to be looked at without its lock.
    pending_count: AtomicUsize,
    /// Held by whoever frees what waited, for as long as that takes: frees happen in order and, seen from a device that
    /// is about to go, never behind its back.
    collector: Mutex<()>,
    /// Whether somebody has asked whoever holds that lock to look again.
    asked: AtomicBool,
}

impl Reclaim {
    pub(crate) fn new() -> Self {
        Self {
            epoch: AtomicU64::new(OFFLINE + 1),
            slots: RwLock::new(Vec::new()),
            pending: Mutex::new(VecDeque::new()),
            pending_count: AtomicUsize::new(0),
            collector: Mutex::new(()),
            asked: AtomicBool::new(false),
        }
    }

    /// Adds an endpoint; it starts offline.
    pub(crate) fn register(&self) -> Presence {
        let slot = Arc::new(Slot {
            epoch: AtomicU64::new(OFFLINE),
            uses: AtomicU8::new(Uses::ALL.0),
            gone: AtomicBool::new(false),
        });
        let mut slots = self.slots.write();
        slots.retain(|slot| !slot.gone.load(Ordering::Acquire));
        slots.push(Arc::clone(&slot));
        Presence { slot, announced: OFFLINE, retry_in: 0 }
    }

    /// The endpoint starts to decode: from here on it may resolve ids.
    pub(crate) fn enter(&self, presence: &mut Presence) {
        presence.announced = self.epoch.load(Ordering::Acquire);
        presence.slot.epoch.store(presence.announced, Ordering::SeqCst);
    }

    /// The endpoint stands between two commands: it holds no handle it resolved before.
    #[inline]
    pub(crate) fn boundary(&self, presence: &mut Presence) {
        let epoch = self.epoch.load(Ordering::Acquire);
        if presence.announced != epoch {
            presence.announced = epoch;
            presence.slot.epoch.store(epoch, Ordering::Release);
        }
        if self.pending_count.load(Ordering::Relaxed) != 0 {
            self.retry(presence);
        }
    }

    /// The endpoint stops decoding: it holds no handle and resolves none until [`Reclaim::enter`].
    pub(crate) fn leave(&self, presence: &mut Presence) {
        presence.announced = OFFLINE;
        // It may be the last to leave: either it sees what waits, or whoever has that wait sees that it is gone.
        presence.slot.epoch.store(OFFLINE, Ordering::SeqCst);
        if self.pending_count.load(Ordering::SeqCst) != 0 {
            self.collect_at_last();
        }
    }

    /// For the rest of the current command the endpoint uses nothing but `uses`. Ends with [`Reclaim::end_long`].
    pub(crate) fn begin_long(&self, presence: &Presence, uses: Uses) {
        presence.slot.uses.store(uses.0, Ordering::Release);
    }

    /// The long command is over.
    pub(crate) fn end_long(&self, presence: &Presence) {
        presence.slot.uses.store(Uses::ALL.0, Ordering::SeqCst);
    }

    /// Calls `free` as soon as no other endpoint can be using the object of `class` that was just removed from the
    /// table.
    pub(crate) fn retire(&self, presence: &Presence, class: Uses, free: impl FnOnce() + Send + 'static) {
        if self.others_are_clear(presence, class, u64::MAX) {
            if class == Uses::ALL || self.pending_count.load(Ordering::Relaxed) != 0 {
                // What was removed earlier goes first. A device, moreover, must not go while its children are being
                // freed elsewhere.
                self.collect_in_turn(Some(self.collector.lock()));
            }
            free();
            return;
        }
        let epoch = self.epoch.fetch_add(1, Ordering::AcqRel).saturating_add(1);
        let mut pending = self.pending.lock();
        pending.push_back(Pending { epoch, class, free: Box::new(free) });
        self.pending_count.store(pending.len(), Ordering::SeqCst);
    }

    /// Waits until no other endpoint can be using the objects of class `POOLED` that were just removed from the table.
    /// Meanwhile this endpoint uses pools only, so that two endpoints that free at the same time do not wait for each
    /// other.
    ///
    /// `false` if that takes longer than `limit`: some endpoint is stuck in a command.
    pub(crate) fn wait_for_others(&self, presence: &Presence, limit: Duration) -> bool {
        if self.others_are_clear(presence, Uses::POOLED, u64::MAX) {
            return true;
        }
        let epoch = self.epoch.fetch_add(1, Ordering::AcqRel).saturating_add(1);
        self.begin_long(presence, Uses::POOLS);
        let start = Instant::now();
        let clear = loop {
            if self.others_are_clear(presence, Uses::POOLED, epoch) {
                break true;
            }
            match start.elapsed() {
                waited if waited < SPIN_TIME => thread::yield_now(),
                waited if waited < limit => thread::sleep(SPIN_TIME),
                _ => break false,
            }
        };
        self.end_long(presence);
        clear
    }

    /// Frees everything that waits, whoever may be online: for the end of a context, when its endpoints no longer run.
    pub(crate) fn free_all(&self) {
        let _collector = self.collector.lock();
        let pending = std::mem::take(&mut *self.pending.lock());
        self.pending_count.store(0, Ordering::Relaxed);
        for item in pending {
            (item.free)();
        }
    }

    /// How many frees wait.
    pub(crate) fn pending_count(&self) -> usize {
        self.pending_count.load(Ordering::Relaxed)
    }

    fn others_are_clear(&self, presence: &Presence, class: Uses, epoch: u64) -> bool {
        self.slots.read().iter().all(|slot| Arc::ptr_eq(slot, &presence.slot) || slot.is_clear_of(class, epoch))
    }

    #[cold]
    fn retry(&self, presence: &mut Presence) {
        if let Some(left) = presence.retry_in.checked_sub(1) {
            presence.retry_in = left;
        } else if !self.collect_in_turn(self.collector.try_lock()) {
            // It looks again later, so whoever holds the lock need not do so for it.
            presence.retry_in = RETRY_INTERVAL;
        }
    }

    /// Frees what can be freed, for an endpoint that will not look again: whoever is doing this very work is asked to.
    #[cold]
    fn collect_at_last(&self) {
        self.asked.swap(true, Ordering::AcqRel);
        self.collect_in_turn(self.collector.try_lock());
    }

    /// Frees what can be freed, oldest first, and that again for those who have asked meanwhile and found the lock taken.
    /// Says whether nothing is left.
    ///
    /// All that is done to `asked` is one order of exchanges. Whoever asks before the last of a turn is seen by it, or was
    /// seen by somebody's first, who then looks at what waits; whoever asks after it finds the lock given back.
    fn collect_in_turn<'a>(&'a self, mut turn: Option<MutexGuard<'a, ()>>) -> bool {
        while let Some(collector) = turn {
            self.asked.swap(false, Ordering::AcqRel);
            let is_empty = self.collect_as(&collector);
            drop(collector);
            if !self.asked.fetch_or(false, Ordering::AcqRel) {
                return is_empty;
            }
            turn = self.collector.try_lock();
        }
        false
    }

    fn collect_as(&self, _collector: &MutexGuard<'_, ()>) -> bool {
        let mut pending = self.pending.lock();
        let mut ready = Vec::new();
        {
            let slots = self.slots.read();
            pending.retain_mut(|item| {
                let clear = slots.iter().all(|slot| slot.is_clear_of(item.class, item.epoch));
                if clear {
                    ready.push(std::mem::replace(&mut item.free, Box::new(|| ())));
                }
                !clear
            });
        }
        let empty = pending.is_empty();
        self.pending_count.store(pending.len(), Ordering::Relaxed);
        drop(pending);
        for free in ready {
            free();
        }
        empty
    }
}

impl fmt::Debug for Reclaim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reclaim")
            .field("epoch", &self.epoch)
            .field("pending", &self.pending_count)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
