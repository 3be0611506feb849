//! Descriptor heaps: descriptors of a size of their own, whatever room the caller has.

use venus_protocol::{vk, wire::CommandType};

use super::{super::STATE, note};

/// What the descriptor of a sampler consists of.
pub const SAMPLER_DESCRIPTOR: [u8; 32] = [0x5a; 32];

/// What the descriptor of another resource consists of.
pub const RESOURCE_DESCRIPTOR: [u8; 64] = [0x7e; 64];

/// How many descriptors an image may have.
const MOST_PLANES: usize = 3;

/// How many border colours there are places for.
pub const BORDER_COLOURS: u32 = 64;

pub(super) fn properties(heap: &mut vk::PhysicalDeviceDescriptorHeapPropertiesEXT<'_>) {
    heap.sampler_descriptor_size = SAMPLER_DESCRIPTOR.len() as u64;
    heap.image_descriptor_size = RESOURCE_DESCRIPTOR.len() as u64;
    heap.buffer_descriptor_size = RESOURCE_DESCRIPTOR.len() as u64;
    heap.max_push_data_size = 256;
    heap.image_capture_replay_opaque_data_size = 1;
}

/// Writes the whole descriptor to where the caller wants each, as drivers do.
///
/// # Safety
///
/// There are `count` ranges with room for `N` bytes.
unsafe fn write_each<const N: usize>(
    descriptor: [u8; N],
    count: u32,
    ranges: *const vk::HostAddressRangeEXT<'_>,
) -> vk::Result {
    // SAFETY: this function's own contract.
    for range in unsafe { std::slice::from_raw_parts(ranges, count as usize) } {
        // SAFETY: as above.
        unsafe { range.address.cast::<[u8; N]>().write_unaligned(descriptor) };
    }
    vk::Result::SUCCESS
}

pub(super) unsafe extern "system" fn write_sampler_descriptors(
    _device: vk::Device,
    count: u32,
    _samplers: *const vk::SamplerCreateInfo<'_>,
    ranges: *const vk::HostAddressRangeEXT<'_>,
) -> vk::Result {
    note(CommandType::WRITE_SAMPLER_DESCRIPTORS_EXT);
    // SAFETY: the caller has room, which is what tests of it are about.
    unsafe { write_each(SAMPLER_DESCRIPTOR, count, ranges) }
}

pub(super) unsafe extern "system" fn write_resource_descriptors(
    _device: vk::Device,
    count: u32,
    _resources: *const vk::ResourceDescriptorInfoEXT<'_>,
    ranges: *const vk::HostAddressRangeEXT<'_>,
) -> vk::Result {
    note(CommandType::WRITE_RESOURCE_DESCRIPTORS_EXT);
    // SAFETY: as below.
    for range in unsafe { std::slice::from_raw_parts(ranges, count as usize) } {
        if range.size < MOST_PLANES * RESOURCE_DESCRIPTOR.len() {
            let what = format!("{} bytes of room, and an image of several planes takes more", range.size);
            STATE.lock().objects.complain(CommandType::WRITE_RESOURCE_DESCRIPTORS_EXT, what);
        }
    }
    // SAFETY: as above.
    unsafe { write_each(RESOURCE_DESCRIPTOR, count, ranges) }
}
