//! Memory for what one command decodes to.

use core::cell::Cell;

use bumpalo::Bump;

/// A bump arena with a cap. One per decoding endpoint, reset after every command.
///
/// After warm-up it neither allocates nor frees: a reset keeps the largest block it has needed.
#[derive(Debug)]
pub struct Arena {
    bump: Bump,
    limit_bytes: usize,
    /// Something was allocated since the last reset, which most commands do without.
    is_used: Cell<bool>,
}

impl Arena {
    /// An empty arena that refuses to grow past `limit_bytes`.
    pub fn new(limit_bytes: usize) -> Self {
        let bump = Bump::new();
        bump.set_allocation_limit(Some(limit_bytes));
        Self { bump, limit_bytes, is_used: Cell::new(false) }
    }

    /// Forgets everything allocated since the last reset.
    #[inline]
    pub fn reset(&mut self) {
        if self.is_used.replace(false) {
            self.bump.reset();
        }
    }

    /// The cap given to [`Arena::new`].
    pub fn limit_bytes(&self) -> usize {
        self.limit_bytes
    }

    /// Bytes currently held from the system, whether in use or kept for the next command.
    pub fn allocated_bytes(&self) -> usize {
        self.bump.allocated_bytes()
    }

    /// Moves a value in; `None` when the cap is reached.
    pub(crate) fn alloc<T: Copy>(&self, value: T) -> Option<&mut T> {
        self.is_used.set(true);
        self.bump.try_alloc(value).ok()
    }

    /// A slice of `n` default values; `None` when the cap is reached.
    pub(crate) fn alloc_default<T: Copy + Default>(&self, n: usize) -> Option<&mut [T]> {
        self.is_used.set(true);
        self.bump.try_alloc_slice_fill_copy(n, T::default()).ok()
    }

    /// A copy of `bytes`; `None` when the cap is reached.
    pub(crate) fn alloc_copy(&self, bytes: &[u8]) -> Option<&mut [u8]> {
        self.is_used.set(true);
        self.bump.try_alloc_slice_copy(bytes).ok()
    }
}

impl Default for Arena {
    fn default() -> Self {
        Self::new(super::limits::DEFAULT_ARENA_BYTES)
    }
}
