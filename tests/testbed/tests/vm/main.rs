//! End to end: virtual machines with kernels of their own, whose Vulkan travels through virtio-gpu and QEMU to the library
//! under test, in the place of virglrenderer.
//!
//! `cargo xtask test` boots one machine ([`boot`]); `cargo xtask vm --all` boots all there are ([`all_machines`]). Both say
//! in the environment where everything is ([`common`]). Run any other way, these tests skip themselves and say so.

mod all_machines;
mod boot;
mod common;
