//! Buffers and buffer views.

use venus_protocol::{args::*, dispatch::BufferCommands, vk, wire::NewHandles};

use super::{created, destroy, forward};
use crate::{
    driver::{
        bounds::{self, buffers},
        chain,
        external::BufferChain,
    },
    endpoint::Endpoint,
    error::Interrupt,
};

impl BufferCommands for Endpoint {
    destroy! {
        destroy_buffer(DestroyBufferArgs).buffer;
        destroy_buffer_view(DestroyBufferViewArgs).buffer_view;
    }

    forward! {
        get_buffer_memory_requirements(GetBufferMemoryRequirementsArgs<'_>);
        get_buffer_memory_requirements2(GetBufferMemoryRequirements2Args<'_>);
        get_buffer_device_address(GetBufferDeviceAddressArgs<'_>);
        get_buffer_opaque_capture_address(GetBufferOpaqueCaptureAddressArgs<'_>);
    }

    /// It fits into the memory.
    fn bind_buffer_memory(&mut self, args: &mut BindBufferMemoryArgs) -> Result<vk::Result, Interrupt> {
        let device = self.device(args.device.id)?;
        self.forward_known(args, |_, known, args| {
            device.check_buffer_bind(known, "memoryOffset", (args.buffer.raw, args.memory.raw, args.memory_offset))
        })
    }

    /// Each fits into its memory.
    fn bind_buffer_memory2(&mut self, args: &mut BindBufferMemory2Args<'_>) -> Result<vk::Result, Interrupt> {
        let device = self.device(args.device.id)?;
        self.forward_known(args, |_, known, args| device.check_buffer_binds(known, args.p_bind_infos))
    }

    /// A buffer that is only described is as one that is made.
    fn get_device_buffer_memory_requirements(
        &mut self,
        args: &mut GetDeviceBufferMemoryRequirementsArgs<'_>,
    ) -> Result<(), Interrupt> {
        bounds::check_described_buffer(args.p_info.p_create_info).map_err(|refusal| self.left_out_for(refusal))?;
        self.forward(args)
    }

    /// A view of nothing is none, and one of more than its buffer has may show anything.
    fn create_buffer_view(&mut self, args: &mut CreateBufferViewArgs<'_>) -> Result<vk::Result, Interrupt> {
        if args.p_create_info.range == 0 {
            return Err(self.invalid("pCreateInfo->range", "is 0"));
        }
        let result = self.forward_known(args, |_, known, args| buffers::check_view(known, args.p_create_info))?;
        self.adopt(args.device.id, result, &args.p_view)
    }

    /// A buffer for external memory is an ordinary one where the host cannot pass that kind of memory. One without bytes
    /// is none, and drivers differ in what they make of it.
    fn create_buffer(&mut self, args: &mut CreateBufferArgs<'_>) -> Result<vk::Result, Interrupt> {
        let info = args.p_create_info;
        let device = self.device(args.device.id)?;
        let checked = bounds::check_described_buffer(info);
        let checked = checked.and_then(|()| {
            device.check_sharing(info.sharing_mode, info.p_queue_family_indices, info.queue_family_index_count)
        });
        checked.map_err(|refusal| self.left_out_for(refusal))?;
        let result = if chain::find::<vk::ExternalMemoryBufferCreateInfo<'_>>(args.p_create_info).is_none() {
            self.forward(args)?
        } else {
            let mut nodes = BufferChain::of(args.p_create_info, device.physical());
            let info = nodes.link(args.p_create_info);
            let p_buffer = NewHandles { ids: &mut *args.p_buffer.ids, raws: &mut *args.p_buffer.raws };
            self.forward(&mut CreateBufferArgs { device: args.device, p_create_info: &info, p_buffer })?
        };
        if let Some(buffer) = created(result, &args.p_buffer) {
            device.note_buffer(buffer, args.p_create_info);
        }
        self.adopt(args.device.id, result, &args.p_buffer)
    }
}
