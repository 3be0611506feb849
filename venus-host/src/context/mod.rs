//! One guest context: everything one guest `VkInstance` needs, and the verbs that a virtual machine monitor or the
//! vtest server has for it.
//!
//! A context is driven from one thread (hence `&mut self`), which executes direct submissions and changes resources, in
//! the order in which the guest asked. Rings run beside it, on threads of their own or when [`Context::process_rings`]
//! is called.
//!
//! | file | what |
//! |---|---|
//! | [`ahead`] | rings that name resources which the context is yet to hear of |
//! | [`attribution`] | which command a validation message is about |
//! | [`capset`] | what the guest reads before it creates a context |
//! | [`options`] | how contexts are made |
//! | [`interpreter`] | bytes to handlers to replies |
//! | [`explain`] | what is wrong with bytes, in words |
//! | [`skipped`] | commands that are not executed, and what follows from that |
//! | [`request`] | what a command names |
//! | [`feed`] | the door for replays: commands of rings without the rings' memory |
//! | [`transport`] | the commands that steer rings and streams |
//!
//! # The end
//!
//! A guest that breaks the protocol loses its context: [`Context::lost`] says why. The context stays, answers what
//! needs no execution, retires fences at once as lost, and is dropped when the guest leaves; its guest learns from the
//! FATAL bit of its rings.
//!
//! Dropping a context stops the rings first, since they use everything else, then lets the driver's side end (queues,
//! devices, instance), and unmaps shared memory last.

#![deny(unsafe_code)]

mod ahead;
mod attribution;
mod capset;
mod explain;
mod feed;
mod interpreter;
mod options;
mod request;
mod skipped;
mod transport;

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

pub use self::{
    capset::{CAPSET_BYTES, CAPSET_ID, CAPSET_VERSION, capset},
    feed::{FedRing, Feed},
    options::Options,
};
use crate::{
    driver::OpaqueMapper,
    endpoint::{BlobRequest, Breadcrumbs, Counters, Endpoint, Origin, Sampler, Shared, Statistics, too_much},
    error::{APPLICATION, CREATE_BLOB, Fatal, HostError, MEMORY_NOT_ASKED_FOR},
    limits,
    resource::{Blob, BlobFlags, BlobKind, HostMapping, MemoryFile, Resource, ResourceId, Storage},
    ring,
    thread::AutoreleasePool,
};
pub use crate::{
    driver::sync::{Retire, Retired},
    ring::Progress,
};

/// A guest's context.
pub struct Context {
    shared: Arc<Shared>,
    direct: Endpoint,
    /// Maps what only the driver can map; made on first use.
    mapper: Option<OpaqueMapper>,
}

impl Context {
    /// Makes a context. The Vulkan driver is not touched before the guest creates its instance.
    #[must_use]
    pub fn new(options: Options) -> Self {
        let mode = if options.poll_rings { ring::Mode::Polled } else { ring::Mode::Thread };
        Self::with_mode(options, mode)
    }

    fn with_mode(mut options: Options, ring_mode: ring::Mode) -> Self {
        static COUNTER: AtomicU64 = AtomicU64::new(1);
        let observers = options.take_observers();
        let number = COUNTER.fetch_add(1, Ordering::Relaxed);
        let name = format!("{}#{number}", options.name);
        let breadcrumbs = options.breadcrumbs.unwrap_or_else(Breadcrumbs::private);
        let shared =
            Shared::new(name, options.driver, ring_mode, options.abandoned, observers, breadcrumbs, options.budget);
        let shared = Arc::new(shared);
        if let Some(tell) = options.lost {
            shared.lost.tell(tell);
        }
        shared.observers.tell(|observer| observer.attach(Sampler::new(&shared)));
        let direct = Endpoint::new(Arc::clone(&shared), Origin::Direct);
        Self { shared, direct, mapper: None }
    }

    /// What the context has done so far, and what it holds just now.
    #[must_use]
    pub fn statistics(&self) -> Statistics {
        Statistics::of(&self.shared)
    }

    /// The counters behind some of that, which outlive the context.
    pub(crate) fn counters(&self) -> Arc<Counters> {
        Arc::clone(&self.shared.counters)
    }

    /// What looks at it from other threads, without keeping the context alive.
    #[must_use]
    pub fn sampler(&self) -> Sampler {
        Sampler::new(&self.shared)
    }

    /// Why the context is lost, if it is.
    #[must_use]
    pub fn lost(&self) -> Option<&Fatal> {
        self.shared.lost.reason()
    }

    /// Ends the context for a reason that its owner found.
    pub fn fail(&self, reason: Fatal) {
        self.shared.fail(reason);
    }

    /// Logs and counts a request that was refused, where the guest is told so and goes on.
    pub(crate) fn log_refusal(&self, reason: Fatal) {
        self.shared.log_failure(&reason);
    }

    /// Creates a resource and returns its storage, for the guest or for whoever maps it on the guest's behalf.
    ///
    /// `blob_id` 0 with exactly [`BlobFlags::MAPPABLE`] asks for plain shared memory. Everything else names a
    /// `VkDeviceMemory` of the guest. An error leaves the context as it was.
    pub fn create_blob(
        &mut self,
        id: ResourceId,
        flags: BlobFlags,
        blob_id: u64,
        size: u64,
    ) -> Result<Blob, HostError> {
        let _pool = AutoreleasePool::new();
        let made = self.make_blob(id, flags, blob_id, size);
        let request = BlobRequest::new(id, flags, blob_id, size);
        self.shared.observers.tell(|observer| observer.blob(&request, made.as_ref()));
        made
    }

    fn make_blob(&self, id: ResourceId, flags: BlobFlags, blob_id: u64, size: u64) -> Result<Blob, HostError> {
        if id.0 == 0 || size == 0 {
            return Err(HostError::fatal(CREATE_BLOB, format!("resource id {id} with {size} bytes")));
        }
        if flags.ask_for_plain(blob_id) {
            self.require_memory(size)?;
            return self.keep_plain(id, size, MemoryFile::create_plain(size)?);
        }
        let exported = self.export_memory(blob_id, flags, size)?;
        let storage = Storage::Memory(exported.clone());
        self.shared.resources.insert(Resource { id, size, storage })?;
        Ok(exported)
    }

    /// Makes a memory file a resource of plain shared memory.
    fn keep_plain(&self, id: ResourceId, size: u64, file: MemoryFile) -> Result<Blob, HostError> {
        let storage = Storage::Shmem(Arc::new(file.map()?));
        self.shared.resources.insert(Resource { id, size, storage })?;
        Ok(Blob::of_file(file))
    }

    /// Takes plain shared memory of `size` bytes that the monitor has made, as if [`Context::create_blob`] had been asked
    /// for it. The guest has it already, so there is no refusing it: what is wrong ends the context.
    pub(crate) fn take_plain(&mut self, id: ResourceId, size: u64, file: Result<MemoryFile, HostError>) {
        let made = file.and_then(|file| self.keep_plain(id, size, file)).and_then(|blob| {
            let (most, held) = (self.shared.budget.max_memory_bytes(), self.shared.resources.bytes().0);
            // The monitor did not know of that before this context was made.
            if held > most { Err(too_much(size, most)) } else { Ok(blob) }
        });
        let request = BlobRequest::new(id, BlobFlags::MAPPABLE, 0, size);
        self.shared.observers.tell(|observer| observer.blob(&request, made.as_ref()));
        if let Err(error) = made {
            self.fail(error.into_fatal(CREATE_BLOB));
        }
    }

    /// Fails if so many bytes more than the guest holds are more than it may.
    fn require_memory(&self, bytes: u64) -> Result<(), HostError> {
        let most = self.shared.budget.max_memory_bytes();
        let held = || self.shared.counters.memory_bytes().saturating_add(self.shared.plain_bytes());
        if most != u64::MAX && held().saturating_add(bytes) > most {
            return Err(too_much(bytes, most));
        }
        Ok(())
    }

    /// Turns an allocation into storage for a resource: what a request with the id of a `VkDeviceMemory` asks for.
    fn export_memory(&self, memory: u64, flags: BlobFlags, size: u64) -> Result<Blob, HostError> {
        let objects = &self.shared.objects;
        // The request comes on no ring, but it uses an object like a command does.
        let mut presence = objects.register();
        objects.enter(&mut presence);
        let found = objects.memory(memory).zip(objects.device_of(memory));
        let blob = match found {
            Some((memory, device)) => memory.export(&device, flags, size),
            None => {
                let reason = format!("no VkDeviceMemory has the id {memory:#x}: {}", objects.fate_of(memory));
                let advice = if objects.is_phantom(memory) { MEMORY_NOT_ASKED_FOR } else { APPLICATION };
                Err(Fatal::new(CREATE_BLOB, reason).member("blob_id").advice(advice).into())
            }
        };
        objects.leave(&mut presence);
        blob
    }

    /// Makes the storage of another context's resource a resource of this one, so that its guest can import it
    /// (`VkImportMemoryResourceInfoMESA`). `size` is what the resource was created with. An error leaves the context as
    /// it was.
    ///
    /// Recordings do not contain it: a recording is of one context.
    pub fn attach_resource(&mut self, id: ResourceId, blob: &Blob, size: u64) -> Result<(), HostError> {
        if id.0 == 0 || size == 0 || size > blob.size {
            let reason = format!("resource id {id} with {size} of {} bytes", blob.size);
            return Err(HostError::fatal("attach resource", reason));
        }
        let storage = Storage::Memory(blob.clone());
        self.shared.resources.insert(Resource { id, size, storage }).map(drop)
    }

    /// Makes memory that is not the host's own a resource of plain shared memory, which rings, replies and command streams
    /// can lie in: what an embedder has allocated for its guest ([`HostMapping::from_memory`]), or what another context
    /// has. An error leaves the context as it was.
    ///
    /// Recordings do not contain it.
    pub fn import_memory(&mut self, id: ResourceId, memory: HostMapping) -> Result<(), HostError> {
        let size = u64::try_from(memory.size()).unwrap_or(u64::MAX);
        if id.0 == 0 || size == 0 {
            return Err(HostError::fatal("import memory", format!("resource id {id} with {size} bytes")));
        }
        let storage = Storage::Shmem(memory.into_shared());
        self.shared.resources.insert(Resource { id, size, storage }).map(drop)
    }

    /// Where a resource is in the address space of this process, mapping it if it is not: for a virtual machine monitor
    /// that maps it on into its guest. Each call may map it anew. The mapping outlives the resource, the guest's memory
    /// and the context.
    pub fn map_resource(&mut self, id: ResourceId) -> Result<HostMapping, HostError> {
        let Some(resource) = self.shared.resources.lookup(id) else {
            return Err(HostError::fatal("map resource", format!("there is no resource {id}")));
        };
        match &resource.storage {
            Storage::Shmem(mapping) => Ok(HostMapping::shared(Arc::clone(mapping))),
            Storage::Memory(blob) if blob.kind() == BlobKind::Opaque => {
                let mapper = match &mut self.mapper {
                    Some(mapper) => mapper,
                    empty => empty.insert(OpaqueMapper::new(self.shared.vulkan.config())?),
                };
                mapper.map(blob)
            }
            Storage::Memory(blob) => blob.map(),
        }
    }

    /// Drops a resource. Its storage lives on where it is still in use by the driver. False if there is none.
    ///
    /// A guest that drops memory which a ring or a reply stream is using has lost track, so its context ends.
    pub fn destroy_resource(&mut self, id: ResourceId) -> bool {
        let dropped = self.drop_resource(id);
        if let Some(Some(user)) = &dropped {
            self.fail(Fatal::new("unref resource", format!("resource {id} is dropped while {user} uses it")));
        }
        dropped.is_some()
    }

    /// As [`Context::destroy_resource`], where it is not the guest's driver who asks but a kernel that takes away what a
    /// program had, as it does with one that was killed. If a ring or a reply stream is using it, the context ends all the
    /// same, and nobody is to blame.
    pub fn detach_resource(&mut self, id: ResourceId) -> bool {
        let dropped = self.drop_resource(id);
        if let Some(Some(user)) = &dropped {
            let reason = format!("resource {id}, which {user} uses, was taken away: the guest's program has ended");
            self.shared.end(Fatal::new("detach resource", reason));
        }
        dropped.is_some()
    }

    /// Drops a resource, and names what was using it. None if there is no such resource.
    fn drop_resource(&mut self, id: ResourceId) -> Option<Option<String>> {
        let _pool = AutoreleasePool::new();
        self.shared.resources.remove(id)?;
        self.shared.observers.tell(|observer| observer.unref(id));
        let by_stream = self.direct.reply_stream.resource() == Some(id);
        let by_ring = self.shared.rings.destroy_users(id);
        Some(by_ring.or_else(|| by_stream.then(|| "the reply stream of direct submissions".to_owned())))
    }

    /// Executes a direct submission: whole commands, one after the other.
    ///
    /// # Errors
    ///
    /// The context is lost, for this reason: by one of the commands or before, or by a ring meanwhile. What was left of
    /// the submission is not executed. That of a guest which has gone is abandoned without an error.
    pub fn submit(&mut self, commands: &[u8]) -> Result<(), Fatal> {
        let _pool = AutoreleasePool::new();
        if self.direct.submit(commands)? {
            return Ok(());
        }
        // Whoever ended the context has said why, unless the guest is gone.
        self.lost().map_or(Ok(()), |lost| Err(lost.clone()))
    }

    /// Calls `retire` once everything before it on timeline `ring_idx` is done: direct submissions for 0, the bound
    /// queue for the others.
    ///
    /// On a lost context it retires at once, [as lost](Retired::Lost): nothing will ever complete, and a guest kernel
    /// waits for its fences forever. So it does after an error.
    pub fn create_fence(&mut self, ring_idx: u32, retire: Retire) -> Result<(), HostError> {
        let _pool = AutoreleasePool::new();
        let observers = &self.shared.observers;
        let retire: Retire = match observers.is_empty() {
            true => retire,
            false => {
                let tell = observers.fence(ring_idx);
                Box::new(move |retired| {
                    tell();
                    retire(retired);
                })
            }
        };
        if ring_idx >= limits::TIMELINES {
            retire(Retired::Lost);
            return Err(HostError::fatal(
                "create fence",
                format!("ring_idx {ring_idx} is not below {}", limits::TIMELINES),
            ));
        }
        if self.shared.is_lost() {
            retire(Retired::Lost);
            return Ok(());
        }
        self.shared.timelines.create_fence(ring_idx, retire)
    }

    /// Whether the guest has queues of one device only.
    #[cfg(feature = "vtest")]
    pub(crate) fn has_one_device(&self) -> bool {
        self.shared.timelines.is_one_device()
    }

    /// Executes what is in the rings, for a context made with [`Options::poll_rings`], and reports the busiest.
    pub fn process_rings(&mut self) -> Progress {
        self.shared.rings.poll()
    }
}

impl Drop for Context {
    fn drop(&mut self) {
        let stuck = self.shared.rings.stop_all(limits::RING_JOIN_TIMEOUT);
        if stuck.is_empty() {
            self.shared.destroy_all();
            self.shared.resources.clear();
        }
        // Otherwise a thread is still inside the driver, and its own reference keeps all it uses alive, for the rest of
        // the process.
        for ring in stuck {
            self.shared.log_stuck(ring);
        }
        self.shared.observers.tell(|observer| observer.left());
    }
}

impl fmt::Debug for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Context").field("shared", &self.shared).finish_non_exhaustive()
    }
}
