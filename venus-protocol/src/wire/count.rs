//! Counts and pointers: the small conversions that generated code makes between C's idea of an array and Rust's.

use core::ptr;

use ash::vk;

/// `usize` as it travels. No supported machine has sizes wider than 64 bits.
#[expect(clippy::as_conversions, reason = "there is no From<usize> for u64, although no target makes it lossy")]
pub(crate) const fn wide(value: usize) -> u64 {
    value as u64
}

/// A value that serves as an array's length, or leads to one. A null pointer counts as 0.
pub(crate) trait Count {
    /// The length.
    fn count(&self) -> u64;
}

impl Count for u32 {
    #[inline]
    fn count(&self) -> u64 {
        u64::from(*self)
    }
}

impl Count for u64 {
    #[inline]
    fn count(&self) -> u64 {
        *self
    }
}

impl Count for usize {
    #[inline]
    fn count(&self) -> u64 {
        wide(*self)
    }
}

impl Count for vk::SampleCountFlags {
    #[inline]
    fn count(&self) -> u64 {
        u64::from(self.as_raw())
    }
}

impl<T: Count> Count for &T {
    #[inline]
    fn count(&self) -> u64 {
        T::count(self)
    }
}

impl<T: Count> Count for &mut T {
    #[inline]
    fn count(&self) -> u64 {
        T::count(self)
    }
}

impl<T: Count> Count for Option<T> {
    #[inline]
    fn count(&self) -> u64 {
        self.as_ref().map_or(0, T::count)
    }
}

/// The distance of the elements of an array without gaps, as every decoded one is. No element is 4 GiB long.
#[expect(clippy::as_conversions, reason = "there is no const conversion, and the assertion makes it lossless")]
pub(crate) const fn packed_stride<T>() -> u32 {
    const { assert!(size_of::<T>() < u32::MAX as usize) };
    size_of::<T>() as u32
}

/// The elements that a driver has filled, by the count it returned.
#[inline]
pub(crate) fn filled<T>(slice: &[T], count: u64) -> &[T] {
    let n = usize::try_from(count).unwrap_or(usize::MAX).min(slice.len());
    slice.get(..n).unwrap_or_default()
}

/// A pointer to the slice's first element, null for an empty slice: the wire cannot tell null from empty.
#[inline]
pub(crate) fn as_ptr_or_null<T>(slice: &[T]) -> *const T {
    if slice.is_empty() { ptr::null() } else { slice.as_ptr() }
}

/// As [`as_ptr_or_null`], for memory that the driver fills.
#[inline]
pub(crate) fn as_mut_ptr_or_null<T>(slice: &mut [T]) -> *mut T {
    if slice.is_empty() { ptr::null_mut() } else { slice.as_mut_ptr() }
}

/// An optional reference as C writes it.
#[inline]
pub(crate) fn to_ptr<T>(value: Option<&mut T>) -> *const T {
    value.map_or(ptr::null(), |value| ptr::from_mut(value).cast_const())
}
