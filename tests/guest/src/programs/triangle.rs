//! A triangle with a colour at each corner, drawn off screen.

use std::io::Write;

use anyhow::{Context as _, Result, ensure};
use venus_protocol::args::{
    BindImageMemoryArgs, CmdBeginRenderPassArgs, CmdBindPipelineArgs, CmdCopyImageToBufferArgs, CmdDrawArgs,
    CmdEndRenderPassArgs, CmdPipelineBarrierArgs, CreateFramebufferArgs, CreateGraphicsPipelinesArgs, CreateImageArgs,
    CreateImageViewArgs, CreateRenderPassArgs, DestroyFramebufferArgs, DestroyImageArgs, DestroyImageViewArgs,
    DestroyPipelineArgs, DestroyRenderPassArgs, GetImageMemoryRequirementsArgs,
};
use venus_protocol::vk;
use venus_protocol::wire::{Command as _, Handle};

use crate::{Gpu, Guest, Transport, spirv};

const FORMAT: vk::Format = vk::Format::R8G8B8A8_UNORM;
const PIXEL_BYTES: u32 = 4;
const BACKGROUND: [f32; 4] = [0.10, 0.11, 0.13, 1.0];

/// In Vulkan's clip space: y points down.
const CORNERS: [[f32; 4]; 3] = [[0.0, -0.75, 0.0, 1.0], [0.8, 0.7, 0.0, 1.0], [-0.8, 0.7, 0.0, 1.0]];
const COLOURS: [[f32; 4]; 3] = [[0.96, 0.36, 0.32, 1.0], [0.30, 0.72, 0.45, 1.0], [0.28, 0.48, 0.92, 1.0]];

/// A square picture.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Image {
    /// Pixels in a row, and rows.
    pub size: u32,
    /// Red, green, blue, alpha of each pixel, from the top left.
    pub pixels: Vec<u8>,
}

impl Image {
    /// Writes it as PNG.
    pub fn write_png(&self, to: impl Write) -> Result<()> {
        let mut encoder = png::Encoder::new(to, self.size, self.size);
        encoder.set_color(png::ColorType::Rgba);
        encoder.set_depth(png::BitDepth::Eight);
        let mut writer = encoder.write_header()?;
        writer.write_image_data(&self.pixels)?;
        Ok(writer.finish()?)
    }

    /// One pixel.
    pub fn pixel(&self, x: u32, y: u32) -> Option<[u8; 4]> {
        let index = usize::try_from(y.checked_mul(self.size)?.checked_add(x)?).ok()?;
        let inside = x < self.size;
        self.pixels.as_chunks::<4>().0.get(index).copied().filter(|_| inside)
    }

    /// Fails unless this shows the triangle, 200 pixels wide and high, as every driver draws it.
    pub fn check_triangle(&self) -> Result<()> {
        let pixel = |x, y| self.pixel(x, y).with_context(|| format!("there is no pixel ({x}, {y})"));
        let corner = pixel(0, 0)?;
        for (x, y) in [(199, 0), (0, 199), (199, 199), (100, 10), (20, 60), (180, 60)] {
            ensure!(pixel(x, y)? == corner, "({x}, {y}) is outside of the triangle and not like the corner");
        }
        // Near each corner its own colour is the strongest.
        for (nth, (x, y)) in [(100, 32), (172, 166), (28, 166)].into_iter().enumerate() {
            let [r, g, b, _] = pixel(x, y)?;
            let strongest = [r, g, b].into_iter().enumerate().max_by_key(|(_, value)| *value);
            ensure!(strongest.is_some_and(|(found, _)| found == nth), "({x}, {y}) is {r} {g} {b}");
        }
        let [r, g, b, a] = pixel(100, 123)?;
        ensure!(r > 100 && g > 100 && b > 100 && a == 255, "the middle is a mixture, not {r} {g} {b} {a}");
        Ok(())
    }
}

/// Has the GPU draw a triangle, `size` pixels wide and high.
pub fn triangle(guest: Guest<impl Transport>, size: u32) -> Result<Image> {
    let mut gpu = Gpu::open(guest)?;
    let target = Target::new(&mut gpu, size)?;
    let pipeline = pipeline(&mut gpu, &target)?;
    let bytes = u64::from(PIXEL_BYTES) * u64::from(size) * u64::from(size);
    let copy = gpu.host_buffer(bytes, vk::BufferUsageFlags::TRANSFER_DST)?;

    let command_buffer = gpu.begin()?;
    let guest = gpu.guest();
    let clear = [vk::ClearValue { color: vk::ClearColorValue { float32: BACKGROUND } }];
    let begin = vk::RenderPassBeginInfo::default()
        .render_pass(target.render_pass.raw)
        .framebuffer(target.framebuffer.raw)
        .render_area(target.area())
        .clear_values(&clear);
    let contents = vk::SubpassContents::INLINE;
    guest.send(&CmdBeginRenderPassArgs { command_buffer, p_render_pass_begin: &begin, contents })?;
    let pipeline_bind_point = vk::PipelineBindPoint::GRAPHICS;
    guest.send(&CmdBindPipelineArgs { command_buffer, pipeline_bind_point, pipeline })?;
    guest.send(&CmdDrawArgs {
        command_buffer,
        vertex_count: 3,
        instance_count: 1,
        first_vertex: 0,
        first_instance: 0,
    })?;
    guest.send(&CmdEndRenderPassArgs { command_buffer })?;
    // The render pass leaves the image ready to be copied.
    let region = vk::BufferImageCopy {
        image_subresource: vk::ImageSubresourceLayers {
            aspect_mask: vk::ImageAspectFlags::COLOR,
            layer_count: 1,
            ..Default::default()
        },
        image_extent: vk::Extent3D { width: size, height: size, depth: 1 },
        ..Default::default()
    };
    guest.send(&CmdCopyImageToBufferArgs {
        command_buffer,
        src_image: target.image,
        src_image_layout: vk::ImageLayout::TRANSFER_SRC_OPTIMAL,
        dst_buffer: copy.buffer,
        region_count: 1,
        p_regions: &[region],
    })?;
    show_to_host(guest, command_buffer)?;
    gpu.end_and_run(command_buffer)?;

    let mut pixels = vec![0; usize::try_from(bytes)?];
    copy.shared.mapping.read(0, &mut pixels)?;
    gpu.guest().release(copy.shared)?;
    gpu.close()?;
    Ok(Image { size, pixels })
}

/// Makes what transfers have written visible to whoever maps the memory.
fn show_to_host(guest: &mut Guest<impl Transport>, command_buffer: Handle<vk::CommandBuffer>) -> Result<()> {
    let barrier = vk::MemoryBarrier::default()
        .src_access_mask(vk::AccessFlags::TRANSFER_WRITE)
        .dst_access_mask(vk::AccessFlags::HOST_READ);
    guest.send(&CmdPipelineBarrierArgs {
        command_buffer,
        src_stage_mask: vk::PipelineStageFlags::TRANSFER,
        dst_stage_mask: vk::PipelineStageFlags::HOST,
        dependency_flags: vk::DependencyFlags::empty(),
        memory_barrier_count: 1,
        p_memory_barriers: &[barrier],
        buffer_memory_barrier_count: 0,
        p_buffer_memory_barriers: &[],
        image_memory_barrier_count: 0,
        p_image_memory_barriers: &[],
    })
}

/// What is drawn to.
struct Target {
    size: u32,
    image: Handle<vk::Image>,
    render_pass: Handle<vk::RenderPass>,
    framebuffer: Handle<vk::Framebuffer>,
}

impl Target {
    fn new(gpu: &mut Gpu<impl Transport>, size: u32) -> Result<Self> {
        let device = gpu.device;
        let image = image(gpu, size)?;
        let range = vk::ImageSubresourceRange {
            aspect_mask: vk::ImageAspectFlags::COLOR,
            level_count: 1,
            layer_count: 1,
            ..Default::default()
        };
        let info = vk::ImageViewCreateInfo::default()
            .image(image.raw)
            .view_type(vk::ImageViewType::TYPE_2D)
            .format(FORMAT)
            .subresource_range(range);
        let mut view = gpu.guest().fresh();
        gpu.guest().succeed(&CreateImageViewArgs { device, p_create_info: &info, p_view: view.slot() })?;
        let view = view.handle();
        gpu.at_the_end(move |guest| guest.send(&DestroyImageViewArgs { device, image_view: view }));

        let render_pass = render_pass(gpu)?;
        let views = [view.raw];
        let info = vk::FramebufferCreateInfo::default()
            .render_pass(render_pass.raw)
            .attachments(&views)
            .width(size)
            .height(size)
            .layers(1);
        let mut framebuffer = gpu.guest().fresh();
        let p_framebuffer = framebuffer.slot();
        gpu.guest().succeed(&CreateFramebufferArgs { device, p_create_info: &info, p_framebuffer })?;
        let framebuffer = framebuffer.handle();
        gpu.at_the_end(move |guest| guest.send(&DestroyFramebufferArgs { device, framebuffer }));
        Ok(Self { size, image, render_pass, framebuffer })
    }

    fn area(&self) -> vk::Rect2D {
        vk::Rect2D { extent: vk::Extent2D { width: self.size, height: self.size }, ..Default::default() }
    }
}

fn image(gpu: &mut Gpu<impl Transport>, size: u32) -> Result<Handle<vk::Image>> {
    let device = gpu.device;
    let info = vk::ImageCreateInfo::default()
        .image_type(vk::ImageType::TYPE_2D)
        .format(FORMAT)
        .extent(vk::Extent3D { width: size, height: size, depth: 1 })
        .mip_levels(1)
        .array_layers(1)
        .samples(vk::SampleCountFlags::TYPE_1)
        .tiling(vk::ImageTiling::OPTIMAL)
        .usage(vk::ImageUsageFlags::COLOR_ATTACHMENT | vk::ImageUsageFlags::TRANSFER_SRC);
    let mut image = gpu.guest().fresh();
    gpu.guest().succeed(&CreateImageArgs { device, p_create_info: &info, p_image: image.slot() })?;
    let image = image.handle();
    gpu.at_the_end(move |guest| guest.send(&DestroyImageArgs { device, image }));

    let mut requirements = vk::MemoryRequirements::default();
    let args = GetImageMemoryRequirementsArgs { device, image, p_memory_requirements: &mut requirements };
    let requirements = gpu
        .guest()
        .call(&args, |reply| Ok(GetImageMemoryRequirementsArgs::decode_reply(reply)?.p_memory_requirements.copied()))?;
    let requirements = requirements.context("the reply lacks the memory requirements")?;
    let memory = gpu.allocate(&requirements, vk::MemoryPropertyFlags::empty())?;
    gpu.guest().succeed(&BindImageMemoryArgs { device, image, memory, memory_offset: 0 })?;
    Ok(image)
}

/// One that clears, keeps what is drawn, and leaves it ready to be copied.
fn render_pass(gpu: &mut Gpu<impl Transport>) -> Result<Handle<vk::RenderPass>> {
    let device = gpu.device;
    let attachments = [vk::AttachmentDescription::default()
        .format(FORMAT)
        .samples(vk::SampleCountFlags::TYPE_1)
        .load_op(vk::AttachmentLoadOp::CLEAR)
        .store_op(vk::AttachmentStoreOp::STORE)
        .stencil_load_op(vk::AttachmentLoadOp::DONT_CARE)
        .stencil_store_op(vk::AttachmentStoreOp::DONT_CARE)
        .initial_layout(vk::ImageLayout::UNDEFINED)
        .final_layout(vk::ImageLayout::TRANSFER_SRC_OPTIMAL)];
    let colours = [vk::AttachmentReference { attachment: 0, layout: vk::ImageLayout::COLOR_ATTACHMENT_OPTIMAL }];
    let subpasses = [vk::SubpassDescription::default()
        .pipeline_bind_point(vk::PipelineBindPoint::GRAPHICS)
        .color_attachments(&colours)];
    let dependencies = [vk::SubpassDependency::default()
        .src_subpass(0)
        .dst_subpass(vk::SUBPASS_EXTERNAL)
        .src_stage_mask(vk::PipelineStageFlags::COLOR_ATTACHMENT_OUTPUT)
        .src_access_mask(vk::AccessFlags::COLOR_ATTACHMENT_WRITE)
        .dst_stage_mask(vk::PipelineStageFlags::TRANSFER)
        .dst_access_mask(vk::AccessFlags::TRANSFER_READ)];
    let info =
        vk::RenderPassCreateInfo::default().attachments(&attachments).subpasses(&subpasses).dependencies(&dependencies);
    let mut render_pass = gpu.guest().fresh();
    let p_render_pass = render_pass.slot();
    gpu.guest().succeed(&CreateRenderPassArgs { device, p_create_info: &info, p_render_pass })?;
    let render_pass = render_pass.handle();
    gpu.at_the_end(move |guest| guest.send(&DestroyRenderPassArgs { device, render_pass }));
    Ok(render_pass)
}

fn pipeline(gpu: &mut Gpu<impl Transport>, target: &Target) -> Result<Handle<vk::Pipeline>> {
    let device = gpu.device;
    let layout = gpu.pipeline_layout(&[])?;
    let vertex = gpu.shader(&spirv::corners_and_colours(&CORNERS, &COLOURS))?;
    let fragment = gpu.shader(&spirv::plain_colour())?;
    let stage = |stage, module| vk::PipelineShaderStageCreateInfo::default().stage(stage).module(module).name(c"main");
    let stages = [stage(vk::ShaderStageFlags::VERTEX, vertex), stage(vk::ShaderStageFlags::FRAGMENT, fragment)];
    let vertex_input = vk::PipelineVertexInputStateCreateInfo::default();
    let input_assembly =
        vk::PipelineInputAssemblyStateCreateInfo::default().topology(vk::PrimitiveTopology::TRIANGLE_LIST);
    #[expect(clippy::cast_precision_loss, reason = "sizes of images are small numbers")]
    let side = target.size as f32;
    let viewports = [vk::Viewport { width: side, height: side, max_depth: 1.0, ..Default::default() }];
    let scissors = [target.area()];
    let viewport = vk::PipelineViewportStateCreateInfo::default().viewports(&viewports).scissors(&scissors);
    let rasterization = vk::PipelineRasterizationStateCreateInfo::default()
        .polygon_mode(vk::PolygonMode::FILL)
        .cull_mode(vk::CullModeFlags::NONE)
        .line_width(1.0);
    let multisample =
        vk::PipelineMultisampleStateCreateInfo::default().rasterization_samples(vk::SampleCountFlags::TYPE_1);
    let blends = [vk::PipelineColorBlendAttachmentState::default().color_write_mask(vk::ColorComponentFlags::RGBA)];
    let blend = vk::PipelineColorBlendStateCreateInfo::default().attachments(&blends);
    let info = vk::GraphicsPipelineCreateInfo::default()
        .stages(&stages)
        .vertex_input_state(&vertex_input)
        .input_assembly_state(&input_assembly)
        .viewport_state(&viewport)
        .rasterization_state(&rasterization)
        .multisample_state(&multisample)
        .color_blend_state(&blend)
        .layout(layout.raw)
        .render_pass(target.render_pass.raw);
    let mut pipeline = gpu.guest().fresh();
    gpu.guest().succeed(&CreateGraphicsPipelinesArgs {
        device,
        pipeline_cache: Handle::default(),
        create_info_count: 1,
        p_create_infos: &[info],
        p_pipelines: pipeline.slot(),
    })?;
    let pipeline = pipeline.handle();
    gpu.at_the_end(move |guest| guest.send(&DestroyPipelineArgs { device, pipeline }));
    Ok(pipeline)
}
