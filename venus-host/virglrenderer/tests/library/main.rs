//! The shared library, loaded as monitors load it. No Vulkan driver is needed: what contexts are sent is about rings.
//!
//! | file | what |
//! |---|---|
//! | [`monitor`] | a monitor in small: the library's functions, callbacks that note what they are told |
//! | [`symbols`] | which names there are, in the library, in its header and in its documentation |
//! | [`contracts`] | what QEMU, rutabaga, libkrun and others rely on |
//! | [`memory`] | blobs: mapped, exported, imported, outliving their context |
//! | [`workers`] | contexts in processes of their own |
//! | [`entry`] | where the library begins as a program, on another processor |
//! | [`pictures`] | the boot console's resources |
//! | [`console`] | their textures, in a monitor with OpenGL |
//! | [`hostile`] | arguments that are wrong |
//! | [`program`] | a C program, compiled against what is installed |

#[cfg(target_os = "linux")]
mod console;
mod contracts;
#[cfg(target_os = "linux")]
mod entry;
mod hostile;
mod memory;
mod monitor;
mod pictures;
#[cfg(target_os = "linux")]
mod program;
mod symbols;
#[cfg(target_os = "linux")]
mod workers;
