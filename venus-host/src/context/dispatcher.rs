//! What a handler may use: the state that the endpoints of a context share, and the endpoint that is executing.
//!
//! This is the meeting point of the transport (rings, streams, resources) and Vulkan (objects, driver, sync).
//! `handlers/` implements the protocol's command traits on [`Dispatcher`]; nothing here knows a Vulkan command.

use std::{fmt, sync::Arc};

use venus_protocol::wire::CommandHeader;

use crate::{
    context::{Statistics, age::Age, fatal::FatalState, interpreter::Indirect, reply::ReplyStream},
    driver,
    endpoint::{Command, EndpointObservers, Observers, Place, Source, Span},
    error::{Fatal, HostError},
    handlers, object,
    resource::{self, ResourceId},
    ring::{self, Rest},
};

/// Asks the embedder whether anybody still listens. Called every now and then during long waits.
pub type Abandoned = Box<dyn Fn() -> bool + Send + Sync>;

/// The state of one guest context, used by all of its endpoints at the same time.
pub(crate) struct Shared {
    /// What the log calls this context: the guest program's name and a number.
    pub(crate) name: String,
    /// The guest's objects: ids to driver handles.
    pub(crate) objects: object::Table,
    /// The driver: how this host is configured, and the instance once the guest has created it.
    pub(crate) vulkan: driver::State,
    /// Memory that the guest shares with us, by resource id.
    pub(crate) resources: resource::Table,
    /// The guest's rings, and who calls them.
    pub(crate) rings: ring::Table,
    /// Whether rings get threads.
    pub(crate) ring_mode: ring::Mode,
    /// Says whether the guest is gone, so that a wait on its behalf may end.
    pub(crate) abandoned: Abandoned,
    /// Which queue serves which `ring_idx`, and the fences pending on them.
    pub(crate) timelines: driver::sync::Timelines,
    /// Set once the guest broke the protocol.
    pub(crate) fatal: FatalState,
    /// Signs that its guest is old.
    pub(crate) age: Age,
    /// What has been done so far.
    pub(crate) statistics: Arc<Statistics>,
    /// Who is told of it.
    pub(crate) observers: Observers,
}

impl Shared {
    /// Ends the context for `reason`: no endpoint starts another command, and every ring tells its guest so.
    #[cold]
    pub(crate) fn fail(&self, reason: Fatal) {
        let told = reason.to_string();
        if self.fatal.set(&self.name, reason) {
            if let Some(reason) = self.fatal.reason() {
                self.statistics.set_lost(reason.clone());
            }
            self.observers.tell(|observer| observer.lost(&told));
            self.rings.wake_all();
        }
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared").field("name", &self.name).field("fatal", &self.fatal).finish_non_exhaustive()
    }
}

/// Which endpoint executes a command. Some commands are only legal on one kind.
#[derive(Debug, Clone)]
pub(crate) enum Endpoint {
    /// The context's own: commands that came with a direct submission.
    Context,
    /// A ring.
    Ring(Arc<ring::Control>),
}

impl Endpoint {
    fn source(&self) -> Source {
        match self {
            Self::Context => Source::Direct,
            Self::Ring(ring) => Source::Ring(ring.id.0),
        }
    }

    /// Whether it always executes on the same thread.
    fn has_thread(&self) -> bool {
        !matches!(self, Self::Ring(ring) if ring.mode == ring::Mode::Polled)
    }
}

/// One endpoint's view of its context: what the handlers are implemented on. Each ring has one and the submission
/// thread has one, so nothing in it is shared.
pub(crate) struct Dispatcher {
    /// The context.
    pub(crate) shared: Arc<Shared>,
    /// Who executes.
    pub(crate) endpoint: Endpoint,
    /// Where replies of this endpoint go.
    pub(crate) reply_stream: ReplyStream,
    /// Private memory of vkExecuteCommandStreamsMESA; absent while such a command executes.
    pub(crate) indirect: Option<Box<Indirect>>,
    /// The device of the last command, so that a run of commands for one device looks it up once.
    pub(crate) device_cache: handlers::DeviceCache,
    /// Whether this endpoint may be holding objects just now; others defer their frees by it.
    pub(crate) presence: object::Presence,
    /// Where in the bytes being executed the current command begins; see [`Dispatcher::place`].
    pub(crate) at: usize,
    /// What observers have to be told; absent if there are none.
    pub(crate) watch: Option<Watch>,
}

/// What an endpoint keeps for its observers.
#[derive(Debug)]
pub(crate) struct Watch {
    observers: EndpointObservers,
    /// Where the current command stands.
    place: Place,
    /// Position in the endpoint's stream of the bytes that are being executed.
    base: u64,
    /// Whether the current command was decoded.
    has_begun: bool,
}

impl Watch {
    /// Absent if nobody wants to know.
    fn new(observers: &Observers, endpoint: &Endpoint) -> Option<Self> {
        let source = endpoint.source();
        let observers = observers.endpoint(source, endpoint.has_thread())?;
        Some(Self { observers, place: Place { source, depth: 0, position: 0 }, base: 0, has_begun: false })
    }

    /// A batch is going to be executed that stands at `base` of the stream.
    pub(crate) fn enter(&mut self, base: u64) {
        self.base = base;
        self.observers.tell(|observer| observer.enter());
    }

    /// The endpoint turns to the command at byte `at` of the batch.
    #[cold]
    pub(crate) fn approach(&mut self, at: usize) {
        self.place.position = self.base.wrapping_add(at as u64);
        self.has_begun = false;
        self.observers.tell(|observer| observer.approach(self.place));
    }

    /// The command is decoded.
    #[cold]
    pub(crate) fn begin(&mut self, header: CommandHeader, request: &[u8]) {
        self.has_begun = true;
        let mut command = Command::new(self.place, header, request);
        self.observers.tell(|observer| {
            let number = observer.begin(&command);
            command.number = command.number.or(number);
        });
    }

    /// The command is over. `rest` is what was left of the stream when the endpoint turned to it.
    #[cold]
    pub(crate) fn end(&mut self, result: Result<(), &HostError>, reply: &[u8], rest: &[u8]) {
        let place = self.place;
        match result {
            Err(reason) if !self.has_begun => {
                self.observers.tell_end(|observer| observer.undecodable(place, rest, reason));
            }
            result => self.observers.tell_end(|observer| observer.end(place, result.into(), reply)),
        }
    }

    /// The command names a stream, which is going to be executed now. Returns what [`Watch::leave_stream`] needs.
    pub(crate) fn enter_stream(&mut self, resource: ResourceId, offset: usize, bytes: &[u8]) -> (Place, u64) {
        let outer = (self.place, self.base);
        self.observers.tell(|observer| observer.stream(resource, offset as u64, bytes));
        self.place.depth = self.place.depth.saturating_add(1);
        self.base = 0;
        outer
    }

    /// Back in the command that named the stream.
    pub(crate) fn leave_stream(&mut self, outer: (Place, u64)) {
        (self.place, self.base) = outer;
        self.has_begun = true;
    }

    /// Runs a part of the current command that is worth a look of its own.
    #[cold]
    pub(crate) fn within<T>(&mut self, span: Span, run: impl FnOnce() -> T) -> T {
        self.enter_span(span);
        let returned = run();
        self.exit_span();
        returned
    }

    /// As [`Watch::within`], for a part that needs the dispatcher.
    #[cold]
    pub(crate) fn enter_span(&mut self, span: Span) {
        self.observers.tell(|observer| observer.enter_span(span));
    }

    /// The end of what [`Watch::enter_span`] began.
    #[cold]
    pub(crate) fn exit_span(&mut self) {
        self.observers.tell_end(|observer| observer.exit_span());
    }

    /// The endpoint has no commands.
    #[cold]
    pub(crate) fn rest(&mut self, rest: Rest) {
        self.observers.tell(|observer| observer.rest(rest));
    }
}

impl Dispatcher {
    /// A dispatcher that has executed nothing yet.
    pub(crate) fn new(shared: Arc<Shared>, endpoint: Endpoint) -> Self {
        let presence = shared.objects.register();
        let watch = Watch::new(&shared.observers, &endpoint);
        Self {
            shared,
            endpoint,
            reply_stream: ReplyStream::default(),
            indirect: Some(Box::default()),
            device_cache: handlers::DeviceCache::default(),
            presence,
            at: 0,
            watch,
        }
    }

    /// Whether this endpoint has to end after the command that it is executing.
    pub(crate) fn is_stopped(&self) -> bool {
        matches!(&self.endpoint, Endpoint::Ring(ring) if ring.is_stopped())
    }

    /// Which stream the current command came by, and its position in it: for log lines.
    #[cold]
    pub(crate) fn place(&self) -> (String, u64) {
        let at = u64::try_from(self.at).unwrap_or(u64::MAX);
        match &self.endpoint {
            // Absent while a stream that the endpoint's command names is being executed.
            _ if self.indirect.is_none() => (format!("indirect stream of {}", self.endpoint_name()), at),
            Endpoint::Context => (self.endpoint_name(), at),
            // The head moves only when a command is done.
            Endpoint::Ring(ring) => (ring.name(), u64::from(ring.region.published_head())),
        }
    }

    /// What the log calls this endpoint.
    pub(crate) fn endpoint_name(&self) -> String {
        match &self.endpoint {
            Endpoint::Context => "direct submission".to_owned(),
            Endpoint::Ring(ring) => ring.name(),
        }
    }
}

impl fmt::Debug for Dispatcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Dispatcher")
            .field("shared", &self.shared)
            .field("endpoint", &self.endpoint)
            .finish_non_exhaustive()
    }
}
