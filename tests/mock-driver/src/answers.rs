//! Entry points whose answers somebody looks at, and those of commands that never travel.
//!
//! Where there is a generated entry point of the same command, it notes the call, and what is here fills in the answer.
//!
//! | file | what |
//! |---|---|
//! | `physical_device` | what the driver says of itself and its GPUs |
//! | `descriptor_heap` | descriptors for heaps |
//! | `memory` | memory, mapped and passed on |
//! | `pipeline_cache` | the data of pipeline caches |

mod descriptor_heap;
mod memory;
mod physical_device;
mod pipeline_cache;

use std::{
    ffi::{CStr, c_char, c_int, c_void},
    ptr::NonNull,
    sync::LazyLock,
};

use venus_protocol::{
    reflect::{self, CommandRow, Item},
    vk::{self, Handle},
    wire::CommandType,
};

pub use self::{
    descriptor_heap::{BORDER_COLOURS, RESOURCE_DESCRIPTOR, SAMPLER_DESCRIPTOR},
    physical_device::{HEAP, HEAP_BUDGET},
};
use super::{ByName, Entry, Function, Note, STATE, entries, generated};

entries! {
    get_instance_proc_addr: vk::PFN_vkGetInstanceProcAddr = "vkGetInstanceProcAddr";
    get_device_proc_addr: vk::PFN_vkGetDeviceProcAddr = "vkGetDeviceProcAddr";
    physical_device::enumerate_instance_version: vk::PFN_vkEnumerateInstanceVersion = "vkEnumerateInstanceVersion";
    physical_device::enumerate_physical_devices: vk::PFN_vkEnumeratePhysicalDevices = "vkEnumeratePhysicalDevices";
    physical_device::enumerate_physical_device_groups: vk::PFN_vkEnumeratePhysicalDeviceGroups =
        "vkEnumeratePhysicalDeviceGroups", "vkEnumeratePhysicalDeviceGroupsKHR";
    physical_device::get_physical_device_properties: vk::PFN_vkGetPhysicalDeviceProperties = "vkGetPhysicalDeviceProperties";
    physical_device::get_physical_device_properties2: vk::PFN_vkGetPhysicalDeviceProperties2 =
        "vkGetPhysicalDeviceProperties2", "vkGetPhysicalDeviceProperties2KHR";
    physical_device::get_physical_device_features: vk::PFN_vkGetPhysicalDeviceFeatures = "vkGetPhysicalDeviceFeatures";
    physical_device::get_physical_device_features2: vk::PFN_vkGetPhysicalDeviceFeatures2 =
        "vkGetPhysicalDeviceFeatures2", "vkGetPhysicalDeviceFeatures2KHR";
    physical_device::get_physical_device_queue_family_properties: vk::PFN_vkGetPhysicalDeviceQueueFamilyProperties =
        "vkGetPhysicalDeviceQueueFamilyProperties";
    physical_device::get_physical_device_queue_family_properties2: vk::PFN_vkGetPhysicalDeviceQueueFamilyProperties2 =
        "vkGetPhysicalDeviceQueueFamilyProperties2", "vkGetPhysicalDeviceQueueFamilyProperties2KHR";
    physical_device::get_physical_device_memory_properties: vk::PFN_vkGetPhysicalDeviceMemoryProperties =
        "vkGetPhysicalDeviceMemoryProperties";
    physical_device::get_physical_device_memory_properties2: vk::PFN_vkGetPhysicalDeviceMemoryProperties2 =
        "vkGetPhysicalDeviceMemoryProperties2", "vkGetPhysicalDeviceMemoryProperties2KHR";
    physical_device::get_physical_device_external_fence_properties: vk::PFN_vkGetPhysicalDeviceExternalFenceProperties =
        "vkGetPhysicalDeviceExternalFenceProperties", "vkGetPhysicalDeviceExternalFencePropertiesKHR";
    physical_device::get_physical_device_external_semaphore_properties: vk::PFN_vkGetPhysicalDeviceExternalSemaphoreProperties =
        "vkGetPhysicalDeviceExternalSemaphoreProperties", "vkGetPhysicalDeviceExternalSemaphorePropertiesKHR";
    physical_device::enumerate_device_extension_properties: vk::PFN_vkEnumerateDeviceExtensionProperties =
        "vkEnumerateDeviceExtensionProperties";
    memory::get_image_memory_requirements: vk::PFN_vkGetImageMemoryRequirements = "vkGetImageMemoryRequirements";
    memory::get_image_memory_requirements2: vk::PFN_vkGetImageMemoryRequirements2 =
        "vkGetImageMemoryRequirements2", "vkGetImageMemoryRequirements2KHR";
    memory::get_device_image_memory_requirements: vk::PFN_vkGetDeviceImageMemoryRequirements =
        "vkGetDeviceImageMemoryRequirements", "vkGetDeviceImageMemoryRequirementsKHR";
    memory::get_buffer_memory_requirements: vk::PFN_vkGetBufferMemoryRequirements = "vkGetBufferMemoryRequirements";
    pipeline_cache::get_pipeline_cache_data: vk::PFN_vkGetPipelineCacheData = "vkGetPipelineCacheData";
    get_device_queue: vk::PFN_vkGetDeviceQueue = "vkGetDeviceQueue";
    get_device_queue2: vk::PFN_vkGetDeviceQueue2 = "vkGetDeviceQueue2";
    memory::allocate_memory: vk::PFN_vkAllocateMemory = "vkAllocateMemory";
    memory::map_memory: vk::PFN_vkMapMemory = "vkMapMemory";
    memory::get_memory_fd: vk::PFN_vkGetMemoryFdKHR = "vkGetMemoryFdKHR";
    memory::get_memory_fd_properties: vk::PFN_vkGetMemoryFdPropertiesKHR = "vkGetMemoryFdPropertiesKHR";
    memory::get_memory_host_pointer_properties: vk::PFN_vkGetMemoryHostPointerPropertiesEXT =
        "vkGetMemoryHostPointerPropertiesEXT";
    get_fence_fd: vk::PFN_vkGetFenceFdKHR = "vkGetFenceFdKHR";
    get_semaphore_fd: vk::PFN_vkGetSemaphoreFdKHR = "vkGetSemaphoreFdKHR";
    import_semaphore_fd: vk::PFN_vkImportSemaphoreFdKHR = "vkImportSemaphoreFdKHR";
    descriptor_heap::write_sampler_descriptors: vk::PFN_vkWriteSamplerDescriptorsEXT = "vkWriteSamplerDescriptorsEXT";
    descriptor_heap::write_resource_descriptors: vk::PFN_vkWriteResourceDescriptorsEXT = "vkWriteResourceDescriptorsEXT";
    copy_memory_to_image: vk::PFN_vkCopyMemoryToImageEXT = "vkCopyMemoryToImage", "vkCopyMemoryToImageEXT";
    copy_image_to_memory: vk::PFN_vkCopyImageToMemoryEXT = "vkCopyImageToMemory", "vkCopyImageToMemoryEXT";
}

/// Calls the generated entry point of a command.
macro_rules! noted {
    ($name:literal as $ty:ty, $($argument:expr),*) => {{
        let function: $ty = $crate::answers::noted_entry($name, |function| {
            // SAFETY: the row of this name has this type.
            unsafe { std::mem::transmute::<unsafe extern "system" fn(), $ty>(function) }
        });
        // SAFETY: the arguments are those of the entry point that this stands in.
        unsafe { function($($argument),*) }
    }};
}

use noted;

fn noted_entry<F>(name: &str, cast: impl FnOnce(unsafe extern "system" fn()) -> F) -> F {
    static NOTED: LazyLock<ByName<Function>> =
        LazyLock::new(|| generated::ENTRIES.iter().map(|(names, function)| (names[0], *function)).collect());
    cast(*NOTED.get(name).expect("a generated entry point"))
}

/// Notes a command that never travels.
fn note(command: CommandType) {
    STATE.lock().notes.push(Note { command: command.name(), request: Vec::new() });
}

/// The structure of type `T` in a chain.
///
/// # Safety
///
/// The chain leads to structures of the types that they name.
unsafe fn find<T: vk::TaggedStructure>(chain: *const c_void) -> Option<NonNull<T>> {
    let mut next = chain.cast::<vk::BaseInStructure<'_>>();
    // SAFETY: this function's own contract.
    while let Some(node) = unsafe { next.as_ref() } {
        if node.s_type == T::STRUCTURE_TYPE {
            return NonNull::new(next.cast_mut().cast());
        }
        next = node.p_next;
    }
    None
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
    Entry::find(unsafe { CStr::from_ptr(name) })?.function()
}

unsafe extern "system" fn get_device_proc_addr(_device: vk::Device, name: *const c_char) -> vk::PFN_vkVoidFunction {
    // SAFETY: the caller passes a string.
    let entry = Entry::find(unsafe { CStr::from_ptr(name) })?;
    if let Some(command) = entry.of_instance {
        STATE.lock().objects.complain(command, "it is no command of a device, and was asked of one".to_owned());
        return None;
    }
    entry.function()
}

/// The commands that act on nothing that a device has: whose first parameter is an instance, a physical device or no
/// handle.
pub(super) fn of_instance() -> impl Iterator<Item = CommandType> {
    let is_of_device = |row: &CommandRow| match row.params.first().map(|param| param.item) {
        Some(Item::Handle(owner)) => {
            !matches!(owner.object_type, vk::ObjectType::INSTANCE | vk::ObjectType::PHYSICAL_DEVICE)
        }
        Some(_) => false,
        None => true,
    };
    reflect::commands().filter(move |row| !is_of_device(row)).map(|row| row.command)
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
