//! Recordings of real guests, as fixtures: `tests/recordings`, made by `cargo xtask recordings`.
//!
//! What a Mesa guest really sends, with its odd corners, is more than anybody would make up. Each recording has to come
//! back from the codec as it was, to be readable up to the place where it was cut, and to run again without its guest.

mod codec;
mod common;
mod cuts;
mod dump;
mod programs;
mod replay;
