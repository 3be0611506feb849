//! What the driver says of itself and its GPUs.

use std::ffi::{c_char, c_void};

use venus_protocol::{
    vk::{self, Handle},
    wire::CommandType,
};

use super::{super::STATE, descriptor_heap, find, list, note, noted, write};

/// Size of the memory heap.
pub const HEAP: u64 = 4 << 30;

/// Bytes of the heap that may be used.
pub const HEAP_BUDGET: u64 = 3 << 30;

pub(super) unsafe extern "system" fn enumerate_instance_version(version: *mut u32) -> vk::Result {
    let result = noted!("vkEnumerateInstanceVersion" as vk::PFN_vkEnumerateInstanceVersion, version);
    // SAFETY: it is where the caller wants it.
    unsafe { write(version, STATE.lock().offers.version) };
    result
}

/// An instance's GPUs, which exist from the first look at them.
fn physical_devices(instance: vk::Instance) -> Vec<vk::PhysicalDevice> {
    let mut state = STATE.lock();
    let n = u64::from(state.offers.physical_devices);
    (1..=n).map(|nth| vk::PhysicalDevice::from_raw(state.objects.gpu(instance.as_raw(), nth))).collect()
}

pub(super) unsafe extern "system" fn enumerate_physical_devices(
    instance: vk::Instance,
    count: *mut u32,
    devices: *mut vk::PhysicalDevice,
) -> vk::Result {
    note(CommandType::ENUMERATE_PHYSICAL_DEVICES);
    // SAFETY: by the command's own rules.
    unsafe { list(&physical_devices(instance), count, devices) }
}

pub(super) unsafe extern "system" fn enumerate_physical_device_groups(
    instance: vk::Instance,
    count: *mut u32,
    groups: *mut vk::PhysicalDeviceGroupProperties<'_>,
) -> vk::Result {
    note(CommandType::ENUMERATE_PHYSICAL_DEVICE_GROUPS);
    let group = |device| {
        let mut group = vk::PhysicalDeviceGroupProperties { physical_device_count: 1, ..Default::default() };
        group.physical_devices[0] = device;
        group
    };
    let all: Vec<_> = physical_devices(instance).into_iter().map(group).collect();
    // SAFETY: by the command's own rules.
    unsafe { list(&all, count, groups) }
}

/// What drivers have room for: the least that Vulkan asks of them, or a little more.
fn limits(limits: &mut vk::PhysicalDeviceLimits) {
    limits.max_memory_allocation_count = 4096;
    limits.max_bound_descriptor_sets = 8;
    limits.max_push_constants_size = 256;
    limits.max_color_attachments = 8;
    limits.max_vertex_input_bindings = 32;
    limits.max_vertex_input_attributes = 32;
    limits.max_viewports = 16;
    limits.max_tessellation_patch_size = 32;
    limits.max_framebuffer_width = 16_384;
    limits.max_framebuffer_height = 16_384;
    limits.max_framebuffer_layers = 2048;
}

fn properties() -> vk::PhysicalDeviceProperties {
    let offers = &STATE.lock().offers;
    let mut properties = vk::PhysicalDeviceProperties { api_version: offers.version, ..Default::default() };
    limits(&mut properties.limits);
    properties.limits.max_geometry_shader_invocations = 32;
    for (to, from) in properties.device_name.iter_mut().zip(b"mock") {
        *to = *from as c_char;
    }
    if offers.sparse {
        properties.limits.sparse_address_space_size = HEAP;
        properties.sparse_properties.residency_non_resident_strict = vk::TRUE;
    }
    properties
}

pub(super) unsafe extern "system" fn get_physical_device_properties(
    device: vk::PhysicalDevice,
    answer: *mut vk::PhysicalDeviceProperties,
) {
    noted!("vkGetPhysicalDeviceProperties" as vk::PFN_vkGetPhysicalDeviceProperties, device, answer);
    // SAFETY: it is where the caller wants it.
    unsafe { write(answer, properties()) };
}

pub(super) unsafe extern "system" fn get_physical_device_properties2(
    device: vk::PhysicalDevice,
    answer: *mut vk::PhysicalDeviceProperties2<'_>,
) {
    noted!("vkGetPhysicalDeviceProperties2" as vk::PFN_vkGetPhysicalDeviceProperties2, device, answer);
    // SAFETY: the caller passes one.
    let answer = unsafe { &mut *answer };
    answer.properties = properties();
    // SAFETY: a chain of structures that the caller wants to be filled.
    if let Some(driver) = unsafe { following::<vk::PhysicalDeviceDriverProperties<'_>>(answer.p_next) } {
        driver.driver_id = vk::DriverId::from_raw(STATE.lock().offers.driver);
    }
    // SAFETY: as above.
    if let Some(feedback) = unsafe { following::<vk::PhysicalDeviceTransformFeedbackPropertiesEXT<'_>>(answer.p_next) }
    {
        feedback.max_transform_feedback_buffers = 4;
    }
    // SAFETY: as above.
    if let Some(heap) = unsafe { following(answer.p_next) } {
        descriptor_heap::properties(heap);
    }
    // SAFETY: as above.
    if let Some(colours) = unsafe { following::<vk::PhysicalDeviceCustomBorderColorPropertiesEXT<'_>>(answer.p_next) } {
        colours.max_custom_border_color_samplers = descriptor_heap::BORDER_COLOURS;
    }
}

/// All features, but for those that a test does not want.
fn features() -> vk::PhysicalDeviceFeatures {
    const COUNT: usize = size_of::<vk::PhysicalDeviceFeatures>() / size_of::<vk::Bool32>();
    // SAFETY: the structure consists of booleans.
    let all = unsafe { std::mem::transmute::<[vk::Bool32; COUNT], vk::PhysicalDeviceFeatures>([vk::TRUE; COUNT]) };
    let sparse = STATE.lock().offers.sparse.into();
    vk::PhysicalDeviceFeatures { sparse_binding: sparse, sparse_residency_buffer: sparse, ..all }
}

pub(super) unsafe extern "system" fn get_physical_device_features(
    device: vk::PhysicalDevice,
    answer: *mut vk::PhysicalDeviceFeatures,
) {
    noted!("vkGetPhysicalDeviceFeatures" as vk::PFN_vkGetPhysicalDeviceFeatures, device, answer);
    // SAFETY: it is where the caller wants it.
    unsafe { write(answer, features()) };
}

pub(super) unsafe extern "system" fn get_physical_device_features2(
    device: vk::PhysicalDevice,
    answer: *mut vk::PhysicalDeviceFeatures2<'_>,
) {
    noted!("vkGetPhysicalDeviceFeatures2" as vk::PFN_vkGetPhysicalDeviceFeatures2, device, answer);
    // SAFETY: the caller passes one.
    let answer = unsafe { &mut *answer };
    answer.features = features();
    // SAFETY: a chain of structures that the caller wants to be filled.
    let atomics = unsafe { following::<vk::PhysicalDeviceShaderImageAtomicInt64FeaturesEXT<'_>>(answer.p_next) };
    if let Some(atomics) = atomics {
        (atomics.shader_image_int64_atomics, atomics.sparse_image_int64_atomics) = (vk::TRUE, vk::TRUE);
    }
    // SAFETY: as above.
    let robustness = unsafe { following::<vk::PhysicalDeviceRobustness2FeaturesEXT<'_>>(answer.p_next) };
    if let Some(robustness) = robustness {
        (robustness.robust_image_access2, robustness.null_descriptor) = (vk::TRUE, vk::TRUE);
    }
}

/// The structure of type `T` in a chain.
///
/// # Safety
///
/// The chain is one that the caller of the driver wants to be filled.
unsafe fn following<'a, T: vk::TaggedStructure>(chain: *mut c_void) -> Option<&'a mut T> {
    // SAFETY: this function's own contract.
    let found = unsafe { find(chain) };
    // SAFETY: it is the caller's, who wants it to be filled.
    found.map(|mut found| unsafe { found.as_mut() })
}

fn queue_families() -> Vec<vk::QueueFamilyProperties> {
    let family = |flags: &u32| vk::QueueFamilyProperties {
        queue_flags: vk::QueueFlags::from_raw(*flags),
        queue_count: 8,
        timestamp_valid_bits: 64,
        min_image_transfer_granularity: vk::Extent3D { width: 1, height: 1, depth: 1 },
    };
    STATE.lock().offers.families.iter().map(family).collect()
}

pub(super) unsafe extern "system" fn get_physical_device_queue_family_properties(
    device: vk::PhysicalDevice,
    count: *mut u32,
    families: *mut vk::QueueFamilyProperties,
) {
    noted!(
        "vkGetPhysicalDeviceQueueFamilyProperties" as vk::PFN_vkGetPhysicalDeviceQueueFamilyProperties,
        device,
        count,
        families
    );
    let all = queue_families();
    // SAFETY: by the command's own rules.
    let _ = unsafe { list(&all, count, families) };
}

pub(super) unsafe extern "system" fn get_physical_device_queue_family_properties2(
    device: vk::PhysicalDevice,
    count: *mut u32,
    families: *mut vk::QueueFamilyProperties2<'_>,
) {
    noted!(
        "vkGetPhysicalDeviceQueueFamilyProperties2" as vk::PFN_vkGetPhysicalDeviceQueueFamilyProperties2,
        device,
        count,
        families
    );
    let all = queue_families();
    for (nth, family) in all.iter().enumerate().take(if families.is_null() { 0 } else { all.len() }) {
        // SAFETY: the caller has asked for the number of families, and has room for as many.
        let to = unsafe { families.add(nth) };
        // SAFETY: as above.
        unsafe { (*to).queue_family_properties = *family };
    }
    // SAFETY: it is where the caller wants it.
    unsafe { write(count, u32::try_from(all.len()).expect("a short list")) };
}

pub(super) unsafe extern "system" fn get_physical_device_memory_properties(
    device: vk::PhysicalDevice,
    answer: *mut vk::PhysicalDeviceMemoryProperties,
) {
    noted!("vkGetPhysicalDeviceMemoryProperties" as vk::PFN_vkGetPhysicalDeviceMemoryProperties, device, answer);
    // SAFETY: it is where the caller wants it.
    unsafe { write(answer, memory_properties()) };
}

pub(super) unsafe extern "system" fn get_physical_device_memory_properties2(
    device: vk::PhysicalDevice,
    answer: *mut vk::PhysicalDeviceMemoryProperties2<'_>,
) {
    noted!("vkGetPhysicalDeviceMemoryProperties2" as vk::PFN_vkGetPhysicalDeviceMemoryProperties2, device, answer);
    // SAFETY: it is where the caller wants it.
    let answer = unsafe { &mut *answer };
    answer.memory_properties = memory_properties();
    // SAFETY: the caller wants the chain to be filled.
    if let Some(budget) = unsafe { following::<vk::PhysicalDeviceMemoryBudgetPropertiesEXT<'_>>(answer.p_next) } {
        budget.heap_budget[0] = HEAP_BUDGET;
    }
}

fn memory_properties() -> vk::PhysicalDeviceMemoryProperties {
    let types = STATE.lock().offers.memory.clone();
    let mut memory = vk::PhysicalDeviceMemoryProperties { memory_heap_count: 1, ..Default::default() };
    memory.memory_type_count = u32::try_from(types.len()).expect("a few types");
    for (to, flags) in memory.memory_types.iter_mut().zip(types) {
        to.property_flags = vk::MemoryPropertyFlags::from_raw(flags);
    }
    memory.memory_heaps[0] = vk::MemoryHeap { size: HEAP, flags: vk::MemoryHeapFlags::DEVICE_LOCAL };
    memory
}

pub(super) unsafe extern "system" fn get_physical_device_external_fence_properties(
    device: vk::PhysicalDevice,
    info: *const vk::PhysicalDeviceExternalFenceInfo<'_>,
    answer: *mut vk::ExternalFenceProperties<'_>,
) {
    noted!(
        "vkGetPhysicalDeviceExternalFenceProperties" as vk::PFN_vkGetPhysicalDeviceExternalFenceProperties,
        device,
        info,
        answer
    );
    if STATE.lock().offers.sync_fd {
        // SAFETY: the caller passes one.
        let answer = unsafe { &mut *answer };
        answer.external_fence_features =
            vk::ExternalFenceFeatureFlags::EXPORTABLE | vk::ExternalFenceFeatureFlags::IMPORTABLE;
    }
}

pub(super) unsafe extern "system" fn get_physical_device_external_semaphore_properties(
    device: vk::PhysicalDevice,
    info: *const vk::PhysicalDeviceExternalSemaphoreInfo<'_>,
    answer: *mut vk::ExternalSemaphoreProperties<'_>,
) {
    noted!(
        "vkGetPhysicalDeviceExternalSemaphoreProperties" as vk::PFN_vkGetPhysicalDeviceExternalSemaphoreProperties,
        device,
        info,
        answer
    );
    if STATE.lock().offers.sync_fd {
        // SAFETY: the caller passes one.
        let answer = unsafe { &mut *answer };
        answer.external_semaphore_features =
            vk::ExternalSemaphoreFeatureFlags::EXPORTABLE | vk::ExternalSemaphoreFeatureFlags::IMPORTABLE;
    }
}

pub(super) unsafe extern "system" fn enumerate_device_extension_properties(
    _device: vk::PhysicalDevice,
    _layer: *const c_char,
    count: *mut u32,
    extensions: *mut vk::ExtensionProperties,
) -> vk::Result {
    note(CommandType::ENUMERATE_DEVICE_EXTENSION_PROPERTIES);
    let properties = |(name, spec_version): &(String, u32)| {
        let mut properties = vk::ExtensionProperties { spec_version: *spec_version, ..Default::default() };
        for (to, from) in properties.extension_name.iter_mut().zip(name.bytes()) {
            *to = from as c_char;
        }
        properties
    };
    let all: Vec<_> = STATE.lock().offers.extensions.iter().map(properties).collect();
    // SAFETY: by the command's own rules.
    unsafe { list(&all, count, extensions) }
}
