//! What applications wait for, timed by themselves: `cargo xtask bench programs` compares it natively and through hosts.
//!
//! Each says how long the middle one and the slowest per cent took. What it does first is not counted: it makes caches,
//! pages and threads warm, for every driver alike.

use crate::compute::Compute;
use crate::device::{Found, Gpu};
use crate::draw::Draw;
use crate::memory::{Mapped, allocate, buffer, map, memory_type};
use crate::work::{Commands, barrier, nanoseconds};
use anyhow::{Context as _, Result, ensure};
use ash::vk;
use std::time::{Duration, Instant};

/// How long one wait may take.
const LIMIT: Duration = Duration::from_secs(60);
/// Commands of one recording.
const COMMANDS: u32 = 200_000;
/// Bytes of a buffer that is made, mapped and freed.
const BUFFER: u64 = 64 << 10;

/// Durations of the same thing done again and again.
struct Times {
    times: Vec<Duration>,
    /// How many things one duration is of.
    each: u32,
    /// How often the machine's processors went from one thread to another meanwhile, if that can be told.
    switches: Option<u64>,
}

impl Times {
    /// Does something `number` times, after a tenth of that for nothing.
    fn of(number: u32, mut once: impl FnMut() -> Result<()>) -> Result<Self> {
        (0..number / 10).try_for_each(|_| once())?;
        let before = switches();
        let times = (0..number).map(|_| {
            let started = Instant::now();
            once()?;
            Ok(started.elapsed())
        });
        let times = times.collect::<Result<_>>()?;
        let switches = switches().zip(before).map(|(after, before)| after.saturating_sub(before));
        Ok(Self { times, each: 1, switches })
    }

    /// The time that this share of them do not exceed, in nanoseconds.
    fn quantile(&self, share: usize) -> f64 {
        let at = (self.times.len().saturating_sub(1) * share).div_ceil(100);
        self.times.get(at).copied().unwrap_or_default().as_secs_f64() * 1e9 / f64::from(self.each)
    }

    /// What the bench reads.
    fn report(mut self) -> String {
        self.times.sort_unstable();
        let count = self.times.len();
        let mut report = format!("p50 {:.1} ns, p99 {:.1} ns, {count} times", self.quantile(50), self.quantile(99));
        if let Some(switches) = self.switches.filter(|_| count > 0) {
            let each = switches as f64 / (count as f64 * f64::from(self.each));
            report += &format!(", {each:.6} switches each");
        }
        report
    }
}

/// How often the processors of the machine have gone from one thread to another since it was started.
fn switches() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/stat").ok()?;
    text.lines().find_map(|line| line.strip_prefix("ctxt "))?.parse().ok()
}

/// From nothing to a queue.
pub(super) fn start(number: u32) -> Result<String> {
    let times = Times::of(number, || {
        Found::new()?.open(vk::DeviceCreateInfo::default())?.close();
        Ok(())
    })?;
    Ok(times.report())
}

/// A call that the driver answers and the GPU knows nothing of.
pub(super) fn call(number: u32) -> Result<String> {
    let gpu = Gpu::new()?;
    let binding = vk::DescriptorSetLayoutBinding::default().descriptor_type(vk::DescriptorType::UNIFORM_BUFFER);
    let bindings = [binding.descriptor_count(1).stage_flags(vk::ShaderStageFlags::VERTEX)];
    let info = vk::DescriptorSetLayoutCreateInfo::default().bindings(&bindings);
    let mut support = vk::DescriptorSetLayoutSupport::default();
    let times = Times::of(number, || {
        unsafe { gpu.device.get_descriptor_set_layout_support(&info, &mut support) };
        Ok(())
    })?;
    ensure!(support.supported == vk::TRUE, "a layout of one buffer is not supported");
    gpu.close();
    Ok(times.report())
}

/// One command buffer of many commands: record, submit, wait.
pub(super) fn record(number: u32) -> Result<String> {
    let gpu = Gpu::new()?;
    let (commands, fence) = (Commands::new(&gpu)?, gpu.fence(false)?);
    let mut times = Times::of(number, || {
        commands.record(&gpu, |device, buffer| {
            (0..COMMANDS).for_each(|_| unsafe { device.cmd_set_line_width(buffer, 1.0) });
        })?;
        commands.submit(&gpu, fence)?;
        finish(&gpu, fence)
    })?;
    times.each = COMMANDS;
    commands.free(&gpu);
    gpu.close();
    Ok(times.report())
}

/// Submits nothing and waits for it.
pub(super) fn submit(number: u32) -> Result<String> {
    in_flight(number, 1)
}

/// Frames of which two are on the way.
pub(super) fn two_in_flight(number: u32) -> Result<String> {
    in_flight(number, 2)
}

/// Frames of which three are on the way.
pub(super) fn three_in_flight(number: u32) -> Result<String> {
    in_flight(number, 3)
}

/// The time from the end of one frame to the end of the next, with so many submitted.
fn in_flight(number: u32, depth: usize) -> Result<String> {
    let gpu = Gpu::new()?;
    let fences = (0..depth).map(|_| gpu.fence(false)).collect::<Result<Vec<_>>>()?;
    let send = |fence: &vk::Fence| unsafe { gpu.device.queue_submit(gpu.queue, &[], *fence) }.context("vkQueueSubmit");
    fences.iter().skip(1).try_for_each(send)?;
    let mut frames = fences.iter().cycle().zip(fences.iter().cycle().skip(1));
    let times = Times::of(number, || {
        let (newest, oldest) = frames.next().context("fences end")?;
        send(newest)?;
        finish(&gpu, *oldest)
    })?;
    gpu.wait_idle()?;
    gpu.close();
    Ok(times.report())
}

/// What an upload buffer takes: make, allocate, bind, map, touch, free.
pub(super) fn mapped(number: u32) -> Result<String> {
    let gpu = Gpu::new()?;
    let times = Times::of(number, || {
        let buffer = Mapped::new(&gpu, BUFFER, vk::BufferUsageFlags::STORAGE_BUFFER)?;
        buffer.set_first(1);
        buffer.free(&gpu);
        Ok(())
    })?;
    gpu.close();
    Ok(times.report())
}

/// The same of memory that the program does not see.
pub(super) fn unmapped(number: u32) -> Result<String> {
    let gpu = Gpu::new()?;
    let times = Times::of(number, || {
        let one = buffer(&gpu, BUFFER, vk::BufferUsageFlags::STORAGE_BUFFER)?;
        let needs = unsafe { gpu.device.get_buffer_memory_requirements(one) };
        let index = memory_type(&gpu, needs.memory_type_bits, vk::MemoryPropertyFlags::DEVICE_LOCAL)?;
        let memory = allocate(&gpu, needs.size, index)?;
        unsafe { gpu.device.bind_buffer_memory(one, memory, 0) }.context("vkBindBufferMemory")?;
        unsafe {
            gpu.device.destroy_buffer(one, None);
            gpu.device.free_memory(memory, None);
        }
        Ok(())
    })?;
    gpu.close();
    Ok(times.report())
}

/// A small job as runtimes of machine learning do it: write, record, dispatch, wait, read.
pub(super) fn job(number: u32) -> Result<String> {
    let gpu = Gpu::new()?;
    let compute = Compute::new(&gpu)?;
    let pipeline = compute.pipeline(&gpu, 3)?;
    let (commands, fence) = (Commands::new(&gpu)?, gpu.fence(false)?);
    let mut round = 0;
    let times = Times::of(number, || {
        round += 1;
        compute.buffer.set_first(round);
        commands.record(&gpu, |device, buffer| {
            compute.dispatch(device, buffer, pipeline, 1);
            barrier(device, buffer);
        })?;
        commands.submit(&gpu, fence)?;
        finish(&gpu, fence)?;
        let first = compute.buffer.words().next();
        ensure!(first == Some(0), "the first product is {first:?}, not 0");
        Ok(())
    })?;
    gpu.close();
    Ok(times.report())
}

/// A pipeline, each of another constant, made and used once: a driver may put off what it says it has done.
pub(super) fn pipeline(number: u32) -> Result<String> {
    let gpu = Gpu::new()?;
    let compute = Compute::new(&gpu)?;
    let (commands, fence) = (Commands::new(&gpu)?, gpu.fence(false)?);
    let mut k = 0;
    let times = Times::of(number, || {
        k += 1;
        let pipeline = compute.pipeline(&gpu, k)?;
        commands.record(&gpu, |device, buffer| compute.dispatch(device, buffer, pipeline, 1))?;
        commands.submit(&gpu, fence)?;
        finish(&gpu, fence)?;
        unsafe { gpu.device.destroy_pipeline(pipeline, None) };
        Ok(())
    })?;
    gpu.close();
    Ok(times.report())
}

/// Frames of a thousand draws.
pub(super) fn thousand_draws(number: u32) -> Result<String> {
    draws(number, 1_000)
}

/// Frames of ten thousand.
pub(super) fn ten_thousand_draws(number: u32) -> Result<String> {
    draws(number, 10_000)
}

/// Frames of draws without pixels, each with constants of its own.
fn draws(number: u32, draws: u32) -> Result<String> {
    let gpu = Draw::device()?;
    let draw = Draw::new(&gpu)?;
    let (commands, fence) = (Commands::new(&gpu)?, gpu.fence(false)?);
    let mut times = Times::of(number, || {
        commands.record(&gpu, |device, buffer| draw.record(device, buffer, draws))?;
        commands.submit(&gpu, fence)?;
        finish(&gpu, fence)
    })?;
    times.each = draws;
    gpu.close();
    Ok(times.report())
}

/// Maps what is mapped already, and unmaps it: what a driver does by itself.
pub(super) fn map_again(number: u32) -> Result<String> {
    let gpu = Gpu::new()?;
    let index = memory_type(&gpu, u32::MAX, crate::memory::COHERENT)?;
    let memory = allocate(&gpu, BUFFER, index)?;
    let times = Times::of(number, || {
        map(&gpu, memory)?;
        unsafe { gpu.device.unmap_memory(memory) };
        Ok(())
    })?;
    gpu.close();
    Ok(times.report())
}

/// Waits for a fence and takes it back.
fn finish(gpu: &Gpu, fence: vk::Fence) -> Result<()> {
    gpu.wait(&[fence], nanoseconds(LIMIT)).context("vkWaitForFences")?;
    unsafe { gpu.device.reset_fences(&[fence]) }.context("vkResetFences")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_reported_by_the_piece() {
        let times = (1..=100).map(Duration::from_micros).collect();
        let all = Times { times, each: 10, switches: Some(2000) };
        assert_eq!(all.report(), "p50 5100.0 ns, p99 10000.0 ns, 100 times, 2.000000 switches each");
        let none = Times { times: Vec::new(), each: 1, switches: Some(3) };
        assert_eq!(none.report(), "p50 0.0 ns, p99 0.0 ns, 0 times");
    }

    #[test]
    fn what_warms_up_is_not_counted() {
        let mut done = 0;
        let times = Times::of(20, || {
            done += 1;
            Ok(())
        });
        assert_eq!((times.unwrap().times.len(), done), (20, 22));
    }
}
