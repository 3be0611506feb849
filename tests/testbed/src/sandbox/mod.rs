//! Running programs in a guest: a Debian root, or this machine's own programs, cut off in namespaces of their own.
//!
//! A guest here is a process tree, not a virtual machine: Mesa's Venus driver reaches its host through the vtest socket,
//! and cannot tell the difference. Each run gets fresh mount, pid, network and ipc namespaces. So two guests can both own
//! X display `:0`, nothing has to be unmounted, and when the run is over or its time is up the kernel ends all of it.
//!
//! Root is not needed where the kernel lets a user make namespaces; [`check_namespaces`] says what is missing.

pub mod container;
mod foreign;
mod run;

pub use run::{Guest, GuestRun, GuestRunning, Screen, Vulkan};

use anyhow::{Result, bail};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Where Mesa's packages put their driver manifests, inside a root.
const ICD_FOLDER: &str = "usr/share/vulkan/icd.d";

/// Checks that this machine lets us make the namespaces of a guest, and says what to do where it does not.
pub fn check_namespaces() -> Result<()> {
    let mut command = run::namespaces();
    let finished = crate::process::Running::start(command.arg("true"), Duration::from_secs(20))?.finish()?;
    if finished.success() {
        return Ok(());
    }
    let hint = if rustix::process::geteuid().is_root() {
        "this looks like a container without CAP_SYS_ADMIN; run it privileged, or on a machine"
    } else {
        "run as root, or let users make namespaces: sysctl kernel.unprivileged_userns_clone=1 user.max_user_namespaces=10000"
    };
    bail!("this machine does not let us make the namespaces that a guest runs in ({hint}): {}", finished.stderr.trim())
}

/// Finds a driver manifest by its Mesa name, with or without an architecture in the file's name.
///
/// The result is the path as the guest sees it.
pub fn driver_manifest(root: &Path, driver: &str) -> Option<PathBuf> {
    let folder = std::fs::read_dir(root.join(ICD_FOLDER)).ok()?;
    let stem = format!("{driver}_icd.");
    let mut names: Vec<String> = folder
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .filter(|name| name.starts_with(&stem) && name.ends_with(".json"))
        .collect();
    names.sort();
    Some(Path::new("/").join(ICD_FOLDER).join(names.first()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn manifests_are_found_with_and_without_an_architecture() {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join(ICD_FOLDER);
        std::fs::create_dir_all(&folder).unwrap();
        assert_eq!(driver_manifest(root.path(), "virtio"), None);
        std::fs::write(folder.join("virtio_icd.x86_64.json"), "").unwrap();
        std::fs::write(folder.join("lvp_icd.json"), "").unwrap();
        let found = driver_manifest(root.path(), "virtio").unwrap();
        assert_eq!(found, Path::new("/usr/share/vulkan/icd.d/virtio_icd.x86_64.json"));
        let found = driver_manifest(root.path(), "lvp").unwrap();
        assert_eq!(found, Path::new("/usr/share/vulkan/icd.d/lvp_icd.json"));
    }
}
