//! Memory of odd sizes, refused memory, more than there is, and churn.
//!
//! Right is every byte in its place; a refusal is an error code, or harmless until the memory is used, and the program
//! goes on; what is freed comes back.

use crate::device::{Found, Gpu};
use crate::memory::{Mapped, alive, allocate, buffer, map, mappable, try_allocate, try_map};
use crate::work::{fill, run};
use anyhow::{Context as _, Result, ensure};
use ash::vk;

/// Around pages, granules of images, and one byte.
const SIZES: [usize; 11] = [1, 2, 63, 64, 65, 4095, 4096, 4097, 65_535, 65_537, (1 << 20) + 1];

/// How an allocation of [`sizes`] is made.
#[derive(Debug, Clone, Copy)]
enum Kind {
    /// As large as the buffer needs.
    Plain,
    /// For this buffer alone.
    Dedicated,
    /// As large as was said, for no buffer.
    Exact,
}

pub(super) fn sizes(_: u32) -> Result<String> {
    let gpu = Gpu::new()?;
    let back = Mapped::new(&gpu, 2 << 20, vk::BufferUsageFlags::empty())?;
    let mut done = 0;
    for (index, kind) in (0..).zip(gpu.memory.memory_types_as_slice()) {
        if kind.property_flags.contains(vk::MemoryPropertyFlags::HOST_VISIBLE) {
            for (bytes, kind) in SIZES
                .into_iter()
                .flat_map(|bytes| [Kind::Plain, Kind::Dedicated, Kind::Exact].map(|kind| (bytes, kind)))
            {
                done += one_size(&gpu, index, bytes, kind, &back)
                    .with_context(|| format!("type {index}, {bytes} bytes, {kind:?}"))?;
            }
        }
    }
    Ok(format!("{done} allocations"))
}

/// The byte at a place: no two neighbours are alike.
fn pattern(place: usize) -> u8 {
    (place * 7 % 251) as u8
}

/// Fills one allocation, copies it on the device, and maps it again. Returns how many were made: none where the type does
/// not fit.
fn one_size(gpu: &Gpu, index: u32, bytes: usize, kind: Kind, back: &Mapped) -> Result<u32> {
    let size = u64::try_from(bytes)?;
    let buffer = buffer(gpu, size, vk::BufferUsageFlags::empty())?;
    let needs = unsafe { gpu.device.get_buffer_memory_requirements(buffer) };
    if needs.memory_type_bits & (1 << index) == 0 {
        return Ok(0);
    }
    let mut dedicated = vk::MemoryDedicatedAllocateInfo::default().buffer(buffer);
    let info = vk::MemoryAllocateInfo::default().memory_type_index(index);
    let info = match kind {
        Kind::Plain => info.allocation_size(needs.size),
        Kind::Dedicated => info.allocation_size(needs.size).push_next(&mut dedicated),
        Kind::Exact => info.allocation_size(size),
    };
    let memory = unsafe { gpu.device.allocate_memory(&info, None) }.context("vkAllocateMemory")?;
    let pointer = map(gpu, memory)?;
    (0..bytes).for_each(|place| unsafe { pointer.add(place).write_volatile(pattern(place)) });
    if !matches!(kind, Kind::Exact) {
        unsafe { gpu.device.bind_buffer_memory(buffer, memory, 0) }.context("vkBindBufferMemory")?;
        copied(gpu, buffer, size, back)?;
    }
    unsafe { gpu.device.unmap_memory(memory) };
    let pointer = map(gpu, memory)?;
    let same = (0..bytes).all(|place| unsafe { pointer.add(place).read_volatile() } == pattern(place));
    ensure!(same, "other bytes when it is mapped again");
    unsafe {
        gpu.device.destroy_buffer(buffer, None);
        gpu.device.free_memory(memory, None);
    }
    Ok(1)
}

/// Copies the buffer into `back` and compares.
fn copied(gpu: &Gpu, buffer: vk::Buffer, size: u64, back: &Mapped) -> Result<()> {
    back.set(0);
    let region = [vk::BufferCopy { src_offset: 0, dst_offset: 0, size }];
    run(gpu, |device, commands| unsafe { device.cmd_copy_buffer(commands, buffer, back.buffer, &region) })?;
    let bytes = back.words().flat_map(u32::to_ne_bytes).take(usize::try_from(size)?);
    ensure!(bytes.enumerate().all(|(place, byte)| byte == pattern(place)), "other bytes after a copy");
    Ok(())
}

pub(super) fn twice(_: u32) -> Result<String> {
    let gpu = Gpu::new()?;
    let (index, heap) = mappable(&gpu)?;
    let both = [(); 2].map(|()| try_allocate(&gpu, heap - (1 << 20), index));
    both.iter().flatten().for_each(|memory| unsafe { gpu.device.free_memory(*memory, None) });
    alive(&gpu, 1).context("after twice the heap")?;
    Ok(format!("{} of 2", both.iter().flatten().count()))
}

pub(super) fn churn(rounds: u32) -> Result<String> {
    let gpu = Gpu::new()?;
    let (index, _) = mappable(&gpu)?;
    for round in 0..rounds {
        let memory = allocate(&gpu, 4096 + u64::from(round % 7) * 10_000, index)?;
        let pointer = map(&gpu, memory).with_context(|| format!("round {round}"))?;
        unsafe {
            pointer.cast::<u32>().write_volatile(round);
            gpu.device.unmap_memory(memory);
            gpu.device.free_memory(memory, None);
        }
    }
    alive(&gpu, 2).context("at the end")?;
    Ok(format!("{rounds} rounds"))
}

pub(super) fn budget(mib: u32) -> Result<String> {
    let found = Found::new()?;
    found.require(ash::ext::memory_budget::NAME, "the device has no VK_EXT_memory_budget")?;
    let gpu = found.open(vk::DeviceCreateInfo::default())?;
    let before = used(&gpu)?;
    let buffer = Mapped::new(&gpu, u64::from(mib) << 20, vk::BufferUsageFlags::empty())?;
    buffer.set(1);
    let moved = i128::from(used(&gpu)?) - i128::from(before);
    Ok(format!("{} MiB more are used", moved >> 20))
}

/// One mapping of so many MiB.
pub(super) fn large(mib: u32) -> Result<String> {
    let gpu = Gpu::new()?;
    let buffer = Mapped::new(&gpu, u64::from(mib) << 20, vk::BufferUsageFlags::empty())?;
    run(&gpu, |device, commands| fill(device, commands, buffer.buffer, 1, mib))?;
    ensure!(buffer.ends_are(mib), "it holds something else than it was filled with");
    Ok(format!("{mib} MiB mapped"))
}

/// Bytes in use of the first heap; no heap's budget is above its size.
fn used(gpu: &Gpu) -> Result<u64> {
    let mut budget = vk::PhysicalDeviceMemoryBudgetPropertiesEXT::default();
    let mut properties = vk::PhysicalDeviceMemoryProperties2::default().push_next(&mut budget);
    unsafe { gpu.instance.get_physical_device_memory_properties2(gpu.physical, &mut properties) };
    let heaps = properties.memory_properties;
    for (heap, budget) in heaps.memory_heaps_as_slice().iter().zip(budget.heap_budget) {
        ensure!(budget <= heap.size, "a budget of {budget} bytes of a heap of {}", heap.size);
    }
    Ok(budget.heap_usage[0])
}

/// Asks for four times the heap, does `then` with what may look like memory, and goes on.
fn refused(then: impl FnOnce(&Gpu, vk::DeviceMemory) -> Result<String>) -> Result<String> {
    let gpu = Gpu::new()?;
    let (index, heap) = mappable(&gpu)?;
    let said = match try_allocate(&gpu, heap * 4, index) {
        Err(answer) => format!("vkAllocateMemory: {answer:?}"),
        Ok(memory) => {
            let said = then(&gpu, memory)?;
            unsafe { gpu.device.free_memory(memory, None) };
            said
        }
    };
    alive(&gpu, 3).context("after the refusal")?;
    Ok(said)
}

pub(super) fn refused_free(_: u32) -> Result<String> {
    refused(|_, _| Ok("nothing was said of the refusal".to_owned()))
}

pub(super) fn refused_bind(_: u32) -> Result<String> {
    refused(|gpu, memory| {
        let buffer = buffer(gpu, 1 << 20, vk::BufferUsageFlags::empty())?;
        let answer = unsafe { gpu.device.bind_buffer_memory(buffer, memory, 0) };
        unsafe { gpu.device.destroy_buffer(buffer, None) };
        Ok(format!("vkBindBufferMemory: {answer:?}"))
    })
}

pub(super) fn refused_map(_: u32) -> Result<String> {
    refused(|gpu, memory| {
        let answer = try_map(gpu, memory).map(|_| ());
        if answer.is_ok() {
            unsafe { gpu.device.unmap_memory(memory) };
        }
        Ok(format!("vkMapMemory: {answer:?}"))
    })
}

pub(super) fn many(number: u32) -> Result<String> {
    alive_at_once(number, true)
}

pub(super) fn many_unmapped(number: u32) -> Result<String> {
    alive_at_once(number, false)
}

/// Mapped allocations that nobody frees: the program ends with all that it has.
pub(super) fn left(number: u32) -> Result<String> {
    let gpu = Gpu::new()?;
    let (all, end) = up_to(&gpu, number, true)?;
    Ok(format!("{} allocations left, {end}", all.len()))
}

/// Allocations alive at once, and freed.
fn alive_at_once(number: u32, mapped: bool) -> Result<String> {
    let gpu = Gpu::new()?;
    let (all, end) = up_to(&gpu, number, mapped)?;
    let count = all.len();
    all.into_iter().for_each(|(memory, _)| unsafe { gpu.device.free_memory(memory, None) });
    alive(&gpu, 4).context("at the end")?;
    Ok(format!("{count} allocations, {end}"))
}

/// Memory, and where it is mapped.
type Page = (vk::DeviceMemory, Option<*mut u32>);

/// Allocations alive at once, up to `number` or to the driver's refusal, whichever comes first; and which it was.
fn up_to(gpu: &Gpu, number: u32, mapped: bool) -> Result<(Vec<Page>, String)> {
    let (index, _) = mappable(gpu)?;
    let mut all = Vec::new();
    let mut end = "all came to be".to_owned();
    for own in 0..number {
        match one_more(gpu, index, own, mapped) {
            Ok(one) => all.push(one),
            Err(answer) => {
                end = format!("then {answer:?}");
                break;
            }
        }
    }
    let right =
        |(own, pointer): (u32, &Option<*mut u32>)| pointer.is_none_or(|at| unsafe { at.read_volatile() } == own);
    ensure!((0..).zip(all.iter().map(|(_, pointer)| pointer)).all(right), "memory holds another's value");
    ensure!(!all.is_empty(), "not even one allocation: {end}");
    Ok((all, end))
}

/// One page, which holds its own number if it is mapped.
fn one_more(gpu: &Gpu, index: u32, own: u32, mapped: bool) -> Result<Page, vk::Result> {
    let memory = try_allocate(gpu, 4096, index)?;
    if !mapped {
        return Ok((memory, None));
    }
    match try_map(gpu, memory) {
        Ok(pointer) => {
            let pointer: *mut u32 = pointer.cast();
            unsafe { pointer.write_volatile(own) };
            Ok((memory, Some(pointer)))
        }
        Err(answer) => {
            unsafe { gpu.device.free_memory(memory, None) };
            Err(answer)
        }
    }
}
