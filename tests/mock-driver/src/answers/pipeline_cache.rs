//! The data of pipeline caches.

use std::ffi::c_void;

use venus_protocol::vk;

use super::noted;
use crate::STATE;

/// Bytes of `VkPipelineCacheHeaderVersionOne`, of which a driver writes all or nothing.
const HEADER_BYTES: usize = 32;

pub(super) unsafe extern "system" fn get_pipeline_cache_data(
    device: vk::Device,
    pipeline_cache: vk::PipelineCache,
    p_data_size: *mut usize,
    p_data: *mut c_void,
) -> vk::Result {
    let result =
        noted!("vkGetPipelineCacheData" as vk::PFN_vkGetPipelineCacheData, device, pipeline_cache, p_data_size, p_data);
    let Some(data) = STATE.lock().cache_data.clone().filter(|_| result == vk::Result::SUCCESS) else { return result };
    // SAFETY: the caller passes the size and room for as much.
    let room = if p_data.is_null() { data.len() } else { unsafe { p_data_size.read() } };
    let written = if room < HEADER_BYTES { 0 } else { room.min(data.len()) };
    if !p_data.is_null() {
        // SAFETY: as above, and nobody else has seen the copy.
        unsafe { p_data.cast::<u8>().copy_from_nonoverlapping(data.as_ptr(), written) };
    }
    // SAFETY: as above.
    unsafe { p_data_size.write(written) };
    if written < data.len() { vk::Result::INCOMPLETE } else { vk::Result::SUCCESS }
}
