//! Stands in for mapped memory: words that both sides access.

use crate::sync::atomic::{AtomicU32, Ordering};

/// An access outside of the memory.
#[derive(Debug)]
pub(crate) struct OutOfRange;

impl std::fmt::Display for OutOfRange {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("out of range")
    }
}

#[derive(Debug)]
pub(crate) struct Mapping {
    words: Vec<AtomicU32>,
}

impl Mapping {
    pub(crate) fn of_words(count: usize) -> Self {
        Self { words: (0..count).map(|_| AtomicU32::new(0)).collect() }
    }

    pub(crate) fn atomic_u32(&self, offset: usize) -> Result<&AtomicU32, OutOfRange> {
        self.words.get(offset / 4).ok_or(OutOfRange)
    }

    /// Copies whole words, as the host does, in no order that anybody may count on.
    pub(crate) fn copy_out(&self, offset: usize, private: &mut [u8]) -> Result<(), OutOfRange> {
        for (index, bytes) in private.chunks_mut(4).enumerate() {
            let word = self.atomic_u32(offset + 4 * index)?.load(Ordering::Relaxed);
            bytes.copy_from_slice(&word.to_le_bytes());
        }
        Ok(())
    }
}
