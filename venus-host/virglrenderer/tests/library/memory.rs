//! Blobs: mapped, exported, imported, outliving their context.

use std::{
    ffi::{c_int, c_void},
    fs::File,
    os::{
        fd::{AsRawFd as _, FromRawFd as _, OwnedFd},
        unix::fs::FileExt as _,
    },
    sync::atomic::Ordering,
};

use rustix::mm::{MapFlags, ProtFlags, mmap_anonymous, munmap};

use crate::monitor::{ASYNC, BlobArgs, EXTRA, Mapped, Monitor, POLLED, call};

const INVALID: c_int = 22;
const SHM: u32 = 3;

/// `virgl_renderer_resource_import_blob_args`.
#[repr(C)]
struct ImportArgs {
    resource: u32,
    memory: u32,
    kind: u32,
    fd: c_int,
    size: u64,
}

/// `virgl_renderer_export_query`.
#[repr(C)]
struct Query {
    header: [u32; 3],
    resource: u32,
    fds: u32,
    export: u32,
    fourcc: u32,
    pad: u32,
    out_fds: [i32; 4],
    strides: [u32; 4],
    offsets: [u32; 4],
    modifier: u64,
}

fn export(resource: u32) -> Result<(u32, OwnedFd), c_int> {
    let (mut kind, mut fd) = (0, -1);
    let answer = call!("virgl_renderer_resource_export_blob"(
        resource => u32, &raw mut kind => *mut u32, &raw mut fd => *mut c_int) -> c_int);
    // SAFETY: a descriptor that was just given to us.
    if answer == 0 { Ok((kind, unsafe { OwnedFd::from_raw_fd(fd) })) } else { Err(answer) }
}

fn import(args: &ImportArgs) -> c_int {
    call!("virgl_renderer_resource_import_blob"(&raw const *args => *const ImportArgs) -> c_int)
}

/// Pages that nobody uses.
fn reserve(size: usize) -> Mapped {
    // SAFETY: new pages.
    let address = unsafe { mmap_anonymous(std::ptr::null_mut(), size, ProtFlags::empty(), MapFlags::PRIVATE) }.unwrap();
    Mapped { address: address.cast(), size: size as u64 }
}

fn release(pages: Mapped) {
    // SAFETY: pages of `reserve`, which nobody uses any more.
    unsafe { munmap(pages.address.cast(), usize::try_from(pages.size).unwrap()) }.unwrap();
}

/// QEMU ends a client by detaching its resources, destroying its context, and only then, much later, unmapping.
#[test]
fn memory_outlives_its_context_and_its_resource() {
    let monitor = Monitor::initialised(POLLED);
    let mapped = monitor.context_with_ring(1, 7);
    monitor.write_extra(1, 0x55);
    mapped.wait(EXTRA, 0x55);
    call!("virgl_renderer_ctx_detach_resource"(1 => c_int, 7 => c_int));
    monitor.destroy_context(1);
    assert_eq!(mapped.word(EXTRA).load(Ordering::Acquire), 0x55);
    assert_eq!(monitor.unmap(7), 0);
    let again = monitor.map(7).unwrap();
    assert_eq!(again.word(EXTRA).load(Ordering::Acquire), 0x55);
    monitor.unref(7);
    again.word(EXTRA).store(0x66, Ordering::Release);
    assert_eq!(monitor.unmap(7), 0, "what was mapped when the resource went");
    assert_eq!(monitor.unmap(7), -INVALID);
}

/// Two generations of one number would have one name: what is unmapped would be anybody's guess.
#[test]
fn a_number_is_taken_while_memory_is_mapped() {
    let monitor = Monitor::initialised(POLLED);
    let mapped = monitor.context_with_ring(1, 7);
    assert_eq!(monitor.create_blob(&BlobArgs::shared(8, 1, 0x1000)), 0);
    let old = monitor.map(8).unwrap();
    monitor.unref(8);
    assert_eq!(monitor.create_blob(&BlobArgs::shared(8, 1, 0x1000)), -INVALID);
    old.word(0).store(5, Ordering::Release);
    assert_eq!(monitor.unmap(8), 0);
    assert_eq!(monitor.create_blob(&BlobArgs::shared(8, 1, 0x1000)), 0);
    assert_eq!(monitor.map(8).unwrap().word(0).load(Ordering::Acquire), 0);
    monitor.unref(8);
    // A machine that is reset counts from the beginning, whatever its monitor has not unmapped.
    call!("virgl_renderer_reset"());
    let again = monitor.context_with_ring(1, 7);
    assert_ne!(again.address, mapped.address);
    assert_eq!(monitor.create_blob(&BlobArgs::shared(8, 1, 0x1000)), 0);
    assert_eq!([monitor.unmap(7), monitor.unmap(7), monitor.unmap(7)], [0, 0, -INVALID], "each was mapped once");
    assert_eq!([monitor.unmap(8), monitor.unmap(8)], [0, -INVALID]);
}

/// Leaves half a GiB mapped of a resource that goes, if it can be made.
fn leave_mapped(monitor: &Monitor, resource: u32) -> c_int {
    let answer = monitor.create_blob(&BlobArgs::shared(resource, 1, 1 << 29));
    if answer == 0 {
        monitor.map(resource).unwrap();
        monitor.unref(resource);
    }
    answer
}

/// A monitor that does not unmap lets its guest leave mapped what it likes, but for this limit.
#[test]
fn memory_that_is_left_mapped_has_a_limit() {
    let monitor = Monitor::initialised(POLLED);
    let _mapped = monitor.context_with_ring(1, 7);
    let left: Vec<c_int> = (10..19).map(|resource| leave_mapped(&monitor, resource)).collect();
    assert_eq!(left, [0, 0, 0, 0, 0, 0, 0, 0, -INVALID]);
    assert_eq!(monitor.unmap(12), 0);
    assert_eq!(leave_mapped(&monitor, 20), 0);
}

/// Another is for what is left by a guest that resets its machine again and again.
#[test]
fn memory_that_is_left_mapped_by_resets_has_a_limit() {
    let monitor = Monitor::initialised(POLLED);
    for _ in 0..4 {
        assert_eq!(monitor.create_context(1, 4, b"test"), 0);
        let left: Vec<c_int> = (10..18).map(|resource| leave_mapped(&monitor, resource)).collect();
        assert_eq!(left, [0; 8]);
        call!("virgl_renderer_reset"());
    }
    assert_eq!(monitor.create_context(1, 4, b"test"), 0);
    assert_eq!(leave_mapped(&monitor, 10), -INVALID);
    assert_eq!(crate::pictures::create(99, 1, 64, 64), 0, "the boot console is still there");
    assert_eq!(monitor.unmap(12), 0, "of the first run");
    assert_eq!(leave_mapped(&monitor, 10), 0);
}

/// A guest's machine that is reset leaves its memory mapped in the monitor.
#[test]
fn memory_outlives_a_reset() {
    let monitor = Monitor::initialised(POLLED);
    let mapped = monitor.context_with_ring(1, 7);
    call!("virgl_renderer_reset"());
    mapped.word(EXTRA).store(1, Ordering::Release);
    assert_eq!(monitor.unmap(7), 0);
}

#[test]
fn memory_is_mapped_once_at_a_time() {
    let monitor = Monitor::initialised(ASYNC);
    let mapped = monitor.context_with_ring(1, 7);
    assert_eq!(mapped.size, 0x2000);
    assert_eq!(mapped.address.addr() % 4096, 0);
    assert_eq!(monitor.map(7).unwrap_err(), -INVALID);
    assert_eq!(monitor.unmap(7), 0);
    assert_eq!(monitor.unmap(7), -INVALID);
    assert!(monitor.map(7).is_ok());
    let mut info = 0;
    assert_eq!(call!("virgl_renderer_resource_get_map_info"(7 => u32, &raw mut info => *mut u32) -> c_int), 0);
    assert_eq!(info, 1, "ordinary cached memory");
}

/// QEMU 11 and rutabaga want memory at addresses of theirs; libkrun has two functions of its own.
#[test]
fn memory_is_mapped_where_the_monitor_wants_it() {
    let monitor = Monitor::initialised(ASYNC);
    let mapped = monitor.context_with_ring(1, 7);
    monitor.write_extra(1, 0x77);
    mapped.wait(EXTRA, 0x77);
    let (first, second) = (reserve(0x2000), reserve(0x2000));
    for place in [first, second] {
        let fixed = call!("virgl_renderer_resource_map_fixed"(
            7 => u32, place.address.cast() => *mut c_void) -> c_int);
        assert_eq!(fixed, 0);
        assert_eq!(place.word(EXTRA).load(Ordering::Acquire), 0x77);
    }
    let third = reserve(0x2000);
    let flags = (MapFlags::SHARED | MapFlags::FIXED).bits().cast_signed();
    let map2 = |size: u64, flags: i32| {
        call!("virgl_renderer_resource_map2"(7 => u32, third.address.cast() => *const c_void, size => u64,
            ProtFlags::READ.bits().cast_signed() => i32, flags => i32) -> c_int)
    };
    assert_eq!([map2(0, flags), map2(0x3000, flags)], [-INVALID; 2], "more than there is");
    let elsewhere = MapFlags::SHARED.bits().cast_signed();
    assert_eq!(map2(0x2000, elsewhere), -INVALID, "the address is in use, and the memory would be elsewhere");
    assert_eq!(map2(0x2000, flags), 0);
    assert_eq!(third.word(EXTRA).load(Ordering::Acquire), 0x77);

    let mut pointer = 0;
    let ask = |pointer: &mut u64| call!("virgl_renderer_resource_get_map_ptr"(7 => u32, &raw mut *pointer => *mut u64) -> c_int);
    assert_eq!(ask(&mut pointer), 0);
    let known = pointer;
    assert_eq!((ask(&mut pointer), pointer), (0, known), "it stays where it is");
    let fourth =
        Mapped { address: std::ptr::with_exposed_provenance_mut(usize::try_from(pointer).unwrap()), size: 0x2000 };
    assert_eq!(fourth.word(EXTRA).load(Ordering::Acquire), 0x77);
    for pages in [first, second, third] {
        release(pages);
    }
}

/// rutabaga exports each blob when it is made, and asks what it is.
#[test]
fn memory_is_exported() {
    let monitor = Monitor::initialised(ASYNC);
    let mapped = monitor.context_with_ring(1, 7);
    mapped.word(64).store(0xabcd, Ordering::Release);
    let (kind, fd) = export(7).unwrap();
    assert_eq!(kind, SHM);
    let mut bytes = [0; 4];
    File::from(fd).read_exact_at(&mut bytes, 64).unwrap();
    assert_eq!(u32::from_le_bytes(bytes), 0xabcd);

    let size = u32::try_from(size_of::<Query>()).unwrap();
    let mut query = Query {
        header: [1, 0, size],
        resource: 7,
        fds: 9,
        export: 0,
        fourcc: 9,
        pad: 0,
        out_fds: [9; 4],
        strides: [9; 4],
        offsets: [9; 4],
        modifier: 9,
    };
    let execute =
        |argument: *mut c_void, size| call!("virgl_renderer_execute"(argument => *mut c_void, size => u32) -> c_int);
    assert_eq!(execute((&raw mut query).cast(), size), 0);
    assert_eq!((query.fds, query.fourcc, query.out_fds), (0, 0, [-1; 4]), "plain memory is no picture");
    let mut supported = [2_u32, 0, 20, 0, 99];
    assert_eq!(execute(supported.as_mut_ptr().cast(), 20), 0);
    assert_eq!(supported[4], 0b11);
    query.resource = 99;
    assert_eq!(execute((&raw mut query).cast(), size), -INVALID);
}

/// What a monitor has from elsewhere becomes a resource, and what a guest has in one context can be used in another.
#[test]
fn memory_is_imported_and_attached() {
    let monitor = Monitor::initialised(ASYNC);
    let _mapped = monitor.context_with_ring(1, 7);
    assert_eq!(monitor.create_context(2, 4, b"other"), 0);
    monitor.attach(2, 7);
    monitor.attach(2, 7);
    let file = tempfile::tempfile().unwrap();
    file.set_len(0x1000).unwrap();
    file.write_all_at(b"here", 0).unwrap();
    let fd = rustix::io::fcntl_dupfd_cloexec(&file, 3).unwrap();
    let args = ImportArgs { resource: 8, memory: 2, kind: SHM, fd: fd.as_raw_fd(), size: 0x1000 };
    assert_eq!(import(&ImportArgs { size: 0x1001, ..args }), -INVALID);
    assert_eq!(import(&ImportArgs { size: 0, ..args }), -INVALID);
    assert_eq!(import(&ImportArgs { kind: 2, ..args }), -INVALID, "nobody knows which driver's it is");
    assert_eq!(import(&ImportArgs { fd: -1, ..args }), -INVALID);
    assert_eq!(import(&ImportArgs { resource: 7, ..args }), -INVALID);
    assert_eq!(import(&args), 0);
    // It is the library's now, and was the monitor's until then.
    std::mem::forget(fd);
    let mapped = monitor.map(8).unwrap();
    assert_eq!(mapped.word(0).load(Ordering::Acquire), u32::from_le_bytes(*b"here"));
    monitor.attach(1, 8);
    call!("virgl_renderer_ctx_detach_resource"(1 => c_int, 8 => c_int));
    monitor.unref(8);
    assert_eq!(mapped.word(0).load(Ordering::Acquire), u32::from_le_bytes(*b"here"));
    assert_eq!(monitor.unmap(8), 0);
    // The contexts are well.
    for context in [1, 2] {
        assert_eq!(monitor.fence(context, 0, context.into()), 0);
    }
    monitor.wait(2, false);
}

/// Pages of the guest's own are a blob that no context provides.
#[test]
fn pages_of_the_guest_are_a_resource() {
    let monitor = Monitor::initialised(POLLED);
    let mut pages = [0_u8; 64];
    let mut array = [(pages.as_mut_ptr(), pages.len())];
    let args =
        BlobArgs { memory: 1, flags: 2, iovecs: array.as_ptr().cast(), iovec_count: 1, ..BlobArgs::shared(7, 0, 64) };
    assert_eq!(monitor.create_blob(&args), 0);
    assert_eq!(monitor.map(7).unwrap_err(), -INVALID);
    assert_eq!(export(7).unwrap_err(), -INVALID);
    let (mut iov, mut count) = (std::ptr::null_mut::<c_void>(), 0);
    call!("virgl_renderer_resource_detach_iov"(7 => c_int, &raw mut iov => *mut *mut c_void, &raw mut count => *mut c_int));
    assert_eq!((iov, count), (array.as_mut_ptr().cast(), 1));
}
