//! Draws without pixels: a graphics pipeline of nothing but a vertex shader, whose triangles are thrown away.

use crate::compute::module;
use crate::device::{Found, Gpu};
use crate::shader;
use anyhow::{Context as _, Result};
use ash::vk;

/// Bytes that each draw is told.
const CONSTANTS: u32 = 16;
/// A vertex shader sees them.
const STAGE: vk::ShaderStageFlags = vk::ShaderStageFlags::VERTEX;

/// Such a pipeline.
pub(crate) struct Draw {
    layout: vk::PipelineLayout,
    pipeline: vk::Pipeline,
}

impl Draw {
    /// A device that renders without render passes.
    ///
    /// # Errors
    ///
    /// As [`Gpu::new`].
    pub(crate) fn device() -> Result<Gpu> {
        let mut rendering = vk::PhysicalDeviceVulkan13Features::default().dynamic_rendering(true);
        Found::new()?.open(vk::DeviceCreateInfo::default().push_next(&mut rendering))
    }

    /// Makes the pipeline, on such a device.
    ///
    /// # Errors
    ///
    /// The driver refuses.
    pub(crate) fn new(gpu: &Gpu) -> Result<Self> {
        let ranges = [vk::PushConstantRange { stage_flags: STAGE, offset: 0, size: CONSTANTS }];
        let info = vk::PipelineLayoutCreateInfo::default().push_constant_ranges(&ranges);
        let layout = unsafe { gpu.device.create_pipeline_layout(&info, None) }.context("vkCreatePipelineLayout")?;
        let module = module(gpu, &shader::nothing())?;
        let stages = [vk::PipelineShaderStageCreateInfo::default().stage(STAGE).module(module).name(c"main")];
        let (input, viewport) = (Default::default(), vk::PipelineViewportStateCreateInfo::default());
        let triangles = vk::PrimitiveTopology::TRIANGLE_LIST;
        let assembly = vk::PipelineInputAssemblyStateCreateInfo::default().topology(triangles);
        let rasterization = vk::PipelineRasterizationStateCreateInfo::default().rasterizer_discard_enable(true);
        let rasterization = rasterization.line_width(1.0);
        let mut rendering = vk::PipelineRenderingCreateInfo::default();
        let info = vk::GraphicsPipelineCreateInfo::default().stages(&stages).vertex_input_state(&input);
        let info = info.input_assembly_state(&assembly).viewport_state(&viewport).rasterization_state(&rasterization);
        let infos = [info.layout(layout).push_next(&mut rendering)];
        let made = unsafe { gpu.device.create_graphics_pipelines(vk::PipelineCache::null(), &infos, None) };
        let pipelines = made.map_err(|(_, answer)| answer).context("vkCreateGraphicsPipelines")?;
        Ok(Self { layout, pipeline: *pipelines.first().context("no pipeline")? })
    }

    /// Records so many draws, each with constants of its own.
    pub(crate) fn record(&self, device: &ash::Device, commands: vk::CommandBuffer, draws: u32) {
        let extent = vk::Extent2D { width: 1, height: 1 };
        let area = vk::Rect2D { extent, ..Default::default() };
        let rendering = vk::RenderingInfo::default().render_area(area).layer_count(1);
        unsafe {
            device.cmd_begin_rendering(commands, &rendering);
            device.cmd_bind_pipeline(commands, vk::PipelineBindPoint::GRAPHICS, self.pipeline);
        }
        for draw in 0..draws {
            let constants = [draw.to_ne_bytes(); 4].concat();
            unsafe {
                device.cmd_push_constants(commands, self.layout, STAGE, 0, &constants);
                device.cmd_draw(commands, 3, 1, 0, 0);
            }
        }
        unsafe { device.cmd_end_rendering(commands) };
    }
}
