//! Locks and condition variables, with the faces of `parking_lot`'s.

use std::{
    fmt,
    ops::{Deref, DerefMut},
    sync::PoisonError,
    time::Duration,
};

use super::{Instant, world};

/// A lock. loom's has the order in which it is taken; the value is apart from it, so that it can be reached when the model
/// has failed.
#[derive(Default)]
pub(crate) struct Mutex<T> {
    order: loom::sync::Mutex<()>,
    value: std::sync::Mutex<T>,
}

/// The right to what a lock holds.
pub(crate) struct MutexGuard<'a, T> {
    lock: &'a Mutex<T>,
    held: Option<Held<'a, T>>,
}

/// In the order in which they are dropped.
struct Held<'a, T> {
    value: std::sync::MutexGuard<'a, T>,
    order: Option<loom::sync::MutexGuard<'a, ()>>,
}

impl<T> Mutex<T> {
    pub(crate) fn new(value: T) -> Self {
        Self { order: loom::sync::Mutex::new(()), value: std::sync::Mutex::new(value) }
    }

    #[track_caller]
    pub(crate) fn lock(&self) -> MutexGuard<'_, T> {
        let order = if world::has_failed() { None } else { self.order.lock().ok() };
        MutexGuard { lock: self, held: Some(self.reach(order)) }
    }

    #[track_caller]
    pub(crate) fn try_lock(&self) -> Option<MutexGuard<'_, T>> {
        let order = self.order.try_lock().ok()?;
        Some(MutexGuard { lock: self, held: Some(self.reach(Some(order))) })
    }

    /// Whoever has loom's lock is alone.
    fn reach<'a>(&'a self, order: Option<loom::sync::MutexGuard<'a, ()>>) -> Held<'a, T> {
        Held { value: self.value.lock().unwrap_or_else(PoisonError::into_inner), order }
    }
}

impl<T> fmt::Debug for Mutex<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mutex").finish_non_exhaustive()
    }
}

impl<T> Deref for MutexGuard<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.held.as_ref().expect("held but in a wait").value
    }
}

impl<T> DerefMut for MutexGuard<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.held.as_mut().expect("held but in a wait").value
    }
}

/// What waits for a change of what a lock holds.
#[derive(Default)]
pub(crate) struct Condvar(loom::sync::Condvar);

/// How a wait with a time-out ended.
pub(crate) struct WaitTimeoutResult(bool);

impl WaitTimeoutResult {
    pub(crate) fn timed_out(&self) -> bool {
        self.0
    }
}

impl Condvar {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    #[track_caller]
    pub(crate) fn wait<T>(&self, guard: &mut MutexGuard<'_, T>) {
        let order = guard.held.take().and_then(|held| held.order);
        let order = order.and_then(|order| self.0.wait(order).ok());
        guard.held = Some(guard.lock.reach(order));
    }

    /// A wait that ends by its time-out is one of any length: what others do meanwhile is up to the order.
    #[track_caller]
    pub(crate) fn wait_for<T>(&self, guard: &mut MutexGuard<'_, T>, _timeout: Duration) -> WaitTimeoutResult {
        if !world::takes_time_out() {
            self.wait(guard);
            return WaitTimeoutResult(false);
        }
        guard.held = None;
        world::time_has_passed();
        guard.held = guard.lock.lock().held.take();
        WaitTimeoutResult(true)
    }

    #[track_caller]
    pub(crate) fn wait_until<T>(&self, guard: &mut MutexGuard<'_, T>, _deadline: Instant) -> WaitTimeoutResult {
        self.wait_for(guard, Duration::ZERO)
    }

    #[track_caller]
    pub(crate) fn notify_all(&self) {
        if !world::has_failed() {
            self.0.notify_all();
        }
    }
}

impl fmt::Debug for Condvar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Condvar").finish_non_exhaustive()
    }
}

/// A lock for many readers or one writer.
pub(crate) struct RwLock<T>(loom::sync::RwLock<T>);

impl<T> RwLock<T> {
    pub(crate) fn new(value: T) -> Self {
        Self(loom::sync::RwLock::new(value))
    }

    #[track_caller]
    pub(crate) fn read(&self) -> loom::sync::RwLockReadGuard<'_, T> {
        self.0.read().expect("a model that has panicked has ended")
    }

    #[track_caller]
    pub(crate) fn write(&self) -> loom::sync::RwLockWriteGuard<'_, T> {
        self.0.write().expect("a model that has panicked has ended")
    }
}
