//! Queues.

use std::{io, sync::Arc};

use venus_protocol::{
    args::*,
    dispatch::QueueCommands,
    procs::Call,
    vk,
    wire::{Handle, Returned as _},
};

use super::{REFUSED, gone, no_entry_point, refuse};
use crate::{
    driver::{self, FamilyProcs, chain, sanitize, submits, sync::Queue},
    endpoint::{Endpoint, Span},
    error::{APPLICATION, Fatal, GUEST_DRIVER, Interrupt},
    object::NewObject,
};

impl QueueCommands for Endpoint {
    refuse! {
        get_device_queue(GetDeviceQueueArgs<'_>) => "it cannot name a timeline; guest drivers use vkGetDeviceQueue2";
        queue_wait_idle(QueueWaitIdleArgs) => "guest drivers wait for fences instead of blocking a ring";
    }

    /// Gives a queue, which exists since its device was created, its id and its timeline. Once per queue.
    fn get_device_queue2(&mut self, args: &mut GetDeviceQueue2Args<'_>) -> Result<(), Interrupt> {
        let info = args.p_queue_info;
        let Some(timeline) = chain::find::<vk::DeviceQueueTimelineInfoMESA<'_>>(info) else {
            let reason = "VkDeviceQueueTimelineInfoMESA is missing, so no fence could ever reach the queue";
            return Err(self.fatal(reason).member("pQueueInfo->pNext").advice(REFUSED).into());
        };
        let ring_idx = timeline.ring_idx;
        let device = self.device(args.device.id)?;
        let wanted = |queue: &&Arc<Queue>| queue.is(info.queue_family_index, info.queue_index, info.flags);
        let Some(queue) = device.queues().iter().find(wanted).map(Arc::clone) else {
            let reason = format!(
                "the device was created without queue {} of family {}",
                info.queue_index, info.queue_family_index
            );
            return Err(self.fatal(reason).member("pQueueInfo").advice(APPLICATION).into());
        };
        let (Some(&id), Some(raw)) = (args.p_queue.ids.first(), args.p_queue.raws.first_mut()) else {
            return Err(self.fatal("is null").member("pQueue").advice(GUEST_DRIVER).into());
        };
        // First, because there may be no room for it; then nothing has happened. The handle is the device's and stays.
        let object = NewObject::new(id, queue.raw()).of_device(args.device.id);
        self.shared.objects.insert(object).map_err(|error| self.table_error(error))?;
        if !queue.assign_id(id) {
            let reason = "the queue has been asked for before; guest drivers ask once, when they create the device";
            return Err(self.fatal(reason).member("pQueueInfo").advice(GUEST_DRIVER).into());
        }
        *raw = queue.raw();
        self.shared.timelines.bind(ring_idx, device, queue).map_err(|error| {
            let fatal = self.fatal(error.to_string());
            fatal.member("pQueueInfo->pNext<VkDeviceQueueTimelineInfoMESA>.ringIdx").advice(GUEST_DRIVER)
        })?;
        // Another ring may have destroyed the device meanwhile, and have unbound its timelines before this one.
        self.shared.objects.lookup(vk::ObjectType::QUEUE, id).map(drop).ok_or_else(|| self.gone())
    }

    fn queue_submit(&mut self, args: &mut QueueSubmitArgs<'_>) -> Result<vk::Result, Interrupt> {
        sanitize::sanitize_submits(args).map_err(|refusal| self.left_out_for(refusal))?;
        let foreign = self.foreign_to(args.queue, submits::buffers(args))?;
        if !self.is_lenient && foreign.is_none() {
            return self.forward_locked(args.queue.raw, args);
        }
        let remaining = submits::Remaining::of(args, foreign.as_deref());
        let QueueSubmitArgs { queue, submit_count, fence, .. } = *args;
        self.forward_locked(
            queue.raw,
            &mut QueueSubmitArgs { queue, submit_count, p_submits: &remaining.submits(), fence },
        )
    }

    fn queue_submit2(&mut self, args: &mut QueueSubmit2Args<'_>) -> Result<vk::Result, Interrupt> {
        let foreign = self.foreign_to(args.queue, submits::buffers2(args))?;
        if !self.is_lenient && foreign.is_none() {
            return self.forward_locked(args.queue.raw, args);
        }
        let remaining = submits::Remaining2::of(args, foreign.as_deref());
        let QueueSubmit2Args { queue, submit_count, fence, .. } = *args;
        self.forward_locked(
            queue.raw,
            &mut QueueSubmit2Args { queue, submit_count, p_submits: &remaining.submits(), fence },
        )
    }

    fn queue_bind_sparse(&mut self, args: &mut QueueBindSparseArgs<'_>) -> Result<vk::Result, Interrupt> {
        let device = self.device(args.queue.id)?;
        let queue = device.queue(args.queue.raw).ok_or_else(|| self.gone())?;
        if let Err(failure) = device.physical().check_sparse_queue(queue.family()) {
            self.note_failure(&failure);
            return Ok(failure.result);
        }
        sanitize::sanitize_sparse_binds(args);
        self.check_known(&device, |known| device.check_sparse_binds(known, args.p_bind_info))?;
        if !self.is_lenient {
            return self.forward_locked(args.queue.raw, args);
        }
        let remaining = submits::RemainingBinds::of(args);
        let QueueBindSparseArgs { queue, bind_info_count, fence, .. } = *args;
        let p_bind_info = &remaining.binds();
        self.forward_locked(queue.raw, &mut QueueBindSparseArgs { queue, bind_info_count, p_bind_info, fence })
    }
}

#[cold]
fn unwatched(command: &'static str, error: &io::Error) -> Interrupt {
    Fatal::new(command, format!("no thread can watch how long the GPU takes: {error}")).into()
}

impl Endpoint {
    /// The family of a queue that cannot do everything, if some of these command buffers are not of that family.
    fn foreign_to(
        &mut self,
        queue: Handle<vk::Queue>,
        mut buffers: impl Iterator<Item = vk::CommandBuffer>,
    ) -> Result<Option<Arc<FamilyProcs>>, Interrupt> {
        let command = self.command();
        let device = self.device_cache.device(&self.shared.objects, queue.id).ok_or_else(|| gone(command))?;
        let family = device.queue(queue.raw).and_then(|queue| device.family_procs(queue.family()));
        let Some(family) = family.filter(|family| buffers.any(|buffer| !family.has(buffer))).map(Arc::clone) else {
            return Ok(None);
        };
        self.note_foreign(&family);
        Ok(Some(family))
    }

    /// Calls the driver with the queue locked: its timeline submits to it too.
    fn forward_locked<'a, C: Call<'a>>(&mut self, queue: vk::Queue, args: &mut C) -> Result<C::Return, Interrupt> {
        let device = self.device_cache.device(&self.shared.objects, args.owner_id()).ok_or_else(|| gone(C::NAME))?;
        let queue = device.queue(queue).ok_or_else(|| gone(C::NAME))?;
        self.shared.counters.add_submission();
        let note = || match device.watch() {
            Some(watch) => watch.note(device, queue).map_err(|error| unwatched(C::NAME, &error)),
            None => Ok(()),
        };
        note()?;
        let called = match &mut self.observers {
            None => {
                let _lock = queue.lock();
                driver::call(args, device.procs())
            }
            Some(observers) => {
                let _lock = observers.within(Span::Wait("queue"), || queue.lock());
                observers.within(Span::Driver(C::NAME), || driver::call(args, device.procs()))
            }
        };
        note()?;
        let returned = called.ok_or_else(|| no_entry_point(C::NAME))?;
        if returned.is_device_lost() {
            self.note_device_lost(vk::Result::ERROR_DEVICE_LOST);
        }
        Ok(returned)
    }
}
