//! The models of waits for resources. Each returns if it holds, and panics if it does not.

use std::sync::Arc;

use loom::thread;

use super::arrivals::Arrivals;
use crate::{
    World,
    sync::{
        atomic::{AtomicU64, Ordering},
        world::explore,
    },
};

/// A ring that waits for a message about a resource goes on when it was handled. The count of messages tells nothing of the
/// order: it is in memory that two processes share.
pub fn a_message_is_waited_for(world: World) {
    explore(world, || {
        let shared = Arc::new((Arrivals::default(), AtomicU64::new(0)));
        let other = Arc::clone(&shared);
        let ring = thread::spawn(move || {
            let (arrivals, handled) = &*other;
            arrivals.wait(|| handled.load(Ordering::Relaxed) == 2);
        });
        let (arrivals, handled) = &*shared;
        for _ in 0..2 {
            handled.fetch_add(1, Ordering::Relaxed);
            arrivals.wake();
        }
        ring.join().expect("it has no way to panic");
    });
}
