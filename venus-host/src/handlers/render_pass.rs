//! Render passes and framebuffers.

use venus_protocol::{args::*, dispatch::RenderPassCommands, vk};

use super::{create, destroy, forward};
use crate::context::Dispatcher;

impl RenderPassCommands for Dispatcher {
    create! {
        create_framebuffer(CreateFramebufferArgs<'_>).p_framebuffer;
        create_render_pass(CreateRenderPassArgs<'_>).p_render_pass;
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
}
