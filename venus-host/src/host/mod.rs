//! A virtio-gpu device's Venus side: contexts, resources and fences by the device's own numbers.
//!
//! A monitor carries out what its guest's kernel asks the device for, and each verb of [`Host`] is one of these requests.
//! A context is served as its [`Isolation`] says, and a monitor need not care how: where requests are not carried out at
//! once, they are queued in order, and the only ones that wait are those that have to give something back.
//!
//! | virtio-gpu | here |
//! |---|---|
//! | GET_CAPSET | [`context::capset`](crate::context::capset) |
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
//! | [`resources`] | the device's resources |
//! | [`retirements`] | fences that have retired |

#![deny(unsafe_code)]

mod options;
mod resources;
mod retirements;

use std::{
    collections::BTreeMap,
    fmt,
    os::fd::BorrowedFd,
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

pub use self::options::{ContextOptions, HostOptions, Isolation};
use self::{resources::Resources, retirements::Retirements};
use crate::{
    HostError,
    context::{Context, Options, Progress, Retired},
    driver::{OpaqueMapper, Transport},
    endpoint::Observer,
    limits,
    resource::{Blob, BlobFlags, BlobKind, BlobStorage, HostMapping, HostMemory, MapInfo, ResourceId},
    thread::{AutoreleasePool, deadline},
    worker::{Added, Fences, Served, serve},
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
}

/// Who serves a context.
enum Runner {
    Served(Served),
    Polled { context: Box<Context>, fences: Arc<Fences> },
}

impl Host {
    /// A device without contexts. Touches no driver.
    ///
    /// # Errors
    ///
    /// The system has no descriptors left.
    pub fn new(mut options: HostOptions) -> Result<Self, HostError> {
        let retirements = Retirements::new(options.retired.take())?;
        Ok(Self {
            options,
            contexts: BTreeMap::new(),
            resources: Resources::default(),
            retirements,
            mapper: None,
            ending: Vec::new(),
        })
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
        let name: String = options.name.chars().filter(|c| !c.is_control()).take(limits::CONTEXT_NAME_BYTES).collect();
        let sink = self.retirements.sink(id);
        let runner = match options.isolation.as_ref().unwrap_or(&self.options.isolation) {
            Isolation::Process(launch) => {
                let maps_opaque = self.options.driver.transport.opaque;
                Runner::Served(Served::by_process(launch, &name, maps_opaque, sink)?)
            }
            Isolation::Thread => Runner::Served(Served::by_thread(&name, self.context_options(&name), sink)?),
            Isolation::Polled => {
                let context = Context::new(self.context_options(&name).poll_rings());
                Runner::Polled { context: Box::new(context), fences: Arc::new(Fences::new(sink)) }
            }
        };
        self.contexts.insert(id, runner);
        Ok(())
    }

    /// How a context is made that this process serves.
    fn context_options(&self, name: &str) -> Options {
        let driver = self.options.driver.clone().transport(Transport::IN_PROCESS);
        let observers: Vec<Arc<dyn Observer>> =
            self.options.observers.as_ref().map(|make| make(name, &driver)).unwrap_or_default();
        let options = Options::new(name, driver).budget(self.options.budget);
        observers.into_iter().fold(options, Options::observer)
    }

    /// Ends a context. Fences of it that are left retire as lost, before this returns; resources stay, and what is mapped
    /// stays mapped. False if there is no such context.
    ///
    /// A thread or process that serves it ends some time later.
    pub fn destroy_context(&mut self, id: ContextId) -> bool {
        let Some(runner) = self.contexts.remove(&id) else { return false };
        self.resources.forget(id);
        match runner {
            Runner::Served(served) => {
                served.dismiss();
                self.ending.push(served);
            }
            Runner::Polled { context, fences } => {
                drop(context);
                fences.close();
            }
        }
        true
    }

    /// Executes commands of a guest's: whole ones, one after the other. Unless the context is polled they are executed some
    /// time, after what was asked for before; a fence says when.
    ///
    /// # Errors
    ///
    /// There is no such context, or it is lost, for this reason: before, or if it is polled, by one of the commands.
    pub fn submit(&mut self, id: ContextId, commands: &[u8]) -> Result<(), HostError> {
        match self.runner(id, "submit")? {
            Runner::Served(served) => served.submit(commands),
            Runner::Polled { context, .. } => {
                context.submit(commands).map_err(|fatal| HostError::Lost(fatal.to_string().into()))
            }
        }
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
        match self.contexts.get(&id)? {
            Runner::Served(served) => served.lost(),
            Runner::Polled { context, .. } => context.lost().map(ToString::to_string),
        }
    }

    /// The process that serves a context, if it is one of its own.
    #[must_use]
    pub fn process(&self, id: ContextId) -> Option<u32> {
        match self.contexts.get(&id)? {
            Runner::Served(served) => served.process(),
            Runner::Polled { .. } => None,
        }
    }

    /// Creates a resource of a context's memory, which knows it from then on. `blob_id` 0 with exactly
    /// [`BlobFlags::MAPPABLE`] asks for plain shared memory; everything else names a `VkDeviceMemory` of the guest.
    ///
    /// Waits until the context has come to it, if that takes no longer than [`limits::WORKER_PATIENCE`].
    ///
    /// # Errors
    ///
    /// What was asked for is wrong or cannot be had, and the device is as it was; or the context is lost.
    pub fn create_blob(
        &mut self,
        id: ContextId,
        resource: ResourceId,
        flags: BlobFlags,
        blob_id: u64,
        size: u64,
    ) -> Result<(), HostError> {
        self.resources.check_new(resource, size)?;
        let blob = match self.runner(id, crate::error::CREATE_BLOB)? {
            Runner::Served(served) => served.create_blob(resource, flags, blob_id, size),
            Runner::Polled { context, .. } => context.create_blob(resource, flags, blob_id, size),
        }?;
        let is_plain = blob_id == 0 && flags == BlobFlags::MAPPABLE;
        self.resources.insert(resource, blob, size, is_plain).attached.insert(id);
        Ok(())
    }

    /// Makes storage that somebody else has made a resource of `size` bytes, for contexts that it is attached to.
    ///
    /// # Errors
    ///
    /// The id or the size is wrong.
    pub fn import_blob(&mut self, resource: ResourceId, blob: Blob, size: u64) -> Result<(), HostError> {
        self.resources.check_new(resource, size)?;
        if size > blob.size {
            return Err(HostError::fatal("import blob", format!("{size} bytes of a blob that has {}", blob.size)));
        }
        self.resources.insert(resource, blob, size, false);
        Ok(())
    }

    /// Makes memory of the embedder's own a resource: one that rings, replies and command streams can lie in, for contexts
    /// that it is attached to. Those that a [process](Isolation::Process) serves cannot have it.
    ///
    /// # Errors
    ///
    /// The id or the memory is wrong.
    pub fn import_memory(&mut self, resource: ResourceId, memory: Arc<dyn HostMemory>) -> Result<(), HostError> {
        let mapping = HostMapping::from_memory(memory)?;
        let size = u64::try_from(mapping.size()).unwrap_or(u64::MAX);
        self.resources.check_new(resource, size)?;
        let blob = Blob::new(BlobStorage::Pointer(mapping), size, MapInfo::Cached);
        self.resources.insert(resource, blob, size, true);
        Ok(())
    }

    /// Lets a context know a resource. Nothing if it does already.
    ///
    /// # Errors
    ///
    /// There is no such context or resource, the context is lost, or it cannot have the resource.
    pub fn attach(&mut self, id: ContextId, resource: ResourceId) -> Result<(), HostError> {
        const COMMAND: &str = "attach resource";
        let found = self.resources.lookup(resource, COMMAND)?;
        let runner = self.contexts.get_mut(&id).ok_or_else(|| no_context(id, COMMAND))?;
        if found.attached.contains(&id) {
            return Ok(());
        }
        match runner {
            Runner::Served(served) => {
                if served.is_process() && found.blob.kind() == BlobKind::Pointer {
                    return Err(HostError::Unsupported(
                        "a process of its own serves this context, and has no use for memory without a descriptor"
                            .into(),
                    ));
                }
                served.attach(resource, found.size, found.is_plain, found.blob.clone())?;
            }
            Runner::Polled { context, .. } => {
                serve::attach(context, resource, found.size, found.is_plain, &found.blob)?;
            }
        }
        found.attached.insert(id);
        Ok(())
    }

    /// Lets a context forget a resource. Nothing if it does not know it.
    pub fn detach(&mut self, id: ContextId, resource: ResourceId) {
        let Ok(found) = self.resources.lookup(resource, "detach resource") else { return };
        if found.attached.remove(&id)
            && let Some(runner) = self.contexts.get_mut(&id)
        {
            runner.detach(resource);
        }
    }

    /// A resource's storage, for whoever exports it or maps it by other means than [`Host::map`].
    #[must_use]
    pub fn blob(&self, resource: ResourceId) -> Option<&Blob> {
        self.resources.get(resource).map(|found| &found.blob)
    }

    /// Where a resource is in this process, mapping it if it is not. What this gives and its clones are one mapping, which
    /// lives as long as any of them does, whatever becomes of the rest.
    ///
    /// # Errors
    ///
    /// There is no such resource, or it cannot be mapped.
    pub fn map(&mut self, resource: ResourceId) -> Result<HostMapping, HostError> {
        let found = self.resources.lookup(resource, "map resource")?;
        if let Some(mapping) = &found.mapping {
            return Ok(mapping.clone());
        }
        let mapping = if found.blob.kind() == BlobKind::Opaque {
            let _pool = AutoreleasePool::new();
            let mapper = match &mut self.mapper {
                Some(mapper) => mapper,
                empty => empty.insert(OpaqueMapper::new(&self.options.driver)?),
            };
            mapper.map(&found.blob)?
        } else {
            found.blob.map()?
        };
        Ok(found.mapping.insert(mapping).clone())
    }

    /// Drops a resource: contexts forget it. What is mapped stays mapped. False if there is none.
    pub fn destroy_resource(&mut self, resource: ResourceId) -> bool {
        let Some(found) = self.resources.remove(resource) else { return false };
        for id in found.attached {
            if let Some(runner) = self.contexts.get_mut(&id) {
                runner.detach(resource);
            }
        }
        true
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
        const COMMAND: &str = "create fence";
        match self.contexts.get_mut(&id) {
            Some(Runner::Served(served)) => served.create_fence(ring_idx, fence),
            Some(Runner::Polled { context, fences }) => create_polled_fence(context, fences, ring_idx, fence),
            None => {
                self.retirements.add(RetiredFence { context: id, ring_idx, fence, retired: Retired::Lost });
                Err(no_context(id, COMMAND))
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

impl Runner {
    fn detach(&mut self, resource: ResourceId) {
        match self {
            Self::Served(served) => served.detach(resource),
            Self::Polled { context, .. } => {
                context.destroy_resource(resource);
            }
        }
    }
}

fn create_polled_fence(
    context: &mut Context,
    fences: &Arc<Fences>,
    ring_idx: u32,
    fence: u64,
) -> Result<(), HostError> {
    let token = match fences.add(ring_idx, fence) {
        Added::Waits(token) => token,
        Added::Lost => return Ok(()),
        Added::TooMany if ring_idx >= limits::TIMELINES => {
            return Err(HostError::fatal(
                "create fence",
                format!("ring_idx {ring_idx} is not below {}", limits::TIMELINES),
            ));
        }
        Added::TooMany => {
            context.fail(HostError::limit("pending fences", limits::FENCES).into_fatal("create fence"));
            fences.close();
            return Err(HostError::limit("pending fences of one context", limits::FENCES));
        }
    };
    let retiring = Arc::clone(fences);
    let made = context.create_fence(
        ring_idx,
        Box::new(move |retired| {
            retiring.retire(ring_idx, token, retired);
        }),
    );
    serve::settle(context, made, "create fence");
    Ok(())
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
