//! Memory shared with the host.
//!
//! The host reads and writes these pages at any time, so no reference to plain data ever points into them: every access
//! is an atomic one, and whoever needs a stable value copies it out first. This is the only module that touches raw
//! memory.
#![expect(unsafe_code, reason = "maps memory and makes atomics of it; everything above is safe")]

use std::any::Any;
use std::os::fd::AsFd;
use std::ptr::{self, NonNull};
use std::sync::atomic::{AtomicU8, AtomicU32, Ordering};

use anyhow::{Context as _, Result, ensure};
use rustix::mm::{MapFlags, ProtFlags, mmap, munmap};

/// Pages of a blob, mapped until this is dropped.
#[derive(Debug)]
pub struct Mapping {
    base: NonNull<u8>,
    len: usize,
    /// Who has mapped them and will unmap them, if that was not us.
    keeper: Option<Box<dyn Any + Send>>,
}

impl Mapping {
    /// Maps the first `len` bytes of what `fd` names.
    pub fn new(fd: impl AsFd, len: usize) -> Result<Self> {
        let found = rustix::fs::fstat(&fd).context("looking at a blob")?;
        // A dma-buf has no size here; touching memory behind the end of a file would kill us.
        let known = u64::try_from(found.st_size).unwrap_or(0);
        let need = u64::try_from(len).context("a blob's size")?;
        ensure!(known == 0 || known >= need, "the host gave a blob of {known} bytes, {len} were asked for");
        // SAFETY:
        // - A null hint lets the kernel choose where, so no existing mapping is replaced.
        // - Nothing but this structure knows of the new one, and it makes atomics of it only.
        let base = unsafe { mmap(ptr::null_mut(), len, ProtFlags::READ | ProtFlags::WRITE, MapFlags::SHARED, fd, 0) };
        let base = NonNull::new(base.context("mapping a blob")?.cast()).context("a blob was mapped at null")?;
        Ok(Self { base, len, keeper: None })
    }

    /// Pages that `keeper` keeps mapped.
    ///
    /// # Safety
    ///
    /// `len` bytes from `base`, which is aligned to words, can be read and written as long as `keeper` lives, and this
    /// process accesses them through atomics and raw pointers only.
    pub unsafe fn kept(base: NonNull<u8>, len: usize, keeper: Box<dyn Any + Send>) -> Self {
        Self { base, len, keeper: Some(keeper) }
    }

    /// Bytes that can be accessed.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there is nothing to access.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The word at `offset`, a multiple of 4.
    #[inline]
    pub fn word(&self, offset: usize) -> Result<&AtomicU32> {
        ensure!(offset.is_multiple_of(4), "offset {offset} is not that of a word");
        ensure!(offset < self.len && self.len - offset >= 4, "word {offset} is behind the end of {} bytes", self.len);
        // SAFETY: the word lies in the mapping, by the check above.
        let word = unsafe { self.base.as_ptr().add(offset) };
        // SAFETY:
        // - A mapping begins at a page, or at a word by the contract of `kept`, and the offset is a multiple of 4, so the
        //   word is aligned.
        // - It stays mapped as long as `self` is borrowed.
        // - All access from this process goes through atomics.
        Ok(unsafe { AtomicU32::from_ptr(word.cast()) })
    }

    /// The bytes from `offset`, a multiple of 4: whole words, and what is left at the end.
    fn parts(&self, offset: usize, len: usize) -> Result<(&[AtomicU32], &[AtomicU8])> {
        ensure!(offset.is_multiple_of(4), "offset {offset} is not that of a word");
        ensure!(
            offset <= self.len && self.len - offset >= len,
            "{len} bytes at {offset} are behind the end of {} bytes",
            self.len
        );
        let words = len / 4;
        // SAFETY: the range lies in the mapping, by the check above.
        let start = unsafe { self.base.as_ptr().add(offset) };
        // SAFETY:
        // - `words` words from the aligned `start` lie in the range, and stay mapped as long as `self` is borrowed.
        // - Atomics have the size of what they hold and may be shared; all access from this process goes through them.
        let head = unsafe { std::slice::from_raw_parts(start.cast::<AtomicU32>(), words) };
        // SAFETY: `len % 4` bytes behind the words lie in the same range.
        let rest = unsafe { start.add(words * 4) };
        // SAFETY: as for the words.
        let tail = unsafe { std::slice::from_raw_parts(rest.cast::<AtomicU8>(), len % 4) };
        Ok((head, tail))
    }

    /// Copies `bytes` in at `offset`, a multiple of 4.
    pub fn write(&self, offset: usize, bytes: &[u8]) -> Result<()> {
        let (words, rest) = self.parts(offset, bytes.len())?;
        let (chunks, tail) = bytes.as_chunks::<4>();
        for (word, chunk) in words.iter().zip(chunks) {
            word.store(u32::from_ne_bytes(*chunk), Ordering::Relaxed);
        }
        for (byte, value) in rest.iter().zip(tail) {
            byte.store(*value, Ordering::Relaxed);
        }
        Ok(())
    }

    /// Copies the bytes at `offset`, a multiple of 4, out.
    pub fn read(&self, offset: usize, bytes: &mut [u8]) -> Result<()> {
        let (words, rest) = self.parts(offset, bytes.len())?;
        let (chunks, tail) = bytes.as_chunks_mut::<4>();
        for (word, chunk) in words.iter().zip(chunks) {
            *chunk = word.load(Ordering::Relaxed).to_ne_bytes();
        }
        for (byte, value) in rest.iter().zip(tail) {
            *value = byte.load(Ordering::Relaxed);
        }
        Ok(())
    }
}

// SAFETY: the pages belong to the process, not to a thread; unmapping them elsewhere is allowed.
unsafe impl Send for Mapping {}

impl Drop for Mapping {
    fn drop(&mut self) {
        if self.keeper.is_some() {
            return;
        }
        // SAFETY: without a keeper, this is the range that `new` mapped; every borrow of it has ended.
        let unmapped = unsafe { munmap(self.base.as_ptr().cast(), self.len) };
        // It fails for ranges that are no mapping, which this one is.
        debug_assert!(unmapped.is_ok(), "a mapping can be unmapped");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(len: u64) -> std::fs::File {
        let file = tempfile::tempfile().unwrap();
        file.set_len(len).unwrap();
        file
    }

    #[test]
    fn memory_that_is_kept_is_used_and_let_go() {
        use std::sync::Arc;
        let words = Arc::new([const { AtomicU32::new(7) }; 4]);
        // SAFETY: the array of atomics lives as long as what keeps it.
        let kept = unsafe { Mapping::kept(NonNull::from(&words[0]).cast(), 16, Box::new(Arc::clone(&words))) };
        kept.write(4, b"abcd").unwrap();
        assert_eq!(words[1].load(Ordering::Relaxed), u32::from_ne_bytes(*b"abcd"));
        assert!(kept.word(12).unwrap().load(Ordering::Relaxed) == 7 && kept.word(16).is_err());
        drop(kept);
        assert_eq!(Arc::strong_count(&words), 1);
    }

    fn mapping(len: usize) -> Mapping {
        Mapping::new(file(12), len).unwrap()
    }

    #[test]
    fn what_is_written_can_be_read() {
        let mapping = mapping(12);
        mapping.write(4, b"abcdefg").unwrap();
        let mut bytes = [0; 8];
        mapping.read(4, &mut bytes).unwrap();
        assert_eq!(&bytes, b"abcdefg\0");
        assert_eq!(mapping.word(4).unwrap().load(Ordering::Relaxed), u32::from_ne_bytes(*b"abcd"));
    }

    #[test]
    fn nothing_behind_the_end_is_touched() {
        let mapping = mapping(12);
        assert!(mapping.word(12).is_err() && mapping.word(2).is_err() && mapping.word(usize::MAX - 3).is_err());
        assert!(mapping.read(8, &mut [0; 5]).is_err() && mapping.read(usize::MAX - 3, &mut [0; 4]).is_err());
        assert!(mapping.write(8, b"abcde").is_err());
    }

    #[test]
    fn a_file_that_is_too_short_is_refused() {
        assert!(Mapping::new(file(12), 16).is_err());
    }
}
