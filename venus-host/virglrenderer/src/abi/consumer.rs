//! The monitor: what it gave to `virgl_renderer_init`, and calling it.

use std::ffi::{c_int, c_void};

/// `virgl_renderer_callbacks` of version 1, which every later one begins with.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub(crate) struct FirstCallbacks {
    /// Which fields there are.
    pub(crate) version: c_int,
    /// Retires the fences of the device's own timeline, up to this one.
    pub(crate) write_fence: Option<WriteFence>,
    /// Makes an OpenGL context that shares textures with the monitor's.
    pub(crate) create_gl_context: Option<CreateGlContext>,
    /// Ends one.
    pub(crate) destroy_gl_context: Option<DestroyGlContext>,
    /// Makes one current on the calling thread.
    pub(crate) make_current: Option<MakeCurrent>,
}
const _: () = assert!(size_of::<FirstCallbacks>() == 40);

/// `virgl_renderer_callbacks` of version 3. Version 4 appends one that is never called here: `get_egl_display`.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub(crate) struct RawCallbacks {
    /// What there was before.
    pub(crate) first: FirstCallbacks,
    /// Version 2. Never called here: a GPU is chosen by the environment.
    pub(crate) get_drm_fd: Option<unsafe extern "C" fn(*mut c_void) -> c_int>,
    /// Version 3. Retires a fence of a context's timeline.
    pub(crate) write_context_fence: Option<WriteContextFence>,
    /// Version 3. Never called here: workers are started, not connected to.
    pub(crate) get_server_fd: Option<unsafe extern "C" fn(*mut c_void, u32) -> c_int>,
}
const _: () = assert!(size_of::<RawCallbacks>() == 64);

/// `virgl_renderer_gl_ctx_param`.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub(crate) struct GlContextParam {
    /// 1.
    pub(crate) version: c_int,
    /// Whether it shares textures with the first of ours, too.
    pub(crate) shared: bool,
    /// Of OpenGL, or of OpenGL ES where the monitor uses that.
    pub(crate) major_ver: c_int,
    /// The rest of that version.
    pub(crate) minor_ver: c_int,
    /// Whether a compatibility profile is wanted.
    pub(crate) compat_ctx: c_int,
}
const _: () = assert!(size_of::<GlContextParam>() == 20);

type WriteFence = unsafe extern "C" fn(cookie: *mut c_void, fence: u32);
type WriteContextFence = unsafe extern "C" fn(cookie: *mut c_void, ctx_id: u32, ring_idx: u32, fence_id: u64);
type CreateGlContext =
    unsafe extern "C" fn(cookie: *mut c_void, scanout_idx: c_int, param: *mut GlContextParam) -> *mut c_void;
type DestroyGlContext = unsafe extern "C" fn(cookie: *mut c_void, context: *mut c_void);
type MakeCurrent = unsafe extern "C" fn(cookie: *mut c_void, scanout_idx: c_int, context: *mut c_void) -> c_int;

/// The screen that OpenGL contexts are asked for. They are used for textures only, which all screens share.
const SCANOUT: c_int = 0;

/// An OpenGL context of the monitor's making.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct GlContext(*mut c_void);

// SAFETY: it is a name that only the monitor looks behind, and the pointer is given back to the monitor and to nobody
// else.
unsafe impl Send for GlContext {}

/// Who has initialised the library.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Consumer {
    cookie: *mut c_void,
    /// Where the callbacks were, to recognise them.
    identity: *const RawCallbacks,
    write_fence: Option<WriteFence>,
    write_context_fence: Option<WriteContextFence>,
    create_gl_context: Option<CreateGlContext>,
    destroy_gl_context: Option<DestroyGlContext>,
    make_current: Option<MakeCurrent>,
}

// SAFETY: the pointers are given back to the monitor and never looked behind; which callback may be called on which
// thread is the contract of `virgl_renderer_init`, kept in `fences.rs` and `scanout/screen.rs`.
unsafe impl Send for Consumer {}
// SAFETY: as above; all methods take copies.
unsafe impl Sync for Consumer {}

impl Consumer {
    /// Reads the callbacks, as many as the monitor says that there are.
    ///
    /// None if there are none, or of no version.
    ///
    /// # Safety
    ///
    /// `callbacks` is null or points to the fields of `virgl_renderer_callbacks` that exist in the version which stands in
    /// the first of them. The functions can be called with `cookie` until `virgl_renderer_cleanup` returns.
    pub(crate) unsafe fn read(cookie: *mut c_void, callbacks: *const RawCallbacks) -> Option<Self> {
        if callbacks.is_null() {
            return None;
        }
        // SAFETY: every version begins with its number, by the contract of this function.
        let version = unsafe { callbacks.cast::<c_int>().read() };
        if version < 1 {
            return None;
        }
        // SAFETY: these are the fields of version 1, by the contract of this function.
        let first = unsafe { callbacks.cast::<FirstCallbacks>().read() };
        let write_context_fence = if version >= 3 {
            // SAFETY: these are the fields of version 3, by the contract of this function.
            unsafe { callbacks.read() }.write_context_fence
        } else {
            None
        };
        let FirstCallbacks { write_fence, create_gl_context, destroy_gl_context, make_current, .. } = first;
        Some(Self {
            cookie,
            identity: callbacks,
            write_fence,
            write_context_fence,
            create_gl_context,
            destroy_gl_context,
            make_current,
        })
    }

    /// Whether this is who initialises the library again, as a monitor does whose guest restarts.
    pub(crate) fn is(&self, other: &Self) -> bool {
        self.cookie == other.cookie && self.identity == other.identity
    }

    /// Whether it hears of the fences of contexts.
    pub(crate) fn hears_context_fences(&self) -> bool {
        self.write_context_fence.is_some()
    }

    /// Says that a fence of the device's timeline has retired.
    pub(crate) fn write_fence(&self, fence: u32) {
        if let Some(call) = self.write_fence {
            // SAFETY: the monitor's own function with its own cookie, by the contract of `read`.
            unsafe { call(self.cookie, fence) };
        }
    }

    /// Says that a fence of a context has retired.
    pub(crate) fn write_context_fence(&self, context: u32, ring_idx: u32, fence: u64) {
        if let Some(call) = self.write_context_fence {
            // SAFETY: as in `write_fence`.
            unsafe { call(self.cookie, context, ring_idx, fence) };
        }
    }

    /// Asks for an OpenGL context of such a version.
    pub(crate) fn create_gl_context(&self, (major_ver, minor_ver): (c_int, c_int)) -> Option<GlContext> {
        let mut param = GlContextParam { version: 1, shared: false, major_ver, minor_ver, compat_ctx: 0 };
        let (create, _, _) = self.gl()?;
        // SAFETY: as in `write_fence`; `param` is one of its structures.
        let context = unsafe { create(self.cookie, SCANOUT, &raw mut param) };
        (!context.is_null()).then_some(GlContext(context))
    }

    /// Makes an OpenGL context current on this thread. Says whether it is.
    pub(crate) fn make_current(&self, context: GlContext) -> bool {
        let Some((_, make_current, _)) = self.gl() else { return false };
        // SAFETY: as in `write_fence`; the context is one of the monitor's.
        let answer = unsafe { make_current(self.cookie, SCANOUT, context.0) };
        answer == 0
    }

    /// Ends an OpenGL context.
    pub(crate) fn destroy_gl_context(&self, context: GlContext) {
        if let Some((_, _, destroy)) = self.gl() {
            // SAFETY: as in `write_fence`; the context is one of the monitor's, and its owner does not use it any more.
            unsafe { destroy(self.cookie, context.0) };
        }
    }

    /// What it takes to have OpenGL, if the monitor has it.
    fn gl(&self) -> Option<(CreateGlContext, MakeCurrent, DestroyGlContext)> {
        Some((self.create_gl_context?, self.make_current?, self.destroy_gl_context?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    unsafe extern "C" fn ignore(_cookie: *mut c_void, _ctx: u32, _ring: u32, _fence: u64) {}

    #[test]
    fn fields_beyond_the_version_are_not_read() {
        let first = FirstCallbacks {
            version: 2,
            write_fence: None,
            create_gl_context: None,
            destroy_gl_context: None,
            make_current: None,
        };
        let mut raw = RawCallbacks { first, get_drm_fd: None, write_context_fence: Some(ignore), get_server_fd: None };
        // SAFETY: all fields are there.
        let old = unsafe { Consumer::read(std::ptr::null_mut(), &raw const raw) }.unwrap();
        assert!(!old.hears_context_fences());
        raw.first.version = 3;
        // SAFETY: all fields are there.
        let new = unsafe { Consumer::read(std::ptr::null_mut(), &raw const raw) }.unwrap();
        assert!(new.hears_context_fences());
        raw.first.version = 0;
        // SAFETY: all fields are there.
        assert!(unsafe { Consumer::read(std::ptr::null_mut(), &raw const raw) }.is_none());
        // SAFETY: null is permitted.
        assert!(unsafe { Consumer::read(std::ptr::null_mut(), std::ptr::null()) }.is_none());
    }
}
