//! Pixels, and transfers between them and the guest's pages.

use std::alloc::{Layout, alloc_zeroed};

use super::{
    format::{Format, PIXEL},
    screen::{Screen, Texture},
};
use crate::abi::{
    iovec::GuestPages,
    numbers::TARGET_TEXTURE_2D,
    structures::{ResourceCreateArgs, ResourceInfo, TransferBox},
};

/// Pixels along one side, as in the smallest limit of today's OpenGL drivers.
const SIDE: u32 = 16_384;

/// Rows that are converted at a time, on their way to a texture.
const BAND: u32 = 64;

/// Pixels of a guest's, as it put them, and the texture that shows them.
#[derive(Debug)]
pub(crate) struct Picture {
    format: Format,
    width: u32,
    height: u32,
    /// Rows without gaps, in `format`. The system gives pages when they are written to.
    pixels: Vec<u8>,
    texture: Option<Texture>,
}

/// A part of a picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Rectangle {
    pub(crate) x: u32,
    pub(crate) y: u32,
    pub(crate) width: u32,
    pub(crate) height: u32,
}

/// Why a picture cannot be what is asked for.
pub(crate) type Reason = &'static str;

impl Picture {
    /// A black one, as large and in the format that is asked for.
    pub(crate) fn new(args: &ResourceCreateArgs) -> Result<Self, Reason> {
        let is_flat = args.target == TARGET_TEXTURE_2D
            && args.depth <= 1
            && args.array_size <= 1
            && args.last_level == 0
            && args.nr_samples <= 1;
        if !is_flat {
            return Err("only flat pictures of one level exist without OpenGL contexts");
        }
        let format = Format::of(args.format).ok_or("the format is none of virtio-gpu's")?;
        let (width, height) = (args.width, args.height);
        if width == 0 || height == 0 || width > SIDE || height > SIDE {
            return Err("a picture has 1 to 16384 pixels on each side");
        }
        let pixels = Self::bytes(width, height).and_then(zeros).ok_or("there is no memory left for the picture")?;
        Ok(Self { format, width, height, pixels, texture: None })
    }

    /// Bytes of a picture of that size.
    fn bytes(width: u32, height: u32) -> Option<usize> {
        let (width, height) = (usize::try_from(width).ok()?, usize::try_from(height).ok()?);
        width.checked_mul(height)?.checked_mul(PIXEL)
    }

    /// Bytes that it holds.
    pub(crate) fn size(&self) -> u64 {
        u64::try_from(self.pixels.len()).unwrap_or(u64::MAX)
    }

    /// Puts it on the screen, where there is one.
    pub(crate) fn show(&mut self, screen: &Screen) {
        if self.texture.is_none() {
            self.texture = screen.texture(self.width, self.height);
            self.upload(screen, self.whole());
        }
    }

    /// Takes it from the screen.
    pub(crate) fn hide(&mut self, screen: &Screen) {
        if let Some(texture) = self.texture.take() {
            screen.delete(texture);
        }
    }

    /// What a monitor is told about it. The first row of the texture is the top one, as OpenGL has it when it is not told
    /// otherwise.
    pub(crate) fn info(&self, handle: u32) -> ResourceInfo {
        ResourceInfo {
            handle,
            virgl_format: self.format.number,
            width: self.width,
            height: self.height,
            depth: 1,
            flags: 0,
            tex_id: self.texture.map_or(0, Texture::name),
            stride: self.width.saturating_mul(4),
            drm_fourcc: i32::from_le_bytes(self.format.fourcc),
            fd: -1,
        }
    }

    /// Takes pixels from the guest's pages: `stride` bytes from row to row, without gaps for 0, the first at `offset`.
    pub(crate) fn write(
        &mut self,
        region: TransferBox,
        stride: u32,
        offset: u64,
        pages: &GuestPages,
        screen: Option<&Screen>,
    ) -> Result<(), Reason> {
        let rectangle = self.rectangle(region)?;
        let mut cursor = pages.cursor();
        self.each_row(rectangle, stride, offset, |at, row| cursor.copy_out(at, row))?;
        if let Some(screen) = screen {
            self.upload(screen, rectangle);
        }
        Ok(())
    }

    /// Puts pixels into pages, in the same way.
    pub(crate) fn read(
        &mut self,
        region: TransferBox,
        stride: u32,
        offset: u64,
        pages: &GuestPages,
    ) -> Result<(), Reason> {
        let rectangle = self.rectangle(region)?;
        let mut cursor = pages.cursor();
        self.each_row(rectangle, stride, offset, |at, row| cursor.copy_in(at, row))
    }

    /// The pixels, for a cursor.
    pub(crate) fn pixels(&self) -> (&[u8], u32, u32) {
        (&self.pixels, self.width, self.height)
    }

    /// Calls `copy` with each row of a rectangle and its place in the guest's pages.
    fn each_row(
        &mut self,
        rectangle: Rectangle,
        stride: u32,
        offset: u64,
        mut copy: impl FnMut(u64, &mut [u8]) -> bool,
    ) -> Result<(), Reason> {
        const OUTSIDE: Reason = "the guest's pages end before the transfer does";
        let stride = if stride == 0 { u64::from(self.width).saturating_mul(4) } else { u64::from(stride) };
        let mut at = offset;
        for y in rectangle.y..rectangle.y.saturating_add(rectangle.height) {
            let row = self.row(rectangle, y).ok_or("a rectangle lies inside its picture")?;
            if !copy(at, row) {
                return Err(OUTSIDE);
            }
            at = at.checked_add(stride).ok_or(OUTSIDE)?;
        }
        Ok(())
    }

    /// The part of row `y` that lies in a rectangle.
    fn row(&mut self, rectangle: Rectangle, y: u32) -> Option<&mut [u8]> {
        let before = Self::bytes(self.width, y)?.checked_add(Self::bytes(rectangle.x, 1)?)?;
        let end = before.checked_add(Self::bytes(rectangle.width, 1)?)?;
        self.pixels.get_mut(before..end)
    }

    fn rectangle(&self, region: TransferBox) -> Result<Rectangle, Reason> {
        let fits = |start: u32, length: u32, most: u32| start.checked_add(length).is_some_and(|end| end <= most);
        if region.z != 0
            || region.d > 1
            || !fits(region.x, region.w, self.width)
            || !fits(region.y, region.h, self.height)
        {
            return Err("the transfer reaches out of the picture");
        }
        Ok(Rectangle { x: region.x, y: region.y, width: region.w, height: region.h })
    }

    fn whole(&self) -> Rectangle {
        Rectangle { x: 0, y: 0, width: self.width, height: self.height }
    }

    /// Uploads a part into the texture, if there is one.
    fn upload(&mut self, screen: &Screen, rectangle: Rectangle) {
        let Some(texture) = self.texture else { return };
        if rectangle.width == 0 || rectangle.height == 0 {
            return;
        }
        let format = self.format;
        let mut converted = Vec::new();
        let end = rectangle.y.saturating_add(rectangle.height);
        let mut y = rectangle.y;
        while y < end {
            let band = Rectangle { y, height: end.saturating_sub(y).min(BAND), ..rectangle };
            y = y.saturating_add(BAND);
            converted.clear();
            for y in band.y..band.y.saturating_add(band.height) {
                let Some(row) = self.row(band, y) else { return };
                converted.extend(row.as_chunks::<PIXEL>().0.iter().flat_map(|pixel| format.rgba(*pixel)));
            }
            screen.upload(texture, band, &converted);
        }
    }
}

/// So many bytes of zero, at least one. The system gives pages when they are written to.
fn zeros(bytes: usize) -> Option<Vec<u8>> {
    let layout = Layout::array::<u8>(bytes).ok().filter(|layout| layout.size() > 0)?;
    // SAFETY: the layout is not empty.
    let start = unsafe { alloc_zeroed(layout) };
    // SAFETY:
    // - `start` is of the global allocator, which a vector uses, too, with the layout of `bytes` bytes;
    // - all of them are initialised, with zero.
    (!start.is_null()).then(|| unsafe { Vec::from_raw_parts(start, bytes, bytes) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::abi::iovec::IoVec;

    fn args(width: u32, height: u32) -> ResourceCreateArgs {
        ResourceCreateArgs { target: 2, format: 1, width, height, depth: 1, array_size: 1, ..Default::default() }
    }

    fn with_pages<T>(memory: &mut [u8], call: impl FnOnce(&GuestPages) -> T) -> T {
        let piece = IoVec { base: memory.as_mut_ptr().cast(), len: memory.len() };
        // SAFETY: there is one piece, which nobody uses during the call.
        call(&unsafe { GuestPages::new(&raw const piece, 1) })
    }

    fn region(x: u32, y: u32, w: u32, h: u32) -> TransferBox {
        TransferBox { x, y, z: 0, w, h, d: 1 }
    }

    #[test]
    fn a_part_is_transferred_and_read_back() {
        let mut picture = Picture::new(&args(8, 4)).unwrap();
        let mut memory: Vec<u8> = (0..128).collect();
        // The guest's rows are as long as the picture's, and the first pixel is at the offset of the part.
        with_pages(&mut memory, |pages| picture.write(region(2, 1, 3, 2), 0, 40, pages, None)).unwrap();
        let (pixels, ..) = picture.pixels();
        assert_eq!(pixels[40..52], memory[40..52]);
        assert_eq!(pixels[72..84], memory[72..84]);
        assert_eq!(pixels[52..72], [0; 20], "what lies beside the part");

        let mut read = [0; 24];
        with_pages(&mut read, |pages| picture.read(region(2, 1, 3, 2), 12, 0, pages)).unwrap();
        assert_eq!(read[..12], memory[40..52]);
        assert_eq!(read[12..], memory[72..84]);
    }

    #[test]
    fn nothing_reaches_out_of_a_picture_or_its_pages() {
        let mut picture = Picture::new(&args(8, 4)).unwrap();
        let mut memory = [1; 128];
        for bad in [
            region(0, 0, 9, 1),
            region(8, 0, 1, 1),
            region(0, 4, 1, 1),
            region(u32::MAX, 0, 2, 1),
            region(0, 1, 1, u32::MAX),
            TransferBox { z: 1, ..region(0, 0, 1, 1) },
            TransferBox { d: 2, ..region(0, 0, 1, 1) },
        ] {
            assert!(with_pages(&mut memory, |pages| picture.write(bad, 0, 0, pages, None)).is_err(), "{bad:?}");
        }
        let whole = region(0, 0, 8, 4);
        assert!(with_pages(&mut memory, |pages| picture.write(whole, 0, 1, pages, None)).is_err());
        assert!(with_pages(&mut memory, |pages| picture.write(whole, u32::MAX, 0, pages, None)).is_err());
        assert!(with_pages(&mut memory, |pages| picture.read(whole, 0, u64::MAX, pages)).is_err());
        assert!(with_pages(&mut memory, |pages| picture.write(whole, 0, 0, pages, None)).is_ok());
    }

    #[test]
    fn only_flat_pictures_of_a_bearable_size_exist() {
        for bad in [
            args(0, 1),
            args(1, 0),
            args(SIDE + 1, 1),
            args(u32::MAX, u32::MAX),
            ResourceCreateArgs { target: 0, ..args(1, 1) },
            ResourceCreateArgs { format: 5, ..args(1, 1) },
            ResourceCreateArgs { depth: 2, ..args(1, 1) },
            ResourceCreateArgs { last_level: 1, ..args(1, 1) },
            ResourceCreateArgs { nr_samples: 4, ..args(1, 1) },
        ] {
            assert!(Picture::new(&bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_monitor_is_told_what_it_is() {
        let info = Picture::new(&args(8, 4)).unwrap().info(7);
        assert_eq!((info.handle, info.virgl_format, info.width, info.height, info.depth), (7, 1, 8, 4, 1));
        assert_eq!((info.stride, info.tex_id, info.fd), (32, 0, -1));
        assert_eq!(info.drm_fourcc.to_le_bytes(), *b"AR24");
    }
}
