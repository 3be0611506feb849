//! What the end-to-end tests share: vector files, and the small Rust guest.

pub mod vectors;
