//! A ring with a thread that goes idle while its guest sends a command.

use super::stage::{self, Executor, Store};
use crate::{
    World,
    ring::{
        Mode,
        consumer::{Poll as _, run_thread},
    },
    sync::world::explore,
};

/// A guest that sees the head pass its command finds the reply, and the host finds the command.
pub fn a_head_shows_the_reply(world: World) {
    explore(world, || {
        let (control, mut guest) = stage::ring(Mode::Thread);
        let executor = Executor::default();
        let mut consumer = stage::consumer(&control, executor.clone());
        let (end, _) = guest.send(7, Store::Release);
        let ring = loom::thread::spawn(move || consumer.process_available());
        if guest.head() == end {
            assert_eq!(executor.reply(), 7);
        }
        ring.join().expect("it has no way to panic");
    });
}

/// A host that sees the tail pass a command finds the command.
pub fn a_tail_shows_the_command(world: World) {
    explore(world, || {
        let (control, mut guest) = stage::ring(Mode::Polled);
        // It refuses to execute what nobody has written.
        let mut consumer = stage::consumer(&control, Executor::default());
        let ring = loom::thread::spawn(move || consumer.process_available());
        guest.send(7, Store::Release);
        ring.join().expect("it executes what was written only");
    });
}

/// What a guest sends is executed, whenever the ring goes idle.
pub fn commands_are_not_slept_over(world: World, store: Store) {
    explore(world, move || {
        let (control, mut guest) = stage::ring(Mode::Thread);
        let executor = Executor::default();
        let consumer = stage::consumer(&control, executor.clone());
        let ring = loom::thread::spawn(move || run_thread(consumer));
        let (_, is_idle) = guest.send(7, store);
        if is_idle {
            control.notify();
        }
        assert_eq!(executor.wait_for(1), [7]);
        control.stop();
        ring.join().expect("it has no way to panic");
    });
}
