//! A ring that a guest writes to.

use std::{
    fs::File,
    os::unix::fs::FileExt,
    thread,
    time::{Duration, Instant},
};

use venus_protocol::{reflect, wire::CommandType};
use venus_verify::content::ring::{BUFFER, HEAD, TAIL};

use super::{World, silent};

/// A ring with a thread of its own, as a guest writes to it.
pub(crate) struct Ring {
    file: File,
    written: u32,
}

impl Ring {
    pub(crate) fn new(world: &mut World<'_>) -> Self {
        Self { file: world.ring_memory(), written: 0 }
    }

    /// Puts commands into the ring, and wakes it. What the driver was called with since, stays for who asks: the ring may
    /// have executed them before it is notified.
    pub(crate) fn write(&mut self, world: &mut World<'_>, bytes: &[u8]) {
        self.file.write_all_at(bytes, BUFFER as u64 + u64::from(self.written)).expect("the ring's memory is writable");
        self.written += u32::try_from(bytes.len()).expect("a short command");
        self.file.write_all_at(&self.written.to_le_bytes(), TAIL as u64).expect("the ring's memory is writable");
        let notify = reflect::command(CommandType::NOTIFY_RING_MESA).expect("it travels");
        let notify = silent(world.request(notify, None));
        world.context.submit(&notify).expect("the ring is notified");
    }

    /// Waits until all of it is executed.
    pub(crate) fn wait(&self) {
        let deadline = Instant::now() + Duration::from_secs(10);
        loop {
            let mut head = [0; 4];
            self.file.read_exact_at(&mut head, HEAD as u64).expect("the ring's memory is readable");
            if u32::from_le_bytes(head) == self.written {
                return;
            }
            assert!(Instant::now() < deadline, "the ring does not end");
            thread::sleep(Duration::from_millis(1));
        }
    }
}
