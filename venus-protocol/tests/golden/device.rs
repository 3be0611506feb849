//! `vkCreateDevice`, `vkAllocateMemory`: chains of two nodes.

use venus_protocol::args::*;
use venus_protocol::vk::{self, Handle as _};
use venus_protocol::wire::{Arena, Command as _, CommandType, Handle, NewHandles};

use crate::bytes::{elements, encoded, pointee, request, wire};

const CREATE_DEVICE: &str = "
    0b000000           | command 11, vkCreateDevice
    01000000           | flags: reply wanted
    02000000 00000000  | physicalDevice: id 2
    01000000 00000000  | pCreateInfo is there
    03000000           | sType: VK_STRUCTURE_TYPE_DEVICE_CREATE_INFO
    01000000 00000000  | pNext: a node follows
    31000000           | first node: VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_1_FEATURES
    01000000 00000000  | another follows
    98f29d3b           | second node: VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_TIMELINE_SEMAPHORE_FEATURES
    00000000 00000000  | end of the chain; the bodies come last node first
    01000000           | second node: timelineSemaphore
    00000000           | first node: storageBuffer16BitAccess
    00000000           | uniformAndStorageBuffer16BitAccess
    00000000           | storagePushConstant16
    00000000           | storageInputOutput16
    01000000           | multiview
    00000000           | multiviewGeometryShader
    00000000           | multiviewTessellationShader
    00000000           | variablePointersStorageBuffer
    00000000           | variablePointers
    00000000           | protectedMemory
    00000000           | samplerYcbcrConversion
    00000000           | shaderDrawParameters
    00000000           | the root's own members: flags
    01000000           | queueCreateInfoCount
    01000000 00000000  | pQueueCreateInfos: 1 structure
    02000000           | its sType: VK_STRUCTURE_TYPE_DEVICE_QUEUE_CREATE_INFO
    00000000 00000000  | its pNext: the chain is empty
    00000000           | its flags
    00000000           | its queueFamilyIndex
    01000000           | its queueCount
    01000000 00000000  | its pQueuePriorities: 1 float
    0000803f           | 1.0
    00000000           | enabledLayerCount
    00000000 00000000  | ppEnabledLayerNames: null
    00000000           | enabledExtensionCount
    00000000 00000000  | ppEnabledExtensionNames: null
    00000000 00000000  | pEnabledFeatures: null
    00000000 00000000  | pAllocator: null
    01000000 00000000  | pDevice is there
    03000000 00000000  | the id for the device: 3
";

#[test]
fn create_device() {
    let (bytes, arena) = (wire(CREATE_DEVICE), Arena::default());
    assert_eq!(bytes.len(), 220);
    let mut decoder = request(&bytes, &arena, CommandType::CREATE_DEVICE, 1);
    let args = CreateDeviceArgs::decode(&mut decoder).unwrap();
    assert_eq!(decoder.remaining(), 0);
    assert_eq!(args.physical_device, Handle::identity(2));
    let info = args.p_create_info;
    assert_eq!(info.s_type, vk::StructureType::DEVICE_CREATE_INFO);
    let first: &vk::PhysicalDeviceVulkan11Features<'_> = pointee(info.p_next.cast());
    assert_eq!(first.s_type, vk::StructureType::PHYSICAL_DEVICE_VULKAN_1_1_FEATURES);
    assert_eq!(first.multiview, vk::TRUE);
    let off = [
        first.storage_buffer16_bit_access,
        first.uniform_and_storage_buffer16_bit_access,
        first.storage_push_constant16,
        first.storage_input_output16,
        first.multiview_geometry_shader,
        first.multiview_tessellation_shader,
        first.variable_pointers_storage_buffer,
        first.variable_pointers,
        first.protected_memory,
        first.sampler_ycbcr_conversion,
        first.shader_draw_parameters,
    ];
    assert_eq!(off, [vk::FALSE; 11]);
    let second: &vk::PhysicalDeviceTimelineSemaphoreFeatures<'_> = pointee(first.p_next.cast_const().cast());
    assert_eq!(second.s_type, vk::StructureType::PHYSICAL_DEVICE_TIMELINE_SEMAPHORE_FEATURES);
    assert_eq!(second.timeline_semaphore, vk::TRUE);
    assert!(second.p_next.is_null());
    assert!(info.flags.is_empty());
    assert_eq!(info.queue_create_info_count, 1);
    let queue = pointee(info.p_queue_create_infos);
    assert_eq!(queue.s_type, vk::StructureType::DEVICE_QUEUE_CREATE_INFO);
    assert!(queue.p_next.is_null());
    assert!(queue.flags.is_empty());
    assert_eq!((queue.queue_family_index, queue.queue_count), (0, 1));
    assert_eq!(elements(queue.p_queue_priorities, 1), [1.0]);
    assert!(info.p_enabled_features.is_null());
    assert_eq!(info.enabled_extension_count, 0);
    assert!(info.pp_enabled_extension_names.is_null());
    assert_eq!(args.p_device.ids, [3]);
    assert_eq!(args.p_device.raws, [vk::Device::null()]);

    let mut second = vk::PhysicalDeviceTimelineSemaphoreFeatures::default().timeline_semaphore(true);
    let mut first = vk::PhysicalDeviceVulkan11Features::default().multiview(true);
    first.p_next = (&raw mut second).cast();
    let queues = [vk::DeviceQueueCreateInfo::default().queue_family_index(0).queue_priorities(&[1.0])];
    let mut info = vk::DeviceCreateInfo::default().queue_create_infos(&queues);
    info.p_next = (&raw const first).cast();
    let args = CreateDeviceArgs {
        physical_device: Handle::identity(2),
        p_create_info: &info,
        p_device: NewHandles { ids: &mut [3], raws: &mut [vk::Device::null()] },
    };
    assert_eq!(encoded(|e| args.encode(e, 1)), bytes);
}

const ALLOCATE_MEMORY: &str = "
    15000000           | command 21, vkAllocateMemory
    01000000           | flags: reply wanted
    03000000 00000000  | device: id 3
    01000000 00000000  | pAllocateInfo is there
    05000000           | sType: VK_STRUCTURE_TYPE_MEMORY_ALLOCATE_INFO
    01000000 00000000  | pNext: a node follows
    19ba9c3b           | first node: VK_STRUCTURE_TYPE_MEMORY_DEDICATED_ALLOCATE_INFO
    01000000 00000000  | another follows
    02a6a03b           | second node: VK_STRUCTURE_TYPE_IMPORT_MEMORY_RESOURCE_INFO_MESA
    00000000 00000000  | end of the chain
    07000000           | second node: resourceId
    41000000 00000000  | first node: image: id 0x41
    00000000 00000000  | first node: buffer: null
    00000100 00000000  | the root's own members: allocationSize, 64 KiB
    01000000           | memoryTypeIndex
    00000000 00000000  | pAllocator: null
    01000000 00000000  | pMemory is there
    50000000 00000000  | the id for the memory: 0x50
";

#[test]
fn allocate_memory() {
    let (bytes, arena) = (wire(ALLOCATE_MEMORY), Arena::default());
    assert_eq!(bytes.len(), 116);
    let mut decoder = request(&bytes, &arena, CommandType::ALLOCATE_MEMORY, 1);
    let args = AllocateMemoryArgs::decode(&mut decoder).unwrap();
    assert_eq!(decoder.remaining(), 0);
    assert_eq!(args.device, Handle::identity(3));
    let info = args.p_allocate_info;
    assert_eq!(info.s_type, vk::StructureType::MEMORY_ALLOCATE_INFO);
    let first: &vk::MemoryDedicatedAllocateInfo<'_> = pointee(info.p_next.cast());
    assert_eq!(first.s_type, vk::StructureType::MEMORY_DEDICATED_ALLOCATE_INFO);
    assert_eq!(first.image.as_raw(), 0x41);
    assert_eq!(first.buffer, vk::Buffer::null());
    let second: &vk::ImportMemoryResourceInfoMESA<'_> = pointee(first.p_next.cast());
    assert_eq!(second.s_type.as_raw(), 1_000_384_002);
    assert_eq!(second.resource_id, 7);
    assert!(second.p_next.is_null());
    assert_eq!(info.allocation_size, 64 << 10);
    assert_eq!(info.memory_type_index, 1);
    assert_eq!(args.p_memory.ids, [0x50]);
    assert_eq!(args.p_memory.raws, [vk::DeviceMemory::null()]);

    let second = vk::ImportMemoryResourceInfoMESA { resource_id: 7, ..Default::default() };
    let mut first = vk::MemoryDedicatedAllocateInfo::default().image(vk::Image::from_raw(0x41));
    first.p_next = (&raw const second).cast();
    let mut info = vk::MemoryAllocateInfo::default().allocation_size(64 << 10).memory_type_index(1);
    info.p_next = (&raw const first).cast();
    let args = AllocateMemoryArgs {
        device: Handle::identity(3),
        p_allocate_info: &info,
        p_memory: NewHandles { ids: &mut [0x50], raws: &mut [vk::DeviceMemory::null()] },
    };
    assert_eq!(encoded(|e| args.encode(e, 1)), bytes);
}
