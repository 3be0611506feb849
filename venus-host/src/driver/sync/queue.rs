//! A queue of a guest's device.

use std::{
    fmt,
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
    time::Instant,
};

use parking_lot::{Mutex, MutexGuard};
use venus_protocol::vk;

/// A `VkQueue`. Made with its device; the guest asks for it later and gives it an id then.
pub(crate) struct Queue {
    raw: vk::Queue,
    family: u32,
    index: u32,
    flags: vk::DeviceQueueCreateFlags,
    /// Held during every call that Vulkan wants to be externally synchronised on the queue.
    lock: Mutex<()>,
    /// The guest's id, 0 until it has asked.
    id: AtomicU64,
    /// It was given something since somebody has last asked.
    is_busy: AtomicBool,
}

impl Queue {
    pub(crate) fn new(raw: vk::Queue, family: u32, index: u32, flags: vk::DeviceQueueCreateFlags) -> Self {
        Self { raw, family, index, flags, lock: Mutex::new(()), id: AtomicU64::new(0), is_busy: AtomicBool::new(false) }
    }

    pub(crate) fn raw(&self) -> vk::Queue {
        self.raw
    }

    pub(crate) fn family(&self) -> u32 {
        self.family
    }

    /// Whether this is the queue that a `VkDeviceQueueInfo2` describes.
    pub(crate) fn is(&self, family: u32, index: u32, flags: vk::DeviceQueueCreateFlags) -> bool {
        (self.family, self.index, self.flags) == (family, index, flags)
    }

    /// Keeps everybody else from the queue.
    pub(crate) fn lock(&self) -> MutexGuard<'_, ()> {
        self.lock.lock()
    }

    /// As [`Queue::lock`], but `None` if somebody holds the queue until the deadline: a submission that does not
    /// return.
    pub(crate) fn lock_until(&self, deadline: Instant) -> Option<MutexGuard<'_, ()>> {
        self.lock.try_lock_until(deadline)
    }

    /// Notes that it is given something, and says whether that was noted already.
    pub(super) fn set_busy(&self) -> bool {
        self.is_busy.swap(true, Ordering::AcqRel)
    }

    /// Whether it was given something since this was last asked.
    pub(super) fn take_busy(&self) -> bool {
        self.is_busy.swap(false, Ordering::AcqRel)
    }

    /// Gives the queue its id; `false` if it has one.
    pub(crate) fn assign_id(&self, id: u64) -> bool {
        self.id.compare_exchange(0, id, Ordering::Relaxed, Ordering::Relaxed).is_ok()
    }
}

impl fmt::Debug for Queue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Queue")
            .field("family", &self.family)
            .field("index", &self.index)
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}
