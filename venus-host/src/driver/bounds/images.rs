//! The same, of parts of images: levels, layers and texels are the image's.
//!
//! Texels are compared in whole blocks, since a block at an edge may reach beyond it. An extent of nothing is let pass: there
//! is nothing that it could reach.

use ash::vk;
use venus_protocol::vk as venus;

use super::{
    super::{
        Device, Refusal,
        device::slice,
        format::{self, Plane},
        made::{Image, Known, View},
    },
    below, buffers, refusal,
};

/// Bytes of a row of texels in a buffer, at most.
const MOST_ROW_BYTES: u64 = (1 << 31) - 1;

/// `count` of an image's levels or layers from `first` on, or all that follow; `member` says how many. Answers how many.
#[inline]
fn some(member: &'static str, first: u32, count: u32, there_are: u32) -> Result<u32, Refusal> {
    let rest = there_are.saturating_sub(first);
    let named = if count == vk::REMAINING_ARRAY_LAYERS { rest } else { count };
    if first < there_are && named <= rest { Ok(named) } else { none(member, first, count, there_are) }
}

#[cold]
fn none(member: &'static str, first: u32, count: u32, there_are: u32) -> Result<u32, Refusal> {
    let what = if count == vk::REMAINING_ARRAY_LAYERS { "all".to_owned() } else { count.to_string() };
    Err(refusal(member, format!("{what} from {first} on, and the image has {there_are}")))
}

/// What the members of a range are called that a command gives.
type RangeMembers = [&'static str; 2];

/// Levels and layers that a range names are the image's. Of images with depth a barrier's layers may be slices.
#[inline]
fn check_range(
    [levels, layers]: RangeMembers,
    image: Option<Image>,
    range: &vk::ImageSubresourceRange,
) -> Result<(), Refusal> {
    let Some(image) = image else { return Ok(()) };
    some(levels, range.base_mip_level, range.level_count, image.levels)?;
    let most = image.layers.max(if image.is_3d() { image.extent.depth } else { 0 });
    some(layers, range.base_array_layer, range.layer_count, most).map(drop)
}

/// The ranges of an image that are cleared.
pub(crate) fn check_cleared(
    known: &mut Known<'_>,
    image: vk::Image,
    ranges: &[vk::ImageSubresourceRange],
) -> Result<(), Refusal> {
    let image = known.image(image);
    ranges.iter().try_for_each(|range| check_range(["pRanges[].levelCount", "pRanges[].layerCount"], image, range))
}

/// The images of barriers.
#[inline]
pub(crate) fn check_barriers(known: &mut Known<'_>, barriers: &[vk::ImageMemoryBarrier<'_>]) -> Result<(), Refusal> {
    const MEMBERS: RangeMembers =
        ["pImageMemoryBarriers[].subresourceRange.levelCount", "pImageMemoryBarriers[].subresourceRange.layerCount"];
    barriers.iter().try_for_each(|barrier| check_range(MEMBERS, known.image(barrier.image), &barrier.subresource_range))
}

/// The same, of the newer commands.
#[inline]
pub(crate) fn check_dependency(known: &mut Known<'_>, info: &vk::DependencyInfo<'_>) -> Result<(), Refusal> {
    const MEMBERS: RangeMembers = [
        "pDependencyInfo->pImageMemoryBarriers[].subresourceRange.levelCount",
        "pDependencyInfo->pImageMemoryBarriers[].subresourceRange.layerCount",
    ];
    // SAFETY: count and pointer belong together and live as long as `info`: the decoder made them.
    let barriers = unsafe { slice(info.p_image_memory_barriers, info.image_memory_barrier_count) };
    barriers.iter().try_for_each(|barrier| check_range(MEMBERS, known.image(barrier.image), &barrier.subresource_range))
}

/// Images whose layouts the host changes.
pub(crate) fn check_transitions(
    known: &mut Known<'_>,
    transitions: &[vk::HostImageLayoutTransitionInfoEXT<'_>],
) -> Result<(), Refusal> {
    const MEMBERS: RangeMembers =
        ["pTransitions[].subresourceRange.levelCount", "pTransitions[].subresourceRange.layerCount"];
    transitions.iter().try_for_each(|each| check_range(MEMBERS, known.image(each.image), &each.subresource_range))
}

/// Where one level of a layer lies is asked of an image that has it.
pub(crate) fn check_subresource(
    [level, layer]: [&'static str; 2],
    image: Option<Image>,
    asked: &vk::ImageSubresource,
) -> Result<(), Refusal> {
    let Some(image) = image else { return Ok(()) };
    below(level, asked.mip_level, image.levels)?;
    below(layer, asked.array_layer, image.layers)
}

/// A part of one level of an image.
#[derive(Clone, Copy)]
struct Part {
    subresource: vk::ImageSubresourceLayers,
    offset: vk::Offset3D,
    /// In texels of the aspect.
    extent: [u64; 3],
}

/// What the members are called that say which part of an image it is: layers, and where in them.
type PartMembers = [&'static str; 2];

/// Texels in each direction.
fn texels(extent: vk::Extent3D) -> [u64; 3] {
    [extent.width, extent.height, extent.depth].map(u64::from)
}

/// How many blocks of `size` texels so many are, the last of which may not be whole.
fn blocks(texels: u64, size: u8) -> u64 {
    texels.div_ceil(u64::from(size).max(1))
}

impl Image {
    /// What it consists of in an aspect.
    fn plane(&self, aspect: vk::ImageAspectFlags) -> Option<Plane> {
        format::plane(self.format, aspect)
    }

    /// Texels of an aspect of a level.
    fn texels_of(&self, level: u32, plane: Plane) -> [u64; 3] {
        let [across, down] = plane.divisors;
        let of = |size: u32, divisor| {
            let texels = size.checked_shr(level).unwrap_or_default().max(1);
            u64::from(texels).div_ceil(u64::from(divisor).max(1))
        };
        [of(self.extent.width, across), of(self.extent.height, down), of(self.extent.depth, 1_u8)]
    }

    /// A part of it is there. Answers how many layers, or slices of a thing with depth, it has.
    fn has(&self, [subresource, place]: PartMembers, part: Part) -> Result<u64, Refusal> {
        let Part { subresource: vk::ImageSubresourceLayers { mip_level, base_array_layer, layer_count, .. }, .. } =
            part;
        below(subresource, mip_level, self.levels)?;
        let layers = some(subresource, base_array_layer, layer_count, self.layers)?;
        let Some(plane) = self.plane(part.subresource.aspect_mask) else { return Ok(layers.into()) };
        let offset = [part.offset.x, part.offset.y, part.offset.z];
        let there_are = self.texels_of(mip_level, plane);
        for (((from, many), size), most) in offset.iter().zip(part.extent).zip(plane.block.texels).zip(there_are) {
            let fits = u64::try_from(*from)
                .ok()
                .and_then(|from| from.checked_add(many))
                .is_some_and(|end| blocks(end, size) <= blocks(most, size));
            if !fits {
                return Err(refusal(place, format!("{many} texels from {from} on, and the level has {most}")));
            }
        }
        Ok(if self.is_3d() { part.extent[2] } else { layers.into() })
    }
}

/// Texels that are copied from one image to another: as many slices are read as written.
fn check_copied(
    [from, to]: [Option<Image>; 2],
    members: [PartMembers; 2],
    [read, written]: [(vk::ImageSubresourceLayers, vk::Offset3D); 2],
    extent: vk::Extent3D,
) -> Result<(), Refusal> {
    let (Some(from), Some(to)) = (from, to) else { return Ok(()) };
    // Slices of the one may be layers of the other.
    let extent = texels(extent);
    let depth = |image: Image| if image.is_3d() { extent[2] } else { extent[2].min(1) };
    let [source, target] = members;
    let part = Part { subresource: read.0, offset: read.1, extent: [extent[0], extent[1], depth(from)] };
    let slices_read = from.has(source, part)?;
    // Where blocks are copied to texels, or texels to blocks, the extent is the source's.
    let planes = (from.plane(read.0.aspect_mask), to.plane(written.0.aspect_mask));
    let scaled = |texels: u64, nth: usize| match planes {
        (Some(from), Some(to)) if from.block.texels != to.block.texels => {
            let [from, to] = [from, to].map(|plane| plane.block.texels.get(nth).copied().unwrap_or(1));
            blocks(texels, from).saturating_mul(to.into())
        }
        _ => texels,
    };
    let extent = [scaled(extent[0], 0), scaled(extent[1], 1), depth(to)];
    let slices_written = to.has(target, Part { subresource: written.0, offset: written.1, extent })?;
    if slices_read == slices_written {
        return Ok(());
    }
    let [subresource, _] = target;
    Err(refusal(subresource, format!("{slices_read} layers or slices are read, and {slices_written} written")))
}

/// What the members of a copy between images are called.
const COPY: [PartMembers; 2] =
    [["pRegions[].srcSubresource", "pRegions[].srcOffset"], ["pRegions[].dstSubresource", "pRegions[].dstOffset"]];

/// What is copied from one image to another.
pub(crate) fn check_copy(
    known: &mut Known<'_>,
    images: [vk::Image; 2],
    regions: impl Iterator<Item = vk::ImageCopy>,
) -> Result<(), Refusal> {
    let images = images.map(|image| known.image(image));
    for region in regions {
        let parts = [(region.src_subresource, region.src_offset), (region.dst_subresource, region.dst_offset)];
        check_copied(images, COPY, parts, region.extent)?;
    }
    Ok(())
}

/// A region of the newer commands is as one of the older.
fn image_copy(region: &vk::ImageCopy2<'_>) -> vk::ImageCopy {
    let vk::ImageCopy2 { src_subresource, src_offset, dst_subresource, dst_offset, extent, .. } = *region;
    vk::ImageCopy { src_subresource, src_offset, dst_subresource, dst_offset, extent }
}

/// The same, for the newer version of the command.
pub(crate) fn check_copy2(known: &mut Known<'_>, info: &vk::CopyImageInfo2<'_>) -> Result<(), Refusal> {
    // SAFETY: count and pointer belong together and live as long as `info`: the decoder made them.
    let regions = unsafe { slice(info.p_regions, info.region_count) };
    check_copy(known, [info.src_image, info.dst_image], regions.iter().map(image_copy))
}

/// The same, for copies on the host.
pub(crate) fn check_host_copy(known: &mut Known<'_>, info: &vk::CopyImageToImageInfoEXT<'_>) -> Result<(), Refusal> {
    // SAFETY: as above.
    let regions = unsafe { slice(info.p_regions, info.region_count) };
    check_copy(known, [info.src_image, info.dst_image], regions.iter().map(image_copy))
}

/// Samples that are resolved.
pub(crate) fn check_resolve(
    known: &mut Known<'_>,
    images: [vk::Image; 2],
    regions: &[vk::ImageResolve],
) -> Result<(), Refusal> {
    let regions = regions.iter().map(|region| {
        let vk::ImageResolve { src_subresource, src_offset, dst_subresource, dst_offset, extent } = *region;
        vk::ImageCopy { src_subresource, src_offset, dst_subresource, dst_offset, extent }
    });
    check_copy(known, images, regions)
}

/// The same, for the newer version of the command.
pub(crate) fn check_resolve2(known: &mut Known<'_>, info: &vk::ResolveImageInfo2<'_>) -> Result<(), Refusal> {
    // SAFETY: as above.
    let regions = unsafe { slice(info.p_regions, info.region_count) };
    let regions = regions.iter().map(|region| {
        let vk::ImageResolve2 { src_subresource, src_offset, dst_subresource, dst_offset, extent, .. } = *region;
        vk::ImageCopy { src_subresource, src_offset, dst_subresource, dst_offset, extent }
    });
    check_copy(known, [info.src_image, info.dst_image], regions)
}

/// What is scaled from one image to another.
pub(crate) fn check_blit(
    known: &mut Known<'_>,
    images: [vk::Image; 2],
    regions: impl Iterator<Item = vk::ImageBlit>,
) -> Result<(), Refusal> {
    const MEMBERS: [PartMembers; 2] = [
        ["pRegions[].srcSubresource", "pRegions[].srcOffsets"],
        ["pRegions[].dstSubresource", "pRegions[].dstOffsets"],
    ];
    let images = images.map(|image| known.image(image));
    for region in regions {
        let sides = [(region.src_subresource, region.src_offsets), (region.dst_subresource, region.dst_offsets)];
        let mut layers = [None; 2];
        for (((image, members), (subresource, offsets)), layers) in
            images.iter().zip(MEMBERS).zip(sides).zip(&mut layers)
        {
            let Some(image) = image else { continue };
            for offset in offsets {
                let there = image.has(members, Part { subresource, offset, extent: [0; 3] })?;
                *layers = Some(there).filter(|_| !image.is_3d());
            }
        }
        if let [Some(read), Some(written)] = layers
            && read != written
        {
            let reason = format!("{read} layers are read, and {written} written");
            return Err(refusal("pRegions[].dstSubresource", reason));
        }
    }
    Ok(())
}

/// The same, for the newer version of the command.
pub(crate) fn check_blit2(known: &mut Known<'_>, info: &vk::BlitImageInfo2<'_>) -> Result<(), Refusal> {
    // SAFETY: count and pointer belong together and live as long as `info`: the decoder made them.
    let regions = unsafe { slice(info.p_regions, info.region_count) };
    let regions = regions.iter().map(|region| {
        let vk::ImageBlit2 { src_subresource, src_offsets, dst_subresource, dst_offsets, .. } = *region;
        vk::ImageBlit { src_subresource, src_offsets, dst_subresource, dst_offsets }
    });
    check_blit(known, [info.src_image, info.dst_image], regions)
}

/// What is copied between a buffer and an image.
pub(crate) fn check_buffer_copy(
    known: &mut Known<'_>,
    buffer: vk::Buffer,
    image: vk::Image,
    regions: impl Iterator<Item = vk::BufferImageCopy>,
) -> Result<(), Refusal> {
    const MEMBERS: PartMembers = ["pRegions[].imageSubresource", "pRegions[].imageOffset"];
    let buffer = known.buffer(buffer);
    let Some(image) = known.image(image) else { return Ok(()) };
    for region in regions {
        let extent = texels(region.image_extent);
        let part = Part { subresource: region.image_subresource, offset: region.image_offset, extent };
        let slices = image.has(MEMBERS, part)?;
        let Some(plane) = image.plane(region.image_subresource.aspect_mask) else { continue };
        let [width, height, depth] = plane.block.texels;
        let bytes = u64::from(plane.block.bytes);
        let [wide, high, deep] = [blocks(extent[0], width), blocks(extent[1], height), blocks(slices, depth)];
        let row = blocks(u64::from(region.buffer_row_length), width).max(wide);
        let rows = blocks(u64::from(region.buffer_image_height), height).max(high);
        if row.saturating_mul(bytes) > MOST_ROW_BYTES {
            let reason = format!("a row has {row} blocks of {bytes} bytes, which are more than {MOST_ROW_BYTES}");
            return Err(refusal("pRegions[].bufferRowLength", reason));
        }
        if wide == 0 || high == 0 || deep == 0 {
            continue;
        }
        // All slices but the last are whole, and so are all rows but the last of that.
        let before = deep.saturating_sub(1).saturating_mul(rows).saturating_add(high.saturating_sub(1));
        let size = before.saturating_mul(row).saturating_add(wide).saturating_mul(bytes);
        buffers::inside("pRegions[].bufferOffset", buffer, region.buffer_offset, size)?;
    }
    Ok(())
}

/// A region of the newer commands is as one of the older.
fn buffer_copy(region: &vk::BufferImageCopy2<'_>) -> vk::BufferImageCopy {
    let vk::BufferImageCopy2 {
        buffer_offset,
        buffer_row_length,
        buffer_image_height,
        image_subresource,
        image_offset,
        image_extent,
        ..
    } = *region;
    vk::BufferImageCopy {
        buffer_offset,
        buffer_row_length,
        buffer_image_height,
        image_subresource,
        image_offset,
        image_extent,
    }
}

/// What is copied from a buffer, for the newer version of the command.
pub(crate) fn check_from_buffer2(known: &mut Known<'_>, info: &vk::CopyBufferToImageInfo2<'_>) -> Result<(), Refusal> {
    // SAFETY: count and pointer belong together and live as long as `info`: the decoder made them.
    let regions = unsafe { slice(info.p_regions, info.region_count) };
    check_buffer_copy(known, info.src_buffer, info.dst_image, regions.iter().map(buffer_copy))
}

/// What is copied to a buffer, for the newer version of the command.
pub(crate) fn check_to_buffer2(known: &mut Known<'_>, info: &vk::CopyImageToBufferInfo2<'_>) -> Result<(), Refusal> {
    // SAFETY: as above.
    let regions = unsafe { slice(info.p_regions, info.region_count) };
    check_buffer_copy(known, info.dst_buffer, info.src_image, regions.iter().map(buffer_copy))
}

/// What is copied to host memory.
pub(crate) fn check_to_memory(
    known: &mut Known<'_>,
    info: &venus::CopyImageToMemoryInfoMESA<'_>,
) -> Result<(), Refusal> {
    const MEMBERS: PartMembers = ["pCopyImageToMemoryInfo->imageSubresource", "pCopyImageToMemoryInfo->imageOffset"];
    let Some(image) = known.image(info.src_image) else { return Ok(()) };
    let (subresource, offset, extent) = (info.image_subresource, info.image_offset, texels(info.image_extent));
    image.has(MEMBERS, Part { subresource, offset, extent }).map(drop)
}

/// What is copied from host memory.
pub(crate) fn check_from_memory(
    known: &mut Known<'_>,
    info: &venus::CopyMemoryToImageInfoMESA<'_>,
) -> Result<(), Refusal> {
    const MEMBERS: PartMembers =
        ["pCopyMemoryToImageInfo->pRegions[].imageSubresource", "pCopyMemoryToImageInfo->pRegions[].imageOffset"];
    let Some(image) = known.image(info.dst_image) else { return Ok(()) };
    // SAFETY: count and pointer belong together and live as long as `info`: the decoder made them.
    let regions = unsafe { slice(info.p_regions, info.region_count) };
    regions.iter().try_for_each(|region| {
        let (subresource, offset) = (region.image_subresource, region.image_offset);
        image.has(MEMBERS, Part { subresource, offset, extent: texels(region.image_extent) }).map(drop)
    })
}

/// Where memory is copied to, by regions that the GPU reads.
pub(crate) fn check_indirect_copy(
    known: &mut Known<'_>,
    info: &venus::CopyMemoryToImageIndirectInfoKHR<'_>,
) -> Result<(), Refusal> {
    const MEMBER: &str = "pCopyMemoryToImageIndirectInfo->pImageSubresources[]";
    let Some(image) = known.image(info.dst_image) else { return Ok(()) };
    // SAFETY: as above.
    let subresources = unsafe { slice(info.p_image_subresources, info.copy_count) };
    for each in subresources {
        below(MEMBER, each.mip_level, image.levels)?;
        some(MEMBER, each.base_array_layer, each.layer_count, image.layers)?;
    }
    Ok(())
}

/// What an image that a view shows has of what the view says.
pub(crate) fn check_view(known: &mut Known<'_>, info: &vk::ImageViewCreateInfo<'_>) -> Result<(), Refusal> {
    const LEVELS: &str = "pCreateInfo->subresourceRange.levelCount";
    const LAYERS: &str = "pCreateInfo->subresourceRange.layerCount";
    format::check("pCreateInfo->format", info.format)?;
    let Some(image) = known.image(info.image) else { return Ok(()) };
    let range = info.subresource_range;
    let levels = some(LEVELS, range.base_mip_level, range.level_count, image.levels)?;
    let layers = some(LAYERS, range.base_array_layer, range.layer_count, slices(image, info))?;
    for (member, count) in [(LEVELS, levels), (LAYERS, layers)] {
        if count == 0 {
            return Err(refusal(member, "is 0".to_owned()));
        }
    }
    let faces = match info.view_type {
        vk::ImageViewType::CUBE => layers == 6,
        vk::ImageViewType::CUBE_ARRAY => layers.is_multiple_of(6),
        _ => true,
    };
    if !faces {
        return Err(refusal(LAYERS, format!("{layers} layers are no cubes")));
    }
    check_view_format(image, info)
}

/// The texels and layers that a view shows; `None` if the format is not known.
pub(in super::super) fn shown(image: Image, info: &vk::ImageViewCreateInfo<'_>) -> Option<View> {
    let range = info.subresource_range;
    let plane = image.plane(range.aspect_mask)?;
    let [width, height, _] = image.texels_of(range.base_mip_level, plane);
    // Where the image has blocks and the view has not, a block is a texel.
    let is_packed = format::plane(info.format, vk::ImageAspectFlags::COLOR).is_none_or(|of| of.block.texels != [1; 3]);
    let [across, down, _] = if is_packed { [1; 3] } else { plane.block.texels };
    let [width, height] =
        [blocks(width, across), blocks(height, down)].map(|size| u32::try_from(size).unwrap_or(u32::MAX));
    let is_rest = range.layer_count == vk::REMAINING_ARRAY_LAYERS;
    let layers = if is_rest { slices(image, info).saturating_sub(range.base_array_layer) } else { range.layer_count };
    Some(View { width, height, layers })
}

/// How many layers an image has for a view, which may be slices.
fn slices(image: Image, info: &vk::ImageViewCreateInfo<'_>) -> u32 {
    let is_flat = matches!(info.view_type, vk::ImageViewType::TYPE_2D | vk::ImageViewType::TYPE_2D_ARRAY);
    let slices = vk::ImageCreateFlags::TYPE_2D_ARRAY_COMPATIBLE | vk::ImageCreateFlags::TYPE_2D_VIEW_COMPATIBLE_EXT;
    if image.is_3d() && is_flat && image.flags.intersects(slices) {
        image.extent.depth.checked_shr(info.subresource_range.base_mip_level).unwrap_or_default().max(1)
    } else {
        image.layers
    }
}

/// The same of a view that is only described, for a descriptor of its own.
pub(crate) fn check_described_view(
    known: &mut Known<'_>,
    info: &venus::ResourceDescriptorInfoEXT<'_>,
) -> Result<(), Refusal> {
    let kinds =
        [vk::DescriptorType::SAMPLED_IMAGE, vk::DescriptorType::STORAGE_IMAGE, vk::DescriptorType::INPUT_ATTACHMENT];
    if !kinds.contains(&info.ty) {
        return Ok(());
    }
    // SAFETY: the decoder compares the union's tag with `type`, so this is what is in it.
    let image = unsafe { info.data.p_image };
    // SAFETY: (of both) null or made by the decoder, by this room's contract.
    let Some(image) = (unsafe { image.as_ref() }) else { return Ok(()) };
    // SAFETY: as above.
    unsafe { image.p_view.as_ref() }.map_or(Ok(()), |view| check_view(known, view))
}

/// Texels of a view take as many bytes as the image's: drivers compute addresses by either.
fn check_view_format(image: Image, info: &vk::ImageViewCreateInfo<'_>) -> Result<(), Refusal> {
    if info.format == image.format {
        return Ok(());
    }
    let aspect = info.subresource_range.aspect_mask;
    let (Some(has), Some(shown)) = (image.plane(aspect), format::plane(info.format, vk::ImageAspectFlags::COLOR))
    else {
        return Ok(());
    };
    let (has, shown) = (has.block, shown.block);
    let is_block_a_texel =
        image.flags.contains(vk::ImageCreateFlags::BLOCK_TEXEL_VIEW_COMPATIBLE) && shown.texels == [1; 3];
    if has.bytes == shown.bytes && (has.texels == shown.texels || is_block_a_texel) {
        return Ok(());
    }
    let reason = format!(
        "is {} with blocks of {} bytes, and the image's is {} with blocks of {}",
        info.format.as_raw(),
        shown.bytes,
        image.format.as_raw(),
        has.bytes
    );
    Err(refusal("pCreateInfo->format", reason))
}

impl Device {
    /// Where one level of a layer would lie is asked of a described image that would have it.
    pub(crate) fn check_described_subresource(
        &self,
        info: &vk::DeviceImageSubresourceInfoKHR<'_>,
    ) -> Result<(), Refusal> {
        self.check_described_image(info.p_create_info)?;
        // SAFETY: (of both) null or made by the decoder, by this room's contract.
        let image = unsafe { info.p_create_info.as_ref() }.map(Image::of);
        // SAFETY: as above.
        let Some(asked) = (unsafe { info.p_subresource.as_ref() }) else { return Ok(()) };
        let members =
            ["pInfo->pSubresource->imageSubresource.mipLevel", "pInfo->pSubresource->imageSubresource.arrayLayer"];
        check_subresource(members, image, &asked.image_subresource)
    }
}

#[cfg(test)]
mod tests {
    use ash::vk::Handle as _;

    use super::*;

    type Infos = [vk::ImageCreateInfo<'static>; 2];

    const BOTH: [u64; 2] = [1, 2];

    fn info(kind: vk::ImageType, format: vk::Format, [width, height, depth]: [u32; 3]) -> vk::ImageCreateInfo<'static> {
        let extent = vk::Extent3D { width, height, depth };
        let info = vk::ImageCreateInfo::default().image_type(kind).format(format).extent(extent);
        info.mip_levels(3).array_layers(if kind == vk::ImageType::TYPE_3D { 1 } else { 6 })
    }

    fn flat(format: vk::Format, width: u32, height: u32) -> vk::ImageCreateInfo<'static> {
        info(vk::ImageType::TYPE_2D, format, [width, height, 1])
    }

    fn layers(level: u32, first: u32, count: u32) -> vk::ImageSubresourceLayers {
        let aspect_mask = vk::ImageAspectFlags::COLOR;
        vk::ImageSubresourceLayers { aspect_mask, mip_level: level, base_array_layer: first, layer_count: count }
    }

    fn of([width, height, depth]: [u32; 3]) -> vk::Extent3D {
        vk::Extent3D { width, height, depth }
    }

    /// Whether a region from the beginning of a level is copied from the first image to the second.
    fn copied(
        images: Infos,
        [from, to]: [vk::ImageSubresourceLayers; 2],
        extent: [u32; 3],
    ) -> Result<(), &'static str> {
        let region =
            vk::ImageCopy { src_subresource: from, dst_subresource: to, extent: of(extent), ..Default::default() };
        let checked = Known::of_images(&images, |known| {
            check_copy(known, BOTH.map(vk::Image::from_raw), std::iter::once(region))
        });
        checked.map_err(|refusal| refusal.member)
    }

    #[test]
    fn copies_end_with_their_levels() {
        let images = [flat(vk::Format::R8G8B8A8_UNORM, 20, 9); 2];
        let [whole, small] = [layers(0, 0, 1), layers(1, 5, 1)];
        assert_eq!(copied(images, [whole; 2], [20, 9, 1]), Ok(()));
        assert_eq!(copied(images, [small, whole], [10, 4, 1]), Ok(()));
        assert_eq!(copied(images, [small, whole], [11, 4, 1]), Err("pRegions[].srcOffset"));
        assert_eq!(copied(images, [whole, small], [10, 5, 1]), Err("pRegions[].dstOffset"));
        assert_eq!(copied(images, [layers(0, 2, vk::REMAINING_ARRAY_LAYERS), layers(0, 1, 4)], [1; 3]), Ok(()));
        assert_eq!(copied(images, [whole, layers(3, 0, 1)], [1; 3]), Err("pRegions[].dstSubresource"));
        assert_eq!(copied(images, [whole, layers(0, 5, 2)], [1; 3]), Err("pRegions[].dstSubresource"));
        assert_eq!(copied(images, [whole, layers(0, 0, 2)], [1; 3]), Err("pRegions[].dstSubresource"));
        assert_eq!(copied(images, [layers(0, u32::MAX, u32::MAX), whole], [1; 3]), Err("pRegions[].srcSubresource"));
    }

    #[test]
    fn layers_are_copied_to_slices() {
        let solid = info(vk::ImageType::TYPE_3D, vk::Format::R8_UNORM, [8, 8, 4]);
        let images = [flat(vk::Format::R8_UNORM, 8, 8), solid];
        assert_eq!(copied(images, [layers(0, 1, 4), layers(0, 0, 1)], [8, 8, 4]), Ok(()));
        assert_eq!(copied(images, [layers(0, 1, 4), layers(0, 0, 1)], [8, 8, 3]), Err("pRegions[].dstSubresource"));
        assert_eq!(copied(images, [layers(0, 0, 6), layers(0, 0, 1)], [8, 8, 6]), Err("pRegions[].dstOffset"));
        let images = [solid, images[0]];
        assert_eq!(copied(images, [layers(1, 0, 1), layers(1, 2, 2)], [4, 4, 2]), Ok(()));
        assert_eq!(copied(images, [layers(1, 0, 1), layers(1, 2, 1)], [4, 4, 2]), Err("pRegions[].dstSubresource"));
        assert_eq!(copied([solid; 2], [layers(0, 0, 1); 2], [8, 8, 4]), Ok(()));
    }

    #[test]
    fn blocks_are_copied_to_texels() {
        // A level of 9 x 5 texels has 3 x 2 blocks.
        let (packed, plain) = (flat(vk::Format::BC1_RGB_UNORM_BLOCK, 9, 5), flat(vk::Format::R32G32_UINT, 3, 2));
        let level = layers(0, 0, 1);
        assert_eq!(copied([packed, plain], [level; 2], [9, 5, 1]), Ok(()));
        assert_eq!(copied([plain, packed], [level; 2], [3, 2, 1]), Ok(()));
        assert_eq!(copied([packed, packed], [level; 2], [9, 5, 1]), Ok(()));
        assert_eq!(
            copied([packed, flat(vk::Format::R32G32_UINT, 2, 2)], [level; 2], [9, 5, 1]),
            Err("pRegions[].dstOffset")
        );
        assert_eq!(
            copied([flat(vk::Format::R32G32_UINT, 4, 2), packed], [level; 2], [4, 2, 1]),
            Err("pRegions[].dstOffset")
        );
    }

    #[test]
    fn planes_are_as_large_as_their_format_says() {
        let images = [flat(vk::Format::G8_B8R8_2PLANE_420_UNORM, 16, 8), flat(vk::Format::R8G8_UNORM, 8, 4)];
        let plane = |aspect_mask| vk::ImageSubresourceLayers { aspect_mask, ..layers(0, 0, 1) };
        let from = [vk::ImageAspectFlags::PLANE_0, vk::ImageAspectFlags::PLANE_1].map(plane);
        assert_eq!(copied(images, [from[1], layers(0, 0, 1)], [8, 4, 1]), Ok(()));
        assert_eq!(copied(images, [from[1], layers(0, 0, 1)], [9, 4, 1]), Err("pRegions[].srcOffset"));
        assert_eq!(copied([images[0]; 2], [from[0]; 2], [16, 8, 1]), Ok(()));
    }

    /// Whether a region is copied between a buffer of 4096 bytes and an image.
    fn from_buffer(
        image: vk::ImageCreateInfo<'static>,
        [offset, row, rows]: [u32; 3],
        (image_subresource, extent): (vk::ImageSubresourceLayers, [u32; 3]),
    ) -> Result<(), &'static str> {
        let region = vk::BufferImageCopy {
            buffer_offset: offset.into(),
            buffer_row_length: row,
            buffer_image_height: rows,
            image_subresource,
            image_extent: of(extent),
            ..Default::default()
        };
        let checked = Known::of_images(&[image], |known| {
            check_buffer_copy(known, vk::Buffer::from_raw(1), vk::Image::from_raw(1), std::iter::once(region))
        });
        checked.map_err(|refusal| refusal.member)
    }

    #[test]
    fn buffers_have_the_texels_that_are_copied() {
        const BEYOND: Result<(), &str> = Err("pRegions[].bufferOffset");
        let image = flat(vk::Format::R8G8B8A8_UNORM, 32, 32);
        let one = layers(0, 0, 1);
        assert_eq!(from_buffer(image, [0; 3], (one, [32, 32, 1])), Ok(()));
        assert_eq!(from_buffer(image, [4, 0, 0], (one, [32, 32, 1])), BEYOND);
        // The last row need not be whole.
        assert_eq!(from_buffer(image, [0, 64, 0], (one, [8, 16, 1])), Ok(()));
        assert_eq!(from_buffer(image, [256, 64, 0], (one, [8, 16, 1])), BEYOND);
        assert_eq!(from_buffer(image, [0; 3], (layers(0, 0, 4), [16, 16, 1])), Ok(()));
        assert_eq!(from_buffer(image, [0; 3], (layers(0, 0, vk::REMAINING_ARRAY_LAYERS), [16, 16, 1])), BEYOND);
        assert_eq!(from_buffer(image, [0, 0, 17], (layers(0, 0, 4), [16, 16, 1])), BEYOND);
        assert_eq!(from_buffer(image, [0; 3], (one, [32, 32, 2])), Err("pRegions[].imageOffset"));
        assert_eq!(from_buffer(image, [0, u32::MAX, 0], (one, [1; 3])), Err("pRegions[].bufferRowLength"));
        assert_eq!(from_buffer(image, [4096, 0, 0], (one, [0; 3])), Ok(()));
        let packed = flat(vk::Format::BC7_UNORM_BLOCK, 64, 64);
        assert_eq!(from_buffer(packed, [0; 3], (one, [64, 64, 1])), Ok(()));
        assert_eq!(from_buffer(packed, [16, 0, 0], (one, [64, 64, 1])), BEYOND);
        let depth = flat(vk::Format::D32_SFLOAT_S8_UINT, 64, 64);
        let stencil = vk::ImageSubresourceLayers { aspect_mask: vk::ImageAspectFlags::STENCIL, ..one };
        assert_eq!(from_buffer(depth, [0; 3], (stencil, [64, 64, 1])), Ok(()));
        let unknown = flat(vk::Format::from_raw(i32::MAX), 1, 1);
        assert_eq!(from_buffer(unknown, [0; 3], (one, [64, 64, 1])), Ok(()));
        assert!(from_buffer(unknown, [0; 3], (layers(9, 0, 1), [64, 64, 1])).is_err());
    }

    #[test]
    fn blits_turn_and_stay_inside() {
        let check = |offsets: [[i32; 3]; 2]| {
            let offsets = offsets.map(|[x, y, z]| vk::Offset3D { x, y, z });
            let region = vk::ImageBlit {
                src_subresource: layers(0, 0, 2),
                src_offsets: offsets,
                dst_subresource: layers(0, 4, 2),
                dst_offsets: offsets,
            };
            let images = [flat(vk::Format::R8_UNORM, 20, 9); 2];
            let blit =
                |known: &mut Known<'_>| check_blit(known, BOTH.map(vk::Image::from_raw), std::iter::once(region));
            Known::of_images(&images, blit).is_ok()
        };
        assert!(check([[0, 0, 0], [20, 9, 1]]) && check([[20, 0, 0], [0, 9, 1]]));
        assert!(!check([[0, 0, 0], [21, 9, 1]]) && !check([[-1, 0, 0], [20, 9, 1]]) && !check([[0, 0, 0], [20, 9, 2]]));
    }

    /// What is wrong with a view of this kind and format of the first level and some layers.
    fn seen(
        image: vk::ImageCreateInfo<'static>,
        view_type: vk::ImageViewType,
        format: vk::Format,
        [base_array_layer, layer_count]: [u32; 2],
    ) -> Result<(), &'static str> {
        let subresource_range = vk::ImageSubresourceRange {
            aspect_mask: vk::ImageAspectFlags::COLOR,
            level_count: 1,
            base_array_layer,
            layer_count,
            ..Default::default()
        };
        let view = vk::ImageViewCreateInfo::default().image(vk::Image::from_raw(1)).format(format);
        let view = view.view_type(view_type).subresource_range(subresource_range);
        Known::of_images(&[image], |known| check_view(known, &view)).map_err(|refusal| refusal.member)
    }

    #[test]
    fn views_show_what_is_there() {
        const LAYERS: Result<(), &str> = Err("pCreateInfo->subresourceRange.layerCount");
        const FORMAT: Result<(), &str> = Err("pCreateInfo->format");
        let [array, cube] = [vk::ImageViewType::TYPE_2D_ARRAY, vk::ImageViewType::CUBE];
        let image = flat(vk::Format::R8G8B8A8_UNORM, 16, 16);
        assert_eq!(seen(image, cube, image.format, [0, 6]), Ok(()));
        assert_eq!(seen(image, cube, image.format, [0, vk::REMAINING_ARRAY_LAYERS]), Ok(()));
        assert_eq!(seen(image, cube, image.format, [1, vk::REMAINING_ARRAY_LAYERS]), LAYERS);
        assert_eq!(seen(image, array, vk::Format::R32_UINT, [5, 1]), Ok(()));
        assert_eq!(seen(image, array, vk::Format::R32_UINT, [5, 2]), LAYERS);
        assert_eq!(seen(image, array, vk::Format::R32G32_UINT, [0, 1]), FORMAT);
        let solid = info(vk::ImageType::TYPE_3D, image.format, [16, 16, 8]);
        assert_eq!(seen(solid, array, image.format, [0, 8]), LAYERS);
        let sliced = solid.flags(vk::ImageCreateFlags::TYPE_2D_ARRAY_COMPATIBLE);
        assert_eq!(seen(sliced, array, image.format, [0, 8]), Ok(()));
        assert_eq!(seen(sliced, array, image.format, [0, 9]), LAYERS);
        assert_eq!(seen(sliced, vk::ImageViewType::TYPE_3D, image.format, [0, 8]), LAYERS);
        let packed = flat(vk::Format::BC1_RGB_UNORM_BLOCK, 16, 16);
        assert_eq!(seen(packed, array, vk::Format::R32G32_UINT, [0, 1]), FORMAT);
        let as_texels = packed.flags(vk::ImageCreateFlags::BLOCK_TEXEL_VIEW_COMPATIBLE);
        assert_eq!(seen(as_texels, array, vk::Format::R32G32_UINT, [0, 1]), Ok(()));
    }
}
