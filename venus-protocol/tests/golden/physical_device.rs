//! `vkGetPhysicalDeviceProperties2`, `vkGetPhysicalDeviceMemoryProperties`, `vkEnumeratePhysicalDevices`.

use venus_protocol::args::*;
use venus_protocol::encode::encode_physical_device_limits;
use venus_protocol::vk;
use venus_protocol::wire::{Arena, Command as _, CommandType, Handle, NewHandles};

use crate::bytes::{encoded, pointee, reply, request, wire};

const PROPERTIES_REQUEST: &str = "
    94000000           | command 148, vkGetPhysicalDeviceProperties2
    01000000           | flags: reply wanted
    02000000 00000000  | physicalDevice: id 2
    01000000 00000000  | pProperties is there, in partial form: its type and chain, no members
    79b09b3b           | sType: VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_PROPERTIES_2
    01000000 00000000  | pNext: a node follows
    405a9d3b           | VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_MAINTENANCE_3_PROPERTIES
    00000000 00000000  | end of the chain
";

const PROPERTIES_REPLY: &str = "
    94000000                             | command 148
    01000000 00000000                    | pProperties is there, in full
    79b09b3b                             | sType: VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_PROPERTIES_2
    01000000 00000000                    | pNext: a node follows
    405a9d3b                             | VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_MAINTENANCE_3_PROPERTIES
    00000000 00000000                    | end of the chain
    00040000                             | the node: maxPerSetDescriptors: 1024
    00000080 00000000                    | maxMemoryAllocationSize: 2 GiB
    33414000                             | properties.apiVersion: 1.4.307
    01000000                             | driverVersion
    de100000                             | vendorID: 0x10de
    01000000                             | deviceID
    02000000                             | deviceType: VK_PHYSICAL_DEVICE_TYPE_DISCRETE_GPU
    00010000 00000000                    | deviceName: always 256 bytes
    67707500                             | \"gpu\", NUL
    00000000 x63                         | the rest of the 256
    10000000 00000000                    | pipelineCacheUUID: 16 bytes
    00000000 00000000 00000000 00000000  | all 0
    00000000                             | limits.maxImageDimension1D
    00000000                             | limits.maxImageDimension2D
    00000000                             | limits.maxImageDimension3D
    00000000                             | limits.maxImageDimensionCube
    00000000                             | limits.maxImageArrayLayers
    00000000                             | limits.maxTexelBufferElements
    00000000                             | limits.maxUniformBufferRange
    00000000                             | limits.maxStorageBufferRange
    00000000                             | limits.maxPushConstantsSize
    00000000                             | limits.maxMemoryAllocationCount
    00000000                             | limits.maxSamplerAllocationCount
    00000000 00000000                    | limits.bufferImageGranularity
    00000000 00000000                    | limits.sparseAddressSpaceSize
    00000000                             | limits.maxBoundDescriptorSets
    00000000                             | limits.maxPerStageDescriptorSamplers
    00000000                             | limits.maxPerStageDescriptorUniformBuffers
    00000000                             | limits.maxPerStageDescriptorStorageBuffers
    00000000                             | limits.maxPerStageDescriptorSampledImages
    00000000                             | limits.maxPerStageDescriptorStorageImages
    00000000                             | limits.maxPerStageDescriptorInputAttachments
    00000000                             | limits.maxPerStageResources
    00000000                             | limits.maxDescriptorSetSamplers
    00000000                             | limits.maxDescriptorSetUniformBuffers
    00000000                             | limits.maxDescriptorSetUniformBuffersDynamic
    00000000                             | limits.maxDescriptorSetStorageBuffers
    00000000                             | limits.maxDescriptorSetStorageBuffersDynamic
    00000000                             | limits.maxDescriptorSetSampledImages
    00000000                             | limits.maxDescriptorSetStorageImages
    00000000                             | limits.maxDescriptorSetInputAttachments
    00000000                             | limits.maxVertexInputAttributes
    00000000                             | limits.maxVertexInputBindings
    00000000                             | limits.maxVertexInputAttributeOffset
    00000000                             | limits.maxVertexInputBindingStride
    00000000                             | limits.maxVertexOutputComponents
    00000000                             | limits.maxTessellationGenerationLevel
    00000000                             | limits.maxTessellationPatchSize
    00000000                             | limits.maxTessellationControlPerVertexInputComponents
    00000000                             | limits.maxTessellationControlPerVertexOutputComponents
    00000000                             | limits.maxTessellationControlPerPatchOutputComponents
    00000000                             | limits.maxTessellationControlTotalOutputComponents
    00000000                             | limits.maxTessellationEvaluationInputComponents
    00000000                             | limits.maxTessellationEvaluationOutputComponents
    00000000                             | limits.maxGeometryShaderInvocations
    00000000                             | limits.maxGeometryInputComponents
    00000000                             | limits.maxGeometryOutputComponents
    00000000                             | limits.maxGeometryOutputVertices
    00000000                             | limits.maxGeometryTotalOutputComponents
    00000000                             | limits.maxFragmentInputComponents
    00000000                             | limits.maxFragmentOutputAttachments
    00000000                             | limits.maxFragmentDualSrcAttachments
    00000000                             | limits.maxFragmentCombinedOutputResources
    00000000                             | limits.maxComputeSharedMemorySize
    03000000 00000000                    | limits.maxComputeWorkGroupCount: 3 elements
    00000000 00000000 00000000           | all 0
    00000000                             | limits.maxComputeWorkGroupInvocations
    03000000 00000000                    | limits.maxComputeWorkGroupSize: 3 elements
    00000000 00000000 00000000           | all 0
    00000000                             | limits.subPixelPrecisionBits
    00000000                             | limits.subTexelPrecisionBits
    00000000                             | limits.mipmapPrecisionBits
    00000000                             | limits.maxDrawIndexedIndexValue
    00000000                             | limits.maxDrawIndirectCount
    00000000                             | limits.maxSamplerLodBias
    00000000                             | limits.maxSamplerAnisotropy
    00000000                             | limits.maxViewports
    02000000 00000000                    | limits.maxViewportDimensions: 2 elements
    00000000 00000000                    | all 0
    02000000 00000000                    | limits.viewportBoundsRange: 2 elements
    00000000 00000000                    | all 0
    00000000                             | limits.viewportSubPixelBits
    00000000 00000000                    | limits.minMemoryMapAlignment
    00000000 00000000                    | limits.minTexelBufferOffsetAlignment
    00000000 00000000                    | limits.minUniformBufferOffsetAlignment
    00000000 00000000                    | limits.minStorageBufferOffsetAlignment
    00000000                             | limits.minTexelOffset
    00000000                             | limits.maxTexelOffset
    00000000                             | limits.minTexelGatherOffset
    00000000                             | limits.maxTexelGatherOffset
    00000000                             | limits.minInterpolationOffset
    00000000                             | limits.maxInterpolationOffset
    00000000                             | limits.subPixelInterpolationOffsetBits
    00000000                             | limits.maxFramebufferWidth
    00000000                             | limits.maxFramebufferHeight
    00000000                             | limits.maxFramebufferLayers
    00000000                             | limits.framebufferColorSampleCounts
    00000000                             | limits.framebufferDepthSampleCounts
    00000000                             | limits.framebufferStencilSampleCounts
    00000000                             | limits.framebufferNoAttachmentsSampleCounts
    00000000                             | limits.maxColorAttachments
    00000000                             | limits.sampledImageColorSampleCounts
    00000000                             | limits.sampledImageIntegerSampleCounts
    00000000                             | limits.sampledImageDepthSampleCounts
    00000000                             | limits.sampledImageStencilSampleCounts
    00000000                             | limits.storageImageSampleCounts
    00000000                             | limits.maxSampleMaskWords
    00000000                             | limits.timestampComputeAndGraphics
    00000000                             | limits.timestampPeriod
    00000000                             | limits.maxClipDistances
    00000000                             | limits.maxCullDistances
    00000000                             | limits.maxCombinedClipAndCullDistances
    00000000                             | limits.discreteQueuePriorities
    02000000 00000000                    | limits.pointSizeRange: 2 elements
    00000000 00000000                    | all 0
    02000000 00000000                    | limits.lineWidthRange: 2 elements
    00000000 00000000                    | all 0
    00000000                             | limits.pointSizeGranularity
    00000000                             | limits.lineWidthGranularity
    00000000                             | limits.strictLines
    00000000                             | limits.standardSampleLocations
    00000000 00000000                    | limits.optimalBufferCopyOffsetAlignment
    00000000 00000000                    | limits.optimalBufferCopyRowPitchAlignment
    00000000 00000000                    | limits.nonCoherentAtomSize
    00000000                             | sparseProperties.residencyStandard2DBlockShape
    00000000                             | sparseProperties.residencyStandard2DMultisampleBlockShape
    00000000                             | sparseProperties.residencyStandard3DBlockShape
    00000000                             | sparseProperties.residencyAlignedMipSize
    00000000                             | sparseProperties.residencyNonResidentStrict
";

#[test]
fn get_physical_device_properties2() {
    let (bytes, arena) = (wire(PROPERTIES_REQUEST), Arena::default());
    assert_eq!(bytes.len(), 48);
    let mut decoder = request(&bytes, &arena, CommandType::GET_PHYSICAL_DEVICE_PROPERTIES2, 1);
    let args = GetPhysicalDeviceProperties2Args::decode(&mut decoder).unwrap();
    assert_eq!(decoder.remaining(), 0);
    assert_eq!(args.physical_device, Handle::identity(2));
    assert_eq!(args.p_properties.s_type, vk::StructureType::PHYSICAL_DEVICE_PROPERTIES_2);
    let node: &vk::PhysicalDeviceMaintenance3Properties<'_> = pointee(args.p_properties.p_next.cast_const().cast());
    assert_eq!(node.s_type, vk::StructureType::PHYSICAL_DEVICE_MAINTENANCE_3_PROPERTIES);
    assert!(node.p_next.is_null());
    assert_eq!(args.p_properties.properties.api_version, 0, "room for the properties, zeroed");

    let mut node = vk::PhysicalDeviceMaintenance3Properties::default();
    let mut properties = vk::PhysicalDeviceProperties2 { p_next: (&raw mut node).cast(), ..Default::default() };
    let args = GetPhysicalDeviceProperties2Args { physical_device: Handle::identity(2), p_properties: &mut properties };
    assert_eq!(encoded(|e| args.encode(e, 1)), bytes);
}

#[test]
fn get_physical_device_properties2_reply() {
    let (bytes, arena) = (wire(PROPERTIES_REPLY), Arena::default());
    assert_eq!(bytes.len(), 916);
    let mut decoder = reply(&bytes, &arena);
    let decoded = GetPhysicalDeviceProperties2Args::decode_reply(&mut decoder).unwrap().p_properties.unwrap();
    assert_eq!(decoder.remaining(), 0);
    assert_eq!(decoded.s_type, vk::StructureType::PHYSICAL_DEVICE_PROPERTIES_2);
    let node: &vk::PhysicalDeviceMaintenance3Properties<'_> = pointee(decoded.p_next.cast_const().cast());
    assert_eq!(node.s_type, vk::StructureType::PHYSICAL_DEVICE_MAINTENANCE_3_PROPERTIES);
    assert!(node.p_next.is_null());
    assert_eq!((node.max_per_set_descriptors, node.max_memory_allocation_size), (1024, 2 << 30));
    let properties = &decoded.properties;
    assert_eq!(properties.api_version, vk::make_api_version(0, 1, 4, 307));
    assert_eq!((properties.driver_version, properties.vendor_id, properties.device_id), (1, 0x10de, 1));
    assert_eq!(properties.device_type, vk::PhysicalDeviceType::DISCRETE_GPU);
    assert_eq!(properties.device_name_as_c_str(), Ok(c"gpu"));
    assert_eq!(properties.pipeline_cache_uuid, [0; 16]);
    let zeros = vk::PhysicalDeviceLimits::default();
    let limits = encoded(|e| encode_physical_device_limits(e, &properties.limits));
    assert_eq!(limits, encoded(|e| encode_physical_device_limits(e, &zeros)), "all limits are 0");
    let sparse = &properties.sparse_properties;
    let sparse = [
        sparse.residency_standard2_d_block_shape,
        sparse.residency_standard2_d_multisample_block_shape,
        sparse.residency_standard3_d_block_shape,
        sparse.residency_aligned_mip_size,
        sparse.residency_non_resident_strict,
    ];
    assert_eq!(sparse, [vk::FALSE; 5]);

    let mut node = vk::PhysicalDeviceMaintenance3Properties::default()
        .max_per_set_descriptors(1024)
        .max_memory_allocation_size(2 << 30);
    let mut properties = vk::PhysicalDeviceProperties2::default().properties(
        vk::PhysicalDeviceProperties::default()
            .api_version(vk::make_api_version(0, 1, 4, 307))
            .driver_version(1)
            .vendor_id(0x10de)
            .device_id(1)
            .device_type(vk::PhysicalDeviceType::DISCRETE_GPU)
            .device_name(c"gpu")
            .unwrap(),
    );
    properties.p_next = (&raw mut node).cast();
    let args = GetPhysicalDeviceProperties2Args { physical_device: Handle::identity(2), p_properties: &mut properties };
    assert_eq!(encoded(|e| GetPhysicalDeviceProperties2Args::encode_reply(e, &args.reply(()))), bytes);
}

const MEMORY_PROPERTIES: &str = "
    08000000           | command 8, vkGetPhysicalDeviceMemoryProperties
    01000000           | flags: reply wanted
    02000000 00000000  | physicalDevice: id 2
    01000000 00000000  | pMemoryProperties is there, in partial form
    20000000 00000000  | memoryTypes: 32 structures, of which nothing travels
    10000000 00000000  | memoryHeaps: 16 likewise
";

#[test]
fn get_physical_device_memory_properties() {
    let (bytes, arena) = (wire(MEMORY_PROPERTIES), Arena::default());
    assert_eq!(bytes.len(), 40);
    let mut decoder = request(&bytes, &arena, CommandType::GET_PHYSICAL_DEVICE_MEMORY_PROPERTIES, 1);
    let args = GetPhysicalDeviceMemoryPropertiesArgs::decode(&mut decoder).unwrap();
    assert_eq!(decoder.remaining(), 0);
    assert_eq!(args.physical_device, Handle::identity(2));
    assert_eq!(args.p_memory_properties.memory_type_count, 0, "room for the properties, zeroed");
    assert_eq!(args.p_memory_properties.memory_heap_count, 0);

    let mut properties = vk::PhysicalDeviceMemoryProperties::default();
    let args = GetPhysicalDeviceMemoryPropertiesArgs {
        physical_device: Handle::identity(2),
        p_memory_properties: &mut properties,
    };
    assert_eq!(encoded(|e| args.encode(e, 1)), bytes);
}

const ENUMERATE_REQUEST: &str = "
    02000000           | command 2, vkEnumeratePhysicalDevices
    01000000           | flags: reply wanted
    01000000 00000000  | instance: id 1
    01000000 00000000  | pPhysicalDeviceCount is there
    02000000           | its value, the capacity: 2
    02000000 00000000  | pPhysicalDevices: 2 handles
    02000000 00000000  | the id for the first: 2
    05000000 00000000  | the id for the second: 5
";

const ENUMERATE_REPLY: &str = "
    02000000           | command 2
    00000000           | VK_SUCCESS
    01000000 00000000  | pPhysicalDeviceCount is there
    01000000           | its value, what was found: 1
    01000000 00000000  | pPhysicalDevices: 1 handle
    02000000 00000000  | the guest's id: 2
";

#[test]
fn enumerate_physical_devices() {
    let (bytes, arena) = (wire(ENUMERATE_REQUEST), Arena::default());
    assert_eq!(bytes.len(), 52);
    let mut decoder = request(&bytes, &arena, CommandType::ENUMERATE_PHYSICAL_DEVICES, 1);
    let args = EnumeratePhysicalDevicesArgs::decode(&mut decoder).unwrap();
    assert_eq!(decoder.remaining(), 0);
    assert_eq!(args.instance, Handle::identity(1));
    assert_eq!(*args.p_physical_device_count, 2);
    assert_eq!(args.p_physical_devices.ids, [2, 5]);
    assert_eq!(args.p_physical_devices.raws, [vk::PhysicalDevice::null(); 2]);

    let args = EnumeratePhysicalDevicesArgs {
        instance: Handle::identity(1),
        p_physical_device_count: &mut 2,
        p_physical_devices: NewHandles { ids: &mut [2, 5], raws: &mut [vk::PhysicalDevice::null(); 2] },
    };
    assert_eq!(encoded(|e| args.encode(e, 1)), bytes);
}

#[test]
fn enumerate_physical_devices_reply() {
    let (bytes, arena) = (wire(ENUMERATE_REPLY), Arena::default());
    let mut decoder = reply(&bytes, &arena);
    let decoded = EnumeratePhysicalDevicesArgs::decode_reply(&mut decoder).unwrap();
    assert_eq!(decoder.remaining(), 0);
    assert_eq!(decoded.returned, vk::Result::SUCCESS);
    assert_eq!(decoded.p_physical_device_count, Some(&1));
    assert_eq!(decoded.p_physical_devices, [2]);

    // Two were asked for and one was there: the reply is as long as the count says.
    let args = EnumeratePhysicalDevicesArgs {
        instance: Handle::identity(1),
        p_physical_device_count: &mut 1,
        p_physical_devices: NewHandles { ids: &mut [2, 5], raws: &mut [vk::PhysicalDevice::null(); 2] },
    };
    let by_hand = args.reply(vk::Result::SUCCESS);
    assert_eq!(encoded(|e| EnumeratePhysicalDevicesArgs::encode_reply(e, &by_hand)), bytes);
}
