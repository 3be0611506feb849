//! Letting the GPU write to shared memory, and looking whether that arrives.
//!
//! [`check_fill`] fills imported memory and reads it through a second mapping, as a guest has one; `venus doctor` and our
//! tests use it.

use ash::vk;

use super::{super::PhysicalDevice, SharingMethod, TypeMask, probe::Probe};
use crate::resource::{Mapping, MemoryFile};

/// Lets the GPU fill imported memory and looks at it through a second mapping of the file, as a guest would. Answers
/// how many memory types were seen to work.
pub(crate) fn check_fill(physical: &PhysicalDevice) -> Result<u32, String> {
    const PATTERN: u32 = 0x5ea1_f00d;
    let plan = physical.memory_plan();
    let imported = plan.types_by(SharingMethod::Import);
    if imported.is_empty() {
        return Err("memory is not imported on this device".to_owned());
    }
    let probe = Probe::new(physical).map_err(|result| format!("vkCreateDevice: {result}"))?;
    let size = plan.round_up(1).ok_or("the granularity is out of range")?;
    let mut seen = 0_u32;
    for index in imported.indices() {
        let file = MemoryFile::create(size).map_err(|error| error.to_string())?;
        let mapping = file.map().map_err(|error| error.to_string())?;
        let memory = probe.import(index, size, &mapping)?;
        if !fill(&probe, memory.raw, index, size, PATTERN).map_err(|result| format!("memory type {index}: {result}"))? {
            continue;
        }
        let guest = file.map().map_err(|error| error.to_string())?;
        let last = guest.size().saturating_sub(4);
        if words(&guest, [0, last])? != [PATTERN; 2] {
            return Err(format!(
                "memory type {index}: what the GPU wrote did not arrive in a second mapping of the file"
            ));
        }
        seen = seen.saturating_add(1);
    }
    Ok(seen)
}

/// Fills memory with `pattern` on the GPU and waits for that. `false` if buffers cannot be bound to this type.
fn fill(probe: &Probe<'_>, memory: vk::DeviceMemory, index: u32, size: u64, pattern: u32) -> Result<bool, vk::Result> {
    let info = vk::BufferCreateInfo::default().size(size).usage(vk::BufferUsageFlags::TRANSFER_DST);
    with_buffer(probe, &info, |buffer| {
        // SAFETY: the buffer is live.
        let needs = unsafe { probe.device.get_buffer_memory_requirements(buffer) };
        if !TypeMask(needs.memory_type_bits).contains(index) || needs.size > size {
            return Ok(false);
        }
        // SAFETY: the type fits, as checked; the memory was allocated with the buffer's size, rounded up.
        unsafe { probe.device.bind_buffer_memory(buffer, memory, 0)? };
        fill_buffer(probe, buffer, pattern).map(|()| true)
    })
}

/// Does something with a buffer that is gone afterwards.
pub(super) fn with_buffer<T>(
    probe: &Probe<'_>,
    info: &vk::BufferCreateInfo<'_>,
    act: impl FnOnce(vk::Buffer) -> Result<T, vk::Result>,
) -> Result<T, vk::Result> {
    // SAFETY: the callers describe plain or sparse buffers, the latter on devices with that feature.
    let buffer = unsafe { probe.device.create_buffer(info, None)? };
    let outcome = act(buffer);
    // SAFETY: whoever submits something waits for it, so nothing that is pending uses the buffer.
    unsafe { probe.device.destroy_buffer(buffer, None) };
    outcome
}

/// Fills a buffer that has memory, and was made for transfers, and waits for that.
pub(super) fn fill_buffer(probe: &Probe<'_>, buffer: vk::Buffer, pattern: u32) -> Result<(), vk::Result> {
    let device = &probe.device;
    let info = vk::CommandPoolCreateInfo::default().queue_family_index(probe.family);
    // SAFETY: the family is one that the device was created with; destroyed below.
    let pool = unsafe { device.create_command_pool(&info, None)? };
    let outcome = record_fill(device, pool, buffer, pattern).and_then(|commands| {
        let submit = vk::SubmitInfo::default().command_buffers(std::slice::from_ref(&commands));
        // SAFETY: the device was created with a queue of this family.
        let queue = unsafe { device.get_device_queue(probe.family, 0) };
        // SAFETY: the command buffer is executable and the queue is this thread's own.
        unsafe { device.queue_submit(queue, &[submit], vk::Fence::null())? };
        // SAFETY: as above.
        unsafe { device.queue_wait_idle(queue) }
    });
    // SAFETY: the submission was waited for, so nothing of the pool is pending.
    unsafe { device.destroy_command_pool(pool, None) };
    outcome
}

fn record_fill(
    device: &ash::Device,
    pool: vk::CommandPool,
    buffer: vk::Buffer,
    pattern: u32,
) -> Result<vk::CommandBuffer, vk::Result> {
    let info = vk::CommandBufferAllocateInfo::default().command_pool(pool).command_buffer_count(1);
    // SAFETY: the pool is live and used by this thread only.
    let commands = unsafe { device.allocate_command_buffers(&info)? };
    let commands = commands.first().copied().ok_or(vk::Result::ERROR_OUT_OF_HOST_MEMORY)?;
    // SAFETY: the command buffer is new.
    unsafe { device.begin_command_buffer(commands, &vk::CommandBufferBeginInfo::default())? };
    // SAFETY: recording; the buffer has memory, and was created for transfers.
    unsafe { device.cmd_fill_buffer(commands, buffer, 0, vk::WHOLE_SIZE, pattern) };
    let barrier = vk::MemoryBarrier::default()
        .src_access_mask(vk::AccessFlags::TRANSFER_WRITE)
        .dst_access_mask(vk::AccessFlags::HOST_READ);
    let (from, to) = (vk::PipelineStageFlags::TRANSFER, vk::PipelineStageFlags::HOST);
    // SAFETY: recording, outside of a render pass.
    unsafe { device.cmd_pipeline_barrier(commands, from, to, vk::DependencyFlags::empty(), &[barrier], &[], &[]) };
    // SAFETY: recording.
    unsafe { device.end_command_buffer(commands)? };
    Ok(commands)
}

/// The word at each of these offsets of a mapping.
pub(super) fn words<const N: usize>(mapping: &Mapping, offsets: [usize; N]) -> Result<[u32; N], String> {
    let mut words = [[0_u8; 4]; N];
    for (word, offset) in words.iter_mut().zip(offsets) {
        mapping.copy_out(offset, word).map_err(|error| error.to_string())?;
    }
    Ok(words.map(u32::from_ne_bytes))
}
