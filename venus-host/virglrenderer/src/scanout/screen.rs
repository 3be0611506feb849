//! Textures in an OpenGL context of the monitor's.
//!
//! QEMU shows a picture by name of an OpenGL texture in its own contexts. Its callback makes a context that shares
//! textures with those, so a texture that is made here is one there. The callbacks, and OpenGL, belong to the thread on
//! which the monitor calls this library; nothing here is used on another.

use std::ffi::{c_int, c_uint};

use super::{
    gl::{Gl, look_up_for_others},
    picture::Rectangle,
};
use crate::abi::consumer::{Consumer, GlContext};

/// Versions to ask for, the best first. All that is used exists in every one of them; a monitor that has OpenGL ES instead
/// takes the same numbers for that.
const VERSIONS: [(c_int, c_int); 4] = [(3, 2), (3, 0), (2, 1), (2, 0)];

/// A texture's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Texture(c_uint);

impl Texture {
    /// As OpenGL calls it.
    pub(crate) fn name(self) -> u32 {
        self.0
    }
}

/// A context, and the functions to use with it.
#[derive(Debug)]
pub(crate) struct Screen {
    consumer: Consumer,
    context: GlContext,
    gl: Gl,
}

impl Screen {
    /// Asks the monitor for a context. None if it has none, or OpenGL is not to be found.
    pub(crate) fn open(consumer: Consumer) -> Option<Self> {
        let create = |version| consumer.create_gl_context(version).map(|context| (context, version));
        let (context, version) = VERSIONS.into_iter().find_map(create)?;
        let Some(gl) = Gl::find() else {
            tracing::warn!(
                "the monitor has an OpenGL context but no library that is known here: its console stays black"
            );
            consumer.destroy_gl_context(context);
            return None;
        };
        if version >= (3, 0) && consumer.make_current(context) {
            // SAFETY: the context has just been made current, and is of that version.
            unsafe { look_up_for_others() };
        }
        Some(Self { consumer, context, gl })
    }

    /// A texture of that size.
    pub(crate) fn texture(&self, width: u32, height: u32) -> Option<Texture> {
        let (width, height) = (c_int::try_from(width).ok()?, c_int::try_from(height).ok()?);
        if !self.consumer.make_current(self.context) {
            return None;
        }
        // SAFETY: the context has just been made current.
        unsafe { self.gl.texture(width, height) }.map(Texture)
    }

    /// Puts pixels, red first, into a part of it.
    pub(crate) fn upload(&self, texture: Texture, part: Rectangle, pixels: &[u8]) {
        let Ok([x, y, width, height]) = <[c_int; 4]>::try_from(
            [part.x, part.y, part.width, part.height]
                .into_iter()
                .filter_map(|number| c_int::try_from(number).ok())
                .collect::<Vec<_>>(),
        ) else {
            return;
        };
        let (pixels, _) = pixels.as_chunks();
        if self.consumer.make_current(self.context) {
            // SAFETY: the context has just been made current.
            unsafe { self.gl.upload(texture.0, [x, y, width, height], pixels) };
        }
    }

    /// Deletes it.
    pub(crate) fn delete(&self, texture: Texture) {
        if self.consumer.make_current(self.context) {
            // SAFETY: the context has just been made current.
            unsafe { self.gl.delete(texture.0) };
        }
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        self.consumer.destroy_gl_context(self.context);
    }
}
