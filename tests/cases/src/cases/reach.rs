//! What shaders reach of what is bound to them: some slices of an image, not more than a range, nothing, and memory
//! without a type.

use crate::Skip;
use crate::compute::{Bound, Compute, Wanted};
use crate::device::Found;
use crate::memory::Mapped;
use crate::shader::WIDTH;
use crate::shader::reach::{number_texels, texel, untyped as without_types};
use crate::target::{image, usable, whole};
use crate::work::{barrier, run};
use anyhow::{Context as _, Result, ensure};
use ash::ext::image_sliced_view_of_3d;
use std::ffi::CStr;
use std::ops::Range;
use venus_protocol::vk;

/// Width, height and depth of the image, and what of its depth is seen.
const SIDE: u32 = 8;
const SEEN: Range<u32> = 3..6;

pub(super) fn slices(_: u32) -> Result<String> {
    let found = Found::new()?;
    found.require(image_sliced_view_of_3d::NAME, "not supported: VK_EXT_image_sliced_view_of_3d")?;
    let mut has: vk::PhysicalDeviceImageSlicedViewOf3DFeaturesEXT<'_> = found.features_in();
    if has.image_sliced_view_of3_d == 0 {
        return Err(Skip("not supported: slices of an image").into());
    }
    let gpu = found.open_with(image_sliced_view_of_3d::NAME, &mut has)?;
    let extent = vk::Extent3D { width: SIDE, height: SIDE, depth: SIDE };
    let info = vk::ImageCreateInfo::default().image_type(vk::ImageType::TYPE_3D).format(vk::Format::R32_UINT);
    let info = info.extent(extent).mip_levels(1).array_layers(1).samples(vk::SampleCountFlags::TYPE_1);
    let usage = vk::ImageUsageFlags::TRANSFER_SRC | vk::ImageUsageFlags::TRANSFER_DST;
    let image = image(&gpu, &info.usage(vk::ImageUsageFlags::STORAGE | usage))?;
    let seen = (SEEN.start, SEEN.end - SEEN.start);
    let mut seen = vk::ImageViewSlicedCreateInfoEXT::default().slice_offset(seen.0).slice_count(seen.1);
    let info = vk::ImageViewCreateInfo::default().image(image).view_type(vk::ImageViewType::TYPE_3D);
    let info = info.format(vk::Format::R32_UINT).subresource_range(whole()).push_next(&mut seen);
    let view = unsafe { gpu.device.create_image_view(&info, None) }.context("vkCreateImageView")?;
    let bound = Bound::image(&gpu, view)?;
    let pipeline = bound.pipeline(&gpu, &number_texels(SIDE))?;

    let copy = Mapped::new(&gpu, u64::from(SIDE.pow(3) * 4), vk::BufferUsageFlags::empty())?;
    let colour = vk::ImageAspectFlags::COLOR;
    let layers = vk::ImageSubresourceLayers { aspect_mask: colour, layer_count: 1, ..Default::default() };
    let region = [vk::BufferImageCopy::default().image_subresource(layers).image_extent(extent)];
    run(&gpu, |device, commands| {
        let (general, clear) = (vk::ImageLayout::GENERAL, vk::ClearColorValue::default());
        usable(device, commands, image);
        unsafe { device.cmd_clear_color_image(commands, image, general, &clear, &[whole()]) };
        barrier(device, commands);
        // One slice more than is seen: what is written there is nowhere.
        bound.dispatch_in(device, commands, pipeline, [1, 1, SEEN.end - SEEN.start + 1]);
        barrier(device, commands);
        unsafe { device.cmd_copy_image_to_buffer(commands, image, general, copy.buffer, &region) };
    })?;
    for (place, word) in (0..).zip(copy.words()) {
        let [x, y, z] = [place % SIDE, place / SIDE % SIDE, place / SIDE / SIDE];
        let right = if SEEN.contains(&z) { texel([x, y, z - SEEN.start], SIDE) } else { 0 };
        ensure!(word == right, "texel {x}, {y} of slice {z} is {word}, not {right}");
    }
    Ok(format!("slices {SEEN:?} of {SIDE} are written"))
}

pub(super) fn beyond_a_range(_: u32) -> Result<String> {
    const NAME: &CStr = c"VK_KHR_robustness2";
    const BOUND: u32 = WIDTH / 4;
    const BEFORE: u32 = 0x7777_7777;
    let found = Found::new()?;
    found.require(NAME, "not supported: VK_KHR_robustness2")?;
    // The structure has had its older name all the time.
    let mut has: vk::PhysicalDeviceRobustness2FeaturesEXT<'_> = found.features_in();
    if has.robust_buffer_access2 == 0 || has.null_descriptor == 0 {
        return Err(Skip("not supported: bounds of buffers, or descriptors of nothing").into());
    }
    let gpu = found.open_with(NAME, &mut has)?;
    let compute = Compute::new(&gpu)?;
    let (answer, pipelines) = compute.create(&gpu, &[Wanted::new(compute.module, 7)]);
    answer.result().context("vkCreateComputePipelines")?;
    let (bound, nothing) = (
        Bound::buffer(&gpu, compute.buffer.buffer, u64::from(BOUND * 4))?,
        Bound::buffer(&gpu, vk::Buffer::null(), vk::WHOLE_SIZE)?,
    );
    compute.buffer.set(BEFORE);
    run(&gpu, |device, commands| {
        bound.dispatch(device, commands, pipelines[0], 1);
        nothing.dispatch(device, commands, pipelines[0], 1);
    })?;
    for (place, word) in (0..).zip(compute.buffer.words()) {
        let right = if place < BOUND { place * 7 } else { BEFORE };
        ensure!(word == right, "word {place} is {word:#x}, not {right:#x}");
    }
    Ok(format!("{BOUND} of {WIDTH} words are written"))
}

pub(super) fn untyped(_: u32) -> Result<String> {
    const NAME: &CStr = c"VK_KHR_shader_untyped_pointers";
    const K: u32 = 11;
    let found = Found::new()?;
    found.require(NAME, "not supported: VK_KHR_shader_untyped_pointers")?;
    let mut has: vk::PhysicalDeviceShaderUntypedPointersFeaturesKHR<'_> = found.features_in();
    if has.shader_untyped_pointers == 0 {
        return Err(Skip("not supported: pointers without a type").into());
    }
    let gpu = found.open_with(NAME, &mut has)?;
    let buffer = Mapped::new(&gpu, u64::from(WIDTH * 4), vk::BufferUsageFlags::STORAGE_BUFFER)?;
    buffer.set(K);
    let bound = Bound::buffer(&gpu, buffer.buffer, vk::WHOLE_SIZE)?;
    let pipeline = bound.pipeline(&gpu, &without_types())?;
    run(&gpu, |device, commands| bound.dispatch(device, commands, pipeline, 1))?;
    for (place, word) in (0..).zip(buffer.words()) {
        ensure!(word == place * (K + 1), "word {place} is {word}, not {}", place * (K + 1));
    }
    Ok(format!("{WIDTH} words are right"))
}
