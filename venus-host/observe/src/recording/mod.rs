//! Recordings: what a guest asked for and what it was answered, as a file.
//!
//! A [`Recorder`] listens to one context ([`venus_host::context::Options::observer`], `venus serve --record`); a
//! [`Reader`] gives its records back, to `venus dump` and `venus replay` among others. Nothing here executes or decodes
//! commands.
//!
//! | file | what |
//! |---|---|
//! | [`event`] | the records |
//! | [`format`] | chunks: compressed, checked, readable after a crash |
//! | [`recorder`] | from a context's endpoints to the file, without making them wait for the disk |
//! | [`memory`] | what changed in the memory that guest and driver share |
//! | [`reader`] | from the file to records, up to the first damage |
//!
//! # The file
//!
//! ```text
//! file   = "VENUSREC", version (4 bytes, little-endian), chunk...
//! chunk  = header with lengths and checksum, payload (see `format.rs`)
//! ```
//!
//! The payload of the first chunk is a [`Header`], of every other chunk one or more [`Record`]s, all in postcard's
//! encoding. A file is only ever appended to. Records are in the order in which things happened: each endpoint records
//! a command before and after executing it, under one lock for all endpoints. So a command that ended before another
//! began is recorded as ended before it, and commands that overlap in the file overlapped in time.
//!
//! Recordings hold what the guest sent: shaders, uploaded data, with `--record-memory` also pictures. Treat them like
//! the program's own data.

mod event;
#[cfg_attr(not(test), deny(clippy::as_conversions, clippy::expect_used))]
mod format;
mod memory;
#[cfg_attr(not(test), deny(clippy::as_conversions, clippy::expect_used))]
mod reader;
mod recorder;

pub(crate) use self::event::STOPPED;
pub use self::{
    event::{Bytes, Event, Header, Outcome, Record, VERSION},
    reader::{Ending, ReadError, Reader},
    recorder::{Recorder, Settings},
};
pub use venus_host::endpoint::{Place, Source};

/// The first bytes of a recording.
pub const MAGIC: [u8; 8] = *b"VENUSREC";

/// The extension of recordings.
pub const EXTENSION: &str = "venusrec";

#[cfg(test)]
mod tests;
