//! Arguments that are wrong: null, sizes, numbers. None of them ends the monitor.

use std::ffi::{c_char, c_int, c_void};

use crate::monitor::{BlobArgs, Monitor, POLLED, call};

const INVALID: c_int = 22;
const UNSUPPORTED: c_int = -95;

/// Everything that can be called before the start, or after the end.
#[test]
fn nothing_works_without_a_start() {
    let monitor = Monitor::new();
    assert_eq!(monitor.create_context(1, 4, b"x"), -INVALID);
    assert_eq!(monitor.create_blob(&BlobArgs::shared(1, 1, 4096)), -INVALID);
    assert_eq!(monitor.submit(1, &[0, 0]), INVALID);
    assert_eq!(monitor.fence(1, 0, 1), -INVALID);
    assert_eq!(monitor.device_fence(1), INVALID);
    assert_eq!(monitor.map(1).unwrap_err(), -INVALID);
    assert_eq!(monitor.unmap(1), -INVALID);
    monitor.unref(1);
    monitor.destroy_context(1);
    monitor.attach(1, 1);
    monitor.poll();
    call!("virgl_renderer_reset"());
    call!("virgl_renderer_force_ctx_0"());
    monitor.cleanup();
    assert_eq!(monitor.told(), []);
}

#[test]
fn null_is_refused() {
    let monitor = Monitor::initialised(POLLED);
    let null = std::ptr::null_mut::<c_void>();
    macro_rules! refused {
        ($name:literal ( $($argument:expr => $type:ty),* )) => {
            assert_eq!(call!($name($($argument => $type),*) -> c_int).abs(), INVALID, $name);
        };
    }
    let _mapped = monitor.context_with_ring(1, 7);
    refused!("virgl_renderer_resource_create"(null => *mut c_void, null => *mut c_void, 0 => u32));
    refused!("virgl_renderer_resource_create_blob"(null => *mut c_void));
    refused!("virgl_renderer_resource_import_blob"(null => *mut c_void));
    refused!("virgl_renderer_resource_attach_iov"(7 => c_int, null => *mut c_void, 1 => c_int));
    refused!("virgl_renderer_resource_get_info"(7 => c_int, null => *mut c_void));
    refused!("virgl_renderer_resource_get_info_ext"(7 => c_int, null => *mut c_void));
    refused!("virgl_renderer_resource_map"(7 => u32, null => *mut c_void, null => *mut c_void));
    refused!("virgl_renderer_resource_map_fixed"(7 => u32, null => *mut c_void));
    refused!("virgl_renderer_resource_map2"(7 => u32, null => *mut c_void, 4096 => u64, 3 => c_int, 0x11 => c_int));
    refused!("virgl_renderer_resource_get_map_ptr"(7 => u32, null => *mut c_void));
    refused!("virgl_renderer_resource_get_map_info"(7 => u32, null => *mut c_void));
    refused!("virgl_renderer_resource_export_blob"(7 => u32, null => *mut c_void, null => *mut c_void));
    refused!("virgl_renderer_submit_cmd"(null => *mut c_void, 1 => c_int, 4 => c_int));
    refused!("virgl_renderer_execute"(null => *mut c_void, 12 => u32));
    refused!("virgl_renderer_transfer_write_iov"(7 => u32, 0 => u32, 0 => c_int, 0 => u32, 0 => u32,
        null => *mut c_void, 0 => u64, null => *mut c_void, 0 => u32));
    refused!("virgl_renderer_transfer_read_iov"(7 => u32, 0 => u32, 0 => u32, 0 => u32, 0 => u32,
        null => *mut c_void, 0 => u64, null => *mut c_void, 0 => c_int));
    call!("virgl_renderer_get_cap_set"(4 => u32, null => *mut c_void, null => *mut c_void));
    call!("virgl_renderer_fill_caps"(4 => u32, 0 => u32, null => *mut c_void));
    assert_eq!(
        call!("virgl_renderer_context_create_with_flags"(
            2 => u32, 4 => u32, 9 => u32, std::ptr::null() => *const c_char) -> c_int),
        0,
        "a context needs no name"
    );
    monitor.cleanup();
    refused!("virgl_renderer_init"(null => *mut c_void, POLLED => c_int, null => *mut c_void));
    let mut none = 0_i32;
    refused!("virgl_renderer_init"(null => *mut c_void, POLLED => c_int, (&raw mut none).cast() => *mut c_void));
}

#[test]
fn numbers_are_looked_up_and_not_believed() {
    let monitor = Monitor::initialised(POLLED);
    assert_eq!(monitor.create_context(0, 4, b"x"), -INVALID);
    assert_eq!(monitor.create_context(1, 4, b"x"), 0);
    let blob = BlobArgs::shared(7, 1, 4096);
    for bad in [
        BlobArgs { resource: 0, ..blob },
        BlobArgs { context: 2, ..blob },
        BlobArgs { context: 0, ..blob },
        BlobArgs { context: u32::MAX, ..blob },
        BlobArgs { memory: 0, ..blob },
        BlobArgs { memory: 4, ..blob },
        BlobArgs { size: 0, ..blob },
        BlobArgs { blob_id: 12345, ..blob },
        BlobArgs { flags: 0, ..blob },
    ] {
        assert_ne!(monitor.create_blob(&bad), 0, "{} of {}", bad.resource, bad.context);
    }
    for size in [u64::MAX, u64::MAX - 4095, 1 << 63, 1 << 40] {
        assert_ne!(monitor.create_blob(&BlobArgs { size, ..blob }), 0, "{size}");
    }
    assert_eq!(monitor.create_blob(&blob), 0);
    assert_eq!(monitor.create_blob(&blob), -INVALID, "there is one of this number");
    for handle in [0, 8, u32::MAX] {
        assert_eq!(monitor.map(handle).unwrap_err(), -INVALID);
        assert_eq!(monitor.unmap(handle), -INVALID);
        monitor.unref(handle);
        monitor.attach(1, handle.cast_signed());
    }
    monitor.attach(-1, 7);
    monitor.destroy_context(u32::MAX);
    assert_eq!(monitor.submit(1, &[]), 0, "nothing is no commands");
    for words in [-1, c_int::MIN] {
        let mut buffer = [0_u32; 4];
        let answer = call!("virgl_renderer_submit_cmd"(
            buffer.as_mut_ptr() => *mut u32, 1 => c_int, words => c_int) -> c_int);
        assert_eq!(answer, INVALID);
    }
    // The context is well after all this.
    assert_eq!(monitor.fence(1, 0, 1), 0);
    assert_eq!(monitor.wait(1, true)[0].fence, (1, 0, 1));
}

#[test]
fn structures_have_their_size() {
    let _monitor = Monitor::initialised(POLLED);
    let mut words = [0_u32; 22];
    let mut execute = |header: [u32; 3], size: u32| {
        words[..3].copy_from_slice(&header);
        call!("virgl_renderer_execute"(words.as_mut_ptr().cast() => *mut c_void, size => u32) -> c_int)
    };
    for (header, size) in [
        ([1, 0, 88], 84),
        ([1, 0, 84], 84),
        ([1, 1, 88], 88),
        ([1, 0, 88], 4),
        ([1, 0, 88], 0),
        ([2, 0, 88], 88),
        ([0, 0, 12], 12),
        ([4, 0, 12], 12),
    ] {
        assert_eq!(execute(header, size), -INVALID, "{header:?} in {size}");
    }
    assert_eq!(execute([2, 0, 20], 20), 0);
}

#[test]
fn what_is_not_here_says_so() {
    let _monitor = Monitor::initialised(POLLED);
    let mut number = 0;
    let place = &raw mut number;
    assert_eq!(call!("virgl_renderer_export_fence"(1 => u64, place => *mut c_int) -> c_int), UNSUPPORTED);
    assert_eq!(call!("virgl_renderer_export_signalled_fence"() -> c_int), UNSUPPORTED);
    assert_eq!(call!("virgl_renderer_attach_fence"(1 => c_int, 0 => c_int) -> c_int), UNSUPPORTED);
    assert_eq!(call!("virgl_renderer_get_fence_fd"(1 => u64) -> c_int), UNSUPPORTED);
    assert_eq!(call!("virgl_renderer_get_dev_fd"(1 => c_int) -> c_int), UNSUPPORTED);
    assert_eq!(call!("virgl_renderer_get_fd_for_texture"(1 => u32, place => *mut c_int) -> c_int), UNSUPPORTED);
    assert_eq!(call!("virgl_renderer_get_poll_fd"() -> c_int), -1);
    assert_eq!(call!("virgl_renderer_context_get_poll_fd"(1 => u32) -> c_int), -1);
    let mut fences = [1_u64];
    let answer = call!("virgl_renderer_submit_cmd2"(std::ptr::null_mut() => *mut c_void, 1 => c_int, 0 => c_int,
        fences.as_mut_ptr() => *mut u64, 1 => u32) -> c_int);
    assert_eq!(answer, INVALID);
}
