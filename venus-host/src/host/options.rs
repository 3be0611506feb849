//! How a host is made, and how each of its contexts is.

use std::{fmt, sync::Arc};

use super::RetiredFence;
use crate::{
    driver,
    endpoint::Observer,
    limits::Budget,
    worker::{Launch, MakeObservers},
};

/// Who serves a context.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub enum Isolation {
    /// A process of its own: whatever a guest makes the driver do ends with that. Its memory travels by descriptor.
    Process(Launch),
    /// A thread of this process. A guest that makes the driver crash takes the monitor along.
    #[default]
    Thread,
    /// The thread that calls the [`Host`](super::Host): submissions are executed when they are made, and rings when
    /// [`Host::process_rings`](super::Host::process_rings) is called.
    Polled,
}

/// Told of fences that retire.
pub(super) type Callback = Box<dyn Fn(RetiredFence) + Send + Sync>;

/// How a host is made.
#[non_exhaustive]
pub struct HostOptions {
    /// The driver and what guests see of it. What memory can travel depends on who serves a context, so
    /// [`driver::Config::transport`] counts for processes only, and of it whether a driver's own descriptors may. A worker
    /// process has a configuration of its own, but for that, for [`driver::Config::protocol`] and for
    /// [`driver::Config::pipeline_caches`].
    pub driver: driver::Config,
    /// Who serves contexts that do not say it themselves.
    pub isolation: Isolation,
    /// What each guest may hold, where this process serves it. A worker process has a budget of its own; of plain memory, which
    /// the host makes, its guest gets no more than both permit.
    pub budget: Budget,
    /// Who is told what guests do, where this process serves them.
    pub observers: Option<Arc<MakeObservers>>,
    /// Worker processes that are started ahead of their contexts, where [`Self::isolation`] is a process: a guest waits
    /// neither for a process nor for its driver to start.
    pub spares: usize,
    pub(super) retired: Option<Callback>,
}

impl HostOptions {
    /// A thread for each context, no observers, and fences that [`Host::take_retired`](super::Host::take_retired) has.
    #[must_use]
    pub fn new(driver: driver::Config) -> Self {
        Self {
            driver,
            isolation: Isolation::default(),
            budget: Budget::default(),
            observers: None,
            spares: 1,
            retired: None,
        }
    }

    /// Who serves contexts that do not say it themselves.
    #[must_use]
    pub fn isolation(mut self, isolation: Isolation) -> Self {
        self.isolation = isolation;
        self
    }

    /// Lets each guest hold so much and no more.
    #[must_use]
    pub fn budget(mut self, budget: Budget) -> Self {
        self.budget = budget;
        self
    }

    /// Tells those what a guest does whom `make` makes for it.
    #[must_use]
    pub fn observers(
        mut self,
        make: impl Fn(&str, &driver::Config) -> Vec<Arc<dyn Observer>> + Send + Sync + 'static,
    ) -> Self {
        self.observers = Some(Arc::new(make));
        self
    }

    /// Starts so many worker processes ahead of their contexts.
    #[must_use]
    pub fn spares(mut self, spares: usize) -> Self {
        self.spares = spares;
        self
    }

    /// Calls `tell` for each fence that retires, on any thread, those of a timeline in order.
    ///
    /// It must not wait for a thread that is inside a method of the host: some of these wait for who calls it.
    #[must_use]
    pub fn retired(mut self, tell: impl Fn(RetiredFence) + Send + Sync + 'static) -> Self {
        self.retired = Some(Box::new(tell));
        self
    }
}

impl fmt::Debug for HostOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HostOptions")
            .field("driver", &self.driver)
            .field("isolation", &self.isolation)
            .field("budget", &self.budget)
            .finish_non_exhaustive()
    }
}

/// How a context is made.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct ContextOptions {
    /// What the log calls it: the guest program's name, as far as there is one.
    pub name: String,
    /// Who serves it; if it does not say, whoever the host's options say.
    pub isolation: Option<Isolation>,
}

impl ContextOptions {
    /// A context that is served as the host's options say.
    #[must_use]
    pub fn new(name: impl Into<String>) -> Self {
        Self { name: name.into(), isolation: None }
    }

    /// Who serves it.
    #[must_use]
    pub fn isolation(mut self, isolation: Isolation) -> Self {
        self.isolation = Some(isolation);
        self
    }
}
