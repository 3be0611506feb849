//! Looking into `pNext` chains.
//!
//! The decoder builds every chain from nodes that it knows and that may stand there. A guest may repeat one, against
//! the rules: the first counts. Handlers read single nodes; where the host leaves a node out, it builds a new chain
//! from copies of the others, since the decoded one is borrowed.

use std::ptr::NonNull;

use venus_protocol::vk::{self, TaggedStructure};

/// What every node begins with.
type Base = vk::BaseInStructure<'static>;

/// The nodes of type `T` in the chain of a decoded structure, as the chain points to them.
pub(super) fn nodes<T: TaggedStructure>(root: &impl TaggedStructure) -> impl Iterator<Item = NonNull<T>> {
    // SAFETY: the root begins with its type and the pointer to the first node, by the contract of `TaggedStructure`.
    let root = unsafe { std::ptr::from_ref(root).cast::<Base>().read() };
    let mut next = root.p_next;
    std::iter::from_fn(move || {
        while !next.is_null() {
            let node = next;
            // SAFETY: the chain was built by the decoder (this room's contract, see `driver/mod.rs`): each node is a
            // live structure that begins with its type and the pointer to the next node, and outlives the root that the
            // iterator borrows.
            let base = unsafe { node.read() };
            next = base.p_next;
            if base.s_type == T::STRUCTURE_TYPE {
                return NonNull::new(node.cast_mut().cast());
            }
        }
        None
    })
}

/// The nodes of type `T` in the chain of a decoded structure. There may be several against the rules, and which of them
/// a driver looks at is its own business.
pub(super) fn find_all<'a, T: TaggedStructure + 'a>(root: &'a impl TaggedStructure) -> impl Iterator<Item = &'a T> {
    // SAFETY: the structure type says that this node is a `T`, by the contracts of `TaggedStructure` and of the decoder;
    // it outlives the root that we borrow.
    nodes(root).map(|node| unsafe { node.as_ref() })
}

/// The node of type `T` in the chain of a decoded structure.
pub(crate) fn find<'a, T: TaggedStructure + 'a>(root: &'a impl TaggedStructure) -> Option<&'a T> {
    find_all(root).next()
}

/// The node of type `T` in the chain of an output structure, to be filled by the host instead of the driver.
pub(crate) fn find_mut<T: TaggedStructure>(root: &mut impl TaggedStructure) -> Option<&mut T> {
    // SAFETY: as in `find_all`; nobody else refers to the chain of a structure that is borrowed mutably, and the chain of
    // an output structure was built from mutable nodes for the driver to write to.
    nodes(root).next().map(|mut node| unsafe { node.as_mut() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nodes_are_found_by_type() {
        let mut flags = vk::MemoryAllocateFlagsInfo::default().device_mask(3);
        let mut export = vk::ExportMemoryAllocateInfo::default();
        let info = vk::MemoryAllocateInfo::default().push_next(&mut flags).push_next(&mut export);
        assert_eq!(find::<vk::MemoryAllocateFlagsInfo<'_>>(&info).map(|node| node.device_mask), Some(3));
        assert!(find::<vk::MemoryDedicatedAllocateInfo<'_>>(&info).is_none());
        assert_eq!(find_all::<vk::ExportMemoryAllocateInfo<'_>>(&info).count(), 1);
    }

    #[test]
    fn output_nodes_can_be_filled() {
        let mut external = vk::ExternalImageFormatProperties::default();
        let mut root = vk::ImageFormatProperties2::default().push_next(&mut external);
        if let Some(node) = find_mut::<vk::ExternalImageFormatProperties<'_>>(&mut root) {
            node.external_memory_properties.compatible_handle_types = vk::ExternalMemoryHandleTypeFlags::OPAQUE_FD;
        }
        let types = external.external_memory_properties.compatible_handle_types;
        assert!(types == vk::ExternalMemoryHandleTypeFlags::OPAQUE_FD);
    }

    #[test]
    fn private_types_agree_with_the_protocol() {
        assert!(vk::ImportMemoryResourceInfoMESA::STRUCTURE_TYPE == vk::ImportMemoryResourceInfoMESA::default().s_type);
        assert!(
            vk::MemoryResourceAllocationSizePropertiesMESA::STRUCTURE_TYPE
                == vk::MemoryResourceAllocationSizePropertiesMESA::default().s_type
        );
        assert!(vk::DeviceQueueTimelineInfoMESA::STRUCTURE_TYPE == vk::DeviceQueueTimelineInfoMESA::default().s_type);
        assert!(vk::RingMonitorInfoMESA::STRUCTURE_TYPE == vk::RingMonitorInfoMESA::default().s_type);
        assert!(vk::RingPriorityInfoMESA::STRUCTURE_TYPE == vk::RingPriorityInfoMESA::default().s_type);
    }
}
