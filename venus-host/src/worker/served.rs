//! A context that somebody else serves, as its monitor sees it.

use std::{
    fmt,
    os::fd::OwnedFd,
    sync::Arc,
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use tracing::level_filters::LevelFilter;

use super::{
    fences::{Added, Sink},
    held::Held,
    inbox::Inbox,
    launch::Spare,
    message::{Begin, Event, Request, VERSION},
    outbox::{Outbox, Unsent},
    patience::Patience,
    process::Link,
    serve::{self, Look, Tell},
};
use crate::{
    HostError,
    context::Options,
    driver,
    endpoint::{Breadcrumbs, Statistics},
    limits::{self, Budget},
    resource::{Blob, BlobFlags, MemoryFile, ResourceId},
    thread::deadline,
};

/// A context that is served by a thread or a process, in the order of these calls.
#[derive(Debug)]
pub(crate) struct Served {
    inbox: Arc<Inbox>,
    held: Held,
    runner: Runner,
    thread: JoinHandle<()>,
    patience: Arc<Patience>,
}

enum Runner {
    Thread { outbox: Arc<Outbox<Request>>, breadcrumbs: Breadcrumbs, look: Look },
    Process(Arc<Link>),
}

impl Served {
    /// Has a thread serve a context. `sink` is told of fences that retire, and `patience` is the monitor's.
    pub(crate) fn by_thread(
        name: &str,
        options: Options,
        sink: Sink,
        patience: &Arc<Patience>,
    ) -> Result<Self, HostError> {
        let inbox = Arc::new(Inbox::new(name.to_owned(), sink));
        let outbox = Arc::new(Outbox::new(limits::QUEUED_BYTES, Arc::clone(&patience.all_queued)));
        let breadcrumbs = Breadcrumbs::open(Breadcrumbs::file()?)?;
        let (gone, look) = (Arc::clone(&outbox), Look::default());
        let seen = Arc::clone(&look);
        let most = options.max_memory_bytes();
        let options = options.breadcrumbs(breadcrumbs.clone()).abandoned(move || gone.is_closed());
        let (requests, ending) =
            (Arc::clone(&outbox), Ending { inbox: Arc::clone(&inbox), outbox: Arc::clone(&outbox) });
        let serve = move || {
            let told = Arc::clone(&ending.inbox);
            let tell: Tell = Arc::new(move |event: Event| {
                let _right = told.take(event);
            });
            serve::serve(options, || requests.pop(), &tell, &seen);
            drop(ending);
        };
        let thread = thread::Builder::new().name("venus-context".to_owned()).spawn(serve);
        let thread = thread.map_err(|error| HostError::io("cannot start a thread for a context", error))?;
        let (held, patience) = (Held::new(most, &breadcrumbs), Arc::clone(patience));
        Ok(Self { inbox, held, runner: Runner::Thread { outbox, breadcrumbs, look }, thread, patience })
    }

    /// Has a worker process serve a context. Of `driver` it is told the level of the protocol, whether a driver's own
    /// descriptors are of use here, and the key of pipeline caches; `budget` is what its guest may hold of plain memory if the worker does not say less.
    pub(crate) fn by_process(
        worker: Spare,
        name: &str,
        budget: &Budget,
        driver: &driver::Config,
        sink: Sink,
        patience: &Arc<Patience>,
    ) -> Result<Self, HostError> {
        let inbox = Arc::new(Inbox::new(name.to_owned(), sink));
        let file = Arc::<OwnedFd>::from(Breadcrumbs::file()?);
        let breadcrumbs = Breadcrumbs::open(Arc::clone(&file))?;
        let held = Held::new(budget.max_memory_bytes(), &breadcrumbs);
        let (child, socket) = worker.take().ok_or_else(|| HostError::Lost("its worker has been taken".into()))?;
        let maps_opaque = driver.transport.opaque;
        let (link, thread) =
            Link::start(child, socket, maps_opaque, breadcrumbs, Arc::clone(&inbox), Arc::clone(&patience.all_queued))?;
        let served = Self { inbox, held, runner: Runner::Process(link), thread, patience: Arc::clone(patience) };
        let (version, name, protocol) = (VERSION.to_owned(), name.to_owned(), driver.protocol);
        let (log, caches) = (LevelFilter::current(), driver.pipeline_caches.clone());
        let begin = Begin { version, name, maps_opaque, protocol, log, caches, breadcrumbs: file };
        served.send(Request::Begin(begin), 0)?;
        Ok(served)
    }

    /// Executes commands, some time.
    pub(crate) fn submit(&self, commands: &[u8]) -> Result<(), HostError> {
        if commands.len() > limits::SUBMISSION_BYTES {
            return Err(HostError::limit("bytes in one submission", limits::SUBMISSION_BYTES));
        }
        self.inbox.check()?;
        self.send(Request::Submit(commands.to_vec()), commands.len())
    }

    /// Has a fence retire once everything before it on its timeline is done.
    pub(crate) fn create_fence(&self, ring_idx: u32, fence: u64) -> Result<(), HostError> {
        match self.inbox.fences.add(ring_idx, fence) {
            Added::Waits(token) => self.send(Request::Fence { ring_idx, token }, 0),
            Added::Lost => self.inbox.check(),
            Added::TooMany if ring_idx >= limits::TIMELINES => {
                Err(HostError::fatal("create fence", format!("ring_idx {ring_idx} is not below {}", limits::TIMELINES)))
            }
            Added::TooMany => {
                self.give_up(format!("{} fences of it are pending", limits::FENCES));
                Err(HostError::limit("pending fences of one context", limits::FENCES))
            }
        }
    }

    /// Creates a resource. Plain memory is there at once; what names memory of the guest's is waited for.
    pub(crate) fn create_blob(
        &self,
        id: ResourceId,
        flags: BlobFlags,
        blob_id: u64,
        size: u64,
    ) -> Result<Blob, HostError> {
        self.inbox.check()?;
        if flags.ask_for_plain(blob_id) {
            return self.create_plain(id, size);
        }
        self.inbox.expect_blob();
        self.send(Request::CreateBlob { id, flags, blob_id, size }, 0)?;
        let patience = self.patience.of(limits::WORKER_PATIENCE);
        let made = self.inbox.await_blob(patience).unwrap_or_else(|| Err(self.lose_patience(patience)));
        // A worker may have made what is of no use here, and there must be no resource then.
        match &made {
            Ok(_) => self.held.add(id),
            Err(_) if self.is_process() => self.detach(id),
            Err(_) => {}
        }
        made
    }

    /// Makes plain memory, which whoever serves the context hears of when its turn comes.
    fn create_plain(&self, id: ResourceId, size: u64) -> Result<Blob, HostError> {
        self.await_forgotten(id)?;
        self.held.promise(id, size)?;
        let made = MemoryFile::create_plain(size).and_then(|file| {
            self.held.note_message();
            self.send(Request::Plain { id, size, memory: file.clone().into() }, 0)?;
            Ok(Blob::of_file(file))
        });
        if made.is_err() {
            self.held.withdraw(id);
        }
        made
    }

    /// Waits until the context has forgotten what an id meant before. Its rings would find the old resource under it, since they
    /// wait only for what they do not find.
    fn await_forgotten(&self, id: ResourceId) -> Result<(), HostError> {
        const LOOK: Duration = Duration::from_millis(1);
        let patience = self.patience.of(limits::WORKER_PATIENCE);
        let until = deadline(patience);
        while self.held.is_leaving(id) {
            self.inbox.check()?;
            if Instant::now() >= until {
                return Err(self.lose_patience(patience));
            }
            thread::sleep(LOOK);
        }
        Ok(())
    }

    /// Makes a resource of others known.
    pub(crate) fn attach(&self, id: ResourceId, size: u64, is_plain: bool, blob: Blob) -> Result<(), HostError> {
        self.inbox.check()?;
        self.await_forgotten(id)?;
        self.held.borrow(id, if is_plain { size } else { 0 })?;
        self.held.note_message();
        self.send(Request::Attach { id, size, is_plain, blob }, 0)
    }

    /// Forgets a resource.
    pub(crate) fn detach(&self, id: ResourceId) {
        self.held.forget(id);
        // One that is lost holds nothing for long.
        let _lost = self.send(Request::Detach { id }, 0);
    }

    /// Descriptors of this process that requests may keep whose resources have gone.
    pub(crate) fn files_leaving(&self) -> usize {
        self.held.files_leaving()
    }

    /// Asks a process how its guest is doing.
    pub(crate) fn ask_statistics(&self) -> Result<(), HostError> {
        let Runner::Process(link) = &self.runner else { return Ok(()) };
        if self.inbox.expect_statistics() && link.send(Request::Inquire, Duration::ZERO).is_err() {
            // Nobody was asked, so the next one asks.
            self.inbox.expect_no_statistics();
            self.inbox.check()?;
            return Err(HostError::Remote(format!("worker {} takes no more questions", link.process()).into()));
        }
        Ok(())
    }

    /// How the guest is doing. A process that was asked is given so long to answer.
    pub(crate) fn statistics(&self, patience: Duration) -> Result<Statistics, HostError> {
        let link = match &self.runner {
            Runner::Thread { look, .. } => return Ok(serve::statistics(look)),
            Runner::Process(link) => link,
        };
        self.inbox.await_statistics(patience)?.ok_or_else(|| {
            HostError::Remote(format!("worker {} does not say how its guest is doing", link.process()).into())
        })
    }

    /// Why the context is lost, if it is.
    pub(crate) fn lost(&self) -> Option<String> {
        self.inbox.lost()
    }

    /// Whether it is served by a process, to which pointers are of no use.
    pub(crate) fn is_process(&self) -> bool {
        matches!(self.runner, Runner::Process(_))
    }

    /// The worker's process; none for a thread.
    pub(crate) fn process(&self) -> Option<u32> {
        match &self.runner {
            Runner::Process(link) => Some(link.process()),
            Runner::Thread { .. } => None,
        }
    }

    /// Ends the context, some time. Its fences are lost at once.
    pub(crate) fn dismiss(&self) {
        match &self.runner {
            Runner::Thread { outbox, .. } => outbox.close(),
            Runner::Process(link) => link.dismiss(),
        }
        self.inbox.close("the context was destroyed".to_owned());
    }

    /// Whether all of it is gone, once it was dismissed.
    pub(crate) fn has_ended(&self) -> bool {
        self.thread.is_finished()
    }

    /// Ends it at once, where that can be done: a thread cannot be ended.
    pub(crate) fn kill(&self) {
        if let Runner::Process(link) = &self.runner {
            link.kill();
        }
    }

    fn place(&self) -> String {
        match &self.runner {
            Runner::Thread { breadcrumbs, .. } => breadcrumbs.read().place("before its first command"),
            Runner::Process(link) => link.place(),
        }
    }

    /// The context was waited for in vain.
    #[cold]
    fn lose_patience(&self, patience: Duration) -> HostError {
        let reason = format!("it gives no answer for {patience:?}, {}", self.place());
        self.patience.strike();
        self.give_up(reason.clone());
        HostError::Lost(reason.into())
    }

    /// The context is of no use any more.
    #[cold]
    fn give_up(&self, reason: String) {
        tracing::error!(context = &*self.inbox.name, "guest context lost: {reason}");
        self.inbox.close(reason);
        self.kill();
    }

    fn send(&self, request: Request, bytes: usize) -> Result<(), HostError> {
        let patience = self.patience.of(limits::QUEUE_PATIENCE);
        let sent = match &self.runner {
            // Each request counts, however short; for a process, the link sees to it.
            Runner::Thread { outbox, .. } => {
                let bytes = bytes.saturating_add(size_of::<Request>());
                outbox.push(request, bytes, patience)
            }
            Runner::Process(link) => link.send(request, patience),
        };
        match sent {
            Ok(()) => Ok(()),
            Err(Unsent::Closed) => {
                self.inbox.check()?;
                Err(HostError::Lost("its worker is ending".into()))
            }
            Err(Unsent::Full) => {
                let place = self.place();
                self.patience.strike();
                self.give_up(format!("it does not come to the end of what its guest has submitted, {place}"));
                self.inbox.check()
            }
        }
    }
}

impl fmt::Debug for Runner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Thread { .. } => "Thread",
            Self::Process(_) => "Process",
        })
    }
}

/// Tells whoever waits when a thread that serves a context ends, be it by a panic.
struct Ending {
    inbox: Arc<Inbox>,
    outbox: Arc<Outbox<Request>>,
}

impl Drop for Ending {
    fn drop(&mut self) {
        self.outbox.close();
        let reason =
            if thread::panicking() { "its thread panicked, which is a bug in the host" } else { "it has ended" };
        self.inbox.close(reason.to_owned());
    }
}
