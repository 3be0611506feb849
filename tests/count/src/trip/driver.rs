//! A driver that does nothing of what is counted, and is the noting driver for all else: a note takes longer than the
//! host.
#![expect(unsafe_code, reason = "a driver is functions that are called by pointers")]

use std::ffi::{CStr, c_char};

use mock_driver::Mock;
use venus_host::driver::EntryPoint;
use venus_protocol::vk;

/// A function whose type its caller knows by its name.
type Function = unsafe extern "system" fn();

/// Where the host finds everything.
pub(super) fn entry_point(mock: &Mock) -> EntryPoint {
    // There is one such driver for each process, so its entry point is a constant.
    let _ = NOTING.set(mock.entry_point());
    // SAFETY:
    // - what the noting driver gives has the signatures that ash declares and does what the specification asks of it, as
    //   `Mock::entry_point` says, and so do the functions of this module, by the types that `quiet!` checks;
    // - all of them are functions of this program.
    unsafe { EntryPoint::new(get_instance_proc_addr) }
}

static NOTING: std::sync::OnceLock<vk::PFN_vkGetInstanceProcAddr> = std::sync::OnceLock::new();

/// Declares functions that do nothing: the type, and the name that it is found under.
macro_rules! quiet {
    ($($name:literal: $ty:ty = $function:expr;)+) => {
        const QUIET: &[(&CStr, Function)] = &[$((
            $name,
            {
                const FUNCTION: $ty = $function;
                // SAFETY: both are function pointers; whoever asked for the name calls it as what it is.
                unsafe { std::mem::transmute::<$ty, Function>(FUNCTION) }
            },
        )),+];
    };
}

quiet! {
    c"vkGetDeviceProcAddr": vk::PFN_vkGetDeviceProcAddr = get_device_proc_addr;
    c"vkCmdSetLineWidth": vk::PFN_vkCmdSetLineWidth = cmd_set_line_width;
    c"vkCmdDraw": vk::PFN_vkCmdDraw = cmd_draw;
    c"vkCmdBindDescriptorSets": vk::PFN_vkCmdBindDescriptorSets = cmd_bind_descriptor_sets;
    c"vkCmdPushConstants": vk::PFN_vkCmdPushConstants = cmd_push_constants;
    c"vkUpdateDescriptorSets": vk::PFN_vkUpdateDescriptorSets = update_descriptor_sets;
    c"vkCmdBindVertexBuffers": vk::PFN_vkCmdBindVertexBuffers = cmd_bind_vertex_buffers;
    c"vkCmdCopyBuffer": vk::PFN_vkCmdCopyBuffer = cmd_copy_buffer;
    c"vkQueueSubmit": vk::PFN_vkQueueSubmit = queue_submit;
    c"vkGetDescriptorSetLayoutSupport": vk::PFN_vkGetDescriptorSetLayoutSupport = get_descriptor_set_layout_support;
}

/// A function of this module, or the noting driver's.
///
/// # Safety
///
/// As for `vkGetInstanceProcAddr`.
unsafe extern "system" fn get_instance_proc_addr(
    instance: vk::Instance,
    name: *const c_char,
) -> vk::PFN_vkVoidFunction {
    // SAFETY: the caller gives a string that ends.
    let wanted = unsafe { CStr::from_ptr(name) };
    let quiet = QUIET.iter().find(|(name, _)| *name == wanted).map(|(_, function)| *function);
    // SAFETY: the arguments are the caller's, for a function of the same contract.
    quiet.or_else(|| unsafe { NOTING.get()?(instance, name) })
}

unsafe extern "system" fn get_device_proc_addr(_: vk::Device, name: *const c_char) -> vk::PFN_vkVoidFunction {
    // SAFETY: the caller gives a string that ends; both drivers find everything by its name alone.
    unsafe { get_instance_proc_addr(vk::Instance::null(), name) }
}

unsafe extern "system" fn cmd_set_line_width(_: vk::CommandBuffer, _: f32) {}

unsafe extern "system" fn cmd_draw(_: vk::CommandBuffer, _: u32, _: u32, _: u32, _: u32) {}

unsafe extern "system" fn cmd_bind_vertex_buffers(
    _: vk::CommandBuffer,
    _: u32,
    _: u32,
    _: *const vk::Buffer,
    _: *const vk::DeviceSize,
) {
}

unsafe extern "system" fn cmd_copy_buffer(
    _: vk::CommandBuffer,
    _: vk::Buffer,
    _: vk::Buffer,
    _: u32,
    _: *const vk::BufferCopy,
) {
}

unsafe extern "system" fn cmd_bind_descriptor_sets(
    _: vk::CommandBuffer,
    _: vk::PipelineBindPoint,
    _: vk::PipelineLayout,
    _: u32,
    _: u32,
    _: *const vk::DescriptorSet,
    _: u32,
    _: *const u32,
) {
}

unsafe extern "system" fn cmd_push_constants(
    _: vk::CommandBuffer,
    _: vk::PipelineLayout,
    _: vk::ShaderStageFlags,
    _: u32,
    _: u32,
    _: *const std::ffi::c_void,
) {
}

unsafe extern "system" fn update_descriptor_sets(
    _: vk::Device,
    _: u32,
    _: *const vk::WriteDescriptorSet<'_>,
    _: u32,
    _: *const vk::CopyDescriptorSet<'_>,
) {
}

unsafe extern "system" fn queue_submit(_: vk::Queue, _: u32, _: *const vk::SubmitInfo<'_>, _: vk::Fence) -> vk::Result {
    vk::Result::SUCCESS
}

unsafe extern "system" fn get_descriptor_set_layout_support(
    _: vk::Device,
    _: *const vk::DescriptorSetLayoutCreateInfo<'_>,
    _: *mut vk::DescriptorSetLayoutSupport<'_>,
) {
}
