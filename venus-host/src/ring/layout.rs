//! Where the parts of a ring are, and every check of `VkRingCreateInfoMESA`.
//!
//! The guest names a range of a shared-memory resource and places five parts in it:
//!
//! | part   | bytes        | written by | what |
//! |--------|-------------:|------------|------|
//! | head   |            4 | host       | bytes consumed, wraps at 2^32 |
//! | tail   |            4 | guest      | bytes produced, wraps at 2^32 |
//! | status |            4 | both       | bits IDLE, FATAL, ALIVE; atomic OR and AND only |
//! | buffer | a power of 2 | guest      | commands, at `position & (size - 1)` |
//! | extra  |    any, or 0 | host       | scratch words for vkWriteRingExtraMESA |
//!
//! What Mesa makes of it, for the 128 KiB ring of an instance (131 268 bytes in all):
//!
//! | offset | bytes   | part   |
//! |-------:|--------:|--------|
//! |      0 |       4 | head   |
//! |     64 |       4 | tail   |
//! |    128 |       4 | status |
//! |    192 | 131 072 | buffer |
//! | 131264 |       4 | extra  |
//!
//! The words have cache lines of their own, which is the guest's business: the host only asks that nothing overlaps.

use std::ops::Range;

use crate::{error::Fatal, limits};

/// The fields of `VkRingCreateInfoMESA` that place a ring, as the guest sent them: offsets are relative to `offset`.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct CreateInfo {
    pub(crate) offset: u64,
    pub(crate) size: u64,
    pub(crate) head_offset: u64,
    pub(crate) tail_offset: u64,
    pub(crate) status_offset: u64,
    pub(crate) buffer_offset: u64,
    pub(crate) buffer_size: u64,
    pub(crate) extra_offset: u64,
    pub(crate) extra_size: u64,
}

/// A checked placement: offsets from the start of the resource, all parts inside it, aligned, disjoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Layout {
    pub(crate) head: usize,
    pub(crate) tail: usize,
    pub(crate) status: usize,
    pub(crate) buffer: usize,
    /// A power of two.
    pub(crate) buffer_size: u32,
    pub(crate) extra: usize,
    pub(crate) extra_size: usize,
}

/// Bytes of a head, tail or status word.
const WORD: u64 = 4;

impl Layout {
    /// Checks `info` against a resource of `resource_size` bytes.
    pub(crate) fn new(info: &CreateInfo, resource_size: u64) -> Result<Self, Fatal> {
        let end = checked_end(info.offset, info.size, resource_size).ok_or_else(|| {
            bad("size", format!("{} bytes at {} exceed the resource's {resource_size}", info.size, info.offset))
        })?;

        if !info.buffer_size.is_power_of_two() || info.buffer_size > u64::from(limits::RING_BUFFER_BYTES) {
            let limit = limits::RING_BUFFER_BYTES;
            return Err(bad("bufferSize", format!("{} is no power of two of at most {limit}", info.buffer_size)));
        }
        let parts = [
            ("headOffset", info.head_offset, WORD),
            ("tailOffset", info.tail_offset, WORD),
            ("statusOffset", info.status_offset, WORD),
            ("bufferOffset", info.buffer_offset, info.buffer_size),
            ("extraOffset", info.extra_offset, info.extra_size),
        ];
        let mut ranges = [const { 0..0 }; 5];
        for ((member, offset, size), range) in parts.into_iter().zip(&mut ranges) {
            *range = place(member, info.offset, end, offset, size)?;
        }
        for (i, (member, ..)) in parts.iter().enumerate() {
            for (j, (other, ..)) in parts.iter().enumerate().skip(i.saturating_add(1)) {
                if let (Some(one), Some(two)) = (ranges.get(i), ranges.get(j))
                    && overlap(one, two)
                {
                    return Err(bad(member, format!("bytes {one:?} of the resource overlap {two:?} of {other}")));
                }
            }
        }
        let [head, tail, status, buffer, extra] = ranges;
        let too_large = |_| bad("bufferSize", "does not fit this machine".to_owned());
        Ok(Self {
            head: head.start,
            tail: tail.start,
            status: status.start,
            buffer: buffer.start,
            buffer_size: u32::try_from(info.buffer_size).map_err(too_large)?,
            extra: extra.start,
            extra_size: extra.len(),
        })
    }
}

/// The end of `size` bytes at `offset`, if that is at most `limit`.
pub(crate) fn checked_end(offset: u64, size: u64, limit: u64) -> Option<u64> {
    offset.checked_add(size).filter(|end| *end <= limit)
}

/// The range of one part in the resource: inside the ring's own range, which starts at `base` and ends at `end`.
fn place(member: &'static str, base: u64, end: u64, offset: u64, size: u64) -> Result<Range<usize>, Fatal> {
    let outside = || bad(member, format!("{size} bytes at {offset} do not lie inside the ring's memory"));
    let start = base.checked_add(offset).ok_or_else(outside)?;
    let stop = checked_end(start, size, end).ok_or_else(outside)?;
    if start % WORD != 0 || stop % WORD != 0 {
        return Err(bad(member, format!("{size} bytes at byte {start} of the resource are not aligned to {WORD}")));
    }
    match (usize::try_from(start), usize::try_from(stop)) {
        (Ok(start), Ok(stop)) => Ok(start..stop),
        _ => Err(outside()),
    }
}

/// Whether two ranges share a byte. Empty ones never do.
fn overlap(one: &Range<usize>, two: &Range<usize>) -> bool {
    !one.is_empty() && !two.is_empty() && one.start < two.end && two.start < one.end
}

#[cold]
fn bad(member: &'static str, reason: String) -> Fatal {
    Fatal::new("vkCreateRingMESA", reason).member(format!("pCreateInfo->{member}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Mesa's 128 KiB ring.
    const MESA: CreateInfo = CreateInfo {
        offset: 0,
        size: 131_268,
        head_offset: 0,
        tail_offset: 64,
        status_offset: 128,
        buffer_offset: 192,
        buffer_size: 131_072,
        extra_offset: 131_264,
        extra_size: 4,
    };

    /// The member blamed for `info`, or nothing if it is accepted.
    fn check(info: CreateInfo, resource_size: u64) -> Option<String> {
        let member = Layout::new(&info, resource_size).err()?.member.unwrap();
        Some(member.strip_prefix("pCreateInfo->").unwrap().to_owned())
    }

    #[test]
    fn mesas_ring_is_accepted() {
        let layout = Layout::new(&MESA, 131_268).unwrap();
        assert_eq!((layout.head, layout.tail, layout.status, layout.buffer), (0, 64, 128, 192));
        assert_eq!((layout.buffer_size, layout.extra, layout.extra_size), (131_072, 131_264, 4));
        let shifted = Layout::new(&CreateInfo { offset: 4096, ..MESA }, 4096 + 131_268).unwrap();
        assert_eq!((shifted.head, shifted.buffer), (4096, 4288));
    }

    #[test]
    fn every_rule_names_its_member() {
        let max = u64::MAX;
        for (info, resource_size, member) in [
            (MESA, 131_267, Some("size")),
            (CreateInfo { offset: 4, ..MESA }, 131_268, Some("size")),
            (CreateInfo { offset: max, ..MESA }, 131_268, Some("size")),
            (CreateInfo { size: max, offset: 8, ..MESA }, 131_268, Some("size")),
            (CreateInfo { buffer_size: 0, ..MESA }, 131_268, Some("bufferSize")),
            (CreateInfo { buffer_size: 96, ..MESA }, 131_268, Some("bufferSize")),
            (CreateInfo { buffer_size: 32 << 20, size: 64 << 20, ..MESA }, 64 << 20, Some("bufferSize")),
            (CreateInfo { buffer_size: 2, ..MESA }, 131_268, Some("bufferOffset")),
            (CreateInfo { head_offset: 2, ..MESA }, 131_268, Some("headOffset")),
            (CreateInfo { head_offset: 131_268, ..MESA }, 131_268, Some("headOffset")),
            (CreateInfo { head_offset: max - 3, ..MESA }, 131_268, Some("headOffset")),
            (CreateInfo { tail_offset: 0, ..MESA }, 131_268, Some("headOffset")),
            (CreateInfo { tail_offset: 131_266, ..MESA }, 131_268, Some("tailOffset")),
            (CreateInfo { status_offset: 64, ..MESA }, 131_268, Some("tailOffset")),
            (CreateInfo { status_offset: 200, ..MESA }, 131_268, Some("statusOffset")),
            (CreateInfo { buffer_offset: 132, buffer_size: 65_536, ..MESA }, 131_268, None),
            (CreateInfo { buffer_offset: 128, ..MESA }, 131_268, Some("statusOffset")),
            (CreateInfo { buffer_offset: 200, ..MESA }, 131_268, Some("bufferOffset")),
            (CreateInfo { extra_offset: 131_260, ..MESA }, 131_268, Some("bufferOffset")),
            (CreateInfo { extra_size: 8, ..MESA }, 131_268, Some("extraOffset")),
            (CreateInfo { extra_size: 2, ..MESA }, 131_268, Some("extraOffset")),
            (CreateInfo { extra_size: 0, ..MESA }, 131_268, None),
            (CreateInfo { extra_size: 0, extra_offset: 64, ..MESA }, 131_268, None),
            (CreateInfo { extra_size: 0, extra_offset: 131_272, ..MESA }, 131_272, Some("extraOffset")),
        ] {
            assert_eq!(check(info, resource_size).as_deref(), member, "{info:?} in {resource_size}");
        }
    }
}
