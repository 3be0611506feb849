//! Queries on queues that can do little.

use crate::Skip;
use crate::device::{Found, Gpu};
use crate::work::Commands;
use anyhow::{Context as _, Result, ensure};
use ash::vk;

/// A family that copies, and neither draws nor computes, with timestamps.
fn copying_family(found: &Found) -> Result<u32> {
    let families = unsafe { found.instance.get_physical_device_queue_family_properties(found.physical) };
    let more = vk::QueueFlags::GRAPHICS | vk::QueueFlags::COMPUTE;
    let copies = |flags: vk::QueueFlags| flags.contains(vk::QueueFlags::TRANSFER) && !flags.intersects(more);
    let fits = |family: &vk::QueueFamilyProperties| copies(family.queue_flags) && family.timestamp_valid_bits > 0;
    let found = families.iter().position(fits).context(Skip("no queue with timestamps only copies"))?;
    Ok(u32::try_from(found)?)
}

/// A timestamp whose pool the host resets: the guest's driver reads results back by a command that such a queue may not
/// execute.
pub(super) fn transfer_timestamps(_: u32) -> Result<String> {
    let found = Found::new()?;
    let family = copying_family(&found)?;
    let mut reset = vk::PhysicalDeviceVulkan12Features::default().host_query_reset(true);
    let gpu = found.open_family(vk::DeviceCreateInfo::default().push_next(&mut reset), family)?;
    let info = vk::QueryPoolCreateInfo::default().query_type(vk::QueryType::TIMESTAMP).query_count(1);
    let pool = unsafe { gpu.device.create_query_pool(&info, None) }.context("vkCreateQueryPool")?;
    unsafe { gpu.device.reset_query_pool(pool, 0, 1) };
    let written = stamp(&gpu, family, pool)?;
    ensure!(written != 0, "a timestamp of 0");
    Ok(format!("timestamp {written}"))
}

fn stamp(gpu: &Gpu, family: u32, pool: vk::QueryPool) -> Result<u64> {
    let info = vk::CommandPoolCreateInfo::default().queue_family_index(family);
    let commands = Commands::of(gpu, &info)?;
    commands.record(gpu, |device, buffer| unsafe {
        device.cmd_write_timestamp(buffer, vk::PipelineStageFlags::BOTTOM_OF_PIPE, pool, 0);
    })?;
    let fence = gpu.fence(false)?;
    commands.submit(gpu, fence)?;
    gpu.wait(&[fence], 5_000_000_000).context("waiting for a timestamp")?;
    let mut results = [0_u64];
    let flags = vk::QueryResultFlags::TYPE_64 | vk::QueryResultFlags::WAIT;
    unsafe { gpu.device.get_query_pool_results(pool, 0, &mut results, flags) }.context("vkGetQueryPoolResults")?;
    Ok(results[0])
}
