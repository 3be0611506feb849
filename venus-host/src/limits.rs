//! Every bound that a guest can run into, by name, with the reason for its value.
//!
//! A limit protects the host's memory, descriptors or threads from one guest; it is never tuned for speed. All are far
//! above what Mesa's Venus driver needs, so meeting one means a runaway or hostile guest.

use std::time::Duration;

/// Largest payload of one socket message. Mesa's largest is a direct submission of a few kilobytes; a batch that large
/// would travel in shared memory. Keeps a hostile length word from becoming an allocation.
pub const VTEST_PAYLOAD_BYTES: usize = 64 << 20;

/// Longest name in CREATE_RENDERER; the reference server's bound. The name only serves the log, which shows the first
/// [`CONTEXT_NAME_BYTES`] of it.
pub const VTEST_NAME_BYTES: usize = 1 << 20;

/// How much of the guest program's name is kept.
pub const CONTEXT_NAME_BYTES: usize = 128;

/// Guests that one server has at a time, if nobody says otherwise. Each costs a process (or a few threads).
pub const SERVER_GUESTS: usize = 1024;

/// Connections without a worker that one server keeps, of each kind: those that have not said a word, and those that were
/// refused. Each costs a descriptor.
pub const SERVER_WAITING: usize = 4096;

/// Connections that the system keeps for a server which has not come to accept them; beyond that it makes guests wait. No
/// less than what Linux permits.
pub const SERVER_BACKLOG: i32 = 4096;

/// Contexts of one device. A guest's kernel makes one for each program that opens the GPU; each costs a process or some
/// threads.
pub const CONTEXTS: usize = 1024;

/// Resources of one device, of all its contexts together. Each costs a descriptor where its memory has one.
pub const DEVICE_RESOURCES: usize = 1 << 20;

/// Largest direct submission of a context that a thread or a process serves; longer ones travel in shared memory.
pub const SUBMISSION_BYTES: usize = 64 << 20;

/// Bytes of requests that wait for whoever serves a context. A guest that submits faster than its host executes is made to
/// wait when there are more.
pub const QUEUED_BYTES: usize = 64 << 20;

/// Bytes of requests that wait for all contexts of a monitor's together. Who submits more is made to wait, too.
pub const ALL_QUEUED_BYTES: usize = 512 << 20;

/// Bytes of requests that may wait for each context, however much waits for the others.
pub const SHARE_BYTES: usize = 256 << 10;

/// How long it is made to wait. If nothing is executed in so long, its context is lost. Each context that was waited for in
/// vain halves it for the others of a monitor's, down to a quarter of a second.
pub const QUEUE_PATIENCE: Duration = Duration::from_secs(5);

/// How long a monitor waits for a context to give memory of its guest's, or to forget a resource whose id is to mean another
/// one, for which it has to come to the request first: a guest may have it wait for a ring that compiles shaders. Then the
/// context is lost. All of the machine may stand still meanwhile, so it is halved like [`QUEUE_PATIENCE`].
pub const WORKER_PATIENCE: Duration = Duration::from_secs(8);

/// How long a monitor waits for a worker process to say how its guest is doing.
pub const STATISTICS_PATIENCE: Duration = Duration::from_secs(2);

/// How long a worker process may take to its end after its monitor has gone, however that happened: as long as a monitor that
/// is there gives it. Then it is killed.
pub const ORPHAN_PATIENCE: Duration = Duration::from_secs(10);

/// Lines of the log that a monitor takes from one worker process. A guest has few of its own, but a worker that is in its
/// guest's hands could fill a disk.
pub const WORKER_LINES: u64 = 1 << 16;

/// Longest message that a monitor takes from a worker process.
pub const WORKER_MESSAGE_BYTES: usize = 1 << 20;

/// Sync objects per connection. Mesa uses one per fence and one per queue and timeline semaphore, and programs have tens
/// of thousands of them; each costs some 60 bytes. Those beyond are given, and never reach a value.
pub const SYNCS: usize = 1 << 20;

/// SYNC_WAIT descriptors that may be pending per connection: one for each thread of the guest that waits, and one of ours
/// for each, so that the limit of open files is met before. What is beyond is answered as if the guest had not wanted to
/// wait.
pub const PENDING_WAITS: usize = 1 << 20;

/// Syncs that all pending waits of a connection may name together, counted as often as they are named; each costs some 20
/// to 80 bytes. What is beyond is answered as if the guest had not wanted to wait.
pub const WAITED_SYNCS: usize = 4 << 20;

/// Syncs that all pending fences of a connection may set together, counted as often as they are set; each costs 16 bytes.
/// Those of a fence beyond are lost.
pub const PROMISED_SYNCS: usize = 4 << 20;

/// Batches in one SUBMIT_CMD2. Mesa sends exactly one.
pub const BATCHES_PER_SUBMIT: usize = 256;

/// Objects alive per context. A large game has some 100 000; each costs the host's table about 100 bytes, and the driver
/// more.
pub const OBJECTS: usize = 4 << 20;

/// Ids remembered per context that the guest takes for objects and that could not be created. The oldest make room, and
/// from then on an id of which nothing else is known counts as one of those. A guest that runs out of memory in earnest
/// fails some thousand times; each costs about 100 bytes.
pub const PHANTOMS: usize = 1 << 16;

/// Bindings of a descriptor set that are remembered as not written, so that it is not used before they are. Layouts have
/// some tens. If there are more, it is used too early, at the guest's own risk.
pub const MISSED_BINDINGS: usize = 1024;

/// Resources alive per context. Mesa makes one per mapped allocation plus its pools: thousands at worst, since drivers
/// offer 4096 allocations or so.
pub const RESOURCES: usize = 65_536;

/// Largest resource. Nothing is committed before it is touched, but sizes take part in address arithmetic, and no
/// mapping of this size succeeds on the machines we know.
pub const RESOURCE_BYTES: u64 = 1 << 40;

/// Largest plain shared-memory resource (ring, command upload, reply). Mesa's pools are 8 MiB; a larger one serves a
/// single huge upload, of which Mesa takes the next power of two: texels for a host image copy, say, where 2 GiB have been
/// seen. Nothing is committed before it is touched.
pub const SHMEM_BYTES: u64 = 4 << 30;

/// Rings per context that have a thread of their own. Mesa makes one per instance and one per guest thread that compiles
/// pipelines, which ends with the thread. Each costs a host thread, about half a megabyte once its driver has compiled something.
pub const RINGS: usize = 4_096;

/// Rings per context. Those beyond [`RINGS`] share a thread, so each costs some kilobytes.
pub const ALL_RINGS: usize = 16_384;

/// Largest ring buffer; the reference host's bound.
pub const RING_BUFFER_BYTES: u32 = 16 << 20;

/// Longest time that a ring keeps polling for a guest that sends nothing, whatever the guest asked for. Mesa asks for 1
/// ms.
pub const RING_IDLE_TIMEOUT: Duration = Duration::from_secs(1);

/// Shortest ALIVE period. Mesa asks for 3 s; anything below this would only be a way to keep the host awake.
pub const RING_MONITOR_PERIOD: Duration = Duration::from_millis(10);

/// Streams in one vkExecuteCommandStreamsMESA. Mesa sends one per shared-memory chunk of a batch.
pub const INDIRECT_STREAMS: usize = 4_096;

/// Memory that the values of one decoded command may take, outputs included; taken as they are decoded. A command is no
/// longer than [`SHMEM_BYTES`], and most of a long one is data, which takes as much in memory as on the way.
pub const DECODED_COMMAND_BYTES: u64 = 8 << 30;

/// What [`DECODED_COMMAND_BYTES`] is at least where a [`Budget`] lowers it: what a guest with little memory of its own may
/// still describe.
pub const LEAST_COMMAND_BYTES: u64 = 64 << 20;

/// Handles in a command that is looked at again because it names something that could not be created. Each takes some 100
/// bytes meanwhile; such a command with more of them ends the context.
pub const NAMES: usize = 1 << 20;

/// How long the end of a context waits for its ring threads. They may be inside a driver call that never returns (a
/// hung GPU); after that the thread and all it refers to are left behind, which in a worker process ends with the
/// process.
pub const RING_JOIN_TIMEOUT: Duration = Duration::from_secs(5);

/// Fences of the guest that may be pending on one queue. A socket guest has one per submission in flight, and tens of
/// thousands where a submission waits for the program; each costs the driver some hundred bytes. Those beyond are
/// retired as lost.
pub const FENCES: usize = 1 << 20;

/// Fences and semaphores that may wait for the end of their last use after the guest has exported them, per device.
/// Each is looked at whenever another joins them.
pub const ORPHANS: usize = 4_096;

/// Failed commands of one context that get a line in the log; later ones are counted. A guest may fail as often as it
/// likes, and the first failures explain the others.
pub const LOGGED_FAILURES: u64 = 32;

/// Refused connections that get a line in the log within some seconds; others are counted.
pub const LOGGED_REFUSALS: u64 = 16;

/// Messages of the validation layers that get a line, of each kind and context; later ones are counted.
pub const LOGGED_FINDINGS: u64 = 3;

/// Kinds of messages of the validation layers that are told apart. The layers have some thousands.
pub const FINDING_KINDS: usize = 8_192;

/// What an endpoint keeps of the memory that its largest command has taken. Commands above this are rare (uploads of
/// large shaders), and a guest with many rings must not make each of them keep the maximum.
pub const KEPT_BYTES: usize = 16 << 20;

/// Timelines a context offers: `ring_idx` 0 is the host's CPU, 1 to 63 are queues. A number of the protocol, not ours
/// to tune.
pub const TIMELINES: u32 = 64;

/// Descriptors of a [`Budget`] that allocations leave for everything else: waits, sockets, files of the driver's.
pub const SPARE_DESCRIPTORS: u64 = 256;

/// What one guest may hold at a time. More is answered with an error that its program can handle; the context lives.
///
/// ```
/// # use venus_host::limits::Budget;
/// let small = Budget::default().memory_bytes(4 << 30).objects(100_000).descriptors(4096);
/// assert_eq!((small.max_objects(), small.allocations()), (100_000, 4096 - 256));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Budget {
    memory_bytes: u64,
    objects: usize,
    rings: usize,
    descriptors: u64,
    gpu_time: Option<Duration>,
}

impl Default for Budget {
    /// As much memory and as many descriptors as there are, [`OBJECTS`] and [`RINGS`], and as much of the GPU's time as
    /// anything takes.
    fn default() -> Self {
        Self { memory_bytes: u64::MAX, objects: OBJECTS, rings: RINGS, descriptors: u64::MAX, gpu_time: None }
    }
}

impl Budget {
    /// Bytes of Vulkan memory, of plain shared memory and of both together: `VK_ERROR_OUT_OF_DEVICE_MEMORY` beyond. No
    /// command may take more for itself, either.
    #[must_use]
    pub fn memory_bytes(mut self, bytes: u64) -> Self {
        self.memory_bytes = bytes;
        self
    }

    /// Objects of all types: `VK_ERROR_OUT_OF_HOST_MEMORY` beyond. At most [`OBJECTS`].
    #[must_use]
    pub fn objects(mut self, count: usize) -> Self {
        self.objects = count.min(OBJECTS);
        self
    }

    /// Rings with a thread of their own: one per instance, and one per thread of the program that compiles pipelines.
    /// Further ones share one thread. At most [`RINGS`].
    #[must_use]
    pub fn rings(mut self, count: usize) -> Self {
        self.rings = count.min(RINGS);
        self
    }

    /// Descriptors that may be open for this guest. Each allocation may take one, so guests are told a
    /// `maxMemoryAllocationCount` that leaves [`SPARE_DESCRIPTORS`]: `VK_ERROR_TOO_MANY_OBJECTS` beyond.
    #[must_use]
    pub fn descriptors(mut self, count: u64) -> Self {
        self.descriptors = count;
        self
    }

    /// How long the GPU may take to the end of what a queue was given at a time. A guest that has it take longer loses its
    /// device, by the end of its context. What waits in the queue counts, for the program, too: for a semaphore that
    /// it signals itself, say.
    #[must_use]
    pub fn gpu_time(mut self, limit: Duration) -> Self {
        self.gpu_time = Some(limit);
        self
    }

    /// The same in a process that may have so many descriptors open.
    pub(crate) fn descriptors_of(self, open: u64) -> Self {
        let descriptors = self.descriptors.min(open);
        self.descriptors(descriptors)
    }

    /// How many allocations may be alive.
    #[must_use]
    pub fn allocations(&self) -> u64 {
        self.descriptors.saturating_sub(SPARE_DESCRIPTORS)
    }

    /// What [`Budget::memory_bytes`] has set.
    #[must_use]
    pub fn max_memory_bytes(&self) -> u64 {
        self.memory_bytes
    }

    /// What the values of one decoded command may take: no more than the guest may hold.
    pub(crate) fn max_command_bytes(&self) -> usize {
        let bytes = self.memory_bytes.clamp(LEAST_COMMAND_BYTES, DECODED_COMMAND_BYTES);
        usize::try_from(bytes).unwrap_or(usize::MAX)
    }

    /// What [`Budget::objects`] has set.
    #[must_use]
    pub fn max_objects(&self) -> usize {
        self.objects
    }

    /// What [`Budget::descriptors`] has set.
    #[must_use]
    pub fn max_descriptors(&self) -> u64 {
        self.descriptors
    }

    /// What [`Budget::gpu_time`] has set.
    #[must_use]
    pub fn max_gpu_time(&self) -> Option<Duration> {
        self.gpu_time
    }

    /// What [`Budget::rings`] has set.
    #[must_use]
    pub fn max_rings(&self) -> usize {
        self.rings
    }
}
