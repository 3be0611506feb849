//! The commands that are measured, and what the reference decoder needs for them.

use anyhow::Result;
use venus_protocol::args::{
    CmdBindDescriptorSetsArgs, CmdDrawArgs, CmdPushConstantsArgs, CreateGraphicsPipelinesArgs, CreateImageArgs,
    GetPhysicalDeviceProperties2Args, QueueSubmitArgs, UpdateDescriptorSetsArgs,
};
use venus_protocol::vk;
use venus_protocol::wire::{Arena, Command as _, CommandHeader, Encoder, Handle, Handles, NewHandles};

use crate::Visit;
use crate::codec::{Direction, Encoding};
use crate::objects::Objects;

/// What the decoder and dispatcher of virglrenderer cost: compiled by gcc 12 with `-O2`, instructions counted by
/// callgrind, handles looked up in an open-addressed table of 4 048 objects; `locked` with an uncontended mutex around
/// each lookup, as the real host has it.
#[derive(Clone, Copy, Debug)]
pub struct Reference {
    /// Length of the request, or of the reply where that is what is measured.
    pub bytes: usize,
    /// Nanoseconds on the machine where it was measured.
    pub ns: f64,
    /// Instructions.
    pub instructions: u64,
    /// Both with the lock.
    pub locked: Option<(f64, u64)>,
}

/// One command.
pub(crate) struct Case {
    pub(crate) name: &'static str,
    /// Which of the host's two jobs the reference did.
    pub(crate) host: Direction,
    pub(crate) reference: Reference,
    /// Encodes one of the variants of a request.
    pub(crate) request: fn(&mut Encoder, u64),
    /// Has what the bytes hold encoded, again and again.
    pub(crate) encode: fn(Encoding<'_>, &mut Visit<'_>) -> Result<()>,
}

/// All of them.
pub(crate) const CASES: [Case; 9] = [
    Case {
        name: "vkCmdDraw",
        host: Direction::Decode,
        reference: reference(32, 9.3, 203, Some((11.7, 274))),
        request: draw,
        encode: |encoding, visit| encoding.requests::<CmdDrawArgs>(visit),
    },
    Case {
        name: "vkCmdBindDescriptorSets, 1 set",
        host: Direction::Decode,
        reference: reference(64, 20.4, 384, Some((31.5, 599))),
        request: bind_descriptor_sets,
        encode: |encoding, visit| encoding.requests::<CmdBindDescriptorSetsArgs<'_>>(visit),
    },
    Case {
        name: "vkCmdPushConstants, 16 bytes",
        host: Direction::Decode,
        reference: reference(60, 16.1, 297, Some((22.7, 446))),
        request: push_constants,
        encode: |encoding, visit| encoding.requests::<CmdPushConstantsArgs<'_>>(visit),
    },
    Case {
        name: "vkUpdateDescriptorSets, 4 buffer writes",
        host: Direction::Decode,
        reference: reference(376, 170.0, 2393, Some((196.0, 3085))),
        request: update_descriptor_sets,
        encode: |encoding, visit| encoding.requests::<UpdateDescriptorSetsArgs<'_>>(visit),
    },
    Case {
        name: "vkCreateGraphicsPipelines, 1 pipeline",
        host: Direction::Decode,
        reference: reference(828, 332.0, 4997, Some((332.0, 5316))),
        request: create_graphics_pipelines,
        encode: |encoding, visit| encoding.requests::<CreateGraphicsPipelinesArgs<'_>>(visit),
    },
    Case {
        name: "vkQueueSubmit, 1 command buffer, fence",
        host: Direction::Decode,
        reference: reference(100, 48.4, 737, Some((60.2, 973))),
        request: queue_submit,
        encode: |encoding, visit| encoding.requests::<QueueSubmitArgs<'_>>(visit),
    },
    Case {
        name: "vkCreateImage",
        host: Direction::Decode,
        reference: reference(124, 44.4, 737, Some((46.7, 810))),
        request: create_image,
        encode: |encoding, visit| encoding.requests::<CreateImageArgs<'_>>(visit),
    },
    Case {
        name: "vkGetPhysicalDeviceProperties2, 5 children",
        host: Direction::Decode,
        reference: reference(96, 44.0, 702, Some((44.4, 775))),
        request: properties,
        encode: |encoding, visit| encoding.requests::<GetPhysicalDeviceProperties2Args<'_>>(visit),
    },
    Case {
        name: "vkGetPhysicalDeviceProperties2, its reply",
        host: Direction::Encode,
        reference: reference(2564, 737.0, 10480, None),
        request: properties,
        encode: |encoding, visit| encoding.replies::<GetPhysicalDeviceProperties2Args<'_>>(visit),
    },
];

const fn reference(bytes: usize, ns: f64, instructions: u64, locked: Option<(f64, u64)>) -> Reference {
    Reference { bytes, ns, instructions, locked }
}

const NO_REPLY: u32 = 0;

/// A number that varies with the variant.
fn small(i: u64) -> u32 {
    u32::try_from(i % 1000).unwrap_or_default()
}

fn draw(encoder: &mut Encoder, i: u64) {
    let command_buffer = Objects::handle(i);
    let args =
        CmdDrawArgs { command_buffer, vertex_count: small(i), instance_count: 1, first_vertex: 3, first_instance: 0 };
    args.encode(encoder, NO_REPLY);
}

fn bind_descriptor_sets(encoder: &mut Encoder, i: u64) {
    let set: Handle<vk::DescriptorSet> = Objects::handle(i * 7);
    let args = CmdBindDescriptorSetsArgs {
        command_buffer: Objects::handle(i),
        pipeline_bind_point: vk::PipelineBindPoint::GRAPHICS,
        layout: Objects::handle(i * 3),
        first_set: 0,
        descriptor_set_count: 1,
        p_descriptor_sets: Handles { ids: &[set.id], raws: &[set.raw] },
        dynamic_offset_count: 0,
        p_dynamic_offsets: &[],
    };
    args.encode(encoder, NO_REPLY);
}

fn push_constants(encoder: &mut Encoder, i: u64) {
    let low = i.to_le_bytes();
    let args = CmdPushConstantsArgs {
        command_buffer: Objects::handle(i),
        layout: Objects::handle(i * 3),
        stage_flags: vk::ShaderStageFlags::VERTEX,
        offset: 0,
        size: 16,
        p_values: &[low, low].concat(),
    };
    args.encode(encoder, NO_REPLY);
}

fn update_descriptor_sets(encoder: &mut Encoder, i: u64) {
    let buffers = [0, 1, 2, 3].map(|n| {
        [vk::DescriptorBufferInfo::default().buffer(Objects::handle(i * 5 + n).raw).offset(256 * n).range(256)]
    });
    let writes = std::array::from_fn::<_, 4, _>(|n| {
        vk::WriteDescriptorSet::default()
            .dst_set(Objects::handle(i).raw)
            .dst_binding(u32::try_from(n).unwrap_or_default())
            .descriptor_type(vk::DescriptorType::UNIFORM_BUFFER)
            .buffer_info(&buffers[n])
    });
    let args = UpdateDescriptorSetsArgs {
        device: Objects::handle(0),
        descriptor_write_count: 4,
        p_descriptor_writes: &writes,
        descriptor_copy_count: 0,
        p_descriptor_copies: &[],
    };
    args.encode(encoder, NO_REPLY);
}

fn create_graphics_pipelines(encoder: &mut Encoder, i: u64) {
    let stage = |stage, n| {
        let module = Objects::handle(i + n).raw;
        vk::PipelineShaderStageCreateInfo::default().stage(stage).module(module).name(c"main")
    };
    let stages = [stage(vk::ShaderStageFlags::VERTEX, 0), stage(vk::ShaderStageFlags::FRAGMENT, 1)];
    let bindings = [vk::VertexInputBindingDescription::default().stride(32)];
    let attributes = [0, 1, 2].map(|location| vk::VertexInputAttributeDescription::default().location(location));
    let vertex_input = vk::PipelineVertexInputStateCreateInfo::default()
        .vertex_binding_descriptions(&bindings)
        .vertex_attribute_descriptions(&attributes);
    let input_assembly = vk::PipelineInputAssemblyStateCreateInfo::default();
    let (viewports, scissors) = ([vk::Viewport::default()], [vk::Rect2D::default()]);
    let viewport = vk::PipelineViewportStateCreateInfo::default().viewports(&viewports).scissors(&scissors);
    let rasterization = vk::PipelineRasterizationStateCreateInfo::default().line_width(1.0);
    let multisample =
        vk::PipelineMultisampleStateCreateInfo::default().rasterization_samples(vk::SampleCountFlags::TYPE_1);
    let depth = vk::PipelineDepthStencilStateCreateInfo::default();
    let blends = [vk::PipelineColorBlendAttachmentState::default()];
    let blend = vk::PipelineColorBlendStateCreateInfo::default().attachments(&blends);
    let states = [vk::DynamicState::VIEWPORT, vk::DynamicState::SCISSOR];
    let dynamic = vk::PipelineDynamicStateCreateInfo::default().dynamic_states(&states);
    let info = vk::GraphicsPipelineCreateInfo::default()
        .stages(&stages)
        .vertex_input_state(&vertex_input)
        .input_assembly_state(&input_assembly)
        .viewport_state(&viewport)
        .rasterization_state(&rasterization)
        .multisample_state(&multisample)
        .depth_stencil_state(&depth)
        .color_blend_state(&blend)
        .dynamic_state(&dynamic)
        .layout(Objects::handle(i).raw)
        .render_pass(Objects::handle(i * 3).raw);
    let args = CreateGraphicsPipelinesArgs {
        device: Objects::handle(0),
        pipeline_cache: Objects::handle(i),
        create_info_count: 1,
        p_create_infos: &[info],
        p_pipelines: NewHandles { ids: &mut [10_000 + i], raws: &mut [vk::Pipeline::default()] },
    };
    args.encode(encoder, NO_REPLY);
}

fn queue_submit(encoder: &mut Encoder, i: u64) {
    let command_buffers = [Objects::handle(i).raw];
    let submits = [vk::SubmitInfo::default().command_buffers(&command_buffers)];
    let queue = Objects::handle(i);
    let args = QueueSubmitArgs { queue, submit_count: 1, p_submits: &submits, fence: Objects::handle(i * 3) };
    args.encode(encoder, NO_REPLY);
}

fn create_image(encoder: &mut Encoder, i: u64) {
    let info = vk::ImageCreateInfo::default()
        .image_type(vk::ImageType::TYPE_2D)
        .format(vk::Format::R8G8B8A8_UNORM)
        .extent(vk::Extent3D { width: small(i), height: 256, depth: 1 })
        .mip_levels(1)
        .array_layers(1)
        .samples(vk::SampleCountFlags::TYPE_1)
        .usage(vk::ImageUsageFlags::SAMPLED);
    let args = CreateImageArgs {
        device: Objects::handle(0),
        p_create_info: &info,
        p_image: NewHandles { ids: &mut [10_000 + i], raws: &mut [vk::Image::default()] },
    };
    args.encode(encoder, NO_REPLY);
}

fn properties(encoder: &mut Encoder, i: u64) {
    let mut maintenance = vk::PhysicalDeviceMaintenance3Properties::default();
    let mut driver = vk::PhysicalDeviceDriverProperties::default();
    let mut core_11 = vk::PhysicalDeviceVulkan11Properties::default();
    let mut core_12 = vk::PhysicalDeviceVulkan12Properties::default();
    let mut core_13 = vk::PhysicalDeviceVulkan13Properties::default();
    let mut properties = vk::PhysicalDeviceProperties2::default()
        .push_next(&mut maintenance)
        .push_next(&mut driver)
        .push_next(&mut core_11)
        .push_next(&mut core_12)
        .push_next(&mut core_13);
    let args = GetPhysicalDeviceProperties2Args { physical_device: Objects::handle(i), p_properties: &mut properties };
    args.encode(encoder, CommandHeader::GENERATE_REPLY);
}

/// Where decoded arguments live as long as they are encoded again and again: as much as one pass over the buffer needs.
pub(crate) fn roomy_arena() -> Arena {
    Arena::new(256 << 20)
}
