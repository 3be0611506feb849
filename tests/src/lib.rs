//! What the end-to-end tests share: vector files, and the small Rust guest.
#![deny(unsafe_code)]

pub mod guest;
pub mod vectors;
