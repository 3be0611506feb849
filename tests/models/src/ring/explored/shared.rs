//! The thread that rings share.

use super::stage::{self, Executor, Store};
use crate::{
    World,
    ring::{Mode, shared::SharedThread},
    sync::world::explore,
};

/// What a guest sends to a ring that shares a thread is executed, whenever the thread goes to sleep.
pub fn commands_are_not_slept_over(world: World) {
    explore(world, || {
        let (control, mut guest) = stage::ring(Mode::Shared);
        let executor = Executor::default();
        let thread = SharedThread::start().expect("a thread");
        control.share(thread.waker());
        thread.join(Box::new(stage::consumer(&control, executor.clone())));
        let (_, is_idle) = guest.send(7, Store::SeqCst);
        if is_idle {
            control.notify();
        }
        assert_eq!(executor.wait_for(1), [7]);
        control.stop();
        thread.stop().join().expect("it has no way to panic");
    });
}
