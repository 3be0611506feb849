//! SYNC_FD without SYNC_FD.
//!
//! The guest's fences and semaphores can be exported as SYNC_FD, but the descriptor is the guest kernel's: it stands
//! for a point on a timeline of ours. What reaches the host are three commands that say what the export or import did
//! to the Vulkan object. Where the driver has SYNC_FD they are a plain export or import whose descriptor is dropped.
//! Elsewhere:
//!
//! | command | effect wanted | what we do |
//! |---|---|---|
//! | vkResetFenceResourceMESA | the payload is gone, the fence is unsignalled, at once | a signalled fence is reset; a pending one is replaced by a new one |
//! | vkWaitSemaphoreResourceMESA | as if a wait had consumed the signal | an empty submission waits for it, and the semaphore is replaced by a new one |
//! | vkImportSemaphoreResourceMESA | signalled until the next wait | an empty submission signals it |
//!
//! An object that was replaced may still be pending. It becomes an [`Orphan`], to be freed once its fence says that it
//! is done.

use std::time::{Duration, Instant};

use venus_protocol::vk;

use crate::{driver::Device, limits, thread::deadline};

/// How long the end of a device waits for its orphans. The device is idle by then, so this never passes unless the GPU
/// hangs.
const LAST_WAIT: Duration = Duration::from_secs(3);

/// An object that no id stands for any more.
#[derive(Clone, Copy)]
pub(crate) struct Orphan {
    /// Signalled when the orphan is no longer in use.
    pub(crate) fence: vk::Fence,
    /// A semaphore that goes together with the fence, or null.
    pub(crate) semaphore: vk::Semaphore,
}

impl Orphan {
    pub(crate) fn free(self, device: &Device) {
        device.destroy_fence(self.fence);
        if self.semaphore != vk::Semaphore::null() {
            device.destroy_semaphore(self.semaphore);
        }
    }
}

/// The orphans of one device.
#[derive(Default)]
pub(crate) struct Orphans(Vec<Orphan>);

impl Orphans {
    /// Adds one, and answers those that have become free since the last time.
    pub(crate) fn push(&mut self, device: &Device, orphan: Orphan) -> Vec<Orphan> {
        let done = self.0.extract_if(.., |orphan| device.is_signalled(orphan.fence)).collect();
        self.0.push(orphan);
        done
    }

    /// Whether there is room for another.
    pub(crate) fn has_room(&self) -> bool {
        self.0.len() < limits::ORPHANS
    }

    /// Frees all, for a device that is about to go.
    pub(crate) fn free_all(&mut self, device: &Device) {
        let deadline = deadline(LAST_WAIT);
        for orphan in self.0.drain(..) {
            let left = deadline.saturating_duration_since(Instant::now());
            if device.wait_fence(orphan.fence, left) == Ok(false) {
                tracing::debug!("a replaced fence never became signalled");
            }
            orphan.free(device);
        }
    }
}
