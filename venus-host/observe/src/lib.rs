//! What guests of a Venus host do: recorded, printed, executed again, traced.
//!
//! A [`venus_host`] context tells its observers about every command that its guest sends. This crate has two of them,
//! and what can be done with what they write:
//!
//! | room | what |
//! |---|---|
//! | [`recording`] | an observer that writes down what a guest asks for and is answered; the format, and its reader |
//! | [`dump`] | recordings and plain command streams as text, JSON, statistics |
//! | [`replay`] | executes a recording without its guest, on any driver, and compares what comes of it |
//! | [`trace`] | an observer that writes down when each endpoint does what, for Perfetto |
//!
//! ```text
//!   venus_host::context ── Observer ──> recording::Recorder ──> file ──> recording::Reader ──> dump
//!            ^        └─── Observer ──> trace::Tracer ──> file ──> ui.perfetto.dev        └──> replay ─┐
//!            └───────────────────────────────── Feed ─────────────────────────────────────────────────┘
//! ```
//!
//! # Use
//!
//! An embedder gives both to the context that it makes, the recorder first, so that a trace has the numbers of the
//! recording:
//!
//! ```no_run
//! # use venus_host::{context::{Context, Options}, driver::Config};
//! # use venus_observe::{CreateError, recording, trace};
//! # fn serve() -> Result<(), CreateError> {
//! let driver = Config::default();
//! let settings = recording::Settings::new("/tmp/recordings").memory(true);
//! let recorder = recording::Recorder::create(&settings, "vkcube", &driver)?;
//! let tracer = trace::Tracer::create(&trace::Settings::new("/tmp/traces"), "vkcube")?;
//! let context = Context::new(Options::new("vkcube", driver).observer(recorder).observer(tracer));
//! # drop(context);
//! # Ok(())
//! # }
//! ```
//!
//! The `venus` command does the same for every guest that connects ([`Settings`]), and prints and replays files.
//!
//! # What is trusted
//!
//! A recording may be cut, damaged, or made on purpose. Reading one never panics and never takes more memory than its
//! own chunks ask for within limits; what it holds is checked where it is used. A replay gives every command to a
//! context, which checks it as if a guest had sent it.
//!
//! An observer never hurts its guest: when the disk is full, its file ends, the log has a line, and the guest goes on.
//!
//! # Errors
//!
//! Each room has its own: [`CreateError`] where an observer has no file to write to, [`recording::ReadError`] where a
//! file cannot be read as a recording, [`replay::ReplayError`] where a replay has no report, [`dump::FilterError`]
//! where a filter cannot be understood. That a recording is cut or damaged is no error, but its [`recording::Ending`].

#![forbid(unsafe_code)]
// Nobody indexes, unwraps or lets a number wrap: much here was read from a file.
#![cfg_attr(
    not(test),
    deny(clippy::arithmetic_side_effects, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)
)]

pub mod dump;
mod file;
pub mod recording;
pub mod replay;
pub mod trace;

use std::sync::Arc;

use venus_host::{driver, endpoint::Observer};

pub use self::file::{Ahead, CreateError};

/// What to write down of each guest, for a server of many.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct Settings {
    /// Where to record what guests do, if anywhere.
    pub recording: Option<recording::Settings>,
    /// Where to trace what guests do, if anywhere.
    pub tracing: Option<trace::Settings>,
}

impl Settings {
    /// Records, or traces, or does both or neither.
    #[must_use]
    pub fn new(recording: Option<recording::Settings>, tracing: Option<trace::Settings>) -> Self {
        Self { recording, tracing }
    }

    /// Begins to write about a guest called `name`, which `driver` will serve. What fails is logged and left out: a
    /// guest is served without a recording rather than not at all.
    ///
    /// Give them to [`venus_host::context::Options::observer`] in this order.
    #[must_use]
    pub fn observers(&self, name: &str, driver: &driver::Config) -> Vec<Arc<dyn Observer>> {
        let mut observers: Vec<Arc<dyn Observer>> = Vec::new();
        if let Some(settings) = &self.recording {
            match recording::Recorder::create(settings, name, driver) {
                Ok(recorder) => observers.push(recorder),
                Err(error) => tracing::error!("{error}; the guest is served without a recording"),
            }
        }
        if let Some(settings) = &self.tracing {
            match trace::Tracer::create(settings, name) {
                Ok(tracer) => observers.push(tracer),
                Err(error) => tracing::error!("{error}; the guest is served without a trace"),
            }
        }
        observers
    }
}

#[cfg(test)]
mod test_memory {
    use venus_host::{
        context::{Context, Options},
        resource::{Blob, BlobFlags, ResourceId},
    };

    /// Memory as a guest shares it.
    pub(crate) fn shared_memory(bytes: u64) -> Blob {
        let mut context = Context::new(Options::new("test", venus_host::driver::Config::default()));
        context.create_blob(ResourceId(1), BlobFlags::MAPPABLE, 0, bytes).unwrap()
    }
}
