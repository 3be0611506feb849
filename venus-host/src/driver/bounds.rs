//! Numbers that drivers index their own tables by.
//!
//! Most drivers keep what a command says in arrays as long as the limits that they announce, or as what another member of
//! the same structure says, and write where they are told to: behind those arrays, if a guest wants that. Such numbers are
//! compared here where that takes nothing but the command and the limits. What would take more is in
//! `docs/validation.md`, with the reason.

use ash::vk;

use super::{Device, Refusal, chain, device::slice};
use crate::error::APPLICATION;

/// The highest number of a binding in a layout of descriptor sets. Vulkan has no limit, and drivers make tables from 0 to
/// the highest number, whose length must not wrap around.
const MOST_BINDINGS: u32 = 1 << 24;

/// The stages of pipelines that drivers have places for: VK_SHADER_STAGE_VERTEX_BIT to VK_SHADER_STAGE_CALLABLE_BIT_KHR.
const STAGES: u32 = 0x3fff;

/// What is wrong with `member`, which is the application's doing.
#[cold]
fn refusal(member: &'static str, reason: String) -> Refusal {
    Refusal { member, reason: reason.into(), advice: APPLICATION }
}

/// Fails unless `index` is one of `count` things.
fn below(member: &'static str, index: u32, count: u32) -> Result<(), Refusal> {
    if index < count { Ok(()) } else { Err(refusal(member, format!("is {index}, and there are {count}"))) }
}

/// As [`below`], for a number that may stand for none.
fn below_or(member: &'static str, none: u32, index: u32, count: u32) -> Result<(), Refusal> {
    if index == none { Ok(()) } else { below(member, index, count) }
}

/// Fails if there are more than `most`.
fn at_most(member: &'static str, count: u32, most: u32) -> Result<(), Refusal> {
    if count <= most { Ok(()) } else { Err(refusal(member, format!("is {count}, and the limit is {most}"))) }
}

/// Fails if a size is nothing, or more than `most`.
fn sized(member: &'static str, size: u32, most: u32) -> Result<(), Refusal> {
    if size == 0 { Err(refusal(member, "is 0".to_owned())) } else { at_most(member, size, most) }
}

/// Fails unless `count` of things, from the one called `first`, end before `most`.
fn span(member: &'static str, first: u32, count: u32, most: u32) -> Result<(), Refusal> {
    match first.checked_add(count) {
        Some(end) if end <= most => Ok(()),
        _ => Err(refusal(member, format!("{count} from {first} are more than the limit of {most}"))),
    }
}

/// What is read of a render pass, of either version.
struct Subpass<'a> {
    inputs: &'a [u32],
    colours: &'a [u32],
    others: &'a [u32],
    preserved: &'a [u32],
}

/// The attachments that a subpass uses are the pass's.
fn check_subpass(subpass: &Subpass<'_>, attachments: u32, most_colours: u32) -> Result<(), Refusal> {
    let colours = u32::try_from(subpass.colours.len()).unwrap_or(u32::MAX);
    at_most("pCreateInfo->pSubpasses[].colorAttachmentCount", colours, most_colours)?;
    for (member, indices) in [
        ("pCreateInfo->pSubpasses[].pInputAttachments[].attachment", subpass.inputs),
        ("pCreateInfo->pSubpasses[].pColorAttachments[].attachment", subpass.colours),
        ("pCreateInfo->pSubpasses[].attachment", subpass.others),
        ("pCreateInfo->pSubpasses[].pPreserveAttachments", subpass.preserved),
    ] {
        indices.iter().try_for_each(|index| below_or(member, vk::ATTACHMENT_UNUSED, *index, attachments))?;
    }
    Ok(())
}

/// The subpasses of a dependency are the pass's.
fn check_dependency(from: u32, to: u32, subpasses: u32) -> Result<(), Refusal> {
    below_or("pCreateInfo->pDependencies[].srcSubpass", vk::SUBPASS_EXTERNAL, from, subpasses)?;
    below_or("pCreateInfo->pDependencies[].dstSubpass", vk::SUBPASS_EXTERNAL, to, subpasses)
}

fn check_render_pass(info: &vk::RenderPassCreateInfo<'_>, most_colours: u32) -> Result<(), Refusal> {
    let index = |reference: &vk::AttachmentReference| reference.attachment;
    // SAFETY: (of all slices and references) counts and pointers belong together, and pointers are null or live as long as
    // `info`: the decoder made them.
    let subpasses = unsafe { slice(info.p_subpasses, info.subpass_count) };
    for subpass in subpasses {
        let count = subpass.color_attachment_count;
        // SAFETY: as above.
        let inputs = unsafe { slice(subpass.p_input_attachments, subpass.input_attachment_count) };
        // SAFETY: as above.
        let colours = unsafe { slice(subpass.p_color_attachments, count) };
        // SAFETY: as above.
        let resolves = unsafe { slice(subpass.p_resolve_attachments, count) };
        // SAFETY: as above.
        let depth = unsafe { slice(subpass.p_depth_stencil_attachment, 1) };
        // SAFETY: as above.
        let preserved = unsafe { slice(subpass.p_preserve_attachments, subpass.preserve_attachment_count) };
        let read = Subpass {
            inputs: &inputs.iter().map(index).collect::<Vec<_>>(),
            colours: &colours.iter().map(index).collect::<Vec<_>>(),
            others: &resolves.iter().chain(depth).map(index).collect::<Vec<_>>(),
            preserved,
        };
        check_subpass(&read, info.attachment_count, most_colours)?;
    }
    // SAFETY: as above.
    let dependencies = unsafe { slice(info.p_dependencies, info.dependency_count) };
    for dependency in dependencies {
        check_dependency(dependency.src_subpass, dependency.dst_subpass, info.subpass_count)?;
    }
    for aspects in chain::find_all::<vk::RenderPassInputAttachmentAspectCreateInfo<'_>>(info) {
        // SAFETY: as above.
        let aspects = unsafe { slice(aspects.p_aspect_references, aspects.aspect_reference_count) };
        for aspect in aspects {
            const SUBPASS: &str =
                "pCreateInfo->pNext<VkRenderPassInputAttachmentAspectCreateInfo>.pAspectReferences[].subpass";
            const INDEX: &str = "pCreateInfo->pNext<VkRenderPassInputAttachmentAspectCreateInfo>.pAspectReferences[].inputAttachmentIndex";
            below(SUBPASS, aspect.subpass, info.subpass_count)?;
            let subpass = usize::try_from(aspect.subpass).ok().and_then(|index| subpasses.get(index));
            let inputs = subpass.map_or(0, |subpass| subpass.input_attachment_count);
            below(INDEX, aspect.input_attachment_index, inputs)?;
        }
    }
    Ok(())
}

fn check_render_pass2(info: &vk::RenderPassCreateInfo2<'_>, most_colours: u32) -> Result<(), Refusal> {
    let index = |reference: &vk::AttachmentReference2<'_>| reference.attachment;
    // SAFETY: (of all slices and references) as in `check_render_pass`.
    let subpasses = unsafe { slice(info.p_subpasses, info.subpass_count) };
    for subpass in subpasses {
        let count = subpass.color_attachment_count;
        // SAFETY: as above.
        let inputs = unsafe { slice(subpass.p_input_attachments, subpass.input_attachment_count) };
        // SAFETY: as above.
        let colours = unsafe { slice(subpass.p_color_attachments, count) };
        // SAFETY: as above.
        let resolves = unsafe { slice(subpass.p_resolve_attachments, count) };
        // SAFETY: as above.
        let depth = unsafe { slice(subpass.p_depth_stencil_attachment, 1) };
        // SAFETY: as above.
        let preserved = unsafe { slice(subpass.p_preserve_attachments, subpass.preserve_attachment_count) };
        let depth_resolves = chain::find_all::<vk::SubpassDescriptionDepthStencilResolve<'_>>(subpass);
        // SAFETY: as above.
        let depth_resolves =
            depth_resolves.filter_map(|node| unsafe { node.p_depth_stencil_resolve_attachment.as_ref() });
        let read = Subpass {
            inputs: &inputs.iter().map(index).collect::<Vec<_>>(),
            colours: &colours.iter().map(index).collect::<Vec<_>>(),
            others: &resolves.iter().chain(depth).chain(depth_resolves).map(index).collect::<Vec<_>>(),
            preserved,
        };
        check_subpass(&read, info.attachment_count, most_colours)?;
    }
    // SAFETY: as above.
    let dependencies = unsafe { slice(info.p_dependencies, info.dependency_count) };
    dependencies
        .iter()
        .try_for_each(|dependency| check_dependency(dependency.src_subpass, dependency.dst_subpass, info.subpass_count))
}

fn check_framebuffer(info: &vk::FramebufferCreateInfo<'_>, limits: &vk::PhysicalDeviceLimits) -> Result<(), Refusal> {
    sized("pCreateInfo->width", info.width, limits.max_framebuffer_width)?;
    sized("pCreateInfo->height", info.height, limits.max_framebuffer_height)?;
    sized("pCreateInfo->layers", info.layers, limits.max_framebuffer_layers)
}

/// An image has texels, and no more levels than halving its size gives.
pub(crate) fn check_image(info: &vk::ImageCreateInfo<'_>) -> Result<(), Refusal> {
    let vk::Extent3D { width, height, depth } = info.extent;
    for (member, size) in [
        ("pCreateInfo->extent.width", width),
        ("pCreateInfo->extent.height", height),
        ("pCreateInfo->extent.depth", depth),
        ("pCreateInfo->arrayLayers", info.array_layers),
    ] {
        sized(member, size, u32::MAX)?;
    }
    let levels = width.max(height).max(depth).ilog2().saturating_add(1);
    sized("pCreateInfo->mipLevels", info.mip_levels, levels)
}

fn check_pipeline_layout(
    info: &vk::PipelineLayoutCreateInfo<'_>,
    limits: &vk::PhysicalDeviceLimits,
) -> Result<(), Refusal> {
    at_most("pCreateInfo->setLayoutCount", info.set_layout_count, limits.max_bound_descriptor_sets)?;
    // SAFETY: count and pointer belong together and live as long as `info`: the decoder made them.
    let ranges = unsafe { slice(info.p_push_constant_ranges, info.push_constant_range_count) };
    ranges.iter().try_for_each(|range| {
        let member = "pCreateInfo->pPushConstantRanges[].size";
        span(member, range.offset, range.size, limits.max_push_constants_size)
    })
}

/// Bindings whose numbers a table can have.
pub(crate) fn check_set_layout(info: &vk::DescriptorSetLayoutCreateInfo<'_>) -> Result<(), Refusal> {
    // SAFETY: count and pointer belong together and live as long as `info`: the decoder made them.
    let bindings = unsafe { slice(info.p_bindings, info.binding_count) };
    bindings.iter().try_for_each(|each| at_most("pCreateInfo->pBindings[].binding", each.binding, MOST_BINDINGS))
}

fn check_vertex_input(
    info: &vk::PipelineVertexInputStateCreateInfo<'_>,
    limits: &vk::PhysicalDeviceLimits,
) -> Result<(), Refusal> {
    let (bindings, attributes) = (limits.max_vertex_input_bindings, limits.max_vertex_input_attributes);
    let member = "pCreateInfos[].pVertexInputState->vertexBindingDescriptionCount";
    at_most(member, info.vertex_binding_description_count, bindings)?;
    let member = "pCreateInfos[].pVertexInputState->vertexAttributeDescriptionCount";
    at_most(member, info.vertex_attribute_description_count, attributes)?;
    // SAFETY: counts and pointers belong together and live as long as `info`: the decoder made them.
    let described = unsafe { slice(info.p_vertex_binding_descriptions, info.vertex_binding_description_count) };
    for each in described {
        below("pCreateInfos[].pVertexInputState->pVertexBindingDescriptions[].binding", each.binding, bindings)?;
    }
    // SAFETY: as above.
    let described = unsafe { slice(info.p_vertex_attribute_descriptions, info.vertex_attribute_description_count) };
    for each in described {
        const LOCATION: &str = "pCreateInfos[].pVertexInputState->pVertexAttributeDescriptions[].location";
        const BINDING: &str = "pCreateInfos[].pVertexInputState->pVertexAttributeDescriptions[].binding";
        below(LOCATION, each.location, attributes)?;
        below(BINDING, each.binding, bindings)?;
    }
    Ok(())
}

/// Each stage is one, and one that there are places for.
fn check_stages(stages: &[vk::PipelineShaderStageCreateInfo<'_>]) -> Result<(), Refusal> {
    stages.iter().map(|stage| stage.stage.as_raw()).try_for_each(|bits| {
        if bits.is_power_of_two() && bits & STAGES != 0 {
            return Ok(());
        }
        Err(refusal("pCreateInfos[].pStages[].stage", format!("is {bits:#x}, which is no stage")))
    })
}

fn check_graphics(info: &vk::GraphicsPipelineCreateInfo<'_>, limits: &vk::PhysicalDeviceLimits) -> Result<(), Refusal> {
    // SAFETY: (of all slices and references) counts and pointers belong together, and pointers are null or live as long as
    // `info`: the decoder made them.
    check_stages(unsafe { slice(info.p_stages, info.stage_count) })?;
    // SAFETY: as above.
    if let Some(input) = unsafe { info.p_vertex_input_state.as_ref() } {
        check_vertex_input(input, limits)?;
    }
    // SAFETY: as above.
    if let Some(viewports) = unsafe { info.p_viewport_state.as_ref() } {
        let most = limits.max_viewports;
        at_most("pCreateInfos[].pViewportState->viewportCount", viewports.viewport_count, most)?;
        at_most("pCreateInfos[].pViewportState->scissorCount", viewports.scissor_count, most)?;
    }
    let most = limits.max_color_attachments;
    // SAFETY: as above.
    if let Some(blend) = unsafe { info.p_color_blend_state.as_ref() } {
        at_most("pCreateInfos[].pColorBlendState->attachmentCount", blend.attachment_count, most)?;
    }
    chain::find_all::<vk::PipelineRenderingCreateInfo<'_>>(info).try_for_each(|rendering| {
        let member = "pCreateInfos[].pNext<VkPipelineRenderingCreateInfo>.colorAttachmentCount";
        at_most(member, rendering.color_attachment_count, most)
    })
}

impl Device {
    fn limits(&self) -> &vk::PhysicalDeviceLimits {
        &self.physical().properties().limits
    }

    /// What a render pass names is its own.
    pub(crate) fn check_render_pass(&self, info: &vk::RenderPassCreateInfo<'_>) -> Result<(), Refusal> {
        check_render_pass(info, self.limits().max_color_attachments)
    }

    /// The same, for the newer version of the command.
    pub(crate) fn check_render_pass2(&self, info: &vk::RenderPassCreateInfo2<'_>) -> Result<(), Refusal> {
        check_render_pass2(info, self.limits().max_color_attachments)
    }

    /// A framebuffer has pixels, and not too many.
    pub(crate) fn check_framebuffer(&self, info: &vk::FramebufferCreateInfo<'_>) -> Result<(), Refusal> {
        check_framebuffer(info, self.limits())
    }

    /// There is room for the sets and push constants of a pipeline layout.
    pub(crate) fn check_pipeline_layout(&self, info: &vk::PipelineLayoutCreateInfo<'_>) -> Result<(), Refusal> {
        check_pipeline_layout(info, self.limits())
    }

    /// There is room for what graphics pipelines are described by.
    pub(crate) fn check_graphics_bounds(&self, infos: &[vk::GraphicsPipelineCreateInfo<'_>]) -> Result<(), Refusal> {
        infos.iter().try_for_each(|info| check_graphics(info, self.limits()))
    }

    /// The queue family that command buffers are to be for is one.
    pub(crate) fn check_family(&self, member: &'static str, family: u32) -> Result<(), Refusal> {
        below(member, family, u32::try_from(self.physical().queue_families().len()).unwrap_or(u32::MAX))
    }
}

/// The stages of compute pipelines.
pub(crate) fn check_compute(infos: &[vk::ComputePipelineCreateInfo<'_>]) -> Result<(), Refusal> {
    infos.iter().try_for_each(|info| check_stages(std::slice::from_ref(&info.stage)))
}

/// The stages of ray tracing pipelines, and the shaders of their groups.
pub(crate) fn check_ray_tracing(infos: &[vk::RayTracingPipelineCreateInfoKHR<'_>]) -> Result<(), Refusal> {
    infos.iter().try_for_each(|info| {
        // SAFETY: counts and pointers belong together and live as long as `info`: the decoder made them.
        check_stages(unsafe { slice(info.p_stages, info.stage_count) })?;
        // SAFETY: null or made by the decoder, by this room's contract.
        let libraries = unsafe { info.p_library_info.as_ref() };
        if libraries.is_some_and(|libraries| libraries.library_count != 0) {
            // Groups may name shaders of the libraries, too.
            return Ok(());
        }
        // SAFETY: as above.
        let groups = unsafe { slice(info.p_groups, info.group_count) };
        groups.iter().try_for_each(|group| check_group(group, info.stage_count))
    })
}

/// The shaders that a group has are the pipeline's.
fn check_group(group: &vk::RayTracingShaderGroupCreateInfoKHR<'_>, stages: u32) -> Result<(), Refusal> {
    if group.ty == vk::RayTracingShaderGroupTypeKHR::GENERAL {
        return below("pCreateInfos[].pGroups[].generalShader", group.general_shader, stages);
    }
    if group.ty == vk::RayTracingShaderGroupTypeKHR::PROCEDURAL_HIT_GROUP {
        below("pCreateInfos[].pGroups[].intersectionShader", group.intersection_shader, stages)?;
    }
    let none = vk::SHADER_UNUSED_KHR;
    below_or("pCreateInfos[].pGroups[].closestHitShader", none, group.closest_hit_shader, stages)?;
    below_or("pCreateInfos[].pGroups[].anyHitShader", none, group.any_hit_shader, stages)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_do_not_wrap_around() {
        let check = |first, count| span("size", first, count, 256).is_ok();
        assert!(check(0, 256) && check(255, 1) && check(256, 0));
        assert!(!check(256, 1) && !check(0, 257) && !check(u32::MAX, 1) && !check(1, u32::MAX));
    }

    #[test]
    fn images_have_as_many_levels_as_sizes() {
        let check = |width, height, mip_levels| {
            let extent = vk::Extent3D { width, height, depth: 1 };
            check_image(&vk::ImageCreateInfo { extent, mip_levels, array_layers: 1, ..Default::default() }).is_ok()
        };
        assert!(check(1, 1, 1) && check(2, 1, 2) && check(1, 16_384, 15) && check(5, 3, 3));
        assert!(!check(1, 1, 2) && !check(0, 1, 1) && !check(4, 4, 0) && !check(5, 3, 4));
        assert!(check(u32::MAX, 1, 32) && !check(u32::MAX, 1, 33));
    }

    #[test]
    fn attachments_are_the_render_passs() {
        let check = |attachment, preserved: u32| {
            let (colours, depth) =
                ([vk::AttachmentReference { attachment, ..Default::default() }; 2], Default::default());
            let preserved = [preserved];
            let subpass = vk::SubpassDescription::default()
                .color_attachments(&colours)
                .depth_stencil_attachment(&depth)
                .preserve_attachments(&preserved);
            let (subpasses, attachments) = ([subpass], [vk::AttachmentDescription::default(); 3]);
            let info = vk::RenderPassCreateInfo::default().subpasses(&subpasses).attachments(&attachments);
            check_render_pass(&info, 2).map_err(|refusal| refusal.member)
        };
        assert_eq!(check(2, 0), Ok(()));
        assert_eq!(check(vk::ATTACHMENT_UNUSED, 2), Ok(()));
        assert_eq!(check(3, 0), Err("pCreateInfo->pSubpasses[].pColorAttachments[].attachment"));
        assert_eq!(check(0, 3), Err("pCreateInfo->pSubpasses[].pPreserveAttachments"));
    }

    #[test]
    fn a_stage_is_one() {
        let check = |bits| {
            let stage = vk::ShaderStageFlags::from_raw(bits);
            check_stages(&[vk::PipelineShaderStageCreateInfo { stage, ..Default::default() }]).is_ok()
        };
        assert!((0..14).all(|bit| check(1 << bit)));
        assert!(!check(0) && !check(3) && !check(0x4000) && !check(1 << 31));
    }
}
