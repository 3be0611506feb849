//! Object ids.

use std::{fmt, num::NonZeroU64};

/// The number by which a guest names an object: its own choice, never 0, unique among all types of its context while
/// the object lives.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct ObjectId(NonZeroU64);

impl ObjectId {
    /// `None` for 0, which is the null handle.
    pub(crate) const fn new(id: u64) -> Option<Self> {
        match NonZeroU64::new(id) {
            Some(id) => Some(Self(id)),
            None => None,
        }
    }

    /// The number as it travels.
    pub(crate) const fn value(self) -> u64 {
        self.0.get()
    }
}

impl fmt::Debug for ObjectId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ObjectId({})", self.0)
    }
}

impl fmt::Display for ObjectId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
