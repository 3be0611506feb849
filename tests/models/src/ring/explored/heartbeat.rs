//! The heartbeat, which sleeps while all rings do.

use std::sync::Arc;

use loom::thread;

use super::stage;
use crate::{World, ring::monitor::Monitor, sync::world::explore};

/// How often a guest looks for the heartbeat before it gives the host up.
const PATIENCE: u32 = 8;

/// A ring that goes idle and wakes has a heartbeat, whenever the one of all rings goes to sleep.
pub fn it_goes_on_when_a_ring_wakes(world: World) {
    explore(world, || {
        let (control, guest) = stage::watched_ring();
        let monitor = Arc::<Monitor>::default();
        monitor.add(&control).expect("a thread");
        monitor.ring_sleeps(&control);
        monitor.ring_wakes(&control);
        guest.clear_alive();
        let seen = (0..PATIENCE).any(|_| {
            thread::yield_now();
            guest.sees_alive()
        });
        assert!(seen, "the host seems to be dead");
        monitor.stop();
    });
}
