//! The shared words and the buffer of one ring.
//!
//! The only file that decides memory orderings between host and guest:
//!
//! | access | ordering | why |
//! |---|---|---|
//! | load tail, polling | Acquire | pairs with the guest's release store: the commands before it are visible |
//! | load tail, going idle | SeqCst | see below |
//! | store head | Release | pairs with the guest's acquire load: replies written before it are visible |
//! | OR/AND status | SeqCst | see below |
//! | store extra word | Release | as head |
//!
//! Going idle is the store-buffer litmus test. The host sets IDLE and then looks at tail; the guest moves tail and then
//! looks at IDLE. At least one of them has to see the other's store, or the guest's commands lie there until somebody
//! notices. That takes a total order over all four accesses: an acquire load may pass the earlier read-modify-write
//! (LDAPR on ARMv8.3 does), a sequentially consistent one may not.

#![allow(
    unsafe_code,
    reason = "keeps pointers into the mapping that it owns, so that a ring need not check offsets per command"
)]

use std::{ptr::NonNull, sync::Arc};

use super::Layout;
use crate::{
    resource::{Mapping, mapping::OutOfRange},
    sync::atomic::{AtomicU32, Ordering},
};

/// The host sleeps and wants vkNotifyRingMESA.
pub(crate) const STATUS_IDLE: u32 = 0x1;
/// The context is lost; Mesa aborts the process when it sees this.
pub(crate) const STATUS_FATAL: u32 = 0x2;
/// The host lives; the guest clears it now and then, and gives up on a host that does not set it again.
pub(crate) const STATUS_ALIVE: u32 = 0x4;

/// A ring's memory.
#[derive(Debug)]
pub(crate) struct Region {
    head: NonNull<AtomicU32>,
    tail: NonNull<AtomicU32>,
    status: NonNull<AtomicU32>,
    layout: Layout,
    /// Keeps the three words mapped. Last, since they point into it.
    mapping: Arc<Mapping>,
}

// SAFETY: the pointers refer to atomics in `mapping`, which is `Send` and `Sync` itself and lives as long as they do.
unsafe impl Send for Region {}

// SAFETY: as for `Send`.
unsafe impl Sync for Region {}

impl Region {
    /// The ring that `layout` places in `mapping`.
    pub(crate) fn new(mapping: Arc<Mapping>, layout: Layout) -> Result<Self, OutOfRange> {
        let head = NonNull::from(mapping.atomic_u32(layout.head)?);
        let tail = NonNull::from(mapping.atomic_u32(layout.tail)?);
        let status = NonNull::from(mapping.atomic_u32(layout.status)?);
        Ok(Self { head, tail, status, layout, mapping })
    }

    /// Bytes in the buffer, a power of two.
    pub(crate) fn buffer_size(&self) -> u32 {
        self.layout.buffer_size
    }

    fn word(&self, word: NonNull<AtomicU32>) -> &AtomicU32 {
        // SAFETY: every caller passes one of the three fields, which `new` took from a checked `Mapping::atomic_u32` of
        // the mapping that `self` keeps alive.
        unsafe { word.as_ref() }
    }

    /// How far the guest has written.
    pub(crate) fn tail(&self) -> u32 {
        self.word(self.tail).load(Ordering::Acquire)
    }

    /// How far the guest has written, in the one order of all idle handshakes.
    pub(crate) fn tail_after_idle(&self) -> u32 {
        self.word(self.tail).load(Ordering::SeqCst)
    }

    /// What the head word says, which a guest may have changed: only for the check at creation.
    pub(crate) fn published_head(&self) -> u32 {
        self.word(self.head).load(Ordering::Acquire)
    }

    /// Tells the guest how far the host has come.
    pub(crate) fn publish_head(&self, head: u32) {
        self.word(self.head).store(head, Ordering::Release);
    }

    /// The status word.
    pub(crate) fn status(&self) -> u32 {
        self.word(self.status).load(Ordering::SeqCst)
    }

    /// Sets status bits.
    pub(crate) fn set_status(&self, bits: u32) {
        self.word(self.status).fetch_or(bits, Ordering::SeqCst);
    }

    /// Clears status bits.
    pub(crate) fn clear_status(&self, bits: u32) {
        self.word(self.status).fetch_and(!bits, Ordering::SeqCst);
    }

    /// Copies the commands from `position` on out of the buffer, around its end if need be.
    pub(crate) fn fetch(&self, position: u32, private: &mut [u8]) -> Result<(), OutOfRange> {
        let index = position & (self.layout.buffer_size.wrapping_sub(1));
        let until_end = self.layout.buffer_size.wrapping_sub(index);
        let split = private.len().min(usize::try_from(until_end).unwrap_or(usize::MAX));
        let (before, after) = private.split_at_mut(split);
        let start = self.layout.buffer.saturating_add(usize::try_from(index).unwrap_or(usize::MAX));
        self.mapping.copy_out(start, before)?;
        self.mapping.copy_out(self.layout.buffer, after)
    }

    /// Writes a word of the extra region; `None` if `offset` does not lie in it.
    pub(crate) fn write_extra(&self, offset: u64, value: u32) -> Option<()> {
        let offset = usize::try_from(offset).ok()?;
        let end = offset.checked_add(4)?;
        if end > self.layout.extra_size {
            return None;
        }
        let word = self.mapping.atomic_u32(self.layout.extra.checked_add(offset)?).ok()?;
        word.store(value, Ordering::Release);
        Some(())
    }
}
