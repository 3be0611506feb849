//! Scalars: items of 1, 2, 4 or 8 bytes.

use ash::vk;

use super::count::wide;
use super::{DecodeError, Decoder, Encoder};

/// A type that travels as one little-endian integer (or float) of its own width.
///
/// Alone it takes 4 or 8 bytes, padded with zeros; in an array the elements are packed and only the end is padded.
/// `size_t` always takes 8 bytes, whatever the machine.
pub trait Scalar: Copy + Default {
    /// Bytes per element in an array.
    const WIRE_BYTES: usize;

    /// Reads one, padding included.
    fn read(decoder: &mut Decoder<'_>) -> Result<Self, DecodeError>;
    /// Writes one, padding included.
    fn write(self, encoder: &mut Encoder);
    /// Fills `into` from exactly `into.len()` packed elements.
    fn unpack(packed: &[u8], into: &mut [Self]);
    /// Appends the packed elements, without final padding.
    fn pack(values: &[Self], encoder: &mut Encoder);
}

/// 32- and 64-bit integers and floats.
macro_rules! words {
    ($($ty:ty => $bytes:literal),+ $(,)?) => {$(
        impl Scalar for $ty {
            const WIRE_BYTES: usize = $bytes;

            #[inline]
            fn read(decoder: &mut Decoder<'_>) -> Result<Self, DecodeError> {
                decoder.take_array::<$bytes>().map(<$ty>::from_le_bytes)
            }

            #[inline]
            fn write(self, encoder: &mut Encoder) {
                encoder.append(&self.to_le_bytes());
            }

            #[inline]
            fn unpack(packed: &[u8], into: &mut [Self]) {
                let (chunks, _) = packed.as_chunks::<$bytes>();
                for (slot, chunk) in into.iter_mut().zip(chunks) {
                    *slot = <$ty>::from_le_bytes(*chunk);
                }
            }

            #[inline]
            fn pack(values: &[Self], encoder: &mut Encoder) {
                for value in values {
                    encoder.append(&value.to_le_bytes());
                }
            }
        }
    )+};
}

words!(u32 => 4, i32 => 4, f32 => 4, u64 => 8, i64 => 8, f64 => 8);

impl Scalar for u8 {
    const WIRE_BYTES: usize = 1;

    fn read(decoder: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        decoder.take_array::<4>().map(|[value, _, _, _]| value)
    }

    fn write(self, encoder: &mut Encoder) {
        encoder.append(&[self, 0, 0, 0]);
    }

    fn unpack(packed: &[u8], into: &mut [Self]) {
        for (slot, byte) in into.iter_mut().zip(packed) {
            *slot = *byte;
        }
    }

    fn pack(values: &[Self], encoder: &mut Encoder) {
        encoder.append(values);
    }
}

impl Scalar for u16 {
    const WIRE_BYTES: usize = 2;

    fn read(decoder: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        decoder.take_array::<4>().map(|[low, high, _, _]| Self::from_le_bytes([low, high]))
    }

    fn write(self, encoder: &mut Encoder) {
        let [low, high] = self.to_le_bytes();
        encoder.append(&[low, high, 0, 0]);
    }

    fn unpack(packed: &[u8], into: &mut [Self]) {
        let (chunks, _) = packed.as_chunks::<2>();
        for (slot, chunk) in into.iter_mut().zip(chunks) {
            *slot = Self::from_le_bytes(*chunk);
        }
    }

    fn pack(values: &[Self], encoder: &mut Encoder) {
        for value in values {
            encoder.append(&value.to_le_bytes());
        }
    }
}

impl Scalar for usize {
    const WIRE_BYTES: usize = 8;

    #[inline]
    fn read(decoder: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        let at = decoder.offset();
        let value = u64::read(decoder)?;
        Self::try_from(value).map_err(|_| decoder.error_at(at, super::DecodeErrorKind::SizeTooLarge { value }))
    }

    #[inline]
    fn write(self, encoder: &mut Encoder) {
        wide(self).write(encoder);
    }

    fn unpack(packed: &[u8], into: &mut [Self]) {
        let (chunks, _) = packed.as_chunks::<8>();
        for (slot, chunk) in into.iter_mut().zip(chunks) {
            // LIMIT: on a 32-bit host a larger value saturates; every use of such an array bounds it again.
            *slot = Self::try_from(u64::from_le_bytes(*chunk)).unwrap_or(Self::MAX);
        }
    }

    fn pack(values: &[Self], encoder: &mut Encoder) {
        for value in values {
            wide(*value).write(encoder);
        }
    }
}

/// Implements [`Scalar`] for newtypes over an integer: `vk` enums (`i32`).
macro_rules! wire_enums {
    ($($ty:ty),* $(,)?) => { $crate::wire::wire_flags!(i32: $($ty),*); };
}

/// Implements [`Scalar`] for newtypes over the given integer: `vk` enums and flags.
macro_rules! wire_flags {
    ($repr:ty: $($ty:ty),* $(,)?) => {$(
        impl $crate::wire::Scalar for $ty {
            const WIRE_BYTES: usize = size_of::<$repr>();

            #[inline]
            fn read(decoder: &mut $crate::wire::Decoder<'_>) -> Result<Self, $crate::wire::DecodeError> {
                <$repr as $crate::wire::Scalar>::read(decoder).map(Self::from_raw)
            }

            #[inline]
            fn write(self, encoder: &mut $crate::wire::Encoder) {
                $crate::wire::Scalar::write(self.as_raw(), encoder);
            }

            fn unpack(packed: &[u8], into: &mut [Self]) {
                let (chunks, _) = packed.as_chunks::<{ size_of::<$repr>() }>();
                for (slot, chunk) in into.iter_mut().zip(chunks) {
                    *slot = Self::from_raw(<$repr>::from_le_bytes(*chunk));
                }
            }

            fn pack(values: &[Self], encoder: &mut $crate::wire::Encoder) {
                for value in values {
                    $crate::wire::Scalar::write(value.as_raw(), encoder);
                }
            }
        }
    )*};
}

pub(crate) use {wire_enums, wire_flags};

impl Scalar for vk::Result {
    const WIRE_BYTES: usize = 4;

    fn read(decoder: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        i32::read(decoder).map(Self::from_raw)
    }

    fn write(self, encoder: &mut Encoder) {
        self.as_raw().write(encoder);
    }

    fn unpack(packed: &[u8], into: &mut [Self]) {
        let (chunks, _) = packed.as_chunks::<4>();
        for (slot, chunk) in into.iter_mut().zip(chunks) {
            *slot = Self::from_raw(i32::from_le_bytes(*chunk));
        }
    }

    fn pack(values: &[Self], encoder: &mut Encoder) {
        for value in values {
            value.as_raw().write(encoder);
        }
    }
}
