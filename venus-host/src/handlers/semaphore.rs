//! Semaphores.

use std::sync::Arc;

use venus_protocol::{
    args::*,
    dispatch::SemaphoreCommands,
    vk,
    wire::{Command, NewHandles},
};

use super::{
    REFUSED, destroy,
    fence::{WAIT_SLICE_NS, require_room},
    forward,
};
use crate::{
    HostError,
    context::Dispatcher,
    driver::{
        Device, chain,
        sync::{Orphan, Queue},
    },
    error::{APPLICATION, Fatal},
    object::Uses,
};

impl SemaphoreCommands for Dispatcher {
    destroy! {
        destroy_semaphore(DestroySemaphoreArgs).semaphore;
    }

    forward! {
        get_semaphore_counter_value(GetSemaphoreCounterValueArgs<'_>);
        signal_semaphore(SignalSemaphoreArgs<'_>);
    }

    /// A semaphore for export is an ordinary one where the host emulates SYNC_FD.
    fn create_semaphore(&mut self, args: &mut CreateSemaphoreArgs<'_>) -> Result<vk::Result, HostError> {
        const NAME: &str = CreateSemaphoreArgs::NAME;
        let native = self.device(args.device.id, NAME)?.has_native_semaphores();
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
        self.adopt(NAME, args.device.id, result, &args.p_semaphore)
    }

    /// Blocks this ring and nothing else.
    fn wait_semaphores(&mut self, args: &mut WaitSemaphoresArgs<'_>) -> Result<vk::Result, HostError> {
        let mut left_ns = args.timeout;
        loop {
            args.timeout = left_ns.min(WAIT_SLICE_NS);
            let result = self.forward_long(Uses::WAITS, args)?;
            self.note_device_lost(WaitSemaphoresArgs::NAME, result);
            if result != vk::Result::TIMEOUT || left_ns <= WAIT_SLICE_NS {
                return Ok(result);
            }
            left_ns = self.next_slice(left_ns)?;
        }
    }

    /// The guest has exported the semaphore: its signal counts as waited for. See `driver/sync/emulation.rs`.
    fn wait_semaphore_resource_mesa(&mut self, args: &mut WaitSemaphoreResourceMESAArgs) -> Result<(), HostError> {
        const NAME: &str = WaitSemaphoreResourceMESAArgs::NAME;
        let device = Arc::clone(self.device(args.device.id, NAME)?);
        let semaphore = args.semaphore.raw;
        let failed = |result| HostError::driver(NAME, result);
        if device.has_native_semaphores() {
            return device.drain_semaphore(semaphore).map_err(failed);
        }
        let queue = any_queue(&device, NAME)?;
        require_room(&device, NAME)?;
        let fence = device.create_fence().map_err(failed)?;
        let fresh = device.create_semaphore().map_err(|result| {
            device.destroy_fence(fence);
            failed(result)
        })?;
        if let Err(result) = device.submit_empty(queue, Some(semaphore), None, fence) {
            device.destroy_fence(fence);
            device.destroy_semaphore(fresh);
            return Err(failed(result));
        }
        self.replace(NAME, args.semaphore.id, vk::Handle::as_raw(fresh), vk::ObjectType::SEMAPHORE)?;
        self.orphan(&device, Orphan { fence, semaphore });
        Ok(())
    }

    /// The guest has imported a SYNC_FD that it has already waited for: the semaphore is signalled until its next wait.
    fn import_semaphore_resource_mesa(
        &mut self,
        args: &mut ImportSemaphoreResourceMESAArgs<'_>,
    ) -> Result<(), HostError> {
        const NAME: &str = ImportSemaphoreResourceMESAArgs::NAME;
        let device = Arc::clone(self.device(args.device.id, NAME)?);
        let info = args.p_import_semaphore_resource_info;
        if info.resource_id != 0 {
            let reason = format!("resource {} is not 0, the only payload there is", info.resource_id);
            let fatal = Fatal::new(NAME, reason).member("pImportSemaphoreResourceInfo->resourceId");
            return Err(fatal.advice(REFUSED).into());
        }
        let imported = if device.has_native_semaphores() {
            device.import_signalled(info.semaphore)
        } else {
            device.submit_empty(any_queue(&device, NAME)?, None, Some(info.semaphore), vk::Fence::null())
        };
        imported.map_err(|result| HostError::driver(NAME, result))
    }
}

/// A queue for empty submissions. The first is as good as any.
fn any_queue<'a>(device: &'a Device, command: &'static str) -> Result<&'a Queue, HostError> {
    device.queues().first().map(AsRef::as_ref).ok_or_else(|| {
        let reason = "the device was created without a queue, so nothing can signal or wait";
        Fatal::new(command, reason).advice(APPLICATION).into()
    })
}
