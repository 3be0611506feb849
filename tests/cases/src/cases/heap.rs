//! Descriptors that a program keeps in heaps of its own: it has the driver write them, binds the heaps, and pushes which
//! of them a dispatch uses.

use crate::device::Gpu;
use crate::heaps::{Commands, Heap, ROOM, Several, Source, device, pipeline};
use crate::memory::Mapped;
use crate::shader::WIDTH;
use crate::shader::heap::{FACTOR, IMAGE, INPUT, OUTPUT, SAMPLER, TEXELS, look_up};
use crate::target::{image, usable, whole};
use crate::work::{barrier, run};
use anyhow::{Context as _, Result, ensure};
use std::ptr::from_ref;
use venus_protocol::vk;

/// Numbers that each dispatch reads and writes.
const NUMBERS: u32 = WIDTH;
/// Outputs, each with a descriptor; the input has the one after them.
const OUTPUTS: u32 = 3;
/// How the samplers of the heap go on where the image ends.
const MODES: [vk::SamplerAddressMode; 2] =
    [vk::SamplerAddressMode::CLAMP_TO_EDGE, vk::SamplerAddressMode::MIRRORED_REPEAT];
/// What is there for the first of them if it has a border of a colour of its own.
const BORDER: u16 = 777;

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

/// What a dispatch should write: the factor, and how its sampler goes on.
#[derive(Clone, Copy)]
struct Meant {
    factor: u32,
    mode: vk::SamplerAddressMode,
}

impl Meant {
    /// The number that it writes here.
    fn right(self, number: u32) -> u32 {
        let there = match self.mode {
            vk::SamplerAddressMode::CLAMP_TO_BORDER if number >= TEXELS => u32::from(BORDER),
            vk::SamplerAddressMode::MIRRORED_REPEAT => {
                let place = number % (2 * TEXELS);
                texel_of(place.min(2 * TEXELS - 1 - place))
            }
            _ => texel_of(number.min(TEXELS - 1)),
        };
        input_of(number) * self.factor + there
    }
}

/// A border of a colour of its own, which the driver knows by an index.
fn border() -> vk::SamplerCustomBorderColorCreateInfoEXT<'static> {
    let colour = vk::ClearColorValue { float32: [f32::from(BORDER); 4] };
    let border = vk::SamplerCustomBorderColorCreateInfoEXT::default().custom_border_color(colour);
    border.format(vk::Format::R32_SFLOAT)
}

/// A sampler of the nearest texel.
fn sampler(mode: vk::SamplerAddressMode) -> vk::SamplerCreateInfo<'static> {
    let info = vk::SamplerCreateInfo::default().address_mode_u(mode).address_mode_v(mode);
    info.address_mode_w(mode).max_lod(vk::LOD_CLAMP_NONE)
}

/// An address as two words.
fn halves(address: vk::DeviceAddress) -> [u32; 2] {
    let [a, b, c, d, e, f, g, h] = address.to_le_bytes();
    [[a, b, c, d], [e, f, g, h]].map(u32::from_le_bytes)
}

/// Both heaps, filled, and what the descriptors in them are of.
struct Bench {
    gpu: Gpu,
    commands: Commands,
    /// The outputs, and after them the input.
    numbers: Mapped,
    input: vk::DeviceAddress,
    resources: Heap,
    samplers: Heap,
    image: Several,
    buffers: Several,
    modes: Several,
    border: Option<u32>,
}

impl Bench {
    fn new(bordered: bool) -> Result<Self> {
        let (gpu, sizes) = device(bordered)?;
        let commands = Commands::new(&gpu, bordered)?;
        let bytes = u64::from(NUMBERS * 4);
        let usage = vk::BufferUsageFlags::STORAGE_BUFFER;
        let (numbers, address) = Mapped::with_address(&gpu, u64::from(OUTPUTS + 1) * bytes, usage)?;
        numbers.set(u32::MAX);
        numbers.write_from(OUTPUTS * NUMBERS, &(0..NUMBERS).map(input_of).collect::<Vec<_>>());
        let mut border_index = None;
        if let Some((register, _)) = commands.borders {
            let answer = unsafe { register(gpu.device.handle(), &border(), vk::FALSE, border_index.insert(0)) };
            answer.result().context("vkRegisterCustomBorderColorEXT")?;
        }
        let size = |ty| unsafe { (commands.size)(gpu.physical, ty) };
        let of_image = size(vk::DescriptorType::SAMPLED_IMAGE);
        let of_buffer = size(vk::DescriptorType::STORAGE_BUFFER);
        let of_sampler = size(vk::DescriptorType::SAMPLER);
        let mut resources = Heap::new(&gpu, sizes.min_resource_heap_reserved_range)?;
        let mut samplers = Heap::new(&gpu, sizes.min_sampler_heap_reserved_range_with_embedded)?;
        let image = resources.take(of_image, 1, sizes.image_descriptor_alignment)?;
        let buffers = resources.take(of_buffer, u64::from(OUTPUTS + 1), sizes.buffer_descriptor_alignment)?;
        let modes = samplers.take(of_sampler, 2, sizes.sampler_descriptor_alignment)?;
        let input = address + u64::from(OUTPUTS) * bytes;
        let border = border_index;
        let bench = Self { gpu, commands, numbers, input, resources, samplers, image, buffers, modes, border };
        bench.write_resources((0..=OUTPUTS).map(|range| address + u64::from(range) * bytes))?;
        bench.write_samplers()?;
        Ok(bench)
    }

    /// Has the driver write descriptors of an image, and of so many bytes at each of these addresses.
    fn write_resources(&self, addresses: impl Iterator<Item = vk::DeviceAddress>) -> Result<()> {
        let view = vk::ImageViewCreateInfo::default().image(row(&self.gpu)?).view_type(vk::ImageViewType::TYPE_2D);
        let view = view.format(vk::Format::R32_SFLOAT).subresource_range(whole());
        let layout = vk::ImageLayout::GENERAL;
        let image = vk::ImageDescriptorInfoEXT { p_view: &raw const view, layout, ..Default::default() };
        let data = vk::ResourceDescriptorDataEXT { p_image: &raw const image };
        let ty = vk::DescriptorType::SAMPLED_IMAGE;
        let mut infos = vec![vk::ResourceDescriptorInfoEXT { ty, data, ..Default::default() }];
        let mut places = vec![self.resources.place(self.image, 0)?];
        let range = |address| vk::DeviceAddressRangeKHR { address, size: u64::from(NUMBERS * 4) };
        let ranges: Vec<_> = addresses.map(range).collect();
        for (number, range) in (0..).zip(&ranges) {
            let (ty, data) =
                (vk::DescriptorType::STORAGE_BUFFER, vk::ResourceDescriptorDataEXT { p_address_range: range });
            infos.push(vk::ResourceDescriptorInfoEXT { ty, data, ..Default::default() });
            places.push(self.resources.place(self.buffers, number)?);
        }
        let (write, number) = (self.commands.write_resources, u32::try_from(infos.len())?);
        let answer = unsafe { write(self.gpu.device.handle(), number, infos.as_ptr(), places.as_ptr()) };
        answer.result().context("vkWriteResourceDescriptorsEXT")
    }

    /// The same of samplers.
    fn write_samplers(&self) -> Result<()> {
        let mut infos = MODES.map(sampler);
        let (border, index) = (border(), self.border.unwrap_or_default());
        let p_next = from_ref(&border).cast();
        let index = vk::SamplerCustomBorderColorIndexCreateInfoEXT { p_next, index, ..Default::default() };
        if self.border.is_some() {
            infos[0] = sampler(vk::SamplerAddressMode::CLAMP_TO_BORDER).border_color(vk::BorderColor::FLOAT_CUSTOM_EXT);
            infos[0].p_next = from_ref(&index).cast();
        }
        let places = [self.samplers.place(self.modes, 0)?, self.samplers.place(self.modes, 1)?];
        let write = self.commands.write_samplers;
        let answer = unsafe { write(self.gpu.device.handle(), 2, infos.as_ptr(), places.as_ptr()) };
        answer.result().context("vkWriteSamplerDescriptorsEXT")
    }

    /// Binds both heaps.
    fn bind(&self, buffer: vk::CommandBuffer) {
        unsafe {
            (self.commands.bind_resources)(buffer, &self.resources.bound());
            (self.commands.bind_samplers)(buffer, &self.samplers.bound());
        }
    }

    /// Records dispatches of these pipelines one after another, each with what is pushed for it.
    fn dispatch(&self, device: &ash::Device, buffer: vk::CommandBuffer, all: &[(vk::Pipeline, Vec<u32>)]) {
        for (pipeline, pushed) in all {
            let (address, size) = (pushed.as_ptr().cast(), size_of_val(&**pushed));
            let data = vk::HostAddressRangeConstEXT { address, size, ..Default::default() };
            unsafe {
                device.cmd_bind_pipeline(buffer, vk::PipelineBindPoint::COMPUTE, *pipeline);
                (self.commands.push)(buffer, &vk::PushDataInfoEXT { data, ..Default::default() });
                device.cmd_dispatch(buffer, NUMBERS / WIDTH, 1, 1);
            }
            barrier(device, buffer);
        }
    }

    /// Executes them.
    fn run(&self, all: &[(vk::Pipeline, Vec<u32>)]) -> Result<()> {
        run(&self.gpu, |device, buffer| {
            self.bind(buffer);
            self.dispatch(device, buffer, all);
        })
    }

    /// The same from a secondary command buffer, which inherits the heaps.
    fn run_secondary(&self, all: &[(vk::Pipeline, Vec<u32>)]) -> Result<()> {
        let device = &self.gpu.device;
        let pool = unsafe { device.create_command_pool(&Default::default(), None) }.context("vkCreateCommandPool")?;
        let info = vk::CommandBufferAllocateInfo::default().command_pool(pool).command_buffer_count(1);
        let info = info.level(vk::CommandBufferLevel::SECONDARY);
        let buffers = unsafe { device.allocate_command_buffers(&info) }.context("vkAllocateCommandBuffers")?;
        let (resources, samplers) = (self.resources.bound(), self.samplers.bound());
        let heaps = vk::CommandBufferInheritanceDescriptorHeapInfoEXT {
            p_sampler_heap_bind_info: &raw const samplers,
            p_resource_heap_bind_info: &raw const resources,
            ..Default::default()
        };
        let p_next = from_ref(&heaps).cast();
        let inherited = vk::CommandBufferInheritanceInfo { p_next, ..Default::default() };
        let info = vk::CommandBufferBeginInfo::default().inheritance_info(&inherited);
        unsafe { device.begin_command_buffer(buffers[0], &info) }.context("vkBeginCommandBuffer")?;
        self.dispatch(device, buffers[0], all);
        unsafe { device.end_command_buffer(buffers[0]) }.context("vkEndCommandBuffer")?;
        run(&self.gpu, |device, buffer| {
            self.bind(buffer);
            unsafe { device.cmd_execute_commands(buffer, &buffers) };
        })?;
        unsafe { device.destroy_command_pool(pool, None) };
        Ok(())
    }

    /// Two dispatches of one pipeline, which are pushed a factor, the number of a sampler, and that of an output.
    fn two(&self) -> Result<[(vk::Pipeline, Vec<u32>); 2]> {
        let mappings = [
            Source::Heap { at: self.image.at }.of(IMAGE),
            Source::Heap { at: self.buffers.at + OUTPUTS * self.buffers.stride }.of(INPUT),
            Source::PushIndex { of: self.modes, push: 4 }.of(SAMPLER),
            Source::PushIndex { of: self.buffers, push: 8 }.of(OUTPUT),
        ];
        let pipeline = pipeline(&self.gpu, &look_up(true), &mappings)?;
        Ok([(pipeline, vec![3, 1, 0]), (pipeline, vec![5, 0, 1])])
    }

    /// Compares the outputs with what they should be.
    fn finish(&self, meant: &[Meant]) -> Result<String> {
        let words: Vec<_> = self.numbers.words().collect();
        for (output, (meant, words)) in meant.iter().zip(words.chunks(usize::try_from(NUMBERS)?)).enumerate() {
            for (number, word) in (0..).zip(words) {
                let right = meant.right(number);
                ensure!(*word == right, "number {number} of output {output} is {word}, not {right}");
            }
        }
        if let (Some((_, unregister)), Some(index)) = (self.commands.borders, self.border) {
            unsafe { unregister(self.gpu.device.handle(), index) };
        }
        Ok(format!("{} dispatches find what they need", meant.len()))
    }
}

pub(super) fn descriptors(_: u32) -> Result<String> {
    let bench = Bench::new(false)?;
    bench.run(&bench.two()?)?;
    bench.finish(&two(MODES[0]))
}

pub(super) fn borders(_: u32) -> Result<String> {
    let bench = Bench::new(true)?;
    bench.run(&bench.two()?)?;
    bench.finish(&two(vk::SamplerAddressMode::CLAMP_TO_BORDER))
}

pub(super) fn secondary(_: u32) -> Result<String> {
    let bench = Bench::new(false)?;
    bench.run_secondary(&bench.two()?)?;
    bench.finish(&two(MODES[0]))
}

/// What the two dispatches of [`Bench::two`] mean.
fn two(first: vk::SamplerAddressMode) -> [Meant; 2] {
    [Meant { factor: 3, mode: MODES[1] }, Meant { factor: 5, mode: first }]
}

/// Three pipelines, which find everything but the image in other places each. All are pushed the same but for the number
/// of the output: two addresses, the second of which is the input's, then a factor, that number, and an offset.
pub(super) fn sources(_: u32) -> Result<String> {
    const ADDRESS: u32 = 0;
    const INPUT_ADDRESS: u32 = 8;
    const PUSHED_FACTOR: u32 = 16;
    const OUTPUT_NUMBER: u32 = 20;
    const MORE: u32 = 24;
    /// Offsets of what is in memory: an address, the numbers of input and sampler, and at that address a factor.
    const FACTOR_ADDRESS: u32 = 8;
    const INPUT_NUMBER: u32 = 16;
    const SAMPLER_NUMBER: u32 = 20;
    const TOLD_FACTOR: u32 = 256;
    /// The factor in the heap is twice this far on, beyond all descriptors: once by its mapping, and once as is pushed.
    const PART: u32 = 1024;
    let bench = Bench::new(false)?;
    let (told, address) = Mapped::with_address(&bench.gpu, 512, vk::BufferUsageFlags::UNIFORM_BUFFER)?;
    told.write_from(FACTOR_ADDRESS / 4, &halves(address + u64::from(TOLD_FACTOR)));
    told.write_from(INPUT_NUMBER / 4, &[OUTPUTS, 0]);
    told.write_from(TOLD_FACTOR / 4, &[11]);
    bench.resources.buffer.write_from(2 * PART / 4, &[7]);
    ensure!(u64::from(2 * PART) < ROOM, "the factor lies beyond the heap");
    let embedded = sampler(MODES[1]);
    let of = bench.buffers;
    let places = [
        (
            Source::PushData { push: PUSHED_FACTOR },
            Source::PushAddress { push: INPUT_ADDRESS },
            Source::Embedded(&embedded),
        ),
        (
            Source::HeapData { at: PART, push: MORE },
            Source::IndirectIndex { of, push: ADDRESS, address: INPUT_NUMBER },
            Source::IndirectIndex { of: bench.modes, push: ADDRESS, address: SAMPLER_NUMBER },
        ),
        (
            Source::IndirectAddress { push: ADDRESS, address: FACTOR_ADDRESS },
            Source::IndirectIndexArray { of, push: ADDRESS, address: INPUT_NUMBER },
            Source::Heap { at: bench.modes.at + bench.modes.stride },
        ),
    ];
    let mut all = Vec::new();
    for (output, (factor, input, sampler)) in (0..).zip(places) {
        let image = Source::Heap { at: bench.image.at }.of(IMAGE);
        let mappings = [
            image,
            factor.of(FACTOR),
            input.of(INPUT),
            sampler.of(SAMPLER),
            Source::PushIndex { of, push: OUTPUT_NUMBER }.of(OUTPUT),
        ];
        let pushed = [&halves(address)[..], &halves(bench.input), &[13, output, PART]].concat();
        all.push((pipeline(&bench.gpu, &look_up(false), &mappings)?, pushed));
    }
    bench.run(&all)?;
    let [clamped, mirrored] = MODES;
    let meant = [(13, mirrored), (7, clamped), (11, mirrored)];
    bench.finish(&meant.map(|(factor, mode)| Meant { factor, mode }))
}
