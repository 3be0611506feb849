//! Traces: when each endpoint of a context did what, as spans and counters that <https://ui.perfetto.dev> shows.
//!
//! A [`Tracer`] listens to one context ([`venus_host::context::Options::observer`], `venus serve --trace DIR`) and writes a file
//! of its own. To look at it, open <https://ui.perfetto.dev> in a browser and drag the file into the window; nothing is
//! uploaded. `W` and `S` zoom, `A` and `D` move, a click on a slice shows its arguments. For questions in SQL there is
//! Perfetto's `trace_processor`.
//!
//! | file | what |
//! |---|---|
//! | [`endpoint`] | what one endpoint does, into a buffer of its own |
//! | [`fences`] | what belongs to no endpoint: fences of the guest's kernel, the end |
//! | [`counters`] | amounts, looked at every now and then |
//! | [`tracer`] | what they all belong to |
//! | [`writer`] | from the buffers to the file |
//! | [`encoder`] | events to packets |
//! | [`schema`] | Perfetto's messages |
//! | [`system`] | what time it is, and on which thread |
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
//! * A command's slice begins when the endpoint turns to it and ends when its reply is ready. It has the command's
//!   number, which is the number that a recording of the same context gives it (`venus dump`), its position in the
//!   stream, and the sizes of request and reply; the result, too, if the guest has asked for one.
//! * `decode` is from bytes to arguments, `handler` all the rest: policy, tables, the driver, encoding the reply.
//! * `driver ...` is one call into the driver. Freeing what the guest destroys has no slice: it happens in whichever
//!   handler is the last that may have used the object.
//! * `wait ...` is an endpoint that stands still: for another endpoint, for a fence or semaphore, for the lock of a
//!   queue.
//! * `polling` and `idle` say what a ring without commands does.
//! * A queue's timeline has a slice per fence of the guest's kernel, from its creation until it retires.
//!
//! # What it costs
//!
//! Without a tracer: a branch that is never taken, per call into the driver; no clock, no flag, no lock. A tracer that is
//! switched off ([`Switch`]) costs a few calls and looks at a flag, some 10 ns per command. Switched on, a forwarded
//! command costs its endpoint five looks at the clock and four entries in a buffer of its own, whose lock nobody but the
//! writer ever disputes, and only for as long as it takes to swap the buffer: some 200 ns. In the file it takes some 200
//! bytes.
//!
//! A trace must never hurt its guest: an endpoint never waits for the disk. When a buffer is full, whole commands are
//! left out, which the trace says at that place, and the log at the end.

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

/// What the names of traces end with.
pub const EXTENSION: &str = "pftrace";

/// How to trace.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Settings {
    /// Where: a folder that exists or can be made. Each context gets a file of its own in it.
    pub folder: PathBuf,
    /// Switches all tracers with these settings on and off.
    pub switch: Switch,
}

impl Settings {
    /// Traces into `folder`, with a switch of its own that is on.
    #[must_use]
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self { folder: folder.into(), switch: Switch::new(true) }
    }

    /// Traces while `switch` is on.
    #[must_use]
    pub fn switch(mut self, switch: Switch) -> Self {
        self.switch = switch;
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

    /// Switches on what is off and off what is on; says which it is now.
    pub fn toggle(&self) -> bool {
        !self.0.fetch_xor(true, Ordering::Relaxed)
    }
}
