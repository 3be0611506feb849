//! A picture without a window: an image of one word a pixel, what it is drawn by, and what it is looked at through.

use crate::compute::module;
use crate::device::{Found, Gpu};
use crate::memory::{Mapped, allocate, memory_type};
use crate::work::{barrier, run};
use anyhow::{Context as _, Result, ensure};
use ash::vk;

/// Width and height in pixels.
pub(crate) const SIDE: u32 = 64;
/// What a pixel is before anything is drawn.
pub(crate) const CLEAR: u32 = 0xdead_beef;
/// How a picture is made: of what its pixels are, how often each is sampled while it is drawn, which of the samples are
/// drawn at all, and what they are before.
#[derive(Clone, Copy)]
pub(crate) struct Kind {
    format: vk::Format,
    samples: vk::SampleCountFlags,
    drawn: u32,
    clear: u32,
}

/// A pixel is a number, so no colour is rounded.
pub(crate) const NUMBERS: Kind =
    Kind { format: vk::Format::R32_UINT, samples: vk::SampleCountFlags::TYPE_1, drawn: 1, clear: CLEAR };
/// Two of the four samples of a pixel are drawn, though the image has one, and the pixel comes to be halfway between
/// [`HALF_CLEAR`] and their colour.
pub(crate) const HALF_SAMPLED: Kind = Kind {
    format: vk::Format::R32_SFLOAT,
    samples: vk::SampleCountFlags::TYPE_4,
    drawn: 0b0011,
    clear: HALF_CLEAR.to_bits(),
};
pub(crate) const HALF_CLEAR: f32 = 8.0;
const LAYOUT: vk::ImageLayout = vk::ImageLayout::GENERAL;
const COLOUR: vk::ImageAspectFlags = vk::ImageAspectFlags::COLOR;
const EXTENT: vk::Extent2D = vk::Extent2D { width: SIDE, height: SIDE };
const AREA: vk::Rect2D = vk::Rect2D { offset: vk::Offset2D { x: 0, y: 0 }, extent: EXTENT };

impl Kind {
    fn is_sampled(self) -> bool {
        self.samples != vk::SampleCountFlags::TYPE_1
    }

    /// The image of it.
    pub(crate) fn image(self) -> vk::ImageCreateInfo<'static> {
        let sampled = vk::ImageCreateFlags::MULTISAMPLED_RENDER_TO_SINGLE_SAMPLED_EXT;
        let flags = if self.is_sampled() { sampled } else { vk::ImageCreateFlags::empty() };
        let extent = vk::Extent3D { width: SIDE, height: SIDE, depth: 1 };
        let usage = vk::ImageUsageFlags::COLOR_ATTACHMENT | vk::ImageUsageFlags::TRANSFER_SRC;
        let info = vk::ImageCreateInfo::default().image_type(vk::ImageType::TYPE_2D).format(self.format).extent(extent);
        let info = info.mip_levels(1).array_layers(1).samples(vk::SampleCountFlags::TYPE_1);
        info.usage(usage).flags(flags)
    }

    /// Whether the device can draw it.
    pub(crate) fn is_there(self, found: &Found) -> bool {
        let image = self.image();
        let properties = unsafe {
            found.instance.get_physical_device_image_format_properties(
                found.physical,
                image.format,
                image.image_type,
                image.tiling,
                image.usage,
                image.flags,
            )
        };
        properties.is_ok_and(|properties| properties.sample_counts.contains(self.samples))
    }
}

/// The image, and a copy of it.
pub(crate) struct Target {
    image: vk::Image,
    view: vk::ImageView,
    copy: Mapped,
    kind: Kind,
}

impl Target {
    /// Makes it, on a device that renders without render passes.
    ///
    /// # Errors
    ///
    /// The driver refuses.
    pub(crate) fn new(gpu: &Gpu, kind: Kind) -> Result<Self> {
        let image = image(gpu, &kind.image())?;
        let info = vk::ImageViewCreateInfo::default().image(image).view_type(vk::ImageViewType::TYPE_2D);
        let info = info.format(kind.format).subresource_range(whole());
        let view = unsafe { gpu.device.create_image_view(&info, None) }.context("vkCreateImageView")?;
        let copy = Mapped::new(gpu, u64::from(SIDE * SIDE * 4), vk::BufferUsageFlags::empty())?;
        Ok(Self { image, view, copy, kind })
    }

    /// Clears the picture, has `draw` record what is drawn into it, and waits until it can be looked at.
    ///
    /// # Errors
    ///
    /// The driver refuses, or the device is lost.
    pub(crate) fn draw(&self, gpu: &Gpu, draw: impl FnOnce(&ash::Device, vk::CommandBuffer)) -> Result<()> {
        self.draw_and_end(gpu, draw, |device, commands| unsafe { device.cmd_end_rendering(commands) })
    }

    /// The same, where the rendering ends in a way of its own.
    pub(crate) fn draw_and_end(
        &self,
        gpu: &Gpu,
        draw: impl FnOnce(&ash::Device, vk::CommandBuffer),
        end: impl FnOnce(&ash::Device, vk::CommandBuffer),
    ) -> Result<()> {
        let clear = vk::ClearValue { color: vk::ClearColorValue { uint32: [self.kind.clear; 4] } };
        let attachment = vk::RenderingAttachmentInfo::default().image_view(self.view).image_layout(LAYOUT);
        let average = if self.kind.is_sampled() { vk::ResolveModeFlags::AVERAGE } else { vk::ResolveModeFlags::NONE };
        let attachment = attachment.load_op(vk::AttachmentLoadOp::CLEAR).clear_value(clear);
        let attachments = [attachment.resolve_mode(average)];
        let rendering = vk::RenderingInfo::default().render_area(AREA).layer_count(1).color_attachments(&attachments);
        let mut samples =
            vk::MultisampledRenderToSingleSampledInfoEXT::default().rasterization_samples(self.kind.samples);
        samples.multisampled_render_to_single_sampled_enable = vk::TRUE;
        let rendering = if self.kind.is_sampled() { rendering.push_next(&mut samples) } else { rendering };
        let layers = vk::ImageSubresourceLayers { aspect_mask: COLOUR, layer_count: 1, ..Default::default() };
        let extent = vk::Extent3D { width: SIDE, height: SIDE, depth: 1 };
        let region = [vk::BufferImageCopy::default().image_subresource(layers).image_extent(extent)];
        run(gpu, |device, commands| {
            usable(device, commands, self.image);
            unsafe { device.cmd_begin_rendering(commands, &rendering) };
            draw(device, commands);
            end(device, commands);
            barrier(device, commands);
            unsafe { device.cmd_copy_image_to_buffer(commands, self.image, LAYOUT, self.copy.buffer, &region) };
        })
    }

    /// Compares every pixel with what it should be, by column and row.
    ///
    /// # Errors
    ///
    /// One is something else.
    pub(crate) fn check(&self, expected: impl Fn(u32, u32) -> u32) -> Result<()> {
        for (pixel, word) in (0..).zip(self.copy.words()) {
            let (x, y) = (pixel % SIDE, pixel / SIDE);
            let right = expected(x, y);
            ensure!(word == right, "the pixel in column {x} of row {y} is {word:#x}, not {right:#x}");
        }
        Ok(())
    }
}

/// All of an image without mip levels and layers.
pub(crate) fn whole() -> vk::ImageSubresourceRange {
    vk::ImageSubresourceRange { aspect_mask: COLOUR, level_count: 1, layer_count: 1, ..Default::default() }
}

/// An image with memory of its own, which lasts as long as the device.
pub(crate) fn image(gpu: &Gpu, info: &vk::ImageCreateInfo<'_>) -> Result<vk::Image> {
    let image = unsafe { gpu.device.create_image(info, None) }.context("vkCreateImage")?;
    let needs = unsafe { gpu.device.get_image_memory_requirements(image) };
    let index = memory_type(gpu, needs.memory_type_bits, vk::MemoryPropertyFlags::empty())?;
    let memory = allocate(gpu, needs.size, index)?;
    unsafe { gpu.device.bind_image_memory(image, memory, 0) }.context("vkBindImageMemory")?;
    Ok(image)
}

/// Gives an image that has no layout the one that is good for everything.
pub(crate) fn usable(device: &ash::Device, commands: vk::CommandBuffer, image: vk::Image) {
    let change = vk::ImageMemoryBarrier::default().image(image).subresource_range(whole()).new_layout(LAYOUT);
    let change = [change.dst_access_mask(vk::AccessFlags::MEMORY_WRITE | vk::AccessFlags::MEMORY_READ)];
    let all = vk::PipelineStageFlags::ALL_COMMANDS;
    unsafe { device.cmd_pipeline_barrier(commands, all, all, vk::DependencyFlags::empty(), &[], &[], &change) };
}

/// A pipeline that draws into a [`Target`], of these stages and their shaders.
///
/// # Errors
///
/// The driver refuses.
pub(crate) fn pipeline(
    gpu: &Gpu,
    kind: Kind,
    stages: &[(vk::ShaderStageFlags, Vec<u32>)],
    assembly: &vk::PipelineInputAssemblyStateCreateInfo<'_>,
) -> Result<vk::Pipeline> {
    let layout = unsafe { gpu.device.create_pipeline_layout(&Default::default(), None) };
    let layout = layout.context("vkCreatePipelineLayout")?;
    let stage = |(stage, code): &(vk::ShaderStageFlags, Vec<u32>)| {
        let info = vk::PipelineShaderStageCreateInfo::default().stage(*stage).name(c"main");
        Ok(info.module(module(gpu, code)?))
    };
    let stages = stages.iter().map(stage).collect::<Result<Vec<_>>>()?;
    let (areas, side) = ([AREA], 64.0);
    let viewports = [vk::Viewport { width: side, height: side, max_depth: 1.0, ..Default::default() }];
    let viewport = vk::PipelineViewportStateCreateInfo::default().viewports(&viewports).scissors(&areas);
    let rasterization = vk::PipelineRasterizationStateCreateInfo::default().line_width(1.0);
    let samples = vk::PipelineMultisampleStateCreateInfo::default();
    let drawn = [kind.drawn];
    let samples = samples.rasterization_samples(kind.samples).sample_mask(&drawn);
    let blend = [vk::PipelineColorBlendAttachmentState::default().color_write_mask(vk::ColorComponentFlags::RGBA)];
    let blend = vk::PipelineColorBlendStateCreateInfo::default().attachments(&blend);
    let (input, formats) = (Default::default(), [kind.format]);
    let mut rendering = vk::PipelineRenderingCreateInfo::default().color_attachment_formats(&formats);
    let info = vk::GraphicsPipelineCreateInfo::default().stages(&stages).vertex_input_state(&input);
    let info = info.input_assembly_state(assembly).viewport_state(&viewport).rasterization_state(&rasterization);
    let info = info.multisample_state(&samples).color_blend_state(&blend).layout(layout);
    let infos = [info.push_next(&mut rendering)];
    let made = unsafe { gpu.device.create_graphics_pipelines(vk::PipelineCache::null(), &infos, None) };
    let pipelines = made.map_err(|(_, answer)| answer).context("vkCreateGraphicsPipelines")?;
    pipelines.first().copied().context("no pipeline")
}
