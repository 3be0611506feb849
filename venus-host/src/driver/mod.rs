//! Vulkan's side: instances, devices, queues and memory, and the proofs behind every call.
//!
//! | file | what |
//! |---|---|
//! | `loader` | finding the Vulkan library, once per process and not before a guest needs it |
//! | [`preload`] | loading the drivers before a guest needs them |
//! | `instance` | a guest's `VkInstance` and the physical devices behind it |
//! | `physical_device` | what a physical device is, as we tell it to the guest |
//! | `extensions` | which device extensions a guest is offered, and why not the others |
//! | `profile` | hiding what the driver has, so that Linux can stand in for hosts that lack it |
//! | `device` | a guest's `VkDevice`: entry points, queues, and the calls that the host makes for itself |
//! | `queue_request` | the queues that a guest asks for with its device |
//! | `memory` | how host-visible memory reaches the guest |
//! | `gpu_memory` | how much memory a guest's GPUs have, and have left |
//! | `descriptor_heap` | descriptors for heaps, and the sizes that guests say of them |
//! | `pipeline_cache` | pipeline-cache data, and how what guests bring is known to be this host's |
//! | `host_copy` | copying between images and host memory |
//! | `external` | what a guest is told about external memory, fences and semaphores |
//! | [`sparse`] | sparse binding of imported memory, and what guests are told of it |
//! | `sanitize` | lengths that are said twice, and that drivers believe |
//! | `bounds` | numbers that drivers index their own tables by, and parts of objects |
//! | `made` | what objects were made with, for those that name them |
//! | `spirv` | the structure of shader code |
//! | `submits` | submissions without the command buffers that must not be executed |
//! | `destroy` | freeing an object by its type |
//! | `sync` | queues, their timelines, and what stands in for SYNC_FD |
//! | `format` | how the texels of formats lie in memory |
//! | `family` | queue families that cannot do everything |
//! | `failure` | why a guest is told that a call failed |
//! | `chain` | looking into the `pNext` chains that the decoder built |
//! | `validation` | the validation layer's messages, and the commands that caused them |
//! | [`survey`] | what this host's GPUs can give a guest, found out by trying |
//!
//! A guest's command reaches the driver in one of two ways: as it is, through `call` (the call itself stands in
//! `venus-protocol`, which knows each command's parameters), or through a method of `Device` or `Instance` where the host
//! has to change something. Nothing here knows the table of ids, rings or replies: a device knows its own id, and a queue
//! the one that it was given, to be told apart. What may be called when is decided in `handlers/`.
//!
//! All `unsafe` of the host's Vulkan side is here. It rests on one contract, stated at `call`: handles come from the object
//! table and stay alive until the end of the command, pointers come from the decoder's arena. What remains is valid
//! usage that only the guest's application can get right; drivers do not check it, which is why each guest runs in a
//! process of its own.

#![allow(unsafe_code, reason = "the room that calls Vulkan")]

pub(crate) mod bounds;
pub(crate) mod chain;
mod descriptor_heap;
pub(crate) mod destroy;
mod device;
pub(crate) mod extensions;
pub(crate) mod external;
mod failure;
mod family;
pub(crate) mod format;
mod gpu_memory;
mod host_copy;
mod instance;
mod loader;
pub(crate) mod made;
pub(crate) mod memory;
mod physical_device;
mod pipeline_cache;
mod preload;
mod profile;
mod queue_request;
pub(crate) mod sanitize;
pub mod sparse;
mod spirv;
pub(crate) mod submits;
pub mod survey;
pub(crate) mod sync;
pub(crate) mod validation;

use parking_lot::Mutex;
use std::sync::{Arc, atomic::AtomicU64};
use venus_protocol::procs::Call;
pub(crate) use venus_protocol::procs::Procs;
pub use venus_protocol::{Level, UnknownLevel};

pub(crate) use self::{
    device::Device,
    failure::{Failure, Refusal},
    family::FamilyProcs,
    instance::Instance,
    loader::Loader,
    memory::Memory,
    physical_device::PhysicalDevice,
};
pub use self::{
    gpu_memory::{GpuMemory, HeapMemory},
    instance::GpuChoice,
    loader::EntryPoint,
    memory::{MemoryChoice, OpaqueMapper, ParseSharedMemoryError, SharedMemory, Transport},
    pipeline_cache::{CacheKey, CachePolicy, PipelineCaches},
    preload::preload,
    profile::Profile,
};

/// Newest Vulkan version that the protocol can carry. Guests are told this at most; the patch number of the driver is
/// kept.
pub(crate) const API_CEILING: u32 = venus_protocol::vk::make_api_version(0, 1, 4, 0);

/// What the person who runs the host may choose about the driver.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct Config {
    /// Which GPUs guests see.
    pub gpu: GpuChoice,
    /// How host-visible memory is shared.
    pub memory: MemoryChoice,
    /// What the embedder can pass on of that memory.
    pub transport: Transport,
    /// Which driver to pretend to be.
    pub profile: Profile,
    /// The level of the protocol that guests are served at: what came later is announced to no guest, and refused. The
    /// newest, unless guests of an older host are to be imitated.
    pub protocol: Level,
    /// GPUs that were seen to bind imported memory sparsely. Of others that share memory in this way, guests are not told
    /// of sparse binding.
    pub sparse: Vec<sparse::GpuId>,
    /// How memory of GPUs reaches guests, as was found out with the same choices: of others it is tried for each guest.
    pub shared_memory: Vec<SharedMemory>,
    /// What becomes of pipeline-cache data that guests bring: the driver parses it only if it has once written it itself,
    /// unless this says otherwise.
    pub pipeline_caches: PipelineCaches,
    /// Puts the validation layer between this host and the driver, and what it finds into the log. Slow.
    pub validate: bool,
    /// The embedder's own Vulkan, to use instead of looking for a library.
    pub entry: Option<EntryPoint>,
}

impl Config {
    /// Chooses which GPUs guests see.
    #[must_use]
    pub fn gpu(mut self, gpu: GpuChoice) -> Self {
        self.gpu = gpu;
        self
    }

    /// Chooses how host-visible memory is shared.
    #[must_use]
    pub fn memory(mut self, memory: MemoryChoice) -> Self {
        self.memory = memory;
        self
    }

    /// Says what the embedder can pass on of that memory.
    #[must_use]
    pub fn transport(mut self, transport: Transport) -> Self {
        self.transport = transport;
        self
    }

    /// Chooses which driver to pretend to be.
    #[must_use]
    pub fn profile(mut self, profile: Profile) -> Self {
        self.profile = profile;
        self
    }

    /// Serves guests at a level of the protocol.
    #[must_use]
    pub fn protocol(mut self, level: Level) -> Self {
        self.protocol = level;
        self
    }

    /// Says which GPUs were seen to bind imported memory sparsely, by [`sparse::try_gpus`] in a process of its own.
    #[must_use]
    pub fn binds_imports_sparsely(mut self, gpus: Vec<sparse::GpuId>) -> Self {
        self.sparse = gpus;
        self
    }

    /// Says how memory of GPUs reaches guests, as [`sparse::try_gpus`] has found out with the same choices.
    #[must_use]
    pub fn shares_memory(mut self, known: Vec<SharedMemory>) -> Self {
        self.shared_memory = known;
        self
    }

    /// Decides what becomes of pipeline-cache data that guests bring.
    #[must_use]
    pub fn pipeline_caches(mut self, caches: PipelineCaches) -> Self {
        self.pipeline_caches = caches;
        self
    }

    /// Decides whether the validation layer stands between this host and the driver.
    #[must_use]
    pub fn validate(mut self, validate: bool) -> Self {
        self.validate = validate;
        self
    }

    /// Uses the embedder's own Vulkan instead of looking for a library.
    #[must_use]
    pub fn entry(mut self, entry: EntryPoint) -> Self {
        self.entry = Some(entry);
        self
    }
}

/// The Vulkan side of one context.
#[derive(Debug)]
pub(crate) struct State {
    config: Config,
    findings: Option<Arc<validation::Findings>>,
    instance: Mutex<Slot>,
}

/// A context has one instance in its life.
#[derive(Debug)]
enum Slot {
    Empty,
    Live(Arc<Instance>),
    Gone,
}

impl State {
    /// A context whose guest has not created its instance. Does not load Vulkan. `context` is what the log calls it;
    /// `findings` counts what validation finds, if the configuration asks for it.
    pub(crate) fn new(config: Config, context: &str, findings: Arc<AtomicU64>) -> Self {
        let findings = config.validate.then(|| Arc::new(validation::Findings::new(context.to_owned(), findings)));
        Self { config, findings, instance: Mutex::new(Slot::Empty) }
    }

    /// Where the instance's validation messages go; `None` for nowhere.
    pub(crate) fn findings(&self) -> Option<Arc<validation::Findings>> {
        self.findings.clone()
    }

    pub(crate) fn config(&self) -> &Config {
        &self.config
    }

    /// The instance, once there is one.
    pub(crate) fn instance(&self) -> Option<Arc<Instance>> {
        match &*self.instance.lock() {
            Slot::Live(instance) => Some(Arc::clone(instance)),
            Slot::Empty | Slot::Gone => None,
        }
    }

    /// Does something with the instance, if there is one, which does not end meanwhile.
    fn with_instance(&self, act: impl FnOnce(&Instance)) {
        if let Slot::Live(instance) = &*self.instance.lock() {
            act(instance);
        }
    }

    /// Whether the guest may create its instance: it may do so once.
    pub(crate) fn may_create_instance(&self) -> bool {
        matches!(*self.instance.lock(), Slot::Empty)
    }

    /// Keeps the new instance; `false` if there was one already.
    pub(crate) fn set_instance(&self, instance: Arc<Instance>) -> bool {
        let mut slot = self.instance.lock();
        let empty = matches!(*slot, Slot::Empty);
        if empty {
            *slot = Slot::Live(instance);
        }
        empty
    }

    /// Lets go of the instance, for good.
    pub(crate) fn take_instance(&self) -> Option<Arc<Instance>> {
        match std::mem::replace(&mut *self.instance.lock(), Slot::Gone) {
            Slot::Live(instance) => Some(instance),
            Slot::Empty | Slot::Gone => None,
        }
    }
}

/// Applies a guest's command to the driver as it is. `None` if the driver has no such entry point.
///
/// Called for every forwarded command, so there is nothing in it but the call.
#[inline]
pub(crate) fn call<'a, C: Call<'a>>(args: &mut C, procs: &Procs) -> Option<C::Return> {
    // SAFETY:
    // - every handle in `args` was resolved by the object table while the command was decoded, with its type, so it is
    //   a handle of this context's driver; it stays alive until the command ends because removed objects are freed only
    //   after that (`object/reclaim.rs`);
    // - `procs` belong to the device or instance of the command's owner: `endpoint/device_cache.rs` looks them up
    //   by the owner's id;
    // - pointers, lengths and `pNext` chains in `args` were built by the decoder, in an arena that outlives the
    //   command, and are consistent with each other and with their structure types;
    // - the rest of valid usage is between the guest's application and the driver, as on any host: drivers do not check
    //   it, and a guest that breaks it can crash its own process, not another guest's.
    unsafe { args.call(procs) }
}
