//! Vector files, as the codec's own tests read them.

pub use venus_protocol::verify::vectors::{Failure, Vector, check, parse};
