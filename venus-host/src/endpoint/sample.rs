//! A quick look at what a context holds, for whoever looks from outside while its endpoints work.

use std::{
    fmt,
    sync::{Arc, Weak},
};

use super::{Shared, Statistics};

/// What a context holds at one moment: the part of its [`Statistics`] that is cheap. Taking it costs a look at each of the
/// context's tables, and holds up no endpoint for longer than that.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Sample {
    /// The context's rings, in no particular order.
    pub rings: Vec<RingSample>,
    /// Bytes of `VkDeviceMemory` that the guest has allocated.
    pub device_memory_bytes: u64,
    /// Bytes of `VkDeviceMemory` that are resources, too: mapped by the guest, or shared with others.
    pub blob_memory_bytes: u64,
    /// Bytes of resources that are plain shared memory: rings, replies, command streams.
    pub shared_memory_bytes: u64,
    /// Vulkan objects that have an id.
    pub objects: u64,
    /// Devices among them.
    pub devices: u64,
}

/// What one ring holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct RingSample {
    /// The guest's id of the ring.
    pub id: u64,
    /// Bytes that the guest has written and the host has not executed.
    pub unexecuted_bytes: u32,
}

/// Takes samples of a context without keeping it alive. An observer gets one when its context is made.
#[derive(Clone, Default)]
pub struct Sampler(Weak<Shared>);

impl Sampler {
    pub(crate) fn new(shared: &Arc<Shared>) -> Self {
        Self(Arc::downgrade(shared))
    }

    /// The counters now; `None` once the context has gone.
    ///
    /// The context is kept alive meanwhile. If its owner drops it just then, its end happens on the calling thread,
    /// unless [`Observer::left`](super::Observer::left) waits for the sample to be taken.
    #[must_use]
    pub fn sample(&self) -> Option<Sample> {
        self.0.upgrade().map(|shared| Sample::of(&shared))
    }

    /// What the context has done and holds, all of it; `None` once the context has gone. As with
    /// [`Sampler::sample`], the context is kept alive meanwhile.
    #[must_use]
    pub fn statistics(&self) -> Option<Statistics> {
        self.0.upgrade().map(|shared| Statistics::of(&shared))
    }

    /// The names of the GPUs that the context has devices of, each once. Takes a look at each of its objects.
    #[must_use]
    pub fn gpus(&self) -> Vec<String> {
        let Some(shared) = self.0.upgrade() else { return Vec::new() };
        let devices = shared.objects.device_ids().into_iter().filter_map(|id| shared.objects.device_of(id));
        let mut names: Vec<String> = devices.map(|device| device.gpu_name()).collect();
        names.sort();
        names.dedup();
        names
    }
}

impl Sample {
    pub(crate) fn of(shared: &Shared) -> Self {
        let mut rings = Vec::new();
        shared.rings.for_each(|ring| {
            rings.push(RingSample { id: ring.id.0, unexecuted_bytes: ring.unexecuted_bytes() });
        });
        let (_, blob_memory_bytes) = shared.resources.bytes();
        Self {
            rings,
            device_memory_bytes: shared.counters.memory_bytes(),
            blob_memory_bytes,
            shared_memory_bytes: shared.plain_bytes(),
            objects: u64::try_from(shared.objects.len()).unwrap_or(u64::MAX),
            devices: u64::try_from(shared.objects.device_count()).unwrap_or(u64::MAX),
        }
    }
}

impl fmt::Debug for Sampler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sampler").finish_non_exhaustive()
    }
}
