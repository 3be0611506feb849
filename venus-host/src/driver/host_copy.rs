//! Copying between images and host memory, with the pixels inside the command or the reply.
//!
//! A driver learns where the pixels are, not how many bytes there are: it computes what it reads or writes from the
//! image's format and the region. A guest that understates its data would make it read or write past the end, so the
//! driver gets a buffer of ours that is large enough for any format, and what fits is copied.

use std::ptr;

use ash::vk;
use venus_protocol::vk as venus;

use super::{Device, Failure};
use crate::error::APPLICATION;

/// Bytes of a texel, or of a whole block of a compressed format, at most (64-bit formats of four components).
const MAX_TEXEL_BYTES: u64 = 32;

/// Largest block of a compressed format, in texels each way; the driver rounds partial blocks up.
const MAX_BLOCK: u64 = 12;

/// Largest buffer for one region. Memory that the driver does not touch costs only address space.
const MAX_REGION_BYTES: u64 = 16 << 30;

/// The geometry of one region, as both directions have it.
#[derive(Clone, Copy)]
struct Region {
    row_length: u32,
    image_height: u32,
    subresource: vk::ImageSubresourceLayers,
    extent: vk::Extent3D,
}

impl Region {
    fn layers(&self, max_layers: u32) -> u32 {
        if self.subresource.layer_count == vk::REMAINING_ARRAY_LAYERS {
            max_layers
        } else {
            self.subresource.layer_count
        }
    }

    /// A buffer that holds the region in any format, and `layer_bytes` for each of its layers; `None` if it would be
    /// absurdly large.
    fn buffer(&self, max_layers: u32, layer_bytes: u64) -> Option<Vec<u8>> {
        let layers = self.layers(max_layers);
        let blocks = |texels: u32| u64::from(texels).checked_next_multiple_of(MAX_BLOCK)?.checked_add(MAX_BLOCK);
        let bytes = blocks(self.row_length.max(self.extent.width))?
            .checked_mul(blocks(self.image_height.max(self.extent.height))?)?
            .checked_mul(u64::from(self.extent.depth).max(1))?
            .checked_mul(MAX_TEXEL_BYTES)?
            .max(layer_bytes)
            .checked_mul(u64::from(layers).max(1))?;
        let len = usize::try_from(bytes).ok().filter(|_| bytes <= MAX_REGION_BYTES)?;
        let mut buffer = Vec::<u8>::new();
        buffer.try_reserve_exact(len).ok()?;
        drop(buffer);
        // Zeroed memory comes from the system as untouched pages.
        Some(vec![0; len])
    }
}

impl Device {
    /// vkCopyImageToMemoryMESA.
    pub(crate) fn copy_image_to_memory(
        &self,
        info: &venus::CopyImageToMemoryInfoMESA<'_>,
        data: &mut [u8],
    ) -> Result<(), Failure> {
        let Some(call) = self.procs().copy_image_to_memory else {
            return Err(vk::Result::ERROR_FEATURE_NOT_PRESENT.into());
        };
        let region = Region {
            row_length: info.memory_row_length,
            image_height: info.memory_image_height,
            subresource: info.image_subresource,
            extent: info.image_extent,
        };
        let member = "pCopyImageToMemoryInfo->imageExtent";
        let mut buffer = self.region_buffer(info.flags, info.src_image, region, member)?;
        let copy = vk::ImageToMemoryCopyEXT {
            p_host_pointer: buffer.as_mut_ptr().cast(),
            memory_row_length: info.memory_row_length,
            memory_image_height: info.memory_image_height,
            image_subresource: info.image_subresource,
            image_offset: info.image_offset,
            image_extent: info.image_extent,
            ..Default::default()
        };
        let driver_info = vk::CopyImageToMemoryInfoEXT {
            p_next: ptr::null(),
            flags: info.flags,
            src_image: info.src_image,
            src_image_layout: info.src_image_layout,
            region_count: 1,
            p_regions: &copy,
            ..Default::default()
        };
        // SAFETY:
        // - the image comes from the object table; the regions and the buffer are locals;
        // - the buffer is as large as any format of this geometry needs, so the driver writes inside it.
        let result = unsafe { call(self.raw(), &driver_info) };
        for (to, from) in data.iter_mut().zip(&buffer) {
            *to = *from;
        }
        Ok(result.result()?)
    }

    /// vkCopyMemoryToImageMESA.
    pub(crate) fn copy_memory_to_image(&self, info: &venus::CopyMemoryToImageInfoMESA<'_>) -> Result<(), Failure> {
        let Some(call) = self.procs().copy_memory_to_image else {
            return Err(vk::Result::ERROR_FEATURE_NOT_PRESENT.into());
        };
        // SAFETY: count and pointer belong together and live as long as `info`: the decoder made them.
        let guest_regions = unsafe { super::device::slice(info.p_regions, info.region_count) };
        let mut buffers = Vec::with_capacity(guest_regions.len());
        let mut regions = Vec::with_capacity(guest_regions.len());
        for guest in guest_regions {
            let region = Region {
                row_length: guest.memory_row_length,
                image_height: guest.memory_image_height,
                subresource: guest.image_subresource,
                extent: guest.image_extent,
            };
            let member = "pCopyMemoryToImageInfo->pRegions[].imageExtent";
            let mut buffer = self.region_buffer(info.flags, info.dst_image, region, member)?;
            let data = if guest.p_data.is_null() {
                &[]
            } else {
                // SAFETY: the decoder gave the pointer `data_size` bytes.
                unsafe { std::slice::from_raw_parts(guest.p_data.cast::<u8>(), guest.data_size) }
            };
            for (to, from) in buffer.iter_mut().zip(data) {
                *to = *from;
            }
            regions.push(vk::MemoryToImageCopyEXT {
                p_host_pointer: buffer.as_ptr().cast(),
                memory_row_length: guest.memory_row_length,
                memory_image_height: guest.memory_image_height,
                image_subresource: guest.image_subresource,
                image_offset: guest.image_offset,
                image_extent: guest.image_extent,
                ..Default::default()
            });
            buffers.push(buffer);
        }
        let driver_info = vk::CopyMemoryToImageInfoEXT {
            p_next: ptr::null(),
            flags: info.flags,
            dst_image: info.dst_image,
            dst_image_layout: info.dst_image_layout,
            region_count: info.region_count,
            p_regions: regions.as_ptr(),
            ..Default::default()
        };
        // SAFETY: as above; the driver reads inside the buffers, which live until the end of this function.
        let result = unsafe { call(self.raw(), &driver_info) };
        Ok(result.result()?)
    }

    /// A buffer for all that the driver copies of a region of an image; `member` is to blame if there can be none.
    fn region_buffer(
        &self,
        flags: vk::HostImageCopyFlagsEXT,
        image: vk::Image,
        region: Region,
        member: &'static str,
    ) -> Result<Vec<u8>, Failure> {
        let layer_bytes = self.layer_bytes(flags, image, region);
        layer_bytes.and_then(|bytes| region.buffer(self.max_layers(), bytes)).ok_or_else(|| no_buffer(member))
    }

    /// What the driver copies per layer in a layout of its own, which may be more than the texels take: with the flag
    /// for that, what the driver says, else nothing. `None` if it does not say.
    fn layer_bytes(&self, flags: vk::HostImageCopyFlagsEXT, image: vk::Image, region: Region) -> Option<u64> {
        if !flags.contains(vk::HostImageCopyFlagsEXT::MEMCPY) {
            return Some(0);
        }
        let call = self.procs().get_image_subresource_layout2?;
        let subresource = vk::ImageSubresource2KHR::default().image_subresource(vk::ImageSubresource {
            aspect_mask: region.subresource.aspect_mask,
            mip_level: region.subresource.mip_level,
            array_layer: region.subresource.base_array_layer,
        });
        let mut size = vk::SubresourceHostMemcpySizeEXT::default();
        let mut layout = vk::SubresourceLayout2KHR::default().push_next(&mut size);
        // SAFETY: the image comes from the object table, all else are locals; the structure in the chain belongs to the
        // same extension as the copy.
        unsafe { call(self.raw(), image, &subresource, &mut layout) };
        Some(size.size)
    }

    fn max_layers(&self) -> u32 {
        self.physical().properties().limits.max_image_array_layers
    }
}

/// No buffer can be made that is surely large enough.
#[cold]
fn no_buffer(member: &'static str) -> Failure {
    let reason = format!("the region would take more than the {MAX_REGION_BYTES} bytes that this host has for one");
    Failure::refused(vk::Result::ERROR_OUT_OF_HOST_MEMORY, member, reason, APPLICATION)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn region(width: u32, height: u32) -> Region {
        Region {
            row_length: 0,
            image_height: 0,
            subresource: vk::ImageSubresourceLayers { layer_count: 1, ..Default::default() },
            extent: vk::Extent3D { width, height, depth: 1 },
        }
    }

    #[test]
    fn buffers_hold_the_largest_format() {
        let buffer = region(64, 64).buffer(1, 0).unwrap();
        assert!(buffer.len() >= 64 * 64 * 32);
        // One block of the largest compressed format.
        assert!(region(1, 1).buffer(1, 0).unwrap().len() >= 32);
        // A layout of the driver's own.
        let mut layers = region(1, 1);
        layers.subresource.layer_count = 3;
        assert!(layers.buffer(1, 1 << 16).unwrap().len() >= 3 << 16);
    }

    #[test]
    fn absurd_regions_are_refused() {
        assert!(region(u32::MAX, u32::MAX).buffer(1, 0).is_none());
        let mut all_layers = region(16_384, 16_384);
        all_layers.subresource.layer_count = vk::REMAINING_ARRAY_LAYERS;
        assert!(all_layers.buffer(2048, 0).is_none());
    }
}
