//! Command pools, and the command buffers allocated from them. What is recorded is in `command_buffer.rs`.

use std::sync::Arc;

use venus_protocol::{
    args::*,
    dispatch::CommandPoolCommands,
    vk,
    wire::{Handle, Handles, NewHandles},
};

use super::{destroy, forward};
use crate::{driver, endpoint::Endpoint, error::Interrupt, object::Detail};

impl CommandPoolCommands for Endpoint {
    destroy! {
        destroy_command_pool(DestroyCommandPoolArgs).command_pool;
    }

    forward! {
        trim_command_pool(TrimCommandPoolArgs);
    }

    /// Command buffers that were set aside are as good as new.
    fn reset_command_pool(&mut self, args: &mut ResetCommandPoolArgs) -> Result<vk::Result, Interrupt> {
        let result = self.forward(args)?;
        self.shared.objects.restore_pooled(args.command_pool.id);
        Ok(result)
    }

    /// It is for a queue family that there is, and remembers what is allocated from it.
    fn create_command_pool(&mut self, args: &mut CreateCommandPoolArgs<'_>) -> Result<vk::Result, Interrupt> {
        let device = self.device(args.device.id)?;
        let family = device.check_family("pCreateInfo->queueFamilyIndex", args.p_create_info.queue_family_index);
        family.map_err(|refusal| self.left_out_for(refusal))?;
        let result = self.forward(args)?;
        let result = self.adopt_pool(args.device.id, result, &args.p_command_pool)?;
        self.restrict_pool(args, result)?;
        Ok(result)
    }

    fn allocate_command_buffers(&mut self, args: &mut AllocateCommandBuffersArgs<'_>) -> Result<vk::Result, Interrupt> {
        let result = self.forward(args)?;
        let pool = vk::Handle::as_raw(args.p_allocate_info.command_pool);
        let kind = vk::ObjectType::COMMAND_POOL;
        if result == vk::Result::SUCCESS {
            self.note_family(args.device.id, pool, args.p_command_buffers.raws)?;
        }
        self.adopt_pooled(args.device.id, result, (kind, pool), &mut args.p_command_buffers)
    }

    fn free_command_buffers(&mut self, args: &mut FreeCommandBuffersArgs<'_>) -> Result<(), Interrupt> {
        let pool = args.command_pool;
        let aside = self.unregister_pooled(pool, args.command_buffer_count, args.p_command_buffers)?;
        let device = self.device(args.device.id)?;
        for buffers in [args.p_command_buffers.raws, &aside].into_iter().filter(|buffers| is_work(pool.raw, buffers)) {
            driver::destroy::free_command_buffers(&device, pool.raw, buffers);
        }
        Ok(())
    }
}

/// Whether there is anything to free: a pool that could not be created is null, and so is all that is in it.
pub(super) fn is_work<P: vk::Handle, H: vk::Handle + Copy>(pool: P, freed: &[H]) -> bool {
    !pool.is_null() && freed.iter().any(|one| !one.is_null())
}

impl Endpoint {
    /// Sees to it that command buffers of a new pool are given what their queues can do, and nothing else.
    fn restrict_pool(&mut self, args: &CreateCommandPoolArgs<'_>, result: vk::Result) -> Result<(), Interrupt> {
        let device = self.device(args.device.id)?;
        let procs = device.family_procs(args.p_create_info.queue_family_index);
        if let (Some(procs), Some(&id), vk::Result::SUCCESS) = (procs, args.p_command_pool.ids.first(), result) {
            self.shared.objects.restrict_pool(id, args.device.id, Arc::clone(procs));
        }
        Ok(())
    }

    /// Remembers of which family new command buffers of the pool `raw_pool` are, before anybody can submit them.
    fn note_family(&mut self, device_id: u64, raw_pool: u64, buffers: &[vk::CommandBuffer]) -> Result<(), Interrupt> {
        let device = self.device(device_id)?;
        let objects = &self.shared.objects;
        let pool = objects.pool_id(vk::ObjectType::COMMAND_POOL, device_id, raw_pool);
        device.note_family(buffers, pool.and_then(|pool| objects.restricted_pool(pool)).as_ref());
        Ok(())
    }

    /// Registers a pool that the driver has just created, unless it failed.
    pub(super) fn adopt_pool<H: vk::Handle + Copy>(
        &mut self,
        device: u64,
        result: vk::Result,
        new: &NewHandles<'_, H>,
    ) -> Result<vk::Result, Interrupt> {
        if self.is_created(device, result, new) {
            self.adopt_as(device, new, Detail::Pool(Box::default()))?;
        }
        Ok(result)
    }

    /// Registers objects that were just allocated from a pool, unless that failed: then the guest is told ids of 0.
    /// `pool` is what the driver calls it.
    pub(super) fn adopt_pooled<H: vk::Handle + Copy>(
        &mut self,
        device: u64,
        result: vk::Result,
        pool: (vk::ObjectType, u64),
        new: &mut NewHandles<'_, H>,
    ) -> Result<vk::Result, Interrupt> {
        if !self.is_created(device, result, new) {
            new.ids.fill(0);
            return Ok(result);
        }
        let (kind, raw_pool) = pool;
        let pool = self.shared.objects.pool_id(kind, device, raw_pool).ok_or_else(|| self.gone())?;
        let raws = new.raws.iter().map(|raw| raw.as_raw());
        if let Err(error) = self.shared.objects.insert_all(H::TYPE, device, pool, new.ids, raws) {
            let device = self.device(device)?;
            driver::destroy::pooled(&device, raw_pool, new.raws);
            return Err(self.table_error(error));
        }
        self.name_objects(device, new);
        Ok(result)
    }

    /// Removes objects that are about to be freed to their pool, and waits until nobody can be using them. Answers those
    /// of them that were set aside, for which the command has null handles.
    pub(super) fn unregister_pooled<P: vk::Handle, H: vk::Handle + Copy>(
        &mut self,
        pool: Handle<P>,
        count: u32,
        freed: Handles<'_, H>,
    ) -> Result<Vec<H>, Interrupt> {
        if pool.id == 0 {
            let member = if H::TYPE == vk::ObjectType::DESCRIPTOR_SET { "descriptorPool" } else { "commandPool" };
            return Err(self.invalid(member, "is null"));
        }
        if usize::try_from(count) != Ok(freed.ids.len()) {
            let member =
                if H::TYPE == vk::ObjectType::DESCRIPTOR_SET { "descriptorSetCount" } else { "commandBufferCount" };
            let reason = format!("{count} objects are to be freed and {} are named", freed.ids.len());
            return Err(self.invalid(member, reason));
        }
        let objects = &self.shared.objects;
        let named = freed.ids.iter().copied().zip(freed.raws.iter().map(|raw| raw.as_raw()));
        let aside = objects.remove_from_pool(H::TYPE, named, pool.id).map_err(|error| self.table_error(error))?;
        objects.wait_for_others(&self.presence).map_err(|error| self.table_error(error))?;
        Ok(aside.into_iter().map(H::from_raw).collect())
    }
}
