//! What users reported of hosts, re-enacted by `venus-cases` in stock Mesa guests: natively it shows what is right, and
//! through the host it has to come to the same.
//!
//! The rows of each module name a test, a case, and where it runs. `cargo xtask test` builds the program, installs the
//! driver and makes the guests; without them these tests skip themselves. A guest that hangs is ended at its limit.

mod common;
mod containers;
mod death;
mod images;
mod limits;
mod many;
mod memory;
mod newer;
mod pipelines;
mod polling;
mod refused;
mod soak;
mod sparse;
mod starts;
mod timings;
mod validation;
