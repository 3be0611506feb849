//! The same, of ranges of buffers: they end where the buffer does.
//!
//! A range without bytes may begin at the end, though Vulkan lets it begin before that only: there is nothing that it could
//! reach.

use ash::vk;

use super::{
    super::{Refusal, device::slice, format, made::Known},
    refusal,
};

/// `size` bytes from `offset` on, which `member` says, are the buffer's, if there is one.
#[inline]
pub(crate) fn inside(member: &'static str, buffer: Option<u64>, offset: u64, size: u64) -> Result<(), Refusal> {
    match buffer {
        Some(bytes) if offset.checked_add(size).is_none_or(|end| end > bytes) => beyond(member, offset, size, bytes),
        _ => Ok(()),
    }
}

/// The same, where a size may stand for the rest of the buffer.
#[inline]
pub(crate) fn inside_or_rest(member: &'static str, buffer: Option<u64>, offset: u64, size: u64) -> Result<(), Refusal> {
    inside(member, buffer, offset, if size == vk::WHOLE_SIZE { 0 } else { size })
}

#[cold]
fn beyond(member: &'static str, offset: u64, size: u64, bytes: u64) -> Result<(), Refusal> {
    Err(refusal(member, format!("{size} bytes from {offset} on are more than the {bytes} there are")))
}

/// What is copied from one buffer to another.
pub(crate) fn check_copy(
    known: &mut Known<'_>,
    [from, to]: [vk::Buffer; 2],
    regions: impl Iterator<Item = [u64; 3]>,
) -> Result<(), Refusal> {
    let (from, to) = (known.buffer(from), known.buffer(to));
    for [src_offset, dst_offset, size] in regions {
        inside("pRegions[].srcOffset", from, src_offset, size)?;
        inside("pRegions[].dstOffset", to, dst_offset, size)?;
    }
    Ok(())
}

/// The same, for the newer version of the command.
pub(crate) fn check_copy2(known: &mut Known<'_>, info: &vk::CopyBufferInfo2<'_>) -> Result<(), Refusal> {
    // SAFETY: count and pointer belong together and live as long as `info`: the decoder made them.
    let regions = unsafe { slice(info.p_regions, info.region_count) };
    let regions = regions.iter().map(|region| [region.src_offset, region.dst_offset, region.size]);
    check_copy(known, [info.src_buffer, info.dst_buffer], regions)
}

/// What a view shows.
pub(crate) fn check_view(known: &mut Known<'_>, info: &vk::BufferViewCreateInfo<'_>) -> Result<(), Refusal> {
    format::check("pCreateInfo->format", info.format)?;
    inside_or_rest("pCreateInfo->range", known.buffer(info.buffer), info.offset, info.range)
}

/// Where an acceleration structure lies.
pub(crate) fn check_acceleration_structure(
    known: &mut Known<'_>,
    info: &vk::AccelerationStructureCreateInfoKHR<'_>,
) -> Result<(), Refusal> {
    inside("pCreateInfo->size", known.buffer(info.buffer), info.offset, info.size)
}

/// Where a condition lies.
pub(crate) fn check_condition(
    known: &mut Known<'_>,
    info: &vk::ConditionalRenderingBeginInfoEXT<'_>,
) -> Result<(), Refusal> {
    inside("pConditionalRenderingBegin->offset", known.buffer(info.buffer), info.offset, 4)
}

/// Buffers that are bound from offsets on; sizes may be missing, and buffers null.
#[inline]
pub(crate) fn check_bound(
    known: &mut Known<'_>,
    buffers: &[vk::Buffer],
    offsets: &[u64],
    sizes: &[u64],
) -> Result<(), Refusal> {
    let mut sizes = sizes.iter();
    for (buffer, offset) in buffers.iter().zip(offsets) {
        let size = sizes.next().copied().unwrap_or_default();
        inside_or_rest("pOffsets", known.buffer(*buffer), *offset, size)?;
    }
    Ok(())
}

/// Counters of transform feedback, some of which may be null.
pub(crate) fn check_counters(known: &mut Known<'_>, counters: &[vk::Buffer], offsets: &[u64]) -> Result<(), Refusal> {
    let mut offsets = offsets.iter();
    for counter in counters {
        let offset = offsets.next().copied().unwrap_or_default();
        inside("pCounterBufferOffsets", known.buffer(*counter), offset, 4)?;
    }
    Ok(())
}

/// Where results of so many queries go, each `stride` after the last: so many numbers for each, and whether they are there.
pub(crate) fn check_results(
    buffer: Option<u64>,
    offset: u64,
    (count, stride): (u32, u64),
    (numbers, flags): (u32, vk::QueryResultFlags),
) -> Result<(), Refusal> {
    let bytes = if flags.contains(vk::QueryResultFlags::TYPE_64) { 8 } else { 4 };
    let told = flags & (vk::QueryResultFlags::WITH_AVAILABILITY | vk::QueryResultFlags::WITH_STATUS_KHR);
    let numbers = u64::from(numbers).saturating_add(told.as_raw().count_ones().into());
    let last = u64::from(count).saturating_sub(1).saturating_mul(stride);
    let size = last.saturating_add(numbers.saturating_mul(bytes));
    inside("dstOffset", buffer, offset, if count == 0 { 0 } else { size })
}

/// Parameters of `count` indirect draws of so many bytes, each `stride` after the last, or of as many as there are at most.
#[inline]
pub(crate) fn check_indirect(
    buffer: Option<u64>,
    offset: u64,
    [count, stride, bytes]: [u32; 3],
) -> Result<(), Refusal> {
    let last = u64::from(count).saturating_sub(1).saturating_mul(stride.into());
    let bytes = if count == 0 { 0 } else { last.saturating_add(bytes.into()) };
    inside("offset", buffer, offset, bytes)
}

/// Where it lies how many draws there are.
#[inline]
pub(crate) fn check_count(buffer: Option<u64>, offset: u64) -> Result<(), Refusal> {
    inside("countBufferOffset", buffer, offset, 4)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_end_with_their_buffer() {
        let check = |offset, size| inside("size", Some(64), offset, size).is_ok();
        assert!(check(0, 64) && check(60, 4) && check(64, 0));
        assert!(!check(0, 65) && !check(61, 4) && !check(65, 0) && !check(u64::MAX, 1) && !check(1, u64::MAX));
        assert!(inside("size", None, u64::MAX, 1).is_ok());
        let rest = |offset| inside_or_rest("size", Some(64), offset, vk::WHOLE_SIZE).is_ok();
        assert!(rest(0) && rest(63) && !rest(65));
    }

    #[test]
    fn results_end_with_the_buffer() {
        let (short, long) = (vk::QueryResultFlags::empty(), vk::QueryResultFlags::TYPE_64);
        let check = |offset, queries, numbers| check_results(Some(64), offset, queries, numbers).is_ok();
        assert!(check(60, (1, 0), (1, short)) && check(0, (8, 8), (1, long)) && check(64, (0, 8), (1, long)));
        assert!(!check(61, (1, 0), (1, short)) && !check(0, (9, 8), (1, long)));
        assert!(
            check(16, (1, 0), (11, short))
                && !check(16, (1, 0), (11, short | vk::QueryResultFlags::WITH_AVAILABILITY | long))
        );
        let told = vk::QueryResultFlags::WITH_AVAILABILITY;
        assert!(check(56, (1, 0), (1, told)) && !check(60, (1, 0), (1, told)));
    }

    #[test]
    fn the_last_of_several_draws_ends_with_the_buffer() {
        let check = |offset, draws| check_indirect(Some(64), offset, draws).is_ok();
        assert!(check(0, [4, 16, 16]) && check(4, [3, 20, 16]) && check(48, [1, u32::MAX, 16]));
        assert!(!check(0, [5, 16, 16]) && !check(12, [3, 20, 16]) && !check(49, [1, 0, 16]));
        assert!(check(64, [0, 16, 16]) && !check(0, [u32::MAX, u32::MAX, u32::MAX]));
    }
}
