//! Entry points whose answers somebody looks at, and those of commands that never travel.
//!
//! Where there is a generated entry point of the same command, it notes the call, and what is here fills in the answer.

use std::{
    cell::UnsafeCell,
    ffi::{CStr, c_char, c_int, c_void},
    os::fd::IntoRawFd,
};

use venus_protocol::{
    reflect::{self, Item},
    vk::{self, Handle},
    wire::CommandType,
};

use super::{Note, STATE, entries, find, generated};

/// Size of the memory heap.
pub const HEAP: u64 = 4 << 30;

/// Bytes of the heap that may be used.
pub const HEAP_BUDGET: u64 = 3 << 30;

/// Bytes behind a dma-buf that is exported.
const DMA_BUF: u64 = 1 << 20;

/// What all memory is mapped to: nobody looks at it.
#[repr(align(65536))]
struct Room(UnsafeCell<[u8; 1 << 20]>);

// SAFETY: nobody reads or writes it.
unsafe impl Sync for Room {}

static ROOM: Room = Room(UnsafeCell::new([0; 1 << 20]));

entries! {
    get_instance_proc_addr: vk::PFN_vkGetInstanceProcAddr = "vkGetInstanceProcAddr";
    get_device_proc_addr: vk::PFN_vkGetDeviceProcAddr = "vkGetDeviceProcAddr";
    enumerate_instance_version: vk::PFN_vkEnumerateInstanceVersion = "vkEnumerateInstanceVersion";
    enumerate_physical_devices: vk::PFN_vkEnumeratePhysicalDevices = "vkEnumeratePhysicalDevices";
    enumerate_physical_device_groups: vk::PFN_vkEnumeratePhysicalDeviceGroups =
        "vkEnumeratePhysicalDeviceGroups", "vkEnumeratePhysicalDeviceGroupsKHR";
    get_physical_device_properties: vk::PFN_vkGetPhysicalDeviceProperties = "vkGetPhysicalDeviceProperties";
    get_physical_device_properties2: vk::PFN_vkGetPhysicalDeviceProperties2 =
        "vkGetPhysicalDeviceProperties2", "vkGetPhysicalDeviceProperties2KHR";
    get_physical_device_features: vk::PFN_vkGetPhysicalDeviceFeatures = "vkGetPhysicalDeviceFeatures";
    get_physical_device_features2: vk::PFN_vkGetPhysicalDeviceFeatures2 =
        "vkGetPhysicalDeviceFeatures2", "vkGetPhysicalDeviceFeatures2KHR";
    get_physical_device_queue_family_properties: vk::PFN_vkGetPhysicalDeviceQueueFamilyProperties =
        "vkGetPhysicalDeviceQueueFamilyProperties";
    get_physical_device_queue_family_properties2: vk::PFN_vkGetPhysicalDeviceQueueFamilyProperties2 =
        "vkGetPhysicalDeviceQueueFamilyProperties2", "vkGetPhysicalDeviceQueueFamilyProperties2KHR";
    get_physical_device_memory_properties: vk::PFN_vkGetPhysicalDeviceMemoryProperties =
        "vkGetPhysicalDeviceMemoryProperties";
    get_physical_device_memory_properties2: vk::PFN_vkGetPhysicalDeviceMemoryProperties2 =
        "vkGetPhysicalDeviceMemoryProperties2", "vkGetPhysicalDeviceMemoryProperties2KHR";
    get_physical_device_external_fence_properties: vk::PFN_vkGetPhysicalDeviceExternalFenceProperties =
        "vkGetPhysicalDeviceExternalFenceProperties", "vkGetPhysicalDeviceExternalFencePropertiesKHR";
    get_physical_device_external_semaphore_properties: vk::PFN_vkGetPhysicalDeviceExternalSemaphoreProperties =
        "vkGetPhysicalDeviceExternalSemaphoreProperties", "vkGetPhysicalDeviceExternalSemaphorePropertiesKHR";
    enumerate_device_extension_properties: vk::PFN_vkEnumerateDeviceExtensionProperties =
        "vkEnumerateDeviceExtensionProperties";
    get_buffer_memory_requirements: vk::PFN_vkGetBufferMemoryRequirements = "vkGetBufferMemoryRequirements";
    get_device_queue: vk::PFN_vkGetDeviceQueue = "vkGetDeviceQueue";
    get_device_queue2: vk::PFN_vkGetDeviceQueue2 = "vkGetDeviceQueue2";
    map_memory: vk::PFN_vkMapMemory = "vkMapMemory";
    get_memory_fd: vk::PFN_vkGetMemoryFdKHR = "vkGetMemoryFdKHR";
    get_memory_fd_properties: vk::PFN_vkGetMemoryFdPropertiesKHR = "vkGetMemoryFdPropertiesKHR";
    get_memory_host_pointer_properties: vk::PFN_vkGetMemoryHostPointerPropertiesEXT =
        "vkGetMemoryHostPointerPropertiesEXT";
    get_fence_fd: vk::PFN_vkGetFenceFdKHR = "vkGetFenceFdKHR";
    get_semaphore_fd: vk::PFN_vkGetSemaphoreFdKHR = "vkGetSemaphoreFdKHR";
    import_semaphore_fd: vk::PFN_vkImportSemaphoreFdKHR = "vkImportSemaphoreFdKHR";
    copy_memory_to_image: vk::PFN_vkCopyMemoryToImageEXT = "vkCopyMemoryToImage", "vkCopyMemoryToImageEXT";
    copy_image_to_memory: vk::PFN_vkCopyImageToMemoryEXT = "vkCopyImageToMemory", "vkCopyImageToMemoryEXT";
}

/// Calls the generated entry point of a command.
macro_rules! noted {
    ($name:literal as $ty:ty, $($argument:expr),*) => {{
        let function: $ty = noted_entry($name, |function| {
            // SAFETY: the row of this name has this type.
            unsafe { std::mem::transmute::<unsafe extern "system" fn(), $ty>(function) }
        });
        // SAFETY: the arguments are those of the entry point that this stands in.
        unsafe { function($($argument),*) }
    }};
}

fn noted_entry<F>(name: &str, cast: impl FnOnce(unsafe extern "system" fn()) -> F) -> F {
    let row = generated::ENTRIES.iter().find(|(names, _)| names[0] == name);
    cast(row.expect("a generated entry point").1)
}

/// Notes a command that never travels.
fn note(command: CommandType) {
    STATE.lock().notes.push(Note { command: command.name(), request: Vec::new() });
}

/// Writes to where an argument points.
///
/// # Safety
///
/// The pointer is null, or to what the caller of the driver wants to be written.
unsafe fn write<T>(to: *mut T, value: T) {
    if !to.is_null() {
        // SAFETY: this function's own contract.
        unsafe { to.write(value) }
    }
}

/// The two-call idiom.
///
/// # Safety
///
/// `count` is valid, and `items` is null or has room for as many as it says.
unsafe fn list<T: Copy>(all: &[T], count: *mut u32, items: *mut T) -> vk::Result {
    let total = u32::try_from(all.len()).expect("a short list");
    let room = if items.is_null() {
        total
    } else {
        // SAFETY: this function's own contract.
        unsafe { count.read() }
    };
    let n = total.min(room);
    if !items.is_null() {
        for (nth, item) in all.iter().take(n as usize).enumerate() {
            // SAFETY: there is room for `n`.
            let to = unsafe { items.add(nth) };
            // SAFETY: as above.
            unsafe { to.write(*item) };
        }
    }
    // SAFETY: this function's own contract.
    unsafe { count.write(n) };
    if n < total { vk::Result::INCOMPLETE } else { vk::Result::SUCCESS }
}

pub(super) unsafe extern "system" fn get_instance_proc_addr(
    _instance: vk::Instance,
    name: *const c_char,
) -> vk::PFN_vkVoidFunction {
    // SAFETY: the caller passes a string.
    find(unsafe { CStr::from_ptr(name) })
}

unsafe extern "system" fn get_device_proc_addr(_device: vk::Device, name: *const c_char) -> vk::PFN_vkVoidFunction {
    // SAFETY: the caller passes a string.
    let name = unsafe { CStr::from_ptr(name) };
    if let Some(command) = of_instance(name) {
        STATE.lock().objects.complain(command, "it is no command of a device, and was asked of one".to_owned());
        return None;
    }
    find(name)
}

/// The command, if it acts on nothing that a device has: its first parameter is an instance, a physical device or no
/// handle.
fn of_instance(name: &CStr) -> Option<CommandType> {
    let row = reflect::commands().find(|row| name.to_str() == Ok(row.command.name()))?;
    let is_of_device = match row.params.first()?.item {
        Item::Handle(owner) => !matches!(owner.object_type, vk::ObjectType::INSTANCE | vk::ObjectType::PHYSICAL_DEVICE),
        _ => false,
    };
    (!is_of_device).then_some(row.command)
}

unsafe extern "system" fn enumerate_instance_version(version: *mut u32) -> vk::Result {
    let result = noted!("vkEnumerateInstanceVersion" as vk::PFN_vkEnumerateInstanceVersion, version);
    // SAFETY: it is where the caller wants it.
    unsafe { write(version, STATE.lock().offers.version) };
    result
}

/// The GPUs, which exist from the first look at them.
fn physical_devices() -> Vec<vk::PhysicalDevice> {
    let mut state = STATE.lock();
    let n = u64::from(state.offers.physical_devices);
    (1..=n)
        .map(|nth| {
            state.objects.add(vk::ObjectType::PHYSICAL_DEVICE, nth, 0);
            vk::PhysicalDevice::from_raw(nth)
        })
        .collect()
}

unsafe extern "system" fn enumerate_physical_devices(
    _instance: vk::Instance,
    count: *mut u32,
    devices: *mut vk::PhysicalDevice,
) -> vk::Result {
    note(CommandType::ENUMERATE_PHYSICAL_DEVICES);
    // SAFETY: by the command's own rules.
    unsafe { list(&physical_devices(), count, devices) }
}

unsafe extern "system" fn enumerate_physical_device_groups(
    _instance: vk::Instance,
    count: *mut u32,
    groups: *mut vk::PhysicalDeviceGroupProperties<'_>,
) -> vk::Result {
    note(CommandType::ENUMERATE_PHYSICAL_DEVICE_GROUPS);
    let group = |device| {
        let mut group = vk::PhysicalDeviceGroupProperties { physical_device_count: 1, ..Default::default() };
        group.physical_devices[0] = device;
        group
    };
    let all: Vec<_> = physical_devices().into_iter().map(group).collect();
    // SAFETY: by the command's own rules.
    unsafe { list(&all, count, groups) }
}

fn properties() -> vk::PhysicalDeviceProperties {
    let offers = &STATE.lock().offers;
    let mut properties = vk::PhysicalDeviceProperties { api_version: offers.version, ..Default::default() };
    properties.limits.max_memory_allocation_count = 4096;
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

unsafe extern "system" fn get_physical_device_properties(
    device: vk::PhysicalDevice,
    answer: *mut vk::PhysicalDeviceProperties,
) {
    noted!("vkGetPhysicalDeviceProperties" as vk::PFN_vkGetPhysicalDeviceProperties, device, answer);
    // SAFETY: it is where the caller wants it.
    unsafe { write(answer, properties()) };
}

unsafe extern "system" fn get_physical_device_properties2(
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
}

/// All features, but for those that a test does not want.
fn features() -> vk::PhysicalDeviceFeatures {
    const COUNT: usize = size_of::<vk::PhysicalDeviceFeatures>() / size_of::<vk::Bool32>();
    // SAFETY: the structure consists of booleans.
    let all = unsafe { std::mem::transmute::<[vk::Bool32; COUNT], vk::PhysicalDeviceFeatures>([vk::TRUE; COUNT]) };
    let sparse = STATE.lock().offers.sparse.into();
    vk::PhysicalDeviceFeatures { sparse_binding: sparse, sparse_residency_buffer: sparse, ..all }
}

unsafe extern "system" fn get_physical_device_features(
    device: vk::PhysicalDevice,
    answer: *mut vk::PhysicalDeviceFeatures,
) {
    noted!("vkGetPhysicalDeviceFeatures" as vk::PFN_vkGetPhysicalDeviceFeatures, device, answer);
    // SAFETY: it is where the caller wants it.
    unsafe { write(answer, features()) };
}

unsafe extern "system" fn get_physical_device_features2(
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
    let mut next = chain.cast::<vk::BaseOutStructure<'_>>();
    // SAFETY: this function's own contract.
    while let Some(node) = unsafe { next.as_mut() } {
        if node.s_type == T::STRUCTURE_TYPE {
            // SAFETY: its type says what it is.
            return unsafe { next.cast::<T>().as_mut() };
        }
        next = node.p_next;
    }
    None
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

unsafe extern "system" fn get_physical_device_queue_family_properties(
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

unsafe extern "system" fn get_physical_device_queue_family_properties2(
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

unsafe extern "system" fn get_physical_device_memory_properties(
    device: vk::PhysicalDevice,
    answer: *mut vk::PhysicalDeviceMemoryProperties,
) {
    noted!("vkGetPhysicalDeviceMemoryProperties" as vk::PFN_vkGetPhysicalDeviceMemoryProperties, device, answer);
    // SAFETY: it is where the caller wants it.
    unsafe { write(answer, memory_properties()) };
}

unsafe extern "system" fn get_physical_device_memory_properties2(
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

unsafe extern "system" fn get_buffer_memory_requirements(
    device: vk::Device,
    buffer: vk::Buffer,
    answer: *mut vk::MemoryRequirements,
) {
    noted!("vkGetBufferMemoryRequirements" as vk::PFN_vkGetBufferMemoryRequirements, device, buffer, answer);
    let needs = vk::MemoryRequirements { size: 4096, alignment: 4096, memory_type_bits: 1 };
    // SAFETY: it is where the caller wants it.
    unsafe { write(answer, needs) };
}

unsafe extern "system" fn get_physical_device_external_fence_properties(
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

unsafe extern "system" fn get_physical_device_external_semaphore_properties(
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

unsafe extern "system" fn enumerate_device_extension_properties(
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

/// A device's queue, the same at each look.
fn queue(device: vk::Device, family: u32, index: u32) -> vk::Queue {
    vk::Queue::from_raw(STATE.lock().objects.queue(device.as_raw(), family, index))
}

unsafe extern "system" fn get_device_queue(device: vk::Device, family: u32, index: u32, answer: *mut vk::Queue) {
    note(CommandType::GET_DEVICE_QUEUE);
    // SAFETY: it is where the caller wants it.
    unsafe { write(answer, queue(device, family, index)) };
}

unsafe extern "system" fn get_device_queue2(
    device: vk::Device,
    info: *const vk::DeviceQueueInfo2<'_>,
    answer: *mut vk::Queue,
) {
    note(CommandType::GET_DEVICE_QUEUE2);
    // SAFETY: the caller passes one.
    let info = unsafe { &*info };
    // SAFETY: it is where the caller wants it.
    unsafe { write(answer, queue(device, info.queue_family_index, info.queue_index)) };
}

unsafe extern "system" fn map_memory(
    _device: vk::Device,
    _memory: vk::DeviceMemory,
    _offset: vk::DeviceSize,
    _size: vk::DeviceSize,
    _flags: vk::MemoryMapFlags,
    answer: *mut *mut c_void,
) -> vk::Result {
    note(CommandType::MAP_MEMORY);
    if let Some(failure) = STATE.lock().failures.get("vkMapMemory") {
        return *failure;
    }
    // SAFETY: it is where the caller wants it.
    unsafe { write(answer, ROOM.0.get().cast()) };
    vk::Result::SUCCESS
}

unsafe extern "system" fn get_memory_fd(
    _device: vk::Device,
    _info: *const vk::MemoryGetFdInfoKHR<'_>,
    answer: *mut c_int,
) -> vk::Result {
    note(CommandType::GET_MEMORY_FD_KHR);
    let file = tempfile::tempfile().expect("a file");
    file.set_len(DMA_BUF).expect("a file's length");
    // SAFETY: it is where the caller wants it.
    unsafe { write(answer, file.into_raw_fd()) };
    vk::Result::SUCCESS
}

unsafe extern "system" fn get_memory_fd_properties(
    _device: vk::Device,
    _kind: vk::ExternalMemoryHandleTypeFlags,
    _fd: c_int,
    answer: *mut vk::MemoryFdPropertiesKHR<'_>,
) -> vk::Result {
    note(CommandType::GET_MEMORY_FD_PROPERTIES_KHR);
    // SAFETY: the caller passes one.
    let answer = unsafe { &mut *answer };
    answer.memory_type_bits = 1;
    vk::Result::SUCCESS
}

/// No command of the protocol, so there is no name to note.
unsafe extern "system" fn get_memory_host_pointer_properties(
    _device: vk::Device,
    _kind: vk::ExternalMemoryHandleTypeFlags,
    _pointer: *const c_void,
    answer: *mut vk::MemoryHostPointerPropertiesEXT<'_>,
) -> vk::Result {
    // SAFETY: the caller passes one.
    let answer = unsafe { &mut *answer };
    answer.memory_type_bits = STATE.lock().offers.importable;
    vk::Result::SUCCESS
}

/// The descriptor that stands for a signal in the past.
const SIGNALLED: c_int = -1;

unsafe extern "system" fn get_fence_fd(
    _device: vk::Device,
    _info: *const vk::FenceGetFdInfoKHR<'_>,
    answer: *mut c_int,
) -> vk::Result {
    note(CommandType::GET_FENCE_FD_KHR);
    // SAFETY: it is where the caller wants it.
    unsafe { write(answer, SIGNALLED) };
    vk::Result::SUCCESS
}

unsafe extern "system" fn get_semaphore_fd(
    _device: vk::Device,
    _info: *const vk::SemaphoreGetFdInfoKHR<'_>,
    answer: *mut c_int,
) -> vk::Result {
    note(CommandType::GET_SEMAPHORE_FD_KHR);
    // SAFETY: it is where the caller wants it.
    unsafe { write(answer, SIGNALLED) };
    vk::Result::SUCCESS
}

unsafe extern "system" fn import_semaphore_fd(
    _device: vk::Device,
    _info: *const vk::ImportSemaphoreFdInfoKHR<'_>,
) -> vk::Result {
    note(CommandType::IMPORT_SEMAPHORE_FD_KHR);
    vk::Result::SUCCESS
}

unsafe extern "system" fn copy_memory_to_image(
    _device: vk::Device,
    _info: *const vk::CopyMemoryToImageInfoEXT<'_>,
) -> vk::Result {
    note(CommandType::COPY_MEMORY_TO_IMAGE);
    vk::Result::SUCCESS
}

unsafe extern "system" fn copy_image_to_memory(
    _device: vk::Device,
    _info: *const vk::CopyImageToMemoryInfoEXT<'_>,
) -> vk::Result {
    note(CommandType::COPY_IMAGE_TO_MEMORY);
    vk::Result::SUCCESS
}
