//! Facts of the GPUs, by trying.

use std::fmt::Write as _;

use ash::vk;

use super::{
    super::{
        Config, Instance, Loader, PhysicalDevice,
        extensions::Verdict,
        instance::unusable_because,
        loader::Version,
        memory::{self, SharingMethod, probe},
    },
    facts::{Extensions, Gpu, Library, Memory},
};

/// The Vulkan library and the GPUs that it leads to.
pub(super) fn examine(config: &Config) -> (Result<Library, String>, Result<Vec<Gpu>, String>) {
    let loader = match Loader::of(config) {
        Ok(loader) => loader,
        Err(error) => return (Err(error.to_string()), Err("there is no Vulkan library".to_owned())),
    };
    let library = Library {
        path: loader.path().display().to_string(),
        version: Version(loader.version()).to_string(),
        validation_layer: loader.validation_layer().map(|version| Version(version).to_string()),
    };
    (Ok(library), examine_gpus(&loader, config))
}

fn examine_gpus(loader: &Loader, config: &Config) -> Result<Vec<Gpu>, String> {
    let instance = Instance::for_host(loader, config).map_err(|error| error.to_string())?;
    let gpus = match instance.enumerate() {
        Ok(devices) => Ok(devices.iter().map(|device| examine_gpu(&instance, device)).collect()),
        Err(result) => Err(crate::HostError::driver("vkEnumeratePhysicalDevices failed", result).to_string()),
    };
    instance.destroy();
    gpus
}

fn examine_gpu(instance: &Instance, device: &PhysicalDevice) -> Gpu {
    let properties = device.properties();
    let sync = device.sync();
    Gpu {
        name: device.name(),
        uuid: hexadecimal(&instance.uuid(device.raw())),
        driver: device.driver_name().to_owned(),
        driver_version: Version(device.driver_version()).to_string(),
        is_version_enough: device.driver_version() >= vk::API_VERSION_1_1,
        guest_version: Version(properties.api_version).to_string(),
        is_software: properties.device_type == vk::PhysicalDeviceType::CPU,
        is_portability: device.extensions().has_c(ash::khr::portability_subset::NAME),
        hidden_because: unusable_because(device),
        memory: examine_memory(device),
        native_fences: sync.native_fences,
        native_semaphores: sync.native_semaphores,
        extensions: examine_extensions(device),
    }
}

fn examine_memory(device: &PhysicalDevice) -> Memory {
    let plan = device.memory_plan();
    let failures = plan.attempts().iter();
    let failures = failures.filter_map(|attempt| {
        let reason = attempt.outcome.as_ref().err()?;
        Some((attempt.method.to_string(), reason.clone()))
    });
    let types = memory::types(plan.guest_view()).zip(memory::types(plan.driver_view()));
    Memory {
        way: plan.method().map(|method| method.to_string()),
        is_dma_buf: plan.shares_dma_buf(),
        shared_types: plan.shareable().to_string(),
        failures: failures.collect(),
        for_monitors: probe::for_monitors(device)
            .into_iter()
            .map(|attempt| (attempt.method.to_string(), attempt.outcome.map(|types| types.to_string())))
            .collect(),
        seen: (plan.method() == Some(SharingMethod::Import)).then(|| probe::check_fill(device)),
        has_coherent_type: memory::types(plan.driver_view()).any(|(_, kind)| memory::is_mappable(kind.property_flags)),
        types: types
            .map(|((index, guest), (_, driver))| {
                (index, flag_names(guest.property_flags), guest.property_flags != driver.property_flags)
            })
            .collect(),
    }
}

fn examine_extensions(device: &PhysicalDevice) -> Extensions {
    let mut found = Extensions::default();
    for (extension, verdict) in device.verdicts() {
        match verdict {
            Verdict::Offered(_) => found.offered.push(extension.name),
            Verdict::Emulated(_, how) => found.emulated.push((extension.name, how)),
            Verdict::Withheld(reason) => found.withheld.push((extension.name, reason)),
            Verdict::Absent => found.absent.push(extension.name),
        }
    }
    found
}

fn flag_names(flags: vk::MemoryPropertyFlags) -> String {
    const NAMES: &[(vk::MemoryPropertyFlags, &str)] = &[
        (vk::MemoryPropertyFlags::DEVICE_LOCAL, "DEVICE_LOCAL"),
        (vk::MemoryPropertyFlags::HOST_VISIBLE, "HOST_VISIBLE"),
        (vk::MemoryPropertyFlags::HOST_COHERENT, "HOST_COHERENT"),
        (vk::MemoryPropertyFlags::HOST_CACHED, "HOST_CACHED"),
        (vk::MemoryPropertyFlags::LAZILY_ALLOCATED, "LAZILY_ALLOCATED"),
        (vk::MemoryPropertyFlags::PROTECTED, "PROTECTED"),
    ];
    let names: Vec<&str> = NAMES.iter().filter(|(flag, _)| flags.contains(*flag)).map(|(_, name)| *name).collect();
    if names.is_empty() { "no flags".to_owned() } else { names.join(" | ") }
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_have_their_names() {
        let flags = vk::MemoryPropertyFlags::HOST_VISIBLE | vk::MemoryPropertyFlags::HOST_COHERENT;
        assert_eq!(flag_names(flags), "HOST_VISIBLE | HOST_COHERENT");
        assert_eq!(flag_names(vk::MemoryPropertyFlags::empty()), "no flags");
    }
}
