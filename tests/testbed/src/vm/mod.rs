//! Virtual machines: real guests with real kernels, whose Vulkan travels through virtio-gpu and QEMU to a library that
//! takes the place of virglrenderer.
//!
//! ```text
//! provision   roots with QEMU, kernels, a guest root of another architecture
//!     |
//!   image     what a guest boots from: kernel, initial file system, disk
//!     |
//!  library    ours, built, in the place of virglrenderer
//!     |
//!  machine    QEMU in its root, a guest that will do one job
//!     |
//!  session    both at work, ended in time, and what they leave              monitor   what QEMU is told meanwhile
//!     |
//!   jobs      scripts for guests, and what their output means               program   ours, built for the guest
//!     |
//!  measure    libraries side by side
//! ```
//!
//! Neither a GPU nor hardware virtualization is needed: QEMU translates the guest's instructions, lavapipe draws for the
//! host, and SDL's driver without a screen lets QEMU have OpenGL where there is no render node. A boot takes some seconds.
//!
//! A job's folder is shared with the guest, so its files are seen while it runs and nothing has to be copied out.

mod image;
mod initial;
pub mod jobs;
mod library;
mod machine;
pub mod measure;
mod monitor;
mod program;
mod session;

pub use image::{HeldImage, Image, System, ensure as ensure_image};
pub use library::build_ours;
pub use machine::{Library, Machine};
pub use monitor::Monitor;
pub use program::{ARM64_VARIABLE as ARM64_CASES_VARIABLE, build_cases};
pub use session::{Report, Session, holds_within};

use crate::provision::Suite;

/// The environment variable that tells the end-to-end tests which library to test, as [`Library::named`] takes it.
pub const LIBRARY_VARIABLE: &str = "VENUS_VM_LIBRARY";

/// The environment variable that tells the end-to-end tests where the root with a suite's QEMU is.
pub fn qemu_variable(suite: Suite) -> &'static str {
    match suite {
        Suite::Trixie => "VENUS_VM_QEMU_TRIXIE",
        Suite::Sid => "VENUS_VM_QEMU_SID",
    }
}
