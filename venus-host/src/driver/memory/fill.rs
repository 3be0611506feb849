//! Letting the GPU write to shared memory, and looking whether that arrives.
//!
//! [`check_fill`] fills imported memory and reads it through a second mapping, as a guest has one; `venus doctor` and our
//! tests use it.

use ash::vk;

use super::{super::PhysicalDevice, SharingMethod, TypeMask, probe::Probe, types};
use crate::resource::MemoryFile;

/// Lets the GPU fill imported memory and looks at it through a second mapping of the file, as a guest would. Answers
/// how many memory types were seen to work.
pub(crate) fn check_fill(physical: &PhysicalDevice) -> Result<u32, String> {
    const PATTERN: u32 = 0x5ea1_f00d;
    let plan = physical.memory_plan();
    if plan.method() != Some(SharingMethod::Import) {
        return Err("memory is not imported on this device".to_owned());
    }
    let probe = Probe::new(physical).map_err(|result| format!("vkCreateDevice: {result}"))?;
    let size = plan.round_up(1).ok_or("the granularity is out of range")?;
    let mut seen = 0_u32;
    for (index, _) in types(plan.driver_view()).filter(|(index, _)| plan.shareable().contains(*index)) {
        let file = MemoryFile::create(size).map_err(|error| error.to_string())?;
        let mapping = file.map().map_err(|error| error.to_string())?;
        let memory = probe.import(index, size, &mapping)?;
        if !fill(&probe, memory.raw, index, size, PATTERN).map_err(|result| format!("memory type {index}: {result}"))? {
            continue;
        }
        let guest = file.map().map_err(|error| error.to_string())?;
        let mut words = [[0_u8; 4]; 2];
        let last = guest.size().saturating_sub(4);
        for (word, offset) in words.iter_mut().zip([0, last]) {
            guest.copy_out(offset, word).map_err(|error| error.to_string())?;
        }
        if words.map(u32::from_ne_bytes) != [PATTERN; 2] {
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
    let device = &probe.device;
    let info = vk::BufferCreateInfo::default().size(size).usage(vk::BufferUsageFlags::TRANSFER_DST);
    // SAFETY: a plain buffer; destroyed below.
    let buffer = unsafe { device.create_buffer(&info, None)? };
    let pool_info = vk::CommandPoolCreateInfo::default().queue_family_index(probe.family);
    // SAFETY: the family is the one the device was created with; destroyed below.
    let pool = unsafe { device.create_command_pool(&pool_info, None) };
    let outcome = pool.and_then(|pool| {
        let target = Target { memory, index, size, buffer };
        let outcome = fill_with(probe, &target, pool, pattern);
        // SAFETY: `fill_with` waits for its submission, so nothing of the pool is pending.
        unsafe { device.destroy_command_pool(pool, None) };
        outcome
    });
    // SAFETY: as above.
    unsafe { device.destroy_buffer(buffer, None) };
    outcome
}

/// A buffer and the memory it is to be bound to.
struct Target {
    memory: vk::DeviceMemory,
    index: u32,
    size: u64,
    buffer: vk::Buffer,
}

fn fill_with(probe: &Probe<'_>, target: &Target, pool: vk::CommandPool, pattern: u32) -> Result<bool, vk::Result> {
    let Target { memory, index, size, buffer } = *target;
    let device = &probe.device;
    // SAFETY: the buffer is live.
    let needs = unsafe { device.get_buffer_memory_requirements(buffer) };
    if !TypeMask(needs.memory_type_bits).contains(index) || needs.size > size {
        return Ok(false);
    }
    // SAFETY: the type fits, as checked; the memory was allocated with the buffer's size, rounded up.
    unsafe { device.bind_buffer_memory(buffer, memory, 0)? };
    let allocate = vk::CommandBufferAllocateInfo::default().command_pool(pool).command_buffer_count(1);
    // SAFETY: the pool is live and used by this thread only.
    let buffers = unsafe { device.allocate_command_buffers(&allocate)? };
    let Some(&commands) = buffers.first() else {
        return Ok(false);
    };
    // SAFETY: the command buffer is new.
    unsafe { device.begin_command_buffer(commands, &vk::CommandBufferBeginInfo::default())? };
    // SAFETY: recording; the buffer is bound, and was created for transfers.
    unsafe { device.cmd_fill_buffer(commands, buffer, 0, vk::WHOLE_SIZE, pattern) };
    let barrier = vk::MemoryBarrier::default()
        .src_access_mask(vk::AccessFlags::TRANSFER_WRITE)
        .dst_access_mask(vk::AccessFlags::HOST_READ);
    let (from, to) = (vk::PipelineStageFlags::TRANSFER, vk::PipelineStageFlags::HOST);
    // SAFETY: recording, outside of a render pass.
    unsafe { device.cmd_pipeline_barrier(commands, from, to, vk::DependencyFlags::empty(), &[barrier], &[], &[]) };
    // SAFETY: recording.
    unsafe { device.end_command_buffer(commands)? };
    // SAFETY: the device was created with one queue of this family.
    let queue = unsafe { device.get_device_queue(probe.family, 0) };
    let submit = vk::SubmitInfo::default().command_buffers(&buffers);
    // SAFETY: the command buffer is executable and the queue is this thread's own.
    unsafe { device.queue_submit(queue, &[submit], vk::Fence::null())? };
    // SAFETY: as above.
    unsafe { device.queue_wait_idle(queue)? };
    Ok(true)
}
