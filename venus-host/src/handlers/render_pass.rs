//! Render passes and framebuffers.

use venus_protocol::{args::*, dispatch::RenderPassCommands, vk};

use super::{create, destroy, forward};
use crate::{driver::sanitize, endpoint::Endpoint, error::Interrupt};

impl RenderPassCommands for Endpoint {
    create! {
        create_framebuffer(CreateFramebufferArgs<'_>).p_framebuffer;
        create_render_pass2(CreateRenderPass2Args<'_>).p_render_pass;
    }

    destroy! {
        destroy_framebuffer(DestroyFramebufferArgs).framebuffer;
        destroy_render_pass(DestroyRenderPassArgs).render_pass;
    }

    forward! {
        get_render_area_granularity(GetRenderAreaGranularityArgs<'_>);
        get_rendering_area_granularity(GetRenderingAreaGranularityArgs<'_>);
    }

    fn create_render_pass(&mut self, args: &mut CreateRenderPassArgs<'_>) -> Result<vk::Result, Interrupt> {
        sanitize::check_render_pass(args.p_create_info).map_err(|refusal| self.left_out_for(refusal))?;
        let result = self.forward(args)?;
        self.adopt(args.device.id, result, &args.p_render_pass)
    }
}
