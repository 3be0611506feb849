//! What this machine needs and lacks: packages of the host, Debian roots for guests and for a Rust toolchain, all
//! installed on demand.
//!
//! Nothing is downloaded by our own code: packages come through apt, with the mirror, certificates, proxies and
//! credentials that this machine's apt is configured for. As root missing packages are installed; otherwise the exact
//! command is printed. Roots live in the user's cache folder and are made once.

pub mod apt;
mod recipe;
pub mod roots;

pub use recipe::{Suite, short_hash};

use anyhow::{Context as _, Result};
use std::path::PathBuf;

/// Makes a folder below the user's cache folder: `$XDG_CACHE_HOME/venus-toolkit/NAME`, as the XDG base directory
/// specification has it.
pub fn cache_folder(name: &str) -> Result<PathBuf> {
    let folder = cache_path(name)?;
    std::fs::create_dir_all(&folder).with_context(|| format!("making {}", folder.display()))?;
    Ok(folder)
}

/// Where [`cache_folder`] makes a folder.
fn cache_path(name: &str) -> Result<PathBuf> {
    let variable = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let cache = variable("XDG_CACHE_HOME").or_else(|| Some(variable("HOME")?.join(".cache")));
    let cache = cache.context("neither XDG_CACHE_HOME nor HOME names a folder for what is kept between runs")?;
    Ok(cache.join("venus-toolkit").join(name))
}

/// Tells a user who may not install packages all that a host and guests of `suites` lack here, in one command and before
/// anything is made; with it those of `optional`, without which some things are left out.
///
/// Where packages can be installed, whoever needs one installs it; where there is no apt, each says what it does without.
pub fn check_packages(suites: &[Suite], optional: &[&str]) -> Result<()> {
    if rustix::process::geteuid().is_root() || !apt::which("apt-get") {
        return Ok(());
    }
    let mut needed = host_packages();
    for suite in suites {
        needed.extend(roots::packages_to_make(*suite)?);
    }
    needed.sort_unstable();
    needed.dedup();
    if needed.iter().all(|package| apt::is_installed(package)) {
        return Ok(());
    }
    apt::install(&[&needed, optional].concat(), "a host and its guests")
}

/// Makes sure that this machine can run a host: a Vulkan loader and at least one driver.
///
/// A driver of the machine's own is left alone; only where there is none, Mesa's drivers with lavapipe are installed.
pub fn host_driver() -> Result<()> {
    apt::install(&host_packages(), "a Vulkan loader and driver for the host")
}

/// The packages that [`host_driver`] makes sure of, where nothing else provides what they hold.
fn host_packages() -> Vec<&'static str> {
    let mut missing = Vec::new();
    if !has_loader() {
        missing.push("libvulkan1");
    }
    if !has_driver() {
        missing.push("mesa-vulkan-drivers");
    }
    missing
}

/// Whether the loader is where the dynamic linker looks.
fn has_loader() -> bool {
    const FOLDERS: [&str; 5] = ["/usr/lib", "/usr/lib64", "/usr/local/lib", "/lib", "/lib64"];
    let here = |folder: &std::path::Path| folder.join("libvulkan.so.1").exists();
    FOLDERS.iter().any(|folder| {
        let folder = std::path::Path::new(folder);
        let triplets = std::fs::read_dir(folder).into_iter().flatten().filter_map(Result::ok);
        here(folder) || triplets.into_iter().any(|entry| here(&entry.path()))
    })
}

/// Whether any driver manifest is installed, other than Venus itself, or named by the environment.
fn has_driver() -> bool {
    const FOLDERS: [&str; 3] = ["/usr/share/vulkan/icd.d", "/etc/vulkan/icd.d", "/usr/local/share/vulkan/icd.d"];
    let named = ["VK_DRIVER_FILES", "VK_ICD_FILENAMES"].iter().any(|name| std::env::var_os(name).is_some());
    named
        || FOLDERS.iter().any(|folder| {
            let manifests = std::fs::read_dir(folder).into_iter().flatten().filter_map(Result::ok);
            let names = manifests.map(|entry| entry.file_name().to_string_lossy().into_owned());
            names.into_iter().any(|name| name.ends_with(".json") && !name.starts_with("virtio_icd"))
        })
}
