//! The functions of the C library that this one stands before, for the program and all its libraries.
//!
//! What is none of our business goes to the kernel, not to the C library's own function: that could only be looked up
//! with the loader's help, which may be what is mapping.

#![expect(unsafe_code, reason = "is called by C")]

use std::{
    env,
    ffi::{c_int, c_long, c_void},
    os::{
        fd::{AsRawFd as _, BorrowedFd},
        unix::ffi::OsStrExt as _,
    },
    panic::catch_unwind,
    slice,
};

use libc::{off_t, sockaddr, sockaddr_un, socklen_t};

use super::{host, stand_ins::TABLE};

/// The path that the guest's driver connects to.
const SOCKET: &str = "VTEST_SOCKET_NAME";

/// `connect(2)`: the guest's driver gets a host beside it.
///
/// # Safety
///
/// As for the C library's.
#[unsafe(no_mangle)]
unsafe extern "C" fn connect(socket: c_int, address: *const sockaddr, length: socklen_t) -> c_int {
    // SAFETY: the caller passes an address and its length.
    if !unsafe { names_host(address, length) } {
        // SAFETY: what the caller passes for just this.
        let done = unsafe { libc::syscall(libc::SYS_connect, socket, address, length) };
        return if done == 0 { 0 } else { -1 };
    }
    let begun = catch_unwind(host::begin).ok().and_then(Result::ok);
    let Some(guests) = begun else { return fail(libc::ECONNREFUSED) };
    // SAFETY: it replaces the caller's socket, which it wants connected, by a connected one.
    let done = unsafe { libc::dup3(guests.as_raw_fd(), socket, libc::O_CLOEXEC) };
    if done == -1 { -1 } else { 0 }
}

/// `mmap(2)`: what stands for memory leads to it.
///
/// # Safety
///
/// As for the C library's.
#[unsafe(no_mangle)]
unsafe extern "C" fn mmap(
    address: *mut c_void,
    length: usize,
    protection: c_int,
    flags: c_int,
    fd: c_int,
    offset: off_t,
) -> *mut c_void {
    let is_shared = fd >= 0 && flags & libc::MAP_TYPE == libc::MAP_SHARED && flags & libc::MAP_FIXED == 0;
    if is_shared {
        // SAFETY: not negative; if it is not open, the kernel says so.
        let descriptor = unsafe { BorrowedFd::borrow_raw(fd) };
        match TABLE.map(descriptor, length, usize::try_from(offset).unwrap_or(usize::MAX)) {
            Some(Ok(place)) => return place.as_ptr().cast(),
            Some(Err(_)) => {
                fail(libc::EINVAL);
                return libc::MAP_FAILED;
            }
            None => {}
        }
    }
    // SAFETY: what the caller passes for just this.
    let mapped: c_long = unsafe { libc::syscall(libc::SYS_mmap, address, length, protection, flags, fd, offset) };
    std::ptr::with_exposed_provenance_mut(mapped.cast_unsigned() as usize)
}

/// The same: files are as large on this system by either name.
///
/// # Safety
///
/// As for the C library's.
#[unsafe(no_mangle)]
unsafe extern "C" fn mmap64(
    address: *mut c_void,
    length: usize,
    protection: c_int,
    flags: c_int,
    fd: c_int,
    offset: off_t,
) -> *mut c_void {
    // SAFETY: the caller keeps the contract, which is the same.
    unsafe { mmap(address, length, protection, flags, fd, offset) }
}

/// `munmap(2)`: memory that was given in place of its stand-in stays mapped, for its driver.
///
/// # Safety
///
/// As for the C library's.
#[unsafe(no_mangle)]
unsafe extern "C" fn munmap(address: *mut c_void, length: usize) -> c_int {
    if TABLE.unmap(address.addr()) {
        return 0;
    }
    // SAFETY: what the caller passes for just this.
    let done = unsafe { libc::syscall(libc::SYS_munmap, address, length) };
    if done == 0 { 0 } else { -1 }
}

/// Whether an address is the one at which the guest's driver looks for its host.
///
/// # Safety
///
/// `address` is null or that of `length` bytes of an address.
unsafe fn names_host(address: *const sockaddr, length: socklen_t) -> bool {
    let path_at = std::mem::offset_of!(sockaddr_un, sun_path);
    let Some(path_bytes) = usize::try_from(length).ok().and_then(|length| length.checked_sub(path_at)) else {
        return false;
    };
    if address.is_null() {
        return false;
    }
    // SAFETY: there are as many bytes as the family takes, which is before the path.
    let family = unsafe { (*address).sa_family };
    if c_int::from(family) != libc::AF_UNIX {
        return false;
    }
    // SAFETY: there are so many bytes, of which the path begins there.
    let start = unsafe { address.cast::<u8>().add(path_at) };
    // SAFETY: so many bytes are left from there, by the caller's word; they live during this call.
    let path = unsafe { slice::from_raw_parts(start, path_bytes) };
    let path = path.split(|byte| *byte == 0).next().unwrap_or_default();
    !path.is_empty() && env::var_os(SOCKET).is_some_and(|wanted| wanted.as_bytes() == path)
}

/// Sets `errno`, and answers what a failed call does.
fn fail(reason: c_int) -> c_int {
    // SAFETY: takes nothing.
    let errno = unsafe { libc::__errno_location() };
    // SAFETY: it is this thread's own.
    unsafe { *errno = reason };
    -1
}
