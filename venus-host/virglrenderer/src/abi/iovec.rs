//! Pages of the guest, as a monitor names them: an array of addresses and lengths in its own address space.
//!
//! The guest may write to them at any time, so bytes are copied with volatile accesses and never borrowed.

use std::ffi::c_void;

use venus_host::resource::volatile;

/// `struct iovec`.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub(crate) struct IoVec {
    /// Where the bytes begin.
    pub(crate) base: *mut c_void,
    /// How many there are.
    pub(crate) len: usize,
}
const _: () = assert!(size_of::<IoVec>() == 16);

/// An array of pieces of the guest's memory, which stays the monitor's.
#[derive(Debug, Clone, Copy)]
pub(crate) struct GuestPages {
    pieces: *const IoVec,
    count: usize,
}

// SAFETY: what is behind the pointers is memory of the guest, which every thread of the monitor may access; the array
// itself is only read, and stays as it is by the contract of `new`.
unsafe impl Send for GuestPages {}

/// Which way bytes go.
#[derive(Debug)]
enum Copy<'a> {
    Out(&'a mut [u8]),
    In(&'a [u8]),
}

impl GuestPages {
    /// # Safety
    ///
    /// `pieces` points to `count` pieces, which stay as they are for as long as the value is used. Each piece names memory
    /// that can be read and written for as long, and that nobody has a Rust reference to.
    pub(crate) unsafe fn new(pieces: *const IoVec, count: usize) -> Self {
        Self { pieces, count: if pieces.is_null() { 0 } else { count } }
    }

    /// The array, to be given back.
    pub(crate) fn array(&self) -> (*mut IoVec, usize) {
        (self.pieces.cast_mut(), self.count)
    }

    /// What copies, beginning with the first piece.
    pub(crate) fn cursor(&self) -> Cursor {
        Cursor { pages: *self, index: 0, before: 0 }
    }

    /// A piece, if there is one of that position. A null one has no bytes.
    fn piece(&self, index: usize) -> Option<IoVec> {
        if index >= self.count {
            return None;
        }
        // SAFETY: the array has `count` pieces, by the contract of `new`.
        let piece = unsafe { self.pieces.wrapping_add(index).read() };
        Some(if piece.base.is_null() { IoVec { len: 0, ..piece } } else { piece })
    }
}

/// Copies between pages and private bytes, and remembers where: a transfer whose rows come in order looks at each piece
/// about once, however many a guest has made.
#[derive(Debug)]
pub(crate) struct Cursor {
    pages: GuestPages,
    /// The piece that the last copy began in.
    index: usize,
    /// Bytes in front of it.
    before: usize,
}

impl Cursor {
    /// Copies bytes out, from `offset` on. False, and nothing is known of the bytes, if there are not so many.
    #[must_use]
    pub(crate) fn copy_out(&mut self, offset: u64, private: &mut [u8]) -> bool {
        self.copy(offset, Copy::Out(private))
    }

    /// Copies bytes in, from `offset` on. False if there is not so much room.
    #[must_use]
    pub(crate) fn copy_in(&mut self, offset: u64, private: &[u8]) -> bool {
        self.copy(offset, Copy::In(private))
    }

    fn copy(&mut self, offset: u64, mut rest: Copy<'_>) -> bool {
        let Ok(offset) = usize::try_from(offset) else { return false };
        self.seek(offset);
        let mut skipped = offset.saturating_sub(self.before);
        for index in self.index..self.pages.count {
            if rest.len() == 0 {
                break;
            }
            let Some(piece) = self.pages.piece(index) else { break };
            if skipped >= piece.len {
                skipped = skipped.saturating_sub(piece.len);
                continue;
            }
            let start = piece.base.cast::<u8>().wrapping_add(skipped);
            let length = piece.len.saturating_sub(skipped).min(rest.len());
            skipped = 0;
            // SAFETY: `length` bytes from `start` lie inside the piece, which is memory of the guest by the contract of
            // `new`.
            unsafe { rest.step(start, length) };
        }
        rest.len() == 0
    }

    /// Goes to the piece that `offset` lies in.
    fn seek(&mut self, offset: usize) {
        if offset < self.before {
            (self.index, self.before) = (0, 0);
        }
        while let Some(piece) = self.pages.piece(self.index)
            && let Some(end) = self.before.checked_add(piece.len)
            && end <= offset
        {
            self.index = self.index.saturating_add(1);
            self.before = end;
        }
    }
}

impl Copy<'_> {
    fn len(&self) -> usize {
        match self {
            Self::Out(bytes) => bytes.len(),
            Self::In(bytes) => bytes.len(),
        }
    }

    /// Copies the first `length` bytes and goes on behind them.
    ///
    /// # Safety
    ///
    /// `shared` points to `length` bytes that can be read and written, and that nobody has a Rust reference to. There are
    /// as many left to copy.
    unsafe fn step(&mut self, shared: *mut u8, length: usize) {
        match self {
            Self::Out(bytes) => {
                let (now, later) = std::mem::take(bytes).split_at_mut(length);
                // SAFETY: the contract of this function.
                unsafe { volatile::copy_out(shared, now) };
                *bytes = later;
            }
            Self::In(bytes) => {
                let (now, later) = bytes.split_at(length);
                // SAFETY: the contract of this function.
                unsafe { volatile::copy_in(shared, now) };
                *bytes = later;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Pieces of a buffer, with the lengths given, one after the other.
    fn pieces(memory: *mut u8, lengths: &[usize]) -> Vec<IoVec> {
        let mut at = 0;
        let piece = |&len| {
            let base = memory.wrapping_add(at).cast();
            at += len;
            IoVec { base, len }
        };
        lengths.iter().map(piece).collect()
    }

    #[test]
    fn bytes_cross_pieces_in_both_directions() {
        let mut memory: Vec<u8> = (0..100).collect();
        let array = pieces(memory.as_mut_ptr(), &[3, 0, 40, 57]);
        // SAFETY: the pieces are parts of `memory`, which nobody uses meanwhile.
        let pages = unsafe { GuestPages::new(array.as_ptr(), array.len()) };
        for offset in 0..60 {
            let mut bytes = [0; 37];
            assert!(pages.cursor().copy_out(offset, &mut bytes));
            let expected: Vec<u8> = (0..37).map(|byte| u8::try_from(offset).unwrap() + byte).collect();
            assert_eq!(bytes.as_slice(), expected);
        }
        assert!(pages.cursor().copy_in(1, &[200; 44]));
        assert_eq!(memory[0], 0);
        assert_eq!(memory[1..45], [200; 44]);
        assert_eq!(memory[45], 45);
    }

    #[test]
    fn nothing_behind_the_last_piece_is_touched() {
        let mut memory = [7; 16];
        let array = pieces(memory.as_mut_ptr(), &[4, 4]);
        // SAFETY: the pieces are parts of `memory`, which nobody uses meanwhile.
        let pages = unsafe { GuestPages::new(array.as_ptr(), array.len()) };
        // One that has come to the end is as good as a new one.
        let mut cursor = pages.cursor();
        assert!(!cursor.copy_out(0, &mut [0; 9]));
        assert!(!cursor.copy_out(8, &mut [0; 1]));
        assert!(cursor.copy_out(8, &mut []));
        assert!(!cursor.copy_in(u64::MAX, &[1]));
        assert!(!cursor.copy_in(4, &[1; 5]));
        assert_eq!(memory[8..], [7; 8]);
        // SAFETY: no array is no pieces, whatever the count says.
        let none = unsafe { GuestPages::new(std::ptr::null(), 3) };
        assert!(!none.cursor().copy_out(0, &mut [0]));
    }

    #[test]
    fn rows_go_on_where_the_last_one_began() {
        let mut memory: Vec<u8> = (0..64).collect();
        let mut array = pieces(memory.as_mut_ptr(), &[4; 16]);
        array.insert(3, IoVec { base: std::ptr::null_mut(), len: 9 });
        // SAFETY: the pieces are parts of `memory`, which nobody uses meanwhile.
        let pages = unsafe { GuestPages::new(array.as_ptr(), array.len()) };
        let mut cursor = pages.cursor();
        // In order, overlapping, and back again.
        for (offset, index) in [(0, 0), (5, 1), (6, 1), (13, 4), (60, 16), (2, 0), (61, 16)] {
            let mut row = [0; 3];
            assert!(cursor.copy_out(offset, &mut row));
            assert_eq!((u64::from(row[0]), cursor.index), (offset, index));
            assert_eq!([row[1], row[2]], [row[0] + 1, row[0] + 2]);
        }
    }
}
