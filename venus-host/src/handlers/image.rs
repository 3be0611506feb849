//! Images and image views, and copying them on the host.

use venus_protocol::{args::*, dispatch::ImageCommands, vk, wire::NewHandles};

use super::{created, destroy, forward};
use crate::{
    driver::{
        bounds::{self, images},
        chain,
        external::ImageChain,
    },
    endpoint::Endpoint,
    error::Interrupt,
};

impl ImageCommands for Endpoint {
    destroy! {
        destroy_image(DestroyImageArgs).image;
        destroy_image_view(DestroyImageViewArgs).image_view;
    }

    forward! {
        get_image_sparse_memory_requirements(GetImageSparseMemoryRequirementsArgs<'_>);
        get_image_sparse_memory_requirements2(GetImageSparseMemoryRequirements2Args<'_>);
        get_image_drm_format_modifier_properties_ext(GetImageDrmFormatModifierPropertiesEXTArgs<'_>);
    }

    /// An image for external memory is an ordinary one where the host cannot pass that kind of memory. One without texels is
    /// none.
    fn create_image(&mut self, args: &mut CreateImageArgs<'_>) -> Result<vk::Result, Interrupt> {
        let device = self.device(args.device.id)?;
        let checked = bounds::check_image(args.p_create_info);
        let checked = checked.and_then(|()| device.check_image_made_again(args.p_create_info));
        let (info, count) = (args.p_create_info, args.p_create_info.queue_family_index_count);
        let checked =
            checked.and_then(|()| device.check_sharing(info.sharing_mode, info.p_queue_family_indices, count));
        checked.map_err(|refusal| self.left_out_for(refusal))?;
        let result = if chain::find::<vk::ExternalMemoryImageCreateInfo<'_>>(args.p_create_info).is_none() {
            self.forward(args)?
        } else {
            let mut nodes = ImageChain::of(args.p_create_info, device.physical());
            let info = nodes.link(args.p_create_info);
            let p_image = NewHandles { ids: &mut *args.p_image.ids, raws: &mut *args.p_image.raws };
            self.forward(&mut CreateImageArgs { device: args.device, p_create_info: &info, p_image })?
        };
        if let Some(image) = created(result, &args.p_image) {
            device.note_tiling(image, args.p_create_info.tiling);
            device.note_image(image, args.p_create_info);
        }
        self.adopt(args.device.id, result, &args.p_image)
    }

    /// It fits into the memory.
    fn bind_image_memory(&mut self, args: &mut BindImageMemoryArgs) -> Result<vk::Result, Interrupt> {
        let device = self.device(args.device.id)?;
        self.forward_known(args, |_, known, args| {
            let bound = (args.image.raw, args.memory.raw, args.memory_offset);
            device.check_image_bind(known, "memoryOffset", bound, None)
        })
    }

    /// Each, or each plane, fits into its memory.
    fn bind_image_memory2(&mut self, args: &mut BindImageMemory2Args<'_>) -> Result<vk::Result, Interrupt> {
        let device = self.device(args.device.id)?;
        self.forward_known(args, |_, known, args| device.check_image_binds(known, args.p_bind_infos))
    }

    /// It shows levels and layers that the image has, as texels of the image's size.
    fn create_image_view(&mut self, args: &mut CreateImageViewArgs<'_>) -> Result<vk::Result, Interrupt> {
        let result = self.forward_known(args, |_, known, args| images::check_view(known, args.p_create_info))?;
        if let Some(view) = created(result, &args.p_view) {
            self.device(args.device.id)?.note_view(view, args.p_create_info);
        }
        self.adopt(args.device.id, result, &args.p_view)
    }

    /// Drivers index tables by the level.
    fn get_image_subresource_layout(&mut self, args: &mut GetImageSubresourceLayoutArgs<'_>) -> Result<(), Interrupt> {
        self.forward_known(args, |_, known, args| {
            let members = ["pSubresource->mipLevel", "pSubresource->arrayLayer"];
            images::check_subresource(members, known.image(args.image.raw), args.p_subresource)
        })
    }

    /// As above.
    fn get_image_subresource_layout2(
        &mut self,
        args: &mut GetImageSubresourceLayout2Args<'_>,
    ) -> Result<(), Interrupt> {
        self.forward_known(args, |_, known, args| {
            let members = ["pSubresource->imageSubresource.mipLevel", "pSubresource->imageSubresource.arrayLayer"];
            images::check_subresource(members, known.image(args.image.raw), &args.p_subresource.image_subresource)
        })
    }

    /// What is copied is inside of both images.
    fn copy_image_to_image(&mut self, args: &mut CopyImageToImageArgs<'_>) -> Result<vk::Result, Interrupt> {
        self.forward_known(args, |_, known, args| images::check_host_copy(known, args.p_copy_image_to_image_info))
    }

    /// Levels and layers are the images'.
    fn transition_image_layout(&mut self, args: &mut TransitionImageLayoutArgs<'_>) -> Result<vk::Result, Interrupt> {
        self.forward_known(args, |_, known, args| images::check_transitions(known, args.p_transitions))
    }

    fn get_image_memory_requirements(
        &mut self,
        args: &mut GetImageMemoryRequirementsArgs<'_>,
    ) -> Result<(), Interrupt> {
        self.forward(args)?;
        self.device(args.device.id)?.narrow_types_of(args.image.raw, args.p_memory_requirements);
        Ok(())
    }

    fn get_image_memory_requirements2(
        &mut self,
        args: &mut GetImageMemoryRequirements2Args<'_>,
    ) -> Result<(), Interrupt> {
        self.forward(args)?;
        let needs = &mut args.p_memory_requirements.memory_requirements;
        self.device(args.device.id)?.narrow_types_of(args.p_info.image, needs);
        Ok(())
    }

    fn get_device_image_memory_requirements(
        &mut self,
        args: &mut GetDeviceImageMemoryRequirementsArgs<'_>,
    ) -> Result<(), Interrupt> {
        let device = self.device(args.device.id)?;
        device.check_described_image(args.p_info.p_create_info).map_err(|refusal| self.left_out_for(refusal))?;
        self.forward(args)?;
        device.narrow_types_for(args.p_info, &mut args.p_memory_requirements.memory_requirements);
        Ok(())
    }

    /// An image that is only described is as one that is made.
    fn get_device_image_sparse_memory_requirements(
        &mut self,
        args: &mut GetDeviceImageSparseMemoryRequirementsArgs<'_>,
    ) -> Result<(), Interrupt> {
        let device = self.device(args.device.id)?;
        device.check_described_image(args.p_info.p_create_info).map_err(|refusal| self.left_out_for(refusal))?;
        self.forward(args)
    }

    /// As above.
    fn get_device_image_subresource_layout(
        &mut self,
        args: &mut GetDeviceImageSubresourceLayoutArgs<'_>,
    ) -> Result<(), Interrupt> {
        let device = self.device(args.device.id)?;
        device.check_described_subresource(args.p_info).map_err(|refusal| self.left_out_for(refusal))?;
        self.forward(args)
    }

    /// Drivers write as much as they always do, into whatever room there is.
    fn get_image_opaque_capture_data_ext(
        &mut self,
        args: &mut GetImageOpaqueCaptureDataEXTArgs<'_>,
    ) -> Result<vk::Result, Interrupt> {
        let device = self.device(args.device.id)?;
        device.check_capture_room(args.p_datas).map_err(|refusal| self.left_out_for(refusal))?;
        self.forward(args)
    }

    /// The pixels travel in the reply.
    fn copy_image_to_memory_mesa(&mut self, args: &mut CopyImageToMemoryMESAArgs<'_>) -> Result<vk::Result, Interrupt> {
        let device = self.device(args.device.id)?;
        self.check_known(&device, |known| images::check_to_memory(known, args.p_copy_image_to_memory_info))?;
        let outcome = self.in_driver(|_| device.copy_image_to_memory(args.p_copy_image_to_memory_info, args.p_data));
        Ok(self.result_of(outcome))
    }

    /// The pixels travel in the command.
    fn copy_memory_to_image_mesa(&mut self, args: &mut CopyMemoryToImageMESAArgs<'_>) -> Result<vk::Result, Interrupt> {
        let device = self.device(args.device.id)?;
        self.check_known(&device, |known| images::check_from_memory(known, args.p_copy_memory_to_image_info))?;
        let outcome = self.in_driver(|_| device.copy_memory_to_image(args.p_copy_memory_to_image_info));
        Ok(self.result_of(outcome))
    }
}
