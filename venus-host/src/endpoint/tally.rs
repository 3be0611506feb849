//! How often each command came to a context's endpoints, and what became of it.
//!
//! An endpoint counts what it has executed in numbers of its own, which only it writes: a load, an addition and a store
//! for each command, without a lock and without an instruction that other cores notice. Whoever wants the sums reads them
//! meanwhile. What was not executed as the guest asked is counted by the context, under a lock: it is logged, too.

use std::{
    collections::BTreeMap,
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use parking_lot::Mutex;
use venus_protocol::wire::CommandType;

use super::statistics::CommandStatistics;

/// A number for each command.
type Counts = [AtomicU64; CommandType::COUNT];

/// Why a command was not executed as the guest asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shortfall {
    /// This host left it out, all or a part of it, or answered it without asking the driver.
    Refused,
    /// The driver's answer is an error.
    Failed,
    /// It ended the context.
    Fatal,
}

/// How many fell short of what was asked, for one command.
#[derive(Debug, Clone, Copy, Default)]
struct Shortfalls {
    refused: u64,
    failed: u64,
    fatal: u64,
}

/// The numbers of one context.
#[derive(Default)]
pub(super) struct Tallies(Mutex<State>);

#[derive(Default)]
struct State {
    /// Of each endpoint.
    live: BTreeMap<u64, Arc<Counts>>,
    last_number: u64,
    /// Of all endpoints that are no more.
    ended: BTreeMap<usize, u64>,
    shortfalls: BTreeMap<u32, Shortfalls>,
}

impl Tallies {
    /// The numbers of a new endpoint.
    pub(super) fn endpoint(self: &Arc<Self>) -> Tally {
        let counts: Arc<Counts> = Arc::new([const { AtomicU64::new(0) }; CommandType::COUNT]);
        let mut state = self.0.lock();
        state.last_number = state.last_number.wrapping_add(1);
        let number = state.last_number;
        state.live.insert(number, Arc::clone(&counts));
        drop(state);
        Tally { counts, number, all: Arc::clone(self) }
    }

    /// Counts a command that was not executed as the guest asked.
    #[cold]
    pub(super) fn fall_short(&self, command: CommandType, shortfall: Shortfall) {
        let mut state = self.0.lock();
        let counts = state.shortfalls.entry(command.0).or_default();
        let count = match shortfall {
            Shortfall::Refused => &mut counts.refused,
            Shortfall::Failed => &mut counts.failed,
            Shortfall::Fatal => &mut counts.fatal,
        };
        *count = count.saturating_add(1);
    }

    /// Every command that came, in the order of their numbers.
    pub(super) fn read(&self) -> Vec<CommandStatistics> {
        let state = self.0.lock();
        (0_u32..).zip(0..CommandType::COUNT).filter_map(|(number, index)| state.read(number, index)).collect()
    }
}

impl State {
    fn read(&self, number: u32, index: usize) -> Option<CommandStatistics> {
        let ended = self.ended.get(&index).copied().unwrap_or_default();
        let live = self.live.values().filter_map(|counts| counts.get(index));
        let over = live.fold(ended, |sum, count| sum.saturating_add(count.load(Ordering::Relaxed)));
        let Shortfalls { refused, failed, fatal } = self.shortfalls.get(&number).copied().unwrap_or_default();
        let dispatched = over.saturating_add(fatal);
        (dispatched != 0).then(|| CommandStatistics {
            command: CommandType(number),
            dispatched,
            handled: over.saturating_sub(refused).saturating_sub(failed),
            refused,
            failed: failed.saturating_add(fatal),
        })
    }
}

impl fmt::Debug for Tallies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tallies").finish_non_exhaustive()
    }
}

/// The numbers of one endpoint, which alone writes them.
pub(super) struct Tally {
    counts: Arc<Counts>,
    number: u64,
    all: Arc<Tallies>,
}

impl Tally {
    /// A command is over.
    #[inline]
    pub(super) fn count(&self, command: CommandType) {
        let count = usize::try_from(command.0).ok().and_then(|index| self.counts.get(index));
        if let Some(count) = count {
            // Nobody else writes it, so nothing gets lost between the two.
            count.store(count.load(Ordering::Relaxed).wrapping_add(1), Ordering::Relaxed);
        }
    }
}

impl Drop for Tally {
    fn drop(&mut self) {
        let mut state = self.all.0.lock();
        state.live.remove(&self.number);
        for (index, count) in self.counts.iter().map(|count| count.load(Ordering::Relaxed)).enumerate() {
            if count != 0 {
                let sum = state.ended.entry(index).or_default();
                *sum = sum.saturating_add(count);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_endpoint_has_counted_outlives_it() {
        let all = Arc::new(Tallies::default());
        let (first, second) = (all.endpoint(), all.endpoint());
        first.count(CommandType::CMD_DRAW);
        second.count(CommandType::CMD_DRAW);
        second.count(CommandType::CREATE_INSTANCE);
        drop(first);
        let read = all.read();
        let counts: Vec<_> = read.iter().map(|row| (row.name(), row.dispatched, row.handled)).collect();
        assert_eq!(counts, [("vkCreateInstance", 1, 1), ("vkCmdDraw", 2, 2)]);
        drop(second);
        assert_eq!(all.read(), read);
    }

    #[test]
    fn every_command_is_handled_or_refused_or_has_failed() {
        let all = Arc::new(Tallies::default());
        let endpoint = all.endpoint();
        (0..5).for_each(|_| endpoint.count(CommandType::CREATE_BUFFER));
        for shortfall in [Shortfall::Refused, Shortfall::Failed, Shortfall::Failed, Shortfall::Fatal] {
            all.fall_short(CommandType::CREATE_BUFFER, shortfall);
        }
        let [row] = all.read().try_into().unwrap();
        assert_eq!((row.dispatched, row.handled, row.refused, row.failed), (6, 2, 1, 3));
    }

    #[test]
    fn what_is_no_command_is_not_counted() {
        let all = Arc::new(Tallies::default());
        all.endpoint().count(CommandType::NONE);
        assert_eq!(all.read(), []);
    }
}
