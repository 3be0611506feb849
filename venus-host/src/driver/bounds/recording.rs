//! The same, of what is recorded into command buffers: two numbers, or one, and a limit.
//!
//! Drivers keep what is bound, pushed or set in arrays inside of their command buffers.

use ash::vk;
use venus_protocol::vk as venus;

use super::{
    super::{Device, Refusal, chain, device::slice, format},
    at_most, below, below_or, refusal, sized, span,
};

/// Bytes that vkCmdUpdateBuffer can carry.
const MOST_UPDATED: u64 = 65_536;

/// What a driver has room for in its command buffers: those of its limits that commands are compared with. It is kept
/// where commands find their entry points.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Room {
    constants: u32,
    sets: u32,
    vertex_bindings: u32,
    vertex_attributes: u32,
    viewports: u32,
    attachments: u32,
    /// Buffers that vertices are written to.
    feedback: u32,
    patch_points: u32,
    /// Texels across and down, and layers, of what is rendered to.
    rendered: [u32; 3],
}

impl Device {
    /// What there is room for in its command buffers.
    pub(crate) fn room(&self) -> Room {
        let limits = self.limits();
        Room {
            constants: limits.max_push_constants_size,
            sets: limits.max_bound_descriptor_sets,
            vertex_bindings: limits.max_vertex_input_bindings,
            vertex_attributes: limits.max_vertex_input_attributes,
            viewports: limits.max_viewports,
            attachments: limits.max_color_attachments,
            feedback: self.physical().feedback_buffers(),
            patch_points: limits.max_tessellation_patch_size,
            rendered: [limits.max_framebuffer_width, limits.max_framebuffer_height, limits.max_framebuffer_layers],
        }
    }
}

impl Room {
    /// There is room for the sets and push constants of a pipeline layout.
    pub(super) fn has_layout(self, info: &vk::PipelineLayoutCreateInfo<'_>) -> Result<(), Refusal> {
        self.has_layout_of(["pCreateInfo->setLayoutCount", "pCreateInfo->pPushConstantRanges[].size"], info)
    }

    /// The same of those that are described where a command could name one, in the chain of what it is told: drivers make
    /// a layout of them as they do when one is created.
    fn has_described_layouts(self, info: &impl vk::TaggedStructure) -> Result<(), Refusal> {
        const MEMBERS: [&str; 2] = [
            "pNext<VkPipelineLayoutCreateInfo>.setLayoutCount",
            "pNext<VkPipelineLayoutCreateInfo>.pPushConstantRanges[].size",
        ];
        chain::find_all(info).try_for_each(|layout| self.has_layout_of(MEMBERS, layout))
    }

    /// The same; the members that are compared have these names.
    fn has_layout_of(
        self,
        [sets, constants]: [&'static str; 2],
        info: &vk::PipelineLayoutCreateInfo<'_>,
    ) -> Result<(), Refusal> {
        at_most(sets, info.set_layout_count, self.sets)?;
        // SAFETY: count and pointer belong together and live as long as `info`: the decoder made them.
        let ranges = unsafe { slice(info.p_push_constant_ranges, info.push_constant_range_count) };
        ranges.iter().try_for_each(|range| span(constants, range.offset, range.size, self.constants))
    }

    /// There is room for these push constants.
    #[inline]
    pub(crate) fn has_constants(self, offset: u32, size: u32) -> Result<(), Refusal> {
        span("size", offset, size, self.constants)
    }

    /// The same, for the newer version of the command, which may bring its layout along.
    pub(crate) fn has_constants2(self, info: &vk::PushConstantsInfoKHR<'_>) -> Result<(), Refusal> {
        self.has_described_layouts(info)?;
        span("pPushConstantsInfo->size", info.offset, info.size, self.constants)
    }

    /// There is room for so many descriptor sets from the first.
    #[inline]
    pub(crate) fn has_sets(self, first: u32, count: u32) -> Result<(), Refusal> {
        span("descriptorSetCount", first, count, self.sets)
    }

    /// The same, for the newer version of the command.
    pub(crate) fn has_sets2(self, info: &vk::BindDescriptorSetsInfoKHR<'_>) -> Result<(), Refusal> {
        self.has_described_layouts(info)?;
        let member = "pBindDescriptorSetsInfo->descriptorSetCount";
        span(member, info.first_set, info.descriptor_set_count, self.sets)
    }

    /// There is a place for the set whose descriptors are pushed.
    pub(crate) fn has_pushed_set(self, set: u32) -> Result<(), Refusal> {
        below("set", set, self.sets)
    }

    /// The same, for the newer version of the command.
    pub(crate) fn has_pushed_set2(self, info: &venus::PushDescriptorSetInfoKHR<'_>) -> Result<(), Refusal> {
        self.has_described_layouts(info)?;
        below("pPushDescriptorSetInfo->set", info.set, self.sets)
    }

    /// There is room for so many vertex buffers from the first.
    #[inline]
    pub(crate) fn has_vertex_buffers(self, first: u32, count: u32) -> Result<(), Refusal> {
        span("bindingCount", first, count, self.vertex_bindings)
    }

    /// There is room for so many viewports or scissors from the first; `member` says how many.
    #[inline]
    pub(crate) fn has_viewports(self, member: &'static str, first: u32, count: u32) -> Result<(), Refusal> {
        span(member, first, count, self.viewports)
    }

    /// There is room for so many colour attachments; `member` says how many.
    pub(crate) fn has_attachments(self, member: &'static str, count: u32) -> Result<(), Refusal> {
        at_most(member, count, self.attachments)
    }

    /// The same, for where shaders write them, of which `members` say how many and which.
    pub(crate) fn has_locations(
        self,
        [count, which]: [&'static str; 2],
        info: &vk::RenderingAttachmentLocationInfoKHR<'_>,
    ) -> Result<(), Refusal> {
        self.has_attachments(count, info.color_attachment_count)?;
        // SAFETY: count and pointer belong together and live as long as `info`: the decoder made them.
        let locations = unsafe { slice(info.p_color_attachment_locations, info.color_attachment_count) };
        locations.iter().try_for_each(|each| below_or(which, vk::ATTACHMENT_UNUSED, *each, self.attachments))
    }

    /// There is room for so many buffers or counters of transform feedback from the first; `member` says how many.
    pub(crate) fn has_feedback(self, member: &'static str, first: u32, count: u32) -> Result<(), Refusal> {
        span(member, first, count, self.feedback)
    }

    /// So many texels across and down, and so many layers, can be rendered to.
    pub(super) fn has_rendered(self, [width, height, layers]: [u64; 3]) -> Result<(), Refusal> {
        let sizes = [
            ("pRenderingInfo->renderArea.extent.width", width),
            ("pRenderingInfo->renderArea.extent.height", height),
            ("pRenderingInfo->layerCount", layers),
        ];
        sizes.into_iter().zip(self.rendered).try_for_each(|((member, size), most)| {
            if size <= most.into() {
                Ok(())
            } else {
                Err(refusal(member, format!("{size} are more than the limit of {most}")))
            }
        })
    }

    /// A patch has points, and not too many.
    pub(crate) fn has_patch(self, points: u32) -> Result<(), Refusal> {
        sized("patchControlPoints", points, self.patch_points)
    }

    /// The same, for those that are rendered to.
    pub(crate) fn has_rendering(self, info: &vk::RenderingInfo<'_>) -> Result<(), Refusal> {
        self.has_attachments("pRenderingInfo->colorAttachmentCount", info.color_attachment_count)
    }

    /// What is `said` of colour attachments from the first on, as far as there are places for it.
    pub(crate) fn attachments_from<T>(self, first: u32, said: &[T]) -> &[T] {
        let places = usize::try_from(self.attachments.saturating_sub(first)).unwrap_or_default();
        said.get(..places).unwrap_or(said)
    }

    /// There is room for what describes vertices.
    pub(crate) fn has_vertex_input(
        self,
        bindings: &[vk::VertexInputBindingDescription2EXT<'_>],
        attributes: &[vk::VertexInputAttributeDescription2EXT<'_>],
    ) -> Result<(), Refusal> {
        let count = |len| u32::try_from(len).unwrap_or(u32::MAX);
        at_most("vertexBindingDescriptionCount", count(bindings.len()), self.vertex_bindings)?;
        at_most("vertexAttributeDescriptionCount", count(attributes.len()), self.vertex_attributes)?;
        for each in bindings {
            below("pVertexBindingDescriptions[].binding", each.binding, self.vertex_bindings)?;
        }
        for each in attributes {
            below("pVertexAttributeDescriptions[].location", each.location, self.vertex_attributes)?;
            below("pVertexAttributeDescriptions[].binding", each.binding, self.vertex_bindings)?;
            format::check("pVertexAttributeDescriptions[].format", each.format)?;
        }
        Ok(())
    }

    /// A command that updates a buffer carries no more than it may.
    pub(crate) fn has_update(self, bytes: u64) -> Result<(), Refusal> {
        if bytes <= MOST_UPDATED {
            return Ok(());
        }
        Err(refusal("dataSize", format!("is {bytes}, and the limit is {MOST_UPDATED}")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_of_attachments_ends_with_them() {
        let room = Room { attachments: 3, ..Room::default() };
        let kept = |first, said: &'static [u32]| room.attachments_from(first, said);
        assert_eq!(kept(0, &[1, 2]), [1, 2]);
        assert_eq!(kept(0, &[1, 2, 3, 4]), [1, 2, 3]);
        assert_eq!(kept(2, &[1, 2]), [1]);
        assert_eq!([kept(3, &[1]), kept(u32::MAX, &[1])], [[0; 0]; 2]);
    }
}
