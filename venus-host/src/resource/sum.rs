//! Sums of bytes in memory that two processes see.

use std::sync::{Arc, atomic::Ordering};

use super::Mapping;

/// What a sum counts in: a word of these reaches as far as anybody's memory.
const UNIT: u64 = 4096;

/// A sum of bytes in shared memory: a word, which counts units of 4096 bytes. What is added is rounded up.
#[derive(Debug, Clone)]
pub(crate) struct SharedSum {
    mapping: Arc<Mapping>,
    at: usize,
}

impl SharedSum {
    /// The word at `at` of a mapping.
    pub(crate) fn new(mapping: Arc<Mapping>, at: usize) -> Self {
        Self { mapping, at }
    }

    pub(crate) fn add(&self, bytes: u64) {
        if let Ok(word) = self.mapping.atomic_u32(self.at) {
            word.fetch_add(units(bytes), Ordering::Relaxed);
        }
    }

    /// Takes back what was added.
    pub(crate) fn subtract(&self, bytes: u64) {
        if let Ok(word) = self.mapping.atomic_u32(self.at) {
            word.fetch_sub(units(bytes), Ordering::Relaxed);
        }
    }

    pub(crate) fn set(&self, bytes: u64) {
        if let Ok(word) = self.mapping.atomic_u32(self.at) {
            word.store(units(bytes), Ordering::Relaxed);
        }
    }

    /// The sum; `u64::MAX` if it is more than fits.
    pub(crate) fn bytes(&self) -> u64 {
        match self.mapping.atomic_u32(self.at).map_or(0, |word| word.load(Ordering::Relaxed)) {
            u32::MAX => u64::MAX,
            units => u64::from(units).saturating_mul(UNIT),
        }
    }
}

fn units(bytes: u64) -> u32 {
    u32::try_from(bytes.div_ceil(UNIT)).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resource::MemoryFile;

    #[test]
    fn both_sides_see_the_sum() {
        let file = MemoryFile::create(4096).unwrap();
        let sum = |at| SharedSum::new(Arc::new(file.map().unwrap()), at);
        let (one, other) = (sum(8), sum(8));
        one.add(1);
        one.add(4097);
        assert_eq!(other.bytes(), 3 * UNIT);
        other.subtract(4097);
        assert_eq!(one.bytes(), UNIT);
        one.set(u64::MAX);
        assert_eq!(other.bytes(), u64::MAX);
        assert_eq!((sum(4096).bytes(), sum(4).bytes()), (0, 0));
    }
}
