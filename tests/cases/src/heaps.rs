//! Descriptors that a program keeps in memory of its own, and how a pipeline is told where they are.

use crate::Skip;
use crate::compute::module;
use crate::device::{Found, Gpu, chained};
use crate::memory::Mapped;
use anyhow::{Context as _, Result, ensure};
use std::ffi::CStr;
use std::ptr::from_ref;
use venus_protocol::vk;

const NAME: &CStr = c"VK_EXT_descriptor_heap";
const HEAP: vk::BufferUsageFlags = vk::BufferUsageFlags::from_raw(1 << 28);
const OF_HEAP: vk::PipelineCreateFlags2KHR = vk::PipelineCreateFlags2KHR::from_raw(1 << 36);
const ANY_RESOURCE: vk::SpirvResourceTypeFlagsEXT = vk::SpirvResourceTypeFlagsEXT::from_raw(0x7fff_ffff);
/// Bytes of a heap for descriptors of ours; the driver's own begin there.
pub(crate) const ROOM: u64 = 4096;
/// Commands that ash does not have.
pub(crate) struct Commands {
    pub(crate) write_resources: vk::PFN_vkWriteResourceDescriptorsEXT,
    pub(crate) write_samplers: vk::PFN_vkWriteSamplerDescriptorsEXT,
    pub(crate) bind_resources: vk::PFN_vkCmdBindResourceHeapEXT,
    pub(crate) bind_samplers: vk::PFN_vkCmdBindSamplerHeapEXT,
    pub(crate) push: vk::PFN_vkCmdPushDataEXT,
    pub(crate) size: vk::PFN_vkGetPhysicalDeviceDescriptorSizeEXT,
    /// Those of borders, where they are wanted.
    pub(crate) borders: Option<(vk::PFN_vkRegisterCustomBorderColorEXT, vk::PFN_vkUnregisterCustomBorderColorEXT)>,
}

impl Commands {
    pub(crate) fn new(gpu: &Gpu, border: bool) -> Result<Self> {
        unsafe {
            let register = || gpu.command(c"vkRegisterCustomBorderColorEXT");
            let borders = || anyhow::Ok((register()?, gpu.command(c"vkUnregisterCustomBorderColorEXT")?));
            Ok(Self {
                borders: border.then(borders).transpose()?,
                write_resources: gpu.command(c"vkWriteResourceDescriptorsEXT")?,
                write_samplers: gpu.command(c"vkWriteSamplerDescriptorsEXT")?,
                bind_resources: gpu.command(c"vkCmdBindResourceHeapEXT")?,
                bind_samplers: gpu.command(c"vkCmdBindSamplerHeapEXT")?,
                push: gpu.command(c"vkCmdPushDataEXT")?,
                size: gpu.command_of_instance(c"vkGetPhysicalDeviceDescriptorSizeEXT")?,
            })
        }
    }
}

/// Descriptors in memory of ours, one after another.
pub(crate) struct Heap {
    pub(crate) buffer: Mapped,
    address: vk::DeviceAddress,
    /// Bytes that are taken.
    end: u64,
    /// What the driver wants for itself.
    reserved: u64,
}

/// Descriptors of one size: where the first of them is, and how far it is to the next.
#[derive(Clone, Copy)]
pub(crate) struct Several {
    pub(crate) at: u32,
    pub(crate) stride: u32,
    size: usize,
}

impl Heap {
    /// A heap of which the driver wants so much for itself.
    pub(crate) fn new(gpu: &Gpu, reserved: u64) -> Result<Self> {
        let (buffer, address) = Mapped::with_address(gpu, (ROOM + reserved).next_multiple_of(4), HEAP)?;
        Ok(Self { buffer, address, end: 0, reserved })
    }

    /// Takes room for descriptors.
    pub(crate) fn take(&mut self, size: u64, number: u64, alignment: u64) -> Result<Several> {
        let (at, stride) = (self.end.next_multiple_of(alignment), size.next_multiple_of(alignment));
        self.end = at + stride * number;
        ensure!(self.end <= ROOM / 4, "descriptors are larger than {} bytes together", ROOM / 4);
        Ok(Several { at: u32::try_from(at)?, stride: u32::try_from(stride)?, size: usize::try_from(size)? })
    }

    /// Where the driver is to write the descriptor of this number.
    pub(crate) fn place(&self, of: Several, number: u32) -> Result<vk::HostAddressRangeEXT<'static>> {
        let address = self.buffer.bytes(usize::try_from(of.at + number * of.stride)?, of.size)?;
        Ok(vk::HostAddressRangeEXT { address, size: of.size, ..Default::default() })
    }

    /// All of it, with what the driver wants at its end.
    pub(crate) fn bound(&self) -> vk::BindHeapInfoEXT<'static> {
        vk::BindHeapInfoEXT {
            heap_range: vk::DeviceAddressRangeKHR { address: self.address, size: ROOM + self.reserved },
            reserved_range_offset: ROOM,
            reserved_range_size: self.reserved,
            ..Default::default()
        }
    }
}

/// Where a shader finds what is bound: offsets into the heap of its kind, into pushed data, and into memory whose address
/// is pushed.
#[derive(Clone, Copy)]
pub(crate) enum Source<'a> {
    /// A descriptor of the heap.
    Heap { at: u32 },
    /// A sampler that the pipeline has itself.
    Embedded(&'a vk::SamplerCreateInfo<'a>),
    /// One of several, whose number is pushed.
    PushIndex { of: Several, push: u32 },
    /// One of several, whose number is in memory.
    IndirectIndex { of: Several, push: u32, address: u32 },
    /// The same for arrays, which have a number in memory for each element.
    IndirectIndexArray { of: Several, push: u32, address: u32 },
    /// The data itself, in the heap, so many bytes further as is pushed.
    HeapData { at: u32, push: u32 },
    /// The data itself, pushed.
    PushData { push: u32 },
    /// The data at an address that is pushed.
    PushAddress { push: u32 },
    /// The data at an address that is in memory.
    IndirectAddress { push: u32, address: u32 },
}

impl<'a> Source<'a> {
    /// Says it of a binding of set 0.
    pub(crate) fn of(self, binding: u32) -> vk::DescriptorSetAndBindingMappingEXT<'a> {
        type Data<'a> = vk::DescriptorMappingSourceDataEXT<'a>;
        let constant = vk::DescriptorMappingSourceConstantOffsetEXT::default();
        let (source, source_data) = match self {
            Self::Heap { at: heap_offset } => {
                let place = vk::DescriptorMappingSourceConstantOffsetEXT { heap_offset, ..constant };
                (0, Data { constant_offset: place })
            }
            Self::Embedded(sampler) => {
                let p_embedded_sampler = from_ref(sampler);
                let place = vk::DescriptorMappingSourceConstantOffsetEXT { p_embedded_sampler, ..constant };
                (0, Data { constant_offset: place })
            }
            Self::PushIndex { of, push: push_offset } => {
                let (heap_offset, heap_index_stride) = (of.at, of.stride);
                let more = Default::default();
                let push_index =
                    vk::DescriptorMappingSourcePushIndexEXT { heap_offset, push_offset, heap_index_stride, ..more };
                (1, Data { push_index })
            }
            Self::IndirectIndex { of, push, address } => {
                let place = vk::DescriptorMappingSourceIndirectIndexEXT {
                    heap_offset: of.at,
                    push_offset: push,
                    address_offset: address,
                    heap_index_stride: of.stride,
                    ..Default::default()
                };
                (2, Data { indirect_index: place })
            }
            Self::IndirectIndexArray { of, push, address } => {
                let place = vk::DescriptorMappingSourceIndirectIndexArrayEXT {
                    heap_offset: of.at,
                    push_offset: push,
                    address_offset: address,
                    heap_index_stride: of.stride,
                    ..Default::default()
                };
                (3, Data { indirect_index_array: place })
            }
            Self::HeapData { at, push } => {
                let place = vk::DescriptorMappingSourceHeapDataEXT { heap_offset: at, push_offset: push };
                (4, Data { heap_data: place })
            }
            Self::PushData { push } => (5, Data { push_data_offset: push }),
            Self::PushAddress { push } => (6, Data { push_address_offset: push }),
            Self::IndirectAddress { push, address } => {
                let place =
                    vk::DescriptorMappingSourceIndirectAddressEXT { push_offset: push, address_offset: address };
                (7, Data { indirect_address: place })
            }
        };
        vk::DescriptorSetAndBindingMappingEXT {
            first_binding: binding,
            binding_count: 1,
            resource_mask: ANY_RESOURCE,
            source: vk::DescriptorMappingSourceEXT::from_raw(source),
            source_data,
            ..Default::default()
        }
    }
}

/// A device with heaps, and, if they are wanted, with borders of any colour; and what it says of its descriptors.
///
/// # Errors
///
/// The case skips itself where there are none.
pub(crate) fn device(border: bool) -> Result<(Gpu, vk::PhysicalDeviceDescriptorHeapPropertiesEXT<'static>)> {
    let found = Found::new()?;
    found.require(NAME, "not supported: VK_EXT_descriptor_heap")?;
    let has: vk::PhysicalDeviceDescriptorHeapFeaturesEXT<'_> = found.features_in();
    if has.descriptor_heap == 0 {
        return Err(Skip("not supported: descriptor heaps").into());
    }
    let mut borders: vk::PhysicalDeviceCustomBorderColorFeaturesEXT<'_> = found.features_in();
    if border && borders.custom_border_colors == 0 {
        return Err(Skip("not supported: borders of any colour").into());
    }
    let sizes = found.properties_in();
    let mut heaps = vk::PhysicalDeviceDescriptorHeapFeaturesEXT { descriptor_heap: vk::TRUE, ..Default::default() };
    let mut flags = vk::PhysicalDeviceMaintenance5FeaturesKHR::default().maintenance5(true);
    let mut addresses = vk::PhysicalDeviceVulkan12Features::default().buffer_device_address(true);
    let names = [NAME, ash::khr::maintenance5::NAME, ash::ext::custom_border_color::NAME].map(CStr::as_ptr);
    let info = vk::DeviceCreateInfo::default().enabled_extension_names(&names[..if border { 3 } else { 2 }]);
    let info = info.push_next(&mut flags).push_next(&mut addresses);
    let info = if border { info.push_next(&mut borders) } else { info };
    Ok((found.open(chained(info, &mut heaps))?, sizes))
}

/// A pipeline without a layout, whose bindings are in these places.
pub(crate) fn pipeline(
    gpu: &Gpu,
    code: &[u32],
    mappings: &[vk::DescriptorSetAndBindingMappingEXT<'_>],
) -> Result<vk::Pipeline> {
    let mapped = vk::ShaderDescriptorSetAndBindingMappingInfoEXT {
        mapping_count: u32::try_from(mappings.len())?,
        p_mappings: mappings.as_ptr(),
        ..Default::default()
    };
    let stage = vk::PipelineShaderStageCreateInfo::default().stage(vk::ShaderStageFlags::COMPUTE).name(c"main");
    let mut stage = stage.module(module(gpu, code)?);
    stage.p_next = from_ref(&mapped).cast();
    let mut flags = vk::PipelineCreateFlags2CreateInfoKHR::default().flags(OF_HEAP);
    let infos = [vk::ComputePipelineCreateInfo::default().stage(stage).push_next(&mut flags)];
    let made = unsafe { gpu.device.create_compute_pipelines(vk::PipelineCache::null(), &infos, None) };
    let pipelines = made.map_err(|(_, answer)| answer).context("vkCreateComputePipelines")?;
    pipelines.first().copied().context("no pipeline")
}
