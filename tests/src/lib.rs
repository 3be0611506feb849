//! What the end-to-end tests share: vector files, and pad bytes.
#![forbid(unsafe_code)]

pub mod padding;
pub mod vectors;
