//! Whose rows apply.

use std::{collections::BTreeSet, fs};

use super::{manifests::without_version, places};

/// A family of drivers, which need the same of the system.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Family {
    /// This host itself, the Vulkan loader, and what every driver needs.
    Every,
    /// Mesa's software driver.
    Lavapipe,
    /// NVIDIA's own driver.
    Nvidia,
    /// Any other driver, most of which are Mesa's.
    Generic,
}

impl Family {
    pub(super) const ALL: [Self; 4] = [Self::Every, Self::Lavapipe, Self::Nvidia, Self::Generic];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Every => "every driver",
            Self::Lavapipe => "lavapipe",
            Self::Nvidia => "NVIDIA",
            Self::Generic => "other drivers",
        }
    }
}

/// Those whose drivers this process has loaded. All, if it has none that is known by its name.
pub(super) fn loaded() -> BTreeSet<Family> {
    let maps = fs::read_to_string("/proc/self/maps").unwrap_or_default();
    among(&maps, &places::drivers())
}

/// The families among the files of `maps`, where libraries of these names are drivers, too.
fn among(maps: &str, drivers: &BTreeSet<String>) -> BTreeSet<Family> {
    let names = maps.lines().filter_map(|line| line.rsplit('/').next());
    let of_driver = |name: &str| drivers.contains(without_version(name)).then_some(Family::Generic);
    let mut found: BTreeSet<Family> = names.filter_map(|name| of_library(name).or_else(|| of_driver(name))).collect();
    if found.is_empty() {
        found.extend(Family::ALL);
    }
    found.insert(Family::Every);
    found
}

/// Whose driver a library is, if it is one.
fn of_library(name: &str) -> Option<Family> {
    // The loader itself is `libvulkan.so`.
    if name.starts_with("libvulkan_lvp") {
        Some(Family::Lavapipe)
    } else if name.starts_with("libGLX_nvidia") || name.starts_with("libEGL_nvidia") || name.starts_with("libnvidia-") {
        Some(Family::Nvidia)
    } else if name.starts_with("libvulkan_") || name.starts_with("amdvlk") {
        Some(Family::Generic)
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn drivers_are_known_by_their_libraries() {
        let line = |name: &str| format!("7f00-7f01 r-xp 0 fe:01 9  /usr/lib/x86_64-linux-gnu/{name}\n");
        let families = |names: &[&str]| {
            among(&names.iter().map(|name| line(name)).collect::<String>(), &["libforeign".to_owned()].into())
        };
        assert_eq!(families(&["libvulkan.so.1.4.309", "libc.so.6"]), Family::ALL.into());
        let mesa = families(&["libvulkan_lvp.so", "libvulkan_radeon.so"]);
        assert_eq!(mesa, [Family::Every, Family::Lavapipe, Family::Generic].into());
        let foreign = families(&["libvulkan_lvp.so", "libforeign.so.2"]);
        assert_eq!(foreign, [Family::Every, Family::Lavapipe, Family::Generic].into());
        assert_eq!(families(&["libGLX_nvidia.so.580.1"]), [Family::Every, Family::Nvidia].into());
    }
}
