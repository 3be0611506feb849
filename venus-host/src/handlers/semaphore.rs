//! Semaphores.

use venus_protocol::{args::*, dispatch::SemaphoreCommands, vk, wire::NewHandles};

use super::{REFUSED, destroy, forward};
use crate::{
    driver::{
        Device, chain,
        sync::{Orphan, Queue},
    },
    endpoint::Endpoint,
    error::{APPLICATION, Interrupt},
};

impl SemaphoreCommands for Endpoint {
    destroy! {
        destroy_semaphore(DestroySemaphoreArgs).semaphore;
    }

    forward! {
        get_semaphore_counter_value(GetSemaphoreCounterValueArgs<'_>);
        signal_semaphore(SignalSemaphoreArgs<'_>);
    }

    /// A semaphore for export is an ordinary one where the host emulates SYNC_FD.
    fn create_semaphore(&mut self, args: &mut CreateSemaphoreArgs<'_>) -> Result<vk::Result, Interrupt> {
        let native = self.device(args.device.id)?.has_native_semaphores();
        let result = if native || chain::find::<vk::ExportSemaphoreCreateInfo<'_>>(args.p_create_info).is_none() {
            self.forward(args)?
        } else {
            let mut kind = vk::SemaphoreTypeCreateInfo::default();
            if let Some(guest) = chain::find::<vk::SemaphoreTypeCreateInfo<'_>>(args.p_create_info) {
                kind = kind.semaphore_type(guest.semaphore_type).initial_value(guest.initial_value);
            }
            let info = vk::SemaphoreCreateInfo::default().flags(args.p_create_info.flags).push_next(&mut kind);
            let p_semaphore = NewHandles { ids: &mut *args.p_semaphore.ids, raws: &mut *args.p_semaphore.raws };
            self.forward(&mut CreateSemaphoreArgs { device: args.device, p_create_info: &info, p_semaphore })?
        };
        self.adopt(args.device.id, result, &args.p_semaphore)
    }

    /// Blocks this ring and nothing else.
    fn wait_semaphores(&mut self, args: &mut WaitSemaphoresArgs<'_>) -> Result<vk::Result, Interrupt> {
        self.wait_in_slices(args, |args| &mut args.timeout)
    }

    /// The guest has exported the semaphore: its signal counts as waited for. See `driver/sync/emulation.rs`.
    fn wait_semaphore_resource_mesa(&mut self, args: &mut WaitSemaphoreResourceMESAArgs) -> Result<(), Interrupt> {
        let device = self.device(args.device.id)?;
        let semaphore = args.semaphore.raw;
        if device.has_native_semaphores() {
            return device.drain_semaphore(semaphore).map_err(|result| self.own_call_failed(result));
        }
        let queue = self.any_queue(&device)?;
        self.require_room(&device)?;
        let fence = device.create_fence().map_err(|result| self.own_call_failed(result))?;
        let fresh = device.create_semaphore().map_err(|result| {
            device.destroy_fence(fence);
            self.own_call_failed(result)
        })?;
        if let Err(result) = device.submit_empty(queue, Some(semaphore), None, fence) {
            device.destroy_fence(fence);
            device.destroy_semaphore(fresh);
            return Err(self.own_call_failed(result));
        }
        self.replace(args.semaphore.id, vk::Handle::as_raw(fresh), vk::ObjectType::SEMAPHORE)?;
        self.orphan(&device, Orphan { fence, semaphore });
        Ok(())
    }

    /// The guest has imported a SYNC_FD that it has already waited for: the semaphore is signalled until its next wait.
    fn import_semaphore_resource_mesa(
        &mut self,
        args: &mut ImportSemaphoreResourceMESAArgs<'_>,
    ) -> Result<(), Interrupt> {
        let device = self.device(args.device.id)?;
        let info = args.p_import_semaphore_resource_info;
        if info.resource_id != 0 {
            let reason = format!("resource {} is not 0, the only payload there is", info.resource_id);
            let fatal = self.fatal(reason).member("pImportSemaphoreResourceInfo->resourceId");
            return Err(fatal.advice(REFUSED).into());
        }
        let imported = if device.has_native_semaphores() {
            device.import_signalled(info.semaphore)
        } else {
            device.submit_empty(self.any_queue(&device)?, None, Some(info.semaphore), vk::Fence::null())
        };
        imported.map_err(|result| self.own_call_failed(result))
    }
}

impl Endpoint {
    /// A queue for empty submissions. The first is as good as any.
    fn any_queue<'a>(&self, device: &'a Device) -> Result<&'a Queue, Interrupt> {
        device.queues().first().map(AsRef::as_ref).ok_or_else(|| {
            let reason = "the device was created without a queue, so nothing can signal or wait";
            self.fatal(reason).advice(APPLICATION).into()
        })
    }
}
