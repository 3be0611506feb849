//! Numbers that drivers index their own tables by.
//!
//! Most drivers keep what a command says in arrays as long as the limits that they announce, or as what another member of
//! the same structure says, and write where they are told to: behind those arrays, if a guest wants that. Such numbers are
//! compared here where that takes nothing but the command, the limits, and what little is kept of other objects: how many
//! queries a pool has, how many bytes a buffer, the shape of an image, the layout of a descriptor set, and more of that kind
//! (`made.rs`). What would take more is in `docs/validation.md`, with the reason.

mod binds;
pub(crate) mod buffers;
pub(crate) mod images;
pub(crate) mod passes;
pub(crate) mod pipelines;
mod recording;
pub(crate) mod sets;

use std::ptr::NonNull;

use ash::vk;
use venus_protocol::args::CreateGraphicsPipelinesArgs;

pub(crate) use self::recording::Room;
use super::{Device, Refusal, chain, device::slice, format};
use crate::error::APPLICATION;

/// The highest number of a binding in a layout of descriptor sets. Vulkan has no limit, and drivers make tables from 0 to
/// the highest number. Up to here neither the length of one wraps around in 32 bits, nor its bytes where an entry has
/// less than 256. It is not there to save memory: a table of that length may still take gigabytes, of the guest's process.
const MOST_BINDINGS: u32 = 1 << 24;

/// The stages that drivers have places for in pipelines of each kind. For graphics those of vertices to fragments, task and
/// mesh.
const GRAPHICS_STAGES: u32 = 0x1f | 0xc0;
const COMPUTE_STAGES: u32 = vk::ShaderStageFlags::COMPUTE.as_raw();
/// VK_SHADER_STAGE_RAYGEN_BIT_KHR to VK_SHADER_STAGE_CALLABLE_BIT_KHR.
const RAY_TRACING_STAGES: u32 = 0x3f00;
/// Stages that take the place of what reads vertices.
const MESH_STAGES: u32 = 0xc0;

/// What is wrong with `member`, which is the application's doing.
#[cold]
fn refusal(member: &'static str, reason: String) -> Refusal {
    Refusal { member, reason: reason.into(), advice: APPLICATION }
}

/// Fails unless `index` is one of `count` things.
#[inline]
pub(crate) fn below(member: &'static str, index: u32, count: u32) -> Result<(), Refusal> {
    if index < count { Ok(()) } else { Err(refusal(member, format!("is {index}, and there are {count}"))) }
}

/// As [`below`], for a number that may stand for none.
fn below_or(member: &'static str, none: u32, index: u32, count: u32) -> Result<(), Refusal> {
    if index == none { Ok(()) } else { below(member, index, count) }
}

/// Fails unless a number with a name is one of those from 0 to `last`.
#[inline]
pub(crate) fn up_to(member: &'static str, number: i32, last: i32) -> Result<(), Refusal> {
    if (0..=last).contains(&number) { Ok(()) } else { Err(no_name(member, number)) }
}

/// A number has no name.
#[cold]
pub(super) fn no_name(member: &'static str, number: i32) -> Refusal {
    refusal(member, format!("is {number}, which is none"))
}

/// Fails if there are more than `most`.
fn at_most(member: &'static str, count: u32, most: u32) -> Result<(), Refusal> {
    if count <= most { Ok(()) } else { Err(refusal(member, format!("is {count}, and the limit is {most}"))) }
}

/// Fails if a size is nothing, or more than `most`.
fn sized(member: &'static str, size: u32, most: u32) -> Result<(), Refusal> {
    if size == 0 { Err(refusal(member, "is 0".to_owned())) } else { at_most(member, size, most) }
}

/// Fails unless `count` of things, from the one called `first`, end before `most`. No things may begin at `most`, too.
#[inline]
pub(crate) fn span(member: &'static str, first: u32, count: u32, most: u32) -> Result<(), Refusal> {
    match first.checked_add(count) {
        Some(end) if end <= most => Ok(()),
        _ => Err(refusal(member, format!("{count} from {first} are more than the limit of {most}"))),
    }
}

/// The attachments that a subpass of either version names: the members, and what they are.
macro_rules! named_attachments {
    ($subpass:expr) => {{
        let (subpass, colours) = ($subpass, $subpass.color_attachment_count);
        [
            (
                "pCreateInfo->pSubpasses[].pInputAttachments[].attachment",
                // SAFETY: (of all) counts and pointers belong together, and pointers are null or live as long as the
                // subpass: the decoder made them.
                unsafe { slice(subpass.p_input_attachments, subpass.input_attachment_count) },
            ),
            (
                "pCreateInfo->pSubpasses[].pResolveAttachments[].attachment",
                // SAFETY: as above.
                unsafe { slice(subpass.p_resolve_attachments, colours) },
            ),
            (
                "pCreateInfo->pSubpasses[].pColorAttachments[].attachment",
                // SAFETY: as above.
                unsafe { slice(subpass.p_color_attachments, colours) },
            ),
            (
                "pCreateInfo->pSubpasses[].pDepthStencilAttachment->attachment",
                // SAFETY: as above.
                unsafe { slice(subpass.p_depth_stencil_attachment, 1) },
            ),
        ]
    }};
}

use named_attachments;

/// The attachments that a subpass preserves are the pass's.
fn check_preserved(preserved: &[u32], attachments: u32) -> Result<(), Refusal> {
    preserved
        .iter()
        .try_for_each(|index| below("pCreateInfo->pSubpasses[].pPreserveAttachments[]", *index, attachments))
}

/// The subpasses of a dependency are the pass's.
fn check_dependency(from: u32, to: u32, subpasses: u32) -> Result<(), Refusal> {
    below_or("pCreateInfo->pDependencies[].srcSubpass", vk::SUBPASS_EXTERNAL, from, subpasses)?;
    below_or("pCreateInfo->pDependencies[].dstSubpass", vk::SUBPASS_EXTERNAL, to, subpasses)
}

/// What both versions of render passes say of attachments.
const FORMAT: &str = "pCreateInfo->pAttachments[].format";

/// What both versions of render passes say of colour attachments.
const COLOURS: &str = "pCreateInfo->pSubpasses[].colorAttachmentCount";

fn check_render_pass(info: &vk::RenderPassCreateInfo<'_>, most_colours: u32) -> Result<(), Refusal> {
    // SAFETY: (of all slices) counts and pointers belong together, and pointers are null or live as long as `info`: the
    // decoder made them.
    let attachments = unsafe { slice(info.p_attachments, info.attachment_count) };
    attachments.iter().try_for_each(|each| format::check(FORMAT, each.format))?;
    // SAFETY: as above.
    let subpasses = unsafe { slice(info.p_subpasses, info.subpass_count) };
    for subpass in subpasses {
        at_most(COLOURS, subpass.color_attachment_count, most_colours)?;
        for (member, references) in named_attachments!(subpass) {
            for each in references {
                below_or(member, vk::ATTACHMENT_UNUSED, each.attachment, info.attachment_count)?;
            }
        }
        // SAFETY: as above.
        let preserved = unsafe { slice(subpass.p_preserve_attachments, subpass.preserve_attachment_count) };
        check_preserved(preserved, info.attachment_count)?;
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
    const RESOLVED: &str = "pCreateInfo->pSubpasses[].pNext<VkSubpassDescriptionDepthStencilResolve>.pDepthStencilResolveAttachment->attachment";
    const SHADING_RATE: &str = "pCreateInfo->pSubpasses[].pNext<VkFragmentShadingRateAttachmentInfoKHR>.pFragmentShadingRateAttachment->attachment";
    let check = |member, reference: &vk::AttachmentReference2<'_>| {
        below_or(member, vk::ATTACHMENT_UNUSED, reference.attachment, info.attachment_count)
    };
    // SAFETY: (of all slices and references) as in `check_render_pass`.
    let attachments = unsafe { slice(info.p_attachments, info.attachment_count) };
    attachments.iter().try_for_each(|each| format::check(FORMAT, each.format))?;
    // SAFETY: as above.
    let subpasses = unsafe { slice(info.p_subpasses, info.subpass_count) };
    for subpass in subpasses {
        at_most(COLOURS, subpass.color_attachment_count, most_colours)?;
        for (member, references) in named_attachments!(subpass) {
            references.iter().try_for_each(|each| check(member, each))?;
        }
        for node in chain::find_all::<vk::SubpassDescriptionDepthStencilResolve<'_>>(subpass) {
            // SAFETY: as above.
            let resolved = unsafe { node.p_depth_stencil_resolve_attachment.as_ref() };
            resolved.map_or(Ok(()), |each| check(RESOLVED, each))?;
        }
        for node in chain::find_all::<vk::FragmentShadingRateAttachmentInfoKHR<'_>>(subpass) {
            // SAFETY: as above.
            let rate = unsafe { node.p_fragment_shading_rate_attachment.as_ref() };
            rate.map_or(Ok(()), |each| check(SHADING_RATE, each))?;
        }
        // SAFETY: as above.
        let preserved = unsafe { slice(subpass.p_preserve_attachments, subpass.preserve_attachment_count) };
        check_preserved(preserved, info.attachment_count)?;
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

/// A buffer has bytes.
fn check_buffer(info: &vk::BufferCreateInfo<'_>) -> Result<(), Refusal> {
    if info.size == 0 { Err(refusal("pCreateInfo->size", "is 0".to_owned())) } else { Ok(()) }
}

/// A buffer has bytes, if there is one.
pub(crate) fn check_described_buffer(info: *const vk::BufferCreateInfo<'_>) -> Result<(), Refusal> {
    // SAFETY: null or made by the decoder, by this room's contract.
    unsafe { info.as_ref() }.map_or(Ok(()), check_buffer)
}

/// An image has texels, and no more levels than halving its size gives.
pub(crate) fn check_image(info: &vk::ImageCreateInfo<'_>) -> Result<(), Refusal> {
    format::check("pCreateInfo->format", info.format)?;
    let vk::Extent3D { width, height, depth } = info.extent;
    for (member, size) in [
        ("pCreateInfo->extent.width", width),
        ("pCreateInfo->extent.height", height),
        ("pCreateInfo->extent.depth", depth),
        ("pCreateInfo->arrayLayers", info.array_layers),
    ] {
        sized(member, size, u32::MAX)?;
    }
    let flat =
        |member, size| if size == 1 { Ok(()) } else { Err(refusal(member, format!("is {size}, and has to be 1"))) };
    match info.image_type {
        vk::ImageType::TYPE_1D => {
            flat("pCreateInfo->extent.height", height)?;
            flat("pCreateInfo->extent.depth", depth)?;
        }
        vk::ImageType::TYPE_2D => flat("pCreateInfo->extent.depth", depth)?,
        vk::ImageType::TYPE_3D => flat("pCreateInfo->arrayLayers", info.array_layers)?,
        other => return Err(refusal("pCreateInfo->imageType", format!("is {}, which is none", other.as_raw()))),
    }
    let is_cube = info.flags.contains(vk::ImageCreateFlags::CUBE_COMPATIBLE);
    if is_cube && (width != height || info.array_layers < 6) {
        let reason = format!("{width} x {height} texels and {} layers are no cube", info.array_layers);
        return Err(refusal("pCreateInfo->flags", reason));
    }
    check_samples(info)?;
    let levels = width.max(height).max(depth).ilog2().saturating_add(1);
    sized("pCreateInfo->mipLevels", info.mip_levels, levels)
}

/// Samples are a power of two, and several are those of images without levels or depth, which are not rows of texels.
fn check_samples(info: &vk::ImageCreateInfo<'_>) -> Result<(), Refusal> {
    const MEMBER: &str = "pCreateInfo->samples";
    let samples = info.samples.as_raw();
    if !samples.is_power_of_two() || samples > vk::SampleCountFlags::TYPE_64.as_raw() {
        return Err(refusal(MEMBER, format!("is {samples}, which is no number of samples")));
    }
    let may_be_several = info.image_type == vk::ImageType::TYPE_2D
        && info.mip_levels == 1
        && info.tiling != vk::ImageTiling::LINEAR
        && !info.flags.contains(vk::ImageCreateFlags::CUBE_COMPATIBLE);
    if samples == 1 || may_be_several {
        return Ok(());
    }
    Err(refusal(MEMBER, format!("is {samples}, of an image that can have only one")))
}

/// Bindings whose numbers a table can have.
pub(crate) fn check_set_layout(info: &vk::DescriptorSetLayoutCreateInfo<'_>) -> Result<(), Refusal> {
    // SAFETY: count and pointer belong together and live as long as `info`: the decoder made them.
    let bindings = unsafe { slice(info.p_bindings, info.binding_count) };
    bindings.iter().try_for_each(|each| at_most("pCreateInfo->pBindings[].binding", each.binding, MOST_BINDINGS))?;
    sets::check_layout(info)
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
        format::check("pCreateInfos[].pVertexInputState->pVertexAttributeDescriptions[].format", each.format)?;
    }
    chain::find_all::<vk::PipelineVertexInputDivisorStateCreateInfoKHR<'_>>(info).try_for_each(|divisors| {
        const MEMBER: &str = "pCreateInfos[].pVertexInputState->pNext<VkPipelineVertexInputDivisorStateCreateInfo>.pVertexBindingDivisors[].binding";
        // SAFETY: as above.
        let divisors = unsafe { slice(divisors.p_vertex_binding_divisors, divisors.vertex_binding_divisor_count) };
        divisors.iter().try_for_each(|each| below(MEMBER, each.binding, bindings))
    })
}

/// A patch has points, and not too many.
fn check_tessellation(
    info: &vk::GraphicsPipelineCreateInfo<'_>,
    stages: u32,
    limits: &vk::PhysicalDeviceLimits,
) -> Result<(), Refusal> {
    const MEMBER: &str = "pCreateInfos[].pTessellationState->patchControlPoints";
    let is_used = stages & vk::ShaderStageFlags::TESSELLATION_EVALUATION.as_raw() != 0
        && !dynamic_states(info).contains(&vk::DynamicState::PATCH_CONTROL_POINTS_EXT);
    // SAFETY: null or made by the decoder, by this room's contract.
    let state = unsafe { info.p_tessellation_state.as_ref() }.filter(|_| is_used);
    state.map_or(Ok(()), |state| sized(MEMBER, state.patch_control_points, limits.max_tessellation_patch_size))
}

/// What a pipeline says of colour attachments beside how they are blended is about no more than there can be.
fn check_colours(info: &vk::GraphicsPipelineCreateInfo<'_>, room: Room) -> Result<(), Refusal> {
    const WRITTEN: &str = "pCreateInfos[].pColorBlendState->pNext<VkPipelineColorWriteCreateInfoEXT>.attachmentCount";
    const LOCATED: [&str; 2] = [
        "pCreateInfos[].pNext<VkRenderingAttachmentLocationInfo>.colorAttachmentCount",
        "pCreateInfos[].pNext<VkRenderingAttachmentLocationInfo>.pColorAttachmentLocations[]",
    ];
    const READ: &str = "pCreateInfos[].pNext<VkRenderingInputAttachmentIndexInfo>.colorAttachmentCount";
    // SAFETY: null or made by the decoder, by this room's contract.
    if let Some(blend) = unsafe { info.p_color_blend_state.as_ref() } {
        chain::find_all::<vk::PipelineColorWriteCreateInfoEXT<'_>>(blend)
            .try_for_each(|write| room.has_attachments(WRITTEN, write.attachment_count))?;
    }
    chain::find_all(info).try_for_each(|locations| room.has_locations(LOCATED, locations))?;
    chain::find_all::<vk::RenderingInputAttachmentIndexInfoKHR<'_>>(info)
        .try_for_each(|read| room.has_attachments(READ, read.color_attachment_count))
}

/// A stage, which `member` names, is one, and one of the `places` that there are in pipelines of its kind.
fn check_stage(member: &'static str, bits: u32, places: u32) -> Result<(), Refusal> {
    if bits.is_power_of_two() && bits & places != 0 {
        return Ok(());
    }
    Err(refusal(member, format!("is {bits:#x}, which is no stage of such a pipeline")))
}

/// The stages of a graphics pipeline have places, and each its own. Says which there are.
fn check_graphics_stages(stages: &[vk::PipelineShaderStageCreateInfo<'_>]) -> Result<u32, Refusal> {
    const MEMBER: &str = "pCreateInfos[].pStages[].stage";
    stages.iter().map(|stage| stage.stage.as_raw()).try_fold(0, |seen, bits| {
        check_stage(MEMBER, bits, GRAPHICS_STAGES)?;
        if seen & bits == 0 { Ok(seen | bits) } else { Err(refusal(MEMBER, format!("is {bits:#x} once more"))) }
    })
}

/// What a pipeline leaves to commands.
fn dynamic_states<'a>(info: &vk::GraphicsPipelineCreateInfo<'a>) -> &'a [vk::DynamicState] {
    // SAFETY: null or made by the decoder, by this room's contract.
    let Some(state) = (unsafe { info.p_dynamic_state.as_ref() }) else { return &[] };
    // SAFETY: count and pointer belong together and live as long as `info`: the decoder made them.
    unsafe { slice(state.p_dynamic_states, state.dynamic_state_count) }
}

/// Whether Vulkan ignores how many attachments a pipeline blends: all that it could say of them is left to commands.
fn is_blending_dynamic(states: &[vk::DynamicState]) -> bool {
    [
        vk::DynamicState::COLOR_BLEND_ENABLE_EXT,
        vk::DynamicState::COLOR_BLEND_EQUATION_EXT,
        vk::DynamicState::COLOR_WRITE_MASK_EXT,
    ]
    .iter()
    .all(|state| states.contains(state))
}

/// How many attachments a pipeline blends is no more than the limit. Where Vulkan ignores the number, it is made the limit:
/// drivers may fill their tables all the same.
fn limit_blending(info: &vk::GraphicsPipelineCreateInfo<'_>, most: u32) -> Result<(), Refusal> {
    let Some(node) = NonNull::new(info.p_color_blend_state.cast_mut()) else { return Ok(()) };
    // SAFETY: (and for the write below) made by the decoder, in memory that it gave out for writing; nothing else refers to
    // it now, since the only way to it is the description, whose command the callers borrow mutably.
    let mut blend = unsafe { node.read() };
    if blend.attachment_count <= most {
        return Ok(());
    }
    if blend.p_attachments.is_null() && is_blending_dynamic(dynamic_states(info)) {
        blend.attachment_count = most;
        // SAFETY: as above.
        unsafe { node.write(blend) };
        return Ok(());
    }
    at_most("pCreateInfos[].pColorBlendState->attachmentCount", blend.attachment_count, most)
}

/// The pipeline that one derives from comes before it.
fn check_base(flags: vk::PipelineCreateFlags, base: i32, place: usize) -> Result<(), Refusal> {
    const MEMBER: &str = "pCreateInfos[].basePipelineIndex";
    if base == -1 || !flags.contains(vk::PipelineCreateFlags::DERIVATIVE) {
        return Ok(());
    }
    let is_before = usize::try_from(base).is_ok_and(|base| base < place);
    if is_before { Ok(()) } else { Err(refusal(MEMBER, format!("is {base}, in the pipeline at {place}"))) }
}

fn check_graphics(info: &vk::GraphicsPipelineCreateInfo<'_>, limits: &vk::PhysicalDeviceLimits) -> Result<(), Refusal> {
    // SAFETY: (of all slices and references) counts and pointers belong together, and pointers are null or live as long as
    // `info`: the decoder made them.
    let stages = check_graphics_stages(unsafe { slice(info.p_stages, info.stage_count) })?;
    // Vulkan ignores it where nothing reads vertices, or where commands say how.
    if stages & MESH_STAGES == 0 && !dynamic_states(info).contains(&vk::DynamicState::VERTEX_INPUT_EXT) {
        // SAFETY: as above.
        let input = unsafe { info.p_vertex_input_state.as_ref() };
        input.map_or(Ok(()), |input| check_vertex_input(input, limits))?;
    }
    check_tessellation(info, stages, limits)?;
    // SAFETY: as above.
    let rasterization = unsafe { info.p_rasterization_state.as_ref() };
    let is_discarded = rasterization.is_some_and(|state| state.rasterizer_discard_enable != vk::FALSE)
        && !dynamic_states(info).contains(&vk::DynamicState::RASTERIZER_DISCARD_ENABLE);
    // SAFETY: as above.
    if let Some(viewports) = unsafe { info.p_viewport_state.as_ref() }.filter(|_| !is_discarded) {
        let most = limits.max_viewports;
        at_most("pCreateInfos[].pViewportState->viewportCount", viewports.viewport_count, most)?;
        at_most("pCreateInfos[].pViewportState->scissorCount", viewports.scissor_count, most)?;
    }
    let most = limits.max_color_attachments;
    limit_blending(info, most)?;
    if info.render_pass != vk::RenderPass::null() {
        // What is rendered to is the render pass's, and Vulkan ignores this.
        return Ok(());
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
        self.room().has_layout(info)
    }

    /// There is room for what graphics pipelines are described by.
    pub(crate) fn limit_graphics(&self, args: &mut CreateGraphicsPipelinesArgs<'_>) -> Result<(), Refusal> {
        let room = self.room();
        args.p_create_infos.iter().enumerate().try_for_each(|(place, info)| {
            check_base(info.flags, info.base_pipeline_index, place)?;
            check_colours(info, room)?;
            check_graphics(info, self.limits())
        })
    }

    /// The queue families that share a resource are some.
    pub(crate) fn check_sharing(&self, mode: vk::SharingMode, families: *const u32, count: u32) -> Result<(), Refusal> {
        if mode != vk::SharingMode::CONCURRENT {
            return Ok(());
        }
        // SAFETY: count and pointer belong together and live as long as the command: the decoder made them.
        let families = unsafe { slice(families, count) };
        families.iter().try_for_each(|family| self.check_family("pCreateInfo->pQueueFamilyIndices[]", *family))
    }

    /// The queue family that command buffers are to be for is one.
    pub(crate) fn check_family(&self, member: &'static str, family: u32) -> Result<(), Refusal> {
        below(member, family, u32::try_from(self.physical().queue_families().len()).unwrap_or(u32::MAX))
    }
}

/// The stages of compute pipelines.
pub(crate) fn check_compute(infos: &[vk::ComputePipelineCreateInfo<'_>]) -> Result<(), Refusal> {
    infos.iter().enumerate().try_for_each(|(place, info)| {
        check_base(info.flags, info.base_pipeline_index, place)?;
        check_stage("pCreateInfos[].stage.stage", info.stage.stage.as_raw(), COMPUTE_STAGES)
    })
}

/// The stages of ray tracing pipelines, and the shaders of their groups.
pub(crate) fn check_ray_tracing(infos: &[vk::RayTracingPipelineCreateInfoKHR<'_>]) -> Result<(), Refusal> {
    infos.iter().enumerate().try_for_each(|(place, info)| {
        check_base(info.flags, info.base_pipeline_index, place)?;
        // SAFETY: counts and pointers belong together and live as long as `info`: the decoder made them.
        let stages = unsafe { slice(info.p_stages, info.stage_count) };
        for stage in stages {
            check_stage("pCreateInfos[].pStages[].stage", stage.stage.as_raw(), RAY_TRACING_STAGES)?;
        }
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

/// The shaders that a group has are the pipeline's, and none is missing by which a driver takes hold of it. Those that the
/// group's type has no use for are looked at as well: drivers do not ask for the type first.
fn check_group(group: &vk::RayTracingShaderGroupCreateInfoKHR<'_>, stages: u32) -> Result<(), Refusal> {
    const GENERAL: &str = "pCreateInfos[].pGroups[].generalShader";
    const INTERSECTION: &str = "pCreateInfos[].pGroups[].intersectionShader";
    let none = vk::SHADER_UNUSED_KHR;
    below_or("pCreateInfos[].pGroups[].closestHitShader", none, group.closest_hit_shader, stages)?;
    below_or("pCreateInfos[].pGroups[].anyHitShader", none, group.any_hit_shader, stages)?;
    match group.ty {
        vk::RayTracingShaderGroupTypeKHR::GENERAL => {
            below_or(INTERSECTION, none, group.intersection_shader, stages)?;
            below(GENERAL, group.general_shader, stages)
        }
        vk::RayTracingShaderGroupTypeKHR::PROCEDURAL_HIT_GROUP => {
            below(INTERSECTION, group.intersection_shader, stages)
        }
        _ => below_or(INTERSECTION, none, group.intersection_shader, stages),
    }
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
            let image_type = vk::ImageType::TYPE_2D;
            let samples = vk::SampleCountFlags::TYPE_1;
            let info = vk::ImageCreateInfo { image_type, samples, extent, mip_levels, ..Default::default() };
            check_image(&info.array_layers(1)).is_ok()
        };
        assert!(check(1, 1, 1) && check(2, 1, 2) && check(1, 16_384, 15) && check(5, 3, 3));
        assert!(!check(1, 1, 2) && !check(0, 1, 1) && !check(4, 4, 0) && !check(5, 3, 4));
        assert!(check(u32::MAX, 1, 32) && !check(u32::MAX, 1, 33));
    }

    #[test]
    fn images_are_of_their_type() {
        let image = vk::ImageCreateInfo::default()
            .image_type(vk::ImageType::TYPE_2D)
            .extent(vk::Extent3D { width: 8, height: 8, depth: 1 })
            .samples(vk::SampleCountFlags::TYPE_1)
            .array_layers(6)
            .mip_levels(1);
        let check = |info: vk::ImageCreateInfo<'_>| check_image(&info).map_err(|refusal| refusal.member);
        let (several, cube) = (image.samples(vk::SampleCountFlags::TYPE_4), vk::ImageCreateFlags::CUBE_COMPATIBLE);
        assert_eq!([check(image), check(several), check(image.flags(cube))], [Ok(()); 3]);
        for wrong in [several.mip_levels(2), several.flags(cube), several.tiling(vk::ImageTiling::LINEAR)] {
            assert_eq!(check(wrong), Err("pCreateInfo->samples"));
        }
        assert_eq!(check(image.samples(vk::SampleCountFlags::empty())), Err("pCreateInfo->samples"));
        assert_eq!(check(image.flags(cube).array_layers(5)), Err("pCreateInfo->flags"));
        let solid = image.image_type(vk::ImageType::TYPE_3D);
        assert_eq!([check(solid), check(solid.array_layers(1))], [Err("pCreateInfo->arrayLayers"), Ok(())]);
        assert_eq!(check(image.image_type(vk::ImageType::TYPE_1D)), Err("pCreateInfo->extent.height"));
        assert_eq!(check(image.image_type(vk::ImageType::from_raw(-1))), Err("pCreateInfo->imageType"));
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
        assert_eq!(check(0, 3), Err("pCreateInfo->pSubpasses[].pPreserveAttachments[]"));
        assert_eq!(check(0, vk::ATTACHMENT_UNUSED), Err("pCreateInfo->pSubpasses[].pPreserveAttachments[]"));
    }

    #[test]
    fn what_a_subpass_does_without_is_no_attachment() {
        let check = |resolved: Option<u32>, rate: Option<u32>| {
            let reference = |attachment| vk::AttachmentReference2 { attachment, ..Default::default() };
            let (resolved, rate) = (resolved.map(reference), rate.map(reference));
            let mut resolve = vk::SubpassDescriptionDepthStencilResolve {
                p_depth_stencil_resolve_attachment: resolved.as_ref().map_or(std::ptr::null(), std::ptr::from_ref),
                ..Default::default()
            };
            let mut shading = vk::FragmentShadingRateAttachmentInfoKHR {
                p_fragment_shading_rate_attachment: rate.as_ref().map_or(std::ptr::null(), std::ptr::from_ref),
                ..Default::default()
            };
            let subpasses = [vk::SubpassDescription2::default().push_next(&mut resolve).push_next(&mut shading)];
            let dependencies = [vk::SubpassDependency2 { src_subpass: vk::SUBPASS_EXTERNAL, ..Default::default() }];
            let attachments = [vk::AttachmentDescription2::default(); 3];
            let info = vk::RenderPassCreateInfo2::default().subpasses(&subpasses).dependencies(&dependencies);
            check_render_pass2(&info.attachments(&attachments), 2).map_err(|refusal| refusal.reason.into_owned())
        };
        assert_eq!(check(None, None), Ok(()));
        assert_eq!(check(Some(vk::ATTACHMENT_UNUSED), Some(2)), Ok(()));
        assert_eq!(check(Some(2), Some(vk::ATTACHMENT_UNUSED)), Ok(()));
        assert_eq!(check(Some(3), None), Err("is 3, and there are 3".to_owned()));
        assert_eq!(check(None, Some(4)), Err("is 4, and there are 3".to_owned()));
    }

    #[test]
    fn a_stage_is_one_of_its_kind_of_pipeline() {
        let count = |places| (0..32).filter(|bit| check_stage("stage", 1 << bit, places).is_ok()).count();
        let kinds = [GRAPHICS_STAGES, COMPUTE_STAGES, RAY_TRACING_STAGES];
        assert_eq!(kinds.map(count), [7, 1, 6]);
        assert!(
            kinds.iter().all(|places| [0, 3, 0x60, 0x4000].iter().all(|bits| check_stage("", *bits, *places).is_err()))
        );
        assert_eq!(GRAPHICS_STAGES & RAY_TRACING_STAGES, 0);
    }

    #[test]
    fn stages_of_graphics_are_there_once() {
        let check = |bits: [u32; 2]| {
            let stages = bits.map(vk::ShaderStageFlags::from_raw);
            let stages = stages.map(|stage| vk::PipelineShaderStageCreateInfo { stage, ..Default::default() });
            check_graphics_stages(&stages).map_err(|refusal| refusal.reason.into_owned())
        };
        assert_eq!(check([1, 0x10]), Ok(0x11));
        assert_eq!(check([0x10, 0x10]), Err("is 0x10 once more".to_owned()));
        assert_eq!(check([1, 0x100]), Err("is 0x100, which is no stage of such a pipeline".to_owned()));
    }

    #[test]
    fn groups_have_shaders_of_their_pipeline() {
        const UNUSED: u32 = vk::SHADER_UNUSED_KHR;
        // General, closest hit, any hit and intersection, of a pipeline with two stages.
        let check = |ty, [general_shader, closest_hit_shader, any_hit_shader, intersection_shader]: [u32; 4]| {
            let group = vk::RayTracingShaderGroupCreateInfoKHR {
                ty,
                general_shader,
                closest_hit_shader,
                any_hit_shader,
                intersection_shader,
                ..Default::default()
            };
            let library = vk::PipelineLibraryCreateInfoKHR::default();
            let (groups, stage) = ([group], vk::ShaderStageFlags::RAYGEN_KHR);
            let stages = [vk::PipelineShaderStageCreateInfo { stage, ..Default::default() }; 2];
            let info = vk::RayTracingPipelineCreateInfoKHR::default().stages(&stages).groups(&groups);
            check_ray_tracing(&[info.library_info(&library)]).map_err(|refusal| refusal.member)
        };
        let [general, triangles, procedural] = [
            vk::RayTracingShaderGroupTypeKHR::GENERAL,
            vk::RayTracingShaderGroupTypeKHR::TRIANGLES_HIT_GROUP,
            vk::RayTracingShaderGroupTypeKHR::PROCEDURAL_HIT_GROUP,
        ];
        assert_eq!(check(general, [1, UNUSED, UNUSED, UNUSED]), Ok(()));
        assert_eq!(check(triangles, [UNUSED; 4]), Ok(()));
        assert_eq!(check(procedural, [UNUSED, 0, UNUSED, 1]), Ok(()));
        let intersection = Err("pCreateInfos[].pGroups[].intersectionShader");
        for ty in [general, triangles, procedural] {
            let general = if ty == general { 0 } else { UNUSED };
            assert_eq!(check(ty, [general, 2, 0, 0]), Err("pCreateInfos[].pGroups[].closestHitShader"));
            assert_eq!(check(ty, [general, 0, 2, 0]), Err("pCreateInfos[].pGroups[].anyHitShader"));
            assert_eq!(check(ty, [general, 0, 0, 2]), intersection);
        }
        assert_eq!(check(general, [UNUSED; 4]), Err("pCreateInfos[].pGroups[].generalShader"));
        assert_eq!(check(procedural, [UNUSED; 4]), intersection);
    }

    #[test]
    fn what_is_ignored_is_not_compared() {
        let limits = vk::PhysicalDeviceLimits { max_color_attachments: 8, max_viewports: 16, ..Default::default() };
        let check = |info| check_graphics(&info, &limits).map_err(|refusal| refusal.member);
        let info = vk::GraphicsPipelineCreateInfo::default();
        let dynamic =
            |states: &'static [vk::DynamicState]| vk::PipelineDynamicStateCreateInfo::default().dynamic_states(states);
        let blending = dynamic(&[
            vk::DynamicState::COLOR_BLEND_ENABLE_EXT,
            vk::DynamicState::COLOR_BLEND_EQUATION_EXT,
            vk::DynamicState::COLOR_WRITE_MASK_EXT,
        ]);
        let input_and_discard =
            dynamic(&[vk::DynamicState::VERTEX_INPUT_EXT, vk::DynamicState::RASTERIZER_DISCARD_ENABLE]);

        let mut blend = vk::PipelineColorBlendStateCreateInfo { attachment_count: 9, ..Default::default() };
        let mut blended = info;
        blended.p_color_blend_state = &raw const blend;
        assert_eq!(check(blended), Err("pCreateInfos[].pColorBlendState->attachmentCount"));
        blended.p_color_blend_state = &raw mut blend;
        assert_eq!(check(blended.dynamic_state(&blending)), Ok(()));
        assert_eq!(blend.attachment_count, 8, "what drivers see is no more than they have places for");

        let mut rendering = vk::PipelineRenderingCreateInfo { color_attachment_count: 9, ..Default::default() };
        let rendered = info.push_next(&mut rendering);
        assert!(check(rendered).is_err());
        assert_eq!(check(rendered.render_pass(vk::Handle::from_raw(1))), Ok(()));

        let input =
            vk::PipelineVertexInputStateCreateInfo { vertex_binding_description_count: 1, ..Default::default() };
        let fed = info.vertex_input_state(&input);
        let mesh = [vk::PipelineShaderStageCreateInfo { stage: vk::ShaderStageFlags::MESH_EXT, ..Default::default() }];
        assert!(check(fed).is_err());
        assert_eq!([check(fed.stages(&mesh)), check(fed.dynamic_state(&input_and_discard))], [Ok(()); 2]);

        let viewports = vk::PipelineViewportStateCreateInfo { viewport_count: 17, ..Default::default() };
        let discard = vk::PipelineRasterizationStateCreateInfo::default().rasterizer_discard_enable(true);
        let seen = info.viewport_state(&viewports);
        assert!(check(seen).is_err());
        assert_eq!(check(seen.rasterization_state(&discard)), Ok(()));
        assert!(check(seen.rasterization_state(&discard).dynamic_state(&input_and_discard)).is_err());
    }
}
