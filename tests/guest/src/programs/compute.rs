//! A buffer goes to the GPU and comes back: each side must see what the other has written.

use std::sync::atomic::Ordering;

use anyhow::{Result, ensure};
use venus_protocol::args::{
    AllocateDescriptorSetsArgs, CmdBindDescriptorSetsArgs, CmdBindPipelineArgs, CmdDispatchArgs, CmdFillBufferArgs,
    CreateComputePipelinesArgs, CreateDescriptorPoolArgs, CreateDescriptorSetLayoutArgs, DestroyDescriptorPoolArgs,
    DestroyDescriptorSetLayoutArgs, DestroyPipelineArgs, UpdateDescriptorSetsArgs,
};
use venus_protocol::vk;
use venus_protocol::wire::{Handle, Handles};

use crate::{Gpu, Guest, HostBuffer, Transport, spirv};

/// Numbers that the shader works on.
const NUMBERS: u32 = 1 << 14;
/// What it multiplies them by.
const FACTOR: u32 = 3;
/// Numbers behind them, which `vkCmdFillBuffer` sets.
const FILLED: u32 = 64;
const FILL: u32 = 0xc0ff_ee00;
const WORD: u32 = 4;

/// Has the GPU compute `numbers[i] * 3 + i`, and checks every one of them. Says how many there were.
pub fn compute(guest: Guest<impl Transport>) -> Result<u32> {
    let mut gpu = Gpu::open(guest)?;
    let size = u64::from((NUMBERS + FILLED) * WORD);
    let numbers = gpu.host_buffer(size, vk::BufferUsageFlags::STORAGE_BUFFER | vk::BufferUsageFlags::TRANSFER_DST)?;
    for i in 0..NUMBERS {
        numbers.shared.mapping.word(offset(i)?)?.store(start(i), Ordering::Relaxed);
    }

    let pipeline = Pipeline::new(&mut gpu)?;
    let set = pipeline.descriptor_set(&mut gpu, &numbers)?;
    let command_buffer = gpu.begin()?;
    let guest = gpu.guest();
    let bind_point = vk::PipelineBindPoint::COMPUTE;
    guest.send(&CmdBindPipelineArgs {
        command_buffer,
        pipeline_bind_point: bind_point,
        pipeline: pipeline.pipeline,
    })?;
    guest.send(&CmdBindDescriptorSetsArgs {
        command_buffer,
        pipeline_bind_point: bind_point,
        layout: pipeline.layout,
        first_set: 0,
        descriptor_set_count: 1,
        p_descriptor_sets: Handles { ids: &[set.id], raws: &[set.raw] },
        dynamic_offset_count: 0,
        p_dynamic_offsets: &[],
    })?;
    guest.send(&CmdDispatchArgs {
        command_buffer,
        group_count_x: NUMBERS / spirv::GROUP_SIZE,
        group_count_y: 1,
        group_count_z: 1,
    })?;
    guest.send(&CmdFillBufferArgs {
        command_buffer,
        dst_buffer: numbers.buffer,
        dst_offset: u64::from(NUMBERS * WORD),
        size: u64::from(FILLED * WORD),
        data: FILL,
    })?;
    gpu.end_and_run(command_buffer)?;

    for i in 0..NUMBERS + FILLED {
        let found = numbers.shared.mapping.word(offset(i)?)?.load(Ordering::Relaxed);
        let expected = if i < NUMBERS { start(i).wrapping_mul(FACTOR).wrapping_add(i) } else { FILL };
        ensure!(found == expected, "number {i} is {found:#x}, must be {expected:#x}");
    }
    gpu.guest().release(numbers.shared)?;
    gpu.close()?;
    Ok(NUMBERS)
}

/// What number `i` is before.
fn start(i: u32) -> u32 {
    i.wrapping_mul(0x9e37_79b9)
}

fn offset(i: u32) -> Result<usize> {
    Ok(usize::try_from(i * WORD)?)
}

struct Pipeline {
    pipeline: Handle<vk::Pipeline>,
    layout: Handle<vk::PipelineLayout>,
    set_layout: Handle<vk::DescriptorSetLayout>,
}

impl Pipeline {
    fn new(gpu: &mut Gpu<impl Transport>) -> Result<Self> {
        let device = gpu.device;
        let bindings = [vk::DescriptorSetLayoutBinding::default()
            .binding(0)
            .descriptor_type(vk::DescriptorType::STORAGE_BUFFER)
            .descriptor_count(1)
            .stage_flags(vk::ShaderStageFlags::COMPUTE)];
        let info = vk::DescriptorSetLayoutCreateInfo::default().bindings(&bindings);
        let mut set_layout = gpu.guest().fresh();
        let p_set_layout = set_layout.slot();
        gpu.guest().succeed(&CreateDescriptorSetLayoutArgs { device, p_create_info: &info, p_set_layout })?;
        let set_layout = set_layout.handle();
        gpu.at_the_end(move |guest| {
            guest.send(&DestroyDescriptorSetLayoutArgs { device, descriptor_set_layout: set_layout })
        });

        let layout = gpu.pipeline_layout(&[set_layout.raw])?;
        let shader = gpu.shader(&spirv::multiply_and_add(FACTOR))?;
        let stage = vk::PipelineShaderStageCreateInfo::default()
            .stage(vk::ShaderStageFlags::COMPUTE)
            .module(shader)
            .name(c"main");
        let info = vk::ComputePipelineCreateInfo::default().stage(stage).layout(layout.raw);
        let mut pipeline = gpu.guest().fresh();
        gpu.guest().succeed(&CreateComputePipelinesArgs {
            device,
            pipeline_cache: Handle::default(),
            create_info_count: 1,
            p_create_infos: &[info],
            p_pipelines: pipeline.slot(),
        })?;
        let pipeline = pipeline.handle();
        gpu.at_the_end(move |guest| guest.send(&DestroyPipelineArgs { device, pipeline }));
        Ok(Self { pipeline, layout, set_layout })
    }

    /// A descriptor set with the one buffer.
    fn descriptor_set(&self, gpu: &mut Gpu<impl Transport>, numbers: &HostBuffer) -> Result<Handle<vk::DescriptorSet>> {
        let device = gpu.device;
        let sizes = [vk::DescriptorPoolSize { ty: vk::DescriptorType::STORAGE_BUFFER, descriptor_count: 1 }];
        let info = vk::DescriptorPoolCreateInfo::default().max_sets(1).pool_sizes(&sizes);
        let mut pool = gpu.guest().fresh();
        let p_descriptor_pool = pool.slot();
        gpu.guest().succeed(&CreateDescriptorPoolArgs { device, p_create_info: &info, p_descriptor_pool })?;
        let descriptor_pool = pool.handle();
        gpu.at_the_end(move |guest| guest.send(&DestroyDescriptorPoolArgs { device, descriptor_pool }));

        let set_layouts = [self.set_layout.raw];
        let info =
            vk::DescriptorSetAllocateInfo::default().descriptor_pool(descriptor_pool.raw).set_layouts(&set_layouts);
        let mut set = gpu.guest().fresh();
        let p_descriptor_sets = set.slot();
        gpu.guest().succeed(&AllocateDescriptorSetsArgs { device, p_allocate_info: &info, p_descriptor_sets })?;
        let set = set.handle();

        let range = u64::from(NUMBERS * WORD);
        let buffers = [vk::DescriptorBufferInfo::default().buffer(numbers.buffer.raw).offset(0).range(range)];
        let write = vk::WriteDescriptorSet::default()
            .dst_set(set.raw)
            .dst_binding(0)
            .descriptor_type(vk::DescriptorType::STORAGE_BUFFER)
            .buffer_info(&buffers);
        gpu.guest().send(&UpdateDescriptorSetsArgs {
            device,
            descriptor_write_count: 1,
            p_descriptor_writes: &[write],
            descriptor_copy_count: 0,
            p_descriptor_copies: &[],
        })?;
        Ok(set)
    }
}
