//! What monitors rely on, one test for each contract.

use std::{
    ffi::{CStr, c_char, c_int, c_void},
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::Duration,
};

use parking_lot::Mutex;
use venus_guest::bare::until;

use crate::monitor::{ASYNC, EXTRA, Monitor, POLLED, call};

/// `EINVAL`.
const INVALID: c_int = 22;

/// Version and size of a capability set.
fn capset(set: u32) -> (u32, u32) {
    let (mut version, mut size) = (99, 99);
    call!("virgl_renderer_get_cap_set"(set => u32, &raw mut version => *mut u32, &raw mut size => *mut u32));
    (version, size)
}

/// QEMU asks when the device is realized, before it initialises anything, and lists what has a size.
#[test]
fn capability_sets_are_known_before_the_start() {
    let mut monitor = Monitor::new();
    let check = || {
        assert_eq!(capset(4), (0, 160));
        assert_eq!([0, 1, 2, 3, 5, 6, u32::MAX].map(capset), [(0, 0); 7]);
    };
    check();
    let mut caps = [0xaa_u8; 164];
    call!("virgl_renderer_fill_caps"(4 => u32, 0 => u32, caps.as_mut_ptr().cast() => *mut c_void));
    assert_eq!(caps[..4], [1, 0, 0, 0], "the wire format's version");
    assert_eq!(caps[16..20], [1, 0, 0, 0], "plain shared memory");
    assert_eq!(caps[160..], [0xaa; 4], "what lies behind");
    let before = caps;
    call!("virgl_renderer_fill_caps"(2 => u32, 0 => u32, caps.as_mut_ptr().cast() => *mut c_void));
    assert_eq!(caps, before);
    assert_eq!(monitor.init(POLLED), 0);
    check();
}

/// QEMU 10 takes no lock in its callbacks: they may come inside `virgl_renderer_poll` and nowhere else.
#[test]
fn fences_are_told_of_inside_poll_alone() {
    let monitor = Monitor::initialised(POLLED);
    let mapped = monitor.context_with_ring(1, 7);
    monitor.write_extra(1, 0x1234);
    for fence in 1..=5 {
        assert_eq!(monitor.fence(1, 0, fence), 0);
    }
    assert_eq!(monitor.device_fence(9), 0);
    mapped.wait(EXTRA, 0x1234);
    thread::sleep(Duration::from_millis(50));
    assert!(monitor.told().is_empty(), "the callback is over");
    let told = monitor.wait(6, true);
    assert!(told.iter().all(|told| told.thread == thread::current().id()), "{told:?}");
    let of_context: Vec<_> = told.iter().map(|told| told.fence).filter(|fence| fence.0 == 1).collect();
    assert_eq!(of_context, [(1, 0, 1), (1, 0, 2), (1, 0, 3), (1, 0, 4), (1, 0, 5)]);
    assert!(told.iter().any(|told| told.fence == (0, 0, 9)));
}

/// All others never poll.
#[test]
fn fences_are_told_of_without_polling() {
    let monitor = Monitor::new().version(4);
    let mut monitor = monitor;
    assert_eq!(monitor.init(ASYNC), 0);
    let mapped = monitor.context_with_ring(1, 7);
    monitor.write_extra(1, 0x1234);
    assert_eq!(monitor.fence(1, 0, u64::MAX), 0);
    let told = monitor.wait(1, false);
    assert_eq!(told[0].fence, (1, 0, u64::MAX));
    assert_ne!(told[0].thread, thread::current().id());
    assert_eq!(mapped.word(EXTRA).load(Ordering::Acquire), 0x1234, "what came before the fence");
    assert_eq!(monitor.device_fence(-1), 0);
    assert_eq!(monitor.wait(1, false)[0].fence, (0, 0, u32::MAX.into()));
}

/// QEMU resets the device and initialises it again when its guest restarts; crosvm's and libkrun's users begin anew in
/// the same process.
#[test]
fn it_starts_and_ends_again_and_again() {
    let mut monitor = Monitor::new();
    for round in 0..3 {
        assert_eq!(monitor.init(POLLED), 0);
        assert_eq!(monitor.init(POLLED), 0, "the same monitor again");
        let _mapped = monitor.context_with_ring(1, 7);
        monitor.reset();
        assert_eq!(monitor.init(POLLED), 0);
        assert_eq!(monitor.submit(1, &[]), INVALID, "round {round}: the context has gone");
        let mapped = monitor.context_with_ring(1, 7);
        monitor.write_extra(1, round);
        assert_eq!(monitor.fence(1, 0, 1), 0);
        monitor.wait(1, true);
        mapped.wait(EXTRA, round);
        monitor.cleanup();
        assert!(monitor.told().is_empty(), "the callback is over");
        assert_ne!(monitor.submit(1, &[]), 0);
    }
}

/// What a callback needs may be freed once the device is reset or has ended, on whatever thread the callback runs.
#[test]
fn a_callback_that_has_begun_is_over_when_the_device_is_reset_or_ends() {
    static HAS_BEGUN: AtomicBool = AtomicBool::new(false);

    fn take_long() {
        HAS_BEGUN.store(true, Ordering::Release);
        thread::sleep(Duration::from_millis(100));
    }
    for flags in [POLLED, ASYNC] {
        for end in [Monitor::reset, Monitor::cleanup] {
            let monitor = Monitor::initialised(flags);
            monitor.during(take_long);
            HAS_BEGUN.store(false, Ordering::Release);
            assert_eq!(monitor.device_fence(9), 0);
            thread::scope(|scope| {
                scope.spawn(|| call!("virgl_renderer_poll"()));
                until("a callback", || HAS_BEGUN.load(Ordering::Acquire));
                end(&monitor);
                assert_eq!(monitor.told().len(), 1, "{flags:#x}");
            });
        }
    }
}

/// It may need a lock that the monitor holds around the call.
#[test]
fn a_callback_that_does_not_return_is_not_waited_for_without_an_end() {
    static BEGUN: AtomicBool = AtomicBool::new(false);
    static UNLOCKED: AtomicBool = AtomicBool::new(false);

    fn take_lock() {
        BEGUN.store(true, Ordering::Release);
        until("the lock", || UNLOCKED.load(Ordering::Acquire));
    }
    let monitor = Monitor::initialised(POLLED);
    monitor.during(take_lock);
    assert_eq!(monitor.device_fence(9), 0);
    thread::scope(|scope| {
        scope.spawn(|| call!("virgl_renderer_poll"()));
        until("a callback", || BEGUN.load(Ordering::Acquire));
        monitor.cleanup();
        assert!(monitor.told().is_empty(), "the callback is over");
        UNLOCKED.store(true, Ordering::Release);
    });
}

#[test]
fn a_callback_may_reset_or_end_the_device() {
    fn reset() {
        call!("virgl_renderer_reset"());
    }
    fn cleanup() {
        call!("virgl_renderer_cleanup"(std::ptr::null_mut() => *mut c_void));
    }
    for flags in [POLLED, ASYNC] {
        for end in [reset, cleanup] {
            let monitor = Monitor::initialised(flags);
            monitor.during(end);
            assert_eq!(monitor.device_fence(9), 0);
            assert_eq!(monitor.wait(1, flags == POLLED).len(), 1);
        }
    }
}

/// There is one device in a process; a second monitor is told so.
#[test]
fn somebody_else_is_refused() {
    let monitor = Monitor::initialised(POLLED);
    let mut callbacks = [3_usize, 0, 0, 0, 0, 0, 0, 0, 0];
    let mut other = || {
        call!("virgl_renderer_init"(
            std::ptr::null_mut() => *mut c_void, POLLED => c_int, callbacks.as_mut_ptr().cast() => *mut c_void) -> c_int)
    };
    assert_eq!(other(), -16, "EBUSY");
    monitor.cleanup();
    assert_eq!(other(), 0);
}

/// rutabaga asks for everything that its capset mask names, DRM among it: what is not there must not take Venus along.
#[test]
fn flags_that_are_not_known_are_ignored() {
    let mut monitor = Monitor::new();
    assert_eq!(monitor.init(!0x100), 0);
    let _mapped = monitor.context_with_ring(1, 7);
    // DRM's capset, and OpenGL's.
    assert_eq!(monitor.create_context(2, 6, b"drm"), -INVALID);
    assert_eq!(monitor.create_context(2, 2, b"gl"), -INVALID);
    assert_eq!(
        call!("virgl_renderer_context_create"(2 => u32, 2 => u32, c"gl".as_ptr() => *const c_char) -> c_int),
        -INVALID
    );
}

/// A monitor without `venus=on` gets a device without contexts.
#[test]
fn venus_is_served_to_who_asks_for_it() {
    let monitor = Monitor::initialised(0);
    assert_eq!(capset(4), (0, 0));
    assert_eq!(monitor.create_context(1, 4, b"test"), -INVALID);
}

/// Names come from rutabaga without a NUL, and from QEMU with a length that the guest has chosen.
#[test]
fn names_need_no_end() {
    let _monitor = Monitor::initialised(POLLED);
    let name = *b"0123456789012345678901234567890123456789012345678901234567890123";
    let create = |context: u32, length: u32| {
        call!("virgl_renderer_context_create_with_flags"(
            context => u32, 4 => u32, length => u32, name.as_ptr().cast() => *const c_char) -> c_int)
    };
    assert_eq!([create(1, 0), create(2, 5), create(3, u32::MAX)], [0; 3]);
    assert_eq!(create(3, 64), 0, "there is one of this number already");
}

/// A guest's kernel waits for its fences without a limit, so they retire, whatever became of their context.
#[test]
fn fences_retire_on_a_context_that_is_lost_or_none() {
    let monitor = Monitor::initialised(POLLED);
    let _mapped = monitor.context_with_ring(1, 7);
    assert_eq!(monitor.fence(1, 63, 1), monitor.fence(1, 63, 2), "a timeline without a queue");
    let _lost = monitor.submit(1, &[0xffff_ffff; 4]);
    let _refused = monitor.fence(1, 0, 3);
    assert_eq!(monitor.fence(99, 0, 4), -INVALID);
    let mut told: Vec<u64> = monitor.wait(4, true).iter().map(|told| told.fence.2).collect();
    told.sort_unstable();
    assert_eq!(told, [1, 2, 3, 4]);
    // What is submitted afterwards is refused, sooner or later.
    until("the context is lost", || monitor.submit(1, &[0xffff_ffff; 4]) != 0);
}

/// The log goes to the callbacks of rutabaga and libkrun.
#[test]
fn the_log_goes_to_callbacks() {
    static LINES: Mutex<Vec<(c_int, String)>> = Mutex::new(Vec::new());
    static FREED: Mutex<u32> = Mutex::new(0);
    type LogCallback = Option<unsafe extern "C" fn(c_int, *const c_char, *mut c_void)>;
    type FreeCallback = Option<unsafe extern "C" fn(*mut c_void)>;
    type DebugCallback = Option<unsafe extern "C" fn(*const c_char, *mut c_void)>;

    unsafe extern "C" fn line(level: c_int, line: *const c_char, _data: *mut c_void) {
        // SAFETY: the library passes a C string.
        let line = unsafe { CStr::from_ptr(line) };
        LINES.lock().push((level, line.to_str().unwrap().to_owned()));
    }
    unsafe extern "C" fn free(_data: *mut c_void) {
        *FREED.lock() += 1;
    }
    unsafe extern "C" {
        fn vsnprintf(text: *mut c_char, size: usize, format: *const c_char, arguments: *mut c_void) -> c_int;
    }
    unsafe extern "C" fn format(format: *const c_char, arguments: *mut c_void) {
        let mut text = [0_u8; 4096];
        // SAFETY: the library passes what the function asks for.
        unsafe { vsnprintf(text.as_mut_ptr().cast(), text.len(), format, arguments) };
        let text = CStr::from_bytes_until_nul(&text).unwrap();
        LINES.lock().push((-1, text.to_str().unwrap().to_owned()));
    }

    let monitor = Monitor::initialised(POLLED);
    let set = |callback: LogCallback, free: FreeCallback| {
        call!("virgl_set_log_callback"(
            callback => LogCallback, std::ptr::null_mut() => *mut c_void, free => FreeCallback));
    };
    set(Some(line), Some(free));
    monitor.create_context(1, 77, b"x");
    let lines = std::mem::take(&mut *LINES.lock());
    assert!(lines.iter().any(|(level, line)| *level == 2 && line.contains("capability set 77")), "{lines:?}");
    // What a worker has to say comes in the same place.
    let _mapped = monitor.context_with_ring(1, 7);
    let _lost = monitor.submit(1, &[u32::MAX; 4]);
    let is_worker = |line: &(c_int, String)| line.0 == 3 && line.1.contains("direct submission at byte 0");
    until("a worker's line", || LINES.lock().iter().any(is_worker));
    assert_eq!(*FREED.lock(), 0);

    let debug = |callback: DebugCallback| {
        call!("virgl_set_debug_callback"(callback => DebugCallback) -> DebugCallback).is_some()
    };
    assert!(!debug(Some(format)));
    assert_eq!(*FREED.lock(), 1, "the callback before is not needed any more");
    monitor.create_context(1, 78, b"x");
    let lines = std::mem::take(&mut *LINES.lock());
    assert!(lines.iter().any(|(level, line)| *level == -1 && line.contains("capability set 78")), "{lines:?}");
    assert!(debug(None));
    monitor.create_context(1, 79, b"x");
    assert_eq!(*LINES.lock(), []);
}
