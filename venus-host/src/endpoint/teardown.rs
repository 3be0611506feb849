//! The end of devices, and of all that a context has in the driver.

use std::time::Duration;

use super::Shared;
use crate::{
    driver::{self, Device, sync::Unbound},
    object::{Detail, Removed},
};

/// How long the end of a device waits for the GPU. Guests have waited before they destroy a device; what runs after a
/// guest was killed is at most a few frames, or a computation that nobody wants any more.
const IDLE_LIMIT: Duration = Duration::from_secs(10);

impl Shared {
    /// Ends everything the context has in the driver. Only when none of its endpoints runs any more.
    pub(crate) fn destroy_all(&self) {
        self.objects.free_all();
        for id in self.objects.device_ids() {
            let timelines = self.timelines.unbind_device(id);
            if let Ok((Removed { detail: Detail::Device(device), .. }, children)) = self.objects.remove_device(id) {
                tear_down(&device, timelines, children);
            }
        }
        self.objects.clear();
        if let Some(instance) = self.vulkan.take_instance() {
            instance.destroy_after_devices();
        }
    }
}

/// Waits for the GPU, retires the fences of the device's queues, frees what is left of its objects, users first, and
/// then the device.
pub(crate) fn tear_down(device: &Device, timelines: Unbound, children: Vec<Removed>) {
    let is_stuck = device.watch().is_some_and(|watch| watch.has_given_up());
    let idle = device.wait_idle(if is_stuck { Duration::ZERO } else { IDLE_LIMIT });
    timelines.stop();
    if let Some(watch) = device.watch() {
        watch.stop();
    }
    if !idle {
        // Freeing what the GPU uses is worse than keeping it. In a worker the process ends soon, and everything with
        // it.
        tracing::error!("the GPU does not finish a guest's work: its device and all it owns are left behind");
        return;
    }
    device.orphans().lock().free_all(device);
    if !children.is_empty() {
        tracing::debug!(count = children.len(), "objects outlived by their device");
    }
    for child in children {
        match child.detail {
            Detail::Memory(memory) => driver::destroy::memory(device, memory),
            _ => driver::destroy::object(device, child.kind, child.raw),
        }
    }
    driver::destroy::device(device);
}
