//! A guest's instance.

use std::{
    ffi::CStr,
    fmt,
    str::FromStr,
    sync::{Arc, OnceLock},
};

use ash::vk::{self, Handle};
use parking_lot::Mutex;
use venus_protocol::procs::{Level, Procs};

use super::{
    API_CEILING, Config, Failure, Loader, PhysicalDevice,
    loader::Version,
    validation::{self, Findings},
};
use crate::{HostError, error::GUEST_DRIVER};

/// Which physical devices a guest sees.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum GpuChoice {
    /// All of them.
    #[default]
    All,
    /// The one at this position of `venus doctor`'s list.
    Index(usize),
    /// Those with this text in their name, in any case.
    Name(String),
    /// The one with this `deviceUUID`.
    Uuid([u8; vk::UUID_SIZE]),
}

impl FromStr for GpuChoice {
    type Err = std::convert::Infallible;

    /// A number is a position, 32 hexadecimal digits (hyphens aside) are a UUID, `all` is all, anything else is part of
    /// a name.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == "all" {
            return Ok(Self::All);
        }
        if let Ok(index) = text.parse() {
            return Ok(Self::Index(index));
        }
        Ok(parse_uuid(text).map_or_else(|| Self::Name(text.to_lowercase()), Self::Uuid))
    }
}

fn parse_uuid(text: &str) -> Option<[u8; vk::UUID_SIZE]> {
    let digits: Vec<u8> = text.bytes().filter(|byte| *byte != b'-').collect();
    let mut uuid = [0; vk::UUID_SIZE];
    if digits.len() != 2 * vk::UUID_SIZE {
        return None;
    }
    for (byte, pair) in uuid.iter_mut().zip(digits.chunks_exact(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
    }
    Some(uuid)
}

/// Place among drivers for the same GPU: applications take the first device. A Mac may have two, of which KosmicKrisp
/// is the conformant one.
fn driver_rank(driver: vk::DriverId) -> u32 {
    match driver {
        vk::DriverId::MOLTENVK => 1,
        _ => 0,
    }
}

/// A live `VkInstance`. Destroyed explicitly, by [`Instance::destroy`]: a context does so last.
pub(crate) struct Instance {
    fns: ash::Instance,
    procs: Procs,
    config: Config,
    validation: Option<Messenger>,
    physical_devices: OnceLock<Vec<Arc<PhysicalDevice>>>,
    /// The ids that the guest gave to the physical devices, by position; as many as it has asked for.
    guest_ids: Mutex<Vec<u64>>,
}

impl Instance {
    /// Creates one for an application as the guest describes it.
    ///
    /// The version asked for is the newest that driver and protocol have, whatever the application names: the guest
    /// driver keeps the application to its version, and some drivers hide core entry points of newer versions than the
    /// instance asked for, which we then could not call.
    pub(crate) fn new(
        loader: &Loader,
        config: &Config,
        application: Option<&vk::ApplicationInfo<'_>>,
        findings: Option<Arc<Findings>>,
    ) -> Result<Self, vk::Result> {
        let version = loader.version().max(vk::API_VERSION_1_1);
        let application = vk::ApplicationInfo {
            api_version: version,
            p_next: std::ptr::null(),
            ..application.copied().unwrap_or_default()
        };
        let findings = findings.filter(|_| loader.require_validation());
        let mut watch = findings.as_deref().map(validation::messenger_info);
        let layers = [validation::LAYER.as_ptr()];
        let extensions = [ash::khr::portability_enumeration::NAME.as_ptr(), ash::ext::debug_utils::NAME.as_ptr()];
        // SAFETY: `info` and what it points to are local or, as the application's names, of the decoder's arena, and
        // live during the call.
        let create = |info: &vk::InstanceCreateInfo<'_>| unsafe { loader.entry().create_instance(info, None) };
        let mut info = vk::InstanceCreateInfo::default().application_info(&application);
        let (all, conformant) = match &mut watch {
            // In the chain for what happens during creation and destruction.
            Some(watch) => {
                info = info.enabled_layer_names(&layers).push_next(watch);
                (&extensions[..], &extensions[1..])
            }
            None => (&extensions[..1], &[][..]),
        };
        // Asked for without a look at what the library offers: that look loads every driver of the machine, and
        // creating the instance loads them again.
        let portable = vk::InstanceCreateFlags::ENUMERATE_PORTABILITY_KHR;
        let fns = match create(&info.flags(portable).enabled_extension_names(all)) {
            Err(vk::Result::ERROR_EXTENSION_NOT_PRESENT) => create(&info.enabled_extension_names(conformant))?,
            outcome => outcome?,
        };
        let validation = findings.map(|findings| Messenger::new(loader, &fns, findings)).transpose()?;
        let handle = fns.handle();
        let lookup = |name: &CStr| {
            // SAFETY: `handle` is live and the name ends with NUL.
            unsafe { loader.entry().get_instance_proc_addr(handle, name.as_ptr()) }
        };
        // SAFETY: vkGetInstanceProcAddr answers with the entry point of the name it is asked for, which stays valid as
        // long as the instance.
        let procs = unsafe { Procs::load(Level::Instance, lookup) };
        Ok(Self {
            fns,
            procs,
            config: config.clone(),
            validation,
            physical_devices: OnceLock::new(),
            guest_ids: Mutex::default(),
        })
    }

    /// vkCreateInstance as the guest asks for it. Layers and extensions are the guest's own business: there are none
    /// here.
    pub(crate) fn for_guest(
        loader: &Loader,
        config: &Config,
        info: &vk::InstanceCreateInfo<'_>,
        findings: Option<Arc<Findings>>,
    ) -> Result<Self, Failure> {
        for (count, member, result) in [
            (info.enabled_layer_count, "pCreateInfo->ppEnabledLayerNames", vk::Result::ERROR_LAYER_NOT_PRESENT),
            (
                info.enabled_extension_count,
                "pCreateInfo->ppEnabledExtensionNames",
                vk::Result::ERROR_EXTENSION_NOT_PRESENT,
            ),
        ] {
            if count != 0 {
                let reason = format!("has {count} names; the guest's driver has to keep these to itself");
                return Err(Failure::refused(result, member, reason, GUEST_DRIVER));
            }
        }
        // SAFETY: null or made by the decoder, by this room's contract.
        let application = unsafe { info.p_application_info.as_ref() };
        Ok(Self::new(loader, config, application, findings)?)
    }

    /// As [`Instance::new`], for the host's own use.
    pub(crate) fn for_host(loader: &Loader, config: &Config) -> Result<Self, HostError> {
        let application = vk::ApplicationInfo::default().application_name(c"venus").engine_name(c"venus-host");
        Self::new(loader, config, Some(&application), None).map_err(|result| {
            HostError::driver(
                "vkCreateInstance failed, so there is no driver for this machine's GPU or it does not work",
                result,
            )
        })
    }

    pub(crate) fn raw(&self) -> vk::Instance {
        self.fns.handle()
    }

    /// Entry points of instance and physical devices.
    pub(crate) fn procs(&self) -> &Procs {
        &self.procs
    }

    pub(crate) fn guest_ids(&self) -> &Mutex<Vec<u64>> {
        &self.guest_ids
    }

    /// The physical devices that a guest may see, in the loader's order. Those that no guest could use are left out and
    /// logged.
    pub(crate) fn physical_devices(&self) -> Result<&[Arc<PhysicalDevice>], vk::Result> {
        if let Some(found) = self.physical_devices.get() {
            return Ok(found);
        }
        let all = self.enumerate()?;
        let usable = all.into_iter().filter(|device| match unusable_because(device) {
            None => true,
            Some(reason) => {
                tracing::warn!(gpu = device.name(), "hidden from guests: {reason}");
                false
            }
        });
        let usable = usable.collect();
        Ok(self.physical_devices.get_or_init(|| usable))
    }

    /// The same, as far as anybody has asked for them.
    pub(super) fn known_devices(&self) -> &[Arc<PhysicalDevice>] {
        self.physical_devices.get().map_or(&[], Vec::as_slice)
    }

    /// All physical devices that the configuration admits, usable or not, in the loader's order, but for drivers that
    /// come after others for the same GPU.
    pub(crate) fn enumerate(&self) -> Result<Vec<Arc<PhysicalDevice>>, vk::Result> {
        // SAFETY: the instance is live.
        let raws = unsafe { self.fns.enumerate_physical_devices()? };
        let mut all = Vec::with_capacity(raws.len());
        for raw in raws {
            let device = PhysicalDevice::new(&self.fns, raw, &self.config)?;
            all.push(device.naming_objects(self.validation.is_some()));
        }
        all.sort_by_key(|device| driver_rank(device.driver_id()));
        let admitted = all.into_iter().enumerate().filter(|(index, device)| match &self.config.gpu {
            GpuChoice::All => true,
            GpuChoice::Index(wanted) => wanted == index,
            GpuChoice::Name(part) => device.name().to_lowercase().contains(part),
            GpuChoice::Uuid(wanted) => self.uuid(device.raw()) == *wanted,
        });
        Ok(admitted.map(|(_, device)| Arc::new(device)).collect())
    }

    /// The driver's device groups.
    pub(crate) fn physical_device_groups(&self) -> Result<Vec<Group>, vk::Result> {
        let call = self.procs.enumerate_physical_device_groups.ok_or(vk::Result::ERROR_INITIALIZATION_FAILED)?;
        let mut count = 0;
        // SAFETY: the instance is live; without an array only the count is written.
        unsafe { call(self.raw(), &mut count, std::ptr::null_mut()) }.result()?;
        let mut groups = vec![vk::PhysicalDeviceGroupProperties::default(); usize::try_from(count).unwrap_or_default()];
        // SAFETY: as above; the array has `count` elements.
        unsafe { call(self.raw(), &mut count, groups.as_mut_ptr()) }.result()?;
        groups.truncate(usize::try_from(count).unwrap_or_default());
        let plain = |group: vk::PhysicalDeviceGroupProperties<'_>| Group {
            count: group.physical_device_count,
            devices: group.physical_devices,
            subset_allocation: group.subset_allocation,
        };
        Ok(groups.into_iter().map(plain).collect())
    }

    pub(crate) fn uuid(&self, raw: vk::PhysicalDevice) -> [u8; vk::UUID_SIZE] {
        let mut id = vk::PhysicalDeviceIDProperties::default();
        let mut properties = vk::PhysicalDeviceProperties2::default().push_next(&mut id);
        // SAFETY: both structures are core in version 1.1, which the instance has.
        unsafe { self.fns.get_physical_device_properties2(raw, &mut properties) };
        id.device_uuid
    }

    /// Destroys the instance as soon as no device of it is left: memory that a monitor still maps keeps one. With a
    /// device that can never be destroyed, it stays. `State::take_instance` hands it out once, after the guest's
    /// devices are gone (`endpoint/teardown.rs` and vkDestroyInstance see to both).
    pub(crate) fn destroy_after_devices(self: Arc<Self>) {
        for device in self.physical_devices.get().into_iter().flatten() {
            let instance = Arc::clone(&self);
            if device.after_devices(move || instance.destroy_after_devices()) {
                tracing::debug!(gpu = device.name(), "an instance waits for the last of its devices");
                return;
            }
        }
        self.destroy();
    }

    /// Destroys the instance, of which no device is left.
    pub(crate) fn destroy(&self) {
        if let Some(messenger) = &self.validation {
            messenger.destroy();
        }
        // SAFETY: no child of the instance is alive, by this function's contract with its few callers, and nobody uses
        // it again.
        unsafe { self.fns.destroy_instance(None) };
        if let Some(messenger) = &self.validation {
            messenger.release();
        }
    }
}

/// What makes the validation layer talk to us.
struct Messenger {
    api: ash::ext::debug_utils::Instance,
    raw: vk::DebugUtilsMessengerEXT,
    /// A reference of its own, which the layer holds until the instance is gone: an instance that is left behind keeps
    /// it.
    findings: *const Findings,
}

// SAFETY: `findings` is a counted reference to a type that threads may share, and is only given back, once.
unsafe impl Send for Messenger {}
// SAFETY: as above.
unsafe impl Sync for Messenger {}

impl Messenger {
    fn new(loader: &Loader, instance: &ash::Instance, findings: Arc<Findings>) -> Result<Self, vk::Result> {
        let api = ash::ext::debug_utils::Instance::new(loader.entry(), instance);
        let info = validation::messenger_info(&findings);
        // SAFETY: the extension was enabled with the instance; the callback's data is kept alive as `findings` says.
        let raw = unsafe { api.create_debug_utils_messenger(&info, None) };
        let raw = raw.inspect_err(|_| {
            // SAFETY: the instance is new and nobody else has it.
            unsafe { instance.destroy_instance(None) };
        })?;
        Ok(Self { api, raw, findings: Arc::into_raw(findings) })
    }

    /// Ends the messenger. Once, before the instance is destroyed.
    fn destroy(&self) {
        // SAFETY: the messenger is live, as this is called once and before the instance goes.
        unsafe { self.api.destroy_debug_utils_messenger(self.raw, None) };
    }

    /// Gives up the layer's reference. Once, after the instance is destroyed.
    fn release(&self) {
        // SAFETY: made by `Arc::into_raw`; the layer, which held it, is gone with the instance.
        drop(unsafe { Arc::from_raw(self.findings) });
    }
}

/// A device group, as the driver names it or as the guest does.
#[derive(Clone, Copy)]
pub(crate) struct Group {
    pub(crate) count: u32,
    pub(crate) devices: [vk::PhysicalDevice; vk::MAX_DEVICE_GROUP_SIZE],
    pub(crate) subset_allocation: vk::Bool32,
}

impl Group {
    /// The same group under the guest's names; `None` if a member has none.
    pub(crate) fn renamed(mut self, id: impl Fn(vk::PhysicalDevice) -> Option<u64>) -> Option<Self> {
        let members = usize::try_from(self.count).ok()?;
        for device in self.devices.iter_mut().take(members) {
            *device = vk::PhysicalDevice::from_raw(id(*device)?);
        }
        Some(self)
    }
}

impl fmt::Debug for Instance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Instance").field("config", &self.config).finish_non_exhaustive()
    }
}

/// Why no guest can use a device, if so.
pub(crate) fn unusable_because(device: &PhysicalDevice) -> Option<String> {
    if device.driver_version() < vk::API_VERSION_1_1 {
        return Some(format!(
            "its driver is Vulkan {}, and guests need {} to {}",
            Version(device.driver_version()),
            Version(vk::API_VERSION_1_1),
            Version(API_CEILING)
        ));
    }
    device.memory_plan().unusable_because()
}

#[cfg(test)]
mod tests {
    use super::{super::physical_device::KOSMICKRISP, *};

    #[test]
    fn kosmickrisp_comes_before_moltenvk() {
        assert!(driver_rank(KOSMICKRISP) < driver_rank(vk::DriverId::MOLTENVK));
    }

    #[test]
    fn gpus_are_chosen_by_position_uuid_or_name() {
        let check = |text: &str, expected| assert_eq!(text.parse(), Ok(expected), "{text}");
        check("all", GpuChoice::All);
        check("1", GpuChoice::Index(1));
        check("NVIDIA H200", GpuChoice::Name("nvidia h200".to_owned()));
        let uuid = [0x10, 0xde, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff];
        check("10de0000-0000-0000-0000-0000000000ff", GpuChoice::Uuid(uuid));
        // As long as a UUID, but no hexadecimal number.
        check("zzde00000000000000000000000000ff", GpuChoice::Name("zzde00000000000000000000000000ff".to_owned()));
    }
}
