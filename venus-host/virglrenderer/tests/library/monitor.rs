//! A monitor in small: the library's functions, callbacks that note what they are told, and a context with a ring.

use std::{
    ffi::{c_char, c_int, c_void},
    path::PathBuf,
    sync::{
        LazyLock,
        atomic::{AtomicU32, Ordering},
    },
    thread::{self, ThreadId},
};

use libloading::{Library, Symbol};
use parking_lot::{Mutex, MutexGuard};
use venus_guest::bare::{bytes, command, until};

/// Flags of QEMU 10: Venus, with a render server.
pub(crate) const POLLED: c_int = 0x240;
/// The same with callbacks at any time, as all others have it.
pub(crate) const ASYNC: c_int = 0x240 | 0x100 | 0x2;

/// Where the ring's memory holds what `vkWriteRingExtraMESA` writes.
pub(crate) const EXTRA: usize = 192 + 4096;
/// The ring's number.
const RING: u64 = 0x10;

/// `virgl_renderer_callbacks`.
#[repr(C)]
pub(crate) struct Callbacks {
    pub(crate) version: c_int,
    pub(crate) write_fence: Option<unsafe extern "C" fn(*mut c_void, u32)>,
    pub(crate) gl: [usize; 3],
    pub(crate) get_drm_fd: usize,
    pub(crate) write_context_fence: Option<unsafe extern "C" fn(*mut c_void, u32, u32, u64)>,
    pub(crate) get_server_fd: usize,
    pub(crate) get_egl_display: usize,
}

/// `virgl_renderer_resource_create_blob_args`.
#[repr(C)]
#[derive(Clone, Copy)]
pub(crate) struct BlobArgs {
    pub(crate) resource: u32,
    pub(crate) context: u32,
    pub(crate) memory: u32,
    pub(crate) flags: u32,
    pub(crate) blob_id: u64,
    pub(crate) size: u64,
    pub(crate) iovecs: *const c_void,
    pub(crate) iovec_count: u32,
}

impl BlobArgs {
    /// Plain shared memory.
    pub(crate) fn shared(resource: u32, context: u32, size: u64) -> Self {
        Self { resource, context, memory: 2, flags: 1, blob_id: 0, size, iovecs: std::ptr::null(), iovec_count: 0 }
    }
}

/// A fence that the monitor was told of: context, timeline and number, and on which thread. The device's own are of
/// context 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Told {
    pub(crate) fence: (u32, u32, u64),
    pub(crate) thread: ThreadId,
}

/// What the callbacks were told, since the last look.
static TOLD: Mutex<Vec<Told>> = Mutex::new(Vec::new());

unsafe extern "C" fn write_fence(_cookie: *mut c_void, fence: u32) {
    note((0, 0, fence.into()));
}

unsafe extern "C" fn write_context_fence(_cookie: *mut c_void, context: u32, ring_idx: u32, fence: u64) {
    note((context, ring_idx, fence));
}

/// What callbacks do before they note anything.
static DURING: Mutex<Option<fn()>> = Mutex::new(None);

fn note(fence: (u32, u32, u64)) {
    let during = *DURING.lock();
    if let Some(during) = during {
        during();
    }
    TOLD.lock().push(Told { fence, thread: thread::current().id() });
}

/// The built library.
static LIBRARY: LazyLock<Library> = LazyLock::new(|| {
    // SAFETY: loading it runs nothing of its own.
    unsafe { Library::new(path()) }.expect("the library is loaded")
});

/// Names another place for the library.
pub(crate) const LIBRARY_VARIABLE: &str = "VENUS_TEST_LIBRARY";

/// Where it is: beside this program, if nobody says otherwise.
pub(crate) fn path() -> PathBuf {
    if let Some(path) = std::env::var_os(LIBRARY_VARIABLE) {
        return path.into();
    }
    let program = std::env::current_exe().unwrap();
    program.parent().unwrap().join(format!(
        "{}virglrenderer{}",
        std::env::consts::DLL_PREFIX,
        std::env::consts::DLL_SUFFIX
    ))
}

/// The library in the hands of one test at a time. It is cleaned up in the end.
pub(crate) struct Monitor {
    callbacks: Box<Callbacks>,
    _turn: MutexGuard<'static, ()>,
}

/// Calls a function of the library.
macro_rules! call {
    ($name:literal ( $($argument:expr => $type:ty),* ) $(-> $result:ty)?) => {{
        type Function = unsafe extern "C" fn($($type),*) $(-> $result)?;
        let function = $crate::monitor::function::<Function>($name);
        // SAFETY: it has this type in the header, and the test passes what it asks for.
        unsafe { function($($argument),*) }
    }};
}
pub(crate) use call;

pub(crate) fn function<T>(name: &str) -> Symbol<'static, T> {
    // SAFETY: whoever calls it says its type.
    unsafe { LIBRARY.get(name.as_bytes()) }.unwrap_or_else(|error| panic!("{name}: {error}"))
}

impl Monitor {
    /// Waits for its turn. The library is not initialised.
    pub(crate) fn new() -> Self {
        static TURN: Mutex<()> = Mutex::new(());
        let turn = TURN.lock();
        TOLD.lock().clear();
        *DURING.lock() = None;
        let callbacks = Callbacks {
            version: 3,
            write_fence: Some(write_fence),
            gl: [0; 3],
            get_drm_fd: 0,
            write_context_fence: Some(write_context_fence),
            get_server_fd: 0,
            get_egl_display: 0,
        };
        Self { callbacks: Box::new(callbacks), _turn: turn }
    }

    /// Initialised, with such flags.
    pub(crate) fn initialised(flags: c_int) -> Self {
        let mut monitor = Self::new();
        assert_eq!(monitor.init(flags), 0);
        monitor
    }

    pub(crate) fn init(&mut self, flags: c_int) -> c_int {
        let cookie = std::ptr::dangling_mut::<c_void>();
        call!("virgl_renderer_init"(cookie => *mut c_void, flags => c_int, &raw mut *self.callbacks => *mut Callbacks) -> c_int)
    }

    /// With the callbacks of such a version.
    pub(crate) fn version(mut self, version: c_int) -> Self {
        self.callbacks.version = version;
        self
    }

    /// With OpenGL: addresses of the callbacks that create, destroy and make current.
    #[cfg(target_os = "linux")]
    pub(crate) fn gl(&mut self, callbacks: [usize; 3]) {
        self.callbacks.gl = callbacks;
    }

    /// Has callbacks do something first.
    pub(crate) fn during(&self, call: fn()) {
        *DURING.lock() = Some(call);
    }

    pub(crate) fn cleanup(&self) {
        call!("virgl_renderer_cleanup"(std::ptr::null_mut() => *mut c_void));
    }

    pub(crate) fn reset(&self) {
        call!("virgl_renderer_reset"());
    }

    pub(crate) fn poll(&self) {
        call!("virgl_renderer_poll"());
    }

    /// What the callbacks were told since the last look.
    pub(crate) fn told(&self) -> Vec<Told> {
        std::mem::take(&mut *TOLD.lock())
    }

    /// What they were told once there are so many, polling if that is how the monitor hears of it.
    #[track_caller]
    pub(crate) fn wait(&self, count: usize, is_polling: bool) -> Vec<Told> {
        until("fences retire", || {
            if is_polling {
                self.poll();
            }
            TOLD.lock().len() >= count
        });
        self.told()
    }

    pub(crate) fn create_context(&self, context: u32, flags: u32, name: &[u8]) -> c_int {
        let length = u32::try_from(name.len()).unwrap();
        call!("virgl_renderer_context_create_with_flags"(
            context => u32, flags => u32, length => u32, name.as_ptr().cast() => *const c_char) -> c_int)
    }

    pub(crate) fn create_blob(&self, args: &BlobArgs) -> c_int {
        call!("virgl_renderer_resource_create_blob"(&raw const *args => *const BlobArgs) -> c_int)
    }

    pub(crate) fn map(&self, resource: u32) -> Result<Mapped, c_int> {
        let (mut address, mut size) = (std::ptr::null_mut::<c_void>(), 0_u64);
        let answer = call!("virgl_renderer_resource_map"(
            resource => u32, &raw mut address => *mut *mut c_void, &raw mut size => *mut u64) -> c_int);
        if answer == 0 { Ok(Mapped { address: address.cast(), size }) } else { Err(answer) }
    }

    pub(crate) fn unmap(&self, resource: u32) -> c_int {
        call!("virgl_renderer_resource_unmap"(resource => u32) -> c_int)
    }

    pub(crate) fn unref(&self, resource: u32) {
        call!("virgl_renderer_resource_unref"(resource => u32));
    }

    pub(crate) fn destroy_context(&self, context: u32) {
        call!("virgl_renderer_context_destroy"(context => u32));
    }

    pub(crate) fn attach(&self, context: c_int, resource: c_int) {
        call!("virgl_renderer_ctx_attach_resource"(context => c_int, resource => c_int));
    }

    pub(crate) fn submit(&self, context: c_int, words: &[u32]) -> c_int {
        let mut bytes = bytes(words);
        let count = c_int::try_from(words.len()).unwrap();
        call!("virgl_renderer_submit_cmd"(bytes.as_mut_ptr().cast() => *mut c_void, context => c_int, count => c_int) -> c_int)
    }

    pub(crate) fn fence(&self, context: u32, ring_idx: u32, fence: u64) -> c_int {
        call!("virgl_renderer_context_create_fence"(
            context => u32, 1 => u32, ring_idx => u32, fence => u64) -> c_int)
    }

    /// A fence of the device's own timeline.
    pub(crate) fn device_fence(&self, fence: c_int) -> c_int {
        call!("virgl_renderer_create_fence"(fence => c_int, 0 => u32) -> c_int)
    }

    /// A context with a ring in a blob, as Mesa begins. Returns the blob's mapping.
    #[track_caller]
    pub(crate) fn context_with_ring(&self, context: u32, resource: u32) -> Mapped {
        assert_eq!(self.create_context(context, 4, b"test"), 0);
        assert_eq!(self.create_blob(&BlobArgs::shared(resource, context, 0x2000)), 0);
        let mapped = self.map(resource).unwrap();
        let create = command::create_ring(RING, resource, 4096, None);
        assert_eq!(self.submit(context.cast_signed(), &create), 0);
        mapped
    }

    /// Has a context with a ring write a word to the ring's memory, behind everything else.
    #[track_caller]
    pub(crate) fn write_extra(&self, context: u32, value: u32) {
        assert_eq!(self.submit(context.cast_signed(), &command::write_ring_extra(RING, 0, value)), 0);
    }
}

impl Drop for Monitor {
    fn drop(&mut self) {
        self.cleanup();
    }
}

/// Mapped memory of a guest's.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Mapped {
    pub(crate) address: *mut u8,
    pub(crate) size: u64,
}

impl Mapped {
    /// The word at `offset`.
    pub(crate) fn word(&self, offset: usize) -> &AtomicU32 {
        assert!(offset + 4 <= usize::try_from(self.size).unwrap());
        let word = self.address.wrapping_add(offset).cast();
        // SAFETY: it lies in mapped memory, which the test unmaps in the end; offsets are multiples of four.
        unsafe { AtomicU32::from_ptr(word) }
    }

    /// Waits until there is such a word.
    #[track_caller]
    pub(crate) fn wait(&self, offset: usize, value: u32) {
        until("a word is written", || self.word(offset).load(Ordering::Acquire) == value);
    }
}
