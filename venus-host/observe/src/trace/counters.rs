//! Counters: how full rings are, how much memory the guest has. The writer samples them, which costs endpoints nothing.

use parking_lot::Mutex;
use venus_host::endpoint::{RingSample, Sampler};

/// What is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Counter {
    /// Bytes that the guest has written to a ring and the host has not executed.
    RingFill(u64),
    /// Commands per second, of all endpoints.
    CommandsPerSecond,
    /// Bytes of the guest's allocations.
    DeviceMemory,
    /// Bytes of allocations that are resources, too: mapped by the guest, or shared with others.
    SharedMemory,
    /// Bytes of resources that are no allocations: rings, replies, streams.
    PlainMemory,
    /// Objects that have an id.
    Objects,
}

impl Counter {
    /// What the trace calls it.
    pub(super) fn name(self) -> String {
        match self {
            Self::RingFill(id) => format!("ring {id:#x} fill"),
            Self::CommandsPerSecond => "commands per second".to_owned(),
            Self::DeviceMemory => "device memory".to_owned(),
            Self::SharedMemory => "device memory visible to the guest".to_owned(),
            Self::PlainMemory => "plain shared memory".to_owned(),
            Self::Objects => "objects".to_owned(),
        }
    }

    /// Whether it counts bytes.
    pub(super) fn is_bytes(self) -> bool {
        !matches!(self, Self::CommandsPerSecond | Self::Objects)
    }
}

/// The context that is sampled, while it exists.
#[derive(Debug, Default)]
pub(super) struct Watched(Mutex<Sampler>);

impl Watched {
    pub(super) fn set(&self, sampler: Sampler) {
        *self.0.lock() = sampler;
    }

    /// Samples all counters but the rate of commands. None once the context has gone.
    pub(super) fn sample(&self) -> Vec<(Counter, u64)> {
        // The lock is held during the sample: `set` waits for it when the guest has left, so the context never ends on
        // this thread.
        let watched = self.0.lock();
        let Some(sample) = watched.sample() else { return Vec::new() };
        let fill = |ring: &RingSample| (Counter::RingFill(ring.id), u64::from(ring.unexecuted_bytes));
        let mut samples: Vec<_> = sample.rings.iter().map(fill).collect();
        samples.extend([
            (Counter::DeviceMemory, sample.device_memory_bytes),
            (Counter::SharedMemory, sample.blob_memory_bytes),
            (Counter::PlainMemory, sample.shared_memory_bytes),
            (Counter::Objects, sample.objects),
        ]);
        samples
    }
}
