//! Texels that a program hands over in one call: a gigabyte travels through a host's buffers, and no bound below what
//! the driver takes may be in the way.

use crate::device::Found;
use crate::memory::{alive, allocate, memory_type};
use anyhow::{Context as _, Result};
use ash::vk;

/// Copies a square of RGBA8 texels into an image with vkCopyMemoryToImage, without the GPU.
pub(super) fn copy(side: u32) -> Result<String> {
    let found = Found::new()?;
    found.require(ash::ext::host_image_copy::NAME, "the device has no VK_EXT_host_image_copy")?;
    let names = [ash::ext::host_image_copy::NAME.as_ptr()];
    let mut feature = vk::PhysicalDeviceHostImageCopyFeaturesEXT::default().host_image_copy(true);
    let gpu = found.open(vk::DeviceCreateInfo::default().enabled_extension_names(&names).push_next(&mut feature))?;
    let extent = vk::Extent3D { width: side, height: side, depth: 1 };
    let usage = vk::ImageUsageFlags::HOST_TRANSFER_EXT | vk::ImageUsageFlags::SAMPLED;
    let info = vk::ImageCreateInfo::default().image_type(vk::ImageType::TYPE_2D).format(vk::Format::R8G8B8A8_UNORM);
    let info = info.extent(extent).mip_levels(1).array_layers(1).samples(vk::SampleCountFlags::TYPE_1).usage(usage);
    let image = unsafe { gpu.device.create_image(&info, None) }.context("vkCreateImage")?;
    let needs = unsafe { gpu.device.get_image_memory_requirements(image) };
    let index = memory_type(&gpu, needs.memory_type_bits, vk::MemoryPropertyFlags::empty())?;
    let memory = allocate(&gpu, needs.size, index)?;
    unsafe { gpu.device.bind_image_memory(image, memory, 0) }.context("vkBindImageMemory")?;

    let copies = ash::ext::host_image_copy::Device::new(&gpu.instance, &gpu.device);
    let colour = vk::ImageAspectFlags::COLOR;
    let range = vk::ImageSubresourceRange { aspect_mask: colour, level_count: 1, layer_count: 1, ..Default::default() };
    let general = vk::ImageLayout::GENERAL;
    let transition = vk::HostImageLayoutTransitionInfoEXT::default().image(image).new_layout(general);
    unsafe { copies.transition_image_layout(&[transition.subresource_range(range)]) }
        .context("vkTransitionImageLayout")?;
    let texels = vec![0x55_u8; usize::try_from(side)?.pow(2) * 4];
    let layers = vk::ImageSubresourceLayers { aspect_mask: colour, layer_count: 1, ..Default::default() };
    let region = vk::MemoryToImageCopyEXT::default().host_pointer(texels.as_ptr().cast());
    let regions = [region.image_subresource(layers).image_extent(extent)];
    let info = vk::CopyMemoryToImageInfoEXT::default().dst_image(image).dst_image_layout(general).regions(&regions);
    unsafe { copies.copy_memory_to_image(&info) }.context("vkCopyMemoryToImage")?;
    alive(&gpu, 6)?;
    Ok(format!("{} MiB", texels.len() >> 20))
}
