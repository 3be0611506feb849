//! Looking into `pNext` chains.
//!
//! The decoder builds every chain from nodes that it knows and that may stand there. A guest may repeat one, against
//! the rules: the first counts. Handlers read single nodes; where the host leaves a node out, it builds a new chain
//! from copies of the others, since the decoded one is borrowed.

use std::{ffi::c_void, ptr::NonNull};

use venus_protocol::vk;

/// A structure that begins a chain. Implemented where a handler looks for children.
pub(crate) trait Root {
    fn p_next(&self) -> *const c_void;
}

macro_rules! roots {
    ($($name:ident),* $(,)?) => {$(
        impl Root for vk::$name<'_> {
            fn p_next(&self) -> *const c_void {
                self.p_next.cast()
            }
        }
    )*};
}

roots! {
    BindSparseInfo, BufferCreateInfo, ComputePipelineCreateInfo, DescriptorSetAllocateInfo,
    DescriptorSetLayoutCreateInfo, DeviceQueueInfo2, ExternalBufferProperties, GraphicsPipelineCreateInfo,
    ImageCreateInfo, ImageFormatProperties2, MemoryAllocateInfo, MemoryResourcePropertiesMESA,
    PhysicalDeviceExternalSemaphoreInfo, PhysicalDeviceImageFormatInfo2, PipelineShaderStageCreateInfo,
    RayTracingPipelineCreateInfoKHR, RenderPassCreateInfo, RingCreateInfoMESA, SemaphoreCreateInfo, SubmitInfo,
    WriteDescriptorSet,
}

/// A structure that can stand in a chain.
///
/// # Safety
///
/// The structure is `repr(C)`, begins with `sType` and `pNext`, and a node with `TYPE` as its `sType` is one.
pub(crate) unsafe trait Child {
    /// Its `sType`.
    const TYPE: vk::StructureType;
}

macro_rules! children {
    ($($name:ident = $s_type:expr;)*) => {$(
        // SAFETY: Vulkan's structures have this form, and each value of `sType` belongs to one of them (registry, <type
        // name=…>).
        unsafe impl Child for vk::$name<'_> {
            const TYPE: vk::StructureType = $s_type;
        }
    )*};
}

children! {
    BufferOpaqueCaptureAddressCreateInfo = vk::StructureType::BUFFER_OPAQUE_CAPTURE_ADDRESS_CREATE_INFO;
    BufferUsageFlags2CreateInfoKHR = vk::StructureType::BUFFER_USAGE_FLAGS_2_CREATE_INFO_KHR;
    DescriptorSetLayoutBindingFlagsCreateInfo = vk::StructureType::DESCRIPTOR_SET_LAYOUT_BINDING_FLAGS_CREATE_INFO;
    DescriptorSetVariableDescriptorCountAllocateInfo =
        vk::StructureType::DESCRIPTOR_SET_VARIABLE_DESCRIPTOR_COUNT_ALLOCATE_INFO;
    DeviceGroupSubmitInfo = vk::StructureType::DEVICE_GROUP_SUBMIT_INFO;
    ExportMemoryAllocateInfo = vk::StructureType::EXPORT_MEMORY_ALLOCATE_INFO;
    ExportSemaphoreCreateInfo = vk::StructureType::EXPORT_SEMAPHORE_CREATE_INFO;
    ExternalImageFormatProperties = vk::StructureType::EXTERNAL_IMAGE_FORMAT_PROPERTIES;
    ExternalMemoryBufferCreateInfo = vk::StructureType::EXTERNAL_MEMORY_BUFFER_CREATE_INFO;
    ExternalMemoryImageCreateInfo = vk::StructureType::EXTERNAL_MEMORY_IMAGE_CREATE_INFO;
    ImageDrmFormatModifierExplicitCreateInfoEXT = vk::StructureType::IMAGE_DRM_FORMAT_MODIFIER_EXPLICIT_CREATE_INFO_EXT;
    ImageDrmFormatModifierListCreateInfoEXT = vk::StructureType::IMAGE_DRM_FORMAT_MODIFIER_LIST_CREATE_INFO_EXT;
    ImageFormatListCreateInfo = vk::StructureType::IMAGE_FORMAT_LIST_CREATE_INFO;
    ImageStencilUsageCreateInfo = vk::StructureType::IMAGE_STENCIL_USAGE_CREATE_INFO;
    MemoryAllocateFlagsInfo = vk::StructureType::MEMORY_ALLOCATE_FLAGS_INFO;
    MemoryDedicatedAllocateInfo = vk::StructureType::MEMORY_DEDICATED_ALLOCATE_INFO;
    MemoryOpaqueCaptureAddressAllocateInfo = vk::StructureType::MEMORY_OPAQUE_CAPTURE_ADDRESS_ALLOCATE_INFO;
    PhysicalDeviceExternalImageFormatInfo = vk::StructureType::PHYSICAL_DEVICE_EXTERNAL_IMAGE_FORMAT_INFO;
    PipelineCreationFeedbackCreateInfo = vk::StructureType::PIPELINE_CREATION_FEEDBACK_CREATE_INFO;
    RenderPassMultiviewCreateInfo = vk::StructureType::RENDER_PASS_MULTIVIEW_CREATE_INFO;
    SemaphoreTypeCreateInfo = vk::StructureType::SEMAPHORE_TYPE_CREATE_INFO;
    ShaderModuleCreateInfo = vk::StructureType::SHADER_MODULE_CREATE_INFO;
    TimelineSemaphoreSubmitInfo = vk::StructureType::TIMELINE_SEMAPHORE_SUBMIT_INFO;
    WriteDescriptorSetAccelerationStructureKHR =
        vk::StructureType::WRITE_DESCRIPTOR_SET_ACCELERATION_STRUCTURE_KHR;
    WriteDescriptorSetInlineUniformBlock = vk::StructureType::WRITE_DESCRIPTOR_SET_INLINE_UNIFORM_BLOCK;
    // Venus's own: 1000384000 and up.
    ImportMemoryResourceInfoMESA = private(2);
    MemoryResourceAllocationSizePropertiesMESA = private(3);
    DeviceQueueTimelineInfoMESA = private(5);
    RingMonitorInfoMESA = private(6);
    RingPriorityInfoMESA = private(7);
}

const fn private(n: i32) -> vk::StructureType {
    vk::StructureType::from_raw(1_000_384_000_i32.saturating_add(n))
}

/// What every node begins with.
type Base = vk::BaseInStructure<'static>;

/// The nodes of type `T` in the chain of a decoded structure, as the chain points to them.
pub(super) fn nodes<T: Child>(root: &impl Root) -> impl Iterator<Item = NonNull<T>> {
    let mut next = root.p_next().cast::<Base>();
    std::iter::from_fn(move || {
        while !next.is_null() {
            let node = next;
            // SAFETY: the chain was built by the decoder (this room's contract, see `driver/mod.rs`): each node is a
            // live structure that begins with its type and the pointer to the next node, and outlives the root that the
            // iterator borrows.
            let base = unsafe { node.read() };
            next = base.p_next.cast();
            if base.s_type == T::TYPE {
                return NonNull::new(node.cast_mut().cast());
            }
        }
        None
    })
}

/// The nodes of type `T` in the chain of a decoded structure. There may be several against the rules, and which of them
/// a driver looks at is its own business.
pub(super) fn find_all<'a, T: Child + 'a>(root: &'a impl Root) -> impl Iterator<Item = &'a T> {
    // SAFETY: the structure type says that this node is a `T`, by the contracts of `Child` and of the decoder; it
    // outlives the root that we borrow.
    nodes(root).map(|node| unsafe { node.as_ref() })
}

/// The node of type `T` in the chain of a decoded structure.
pub(crate) fn find<'a, T: Child + 'a>(root: &'a impl Root) -> Option<&'a T> {
    find_all(root).next()
}

/// The node of type `T` in the chain of an output structure, to be filled by the host instead of the driver.
pub(crate) fn find_mut<T: Child>(root: &mut impl Root) -> Option<&mut T> {
    // SAFETY: as in `find`; nobody else refers to the chain of a structure that is borrowed mutably, and the chain of an
    // output structure was built from mutable nodes for the driver to write to.
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
        assert!(vk::ImportMemoryResourceInfoMESA::TYPE == vk::ImportMemoryResourceInfoMESA::default().s_type);
        assert!(
            vk::MemoryResourceAllocationSizePropertiesMESA::TYPE
                == vk::MemoryResourceAllocationSizePropertiesMESA::default().s_type
        );
        assert!(vk::DeviceQueueTimelineInfoMESA::TYPE == vk::DeviceQueueTimelineInfoMESA::default().s_type);
        assert!(vk::RingMonitorInfoMESA::TYPE == vk::RingMonitorInfoMESA::default().s_type);
        assert!(vk::RingPriorityInfoMESA::TYPE == vk::RingPriorityInfoMESA::default().s_type);
    }
}
