//! Commands on their whole way through this host: taken from a ring, decoded, handed to the driver, answered.
//!
//! Guest, host and driver share a thread: the ring is one that its monitor polls, so nothing is waited for and nobody
//! else is at work. What the guest does to write the commands is no part of a pass.

mod driver;
mod guest;

use anyhow::{Context as _, Result, ensure};
use mock_driver::Mock;
use venus_guest::{Gpu, Guest};
use venus_host::context::Progress;
use venus_protocol::args::{
    AllocateDescriptorSetsArgs, CmdBindDescriptorSetsArgs, CmdBindVertexBuffersArgs, CmdCopyBufferArgs, CmdDrawArgs,
    CmdPushConstantsArgs, CmdSetLineWidthArgs, CreateDescriptorPoolArgs, CreateDescriptorSetLayoutArgs,
    GetDescriptorSetLayoutSupportArgs, QueueSubmitArgs, SetReplyCommandStreamMESAArgs, UpdateDescriptorSetsArgs,
};
use venus_protocol::vk;
use venus_protocol::wire::{Command, CommandHeader, Encoder, Handle, Handles};

use self::guest::InProcess;
use crate::{Job, Kind, Visit, Work};

/// Commands of one pass. All of them fit into the ring together.
const COMMANDS: usize = 128;
/// Commands of a pass whose commands come in a stream of their own, as Mesa's driver sends those of a command buffer: too
/// many for the ring.
const STREAMED: usize = 1024;
/// Room for one reply.
const REPLY_BYTES: usize = 256;

/// Visits all jobs.
pub(crate) fn each(visit: &mut Visit<'_>) -> Result<()> {
    let mock = Mock::take();
    let mut scene = Scene::new(&mock)?;
    for (name, commands, request) in ROWS {
        let mut stream = new_encoder();
        for _ in 0..*commands {
            request(&scene, &mut stream);
        }
        let (commands, stream) = (*commands, stream.bytes().to_vec());
        let mut trip = Trip { scene: &mut scene, stream };
        visit(Job { kind: Kind::Trip, name, commands, reference: None, work: &mut trip })?;
        let progress = trip.scene.host().process();
        ensure!(progress == Progress::Empty || progress == Progress::Idle, "{name} left the ring {progress:?}");
    }
    scene.gpu.close()
}

/// A command's name, how often it is sent, and what writes one.
type Row = (&'static str, usize, fn(&Scene, &mut Encoder));

const ROWS: &[Row] = &[
    ("vkCmdSetLineWidth", COMMANDS, set_line_width),
    ("vkCmdSetLineWidth, in a stream", STREAMED, set_line_width),
    ("vkCmdDraw", COMMANDS, draw),
    ("vkCmdBindDescriptorSets, 1 set", COMMANDS, bind_descriptor_sets),
    ("vkCmdPushConstants, 16 bytes", COMMANDS, push_constants),
    ("vkCmdBindVertexBuffers, 1 buffer", COMMANDS, bind_vertex_buffers),
    ("vkCmdCopyBuffer, 1 region", COMMANDS, copy_buffer),
    ("vkUpdateDescriptorSets, 4 buffer writes", COMMANDS / 8, update_descriptor_sets),
    ("vkQueueSubmit, 1 command buffer, fence", COMMANDS / 2, queue_submit),
    ("vkGetDescriptorSetLayoutSupport, answered", COMMANDS / 4, descriptor_set_layout_support),
];

/// What the commands name.
struct Scene {
    gpu: Gpu<InProcess>,
    command_buffer: Handle<vk::CommandBuffer>,
    fence: Handle<vk::Fence>,
    pipeline_layout: Handle<vk::PipelineLayout>,
    set: Handle<vk::DescriptorSet>,
    buffer: Handle<vk::Buffer>,
    replies: venus_guest::Shmem,
}

impl Scene {
    fn new(mock: &Mock) -> Result<Self> {
        #[expect(unsafe_code, reason = "the guest reads through the pointers of what it is given")]
        // SAFETY: what is sent here and in `Gpu` was filled through ash's setters, which tie every pointer to what it leads
        // to.
        let guest = unsafe { Guest::over(InProcess::new(mock)) }?;
        let mut gpu = Gpu::open(guest)?;
        let (command_buffer, fence) = (gpu.begin()?, gpu.fence()?);
        let set_layout = set_layout(&mut gpu)?;
        let pipeline_layout = gpu.pipeline_layout(&[set_layout])?;
        let set = descriptor_set(&mut gpu, set_layout)?;
        let buffer = gpu.host_buffer(4096, vk::BufferUsageFlags::UNIFORM_BUFFER)?.buffer;
        let replies = gpu.guest().create_shmem(REPLY_BYTES)?;
        Ok(Self { gpu, command_buffer, fence, pipeline_layout, set, buffer, replies })
    }

    fn host(&mut self) -> &mut InProcess {
        self.gpu.guest().transport()
    }
}

/// A layout of one buffer.
fn layout_info<'a>(bindings: &'a [vk::DescriptorSetLayoutBinding<'a>; 1]) -> vk::DescriptorSetLayoutCreateInfo<'a> {
    vk::DescriptorSetLayoutCreateInfo::default().bindings(bindings)
}

fn binding() -> [vk::DescriptorSetLayoutBinding<'static>; 1] {
    let binding = vk::DescriptorSetLayoutBinding::default().descriptor_type(vk::DescriptorType::UNIFORM_BUFFER);
    [binding.descriptor_count(4).stage_flags(vk::ShaderStageFlags::VERTEX)]
}

fn set_layout(gpu: &mut Gpu<InProcess>) -> Result<vk::DescriptorSetLayout> {
    let (device, mut layout) = (gpu.device, gpu.guest().fresh());
    let bindings = binding();
    let p_create_info = &layout_info(&bindings);
    gpu.guest().succeed(&CreateDescriptorSetLayoutArgs { device, p_create_info, p_set_layout: layout.slot() })?;
    Ok(layout.handle().raw)
}

fn descriptor_set(gpu: &mut Gpu<InProcess>, layout: vk::DescriptorSetLayout) -> Result<Handle<vk::DescriptorSet>> {
    let (device, mut pool, mut set) = (gpu.device, gpu.guest().fresh(), gpu.guest().fresh());
    let sizes = [vk::DescriptorPoolSize::default().ty(vk::DescriptorType::UNIFORM_BUFFER).descriptor_count(4)];
    let p_create_info = &vk::DescriptorPoolCreateInfo::default().max_sets(1).pool_sizes(&sizes);
    gpu.guest().succeed(&CreateDescriptorPoolArgs { device, p_create_info, p_descriptor_pool: pool.slot() })?;
    let layouts = [layout];
    let info = vk::DescriptorSetAllocateInfo::default().descriptor_pool(pool.handle().raw).set_layouts(&layouts);
    let args = AllocateDescriptorSetsArgs { device, p_allocate_info: &info, p_descriptor_sets: set.slot() };
    gpu.guest().succeed(&args)?;
    Ok(set.handle())
}

/// Commands that are sent, and executed.
struct Trip<'s> {
    scene: &'s mut Scene,
    stream: Vec<u8>,
}

impl Work for Trip<'_> {
    fn prepare(&mut self) -> Result<()> {
        let guest = self.scene.gpu.guest();
        guest.finish()?;
        guest.execute(&self.stream).context("sending commands")
    }

    fn pass(&mut self) -> usize {
        match self.scene.host().process() {
            Progress::Worked => self.stream.len(),
            _ => 0,
        }
    }
}

const NO_REPLY: u32 = 0;

fn set_line_width(scene: &Scene, encoder: &mut Encoder) {
    CmdSetLineWidthArgs { command_buffer: scene.command_buffer, line_width: 1.0 }.encode(encoder, NO_REPLY);
}

fn draw(scene: &Scene, encoder: &mut Encoder) {
    let command_buffer = scene.command_buffer;
    CmdDrawArgs { command_buffer, vertex_count: 3, instance_count: 1, first_vertex: 0, first_instance: 0 }
        .encode(encoder, NO_REPLY);
}

fn bind_descriptor_sets(scene: &Scene, encoder: &mut Encoder) {
    let args = CmdBindDescriptorSetsArgs {
        command_buffer: scene.command_buffer,
        pipeline_bind_point: vk::PipelineBindPoint::GRAPHICS,
        layout: scene.pipeline_layout,
        first_set: 0,
        descriptor_set_count: 1,
        p_descriptor_sets: Handles { ids: &[scene.set.id], raws: &[scene.set.raw] },
        dynamic_offset_count: 0,
        p_dynamic_offsets: &[],
    };
    args.encode(encoder, NO_REPLY);
}

fn push_constants(scene: &Scene, encoder: &mut Encoder) {
    let args = CmdPushConstantsArgs {
        command_buffer: scene.command_buffer,
        layout: scene.pipeline_layout,
        stage_flags: vk::ShaderStageFlags::VERTEX,
        offset: 0,
        size: 16,
        p_values: &[7; 16],
    };
    args.encode(encoder, NO_REPLY);
}

fn bind_vertex_buffers(scene: &Scene, encoder: &mut Encoder) {
    let args = CmdBindVertexBuffersArgs {
        command_buffer: scene.command_buffer,
        first_binding: 0,
        binding_count: 1,
        p_buffers: Handles { ids: &[scene.buffer.id], raws: &[scene.buffer.raw] },
        p_offsets: &[256],
    };
    args.encode(encoder, NO_REPLY);
}

fn copy_buffer(scene: &Scene, encoder: &mut Encoder) {
    let args = CmdCopyBufferArgs {
        command_buffer: scene.command_buffer,
        src_buffer: scene.buffer,
        dst_buffer: scene.buffer,
        region_count: 1,
        p_regions: &[vk::BufferCopy { src_offset: 0, dst_offset: 2048, size: 2048 }],
    };
    args.encode(encoder, NO_REPLY);
}

fn update_descriptor_sets(scene: &Scene, encoder: &mut Encoder) {
    let buffers =
        [0, 1, 2, 3].map(|n| [vk::DescriptorBufferInfo::default().buffer(scene.buffer.raw).offset(256 * n).range(256)]);
    let writes = std::array::from_fn::<_, 4, _>(|n| {
        vk::WriteDescriptorSet::default()
            .dst_set(scene.set.raw)
            .dst_array_element(u32::try_from(n).unwrap_or_default())
            .descriptor_type(vk::DescriptorType::UNIFORM_BUFFER)
            .buffer_info(&buffers[n])
    });
    let args = UpdateDescriptorSetsArgs {
        device: scene.gpu.device,
        descriptor_write_count: 4,
        p_descriptor_writes: &writes,
        descriptor_copy_count: 0,
        p_descriptor_copies: &[],
    };
    args.encode(encoder, NO_REPLY);
}

fn queue_submit(scene: &Scene, encoder: &mut Encoder) {
    let command_buffers = [scene.command_buffer.raw];
    let p_submits = &[vk::SubmitInfo::default().command_buffers(&command_buffers)];
    QueueSubmitArgs { queue: scene.gpu.queue, submit_count: 1, p_submits, fence: scene.fence }
        .encode(encoder, NO_REPLY);
}

/// As each call of a guest: where the reply is to go, and the command.
fn descriptor_set_layout_support(scene: &Scene, encoder: &mut Encoder) {
    let stream =
        vk::CommandStreamDescriptionMESA { resource_id: scene.replies.resource.0, offset: 0, size: REPLY_BYTES };
    SetReplyCommandStreamMESAArgs { p_stream: &stream }.encode(encoder, NO_REPLY);
    let bindings = binding();
    let args = GetDescriptorSetLayoutSupportArgs {
        device: scene.gpu.device,
        p_create_info: &layout_info(&bindings),
        p_support: &mut vk::DescriptorSetLayoutSupport::default(),
    };
    args.encode(encoder, CommandHeader::GENERATE_REPLY);
}

#[expect(unsafe_code, reason = "the encoder reads through the pointers of what it is given")]
fn new_encoder() -> Encoder {
    // SAFETY: what it is given is filled above through ash's setters, which tie every pointer to what it leads to.
    unsafe { Encoder::new() }
}
