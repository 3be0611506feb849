//! Copies that newer levels of the protocol have.

use crate::Skip;
use crate::device::Found;
use crate::memory::Mapped;
use crate::target::image;
use crate::work::{barrier, run};
use anyhow::{Result, ensure};
use std::ffi::CStr;
use venus_protocol::vk;

/// Texels of a side.
const SIDE: u32 = 16;

/// From a buffer to colours, from there to depths, and back into a buffer.
pub(super) fn depth(_: u32) -> Result<String> {
    const NAME: &CStr = c"VK_KHR_maintenance8";
    let found = Found::new()?;
    found.require(NAME, "not supported: VK_KHR_maintenance8")?;
    let mut has: vk::PhysicalDeviceMaintenance8FeaturesKHR<'_> = found.features_in();
    if has.maintenance8 == 0 {
        return Err(Skip("not supported: the eighth maintenance").into());
    }
    let gpu = found.open_with(NAME, &mut has)?;
    let (colour, depth) = (vk::ImageAspectFlags::COLOR, vk::ImageAspectFlags::DEPTH);
    let extent = vk::Extent3D { width: SIDE, height: SIDE, depth: 1 };
    let usage = vk::ImageUsageFlags::TRANSFER_SRC | vk::ImageUsageFlags::TRANSFER_DST;
    let info = vk::ImageCreateInfo::default().image_type(vk::ImageType::TYPE_2D).extent(extent).usage(usage);
    let info = info.mip_levels(1).array_layers(1).samples(vk::SampleCountFlags::TYPE_1);
    let colours = image(&gpu, &info.format(vk::Format::R32_SFLOAT))?;
    let depths = image(&gpu, &info.format(vk::Format::D32_SFLOAT))?;
    let buffer = || Mapped::new(&gpu, u64::from(SIDE * SIDE * 4), vk::BufferUsageFlags::empty());
    let (from, to) = (buffer()?, buffer()?);
    #[expect(clippy::cast_precision_loss, reason = "texels are few")]
    let values: Vec<_> = (0..SIDE * SIDE).map(|texel| (texel as f32 / 256.0).to_bits()).collect();
    from.write(&values);

    let layers = |aspect_mask| vk::ImageSubresourceLayers { aspect_mask, layer_count: 1, ..Default::default() };
    let region = |aspect| vk::BufferImageCopy::default().image_subresource(layers(aspect)).image_extent(extent);
    let copy = vk::ImageCopy::default().src_subresource(layers(colour)).dst_subresource(layers(depth)).extent(extent);
    let change = |image, aspect_mask| {
        let range = vk::ImageSubresourceRange { aspect_mask, level_count: 1, layer_count: 1, ..Default::default() };
        let change = vk::ImageMemoryBarrier::default().image(image).subresource_range(range);
        change.new_layout(vk::ImageLayout::GENERAL).dst_access_mask(vk::AccessFlags::MEMORY_WRITE)
    };
    let changes = [change(colours, colour), change(depths, depth)];
    run(&gpu, |device, commands| unsafe {
        let (general, all) = (vk::ImageLayout::GENERAL, vk::PipelineStageFlags::ALL_COMMANDS);
        device.cmd_pipeline_barrier(commands, all, all, vk::DependencyFlags::empty(), &[], &[], &changes);
        device.cmd_copy_buffer_to_image(commands, from.buffer, colours, general, &[region(colour)]);
        barrier(device, commands);
        device.cmd_copy_image(commands, colours, general, depths, general, &[copy]);
        barrier(device, commands);
        device.cmd_copy_image_to_buffer(commands, depths, general, to.buffer, &[region(depth)]);
    })?;
    for (texel, (word, right)) in to.words().zip(values).enumerate() {
        ensure!(word == right, "depth {texel} is {word:#x}, not {right:#x}");
    }
    Ok(format!("{} depths are right", SIDE * SIDE))
}

/// Two copies, each from one part of a buffer to another, and a third that is not meant.
pub(super) fn indirect(_: u32) -> Result<String> {
    const NAME: &CStr = c"VK_KHR_copy_memory_indirect";
    /// Words of each of six parts of the buffer: to the first three is copied from the last.
    const PART: u32 = 64;
    const COPIES: [(u32, u32); 3] = [(5, 0), (3, 2), (4, 1)];
    const MEANT: u32 = 2;
    /// Bytes from one copy of the buffer that says them to the next, eight more than they have.
    const STRIDE: u32 = 32;
    let found = Found::new()?;
    found.require(NAME, "not supported: VK_KHR_copy_memory_indirect")?;
    let mut has: vk::PhysicalDeviceCopyMemoryIndirectFeaturesKHR<'_> = found.features_in();
    if has.indirect_memory_copy == 0 {
        return Err(Skip("not supported: copies that a buffer says").into());
    }
    let gpu = found.open_with(NAME, &mut has)?;
    let copy: vk::PFN_vkCmdCopyMemoryIndirectKHR = unsafe { gpu.command(c"vkCmdCopyMemoryIndirectKHR")? };
    let usage = vk::BufferUsageFlags::INDIRECT_BUFFER;
    let (data, address) = Mapped::with_address(&gpu, u64::from(6 * PART * 4), usage)?;
    let before: Vec<_> = (0..6 * PART).map(|word| if word < 3 * PART { 0 } else { word }).collect();
    data.write(&before);
    let (told, told_at) = Mapped::with_address(&gpu, u64::from(3 * STRIDE), usage)?;
    let at = |part: u32| address + u64::from(part * PART * 4);
    let words = COPIES.iter().flat_map(|(from, to)| [at(*from), at(*to), u64::from(PART * 4), u64::MAX]);
    let words: Vec<u32> = words.flat_map(|word| [word as u32, (word >> 32) as u32]).collect();
    told.write(&words);
    let info = vk::CopyMemoryIndirectInfoKHR {
        copy_count: MEANT,
        copy_address_range: vk::StridedDeviceAddressRangeKHR {
            address: told_at,
            size: u64::from(MEANT * STRIDE),
            stride: u64::from(STRIDE),
        },
        ..Default::default()
    };
    run(&gpu, |_, commands| unsafe { copy(commands, &info) })?;
    let mut after = before;
    for (from, to) in &COPIES[..usize::try_from(MEANT)?] {
        let from = usize::try_from(from * PART)?..usize::try_from((from + 1) * PART)?;
        after.copy_within(from, usize::try_from(to * PART)?);
    }
    let wrong = data.words().zip(after).position(|(word, right)| word != right);
    ensure!(wrong.is_none(), "word {wrong:?} is wrong");
    Ok(format!("{MEANT} of {} copies are made", COPIES.len()))
}
