//! Structures that begin with their size, so that caller and library may be of different versions.

use std::ptr;

use venus_ffi::Error;

/// A structure whose first member is its size.
///
/// # Safety
///
/// It is `repr(C)`, its first member is a `usize`, and every pattern of bytes is a value of it.
pub(crate) unsafe trait Versioned: Sized {
    /// What errors call it.
    const NAME: &'static str;
    /// Bytes of its first version: what it has now, until members are added.
    const LEAST: usize;

    /// One with all members zero, but for the size.
    fn zeroed() -> Self {
        // SAFETY: every pattern of bytes is a value, by the contract of this trait.
        let mut zeroed: Self = unsafe { std::mem::zeroed() };
        // SAFETY: its first member is a `usize`, by the same.
        unsafe { (&raw mut zeroed).cast::<usize>().write(size_of::<Self>()) };
        zeroed
    }
}

/// Reads one of whatever version. Members that the caller does not know are zero; members that we do not know have to be.
///
/// # Safety
///
/// `from` is null, or points to as many readable bytes as its first member says.
pub(crate) unsafe fn read<T: Versioned>(from: *const T) -> Result<T, Error> {
    // SAFETY: the caller's promise.
    let size = unsafe { size_of_caller::<T>(from) }?;
    let mut value = T::zeroed();
    let known = size.min(size_of::<T>());
    // SAFETY:
    // - the caller promises `size` readable bytes, and there is room for `known` in `value`, which is our own;
    // - every pattern of bytes is a value, by the contract of `Versioned`.
    unsafe { ptr::copy_nonoverlapping(from.cast::<u8>(), (&raw mut value).cast::<u8>(), known) };
    for offset in known..size {
        // SAFETY: it is below the size that the caller promises.
        let byte = unsafe { from.cast::<u8>().add(offset) };
        // SAFETY: as above.
        if unsafe { byte.read() } != 0 {
            let name = T::NAME;
            return Err(Error::argument(format!(
                "{name} has a member at byte {offset} that this library does not know"
            )));
        }
    }
    Ok(value)
}

/// Writes as much of `value` as the caller knows, and leaves the caller's size as it is.
///
/// # Safety
///
/// `to` is null, or points to as many writable bytes as its first member says.
pub(crate) unsafe fn write<T: Versioned>(to: *mut T, value: &T) -> Result<(), Error> {
    // SAFETY: the caller's promise.
    let size = unsafe { size_of_caller::<T>(to) }?;
    let known = size.min(size_of::<T>());
    let rest = size_of::<usize>();
    // SAFETY: the first member, a `usize`, lies in what is readable here.
    let from = unsafe { ptr::from_ref(value).cast::<u8>().add(rest) };
    // SAFETY: and in what the caller promises, since `size` is not less than that of the first version.
    let to = unsafe { to.cast::<u8>().add(rest) };
    // SAFETY: `known` bytes are there on both sides, and `value` is not the caller's.
    unsafe { ptr::copy_nonoverlapping(from, to, known.saturating_sub(rest)) };
    Ok(())
}

/// # Safety
///
/// `at` is null, or points to a `usize` at least.
unsafe fn size_of_caller<T: Versioned>(at: *const T) -> Result<usize, Error> {
    let name = T::NAME;
    if at.is_null() {
        return Err(Error::argument(format!("{name}: the pointer is null")));
    }
    // SAFETY: it is not null, and the rest is the caller's promise.
    let size = unsafe { at.cast::<usize>().read_unaligned() };
    if size < T::LEAST {
        let least = T::LEAST;
        return Err(Error::argument(format!("{name}: its size is {size}, must be {least} or more; set it to sizeof")));
    }
    // A number that nobody meant, such as a size that was never set.
    if size > 1 << 16 {
        return Err(Error::argument(format!("{name}: its size is {size}; set it to sizeof")));
    }
    Ok(size)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[repr(C)]
    #[derive(Debug, PartialEq)]
    struct Ours {
        size: usize,
        old: u64,
        new: u64,
    }

    // SAFETY: three numbers, the size first.
    unsafe impl Versioned for Ours {
        const NAME: &'static str = "ours";
        const LEAST: usize = 16;
    }

    fn read_words(words: &[usize]) -> Result<Ours, Error> {
        // SAFETY: each test gives as many words as the first one says, or a size that is refused.
        unsafe { read(words.as_ptr().cast()) }
    }

    #[test]
    fn versions_meet() {
        assert_eq!(read_words(&[16, 7]).unwrap(), Ours { size: 16, old: 7, new: 0 });
        assert_eq!(read_words(&[24, 7, 8]).unwrap().new, 8);
        assert_eq!(read_words(&[32, 7, 8, 0]).unwrap().new, 8);
        for (wrong, word) in [(&[32, 7, 8, 1][..], "byte 24"), (&[8, 7], "16 or more"), (&[usize::MAX], "sizeof")] {
            let error = read_words(wrong).unwrap_err().to_string();
            assert!(error.contains(word), "{error}");
        }
        // SAFETY: null is refused.
        assert!(unsafe { read::<Ours>(ptr::null()) }.is_err());
    }

    #[test]
    fn no_more_is_written_than_there_is_room() {
        let value = Ours { size: 24, old: 1, new: 2 };
        let mut words = [16_usize, 0, 77, 78];
        // SAFETY: there are more words than the first says.
        unsafe { write(words.as_mut_ptr().cast(), &value) }.unwrap();
        assert_eq!(words, [16, 1, 77, 78]);
        words[0] = 32;
        // SAFETY: the same.
        unsafe { write(words.as_mut_ptr().cast(), &value) }.unwrap();
        assert_eq!(words, [32, 1, 2, 78]);
    }
}
