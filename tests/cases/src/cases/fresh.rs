//! What need not be cleared or reset before it is used.

use crate::Skip;
use crate::device::Found;
use crate::memory::Mapped;
use crate::work::run;
use anyhow::{Context as _, Result, ensure};
use std::ffi::CStr;
use venus_protocol::vk;

/// Bytes of memory, and how often they are asked for.
const BYTES: u64 = 1 << 20;
const TIMES: u32 = 16;
const ZEROED: vk::MemoryAllocateFlags = vk::MemoryAllocateFlags::from_raw(1 << 3);
const RESET: vk::QueryPoolCreateFlags = vk::QueryPoolCreateFlags::from_raw(1);

pub(super) fn memory(_: u32) -> Result<String> {
    const NAME: &CStr = c"VK_EXT_zero_initialize_device_memory";
    let found = Found::new()?;
    found.require(NAME, "not supported: VK_EXT_zero_initialize_device_memory")?;
    let mut has: vk::PhysicalDeviceZeroInitializeDeviceMemoryFeaturesEXT<'_> = found.features_in();
    if has.zero_initialize_device_memory == 0 {
        return Err(Skip("not supported: memory of zeros").into());
    }
    let gpu = found.open_with(NAME, &mut has)?;
    for time in 0..TIMES {
        // What may come back as the next memory.
        let used = Mapped::new(&gpu, BYTES, vk::BufferUsageFlags::empty())?;
        used.set(u32::MAX);
        used.free(&gpu);
        let fresh = Mapped::with_flags(&gpu, BYTES, vk::BufferUsageFlags::empty(), ZEROED)?;
        ensure!(fresh.words().all(|word| word == 0), "memory {time} is not zero");
        fresh.free(&gpu);
    }
    gpu.close();
    Ok(format!("{TIMES} times {BYTES} bytes are zero"))
}

pub(super) fn queries(_: u32) -> Result<String> {
    const NAME: &CStr = c"VK_KHR_maintenance9";
    let found = Found::new()?;
    found.require(NAME, "not supported: VK_KHR_maintenance9")?;
    let mut has: vk::PhysicalDeviceMaintenance9FeaturesKHR<'_> = found.features_in();
    if has.maintenance9 == 0 {
        return Err(Skip("not supported: the ninth maintenance").into());
    }
    let gpu = found.open_with(NAME, &mut has)?;
    let info = vk::QueryPoolCreateInfo::default().query_type(vk::QueryType::TIMESTAMP).query_count(2).flags(RESET);
    let pool = unsafe { gpu.device.create_query_pool(&info, None) }.context("vkCreateQueryPool")?;
    run(&gpu, |device, commands| unsafe {
        device.cmd_write_timestamp(commands, vk::PipelineStageFlags::BOTTOM_OF_PIPE, pool, 1);
    })?;
    // Each with a word that says whether it is there.
    let mut results = [[0_u64; 2]; 2];
    let flags = vk::QueryResultFlags::TYPE_64 | vk::QueryResultFlags::WITH_AVAILABILITY;
    let answer = unsafe { gpu.device.get_query_pool_results(pool, 0, &mut results, flags) };
    ensure!(matches!(answer, Ok(()) | Err(vk::Result::NOT_READY)), "vkGetQueryPoolResults: {answer:?}");
    let there = results.map(|[_, available]| available != 0);
    ensure!(there == [false, true] && results[1][0] != 0, "queries are {results:?}");
    Ok("one of two timestamps is there".to_owned())
}
