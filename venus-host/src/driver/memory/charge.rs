//! Counting the bytes of a context's allocations.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

/// A counter of allocated bytes. Clones count together.
#[derive(Debug, Clone, Default)]
pub(crate) struct AllocatedBytes(Arc<AtomicU64>);

impl AllocatedBytes {
    /// Bytes of the allocations that live.
    pub(crate) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    /// Counts an allocation for as long as the answer lives.
    pub(crate) fn charge(&self, bytes: u64) -> Charge {
        self.0.fetch_add(bytes, Ordering::Relaxed);
        Charge { counter: self.clone(), bytes }
    }
}

/// An allocation that is counted.
#[derive(Debug)]
pub(crate) struct Charge {
    counter: AllocatedBytes,
    bytes: u64,
}

impl Drop for Charge {
    fn drop(&mut self) {
        self.counter.0.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_allocation_counts_while_it_lives() {
        let counter = AllocatedBytes::default();
        let (first, second) = (counter.charge(3), counter.clone().charge(4));
        assert_eq!(counter.get(), 7);
        drop(first);
        assert_eq!(counter.get(), 4);
        drop(second);
        assert_eq!(counter.get(), 0);
    }
}
