//! Pictures: the two-dimensional resources that a guest's boot console and cursor are drawn to.
//!
//! Such a resource has nothing to do with Venus. The guest draws with its own processor into its own pages, and asks for
//! them to be transferred; this library keeps the transferred pixels, and uploads them into an OpenGL texture of the
//! monitor's where the monitor has OpenGL.
//!
//! | file | what |
//! |---|---|
//! | [`format`] | the pixel formats that guests may use |
//! | [`picture`] | pixels, and transfers between them and the guest's pages |
//! | [`screen`] | textures in an OpenGL context of the monitor's |
//! | [`gl`] | the few OpenGL functions that this takes |

pub(crate) mod format;
mod gl;
pub(crate) mod picture;
pub(crate) mod screen;
