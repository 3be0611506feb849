//! Render passes and framebuffers.

use venus_protocol::{args::*, dispatch::RenderPassCommands, vk};

use super::{created, destroy, forward};
use crate::{
    driver::{bounds::passes, sanitize},
    endpoint::Endpoint,
    error::Interrupt,
};

impl RenderPassCommands for Endpoint {
    destroy! {
        destroy_framebuffer(DestroyFramebufferArgs).framebuffer;
        destroy_render_pass(DestroyRenderPassArgs).render_pass;
    }

    forward! {
        get_render_area_granularity(GetRenderAreaGranularityArgs<'_>);
        get_rendering_area_granularity(GetRenderingAreaGranularityArgs<'_>);
    }

    /// It has pixels, and not too many, and its attachments have as many.
    fn create_framebuffer(&mut self, args: &mut CreateFramebufferArgs<'_>) -> Result<vk::Result, Interrupt> {
        let device = self.device(args.device.id)?;
        device.check_framebuffer(args.p_create_info).map_err(|refusal| self.left_out_for(refusal))?;
        let result = self.forward_known(args, |_, known, args| passes::check_framebuffer(known, args.p_create_info))?;
        if let Some(framebuffer) = created(result, &args.p_framebuffer) {
            device.note_framebuffer(framebuffer, args.p_create_info);
        }
        self.adopt(args.device.id, result, &args.p_framebuffer)
    }

    /// Attachments and subpasses that it names by number are its own.
    fn create_render_pass(&mut self, args: &mut CreateRenderPassArgs<'_>) -> Result<vk::Result, Interrupt> {
        let checked = sanitize::check_render_pass(args.p_create_info);
        let device = self.device(args.device.id)?;
        let checked = checked.and_then(|()| device.check_render_pass(args.p_create_info));
        checked.map_err(|refusal| self.left_out_for(refusal))?;
        let result = self.forward(args)?;
        if let Some(pass) = created(result, &args.p_render_pass) {
            device.note_pass(pass, passes::pass(args.p_create_info));
        }
        self.adopt(args.device.id, result, &args.p_render_pass)
    }

    /// Attachments and subpasses that it names by number are its own, as in the older version.
    fn create_render_pass2(&mut self, args: &mut CreateRenderPass2Args<'_>) -> Result<vk::Result, Interrupt> {
        let device = self.device(args.device.id)?;
        device.check_render_pass2(args.p_create_info).map_err(|refusal| self.left_out_for(refusal))?;
        let result = self.forward(args)?;
        if let Some(pass) = created(result, &args.p_render_pass) {
            device.note_pass(pass, passes::pass2(args.p_create_info));
        }
        self.adopt(args.device.id, result, &args.p_render_pass)
    }
}
