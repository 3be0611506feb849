//! Descriptor sets, their layouts, pools and update templates, and descriptors for heaps.
//!
//! Templates exist for pipelines' sake only: guests turn an update with a template into plain writes.

use venus_protocol::{args::*, dispatch::DescriptorCommands, vk, wire::Command};

use super::{command_pool::is_work, create, created, destroy, with_room};
use crate::{
    driver::{
        self, Refusal,
        bounds::{self, images, sets},
        sanitize,
    },
    endpoint::Endpoint,
    error::Interrupt,
};

impl DescriptorCommands for Endpoint {
    create! {
        create_descriptor_update_template(CreateDescriptorUpdateTemplateArgs<'_>).p_descriptor_update_template;
    }

    destroy! {
        destroy_descriptor_set_layout(DestroyDescriptorSetLayoutArgs).descriptor_set_layout;
        destroy_descriptor_pool(DestroyDescriptorPoolArgs).descriptor_pool;
        destroy_descriptor_update_template(DestroyDescriptorUpdateTemplateArgs).descriptor_update_template;
    }

    /// Drivers make a table up to the highest binding, and believe lengths that are said twice.
    fn create_descriptor_set_layout(
        &mut self,
        args: &mut CreateDescriptorSetLayoutArgs<'_>,
    ) -> Result<vk::Result, Interrupt> {
        check_layout(args.p_create_info).map_err(|refusal| self.left_out_for(refusal))?;
        let result = self.forward(args)?;
        if let Some(layout) = created(result, &args.p_set_layout) {
            self.device(args.device.id)?.note_set_layout(layout, args.p_create_info);
        }
        self.adopt(args.device.id, result, &args.p_set_layout)
    }

    /// A layout that is only described is as one that is made.
    fn get_descriptor_set_layout_support(
        &mut self,
        args: &mut GetDescriptorSetLayoutSupportArgs<'_>,
    ) -> Result<(), Interrupt> {
        check_layout(args.p_create_info).map_err(|refusal| self.left_out_for(refusal))?;
        self.forward(args)
    }

    /// Drivers write where a binding's number and that of an element lead them.
    fn update_descriptor_sets(&mut self, args: &mut UpdateDescriptorSetsArgs<'_>) -> Result<(), Interrupt> {
        self.forward_known(args, |_, known, args| {
            sanitize::check_writes(args.p_descriptor_writes)?;
            sets::check_update(known, args.p_descriptor_writes, args.p_descriptor_copies)
        })
    }

    /// The descriptor travels in the reply. Drivers write the whole of one, into whatever room there is.
    fn write_sampler_descriptor_mesa(
        &mut self,
        args: &mut WriteSamplerDescriptorMESAArgs<'_>,
    ) -> Result<vk::Result, Interrupt> {
        const NAME: &str = WriteSamplerDescriptorMESAArgs::NAME;
        let device = self.device(args.device.id)?;
        device.check_sampler(args.p_sampler).map_err(|refusal| self.left_out_for(refusal))?;
        let needed = device.sampler_descriptor_bytes().map_err(|refusal| self.left_out_for(refusal))?;
        let written = with_room(NAME, args.p_data, needed, |data| {
            Ok(self.in_driver(|_| device.write_sampler_descriptor(args.p_sampler, data)))
        })?;
        Ok(self.result_of(written))
    }

    /// As for samplers.
    fn write_resource_descriptor_mesa(
        &mut self,
        args: &mut WriteResourceDescriptorMESAArgs<'_>,
    ) -> Result<vk::Result, Interrupt> {
        const NAME: &str = WriteResourceDescriptorMESAArgs::NAME;
        let device = self.device(args.device.id)?;
        self.check_known(&device, |known| images::check_described_view(known, args.p_resource))?;
        let needed = device.resource_descriptor_bytes().map_err(|refusal| self.left_out_for(refusal))?;
        let written = with_room(NAME, args.p_data, needed, |data| {
            Ok(self.in_driver(|_| device.write_resource_descriptor(args.p_resource, data)))
        })?;
        Ok(self.result_of(written))
    }

    fn create_descriptor_pool(&mut self, args: &mut CreateDescriptorPoolArgs<'_>) -> Result<vk::Result, Interrupt> {
        let result = self.forward(args)?;
        self.adopt_pool(args.device.id, result, &args.p_descriptor_pool)
    }

    /// Frees all sets of the pool and keeps the pool.
    fn reset_descriptor_pool(&mut self, args: &mut ResetDescriptorPoolArgs) -> Result<vk::Result, Interrupt> {
        self.shared.objects.remove_pooled(args.descriptor_pool.id);
        self.shared.objects.wait_for_others(&self.presence).map_err(|error| self.table_error(error))?;
        self.device(args.device.id)?.forget_sets_of(args.descriptor_pool.raw);
        self.forward(args)
    }

    fn allocate_descriptor_sets(&mut self, args: &mut AllocateDescriptorSetsArgs<'_>) -> Result<vk::Result, Interrupt> {
        let result = self.forward_known(args, |_, known, args| {
            sanitize::check_set_allocation(args.p_allocate_info)?;
            sets::check_allocation(known, args.p_allocate_info)
        })?;
        if result == vk::Result::SUCCESS {
            self.device(args.device.id)?.note_sets(args.p_descriptor_sets.raws, args.p_allocate_info);
        }
        let pool = vk::Handle::as_raw(args.p_allocate_info.descriptor_pool);
        let kind = vk::ObjectType::DESCRIPTOR_POOL;
        self.adopt_pooled(args.device.id, result, (kind, pool), &mut args.p_descriptor_sets)
    }

    fn free_descriptor_sets(&mut self, args: &mut FreeDescriptorSetsArgs<'_>) -> Result<vk::Result, Interrupt> {
        let pool = args.descriptor_pool;
        let aside = self.unregister_pooled(pool, args.descriptor_set_count, args.p_descriptor_sets)?;
        let device = self.device(args.device.id)?;
        for sets in [args.p_descriptor_sets.raws, &aside].into_iter().filter(|sets| is_work(pool.raw, sets)) {
            driver::destroy::free_descriptor_sets(&device, pool.raw, sets);
        }
        Ok(vk::Result::SUCCESS)
    }
}

/// Lengths that are said twice, and numbers of bindings.
fn check_layout(info: &vk::DescriptorSetLayoutCreateInfo<'_>) -> Result<(), Refusal> {
    sanitize::check_set_layout(info).and_then(|()| bounds::check_set_layout(info))
}
