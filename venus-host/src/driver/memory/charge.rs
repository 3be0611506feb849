//! Counting a context's allocations, and their bytes.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use crate::resource::SharedCount;

/// What is counted.
#[derive(Debug, Default)]
struct Counters {
    bytes: AtomicU64,
    allocations: AtomicU64,
    /// Where the bytes are counted once more, for others to see.
    shown: Option<SharedCount>,
}

/// A counter of allocations and of their bytes. Clones count together.
#[derive(Debug, Clone, Default)]
pub(crate) struct Allocated(Arc<Counters>);

impl Allocated {
    /// One whose bytes are counted in shared memory as well.
    pub(crate) fn shown(shown: Option<SharedCount>) -> Self {
        Self(Arc::new(Counters { shown, ..Counters::default() }))
    }

    /// Bytes of the allocations that live.
    pub(crate) fn bytes(&self) -> u64 {
        self.0.bytes.load(Ordering::Relaxed)
    }

    /// How many allocations live.
    pub(crate) fn allocations(&self) -> u64 {
        self.0.allocations.load(Ordering::Relaxed)
    }

    /// Counts an allocation for as long as the answer lives. None if it alone is more than `most`, of which nobody may see
    /// anything: sums that a guest can add to at will come to their end, and begin anew.
    pub(crate) fn charge(&self, bytes: u64, most: u64) -> Option<Charge> {
        if bytes > most {
            return None;
        }
        self.0.bytes.fetch_add(bytes, Ordering::Relaxed);
        self.0.allocations.fetch_add(1, Ordering::Relaxed);
        if let Some(shown) = &self.0.shown {
            shown.add(bytes);
        }
        Some(Charge { counter: self.clone(), bytes })
    }
}

/// An allocation that is counted.
#[derive(Debug)]
pub(crate) struct Charge {
    counter: Allocated,
    bytes: u64,
}

impl Drop for Charge {
    fn drop(&mut self) {
        self.counter.0.bytes.fetch_sub(self.bytes, Ordering::Relaxed);
        self.counter.0.allocations.fetch_sub(1, Ordering::Relaxed);
        if let Some(shown) = &self.counter.0.shown {
            shown.subtract(self.bytes);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_allocation_counts_while_it_lives() {
        let counter = Allocated::default();
        let counts = || (counter.bytes(), counter.allocations());
        let (first, second) = (counter.charge(3, 3), counter.clone().charge(4, u64::MAX));
        assert_eq!(counts(), (7, 2));
        let refused = counter.charge(u64::MAX - 6, 1 << 30);
        assert_eq!((refused.is_none(), counts()), (true, (7, 2)), "while it was looked at");
        drop(first);
        assert_eq!(counts(), (4, 1));
        drop(second);
        assert_eq!(counts(), (0, 0));
    }
}
