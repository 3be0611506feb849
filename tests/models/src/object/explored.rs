//! The models of reclamation: one endpoint destroys what another may be using. Each returns if it holds, and panics if it
//! does not.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use loom::{cell::UnsafeCell, thread};
use venus_protocol::{vk, wire::HandleResolver as _};

use super::{ResolveCache, Table, class::Uses, reclaim::Presence};
use crate::{
    World,
    sync::{
        atomic::{AtomicU32, Ordering},
        world::explore,
    },
};

const ID: u64 = 7;
const LIMIT: Duration = Duration::from_secs(10);

/// A driver's object. loom sees whether it is used while it is freed, or in no order with that: nothing is in it.
#[derive(Clone, Default)]
struct Object(Arc<Driver>);

#[derive(Default)]
struct Driver {
    object: Mutex<UnsafeCell<u32>>,
    /// That there was a call. Between a command that has resolved the object and its call, others may go on.
    calls: AtomicU32,
}

impl Object {
    fn call(&self) -> MutexGuard<'_, UnsafeCell<u32>> {
        self.0.calls.fetch_add(1, Ordering::Relaxed);
        self.0.object.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn use_it(&self) {
        self.call().with(|_| ());
    }

    fn free(&self) {
        self.call().with_mut(|_| ());
    }
}

/// An endpoint that executes commands which name the object, for as long as there is one.
struct User {
    table: Arc<Table>,
    object: Object,
    presence: Presence,
    cache: ResolveCache,
}

impl User {
    fn new(table: &Arc<Table>, object: &Object) -> Self {
        let (table, object) = (Arc::clone(table), object.clone());
        Self { presence: table.reclaim.register(), table, object, cache: ResolveCache::default() }
    }

    fn enter(&mut self) {
        self.table.reclaim.enter(&mut self.presence);
    }

    fn command(&self) {
        if self.table.cached(&self.cache).resolve(vk::ObjectType::BUFFER, ID).is_ok() {
            self.object.use_it();
        }
    }

    fn boundary(&mut self) {
        self.table.reclaim.boundary(&mut self.presence);
    }

    fn leave(&mut self) {
        self.table.reclaim.leave(&mut self.presence);
    }
}

/// A user on a thread of its own, and who removes the object. Answers how many frees wait once both have left.
fn beside(
    user: impl Fn(&mut User) + Copy + Send + Sync + 'static,
    remover: impl Fn(&Table, &mut Presence, Object) + Copy + Send + Sync + 'static,
) -> usize {
    let table = Arc::new(Table::with(ID));
    let object = Object::default();
    let mut other = User::new(&table, &object);
    let mut presence = table.reclaim.register();
    let other = thread::spawn(move || user(&mut other));
    table.reclaim.enter(&mut presence);
    remover(&table, &mut presence, object);
    table.reclaim.leave(&mut presence);
    other.join().expect("it has no way to panic");
    table.reclaim.pending_count()
}

fn remove(table: &Table, presence: &Presence, class: Uses, object: Object) {
    table.remove();
    table.reclaim.retire(presence, class, move || object.free());
}

fn one_command_then_another(user: &mut User) {
    user.enter();
    user.command();
    user.boundary();
    user.command();
    user.leave();
}

fn one_batch_then_another(user: &mut User) {
    for _ in 0..2 {
        user.enter();
        user.command();
        user.leave();
    }
}

fn a_long_command_then_another(user: &mut User) {
    user.enter();
    user.command();
    user.table.reclaim.begin_long(&user.presence, Uses::PIPELINES);
    user.table.reclaim.end_long(&user.presence);
    user.command();
    user.leave();
}

fn retires(table: &Table, presence: &mut Presence, object: Object) {
    table.remove();
    table.reclaim.retire(presence, Uses::OTHER, move || object.free());
}

/// What goes back to a pool is freed at once, when others cannot be using it.
fn waits_and_frees(table: &Table, presence: &mut Presence, object: Object) {
    table.remove();
    assert!(table.reclaim.wait_for_others(presence, LIMIT));
    object.free();
}

/// Nothing is freed under a command that has resolved it: from the table, or from what its endpoint remembers.
pub fn nothing_is_freed_under_a_command(world: World) {
    explore(world, || _ = beside(one_command_then_another, retires));
}

/// The same for an endpoint that was offline, and has what it remembers of before.
pub fn nothing_is_freed_under_a_batch(world: World) {
    explore(world, || _ = beside(one_batch_then_another, retires));
}

/// The same after a long command, which says that it uses nothing of the kind.
pub fn nothing_is_freed_after_a_long_command(world: World) {
    explore(world, || _ = beside(a_long_command_then_another, retires));
}

/// The same where whoever removes the object waits for the others.
pub fn nothing_pooled_is_freed_under_a_batch(world: World) {
    explore(world, || _ = beside(one_batch_then_another, waits_and_frees));
}

/// Whoever is last to leave has freed what was left.
pub fn nothing_waits_when_all_have_left(world: World) {
    explore(world, || {
        assert_eq!(beside(one_command_then_another, retires), 0, "a free waits, and nobody is going to look at it");
    });
}

/// Two that free pooled objects do not wait for each other.
pub fn two_that_wait_for_others_go_on(world: World) {
    fn waits(table: &Table, presence: &Presence) {
        assert!(table.reclaim.wait_for_others(presence, LIMIT));
    }
    explore(world, || {
        let user = |user: &mut User| {
            user.enter();
            waits(&user.table, &user.presence);
            user.leave();
        };
        beside(user, |table, presence, _| waits(table, presence));
    });
}

/// A device goes after what belonged to it, whoever frees that, and what waited goes with the last to leave.
pub fn a_device_goes_last(world: World) {
    explore(world, || {
        let table = Arc::new(Table::with(ID));
        let device = Object::default();
        let mut other = User::new(&table, &device);
        let mut presence = table.reclaim.register();
        table.reclaim.enter(&mut presence);
        // The guest destroys the device after the other endpoint's command, so that is no race; what frees the object is.
        other.enter();
        let child = device.clone();
        table.reclaim.retire(&presence, Uses::OTHER, move || child.use_it());
        let other = thread::spawn(move || other.leave());
        table.reclaim.retire(&presence, Uses::ALL, move || device.free());
        table.reclaim.leave(&mut presence);
        other.join().expect("it has no way to panic");
        assert_eq!(table.reclaim.pending_count(), 0);
    });
}
