//! What this host's GPUs can give a guest, found out by trying.
//!
//! Nothing here is looked up in a list of known drivers: memory is shared, a GPU writes to it, and what worked is
//! reported. The lists of extensions are the very ones that guests are answered from. `venus doctor` prints it all.

use std::fmt::Write as _;

use ash::vk;

use super::{
    Config, Instance, Level, Loader, PhysicalDevice,
    extensions::Verdict,
    family::{self, Abilities},
    instance::unusable_because,
    loader::Version,
    memory::{self, SharingMethod, fill, probe},
    sparse, validation,
};

/// What to do where [`Library::validation_layer`] is missing.
pub const HOW_TO_GET_VALIDATION: &str = validation::HOW_TO_GET;

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Survey {
    /// The Vulkan library, or why there is none.
    pub library: Result<Library, String>,
    /// The GPUs that the configuration admits, or why none can be listed.
    pub gpus: Result<Vec<Gpu>, String>,
}

/// The Vulkan library.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Library {
    /// Where it was found.
    pub path: String,
    /// Its version of Vulkan.
    pub version: String,
    /// Version of the validation layer, where that is installed.
    pub validation_layer: Option<String>,
}

/// One GPU.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Gpu {
    /// Its name, as the driver tells.
    pub name: String,
    /// Its `deviceUUID`, in hexadecimal digits.
    pub uuid: String,
    /// The driver's name and version, as it tells.
    pub driver: String,
    /// The driver's Vulkan version.
    pub driver_version: String,
    /// Whether that is new enough for guests.
    pub is_version_enough: bool,
    /// The version that guests see, at most.
    pub guest_version: String,
    /// A driver that renders on the CPU.
    pub is_software: bool,
    /// A driver that is not fully conformant (VK_KHR_portability_subset).
    pub is_portability: bool,
    /// Why guests do not see it, if so.
    pub hidden_because: Option<String>,
    /// How its memory reaches guests.
    pub memory: Memory,
    /// Whether the driver itself exports fences as SYNC_FD.
    pub native_fences: bool,
    /// Whether the driver itself exports semaphores as SYNC_FD.
    pub native_semaphores: bool,
    /// The families of its queues.
    pub families: Vec<Family>,
    /// What becomes of sparse binding.
    pub sparse: Sparse,
    /// What becomes of each extension of the protocol.
    pub extensions: Extensions,
}

/// A family of queues.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Family {
    /// What its queues can do, as guests are told.
    pub abilities: String,
    /// How many queues it has.
    pub queues: u32,
    /// What the driver has there and guests have not, with why.
    pub withheld: Vec<(&'static str, &'static str)>,
}

/// What becomes of sparse binding.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Sparse {
    /// The driver does not have it.
    #[default]
    Absent,
    /// Guests have it.
    Offered,
    /// The driver has it, and guests do not, for this reason.
    Withheld(&'static str),
}

/// How a GPU's memory reaches guests.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Memory {
    /// The ways that are used, and the types that are shared in each, as a list. None where nothing can be shared.
    pub ways: Vec<(String, String)>,
    /// Whether one of them is dma-buf export.
    pub is_dma_buf: bool,
    /// Ways that do not work, and why.
    pub failures: Vec<(String, String)>,
    /// Ways that take a virtual machine monitor, and the types they would share or why they would not work.
    pub for_monitors: Vec<(String, Result<String, String>)>,
    /// Whether the GPU's writes were seen through a second mapping, in how many types; only looked at for imported
    /// memory.
    pub seen: Option<Result<u32, String>>,
    /// Whether the driver has a type that is HOST_VISIBLE and HOST_COHERENT.
    pub has_coherent_type: bool,
    /// All types: index, flags as guests see them, and whether guests see less than the driver has.
    pub types: Vec<(u32, String, bool)>,
}

/// What becomes of each extension of the protocol.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Extensions {
    /// Offered as they are.
    pub offered: Vec<&'static str>,
    /// Offered, and emulated by the host where the driver lacks them; with how.
    pub emulated: Vec<(&'static str, &'static str)>,
    /// Not offered although the driver has them; with why.
    pub withheld: Vec<(&'static str, &'static str)>,
    /// Those that the driver lacks.
    pub absent: Vec<&'static str>,
    /// Of those offered, the ones that not every guest knows: the level of the protocol that they came with.
    pub since: Vec<(&'static str, Level)>,
}

/// Looks at everything. Takes a second or so: drivers are loaded and devices created.
#[must_use]
pub fn survey(config: &Config) -> Survey {
    let loader = match Loader::of(config) {
        Ok(loader) => loader,
        Err(error) => {
            return Survey { library: Err(error.to_string()), gpus: Err("there is no Vulkan library".to_owned()) };
        }
    };
    let library = Library {
        path: loader.path().display().to_string(),
        version: Version(loader.version()).to_string(),
        validation_layer: loader.validation_layer().map(|version| Version(version).to_string()),
    };
    Survey { library: Ok(library), gpus: examine_gpus(&loader, config) }
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
        families: device.queue_families().iter().map(|family| examine_family(device, family)).collect(),
        sparse: match (device.has_sparse(), device.withholds_sparse()) {
            (false, _) => Sparse::Absent,
            (true, false) => Sparse::Offered,
            (true, true) => Sparse::Withheld(sparse::WITHHELD),
        },
        extensions: examine_extensions(device),
    }
}

fn examine_family(device: &PhysicalDevice, driver: &vk::QueueFamilyProperties) -> Family {
    let mut guest = *driver;
    device.restrict_family(&mut guest);
    let mut withheld = Vec::new();
    if guest.queue_flags != driver.queue_flags {
        withheld.push(("sparse binding", sparse::WITHHELD));
    }
    if guest.timestamp_valid_bits != driver.timestamp_valid_bits {
        withheld.push(("timestamps", family::NO_COPIES));
    }
    Family { abilities: Abilities(guest.queue_flags).to_string(), queues: guest.queue_count, withheld }
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
        ways: plan.ways().map(|(method, types)| (method.to_string(), types.to_string())).collect(),
        is_dma_buf: plan.shares_dma_buf(),
        failures: failures.collect(),
        for_monitors: probe::for_monitors(device)
            .into_iter()
            .map(|attempt| (attempt.method.to_string(), attempt.outcome.map(|types| types.to_string())))
            .collect(),
        seen: plan.shares_by(SharingMethod::Import).then(|| fill::check_fill(device)),
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
        if verdict.offered().is_some() && extension.since > Level::OLDEST {
            found.since.push((extension.name, extension.since));
        }
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
