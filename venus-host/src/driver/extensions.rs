//! Which device extensions a guest is offered.
//!
//! The rule: what the driver has and the protocol can carry is offered, with the lower of the two versions. The
//! exceptions are rows of the two tables here, each with its reason; `venus doctor` prints the same rows.

use std::{
    ffi::{CStr, CString},
    fmt,
};

use ash::vk;
use venus_protocol::{Extension, Level};

/// An extension that is not offered although driver and protocol have it.
struct Withheld {
    name: &'static str,
    when: When,
    reason: &'static str,
}

/// Circumstances that matter for a row.
#[derive(Clone, Copy, PartialEq, Eq)]
enum When {
    Always,
    /// Host-visible memory does not reach the guest as dma-buf.
    NoDmaBuf,
}

const WITHHELD: &[Withheld] = &[
    Withheld {
        name: "VK_EXT_tooling_info",
        when: When::Always,
        reason: "it would list the host's tools; the guest driver lists its own",
    },
    Withheld {
        name: "VK_KHR_map_memory2",
        when: When::Always,
        reason: "the guest driver maps memory itself, through blobs",
    },
    Withheld {
        name: "VK_KHR_deferred_host_operations",
        when: When::Always,
        reason: "the guest driver defers operations itself; the host enables it where ray tracing needs it",
    },
    Withheld {
        name: "VK_EXT_external_memory_dma_buf",
        when: When::NoDmaBuf,
        reason: "memory is not shared as dma-buf on this host",
    },
];

/// Whether no host ever offers the extension, whatever its driver has.
pub(crate) fn is_never_offered(name: &str) -> bool {
    WITHHELD.iter().any(|row| row.name == name && row.when == When::Always)
}

/// An extension that the host provides where the driver does not.
struct Emulated {
    name: &'static str,
    how: &'static str,
}

const EMULATED: &[Emulated] = &[
    Emulated {
        name: "VK_KHR_external_memory_fd",
        how: "no handle type is exportable, but guest drivers insist on the name",
    },
    Emulated {
        name: "VK_KHR_external_fence_fd",
        how: "SYNC_FD fences never cross the wire; the host replaces an exported fence by a new one",
    },
    Emulated {
        name: "VK_KHR_external_semaphore_fd",
        how: "SYNC_FD semaphores never cross the wire; the host waits for and signals them with empty submissions",
    },
];

/// Extensions of the instance, which are no business of a device though they stand in the protocol's list. The first
/// two are the protocol's own, the others are part of Vulkan 1.1, which every host has.
const OF_INSTANCE: &[&str] = &[
    "VK_EXT_command_serialization",
    "VK_MESA_venus_protocol",
    "VK_KHR_device_group_creation",
    "VK_KHR_external_fence_capabilities",
    "VK_KHR_external_memory_capabilities",
    "VK_KHR_external_semaphore_capabilities",
    "VK_KHR_get_physical_device_properties2",
];

/// What the driver lists, sorted by name.
#[derive(Debug, Clone, Default)]
pub(crate) struct ExtensionList(Vec<(String, u32)>);

impl ExtensionList {
    pub(crate) fn new(names: impl IntoIterator<Item = (String, u32)>) -> Self {
        let mut list: Vec<_> = names.into_iter().collect();
        list.sort();
        Self(list)
    }

    /// The version of an extension, if the driver has it.
    pub(crate) fn version(&self, name: &str) -> Option<u32> {
        let at = self.0.binary_search_by(|(known, _)| known.as_str().cmp(name)).ok()?;
        self.0.get(at).map(|(_, version)| *version)
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.version(name).is_some()
    }

    /// As [`ExtensionList::has`], for the constants of `ash`.
    pub(crate) fn has_c(&self, name: &CStr) -> bool {
        name.to_str().is_ok_and(|name| self.has(name))
    }
}

/// What becomes of one extension of the protocol on one physical device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Offered, at this version, and enabled in the driver when the guest enables it.
    Offered(u32),
    /// Offered at this version and provided by the host; never given to the driver.
    Emulated(u32, &'static str),
    /// The driver has it, but the guest is not told, for this reason.
    Withheld(&'static str),
    /// The driver does not have it.
    Absent,
}

impl Verdict {
    /// The version that the guest is told, if it is offered the extension.
    pub(crate) fn offered(self) -> Option<u32> {
        match self {
            Self::Offered(version) | Self::Emulated(version, _) => Some(version),
            Self::Withheld(_) | Self::Absent => None,
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Offered(version) => write!(f, "offered, version {version}"),
            Self::Emulated(version, how) => write!(f, "emulated, version {version}: {how}"),
            Self::Withheld(reason) => write!(f, "withheld: {reason}"),
            Self::Absent => f.write_str("not in the driver"),
        }
    }
}

/// Decides about one extension of the protocol at a level that has it.
fn verdict(extension: &Extension, level: Level, driver: &ExtensionList, shares_dma_buf: bool) -> Verdict {
    let Some(version) = driver.version(extension.name) else {
        return match EMULATED.iter().find(|row| row.name == extension.name) {
            Some(row) => Verdict::Emulated(extension.spec_version(level), row.how),
            None => Verdict::Absent,
        };
    };
    let withheld = WITHHELD.iter().find(|row| {
        row.name == extension.name
            && match row.when {
                When::Always => true,
                When::NoDmaBuf => !shares_dma_buf,
            }
    });
    match withheld {
        Some(row) => Verdict::Withheld(row.reason),
        None => Verdict::Offered(version.min(extension.spec_version(level))),
    }
}

/// Every device extension that guests of a level may know of and what becomes of it.
pub(crate) fn verdicts(
    level: Level,
    driver: &ExtensionList,
    shares_dma_buf: bool,
) -> impl Iterator<Item = (&'static Extension, Verdict)> {
    let of_device = level.extensions().filter(|extension| !OF_INSTANCE.contains(&extension.name));
    of_device.map(move |extension| (extension, verdict(extension, level, driver, shares_dma_buf)))
}

/// An extension as the guest is told.
pub(crate) fn properties(extension: &Extension, spec_version: u32) -> vk::ExtensionProperties {
    let mut properties = vk::ExtensionProperties { spec_version, ..Default::default() };
    // The last byte stays 0: names are shorter than the array.
    let room = properties.extension_name.len().saturating_sub(1);
    for (to, from) in properties.extension_name.iter_mut().take(room).zip(extension.name.bytes()) {
        // The names are ASCII, whichever sign a C character has.
        *to = std::ffi::c_char::try_from(from).unwrap_or_default();
    }
    properties
}

/// Extensions that the host enables for its own needs where the driver has them.
const OWN: &[&CStr] = &[
    ash::khr::external_memory_fd::NAME,
    ash::ext::external_memory_dma_buf::NAME,
    ash::ext::external_memory_host::NAME,
    ash::khr::external_fence_fd::NAME,
    ash::khr::external_semaphore_fd::NAME,
    ash::khr::portability_subset::NAME,
];

/// Those of which the driver needs `VK_KHR_deferred_host_operations`.
const NEED_DEFERRED: &[&CStr] = &[ash::khr::acceleration_structure::NAME, ash::khr::ray_tracing_pipeline::NAME];

/// The extensions to enable in the driver: what the guest lists less what the host provides or withholds, plus what the
/// host needs, each once.
pub(crate) fn to_enable<'a>(guest: impl IntoIterator<Item = &'a CStr>, driver: &ExtensionList) -> Vec<CString> {
    let mut names: Vec<CString> = Vec::new();
    let mut add = |name: &CStr| {
        if !names.iter().any(|known| known.as_c_str() == name) {
            names.push(name.to_owned());
        }
    };
    let mut needs_deferred = false;
    for name in guest {
        let text = name.to_str().unwrap_or_default();
        let ours = EMULATED.iter().any(|row| row.name == text) && !driver.has(text);
        let withheld = WITHHELD.iter().any(|row| row.name == text);
        if !ours && !withheld {
            add(name);
        }
        needs_deferred |= NEED_DEFERRED.contains(&name);
    }
    for name in OWN.iter().filter(|name| driver.has_c(name)) {
        add(name);
    }
    if needs_deferred && driver.has_c(ash::khr::deferred_host_operations::NAME) {
        add(ash::khr::deferred_host_operations::NAME);
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    fn driver(names: &[&str]) -> ExtensionList {
        ExtensionList::new(names.iter().map(|name| ((*name).to_owned(), 2)))
    }

    fn check(name: &str, list: &ExtensionList, dma_buf: bool) -> Verdict {
        let level = Level::NEWEST;
        let extension = level.extensions().find(|extension| extension.name == name).expect("the protocol has it");
        verdict(extension, level, list, dma_buf)
    }

    #[test]
    fn every_row_names_an_extension_of_the_protocol() {
        let rows = WITHHELD
            .iter()
            .map(|row| row.name)
            .chain(EMULATED.iter().map(|row| row.name))
            .chain(OF_INSTANCE.iter().copied());
        for name in rows {
            assert!(Level::OLDEST.extensions().any(|extension| extension.name == name), "{name}");
        }
    }

    #[test]
    fn the_lower_version_is_offered() {
        let list = driver(&["VK_EXT_multi_draw", "VK_KHR_maintenance1"]);
        assert_eq!(check("VK_EXT_multi_draw", &list, false), Verdict::Offered(1));
        assert_eq!(check("VK_KHR_maintenance1", &list, false), Verdict::Offered(2));
        assert_eq!(check("VK_KHR_maintenance2", &list, false), Verdict::Absent);
    }

    #[test]
    fn dma_buf_is_offered_only_if_memory_is_shared_that_way() {
        let list = driver(&["VK_EXT_external_memory_dma_buf"]);
        assert!(matches!(check("VK_EXT_external_memory_dma_buf", &list, false), Verdict::Withheld(_)));
        assert_eq!(check("VK_EXT_external_memory_dma_buf", &list, true), Verdict::Offered(1));
    }

    #[test]
    fn what_the_host_provides_is_not_given_to_the_driver() {
        let guest = [c"VK_KHR_external_semaphore_fd", c"VK_KHR_maintenance1", c"VK_KHR_maintenance1"];
        let names = to_enable(guest, &driver(&["VK_KHR_maintenance1", "VK_EXT_external_memory_host"]));
        assert_eq!(names, [c"VK_KHR_maintenance1".to_owned(), c"VK_EXT_external_memory_host".to_owned()]);
        let names = to_enable(guest, &driver(&["VK_KHR_external_semaphore_fd"]));
        assert_eq!(names, [c"VK_KHR_external_semaphore_fd".to_owned(), c"VK_KHR_maintenance1".to_owned()]);
    }

    #[test]
    fn ray_tracing_brings_deferred_operations() {
        let list = driver(&["VK_KHR_deferred_host_operations", "VK_KHR_acceleration_structure"]);
        let names = to_enable([c"VK_KHR_acceleration_structure"], &list);
        assert!(names.contains(&c"VK_KHR_deferred_host_operations".to_owned()));
    }
}
