//! Buffers in memory that the program sees, and the choice of memory types.

use crate::device::Gpu;
use anyhow::{Context as _, Result, ensure};
use ash::vk;
use std::sync::atomic::{AtomicU32, Ordering};

/// What every case may do with its buffers.
const COPIES: vk::BufferUsageFlags = vk::BufferUsageFlags::from_raw(
    vk::BufferUsageFlags::TRANSFER_SRC.as_raw() | vk::BufferUsageFlags::TRANSFER_DST.as_raw(),
);

/// Memory that needs no flushes.
pub(crate) const COHERENT: vk::MemoryPropertyFlags = vk::MemoryPropertyFlags::from_raw(
    vk::MemoryPropertyFlags::HOST_VISIBLE.as_raw() | vk::MemoryPropertyFlags::HOST_COHERENT.as_raw(),
);

/// A buffer with mapped memory of its own.
pub(crate) struct Mapped {
    pub(crate) buffer: vk::Buffer,
    pub(crate) memory: vk::DeviceMemory,
    /// The mapping. Atomic, because the device writes it; no longer than until [`Mapped::free`].
    words: &'static [AtomicU32],
}

impl Mapped {
    /// A buffer of `bytes`, which are a multiple of four, for copies and for `usage`.
    ///
    /// # Errors
    ///
    /// The driver refuses.
    pub(crate) fn new(gpu: &Gpu, bytes: u64, usage: vk::BufferUsageFlags) -> Result<Self> {
        Self::in_memory(gpu, bytes, usage, &vk::MemoryAllocateInfo::default())
    }

    /// The same with an address, on a device that has such.
    pub(crate) fn with_address(
        gpu: &Gpu,
        bytes: u64,
        usage: vk::BufferUsageFlags,
    ) -> Result<(Self, vk::DeviceAddress)> {
        let usage = usage | vk::BufferUsageFlags::SHADER_DEVICE_ADDRESS;
        let mapped = Self::with_flags(gpu, bytes, usage, vk::MemoryAllocateFlags::DEVICE_ADDRESS)?;
        let info = vk::BufferDeviceAddressInfo::default().buffer(mapped.buffer);
        let address = unsafe { gpu.device.get_buffer_device_address(&info) };
        Ok((mapped, address))
    }

    /// The same in memory that is allocated with these flags.
    pub(crate) fn with_flags(
        gpu: &Gpu,
        bytes: u64,
        usage: vk::BufferUsageFlags,
        flags: vk::MemoryAllocateFlags,
    ) -> Result<Self> {
        let mut flags = vk::MemoryAllocateFlagsInfo::default().flags(flags);
        Self::in_memory(gpu, bytes, usage, &vk::MemoryAllocateInfo::default().push_next(&mut flags))
    }

    /// The same in memory that is special: `info` has everything but size and type.
    fn in_memory(
        gpu: &Gpu,
        bytes: u64,
        usage: vk::BufferUsageFlags,
        info: &vk::MemoryAllocateInfo<'_>,
    ) -> Result<Self> {
        let buffer = buffer(gpu, bytes, usage)?;
        let needs = unsafe { gpu.device.get_buffer_memory_requirements(buffer) };
        let index = memory_type(gpu, needs.memory_type_bits, COHERENT)?;
        let info = info.allocation_size(needs.size).memory_type_index(index);
        let memory = unsafe { gpu.device.allocate_memory(&info, None) }.context("vkAllocateMemory")?;
        unsafe { gpu.device.bind_buffer_memory(buffer, memory, 0) }.context("vkBindBufferMemory")?;
        let pointer = map(gpu, memory)?;
        let words = unsafe { std::slice::from_raw_parts(pointer.cast(), usize::try_from(bytes / 4)?) };
        Ok(Self { buffer, memory, words })
    }

    /// Where some of its bytes are, for a driver to write to.
    pub(crate) fn bytes(&self, at: usize, size: usize) -> Result<*mut std::ffi::c_void> {
        ensure!(at + size <= size_of_val(self.words), "bytes beyond the end of a buffer");
        Ok(self.words.as_ptr().cast_mut().wrapping_byte_add(at).cast())
    }

    pub(crate) fn words(&self) -> impl Iterator<Item = u32> + '_ {
        self.words.iter().map(|word| word.load(Ordering::Relaxed))
    }

    pub(crate) fn set(&self, value: u32) {
        self.words.iter().for_each(|word| word.store(value, Ordering::Relaxed));
    }

    /// Sets the first words.
    pub(crate) fn write(&self, words: &[u32]) {
        self.write_from(0, words);
    }

    /// Sets words from this one on.
    pub(crate) fn write_from(&self, first: u32, words: &[u32]) {
        let first = usize::try_from(first).unwrap_or(usize::MAX);
        self.words.iter().skip(first).zip(words).for_each(|(word, value)| word.store(*value, Ordering::Relaxed));
    }

    /// Sets one word, as little as a program can touch.
    pub(crate) fn set_first(&self, value: u32) {
        self.words.iter().take(1).for_each(|word| word.store(value, Ordering::Relaxed));
    }

    /// Whether the first and the last word are `value`: all that a poller has the time for.
    pub(crate) fn ends_are(&self, value: u32) -> bool {
        [self.words.first(), self.words.last()].iter().flatten().all(|word| word.load(Ordering::Relaxed) == value)
    }

    pub(crate) fn free(self, gpu: &Gpu) {
        unsafe {
            gpu.device.destroy_buffer(self.buffer, None);
            gpu.device.free_memory(self.memory, None);
        }
    }
}

/// A buffer without memory.
pub(crate) fn buffer(gpu: &Gpu, bytes: u64, usage: vk::BufferUsageFlags) -> Result<vk::Buffer> {
    let info = vk::BufferCreateInfo::default().size(bytes).usage(usage | COPIES);
    unsafe { gpu.device.create_buffer(&info, None) }.context("vkCreateBuffer")
}

/// The first memory type among `bits` that has all of `flags`.
pub(crate) fn memory_type(gpu: &Gpu, bits: u32, flags: vk::MemoryPropertyFlags) -> Result<u32> {
    let types = gpu.memory.memory_types_as_slice();
    let fits = |index: &usize| bits & (1 << index) != 0 && types[*index].property_flags.contains(flags);
    let found = (0..types.len()).find(fits).context("no memory type fits")?;
    Ok(u32::try_from(found)?)
}

/// Any memory that can be mapped: its type, and the size of its heap.
pub(crate) fn mappable(gpu: &Gpu) -> Result<(u32, u64)> {
    let index = memory_type(gpu, u32::MAX, COHERENT)?;
    let heap = gpu.memory.memory_types[usize::try_from(index)?].heap_index;
    Ok((index, gpu.memory.memory_heaps[usize::try_from(heap)?].size))
}

/// Allocates; the driver's own answer is the error.
pub(crate) fn try_allocate(gpu: &Gpu, bytes: u64, index: u32) -> Result<vk::DeviceMemory, vk::Result> {
    let info = vk::MemoryAllocateInfo::default().allocation_size(bytes).memory_type_index(index);
    unsafe { gpu.device.allocate_memory(&info, None) }
}

pub(crate) fn allocate(gpu: &Gpu, bytes: u64, index: u32) -> Result<vk::DeviceMemory> {
    try_allocate(gpu, bytes, index).context("vkAllocateMemory")
}

/// Maps the whole of it; the driver's own answer is the error.
pub(crate) fn try_map(gpu: &Gpu, memory: vk::DeviceMemory) -> Result<*mut u8, vk::Result> {
    let all = vk::MemoryMapFlags::empty();
    unsafe { gpu.device.map_memory(memory, 0, vk::WHOLE_SIZE, all) }.map(<*mut std::ffi::c_void>::cast)
}

pub(crate) fn map(gpu: &Gpu, memory: vk::DeviceMemory) -> Result<*mut u8> {
    try_map(gpu, memory).context("vkMapMemory")
}

/// Does the device still work? Fills a buffer and reads it.
///
/// # Errors
///
/// Something fails, or the device writes something else.
pub(crate) fn alive(gpu: &Gpu, value: u32) -> Result<()> {
    let buffer = Mapped::new(gpu, 1 << 20, vk::BufferUsageFlags::empty())?;
    crate::work::run(gpu, |device, commands| unsafe {
        device.cmd_fill_buffer(commands, buffer.buffer, 0, vk::WHOLE_SIZE, value);
    })?;
    ensure!(buffer.words().all(|word| word == value), "the device no longer writes what it is told");
    buffer.free(gpu);
    Ok(())
}
