//! Endpoints: what executes a guest's commands, and who looks on.
//!
//! A context has one [`Endpoint`] for direct submissions and one for each of its rings. It is the meeting point of the
//! transport (rings, streams, resources) and Vulkan (objects, driver): `handlers/` implements the protocol's command
//! traits on it, `context/interpreter.rs` feeds it. Nothing here knows a Vulkan command.
//!
//! Whoever wants to know what endpoints do implements [`Observer`]: recorders, tracers, the listener of the validation
//! layers.
//!
//! | file | what |
//! |---|---|
//! | [`old_guest`] | signs of an old guest |
//! | [`counters`] | what a context has done, and lines about commands that failed |
//! | [`device_cache`] | the device of the last command |
//! | [`holdings`] | what a guest holds of memory, where its monitor sees it, too |
//! | [`lost`] | the end of a context |
//! | [`observer`] | the traits of observers, and what they are told |
//! | [`observing`] | telling them |
//! | [`query_count`] | how many queries the pool of the last query command has |
//! | [`reply`] | reply streams |
//! | [`sample`] | a quick look at what a context holds, from outside |
//! | [`scratch`] | memory that decoding takes |
//! | [`shared`] | what the endpoints of a context share |
//! | [`statistics`] | one look at all that a context has done and holds |
//! | [`tally`] | how often each command came |
//! | [`teardown`] | the end of devices, and of all that a context has in the driver |
//! | [`breadcrumbs`] | the command that each endpoint is in, in memory that survives a crash |

#![deny(unsafe_code)]

mod breadcrumbs;
mod counters;
mod device_cache;
mod holdings;
mod lost;
mod observer;
mod observing;
mod old_guest;
mod query_count;
mod reply;
mod sample;
mod scratch;
mod shared;
mod statistics;
mod tally;
mod teardown;

use std::{borrow::Cow, cell::Cell, fmt, sync::Arc};

use venus_protocol::{
    dispatch::Handler,
    vk,
    wire::{CommandHeader, CommandType, Decoder, Level},
};

#[cfg(feature = "vtest")]
pub(crate) use self::breadcrumbs::Report;
use self::tally::{Tallies, Tally};
pub(crate) use self::{
    breadcrumbs::{Breadcrumbs, Slot},
    counters::Counters,
    device_cache::DeviceCache,
    holdings::{Holdings, too_much},
    lost::{Lost, Tell},
    observer::{EndpointObservers, Observers},
    old_guest::{OldGuestSign, OldGuestSigns},
    query_count::QueryCount,
    reply::{ReplyStream, lookup_shmem, shmem_range},
    scratch::Scratch,
    shared::{Abandoned, Shared},
    tally::Shortfall,
    teardown::tear_down,
};
pub use self::{
    observer::{BlobRequest, Command, EndpointObserver, MakeObservers, Observer, Outcome, Place, Source, Span},
    sample::{RingSample, Sample, Sampler},
    statistics::{CommandStatistics, ObjectStatistics, Statistics},
};
pub use crate::ring::Rest;
use crate::{
    driver::made::Remembered,
    error::{Fatal, Interrupt, hint},
    limits, object,
    ring::{self, Control},
};

/// By which way commands come to an endpoint. Some are only legal on one.
#[derive(Debug, Clone)]
pub(crate) enum Origin {
    /// Direct submissions: the context's own endpoint.
    Direct,
    /// A ring.
    Ring(Arc<Control>),
}

impl Origin {
    fn source(&self) -> Source {
        match self {
            Self::Direct => Source::Direct,
            Self::Ring(ring) => Source::Ring(ring.id.0),
        }
    }

    /// Whether it always executes on the same thread.
    fn has_thread(&self) -> bool {
        !matches!(self, Self::Ring(ring) if ring.mode == ring::Mode::Polled)
    }

    /// What the log calls it.
    pub(crate) fn name(&self) -> Cow<'static, str> {
        match self {
            Self::Direct => Cow::Borrowed("direct submission"),
            Self::Ring(ring) => Cow::Owned(ring.name()),
        }
    }
}

/// Where an endpoint stands.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Position {
    /// Position in the stream of the bytes that are being executed.
    base: u64,
    /// Where in those bytes the current command begins.
    at: u64,
    /// The stream is one that a vkExecuteCommandStreamsMESA names, not the endpoint's own.
    is_indirect: bool,
    /// The current command; [`CommandType::NONE`] until it is decoded.
    command: CommandType,
}

/// One endpoint at work: what the handlers are implemented on. Each ring has one and the submission thread has one, so
/// nothing in it is shared.
pub(crate) struct Endpoint {
    /// The context.
    pub(crate) shared: Arc<Shared>,
    /// Whose commands it executes.
    pub(crate) origin: Origin,
    /// The level of the protocol at which it understands them.
    pub(crate) protocol: Level,
    /// Where its replies go.
    pub(crate) reply_stream: ReplyStream,
    /// The device of the last command.
    pub(crate) device_cache: DeviceCache,
    /// How many queries the pool of the last query command has.
    pub(crate) query_count: QueryCount,
    /// What it knows of the objects that its last commands named.
    pub(crate) remembered: Remembered,
    /// Whether it may be holding objects just now; others defer their frees by it.
    pub(crate) presence: object::Presence,
    /// Those who want to know what it does, if there are any.
    pub(crate) observers: Option<EndpointObservers>,
    /// Private copy of the stream that the last vkExecuteCommandStreamsMESA named; what is left is its memory.
    pub(crate) stream: Vec<u8>,
    /// What commands that are not under way have left.
    #[expect(clippy::vec_box, reason = "kilobytes each, taken out and put back for every command")]
    scratch: Vec<Box<Scratch>>,
    position: Position,
    /// The current command may have null handles where it names phantoms: see `context/skipped.rs`.
    pub(crate) is_lenient: bool,
    /// Why the current command is not executed, for observers.
    pub(crate) left_out: Option<String>,
    /// Commands executed since they were last counted.
    executed: u64,
    /// Where it counts each of them.
    tally: Tally,
    /// Whether it is counted that the current command was not executed as the guest asked.
    fell_short: Cell<bool>,
    /// Where it notes the command that it is in, for whoever survives a crash.
    slot: Slot,
}

impl Endpoint {
    /// An endpoint that has executed nothing yet.
    pub(crate) fn new(shared: Arc<Shared>, origin: Origin) -> Self {
        let presence = shared.objects.register();
        let observers = shared.observers.endpoint(origin.source(), origin.has_thread());
        let slot = shared.breadcrumbs.slot(origin.source());
        let tally = shared.counters.tally();
        let protocol = shared.vulkan.config().protocol;
        Self {
            shared,
            origin,
            protocol,
            reply_stream: ReplyStream::default(),
            device_cache: DeviceCache::default(),
            query_count: QueryCount::default(),
            remembered: Remembered::default(),
            presence,
            observers,
            stream: Vec::new(),
            scratch: Vec::new(),
            position: Position { base: 0, at: 0, is_indirect: false, command: CommandType::NONE },
            is_lenient: false,
            left_out: None,
            executed: 0,
            tally,
            fell_short: Cell::new(false),
            slot,
        }
    }

    /// The Vulkan name of the current command.
    pub(crate) fn command(&self) -> &'static str {
        self.position.command.name()
    }

    /// The reason to end the context because of the current command.
    #[cold]
    pub(crate) fn fatal(&self, reason: impl Into<Cow<'static, str>>) -> Fatal {
        Fatal::new(self.command(), reason)
    }

    /// The same, located at the current command.
    #[cold]
    pub(crate) fn locate(&self, fatal: Fatal) -> Fatal {
        fatal.located(self.stream_name(), self.position.base, self.position.at)
    }

    /// What the log calls the stream that is being executed.
    fn stream_name(&self) -> Cow<'static, str> {
        let name = self.origin.name();
        if self.position.is_indirect { format!("indirect stream of {name}").into() } else { name }
    }

    /// Whether the stream being executed is one that a command of the endpoint's own stream names.
    pub(crate) fn is_indirect(&self) -> bool {
        self.position.is_indirect
    }

    /// Whether it has to end after the command that it is executing.
    pub(crate) fn is_stopped(&self) -> bool {
        matches!(&self.origin, Origin::Ring(ring) if ring.is_stopped())
    }

    /// Whether a wait of its command has to end early, since nobody will ever see the result.
    pub(crate) fn is_abandoned(&self) -> bool {
        self.is_stopped() || self.shared.is_lost() || (self.shared.abandoned)()
    }

    /// A batch of commands begins, which stands at `base` of the stream.
    pub(crate) fn enter(&mut self, base: u64) {
        self.position.base = base;
        self.tell_enter();
        self.shared.objects.enter(&mut self.presence);
    }

    /// The batch is over.
    pub(crate) fn leave(&mut self) {
        self.shared.objects.leave(&mut self.presence);
        self.slot.leave();
        self.settle();
    }

    /// The endpoint turns to the command at byte `at` of the batch.
    #[inline]
    pub(crate) fn approach(&mut self, at: usize) {
        self.position.at = u64::try_from(at).unwrap_or(u64::MAX);
        self.position.command = CommandType::NONE;
        self.fell_short.set(false);
        self.tell_approach();
    }

    /// As [`Handler::decoded`], for a command that no handler sees. `bytes` are the command's.
    #[cold]
    pub(crate) fn begin_unhandled(&mut self, header: CommandHeader, bytes: &[u8]) {
        self.position.command = header.command;
        self.tell_begin_bytes(header, bytes);
    }

    /// The command is over, and no object that it names is held any more.
    #[inline]
    pub(crate) fn finish(&mut self) {
        self.executed = self.executed.wrapping_add(1);
        self.tally.count(self.position.command);
        self.shared.objects.boundary(&mut self.presence);
    }

    /// Turns to a stream that the current command names. Returns what [`Endpoint::leave_stream`] needs.
    pub(crate) fn enter_stream(&mut self) -> Position {
        let outer = self.position;
        self.position = Position { base: 0, at: 0, is_indirect: true, command: CommandType::NONE };
        outer
    }

    /// Back in the command that named the stream.
    pub(crate) fn leave_stream(&mut self, outer: Position) {
        self.position = outer;
        self.fell_short.set(false);
        self.settle();
        if self.stream.len() > limits::KEPT_BYTES {
            self.stream = Vec::new();
        }
    }

    /// Memory for one command, to be given back after it.
    #[inline]
    pub(crate) fn take_scratch(&mut self) -> Box<Scratch> {
        self.scratch.pop().unwrap_or_else(|| Box::new(Scratch::new(Arc::clone(&self.shared))))
    }

    /// Keeps the memory for the next command.
    #[inline]
    pub(crate) fn put_back(&mut self, scratch: Box<Scratch>) {
        self.scratch.push(scratch);
    }

    /// Counts what was executed, and gives back what unusually large commands have taken.
    fn settle(&mut self) {
        let executed = std::mem::take(&mut self.executed);
        self.shared.counters.add_commands(executed);
        self.slot.count(executed);
        for scratch in &mut self.scratch {
            scratch.trim();
        }
    }
}

impl Handler for Endpoint {
    type Error = Interrupt;

    fn device_lost(&mut self, _command: CommandType) -> Interrupt {
        let fatal = self.fatal("the device is lost, and the guest asked for no reply that could say so");
        fatal.advice(hint(vk::Result::ERROR_DEVICE_LOST)).into()
    }

    #[inline]
    fn decoded(&mut self, header: CommandHeader, decoder: &Decoder<'_>) {
        self.position.command = header.command;
        self.slot.enter(header.command);
        self.tell_begin(header, decoder);
    }
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Endpoint")
            .field("shared", &self.shared)
            .field("origin", &self.origin)
            .field("position", &self.position)
            .finish_non_exhaustive()
    }
}
