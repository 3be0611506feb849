//! Command buffers, and what it takes to have one executed.

use crate::device::Gpu;
use anyhow::{Context as _, Result};
use ash::vk;
use std::time::Duration;

/// How long work that should take milliseconds may take.
const LIMIT: Duration = Duration::from_secs(60);

/// A time-out in nanoseconds.
pub(crate) fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

/// A command buffer with a pool of its own, so that any thread may have one.
pub(crate) struct Commands {
    pub(crate) pool: vk::CommandPool,
    pub(crate) buffer: vk::CommandBuffer,
}

impl Commands {
    pub(crate) fn new(gpu: &Gpu) -> Result<Self> {
        Self::of(gpu, &vk::CommandPoolCreateInfo::default())
    }

    /// The same, of a pool that is special.
    pub(crate) fn of(gpu: &Gpu, pool: &vk::CommandPoolCreateInfo<'_>) -> Result<Self> {
        let pool = unsafe { gpu.device.create_command_pool(pool, None) }.context("vkCreateCommandPool")?;
        let info = vk::CommandBufferAllocateInfo::default().command_pool(pool).command_buffer_count(1);
        let buffers = unsafe { gpu.device.allocate_command_buffers(&info) }.context("vkAllocateCommandBuffers")?;
        Ok(Self { pool, buffer: *buffers.first().context("no command buffer")? })
    }

    /// Records what `record` says, from an empty buffer on.
    pub(crate) fn record(&self, gpu: &Gpu, record: impl FnOnce(&ash::Device, vk::CommandBuffer)) -> Result<()> {
        let none = vk::CommandPoolResetFlags::empty();
        unsafe { gpu.device.reset_command_pool(self.pool, none) }.context("vkResetCommandPool")?;
        let begin = vk::CommandBufferBeginInfo::default();
        unsafe { gpu.device.begin_command_buffer(self.buffer, &begin) }.context("vkBeginCommandBuffer")?;
        record(&gpu.device, self.buffer);
        unsafe { gpu.device.end_command_buffer(self.buffer) }.context("vkEndCommandBuffer")
    }

    /// Submits it.
    pub(crate) fn submit(&self, gpu: &Gpu, fence: vk::Fence) -> Result<()> {
        let buffers = [self.buffer];
        let submits = [vk::SubmitInfo::default().command_buffers(&buffers)];
        unsafe { gpu.device.queue_submit(gpu.queue, &submits, fence) }.context("vkQueueSubmit")
    }

    pub(crate) fn free(self, gpu: &Gpu) {
        unsafe { gpu.device.destroy_command_pool(self.pool, None) };
    }
}

/// Records, submits, and waits for the end.
pub(crate) fn run(gpu: &Gpu, record: impl FnOnce(&ash::Device, vk::CommandBuffer)) -> Result<()> {
    let commands = Commands::new(gpu)?;
    commands.record(gpu, |device, buffer| {
        record(device, buffer);
        barrier(device, buffer);
    })?;
    let fence = gpu.fence(false)?;
    commands.submit(gpu, fence)?;
    gpu.wait(&[fence], nanoseconds(LIMIT)).context("waiting for work")?;
    unsafe { gpu.device.destroy_fence(fence, None) };
    commands.free(gpu);
    Ok(())
}

/// All before it is done and seen, by the program too, before anything after it begins.
pub(crate) fn barrier(device: &ash::Device, commands: vk::CommandBuffer) {
    let (write, read) = (vk::AccessFlags::MEMORY_WRITE, vk::AccessFlags::MEMORY_READ | vk::AccessFlags::MEMORY_WRITE);
    let all = vk::PipelineStageFlags::ALL_COMMANDS;
    let barriers = [vk::MemoryBarrier::default().src_access_mask(write).dst_access_mask(read)];
    let (after, none) = (all | vk::PipelineStageFlags::HOST, vk::DependencyFlags::empty());
    unsafe { device.cmd_pipeline_barrier(commands, all, after, none, &barriers, &[], &[]) };
}

/// Fills a buffer so many times, the last time with `value`. As long as it is wanted, and every fill after the one before.
pub(crate) fn fill(device: &ash::Device, commands: vk::CommandBuffer, buffer: vk::Buffer, times: u32, value: u32) {
    for time in (0..times).rev() {
        let value = if time == 0 { value } else { time };
        unsafe { device.cmd_fill_buffer(commands, buffer, 0, vk::WHOLE_SIZE, value) };
        barrier(device, commands);
    }
}

/// Submits no commands at all, behind a timeline's value.
pub(crate) fn submit_behind(gpu: &Gpu, gate: vk::Semaphore, value: u64, fence: vk::Fence) -> Result<()> {
    let (gates, values, stages) = ([gate], [value], [vk::PipelineStageFlags::ALL_COMMANDS]);
    let mut timelines = vk::TimelineSemaphoreSubmitInfo::default().wait_semaphore_values(&values);
    let submit = vk::SubmitInfo::default().wait_semaphores(&gates).wait_dst_stage_mask(&stages);
    let submits = [submit.push_next(&mut timelines)];
    unsafe { gpu.device.queue_submit(gpu.queue, &submits, fence) }.context("vkQueueSubmit")
}
