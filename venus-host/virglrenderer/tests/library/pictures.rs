//! The boot console's resources: what QEMU and crosvm do with a guest's two-dimensional screen.

use std::ffi::{c_int, c_void};

use crate::monitor::{ASYNC, Monitor, POLLED, call};

const INVALID: c_int = 22;

/// `struct iovec`.
#[repr(C)]
pub(crate) struct Piece {
    pub(crate) base: *mut c_void,
    pub(crate) len: usize,
}

unsafe extern "C" {
    fn free(memory: *mut c_void);
}

/// Makes a resource as QEMU's `virgl_cmd_create_resource_2d` does.
pub(crate) fn create(handle: u32, format: u32, width: u32, height: u32) -> c_int {
    let mut args = [handle, 2, format, 1 << 1, width, height, 1, 1, 0, 0, 1];
    call!("virgl_renderer_resource_create"(
        args.as_mut_ptr() => *mut u32, std::ptr::null_mut() => *mut Piece, 0 => u32) -> c_int)
}

pub(crate) fn attach(handle: c_int, pieces: &mut [Piece]) -> c_int {
    let count = c_int::try_from(pieces.len()).unwrap();
    call!("virgl_renderer_resource_attach_iov"(
        handle => c_int, pieces.as_mut_ptr() => *mut Piece, count => c_int) -> c_int)
}

pub(crate) fn write(handle: u32, mut region: [u32; 6], offset: u64) -> c_int {
    call!("virgl_renderer_transfer_write_iov"(handle => u32, 0 => u32, 0 => c_int, 0 => u32, 0 => u32,
        region.as_mut_ptr() => *mut u32, offset => u64, std::ptr::null_mut() => *mut Piece, 0 => u32) -> c_int)
}

fn read(handle: u32, mut region: [u32; 6], stride: u32, into: &mut [u8]) -> c_int {
    let mut piece = Piece { base: into.as_mut_ptr().cast(), len: into.len() };
    call!("virgl_renderer_transfer_read_iov"(handle => u32, 0 => u32, 0 => u32, stride => u32, 0 => u32,
        region.as_mut_ptr() => *mut u32, 0 => u64, &raw mut piece => *mut Piece, 1 => c_int) -> c_int)
}

/// What the library tells of a resource: its answer, and the ten words of the structure.
pub(crate) fn info(handle: c_int) -> (c_int, [u32; 10]) {
    let mut words = [9_u32; 10];
    let answer = call!("virgl_renderer_resource_get_info"(handle => c_int, words.as_mut_ptr() => *mut u32) -> c_int);
    (answer, words)
}

/// The kernel's console: two pages far from each other, of which a line is transferred; crosvm reads it back.
#[test]
fn a_console_is_drawn_and_read() {
    let _monitor = Monitor::initialised(ASYNC);
    assert_eq!(create(7, 2, 16, 8), 0);
    let (mut first, mut second) = (vec![1_u8; 256], vec![2_u8; 256]);
    let mut pieces = [&mut first, &mut second].map(|page| Piece { base: page.as_mut_ptr().cast(), len: page.len() });
    assert_eq!(attach(7, &mut pieces), 0);
    assert_eq!(attach(7, &mut pieces), -INVALID, "it has some");
    // The lines 3 to 5, of which the first is in the first page.
    assert_eq!(write(7, [0, 3, 0, 16, 2, 1], 3 * 64), 0);
    let mut pixels = [9_u8; 512];
    assert_eq!(read(7, [0, 0, 0, 16, 8, 1], 64, &mut pixels), 0);
    assert_eq!(pixels[..192], [0; 192]);
    assert_eq!(pixels[192..256], [1; 64]);
    assert_eq!(pixels[256..320], [2; 64]);
    assert_eq!(pixels[320..], [0; 192]);

    let (mut iov, mut count) = (std::ptr::null_mut::<Piece>(), 0);
    let mut detach = || {
        call!("virgl_renderer_resource_detach_iov"(
            7 => c_int, &raw mut iov => *mut *mut Piece, &raw mut count => *mut c_int));
        (iov, count)
    };
    assert_eq!(detach(), (pieces.as_mut_ptr(), 2));
    assert_eq!(detach(), (std::ptr::null_mut(), 0));
    assert_eq!(write(7, [0, 0, 0, 16, 1, 1], 0), -INVALID, "it has no pages any more");
    // rutabaga wants nothing back.
    assert_eq!(attach(7, &mut pieces), 0);
    call!("virgl_renderer_resource_detach_iov"(
        7 => c_int, std::ptr::null_mut() => *mut *mut Piece, std::ptr::null_mut() => *mut c_int));
    assert_eq!(attach(7, &mut pieces), 0);
}

/// QEMU asks for size and texture before it shows a resource, and closes no descriptor that it hears of.
#[test]
fn a_picture_tells_what_it_is() {
    let monitor = Monitor::initialised(POLLED);
    assert_eq!(create(7, 2, 16, 8), 0);
    // There is no OpenGL here, so there is no texture.
    let picture = [7, 2, 16, 8, 1, 0, 0, 64, u32::from_le_bytes(*b"XR24"), u32::MAX];
    assert_eq!(info(7), (0, picture));
    let mut extended = [9_u32; 18];
    let answer = call!("virgl_renderer_resource_get_info_ext"(
        7 => c_int, extended.as_mut_ptr() => *mut u32) -> c_int);
    assert_eq!((answer, extended[0], &extended[1..11]), (0, 0, picture.as_slice()), "behind its version");
    assert_eq!(extended[11] & 0xff, 0, "it has no dma-buf");

    // QEMU fails a blob of which it hears nothing.
    let _mapped = monitor.context_with_ring(1, 8);
    assert_eq!(info(8), (0, [8, 0, 0, 0, 0, 0, 0, 0, 0, u32::MAX]));
    assert_eq!(info(9).0, -INVALID);
}

/// QEMU frees a cursor's pixels with C's `free`.
#[test]
fn a_cursor_is_given_away() {
    let monitor = Monitor::initialised(POLLED);
    assert_eq!(create(7, 1, 64, 64), 0);
    let mut page = vec![0x5a_u8; 64 * 64 * 4];
    let mut pieces = [Piece { base: page.as_mut_ptr().cast(), len: page.len() }];
    assert_eq!(attach(7, &mut pieces), 0);
    assert_eq!(write(7, [0, 0, 0, 64, 64, 1], 0), 0);
    let (mut width, mut height) = (0, 0);
    let cursor = |handle: u32, width: &mut u32, height: &mut u32| {
        call!("virgl_renderer_get_cursor_data"(
            handle => u32, &raw mut *width => *mut u32, &raw mut *height => *mut u32) -> *mut c_void)
    };
    let pixels = cursor(7, &mut width, &mut height);
    assert_eq!((width, height), (64, 64));
    // SAFETY: so many bytes of pixels were allocated.
    let bytes = unsafe { std::slice::from_raw_parts(pixels.cast::<u8>(), page.len()) };
    assert_eq!(bytes, page);
    // SAFETY: the caller's to free, and not used any more.
    unsafe { free(pixels) };
    assert!(cursor(8, &mut width, &mut height).is_null());
    let _mapped = monitor.context_with_ring(1, 8);
    assert!(cursor(8, &mut width, &mut height).is_null());
}

/// What OpenGL would make of a resource is refused, and so is more than a guest can look at.
#[test]
fn only_pictures_are_made() {
    let monitor = Monitor::initialised(POLLED);
    assert_eq!(create(0, 1, 16, 16), -INVALID);
    assert_eq!(create(7, 3000, 16, 16), -INVALID);
    assert_eq!(create(7, 1, u32::MAX, u32::MAX), -INVALID);
    assert_eq!(create(7, 1, 16, 16), 0);
    assert_eq!(create(7, 1, 16, 16), -INVALID);
    // Half a gigabyte each, of which nothing is touched.
    assert_eq!(create(8, 1, 16384, 8191), 0);
    assert_eq!(create(9, 1, 16384, 8191), -INVALID, "all pictures together have a limit");
    monitor.unref(8);
    assert_eq!(create(9, 1, 16384, 8191), 0);
    let _mapped = monitor.context_with_ring(1, 10);
    assert_eq!(write(10, [0, 0, 0, 1, 1, 1], 0), -INVALID, "memory of a context is not transferred");
    assert_eq!(write(99, [0, 0, 0, 1, 1, 1], 0), -INVALID);
}
