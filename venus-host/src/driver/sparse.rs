//! Sparse binding of imported memory: who may say that it works, and what guests are told where nobody does.
//!
//! Some drivers die of it ([`super::memory`], `sparse.rs`), so it cannot be tried in a process that has anything to
//! lose. Whoever embeds this host and shares memory by import tries it in a process of its own, with [`try_gpus`], and
//! passes on what was seen ([`Config::binds_imports_sparsely`]); the `venus` command does. Of a GPU that nobody has
//! vouched for, guests see no trace of sparse binding. Memory that the driver itself allocates is not in question.

use std::{fmt, str::FromStr};

use ash::vk;

use super::{
    Config, Failure, Instance, Loader, PhysicalDevice, chain,
    memory::{SharedMemory, SharingMethod, sparse},
    physical_device::uuids,
};
use crate::{HostError, error::APPLICATION};

/// Why sparse binding is withheld, where it is.
pub(crate) const WITHHELD: &str =
    "the driver was not seen to bind imported memory sparsely, which is how memory is shared here";

/// Where a device's features may stand.
const FEATURES2: &str = "pCreateInfo->pNext<VkPhysicalDeviceFeatures2>.features";

/// A GPU and the version of its driver: its `deviceUUID` and `driverUUID`, as 64 hexadecimal digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GpuId([u8; 2 * vk::UUID_SIZE]);

impl GpuId {
    pub(super) fn of((device, driver): ([u8; vk::UUID_SIZE], [u8; vk::UUID_SIZE])) -> Self {
        let mut bytes = [0; 2 * vk::UUID_SIZE];
        for (to, from) in bytes.iter_mut().zip(device.into_iter().chain(driver)) {
            *to = from;
        }
        Self(bytes)
    }
}

impl fmt::Display for GpuId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// That a text is not the id of a GPU.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not the id of a GPU, which has {} hexadecimal digits", 4 * vk::UUID_SIZE)]
pub struct ParseGpuIdError {
    text: String,
}

impl FromStr for GpuId {
    type Err = ParseGpuIdError;

    fn from_str(text: &str) -> Result<Self, ParseGpuIdError> {
        let wrong = || ParseGpuIdError { text: text.to_owned() };
        let mut bytes = [0; 2 * vk::UUID_SIZE];
        if text.len() != 4 * vk::UUID_SIZE || !text.bytes().all(|digit| digit.is_ascii_hexdigit()) {
            return Err(wrong());
        }
        for (byte, pair) in bytes.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
            *byte =
                std::str::from_utf8(pair).ok().and_then(|pair| u8::from_str_radix(pair, 16).ok()).ok_or_else(wrong)?;
        }
        Ok(Self(bytes))
    }
}

/// What [`try_gpus`] is doing.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Step {
    /// How memory of this GPU, of this name, is shared is found out next. If nothing follows, its driver may have ended
    /// the process.
    Looks(GpuId, String),
    /// It is shared in this way.
    Shares(SharedMemory),
    /// Sparse binding is tried next. If nothing follows, the GPU's driver has ended the process.
    Tries(GpuId, String),
    /// It binds imported memory sparsely.
    Works(GpuId),
    /// It does not, for this reason.
    Fails(GpuId, String),
}

/// Finds out of each GPU of the configuration, but for those in `skipped`, how its memory is shared, and whether it binds
/// sparsely what it imports, if it has sparse binding and imports memory. Tells how it goes. A driver may end the process,
/// or not return, in the middle of it.
///
/// GPUs that have one id between them are left out: what is true of one may not be of the other.
pub fn try_gpus(config: &Config, skipped: &[GpuId], mut tell: impl FnMut(Step)) -> Result<(), HostError> {
    let loader = Loader::of(config)?;
    let instance = Instance::for_host(&loader, config)?;
    let devices = instance.enumerate();
    let ids: Vec<_> = devices.iter().flatten().map(|device| GpuId::of(device.uuids())).collect();
    let is_in_question = |id: &GpuId| !skipped.contains(id) && ids.iter().filter(|other| *other == id).count() == 1;
    for (device, id) in devices.iter().flatten().zip(&ids).filter(|(_, id)| is_in_question(id)) {
        tell(Step::Looks(*id, device.name()));
        SharedMemory::of(*id, device.memory_plan()).into_iter().for_each(|shared| tell(Step::Shares(shared)));
        if device.withholds_sparse() {
            tell(Step::Tries(*id, device.name()));
            tell(match sparse::check(device) {
                Ok(()) => Step::Works(*id),
                Err(reason) => Step::Fails(*id, reason),
            });
        }
    }
    instance.destroy();
    let enumerated = devices.map(|_| ());
    enumerated.map_err(|result| HostError::driver("vkEnumeratePhysicalDevices failed", result))
}

fn has_sparse(instance: &ash::Instance, raw: vk::PhysicalDevice) -> bool {
    // SAFETY: `raw` is a physical device of the instance, and both are live.
    let features = unsafe { instance.get_physical_device_features(raw) };
    features.sparse_binding == vk::TRUE
}

/// Whether a physical device has sparse binding and is none of the proven ones.
pub(super) fn has_unproven(instance: &ash::Instance, raw: vk::PhysicalDevice, proven: &[GpuId]) -> bool {
    let is_proven = || !proven.is_empty() && proven.contains(&GpuId::of(uuids(instance, raw)));
    has_sparse(instance, raw) && !is_proven()
}

impl PhysicalDevice {
    /// Whether the driver has sparse binding, as far as the profile lets it.
    pub(super) fn has_sparse(&self) -> bool {
        !self.profile().hides_sparse() && has_sparse(self.instance(), self.raw())
    }

    /// Whether guests may use sparse binding, if the driver can.
    pub(crate) fn offers_sparse(&self) -> bool {
        !self.profile().hides_sparse() && !self.withholds_sparse()
    }

    /// Whether guests must not know of sparse binding, which the driver has.
    pub(crate) fn withholds_sparse(&self) -> bool {
        self.has_unproven_sparse() && self.memory_plan().shares_by(SharingMethod::Import)
    }

    /// Takes from the driver's features what guests may not use.
    pub(crate) fn restrict_features(&self, features: &mut vk::PhysicalDeviceFeatures) {
        if self.withholds_sparse() {
            for feature in sparse_features(features) {
                *feature = vk::FALSE;
            }
        }
        self.profile().restrict_features(features);
    }

    /// The same, with those in the chain.
    pub(crate) fn restrict_features2(&self, features: &mut vk::PhysicalDeviceFeatures2<'_>) {
        self.restrict_features(&mut features.features);
        self.profile().restrict_chained_features(features);
        if !self.withholds_sparse() {
            return;
        }
        type Atomics<'a> = vk::PhysicalDeviceShaderAtomicFloatFeaturesEXT<'a>;
        type Atomics2<'a> = vk::PhysicalDeviceShaderAtomicFloat2FeaturesEXT<'a>;
        type Atomics64<'a> = vk::PhysicalDeviceShaderImageAtomicInt64FeaturesEXT<'a>;
        if let Some(atomics) = chain::find_mut::<Atomics<'_>>(features) {
            atomics.sparse_image_float32_atomics = vk::FALSE;
            atomics.sparse_image_float32_atomic_add = vk::FALSE;
        }
        if let Some(atomics) = chain::find_mut::<Atomics2<'_>>(features) {
            atomics.sparse_image_float32_atomic_min_max = vk::FALSE;
        }
        if let Some(atomics) = chain::find_mut::<Atomics64<'_>>(features) {
            atomics.sparse_image_int64_atomics = vk::FALSE;
        }
    }

    /// Refuses a device with features that guests were not told of.
    pub(super) fn check_features(&self, info: &vk::DeviceCreateInfo<'_>) -> Result<(), Failure> {
        // SAFETY: null or made by the decoder, by this room's contract.
        let plain = unsafe { info.p_enabled_features.as_ref() };
        let chained = chain::find_all::<vk::PhysicalDeviceFeatures2<'_>>(info).map(|node| (FEATURES2, &node.features));
        let plain = plain.map(|features| ("pCreateInfo->pEnabledFeatures", features));
        let wanted: Vec<_> = plain.into_iter().chain(chained).collect();
        self.profile().check_features(info, &wanted)?;
        let is_sparse = |features: &vk::PhysicalDeviceFeatures| {
            let mut features = *features;
            sparse_features(&mut features).into_iter().any(|feature| *feature != vk::FALSE)
        };
        match wanted.iter().find(|(_, features)| is_sparse(features)) {
            Some(&(member, _)) if self.withholds_sparse() => {
                let reason = format!("sparse binding, which guests are not told of: {WITHHELD}");
                Err(Failure::refused(vk::Result::ERROR_FEATURE_NOT_PRESENT, member, reason, APPLICATION))
            }
            _ => Ok(()),
        }
    }

    /// Takes from the driver's properties what goes with such features.
    pub(crate) fn restrict_properties(&self, properties: &mut vk::PhysicalDeviceProperties) {
        if self.withholds_sparse() {
            properties.limits.sparse_address_space_size = 0;
            properties.sparse_properties = vk::PhysicalDeviceSparseProperties::default();
        }
        self.profile().restrict_properties(properties);
    }

    /// Whether guests may make images with these flags at all.
    pub(crate) fn offers_image_flags(&self, flags: vk::ImageCreateFlags) -> bool {
        let sparse = vk::ImageCreateFlags::SPARSE_BINDING
            | vk::ImageCreateFlags::SPARSE_RESIDENCY
            | vk::ImageCreateFlags::SPARSE_ALIASED;
        !flags.intersects(sparse) || self.offers_sparse()
    }
}

/// The features that stand or fall with sparse binding.
fn sparse_features(features: &mut vk::PhysicalDeviceFeatures) -> [&mut vk::Bool32; 9] {
    [
        &mut features.sparse_binding,
        &mut features.sparse_residency_buffer,
        &mut features.sparse_residency_image2_d,
        &mut features.sparse_residency_image3_d,
        &mut features.sparse_residency2_samples,
        &mut features.sparse_residency4_samples,
        &mut features.sparse_residency8_samples,
        &mut features.sparse_residency16_samples,
        &mut features.sparse_residency_aliased,
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_read_as_they_are_written() {
        let mut bytes = [7; 32];
        (bytes[0], bytes[31]) = (0x0a, 0xff);
        let id = GpuId(bytes);
        assert_eq!(id.to_string().len(), 64);
        assert_eq!(id.to_string().parse(), Ok(id));
        for wrong in ["", "0a", &"g".repeat(64), &"é".repeat(32)] {
            assert!(wrong.parse::<GpuId>().unwrap_err().to_string().contains("hexadecimal"), "{wrong}");
        }
    }
}
