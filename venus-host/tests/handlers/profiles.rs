//! What guests are told where the host pretends to be on a Mac, of a driver that has everything.

use mock_driver::{Mock, Offers};
use venus_host::driver::{Config, Profile};
use venus_protocol::{
    args::*,
    reflect,
    vk::{self, QueueFlags},
    wire::CommandType,
};

use crate::{
    drivers::offered,
    world::{self, World, look, row},
};

fn moltenvk(mock: &Mock) -> Config {
    world::config(mock).profile(Profile::MoltenVk)
}

#[test]
fn moltenvk_offers_what_is_in_its_library() {
    let mock = Mock::take();
    let names = offered(&mut World::with(&mock, moltenvk(&mock)));
    let offers = |name: &str| names.iter().any(|known| known == name);
    for name in ["VK_EXT_depth_clip_control", "VK_KHR_synchronization2", "VK_EXT_extended_dynamic_state3"] {
        assert!(offers(name), "{name}");
    }
    for name in ["VK_KHR_external_memory_fd", "VK_KHR_external_fence_fd", "VK_KHR_external_semaphore_fd"] {
        assert!(offers(name), "{name} is emulated");
    }
    for name in [
        "VK_KHR_ray_tracing_pipeline",
        "VK_KHR_acceleration_structure",
        "VK_KHR_pipeline_library",
        "VK_EXT_vertex_input_dynamic_state",
        "VK_EXT_depth_clip_enable",
        "VK_EXT_transform_feedback",
        "VK_EXT_external_memory_dma_buf",
    ] {
        assert!(!offers(name), "{name}");
    }
    // Of the protocol's 200, 114 are in that library: 5 of them are the instance's, 3 are withheld everywhere, and 3
    // others are emulated.
    assert_eq!(names.len(), 114 - 5 - 3 + 3);
    mock.assert_clean();
}

/// Whether a guest is told of features that MoltenVK lacks, of one that it has, and of sparse formats and queues.
#[derive(Debug, PartialEq, Eq)]
struct Told {
    /// `geometryShader`, `logicOp` and `sparseBinding`, by both queries.
    features: [bool; 6],
    /// `nullDescriptor`, in a chain.
    null_descriptor: bool,
    /// Numbers that geometry shaders and sparse binding have.
    limits: [bool; 4],
    /// Sparse binding in a family of queues, and more than one queue.
    family: [bool; 2],
    /// Whether formats for sparse images reach the driver.
    formats: bool,
    /// What comes of a device with all features of `VkPhysicalDeviceFeatures`, and of one with all of robustness2.
    devices: [vk::Result; 2],
}

const ROBUSTNESS: &str = "VkPhysicalDeviceRobustness2FeaturesKHR";

impl Told {
    fn to(world: &mut World<'_>) -> Self {
        let command = "vkGetPhysicalDeviceQueueFamilyProperties";
        world.set_length(command, "pQueueFamilyPropertyCount", 1);
        world.set_length("VkDeviceQueueCreateInfo", "queueCount", 1);
        let three = |told: &vk::PhysicalDeviceFeatures| {
            assert!(told.tessellation_shader == vk::TRUE && told.shader_int64 == vk::TRUE);
            [told.geometry_shader, told.logic_op, told.sparse_binding].map(|feature| feature == vk::TRUE)
        };
        let two = |told: &vk::PhysicalDeviceProperties| {
            [told.limits.max_geometry_shader_invocations != 0, told.limits.sparse_address_space_size != 0]
        };
        let robustness = reflect::structure(ROBUSTNESS).expect("it travels");
        let chain = Some(("VkPhysicalDeviceFeatures2", robustness));
        let (second, null_descriptor) = look!(world, chain, GetPhysicalDeviceFeatures2Args, |told| {
            let told = told.p_features.expect("features");
            let next = told.p_next.cast::<vk::PhysicalDeviceRobustness2FeaturesEXT<'_>>();
            // SAFETY: the structure that the request asked for.
            let node = unsafe { next.as_ref() }.expect("the structure that was asked for");
            assert!(node.robust_image_access2 == vk::TRUE);
            (three(&told.features), node.null_descriptor == vk::TRUE)
        });
        let first = look!(world, None, GetPhysicalDeviceFeaturesArgs, |told| three(told.p_features.expect("features")));
        let limits =
            look!(world, None, GetPhysicalDevicePropertiesArgs, |told| two(told.p_properties.expect("properties")));
        let limits2 = look!(world, None, GetPhysicalDeviceProperties2Args, |told| {
            two(&told.p_properties.expect("properties").properties)
        });
        let family = look!(world, None, GetPhysicalDeviceQueueFamilyPropertiesArgs, |told| {
            let family = &told.p_queue_family_properties[0];
            [family.queue_flags.contains(QueueFlags::SPARSE_BINDING), family.queue_count > 1]
        });
        let formats = row(CommandType::GET_PHYSICAL_DEVICE_SPARSE_IMAGE_FORMAT_PROPERTIES2);
        Self {
            features: [first[0], first[1], first[2], second[0], second[1], second[2]],
            null_descriptor,
            limits: [limits[0], limits[1], limits2[0], limits2[1]],
            family,
            formats: !world.send(formats).notes.is_empty(),
            devices: [None, Some(("VkDeviceCreateInfo", robustness))].map(|chain| {
                world.leave_out("VkDeviceCreateInfo", "pEnabledFeatures", chain.is_some());
                let request = world.request(row(CommandType::CREATE_DEVICE), chain);
                let reply = world.submit(request).outcome.expect("a reply");
                vk::Result::from_raw(i32::from_le_bytes(reply[4..8].try_into().expect("four bytes")))
            }),
        }
    }
}

#[test]
fn moltenvk_lacks_what_metal_has_no_counterpart_for() {
    let mock = Mock::offering(Offers::default());
    let told = Told::to(&mut World::new(&mock));
    let everything = Told {
        features: [true; 6],
        null_descriptor: true,
        limits: [true; 4],
        family: [true; 2],
        formats: true,
        devices: [vk::Result::SUCCESS; 2],
    };
    assert_eq!(told, everything, "without a profile");
    let told = Told::to(&mut World::with(&mock, moltenvk(&mock)));
    let nothing = Told {
        features: [false; 6],
        null_descriptor: false,
        limits: [false; 4],
        family: [false; 2],
        formats: false,
        devices: [vk::Result::ERROR_FEATURE_NOT_PRESENT; 2],
    };
    assert_eq!(told, nothing, "as MoltenVK");
    mock.assert_clean();
}
