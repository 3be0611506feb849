//! Vector files, as the codec's own tests read them.

pub use venus_verify::vectors::{Failure, Vector, check, parse};
