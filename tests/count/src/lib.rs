//! Hot work, for whoever times it or counts its instructions.
//!
//! | file | what |
//! |---|---|
//! | `codec` | requests in memory: decoded as a host does, encoded as a guest does; `cases` has the commands, `objects` what they name |
//! | `trip` | commands on their whole way: from a ring through the host to a driver that does nothing |
//! | `once` | all of it, once |
//! | [`callgrind`] | counts the instructions of all of it |
//! | [`record`] | counts in a file, and whether others are higher: `cargo xtask bench guard` |
//!
//! No clock is read here, and nothing depends on one: the same work is the same instructions.
#![deny(unsafe_code)]

pub mod callgrind;
mod cases;
mod codec;
mod objects;
#[cfg(feature = "trip")]
mod once;
pub mod record;
#[cfg(feature = "trip")]
mod trip;

use std::fmt;

use anyhow::Result;

pub use cases::Reference;
#[cfg(feature = "trip")]
pub use once::perform;

/// What is done to a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// Decoded from a request, as a host does, up to an empty handler.
    Decode,
    /// The same with a lock that is taken for each object that it names.
    DecodeLocked,
    /// Encoded as a request, as a guest does; or as a reply, where the row is about one.
    Encode,
    /// Taken from a ring, executed by the host on a driver that does nothing, and answered.
    Trip,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Decode, Self::DecodeLocked, Self::Encode, Self::Trip];

    /// As it stands in files: one word.
    pub fn word(self) -> &'static str {
        match self {
            Self::Decode => "decode",
            Self::DecodeLocked => "decode-locked",
            Self::Encode => "encode",
            Self::Trip => "trip",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.word())
    }
}

/// Work that can be done again and again.
pub trait Work {
    /// What comes before a pass, and is no part of it.
    ///
    /// # Errors
    ///
    /// The work cannot be done.
    fn prepare(&mut self) -> Result<()> {
        Ok(())
    }

    /// Does it once; returns the bytes of requests or replies.
    fn pass(&mut self) -> usize;
}

/// One piece of work. Its first pass makes caches and buffers large, and counts for nothing.
pub struct Job<'a> {
    /// What is done.
    pub kind: Kind,
    /// To which command.
    pub name: &'static str,
    /// Commands in one pass.
    pub commands: usize,
    /// What another decoder takes for it, where one was measured.
    pub reference: Option<&'a Reference>,
    /// The work.
    pub work: &'a mut dyn Work,
}

impl fmt::Debug for Job<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Job").field("kind", &self.kind).field("name", &self.name).finish_non_exhaustive()
    }
}

/// Who is given the jobs, one after the other.
pub type Visit<'v> = dyn FnMut(Job<'_>) -> Result<()> + 'v;

/// Visits the codec's jobs: each goes over so many bytes of requests.
///
/// # Errors
///
/// What was encoded cannot be decoded, or what `visit` says.
pub fn codec(bytes: usize, visit: &mut Visit<'_>) -> Result<()> {
    codec::each(bytes, visit)
}

/// Visits the jobs of commands on their way through the host.
///
/// # Errors
///
/// The host refuses something, or what `visit` says.
#[cfg(feature = "trip")]
pub fn trips(visit: &mut Visit<'_>) -> Result<()> {
    trip::each(visit)
}
