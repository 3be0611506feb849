//! What the project's chores and its end-to-end tests share: guests to run, and a server to run them against.
//!
//! ```text
//! provision   what this machine lacks: host packages through apt, Debian roots through mmdebstrap
//!     |
//!  sandbox    a program in such a root, alone in its namespaces, with Venus or native Vulkan, ended in time
//!     |
//! programs    the standard ones, with their arguments
//!  cases      our own ones, which re-enact what users reported
//!     |
//!  server     the vtest server under test, and what it leaves behind in /proc
//! recorder    both of them, with a server that records
//!  soak       guests for a long time, and what a server holds between them
//!  demo       pictures that guests draw
//! parity      the same programs natively and through our host, and the page about it
//! remote_gpu  what another machine, with a card, needs for its column of that page
//!    vm       machines with kernels of their own, whose QEMU finds our library in the place of virglrenderer
//! resident    a vtest server that runs inside of a guest root, on that root's driver: ours, or virglrenderer's
//! ```
//!
//! This is a crate of its own so that the tests of `tests/` and the verbs of `cargo xtask` drive guests through the same
//! code. A chore must still build on a day when the generated protocol crate does not, so nothing in here depends on the
//! other crates of the workspace; what is under test is built by [`cargo::build`] when it is needed.
//!
//! Everything here is safe code; namespaces, mounts and time limits are the work of `unshare`, `setpriv` and `mount`.
#![forbid(unsafe_code)]

pub mod cargo;
pub mod cases;
pub mod demo;
pub mod installation;
pub mod parity;
pub mod picture;
pub mod process;
pub mod programs;
pub mod progress;
pub mod provision;
pub mod recorder;
pub mod remote_gpu;
pub mod resident;
pub mod sandbox;
pub mod server;
pub mod skipping;
pub mod soak;
pub mod statistics;
pub mod vm;

/// The workspace's root folder: verbs work from any folder inside of it.
pub fn workspace() -> std::path::PathBuf {
    let mut folder = std::path::PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    // This crate lies two folders down.
    folder.pop();
    folder.pop();
    folder
}
