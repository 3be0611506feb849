//! One connection: reads requests, turns them into verbs of a context, answers in order.

use std::{
    fmt, io,
    os::{
        fd::{AsFd, BorrowedFd},
        unix::net::UnixStream,
    },
    sync::{Arc, OnceLock},
};

use super::{
    batch,
    event::Standing,
    framing::{FramingError, PROTOCOL_VERSION, Request, answer, command},
    reader::Reader,
    resources::{MakeStandIn, Resources},
    signal::Signal,
    syncs::{Read, Syncs, Waiting},
};
use crate::{
    context::{CAPSET_ID, Context, Options, Retired, capset},
    driver,
    endpoint::{Breadcrumbs, Counters, Observer, Sampler},
    error::HostError,
    limits::{self, Budget},
    resource::{Blob, BlobFlags},
    socket,
    thread::AutoreleasePool,
    worker::MakeObservers,
};

/// RESOURCE_CREATE_BLOB's type for memory of the host, the only one Venus uses.
const BLOB_HOST3D: u32 = 2;

/// GET_PARAM's name of the number of timelines.
const PARAM_MAX_TIMELINE_COUNT: u32 = 1;

/// Why a connection ended, other than by the guest leaving.
#[derive(Debug, thiserror::Error)]
pub(super) enum SessionError {
    #[error("{0}")]
    Guest(#[from] FramingError),
    #[error("{0}")]
    Host(#[from] HostError),
    #[error("the socket failed: {0}")]
    Socket(#[from] io::Error),
}

/// How connections are served.
#[derive(Clone, Default)]
#[non_exhaustive]
pub struct SessionOptions {
    /// The driver and what guests see of it.
    pub driver: driver::Config,
    /// Who is told what guests do, if anybody.
    pub observers: Option<Arc<MakeObservers>>,
    /// What each guest may hold. Of descriptors it gets no more than this process may have.
    pub budget: Budget,
    /// What is sent for memory that has no descriptor which a guest could map. Without, such memory is not offered.
    pub stand_ins: Option<Arc<MakeStandIn>>,
}

impl SessionOptions {
    /// Nobody is told what guests do.
    #[must_use]
    pub fn new(driver: driver::Config) -> Self {
        Self { driver, observers: None, budget: Budget::default(), stand_ins: None }
    }

    /// Lets each guest hold so much and no more.
    #[must_use]
    pub fn budget(mut self, budget: Budget) -> Self {
        self.budget = budget;
        self
    }

    /// Serves a guest in this very process, which has somebody beside it who knows a stand-in again when the guest maps
    /// it, and gives it the memory itself. So what the driver's configuration says of the transport holds for it.
    ///
    /// `make` is called for each resource whose memory has no descriptor of the kind that can be mapped. What it makes is
    /// sent, and kept until the guest gives the resource back or leaves.
    #[must_use]
    pub fn stand_ins(
        mut self,
        make: impl Fn(&Blob) -> Result<Box<dyn AsFd + Send>, HostError> + Send + Sync + 'static,
    ) -> Self {
        self.stand_ins = Some(Arc::new(make));
        self
    }

    /// Tells those what a guest does whom `make` makes for it.
    #[must_use]
    pub fn observers(
        mut self,
        make: impl Fn(&str, &driver::Config) -> Vec<Arc<dyn Observer>> + Send + Sync + 'static,
    ) -> Self {
        self.observers = Some(Arc::new(make));
        self
    }
}

impl fmt::Debug for SessionOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SessionOptions").field("driver", &self.driver).finish_non_exhaustive()
    }
}

/// What a connection amounted to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Summary {
    /// The guest program's name; empty if it left before saying it.
    pub name: String,
    /// Commands executed.
    pub commands: u64,
    /// Commands that the guest was told to have failed, as [`Statistics::failures`](crate::endpoint::Statistics::failures) has it.
    pub failures: u64,
    /// What the validation layer found, if it was asked.
    pub findings: u64,
    /// Why the guest lost its context or its connection, if it did: the line that the log has.
    pub lost: Option<String>,
}

/// What others see of a session while it lasts.
#[derive(Debug, Default)]
pub(super) struct Reported {
    /// Where it stands, for those who survive it.
    pub(super) breadcrumbs: Breadcrumbs,
    /// What looks at its context, once there is one.
    pub(super) context: Arc<OnceLock<Monitor>>,
}

/// Looks at a context, as long as it lasts and after.
#[derive(Debug)]
pub(super) struct Monitor {
    pub(super) counters: Arc<Counters>,
    pub(super) sampler: Sampler,
}

/// Serves `socket` until its guest leaves, and says what came of it. All that the guest had is gone when this returns.
pub(super) fn run(
    socket: UnixStream,
    options: SessionOptions,
    reported: Reported,
    summary: &mut Summary,
) -> Result<(), SessionError> {
    socket::prepare(&socket)?;
    let mut reader = Reader::new(socket.try_clone()?);
    let mut session = Session::new(socket, options, reported)?;
    let outcome = session.serve(&mut reader);
    summary.name = session.name.clone().unwrap_or_default();
    let counters = session.context.as_ref().map(Context::counters);
    // Rings may still be executing what the guest left behind.
    drop(session);
    if let Some(counters) = counters {
        summary.commands = counters.commands();
        summary.failures = counters.failures();
        summary.findings = counters.findings();
        summary.lost = counters.lost().map(ToString::to_string);
    }
    outcome
}

struct Session {
    socket: UnixStream,
    options: SessionOptions,
    /// The guest program's name, once CREATE_RENDERER has said it.
    name: Option<String>,
    /// Made by CONTEXT_INIT.
    context: Option<Context>,
    resources: Resources,
    syncs: Arc<Syncs>,
    standing: Standing,
    reported: Reported,
    /// Whether the log has what an old or foreign guest needs, which may ask again and again.
    told: Told,
}

/// What has been logged, and need not be again.
#[derive(Debug, Default)]
struct Told {
    version: bool,
    capset: bool,
}

impl Session {
    fn new(socket: UnixStream, options: SessionOptions, reported: Reported) -> io::Result<Self> {
        let standing = Standing::new()?;
        let (resources, syncs) = (Resources::new(options.stand_ins.clone()), Arc::default());
        let told = Told::default();
        Ok(Self { socket, options, name: None, context: None, resources, syncs, standing, reported, told })
    }

    fn serve(&mut self, reader: &mut Reader) -> Result<(), SessionError> {
        while let Some(request) = reader.next()? {
            let _pool = AutoreleasePool::new();
            self.handle(request)?;
        }
        Ok(())
    }

    fn handle(&mut self, request: Request<'_>) -> Result<(), SessionError> {
        if self.name.is_none() && !matches!(request, Request::CreateRenderer { .. }) {
            return illegal("the first request has to be CREATE_RENDERER");
        }
        match request {
            Request::CreateRenderer { name } => self.create_renderer(name),
            Request::PingProtocolVersion => self.answer(command::PING_PROTOCOL_VERSION, &[]),
            // Asked for handle 0 only, to tell old servers apart: nothing is ever busy.
            Request::ResourceBusyWait => self.answer(command::RESOURCE_BUSY_WAIT, &[0]),
            Request::ProtocolVersion { version } => self.protocol_version(version),
            Request::GetParam { param: PARAM_MAX_TIMELINE_COUNT } => {
                self.answer(command::GET_PARAM, &[1, limits::TIMELINES])
            }
            Request::GetParam { .. } => self.answer(command::GET_PARAM, &[0, 0]),
            Request::GetCapset { id, version } => self.capset(id, version),
            Request::ContextInit { capset } => self.context_init(capset),
            Request::ResourceCreateBlob { kind, flags, size, blob_id } => {
                self.create_blob(kind, BlobFlags(flags), size, blob_id)
            }
            Request::ResourceUnref { id } => self.unref_resource(id),
            Request::SyncCreate { initial } => {
                let id = self.syncs.create(initial);
                self.answer(command::SYNC_CREATE, &[id])
            }
            Request::SyncUnref { id } => {
                self.syncs.unref(id);
                Ok(())
            }
            Request::SyncRead { id } => {
                let Read::Value(value) = self.syncs.read(id)? else { return Err(unanswerable().into()) };
                self.answer(command::SYNC_READ, &halves(value))
            }
            Request::SyncWrite { id, value } => Ok(self.syncs.write(id, value)?),
            Request::SyncWait { any, timeout_ms, syncs } => {
                let waiting = self.syncs.wait(any, timeout_ms, &syncs)?;
                self.answer_wait(&waiting)
            }
            Request::SubmitCmd2 { payload } => self.submit(payload),
        }
    }

    fn answer(&self, command: u32, payload: &[u32]) -> Result<(), SessionError> {
        self.reported.breadcrumbs.note_answer();
        Ok(socket::send(&self.socket, &answer(command, payload))?)
    }

    /// A descriptor travels with a message of its own, after the answer it belongs to, so that a guest that reads the
    /// answer as a stream does not swallow the byte it is attached to.
    fn send_fd(&self, fd: BorrowedFd<'_>) -> Result<(), SessionError> {
        Ok(socket::send_fd(&self.socket, fd)?)
    }

    fn create_renderer(&mut self, name: &[u8]) -> Result<(), SessionError> {
        if self.name.is_some() {
            return illegal("CREATE_RENDERER comes once");
        }
        let name = name.split(|byte| *byte == 0).next().unwrap_or_default();
        let name = name.get(..limits::CONTEXT_NAME_BYTES).unwrap_or(name);
        let printable: String = String::from_utf8_lossy(name).chars().filter(|c| !c.is_control()).collect();
        tracing::debug!("guest {printable:?} connected");
        self.reported.breadcrumbs.set_name(&printable);
        self.name = Some(printable);
        Ok(())
    }

    fn protocol_version(&mut self, version: u32) -> Result<(), SessionError> {
        if version < PROTOCOL_VERSION && !std::mem::replace(&mut self.told.version, true) {
            let guest = self.name.as_deref();
            tracing::warn!(
                guest,
                "old guest: it speaks version {version} of the vtest protocol, and Venus needs {PROTOCOL_VERSION}; update \
                 the guest's Mesa"
            );
        }
        self.answer(command::PROTOCOL_VERSION, &[version.min(PROTOCOL_VERSION)])
    }

    fn answer_wait(&self, waiting: &Waiting) -> Result<(), SessionError> {
        self.answer(command::SYNC_WAIT, &[])?;
        self.send_fd(match waiting {
            Waiting::Done => self.standing.done(),
            Waiting::Pending => self.standing.pending(),
            Waiting::Lost => self.standing.lost(),
            Waiting::Event(fd) => fd.as_fd(),
        })
    }

    fn capset(&mut self, id: u32, version: u32) -> Result<(), SessionError> {
        if id != CAPSET_ID || version != 0 {
            if !std::mem::replace(&mut self.told.capset, true) {
                let guest = self.name.as_deref();
                tracing::warn!(
                    guest,
                    "the guest asks for version {version} of capability set {id}, and there is only version 0 of \
                     {CAPSET_ID} (Venus): if it is an OpenGL (virgl) program it needs another server, else update this host"
                );
            }
            return self.answer(command::GET_CAPSET, &[0]);
        }
        let bytes = capset(self.options.driver.protocol);
        let (words, _) = bytes.as_chunks::<4>();
        let payload: Vec<u32> = std::iter::once(1).chain(words.iter().map(|word| u32::from_le_bytes(*word))).collect();
        self.answer(command::GET_CAPSET, &payload)
    }

    fn context_init(&mut self, capset: u32) -> Result<(), SessionError> {
        if capset != CAPSET_ID {
            return illegal(format!("CONTEXT_INIT names capset {capset}, only {CAPSET_ID} (Venus) is served"));
        }
        if self.context.is_none() {
            let peer = self.socket.try_clone()?;
            let name = self.name.clone().unwrap_or_default();
            let mut driver = self.options.driver.clone();
            if self.options.stand_ins.is_none() {
                // Whatever the embedder can do: this guest maps the descriptors that it is given.
                driver.transport = driver::Transport::default();
            }
            let budget = self.options.budget.descriptors_of(socket::open_files());
            let options = Options::new(name, driver).budget(budget).abandoned(move || socket::is_hung_up(&peer));
            let syncs = Arc::clone(&self.syncs);
            let options = options.lost(move || syncs.lose_all()).breadcrumbs(self.reported.breadcrumbs.clone());
            let options = options.observers(self.options.observers.as_deref());
            let context = Context::new(options);
            let monitor = Monitor { counters: context.counters(), sampler: context.sampler() };
            // Only set here, where there was no context.
            let _first = self.reported.context.set(monitor);
            self.context = Some(context);
        }
        Ok(())
    }

    fn create_blob(&mut self, kind: u32, flags: BlobFlags, size: u64, blob_id: u64) -> Result<(), SessionError> {
        if kind != BLOB_HOST3D {
            return illegal(format!("blob type {kind}; only type {BLOB_HOST3D} (memory of the host) is served"));
        }
        let context = self.context.as_mut().ok_or_else(no_context)?;
        let (id, blob) = self.resources.create(context, flags, blob_id, size)?;
        self.answer(command::RESOURCE_CREATE_BLOB, &[id])?;
        let mappable = blob.as_ref().and_then(Blob::mappable_fd).or_else(|| self.resources.stand_in(id));
        // Nobody can map a pipe.
        self.send_fd(mappable.unwrap_or(self.standing.pending()))
    }

    fn unref_resource(&mut self, id: u32) -> Result<(), SessionError> {
        let context = self.context.as_mut().ok_or_else(no_context)?;
        self.resources.unref(context, id);
        Ok(())
    }

    fn submit(&mut self, payload: &[u8]) -> Result<(), SessionError> {
        let syncs = Arc::clone(&self.syncs);
        let context = self.context.as_mut().ok_or_else(no_context)?;
        for batch in batch::parse(payload)? {
            // An error has ended the context, which has been logged. The guest's fences are lost below.
            let outcome = context.submit(batch.commands);
            if batch.syncs.is_empty() {
                continue;
            }
            let signal = Signal::new(&syncs, syncs.resolve(&batch.syncs)?, context.has_one_device());
            let Some(ring_idx) = batch.ring_idx else {
                signal.retire(if outcome.is_ok() { Retired::Done } else { Retired::Lost });
                continue;
            };
            match context.create_fence(ring_idx, Box::new(move |retired| signal.retire(retired))) {
                Ok(()) => {}
                Err(HostError::Guest(fatal)) => context.fail(*fatal),
                Err(error) => context.log_refusal(error.into_fatal("create fence")),
            }
        }
        Ok(())
    }
}

/// A guest that reads what is lost. Only the end of its connection can tell it.
#[cold]
fn unanswerable() -> HostError {
    HostError::Unsupported(
        "the guest's program polls a fence or semaphore of a lost device or context (vkGetFenceStatus, \
         vkGetSemaphoreCounterValue), and no answer says so; one that waits is told VK_ERROR_DEVICE_LOST"
            .into(),
    )
}

#[cold]
fn no_context() -> FramingError {
    FramingError::Illegal("a request that needs a context came before CONTEXT_INIT".to_owned())
}

fn halves(value: u64) -> [u32; 2] {
    super::framing::words(&value.to_le_bytes())
}

fn illegal(reason: impl Into<String>) -> Result<(), SessionError> {
    Err(FramingError::Illegal(reason.into()).into())
}
