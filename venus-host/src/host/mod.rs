//! A virtio-gpu device's Venus side: contexts, resources and fences by the device's own numbers.
//!
//! A monitor carries out what its guest's kernel asks the device for, and each verb of [`Host`] is one of these requests.
//! A context is served as its [`Isolation`] says, and a monitor need not care how: where requests are not carried out at
//! once, they are queued in order, and the only ones that wait are those that have to give something of the guest's back.
//!
//! | virtio-gpu | here |
//! |---|---|
//! | GET_CAPSET | [`Host::capset`] |
//! | CTX_CREATE, CTX_DESTROY | [`Host::create_context`], [`Host::destroy_context`] |
//! | CTX_ATTACH_RESOURCE, CTX_DETACH_RESOURCE | [`Host::attach`], [`Host::detach`] |
//! | RESOURCE_CREATE_BLOB, RESOURCE_UNREF | [`Host::create_blob`], [`Host::destroy_resource`] |
//! | RESOURCE_MAP_BLOB, RESOURCE_UNMAP_BLOB | [`Host::map`], dropping what it gave |
//! | SUBMIT_3D | [`Host::submit`] |
//! | a fence with a ring index | [`Host::create_fence`] |
//!
//! # What outlives what
//!
//! Resources belong to the device: a context that goes leaves them, and whoever holds a [`Blob`] or a [`HostMapping`] keeps
//! what is behind it alive, whatever becomes of the resource, the context, its worker or the host. So a monitor may drop
//! things in the order in which its guest says so, or its process ends.
//!
//! # The end of a context
//!
//! A guest that breaks the protocol loses its context, and so does one whose worker dies: [`Host::lost`] says why, in a
//! sentence. The context stays until it is destroyed. Its fences retire as lost, and a guest program learns of it from its
//! rings, or from the heartbeat that stops.
//!
//! | file | what |
//! |---|---|
//! | [`options`] | how a host and its contexts are made |
//! | [`memory`], [`resources`] | the device's resources, and the verbs about them |
//! | [`runner`] | who serves a context |
//! | [`retirements`] | fences that have retired |

#![deny(unsafe_code)]

mod memory;
mod options;
mod resources;
mod retirements;
mod runner;

use std::{
    collections::BTreeMap,
    fmt,
    os::fd::BorrowedFd,
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

pub use self::options::{ContextOptions, HostOptions, Isolation};
use self::{resources::Resources, retirements::Retirements, runner::Runner};
#[cfg(doc)]
use crate::resource::{Blob, HostMapping};
use crate::{
    HostError,
    context::{CAPSET_BYTES, Context, Options, Progress, Retired, capset},
    driver::{OpaqueMapper, Transport},
    endpoint::Statistics,
    limits, socket,
    thread::deadline,
    worker::{Fences, Patience, Served, Spare},
};

/// A context's number: what the guest's kernel gave it in CTX_CREATE.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ContextId(pub u32);

impl fmt::Display for ContextId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A fence that has retired.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct RetiredFence {
    /// The context.
    pub context: ContextId,
    /// Its timeline: 0 for submissions, the others for queues.
    pub ring_idx: u32,
    /// The number that the guest's kernel gave it.
    pub fence: u64,
    /// How. A guest's kernel can be told that a fence has retired, and nothing else.
    pub retired: Retired,
}

/// How long the end of a host waits for its contexts, if nobody says otherwise: a little longer than a context for its
/// rings.
const PATIENCE: Duration = Duration::from_secs(6);

/// How often it looks meanwhile.
const LOOK: Duration = Duration::from_millis(1);

/// A device with its contexts and resources. See the [module](self) for what its methods are in virtio-gpu.
///
/// Its end waits some seconds for the contexts that are left; [`Host::shutdown`] says how long.
pub struct Host {
    options: HostOptions,
    contexts: BTreeMap<ContextId, Runner>,
    resources: Resources,
    retirements: Retirements,
    /// Maps what only the driver can map; made on first use.
    mapper: Option<OpaqueMapper>,
    /// Contexts that were destroyed and have not come to their ends.
    ending: Vec<Served>,
    /// Workers that wait for their contexts.
    spares: Vec<Spare>,
    /// How long contexts are waited for.
    patience: Arc<Patience>,
}

impl Host {
    /// A device without contexts. Touches no driver in this process; worker processes are started ahead.
    ///
    /// # Errors
    ///
    /// The system has no descriptors left.
    pub fn new(mut options: HostOptions) -> Result<Self, HostError> {
        let retirements = Retirements::new(options.retired.take())?;
        let mut host = Self {
            options,
            contexts: BTreeMap::new(),
            resources: Resources::default(),
            retirements,
            mapper: None,
            ending: Vec::new(),
            spares: Vec::new(),
            patience: Arc::default(),
        };
        host.start_spares();
        Ok(host)
    }

    /// The capability set that guests of this device read.
    #[must_use]
    pub fn capset(&self) -> [u8; CAPSET_BYTES] {
        capset(self.options.driver.protocol)
    }

    /// Starts workers ahead, until there are as many as there should be.
    fn start_spares(&mut self) {
        let Isolation::Process(launch) = &self.options.isolation else { return };
        while self.spares.len() < self.options.spares {
            match launch.start() {
                Ok(spare) => self.spares.push(spare),
                // The context that needs one will say so.
                Err(error) => {
                    tracing::debug!("no worker is started ahead: {error}");
                    return;
                }
            }
        }
    }

    /// Makes a context. Touches no driver in this process before the guest creates its instance.
    ///
    /// # Errors
    ///
    /// The id is in use, there are too many contexts, or the system has no thread or process for it.
    pub fn create_context(&mut self, id: ContextId, options: ContextOptions) -> Result<(), HostError> {
        const COMMAND: &str = "create context";
        self.ending.retain(|served| !served.has_ended());
        if self.contexts.contains_key(&id) {
            return Err(HostError::fatal(COMMAND, format!("context {id} exists already")));
        }
        if self.contexts.len().saturating_add(self.ending.len()) >= limits::CONTEXTS {
            return Err(HostError::limit("contexts of one device", limits::CONTEXTS));
        }
        let mut name: String = options.name.chars().filter(|c| !c.is_control()).collect();
        name.truncate(name.floor_char_boundary(limits::CONTEXT_NAME_BYTES));
        let sink = self.retirements.sink(id);
        self.spares.retain(|spare| !spare.has_ended());
        // Those that wait were started as the host's options say.
        let spare = if options.isolation.is_none() { self.spares.pop() } else { None };
        let runner = match options.isolation.as_ref().unwrap_or(&self.options.isolation) {
            Isolation::Process(launch) => {
                let worker = spare.map_or_else(|| launch.start(), Ok)?;
                let (driver, budget) = (&self.options.driver, &self.options.budget);
                Runner::Served(Box::new(Served::by_process(worker, &name, budget, driver, sink, &self.patience)?))
            }
            Isolation::Thread => {
                let options = self.context_options(&name);
                Runner::Served(Box::new(Served::by_thread(&name, options, sink, &self.patience)?))
            }
            Isolation::Polled => {
                let context = Context::new(self.context_options(&name).poll_rings());
                Runner::Polled { context: Box::new(context), fences: Arc::new(Fences::new(sink)) }
            }
        };
        self.contexts.insert(id, runner);
        self.start_spares();
        Ok(())
    }

    /// How a context is made that this process serves.
    fn context_options(&self, name: &str) -> Options {
        let driver = self.options.driver.clone().transport(Transport::IN_PROCESS);
        let budget = self.options.budget.descriptors_of(socket::open_files());
        Options::new(name, driver).budget(budget).observers(self.options.observers.as_deref())
    }

    /// Ends a context. Fences of it that are left retire as lost, before this returns; resources stay, and what is mapped
    /// stays mapped. False if there is no such context.
    ///
    /// A thread or process that serves it ends some time later.
    pub fn destroy_context(&mut self, id: ContextId) -> bool {
        let Some(runner) = self.contexts.remove(&id) else { return false };
        self.resources.forget(id);
        self.ending.extend(runner.end());
        true
    }

    /// Executes commands of a guest's: whole ones, one after the other. Unless the context is polled they are executed some
    /// time, after what was asked for before; a fence says when.
    ///
    /// # Errors
    ///
    /// There is no such context, or it is lost, for this reason: before, or if it is polled, by one of the commands.
    pub fn submit(&mut self, id: ContextId, commands: &[u8]) -> Result<(), HostError> {
        self.runner(id, "submit")?.submit(commands)
    }

    /// Executes what is in the rings of contexts that are [polled](Isolation::Polled), and reports the busiest. Takes what
    /// is there and never sleeps.
    pub fn process_rings(&mut self) -> Progress {
        let polled = self.contexts.values_mut().filter_map(|runner| match runner {
            Runner::Polled { context, .. } => Some(context.process_rings()),
            Runner::Served(_) => None,
        });
        polled.min().unwrap_or(Progress::Idle)
    }

    /// Why a context is lost, in a sentence, if it is. It is lost until it is destroyed.
    #[must_use]
    pub fn lost(&self, id: ContextId) -> Option<String> {
        self.contexts.get(&id)?.lost()
    }

    /// The process that serves a context, if it is one of its own.
    #[must_use]
    pub fn process(&self, id: ContextId) -> Option<u32> {
        self.contexts.get(&id)?.process()
    }

    /// How a context's guest is doing: what it has done so far, and what it holds. Looks from outside, so it need not wait
    /// for what the context is doing; a worker process is given [`limits::STATISTICS_PATIENCE`] to answer.
    ///
    /// # Errors
    ///
    /// There is no such context, or its worker does not answer.
    pub fn statistics(&mut self, id: ContextId) -> Result<Statistics, HostError> {
        let runner = self.runner(id, "statistics")?;
        runner.ask_statistics()?;
        runner.statistics(limits::STATISTICS_PATIENCE)
    }

    /// How all guests are doing in sum ([`Statistics::add`]). Worker processes are asked at once, and given
    /// [`limits::STATISTICS_PATIENCE`] together; those that do not answer, or have ended, are left out.
    #[must_use]
    pub fn statistics_of_all(&mut self) -> Statistics {
        let mut sum = Statistics::default();
        let until = deadline(limits::STATISTICS_PATIENCE);
        let asked: Vec<_> = self.contexts.values().filter(|runner| runner.ask_statistics().is_ok()).collect();
        for runner in asked {
            if let Ok(statistics) = runner.statistics(until.saturating_duration_since(Instant::now())) {
                sum.add(&statistics);
            }
        }
        sum
    }

    /// The contexts that there are, in the order of their numbers.
    pub fn contexts(&self) -> impl Iterator<Item = ContextId> {
        self.contexts.keys().copied()
    }

    /// Has a fence retire once everything before it on a timeline of a context is done: what was submitted, for `ring_idx`
    /// 0; the work of a queue, for the others.
    ///
    /// It retires in any case, once: as lost if this gives an error, if the context is lost or destroyed before, or if there
    /// is none.
    ///
    /// # Errors
    ///
    /// There is no such context or timeline.
    pub fn create_fence(&mut self, id: ContextId, ring_idx: u32, fence: u64) -> Result<(), HostError> {
        match self.contexts.get_mut(&id) {
            Some(runner) => runner.create_fence(ring_idx, fence),
            None => {
                self.retirements.add(RetiredFence { context: id, ring_idx, fence, retired: Retired::Lost });
                Err(no_context(id, "create fence"))
            }
        }
    }

    /// What has retired since the last call, those of a timeline in order. Nothing where a callback is told
    /// ([`HostOptions::retired`]).
    #[must_use]
    pub fn take_retired(&mut self) -> Vec<RetiredFence> {
        self.retirements.take()
    }

    /// Readable while [`Host::take_retired`] has something: for an event loop. Not to be read.
    #[must_use]
    pub fn retired_fd(&self) -> BorrowedFd<'_> {
        self.retirements.fd()
    }

    /// Ends all contexts and waits for them, no longer than `patience`; then ends the processes that are left. Says whether
    /// that was not needed, and no thread is left behind.
    #[must_use]
    pub fn shutdown(mut self, patience: Duration) -> bool {
        self.end(patience)
    }

    fn end(&mut self, patience: Duration) -> bool {
        let ids: Vec<_> = self.contexts.keys().copied().collect();
        for id in ids {
            self.destroy_context(id);
        }
        let until = deadline(patience);
        loop {
            self.ending.retain(|served| !served.has_ended());
            if self.ending.is_empty() {
                return true;
            }
            if Instant::now() >= until {
                break;
            }
            thread::sleep(LOOK);
        }
        for served in &self.ending {
            tracing::error!("a context does not come to its end in {patience:?}; the driver may be stuck");
            served.kill();
        }
        self.ending.clear();
        false
    }

    fn runner(&mut self, id: ContextId, command: &'static str) -> Result<&mut Runner, HostError> {
        self.contexts.get_mut(&id).ok_or_else(|| no_context(id, command))
    }
}

#[cold]
fn no_context(id: ContextId, command: &'static str) -> HostError {
    HostError::fatal(command, format!("there is no context {id}"))
}

impl Drop for Host {
    fn drop(&mut self) {
        self.end(PATIENCE);
    }
}

impl fmt::Debug for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Host")
            .field("options", &self.options)
            .field("contexts", &self.contexts.keys())
            .field("resources", &self.resources)
            .finish_non_exhaustive()
    }
}
