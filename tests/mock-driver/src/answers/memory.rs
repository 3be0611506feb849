//! Memory, mapped and passed on.

use std::{
    cell::UnsafeCell,
    ffi::{c_int, c_void},
    os::fd::{FromRawFd as _, IntoRawFd as _, OwnedFd},
};

use venus_protocol::{vk, wire::CommandType};

use super::{super::STATE, find, note, noted, write};

/// Bytes behind a dma-buf that is exported.
const DMA_BUF: u64 = 1 << 20;

/// What all memory is mapped to: nobody looks at it.
#[repr(align(65536))]
struct Room(UnsafeCell<[u8; 1 << 20]>);

// SAFETY: nobody reads or writes it.
unsafe impl Sync for Room {}

static ROOM: Room = Room(UnsafeCell::new([0; 1 << 20]));

pub(super) unsafe extern "system" fn get_buffer_memory_requirements(
    device: vk::Device,
    buffer: vk::Buffer,
    answer: *mut vk::MemoryRequirements,
) {
    noted!("vkGetBufferMemoryRequirements" as vk::PFN_vkGetBufferMemoryRequirements, device, buffer, answer);
    let needs = vk::MemoryRequirements { size: 4096, alignment: 4096, memory_type_bits: 1 };
    // SAFETY: it is where the caller wants it.
    unsafe { write(answer, needs) };
}

/// Images fit into memory of any type.
fn image_needs() -> vk::MemoryRequirements {
    let memory_type_bits = (1 << STATE.lock().offers.memory.len()) - 1;
    vk::MemoryRequirements { size: 4096, alignment: 4096, memory_type_bits }
}

pub(super) unsafe extern "system" fn get_image_memory_requirements(
    device: vk::Device,
    image: vk::Image,
    answer: *mut vk::MemoryRequirements,
) {
    noted!("vkGetImageMemoryRequirements" as vk::PFN_vkGetImageMemoryRequirements, device, image, answer);
    // SAFETY: it is where the caller wants it.
    unsafe { write(answer, image_needs()) };
}

pub(super) unsafe extern "system" fn get_image_memory_requirements2(
    device: vk::Device,
    info: *const vk::ImageMemoryRequirementsInfo2<'_>,
    answer: *mut vk::MemoryRequirements2<'_>,
) {
    noted!("vkGetImageMemoryRequirements2" as vk::PFN_vkGetImageMemoryRequirements2, device, info, answer);
    // SAFETY: the caller passes one.
    unsafe { (*answer).memory_requirements = image_needs() };
}

pub(super) unsafe extern "system" fn get_device_image_memory_requirements(
    device: vk::Device,
    info: *const vk::DeviceImageMemoryRequirements<'_>,
    answer: *mut vk::MemoryRequirements2<'_>,
) {
    noted!("vkGetDeviceImageMemoryRequirements" as vk::PFN_vkGetDeviceImageMemoryRequirements, device, info, answer);
    // SAFETY: the caller passes one.
    unsafe { (*answer).memory_requirements = image_needs() };
}

pub(super) unsafe extern "system" fn allocate_memory(
    device: vk::Device,
    info: *const vk::MemoryAllocateInfo<'_>,
    allocator: *const vk::AllocationCallbacks<'_>,
    answer: *mut vk::DeviceMemory,
) -> vk::Result {
    let result = noted!("vkAllocateMemory" as vk::PFN_vkAllocateMemory, device, info, allocator, answer);
    // SAFETY: the caller passes one.
    let info = unsafe { &*info };
    // SAFETY: its chain is as Vulkan has it.
    let import = unsafe { find::<vk::ImportMemoryFdInfoKHR<'_>>(info.p_next) };
    // A driver takes over what it has imported. This one has no use for it.
    if let (vk::Result::SUCCESS, Some(import)) = (result, import) {
        // SAFETY: it is in that chain.
        let fd = unsafe { import.as_ref() }.fd;
        // SAFETY: it is open, and the caller has given it away.
        drop(unsafe { OwnedFd::from_raw_fd(fd) });
    }
    result
}

pub(super) unsafe extern "system" fn map_memory(
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

pub(super) unsafe extern "system" fn get_memory_fd(
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

pub(super) unsafe extern "system" fn get_memory_fd_properties(
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
pub(super) unsafe extern "system" fn get_memory_host_pointer_properties(
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

#[cfg(test)]
mod tests {
    use std::{
        io::Read as _,
        os::{fd::IntoRawFd as _, unix::net::UnixStream},
        ptr,
        time::Duration,
    };

    use super::*;
    use crate::Mock;

    #[test]
    fn a_descriptor_that_is_imported_is_the_drivers() {
        let _mock = Mock::take();
        let (mut kept, given) = UnixStream::pair().unwrap();
        kept.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
        let mut import = vk::ImportMemoryFdInfoKHR::default().fd(given.into_raw_fd());
        let info = vk::MemoryAllocateInfo::default().push_next(&mut import);
        let mut memory = vk::DeviceMemory::null();
        // SAFETY: all of it lives during the call; the driver is the test's, and has no devices.
        let result = unsafe { allocate_memory(vk::Device::null(), &info, ptr::null(), &mut memory) };
        assert_eq!(result, vk::Result::SUCCESS);
        // Nobody has the other end any more.
        assert_eq!(kept.read(&mut [0]).unwrap(), 0);
    }
}
