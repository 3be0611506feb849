//! Waiting for rings, and rings that wait.

use super::*;

#[test]
fn wait_ring_seqno_returns_when_the_ring_gets_there() {
    let mut ring = Fixture::new(Mode::Thread);
    ring.write(op::GATE, &[]);
    ring.write(op::RECORD, &[7]);
    ring.publish_and_notify();
    let (done, finished) = mpsc::channel();
    let (control, seqno) = (Arc::clone(&ring.control), ring.tail);
    let waiter = thread::spawn(move || done.send(control.wait_consumed(seqno, || false, || false)).unwrap());
    assert!(finished.recv_timeout(Duration::from_millis(5)).is_err(), "has to wait");
    ring.executor.gate.store(true, Ordering::SeqCst);
    assert_eq!(finished.recv_timeout(PATIENCE), Ok(Ok(())));
    waiter.join().unwrap();
    assert_eq!(ring.log(), [7]);
}

#[test]
fn wait_ring_seqno_for_what_was_never_sent_is_fatal() {
    for sleep in [Duration::ZERO, Duration::from_millis(5)] {
        let mut ring = Fixture::new(Mode::Thread);
        ring.send(op::RECORD, &[1]);
        ring.until("drained", Fixture::drained);
        thread::sleep(sleep);
        let lost = Arc::clone(&ring.executor.lost);
        let outcome = ring.control.wait_consumed(ring.tail + 4, || lost.load(Ordering::SeqCst), || false);
        assert_eq!(outcome, Err(WaitError::Ended));
        assert!(ring.reason().contains("written only up to 12"), "{}", ring.reason());
        assert_ne!(ring.status() & STATUS_FATAL, 0);
    }
}

#[test]
fn wait_ring_seqno_ends_with_its_guest() {
    let mut ring = Fixture::new(Mode::Thread);
    ring.send(op::GATE, &[]);
    assert_eq!(ring.control.wait_consumed(ring.tail, || false, || true), Err(WaitError::Ended));
}

#[test]
fn the_two_waits_cannot_lock_each_other_out() {
    let mut ring = Fixture::new(Mode::Thread);
    ring.send(op::WAIT_VIRTQUEUE, &[1]);
    assert_eq!(ring.control.wait_consumed(ring.tail, || false, || false), Err(WaitError::Deadlock));
    // The same wait right after the submission that lets the ring go on is no deadlock.
    for seqno in 1..50 {
        ring.control.submit_virtqueue_seqno(u64::from(seqno));
        assert_eq!(ring.control.wait_consumed(ring.tail, || false, || false), Ok(()));
        ring.send(op::WAIT_VIRTQUEUE, &[seqno + 1]);
    }
}

#[test]
fn wait_virtqueue_seqno_returns_when_the_submission_comes() {
    let mut ring = Fixture::new(Mode::Thread);
    ring.write(op::WAIT_VIRTQUEUE, &[2]);
    ring.write(op::RECORD, &[5]);
    ring.publish_and_notify();
    ring.control.submit_virtqueue_seqno(1);
    thread::sleep(Duration::from_millis(3));
    assert_eq!(ring.head(), 0);
    ring.control.submit_virtqueue_seqno(2);
    ring.until("drained", Fixture::drained);
    assert_eq!(ring.log(), [5]);
}

#[test]
fn stopping_cancels_a_wait_and_executes_nothing_more() {
    let mut ring = Fixture::new(Mode::Thread);
    ring.write(op::WAIT_VIRTQUEUE, &[1]);
    ring.write(op::RECORD, &[5]);
    ring.publish_and_notify();
    thread::sleep(Duration::from_millis(3));
    assert!(ring.table.destroy(RingId(0x7f00)));
    assert!(!ring.table.destroy(RingId(0x7f00)));
    assert_eq!((ring.head(), ring.log()), (0, vec![]));
    assert_eq!(ring.status() & STATUS_FATAL, 0, "an end that was asked for is not fatal");
}

#[test]
fn a_stuck_command_does_not_hold_up_the_end_of_its_context() {
    let mut ring = Fixture::new(Mode::Thread);
    ring.send(op::GATE, &[]);
    ring.until("inside the command", |ring| ring.executor.at_gate.load(Ordering::SeqCst));
    assert_eq!(ring.table.stop_all(Duration::from_millis(20)).len(), 1);
}
