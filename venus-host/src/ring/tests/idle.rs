//! Rings without commands: going idle, waking up, and the heartbeat.

use super::*;

#[test]
fn an_idle_ring_wakes_when_notified() {
    let mut ring = Fixture::new(Mode::Thread);
    for i in 0..20 {
        ring.until_idle();
        // Past the second look, so that only the notification can wake it.
        thread::sleep(Duration::from_millis(2));
        ring.send(op::RECORD, &[i]);
        ring.until("drained", Fixture::drained);
    }
    assert_eq!(ring.log().len(), 20);
}

#[test]
fn an_idle_ring_takes_a_second_look() {
    // What a guest of a weak memory order does: it moves the tail, and reads a status from before IDLE.
    let mut ring = Fixture::new(Mode::Thread);
    for round in 0.. {
        ring.until_idle();
        ring.write(op::RECORD, &[round]);
        ring.publish();
        let deadline = Instant::now() + Duration::from_millis(20);
        while !ring.drained() && Instant::now() < deadline {
            thread::yield_now();
        }
        if ring.drained() {
            return;
        }
        // This thread was held up for longer than the look takes: once more.
        assert!(round < 20, "never looked again");
        ring.control.notify();
        ring.until("drained", Fixture::drained);
    }
}

/// Looks at a polled ring until it sleeps.
fn poll_until_idle(ring: &Fixture) {
    let deadline = Instant::now() + PATIENCE;
    while ring.table.poll() != Progress::Idle {
        assert!(Instant::now() < deadline, "never idle");
    }
}

#[test]
fn a_woken_ring_keeps_polling_for_its_idle_timeout() {
    // The guest does not notify twice within a millisecond; see the module documentation.
    let ring = Fixture::new(Mode::Polled);
    for _ in 0..20 {
        poll_until_idle(&ring);
        let woken = Instant::now();
        ring.control.notify();
        assert_eq!(ring.table.poll(), Progress::Empty);
        assert_eq!(ring.status() & STATUS_IDLE, 0, "awake");
        ring.until("idle again", |ring| ring.table.poll() == Progress::Idle);
        assert!(woken.elapsed() >= IDLE_TIMEOUT, "{:?}", woken.elapsed());
    }
}

#[test]
fn a_doorbell_rung_at_a_ring_that_is_awake_keeps_it_awake() {
    // Such a guest has just seen IDLE, and may not ring again for a millisecond.
    let ring = Fixture::new(Mode::Polled);
    assert_eq!(ring.table.poll(), Progress::Empty);
    ring.control.notify();
    thread::sleep(IDLE_TIMEOUT * 2);
    assert_eq!(ring.table.poll(), Progress::Empty, "would be the moment to go idle");
    assert_eq!(ring.status() & STATUS_IDLE, 0);
    // It counts once.
    thread::sleep(IDLE_TIMEOUT * 2);
    assert_eq!(ring.table.poll(), Progress::Empty);
    assert_ne!(ring.status() & STATUS_IDLE, 0);
}

#[test]
fn whoever_adds_or_wakes_a_ring_says_that_the_host_lives() {
    let control = control(RingId(1), &MemoryFile::create(4096).unwrap(), Mode::Polled, Some(Duration::from_secs(3600)));
    let is_alive = || control.region.status() & STATUS_ALIVE != 0;
    // A heartbeat whose thread is never there in time.
    let monitor = Arc::<Monitor>::default();
    monitor.stop();
    assert!(!is_alive());
    monitor.add(&control).unwrap();
    assert!(is_alive(), "added");
    control.region.clear_status(STATUS_ALIVE);
    monitor.ring_sleeps(&control);
    monitor.ring_wakes(&control);
    assert!(is_alive(), "woken");
}

#[test]
fn the_idle_handshake_loses_nothing() {
    let mut ring = Fixture::new(Mode::Thread);
    for i in 0..300_u32 {
        // Around the idle timeout, where the two sides race.
        thread::sleep(Duration::from_micros(900 + u64::from(i % 40) * 10));
        ring.send(op::RECORD, &[i]);
        ring.until("drained", Fixture::drained);
    }
}

#[test]
fn the_heartbeat_comes_back_while_a_command_takes_long() {
    let mut ring = Fixture::with(Mode::Thread, Some(Duration::from_millis(20)));
    ring.send(op::GATE, &[]);
    for _ in 0..3 {
        ring.memory.atomic_u32(128).unwrap().fetch_and(!STATUS_ALIVE, Ordering::SeqCst);
        ring.until("alive", |ring| ring.status() & STATUS_ALIVE != 0);
    }
}

#[test]
fn the_heartbeat_rests_while_its_rings_do_and_comes_back_with_them() {
    let mut ring = Fixture::with(Mode::Thread, Some(Duration::from_millis(20)));
    ring.until_idle();
    thread::sleep(Duration::from_millis(40));
    ring.memory.atomic_u32(128).unwrap().fetch_and(!STATUS_ALIVE, Ordering::SeqCst);
    thread::sleep(Duration::from_millis(60));
    assert_eq!(ring.status() & STATUS_ALIVE, 0, "nobody waits for an idle ring");
    ring.send(op::GATE, &[]);
    ring.until("alive", |ring| ring.status() & STATUS_ALIVE != 0);
}
