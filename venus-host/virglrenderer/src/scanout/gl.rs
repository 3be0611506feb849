//! The few OpenGL functions that textures take, found in what the monitor has loaded.
//!
//! Nothing is linked and nothing is loaded that is not there already: a monitor that has made an OpenGL context has
//! loaded its library, and one that has not needs no textures.

use std::ffi::{CStr, c_char, c_int, c_uint, c_void};

use libloading::os::unix::{Library, RTLD_LAZY, RTLD_LOCAL};

/// `GL_TEXTURE_2D`.
const TEXTURE_2D: c_uint = 0x0de1;
/// `GL_RGBA`.
const RGBA: c_uint = 0x1908;
/// `GL_UNSIGNED_BYTE`.
const UNSIGNED_BYTE: c_uint = 0x1401;
/// `GL_TEXTURE_MAG_FILTER`.
const TEXTURE_MAG_FILTER: c_uint = 0x2800;
/// `GL_TEXTURE_MIN_FILTER`.
const TEXTURE_MIN_FILTER: c_uint = 0x2801;
/// `GL_LINEAR`.
const LINEAR: c_int = 0x2601;
/// `GL_UNPACK_ALIGNMENT`.
const UNPACK_ALIGNMENT: c_uint = 0x0cf5;

/// `RTLD_NOLOAD`: find a library that is loaded, and load none.
#[cfg(target_os = "macos")]
const RTLD_NOLOAD: c_int = 0x10;
#[cfg(not(target_os = "macos"))]
const RTLD_NOLOAD: c_int = 0x4;

/// Libraries that export OpenGL's functions and send each to the context that is current, whoever made it.
const LIBRARIES: [&str; 3] = ["libOpenGL.so.0", "libGL.so.1", "libGLESv2.so.2"];

/// Where EGL gives out functions.
const EGL: &str = "libEGL.so.1";

type GenTextures = unsafe extern "C" fn(c_int, *mut c_uint);
type DeleteTextures = unsafe extern "C" fn(c_int, *const c_uint);
type BindTexture = unsafe extern "C" fn(c_uint, c_uint);
type TexParameter = unsafe extern "C" fn(c_uint, c_uint, c_int);
type TexImage = unsafe extern "C" fn(c_uint, c_int, c_int, c_int, c_int, c_int, c_uint, c_uint, *const c_void);
type PixelStore = unsafe extern "C" fn(c_uint, c_int);
type GetError = unsafe extern "C" fn() -> c_uint;
type Flush = unsafe extern "C" fn();

/// Has QEMU's way to OpenGL look up a function that QEMU calls without a context.
///
/// QEMU deletes a framebuffer on a processor's thread when its guest resets the device, where no context is current.
/// OpenGL ignores that; but libepoxy, by which QEMU calls it, looks a function up when it is called for the first time,
/// and ends the process if it cannot see a context then. With stock virglrenderer, which uses the same libepoxy, that has
/// happened long before.
///
/// # Safety
///
/// A context of version 3.0 or later is current on this thread.
pub(super) unsafe fn look_up_for_others() {
    // SAFETY: a library that is loaded already is not initialised again.
    let Ok(epoxy) = (unsafe { Library::open(Some("libepoxy.so.0"), RTLD_NOLOAD | RTLD_LAZY | RTLD_LOCAL) }) else {
        return;
    };
    // SAFETY: libepoxy exports, under this name, a variable that holds the function's address.
    let variable = unsafe { epoxy.get::<*const DeleteTextures>(c"epoxy_glDeleteFramebuffers".to_bytes_with_nul()) };
    if let Ok(variable) = variable {
        // SAFETY: as above; it is written by the lookup alone, on a thread that has a context, as this one does.
        let delete_framebuffers = unsafe { variable.read() };
        // SAFETY: the contract of this function, and every such context has the function, whose type is that of the one
        // for textures; it deletes none.
        unsafe { delete_framebuffers(0, std::ptr::null()) };
    }
}

/// Functions of OpenGL 1.1 and OpenGL ES 2.0 alike. Each wants a context of the monitor's to be current.
#[derive(Debug, Clone, Copy)]
pub(super) struct Gl {
    gen_textures: GenTextures,
    delete_textures: DeleteTextures,
    bind_texture: BindTexture,
    tex_parameter: TexParameter,
    tex_image: TexImage,
    /// Has the same parameters: level and place, size, format, type, pixels.
    tex_sub_image: TexImage,
    pixel_store: PixelStore,
    get_error: GetError,
    flush: Flush,
}

/// Looks a function up.
struct Finder {
    libraries: Vec<Library>,
    egl: Option<unsafe extern "C" fn(*const c_char) -> *mut c_void>,
}

impl Finder {
    fn new() -> Self {
        let loaded = |name: &&str| {
            // SAFETY: a library that is loaded already is not initialised again.
            unsafe { Library::open(Some(*name), RTLD_NOLOAD | RTLD_LAZY | RTLD_LOCAL) }.ok()
        };
        let libraries = LIBRARIES.iter().filter_map(loaded).collect();
        let egl = loaded(&EGL).and_then(|library| {
            // SAFETY: the function has this type in every version of EGL.
            let symbol = unsafe { library.get(c"eglGetProcAddress".to_bytes_with_nul()) };
            // The monitor, which has loaded it, keeps it loaded.
            symbol.ok().map(|symbol| *symbol)
        });
        Self { libraries, egl }
    }

    fn address(&self, name: &CStr) -> Option<*mut c_void> {
        let exported = self.libraries.iter().find_map(|library| {
            // SAFETY: it is looked at as an address only, here.
            let symbol = unsafe { library.get::<*mut c_void>(name.to_bytes_with_nul()) };
            symbol.ok().map(|symbol| symbol.as_raw_ptr())
        });
        exported.or_else(|| {
            // SAFETY: the name is a C string, and the function may be called at any time.
            self.egl.map(|egl| unsafe { egl(name.as_ptr()) }).filter(|address| !address.is_null())
        })
    }
}

impl Gl {
    /// Finds the functions, in a process that has an OpenGL context.
    pub(super) fn find() -> Option<Self> {
        let finder = Finder::new();
        /// The function of that name.
        macro_rules! function {
            ($type:ty, $name:literal) => {{
                let address = finder.address($name)?;
                // SAFETY: the address is not null, and is that of the function of this name, whose type is fixed by OpenGL
                // and written down in `Gl`.
                unsafe { std::mem::transmute::<*mut c_void, $type>(address) }
            }};
        }
        Some(Self {
            gen_textures: function!(GenTextures, c"glGenTextures"),
            delete_textures: function!(DeleteTextures, c"glDeleteTextures"),
            bind_texture: function!(BindTexture, c"glBindTexture"),
            tex_parameter: function!(TexParameter, c"glTexParameteri"),
            tex_image: function!(TexImage, c"glTexImage2D"),
            tex_sub_image: function!(TexImage, c"glTexSubImage2D"),
            pixel_store: function!(PixelStore, c"glPixelStorei"),
            get_error: function!(GetError, c"glGetError"),
            flush: function!(Flush, c"glFlush"),
        })
    }

    /// Makes a texture, all of whose pixels are undefined. None if OpenGL has no memory for it.
    ///
    /// # Safety
    ///
    /// A context is current on this thread.
    pub(super) unsafe fn texture(&self, width: c_int, height: c_int) -> Option<c_uint> {
        // A texture's internal format is the same number as the format of its pixels, in every version.
        let internal = c_int::try_from(RGBA).ok()?;
        let mut name = 0;
        // SAFETY: the contract of this function; there is room for one name.
        unsafe { (self.gen_textures)(1, &raw mut name) };
        // SAFETY: the contract of this function; the name is a texture's.
        unsafe { (self.bind_texture)(TEXTURE_2D, name) };
        for filter in [TEXTURE_MIN_FILTER, TEXTURE_MAG_FILTER] {
            // SAFETY: as above. Without smaller levels a texture can be used with such filters only.
            unsafe { (self.tex_parameter)(TEXTURE_2D, filter, LINEAR) };
        }
        // SAFETY: as above. What was wrong before is nobody's business.
        while unsafe { (self.get_error)() } != 0 {}
        // SAFETY: as above; without pixels nothing is read.
        unsafe {
            (self.tex_image)(TEXTURE_2D, 0, internal, width, height, 0, RGBA, UNSIGNED_BYTE, std::ptr::null());
        }
        // SAFETY: as above.
        let error = unsafe { (self.get_error)() };
        if error != 0 {
            // SAFETY: as above; the name is a texture's.
            unsafe { (self.delete_textures)(1, &raw const name) };
            return None;
        }
        Some(name)
    }

    /// Puts pixels into a part of a texture: x, y, width, height. What reaches out of it is refused by OpenGL.
    ///
    /// # Safety
    ///
    /// A context is current on this thread.
    pub(super) unsafe fn upload(&self, name: c_uint, [x, y, width, height]: [c_int; 4], pixels: &[[u8; 4]]) {
        let area = i64::from(width).checked_mul(i64::from(height)).and_then(|area| usize::try_from(area).ok());
        if area != Some(pixels.len()) {
            return;
        }
        // SAFETY: the contract of this function.
        unsafe { (self.bind_texture)(TEXTURE_2D, name) };
        // SAFETY: the contract of this function.
        unsafe { (self.pixel_store)(UNPACK_ALIGNMENT, 4) };
        // SAFETY: the contract of this function; `pixels` has as many as the part, of four bytes each.
        unsafe {
            let pixels = pixels.as_ptr().cast();
            (self.tex_sub_image)(TEXTURE_2D, 0, x, y, width, height, RGBA, UNSIGNED_BYTE, pixels);
        }
        // SAFETY: the contract of this function. Other contexts see what was done before a flush.
        unsafe { (self.flush)() };
    }

    /// Deletes a texture.
    ///
    /// # Safety
    ///
    /// A context is current on this thread.
    pub(super) unsafe fn delete(&self, name: c_uint) {
        // SAFETY: the contract of this function; names that are none are ignored.
        unsafe { (self.delete_textures)(1, &raw const name) };
    }
}
