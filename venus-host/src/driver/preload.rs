//! Loading the drivers of the machine before a guest needs them.
//!
//! Nearly all of the time that a guest's vkCreateInstance takes in a fresh process goes into loading the drivers'
//! libraries: 20 ms for lavapipe, 100 ms for NVIDIA's driver. The Vulkan loader holds them for as long as there is an
//! instance, so one is created and kept. Some drivers open the GPU then, which keeps it awake: NVIDIA's does.

use ash::vk;

use super::{Config, Loader};
use crate::error::HostError;

/// Loads the Vulkan library and the drivers that it finds, for the rest of the process. Best done in a process that was
/// started for one guest, before the guest is there.
///
/// # Errors
///
/// There is no library, or no driver. A guest will be told the same, later.
pub fn preload(config: &Config) -> Result<(), HostError> {
    let loader = Loader::of(config)?;
    let extensions = [ash::khr::portability_enumeration::NAME.as_ptr()];
    let portable = vk::InstanceCreateInfo::default()
        .flags(vk::InstanceCreateFlags::ENUMERATE_PORTABILITY_KHR)
        .enabled_extension_names(&extensions);
    let plain = vk::InstanceCreateInfo::default();
    // SAFETY: both structures, and what they point to, are local and live during the call.
    let create = |info: &vk::InstanceCreateInfo<'_>| unsafe { loader.entry().create_instance(info, None) };
    let created = match create(&portable) {
        Err(vk::Result::ERROR_EXTENSION_NOT_PRESENT) => create(&plain),
        created => created,
    };
    // Never destroyed: with the last instance the loader would let go of the drivers.
    created.map(drop).map_err(|result| HostError::driver("cannot load the drivers: vkCreateInstance", result))
}
