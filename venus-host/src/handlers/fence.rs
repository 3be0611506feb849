//! Fences.

use std::sync::Arc;

use venus_protocol::{
    args::*,
    dispatch::FenceCommands,
    vk,
    wire::{Command, NewHandles},
};

use super::{destroy, forward};
use crate::{
    HostError,
    context::Dispatcher,
    driver::{Device, sync::Orphan},
    error::{Fatal, RUNAWAY},
    object::Uses,
};

/// How long one wait in the driver takes at most, so that the end of a context is noticed in between.
pub(super) const WAIT_SLICE_NS: u64 = 1_000_000_000;

impl FenceCommands for Dispatcher {
    destroy! {
        destroy_fence(DestroyFenceArgs).fence;
    }

    forward! {
        reset_fences(ResetFencesArgs<'_>);
        get_fence_status(GetFenceStatusArgs);
    }

    /// A fence for export is an ordinary one where the host emulates SYNC_FD.
    fn create_fence(&mut self, args: &mut CreateFenceArgs<'_>) -> Result<vk::Result, HostError> {
        const NAME: &str = CreateFenceArgs::NAME;
        let native = self.device(args.device.id, NAME)?.has_native_fences();
        let result = if native {
            self.forward(args)?
        } else {
            let info = vk::FenceCreateInfo::default().flags(args.p_create_info.flags);
            let p_fence = NewHandles { ids: &mut *args.p_fence.ids, raws: &mut *args.p_fence.raws };
            self.forward(&mut CreateFenceArgs { device: args.device, p_create_info: &info, p_fence })?
        };
        self.adopt(NAME, args.device.id, result, &args.p_fence)
    }

    /// Blocks this ring and nothing else.
    fn wait_for_fences(&mut self, args: &mut WaitForFencesArgs<'_>) -> Result<vk::Result, HostError> {
        let mut left_ns = args.timeout;
        loop {
            args.timeout = left_ns.min(WAIT_SLICE_NS);
            let result = self.forward_long(Uses::WAITS, args)?;
            self.note_device_lost(WaitForFencesArgs::NAME, result);
            if result != vk::Result::TIMEOUT || left_ns <= WAIT_SLICE_NS {
                return Ok(result);
            }
            left_ns = self.next_slice(left_ns)?;
        }
    }

    /// The guest has exported the fence: its payload is gone and it is unsignalled. See `driver/sync/emulation.rs`.
    fn reset_fence_resource_mesa(&mut self, args: &mut ResetFenceResourceMESAArgs) -> Result<(), HostError> {
        const NAME: &str = ResetFenceResourceMESAArgs::NAME;
        let device = Arc::clone(self.device(args.device.id, NAME)?);
        let fence = args.fence.raw;
        let failed = |result| HostError::driver(NAME, result);
        if device.has_native_fences() {
            return device.drain_fence(fence).map_err(failed);
        }
        if device.is_signalled(fence) {
            return device.reset_fence(fence).map_err(failed);
        }
        require_room(&device, NAME)?;
        let fresh = device.create_fence().map_err(failed)?;
        self.replace(NAME, args.fence.id, vk::Handle::as_raw(fresh), vk::ObjectType::FENCE)?;
        self.orphan(&device, Orphan { fence, semaphore: vk::Semaphore::null() });
        Ok(())
    }
}

/// Fails if too many orphans of a device wait to be freed: a guest that keeps exporting what is never signalled.
pub(super) fn require_room(device: &Device, command: &'static str) -> Result<(), HostError> {
    if device.orphans().lock().has_room() {
        return Ok(());
    }
    Err(Fatal::new(command, "too many exported objects have not become signalled").advice(RUNAWAY).into())
}

impl Dispatcher {
    /// What is left of a wait after one slice; an error if the context has ended meanwhile.
    pub(super) fn next_slice(&self, left_ns: u64) -> Result<u64, HostError> {
        if self.is_stopped() || self.shared.fatal.is_set() || (self.shared.abandoned)() {
            return Err(HostError::Stopped);
        }
        // The largest value means for ever and stays.
        Ok(if left_ns == u64::MAX { left_ns } else { left_ns.saturating_sub(WAIT_SLICE_NS) })
    }

    /// Puts another driver object behind an id.
    pub(super) fn replace(
        &self,
        command: &'static str,
        id: u64,
        fresh: u64,
        kind: vk::ObjectType,
    ) -> Result<(), HostError> {
        self.shared.objects.replace(kind, id, fresh).map(drop).map_err(|error| error.fatal(command))
    }

    /// Leaves an object without an id to be freed when it is done, and frees those that are.
    pub(super) fn orphan(&self, device: &Arc<Device>, orphan: Orphan) {
        let done = device.orphans().lock().push(device, orphan);
        for orphan in done {
            let device = Arc::clone(device);
            self.shared.objects.retire(&self.presence, vk::ObjectType::FENCE, move || orphan.free(&device));
        }
    }
}
