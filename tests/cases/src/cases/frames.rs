//! Frames without a window, each waited for and looked at: the least that shows how long the way to a driver is.

use crate::device::{Found, Gpu};
use crate::memory::{Mapped, allocate, memory_type};
use crate::work::{Commands, barrier, nanoseconds};
use anyhow::{Context as _, Result, ensure};
use ash::vk;
use std::time::{Duration, Instant};

/// Width and height of a frame.
const SIDE: u32 = 256;
/// How many parts of the frames are timed apart, to tell how much the speed varies.
const PARTS: u32 = 10;
/// How long a frame may take.
const LIMIT: Duration = Duration::from_secs(60);

/// Clears an image, copies it into memory that the program sees, waits, and compares every pixel of it, again and again.
pub(super) fn readback(number: u32) -> Result<String> {
    let gpu = Gpu::new()?;
    let target = Target::new(&gpu)?;
    let mut rates = Vec::new();
    let started = Instant::now();
    let mut done = 0;
    for part in 1..=PARTS {
        let (begin, part_started) = (done, Instant::now());
        while u64::from(done) < u64::from(number) * u64::from(part) / u64::from(PARTS) {
            target.frame(&gpu, done)?;
            if done == 0 {
                super::ready();
            }
            done += 1;
        }
        rates.push(f64::from(done - begin) / part_started.elapsed().as_secs_f64());
    }
    let rate = f64::from(done) / started.elapsed().as_secs_f64();
    let (least, most) =
        rates.iter().fold((f64::MAX, 0.0_f64), |(least, most), rate| (least.min(*rate), most.max(*rate)));
    target.free(&gpu);
    gpu.close();
    Ok(format!("{done} frames, {rate:.0} a second ({least:.0} to {most:.0})"))
}

/// Makes an instance, asks it for its devices, and has one of them answer; says how long that took.
pub(super) fn first_reply(_: u32) -> Result<String> {
    let started = Instant::now();
    let found = Found::new()?;
    let instance = started.elapsed();
    let gpu = found.open(vk::DeviceCreateInfo::default())?;
    let fence = gpu.fence(false)?;
    // Creating is not waited for by a guest's driver. What a queue has done is.
    unsafe { gpu.device.queue_submit(gpu.queue, &[], fence) }.context("vkQueueSubmit")?;
    gpu.wait(&[fence], nanoseconds(LIMIT)).context("waiting for nothing")?;
    let device = started.elapsed();
    let milliseconds = |time: Duration| time.as_secs_f64() * 1e3;
    Ok(format!("devices after {:.1} ms, work done after {:.1} ms", milliseconds(instance), milliseconds(device)))
}

/// What a frame is drawn into, and what it is copied to.
struct Target {
    image: vk::Image,
    memory: vk::DeviceMemory,
    copy: Mapped,
    commands: Commands,
    fence: vk::Fence,
}

impl Target {
    fn new(gpu: &Gpu) -> Result<Self> {
        let extent = vk::Extent3D { width: SIDE, height: SIDE, depth: 1 };
        let usage = vk::ImageUsageFlags::TRANSFER_SRC | vk::ImageUsageFlags::TRANSFER_DST;
        let info = vk::ImageCreateInfo::default().image_type(vk::ImageType::TYPE_2D).format(vk::Format::R8G8B8A8_UNORM);
        let info = info.extent(extent).mip_levels(1).array_layers(1).samples(vk::SampleCountFlags::TYPE_1).usage(usage);
        let image = unsafe { gpu.device.create_image(&info, None) }.context("vkCreateImage")?;
        let needs = unsafe { gpu.device.get_image_memory_requirements(image) };
        let index = memory_type(gpu, needs.memory_type_bits, vk::MemoryPropertyFlags::empty())?;
        let memory = allocate(gpu, needs.size, index)?;
        unsafe { gpu.device.bind_image_memory(image, memory, 0) }.context("vkBindImageMemory")?;
        let copy = Mapped::new(gpu, u64::from(SIDE * SIDE * 4), vk::BufferUsageFlags::empty())?;
        Ok(Self { image, memory, copy, commands: Commands::new(gpu)?, fence: gpu.fence(false)? })
    }

    /// Draws the frame of this number and looks at it. Each has a colour of its own, so an old picture is a fault.
    fn frame(&self, gpu: &Gpu, number: u32) -> Result<()> {
        let channels = number.wrapping_mul(0x9e37_79b1).to_le_bytes();
        self.commands.record(gpu, |device, commands| self.draw(device, commands, channels))?;
        self.commands.submit(gpu, self.fence)?;
        gpu.wait(&[self.fence], nanoseconds(LIMIT)).context("waiting for a frame")?;
        unsafe { gpu.device.reset_fences(&[self.fence]) }.context("vkResetFences")?;
        let expected = u32::from_le_bytes(channels);
        let wrong = self.copy.words().enumerate().find(|(_, word)| *word != expected);
        ensure!(wrong.is_none(), "frame {number}: pixel and colour are {wrong:x?}, not {expected:#x}");
        Ok(())
    }

    fn draw(&self, device: &ash::Device, commands: vk::CommandBuffer, channels: [u8; 4]) {
        let layout = vk::ImageLayout::GENERAL;
        let colour = vk::ImageAspectFlags::COLOR;
        let range =
            vk::ImageSubresourceRange { aspect_mask: colour, level_count: 1, layer_count: 1, ..Default::default() };
        let change = vk::ImageMemoryBarrier::default().image(self.image).subresource_range(range).new_layout(layout);
        let change = [change.dst_access_mask(vk::AccessFlags::TRANSFER_WRITE)];
        let (top, transfer) = (vk::PipelineStageFlags::TOP_OF_PIPE, vk::PipelineStageFlags::TRANSFER);
        let value = vk::ClearColorValue { float32: channels.map(|channel| f32::from(channel) / 255.0) };
        let layers = vk::ImageSubresourceLayers { aspect_mask: colour, layer_count: 1, ..Default::default() };
        let extent = vk::Extent3D { width: SIDE, height: SIDE, depth: 1 };
        let region = [vk::BufferImageCopy::default().image_subresource(layers).image_extent(extent)];
        unsafe {
            device.cmd_pipeline_barrier(commands, top, transfer, vk::DependencyFlags::empty(), &[], &[], &change);
            device.cmd_clear_color_image(commands, self.image, layout, &value, &[range]);
        }
        barrier(device, commands);
        unsafe { device.cmd_copy_image_to_buffer(commands, self.image, layout, self.copy.buffer, &region) };
        barrier(device, commands);
    }

    fn free(self, gpu: &Gpu) {
        unsafe {
            gpu.device.destroy_fence(self.fence, None);
            gpu.device.destroy_image(self.image, None);
            gpu.device.free_memory(self.memory, None);
        }
        self.copy.free(gpu);
        self.commands.free(gpu);
    }
}
