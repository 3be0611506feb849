//! Queue families that cannot do everything, and what is kept from them.
//!
//! What is recorded for queues that cannot do it is undefined in Vulkan, and loses the device on some drivers: a guest's
//! driver copies query results by itself, on whatever queue. So a command buffer of such a family calls the driver by
//! entry points that lack what the registry does not allow there ([`FamilyProcs`]); no other command buffer pays for it.

use std::{collections::BTreeSet, fmt, sync::Arc};

use ash::vk;
use parking_lot::Mutex;
use venus_protocol::procs::Procs;

use super::{Failure, PhysicalDevice};
use crate::error::APPLICATION;

/// Why there are no timestamps on a family, where there are none.
pub(super) const NO_COPIES: &str =
    "a guest's driver copies them to see that they are there, which such queues cannot do";

/// The entry points for command buffers of a family with neither graphics nor compute, or with one of the two.
pub(crate) struct FamilyProcs {
    family: u32,
    flags: vk::QueueFlags,
    procs: Arc<Procs>,
    /// The commands that were kept from it.
    kept: Mutex<BTreeSet<&'static str>>,
    /// Its command buffers, and some that are no more: whose handle is used again is told anew.
    buffers: Mutex<BTreeSet<vk::CommandBuffer>>,
}

impl FamilyProcs {
    /// Those of a device's for one of its families; `None` if that can do whatever can be recorded.
    pub(super) fn of(procs: &Procs, family: u32, families: &[vk::QueueFamilyProperties]) -> Option<Self> {
        let properties = usize::try_from(family).ok().and_then(|index| families.get(index))?;
        let flags = properties.queue_flags;
        let is_universal = flags.contains(vk::QueueFlags::GRAPHICS | vk::QueueFlags::COMPUTE);
        let procs = || Arc::new(procs.for_queues(flags));
        (!is_universal).then(|| Self {
            family,
            flags,
            procs: procs(),
            kept: Mutex::default(),
            buffers: Mutex::default(),
        })
    }

    pub(crate) fn procs(&self) -> &Arc<Procs> {
        &self.procs
    }

    /// Notes whether command buffers that were just allocated are of the family.
    pub(super) fn note_buffers(&self, buffers: &[vk::CommandBuffer], is_its: bool) {
        let mut own = self.buffers.lock();
        if is_its {
            own.extend(buffers);
        } else {
            for buffer in buffers {
                own.remove(buffer);
            }
        }
    }

    /// Whether a live command buffer is of the family. What was recorded for another may be too much for its queues.
    pub(crate) fn has(&self, buffer: vk::CommandBuffer) -> bool {
        self.buffers.lock().contains(&buffer)
    }

    /// Notes that a command was kept from the family; whether it is the first time.
    pub(crate) fn keeps(&self, command: &'static str) -> bool {
        self.kept.lock().insert(command)
    }
}

impl fmt::Display for FamilyProcs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "queue family {}, which has {}", self.family, Abilities(self.flags))
    }
}

impl fmt::Debug for FamilyProcs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FamilyProcs").field("family", &self.family).finish_non_exhaustive()
    }
}

/// What a queue can do, for people.
pub(super) struct Abilities(pub(super) vk::QueueFlags);

impl fmt::Display for Abilities {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const NAMES: &[(vk::QueueFlags, &str)] = &[
            (vk::QueueFlags::GRAPHICS, "graphics"),
            (vk::QueueFlags::COMPUTE, "compute"),
            (vk::QueueFlags::TRANSFER, "transfer"),
            (vk::QueueFlags::SPARSE_BINDING, "sparse binding"),
            (vk::QueueFlags::VIDEO_DECODE_KHR, "video decoding"),
            (vk::QueueFlags::VIDEO_ENCODE_KHR, "video encoding"),
            (vk::QueueFlags::OPTICAL_FLOW_NV, "optical flow"),
        ];
        let names: Vec<_> = NAMES.iter().filter(|(flag, _)| self.0.contains(*flag)).map(|(_, name)| *name).collect();
        if names.is_empty() { f.write_str("no ability") } else { f.write_str(&names.join(", ")) }
    }
}

impl PhysicalDevice {
    /// Takes from a queue family what guests may not use: sparse binding where that is withheld, and timestamps where
    /// their results cannot be copied, since a guest's driver copies them to see that they are there.
    pub(crate) fn restrict_family(&self, family: &mut vk::QueueFamilyProperties) {
        self.profile().restrict_family(family);
        if self.withholds_sparse() {
            family.queue_flags &= !vk::QueueFlags::SPARSE_BINDING;
        }
        if !copies_queries(family.queue_flags) {
            family.timestamp_valid_bits = 0;
        }
    }
}

impl PhysicalDevice {
    /// Refuses sparse binding on queues of a family that cannot do it, as far as guests are told.
    pub(crate) fn check_sparse_queue(&self, family: u32) -> Result<(), Failure> {
        let properties = usize::try_from(family).ok().and_then(|index| self.queue_families().get(index));
        let mut properties = properties.copied().unwrap_or_default();
        self.restrict_family(&mut properties);
        if properties.queue_flags.contains(vk::QueueFlags::SPARSE_BINDING) {
            return Ok(());
        }
        let reason = format!("is of family {family}, which has {}", Abilities(properties.queue_flags));
        Err(Failure::refused(vk::Result::ERROR_FEATURE_NOT_PRESENT, "queue", reason, APPLICATION))
    }
}

/// Whether vkCmdCopyQueryPoolResults may be recorded for a family.
pub(super) fn copies_queries(flags: vk::QueueFlags) -> bool {
    flags.intersects(vk::QueueFlags::GRAPHICS | vk::QueueFlags::COMPUTE)
}
