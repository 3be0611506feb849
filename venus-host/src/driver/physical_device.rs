//! What a physical device is, and what a guest is told about it.

use std::sync::OnceLock;

use ash::vk;
use parking_lot::Mutex;
use venus_protocol::Level;

use super::{
    Config, PipelineCaches, Profile,
    descriptor_heap::{self, HeapLimits},
    extensions::{self, ExtensionList, Verdict},
    external::SyncSupport,
    loader::clamp_version,
    memory::{MemoryChoice, MemoryPlan, SharedMemory, Transport, probe},
    sparse::{self, GpuId},
};

/// `VK_DRIVER_ID_MESA_KOSMICKRISP`, which is newer than the types.
pub(super) const KOSMICKRISP: vk::DriverId = vk::DriverId::from_raw(28);

/// One physical device of a guest's instance. Facts that never change are asked for once.
pub(crate) struct PhysicalDevice {
    raw: vk::PhysicalDevice,
    /// Entry points of the instance. The instance itself outlives every user of this, since a context destroys it last.
    instance: ash::Instance,
    properties: vk::PhysicalDeviceProperties,
    driver_version: u32,
    driver_id: vk::DriverId,
    driver_name: String,
    queue_families: Vec<vk::QueueFamilyProperties>,
    extensions: ExtensionList,
    sync: SyncSupport,
    profile: Profile,
    memory: MemoryChoice,
    transport: Transport,
    protocol: Level,
    caches: PipelineCaches,
    /// Whether the instance has VK_EXT_debug_utils, which it has for validation.
    names_objects: bool,
    plan: OnceLock<MemoryPlan>,
    /// What somebody has found out about the plan before.
    shared_memory: Option<SharedMemory>,
    heap_limits: OnceLock<HeapLimits>,
    /// Places for buffers of transform feedback.
    feedback_buffers: u32,
    /// The driver has sparse binding, and nobody has seen it work with imported memory.
    has_unproven_sparse: bool,
    devices: Mutex<Devices>,
}

/// Devices of one physical device.
#[derive(Default)]
struct Devices {
    /// Those that exist, of the guest's. One that cannot be destroyed counts for ever.
    count: usize,
    /// What is put off until there are none.
    afterwards: Option<Box<dyn FnOnce() + Send>>,
}

impl PhysicalDevice {
    pub(super) fn new(instance: &ash::Instance, raw: vk::PhysicalDevice, config: &Config) -> Result<Self, vk::Result> {
        // SAFETY: (and for the next two) `raw` was just enumerated from `instance`, and there are no other
        // preconditions.
        let mut properties = unsafe { instance.get_physical_device_properties(raw) };
        // SAFETY: as above.
        let mut queue_families = unsafe { instance.get_physical_device_queue_family_properties(raw) };
        queue_families.iter_mut().for_each(|family| config.profile.restrict_family(family));
        // SAFETY: as above.
        let listed = unsafe { instance.enumerate_device_extension_properties(raw)? };
        let listed = listed.iter().filter_map(|extension| {
            let name = extension.extension_name_as_c_str().ok()?.to_str().ok()?;
            (!config.profile.hides(name)).then(|| (name.to_owned(), extension.spec_version))
        });
        let extensions = ExtensionList::new(listed);
        let driver_version = properties.api_version;
        let (driver_id, driver_name) = driver_of(instance, raw, driver_version, &extensions);
        let feedback_buffers = feedback_buffers(instance, raw, &extensions);
        properties.api_version = clamp_version(driver_version);
        Ok(Self {
            raw,
            instance: instance.clone(),
            properties,
            driver_version,
            driver_id,
            driver_name,
            queue_families,
            sync: SyncSupport::of(instance, raw, &extensions),
            extensions,
            profile: config.profile,
            memory: config.memory,
            transport: config.transport,
            protocol: config.protocol,
            caches: config.pipeline_caches.clone(),
            names_objects: false,
            plan: OnceLock::new(),
            shared_memory: known_memory(instance, raw, &config.shared_memory),
            heap_limits: OnceLock::new(),
            feedback_buffers,
            has_unproven_sparse: !config.profile.hides_sparse() && sparse::has_unproven(instance, raw, &config.sparse),
            devices: Mutex::default(),
        })
    }

    /// The same, whose devices give names to their objects if `names_objects`.
    pub(super) fn naming_objects(self, names_objects: bool) -> Self {
        Self { names_objects, ..self }
    }

    pub(super) fn names_objects(&self) -> bool {
        self.names_objects
    }

    pub(crate) fn raw(&self) -> vk::PhysicalDevice {
        self.raw
    }

    pub(crate) fn instance(&self) -> &ash::Instance {
        &self.instance
    }

    /// The properties, with the version clamped to what the protocol can carry.
    pub(crate) fn properties(&self) -> &vk::PhysicalDeviceProperties {
        &self.properties
    }

    /// What becomes of pipeline-cache data.
    pub(super) fn caches(&self) -> &PipelineCaches {
        &self.caches
    }

    /// The GPU's name.
    pub(crate) fn name(&self) -> String {
        self.properties.device_name_as_c_str().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
    }

    /// Which driver it is, as far as it tells.
    pub(crate) fn driver_id(&self) -> vk::DriverId {
        self.driver_id
    }

    /// The driver's name and version, as far as it tells.
    pub(crate) fn driver_name(&self) -> &str {
        &self.driver_name
    }

    /// Whether the driver is made of Metal, or pretends to be.
    pub(super) fn is_metal(&self) -> bool {
        self.profile != Profile::Native || [vk::DriverId::MOLTENVK, KOSMICKRISP].contains(&self.driver_id)
    }

    /// The driver's own Vulkan version.
    pub(crate) fn driver_version(&self) -> u32 {
        self.driver_version
    }

    pub(crate) fn queue_families(&self) -> &[vk::QueueFamilyProperties] {
        &self.queue_families
    }

    /// The first queue family that can do any of this.
    pub(super) fn family_with(&self, any: vk::QueueFlags) -> Option<u32> {
        let mut families = (0..).zip(&self.queue_families);
        families.find(|(_, family)| family.queue_flags.intersects(any)).map(|(index, _)| index)
    }

    /// The driver's extensions, less what the profile hides.
    pub(crate) fn extensions(&self) -> &ExtensionList {
        &self.extensions
    }

    pub(crate) fn sync(&self) -> SyncSupport {
        self.sync
    }

    pub(crate) fn profile(&self) -> Profile {
        self.profile
    }

    /// Notes that the guest has one more device of it.
    pub(super) fn device_created(&self) {
        let mut devices = self.devices.lock();
        devices.count = devices.count.saturating_add(1);
    }

    /// Notes that one of them is gone, and does what was put off until then.
    pub(super) fn device_destroyed(&self) {
        let mut devices = self.devices.lock();
        devices.count = devices.count.saturating_sub(1);
        let afterwards = if devices.count == 0 { devices.afterwards.take() } else { None };
        drop(devices);
        if let Some(afterwards) = afterwards {
            afterwards();
        }
    }

    /// Whether the guest has devices of it.
    pub(super) fn has_devices(&self) -> bool {
        self.devices.lock().count != 0
    }

    /// Puts something off until the guest has no devices of it. `false` if it has none now.
    pub(super) fn after_devices(&self, afterwards: impl FnOnce() + Send + 'static) -> bool {
        let mut devices = self.devices.lock();
        if devices.count == 0 {
            return false;
        }
        devices.afterwards = Some(Box::new(afterwards));
        true
    }

    /// deviceUUID and driverUUID.
    pub(crate) fn uuids(&self) -> ([u8; vk::UUID_SIZE], [u8; vk::UUID_SIZE]) {
        uuids(&self.instance, self.raw)
    }

    /// The ways of sharing memory that the configuration admits, in order.
    pub(crate) fn memory_choice(&self) -> (MemoryChoice, Transport) {
        (self.memory, self.transport)
    }

    /// The level of the protocol that its guest is served at.
    pub(super) fn protocol(&self) -> Level {
        self.protocol
    }

    /// Whether an extension is one of that level, whatever the driver has.
    pub(super) fn knows_extension(&self, name: &std::ffi::CStr) -> bool {
        name.to_str().is_ok_and(|name| self.protocol.extensions().any(|extension| extension.name == name))
    }

    /// What somebody has found out about how memory of this device reaches guests.
    pub(crate) fn shared_memory(&self) -> Option<&SharedMemory> {
        self.shared_memory.as_ref()
    }

    /// How memory of this device reaches the guest. Unless somebody has done so before, the first call finds out, with a
    /// device of its own, which takes milliseconds.
    pub(crate) fn memory_plan(&self) -> &MemoryPlan {
        self.plan.get_or_init(|| probe::plan(self))
    }

    /// Whether the driver has sparse binding that nobody has seen work with imported memory.
    pub(super) fn has_unproven_sparse(&self) -> bool {
        self.has_unproven_sparse
    }

    /// Every extension of the level and what becomes of it here.
    pub(crate) fn verdicts(&self) -> impl Iterator<Item = (&'static venus_protocol::Extension, Verdict)> {
        extensions::verdicts(self.protocol, &self.extensions, self.memory_plan().shares_dma_buf())
    }

    /// How many buffers vertices can be written to.
    pub(super) fn feedback_buffers(&self) -> u32 {
        self.feedback_buffers
    }

    /// What bounds the sizes that guests name in commands of descriptor heaps; none if the driver has no such heaps.
    pub(super) fn heap_limits(&self) -> Option<&HeapLimits> {
        let has_heaps = self.extensions.has_c(descriptor_heap::NAME);
        has_heaps.then(|| self.heap_limits.get_or_init(|| HeapLimits::of(self)))
    }

    /// The extensions that the guest is told, with their versions.
    pub(crate) fn offered_extensions(&self) -> Vec<vk::ExtensionProperties> {
        self.verdicts()
            .filter_map(|(extension, verdict)| Some(extensions::properties(extension, verdict.offered()?)))
            .collect()
    }
}

impl std::fmt::Debug for PhysicalDevice {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PhysicalDevice")
            .field("name", &self.name())
            .field("driver", &self.driver_name)
            .finish_non_exhaustive()
    }
}

/// What is known of the memory of a physical device.
fn known_memory(instance: &ash::Instance, raw: vk::PhysicalDevice, known: &[SharedMemory]) -> Option<SharedMemory> {
    if known.is_empty() {
        return None;
    }
    let gpu = GpuId::of(uuids(instance, raw));
    known.iter().find(|known| known.is_of(gpu)).cloned()
}

/// deviceUUID and driverUUID of one of an instance's physical devices.
pub(super) fn uuids(instance: &ash::Instance, raw: vk::PhysicalDevice) -> ([u8; vk::UUID_SIZE], [u8; vk::UUID_SIZE]) {
    let mut id = vk::PhysicalDeviceIDProperties::default();
    let mut properties = vk::PhysicalDeviceProperties2::default().push_next(&mut id);
    // SAFETY: both structures are core in version 1.1, which the instance has.
    unsafe { instance.get_physical_device_properties2(raw, &mut properties) };
    (id.device_uuid, id.driver_uuid)
}

/// How many places for buffers of transform feedback a driver has.
fn feedback_buffers(instance: &ash::Instance, raw: vk::PhysicalDevice, extensions: &ExtensionList) -> u32 {
    if !extensions.has_c(ash::ext::transform_feedback::NAME) {
        return 0;
    }
    let mut feedback = vk::PhysicalDeviceTransformFeedbackPropertiesEXT::default();
    let mut properties = vk::PhysicalDeviceProperties2::default().push_next(&mut feedback);
    // SAFETY: as in `driver_of`; the driver has the structure's extension.
    unsafe { instance.get_physical_device_properties2(raw, &mut properties) };
    feedback.max_transform_feedback_buffers
}

/// Which driver it is, and its name and version for people.
fn driver_of(
    instance: &ash::Instance,
    raw: vk::PhysicalDevice,
    version: u32,
    extensions: &ExtensionList,
) -> (vk::DriverId, String) {
    if version < vk::API_VERSION_1_2 && !extensions.has_c(ash::khr::driver_properties::NAME) {
        return (vk::DriverId::default(), "unknown driver".to_owned());
    }
    let mut driver = vk::PhysicalDeviceDriverProperties::default();
    let mut properties = vk::PhysicalDeviceProperties2::default().push_next(&mut driver);
    // SAFETY: the instance is at least version 1.1, which has this call; the structure in the chain is known to the
    // driver by version or extension, as checked above.
    unsafe { instance.get_physical_device_properties2(raw, &mut properties) };
    let text =
        |name: Result<&std::ffi::CStr, _>| name.map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let name = format!("{} {}", text(driver.driver_name_as_c_str()), text(driver.driver_info_as_c_str()));
    (driver.driver_id, name)
}
