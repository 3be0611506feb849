//! What the end-to-end tests share: vector files, pad bytes, and the small Rust guest.
#![deny(unsafe_code)]

pub mod guest;
pub mod padding;
pub mod vectors;
