//! How host-visible memory reaches the guest.
//!
//! The guest maps memory by mapping a file descriptor (or, in a virtual machine, the VMM does that for it), so every
//! allocation of a host-visible type must have a descriptor behind it whose pages the GPU uses. There are several
//! ways; of each memory type, the first that works is chosen once per physical device by trying it (`probe`):
//!
//! 1. **dma-buf**: the driver exports the allocation.
//! 2. **import**: we make a memory file, map it, and the driver imports the mapping (VK_EXT_external_memory_host).
//! 3. **pointer**: the driver maps the allocation into this process, and a monitor here maps it on into its guest.
//! 4. **opaque**: the driver exports a descriptor of its own, which only the same driver can map ([`OpaqueMapper`]).
//!
//! The last two are of use only to an embedder that says so ([`Transport`]): a guest behind a socket would map the
//! private header of an opaque descriptor, and can do nothing with a pointer. Of these, pointers come first: they cost
//! nothing, and a descriptor of the driver's takes a second device and an import for each mapping.
//!
//! On drivers made of Metal (MoltenVK, KosmicKrisp) pointers come before imports, too: Metal cannot place images in imported
//! memory as it likes, and a second mapping of that memory was seen not to follow the GPU. Where imports are all there is, as
//! behind a socket, images are kept out of that memory ([`images`]).
//!
//! Types of one device may differ. Memory of a graphics card that the processor can reach (DEVICE_LOCAL and
//! HOST_VISIBLE) is none that a driver could import, so on a driver without dma-bufs only the last two share it.
//!
//! | file | what |
//! |---|---|
//! | [`choice`] | which methods are tried |
//! | [`probe`] | trying them |
//! | [`known`] | what others have tried |
//! | [`fill`] | letting the GPU write to shared memory |
//! | [`sparse`] | binding imported memory sparsely |
//! | [`allocation`] | a guest's allocations |
//! | [`import`] | resources that a guest uses as memory |
//! | [`charge`] | counting them and their bytes |
//! | [`images`] | which memory types images may lie in |
//! | [`mapped`] | allocations that are mapped here, and their deferred end |
//! | [`mapper`] | opaque descriptors, mapped |
//!
//! A type that no method can share loses HOST_VISIBLE in what the guest is told (`MemoryPlan::guest_view`).
//! At least one type that is HOST_VISIBLE and HOST_COHERENT has to remain, or no guest can use the device.

mod allocation;
mod charge;
mod choice;
pub(crate) mod fill;
mod images;
mod import;
mod known;
mod mapped;
mod mapper;
pub(crate) mod probe;
pub(crate) mod sparse;

use std::fmt;

use ash::vk;

pub(crate) use self::{
    allocation::Memory,
    charge::{Allocated, Charge},
    images::LinearImages,
    import::ImportSource,
    mapped::MappedAllocations,
};
pub use self::{
    choice::{MemoryChoice, Transport},
    known::{ParseSharedMemoryError, SharedMemory},
    mapper::OpaqueMapper,
};
use crate::resource::host_page_size;

/// One way of sharing memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SharingMethod {
    DmaBuf,
    Import,
    Opaque,
    Pointer,
}

impl fmt::Display for SharingMethod {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::DmaBuf => "dma-buf export",
            Self::Import => "imported memory",
            Self::Opaque => "opaque descriptors",
            Self::Pointer => "shared pointers",
        })
    }
}

/// A set of memory types, by index.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct TypeMask(pub(crate) u32);

impl TypeMask {
    pub(crate) fn contains(self, index: u32) -> bool {
        1_u32.checked_shl(index).is_some_and(|bit| self.0 & bit != 0)
    }

    pub(crate) fn insert(&mut self, index: u32) {
        self.0 |= 1_u32.checked_shl(index).unwrap_or(0);
    }

    pub(crate) fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Those that `other` does not have.
    pub(crate) fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    fn indices(self) -> impl Iterator<Item = u32> {
        (0..u32::BITS).filter(move |index| self.contains(*index))
    }
}

impl fmt::Display for TypeMask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let indices: Vec<String> = self.indices().map(|index| index.to_string()).collect();
        f.write_str(&indices.join(", "))
    }
}

/// How one method fared.
#[derive(Debug, Clone)]
pub(crate) struct Attempt {
    pub(crate) method: SharingMethod,
    /// The types it can share, of those that no earlier method can, or why it cannot share any.
    pub(crate) outcome: Result<TypeMask, String>,
}

/// The decision for one physical device.
pub(crate) struct MemoryPlan {
    /// How allocations of each type reach the guest; `None` if they do not.
    methods: [Option<SharingMethod>; vk::MAX_MEMORY_TYPES],
    /// Sizes of shared allocations are multiples of this: pages of the host, and what the driver wants of imported
    /// pointers.
    granularity: u64,
    /// The driver's own view.
    driver_view: vk::PhysicalDeviceMemoryProperties,
    guest_view: vk::PhysicalDeviceMemoryProperties,
    attempts: Vec<Attempt>,
}

impl MemoryPlan {
    fn new(driver_view: vk::PhysicalDeviceMemoryProperties, granularity: u64, attempts: Vec<Attempt>) -> Self {
        let mut methods = [None; vk::MAX_MEMORY_TYPES];
        for attempt in &attempts {
            let Ok(types) = attempt.outcome else { continue };
            for (_, method) in (0..).zip(&mut methods).filter(|(index, _)| types.contains(*index)) {
                method.get_or_insert(attempt.method);
            }
        }
        Self {
            methods,
            granularity: granularity.max(host_page_size()),
            driver_view,
            guest_view: guest_view(driver_view, shared_by(&methods, |_| true)),
            attempts,
        }
    }

    /// How allocations of this type reach the guest; `None` if they do not.
    pub(crate) fn method_of(&self, type_index: u32) -> Option<SharingMethod> {
        usize::try_from(type_index).ok().and_then(|index| *self.methods.get(index)?)
    }

    /// The types whose allocations reach the guest in this way.
    pub(crate) fn types_by(&self, method: SharingMethod) -> TypeMask {
        shared_by(&self.methods, |other| other == method)
    }

    /// Whether allocations of any type reach the guest in this way.
    pub(crate) fn shares_by(&self, method: SharingMethod) -> bool {
        self.methods.contains(&Some(method))
    }

    /// The ways that are used, in the order in which they were tried, and the types of each.
    pub(crate) fn ways(&self) -> impl Iterator<Item = (SharingMethod, TypeMask)> {
        let tried = self.attempts.iter().map(|attempt| (attempt.method, self.types_by(attempt.method)));
        tried.filter(|(_, types)| !types.is_empty())
    }

    /// What was tried, in order, and how it went.
    pub(crate) fn attempts(&self) -> &[Attempt] {
        &self.attempts
    }

    pub(crate) fn shares_dma_buf(&self) -> bool {
        self.shares_by(SharingMethod::DmaBuf)
    }

    /// What the guest is told.
    pub(crate) fn guest_view(&self) -> &vk::PhysicalDeviceMemoryProperties {
        &self.guest_view
    }

    /// What the driver says.
    pub(crate) fn driver_view(&self) -> &vk::PhysicalDeviceMemoryProperties {
        &self.driver_view
    }

    /// What sizes of shared allocations are multiples of.
    pub(crate) fn granularity(&self) -> u64 {
        self.granularity
    }

    /// Rounds the size of a shared allocation up; `None` if it overflows.
    pub(crate) fn round_up(&self, size: u64) -> Option<u64> {
        size.checked_next_multiple_of(self.granularity)
    }

    /// Why no guest can use a device with this plan, if so.
    pub(crate) fn unusable_because(&self) -> Option<String> {
        if types(&self.guest_view).any(|(_, kind)| is_mappable(kind.property_flags)) {
            return None;
        }
        let reasons: Vec<String> = self
            .attempts
            .iter()
            .map(|attempt| match &attempt.outcome {
                Ok(types) => format!("{}: only types {types}, which are not coherent", attempt.method),
                Err(reason) => format!("{}: {reason}", attempt.method),
            })
            .collect();
        Some(format!("no memory can be shared with a guest ({})", reasons.join("; ")))
    }
}

/// The types whose method is one of those wanted.
fn shared_by(methods: &[Option<SharingMethod>], is_wanted: impl Fn(SharingMethod) -> bool) -> TypeMask {
    let mut found = TypeMask::default();
    let wanted = (0..).zip(methods).filter(|(_, method)| method.is_some_and(&is_wanted));
    wanted.for_each(|(index, _)| found.insert(index));
    found
}

/// The types of `memory` with the given index order.
pub(crate) fn types(memory: &vk::PhysicalDeviceMemoryProperties) -> impl Iterator<Item = (u32, vk::MemoryType)> {
    (0..).zip(memory.memory_types.iter().copied()).take(usize::try_from(memory.memory_type_count).unwrap_or_default())
}

/// Whether a guest can map memory of this type without flushing: the only kind of mapping that Venus has.
pub(crate) fn is_mappable(flags: vk::MemoryPropertyFlags) -> bool {
    flags.contains(vk::MemoryPropertyFlags::HOST_VISIBLE | vk::MemoryPropertyFlags::HOST_COHERENT)
}

/// Takes from each type that is not shareable whatever a host could see of it, and clears what lies behind the counts:
/// nobody has written there, so it may be anything of ours.
fn guest_view(
    mut memory: vk::PhysicalDeviceMemoryProperties,
    shareable: TypeMask,
) -> vk::PhysicalDeviceMemoryProperties {
    let host = vk::MemoryPropertyFlags::HOST_VISIBLE
        | vk::MemoryPropertyFlags::HOST_COHERENT
        | vk::MemoryPropertyFlags::HOST_CACHED;
    for (index, kind) in (0..).zip(memory.memory_types.iter_mut()) {
        if !shareable.contains(index) {
            kind.property_flags &= !host;
        }
    }
    clear_after(&mut memory.memory_types, memory.memory_type_count);
    clear_after(&mut memory.memory_heaps, memory.memory_heap_count);
    memory
}

/// Resets all but the first `count` items.
fn clear_after<T: Default>(items: &mut [T], count: u32) {
    let count = usize::try_from(count).unwrap_or(usize::MAX);
    items.iter_mut().skip(count).for_each(|item| *item = T::default());
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The types of an NVIDIA H200: 4 is visible through the bar, but cannot be imported.
    fn h200() -> vk::PhysicalDeviceMemoryProperties {
        let mut memory = vk::PhysicalDeviceMemoryProperties { memory_type_count: 5, ..Default::default() };
        for (kind, flags) in memory.memory_types.iter_mut().zip([0, 0x1, 0x6, 0xe, 0x7]) {
            kind.property_flags = vk::MemoryPropertyFlags::from_raw(flags);
        }
        memory
    }

    #[test]
    fn types_that_cannot_be_shared_are_not_host_visible() {
        let attempts = vec![
            Attempt { method: SharingMethod::DmaBuf, outcome: Err("no".to_owned()) },
            Attempt { method: SharingMethod::Import, outcome: Ok(TypeMask(0b01100)) },
        ];
        let plan = MemoryPlan::new(h200(), 1, attempts);
        assert_eq!(flags(&plan), [0, 0x1, 0x6, 0xe, 0x1]);
        assert_eq!(plan.method_of(3), Some(SharingMethod::Import));
        assert_eq!([1, 4, 31, 32, u32::MAX].map(|index| plan.method_of(index)), [None; 5]);
        assert_eq!(plan.unusable_because(), None);
        assert!(!plan.shares_dma_buf());
    }

    /// What a guest is told of each type.
    fn flags(plan: &MemoryPlan) -> Vec<u32> {
        types(plan.guest_view()).map(|(_, kind)| kind.property_flags.as_raw()).collect()
    }

    #[test]
    fn each_type_is_shared_by_the_first_method_that_can() {
        let attempts = vec![
            Attempt { method: SharingMethod::DmaBuf, outcome: Err("no".to_owned()) },
            Attempt { method: SharingMethod::Import, outcome: Ok(TypeMask(0b01100)) },
            // Says more than it is asked.
            Attempt { method: SharingMethod::Pointer, outcome: Ok(TypeMask(0b11100)) },
            Attempt { method: SharingMethod::Opaque, outcome: Ok(TypeMask(0b10000)) },
        ];
        let plan = MemoryPlan::new(h200(), 1, attempts);
        assert_eq!(flags(&plan), [0, 0x1, 0x6, 0xe, 0x7], "nothing is taken away");
        let (import, pointer) = (SharingMethod::Import, SharingMethod::Pointer);
        assert_eq!([2, 3, 4].map(|index| plan.method_of(index)), [Some(import), Some(import), Some(pointer)]);
        let ways: Vec<_> = plan.ways().map(|(method, types)| format!("{method}, types {types}")).collect();
        assert_eq!(ways, ["imported memory, types 2, 3", "shared pointers, types 4"]);
        assert!(plan.shares_by(import) && !plan.shares_by(SharingMethod::Opaque));
    }

    #[test]
    fn a_device_without_coherent_memory_to_share_is_unusable() {
        let mut memory = h200();
        for kind in &mut memory.memory_types {
            kind.property_flags &= !vk::MemoryPropertyFlags::HOST_COHERENT;
        }
        let attempts = vec![Attempt { method: SharingMethod::Import, outcome: Ok(TypeMask(0b100)) }];
        let reason = MemoryPlan::new(memory, 1, attempts).unusable_because().unwrap();
        assert!(reason.contains("imported memory: only types 2, which are not coherent"), "{reason}");
    }

    #[test]
    fn nothing_of_ours_lies_behind_the_counts() {
        let mut memory = h200();
        memory.memory_types[7].property_flags = vk::MemoryPropertyFlags::HOST_VISIBLE;
        memory.memory_heaps[3].size = 0x7f00_1234_5678;
        let seen = guest_view(memory, TypeMask(u32::MAX));
        assert!(seen.memory_types.iter().skip(5).all(|kind| kind.property_flags.is_empty() && kind.heap_index == 0));
        assert!(seen.memory_heaps.iter().all(|heap| heap.size == 0));
    }

    #[test]
    fn without_a_method_the_device_is_unusable() {
        let attempts = vec![Attempt { method: SharingMethod::Import, outcome: Err("not today".to_owned()) }];
        let reason = MemoryPlan::new(h200(), 1, attempts).unusable_because().unwrap();
        assert!(reason.contains("imported memory: not today"), "{reason}");
    }

    #[test]
    fn sizes_round_up_to_the_larger_granule() {
        let plan = MemoryPlan::new(h200(), 16 << 10, Vec::new());
        assert_eq!(plan.round_up(1), Some((16 << 10).max(host_page_size())));
        assert_eq!(plan.round_up(u64::MAX), None);
    }
}
