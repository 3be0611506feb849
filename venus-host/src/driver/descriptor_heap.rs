//! Descriptor heaps (VK_EXT_descriptor_heap): descriptors that guests ask for one by one and write to heaps themselves.
//!
//! A driver is told how much room there is for a descriptor, or for what it says of an image, and many do not look: what
//! it writes, reads or indexes is computed from its own properties. Those are asked for once, and whatever a guest
//! says is compared with them.

use std::ffi::CStr;

use ash::vk;
use venus_protocol::vk as venus;

use super::{Device, Failure, PhysicalDevice, Refusal, chain};
use crate::error::APPLICATION;

/// The extension's name.
pub(super) const NAME: &CStr = c"VK_EXT_descriptor_heap";

/// How many planes an image has at most; a driver may have fewer descriptors for them.
const MOST_PLANES: u32 = 3;

/// What bounds the sizes and positions that guests name.
#[derive(Debug, Clone, Copy)]
pub(super) struct HeapLimits {
    /// Bytes that the driver may write for what a resource is described by: of an image with several planes that is several
    /// descriptors (VUID-vkWriteResourceDescriptorsEXT-pResources-11208). Subsampled images, which may take more, come with
    /// an extension that no level has.
    resource_bytes: u64,
    /// Bytes that it may write for a sampler's.
    sampler_bytes: u64,
    /// Bytes that it writes for an image that is to be made again, and reads when that is.
    capture_bytes: usize,
    /// Bytes of push data in all.
    push_bytes: u64,
    /// How many border colours there are places for.
    border_colours: u32,
}

impl HeapLimits {
    /// Those of a GPU whose driver has the extension.
    pub(super) fn of(physical: &PhysicalDevice) -> Self {
        let mut heap = venus::PhysicalDeviceDescriptorHeapPropertiesEXT::default();
        let mut colours = vk::PhysicalDeviceCustomBorderColorPropertiesEXT::default();
        let mut planes = vk::PhysicalDeviceMaintenance6PropertiesKHR::default();
        let mut first = (&raw mut heap).cast();
        if physical.extensions().has_c(ash::ext::custom_border_color::NAME) {
            colours.p_next = first;
            first = (&raw mut colours).cast();
        }
        if physical.driver_version() >= super::API_CEILING || physical.extensions().has_c(ash::khr::maintenance6::NAME)
        {
            planes.p_next = first;
            first = (&raw mut planes).cast();
        }
        let mut properties = vk::PhysicalDeviceProperties2 { p_next: first, ..Default::default() };
        // SAFETY: the driver has the extensions, or the version, of all three structures, which outlive the call and are of the types that
        // they say.
        unsafe { physical.instance().get_physical_device_properties2(physical.raw(), &mut properties) };
        Self {
            resource_bytes: heap
                .image_descriptor_size
                .saturating_mul(planes.max_combined_image_sampler_descriptor_count.max(MOST_PLANES).into())
                .max(heap.buffer_descriptor_size),
            sampler_bytes: heap.sampler_descriptor_size,
            capture_bytes: heap.image_capture_replay_opaque_data_size,
            push_bytes: heap.max_push_data_size,
            border_colours: colours.max_custom_border_color_samplers,
        }
    }

    fn check_capture_size(&self, member: &'static str, size: usize) -> Result<(), Refusal> {
        if size >= self.capture_bytes {
            return Ok(());
        }
        Err(refusal(member, format!("{size} bytes for {} bytes of opaque capture data", self.capture_bytes)))
    }

    fn check_colour(&self, member: &'static str, index: u32) -> Result<(), Refusal> {
        if index < self.border_colours {
            return Ok(());
        }
        Err(refusal(member, format!("is {index}, and there are {} border colours", self.border_colours)))
    }

    fn check_push(&self, info: &venus::PushDataInfoEXT<'_>) -> Result<(), Refusal> {
        let end = u64::try_from(info.data.size).unwrap_or(u64::MAX).saturating_add(info.offset.into());
        if end <= self.push_bytes {
            return Ok(());
        }
        Err(refusal("pPushDataInfo->data.size", format!("the data ends at byte {end} of {}", self.push_bytes)))
    }
}

#[cold]
fn refusal(member: &'static str, reason: String) -> Refusal {
    Refusal { member, reason: reason.into(), advice: APPLICATION }
}

impl Device {
    /// What a command is checked by that only drivers with descriptor heaps have.
    fn heap_limits(&self) -> Result<&HeapLimits, Refusal> {
        self.physical().heap_limits().ok_or_else(|| Refusal {
            member: "device",
            reason: "its driver has no descriptor heaps".into(),
            advice: APPLICATION,
        })
    }

    /// Bytes that the driver may write for a sampler's descriptor.
    pub(crate) fn sampler_descriptor_bytes(&self) -> Result<u64, Refusal> {
        Ok(self.heap_limits()?.sampler_bytes)
    }

    /// Bytes that it may write for the descriptor of another resource.
    pub(crate) fn resource_descriptor_bytes(&self) -> Result<u64, Refusal> {
        Ok(self.heap_limits()?.resource_bytes)
    }

    /// Push data lies inside of what there is for it.
    pub(crate) fn check_push_data(&self, info: &venus::PushDataInfoEXT<'_>) -> Result<(), Refusal> {
        self.heap_limits()?.check_push(info)
    }

    /// There is room for what the driver tells of each image, for it to be made again.
    pub(crate) fn check_capture_room(&self, ranges: &[venus::HostAddressRangeEXT<'_>]) -> Result<(), Refusal> {
        let limits = self.heap_limits()?;
        ranges.iter().try_for_each(|range| limits.check_capture_size("pDatas[].size", range.size))
    }

    /// What the driver has told of an image is all there, if one is made again by that.
    pub(crate) fn check_image_made_again(&self, info: &vk::ImageCreateInfo<'_>) -> Result<(), Refusal> {
        for capture in chain::find_all::<venus::OpaqueCaptureDataCreateInfoEXT<'_>>(info) {
            let limits = self.heap_limits()?;
            // SAFETY: null or made by the decoder, by this room's contract.
            let Some(data) = (unsafe { capture.p_data.as_ref() }) else { continue };
            let member = "pCreateInfo->pNext<VkOpaqueCaptureDataCreateInfoEXT>.pData";
            limits.check_capture_size(member, data.size)?;
        }
        Ok(())
    }

    /// The same, for an image that a command describes without making it.
    pub(crate) fn check_described_image(&self, info: *const vk::ImageCreateInfo<'_>) -> Result<(), Refusal> {
        // SAFETY: null or made by the decoder, by this room's contract.
        unsafe { info.as_ref() }.map_or(Ok(()), |info| {
            super::bounds::check_image(info)?;
            self.check_image_made_again(info)
        })
    }

    /// There is a place for a border colour of this number, which `member` names.
    pub(crate) fn check_border_colour(&self, member: &'static str, index: u32) -> Result<(), Refusal> {
        self.heap_limits()?.check_colour(member, index)
    }

    /// The registered border colour that a sampler has, if it has one.
    pub(crate) fn check_sampler(&self, info: &vk::SamplerCreateInfo<'_>) -> Result<(), Refusal> {
        // The number counts for no others (VUID-vkWriteSamplerDescriptorsEXT-borderColor-11205).
        if !CUSTOM_COLOURS.contains(&info.border_color) {
            return Ok(());
        }
        chain::find_all::<venus::SamplerCustomBorderColorIndexCreateInfoEXT<'_>>(info).try_for_each(|colour| {
            let member = "pNext<VkSamplerCustomBorderColorIndexCreateInfoEXT>.index";
            self.check_border_colour(member, colour.index)
        })
    }

    /// vkWriteSamplerDescriptorMESA, into at least [`Device::sampler_descriptor_bytes`].
    pub(crate) fn write_sampler_descriptor(
        &self,
        info: &vk::SamplerCreateInfo<'_>,
        data: &mut [u8],
    ) -> Result<(), Failure> {
        let Some(call) = self.procs().write_sampler_descriptors_ext else {
            return Err(vk::Result::ERROR_EXTENSION_NOT_PRESENT.into());
        };
        let range = host_range(data);
        // SAFETY:
        // - the sampler's description was built by the decoder, with handles from the object table;
        // - the range is a local, and the driver writes to what it names, which is long enough by the caller's promise.
        let result = unsafe { call(self.raw(), 1, info, &raw const range) };
        Ok(result.result()?)
    }

    /// vkWriteResourceDescriptorMESA, into at least [`Device::resource_descriptor_bytes`].
    pub(crate) fn write_resource_descriptor(
        &self,
        info: &venus::ResourceDescriptorInfoEXT<'_>,
        data: &mut [u8],
    ) -> Result<(), Failure> {
        let Some(call) = self.procs().write_resource_descriptors_ext else {
            return Err(vk::Result::ERROR_EXTENSION_NOT_PRESENT.into());
        };
        let range = host_range(data);
        // SAFETY: as in `write_sampler_descriptor`.
        let result = unsafe { call(self.raw(), 1, info, &raw const range) };
        Ok(result.result()?)
    }
}

/// The border colours of samplers that have one of their own.
const CUSTOM_COLOURS: [vk::BorderColor; 2] = [vk::BorderColor::FLOAT_CUSTOM_EXT, vk::BorderColor::INT_CUSTOM_EXT];

fn host_range(data: &mut [u8]) -> venus::HostAddressRangeEXT<'_> {
    venus::HostAddressRangeEXT { address: data.as_mut_ptr().cast(), size: data.len(), ..Default::default() }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: HeapLimits =
        HeapLimits { resource_bytes: 64, sampler_bytes: 32, capture_bytes: 8, push_bytes: 256, border_colours: 4 };

    #[test]
    fn push_data_lies_inside() {
        let bytes = [0_u8; 16];
        let check = |offset, address: *const u8, size| {
            let data = venus::HostAddressRangeConstEXT { address: address.cast(), size, ..Default::default() };
            LIMITS.check_push(&venus::PushDataInfoEXT { offset, data, ..Default::default() }).is_ok()
        };
        assert!(check(240, bytes.as_ptr(), 16) && check(256, bytes.as_ptr(), 0));
        assert!(!check(244, bytes.as_ptr(), 16) && !check(u32::MAX, bytes.as_ptr(), 1));
        assert!(!check(0, bytes.as_ptr(), usize::MAX));
    }

    #[test]
    fn captured_data_is_whole() {
        let check = |size| LIMITS.check_capture_size("pDatas[].size", size).map_err(|refusal| refusal.reason);
        assert!(check(8).is_ok() && check(9).is_ok());
        assert_eq!(check(7).unwrap_err(), "7 bytes for 8 bytes of opaque capture data");
    }

    #[test]
    fn border_colours_have_places() {
        assert!(LIMITS.check_colour("index", 3).is_ok() && LIMITS.check_colour("index", 4).is_err());
    }
}
