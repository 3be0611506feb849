//! One look at a context: what it has done, what it holds, and what is left of the memory of its GPUs.

use venus_protocol::{vk, wire::CommandType};

use super::{RingSample, Sample, Shared};
use crate::{driver::GpuMemory, error::object_type_name};

mod codec;

/// What a context has done so far and what it holds at one moment.
///
/// Taking it costs a look at each of the guest's objects and a question to each driver that it uses. For a look many
/// times a second there is [`Sampler::sample`](super::Sampler::sample).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Statistics {
    /// Commands executed, on all endpoints, up to the last whole batch of each.
    pub executed: u64,
    /// Lines in the log about commands that the guest was told to have failed, or that were left out.
    pub failures: u64,
    /// Messages of the validation layers, if those are on ([`driver::Config::validate`](crate::driver::Config)).
    pub findings: u64,
    /// Submissions to queues, with command buffers or without.
    pub submissions: u64,
    /// Why the context is lost, if it is: the line that the log has.
    pub lost: Option<String>,
    /// The last line about a command that failed. Of a context that is lost, the reason.
    pub last_error: Option<String>,
    /// What became of each command, in the order of their numbers. Those that never came are not there.
    pub commands: Vec<CommandStatistics>,
    /// How many objects of each type have an id. Types without any are not there.
    pub objects: Vec<ObjectStatistics>,
    /// The context's rings, in no particular order.
    pub rings: Vec<RingSample>,
    /// `VkDeviceMemory` objects that the guest has allocated.
    pub allocations: u64,
    /// Bytes of those.
    pub device_memory_bytes: u64,
    /// Bytes of them that are resources, too: mapped by the guest, or shared with others.
    pub blob_memory_bytes: u64,
    /// Bytes of resources that are plain shared memory: rings, replies, command streams.
    pub shared_memory_bytes: u64,
    /// The GPUs that the guest has devices of.
    pub gpus: Vec<GpuMemory>,
}

/// What became of one command, each time that it came.
///
/// A command is counted once in one of `handled`, `refused` and `failed`; one that has to wait or was given up, since its
/// guest left, in none of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct CommandStatistics {
    /// Which command.
    pub command: CommandType,
    /// How often it was decoded and handed to its handler, or left out for naming what is no object.
    pub dispatched: u64,
    /// How often it was executed. What the driver said may be an error where nothing was created.
    pub handled: u64,
    /// How often this host left it out, all or a part of it, or answered it without asking the driver.
    pub refused: u64,
    /// How often the driver failed to do it, as the log has it, or it ended the context.
    pub failed: u64,
}

impl CommandStatistics {
    fn add(&mut self, other: &Self) {
        for (sum, more) in [
            (&mut self.dispatched, other.dispatched),
            (&mut self.handled, other.handled),
            (&mut self.refused, other.refused),
            (&mut self.failed, other.failed),
        ] {
            *sum = sum.saturating_add(more);
        }
    }

    /// The command's Vulkan name.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.command.name()
    }
}

/// How many objects of one type a guest has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct ObjectStatistics {
    /// Which type.
    pub object_type: vk::ObjectType,
    /// How many.
    pub count: u64,
}

impl ObjectStatistics {
    fn add(&mut self, more: u64) {
        self.count = self.count.saturating_add(more);
    }

    /// The type's Vulkan name: `VkBuffer`.
    #[must_use]
    pub fn name(&self) -> &'static str {
        object_type_name(self.object_type)
    }
}

impl Statistics {
    pub(crate) fn of(shared: &Shared) -> Self {
        let counters = &shared.counters;
        let Sample { rings, device_memory_bytes, blob_memory_bytes, shared_memory_bytes, .. } = Sample::of(shared);
        let objects = shared.objects.count_by_type();
        Self {
            executed: counters.commands(),
            failures: counters.failures(),
            findings: counters.findings(),
            submissions: counters.submissions(),
            lost: counters.lost().map(ToString::to_string),
            last_error: counters.last_error(),
            commands: counters.by_command(),
            objects: objects.into_iter().map(|(object_type, count)| ObjectStatistics { object_type, count }).collect(),
            rings,
            allocations: counters.allocations(),
            device_memory_bytes,
            blob_memory_bytes,
            shared_memory_bytes,
            gpus: shared.vulkan.gpu_memory(),
        }
    }

    /// Adds what another context has done and holds. Rings and GPUs stay apart, those of one context behind those of the other;
    /// what is said of one context alone, why it is lost and its last error, is left out.
    pub fn add(&mut self, other: &Self) {
        for (sum, more) in [
            (&mut self.executed, other.executed),
            (&mut self.failures, other.failures),
            (&mut self.findings, other.findings),
            (&mut self.submissions, other.submissions),
            (&mut self.allocations, other.allocations),
            (&mut self.device_memory_bytes, other.device_memory_bytes),
            (&mut self.blob_memory_bytes, other.blob_memory_bytes),
            (&mut self.shared_memory_bytes, other.shared_memory_bytes),
        ] {
            *sum = sum.saturating_add(more);
        }
        for row in &other.commands {
            match self.commands.binary_search_by_key(&row.command.0, |known| known.command.0) {
                Ok(at) => self.commands.get_mut(at).into_iter().for_each(|known| known.add(row)),
                Err(at) => self.commands.insert(at, *row),
            }
        }
        for row in &other.objects {
            match self.objects.binary_search_by_key(&row.object_type, |known| known.object_type) {
                Ok(at) => self.objects.get_mut(at).into_iter().for_each(|known| known.add(row.count)),
                Err(at) => self.objects.insert(at, *row),
            }
        }
        self.rings.extend_from_slice(&other.rings);
        self.gpus.extend_from_slice(&other.gpus);
    }

    /// What became of one command; `None` if it never came.
    #[must_use]
    pub fn command(&self, command: CommandType) -> Option<&CommandStatistics> {
        self.commands.iter().find(|row| row.command == command)
    }

    /// How many objects of one type there are.
    #[must_use]
    pub fn objects_of(&self, object_type: vk::ObjectType) -> u64 {
        self.objects.iter().find(|row| row.object_type == object_type).map_or(0, |row| row.count)
    }
}
