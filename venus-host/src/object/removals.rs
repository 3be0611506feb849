//! How often something was removed from the table, or replaced: whoever remembers what it resolved forgets it when this
//! moves.

use crate::sync::atomic::{AtomicU64, Ordering};

/// The counter, half of the handshake that `cache.rs` describes.
#[derive(Debug, Default)]
pub(super) struct Removals(AtomicU64);

impl Removals {
    /// Something is about to be removed or replaced, under the table's lock.
    pub(super) fn note(&self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }

    #[inline]
    pub(super) fn count(&self) -> u64 {
        self.0.load(Ordering::SeqCst)
    }
}
