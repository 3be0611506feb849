//! The initial file system of a guest: a shell, its scripts, and the kernel modules that lead to the disk and the
//! graphics device.

use crate::process::{Running, tethered};
use anyhow::{Context as _, Result, ensure};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The first process.
const FIRST: &str = include_str!("first.sh");
/// What it becomes on the disk.
const SECOND: &str = include_str!("second.sh");
/// Modules without which a guest is none. What a kernel has built in is no module, and not missing either.
const MODULES: [&str; 7] = ["virtio_pci", "virtio_blk", "crc32c_generic", "ext4", "virtio_gpu", "9pnet_virtio", "9p"];
/// Longest that unpacking a module may take.
const UNPACK_LIMIT: Duration = Duration::from_secs(60);

/// Everything here that decides what the result is, for a key.
pub(super) fn recipe() -> String {
    format!("{FIRST}\n{SECOND}\n{}", MODULES.join("\n"))
}

/// Puts one together from an unpacked kernel.
///
/// # Errors
///
/// The kernel has no busybox or no modules, or one of them cannot be unpacked.
pub(super) fn build(kernel: &Path) -> Result<Vec<u8>> {
    let busybox = kernel.join("usr/bin/busybox");
    let mut archive = Archive::default();
    archive.folder("bin");
    archive.folder("modules");
    archive.file("bin/busybox", 0o755, &std::fs::read(&busybox).with_context(|| busybox.display().to_string())?);
    archive.file("init", 0o755, FIRST.as_bytes());
    archive.file("second", 0o644, SECOND.as_bytes());
    let mut order = String::new();
    for (name, bytes) in modules(kernel)? {
        archive.file(&format!("modules/{name}.ko"), 0o644, &bytes);
        order += &format!("{name}.ko\n");
    }
    archive.file("modules/order", 0o644, order.as_bytes());
    Ok(archive.end())
}

/// The modules to load with their bytes, each after those that it needs.
fn modules(kernel: &Path) -> Result<Vec<(String, Vec<u8>)>> {
    let folder = kernel.join("usr/lib/modules");
    let mut files = BTreeMap::new();
    find(&folder, &mut files).with_context(|| format!("looking for modules in {}", folder.display()))?;
    ensure!(!files.is_empty(), "{} has no modules", folder.display());
    let mut loaded = Vec::new();
    for name in MODULES {
        add(name, &files, &mut loaded)?;
    }
    Ok(loaded)
}

/// Every module below `folder`, by its name as the kernel spells it.
fn find(folder: &Path, files: &mut BTreeMap<String, PathBuf>) -> Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let path = entry.path();
        if entry.file_type()?.is_dir() {
            find(&path, files)?;
        } else if let Some((name, _)) = entry.file_name().to_string_lossy().split_once(".ko") {
            files.insert(name.replace('-', "_"), path);
        }
    }
    Ok(())
}

/// Adds a module after those that it needs, unless it is there or built in.
fn add(name: &str, files: &BTreeMap<String, PathBuf>, loaded: &mut Vec<(String, Vec<u8>)>) -> Result<()> {
    let name = name.replace('-', "_");
    let (Some(path), false) = (files.get(&name), loaded.iter().any(|(other, _)| *other == name)) else {
        return Ok(());
    };
    let bytes = unpack(path).with_context(|| format!("reading {}", path.display()))?;
    for needed in needs(&bytes) {
        add(&needed, files, loaded)?;
    }
    loaded.push((name, bytes));
    Ok(())
}

/// A module as the kernel takes it.
fn unpack(path: &Path) -> Result<Vec<u8>> {
    let program = match path.extension().and_then(|extension| extension.to_str()) {
        Some("xz") => "xz",
        Some("zst") => "zstd",
        _ => return Ok(std::fs::read(path)?),
    };
    let folder = tempfile::tempdir()?;
    let plain = folder.path().join("module.ko");
    let mut command = tethered("sh");
    command.args(["-c", "\"$1\" -dc \"$2\" >\"$3\"", "unpack", program]).arg(path).arg(&plain);
    Running::start(&mut command, UNPACK_LIMIT)?.finish()?.expect_success(program)?;
    Ok(std::fs::read(&plain)?)
}

/// What a module says that it needs: `depends=a,b` among the strings of its section `.modinfo`.
fn needs(module: &[u8]) -> Vec<String> {
    let words = module.split(|byte| *byte == 0);
    let depends = words.filter_map(|word| word.strip_prefix(b"depends=")).next().unwrap_or_default();
    let names = depends.split(|byte| *byte == b',').filter(|name| !name.is_empty());
    names.map(|name| String::from_utf8_lossy(name).into_owned()).collect()
}

/// An archive in the format that kernels unpack (`newc` of cpio).
///
/// Each entry is a header of 110 bytes, `070701` and thirteen numbers of eight hexadecimal digits; then its name with a
/// zero, and its contents, both padded to four bytes.
#[derive(Debug, Default)]
struct Archive {
    bytes: Vec<u8>,
    entries: usize,
}

impl Archive {
    fn folder(&mut self, name: &str) {
        self.entry(name, 0o040_755, &[]);
    }

    fn file(&mut self, name: &str, permissions: u32, contents: &[u8]) {
        self.entry(name, 0o100_000 | permissions, contents);
    }

    /// Ends the archive.
    fn end(mut self) -> Vec<u8> {
        self.entry("TRAILER!!!", 0, &[]);
        self.bytes
    }

    fn entry(&mut self, name: &str, mode: u32, contents: &[u8]) {
        self.entries += 1;
        // Inode, mode, owner, group, links, time, size, two device numbers twice, length of the name, checksum.
        let mode = usize::try_from(mode).unwrap_or_default();
        let numbers = [self.entries, mode, 0, 0, 1, 0, contents.len(), 0, 0, 0, 0, name.len() + 1, 0];
        let digits: String = numbers.iter().map(|number| format!("{number:08x}")).collect();
        self.bytes.extend_from_slice(format!("070701{digits}{name}\0").as_bytes());
        self.pad();
        self.bytes.extend_from_slice(contents);
        self.pad();
    }

    fn pad(&mut self) {
        self.bytes.resize(self.bytes.len().next_multiple_of(4), 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_archive_is_what_cpio_reads() {
        let mut archive = Archive::default();
        archive.folder("a");
        archive.file("a/b", 0o644, b"hello");
        let bytes = archive.end();
        assert_eq!(bytes.len() % 4, 0);
        let file = bytes.windows(4).position(|window| window == b"a/b\0").unwrap();
        // The name begins 110 bytes into its entry, and name and header together are padded.
        let header = &bytes[file - 110..file];
        assert!(header.starts_with(b"07070100000002000081a4"), "{}", String::from_utf8_lossy(header));
        assert_eq!(&header[54..62], b"00000005");
        assert_eq!(&bytes[(file + 4).next_multiple_of(4)..][..8], b"hello\0\0\0");
    }

    #[test]
    fn modules_come_after_what_they_need() {
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path().join("usr/lib/modules/1.0/kernel");
        std::fs::create_dir_all(&place).unwrap();
        std::fs::write(place.join("virtio-gpu.ko"), b"ELF\0license=GPL\0depends=drm_kms_helper,drm\0").unwrap();
        std::fs::write(place.join("drm_kms_helper.ko"), b"ELF\0depends=drm\0").unwrap();
        std::fs::write(place.join("drm.ko"), b"ELF\0depends=\0").unwrap();
        let names: Vec<String> = modules(folder.path()).unwrap().into_iter().map(|(name, _)| name).collect();
        assert_eq!(names, ["drm", "drm_kms_helper", "virtio_gpu"]);
    }
}
