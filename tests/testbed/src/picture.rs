//! Pictures of a guest's screen: read from Xvfb, looked at, saved as PNG.
//!
//! `Xvfb -fbdir` keeps its screen in a file in the X window dump format (`XWDFile.h` of the X11 protocol headers), so a
//! screenshot needs no program in the guest and no connection to its X server.

use anyhow::{Context as _, Result, bail, ensure};
use std::collections::BTreeSet;
use std::fs::File;
use std::io::{BufReader, BufWriter};
use std::ops::Range;
use std::path::Path;

/// Bytes of the fixed part of an X window dump: 25 words, the last of them not part of older dumps.
const XWD_HEADER_WORDS: usize = 25;
/// The only version of the format in use.
const XWD_FILE_VERSION: u32 = 7;
/// Bytes of one colour map entry, which lie between the header and the pixels.
const XWD_COLOUR_BYTES: usize = 12;

/// An RGB picture, 8 bits a channel, rows from the top.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Picture {
    width: usize,
    height: usize,
    pixels: Vec<[u8; 3]>,
}

/// What of an X window dump's header is needed here, at its word index.
///
/// | word | field            | meaning                                         |
/// |-----:|------------------|-------------------------------------------------|
/// |    0 | `header_size`    | bytes, with the window's name                   |
/// |    1 | `file_version`   | 7                                               |
/// |    4 | `pixmap_width`   | pixels                                          |
/// |    5 | `pixmap_height`  | rows                                            |
/// |    7 | `byte_order`     | of a pixel: 0 little endian, 1 big endian       |
/// |   11 | `bits_per_pixel` | 32 for depths 24 and 32                         |
/// |   12 | `bytes_per_line` | distance of two rows                            |
/// |   19 | `ncolors`        | entries of the colour map                       |
///
/// The header itself is big endian, whatever `byte_order` says.
struct Header {
    words: [u32; XWD_HEADER_WORDS],
}

impl Header {
    fn parse(bytes: &[u8]) -> Result<Self> {
        let mut words = [0; XWD_HEADER_WORDS];
        for (word, chunk) in words.iter_mut().zip(bytes.as_chunks::<4>().0) {
            *word = u32::from_be_bytes(*chunk);
        }
        ensure!(bytes.len() >= size_of_val(&words), "{} bytes are too few for an X window dump", bytes.len());
        ensure!(words[1] == XWD_FILE_VERSION, "not an X window dump of version 7: version word is {}", words[1]);
        Ok(Self { words })
    }

    fn word(&self, index: usize) -> usize {
        self.words[index] as usize
    }
}

impl Picture {
    /// Reads a picture from an X window dump with 32-bit pixels.
    pub fn from_xwd(bytes: &[u8]) -> Result<Self> {
        let header = Header::parse(bytes)?;
        let (width, height, row_bytes) = (header.word(4), header.word(5), header.word(12));
        ensure!(header.word(11) == 32, "cannot read pixels of {} bits", header.word(11));
        ensure!(width > 0 && row_bytes >= width * 4, "rows of {row_bytes} bytes cannot hold {width} pixels");
        let pixel = match header.word(7) {
            0 => u32::from_le_bytes,
            1 => u32::from_be_bytes,
            order => bail!("unknown byte order {order}"),
        };
        let start = header.word(0) + header.word(19) * XWD_COLOUR_BYTES;
        let rows = bytes.get(start..).unwrap_or_default();
        ensure!(rows.len() >= height * row_bytes, "the dump ends after {} of {height} rows", rows.len() / row_bytes);
        let pixels = rows
            .chunks_exact(row_bytes)
            .take(height)
            .flat_map(|row| &row.as_chunks::<4>().0[..width])
            .map(|bytes| {
                let [_, red, green, blue] = pixel(*bytes).to_be_bytes();
                [red, green, blue]
            })
            .collect();
        Ok(Self { width, height, pixels })
    }

    /// Reads an RGB or RGBA picture from a PNG file.
    pub fn read_png(path: &Path) -> Result<Self> {
        let file = File::open(path).with_context(|| format!("opening {}", path.display()))?;
        let mut reader = png::Decoder::new(BufReader::new(file)).read_info()?;
        let mut bytes = vec![0; reader.output_buffer_size().context("the picture is too large")?];
        let frame = reader.next_frame(&mut bytes).with_context(|| format!("reading {}", path.display()))?;
        let channels = match (frame.color_type, frame.bit_depth) {
            (png::ColorType::Rgb, png::BitDepth::Eight) => 3,
            (png::ColorType::Rgba, png::BitDepth::Eight) => 4,
            other => bail!("{} has an unexpected format: {other:?}", path.display()),
        };
        let pixels = bytes[..frame.buffer_size()].chunks_exact(channels).map(|pixel| [pixel[0], pixel[1], pixel[2]]);
        Ok(Self { width: frame.width as usize, height: frame.height as usize, pixels: pixels.collect() })
    }

    /// Width in pixels.
    pub fn width(&self) -> usize {
        self.width
    }

    /// Height in pixels.
    pub fn height(&self) -> usize {
        self.height
    }

    /// The smallest part that holds everything which is not black: the windows on an otherwise empty X screen.
    ///
    /// `None` where all of it is black, that is while no window is mapped.
    pub fn window(&self) -> Option<Self> {
        let lit = |index: &usize| self.pixels[*index] != [0; 3];
        let all = 0..self.pixels.len();
        let top = all.clone().find(lit)? / self.width;
        let bottom = all.clone().rfind(lit)? / self.width;
        let left = all.clone().filter(lit).map(|index| index % self.width).min()?;
        let right = all.filter(lit).map(|index| index % self.width).max()?;
        let rows = (top..=bottom).map(|y| &self.pixels[y * self.width + left..=y * self.width + right]);
        Some(Self { width: right - left + 1, height: bottom - top + 1, pixels: rows.flatten().copied().collect() })
    }

    /// Saves it as PNG, in a folder that is made if need be.
    pub fn write_png(&self, path: &Path) -> Result<()> {
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder).with_context(|| format!("making {}", folder.display()))?;
        }
        let file = File::create(path).with_context(|| format!("writing {}", path.display()))?;
        let mut encoder = png::Encoder::new(BufWriter::new(file), self.width.try_into()?, self.height.try_into()?);
        encoder.set_color(png::ColorType::Rgb);
        encoder.set_depth(png::BitDepth::Eight);
        encoder.write_header()?.write_image_data(self.pixels.as_flattened())?;
        Ok(())
    }

    /// Whether it shows something like vkcube's cube: a plain background, and in the middle many colours other than it.
    pub fn shows_cube(&self) -> bool {
        self.cube().is_some()
    }

    /// Why [`Picture::shows_cube`] says what it says, for messages.
    pub fn describe(&self) -> String {
        let middle = self.middle();
        let colours: BTreeSet<[u8; 3]> = middle.iter().copied().collect();
        format!("{}x{}, {} colours in the middle, corner {:?}", self.width, self.height, colours.len(), self.pixels[0])
    }

    /// How many colours it has.
    pub fn colours(&self) -> usize {
        self.pixels.iter().collect::<BTreeSet<_>>().len()
    }

    /// Lines of something like text: rows with many changes between dark and bright, apart from each other by rows
    /// without.
    pub fn text_lines(&self) -> usize {
        /// Strokes of a few letters; a border or a cursor has fewer.
        const CHANGES: usize = 8;
        let bright = |pixel: &[u8; 3]| pixel.iter().any(|channel| *channel >= 0x60);
        let rows = self.pixels.chunks_exact(self.width);
        let written: Vec<bool> = rows
            .map(|row| row.windows(2).filter(|pair| bright(&pair[0]) != bright(&pair[1])).count() >= CHANGES)
            .collect();
        let begins = written.windows(2).filter(|pair| !pair[0] && pair[1]).count();
        begins + usize::from(written.first() == Some(&true))
    }

    /// Share of the middle that is not background, where the picture can be the cube.
    fn cube(&self) -> Option<f64> {
        /// A textured and lit cube has far more colours than this; a cleared window has one.
        const FEWEST_COLOURS: usize = 8;
        /// The cube fills the middle of the window at every angle.
        const LEAST_COVER: f64 = 0.6;

        let background = self.pixels[0];
        let corners = [0, self.width - 1, (self.height - 1) * self.width, self.height * self.width - 1];
        if corners.iter().any(|corner| self.pixels[*corner] != background) {
            return None;
        }
        let middle = self.middle();
        let colours: BTreeSet<[u8; 3]> = middle.iter().copied().collect();
        let drawn = middle.iter().filter(|pixel| **pixel != background).count();
        let cover = drawn as f64 / middle.len().max(1) as f64;
        (colours.len() >= FEWEST_COLOURS && cover >= LEAST_COVER).then_some(cover)
    }

    /// The pixels of the middle ninth.
    fn middle(&self) -> Vec<[u8; 3]> {
        let third = |length: usize| -> Range<usize> { length / 3..length - length / 3 };
        third(self.height).flat_map(|y| &self.pixels[y * self.width..][third(self.width)]).copied().collect()
    }

    /// Share of pixels whose channels differ by more than `tolerance` from `other`'s; everything differs in another size.
    pub fn difference(&self, other: &Self, tolerance: u8) -> f64 {
        if (self.width, self.height) != (other.width, other.height) {
            return 1.0;
        }
        let differs =
            |(ours, theirs): &(&[u8; 3], &[u8; 3])| ours.iter().zip(*theirs).any(|(a, b)| a.abs_diff(*b) > tolerance);
        let count = self.pixels.iter().zip(&other.pixels).filter(differs).count();
        count as f64 / self.pixels.len() as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A dump of `width` x `height` pixels given as 0x00RRGGBB, with one colour map entry and padded rows.
    fn dump(width: u32, height: u32, pixels: &[u32]) -> Vec<u8> {
        let mut words = [0_u32; XWD_HEADER_WORDS];
        (words[0], words[1], words[4], words[5]) = (104, XWD_FILE_VERSION, width, height);
        (words[11], words[12], words[19]) = (32, width * 4 + 8, 1);
        let mut bytes: Vec<u8> = words.iter().flat_map(|word| word.to_be_bytes()).collect();
        bytes.extend_from_slice(b"me\0\0");
        bytes.extend_from_slice(&[0xee; XWD_COLOUR_BYTES]);
        for row in pixels.chunks(width as usize) {
            bytes.extend(row.iter().flat_map(|pixel| pixel.to_le_bytes()));
            bytes.extend_from_slice(&[0xdd; 8]);
        }
        bytes
    }

    #[test]
    fn a_dump_is_read_row_by_row() {
        let picture = Picture::from_xwd(&dump(2, 2, &[0x01_0203, 0x04_0506, 0x07_0809, 0x0a_0b0c])).unwrap();
        assert_eq!((picture.width(), picture.height()), (2, 2));
        assert_eq!(picture.pixels, [[1, 2, 3], [4, 5, 6], [7, 8, 9], [10, 11, 12]]);
    }

    #[test]
    fn a_picture_survives_png() {
        let folder = tempfile::tempdir().unwrap();
        let picture = Picture::from_xwd(&dump(2, 2, &[0x01_0203, 0x04_0506, 0x07_0809, 0x0a_0b0c])).unwrap();
        let path = folder.path().join("new/picture.png");
        picture.write_png(&path).unwrap();
        assert_eq!(Picture::read_png(&path).unwrap(), picture);
    }

    #[test]
    fn a_short_dump_is_an_error() {
        let bytes = dump(2, 2, &[0; 4]);
        for end in 0..bytes.len() {
            assert!(Picture::from_xwd(&bytes[..end]).is_err(), "accepted {end} bytes");
        }
    }

    #[test]
    fn a_window_is_cut_out_of_a_black_screen() {
        let mut screen = vec![0; 6 * 5];
        assert_eq!(Picture::from_xwd(&dump(6, 5, &screen)).unwrap().window(), None);
        (screen[6 + 2], screen[3 * 6 + 4]) = (0x11_2233, 0x44_5566);
        let window = Picture::from_xwd(&dump(6, 5, &screen)).unwrap().window().unwrap();
        assert_eq!((window.width, window.height), (3, 3));
        assert_eq!((window.pixels[0], window.pixels[8]), ([0x11, 0x22, 0x33], [0x44, 0x55, 0x66]));
    }

    #[test]
    fn lines_of_text_are_counted_and_a_border_is_not() {
        let mut screen = vec![0_u32; 40 * 12];
        // Two lines of strokes, two rows each, and a bright bar.
        for row in [1, 2, 5, 6] {
            for column in (0..40).step_by(3) {
                screen[row * 40 + column] = 0xff_ffff;
            }
        }
        screen[9 * 40..10 * 40].fill(0xff_ffff);
        let picture = Picture::from_xwd(&dump(40, 12, &screen)).unwrap();
        assert_eq!((picture.text_lines(), picture.colours()), (2, 2));
    }

    #[test]
    fn a_plain_window_is_no_cube_and_a_colourful_middle_is() {
        let plain = vec![0x33_3333; 30 * 30];
        assert!(!Picture::from_xwd(&dump(30, 30, &plain)).unwrap().shows_cube());
        let mut drawn = plain.clone();
        for (index, pixel) in drawn.iter_mut().enumerate() {
            if (8..22).contains(&(index / 30)) && (8..22).contains(&(index % 30)) {
                *pixel = 0x40_0000 + (index as u32 % 64);
            }
        }
        let drawn = Picture::from_xwd(&dump(30, 30, &drawn)).unwrap();
        assert!(drawn.shows_cube(), "{}", drawn.describe());
        assert!(drawn.difference(&Picture::from_xwd(&dump(30, 30, &plain)).unwrap(), 4) > 0.1);
    }
}
