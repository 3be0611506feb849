//! The same, of what is rendered to: attachments are as many as their render pass has, and as large as what is rendered.
//!
//! Drivers render to as many texels as they are told, and take clear values, views and subpasses out of arrays by numbers of
//! the render pass.

use std::sync::Arc;

use ash::vk;

use super::{
    super::{
        Refusal, chain,
        device::slice,
        made::{Framebuffer, Known, Pass, View},
    },
    Room, below, refusal,
};

/// Whether a format has depths or stencils.
fn is_depth_or_stencil(format: vk::Format) -> bool {
    (vk::Format::D16_UNORM.as_raw()..=vk::Format::D32_SFLOAT_S8_UINT.as_raw()).contains(&format.as_raw())
}

/// How many views there are up to the highest of a mask.
fn views(mask: u32) -> u32 {
    u32::BITS.saturating_sub(mask.leading_zeros())
}

/// What a render pass is made with; both versions name it alike.
macro_rules! pass_of {
    ($info:expr, $masks:expr) => {{
        let info = $info;
        // SAFETY: (of all slices) counts and pointers belong together, and pointers are null or live as long as the
        // description: the decoder made them.
        let attachments = unsafe { slice(info.p_attachments, info.attachment_count) };
        let is_cleared = attachments.iter().map(|each| {
            each.load_op == vk::AttachmentLoadOp::CLEAR
                || is_depth_or_stencil(each.format) && each.stencil_load_op == vk::AttachmentLoadOp::CLEAR
        });
        let cleared = is_cleared.zip(1..).filter_map(|(is_cleared, end)| is_cleared.then_some(end)).max().unwrap_or(0);
        let mut rendered: Box<[bool]> = attachments.iter().map(|_| false).collect();
        // SAFETY: as above.
        let subpasses = unsafe { slice(info.p_subpasses, info.subpass_count) };
        for subpass in subpasses {
            for (_, references) in super::named_attachments!(subpass) {
                for reference in references {
                    let place = usize::try_from(reference.attachment).unwrap_or(usize::MAX);
                    if let Some(rendered) = rendered.get_mut(place) {
                        *rendered = true;
                    }
                }
            }
        }
        let masks = $masks;
        Pass {
            attachments: info.attachment_count,
            subpasses: info.subpass_count,
            cleared,
            rendered,
            views: masks.map(views).max().unwrap_or(0),
        }
    }};
}

/// What a render pass is made with.
pub(crate) fn pass(info: &vk::RenderPassCreateInfo<'_>) -> Pass {
    // SAFETY: as above.
    let masks = chain::find_all::<vk::RenderPassMultiviewCreateInfo<'_>>(info)
        .flat_map(|views| unsafe { slice(views.p_view_masks, views.subpass_count) });
    pass_of!(info, masks.copied())
}

/// The same, for the newer version of the command.
pub(crate) fn pass2(info: &vk::RenderPassCreateInfo2<'_>) -> Pass {
    // SAFETY: as above.
    let subpasses = unsafe { slice(info.p_subpasses, info.subpass_count) };
    pass_of!(info, subpasses.iter().map(|subpass| subpass.view_mask))
}

/// A view has so many texels each way, and layers.
fn is_as_large(member: &'static str, view: View, [width, height, layers]: [u64; 3]) -> Result<(), Refusal> {
    let View { width: wide, height: high, layers: deep } = view;
    if u64::from(wide) >= width && u64::from(high) >= height && u64::from(deep) >= layers {
        return Ok(());
    }
    let reason =
        format!("has {wide} x {high} texels and {deep} layers, of which {width} x {height} and {layers} are used");
    Err(refusal(member, reason))
}

/// Views that a framebuffer has, or that stand in for those it has none of, are as large as it.
fn check_views(
    member: &'static str,
    known: &mut Known<'_>,
    (pass, framebuffer): (&Pass, Framebuffer),
    attachments: &[vk::ImageView],
) -> Result<(), Refusal> {
    let size = [framebuffer.width, framebuffer.height, framebuffer.layers.max(pass.views)].map(u64::from);
    for (view, is_rendered) in attachments.iter().zip(&pass.rendered) {
        if let Some(view) = known.view(*view).filter(|_| *is_rendered) {
            is_as_large(member, view, size)?;
        }
    }
    Ok(())
}

/// Attachments are as many as the render pass has, and as large as the framebuffer.
pub(crate) fn check_framebuffer(known: &mut Known<'_>, info: &vk::FramebufferCreateInfo<'_>) -> Result<(), Refusal> {
    const COUNT: &str = "pCreateInfo->attachmentCount";
    const DESCRIBED: &str = "pCreateInfo->pNext<VkFramebufferAttachmentsCreateInfo>.attachmentImageInfoCount";
    let Some(pass) = known.pass(info.render_pass).map(Arc::clone) else { return Ok(()) };
    has_all(COUNT, info.attachment_count, pass.attachments)?;
    if info.flags.contains(vk::FramebufferCreateFlags::IMAGELESS) {
        let described = chain::find_all::<vk::FramebufferAttachmentsCreateInfo<'_>>(info).next();
        let count = described.map_or(0, |described| described.attachment_image_info_count);
        return has_all(DESCRIBED, count, info.attachment_count);
    }
    // SAFETY: count and pointer belong together and live as long as `info`: the decoder made them.
    let attachments = unsafe { slice(info.p_attachments, info.attachment_count) };
    if attachments.is_empty() && info.attachment_count != 0 {
        return Err(refusal("pCreateInfo->pAttachments", "is null".to_owned()));
    }
    check_views("pCreateInfo->pAttachments[]", known, (&pass, Framebuffer::of(info)), attachments)
}

/// There is one for each.
fn has_all(member: &'static str, count: u32, needed: u32) -> Result<(), Refusal> {
    if count == needed {
        Ok(())
    } else {
        Err(refusal(member, format!("is {count}, and there are {needed} attachments")))
    }
}

/// What is rendered lies inside of so many texels.
fn check_area(
    [offset, extent]: [&'static str; 2],
    area: &vk::Rect2D,
    [width, height]: [u32; 2],
) -> Result<(), Refusal> {
    for (from, many, there_are) in
        [(area.offset.x, area.extent.width, width), (area.offset.y, area.extent.height, height)]
    {
        let Ok(from) = u32::try_from(from) else { return Err(refusal(offset, format!("begins at {from}"))) };
        if from.checked_add(many).is_none_or(|end| end > there_are) {
            return Err(refusal(extent, format!("{many} texels from {from} on, and there are {there_are}")));
        }
    }
    Ok(())
}

/// The areas of each device of a group, if they are said.
fn device_areas<'a>(info: &impl vk::TaggedStructure) -> &'a [vk::Rect2D] {
    let group = chain::find_all::<vk::DeviceGroupRenderPassBeginInfo<'_>>(info).next();
    // SAFETY: count and pointer belong together and live as long as the command: the decoder made them.
    group.map_or(&[][..], |group| unsafe { slice(group.p_device_render_areas, group.device_render_area_count) })
}

const DEVICE_AREAS: [&str; 2] = ["pNext<VkDeviceGroupRenderPassBeginInfo>.pDeviceRenderAreas[]"; 2];

/// A framebuffer has what its render pass takes, and there is a clear value for all that is cleared.
pub(crate) fn check_begin(known: &mut Known<'_>, info: &vk::RenderPassBeginInfo<'_>) -> Result<(), Refusal> {
    const CLEARED: &str = "pRenderPassBegin->clearValueCount";
    const FRAMEBUFFER: &str = "pRenderPassBegin->framebuffer";
    const COUNT: &str = "pRenderPassBegin->pNext<VkRenderPassAttachmentBeginInfo>.attachmentCount";
    const VIEWS: &str = "pRenderPassBegin->pNext<VkRenderPassAttachmentBeginInfo>.pAttachments[]";
    const AREA: [&str; 2] = ["pRenderPassBegin->renderArea.offset", "pRenderPassBegin->renderArea.extent"];
    let Some(pass) = known.pass(info.render_pass).map(Arc::clone) else { return Ok(()) };
    let values = if info.p_clear_values.is_null() { 0 } else { info.clear_value_count };
    if values < pass.cleared {
        return Err(refusal(
            CLEARED,
            format!("is {values}, and attachment {} is cleared", pass.cleared.saturating_sub(1)),
        ));
    }
    let Some(framebuffer) = known.framebuffer(info.framebuffer) else { return Ok(()) };
    has_all(FRAMEBUFFER, framebuffer.attachments, pass.attachments)?;
    let size = [framebuffer.width, framebuffer.height];
    match device_areas(info) {
        [] => check_area(AREA, &info.render_area, size)?,
        areas => areas.iter().try_for_each(|area| check_area(DEVICE_AREAS, area, size))?,
    }
    if !framebuffer.is_imageless {
        return Ok(());
    }
    let views = chain::find_all::<vk::RenderPassAttachmentBeginInfo<'_>>(info).next();
    // SAFETY: count and pointer belong together and live as long as `info`: the decoder made them.
    let views = views.map_or(&[][..], |views| unsafe { slice(views.p_attachments, views.attachment_count) });
    has_all(COUNT, u32::try_from(views.len()).unwrap_or(u32::MAX), pass.attachments)?;
    check_views(VIEWS, known, (&pass, framebuffer), views)
}

/// Views that are rendered to without a render pass are as large as what is rendered.
pub(crate) fn check_rendering(room: Room, known: &mut Known<'_>, info: &vk::RenderingInfo<'_>) -> Result<(), Refusal> {
    const OFFSET: &str = "pRenderingInfo->renderArea.offset";
    const COLOURS: [&str; 2] =
        ["pRenderingInfo->pColorAttachments[].imageView", "pRenderingInfo->pColorAttachments[].resolveImageView"];
    const DEPTH: [&str; 2] =
        ["pRenderingInfo->pDepthAttachment->imageView", "pRenderingInfo->pDepthAttachment->resolveImageView"];
    const STENCIL: [&str; 2] =
        ["pRenderingInfo->pStencilAttachment->imageView", "pRenderingInfo->pStencilAttachment->resolveImageView"];
    let [mut width, mut height] = [0_u64; 2];
    let areas = match device_areas(info) {
        [] => std::slice::from_ref(&info.render_area),
        areas => areas,
    };
    for area in areas {
        for (from, many, end) in
            [(area.offset.x, area.extent.width, &mut width), (area.offset.y, area.extent.height, &mut height)]
        {
            let Ok(from) = u64::try_from(from) else { return Err(refusal(OFFSET, format!("begins at {from}"))) };
            *end = from.saturating_add(many.into()).max(*end);
        }
    }
    let layers = if info.view_mask == 0 { info.layer_count } else { views(info.view_mask) };
    let size = [width, height, layers.into()];
    room.has_rendered(size)?;
    // SAFETY: (of all) counts and pointers belong together, and pointers are null or live as long as `info`: the decoder
    // made them.
    let attachments = [
        (COLOURS, unsafe { slice(info.p_color_attachments, info.color_attachment_count) }),
        // SAFETY: as above.
        (DEPTH, unsafe { slice(info.p_depth_attachment, 1) }),
        // SAFETY: as above.
        (STENCIL, unsafe { slice(info.p_stencil_attachment, 1) }),
    ];
    for ([view, resolved], attachments) in attachments {
        for attachment in attachments {
            known.view(attachment.image_view).map_or(Ok(()), |has| is_as_large(view, has, size))?;
            if attachment.resolve_mode != vk::ResolveModeFlags::NONE {
                known.view(attachment.resolve_image_view).map_or(Ok(()), |has| is_as_large(resolved, has, size))?;
            }
        }
    }
    Ok(())
}

/// The subpass of a render pass that a secondary command buffer goes on with is one.
pub(crate) fn check_inherited(known: &mut Known<'_>, info: &vk::CommandBufferBeginInfo<'_>) -> Result<(), Refusal> {
    const MEMBER: &str = "pBeginInfo->pInheritanceInfo->subpass";
    if !info.flags.contains(vk::CommandBufferUsageFlags::RENDER_PASS_CONTINUE) {
        return Ok(());
    }
    // SAFETY: null or made by the decoder, by this room's contract.
    let Some(inherited) = (unsafe { info.p_inheritance_info.as_ref() }) else { return Ok(()) };
    known.pass(inherited.render_pass).map_or(Ok(()), |pass| below(MEMBER, inherited.subpass, pass.subpasses))
}

/// The subpasses that graphics pipelines are for are of their render passes.
pub(crate) fn check_pipelines(
    known: &mut Known<'_>,
    infos: &[vk::GraphicsPipelineCreateInfo<'_>],
) -> Result<(), Refusal> {
    infos.iter().try_for_each(|info| {
        // A part of a pipeline that is about vertices alone has neither.
        let vertices = vk::GraphicsPipelineLibraryFlagsEXT::VERTEX_INPUT_INTERFACE;
        if chain::find_all::<vk::GraphicsPipelineLibraryCreateInfoEXT<'_>>(info).any(|part| part.flags == vertices) {
            return Ok(());
        }
        let pass = known.pass(info.render_pass);
        pass.map_or(Ok(()), |pass| below("pCreateInfos[].subpass", info.subpass, pass.subpasses))
    })
}

#[cfg(test)]
mod tests {
    use ash::vk::Handle as _;

    use super::*;

    const VIEW: View = View { width: 64, height: 32, layers: 2 };

    fn attachments(of: &[(vk::Format, vk::AttachmentLoadOp, vk::AttachmentLoadOp)]) -> Vec<vk::AttachmentDescription> {
        let attachment = |&(format, load_op, stencil_load_op)| vk::AttachmentDescription {
            format,
            load_op,
            stencil_load_op,
            ..Default::default()
        };
        of.iter().map(attachment).collect()
    }

    #[test]
    fn what_is_cleared_has_a_clear_value() {
        let (clear, load) = (vk::AttachmentLoadOp::CLEAR, vk::AttachmentLoadOp::LOAD);
        let (colour, depth) = (vk::Format::R8G8B8A8_UNORM, vk::Format::D32_SFLOAT_S8_UINT);
        let cleared = |of: &[_]| pass(&vk::RenderPassCreateInfo::default().attachments(&attachments(of))).cleared;
        assert_eq!(cleared(&[(colour, load, clear), (depth, load, load)]), 0);
        assert_eq!(cleared(&[(colour, clear, clear), (depth, load, load)]), 1);
        assert_eq!(cleared(&[(colour, clear, load), (depth, load, clear), (colour, load, load)]), 2);
    }

    /// A pass that renders to the first of two attachments, in so many views.
    fn rendering(mask: u32) -> Pass {
        let load = vk::AttachmentLoadOp::LOAD;
        let attachments = attachments(&[(vk::Format::R8_UNORM, load, load); 2]);
        let colours = [vk::AttachmentReference::default()];
        let (subpasses, masks) = ([vk::SubpassDescription::default().color_attachments(&colours)], [mask]);
        let mut views = vk::RenderPassMultiviewCreateInfo::default().view_masks(&masks);
        let info = vk::RenderPassCreateInfo::default().attachments(&attachments).subpasses(&subpasses);
        pass(&info.push_next(&mut views))
    }

    #[test]
    fn attachments_are_as_large_as_their_framebuffer() {
        let check = |mask, [width, height, layers]: [u32; 3]| {
            let views = [1, 2].map(vk::ImageView::from_raw);
            let info = vk::FramebufferCreateInfo::default().render_pass(vk::RenderPass::from_raw(1));
            let info = info.attachments(&views).width(width).height(height).layers(layers);
            // The second is not rendered to.
            let views = [VIEW, View { width: 1, height: 1, layers: 1 }];
            Known::of_pass((rendering(mask), None), &views, |known| check_framebuffer(known, &info)).is_ok()
        };
        assert!(check(0, [64, 32, 2]) && check(0b11, [64, 32, 1]));
        assert!(!check(0, [65, 32, 1]) && !check(0, [64, 33, 1]) && !check(0, [64, 32, 3]));
        assert!(!check(0b100, [64, 32, 1]));
    }

    #[test]
    fn views_come_later_for_a_framebuffer_without() {
        let framebuffer = Framebuffer { attachments: 2, width: 64, height: 32, layers: 1, is_imageless: true };
        let check = |views: &[u64], has: View, width| {
            let views: Vec<_> = views.iter().map(|raw| vk::ImageView::from_raw(*raw)).collect();
            let mut views = vk::RenderPassAttachmentBeginInfo::default().attachments(&views);
            let area = vk::Rect2D { extent: vk::Extent2D { width, height: 1 }, ..Default::default() };
            let info = vk::RenderPassBeginInfo::default().render_pass(vk::RenderPass::from_raw(1));
            let info = info.framebuffer(vk::Framebuffer::from_raw(1)).render_area(area).push_next(&mut views);
            let begin = |known: &mut Known<'_>| check_begin(known, &info);
            Known::of_pass((rendering(0), Some(framebuffer)), &[has; 2], begin).map_err(|refusal| refusal.member)
        };
        assert_eq!(check(&[1, 2], VIEW, 64), Ok(()));
        assert_eq!(check(&[1, 2], VIEW, 65), Err("pRenderPassBegin->renderArea.extent"));
        let count = Err("pRenderPassBegin->pNext<VkRenderPassAttachmentBeginInfo>.attachmentCount");
        assert_eq!([check(&[], VIEW, 64), check(&[1], VIEW, 64)], [count; 2]);
        let views = Err("pRenderPassBegin->pNext<VkRenderPassAttachmentBeginInfo>.pAttachments[]");
        assert_eq!(check(&[1, 2], View { height: 31, ..VIEW }, 64), views);
    }
}
