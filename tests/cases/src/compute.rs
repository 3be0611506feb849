//! Compute pipelines on one buffer.

use crate::device::Gpu;
use crate::memory::Mapped;
use crate::shader::{WIDTH, multiply};
use crate::work::run;
use anyhow::{Context as _, Result, ensure};
use ash::vk;

/// Numbers that a pipeline of [`multiply`] writes when it is tried.
const TRIED: u32 = 16 * WIDTH;

/// Everything that pipelines of one storage buffer share.
pub(crate) struct Compute {
    bound: Bound,
    /// The module of [`multiply`].
    pub(crate) module: vk::ShaderModule,
    pub(crate) buffer: Mapped,
}

/// One descriptor, which compute shaders find at binding 0 of set 0.
pub(crate) struct Bound {
    layout: vk::PipelineLayout,
    sets: [vk::DescriptorSet; 1],
}

/// One pipeline to make: a module, the number it multiplies with, and what else is special.
#[derive(Clone, Copy)]
pub(crate) struct Wanted {
    pub(crate) module: vk::ShaderModule,
    pub(crate) k: u32,
    pub(crate) flags: vk::PipelineCreateFlags,
    pub(crate) base: vk::Pipeline,
}

impl Wanted {
    pub(crate) fn new(module: vk::ShaderModule, k: u32) -> Self {
        Self { module, k, flags: vk::PipelineCreateFlags::empty(), base: vk::Pipeline::null() }
    }
}

impl Compute {
    pub(crate) fn new(gpu: &Gpu) -> Result<Self> {
        let buffer = Mapped::new(gpu, 1 << 20, vk::BufferUsageFlags::STORAGE_BUFFER)?;
        let bound = Bound::buffer(gpu, buffer.buffer, vk::WHOLE_SIZE)?;
        Ok(Self { bound, module: module(gpu, &multiply())?, buffer })
    }

    /// Makes pipelines in one call: the driver's answer, and a handle for each, which may be null.
    pub(crate) fn create(&self, gpu: &Gpu, wanted: &[Wanted]) -> (vk::Result, Vec<vk::Pipeline>) {
        let entries = [vk::SpecializationMapEntry { constant_id: 0, offset: 0, size: 4 }];
        let data: Vec<[u8; 4]> = wanted.iter().map(|one| one.k.to_ne_bytes()).collect();
        let constants = data.iter().map(|k| vk::SpecializationInfo::default().map_entries(&entries).data(k));
        let constants: Vec<_> = constants.collect();
        let info = |(one, constants)| self.info(one, constants);
        let infos: Vec<_> = wanted.iter().zip(&constants).map(info).collect();
        match unsafe { gpu.device.create_compute_pipelines(vk::PipelineCache::null(), &infos, None) } {
            Ok(pipelines) => (vk::Result::SUCCESS, pipelines),
            Err((pipelines, answer)) => (answer, pipelines),
        }
    }

    fn info<'a>(&self, one: &Wanted, constants: &'a vk::SpecializationInfo<'a>) -> vk::ComputePipelineCreateInfo<'a> {
        let stage = vk::PipelineShaderStageCreateInfo::default().stage(vk::ShaderStageFlags::COMPUTE);
        let stage = stage.module(one.module).name(c"main").specialization_info(constants);
        let info = vk::ComputePipelineCreateInfo::default().stage(stage).layout(self.bound.layout).flags(one.flags);
        info.base_pipeline_handle(one.base).base_pipeline_index(-1)
    }

    /// Makes one pipeline that has to come to be.
    pub(crate) fn pipeline(&self, gpu: &Gpu, k: u32) -> Result<vk::Pipeline> {
        let (answer, pipelines) = self.create(gpu, &[Wanted::new(self.module, k)]);
        answer.result().context("vkCreateComputePipelines")?;
        pipelines.first().copied().context("no pipeline")
    }

    /// Records a dispatch of `groups` workgroups.
    pub(crate) fn dispatch(
        &self,
        device: &ash::Device,
        commands: vk::CommandBuffer,
        pipeline: vk::Pipeline,
        groups: u32,
    ) {
        self.bound.dispatch(device, commands, pipeline, groups);
    }

    /// Runs a pipeline of [`multiply`] and looks whether it multiplies by `k`.
    pub(crate) fn check(&self, gpu: &Gpu, pipeline: vk::Pipeline, k: u32) -> Result<()> {
        self.buffer.set(u32::MAX);
        run(gpu, |device, commands| self.dispatch(device, commands, pipeline, TRIED / WIDTH))?;
        let right = self.buffer.words().zip(0..TRIED).all(|(word, index)| word == index * k);
        ensure!(right, "a pipeline that multiplies by {k} does not");
        Ok(())
    }
}

impl Bound {
    /// The first bytes of a buffer, or none at all of no buffer.
    pub(crate) fn buffer(gpu: &Gpu, buffer: vk::Buffer, range: u64) -> Result<Self> {
        let buffers = [vk::DescriptorBufferInfo { buffer, offset: 0, range }];
        let write = vk::WriteDescriptorSet::default().descriptor_type(vk::DescriptorType::STORAGE_BUFFER);
        Self::new(gpu, write.buffer_info(&buffers))
    }

    /// An image that shaders write to.
    pub(crate) fn image(gpu: &Gpu, image_view: vk::ImageView) -> Result<Self> {
        let image_layout = vk::ImageLayout::GENERAL;
        let images = [vk::DescriptorImageInfo { image_view, image_layout, ..Default::default() }];
        let write = vk::WriteDescriptorSet::default().descriptor_type(vk::DescriptorType::STORAGE_IMAGE);
        Self::new(gpu, write.image_info(&images))
    }

    /// What is written says everything but to which set.
    fn new(gpu: &Gpu, write: vk::WriteDescriptorSet<'_>) -> Result<Self> {
        let ty = write.descriptor_type;
        let binding = vk::DescriptorSetLayoutBinding::default().descriptor_type(ty).descriptor_count(1);
        let bindings = [binding.stage_flags(vk::ShaderStageFlags::COMPUTE)];
        let info = vk::DescriptorSetLayoutCreateInfo::default().bindings(&bindings);
        let layouts =
            [unsafe { gpu.device.create_descriptor_set_layout(&info, None) }.context("vkCreateDescriptorSetLayout")?];
        let info = vk::PipelineLayoutCreateInfo::default().set_layouts(&layouts);
        let layout = unsafe { gpu.device.create_pipeline_layout(&info, None) }.context("vkCreatePipelineLayout")?;
        let sizes = [vk::DescriptorPoolSize { ty, descriptor_count: 1 }];
        let info = vk::DescriptorPoolCreateInfo::default().max_sets(1).pool_sizes(&sizes);
        let pool = unsafe { gpu.device.create_descriptor_pool(&info, None) }.context("vkCreateDescriptorPool")?;
        let info = vk::DescriptorSetAllocateInfo::default().descriptor_pool(pool).set_layouts(&layouts);
        let sets = unsafe { gpu.device.allocate_descriptor_sets(&info) }.context("vkAllocateDescriptorSets")?;
        let set = *sets.first().context("no descriptor set")?;
        unsafe { gpu.device.update_descriptor_sets(&[write.dst_set(set)], &[]) };
        Ok(Self { layout, sets: [set] })
    }

    /// A pipeline of a shader without constants to specialise.
    pub(crate) fn pipeline(&self, gpu: &Gpu, code: &[u32]) -> Result<vk::Pipeline> {
        let stage = vk::PipelineShaderStageCreateInfo::default().stage(vk::ShaderStageFlags::COMPUTE);
        let stage = stage.module(module(gpu, code)?).name(c"main");
        let infos = [vk::ComputePipelineCreateInfo::default().stage(stage).layout(self.layout)];
        let made = unsafe { gpu.device.create_compute_pipelines(vk::PipelineCache::null(), &infos, None) };
        let pipelines = made.map_err(|(_, answer)| answer).context("vkCreateComputePipelines")?;
        pipelines.first().copied().context("no pipeline")
    }

    /// Records a dispatch of `groups` workgroups.
    pub(crate) fn dispatch(
        &self,
        device: &ash::Device,
        commands: vk::CommandBuffer,
        pipeline: vk::Pipeline,
        groups: u32,
    ) {
        self.dispatch_in(device, commands, pipeline, [groups, 1, 1]);
    }

    /// The same in three dimensions.
    pub(crate) fn dispatch_in(
        &self,
        device: &ash::Device,
        commands: vk::CommandBuffer,
        pipeline: vk::Pipeline,
        [x, y, z]: [u32; 3],
    ) {
        let point = vk::PipelineBindPoint::COMPUTE;
        unsafe {
            device.cmd_bind_pipeline(commands, point, pipeline);
            device.cmd_bind_descriptor_sets(commands, point, self.layout, 0, &self.sets, &[]);
            device.cmd_dispatch(commands, x, y, z);
        }
    }
}

pub(crate) fn module(gpu: &Gpu, code: &[u32]) -> Result<vk::ShaderModule> {
    let info = vk::ShaderModuleCreateInfo::default().code(code);
    unsafe { gpu.device.create_shader_module(&info, None) }.context("vkCreateShaderModule")
}
