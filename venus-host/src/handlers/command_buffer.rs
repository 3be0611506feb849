//! Command buffers: beginning, ending and resetting them, and what is recorded into them. Everything goes to the driver
//! as it is, after a look at lengths where there are two, and at numbers where limits say what fits.
//!
//! Nothing of a command buffer's state is tracked, but that something is missing in it: see `context/skipped.rs`. The
//! owner of each of these commands is the command buffer, from which the device follows.

use venus_protocol::{args::*, dispatch::CommandBufferCommands, vk, wire::Handle};

use super::{forward, queried};
use crate::{
    driver::{
        bounds::{below, buffers, images, passes, pipelines, sets, span, up_to},
        sanitize,
    },
    endpoint::{Endpoint, Shortfall},
    error::{APPLICATION, Interrupt},
};

/// Commands that go to the driver as they are if its command buffers have room for what they say.
macro_rules! bounded {
    ($($method:ident($args:ty) => |$room:ident, $named:ident| $check:expr;)*) => {$(
        #[inline]
        fn $method(&mut self, args: &mut $args) -> Result<(), Interrupt> {
            self.forward_within(args, |$room, $named| $check)
        }
    )*};
}

/// The same for commands that name ranges of objects, if those have them.
macro_rules! compared {
    ($($method:ident($args:ty) => |$room:ident, $known:ident, $named:ident| $check:expr;)*) => {$(
        #[inline]
        fn $method(&mut self, args: &mut $args) -> Result<(), Interrupt> {
            self.forward_known(args, |$room, $known, $named| $check)
        }
    )*};
}

/// Bytes of what describes one draw, or one dispatch, in a buffer.
const DRAW_BYTES: u32 = 16;
const DRAW_INDEXED_BYTES: u32 = 20;
const DRAW_MESH_TASKS_BYTES: u32 = 12;
const DISPATCH_BYTES: u32 = 12;

/// Commands that say something of colour attachments, of which the driver hears as far as there can be such. Vulkan allows
/// more, and drivers have places for no more.
macro_rules! trimmed {
    ($($method:ident($args:ty).$said:ident;)*) => {$(
        fn $method(&mut self, args: &mut $args) -> Result<(), Interrupt> {
            let found = self.device_cache.procs_and_room(&self.shared.objects, args.command_buffer.id);
            let Some((_, room)) = found else { return Err(self.gone()) };
            let kept = room.attachments_from(args.first_attachment, args.$said);
            if kept.len() < args.$said.len() {
                args.attachment_count = u32::try_from(kept.len()).unwrap_or_default();
                args.$said = kept;
                if args.attachment_count == 0 {
                    return Ok(());
                }
            }
            self.forward(args)
        }
    )*};
}

impl CommandBufferCommands for Endpoint {
    forward! {
        end_command_buffer(EndCommandBufferArgs);
        reset_command_buffer(ResetCommandBufferArgs);
        cmd_set_line_width(CmdSetLineWidthArgs);
        cmd_set_depth_bias(CmdSetDepthBiasArgs);
        cmd_set_blend_constants(CmdSetBlendConstantsArgs);
        cmd_set_depth_bounds(CmdSetDepthBoundsArgs);
        cmd_set_stencil_compare_mask(CmdSetStencilCompareMaskArgs);
        cmd_set_stencil_write_mask(CmdSetStencilWriteMaskArgs);
        cmd_set_stencil_reference(CmdSetStencilReferenceArgs);
        cmd_draw(CmdDrawArgs);
        cmd_draw_indexed(CmdDrawIndexedArgs);
        cmd_dispatch(CmdDispatchArgs);
        cmd_set_event(CmdSetEventArgs);
        cmd_reset_event(CmdResetEventArgs);
        cmd_next_subpass(CmdNextSubpassArgs);
        cmd_end_render_pass(CmdEndRenderPassArgs);
        cmd_set_device_mask(CmdSetDeviceMaskArgs);
        cmd_dispatch_base(CmdDispatchBaseArgs);
        cmd_next_subpass2(CmdNextSubpass2Args<'_>);
        cmd_end_render_pass2(CmdEndRenderPass2Args<'_>);
        cmd_reset_event2(CmdResetEvent2Args);
        cmd_end_rendering(CmdEndRenderingArgs);
        cmd_set_cull_mode(CmdSetCullModeArgs);
        cmd_set_front_face(CmdSetFrontFaceArgs);
        cmd_set_depth_test_enable(CmdSetDepthTestEnableArgs);
        cmd_set_depth_write_enable(CmdSetDepthWriteEnableArgs);
        cmd_set_depth_bounds_test_enable(CmdSetDepthBoundsTestEnableArgs);
        cmd_set_stencil_test_enable(CmdSetStencilTestEnableArgs);
        cmd_set_rasterizer_discard_enable(CmdSetRasterizerDiscardEnableArgs);
        cmd_set_depth_bias_enable(CmdSetDepthBiasEnableArgs);
        cmd_set_primitive_restart_enable(CmdSetPrimitiveRestartEnableArgs);
        cmd_set_line_stipple(CmdSetLineStippleArgs);
        cmd_end_conditional_rendering_ext(CmdEndConditionalRenderingEXTArgs);
        cmd_draw_multi_ext(CmdDrawMultiEXTArgs<'_>);
        cmd_draw_multi_indexed_ext(CmdDrawMultiIndexedEXTArgs<'_>);
        cmd_set_tessellation_domain_origin_ext(CmdSetTessellationDomainOriginEXTArgs);
        cmd_set_depth_clamp_enable_ext(CmdSetDepthClampEnableEXTArgs);
        cmd_set_polygon_mode_ext(CmdSetPolygonModeEXTArgs);
        cmd_set_rasterization_samples_ext(CmdSetRasterizationSamplesEXTArgs);
        cmd_set_sample_mask_ext(CmdSetSampleMaskEXTArgs<'_>);
        cmd_set_alpha_to_coverage_enable_ext(CmdSetAlphaToCoverageEnableEXTArgs);
        cmd_set_alpha_to_one_enable_ext(CmdSetAlphaToOneEnableEXTArgs);
        cmd_set_logic_op_enable_ext(CmdSetLogicOpEnableEXTArgs);
        cmd_set_rasterization_stream_ext(CmdSetRasterizationStreamEXTArgs);
        cmd_set_conservative_rasterization_mode_ext(CmdSetConservativeRasterizationModeEXTArgs);
        cmd_set_extra_primitive_overestimation_size_ext(CmdSetExtraPrimitiveOverestimationSizeEXTArgs);
        cmd_set_depth_clip_enable_ext(CmdSetDepthClipEnableEXTArgs);
        cmd_set_sample_locations_enable_ext(CmdSetSampleLocationsEnableEXTArgs);
        cmd_set_provoking_vertex_mode_ext(CmdSetProvokingVertexModeEXTArgs);
        cmd_set_line_rasterization_mode_ext(CmdSetLineRasterizationModeEXTArgs);
        cmd_set_line_stipple_enable_ext(CmdSetLineStippleEnableEXTArgs);
        cmd_set_depth_clip_negative_one_to_one_ext(CmdSetDepthClipNegativeOneToOneEXTArgs);
        cmd_set_fragment_shading_rate_khr(CmdSetFragmentShadingRateKHRArgs<'_>);
        cmd_set_sample_locations_ext(CmdSetSampleLocationsEXTArgs<'_>);
        cmd_draw_mesh_tasks_ext(CmdDrawMeshTasksEXTArgs);
        cmd_bind_sampler_heap_ext(CmdBindSamplerHeapEXTArgs<'_>);
        cmd_bind_resource_heap_ext(CmdBindResourceHeapEXTArgs<'_>);
        cmd_end_rendering2_khr(CmdEndRendering2KHRArgs<'_>);
        cmd_set_primitive_restart_index_ext(CmdSetPrimitiveRestartIndexEXTArgs);
        cmd_copy_memory_indirect_khr(CmdCopyMemoryIndirectKHRArgs<'_>);
        cmd_build_acceleration_structures_khr(CmdBuildAccelerationStructuresKHRArgs<'_>);
        cmd_build_acceleration_structures_indirect_khr(CmdBuildAccelerationStructuresIndirectKHRArgs<'_>);
        cmd_copy_acceleration_structure_khr(CmdCopyAccelerationStructureKHRArgs<'_>);
        cmd_copy_acceleration_structure_to_memory_khr(CmdCopyAccelerationStructureToMemoryKHRArgs<'_>);
        cmd_copy_memory_to_acceleration_structure_khr(CmdCopyMemoryToAccelerationStructureKHRArgs<'_>);
        cmd_trace_rays_khr(CmdTraceRaysKHRArgs<'_>);
        cmd_trace_rays_indirect_khr(CmdTraceRaysIndirectKHRArgs<'_>);
        cmd_set_ray_tracing_pipeline_stack_size_khr(CmdSetRayTracingPipelineStackSizeKHRArgs);
        cmd_trace_rays_indirect2_khr(CmdTraceRaysIndirect2KHRArgs);
        cmd_set_depth_bias2_ext(CmdSetDepthBias2EXTArgs<'_>);
        cmd_set_attachment_feedback_loop_enable_ext(CmdSetAttachmentFeedbackLoopEnableEXTArgs);
        cmd_set_depth_clamp_range_ext(CmdSetDepthClampRangeEXTArgs<'_>);
    }

    bounded! {
        cmd_set_viewport(CmdSetViewportArgs<'_>)
            => |room, args| room.has_viewports("viewportCount", args.first_viewport, args.viewport_count);
        cmd_set_scissor(CmdSetScissorArgs<'_>)
            => |room, args| room.has_viewports("scissorCount", args.first_scissor, args.scissor_count);
        cmd_set_viewport_with_count(CmdSetViewportWithCountArgs<'_>)
            => |room, args| room.has_viewports("viewportCount", 0, args.viewport_count);
        cmd_set_scissor_with_count(CmdSetScissorWithCountArgs<'_>)
            => |room, args| room.has_viewports("scissorCount", 0, args.scissor_count);
        cmd_push_constants(CmdPushConstantsArgs<'_>)
            => |room, args| room.has_constants(args.offset, args.size);
        cmd_push_constants2(CmdPushConstants2Args<'_>)
            => |room, args| room.has_constants2(args.p_push_constants_info);
        cmd_set_vertex_input_ext(CmdSetVertexInputEXTArgs<'_>) => |room, args| {
            room.has_vertex_input(args.p_vertex_binding_descriptions, args.p_vertex_attribute_descriptions)
        };
        cmd_set_rendering_attachment_locations(CmdSetRenderingAttachmentLocationsArgs<'_>) => |room, args| {
            let members = ["pLocationInfo->colorAttachmentCount", "pLocationInfo->pColorAttachmentLocations[]"];
            room.has_locations(members, args.p_location_info)
        };
        cmd_set_rendering_input_attachment_indices(CmdSetRenderingInputAttachmentIndicesArgs<'_>) => |room, args| {
            let count = args.p_input_attachment_index_info.color_attachment_count;
            room.has_attachments("pInputAttachmentIndexInfo->colorAttachmentCount", count)
        };
        cmd_set_patch_control_points_ext(CmdSetPatchControlPointsEXTArgs)
            => |room, args| room.has_patch(args.patch_control_points);
        cmd_set_primitive_topology(CmdSetPrimitiveTopologyArgs) => |_room, args| {
            up_to("primitiveTopology", args.primitive_topology.as_raw(), vk::PrimitiveTopology::PATCH_LIST.as_raw())
        };
        cmd_set_depth_compare_op(CmdSetDepthCompareOpArgs) => |_room, args| {
            up_to("depthCompareOp", args.depth_compare_op.as_raw(), vk::CompareOp::ALWAYS.as_raw())
        };
        cmd_set_stencil_op(CmdSetStencilOpArgs) => |_room, args| {
            const LAST: i32 = vk::StencilOp::DECREMENT_AND_WRAP.as_raw();
            up_to("failOp", args.fail_op.as_raw(), LAST)?;
            up_to("passOp", args.pass_op.as_raw(), LAST)?;
            up_to("depthFailOp", args.depth_fail_op.as_raw(), LAST)?;
            up_to("compareOp", args.compare_op.as_raw(), vk::CompareOp::ALWAYS.as_raw())
        };
        cmd_set_logic_op_ext(CmdSetLogicOpEXTArgs)
            => |_room, args| up_to("logicOp", args.logic_op.as_raw(), vk::LogicOp::SET.as_raw());
        cmd_set_color_write_enable_ext(CmdSetColorWriteEnableEXTArgs<'_>)
            => |room, args| room.has_attachments("attachmentCount", args.attachment_count);
    }

    compared! {
        cmd_copy_buffer(CmdCopyBufferArgs<'_>) => |_room, known, args| {
            let regions = args.p_regions.iter().map(|region| [region.src_offset, region.dst_offset, region.size]);
            buffers::check_copy(known, [args.src_buffer.raw, args.dst_buffer.raw], regions)
        };
        cmd_copy_buffer2(CmdCopyBuffer2Args<'_>)
            => |_room, known, args| buffers::check_copy2(known, args.p_copy_buffer_info);
        cmd_fill_buffer(CmdFillBufferArgs) => |_room, known, args| {
            buffers::inside_or_rest("size", known.buffer(args.dst_buffer.raw), args.dst_offset, args.size)
        };
        cmd_update_buffer(CmdUpdateBufferArgs<'_>) => |room, known, args| {
            room.has_update(args.data_size)?;
            buffers::inside("dataSize", known.buffer(args.dst_buffer.raw), args.dst_offset, args.data_size)
        };
        cmd_copy_image(CmdCopyImageArgs<'_>) => |_room, known, args| {
            let regions = args.p_regions.iter().copied();
            images::check_copy(known, [args.src_image.raw, args.dst_image.raw], regions)
        };
        cmd_copy_image2(CmdCopyImage2Args<'_>)
            => |_room, known, args| images::check_copy2(known, args.p_copy_image_info);
        cmd_blit_image(CmdBlitImageArgs<'_>) => |_room, known, args| {
            let regions = args.p_regions.iter().copied();
            images::check_blit(known, [args.src_image.raw, args.dst_image.raw], regions)
        };
        cmd_blit_image2(CmdBlitImage2Args<'_>)
            => |_room, known, args| images::check_blit2(known, args.p_blit_image_info);
        cmd_resolve_image(CmdResolveImageArgs<'_>) => |_room, known, args| {
            images::check_resolve(known, [args.src_image.raw, args.dst_image.raw], args.p_regions)
        };
        cmd_resolve_image2(CmdResolveImage2Args<'_>)
            => |_room, known, args| images::check_resolve2(known, args.p_resolve_image_info);
        cmd_copy_buffer_to_image(CmdCopyBufferToImageArgs<'_>) => |_room, known, args| {
            let regions = args.p_regions.iter().copied();
            images::check_buffer_copy(known, args.src_buffer.raw, args.dst_image.raw, regions)
        };
        cmd_copy_buffer_to_image2(CmdCopyBufferToImage2Args<'_>)
            => |_room, known, args| images::check_from_buffer2(known, args.p_copy_buffer_to_image_info);
        cmd_copy_image_to_buffer(CmdCopyImageToBufferArgs<'_>) => |_room, known, args| {
            let regions = args.p_regions.iter().copied();
            images::check_buffer_copy(known, args.dst_buffer.raw, args.src_image.raw, regions)
        };
        cmd_copy_image_to_buffer2(CmdCopyImageToBuffer2Args<'_>)
            => |_room, known, args| images::check_to_buffer2(known, args.p_copy_image_to_buffer_info);
        cmd_copy_memory_to_image_indirect_khr(CmdCopyMemoryToImageIndirectKHRArgs<'_>) => |_room, known, args| {
            images::check_indirect_copy(known, args.p_copy_memory_to_image_indirect_info)
        };
        cmd_clear_color_image(CmdClearColorImageArgs<'_>)
            => |_room, known, args| images::check_cleared(known, args.image.raw, args.p_ranges);
        cmd_clear_depth_stencil_image(CmdClearDepthStencilImageArgs<'_>)
            => |_room, known, args| images::check_cleared(known, args.image.raw, args.p_ranges);
        cmd_pipeline_barrier(CmdPipelineBarrierArgs<'_>)
            => |_room, known, args| images::check_barriers(known, args.p_image_memory_barriers);
        cmd_wait_events(CmdWaitEventsArgs<'_>)
            => |_room, known, args| images::check_barriers(known, args.p_image_memory_barriers);
        cmd_pipeline_barrier2(CmdPipelineBarrier2Args<'_>)
            => |_room, known, args| images::check_dependency(known, args.p_dependency_info);
        cmd_set_event2(CmdSetEvent2Args<'_>)
            => |_room, known, args| images::check_dependency(known, args.p_dependency_info);
        cmd_wait_events2(CmdWaitEvents2Args<'_>) => |_room, known, args| {
            args.p_dependency_infos.iter().try_for_each(|info| images::check_dependency(known, info))
        };
        cmd_bind_descriptor_sets(CmdBindDescriptorSetsArgs<'_>) => |room, known, args| {
            pipelines::check_bind_point(args.pipeline_bind_point)?;
            room.has_sets(args.first_set, args.descriptor_set_count)?;
            let sets = (args.p_descriptor_sets.raws, args.dynamic_offset_count);
            sets::check_bound(known, ["firstSet", "dynamicOffsetCount"], (args.layout.raw, args.first_set), sets)
        };
        cmd_bind_descriptor_sets2(CmdBindDescriptorSets2Args<'_>) => |room, known, args| {
            room.has_sets2(args.p_bind_descriptor_sets_info)?;
            sets::check_bound2(known, args.p_bind_descriptor_sets_info)
        };
        cmd_begin_render_pass(CmdBeginRenderPassArgs<'_>)
            => |_room, known, args| passes::check_begin(known, args.p_render_pass_begin);
        cmd_begin_render_pass2(CmdBeginRenderPass2Args<'_>)
            => |_room, known, args| passes::check_begin(known, args.p_render_pass_begin);
        cmd_begin_rendering(CmdBeginRenderingArgs<'_>) => |room, known, args| {
            room.has_rendering(args.p_rendering_info)?;
            passes::check_rendering(room, known, args.p_rendering_info)
        };
        cmd_bind_pipeline(CmdBindPipelineArgs)
            => |_room, known, args| pipelines::check_bound(known, args.pipeline_bind_point, args.pipeline.raw);
        cmd_bind_index_buffer(CmdBindIndexBufferArgs)
            => |_room, known, args| buffers::inside("offset", known.buffer(args.buffer.raw), args.offset, 0);
        cmd_bind_index_buffer2(CmdBindIndexBuffer2Args) => |_room, known, args| {
            buffers::inside_or_rest("size", known.buffer(args.buffer.raw), args.offset, args.size)
        };
        cmd_bind_vertex_buffers(CmdBindVertexBuffersArgs<'_>) => |room, known, args| {
            room.has_vertex_buffers(args.first_binding, args.binding_count)?;
            buffers::check_bound(known, args.p_buffers.raws, args.p_offsets, &[])
        };
        cmd_bind_vertex_buffers2(CmdBindVertexBuffers2Args<'_>) => |room, known, args| {
            room.has_vertex_buffers(args.first_binding, args.binding_count)?;
            buffers::check_bound(known, args.p_buffers.raws, args.p_offsets, args.p_sizes)
        };
        cmd_bind_transform_feedback_buffers_ext(CmdBindTransformFeedbackBuffersEXTArgs<'_>) => |room, known, args| {
            room.has_feedback("bindingCount", args.first_binding, args.binding_count)?;
            buffers::check_bound(known, args.p_buffers.raws, args.p_offsets, args.p_sizes)
        };
        cmd_begin_transform_feedback_ext(CmdBeginTransformFeedbackEXTArgs<'_>) => |room, known, args| {
            room.has_feedback("counterBufferCount", args.first_counter_buffer, args.counter_buffer_count)?;
            buffers::check_counters(known, args.p_counter_buffers.raws, args.p_counter_buffer_offsets)
        };
        cmd_end_transform_feedback_ext(CmdEndTransformFeedbackEXTArgs<'_>) => |room, known, args| {
            room.has_feedback("counterBufferCount", args.first_counter_buffer, args.counter_buffer_count)?;
            buffers::check_counters(known, args.p_counter_buffers.raws, args.p_counter_buffer_offsets)
        };
        cmd_draw_indirect_byte_count_ext(CmdDrawIndirectByteCountEXTArgs) => |_room, known, args| {
            buffers::check_counters(known, &[args.counter_buffer.raw], &[args.counter_buffer_offset])
        };
        cmd_begin_conditional_rendering_ext(CmdBeginConditionalRenderingEXTArgs<'_>)
            => |_room, known, args| buffers::check_condition(known, args.p_conditional_rendering_begin);
        cmd_draw_indirect(CmdDrawIndirectArgs) => |_room, known, args| {
            let draws = [args.draw_count, args.stride, DRAW_BYTES];
            buffers::check_indirect(known.buffer(args.buffer.raw), args.offset, draws)
        };
        cmd_draw_indexed_indirect(CmdDrawIndexedIndirectArgs) => |_room, known, args| {
            let draws = [args.draw_count, args.stride, DRAW_INDEXED_BYTES];
            buffers::check_indirect(known.buffer(args.buffer.raw), args.offset, draws)
        };
        cmd_draw_mesh_tasks_indirect_ext(CmdDrawMeshTasksIndirectEXTArgs) => |_room, known, args| {
            let draws = [args.draw_count, args.stride, DRAW_MESH_TASKS_BYTES];
            buffers::check_indirect(known.buffer(args.buffer.raw), args.offset, draws)
        };
        cmd_draw_indirect_count(CmdDrawIndirectCountArgs) => |_room, known, args| {
            let draws = [args.max_draw_count, args.stride, DRAW_BYTES];
            buffers::check_indirect(known.buffer(args.buffer.raw), args.offset, draws)?;
            buffers::check_count(known.buffer(args.count_buffer.raw), args.count_buffer_offset)
        };
        cmd_draw_indexed_indirect_count(CmdDrawIndexedIndirectCountArgs) => |_room, known, args| {
            let draws = [args.max_draw_count, args.stride, DRAW_INDEXED_BYTES];
            buffers::check_indirect(known.buffer(args.buffer.raw), args.offset, draws)?;
            buffers::check_count(known.buffer(args.count_buffer.raw), args.count_buffer_offset)
        };
        cmd_draw_mesh_tasks_indirect_count_ext(CmdDrawMeshTasksIndirectCountEXTArgs) => |_room, known, args| {
            let draws = [args.max_draw_count, args.stride, DRAW_MESH_TASKS_BYTES];
            buffers::check_indirect(known.buffer(args.buffer.raw), args.offset, draws)?;
            buffers::check_count(known.buffer(args.count_buffer.raw), args.count_buffer_offset)
        };
        cmd_dispatch_indirect(CmdDispatchIndirectArgs) => |_room, known, args| {
            buffers::check_indirect(known.buffer(args.buffer.raw), args.offset, [1, 0, DISPATCH_BYTES])
        };
    }

    queried! {
        cmd_begin_query(CmdBeginQueryArgs) => |args, count| below("query", args.query, count);
        cmd_end_query(CmdEndQueryArgs) => |args, count| below("query", args.query, count);
        cmd_begin_query_indexed_ext(CmdBeginQueryIndexedEXTArgs) => |args, count| below("query", args.query, count);
        cmd_end_query_indexed_ext(CmdEndQueryIndexedEXTArgs) => |args, count| below("query", args.query, count);
        cmd_write_timestamp(CmdWriteTimestampArgs) => |args, count| below("query", args.query, count);
        cmd_write_timestamp2(CmdWriteTimestamp2Args) => |args, count| below("query", args.query, count);
        cmd_reset_query_pool(CmdResetQueryPoolArgs)
            => |args, count| span("queryCount", args.first_query, args.query_count, count);
        cmd_write_acceleration_structures_properties_khr(CmdWriteAccelerationStructuresPropertiesKHRArgs<'_>)
            => |args, count| span("firstQuery", args.first_query, args.acceleration_structure_count, count);
    }

    trimmed! {
        cmd_set_color_blend_enable_ext(CmdSetColorBlendEnableEXTArgs<'_>).p_color_blend_enables;
        cmd_set_color_blend_equation_ext(CmdSetColorBlendEquationEXTArgs<'_>).p_color_blend_equations;
        cmd_set_color_write_mask_ext(CmdSetColorWriteMaskEXTArgs<'_>).p_color_write_masks;
        cmd_set_color_blend_advanced_ext(CmdSetColorBlendAdvancedEXTArgs<'_>).p_color_blend_advanced;
    }

    /// What it goes on with is a subpass of its render pass.
    fn begin_command_buffer(&mut self, args: &mut BeginCommandBufferArgs<'_>) -> Result<vk::Result, Interrupt> {
        self.forward_known(args, |_, known, args| passes::check_inherited(known, args.p_begin_info))
    }

    /// Left out where it would execute what was recorded for queues that can do more.
    fn cmd_execute_commands(&mut self, args: &mut CmdExecuteCommandsArgs<'_>) -> Result<(), Interrupt> {
        self.device_cache.procs(&self.shared.objects, args.command_buffer.id);
        let Some(family) = self.device_cache.family() else { return self.forward(args) };
        if args.p_command_buffers.raws.iter().all(|buffer| family.has(*buffer)) {
            return self.forward(args);
        }
        self.note_foreign(family);
        Ok(())
    }

    /// Clearing nothing is nothing; some drivers do not survive it.
    fn cmd_clear_attachments(&mut self, args: &mut CmdClearAttachmentsArgs<'_>) -> Result<(), Interrupt> {
        if args.p_attachments.is_empty() || args.p_rects.is_empty() || args.p_rects.iter().any(is_empty) {
            return self.clear_rest(args);
        }
        self.forward(args)
    }

    /// QUIRK(lavapipe): says that a result is available before it writes that, and guests look from another thread. So it
    /// writes the results once before it says anything.
    fn cmd_copy_query_pool_results(&mut self, args: &mut CmdCopyQueryPoolResultsArgs) -> Result<(), Interrupt> {
        const AVAILABILITY: vk::QueryResultFlags = vk::QueryResultFlags::WITH_AVAILABILITY;
        let (first, copied, flags) = (args.first_query, args.query_count, args.flags);
        let queries = self.check_queries(args.query_pool, |count| span("queryCount", first, copied, count))?;
        let device = self.device(args.command_buffer.id)?;
        self.check_known(&device, |known| {
            let results = known.buffer(args.dst_buffer.raw);
            buffers::check_results(results, args.dst_offset, (copied, args.stride), (queries.numbers, flags))
        })?;
        if flags.contains(AVAILABILITY) && device.physical().driver_id() == vk::DriverId::MESA_LLVMPIPE {
            args.flags = flags & !AVAILABILITY;
            self.forward(args)?;
            args.flags = flags;
        }
        self.forward(args)
    }

    /// Drivers copy as much as they are told to a place of fixed size.
    fn cmd_push_data_ext(&mut self, args: &mut CmdPushDataEXTArgs<'_>) -> Result<(), Interrupt> {
        let device = self.device(args.command_buffer.id)?;
        device.check_push_data(args.p_push_data_info).map_err(|refusal| self.left_out_for(refusal))?;
        self.forward(args)
    }

    fn cmd_push_descriptor_set(&mut self, args: &mut CmdPushDescriptorSetArgs<'_>) -> Result<(), Interrupt> {
        sanitize::check_writes(args.p_descriptor_writes).map_err(|refusal| self.left_out_for(refusal))?;
        self.forward_known(args, |room, known, args| {
            pipelines::check_bind_point(args.pipeline_bind_point)?;
            room.has_pushed_set(args.set)?;
            sets::check_pushed(known, ["set", "layout"], (args.layout.raw, args.set), args.p_descriptor_writes)
        })
    }

    fn cmd_push_descriptor_set2(&mut self, args: &mut CmdPushDescriptorSet2Args<'_>) -> Result<(), Interrupt> {
        sanitize::check_push(args.p_push_descriptor_set_info).map_err(|refusal| self.left_out_for(refusal))?;
        self.forward_known(args, |room, known, args| {
            room.has_pushed_set2(args.p_push_descriptor_set_info)?;
            sets::check_pushed2(known, args.p_push_descriptor_set_info)
        })
    }
}

/// Whether nothing lies in the rectangle.
fn is_empty(rect: &vk::ClearRect) -> bool {
    rect.layer_count == 0 || rect.rect.extent.width == 0 || rect.rect.extent.height == 0
}

impl Endpoint {
    /// Clears what of a vkCmdClearAttachments is there to be cleared, and tells the log of the rest.
    #[cold]
    fn clear_rest(&mut self, args: &CmdClearAttachmentsArgs<'_>) -> Result<(), Interrupt> {
        self.fall_short(Shortfall::Refused);
        let line = self.fatal("a list or a rectangle is empty, and is left out").member("pRects").advice(APPLICATION);
        self.shared.log_failure(&self.locate(line));
        let CmdClearAttachmentsArgs { command_buffer, attachment_count, p_attachments, .. } = *args;
        let rects: Vec<_> = args.p_rects.iter().copied().filter(|rect| !is_empty(rect)).collect();
        let rect_count = u32::try_from(rects.len()).unwrap_or_default();
        if p_attachments.is_empty() || rects.is_empty() {
            return Ok(());
        }
        self.forward(&mut CmdClearAttachmentsArgs {
            command_buffer,
            attachment_count,
            p_attachments,
            rect_count,
            p_rects: &rects,
        })
    }

    /// Takes a command buffer back into use that was set aside with a hole in it, and empties it. Where its pool does
    /// not allow that, the guest is about to begin it, which empties it as well; but the driver has seen no end of what
    /// it was recording, and a reset is the one thing that every driver takes in that state.
    #[cold]
    pub(crate) fn restore_command_buffer(&mut self, id: u64) -> Result<(), Interrupt> {
        let Some(raw) = self.shared.objects.restore(vk::ObjectType::COMMAND_BUFFER, id) else { return Ok(()) };
        let command_buffer = Handle { id, raw: vk::Handle::from_raw(raw) };
        let flags = vk::CommandBufferResetFlags::empty();
        // If that fails, so will the guest's own command, which has an answer.
        self.forward(&mut ResetCommandBufferArgs { command_buffer, flags }).map(drop)
    }
}
