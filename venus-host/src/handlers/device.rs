//! Devices: creation, and the end of everything that belongs to one.

use std::sync::Arc;

use venus_protocol::{args::*, dispatch::DeviceCommands, vk};

use super::{forward, refuse};
use crate::{
    driver::{self, Device, sync::Watch},
    endpoint::{Endpoint, tear_down},
    error::{BUDGETED, Fatal, GUEST_DRIVER, Interrupt},
    object::{Detail, NewObject},
};

/// Why deferred operations are refused.
const NO_DEFERRAL: &str = "guest drivers defer operations themselves; VK_KHR_deferred_host_operations is not offered";

impl DeviceCommands for Endpoint {
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

    fn create_device(&mut self, args: &mut CreateDeviceArgs<'_>) -> Result<vk::Result, Interrupt> {
        let physical = self.physical_device(args.physical_device)?;
        let (Some(&id), Some(raw)) = (args.p_device.ids.first(), args.p_device.raws.first_mut()) else {
            return Err(self.fatal("is null").member("pDevice").advice(GUEST_DRIVER).into());
        };
        let created = self.in_driver(|_| Device::new(physical, id, args.p_create_info));
        let device = match created {
            Ok(device) => Arc::new(device.with_watch(self.watch())),
            Err(failure) => {
                self.note_uncreated(&failure, 0, vk::ObjectType::DEVICE, &[id]);
                return Ok(failure.result);
            }
        };
        *raw = device.raw();
        let object = NewObject::new(id, *raw).with(Detail::Device(Arc::clone(&device)));
        if let Err(error) = self.shared.objects.insert(object) {
            driver::destroy::device(&device);
            return Err(self.table_error(error));
        }
        Ok(vk::Result::SUCCESS)
    }

    fn destroy_device(&mut self, args: &mut DestroyDeviceArgs) -> Result<(), Interrupt> {
        if args.device.id == 0 {
            return Ok(());
        }
        self.retire_device(args.device.id)
    }
}

impl Endpoint {
    /// Who watches a new device's queues, where the GPU's time is bounded: the context ends if one takes longer.
    fn watch(&self) -> Option<Arc<Watch>> {
        let limit = self.shared.budget.max_gpu_time()?;
        let shared = Arc::downgrade(&self.shared);
        Some(Watch::new(
            limit,
            Box::new(move || {
                let Some(shared) = shared.upgrade() else { return };
                let reason = format!("the GPU has not come to the end of what a queue was given in {limit:?}");
                shared.fail(Fatal::new("vkQueueSubmit", reason).advice(BUDGETED));
            }),
        ))
    }

    /// Makes a device and all it owns disappear from the guest's view at once, and ends them when no endpoint can be
    /// using them.
    pub(super) fn retire_device(&mut self, id: u64) -> Result<(), Interrupt> {
        let (device, children) = self.shared.objects.remove_device(id).map_err(|error| self.table_error(error))?;
        // The guest may bind the numbers again, to a queue of its next device.
        let timelines = self.shared.timelines.unbind_device(id);
        self.device_cache.clear();
        if let Detail::Device(device) = device.detail {
            let objects = &self.shared.objects;
            objects.retire(&self.presence, vk::ObjectType::DEVICE, move || tear_down(&device, timelines, children));
        }
        Ok(())
    }
}
