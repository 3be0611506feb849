//! What is known to differ between a driver and what a guest sees of it through us, each with its reason.
//!
//! This is the only part of the page that people write. A row that is too wide hides a regression: name the one property,
//! and the one direction, and say what in the guest's driver or in ours makes it so.

use serde_json::Value;
use std::fmt;

/// One difference.
#[derive(Debug, Clone)]
pub(super) struct Change {
    /// Section, structure and member, for example `properties/VkPhysicalDeviceProperties/apiVersion`.
    pub(super) path: String,
    /// What the driver says natively.
    pub(super) native: Option<Value>,
    /// What the guest is told.
    pub(super) ours: Option<Value>,
}

impl Change {
    /// The side that has it, where the other lacks it.
    fn side(&self) -> Option<Side> {
        match (&self.native, &self.ours) {
            (Some(_), None) => Some(Side::Native),
            (None, Some(_)) => Some(Side::Ours),
            _ => None,
        }
    }
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        /// Longer values say no more.
        const LONGEST: usize = 120;
        let show = |value: &Option<Value>| match value {
            None => "absent".to_owned(),
            Some(Value::Object(_)) => "present".to_owned(),
            Some(value) => value.to_string().chars().take(LONGEST).collect(),
        };
        write!(f, "{}: {} natively, {} through us", self.path, show(&self.native), show(&self.ours))
    }
}

/// In which direction a row lets something differ.
#[derive(Debug, Clone, Copy)]
enum How {
    /// In any.
    Other,
    /// The guest sees less: nothing, a smaller number, `false`, or fewer flags.
    Less,
    /// The guest sees fewer flags, and only such as have this in their names.
    LessFlags(&'static str),
    /// The guest sees what the driver does not have.
    More,
    /// The driver's name in that of the guest's driver.
    Wrapped,
}

/// One known difference.
struct Row {
    /// The change's path; `*` stands for anything.
    path: &'static str,
    how: How,
    reason: &'static str,
}

const fn row(path: &'static str, how: How, reason: &'static str) -> Row {
    Row { path, how, reason }
}

const IDENTITY: &str = "The guest's driver names itself: who it is, its version and its caches are its own.";
const VERSION: &str =
    "Mesa's guest driver is of the version of Vulkan that it was written for, whatever the host offers.";
const OWN_EXTENSION: &str = "Mesa's guest driver implements the extension itself, on any host.";
const OWN_WINDOWS: &str = "Mesa's window system code in the guest implements the extension for the guest's driver.";

const VIDEO: &str = "Belongs to the extensions for video, which Venus does not carry.";
const NVIDIA_STATE: &str = "The state belongs to an extension of NVIDIA's, which Venus does not carry.";
const OLD_GUEST: &str = "Mesa's guest driver before 26 does not pass it on; it does not through virglrenderer either, and a newer one does \
                         from the same host.";
const SPARSE: &str = "Mesa's lavapipe does not bind imported memory sparsely, as the host finds out by trying, and memory is shared with guests by \
                      import.";
const PROMOTED: &str =
    "This guest driver's Vulkan is older than 1.4, where vulkaninfo lists what 1.4 made core by structures of its own.";

/// Every known difference that a row can name.
#[rustfmt::skip] // a table, one row a line where it fits
const ROWS: &[Row] = &[
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
    row("features/VkPhysicalDeviceRobustness2FeaturesEXT", How::More,
        "The structure has its KHR name where the driver also has VK_KHR_robustness2, which Venus does not carry."),
    row("properties/VkPhysicalDeviceRobustness2PropertiesEXT", How::More,
        "The structure has its KHR name where the driver also has VK_KHR_robustness2, which Venus does not carry."),
    row("formats/*/VkSubpassResolvePerformanceQueryEXT", How::Less,
        "Belongs to VK_EXT_multisampled_render_to_single_sampled, which Venus does not carry."),
    row("queueFamiliesProperties/*/VkQueueFamilyOwnershipTransferPropertiesKHR", How::Less,
        "Belongs to VK_KHR_maintenance9, which Venus does not carry."),
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

const PROFILE: &str = "The profile hides it, as the driver it stands for has no such thing.";

/// What the profile takes from features and limits, where the host pretends its driver to be MoltenVK.
#[rustfmt::skip] // a table, one row a line
const PROFILE_ROWS: &[Row] = &[
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
    row("properties/VkPhysicalDeviceProperties/limits/maxGeometry*", How::Less, PROFILE),
    row("properties/VkPhysicalDeviceProperties/limits/maxCullDistances", How::Less, PROFILE),
    row("properties/VkPhysicalDeviceProperties/limits/maxCombinedClipAndCullDistances", How::Less, PROFILE),
    row("properties/VkPhysicalDeviceProperties/limits/storageImageSampleCounts", How::LessFlags("VK_SAMPLE_COUNT_"), PROFILE),
    row("properties/VkPhysicalDeviceProperties/limits/lineWidth*", How::Other, PROFILE),
    row("properties/VkPhysicalDeviceProperties/limits/pointSizeRange", How::Other, PROFILE),
    row("properties/VkPhysicalDeviceVulkan11Properties/subgroupSupportedStages", How::LessFlags("_GEOMETRY_"), PROFILE),
];

/// First Mesa whose guest driver is not held to [`OLD_ROWS`].
const NEW_MESA: u32 = 26;

/// Known differences of older guest drivers.
#[rustfmt::skip] // a table, one row a line
const OLD_ROWS: &[Row] = &[
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
const OLD_LACKS: &[&str] = &[
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

/// Explains changes, with the table and with what the host says of itself.
#[derive(Debug)]
pub(super) struct Explainer<'a> {
    doctor: &'a Value,
    profile: bool,
    old: bool,
    /// Extensions that one side lacks with a reason: what their structures' names begin with, and the reason.
    known: Vec<(Side, String, String)>,
}

/// The side that has something which the other lacks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Side {
    Native,
    Ours,
}

impl<'a> Explainer<'a> {
    /// `doctor` is what `venus doctor --json` printed on the driver; `profile` says whether it had to pretend.
    pub(super) fn new(doctor: &'a Value, profile: bool) -> Self {
        Self { doctor, profile, old: false, known: Vec::new() }
    }

    /// With the version of the guest's Mesa, `25.0.7`: older ones pass on less.
    pub(super) fn for_mesa(self, version: &str) -> Self {
        let major = version.split('.').next().and_then(|part| part.parse::<u32>().ok());
        Self { old: major.is_some_and(|major| major < NEW_MESA), ..self }
    }

    /// Notes which extensions differ and why, before their structures are asked for.
    pub(super) fn learn(&mut self, changes: &[Change]) {
        for change in changes {
            let Some(name) = change.path.strip_prefix("extensions/") else { continue };
            if let (Some(side), Some(reason)) = (change.side(), self.explain(change)) {
                self.known.push((side, stem_of_extension(name), format!("{reason} Its structures go with it.")));
            }
        }
    }

    /// Why the change is as it should be; `None` for what nobody knows.
    pub(super) fn explain(&self, change: &Change) -> Option<String> {
        let old: &[Row] = if self.old { OLD_ROWS } else { &[] };
        let profile: &[Row] = if self.profile { PROFILE_ROWS } else { &[] };
        if let Some(row) = ROWS.iter().chain(old).chain(profile).find(|row| row.covers(change)) {
            return Some(row.reason.to_owned());
        }
        let (section, name) = change.path.split_once('/')?;
        match section {
            "extensions" if change.ours.is_none() => self.missing_extension(name),
            "features" | "properties" => self.structure(change, name),
            _ => None,
        }
    }

    /// A structure is there if its extension is.
    fn structure(&self, change: &Change, name: &str) -> Option<String> {
        let (side, stem) = (change.side()?, stem_of_structure(name));
        let known = self.known.iter().find(|(has, extension, _)| *has == side && stem.starts_with(extension.as_str()));
        known.map(|(.., reason)| reason.clone())
    }

    /// Why a guest is not offered an extension that the driver has: in the words of the host, where it decided so.
    fn missing_extension(&self, name: &str) -> Option<String> {
        let lists = self.doctor.pointer("/gpus/0/extensions")?;
        if let Some(reason) = lists.get("withheld").and_then(|list| list.get(name)).and_then(Value::as_str) {
            return Some(format!("The host withholds the extension: {reason}."));
        }
        let in_list = |list: &str| {
            let names = lists.get(list).and_then(Value::as_array).into_iter().flatten();
            names.filter_map(Value::as_str).any(|listed| listed == name)
        };
        if in_list("offered") || lists.get("emulated").is_some_and(|list| list.get(name).is_some()) {
            return (self.old && OLD_LACKS.contains(&name)).then(|| OLD_GUEST.to_owned());
        }
        if in_list("absent") {
            return self.profile.then(|| PROFILE.to_owned());
        }
        Some("The Venus protocol does not carry the extension.".to_owned())
    }
}

/// `VK_EXT_mesh_shader` as its structures are called: `meshshader`.
fn stem_of_extension(name: &str) -> String {
    let without_vendor = name.splitn(3, '_').nth(2).unwrap_or(name).replace('_', "");
    without_vendor.strip_prefix("physicaldevice").map_or(without_vendor.clone(), str::to_owned)
}

/// `VkPhysicalDeviceMeshShaderFeaturesEXT` without what every structure has: `meshshaderfeaturesext`.
fn stem_of_structure(name: &str) -> String {
    name.strip_prefix("VkPhysicalDevice").unwrap_or(name).to_lowercase()
}

impl Row {
    fn covers(&self, change: &Change) -> bool {
        matches(self.path, &change.path) && self.how.fits(change.native.as_ref(), change.ours.as_ref())
    }
}

impl How {
    fn fits(self, native: Option<&Value>, ours: Option<&Value>) -> bool {
        match self {
            Self::Other => true,
            Self::Less => less(native, ours),
            Self::LessFlags(word) => {
                let flags = |value: Option<&Value>| value.and_then(Value::as_array).cloned().unwrap_or_default();
                let (native, ours) = (flags(native), flags(ours));
                let named = |flag: &Value| flag.as_str().is_some_and(|flag| flag.contains(word));
                ours.iter().all(|flag| native.contains(flag))
                    && native.iter().all(|flag| ours.contains(flag) || named(flag))
            }
            Self::More => less(ours, native),
            Self::Wrapped => {
                let text = |value: Option<&Value>| value.and_then(Value::as_str).map(str::to_owned).unwrap_or_default();
                text(ours) == format!("Virtio-GPU Venus ({})", text(native))
            }
        }
    }
}

/// Whether `ours` is less than `native`.
fn less(native: Option<&Value>, ours: Option<&Value>) -> bool {
    match (native, ours) {
        (Some(_), None) => true,
        (Some(Value::Bool(native)), Some(Value::Bool(ours))) => *native && !ours,
        (Some(Value::Number(native)), Some(Value::Number(ours))) => ours.as_f64() < native.as_f64(),
        (Some(Value::Array(native)), Some(Value::Array(ours))) => ours.iter().all(|item| native.contains(item)),
        _ => false,
    }
}

/// Whether a path follows a pattern, in which `*` stands for any text and `?` for any one character.
fn matches(pattern: &str, path: &str) -> bool {
    let mut rest = pattern.chars();
    match rest.next() {
        None => path.is_empty(),
        Some('*') => (0..=path.len()).filter_map(|at| path.get(at..)).any(|tail| matches(rest.as_str(), tail)),
        Some(wanted) => {
            let mut letters = path.chars();
            letters.next().is_some_and(|letter| wanted == '?' || wanted == letter)
                && matches(rest.as_str(), letters.as_str())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn change(path: &str, native: Option<Value>, ours: Option<Value>) -> Change {
        Change { path: path.to_owned(), native, ours }
    }

    #[test]
    fn the_host_is_asked_why_an_extension_is_missing() {
        let doctor = json!({ "gpus": [{ "extensions": {
            "offered": ["VK_EXT_offered"],
            "withheld": { "VK_EXT_withheld": "it is a secret" },
            "emulated": {},
            "absent": ["VK_EXT_hidden"],
        } }] });
        let missing = |name: &str, profile: bool| {
            let change = change(&format!("extensions/{name}"), Some(json!(1)), None);
            Explainer::new(&doctor, profile).explain(&change)
        };
        assert_eq!(missing("VK_EXT_offered", false), None);
        assert!(missing("VK_EXT_withheld", false).unwrap().contains("it is a secret"));
        assert!(missing("VK_EXT_unknown", false).unwrap().contains("does not carry"));
        assert_eq!(missing("VK_EXT_hidden", false), None);
        assert!(missing("VK_EXT_hidden", true).unwrap().contains("profile"));
    }

    #[test]
    fn what_a_profile_takes_is_no_regression_and_without_it_is_one() {
        let doctor = json!({});
        let geometry =
            change("features/VkPhysicalDeviceFeatures/geometryShader", Some(json!(true)), Some(json!(false)));
        let samples = change(
            "properties/VkPhysicalDeviceProperties/limits/storageImageSampleCounts",
            Some(json!(["VK_SAMPLE_COUNT_1_BIT", "VK_SAMPLE_COUNT_4_BIT"])),
            Some(json!(["VK_SAMPLE_COUNT_1_BIT"])),
        );
        for taken in [geometry, samples] {
            assert_eq!(Explainer::new(&doctor, true).explain(&taken).as_deref(), Some(PROFILE));
            assert_eq!(Explainer::new(&doctor, false).explain(&taken), None);
        }
    }

    #[test]
    fn structures_follow_their_extension_and_nothing_else() {
        let doctor = json!({ "gpus": [{ "extensions": { "offered": [], "absent": [] } }] });
        let mut explainer = Explainer::new(&doctor, false);
        let structure = change("features/VkPhysicalDeviceMeshShaderFeaturesEXT", Some(json!({})), None);
        assert_eq!(explainer.explain(&structure), None);
        explainer.learn(&[change("extensions/VK_EXT_mesh_shader", Some(json!(1)), None)]);
        assert!(explainer.explain(&structure).is_some());
        let added = change("features/VkPhysicalDeviceMeshShaderFeaturesEXT", None, Some(json!({})));
        assert_eq!(explainer.explain(&added), None);
    }

    #[test]
    fn an_older_guest_is_excused_and_a_newer_one_is_not() {
        let doctor = json!({ "gpus": [{ "extensions": { "offered": ["VK_KHR_ray_query"], "absent": [] } }] });
        let missing = change("extensions/VK_KHR_ray_query", Some(json!(1)), None);
        assert!(Explainer::new(&doctor, false).for_mesa("25.0.7").explain(&missing).is_some());
        assert!(Explainer::new(&doctor, false).for_mesa("26.2.6").explain(&missing).is_none());
    }

    #[test]
    fn rows_have_a_direction() {
        let path = "properties/VkPhysicalDeviceProperties/apiVersion";
        let doctor = json!({});
        let explainer = Explainer::new(&doctor, false);
        assert!(explainer.explain(&change(path, Some(json!(9)), Some(json!(8)))).is_some());
        assert!(explainer.explain(&change(path, Some(json!(8)), Some(json!(9)))).is_none());
        let name = "properties/VkPhysicalDeviceProperties/deviceName";
        let named = |ours: &str| explainer.explain(&change(name, Some(json!("X")), Some(json!(ours))));
        assert!(named("Virtio-GPU Venus (X)").is_some());
        assert!(named("Virtio-GPU Venus (Y)").is_none());
    }

    #[test]
    fn only_the_named_flags_may_be_missing() {
        let doctor = json!({});
        let explainer = Explainer::new(&doctor, false);
        let flags =
            |ours: Value| change("formats/F/P/optimalTilingFeatures", Some(json!(["A", "B_VIDEO_BIT"])), Some(ours));
        assert!(explainer.explain(&flags(json!(["A"]))).is_some());
        assert!(explainer.explain(&flags(json!(["B_VIDEO_BIT"]))).is_none());
        assert!(explainer.explain(&flags(json!(["C"]))).is_none());
    }

    #[test]
    fn patterns_match_whole_paths() {
        assert!(matches("a/*/c?", "a/b/b/c1"));
        assert!(!matches("a/*/c?", "a/b/c"));
        assert!(!matches("a", "ab"));
    }
}
