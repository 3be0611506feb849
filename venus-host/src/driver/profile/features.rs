//! Features and limits that MoltenVK lacks, as guests see them.
//!
//! What Metal has no counterpart for, and MoltenVK does not emulate: geometry shaders, logic operations, wide lines,
//! statistics of pipelines, sparse resources, numbers of 64 bits with a point, distances to cull by. Half of robustness2 is
//! missing, too. States of extensions that are not there cannot be dynamic.

use ash::vk;
use venus_protocol::vk as venus;

use super::{
    super::{Failure, chain},
    Profile,
};
use crate::error::APPLICATION;

/// Largest point.
const MAX_POINT_SIZE: f32 = 511.0;

/// Why a device with such a feature cannot be had.
const REASON: &str = "is not a feature of the driver that the profile stands for";

/// The features of the first version of Vulkan that MoltenVK lacks, with their names.
fn lacking(features: &mut vk::PhysicalDeviceFeatures) -> [(&mut vk::Bool32, &'static str); 18] {
    [
        (&mut features.geometry_shader, "geometryShader"),
        (&mut features.logic_op, "logicOp"),
        (&mut features.depth_bounds, "depthBounds"),
        (&mut features.wide_lines, "wideLines"),
        (&mut features.pipeline_statistics_query, "pipelineStatisticsQuery"),
        (&mut features.shader_storage_image_multisample, "shaderStorageImageMultisample"),
        (&mut features.shader_cull_distance, "shaderCullDistance"),
        (&mut features.shader_float64, "shaderFloat64"),
        (&mut features.shader_resource_residency, "shaderResourceResidency"),
        (&mut features.sparse_binding, "sparseBinding"),
        (&mut features.sparse_residency_buffer, "sparseResidencyBuffer"),
        (&mut features.sparse_residency_image2_d, "sparseResidencyImage2D"),
        (&mut features.sparse_residency_image3_d, "sparseResidencyImage3D"),
        (&mut features.sparse_residency2_samples, "sparseResidency2Samples"),
        (&mut features.sparse_residency4_samples, "sparseResidency4Samples"),
        (&mut features.sparse_residency8_samples, "sparseResidency8Samples"),
        (&mut features.sparse_residency16_samples, "sparseResidency16Samples"),
        (&mut features.sparse_residency_aliased, "sparseResidencyAliased"),
    ]
}

/// What becomes of a table of structures that may be chained, each with the members that MoltenVK lacks.
macro_rules! lacking_in_chains {
    ($($path:ident::$structure:ident { $($member:ident: $name:literal),* $(,)? })*) => {
        /// Takes them from a chain that the driver has filled.
        fn hide_chained(root: &mut vk::PhysicalDeviceFeatures2<'_>) {
            $(if let Some(node) = chain::find_mut::<$path::$structure<'_>>(root) {
                $(node.$member = vk::FALSE;)*
            })*
        }

        /// The first of them that a device is asked for with: where, and its name.
        fn chained(info: &vk::DeviceCreateInfo<'_>) -> Option<(&'static str, &'static str)> {
            $(for node in chain::find_all::<$path::$structure<'_>>(info) {
                $(if node.$member != vk::FALSE {
                    return Some((concat!("pCreateInfo->pNext<Vk", stringify!($structure), ">"), $name));
                })*
            })*
            None
        }
    };
}

lacking_in_chains! {
    vk::PhysicalDeviceVulkan11Features {
        multiview_geometry_shader: "multiviewGeometryShader",
        protected_memory: "protectedMemory",
    }
    vk::PhysicalDeviceMultiviewFeatures { multiview_geometry_shader: "multiviewGeometryShader" }
    vk::PhysicalDeviceProtectedMemoryFeatures { protected_memory: "protectedMemory" }
    venus::PhysicalDeviceVulkan14Features {
        stippled_rectangular_lines: "stippledRectangularLines",
        stippled_bresenham_lines: "stippledBresenhamLines",
        stippled_smooth_lines: "stippledSmoothLines",
    }
    vk::PhysicalDeviceLineRasterizationFeaturesKHR {
        stippled_rectangular_lines: "stippledRectangularLines",
        stippled_bresenham_lines: "stippledBresenhamLines",
        stippled_smooth_lines: "stippledSmoothLines",
    }
    vk::PhysicalDeviceRobustness2FeaturesEXT {
        robust_buffer_access2: "robustBufferAccess2",
        null_descriptor: "nullDescriptor",
    }
    vk::PhysicalDeviceShaderAtomicFloatFeaturesEXT {
        shader_buffer_float64_atomics: "shaderBufferFloat64Atomics",
        shader_buffer_float64_atomic_add: "shaderBufferFloat64AtomicAdd",
        shader_shared_float64_atomics: "shaderSharedFloat64Atomics",
        shader_shared_float64_atomic_add: "shaderSharedFloat64AtomicAdd",
        sparse_image_float32_atomics: "sparseImageFloat32Atomics",
        sparse_image_float32_atomic_add: "sparseImageFloat32AtomicAdd",
    }
    vk::PhysicalDeviceExtendedDynamicState2FeaturesEXT {
        extended_dynamic_state2_logic_op: "extendedDynamicState2LogicOp",
    }
    vk::PhysicalDeviceExtendedDynamicState3FeaturesEXT {
        extended_dynamic_state3_logic_op_enable: "extendedDynamicState3LogicOpEnable",
        extended_dynamic_state3_rasterization_stream: "extendedDynamicState3RasterizationStream",
        extended_dynamic_state3_conservative_rasterization_mode: "extendedDynamicState3ConservativeRasterizationMode",
        extended_dynamic_state3_extra_primitive_overestimation_size:
            "extendedDynamicState3ExtraPrimitiveOverestimationSize",
        extended_dynamic_state3_depth_clip_enable: "extendedDynamicState3DepthClipEnable",
        extended_dynamic_state3_color_blend_advanced: "extendedDynamicState3ColorBlendAdvanced",
        extended_dynamic_state3_provoking_vertex_mode: "extendedDynamicState3ProvokingVertexMode",
        extended_dynamic_state3_line_stipple_enable: "extendedDynamicState3LineStippleEnable",
    }
}

impl Profile {
    /// Takes from a driver's features those that the profile hides.
    pub(crate) fn restrict_features(self, features: &mut vk::PhysicalDeviceFeatures) {
        if self == Self::MoltenVk {
            for (feature, _) in lacking(features) {
                *feature = vk::FALSE;
            }
        }
    }

    /// The same, for those in the chain.
    pub(crate) fn restrict_chained_features(self, features: &mut vk::PhysicalDeviceFeatures2<'_>) {
        if self == Self::MoltenVk {
            hide_chained(features);
        }
    }

    /// Refuses a device with features that the profile hides. `wanted` are the places that hold `VkPhysicalDeviceFeatures`.
    pub(crate) fn check_features(
        self,
        info: &vk::DeviceCreateInfo<'_>,
        wanted: &[(&'static str, &vk::PhysicalDeviceFeatures)],
    ) -> Result<(), Failure> {
        if self != Self::MoltenVk {
            return Ok(());
        }
        let plain = wanted.iter().find_map(|&(member, features)| {
            let mut features = *features;
            let found = lacking(&mut features).into_iter().find(|(feature, _)| **feature != vk::FALSE);
            found.map(|(_, name)| (member, name))
        });
        match plain.or_else(|| chained(info)) {
            Some((member, name)) => {
                let reason = format!("{name} {REASON}");
                Err(Failure::refused(vk::Result::ERROR_FEATURE_NOT_PRESENT, member, reason, APPLICATION))
            }
            None => Ok(()),
        }
    }

    /// Takes from a driver's properties what goes with such features.
    pub(crate) fn restrict_properties(self, properties: &mut vk::PhysicalDeviceProperties) {
        if self != Self::MoltenVk {
            return;
        }
        let limits = &mut properties.limits;
        limits.max_geometry_shader_invocations = 0;
        limits.max_geometry_input_components = 0;
        limits.max_geometry_output_components = 0;
        limits.max_geometry_output_vertices = 0;
        limits.max_geometry_total_output_components = 0;
        limits.max_cull_distances = 0;
        limits.max_combined_clip_and_cull_distances = limits.max_clip_distances;
        limits.storage_image_sample_counts = vk::SampleCountFlags::TYPE_1;
        limits.sparse_address_space_size = 0;
        limits.line_width_range = [1.0; 2];
        limits.line_width_granularity = 0.0;
        let [_, largest] = &mut limits.point_size_range;
        *largest = largest.min(MAX_POINT_SIZE);
        properties.sparse_properties = vk::PhysicalDeviceSparseProperties::default();
    }

    /// The same, for those in the chain: there are no geometry shaders for subgroups to run in.
    pub(crate) fn restrict_chained_properties(self, properties: &mut vk::PhysicalDeviceProperties2<'_>) {
        if self != Self::MoltenVk {
            return;
        }
        let geometry = vk::ShaderStageFlags::GEOMETRY;
        if let Some(node) = chain::find_mut::<vk::PhysicalDeviceSubgroupProperties<'_>>(properties) {
            node.supported_stages &= !geometry;
        }
        if let Some(node) = chain::find_mut::<vk::PhysicalDeviceVulkan11Properties<'_>>(properties) {
            node.subgroup_supported_stages &= !geometry;
        }
    }
}
