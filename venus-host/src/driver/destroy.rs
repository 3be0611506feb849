//! Freeing an object by its type.
//!
//! Rolling back a creation, destroying on the guest's request and tearing a device down all end here.

use std::sync::Arc;

use ash::vk::{self, Handle};

use super::{Device, Memory};
use crate::error::object_type_name;

/// One row per type: the entry point that frees it.
macro_rules! free_by_kind {
    ($device:expr, $kind:expr, $raw:expr; $($object:ident, $handle:ident => $proc:ident;)*) => {
        match $kind {
            $(vk::ObjectType::$object => match $device.procs().$proc {
                // SAFETY:
                // - the handle is of this type and device: it comes from the object table or straight from the call
                //   that made it;
                // - it is in no table any more and every endpoint has passed a command boundary since
                //   (`object/reclaim.rs`), so nobody uses it;
                // - allocation callbacks are null, as they were when it was made.
                Some(free) => unsafe { free($device.raw(), vk::$handle::from_raw($raw), std::ptr::null()) },
                None => unreachable_kind($kind),
            },)*
            _ => unreachable_kind($kind),
        }
    };
}

/// Frees an object that was created on its own. Pooled objects go with [`free_command_buffers`] and
/// [`free_descriptor_sets`], memory with [`memory`].
pub(crate) fn object(device: &Device, kind: vk::ObjectType, raw: u64) {
    if kind == vk::ObjectType::IMAGE {
        device.linear_images().remove(vk::Image::from_raw(raw));
    }
    device.made().forget(kind, raw);
    free_by_kind! { device, kind, raw;
        ACCELERATION_STRUCTURE_KHR, AccelerationStructureKHR => destroy_acceleration_structure_khr;
        BUFFER, Buffer => destroy_buffer;
        BUFFER_VIEW, BufferView => destroy_buffer_view;
        COMMAND_POOL, CommandPool => destroy_command_pool;
        DEFERRED_OPERATION_KHR, DeferredOperationKHR => destroy_deferred_operation_khr;
        DESCRIPTOR_POOL, DescriptorPool => destroy_descriptor_pool;
        DESCRIPTOR_SET_LAYOUT, DescriptorSetLayout => destroy_descriptor_set_layout;
        DESCRIPTOR_UPDATE_TEMPLATE, DescriptorUpdateTemplate => destroy_descriptor_update_template;
        DEVICE_MEMORY, DeviceMemory => free_memory;
        EVENT, Event => destroy_event;
        FENCE, Fence => destroy_fence;
        FRAMEBUFFER, Framebuffer => destroy_framebuffer;
        IMAGE, Image => destroy_image;
        IMAGE_VIEW, ImageView => destroy_image_view;
        PIPELINE, Pipeline => destroy_pipeline;
        PIPELINE_CACHE, PipelineCache => destroy_pipeline_cache;
        PIPELINE_LAYOUT, PipelineLayout => destroy_pipeline_layout;
        PRIVATE_DATA_SLOT, PrivateDataSlot => destroy_private_data_slot;
        QUERY_POOL, QueryPool => destroy_query_pool;
        RENDER_PASS, RenderPass => destroy_render_pass;
        SAMPLER, Sampler => destroy_sampler;
        SAMPLER_YCBCR_CONVERSION, SamplerYcbcrConversion => destroy_sampler_ycbcr_conversion;
        SEMAPHORE, Semaphore => destroy_semaphore;
        SHADER_MODULE, ShaderModule => destroy_shader_module;
    }
}

/// An object exists, so its type was created through an entry point; that the driver has one for creating and none for
/// destroying is its bug.
#[cold]
fn unreachable_kind(kind: vk::ObjectType) {
    tracing::error!("the driver has no way to destroy a {}: leaked", object_type_name(kind));
}

/// Frees an allocation, then its storage. What is mapped for a monitor in this process is freed with the last mapping.
pub(crate) fn memory(device: &Device, memory: Arc<Memory>) {
    if !memory.free_after_mappings() {
        object(device, vk::ObjectType::DEVICE_MEMORY, memory.raw().as_raw());
    }
    drop(memory);
}

/// vkFreeCommandBuffers.
pub(crate) fn free_command_buffers(device: &Device, pool: vk::CommandPool, buffers: &[vk::CommandBuffer]) {
    // SAFETY: the buffers were allocated from the pool, are in no table any more, and no endpoint uses them.
    unsafe { device.fns().free_command_buffers(pool, buffers) };
}

/// vkFreeDescriptorSets.
pub(crate) fn free_descriptor_sets(device: &Device, pool: vk::DescriptorPool, sets: &[vk::DescriptorSet]) {
    device.made().forget_sets(sets);
    // SAFETY: as for command buffers.
    if let Err(result) = unsafe { device.fns().free_descriptor_sets(pool, sets) } {
        tracing::warn!("vkFreeDescriptorSets: {result}");
    }
}

/// Gives objects back to their pool that nobody has seen.
pub(crate) fn pooled<H: Handle + Copy>(device: &Device, pool: u64, objects: &[H]) {
    let raws = objects.iter().map(|object| object.as_raw());
    match H::TYPE {
        vk::ObjectType::COMMAND_BUFFER => {
            let buffers: Vec<_> = raws.map(vk::CommandBuffer::from_raw).collect();
            free_command_buffers(device, vk::CommandPool::from_raw(pool), &buffers);
        }
        vk::ObjectType::DESCRIPTOR_SET => {
            let sets: Vec<_> = raws.map(vk::DescriptorSet::from_raw).collect();
            free_descriptor_sets(device, vk::DescriptorPool::from_raw(pool), &sets);
        }
        kind => unreachable_kind(kind),
    }
}

/// vkDestroyDevice. All children are gone and the device is idle. While memory of it is mapped for a monitor in this
/// process, it is put off.
pub(crate) fn device(device: &Device) {
    if !device.mapped_allocations().end() {
        device_now(device);
    }
}

/// vkDestroyDevice. All children are gone, mapped memory included.
pub(super) fn device_now(device: &Device) {
    // SAFETY: the teardown in `handlers/device.rs` waits for idle and frees the children first; the device is in no
    // table any more.
    unsafe { device.fns().destroy_device(None) };
    device.physical().device_destroyed();
}
