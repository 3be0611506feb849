//! The names of the host's `sync`, with loom behind them.

pub(crate) mod atomic;
mod lock;
pub(crate) mod thread;
mod time;
pub(crate) mod world;

pub(crate) use self::{
    lock::{Condvar, Mutex, MutexGuard, RwLock},
    time::Instant,
};

/// What a look before a sleep would find is found by the one that sleeping begins with.
pub(crate) const LOOKS_BEFORE_SLEEP: u32 = 0;

pub(crate) mod hint {
    pub(crate) use crate::sync::world::spin as spin_loop;
}
