//! What the endpoints of a context share.

use std::{fmt, sync::Arc};

use super::{Breadcrumbs, Holdings, Lost, Observers, OldGuestSigns, counters::Counters};
use crate::{
    driver::{self, sync::Timelines},
    error::Fatal,
    limits::Budget,
    object, resource, ring,
};

/// Asks the embedder whether anybody still listens. Called every now and then during long waits.
pub(crate) type Abandoned = Box<dyn Fn() -> bool + Send + Sync>;

/// The state of one guest context, used by all of its endpoints at the same time.
pub(crate) struct Shared {
    /// What the log calls this context: the guest program's name and a number.
    pub(crate) name: String,
    /// The guest's objects: ids to driver handles.
    pub(crate) objects: object::Table,
    /// The driver: how this host is configured, and the instance once the guest has created it.
    pub(crate) vulkan: driver::State,
    /// Memory that the guest shares with us, by resource id.
    pub(crate) resources: resource::Table,
    /// The guest's rings, and who calls them.
    pub(crate) rings: ring::Table,
    /// Whether rings get threads.
    pub(crate) ring_mode: ring::Mode,
    /// What the guest may hold.
    pub(crate) budget: Budget,
    /// Says whether the guest is gone, so that a wait on its behalf may end.
    pub(crate) abandoned: Abandoned,
    /// Which queue serves which `ring_idx`, and the fences pending on them.
    pub(crate) timelines: Timelines,
    /// Set once the guest broke the protocol.
    pub(crate) lost: Arc<Lost>,
    /// Signs that its guest is old.
    pub(crate) old_guest: OldGuestSigns,
    /// What has been done so far.
    pub(crate) counters: Arc<Counters>,
    /// Who is told of it.
    pub(crate) observers: Observers,
    /// Where its endpoints stand.
    pub(crate) breadcrumbs: Breadcrumbs,
    /// What its monitor sees of what it holds.
    pub(crate) holdings: Option<Holdings>,
}

impl Shared {
    /// A context named `name` with nothing in it.
    pub(crate) fn new(
        name: String,
        driver: driver::Config,
        ring_mode: ring::Mode,
        abandoned: Abandoned,
        observers: Observers,
        breadcrumbs: Breadcrumbs,
        budget: Budget,
    ) -> Self {
        let lost = Arc::<Lost>::default();
        let holdings = breadcrumbs.holdings();
        if let Some(holdings) = &holdings {
            holdings.permit(budget.max_memory_bytes());
        }
        let allocations = holdings.as_ref().map(Holdings::allocations);
        let counters = Arc::new(Counters::new(Arc::clone(&lost), allocations));
        Self {
            vulkan: driver::State::new(driver, &name, counters.finding_counter()),
            name,
            objects: object::Table::holding(budget.max_objects()),
            resources: resource::Table::default(),
            rings: ring::Table::holding(budget.max_rings()),
            ring_mode,
            abandoned,
            budget,
            timelines: Timelines::new(),
            lost,
            old_guest: OldGuestSigns::default(),
            counters,
            observers,
            breadcrumbs,
            holdings,
        }
    }

    /// Bytes of plain memory that the guest has, including what its monitor has made and is on its way here.
    pub(crate) fn plain_bytes(&self) -> u64 {
        let given = self.holdings.as_ref().map_or(0, Holdings::plain_bytes);
        self.resources.bytes().0.max(given)
    }

    /// Whether the context is lost, so that nothing more must be executed.
    #[inline]
    pub(crate) fn is_lost(&self) -> bool {
        self.lost.is_set()
    }

    /// Ends the context for `reason`: no endpoint starts another command, and every ring tells its guest so.
    #[cold]
    pub(crate) fn fail(&self, reason: Fatal) {
        let told = reason.to_string();
        if self.lost.set(&self.name, reason) {
            self.tell_end(&told);
        }
    }

    /// The same for a reason that nobody is to blame for.
    #[cold]
    pub(crate) fn end(&self, reason: Fatal) {
        let told = reason.to_string();
        if self.lost.set_quietly(&self.name, reason) {
            self.tell_end(&told);
        }
    }

    fn tell_end(&self, told: &str) {
        self.observers.tell(|observer| observer.lost(told));
        self.rings.wake_all();
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared").field("name", &self.name).field("lost", &self.lost).finish_non_exhaustive()
    }
}
