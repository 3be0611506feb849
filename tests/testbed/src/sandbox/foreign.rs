//! A guest's program on the Vulkan driver of another root.
//!
//! Two roots have two C libraries, and a process can only have one: the newer, since libraries ask for the symbols of the
//! one that they were built with. Where the guest's is newer, its programs start as ever and find what the driver needs
//! and the guest lacks in the other root. Where the driver's is newer, its loader starts the guest's programs.

use super::{Guest, driver_manifest};
use anyhow::{Context as _, Result};
use std::path::{Path, PathBuf};

/// Where the guest sees the other root.
const MOUNTED: &str = "/run/driver";
/// Folders that a guest's programs are in.
const PROGRAMS: [&str; 3] = ["usr/bin", "usr/games", "usr/local/bin"];
/// The manifest of the other root's driver, in the folder that the guest sees as `/run/venus`.
const MANIFEST: &str = "driver.json";

/// A guest and the root that its driver comes from.
pub(super) struct Foreign<'a> {
    guest: &'a Guest,
    driver: &'a Guest,
    libraries: PathBuf,
    library: PathBuf,
    newer: bool,
}

impl<'a> Foreign<'a> {
    pub(super) fn new(guest: &'a Guest, driver: &'a Guest) -> Result<Self> {
        let manifest = driver_manifest(driver.root(), "lvp")
            .with_context(|| format!("{} has no lavapipe (package mesa-vulkan-drivers)", driver.name()))?;
        let path = inside(driver.root(), &manifest);
        let text = std::fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))?;
        let manifest: serde_json::Value = serde_json::from_str(&text).context("reading a driver's manifest")?;
        let library = manifest.pointer("/ICD/library_path").and_then(|value| value.as_str());
        let library = Path::new(library.context("a driver's manifest without a library_path")?);
        let name = library.file_name().context("a driver's library without a name")?;
        let (libraries, library) = find_library(driver.root(), Path::new(name))
            .with_context(|| format!("{} has no {}", driver.name(), name.display()))?;
        let newer = c_library(driver) > c_library(guest);
        Ok(Self { guest, driver, libraries, library, newer })
    }

    pub(super) fn root(&self) -> &Path {
        self.driver.root()
    }

    /// Writes the manifest with the driver's place as the guest sees it, and says what the environment needs.
    pub(super) fn prepare(&self, shared: &Path) -> Result<Vec<(String, String)>> {
        let manifest = serde_json::json!({
            "ICD": { "api_version": "1.4.0", "library_path": Path::new(MOUNTED).join(&self.library) },
            "file_format_version": "1.0.1",
        });
        std::fs::write(shared.join(MANIFEST), manifest.to_string()).context("writing a driver's manifest")?;
        let mut settings = vec![("VK_DRIVER_FILES".to_owned(), format!("/run/venus/{MANIFEST}"))];
        if !self.newer {
            settings.push(("LD_LIBRARY_PATH".to_owned(), self.search_path()));
        }
        Ok(settings)
    }

    /// The command, started by the other root's loader if need be.
    pub(super) fn launch(&self, command: &[String]) -> Result<Vec<String>> {
        if !self.newer {
            return Ok(command.to_vec());
        }
        let (name, args) = command.split_first().context("an empty command")?;
        let program = match name.starts_with('/') {
            true => PathBuf::from(name),
            false => PROGRAMS
                .iter()
                .map(|folder| Path::new("/").join(folder).join(name))
                .find(|path| inside(self.guest.root(), path).exists())
                .with_context(|| format!("guest {} has no program {name}", self.guest.name()))?,
        };
        let loader = format!("{MOUNTED}/lib64/ld-linux-x86-64.so.2");
        let mut line =
            vec![loader, "--library-path".to_owned(), self.search_path(), "--argv0".to_owned(), name.clone()];
        line.push(program.display().to_string());
        line.extend(args.iter().cloned());
        Ok(line)
    }

    /// Both roots' libraries, those that go with the C library first.
    fn search_path(&self) -> String {
        let own = Path::new("/").join(&self.libraries);
        let other = Path::new(MOUNTED).join(&self.libraries);
        let (first, second) = if self.newer { (other, own) } else { (own, other) };
        format!("{}:{}", first.display(), second.display())
    }
}

/// A guest's path as this machine sees it.
fn inside(root: &Path, path: &Path) -> PathBuf {
    root.join(path.strip_prefix("/").unwrap_or(path))
}

/// Finds a library in the folder of its architecture: that folder and the library, from the root.
fn find_library(root: &Path, name: &Path) -> Option<(PathBuf, PathBuf)> {
    let triplets = std::fs::read_dir(root.join("usr/lib")).ok()?;
    let folder = triplets.filter_map(|entry| Some(entry.ok()?.path())).find(|path| path.join(name).exists())?;
    let folder = folder.strip_prefix(root).ok()?.to_owned();
    let library = folder.join(name);
    Some((folder, library))
}

/// The C library's version as numbers.
fn c_library(guest: &Guest) -> Vec<u32> {
    let version = guest.package_version("libc6").unwrap_or_default();
    let upstream = version.split(['-', '+']).next().unwrap_or_default();
    upstream.split('.').filter_map(|part| part.parse().ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A root with a C library of a version, a driver and a program.
    fn root(c_library: &str) -> (tempfile::TempDir, Guest) {
        let root = tempfile::tempdir().unwrap();
        for folder in ["var/lib/dpkg", "usr/lib/triplet", "usr/share/vulkan/icd.d", "usr/bin"] {
            std::fs::create_dir_all(root.path().join(folder)).unwrap();
        }
        let status = format!("Package: libc6\nVersion: {c_library}-1\n\n");
        std::fs::write(root.path().join("var/lib/dpkg/status"), status).unwrap();
        std::fs::write(root.path().join("usr/lib/triplet/libvulkan_lvp.so"), "").unwrap();
        std::fs::write(root.path().join("usr/bin/vulkaninfo"), "").unwrap();
        let manifest = r#"{"ICD": {"library_path": "libvulkan_lvp.so"}}"#;
        std::fs::write(root.path().join("usr/share/vulkan/icd.d/lvp_icd.json"), manifest).unwrap();
        let guest = Guest::at("test", root.path());
        (root, guest)
    }

    #[test]
    fn the_newer_c_library_starts_the_program() {
        let ((_old, old), (_new, new)) = (root("2.9"), root("2.41"));
        let shared = tempfile::tempdir().unwrap();
        let command = ["vulkaninfo".to_owned(), "-j".to_owned()];

        let foreign = Foreign::new(&new, &old).unwrap();
        assert_eq!(foreign.launch(&command).unwrap(), command);
        let settings = foreign.prepare(shared.path()).unwrap();
        assert_eq!(settings[1].1, "/usr/lib/triplet:/run/driver/usr/lib/triplet");
        let manifest = std::fs::read_to_string(shared.path().join(MANIFEST)).unwrap();
        assert!(manifest.contains("/run/driver/usr/lib/triplet/libvulkan_lvp.so"), "{manifest}");

        let foreign = Foreign::new(&old, &new).unwrap();
        let line = foreign.launch(&command).unwrap().join(" ");
        let expected = "/run/driver/lib64/ld-linux-x86-64.so.2 --library-path \
                        /run/driver/usr/lib/triplet:/usr/lib/triplet --argv0 vulkaninfo /usr/bin/vulkaninfo -j";
        assert_eq!(line, expected);
        assert_eq!(foreign.prepare(shared.path()).unwrap().len(), 1);
    }
}
