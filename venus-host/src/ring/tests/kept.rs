//! Memory that a worker keeps for a ring's next commands.

use super::*;
use crate::allocator::{
    keep_freed_memory,
    tests::{AtFirst, is_alone},
};

/// Has a ring take memory, free it and come to a gate; lets it pass, after `then`. The thread has no memory of before.
fn take(ring: &mut Fixture, then: impl FnOnce(&Fixture)) -> AtFirst {
    let at_first = AtFirst::now();
    ring.executor.gate.store(false, Ordering::SeqCst);
    ring.executor.at_gate.store(false, Ordering::SeqCst);
    ring.write(op::TAKE, &[]);
    ring.send(op::GATE, &[]);
    ring.until("the gate", |ring| ring.executor.at_gate.load(Ordering::SeqCst));
    assert!(at_first.is_kept());
    then(ring);
    ring.executor.gate.store(true, Ordering::SeqCst);
    at_first
}

fn stop(ring: &Fixture) {
    ring.executor.gate.store(true, Ordering::SeqCst);
    assert_eq!(ring.table.stop_all(PATIENCE), []);
}

#[test]
fn a_ring_that_ends_gives_it_back() {
    if !is_alone("ring::tests::kept::a_ring_that_ends_gives_it_back") {
        return;
    }
    keep_freed_memory();
    let mut ring = Fixture::new(Mode::Thread);
    let at_first = take(&mut ring, stop);
    assert!(!at_first.is_kept());
}

#[test]
fn rings_that_share_a_thread_give_it_back_when_they_are_idle_and_when_they_end() {
    if !is_alone("ring::tests::kept::rings_that_share_a_thread_give_it_back_when_they_are_idle_and_when_they_end") {
        return;
    }
    keep_freed_memory();
    let table = Arc::new(Table::holding(1));
    let _with_a_thread = Fixture::beside(&table, RingId(1), Mode::Thread, None);
    let mut ring = Fixture::beside(&table, RingId(2), Mode::Thread, None);
    assert_eq!(ring.control.mode, Mode::Shared);
    let at_first = take(&mut ring, |_| ());
    ring.until("given back", |_| !at_first.is_kept());
    let at_first = take(&mut ring, stop);
    assert!(!at_first.is_kept());
}
