//! Calls that Vulkan forbids, or need not grant: natively nothing happens, or an error code comes back.

use crate::device::{Found, Gpu};
use crate::memory::alive;
use crate::work::run;
use anyhow::{Context as _, Result, ensure};
use ash::vk;

/// Texels of a target's side.
const SIDE: u32 = 64;

pub(super) fn empty_buffer(_: u32) -> Result<String> {
    let gpu = Gpu::new()?;
    let info = vk::BufferCreateInfo::default().usage(vk::BufferUsageFlags::TRANSFER_DST);
    let answer = unsafe { gpu.device.create_buffer(&info, None) };
    if let Ok(buffer) = answer {
        unsafe { gpu.device.destroy_buffer(buffer, None) };
    }
    alive(&gpu, 1).context("after a buffer of no bytes")?;
    Ok(format!("vkCreateBuffer: {:?}", answer.map(|_| ())))
}

pub(super) fn half_a_word(_: u32) -> Result<String> {
    let gpu = Gpu::new()?;
    let code = crate::shader::multiply();
    let mut info = vk::ShaderModuleCreateInfo::default().code(&code);
    info.code_size = 6;
    let answer = unsafe { gpu.device.create_shader_module(&info, None) };
    if let Ok(module) = answer {
        unsafe { gpu.device.destroy_shader_module(module, None) };
    }
    alive(&gpu, 2).context("after half a word")?;
    Ok(format!("vkCreateShaderModule: {:?}", answer.map(|_| ())))
}

pub(super) fn global_priority(_: u32) -> Result<String> {
    let found = Found::new()?;
    found.require(ash::khr::global_priority::NAME, "the device has no VK_KHR_global_priority")?;
    let realtime = vk::QueueGlobalPriorityKHR::REALTIME;
    let mut priority = vk::DeviceQueueGlobalPriorityCreateInfoKHR::default().global_priority(realtime);
    let queue = vk::DeviceQueueCreateInfo::default().queue_priorities(&[1.0]).push_next(&mut priority);
    let (queues, names) = ([queue], [ash::khr::global_priority::NAME.as_ptr()]);
    let info = vk::DeviceCreateInfo::default().queue_create_infos(&queues).enabled_extension_names(&names);
    let answer = unsafe { found.instance.create_device(found.physical, &info, None) };
    let granted = matches!(answer, Ok(_) | Err(vk::Result::ERROR_NOT_PERMITTED_KHR));
    ensure!(granted, "vkCreateDevice: {:?}", answer.err());
    let answer = answer.map(|device| unsafe { device.destroy_device(None) });
    alive(&found.open(vk::DeviceCreateInfo::default()).context("a device without priority")?, 3)?;
    Ok(format!("vkCreateDevice: {answer:?}"))
}

/// What is drawn into.
struct Target {
    view: vk::ImageView,
}

impl Target {
    fn new(gpu: &Gpu) -> Result<Self> {
        let format = vk::Format::R8G8B8A8_UNORM;
        let extent = vk::Extent3D { width: SIDE, height: SIDE, depth: 1 };
        let info = vk::ImageCreateInfo::default().image_type(vk::ImageType::TYPE_2D).format(format).extent(extent);
        let info = info.mip_levels(1).array_layers(1).samples(vk::SampleCountFlags::TYPE_1);
        let info = info.usage(vk::ImageUsageFlags::COLOR_ATTACHMENT);
        let image = unsafe { gpu.device.create_image(&info, None) }.context("vkCreateImage")?;
        let needs = unsafe { gpu.device.get_image_memory_requirements(image) };
        let any = crate::memory::memory_type(gpu, needs.memory_type_bits, vk::MemoryPropertyFlags::empty())?;
        let memory = crate::memory::allocate(gpu, needs.size, any)?;
        unsafe { gpu.device.bind_image_memory(image, memory, 0) }.context("vkBindImageMemory")?;
        let colour = vk::ImageAspectFlags::COLOR;
        let range =
            vk::ImageSubresourceRange { aspect_mask: colour, level_count: 1, layer_count: 1, ..Default::default() };
        let info = vk::ImageViewCreateInfo::default().image(image).view_type(vk::ImageViewType::TYPE_2D);
        let info = info.format(format).subresource_range(range);
        let view = unsafe { gpu.device.create_image_view(&info, None) }.context("vkCreateImageView")?;
        Ok(Self { view })
    }
}

/// Texels of all layers that there are, and of none.
const ALL: vk::Rect2D =
    vk::Rect2D { offset: vk::Offset2D { x: 0, y: 0 }, extent: vk::Extent2D { width: SIDE, height: SIDE } };
const NOTHING: vk::Rect2D =
    vk::Rect2D { offset: vk::Offset2D { x: 0, y: 0 }, extent: vk::Extent2D { width: 0, height: 0 } };

pub(super) fn clear_no_rectangle(_: u32) -> Result<String> {
    clear(&[])
}

pub(super) fn clear_no_texels(_: u32) -> Result<String> {
    clear(&[vk::ClearRect { rect: NOTHING, base_array_layer: 0, layer_count: 1 }])
}

pub(super) fn clear_no_layers(_: u32) -> Result<String> {
    clear(&[vk::ClearRect { rect: ALL, base_array_layer: 0, layer_count: 0 }])
}

/// Clears these rectangles of a target.
fn clear(rectangles: &[vk::ClearRect]) -> Result<String> {
    let mut dynamic = vk::PhysicalDeviceVulkan13Features::default().dynamic_rendering(true);
    let gpu = Found::new()?.open(vk::DeviceCreateInfo::default().push_next(&mut dynamic))?;
    let target = Target::new(&gpu)?;
    let attachment = vk::RenderingAttachmentInfo::default().image_view(target.view);
    let attachments = [attachment.image_layout(vk::ImageLayout::GENERAL).load_op(vk::AttachmentLoadOp::CLEAR)];
    let rendering = vk::RenderingInfo::default().render_area(ALL).layer_count(1).color_attachments(&attachments);
    let clear = vk::ClearAttachment { aspect_mask: vk::ImageAspectFlags::COLOR, ..Default::default() };
    run(&gpu, |device, commands| unsafe {
        device.cmd_begin_rendering(commands, &rendering);
        device.cmd_clear_attachments(commands, &[clear], rectangles);
        device.cmd_end_rendering(commands);
    })?;
    alive(&gpu, 4)?;
    Ok("the device goes on".to_owned())
}
