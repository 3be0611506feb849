//! Resources that can be looked at, and pages of the guest.

use std::ffi::{c_int, c_uint, c_void};

use venus_ffi::Error;

use super::{answer, perform, required, value};
use crate::{
    abi::{
        iovec::{GuestPages, IoVec},
        structures::{ResourceCreateArgs, ResourceInfo, ResourceInfoExt, TransferBox},
    },
    failure::{absent, refused},
    renderer::{self, Transfer},
};

unsafe extern "C" {
    /// C's own: what [`virgl_renderer_get_cursor_data`] returns is freed by its caller with C's `free`.
    fn malloc(size: usize) -> *mut c_void;
}

/// The guest's pages that a call names, if it does.
///
/// # Safety
///
/// As [`GuestPages::new`], for as long as the resource has them.
unsafe fn pages(iov: *const IoVec, count: impl TryInto<usize>) -> Option<GuestPages> {
    let count = count.try_into().unwrap_or(0);
    // SAFETY: the contract of this function.
    (!iov.is_null() && count > 0).then(|| unsafe { GuestPages::new(iov, count) })
}

/// Makes a picture: a flat one of virtio-gpu's formats, with four bytes for a pixel. All else is OpenGL's, and fails.
///
/// # Safety
///
/// The pages, if there are any, stay until [`virgl_renderer_resource_detach_iov`].
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn virgl_renderer_resource_create(
    args: *mut ResourceCreateArgs,
    iov: *mut IoVec,
    num_iovs: u32,
) -> c_int {
    answer("virgl_renderer_resource_create", || {
        let args = required(args)?;
        // SAFETY: it leads to the structure, by the contract of the module.
        let args = unsafe { args.read() };
        // SAFETY: the contract of this function.
        let pages = unsafe { pages(iov, num_iovs) };
        renderer::with(|device| device.create_picture(&args, pages))
    })
}

/// Fails: there is no EGL here.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn virgl_renderer_resource_import_eglimage(
    _args: *mut ResourceCreateArgs,
    _image: *mut c_void,
) -> c_int {
    answer("virgl_renderer_resource_import_eglimage", || Err(absent("resource of an EGLImage")))
}

/// Drops a resource of any kind.
#[unsafe(no_mangle)]
pub(crate) extern "C" fn virgl_renderer_resource_unref(res_handle: u32) {
    perform("virgl_renderer_resource_unref", || {
        renderer::with(|device| {
            device.unref(res_handle);
            Ok(())
        })
    });
}

/// Notes an address with a resource. It is not looked behind.
#[unsafe(no_mangle)]
pub(crate) extern "C" fn virgl_renderer_resource_set_priv(res_handle: u32, note: *mut c_void) {
    perform("virgl_renderer_resource_set_priv", || {
        renderer::with(|device| device.set_note(res_handle, note.expose_provenance()))
    });
}

/// The address that was noted; null without one.
#[unsafe(no_mangle)]
pub(crate) extern "C" fn virgl_renderer_resource_get_priv(res_handle: u32) -> *mut c_void {
    value("virgl_renderer_resource_get_priv", std::ptr::null_mut(), || {
        renderer::with(|device| Ok(std::ptr::with_exposed_provenance_mut(device.note(res_handle))))
    })
}

/// Gives a resource pages of the guest, once.
///
/// # Safety
///
/// The array and the pages stay until [`virgl_renderer_resource_detach_iov`], or until the resource is dropped.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn virgl_renderer_resource_attach_iov(
    res_handle: c_int,
    iov: *mut IoVec,
    num_iovs: c_int,
) -> c_int {
    answer("virgl_renderer_resource_attach_iov", || {
        // SAFETY: the contract of this function.
        let pages = unsafe { pages(iov, num_iovs) };
        let pages = pages.ok_or_else(|| refused("there are none"))?;
        renderer::with(|device| device.attach_pages(res_handle.cast_unsigned(), pages))
    })
}

/// Takes them away, and returns the array that was given; null and 0 without one. Either place may be null.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn virgl_renderer_resource_detach_iov(
    res_handle: c_int,
    iov: *mut *mut IoVec,
    num_iovs: *mut c_int,
) {
    let none = (std::ptr::null_mut(), 0);
    let (array, count) = value("virgl_renderer_resource_detach_iov", none, || {
        let pages = renderer::with(|device| Ok(device.detach_pages(res_handle.cast_unsigned())))?;
        Ok(pages.map_or(none, |pages| pages.array()))
    });
    if !iov.is_null() {
        // SAFETY: it leads to a pointer, by the contract of the module.
        unsafe { iov.write(array) };
    }
    if !num_iovs.is_null() {
        // SAFETY: it leads to a number, by the contract of the module.
        unsafe { num_iovs.write(c_int::try_from(count).unwrap_or(c_int::MAX)) };
    }
}

/// Takes pixels of a picture from the guest's pages: those that are named, else those of the resource.
///
/// # Safety
///
/// The pages are there during the call.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn virgl_renderer_transfer_write_iov(
    handle: u32,
    _ctx_id: u32,
    level: c_int,
    stride: u32,
    _layer_stride: u32,
    region: *mut TransferBox,
    offset: u64,
    iovec: *mut IoVec,
    iovec_cnt: c_uint,
) -> c_int {
    answer("virgl_renderer_transfer_write_iov", || {
        // SAFETY: the contract of this function.
        let pages = unsafe { pages(iovec, iovec_cnt) };
        // SAFETY: the contract of the module.
        let transfer = unsafe { transfer(level.cast_unsigned(), stride, region, offset, pages) }?;
        renderer::with(|device| device.write(handle, &transfer))
    })
}

/// Puts pixels of a picture into the guest's pages, in the same way.
///
/// # Safety
///
/// The pages are there during the call.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn virgl_renderer_transfer_read_iov(
    handle: u32,
    _ctx_id: u32,
    level: u32,
    stride: u32,
    _layer_stride: u32,
    region: *mut TransferBox,
    offset: u64,
    iov: *mut IoVec,
    iovec_cnt: c_int,
) -> c_int {
    answer("virgl_renderer_transfer_read_iov", || {
        // SAFETY: the contract of this function.
        let pages = unsafe { pages(iov, iovec_cnt) };
        // SAFETY: the contract of the module.
        let transfer = unsafe { transfer(level, stride, region, offset, pages) }?;
        renderer::with(|device| device.read(handle, &transfer))
    })
}

/// # Safety
///
/// `region` is null or leads to a box.
unsafe fn transfer(
    level: u32,
    stride: u32,
    region: *mut TransferBox,
    offset: u64,
    pages: Option<GuestPages>,
) -> Result<Transfer, Error> {
    if level != 0 {
        return Err(refused(format!("level {level} of a picture that has one")));
    }
    let region = required(region)?;
    // SAFETY: the contract of this function.
    let region = unsafe { region.read() };
    Ok(Transfer { region, stride, offset, pages })
}

/// Tells about a resource: size, format and texture of a picture, the dma-buf of a blob.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn virgl_renderer_resource_get_info(res_handle: c_int, info: *mut ResourceInfo) -> c_int {
    answer("virgl_renderer_resource_get_info", || {
        let place = required(info)?;
        let info = renderer::with(|device| device.info(res_handle.cast_unsigned()))?;
        // SAFETY: it leads to room for the structure, by the contract of the module.
        unsafe { place.write(info) };
        Ok(())
    })
}

/// The same and a little more, none of which exists here.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn virgl_renderer_resource_get_info_ext(
    res_handle: c_int,
    info: *mut ResourceInfoExt,
) -> c_int {
    answer("virgl_renderer_resource_get_info_ext", || {
        let place = required(info)?;
        let base = renderer::with(|device| device.info(res_handle.cast_unsigned()))?;
        let info = ResourceInfoExt {
            version: 0,
            base,
            has_dmabuf_export: false,
            planes: 0,
            modifiers: 0,
            d3d_tex2d: std::ptr::null_mut(),
        };
        // SAFETY: it leads to room for the structure, by the contract of the module.
        unsafe { place.write(info) };
        Ok(())
    })
}

/// A copy of a picture's pixels, which the caller frees with C's `free`; null if there is no such picture.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn virgl_renderer_get_cursor_data(
    resource_id: u32,
    width: *mut u32,
    height: *mut u32,
) -> *mut c_void {
    let copy = |pixels: &[u8], columns: u32, rows: u32| {
        // SAFETY: it takes any size.
        let copy = unsafe { malloc(pixels.len()) };
        if copy.is_null() {
            return copy;
        }
        // SAFETY:
        // - `pixels` are borrowed for reading, and as many bytes have just been allocated at `copy`;
        // - so the two do not overlap.
        unsafe { std::ptr::copy_nonoverlapping(pixels.as_ptr(), copy.cast(), pixels.len()) };
        for (place, value) in [(width, columns), (height, rows)] {
            if !place.is_null() {
                // SAFETY: it leads to a number, by the contract of the module.
                unsafe { place.write(value) };
            }
        }
        copy
    };
    value("virgl_renderer_get_cursor_data", std::ptr::null_mut(), || {
        renderer::with(|device| device.cursor(resource_id, copy))
    })
}

/// Does nothing: no monitor of today calls it.
#[unsafe(no_mangle)]
pub(crate) extern "C" fn virgl_renderer_get_rect(
    _resource_id: c_int,
    _iov: *mut IoVec,
    _num_iovs: c_uint,
    _offset: u32,
    _x: c_int,
    _y: c_int,
    _width: c_int,
    _height: c_int,
) {
}

/// Fails: textures are the monitor's own, and have no descriptors.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn virgl_renderer_get_fd_for_texture(_tex_id: u32, _fd: *mut c_int) -> c_int {
    answer("virgl_renderer_get_fd_for_texture", || Err(absent("descriptor for a texture")))
}

/// Fails: textures are the monitor's own, and have no descriptors.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn virgl_renderer_get_fd_for_texture2(
    _tex_id: u32,
    _fd: *mut c_int,
    _stride: *mut c_int,
    _offset: *mut c_int,
) -> c_int {
    answer("virgl_renderer_get_fd_for_texture2", || Err(absent("descriptor for a texture")))
}
