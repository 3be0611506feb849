//! Traces: when each endpoint of a context did what, as spans and counters that <https://ui.perfetto.dev> shows.
//!
//! A [`Tracer`] observes one context ([`venus_host::context::Options::observer`], `venus serve --trace DIR`) and writes
//! a file of its own. To look at it, open <https://ui.perfetto.dev> in a browser and drag the file into the window;
//! nothing is uploaded. `W` and `S` zoom, `A` and `D` move, a click on a slice shows its arguments. For questions in
//! SQL there is Perfetto's `trace_processor`.
//!
//! | file | what |
//! |---|---|
//! | [`endpoint`] | what one endpoint does, into a buffer of its own |
//! | [`fences`] | what belongs to no endpoint: fences of the guest's kernel, the end |
//! | [`counters`] | amounts, sampled by the writer |
//! | [`tracer`] | the observer: what endpoints and the writer share |
//! | [`writer`] | from the buffers to the file |
//! | [`encoder`] | events to packets |
//! | [`schema`] | Perfetto's messages |
//! | [`system`] | clocks, and ids of process and threads |
//!
//! # What a trace shows
//!
//! ```text
//! process: the guest's name
//!   direct submissions    |vkWaitRingSeqnoMESA                        |
//!                         |handler                                    |
//!                           |wait ring position                     |
//!   ring 0x...            |polling|vkQueueSubmit                     |polling     |idle ...
//!                                 |decode|handler                    |
//!                                        |wait queue|driver vkQueue..|
//!   queue timeline 1              |fence                    |
//!   ring 0x... fill, commands per second, device memory, ...        (counters)
//! ```
//!
//! * A command's slice lasts from the start of its decoding until its reply is ready. Its arguments are the command's
//!   number (the same as in a recording of the same context, see `venus dump`), its position in the stream, the sizes of
//!   request and reply, and the result if the guest has asked for one.
//! * `decode` is the decoding of the arguments, `handler` the rest: policy, tables, the driver, encoding the reply.
//! * `driver ...` is one call into the driver. Freeing what the guest destroys has no slice: it happens in whichever
//!   handler is the last that may have used the object.
//! * `wait ...` is an endpoint waiting: for another endpoint, for a fence or semaphore, for the lock of a queue.
//! * `polling` and `idle` say what a ring without commands does.
//! * A queue's timeline has a slice per fence of the guest's kernel, from its creation until it retires.
//!
//! # What it costs
//!
//! Without a tracer, a call into the driver costs one branch that is never taken: no clock, no flag, no lock. A tracer
//! that is switched off ([`Switch`]) costs a few calls and reads of a flag, some 10 ns per command. Switched on, a
//! forwarded command reads the clock five times and adds four entries to a buffer of its endpoint, whose lock only the
//! writer ever contends for, as long as it takes to swap the buffer: some 200 ns. In the file it takes some 200 bytes.
//!
//! A trace must never hurt its guest: an endpoint never waits for the disk. When a buffer is full, whole commands are
//! left out; the trace has an event at that place, and the log a line at the end.

mod counters;
mod encoder;
mod endpoint;
mod fences;
mod schema;
mod system;
mod tracer;
mod writer;

#[cfg(test)]
mod tests;

use std::{
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

pub use self::tracer::Tracer;
use crate::file::Ahead;

/// The extension of trace files.
pub const EXTENSION: &str = "pftrace";

/// How to trace.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Settings {
    /// The folder for traces, which is made if it is missing. Each context gets a file of its own in it.
    pub folder: PathBuf,
    /// Switches all tracers with these settings on and off.
    pub switch: Switch,
    /// The first context's file, if it was opened ahead.
    ahead: Ahead,
}

impl Settings {
    /// Traces into `folder`, with a switch of its own that is on.
    #[must_use]
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self { folder: folder.into(), switch: Switch::new(true), ahead: Ahead::default() }
    }

    /// Traces while `switch` is on.
    #[must_use]
    pub fn switch(mut self, switch: Switch) -> Self {
        self.switch = switch;
        self
    }

    /// Traces the first context into a file that was opened ahead, in the same folder.
    #[must_use]
    pub fn ahead(mut self, ahead: Ahead) -> Self {
        self.ahead = ahead;
        self
    }
}

/// Switches tracers on and off while they run. Clones are the same switch.
#[derive(Debug, Clone)]
pub struct Switch(Arc<AtomicBool>);

impl Switch {
    /// A new switch, on or off.
    #[must_use]
    pub fn new(is_on: bool) -> Self {
        Self(Arc::new(AtomicBool::new(is_on)))
    }

    /// Whether what happens is traced.
    #[must_use]
    pub fn is_on(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    /// Switches on or off. Slices that have begun are written to their end.
    pub fn set(&self, is_on: bool) {
        self.0.store(is_on, Ordering::Relaxed);
    }

    /// Switches on if off, and off if on. Returns whether it is on now.
    pub fn toggle(&self) -> bool {
        !self.0.fetch_xor(true, Ordering::Relaxed)
    }
}
