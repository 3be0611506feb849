//! Devices: creation, and the end of everything that belongs to one.

use std::{sync::Arc, time::Duration};

use venus_protocol::{args::*, dispatch::DeviceCommands, vk, wire::Command};

use super::{forward, refuse};
use crate::{
    HostError,
    context::{Dispatcher, Shared},
    driver::{self, Device, sync::Unbound},
    endpoint::Span,
    error::{Fatal, GUEST_DRIVER},
    object::{Detail, NewObject, Removed},
};

/// How long the end of a device waits for the GPU. Guests have waited before they destroy a device; what runs after a
/// guest was killed is at most a few frames, or a computation that nobody wants any more.
const IDLE_LIMIT: Duration = Duration::from_secs(10);

/// Why deferred operations are refused.
const NO_DEFERRAL: &str = "guest drivers defer operations themselves; VK_KHR_deferred_host_operations is not offered";

impl DeviceCommands for Dispatcher {
    forward! {
        get_calibrated_timestamps_khr(GetCalibratedTimestampsKHRArgs<'_>);
    }

    refuse! {
        device_wait_idle(DeviceWaitIdleArgs) => "guest drivers wait for fences instead of blocking a ring";
        create_deferred_operation_khr(CreateDeferredOperationKHRArgs<'_>) => NO_DEFERRAL;
        destroy_deferred_operation_khr(DestroyDeferredOperationKHRArgs) => NO_DEFERRAL;
        get_deferred_operation_max_concurrency_khr(GetDeferredOperationMaxConcurrencyKHRArgs) => NO_DEFERRAL;
        get_deferred_operation_result_khr(GetDeferredOperationResultKHRArgs) => NO_DEFERRAL;
        deferred_operation_join_khr(DeferredOperationJoinKHRArgs) => NO_DEFERRAL;
    }

    fn create_device(&mut self, args: &mut CreateDeviceArgs<'_>) -> Result<vk::Result, HostError> {
        const NAME: &str = CreateDeviceArgs::NAME;
        let physical = self.physical_device(args.physical_device, NAME)?;
        let (Some(&id), Some(raw)) = (args.p_device.ids.first(), args.p_device.raws.first_mut()) else {
            return Err(Fatal::new(NAME, "is null").member("pDevice").advice(GUEST_DRIVER).into());
        };
        let created = self.within(Span::Driver(NAME), |_| Device::new(physical, id, args.p_create_info));
        let device = match created {
            Ok(device) => Arc::new(device),
            Err(failure) => {
                self.note_uncreated(NAME, &failure, vk::ObjectType::DEVICE, &[id]);
                return Ok(failure.result);
            }
        };
        *raw = device.raw();
        let object = NewObject::new(id, *raw).with(Detail::Device(Arc::clone(&device)));
        if let Err(error) = self.shared.objects.insert(object) {
            driver::destroy::device(&device);
            return Err(error.fatal(NAME));
        }
        Ok(vk::Result::SUCCESS)
    }

    fn destroy_device(&mut self, args: &mut DestroyDeviceArgs) -> Result<(), HostError> {
        if args.device.id == 0 {
            return Ok(());
        }
        self.retire_device(args.device.id, DestroyDeviceArgs::NAME)
    }
}

impl Dispatcher {
    /// Makes a device and all it owns disappear from the guest's view at once, and ends them when no endpoint can be
    /// using them.
    pub(super) fn retire_device(&mut self, id: u64, command: &'static str) -> Result<(), HostError> {
        let (device, children) = self.shared.objects.remove_device(id).map_err(|error| error.fatal(command))?;
        // The guest may bind the numbers again, to a queue of its next device.
        let timelines = self.shared.timelines.unbind_device(id);
        self.device_cache = super::DeviceCache::default();
        if let Detail::Device(device) = device.detail {
            let objects = &self.shared.objects;
            objects.retire(&self.presence, vk::ObjectType::DEVICE, move || tear_down(&device, timelines, children));
        }
        Ok(())
    }
}

/// Ends everything a context has in the driver. Only when none of its endpoints runs any more.
pub(crate) fn destroy_all(shared: &Shared) {
    shared.objects.free_all();
    for id in shared.objects.device_ids() {
        let timelines = shared.timelines.unbind_device(id);
        if let Ok((Removed { detail: Detail::Device(device), .. }, children)) = shared.objects.remove_device(id) {
            tear_down(&device, timelines, children);
        }
    }
    shared.objects.clear();
    if let Some(instance) = shared.vulkan.take_instance() {
        instance.destroy_after_devices();
    }
}

/// Waits for the GPU, retires the fences of the device's queues, frees what is left of its objects, users first, and
/// then the device.
fn tear_down(device: &Device, timelines: Unbound, children: Vec<Removed>) {
    let idle = device.wait_idle(IDLE_LIMIT);
    timelines.stop();
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
