//! How contexts are made.

use std::{fmt, sync::Arc};

use super::attribution::Attribution;
use crate::{
    driver,
    endpoint::{Abandoned, Breadcrumbs, MakeObservers, Observer, Observers, Tell},
    limits::Budget,
};

/// How a context should be made.
pub struct Options {
    pub(super) name: String,
    pub(super) driver: driver::Config,
    pub(super) poll_rings: bool,
    pub(super) abandoned: Abandoned,
    pub(super) lost: Option<Tell>,
    pub(super) budget: Budget,
    observers: Vec<Arc<dyn Observer>>,
    pub(super) breadcrumbs: Option<Breadcrumbs>,
}

impl Options {
    /// Ring threads, a guest that is never gone, and nobody who listens. `name` is what the log calls the context: the
    /// guest program's name. `driver` is the driver and what guests see of it.
    #[must_use]
    pub fn new(name: impl Into<String>, driver: driver::Config) -> Self {
        Self {
            name: name.into(),
            driver,
            poll_rings: false,
            abandoned: Box::new(|| false),
            lost: None,
            budget: Budget::default(),
            observers: Vec::new(),
            breadcrumbs: None,
        }
    }

    /// No ring threads: the embedder calls [`Context::process_rings`](super::Context::process_rings).
    #[must_use]
    pub fn poll_rings(mut self) -> Self {
        self.poll_rings = true;
        self
    }

    /// Asks `abandoned` whether the guest is gone, during waits that only the guest could end.
    #[must_use]
    pub fn abandoned(mut self, abandoned: impl Fn() -> bool + Send + Sync + 'static) -> Self {
        self.abandoned = Box::new(abandoned);
        self
    }

    /// Calls `tell` when the context is lost, on whichever thread that happens, once. It must neither block nor call the
    /// context.
    #[must_use]
    pub fn lost(mut self, tell: impl Fn() + Send + Sync + 'static) -> Self {
        self.lost = Some(Box::new(tell));
        self
    }

    /// Lets the guest hold so much and no more.
    #[must_use]
    pub fn budget(mut self, budget: Budget) -> Self {
        self.budget = budget;
        self
    }

    /// What the guest may hold of memory.
    pub(crate) fn max_memory_bytes(&self) -> u64 {
        self.budget.max_memory_bytes()
    }

    /// Tells one more observer what happens, after those before. Of two observers that number commands, the first one's
    /// numbers count.
    #[must_use]
    pub fn observer(mut self, observer: Arc<dyn Observer>) -> Self {
        self.observers.push(observer);
        self
    }

    /// Tells those observers, too, that `make` makes for a context of this name and driver.
    #[must_use]
    pub(crate) fn observers(mut self, make: Option<&MakeObservers>) -> Self {
        if let Some(make) = make {
            self.observers.extend(make(&self.name, &self.driver));
        }
        self
    }

    /// Notes what endpoints do in this memory, which somebody else looks at, too.
    pub(crate) fn breadcrumbs(mut self, breadcrumbs: Breadcrumbs) -> Self {
        self.breadcrumbs = Some(breadcrumbs);
        self
    }

    pub(super) fn take_observers(&mut self) -> Observers {
        let attribution = self.driver.validate.then(|| -> Arc<dyn Observer> { Arc::new(Attribution) });
        Observers::new(attribution.into_iter().chain(std::mem::take(&mut self.observers)))
    }
}

impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Options")
            .field("name", &self.name)
            .field("poll_rings", &self.poll_rings)
            .finish_non_exhaustive()
    }
}
