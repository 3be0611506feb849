//! Endpoints that come, go and wait, without threads.

use std::sync::atomic::AtomicU32;

use super::*;

/// A counter and a closure that raises it.
fn counter() -> (Arc<AtomicU32>, impl Fn() -> Box<dyn FnOnce() + Send>) {
    let count = Arc::new(AtomicU32::new(0));
    let shared = Arc::clone(&count);
    (count, move || {
        let shared = Arc::clone(&shared);
        Box::new(move || {
            shared.fetch_add(1, Ordering::Relaxed);
        })
    })
}

#[test]
fn alone_means_at_once() {
    let reclaim = Reclaim::new();
    let mut me = reclaim.register();
    let _offline = reclaim.register();
    let (freed, free) = counter();
    reclaim.enter(&mut me);
    reclaim.retire(&me, Uses::OTHER, free());
    assert_eq!(freed.load(Ordering::Relaxed), 1);
    assert_eq!(reclaim.pending_count(), 0);
}

#[test]
fn another_endpoint_has_to_pass_a_boundary() {
    let reclaim = Reclaim::new();
    let (mut me, mut other) = (reclaim.register(), reclaim.register());
    let (freed, free) = counter();
    reclaim.enter(&mut me);
    reclaim.enter(&mut other);
    reclaim.retire(&me, Uses::OTHER, free());
    assert_eq!(freed.load(Ordering::Relaxed), 0);
    reclaim.boundary(&mut other);
    // The endpoint that removed the object is still inside its command, and may be using it for all that is known
    // now.
    assert_eq!(freed.load(Ordering::Relaxed), 0);
    for _ in 0..=RETRY_INTERVAL {
        reclaim.boundary(&mut me);
    }
    assert_eq!(freed.load(Ordering::Relaxed), 1);
}

#[test]
fn leaving_counts_as_a_boundary() {
    let reclaim = Reclaim::new();
    let (mut me, mut other) = (reclaim.register(), reclaim.register());
    let (freed, free) = counter();
    reclaim.enter(&mut me);
    reclaim.enter(&mut other);
    reclaim.retire(&me, Uses::OTHER, free());
    drop(other);
    reclaim.leave(&mut me);
    assert_eq!(freed.load(Ordering::Relaxed), 1);
}

#[test]
fn a_long_command_holds_up_only_what_it_uses() {
    let reclaim = Reclaim::new();
    let (mut me, mut other) = (reclaim.register(), reclaim.register());
    let (freed, free) = counter();
    reclaim.enter(&mut me);
    reclaim.enter(&mut other);
    reclaim.begin_long(&other, Uses::PIPELINES);
    reclaim.retire(&me, Uses::OTHER, free());
    assert_eq!(freed.load(Ordering::Relaxed), 1);
    reclaim.retire(&me, Uses::PIPELINES, free());
    assert_eq!(freed.load(Ordering::Relaxed), 1);
    assert!(reclaim.wait_for_others(&me, Duration::from_secs(5)));
    reclaim.end_long(&other);
    reclaim.leave(&mut other);
    reclaim.leave(&mut me);
    assert_eq!(freed.load(Ordering::Relaxed), 2);
}

#[test]
fn order_of_removal_is_kept() {
    let reclaim = Reclaim::new();
    let (mut me, mut other) = (reclaim.register(), reclaim.register());
    let log = Arc::new(Mutex::new(Vec::new()));
    let note = |n: u32| {
        let log = Arc::clone(&log);
        move || log.lock().push(n)
    };
    reclaim.enter(&mut me);
    reclaim.enter(&mut other);
    reclaim.retire(&me, Uses::OTHER, note(1));
    reclaim.retire(&me, Uses::OTHER, note(2));
    reclaim.leave(&mut other);
    reclaim.boundary(&mut me);
    reclaim.retire(&me, Uses::ALL, note(3));
    assert_eq!(*log.lock(), [1, 2, 3]);
}

#[test]
fn two_that_free_pooled_objects_do_not_wait_for_each_other() {
    let reclaim = Reclaim::new();
    let barrier = std::sync::Barrier::new(2);
    thread::scope(|scope| {
        for _ in 0..2 {
            let mut me = reclaim.register();
            reclaim.enter(&mut me);
            let (reclaim, barrier) = (&reclaim, &barrier);
            scope.spawn(move || {
                barrier.wait();
                for _ in 0..200 {
                    assert!(reclaim.wait_for_others(&me, Duration::from_secs(20)));
                    reclaim.boundary(&mut me);
                }
                reclaim.leave(&mut me);
            });
        }
    });
}

#[test]
fn nothing_is_freed_under_a_user() {
    // One thread publishes an object and destroys it again and again; three resolve it and look whether it is alive
    // to the end of their "command". The lock stands for the table's.
    const ROUNDS: u32 = 4_000;
    let reclaim = Reclaim::new();
    let published: RwLock<Option<Arc<AtomicBool>>> = RwLock::new(None);
    let done = AtomicBool::new(false);
    let (freed, free) = counter();
    thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                let mut me = reclaim.register();
                let mut n = 0_u32;
                while !done.load(Ordering::Relaxed) {
                    reclaim.enter(&mut me);
                    for _ in 0..16 {
                        let object = published.read().clone();
                        if let Some(alive) = object {
                            n = n.wrapping_add(1);
                            if n.is_multiple_of(7) {
                                thread::yield_now();
                            }
                            assert!(alive.load(Ordering::Acquire), "freed while in use");
                        }
                        reclaim.boundary(&mut me);
                    }
                    reclaim.leave(&mut me);
                }
            });
        }
        let mut me = reclaim.register();
        reclaim.enter(&mut me);
        for _ in 0..ROUNDS {
            let alive = Arc::new(AtomicBool::new(true));
            *published.write() = Some(Arc::clone(&alive));
            thread::yield_now();
            *published.write() = None;
            let count = free();
            reclaim.retire(&me, Uses::OTHER, move || {
                alive.store(false, Ordering::Release);
                count();
            });
            reclaim.boundary(&mut me);
        }
        reclaim.leave(&mut me);
        done.store(true, Ordering::Relaxed);
    });
    reclaim.free_all();
    assert_eq!(freed.load(Ordering::Relaxed), ROUNDS);
}
