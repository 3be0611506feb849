//! What a model is run in: the memory and the clocks that the host counts on, or such that lack something, to see that
//! the host needs it.

use std::cell::Cell;

/// How sequentially consistent accesses are made of what loom has. It takes such accesses for acquiring and releasing
/// ones, and only its fences for more. A fence at one side of each access gives the order that the language promises
/// between such accesses, and some that it does not promise: between one of them and another access, which comes first or
/// second. So a model is run with fences at either side, and has to hold with both.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TotalOrder {
    /// A fence before each.
    Before,
    /// A fence after each.
    After,
    /// None: what comes of it if they were acquiring and releasing ones only.
    None,
}

/// Which waits with a time-out end by it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TimeOuts {
    None,
    First,
    All,
}

/// How often a loop may spin that waits for what others do, before it lets them go first: loom would follow it for ever.
const SPINS: u32 = 3;

/// A world.
#[derive(Debug, Clone, Copy)]
pub struct World {
    pub(crate) total_order: TotalOrder,
    /// Whether acquiring and releasing accesses are that, or relaxed ones.
    pub(crate) acquire_release: bool,
    /// Which waits with a time-out end by it; the others last as long as it takes.
    pub(crate) time_outs: TimeOuts,
    /// Whether threads get the processor so late that all sleep was as long as its time-out, whatever ended it.
    pub(crate) late: bool,
    /// How often a thread may be interrupted where it could go on; any number without one.
    pub(crate) preemptions: Option<usize>,
}

impl World {
    /// The one that the language promises, in which no wait ends by its time-out.
    pub const WHOLE: Self = Self {
        total_order: TotalOrder::Before,
        acquire_release: true,
        time_outs: TimeOuts::None,
        late: false,
        preemptions: None,
    };

    /// One in which the first wait with a time-out ends by it.
    #[must_use]
    pub const fn with_a_time_out(self) -> Self {
        Self { time_outs: TimeOuts::First, ..self }
    }

    /// One in which all waits with a time-out end by it.
    #[must_use]
    pub const fn with_time_outs(self) -> Self {
        Self { time_outs: TimeOuts::All, ..self }
    }

    /// One in which threads get the processor late.
    #[must_use]
    pub const fn late(self) -> Self {
        Self { late: true, ..self }
    }

    /// One in which there is no order of all sequentially consistent accesses.
    #[must_use]
    pub const fn without_total_order(self) -> Self {
        Self { total_order: TotalOrder::None, ..self }
    }

    /// One in which what is seen of another thread says nothing of what it did before.
    #[must_use]
    pub const fn without_acquire_release(self) -> Self {
        Self { acquire_release: false, ..self }
    }

    /// The same, explored up to so many interruptions of threads that could go on: what is larger takes too long.
    #[must_use]
    pub const fn up_to(self, preemptions: usize) -> Self {
        Self { preemptions: Some(preemptions), ..self }
    }
}

thread_local! {
    static WORLD: Cell<World> = const { Cell::new(World::WHOLE) };
    static TIME_OUTS: Cell<TimeOuts> = const { Cell::new(TimeOuts::None) };
    static ORDERS: Cell<u64> = const { Cell::new(0) };
    static SPINS_LEFT: Cell<u32> = const { Cell::new(0) };
}

/// The world of the model that runs. Its threads are coroutines of one thread of the system.
pub(crate) fn current() -> World {
    WORLD.get()
}

loom::lazy_static! {
    /// Held by a thread while it has stored something that others may not see yet.
    static ref STORE_BUFFER: loom::sync::Mutex<()> = loom::sync::Mutex::new(());
}

/// Stores that are done in no order with what comes after, but not for as long as a wait with a time-out takes.
pub(crate) fn unordered<R>(stores: impl FnOnce() -> R) -> R {
    let _unseen = STORE_BUFFER.lock();
    stores()
}

/// A wait has ended by its time-out: what was stored when it began is seen now.
pub(crate) fn time_has_passed() {
    if TIME_OUTS.get() == TimeOuts::All {
        // Others come first, or waits would end by it for ever.
        loom::thread::yield_now();
    }
    drop(STORE_BUFFER.lock());
}

/// Whether a wait with a time-out that begins now ends by it.
pub(crate) fn takes_time_out() -> bool {
    match TIME_OUTS.get() {
        TimeOuts::None => false,
        TimeOuts::First => {
            TIME_OUTS.set(TimeOuts::None);
            true
        }
        TimeOuts::All => true,
    }
}

/// A loop spins.
pub(crate) fn spin() {
    match SPINS_LEFT.get().checked_sub(1) {
        Some(left) => SPINS_LEFT.set(left),
        None => loom::thread::yield_now(),
    }
}

/// Whether the model has failed, and what is left of its threads is taken down, which drop what they have: there is no
/// order to explore any more, and loom refuses to be asked.
pub(crate) fn has_failed() -> bool {
    std::thread::panicking()
}

/// Explores `model` in a world: every order of what its threads do, and every value that a load may see.
///
/// # Panics
///
/// In some order the model panics, or all of its threads wait.
pub(crate) fn explore(world: World, model: impl Fn() + Send + Sync + 'static) {
    let model = std::sync::Arc::new(model);
    let orders = match world.total_order {
        TotalOrder::None => &[TotalOrder::None][..],
        _ => &[TotalOrder::Before, TotalOrder::After][..],
    };
    for &total_order in orders {
        ORDERS.set(0);
        WORLD.set(World { total_order, ..world });
        let model = std::sync::Arc::clone(&model);
        let mut builder = loom::model::Builder::new();
        builder.preemption_bound = world.preemptions;
        builder.check(move || {
            TIME_OUTS.set(world.time_outs);
            SPINS_LEFT.set(SPINS);
            ORDERS.set(ORDERS.get().saturating_add(1));
            model();
        });
        eprintln!("{} orders, with fences {total_order:?}", ORDERS.get());
    }
}
