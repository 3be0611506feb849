//! Descriptors that a program keeps in heaps of its own: it has the driver write them, binds the heaps, and pushes which
//! of them a dispatch uses.

use crate::Skip;
use crate::compute::module;
use crate::device::{Found, Gpu, chained};
use crate::memory::Mapped;
use crate::shader::WIDTH;
use crate::shader::heap::{IMAGE, INPUT, OUTPUT, SAMPLER, TEXELS, look_up};
use crate::target::{image, usable, whole};
use crate::work::{barrier, run};
use anyhow::{Context as _, Result, ensure};
use std::ffi::CStr;
use std::ptr::from_ref;
use venus_protocol::vk;

const NAME: &CStr = c"VK_EXT_descriptor_heap";
const HEAP: vk::BufferUsageFlags = vk::BufferUsageFlags::from_raw(1 << 28);
const OF_HEAP: vk::PipelineCreateFlags2KHR = vk::PipelineCreateFlags2KHR::from_raw(1 << 36);
/// Where a binding is: at an offset of its heap, or at a number that is pushed.
const CONSTANT_OFFSET: vk::DescriptorMappingSourceEXT = vk::DescriptorMappingSourceEXT::from_raw(0);
const PUSH_INDEX: vk::DescriptorMappingSourceEXT = vk::DescriptorMappingSourceEXT::from_raw(1);
const ANY_RESOURCE: vk::SpirvResourceTypeFlagsEXT = vk::SpirvResourceTypeFlagsEXT::from_raw(0x7fff_ffff);

/// Bytes of a heap for descriptors of ours; the driver's own begin there.
const ROOM: u64 = 4096;
/// Numbers that each dispatch writes.
const NUMBERS: u32 = WIDTH;
/// How the samplers of the heap go on where the image ends.
const MODES: [vk::SamplerAddressMode; 2] =
    [vk::SamplerAddressMode::CLAMP_TO_EDGE, vk::SamplerAddressMode::MIRRORED_REPEAT];
/// What is there for the first of them if it has a border of a colour of its own.
const BORDER: u16 = 777;
/// What each dispatch is pushed: a factor, the number of its sampler, and that of its output.
const PUSHED: [[u32; 3]; 2] = [[3, 1, 0], [5, 0, 1]];

/// Commands that ash does not have.
struct Commands {
    write_resources: vk::PFN_vkWriteResourceDescriptorsEXT,
    write_samplers: vk::PFN_vkWriteSamplerDescriptorsEXT,
    bind_resources: vk::PFN_vkCmdBindResourceHeapEXT,
    bind_samplers: vk::PFN_vkCmdBindSamplerHeapEXT,
    push: vk::PFN_vkCmdPushDataEXT,
    size: vk::PFN_vkGetPhysicalDeviceDescriptorSizeEXT,
    /// Those of borders, where they are wanted.
    borders: Option<(vk::PFN_vkRegisterCustomBorderColorEXT, vk::PFN_vkUnregisterCustomBorderColorEXT)>,
}

impl Commands {
    fn new(gpu: &Gpu, border: bool) -> Result<Self> {
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
struct Heap {
    buffer: Mapped,
    address: vk::DeviceAddress,
    /// Bytes that are taken.
    end: u64,
    /// What the driver wants for itself.
    reserved: u64,
}

impl Heap {
    /// A heap of which the driver wants so much for itself.
    fn new(gpu: &Gpu, reserved: u64) -> Result<Self> {
        let (buffer, address) = Mapped::with_address(gpu, (ROOM + reserved).next_multiple_of(4), HEAP)?;
        Ok(Self { buffer, address, end: 0, reserved })
    }

    /// Takes room for descriptors of this size: the offset of the first.
    fn take(&mut self, size: u64, number: u64, alignment: u64) -> Result<u64> {
        let at = self.end.next_multiple_of(alignment);
        self.end = at + size * number;
        ensure!(self.end <= ROOM, "descriptors are larger than {ROOM} bytes together");
        Ok(at)
    }

    /// Where the driver is to write a descriptor.
    fn place(&self, at: u64, size: u64) -> Result<vk::HostAddressRangeEXT<'static>> {
        let size = usize::try_from(size)?;
        Ok(vk::HostAddressRangeEXT {
            address: self.buffer.bytes(usize::try_from(at)?, size)?,
            size,
            ..Default::default()
        })
    }

    /// All of it, with what the driver wants at its end.
    fn bound(&self) -> vk::BindHeapInfoEXT<'static> {
        vk::BindHeapInfoEXT {
            heap_range: vk::DeviceAddressRangeKHR { address: self.address, size: ROOM + self.reserved },
            reserved_range_offset: ROOM,
            reserved_range_size: self.reserved,
            ..Default::default()
        }
    }
}

/// Which binding is where in the heaps. A sampler's offset is one in the heap of samplers.
fn at_offset(binding: u32, at: u64) -> Result<vk::DescriptorSetAndBindingMappingEXT<'static>> {
    let place = vk::DescriptorMappingSourceConstantOffsetEXT { heap_offset: u32::try_from(at)?, ..Default::default() };
    let source_data = vk::DescriptorMappingSourceDataEXT { constant_offset: place };
    Ok(mapping(binding, CONSTANT_OFFSET, source_data))
}

/// The same for one of several, whose number is pushed as this word.
fn at_index(binding: u32, at: u64, stride: u64, word: u32) -> Result<vk::DescriptorSetAndBindingMappingEXT<'static>> {
    let place = vk::DescriptorMappingSourcePushIndexEXT {
        heap_offset: u32::try_from(at)?,
        push_offset: word * 4,
        heap_index_stride: u32::try_from(stride)?,
        ..Default::default()
    };
    let source_data = vk::DescriptorMappingSourceDataEXT { push_index: place };
    Ok(mapping(binding, PUSH_INDEX, source_data))
}

fn mapping(
    first_binding: u32,
    source: vk::DescriptorMappingSourceEXT,
    source_data: vk::DescriptorMappingSourceDataEXT<'static>,
) -> vk::DescriptorSetAndBindingMappingEXT<'static> {
    let resource_mask = ANY_RESOURCE;
    let (descriptor_set, binding_count) = (0, 1);
    vk::DescriptorSetAndBindingMappingEXT {
        descriptor_set,
        first_binding,
        binding_count,
        resource_mask,
        source,
        source_data,
        ..Default::default()
    }
}

fn device(border: bool) -> Result<(Gpu, vk::PhysicalDeviceDescriptorHeapPropertiesEXT<'static>)> {
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

/// An image of one row, whose texels are numbers from 100 on.
fn row(gpu: &Gpu) -> Result<vk::Image> {
    let extent = vk::Extent3D { width: TEXELS, height: 1, depth: 1 };
    let info = vk::ImageCreateInfo::default().image_type(vk::ImageType::TYPE_2D).format(vk::Format::R32_SFLOAT);
    let info = info.extent(extent).mip_levels(1).array_layers(1).samples(vk::SampleCountFlags::TYPE_1);
    let row = image(gpu, &info.usage(vk::ImageUsageFlags::SAMPLED | vk::ImageUsageFlags::TRANSFER_DST))?;
    let texels = Mapped::new(gpu, u64::from(TEXELS * 4), vk::BufferUsageFlags::empty())?;
    #[expect(clippy::cast_precision_loss, reason = "texels are few")]
    let values: Vec<_> = (0..TEXELS).map(|texel| (texel_of(texel) as f32).to_bits()).collect();
    texels.write(&values);
    let colour = vk::ImageAspectFlags::COLOR;
    let layers = vk::ImageSubresourceLayers { aspect_mask: colour, layer_count: 1, ..Default::default() };
    let region = [vk::BufferImageCopy::default().image_subresource(layers).image_extent(extent)];
    run(gpu, |device, commands| {
        usable(device, commands, row);
        let general = vk::ImageLayout::GENERAL;
        unsafe { device.cmd_copy_buffer_to_image(commands, texels.buffer, row, general, &region) };
    })?;
    texels.free(gpu);
    Ok(row)
}

const fn texel_of(number: u32) -> u32 {
    100 + number
}

const fn input_of(number: u32) -> u32 {
    1000 + 7 * number
}

/// What a dispatch writes as this number.
fn right(number: u32, [factor, sampler, _]: [u32; 3], border: bool) -> u32 {
    let there = match sampler {
        0 if border && number >= TEXELS => u32::from(BORDER),
        0 => texel_of(number.min(TEXELS - 1)),
        _ => texel_of((number % (2 * TEXELS)).min(2 * TEXELS - 1 - number % (2 * TEXELS))),
    };
    input_of(number) * factor + there
}

/// A border of a colour of its own, which the driver knows by an index.
fn border() -> vk::SamplerCustomBorderColorCreateInfoEXT<'static> {
    let colour = vk::ClearColorValue { float32: [f32::from(BORDER); 4] };
    let border = vk::SamplerCustomBorderColorCreateInfoEXT::default().custom_border_color(colour);
    border.format(vk::Format::R32_SFLOAT)
}

/// Both heaps, filled, and where what is in them.
struct Heaps {
    resources: Heap,
    samplers: Heap,
    mappings: [vk::DescriptorSetAndBindingMappingEXT<'static>; 4],
}

impl Heaps {
    /// Has the driver write descriptors of the image, of the numbers, of what they are multiplied into, and of samplers.
    fn new(
        gpu: &Gpu,
        commands: &Commands,
        sizes: &vk::PhysicalDeviceDescriptorHeapPropertiesEXT<'_>,
        view: &vk::ImageViewCreateInfo<'_>,
        numbers: vk::DeviceAddress,
        border_index: Option<u32>,
    ) -> Result<Self> {
        let mut resources = Heap::new(gpu, sizes.min_resource_heap_reserved_range)?;
        let image = vk::ImageDescriptorInfoEXT {
            p_view: from_ref(view).cast(),
            layout: vk::ImageLayout::GENERAL,
            ..Default::default()
        };
        let image = vk::ResourceDescriptorDataEXT { p_image: &raw const image };
        let ranges = [0, 1, 2].map(|range| vk::DeviceAddressRangeKHR {
            address: numbers + u64::from(range * NUMBERS * 4),
            size: u64::from(NUMBERS * 4),
        });
        let size = |ty| unsafe { (commands.size)(gpu.physical, ty) };
        let of_image = size(vk::DescriptorType::SAMPLED_IMAGE);
        let at = resources.take(of_image, 1, sizes.image_descriptor_alignment)?;
        let mut infos = vec![(vk::DescriptorType::SAMPLED_IMAGE, image)];
        let mut places = vec![resources.place(at, of_image)?];
        let image_at = at_offset(IMAGE, at)?;
        let of_buffer = size(vk::DescriptorType::STORAGE_BUFFER);
        let stride = of_buffer.next_multiple_of(sizes.buffer_descriptor_alignment);
        let first = resources.take(stride, 3, sizes.buffer_descriptor_alignment)?;
        for (range, number) in ranges.iter().zip(0..) {
            let data = vk::ResourceDescriptorDataEXT { p_address_range: range };
            infos.push((vk::DescriptorType::STORAGE_BUFFER, data));
            places.push(resources.place(first + number * stride, of_buffer)?);
        }
        let info = |(ty, data)| vk::ResourceDescriptorInfoEXT { ty, data, ..Default::default() };
        let infos: Vec<_> = infos.into_iter().map(info).collect();
        let number = u32::try_from(infos.len())?;
        let write = commands.write_resources;
        unsafe { write(gpu.device.handle(), number, infos.as_ptr(), places.as_ptr()) }
            .result()
            .context("vkWriteResourceDescriptorsEXT")?;

        let mut samplers = Heap::new(gpu, sizes.min_sampler_heap_reserved_range)?;
        let mut infos = MODES.map(|mode| {
            let info = vk::SamplerCreateInfo::default().address_mode_u(mode).address_mode_v(mode);
            info.address_mode_w(mode).max_lod(vk::LOD_CLAMP_NONE)
        });
        let border = border();
        let index = vk::SamplerCustomBorderColorIndexCreateInfoEXT {
            p_next: from_ref(&border).cast(),
            index: border_index.unwrap_or_default(),
            ..Default::default()
        };
        if border_index.is_some() {
            infos[0].address_mode_u = vk::SamplerAddressMode::CLAMP_TO_BORDER;
            infos[0].border_color = vk::BorderColor::FLOAT_CUSTOM_EXT;
            infos[0].p_next = from_ref(&index).cast();
        }
        let of_sampler = size(vk::DescriptorType::SAMPLER);
        let sampler_stride = of_sampler.next_multiple_of(sizes.sampler_descriptor_alignment);
        let at = samplers.take(sampler_stride, 2, sizes.sampler_descriptor_alignment)?;
        let places = [samplers.place(at, of_sampler)?, samplers.place(at + sampler_stride, of_sampler)?];
        let write = commands.write_samplers;
        unsafe { write(gpu.device.handle(), 2, infos.as_ptr(), places.as_ptr()) }
            .result()
            .context("vkWriteSamplerDescriptorsEXT")?;
        let mappings = [
            image_at,
            at_offset(INPUT, first)?,
            at_index(OUTPUT, first + stride, stride, 2)?,
            at_index(SAMPLER, at, sampler_stride, 1)?,
        ];
        Ok(Self { resources, samplers, mappings })
    }
}

/// A pipeline without a layout, whose bindings are in these places.
fn pipeline(gpu: &Gpu, mappings: &[vk::DescriptorSetAndBindingMappingEXT<'_>]) -> Result<vk::Pipeline> {
    let mapped = vk::ShaderDescriptorSetAndBindingMappingInfoEXT {
        mapping_count: u32::try_from(mappings.len())?,
        p_mappings: mappings.as_ptr(),
        ..Default::default()
    };
    let stage = vk::PipelineShaderStageCreateInfo::default().stage(vk::ShaderStageFlags::COMPUTE).name(c"main");
    let mut stage = stage.module(module(gpu, &look_up())?);
    stage.p_next = from_ref(&mapped).cast();
    let mut flags = vk::PipelineCreateFlags2CreateInfoKHR::default().flags(OF_HEAP);
    let infos = [vk::ComputePipelineCreateInfo::default().stage(stage).push_next(&mut flags)];
    let made = unsafe { gpu.device.create_compute_pipelines(vk::PipelineCache::null(), &infos, None) };
    let pipelines = made.map_err(|(_, answer)| answer).context("vkCreateComputePipelines")?;
    pipelines.first().copied().context("no pipeline")
}

pub(super) fn descriptors(_: u32) -> Result<String> {
    found_in_heaps(false)
}

pub(super) fn borders(_: u32) -> Result<String> {
    found_in_heaps(true)
}

fn found_in_heaps(bordered: bool) -> Result<String> {
    let (gpu, sizes) = device(bordered)?;
    let commands = Commands::new(&gpu, bordered)?;
    let mut index = None;
    if let Some((register, _)) = commands.borders {
        let answer = unsafe { register(gpu.device.handle(), &border(), vk::FALSE, index.insert(0)) };
        answer.result().context("vkRegisterCustomBorderColorEXT")?;
    }
    let (numbers, address) =
        Mapped::with_address(&gpu, u64::from(3 * NUMBERS * 4), vk::BufferUsageFlags::STORAGE_BUFFER)?;
    numbers.set(u32::MAX);
    numbers.write(&(0..NUMBERS).map(input_of).collect::<Vec<_>>());
    let view = vk::ImageViewCreateInfo::default().image(row(&gpu)?).view_type(vk::ImageViewType::TYPE_2D);
    let view = view.format(vk::Format::R32_SFLOAT).subresource_range(whole());
    let heaps = Heaps::new(&gpu, &commands, &sizes, &view, address, index)?;
    let pipeline = pipeline(&gpu, &heaps.mappings)?;
    run(&gpu, |device, buffer| unsafe {
        (commands.bind_resources)(buffer, &heaps.resources.bound());
        (commands.bind_samplers)(buffer, &heaps.samplers.bound());
        device.cmd_bind_pipeline(buffer, vk::PipelineBindPoint::COMPUTE, pipeline);
        for pushed in &PUSHED {
            let data = vk::HostAddressRangeConstEXT {
                address: pushed.as_ptr().cast(),
                size: size_of_val(pushed),
                ..Default::default()
            };
            (commands.push)(buffer, &vk::PushDataInfoEXT { data, ..Default::default() });
            device.cmd_dispatch(buffer, NUMBERS / WIDTH, 1, 1);
            barrier(device, buffer);
        }
    })?;
    let words: Vec<_> = numbers.words().collect();
    for pushed in PUSHED {
        let output = words.iter().skip(usize::try_from((1 + pushed[2]) * NUMBERS)?);
        for (number, word) in (0..NUMBERS).zip(output) {
            let right = right(number, pushed, bordered);
            ensure!(*word == right, "number {number} of output {} is {word}, not {right}", pushed[2]);
        }
    }
    if let (Some((_, unregister)), Some(index)) = (commands.borders, index) {
        unsafe { unregister(gpu.device.handle(), index) };
    }
    gpu.close();
    Ok(format!("{} dispatches find what they need in heaps", PUSHED.len()))
}
