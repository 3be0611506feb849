//! Command pools, and the command buffers allocated from them. What is recorded is in `command_buffer.rs`.

use std::sync::Arc;

use venus_protocol::{
    args::*,
    dispatch::CommandPoolCommands,
    vk,
    wire::{Command, Handles, NewHandles},
};

use super::{destroy, forward, gone};
use crate::{
    HostError,
    context::Dispatcher,
    driver,
    error::{APPLICATION, Fatal},
    object::Detail,
};

impl CommandPoolCommands for Dispatcher {
    destroy! {
        destroy_command_pool(DestroyCommandPoolArgs).command_pool;
    }

    forward! {
        reset_command_pool(ResetCommandPoolArgs);
        trim_command_pool(TrimCommandPoolArgs);
    }

    fn create_command_pool(&mut self, args: &mut CreateCommandPoolArgs<'_>) -> Result<vk::Result, HostError> {
        let result = self.forward(args)?;
        self.adopt_pool(CreateCommandPoolArgs::NAME, args.device.id, result, &args.p_command_pool)
    }

    fn allocate_command_buffers(&mut self, args: &mut AllocateCommandBuffersArgs<'_>) -> Result<vk::Result, HostError> {
        let result = self.forward(args)?;
        let pool = vk::Handle::as_raw(args.p_allocate_info.command_pool);
        let kind = vk::ObjectType::COMMAND_POOL;
        self.adopt_pooled(
            AllocateCommandBuffersArgs::NAME,
            args.device.id,
            result,
            (kind, pool),
            &mut args.p_command_buffers,
        )
    }

    fn free_command_buffers(&mut self, args: &mut FreeCommandBuffersArgs<'_>) -> Result<(), HostError> {
        const NAME: &str = FreeCommandBuffersArgs::NAME;
        let pool = args.command_pool;
        self.unregister_pooled(
            NAME,
            pool.id,
            args.command_buffer_count,
            args.p_command_buffers,
            vk::ObjectType::COMMAND_BUFFER,
        )?;
        let device = Arc::clone(self.device(args.device.id, NAME)?);
        driver::destroy::free_command_buffers(&device, pool.raw, args.p_command_buffers.raws);
        Ok(())
    }
}

impl Dispatcher {
    /// Registers a pool that the driver has just created, unless it failed.
    pub(super) fn adopt_pool<H: vk::Handle + Copy>(
        &mut self,
        command: &'static str,
        device: u64,
        result: vk::Result,
        new: &NewHandles<'_, H>,
    ) -> Result<vk::Result, HostError> {
        if result.as_raw() < 0 {
            self.note_uncreated(command, &result.into(), H::TYPE, new.ids);
            return Ok(result);
        }
        self.adopt_as(command, device, new, Detail::Pool(Box::default()))?;
        Ok(result)
    }

    /// Registers objects that were just allocated from a pool, unless that failed: then the guest is told ids of 0.
    /// `pool` is what the driver calls it.
    pub(super) fn adopt_pooled<H: vk::Handle + Copy>(
        &mut self,
        command: &'static str,
        device: u64,
        result: vk::Result,
        pool: (vk::ObjectType, u64),
        new: &mut NewHandles<'_, H>,
    ) -> Result<vk::Result, HostError> {
        if result.as_raw() < 0 {
            self.note_uncreated(command, &result.into(), H::TYPE, new.ids);
            new.ids.fill(0);
            return Ok(result);
        }
        let pool = self.shared.objects.pool_id(pool.0, device, pool.1).ok_or_else(|| gone(command))?;
        let raws = new.raws.iter().map(|raw| raw.as_raw());
        // What cannot be registered stays in its pool and goes with it: the context is lost, so that is soon.
        self.shared.objects.insert_all(H::TYPE, device, pool, new.ids, raws).map_err(|error| error.fatal(command))?;
        self.name_objects(device, new);
        Ok(result)
    }

    /// Removes objects that are about to be freed to their pool, and waits until nobody can be using them.
    pub(super) fn unregister_pooled<H>(
        &mut self,
        command: &'static str,
        pool: u64,
        count: u32,
        freed: Handles<'_, H>,
        kind: vk::ObjectType,
    ) -> Result<(), HostError> {
        if pool == 0 {
            let member = if kind == vk::ObjectType::DESCRIPTOR_SET { "descriptorPool" } else { "commandPool" };
            return Err(Fatal::new(command, "is null").member(member).advice(APPLICATION).into());
        }
        if usize::try_from(count) != Ok(freed.ids.len()) {
            let reason = format!("{count} objects are to be freed and {} are named", freed.ids.len());
            return Err(Fatal::new(command, reason).advice(APPLICATION).into());
        }
        self.shared.objects.remove_from_pool(kind, freed.ids, pool).map_err(|error| error.fatal(command))?;
        self.shared.objects.wait_for_others(&self.presence, command)
    }
}
