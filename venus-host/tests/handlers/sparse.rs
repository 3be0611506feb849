//! Sparse binding: there if the driver's own memory is bound, and with imported memory only if somebody has seen it work.

use mock_driver::{Mock, Offers};
use venus_host::driver::{
    Config, MemoryChoice, SharedMemory,
    sparse::{GpuId, Step, try_gpus},
    survey,
};
use venus_protocol::{
    args::*,
    reflect,
    vk::{self, QueueFlags},
    wire::CommandType,
};

use crate::world::{self, World, look, row};

/// The words of a request that say which result it had, or of a reply.
fn result(reply: &[u8]) -> vk::Result {
    vk::Result::from_raw(i32::from_le_bytes(reply[4..8].try_into().expect("four bytes")))
}

/// What a guest is told of sparse binding, query by query.
#[derive(Debug, PartialEq, Eq)]
struct Told {
    /// Of vkGetPhysicalDeviceFeatures, of its second version, and of a structure in the chain of that.
    features: [bool; 3],
    /// Of vkGetPhysicalDeviceProperties and its second version.
    properties: [bool; 2],
    /// Of vkGetPhysicalDeviceQueueFamilyProperties and its second version.
    families: [bool; 2],
    /// Whether vkGetPhysicalDeviceSparseImageFormatProperties and its second version, and image formats with sparse
    /// flags, reach the driver.
    formats: [bool; 4],
    /// What comes of a device with the feature, in either place.
    device: [vk::Result; 2],
}

impl Told {
    fn to(world: &mut World<'_>) -> Self {
        for command in ["vkGetPhysicalDeviceQueueFamilyProperties", "vkGetPhysicalDeviceQueueFamilyProperties2"] {
            world.set_length(command, "pQueueFamilyPropertyCount", 1);
        }
        let is_sparse = |flags: QueueFlags| flags.contains(QueueFlags::SPARSE_BINDING);
        let has_properties = |properties: &vk::PhysicalDeviceProperties| {
            let told = properties.sparse_properties.residency_non_resident_strict == vk::TRUE;
            assert_eq!(told, properties.limits.sparse_address_space_size != 0);
            told
        };
        let atomics = reflect::structure("VkPhysicalDeviceShaderImageAtomicInt64FeaturesEXT").expect("it travels");
        let chain = Some(("VkPhysicalDeviceFeatures2", atomics));
        let [features2, chained] =
            look!(world, chain, GetPhysicalDeviceFeatures2Args, |told| features2(told.p_features.expect("features")));
        Self {
            features: [
                look!(world, None, GetPhysicalDeviceFeaturesArgs, |told| {
                    assert!(told.p_features.expect("features").robust_buffer_access == vk::TRUE);
                    told.p_features.expect("features").sparse_binding == vk::TRUE
                }),
                features2,
                chained,
            ],
            properties: [
                look!(world, None, GetPhysicalDevicePropertiesArgs, |told| {
                    has_properties(told.p_properties.expect("properties"))
                }),
                look!(world, None, GetPhysicalDeviceProperties2Args, |told| {
                    has_properties(&told.p_properties.expect("properties").properties)
                }),
            ],
            families: [
                look!(world, None, GetPhysicalDeviceQueueFamilyPropertiesArgs, |told| {
                    is_sparse(told.p_queue_family_properties[0].queue_flags)
                }),
                look!(world, None, GetPhysicalDeviceQueueFamilyProperties2Args, |told| {
                    is_sparse(told.p_queue_family_properties[0].queue_family_properties.queue_flags)
                }),
            ],
            formats: [
                CommandType::GET_PHYSICAL_DEVICE_SPARSE_IMAGE_FORMAT_PROPERTIES,
                CommandType::GET_PHYSICAL_DEVICE_SPARSE_IMAGE_FORMAT_PROPERTIES2,
                CommandType::GET_PHYSICAL_DEVICE_IMAGE_FORMAT_PROPERTIES,
                CommandType::GET_PHYSICAL_DEVICE_IMAGE_FORMAT_PROPERTIES2,
            ]
            .map(|command| {
                let flags = u64::from(vk::ImageCreateFlags::SPARSE_BINDING.as_raw());
                world.set_number(command.name(), "flags", flags);
                world.set_number("VkPhysicalDeviceImageFormatInfo2", "flags", flags);
                !world.send(row(command)).notes.is_empty()
            }),
            device: ["pEnabledFeatures", "VkPhysicalDeviceFeatures2"].map(|place| create_device(world, place)),
        }
    }
}

fn features2(told: &vk::PhysicalDeviceFeatures2<'_>) -> [bool; 2] {
    let next = told.p_next.cast::<vk::PhysicalDeviceShaderImageAtomicInt64FeaturesEXT<'_>>();
    // SAFETY: the structure that the request asked for.
    let atomics = unsafe { next.as_ref() }.expect("the structure that was asked for");
    assert!(atomics.shader_image_int64_atomics == vk::TRUE);
    [told.features.sparse_binding == vk::TRUE, atomics.sparse_image_int64_atomics == vk::TRUE]
}

/// Makes a device with all features, which are named in one of two places.
fn create_device(world: &mut World<'_>, place: &str) -> vk::Result {
    let features = reflect::structure("VkPhysicalDeviceFeatures2").expect("it travels");
    let is_chained = place == features.name;
    world.leave_out("VkDeviceCreateInfo", "pEnabledFeatures", is_chained);
    let request =
        world.request(row(CommandType::CREATE_DEVICE), is_chained.then_some(("VkDeviceCreateInfo", features)));
    result(&world.submit(request).outcome.expect("a reply"))
}

const SUCCESS: [vk::Result; 2] = [vk::Result::SUCCESS; 2];

const EVERYTHING: Told =
    Told { features: [true; 3], properties: [true; 2], families: [true; 2], formats: [true; 4], device: SUCCESS };

const NOTHING: Told = Told {
    features: [false; 3],
    properties: [false; 2],
    families: [false; 2],
    formats: [false; 4],
    device: [vk::Result::ERROR_FEATURE_NOT_PRESENT; 2],
};

fn told(offers: Offers, configure: impl FnOnce(Config) -> Config) -> Told {
    let mock = Mock::offering(offers);
    let mut world = World::with(&mock, configure(world::config(&mock)));
    let told = Told::to(&mut world);
    drop(world);
    mock.assert_clean();
    told
}

/// A driver whose memory has to be imported.
fn importing() -> Offers {
    Offers::default().without("VK_KHR_external_memory_fd")
}

#[test]
fn the_drivers_own_memory_is_bound_sparsely() {
    assert_eq!(told(Offers::default(), |config| config), EVERYTHING);
}

#[test]
fn imported_memory_is_not_unless_somebody_vouches_for_it() {
    assert_eq!(told(importing(), |config| config), NOTHING);
    // The driver of these tests has zeroes for its ids.
    let id = |digit: &str| digit.repeat(64).parse::<GpuId>().expect("an id");
    assert_eq!(told(importing(), |config| config.binds_imports_sparsely(vec![id("0")])), EVERYTHING);
    assert_eq!(told(importing(), |config| config.binds_imports_sparsely(vec![id("1")])), NOTHING);
}

/// What is tried on a driver, and what comes of it.
fn tried(offers: Offers, skipped: &[GpuId]) -> Vec<Step> {
    let (_, steps) = found(offers, skipped);
    steps
}

/// How memory of a driver is shared, and what is tried and comes of it.
fn found(offers: Offers, skipped: &[GpuId]) -> (Vec<SharedMemory>, Vec<Step>) {
    let mock = Mock::offering(offers);
    let (mut memory, mut steps) = (Vec::new(), Vec::new());
    let hear = |step| match step {
        Step::Shares(shared) => memory.push(shared),
        step => steps.push(step),
    };
    try_gpus(&world::config(&mock), skipped, hear).expect("a driver");
    mock.assert_clean();
    (memory, steps)
}

#[test]
fn no_guest_waits_for_memory_to_be_tried_that_somebody_has_tried() {
    let (known, _) = found(importing(), &[]);
    assert!(matches!(&*known, [one] if one.to_string().contains("import")), "{known:?}");
    let finds_memory = |known| {
        let mock = Mock::offering(importing());
        // Without a device nothing can be tried.
        mock.fail("vkCreateDevice", vk::Result::ERROR_INITIALIZATION_FAILED);
        let mut world = World::with(&mock, world::config(&mock).shares_memory(known));
        let count = look!(world, None, EnumeratePhysicalDevicesArgs, |told| told
            .p_physical_device_count
            .copied()
            .expect("a number"));
        drop(world);
        mock.forgive();
        mock.assert_clean();
        count == 1
    };
    assert!(finds_memory(known.clone()));
    assert!(!finds_memory(Vec::new()));
    let other = known[0].to_string().replacen('0', "1", 1).parse().expect("what is known of another GPU");
    assert!(!finds_memory(vec![other]));
}

#[test]
fn only_what_is_in_question_is_tried() {
    let id: GpuId = "0".repeat(64).parse().expect("an id");
    let steps = tried(importing(), &[]);
    // This driver writes nothing.
    let [looks, Step::Tries(tried_id, name), Step::Fails(failed, reason)] = &*steps else { panic!("{steps:?}") };
    assert_eq!((*tried_id, name.as_str(), *failed), (id, "mock", id));
    assert!(reason.contains("the GPU wrote") && reason.contains("0x0 is there"), "{reason}");
    assert_eq!(*looks, Step::Looks(id, "mock".to_owned()));
    assert_eq!(tried(importing(), &[id]), []);
    let looks = std::slice::from_ref(looks);
    assert_eq!(tried(Offers::default(), &[]), looks, "memory is exported");
    assert_eq!(tried(Offers { sparse: false, ..importing() }, &[]), looks, "there is nothing to try");
}

#[test]
fn memory_is_told_of_after_it_is_announced_and_before_anything_else_is_tried() {
    let mock = Mock::offering(importing());
    let mut steps = Vec::new();
    try_gpus(&world::config(&mock), &[], |step| steps.push(step)).expect("a driver");
    assert!(matches!(&*steps, [Step::Looks(..), Step::Shares(_), Step::Tries(..), Step::Fails(..)]), "{steps:?}");
    mock.assert_clean();
}

#[test]
fn of_gpus_that_cannot_be_told_apart_nothing_is_told() {
    let (memory, steps) = found(Offers { physical_devices: 2, ..importing() }, &[]);
    assert_eq!((memory, steps), (Vec::new(), Vec::new()));
}

/// What somebody has told of ways that the configuration does not admit is not believed.
#[test]
fn ways_of_sharing_memory_are_those_that_may_be_tried() {
    let (known, _) = found(importing(), &[]);
    let [told] = &*known else { panic!("{known:?}") };
    let opaque: SharedMemory = told.to_string().replace("import", "opaque").parse().expect("as it was but for a word");
    for (known, choice) in [(told, MemoryChoice::DmaBuf), (&opaque, MemoryChoice::Auto)] {
        let mock = Mock::offering(importing());
        let config = world::config(&mock).memory(choice).shares_memory(vec![known.clone()]);
        let survey = survey::survey(&config);
        let gpus = survey.gpus.expect("a driver");
        let [gpu] = &*gpus else { panic!("{gpus:?}") };
        assert!(!gpu.memory.failures.is_empty(), "{choice:?}: {:?}", gpu.memory);
        assert!(gpu.memory.ways.iter().all(|(way, _)| way == "imported memory"), "{choice:?}: {:?}", gpu.memory);
    }
}
