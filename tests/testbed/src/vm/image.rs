//! What a guest boots from: a kernel, an initial file system, and a disk, made once and kept in the user's cache folder.
//!
//! ```text
//! ~/.cache/venus-toolkit/vm/
//!     image-sid-0123456789ab/          guest, hash of everything that goes in
//!         vmlinuz initial disk.ext4
//!     image-sid-0123456789ab.lock      held shared by whoever uses it
//!     image-sid.lock                   held by whoever makes one
//! ```
//!
//! The disk holds the very root in which programs of that Debian also run without a virtual machine. It is only ever read,
//! so any number of machines may share it.

use super::initial;
use crate::process::{Running, tethered};
use crate::progress::Step;
use crate::provision::roots::{self, GuestRoot, lock_file, remove};
use crate::provision::{Suite, apt, cache_folder, short_hash};
use anyhow::{Context as _, Result};
use std::fs::File;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Raised when the way disks are made changes.
const VERSION: u32 = 1;
/// Longest that making a disk may take.
const DISK_LIMIT: Duration = Duration::from_secs(300);

/// A guest that machines can boot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum System {
    /// Debian 13.
    Trixie,
    /// Debian unstable.
    Sid,
    /// Debian 13 on a 64-bit ARM processor.
    Arm64,
}

impl System {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Trixie, Self::Sid, Self::Arm64];

    /// Its name, for people and files.
    pub fn name(self) -> &'static str {
        match self {
            Self::Trixie => "trixie",
            Self::Sid => "sid",
            Self::Arm64 => "arm64",
        }
    }

    /// The environment variable that tells the end-to-end tests where the image is.
    pub fn variable(self) -> &'static str {
        match self {
            Self::Trixie => "VENUS_VM_IMAGE_TRIXIE",
            Self::Sid => "VENUS_VM_IMAGE_SID",
            Self::Arm64 => "VENUS_VM_IMAGE_ARM64",
        }
    }

    /// The target of Rust programs that run in it.
    pub fn target(self) -> &'static str {
        match self {
            Self::Trixie | Self::Sid => "x86_64-unknown-linux-gnu",
            Self::Arm64 => "aarch64-unknown-linux-gnu",
        }
    }
}

/// What a guest boots from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Image {
    system: System,
    folder: PathBuf,
}

impl Image {
    /// The image in `folder`.
    pub fn at(system: System, folder: impl Into<PathBuf>) -> Self {
        Self { system, folder: folder.into() }
    }

    /// Which guest it is.
    pub fn system(&self) -> System {
        self.system
    }

    /// Where it is.
    pub fn folder(&self) -> &Path {
        &self.folder
    }
}

/// An image in use: it is not removed while this lives.
#[derive(Debug)]
pub struct HeldImage {
    image: Image,
    _lock: File,
}

impl HeldImage {
    /// The image.
    pub fn image(&self) -> &Image {
        &self.image
    }
}

/// The roots that an image is made from.
struct Sources {
    root: GuestRoot,
    kernel: Option<GuestRoot>,
}

impl Sources {
    fn ensure(system: System) -> Result<Self> {
        let (root, kernel) = match system {
            System::Trixie => (roots::ensure(Suite::Trixie)?, Some(roots::ensure_kernel(Suite::Trixie)?)),
            System::Sid => (roots::ensure(Suite::Sid)?, Some(roots::ensure_kernel(Suite::Sid)?)),
            System::Arm64 => (roots::ensure_arm64()?, None),
        };
        Ok(Self { root, kernel })
    }

    /// What becomes the disk.
    fn root(&self) -> &Path {
        self.root.guest().root()
    }

    /// What has kernel, modules and shell.
    fn kernel(&self) -> &Path {
        self.kernel.as_ref().map_or(self.root(), |kernel| kernel.guest().root())
    }

    /// A hash of all that goes into an image.
    fn key(&self) -> String {
        let names = [self.root(), self.kernel()].map(|path| path.file_name().unwrap_or_default().to_string_lossy());
        short_hash(format!("{VERSION}\n{}\n{}", names.join("\n"), initial::recipe()).as_bytes())
    }
}

/// Finds the image of a guest in the cache, or makes it, with all that it takes.
///
/// # Errors
///
/// A root cannot be made, or the disk.
pub fn ensure(system: System) -> Result<HeldImage> {
    let sources = Sources::ensure(system)?;
    let folder = cache_folder("vm")?;
    let prefix = format!("image-{}", system.name());
    let making = lock_file(&folder.join(format!("{prefix}.lock")))?;
    making.lock().context("waiting for another run that makes an image")?;
    let image = folder.join(format!("{prefix}-{}", sources.key()));
    if !image.is_dir() {
        make(system, &sources, &folder.join(format!(".making-{prefix}")), &image)?;
    }
    let lock = lock_file(&image.with_extension("lock"))?;
    lock.lock_shared().context("holding an image")?;
    prune(&folder, &format!("{prefix}-"), &image)?;
    Ok(HeldImage { image: Image::at(system, image), _lock: lock })
}

/// Makes an image beside its final place and renames it when it is complete.
fn make(system: System, sources: &Sources, making: &Path, image: &Path) -> Result<()> {
    apt::install(&["e2fsprogs", "xz-utils", "zstd"], "making the disks of virtual machines")?;
    let step = Step::start(format!("making the image of guest {} (once; some seconds)", system.name()));
    remove(making)?;
    std::fs::create_dir(making).with_context(|| format!("making {}", making.display()))?;
    let kernel = sources.kernel();
    let version = copy_kernel(kernel, &making.join("vmlinuz"))?;
    std::fs::write(making.join("initial"), initial::build(kernel)?).context("writing the initial file system")?;
    step.detail("the disk");
    let bytes = disk(sources.root(), &making.join("disk.ext4"))?;
    std::fs::rename(making, image).with_context(|| format!("renaming to {}", image.display()))?;
    step.done(&format!("Linux {version}, a disk of {} MiB", bytes >> 20));
    Ok(())
}

/// Takes the kernel over, and says which that is.
fn copy_kernel(root: &Path, to: &Path) -> Result<String> {
    let modules = root.join("usr/lib/modules");
    let names = std::fs::read_dir(&modules).with_context(|| format!("listing {}", modules.display()))?;
    let name = names.filter_map(|entry| entry.ok()?.file_name().into_string().ok()).max();
    let version = name.with_context(|| format!("{} holds no kernel", modules.display()))?;
    // Where Debian keeps it, up to trixie and after it.
    let places = [root.join(format!("boot/vmlinuz-{version}")), modules.join(&version).join("vmlinuz")];
    let kernel = places.iter().find(|path| path.exists()).with_context(|| format!("there is no kernel {version}"))?;
    std::fs::copy(kernel, to).with_context(|| format!("copying {}", kernel.display()))?;
    Ok(version)
}

/// Makes a disk from a root folder without mounting anything; its size in bytes.
fn disk(root: &Path, disk: &Path) -> Result<u64> {
    let bytes = size(root)?;
    // Tables of inodes and blocks beside what the files themselves take.
    let bytes = (bytes + bytes / 8 + (64 << 20)).next_multiple_of(1 << 20);
    File::create(disk).and_then(|file| file.set_len(bytes)).with_context(|| format!("making {}", disk.display()))?;
    let mut command = tethered("mke2fs");
    command.env("PATH", search_path()).args(["-q", "-t", "ext4", "-O", "^has_journal", "-m", "0", "-i", "8192", "-d"]);
    Running::start(command.arg(root).arg(disk), DISK_LIMIT)?.finish()?.expect_success("mke2fs")?;
    Ok(bytes)
}

/// The search path with the folders of `mke2fs`, which a user's own may lack.
fn search_path() -> std::ffi::OsString {
    let mut path = std::env::var_os("PATH").unwrap_or_default();
    path.push(":/usr/sbin:/sbin");
    path
}

/// What a folder's files take on a disk, in bytes.
fn size(folder: &Path) -> Result<u64> {
    const BLOCK: u64 = 4096;
    let mut bytes = 0;
    for entry in std::fs::read_dir(folder).with_context(|| format!("listing {}", folder.display()))? {
        let entry = entry?;
        let metadata = entry.metadata()?;
        bytes += metadata.size().next_multiple_of(BLOCK);
        if metadata.is_dir() {
            bytes += size(&entry.path())?;
        }
    }
    Ok(bytes)
}

/// Removes the images of this guest other than `current`, but for those somebody uses.
fn prune(folder: &Path, prefix: &str, current: &Path) -> Result<()> {
    for entry in std::fs::read_dir(folder).with_context(|| format!("listing {}", folder.display()))? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let lock = path.with_extension("lock");
        if name.starts_with(prefix) && path.is_dir() && path != current && lock_file(&lock)?.try_lock().is_ok() {
            remove(&path)?;
            std::fs::remove_file(&lock).with_context(|| format!("removing {}", lock.display()))?;
        }
    }
    Ok(())
}
