//! Rings beyond those that may have a thread of their own.

use super::*;

/// Rings of which the first has a thread, and the others share one.
fn sharing(count: u64) -> Vec<Fixture> {
    let table = Arc::new(Table::holding(1));
    (0..count).map(|id| Fixture::beside(&table, RingId(id), Mode::Thread, None)).collect()
}

#[test]
fn they_execute_as_others_do() {
    let mut rings = sharing(4);
    let modes: Vec<_> = rings.iter().map(|ring| ring.control.mode).collect();
    assert_eq!(modes, [Mode::Thread, Mode::Shared, Mode::Shared, Mode::Shared]);
    for i in 0..100 {
        for ring in &mut rings {
            ring.send(op::RECORD, &[i]);
        }
        for ring in &rings {
            ring.until("drained", Fixture::drained);
        }
    }
    assert!(rings.iter().all(|ring| ring.log() == (0..100).collect::<Vec<_>>()));
}

#[test]
fn they_wake_when_notified() {
    let mut rings = sharing(3);
    for i in 0..20 {
        rings.iter().for_each(Fixture::until_idle);
        // Past the second look, so that only the notification can wake it.
        thread::sleep(Duration::from_millis(2));
        let ring = &mut rings[1 + i as usize % 2];
        ring.send(op::RECORD, &[i]);
        ring.until("drained", Fixture::drained);
    }
}

#[test]
fn one_that_waits_does_not_hold_up_the_others() {
    let mut rings = sharing(3);
    rings[1].send(op::WAIT_VIRTQUEUE, &[7]);
    rings[2].send(op::RECORD, &[1]);
    assert_eq!(rings[2].control.wait_consumed(rings[2].tail, || false, || false), Ok(()));
    assert_eq!(rings[1].head(), 0);
    rings[1].control.submit_virtqueue_seqno(7);
    rings[1].until("drained", Fixture::drained);
}

#[test]
fn they_end_one_by_one_and_make_room() {
    let mut rings = sharing(3);
    rings[1].send(op::WAIT_VIRTQUEUE, &[7]);
    let table = Arc::clone(&rings[0].table);
    assert!(table.destroy(RingId(1)) && !table.destroy(RingId(1)));
    rings[2].send(op::RECORD, &[1]);
    rings[2].until("drained", Fixture::drained);
    assert!(table.destroy(RingId(2)) && table.destroy(RingId(0)));
    assert_eq!(table.mode(Mode::Thread), Mode::Thread);
}

#[test]
fn a_context_lost_elsewhere_reaches_them() {
    let rings = sharing(2);
    rings[1].until_idle();
    rings[1].executor.lost.store(true, Ordering::SeqCst);
    rings[1].table.wake_all();
    rings[1].until("fatal", |ring| ring.status() & STATUS_FATAL != 0);
}

#[test]
fn a_panic_ends_all_that_share_the_thread() {
    let mut rings = sharing(3);
    rings[1].send(op::PANIC, &[]);
    for ring in &rings[1..] {
        ring.until("ended", |ring| ring.control.has_ended());
        assert_ne!(ring.status() & STATUS_FATAL, 0);
    }
    let table = Arc::clone(&rings[0].table);
    // The thread is gone, and so is a ring that comes too late.
    let late = Fixture::beside(&table, RingId(3), Mode::Thread, None);
    late.until("ended", |ring| ring.control.has_ended());
    assert_ne!(late.status() & STATUS_FATAL, 0);
    assert!((0..4).all(|id| table.destroy(RingId(id))));
}

#[test]
fn a_panic_on_a_thread_of_its_own_ends_the_ring() {
    let mut ring = Fixture::new(Mode::Thread);
    ring.send(op::PANIC, &[]);
    ring.until("ended", |ring| ring.control.has_ended());
    assert_ne!(ring.status() & STATUS_FATAL, 0);
}
