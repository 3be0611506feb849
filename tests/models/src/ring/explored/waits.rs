//! Waits for a ring, and waits of a ring.

use std::sync::Arc;

use loom::thread;

use super::stage::{self, COMMAND, Executor, Store};
use crate::{
    World,
    ring::{Control, Mode, WaitError, consumer::run_thread},
    sync::world::explore,
};

fn never() -> bool {
    false
}

/// A ring without a consumer: its thread is what a model does.
fn ring() -> (Arc<Control>, Arc<Control>) {
    let (control, _guest) = stage::ring(Mode::Thread);
    (Arc::clone(&control), control)
}

/// Who waits for a position goes on when the ring has come there, which looks whether somebody waits, without a lock.
pub fn a_position_is_waited_for(world: World) {
    explore(world, || {
        let (control, itself) = ring();
        let ring = thread::spawn(move || {
            itself.pass(COMMAND);
            itself.pass(2 * COMMAND);
        });
        assert_eq!(control.wait_consumed(2 * COMMAND, never, never), Ok(()));
        assert!(control.has_consumed(2 * COMMAND));
        ring.join().expect("it has no way to panic");
    });
}

/// What a ring did before a position is seen by who has waited for it.
pub fn a_position_shows_what_was_done(world: World) {
    explore(world, || {
        let (control, _guest) = stage::ring(Mode::Thread);
        let executor = Executor::default();
        let (itself, done) = (Arc::clone(&control), executor.clone());
        let ring = thread::spawn(move || {
            done.answer(7);
            itself.pass(COMMAND);
        });
        assert_eq!(control.wait_consumed(COMMAND, never, never), Ok(()));
        assert_eq!(executor.reply(), 7);
        ring.join().expect("it has no way to panic");
    });
}

/// A ring that waits for a submission goes on with it, though submissions wake nobody where nobody waits.
pub fn a_submission_is_waited_for(world: World) {
    explore(world, || {
        let (control, itself) = ring();
        let ring = thread::spawn(move || itself.wait_virtqueue_seqno(2, never).is_ok());
        control.submit_virtqueue_seqno(1);
        control.submit_virtqueue_seqno(2);
        assert!(ring.join().expect("it has no way to panic"));
    });
}

/// Two waits in a row: each begins with a look.
pub fn two_submissions_are_waited_for(world: World) {
    explore(world, || {
        let (control, itself) = ring();
        let ring = thread::spawn(move || (1..3).all(|seqno| itself.wait_virtqueue_seqno(seqno, never).is_ok()));
        control.submit_virtqueue_seqno(1);
        control.submit_virtqueue_seqno(2);
        assert!(ring.join().expect("it has no way to panic"));
    });
}

/// A ring that waits for a submission ends when it is stopped.
pub fn a_stop_ends_the_wait_for_a_submission(world: World) {
    explore(world, || {
        let (control, itself) = ring();
        let ring = thread::spawn(move || itself.wait_virtqueue_seqno(1, never).is_err());
        control.stop();
        assert!(ring.join().expect("it has no way to panic"));
    });
}

/// And when its context is lost.
pub fn a_loss_ends_the_wait_for_a_submission(world: World) {
    explore(world, || {
        let (control, itself) = ring();
        let executor = Executor::default();
        let lost = executor.clone();
        let ring = thread::spawn(move || itself.wait_virtqueue_seqno(1, || lost.is_lost()).is_err());
        executor.lose();
        control.wake_all();
        assert!(ring.join().expect("it has no way to panic"));
    });
}

/// Who waits for a position goes on when the ring is stopped by somebody else.
pub fn a_stop_ends_the_wait_for_a_position(world: World) {
    explore(world, || {
        let (control, itself) = ring();
        let other = thread::spawn(move || itself.stop());
        assert_eq!(control.wait_consumed(COMMAND, never, never), Err(WaitError::Ended));
        other.join().expect("it has no way to panic");
    });
}

/// And when the context is lost.
pub fn a_loss_ends_the_wait_for_a_position(world: World) {
    explore(world, || {
        let (control, itself) = ring();
        let executor = Executor::default();
        let lost = executor.clone();
        let other = thread::spawn(move || {
            lost.lose();
            itself.wake_all();
        });
        assert_eq!(control.wait_consumed(COMMAND, || executor.is_lost(), never), Err(WaitError::Ended));
        other.join().expect("it has no way to panic");
    });
}

/// The two waits do not wait for each other: the one for the ring is refused, and the ring goes on with its submission.
pub fn the_two_waits_meet(world: World) {
    explore(world, || {
        let (control, itself) = ring();
        let ring = thread::spawn(move || {
            itself.wait_virtqueue_seqno(1, never).expect("nobody stops it");
            itself.pass(COMMAND);
        });
        assert_eq!(control.wait_consumed(COMMAND, never, never), Err(WaitError::Deadlock));
        control.submit_virtqueue_seqno(1);
        ring.join().expect("it has no way to panic");
    });
}

/// A guest writes a command and has its context wait for it: the ring, idle or not, executes it, and finds no fault.
pub fn what_was_sent_is_waited_for(world: World, store: Store) {
    explore(world, move || {
        let (control, mut guest) = stage::ring(Mode::Thread);
        let executor = Executor::default();
        let consumer = stage::consumer(&control, executor.clone());
        let ring = thread::spawn(move || run_thread(consumer));
        // It need not notify: who waits does.
        let (end, _) = guest.send(7, store);
        let lost = executor.clone();
        assert_eq!(control.wait_consumed(end, || lost.is_lost(), never), Ok(()));
        assert_eq!(executor.failed(), None);
        control.stop();
        ring.join().expect("it has no way to panic");
    });
}

/// A context that waits for what was never sent is lost, whether the ring is idle or not.
pub fn what_was_not_sent_is_not_waited_for(world: World) {
    explore(world, || {
        let (control, _guest) = stage::ring(Mode::Thread);
        let executor = Executor::default();
        let consumer = stage::consumer(&control, executor.clone());
        let ring = thread::spawn(move || run_thread(consumer));
        let lost = executor.clone();
        assert_eq!(control.wait_consumed(COMMAND, || lost.is_lost(), never), Err(WaitError::Ended));
        assert!(executor.failed().is_some_and(|reason| reason.contains("waits for position")));
        ring.join().expect("it has no way to panic");
    });
}
