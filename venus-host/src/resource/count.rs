//! Numbers in memory that two processes see.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering::SeqCst},
};

use super::Mapping;

/// A number in shared memory, to which both sides may add.
///
/// All accesses are sequentially consistent: where each side writes down what it gives in a count of its own and then reads the
/// other's, at least one of the two must see what the other has written.
#[derive(Debug, Clone)]
pub(crate) struct SharedCount {
    mapping: Arc<Mapping>,
    at: usize,
}

impl SharedCount {
    /// The one at `at` of a mapping.
    pub(crate) fn new(mapping: Arc<Mapping>, at: usize) -> Self {
        Self { mapping, at }
    }

    fn word(&self) -> Option<&AtomicU64> {
        self.mapping.atomic_u64(self.at).ok()
    }

    pub(crate) fn add(&self, more: u64) {
        if let Some(word) = self.word() {
            word.fetch_add(more, SeqCst);
        }
    }

    /// Takes back what was added.
    pub(crate) fn subtract(&self, less: u64) {
        if let Some(word) = self.word() {
            word.fetch_sub(less, SeqCst);
        }
    }

    pub(crate) fn set(&self, number: u64) {
        if let Some(word) = self.word() {
            word.store(number, SeqCst);
        }
    }

    pub(crate) fn get(&self) -> u64 {
        self.word().map_or(0, |word| word.load(SeqCst))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resource::MemoryFile;

    #[test]
    fn both_sides_see_the_number() {
        let file = MemoryFile::create(4096).unwrap();
        let count = |at| SharedCount::new(Arc::new(file.map().unwrap()), at);
        let (one, other) = (count(8), count(8));
        one.add(1);
        // As much as many rings may ask for at the same time.
        one.add(1 << 44);
        assert_eq!(other.get(), (1 << 44) + 1);
        other.subtract(1 << 44);
        assert_eq!(one.get(), 1);
        one.set(u64::MAX);
        assert_eq!(other.get(), u64::MAX);
        assert_eq!((count(4096).get(), count(16).get()), (0, 0));
    }
}
