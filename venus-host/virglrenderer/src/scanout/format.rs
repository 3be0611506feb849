//! The pixel formats that guests may use: virtio-gpu's, all of four bytes.

/// Bytes of a pixel in every format.
pub(crate) const PIXEL: usize = 4;

/// Where the channels of a pixel are in memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Format {
    /// `VIRGL_FORMAT_*`, equal to `VIRTIO_GPU_FORMAT_*`.
    pub(crate) number: u32,
    /// The `DRM_FORMAT_*` of the same layout, which names channels from the highest bit down.
    pub(crate) fourcc: [u8; 4],
    /// At which byte red, green and blue are.
    colours: [usize; 3],
    /// At which byte alpha is, if there is one.
    alpha: Option<usize>,
}

/// One row for each, in the order of `virtio_gpu_formats`.
const FORMATS: [Format; 8] = [
    Format { number: 1, fourcc: *b"AR24", colours: [2, 1, 0], alpha: Some(3) }, // B8G8R8A8
    Format { number: 2, fourcc: *b"XR24", colours: [2, 1, 0], alpha: None },    // B8G8R8X8
    Format { number: 3, fourcc: *b"BA24", colours: [1, 2, 3], alpha: Some(0) }, // A8R8G8B8
    Format { number: 4, fourcc: *b"BX24", colours: [1, 2, 3], alpha: None },    // X8R8G8B8
    Format { number: 67, fourcc: *b"AB24", colours: [0, 1, 2], alpha: Some(3) }, // R8G8B8A8
    Format { number: 68, fourcc: *b"RX24", colours: [3, 2, 1], alpha: None },   // X8B8G8R8
    Format { number: 121, fourcc: *b"RA24", colours: [3, 2, 1], alpha: Some(0) }, // A8B8G8R8
    Format { number: 134, fourcc: *b"XB24", colours: [0, 1, 2], alpha: None },  // R8G8B8X8
];

impl Format {
    /// The format of that number.
    pub(crate) fn of(number: u32) -> Option<Self> {
        FORMATS.into_iter().find(|format| format.number == number)
    }

    /// A pixel's red, green, blue and alpha. Without an alpha it is opaque.
    pub(crate) fn rgba(self, pixel: [u8; PIXEL]) -> [u8; PIXEL] {
        let byte = |at: usize| pixel.get(at).copied().unwrap_or(0);
        let [red, green, blue] = self.colours;
        [byte(red), byte(green), byte(blue), self.alpha.map_or(u8::MAX, byte)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn channels_are_where_the_names_say() {
        // A pixel whose bytes are its own positions.
        let bytes = [10, 11, 12, 13];
        for (number, expected) in [
            (1, [12, 11, 10, 13]),
            (2, [12, 11, 10, 255]),
            (3, [11, 12, 13, 10]),
            (4, [11, 12, 13, 255]),
            (67, [10, 11, 12, 13]),
            (68, [13, 12, 11, 255]),
            (121, [13, 12, 11, 10]),
            (134, [10, 11, 12, 255]),
        ] {
            assert_eq!(Format::of(number).unwrap().rgba(bytes), expected, "format {number}");
        }
        assert!(Format::of(0).is_none() && Format::of(5).is_none());
    }

    #[test]
    fn drm_names_channels_from_the_highest_bit_down() {
        for format in FORMATS {
            // The last byte in memory is the highest of a little-endian word.
            let highest = match format.fourcc[0] {
                b'R' => format.colours[0],
                b'B' => format.colours[2],
                b'A' | b'X' => format.alpha.unwrap_or(3),
                other => panic!("{other}"),
            };
            assert_eq!(highest, 3, "{format:?}");
        }
    }
}
