//! Memory of contexts: made, mapped, exported, imported.

use std::{
    ffi::{c_int, c_void},
    os::fd::{BorrowedFd, FromRawFd as _, IntoRawFd as _, OwnedFd},
};

use rustix::mm::{MapFlags, ProtFlags};

use super::{answer, required};
use crate::{
    abi::{
        iovec::GuestPages,
        numbers::{STRUCTURE_EXPORT_QUERY, STRUCTURE_SUPPORTED},
        structures::{CreateBlobArgs, ExportQuery, Header, ImportBlobArgs, SupportedStructures},
    },
    failure::{absent, refused},
    renderer::{self, MapRequest},
};

/// Makes a blob: memory of a context, or nothing but pages of the guest.
///
/// # Safety
///
/// The array of pages and the pages stay until `virgl_renderer_resource_detach_iov`, or until the resource is dropped.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn virgl_renderer_resource_create_blob(args: *const CreateBlobArgs) -> c_int {
    answer("virgl_renderer_resource_create_blob", || {
        let args = required(args.cast_mut())?;
        // SAFETY: it leads to the structure, by the contract of the module.
        let args = unsafe { args.read() };
        let count = usize::try_from(args.num_iovs).unwrap_or(0);
        let has_pages = !args.iovecs.is_null() && count > 0;
        // SAFETY: the contract of this function.
        let pages = has_pages.then(|| unsafe { GuestPages::new(args.iovecs, count) });
        renderer::with(|device| device.create_blob(&args, pages))
    })
}

/// Makes a blob of a dma-buf or memory file that the monitor has. The descriptor becomes the library's if this succeeds.
///
/// # Safety
///
/// The descriptor is open, and nobody else closes it after success.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn virgl_renderer_resource_import_blob(args: *const ImportBlobArgs) -> c_int {
    answer("virgl_renderer_resource_import_blob", || {
        let args = required(args.cast_mut())?;
        // SAFETY: it leads to the structure, by the contract of the module.
        let args = unsafe { args.read() };
        if args.fd < 0 {
            return Err(refused(format!("{} is no descriptor", args.fd)));
        }
        // SAFETY: it is open, by the contract of this function.
        let fd = unsafe { BorrowedFd::borrow_raw(args.fd) };
        renderer::with(|device| device.import_blob(&args, fd))?;
        // SAFETY: it is the library's from here on, by the contract of this function. A duplicate has been kept.
        drop(unsafe { OwnedFd::from_raw_fd(args.fd) });
        Ok(())
    })
}

/// Maps a blob into this process, once. The mapping stays until [`virgl_renderer_resource_unmap`], whatever becomes of the
/// resource and its context before.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn virgl_renderer_resource_map(
    res_handle: u32,
    map: *mut *mut c_void,
    out_size: *mut u64,
) -> c_int {
    answer("virgl_renderer_resource_map", || {
        let place = required(map)?;
        let (address, size) = renderer::with(|device| device.map(res_handle))?;
        // SAFETY: it leads to a pointer, by the contract of the module.
        unsafe { place.write(address) };
        if !out_size.is_null() {
            // SAFETY: it leads to a number, by the contract of the module.
            unsafe { out_size.write(size) };
        }
        Ok(())
    })
}

/// Unmaps it.
#[unsafe(no_mangle)]
pub(crate) extern "C" fn virgl_renderer_resource_unmap(res_handle: u32) -> c_int {
    answer("virgl_renderer_resource_unmap", || renderer::with(|device| device.unmap(res_handle)))
}

/// Maps a blob where the monitor wants it, as often as it likes. The mappings are the monitor's to undo. `-EOPNOTSUPP` for
/// memory without a descriptor that could be mapped: [`virgl_renderer_resource_map`] does that.
///
/// # Safety
///
/// What is at the address, for as many pages as the blob has, is the monitor's to replace.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn virgl_renderer_resource_map_fixed(res_handle: u32, addr: *mut c_void) -> c_int {
    answer("virgl_renderer_resource_map_fixed", || {
        let address = required(addr)?.as_ptr();
        let protection = ProtFlags::READ | ProtFlags::WRITE;
        let request = MapRequest { address, size: None, protection, flags: MapFlags::SHARED | MapFlags::FIXED };
        // SAFETY: the contract of this function.
        renderer::with(|device| unsafe { device.map_at(res_handle, request) })
    })
}

/// The same for `size` bytes, with the protection and flags of `mmap`. Of a fork of the library that libkrun uses.
///
/// # Safety
///
/// What is at the address, for `size` bytes, is the monitor's to replace.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn virgl_renderer_resource_map2(
    res_handle: u32,
    map: *const c_void,
    size: u64,
    prot: i32,
    flags: i32,
) -> c_int {
    answer("virgl_renderer_resource_map2", || {
        let request = MapRequest {
            address: required(map.cast_mut())?.as_ptr(),
            size: Some(size),
            protection: ProtFlags::from_bits_retain(prot.cast_unsigned()),
            flags: MapFlags::from_bits_retain(flags.cast_unsigned()),
        };
        // SAFETY: the contract of this function.
        renderer::with(|device| unsafe { device.map_at(res_handle, request) })
    })
}

/// Where a blob is in this process, for as long as its resource lives. Of a fork of the library that libkrun uses on macOS.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn virgl_renderer_resource_get_map_ptr(res_handle: u32, map_ptr: *mut u64) -> c_int {
    answer("virgl_renderer_resource_get_map_ptr", || {
        let place = required(map_ptr)?;
        let address = renderer::with(|device| device.address(res_handle))?;
        // SAFETY: it leads to a number, by the contract of the module.
        unsafe { place.write(address) };
        Ok(())
    })
}

/// How the guest should map a blob: `VIRGL_RENDERER_MAP_CACHE_*`.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn virgl_renderer_resource_get_map_info(res_handle: u32, map_info: *mut u32) -> c_int {
    answer("virgl_renderer_resource_get_map_info", || {
        let place = required(map_info)?;
        let info = renderer::with(|device| device.map_info(res_handle))?;
        // SAFETY: it leads to a number, by the contract of the module.
        unsafe { place.write(info) };
        Ok(())
    })
}

/// A descriptor of a blob, which is the monitor's to close, and what kind it is.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn virgl_renderer_resource_export_blob(
    res_id: u32,
    fd_type: *mut u32,
    fd: *mut c_int,
) -> c_int {
    answer("virgl_renderer_resource_export_blob", || {
        let kind_place = required(fd_type)?;
        let fd_place = required(fd)?;
        let exported = renderer::with(|device| device.export(res_id))?;
        // SAFETY: it leads to a number, by the contract of the module.
        unsafe { kind_place.write(exported.kind) };
        // SAFETY: as above.
        unsafe { fd_place.write(exported.fd.into_raw_fd()) };
        Ok(())
    })
}

/// Answers the question that its argument is: how a resource can be exported, or which questions there are.
///
/// # Safety
///
/// The argument has `execute_size` bytes.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn virgl_renderer_execute(execute_args: *mut c_void, execute_size: u32) -> c_int {
    answer("virgl_renderer_execute", || {
        let size = usize::try_from(execute_size).unwrap_or(0);
        let start = required(execute_args)?;
        if size < size_of::<Header>() {
            return Err(refused(format!("{size} bytes are no header")));
        }
        // SAFETY: so many bytes are there, by the contract of this function; any bytes are a header.
        let header = unsafe { start.cast::<Header>().read_unaligned() };
        let expected = match header.stype {
            STRUCTURE_EXPORT_QUERY => size_of::<ExportQuery>(),
            STRUCTURE_SUPPORTED => size_of::<SupportedStructures>(),
            other => return Err(refused(format!("structure {other:#x} is not known"))),
        };
        if header.stype_version != 0 || header.size != execute_size || size != expected {
            let Header { stype, stype_version, size } = header;
            let reason = format!("structure {stype:#x} of version {stype_version} with {size} of {execute_size} bytes");
            return Err(refused(reason));
        }
        if header.stype == STRUCTURE_SUPPORTED {
            let place = start.cast::<SupportedStructures>();
            // SAFETY: as above, and so many bytes are there.
            let mut supported = unsafe { place.read_unaligned() };
            let all = STRUCTURE_EXPORT_QUERY | STRUCTURE_SUPPORTED;
            supported.out_supported_structures_mask = if supported.in_stype_version == 0 { all } else { 0 };
            // SAFETY: as above.
            unsafe { place.write_unaligned(supported) };
            return Ok(());
        }
        let place = start.cast::<ExportQuery>();
        // SAFETY: as above, and so many bytes are there.
        let mut query = unsafe { place.read_unaligned() };
        let fd = renderer::with(|device| device.export_query(&mut query))?;
        if let (Some(fd), [first, ..]) = (fd, &mut query.out_fds) {
            *first = fd.into_raw_fd();
        }
        // SAFETY: as above.
        unsafe { place.write_unaligned(query) };
        Ok(())
    })
}

/// Fails: the GPU's own device is the driver's, in another process perhaps.
#[unsafe(no_mangle)]
pub(crate) extern "C" fn virgl_renderer_get_dev_fd(_ctx_id: c_int) -> c_int {
    answer("virgl_renderer_get_dev_fd", || Err(absent("descriptor of the GPU")))
}
