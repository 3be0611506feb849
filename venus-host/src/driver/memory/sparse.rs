//! Whether memory that we import can be bound sparsely.
//!
//! Vulkan says so. QUIRK(lavapipe): it maps a descriptor that it believes every allocation has over the resource's
//! addresses; imported memory has none, so that a descriptor of somebody else's is mapped, or nothing is left there and
//! the process dies of SIGSEGV. Whoever asks here has to be ready for that: see `driver/sparse.rs`.

use ash::vk;

use super::{
    super::PhysicalDevice,
    SharingMethod, TypeMask,
    fill::{fill_buffer, with_buffer, words},
    probe::Probe,
};
use crate::resource::{Mapping, MemoryFile};

/// What the GPU writes.
const PATTERN: u32 = 0x5ea1_5bad;

/// Binds imported memory of every type that is shared so to a sparse buffer, lets the GPU fill that, and looks for it through
/// another mapping of the memory. May end the process.
pub(crate) fn check(physical: &PhysicalDevice) -> Result<(), String> {
    let family = physical.family_with(vk::QueueFlags::SPARSE_BINDING).ok_or("no queue family has sparse binding")?;
    let features = vk::PhysicalDeviceFeatures::default().sparse_binding(true);
    let probe = Probe::with(physical, Some(family), &features).map_err(|result| format!("vkCreateDevice: {result}"))?;
    for index in physical.memory_plan().types_by(SharingMethod::Import).indices() {
        check_type(&probe, family, index).map_err(|reason| format!("memory type {index}: {reason}"))?;
    }
    Ok(())
}

fn check_type(probe: &Probe<'_>, family: u32, index: u32) -> Result<(), String> {
    let info = vk::BufferCreateInfo::default()
        .flags(vk::BufferCreateFlags::SPARSE_BINDING)
        .size(1)
        .usage(vk::BufferUsageFlags::TRANSFER_DST);
    // SAFETY: (below) the buffer is live.
    let needs = with_buffer(probe, &info, |buffer| Ok(unsafe { probe.device.get_buffer_memory_requirements(buffer) }));
    let needs = needs.map_err(|result| format!("vkCreateBuffer: {result}"))?;
    if !TypeMask(needs.memory_type_bits).contains(index) {
        return Ok(());
    }
    let granule = needs.alignment.max(needs.size);
    let size = probe.round_up(granule.saturating_mul(2)).ok_or("its alignment is out of range")?;
    let file = MemoryFile::create(size).map_err(|error| error.to_string())?;
    let mapping = file.map().map_err(|error| error.to_string())?;
    let memory = probe.import(index, size, &mapping)?;
    let filled = with_buffer(probe, &info.size(granule), |buffer| {
        bind(probe, family, buffer, memory.raw, granule)?;
        fill_buffer(probe, buffer, PATTERN)
    });
    filled.map_err(|result| result.to_string())?;
    check_words(&file.map().map_err(|error| error.to_string())?, granule)
}

/// Binds the whole buffer to what follows the first granule of the memory.
fn bind(
    probe: &Probe<'_>,
    family: u32,
    buffer: vk::Buffer,
    memory: vk::DeviceMemory,
    granule: u64,
) -> Result<(), vk::Result> {
    let device = &probe.device;
    let bind = [vk::SparseMemoryBind::default().size(granule).memory(memory).memory_offset(granule)];
    let buffers = [vk::SparseBufferMemoryBindInfo::default().buffer(buffer).binds(&bind)];
    let info = vk::BindSparseInfo::default().buffer_binds(&buffers);
    // SAFETY: the device was created with a queue of this family.
    let queue = unsafe { device.get_device_queue(family, 0) };
    // SAFETY: the range is inside of the memory, whose type the buffer takes, and both are multiples of its alignment.
    unsafe { device.queue_bind_sparse(queue, &[info], vk::Fence::null())? };
    // SAFETY: the queue is this thread's own.
    unsafe { device.queue_wait_idle(queue) }
}

/// What was bound is filled, and what was not is as before.
fn check_words(seen: &Mapping, granule: u64) -> Result<(), String> {
    let granule = usize::try_from(granule).map_err(|_| "its alignment is out of range".to_owned())?;
    let last = granule.saturating_mul(2).saturating_sub(4);
    match words(seen, [0, granule.saturating_sub(4), granule, last])? {
        [0, 0, PATTERN, PATTERN] => Ok(()),
        [_, _, first, _] => Err(format!("the GPU wrote {PATTERN:#x}, and {first:#x} is there")),
    }
}
