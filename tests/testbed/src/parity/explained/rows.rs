//! The known differences, each with its reason: data.

use super::{How, Row, row};

const IDENTITY: &str = "The guest's driver names itself: who it is, its version and its caches are its own.";
const VERSION: &str =
    "Mesa's guest driver is of the version of Vulkan that it was written for, whatever the host offers.";
const OWN_EXTENSION: &str = "Mesa's guest driver implements the extension itself, on any host.";
const OWN_WINDOWS: &str = "Mesa's window system code in the guest implements the extension for the guest's driver.";

const VIDEO: &str = "Belongs to the extensions for video, which Venus does not carry.";
const NVIDIA_STATE: &str = "The state belongs to an extension of NVIDIA's, which Venus does not carry.";
pub(super) const OLD_GUEST: &str = "Mesa's guest driver before 26 does not pass it on; it does not through virglrenderer either, and a newer one does \
                         from the same host.";
const SPARSE: &str = "Mesa's lavapipe does not bind imported memory sparsely, as the host finds out by trying, and memory is shared with guests by \
                      import.";
const PROMOTED: &str =
    "This guest driver's Vulkan is older than 1.4, where vulkaninfo lists what 1.4 made core by structures of its own.";

/// Every known difference that a row can name.
#[rustfmt::skip] // a table, one row a line where it fits
pub(super) const ROWS: &[Row] = &[
    row("properties/VkPhysicalDeviceProperties/deviceName", How::Wrapped, IDENTITY),
    row("properties/VkPhysicalDeviceProperties/driverVersion", How::Other, IDENTITY),
    row("properties/VkPhysicalDeviceProperties/pipelineCacheUUID", How::Other, IDENTITY),
    row("properties/VkPhysicalDeviceProperties/apiVersion", How::Less, VERSION),
    row("properties/VkPhysicalDeviceVulkan1?Properties/deviceUUID", How::Other, IDENTITY),
    row("properties/VkPhysicalDeviceVulkan1?Properties/driverUUID", How::Other, IDENTITY),
    row("properties/VkPhysicalDeviceVulkan1?Properties/driverID", How::Other, IDENTITY),
    row("properties/VkPhysicalDeviceVulkan1?Properties/driverName", How::Other, IDENTITY),
    row("properties/VkPhysicalDeviceVulkan1?Properties/driverInfo", How::Other, IDENTITY),
    row("properties/VkPhysicalDeviceVulkan1?Properties/conformanceVersion/*", How::Other, IDENTITY),
    row("properties/VkPhysicalDeviceLayeredApiPropertiesListKHR/*", How::Other,
        "The guest's driver is layered on another implementation of Vulkan, and says so."),
    row("extensions/VK_EXT_device_memory_report", How::More, OWN_EXTENSION),
    row("extensions/VK_EXT_map_memory_placed", How::More, OWN_EXTENSION),
    row("extensions/VK_EXT_physical_device_drm", How::More, OWN_EXTENSION),
    row("extensions/VK_EXT_tooling_info", How::More, OWN_EXTENSION),
    row("extensions/VK_KHR_map_memory2", How::More, OWN_EXTENSION),
    row("extensions/VK_EXT_hdr_metadata", How::More, OWN_WINDOWS),
    row("extensions/VK_EXT_swapchain_maintenance1", How::More, OWN_WINDOWS),
    row("extensions/VK_KHR_swapchain_maintenance1", How::More, OWN_WINDOWS),
    row("extensions/VK_KHR_present_id", How::More, OWN_WINDOWS),
    row("extensions/VK_KHR_present_id2", How::More, OWN_WINDOWS),
    row("extensions/VK_KHR_present_wait", How::More, OWN_WINDOWS),
    row("extensions/VK_KHR_present_wait2", How::More, OWN_WINDOWS),
    row("features/VkPhysicalDeviceFeatures/sparse*", How::Less, SPARSE),
    row("features/VkPhysicalDeviceShader*AtomicFloatFeaturesEXT/sparseImage*", How::Less, SPARSE),
    row("features/VkPhysicalDeviceShader*AtomicInt64FeaturesEXT/sparseImage*", How::Less, SPARSE),
    row("properties/VkPhysicalDeviceProperties/limits/sparseAddressSpaceSize", How::Less, SPARSE),
    row("properties/VkPhysicalDeviceProperties/sparseProperties/*", How::Less, SPARSE),
    row("queueFamiliesProperties/*/VkQueueFamilyProperties/queueFlags", How::LessFlags("_SPARSE_BINDING_"), SPARSE),
    row("queueFamiliesProperties/*/VkQueueFamilyProperties/timestampValidBits", How::Less,
        "On queues with neither graphics nor compute: Mesa's guest driver copies timestamps to see that they are there, which \
         such queues cannot do."),
    row("properties/VkPhysicalDeviceProperties/limits/maxMemoryAllocationCount", How::Less,
        "An allocation that a guest can map is a descriptor of the host's, of which there are fewer."),
    row("features/VkPhysicalDeviceSwapchainMaintenance1FeaturesEXT", How::Less,
        "The structure has its KHR name where the guest also has VK_KHR_swapchain_maintenance1."),
    row("extensions/VK_KHR_external_fence_fd", How::Less,
        "Mesa's guest driver offers it where it can make SYNC_FD files of its own, which takes a render node."),
    row("extensions/VK_KHR_external_semaphore_fd", How::Less,
        "Mesa's guest driver offers it where it can make SYNC_FD files of its own, which takes a render node."),
    row("extensions/VK_KHR_external_memory_fd", How::Less,
        "Mesa's guest driver offers it where guests can pass dma-bufs, which the vtest transport cannot."),
    row("formats/*Features", How::LessFlags("_VIDEO_"), VIDEO),
    row("queueFamiliesProperties/*/VkQueueFamilyQueryResultStatusPropertiesKHR", How::Less, VIDEO),
    row("queueFamiliesProperties/*/VkQueueFamilyVideoPropertiesKHR", How::Less, VIDEO),
    row("extensions/VK_EXT_pci_bus_info", How::Less,
        "Mesa's guest driver offers it for a device on the guest's own bus; behind a socket there is none."),
    row("properties/VkPhysicalDeviceVulkan11Properties/deviceNodeMask", How::Less,
        "The mask goes with a LUID, which Mesa's guest driver does not have: it names devices of the host's system."),
    row("features/VkPhysicalDeviceAddressBindingReportFeaturesEXT", How::Less,
        "Belongs to VK_EXT_device_address_binding_report, which Venus does not carry."),
    row("features/VkPhysicalDeviceFaultFeaturesEXT", How::Less,
        "Belongs to VK_EXT_device_fault, which Venus does not carry."),
    row("properties/VkPhysicalDeviceDiscardRectanglePropertiesEXT", How::Less,
        "Belongs to VK_EXT_discard_rectangles, which Venus does not carry."),
    row("features/VkPhysicalDeviceExtendedDynamicState3FeaturesEXT/extendedDynamicState3Coverage*", How::Less, NVIDIA_STATE),
    row("features/VkPhysicalDeviceExtendedDynamicState3FeaturesEXT/extendedDynamicState3RepresentativeFragmentTestEnable", How::Less, NVIDIA_STATE),
    row("features/VkPhysicalDeviceExtendedDynamicState3FeaturesEXT/extendedDynamicState3ShadingRateImageEnable", How::Less, NVIDIA_STATE),
    row("features/VkPhysicalDeviceExtendedDynamicState3FeaturesEXT/extendedDynamicState3Viewport*", How::Less, NVIDIA_STATE),
    row("extensions/VK_EXT_memory_budget", How::Less,
        "Mesa's guest driver does not list it over vtest, through virglrenderer neither."),
];

pub(super) const PROFILE: &str = "The profile hides it, as the driver it stands for has no such thing.";

/// What the profile takes from features and limits, where the host pretends its driver to be MoltenVK.
#[rustfmt::skip] // a table, one row a line
pub(super) const PROFILE_ROWS: &[Row] = &[
    row("features/VkPhysicalDeviceFeatures/geometryShader", How::Less, PROFILE),
    row("features/VkPhysicalDeviceFeatures/logicOp", How::Less, PROFILE),
    row("features/VkPhysicalDeviceFeatures/depthBounds", How::Less, PROFILE),
    row("features/VkPhysicalDeviceFeatures/wideLines", How::Less, PROFILE),
    row("features/VkPhysicalDeviceFeatures/pipelineStatisticsQuery", How::Less, PROFILE),
    row("features/VkPhysicalDeviceFeatures/shaderStorageImageMultisample", How::Less, PROFILE),
    row("features/VkPhysicalDeviceFeatures/shaderCullDistance", How::Less, PROFILE),
    row("features/VkPhysicalDeviceFeatures/shaderFloat64", How::Less, PROFILE),
    row("features/VkPhysicalDeviceFeatures/shaderResourceResidency", How::Less, PROFILE),
    row("features/*/multiviewGeometryShader", How::Less, PROFILE),
    row("features/*/protectedMemory", How::Less, PROFILE),
    row("features/*/stippled*Lines", How::Less, PROFILE),
    row("features/VkPhysicalDeviceRobustness2Features???/robustBufferAccess2", How::Less, PROFILE),
    row("features/VkPhysicalDeviceRobustness2Features???/nullDescriptor", How::Less, PROFILE),
    row("features/VkPhysicalDeviceShaderAtomicFloatFeaturesEXT/shader*Float64Atomic*", How::Less, PROFILE),
    row("features/VkPhysicalDeviceExtendedDynamicState2FeaturesEXT/extendedDynamicState2LogicOp", How::Less, PROFILE),
    row("features/VkPhysicalDeviceExtendedDynamicState3FeaturesEXT/extendedDynamicState3LogicOpEnable", How::Less, PROFILE),
    row("features/VkPhysicalDeviceExtendedDynamicState3FeaturesEXT/extendedDynamicState3RasterizationStream", How::Less, PROFILE),
    row("features/VkPhysicalDeviceExtendedDynamicState3FeaturesEXT/extendedDynamicState3ConservativeRasterizationMode", How::Less, PROFILE),
    row("features/VkPhysicalDeviceExtendedDynamicState3FeaturesEXT/extendedDynamicState3ExtraPrimitiveOverestimationSize", How::Less, PROFILE),
    row("features/VkPhysicalDeviceExtendedDynamicState3FeaturesEXT/extendedDynamicState3DepthClipEnable", How::Less, PROFILE),
    row("features/VkPhysicalDeviceExtendedDynamicState3FeaturesEXT/extendedDynamicState3ColorBlendAdvanced", How::Less, PROFILE),
    row("features/VkPhysicalDeviceExtendedDynamicState3FeaturesEXT/extendedDynamicState3ProvokingVertexMode", How::Less, PROFILE),
    row("features/VkPhysicalDeviceExtendedDynamicState3FeaturesEXT/extendedDynamicState3LineStippleEnable", How::Less, PROFILE),
    row("formats/*/VkSubpassResolvePerformanceQueryEXT", How::Less, PROFILE),
    row("properties/VkPhysicalDeviceProperties/limits/maxGeometry*", How::Less, PROFILE),
    row("properties/VkPhysicalDeviceProperties/limits/maxCullDistances", How::Less, PROFILE),
    row("properties/VkPhysicalDeviceProperties/limits/maxCombinedClipAndCullDistances", How::Less, PROFILE),
    row("properties/VkPhysicalDeviceProperties/limits/storageImageSampleCounts", How::LessFlags("VK_SAMPLE_COUNT_"), PROFILE),
    row("properties/VkPhysicalDeviceProperties/limits/lineWidth*", How::Other, PROFILE),
    row("properties/VkPhysicalDeviceProperties/limits/pointSizeRange", How::Other, PROFILE),
    row("properties/VkPhysicalDeviceVulkan11Properties/subgroupSupportedStages", How::LessFlags("_GEOMETRY_"), PROFILE),
];

pub(super) const OLD_LEVEL: &str =
    "The guest's Mesa speaks an older level of the protocol than the host, which does not have it.";

/// First version of Mesa, major and minor, whose guest driver is held to a level of the protocol. Between those that were tried
/// (25.0 and 26.2) there were steps towards the next level: what is missing there is to be looked at.
pub(super) const LEVELS: &[((u32, u32), u32)] = &[((0, 0), 433), ((26, 0), 448), ((26, 3), 453)];

/// Known differences of guest drivers that speak an older level than this.
#[rustfmt::skip] // a table, one row a line where it fits
pub(super) const LEVEL_ROWS: &[(u32, Row)] = &[
    (448, row("features/VkPhysicalDeviceRobustness2FeaturesEXT", How::More,
        "The structure has its KHR name where the driver also has VK_KHR_robustness2, which such guests do not know.")),
    (448, row("properties/VkPhysicalDeviceRobustness2PropertiesEXT", How::More,
        "The structure has its KHR name where the driver also has VK_KHR_robustness2, which such guests do not know.")),
    (448, row("formats/*/VkSubpassResolvePerformanceQueryEXT", How::Less, OLD_LEVEL)),
    (453, row("queueFamiliesProperties/*/VkQueueFamilyOwnershipTransferPropertiesKHR", How::Less, OLD_LEVEL)),
];

/// First Mesa whose guest driver is not held to [`OLD_ROWS`].
pub(super) const NEW_MESA: u32 = 26;

/// Known differences of older guest drivers.
#[rustfmt::skip] // a table, one row a line
pub(super) const OLD_ROWS: &[Row] = &[
    row("features/VkPhysicalDeviceFeatures/sparse*", How::Less, OLD_GUEST),
    row("properties/VkPhysicalDeviceProperties/limits/sparseAddressSpaceSize", How::Less, OLD_GUEST),
    row("properties/VkPhysicalDeviceProperties/sparseProperties/*", How::Less, OLD_GUEST),
    row("features/VkPhysicalDeviceExtendedDynamicState3FeaturesEXT/extendedDynamicState3ColorBlendAdvanced", How::Less, OLD_GUEST),
    row("features/VkPhysicalDeviceExtendedDynamicState3FeaturesEXT/extendedDynamicState3SampleLocationsEnable", How::Less, OLD_GUEST),
    row("properties/VkPhysicalDeviceLayeredApiPropertiesListKHR", How::Less, OLD_GUEST),
    row("features/VkPhysicalDeviceVulkan14Features", How::Less, PROMOTED),
    row("properties/VkPhysicalDeviceVulkan14Properties", How::Less, PROMOTED),
    row("features/VkPhysicalDeviceIndexTypeUint8FeaturesKHR", How::More, PROMOTED),
    row("features/VkPhysicalDeviceLineRasterizationFeaturesKHR", How::More, PROMOTED),
    row("properties/VkPhysicalDeviceLineRasterizationPropertiesKHR", How::More, PROMOTED),
    row("features/VkPhysicalDeviceMaintenance5FeaturesKHR", How::More, PROMOTED),
    row("properties/VkPhysicalDeviceMaintenance5PropertiesKHR", How::More, PROMOTED),
    row("properties/VkPhysicalDevicePushDescriptorPropertiesKHR", How::More, PROMOTED),
    row("features/VkPhysicalDeviceVertexAttributeDivisorFeaturesKHR", How::More, PROMOTED),
    row("properties/VkPhysicalDeviceVertexAttributeDivisorPropertiesKHR", How::More, PROMOTED),
    row("formats/VK_FORMAT_A1B5G5R5_UNORM_PACK16", How::Less, PROMOTED),
    row("formats/VK_FORMAT_A8_UNORM", How::Less, PROMOTED),
];

/// Extensions that older guest drivers do not pass on.
#[rustfmt::skip] // a list, by vendor
pub(super) const OLD_LACKS: &[&str] = &[
    "VK_ARM_rasterization_order_attachment_access",
    "VK_EXT_attachment_feedback_loop_dynamic_state", "VK_EXT_blend_operation_advanced", "VK_EXT_depth_bias_control",
    "VK_EXT_depth_range_unrestricted", "VK_EXT_global_priority", "VK_EXT_global_priority_query", "VK_EXT_host_image_copy",
    "VK_EXT_legacy_vertex_attributes", "VK_EXT_nested_command_buffer", "VK_EXT_pipeline_protected_access",
    "VK_EXT_pipeline_robustness", "VK_EXT_post_depth_coverage", "VK_EXT_sample_locations", "VK_EXT_shader_atomic_float",
    "VK_EXT_shader_atomic_float2", "VK_EXT_shader_image_atomic_int64", "VK_EXT_shader_replicated_composites",
    "VK_EXT_shader_subgroup_vote", "VK_EXT_ycbcr_image_arrays",
    "VK_GOOGLE_decorate_string", "VK_GOOGLE_hlsl_functionality1", "VK_GOOGLE_user_type",
    "VK_KHR_acceleration_structure", "VK_KHR_compute_shader_derivatives", "VK_KHR_dynamic_rendering_local_read",
    "VK_KHR_global_priority", "VK_KHR_index_type_uint8", "VK_KHR_line_rasterization", "VK_KHR_load_store_op_none",
    "VK_KHR_maintenance6", "VK_KHR_maintenance7", "VK_KHR_ray_query", "VK_KHR_ray_tracing_maintenance1",
    "VK_KHR_ray_tracing_pipeline", "VK_KHR_ray_tracing_position_fetch", "VK_KHR_shader_expect_assume",
    "VK_KHR_shader_float_controls2", "VK_KHR_shader_maximal_reconvergence", "VK_KHR_shader_quad_control",
    "VK_KHR_shader_subgroup_rotate", "VK_KHR_vertex_attribute_divisor", "VK_KHR_workgroup_memory_explicit_layout",
];
