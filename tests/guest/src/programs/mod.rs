//! What the guest can show: programs of a screenful each, for tests and for people.

mod compute;
mod info;
mod triangle;

pub use compute::compute;
pub use info::{Info, info};
pub use triangle::{Image, triangle};
