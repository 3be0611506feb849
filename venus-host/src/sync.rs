//! What threads meet by: atomics, locks, parking, and the time that they wait.
//!
//! Nothing is added to what it is elsewhere. Files whose races are explored take it from here, because `tests/models`
//! compiles them a second time, with loom's of the same names in this place: what is explored is the code that runs.

pub(crate) use std::{hint, sync::atomic, thread, time::Instant};

pub(crate) use parking_lot::{Condvar, Mutex, MutexGuard, RwLock};

/// Looks at a condition that a waiter takes, with a yield after each, before it sleeps: most waits are over by then.
pub(crate) const LOOKS_BEFORE_SLEEP: u32 = 32;
