//! Fences.

use std::sync::Arc;

use venus_protocol::{args::*, dispatch::FenceCommands, procs::Call, vk, wire::NewHandles};

use super::{destroy, forward};
use crate::{
    driver::{Device, sync::Orphan},
    endpoint::Endpoint,
    error::{Interrupt, RUNAWAY, ResultName, hint},
    object::Uses,
};

/// How long one wait in the driver takes at most, so that the end of a context is noticed in between.
const WAIT_SLICE_NS: u64 = 1_000_000_000;

impl FenceCommands for Endpoint {
    destroy! {
        destroy_fence(DestroyFenceArgs).fence;
    }

    forward! {
        reset_fences(ResetFencesArgs<'_>);
        get_fence_status(GetFenceStatusArgs);
    }

    /// A fence for export is an ordinary one where the host emulates SYNC_FD.
    fn create_fence(&mut self, args: &mut CreateFenceArgs<'_>) -> Result<vk::Result, Interrupt> {
        let native = self.device(args.device.id)?.has_native_fences();
        let result = if native {
            self.forward(args)?
        } else {
            let info = vk::FenceCreateInfo::default().flags(args.p_create_info.flags);
            let p_fence = NewHandles { ids: &mut *args.p_fence.ids, raws: &mut *args.p_fence.raws };
            self.forward(&mut CreateFenceArgs { device: args.device, p_create_info: &info, p_fence })?
        };
        self.adopt(args.device.id, result, &args.p_fence)
    }

    /// Blocks this ring and nothing else.
    fn wait_for_fences(&mut self, args: &mut WaitForFencesArgs<'_>) -> Result<vk::Result, Interrupt> {
        self.wait_in_slices(args, |args| &mut args.timeout)
    }

    /// The guest has exported the fence: its payload is gone and it is unsignalled. See `driver/sync/emulation.rs`.
    fn reset_fence_resource_mesa(&mut self, args: &mut ResetFenceResourceMESAArgs) -> Result<(), Interrupt> {
        let device = self.device(args.device.id)?;
        let fence = args.fence.raw;
        if device.has_native_fences() {
            return device.drain_fence(fence).map_err(|result| self.own_call_failed(result));
        }
        if device.is_signalled(fence) {
            return device.reset_fence(fence).map_err(|result| self.own_call_failed(result));
        }
        self.require_room(&device)?;
        let fresh = device.create_fence().map_err(|result| self.own_call_failed(result))?;
        self.replace(args.fence.id, vk::Handle::as_raw(fresh), vk::ObjectType::FENCE)?;
        self.orphan(&device, Orphan { fence, semaphore: vk::Semaphore::null() });
        Ok(())
    }
}

impl Endpoint {
    /// Waits in the driver as the command says, in slices of its time-out, and ends early if the context does.
    pub(super) fn wait_in_slices<'a, C: Call<'a, Return = vk::Result>>(
        &mut self,
        args: &mut C,
        timeout_ns: impl Fn(&mut C) -> &mut u64,
    ) -> Result<vk::Result, Interrupt> {
        let mut left_ns = *timeout_ns(args);
        loop {
            *timeout_ns(args) = left_ns.min(WAIT_SLICE_NS);
            let result = self.forward_long(Uses::WAITS, args)?;
            self.note_device_lost(result);
            if result != vk::Result::TIMEOUT || left_ns <= WAIT_SLICE_NS {
                return Ok(result);
            }
            if self.is_abandoned() {
                return Err(Interrupt::Stopped);
            }
            // The largest value means for ever and stays.
            if left_ns != u64::MAX {
                left_ns = left_ns.saturating_sub(WAIT_SLICE_NS);
            }
        }
    }

    /// A call that the host made for the guest's sake failed, and the command has no result to say so.
    #[cold]
    pub(super) fn own_call_failed(&self, result: vk::Result) -> Interrupt {
        self.fatal(ResultName(result).to_string()).advice(hint(result)).into()
    }

    /// Fails if too many orphans of a device wait to be freed: a guest that keeps exporting what is never signalled.
    pub(super) fn require_room(&self, device: &Device) -> Result<(), Interrupt> {
        if device.orphans().lock().has_room() {
            return Ok(());
        }
        Err(self.fatal("too many exported objects have not become signalled").advice(RUNAWAY).into())
    }

    /// Puts another driver object behind an id.
    pub(super) fn replace(&self, id: u64, fresh: u64, kind: vk::ObjectType) -> Result<(), Interrupt> {
        self.shared.objects.replace(kind, id, fresh).map(drop).map_err(|error| self.table_error(error))
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
