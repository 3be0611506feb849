//! Memory that can be mapped, bound to sparse resources: a driver that takes imported memory for its own may map a
//! descriptor that it never had over the whole resource.
//!
//! Right is that what the device writes is there, or that sparse binding is not offered.

use crate::Skip;
use crate::device::{Found, Gpu};
use crate::memory::{COHERENT, Mapped, allocate, memory_type};
use crate::work::{barrier, nanoseconds};
use anyhow::{Context as _, Result, ensure};
use ash::vk;
use std::time::Duration;

const BYTES: u64 = 1 << 18;
const VALUE: u32 = 0x1234_5678;
/// Texels of the sparse image's side: a quarter of a megabyte, some blocks of whatever size.
const SIDE: u32 = 256;

/// A device with sparse binding, where the driver has it.
fn sparse_device(image: bool) -> Result<Gpu> {
    let found = Found::new()?;
    let has = found.features();
    let offered = has.sparse_binding == vk::TRUE && (!image || has.sparse_residency_image2_d == vk::TRUE);
    ensure!(offered, Skip("sparse binding is not offered"));
    let wanted = vk::PhysicalDeviceFeatures::default().sparse_binding(true).sparse_residency_image2_d(image);
    found.open(vk::DeviceCreateInfo::default().enabled_features(&wanted))
}

/// A memory type that can be mapped and be bound to the resource.
fn mappable(gpu: &Gpu, needs: &vk::MemoryRequirements) -> Result<u32> {
    let found = memory_type(gpu, needs.memory_type_bits, COHERENT);
    found.map_err(|_| Skip("no memory that can be mapped may be bound sparsely").into())
}

/// Binds, and waits until that is done.
fn bind(gpu: &Gpu, info: vk::BindSparseInfo<'_>) -> Result<()> {
    let fence = gpu.fence(false)?;
    unsafe { gpu.device.queue_bind_sparse(gpu.queue, &[info], fence) }.context("vkQueueBindSparse")?;
    gpu.wait(&[fence], nanoseconds(Duration::from_secs(20))).context("waiting for the binding")
}

/// Executes, and looks whether `back` holds the value everywhere.
fn executed(gpu: &Gpu, back: &Mapped, record: impl FnOnce(&ash::Device, vk::CommandBuffer)) -> Result<String> {
    crate::work::run(gpu, record)?;
    ensure!(back.words().all(|word| word == VALUE), "other values than were written");
    Ok(format!("filled {VALUE:x}"))
}

pub(super) fn buffer(_: u32) -> Result<String> {
    let gpu = sparse_device(false)?;
    let usage = vk::BufferUsageFlags::TRANSFER_SRC | vk::BufferUsageFlags::TRANSFER_DST;
    let info = vk::BufferCreateInfo::default().flags(vk::BufferCreateFlags::SPARSE_BINDING).size(BYTES).usage(usage);
    let buffer = unsafe { gpu.device.create_buffer(&info, None) }.context("vkCreateBuffer")?;
    let needs = unsafe { gpu.device.get_buffer_memory_requirements(buffer) };
    let index = mappable(&gpu, &needs)?;
    let memory = allocate(&gpu, needs.size + needs.alignment, index)?;
    let bound = vk::SparseMemoryBind::default().size(needs.size).memory(memory).memory_offset(needs.alignment);
    let bound = [bound];
    let binds = [vk::SparseBufferMemoryBindInfo::default().buffer(buffer).binds(&bound)];
    bind(&gpu, vk::BindSparseInfo::default().buffer_binds(&binds))?;
    let back = Mapped::new(&gpu, BYTES, vk::BufferUsageFlags::empty())?;
    executed(&gpu, &back, |device, commands| unsafe {
        device.cmd_fill_buffer(commands, buffer, 0, vk::WHOLE_SIZE, VALUE);
        barrier(device, commands);
        device.cmd_copy_buffer(commands, buffer, back.buffer, &[vk::BufferCopy::default().size(BYTES)]);
    })
}

pub(super) fn image(_: u32) -> Result<String> {
    let gpu = sparse_device(true)?;
    let flags = vk::ImageCreateFlags::SPARSE_BINDING | vk::ImageCreateFlags::SPARSE_RESIDENCY;
    let usage = vk::ImageUsageFlags::TRANSFER_SRC | vk::ImageUsageFlags::TRANSFER_DST;
    let extent = vk::Extent3D { width: SIDE, height: SIDE, depth: 1 };
    let info = vk::ImageCreateInfo::default().flags(flags).image_type(vk::ImageType::TYPE_2D).usage(usage);
    let info = info.format(vk::Format::R32_UINT).extent(extent).mip_levels(1).array_layers(1);
    let info = info.samples(vk::SampleCountFlags::TYPE_1);
    let image = unsafe { gpu.device.create_image(&info, None) }.context("vkCreateImage")?;
    let needs = unsafe { gpu.device.get_image_memory_requirements(image) };
    let index = mappable(&gpu, &needs)?;
    let memory = allocate(&gpu, needs.size, index)?;
    let colour = vk::ImageAspectFlags::COLOR;
    let subresource = vk::ImageSubresource { aspect_mask: colour, ..Default::default() };
    let bound = [vk::SparseImageMemoryBind::default().subresource(subresource).extent(extent).memory(memory)];
    let binds = [vk::SparseImageMemoryBindInfo::default().image(image).binds(&bound)];
    bind(&gpu, vk::BindSparseInfo::default().image_binds(&binds))?;
    let back = Mapped::new(&gpu, u64::from(SIDE) * u64::from(SIDE) * 4, vk::BufferUsageFlags::empty())?;
    let range = vk::ImageSubresourceRange { aspect_mask: colour, level_count: 1, layer_count: 1, ..Default::default() };
    let layers = vk::ImageSubresourceLayers { aspect_mask: colour, layer_count: 1, ..Default::default() };
    let general = vk::ImageLayout::GENERAL;
    executed(&gpu, &back, |device, commands| unsafe {
        let (all, none) = (vk::PipelineStageFlags::ALL_COMMANDS, vk::DependencyFlags::empty());
        let ready = vk::ImageMemoryBarrier::default().image(image).new_layout(general).subresource_range(range);
        let ready = ready.dst_access_mask(vk::AccessFlags::TRANSFER_WRITE);
        device.cmd_pipeline_barrier(commands, all, all, none, &[], &[], &[ready]);
        device.cmd_clear_color_image(commands, image, general, &vk::ClearColorValue { uint32: [VALUE; 4] }, &[range]);
        barrier(device, commands);
        let region = vk::BufferImageCopy::default().image_subresource(layers).image_extent(extent);
        device.cmd_copy_image_to_buffer(commands, image, general, back.buffer, &[region]);
    })
}
