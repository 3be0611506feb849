//! The boot console's textures, in OpenGL contexts of a monitor's: what QEMU shows in its window.

use std::{
    ffi::{CStr, c_char, c_int, c_uint, c_void},
    sync::OnceLock,
};

use libloading::Library;

use crate::monitor::{Monitor, POLLED};
use crate::pictures::{Piece, attach, create, info, write};

type Address = *mut c_void;

/// EGL without a window system, and a context of the monitor's own.
struct Egl {
    library: Library,
    display: usize,
    config: usize,
    main: usize,
}

static EGL: OnceLock<Option<Egl>> = OnceLock::new();

/// Calls a function that EGL exports or gives out.
macro_rules! gl {
    ($egl:expr, $name:literal ( $($argument:expr => $type:ty),* ) $(-> $result:ty)?) => {{
        type Function = unsafe extern "C" fn($($type),*) $(-> $result)?;
        let address = $egl.address($name);
        // SAFETY: EGL and OpenGL fix the type of the function of this name.
        let function = unsafe { std::mem::transmute::<Address, Function>(address) };
        // SAFETY: the test passes what it asks for.
        unsafe { function($($argument),*) }
    }};
}

impl Egl {
    fn open() -> Option<Self> {
        const SURFACELESS: c_uint = 0x31dd;
        const OPENGL_API: c_uint = 0x30a2;
        // No surfaces are needed, but OpenGL is.
        const CONFIG: [c_int; 5] = [0x3033, 0, 0x3040, 8, 0x3038];

        // SAFETY: loading it runs nothing of its own.
        let library = unsafe { Library::new("libEGL.so.1") }.ok()?;
        let mut egl = Self { library, display: 0, config: 0, main: 0 };
        egl.display = gl!(egl, c"eglGetPlatformDisplay"(
            SURFACELESS => c_uint, 0 => usize, std::ptr::null() => *const usize) -> usize);
        let none = std::ptr::null_mut::<c_int>();
        let is_there =
            gl!(egl, c"eglInitialize"(egl.display => usize, none => *mut c_int, none => *mut c_int) -> c_uint);
        let is_there = is_there != 0 && gl!(egl, c"eglBindAPI"(OPENGL_API => c_uint) -> c_uint) != 0;
        let mut count = 0;
        let found = is_there
            && gl!(egl, c"eglChooseConfig"(egl.display => usize, CONFIG.as_ptr() => *const c_int,
                &raw mut egl.config => *mut usize, 1 => c_int, &raw mut count => *mut c_int) -> c_uint)
                != 0;
        if !found || count == 0 {
            return None;
        }
        egl.main = egl.context((3, 2));
        (egl.main != 0).then_some(egl)
    }

    fn address(&self, name: &CStr) -> Address {
        type GetProcAddress = unsafe extern "C" fn(*const c_char) -> Address;
        // SAFETY: the function has this type in every version of EGL.
        let find = unsafe { self.library.get::<GetProcAddress>(b"eglGetProcAddress\0") }.unwrap();
        // SAFETY: the name is a C string.
        let address = unsafe { find(name.as_ptr()) };
        assert!(!address.is_null(), "{name:?}");
        address
    }

    /// A context that shares textures with the main one, if there is that already.
    fn context(&self, (major, minor): (c_int, c_int)) -> usize {
        // A core profile, as QEMU's are.
        let attributes = [0x3098, major, 0x30fb, minor, 0x3038];
        gl!(self, c"eglCreateContext"(self.display => usize, self.config => usize, self.main => usize,
            attributes.as_ptr() => *const c_int) -> usize)
    }

    fn make_current(&self, context: usize) -> bool {
        gl!(self, c"eglMakeCurrent"(self.display => usize, 0 => usize, 0 => usize, context => usize) -> c_uint) != 0
    }

    /// The pixels of a texture, red first, the first row first.
    fn pixels(&self, texture: u32, width: c_int, height: c_int) -> Vec<[u8; 4]> {
        const FRAMEBUFFER: c_uint = 0x8d40;
        const COLOUR: c_uint = 0x8ce0;
        assert!(self.make_current(self.main));
        let mut framebuffer = 0_u32;
        gl!(self, c"glGenFramebuffers"(1 => c_int, &raw mut framebuffer => *mut u32));
        gl!(self, c"glBindFramebuffer"(FRAMEBUFFER => c_uint, framebuffer => u32));
        gl!(self, c"glFramebufferTexture2D"(
            FRAMEBUFFER => c_uint, COLOUR => c_uint, 0x0de1 => c_uint, texture => u32, 0 => c_int));
        let status = gl!(self, c"glCheckFramebufferStatus"(FRAMEBUFFER => c_uint) -> c_uint);
        assert_eq!(status, 0x8cd5, "a texture of the library's is one of the monitor's, too");
        let mut pixels = vec![[9; 4]; usize::try_from(width * height).unwrap()];
        gl!(self, c"glReadPixels"(0 => c_int, 0 => c_int, width => c_int, height => c_int,
            0x1908 => c_uint, 0x1401 => c_uint, pixels.as_mut_ptr().cast() => Address));
        gl!(self, c"glDeleteFramebuffers"(1 => c_int, &raw const framebuffer => *const u32));
        pixels
    }
}

fn egl() -> &'static Egl {
    EGL.get().and_then(Option::as_ref).expect("the test has opened it")
}

unsafe extern "C" fn create_gl_context(_cookie: *mut c_void, scanout: c_int, param: *mut [c_int; 5]) -> usize {
    // SAFETY: the library passes its structure, which is of five numbers, one of them smaller.
    let [version, _, major, minor, _] = unsafe { param.read() };
    assert_eq!((scanout, version), (0, 1));
    egl().context((major, minor))
}

unsafe extern "C" fn destroy_gl_context(_cookie: *mut c_void, context: usize) {
    gl!(egl(), c"eglDestroyContext"(egl().display => usize, context => usize) -> c_uint);
}

unsafe extern "C" fn make_current(_cookie: *mut c_void, _scanout: c_int, context: usize) -> c_int {
    if egl().make_current(context) { 0 } else { -1 }
}

#[test]
fn a_console_is_a_texture_of_the_monitors() {
    let mut monitor = Monitor::new();
    let Some(egl) = EGL.get_or_init(Egl::open) else {
        return testbed::skipping::skip(
            "a_console_is_a_texture_of_the_monitors",
            "there is no EGL that needs no screen",
        );
    };
    let gl = [create_gl_context as *const (), destroy_gl_context as *const (), make_current as *const ()];
    monitor.gl(gl.map(<*const ()>::expose_provenance));
    assert_eq!(monitor.init(POLLED), 0);

    // Rows of one colour each: blue, green, red, as B8G8R8X8 has them.
    let rows = [[0xff, 0, 0, 0], [0, 0xff, 0, 0], [0, 0, 0xff, 0]];
    let mut page: Vec<u8> = rows.iter().flat_map(|pixel| pixel.repeat(2)).collect();
    let mut pieces = [Piece { base: page.as_mut_ptr().cast(), len: page.len() }];
    assert_eq!(create(7, 2, 2, 3), 0);
    assert_eq!(attach(7, &mut pieces), 0);
    let (answer, words) = info(7);
    let texture = words[6];
    assert_eq!((answer, words[5]), (0, 0), "not upside down");
    assert_ne!(texture, 0);
    assert_eq!(egl.pixels(texture, 2, 3), [[0, 0, 0, 0xff]; 6], "it begins black");

    assert_eq!(write(7, [0, 0, 0, 2, 3, 1], 0), 0);
    let [blue, green, red] = [[0, 0, 0xff, 0xff], [0, 0xff, 0, 0xff], [0xff, 0, 0, 0xff]];
    assert_eq!(egl.pixels(texture, 2, 3), [blue, blue, green, green, red, red]);

    // One pixel of the last row: the first of what is transferred.
    page.fill(0xff);
    assert_eq!(write(7, [1, 2, 0, 1, 1, 1], 20), 0);
    assert_eq!(egl.pixels(texture, 2, 3)[3..], [green, red, [0xff; 4]]);
    monitor.unref(7);
    assert_eq!(create(7, 67, 1, 1), 0);
    assert_ne!(info(7).1[6], 0);
    monitor.cleanup();
    assert!(egl.make_current(0));
}
