//! Which room of a crate may use what, proved from the sources.
//!
//! A room is a module of a crate with all that is below it, unless that is a room of its own. It may use the rooms that its
//! row names, all of them on lower floors, and of other crates what its row or its crate names. The standard library is
//! there for all, without what a crate forbids.
//!
//! ```text
//! plan      the rooms, their floors, and what each may use: data
//! names     every path that a file names: imports taken apart, code, bodies of macros
//! sources   the modules of a crate, and which of them, or which other crate, a path leads to
//! check     the plan against the sources
//! ```
//!
//! What is found is what a room names. That something is called through a trait is not seen: who implements it may stand
//! above who calls it.
#![forbid(unsafe_code)]

mod check;
mod names;
mod plan;
mod sources;

pub use check::{ALL_ROOMS, Report, check};
pub use plan::{Crate, Exception, Room};
pub use sources::{Sources, rust_files};
