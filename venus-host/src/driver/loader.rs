//! Finding the Vulkan library.
//!
//! The library is loaded once per process, when the first guest needs it (or `venus doctor` asks), and never unloaded:
//! drivers keep threads and thread-local destructors that do not survive it. Loading it before a worker process is
//! spawned would also break drivers in the child.
//!
//! An embedder that has Vulkan already, such as a virtual machine monitor with MoltenVK linked in, brings its
//! [`EntryPoint`] instead, and nothing is loaded.

use std::{
    ffi::{OsString, c_void},
    path::{Path, PathBuf},
    ptr::NonNull,
    sync::OnceLock,
};

use ash::vk;

use super::{API_CEILING, Config, validation};
use crate::HostError;

/// `vkGetInstanceProcAddr` of a Vulkan that its owner has loaded or linked: everything else is found through it.
#[derive(Clone, Copy)]
pub struct EntryPoint(vk::PFN_vkGetInstanceProcAddr);

impl EntryPoint {
    /// Wraps the function.
    ///
    /// # Safety
    ///
    /// - The function behaves as the specification has it for `vkGetInstanceProcAddr`, and so does everything that it
    ///   and what it leads to return.
    /// - All of that stays callable until the process ends.
    #[must_use]
    pub const unsafe fn new(function: vk::PFN_vkGetInstanceProcAddr) -> Self {
        Self(function)
    }

    /// Wraps the function at an address, for those who have no type for it.
    ///
    /// # Safety
    ///
    /// It is the address of such a function, to which the same applies as to [`EntryPoint::new`].
    #[must_use]
    pub unsafe fn at(address: NonNull<c_void>) -> Self {
        // SAFETY: the caller's promise; pointers to functions are as wide as those to data wherever Vulkan is.
        Self(unsafe { std::mem::transmute::<NonNull<c_void>, vk::PFN_vkGetInstanceProcAddr>(address) })
    }
}

impl std::fmt::Debug for EntryPoint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("EntryPoint(..)")
    }
}

/// Names a library to use instead of the ones we know.
pub(crate) const LIBRARY_VARIABLE: &str = "VENUS_VULKAN_LIBRARY";

/// Where a system keeps its Vulkan library, and how a person gets one.
struct Platform {
    /// Names tried in this order. The loader comes before bare drivers: it honours `VK_DRIVER_FILES` and offers every
    /// driver of the machine.
    libraries: &'static [&'static str],
    /// How to install a loader.
    package: &'static str,
}

const ELSEWHERE: Platform = Platform { libraries: &["libvulkan.so.1", "libvulkan.so"], package: "Debian: libvulkan1" };

/// What an application brings along comes before what the machine has. `dlopen` does not search Homebrew's folder,
/// and in a hardened program searches none. Only MoltenVK can be used without a loader.
const MACOS: Platform = Platform {
    libraries: &[
        "@rpath/libvulkan.1.dylib",
        "@executable_path/../Frameworks/libvulkan.1.dylib",
        "libvulkan.1.dylib",
        "libvulkan.dylib",
        "/opt/homebrew/lib/libvulkan.1.dylib",
        "/usr/local/lib/libvulkan.1.dylib",
        "@rpath/libMoltenVK.dylib",
        "@executable_path/../Frameworks/libMoltenVK.dylib",
        "libMoltenVK.dylib",
        "/opt/homebrew/lib/libMoltenVK.dylib",
        "/usr/local/lib/libMoltenVK.dylib",
    ],
    package: "Homebrew: vulkan-loader, and molten-vk as a driver",
};

const PLATFORM: Platform = if cfg!(target_os = "macos") { MACOS } else { ELSEWHERE };

/// A loaded Vulkan library.
#[derive(Clone)]
pub(crate) struct Loader {
    entry: ash::Entry,
    path: PathBuf,
    version: u32,
}

impl Loader {
    /// What the configuration names: the embedder's entry point, or the library of this process.
    pub(crate) fn of(config: &Config) -> Result<Self, HostError> {
        let Some(EntryPoint(get_instance_proc_addr)) = config.entry else {
            return Self::shared().cloned();
        };
        let functions = ash::StaticFn { get_instance_proc_addr };
        // SAFETY: whoever made the entry point vouches for it (`EntryPoint::new`), and nothing is ever unloaded.
        let entry = unsafe { ash::Entry::from_static_fn(functions) };
        Self::from_entry(entry, "the embedder's entry point".into())
            .map_err(|message| HostError::Unsupported(message.into()))
    }

    /// The library of this process, loaded on first use. A failure is final too: what is missing does not appear while
    /// we run.
    fn shared() -> Result<&'static Self, HostError> {
        static LOADER: OnceLock<Result<Loader, String>> = OnceLock::new();
        LOADER
            .get_or_init(|| Self::load(std::env::var_os(LIBRARY_VARIABLE)))
            .as_ref()
            .map_err(|message| HostError::Unsupported(message.clone().into()))
    }

    fn load(chosen: Option<OsString>) -> Result<Self, String> {
        let mut first_failure = None;
        for path in candidates(chosen) {
            // SAFETY: (load_from)
            // - running the library's initialisers is what loading a Vulkan library means, and the person who runs the
            //   host vouches for it;
            // - nothing loaded from it is called after it is unloaded, since the only value ever made lives in a
            //   static.
            match unsafe { ash::Entry::load_from(&path) } {
                Ok(entry) => return Self::from_entry(entry, path),
                Err(error) => first_failure.get_or_insert((path, error)),
            };
        }
        let Some((path, error)) = first_failure else {
            return Err("there is no Vulkan library to try".to_owned());
        };
        Err(format!(
            "no Vulkan library could be loaded ({}: {error}); install a Vulkan loader ({}) or name one in \
             {LIBRARY_VARIABLE}",
            path.display(),
            PLATFORM.package
        ))
    }

    fn from_entry(entry: ash::Entry, path: PathBuf) -> Result<Self, String> {
        // SAFETY: the entry point is the library's own, or what the embedder vouches for, and takes no handles.
        let version = unsafe { entry.try_enumerate_instance_version() };
        let version = version.map_err(|result| format!("vkEnumerateInstanceVersion failed: {result}"))?;
        let version = version.unwrap_or(vk::API_VERSION_1_0);
        if version < vk::API_VERSION_1_1 {
            return Err(format!(
                "the Vulkan library {} is version {}, but guests need 1.1; install a newer Vulkan loader",
                path.display(),
                Version(version)
            ));
        }
        Ok(Self { entry, path, version })
    }

    pub(crate) fn entry(&self) -> &ash::Entry {
        &self.entry
    }

    /// The version of the validation layer; `None` if it is not installed.
    pub(crate) fn validation_layer(&self) -> Option<u32> {
        // SAFETY: the entry point was loaded from the library and takes no handles.
        let layers = unsafe { self.entry.enumerate_instance_layer_properties() }.ok()?;
        let layer = layers.iter().find(|layer| layer.layer_name_as_c_str() == Ok(validation::LAYER))?;
        Some(layer.spec_version)
    }

    /// Whether the validation layer, which somebody asked for, is installed. Says so if not.
    pub(super) fn require_validation(&self) -> bool {
        let is_there = self.validation_layer().is_some();
        if !is_there {
            tracing::error!(
                "validation was asked for, but {} is not installed, so nothing is validated; {}",
                validation::LAYER.to_string_lossy(),
                validation::HOW_TO_GET
            );
        }
        is_there
    }

    /// Which file or name was loaded.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The version that a guest is told: the library's, at most what the protocol can carry.
    pub(crate) fn version(&self) -> u32 {
        clamp_version(self.version)
    }
}

impl std::fmt::Debug for Loader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Loader")
            .field("path", &self.path)
            .field("version", &Version(self.version))
            .finish_non_exhaustive()
    }
}

/// Caps the minor version at what the protocol can carry and keeps the patch number, which only informs.
pub(crate) fn clamp_version(version: u32) -> u32 {
    if vk::api_version_major(version) == 1 && vk::api_version_minor(version) <= vk::api_version_minor(API_CEILING) {
        return version;
    }
    vk::make_api_version(
        vk::api_version_variant(version),
        vk::api_version_major(API_CEILING),
        vk::api_version_minor(API_CEILING),
        vk::api_version_patch(version),
    )
}

/// What to try: the chosen library alone, or the known names.
fn candidates(chosen: Option<OsString>) -> Vec<PathBuf> {
    match chosen.filter(|path| !path.is_empty()) {
        Some(path) => vec![path.into()],
        None => PLATFORM.libraries.iter().map(PathBuf::from).collect(),
    }
}

/// A Vulkan version, for people.
#[derive(Clone, Copy)]
pub(crate) struct Version(pub(crate) u32);

impl std::fmt::Display for Version {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (major, minor) = (vk::api_version_major(self.0), vk::api_version_minor(self.0));
        write!(f, "{major}.{minor}.{}", vk::api_version_patch(self.0))
    }
}

impl std::fmt::Debug for Version {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_capped_at_the_minor() {
        let clamp =
            |major, minor, patch| Version(clamp_version(vk::make_api_version(0, major, minor, patch))).to_string();
        assert_eq!(clamp(1, 1, 0), "1.1.0");
        assert_eq!(clamp(1, 4, 312), "1.4.312");
        assert_eq!(clamp(1, 5, 7), "1.4.7");
        assert_eq!(clamp(2, 0, 1), "1.4.1");
    }

    #[test]
    fn a_chosen_library_is_the_only_candidate() {
        assert_eq!(candidates(Some("/x/libvulkan.so".into())), [PathBuf::from("/x/libvulkan.so")]);
        assert_eq!(candidates(Some("".into())).len(), PLATFORM.libraries.len());
        assert_eq!(candidates(None).first(), Some(&PathBuf::from(PLATFORM.libraries[0])));
    }

    #[test]
    fn on_a_mac_loaders_come_before_drivers_and_the_bundle_before_the_machine() {
        let is_driver = |name: &&str| name.contains("MoltenVK");
        assert!(MACOS.libraries.is_sorted_by_key(is_driver));
        for drivers in [false, true] {
            let names: Vec<_> = MACOS.libraries.iter().filter(|name| is_driver(name) == drivers).collect();
            assert!(names.is_sorted_by_key(|name| !name.starts_with('@')), "{names:?}");
            assert!(names.iter().any(|name| name.starts_with("/opt/homebrew/lib/")), "{names:?}");
        }
    }

    #[test]
    fn a_missing_library_says_what_to_do() {
        let error = Loader::load(Some("/nonexistent/libvulkan.so".into())).unwrap_err();
        assert!(error.contains("/nonexistent/libvulkan.so") && error.contains("VENUS_VULKAN_LIBRARY"), "{error}");
    }
}
