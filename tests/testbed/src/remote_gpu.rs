//! Everything that `tests/remote-gpu/run.sh` needs on a machine with an NVIDIA card, in one folder.
//!
//! That machine may have no network and an older C library than Debian's unstable guests, so the folder holds the guest's
//! programs with all their libraries and their own loader, our host, and the libraries beside which NVIDIA's driver wants
//! to live. And what its measurements in pairs came to.

mod pairs;
pub(crate) mod result;

pub use pairs::table;

use crate::cargo::{build, build_library};
use crate::cases::Cases;
use crate::process::{Running, tethered};
use crate::programs::ggml_program;
use crate::progress::Step;
use crate::provision::{Suite, roots};
use crate::sandbox::Guest;
use crate::workspace;
use anyhow::{Context as _, Result, ensure};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// Where the script lies, in the workspace.
const SCRIPT: &str = "tests/remote-gpu/run.sh";
/// Where the folder is made by default, in the workspace.
const FOLDER: &str = "target/remote-gpu";
/// The archive in it.
const ARCHIVE: &str = "files.tar.gz";
/// A library in a guest root, or the folder of them.
const LIBRARIES: &str = "usr/lib/x86_64-linux-gnu";
/// Where llama.cpp's programs have libraries of their own, in that folder.
const PRIVATE_LIBRARIES: &str = "llama";
/// The C library's loader, which starts programs where the system's own is too old.
const LOADER: &str = "ld-linux-x86-64.so.2";
/// Debian packages of this machine's release: the libraries that NVIDIA's driver opens, found out by trial.
const DRIVER_PACKAGES: [&str; 15] = [
    "vulkan-tools", // not for the driver: a vulkaninfo that asks less of it
    "libvulkan1",
    "libegl1",
    "libglvnd0",
    "libopengl0",
    "libgl1",
    "libglx0",
    "libgles2",
    "libx11-6",
    "libxext6",
    "libxcb1",
    "libxau6",
    "libxdmcp6",
    "libbsd0",
    "libmd0",
];
/// Longest that one of the small programs used here may take, downloads included.
const LIMIT: Duration = Duration::from_secs(300);

/// Fills `folder`, or `target/remote-gpu` in the workspace. `venus` is a command to use instead of building this
/// workspace's.
///
/// # Errors
///
/// A guest root cannot be made, or a program that packs fails.
pub fn pack(folder: Option<&Path>, venus: Option<&Path>) -> Result<()> {
    let folder = folder.map_or_else(|| workspace().join(FOLDER), Path::to_owned);
    let host = match venus {
        Some(venus) => venus.to_owned(),
        None => build(&["--release", "--package", "venus-command", "--bin", "venus"])?,
    };
    let root = roots::ensure(Suite::Sid)?;
    let older = roots::ensure(Suite::Trixie)?;
    let step = Step::start(format!("packing {}", folder.display()));
    let packed = tempfile::tempdir().context("making a folder to pack")?;
    pack_programs(root.guest(), older.guest(), &host, packed.path())?;
    step.detail("libraries that the driver opens");
    pack_driver_libraries(packed.path())?;
    write_versions(root.guest(), &host, packed.path())?;

    std::fs::create_dir_all(&folder).with_context(|| format!("making {}", folder.display()))?;
    step.detail("compressing");
    let archive = folder.join(ARCHIVE);
    call(
        tethered("tar")
            .args(["--create", "--gzip", "--file"])
            .arg(&archive)
            .arg("--directory")
            .arg(packed.path())
            .arg("."),
    )?;
    copy(&workspace().join(SCRIPT), &folder.join("run.sh"))?;
    let size = std::fs::metadata(&archive).context("looking at the archive")?.len();
    step.done(&format!("{:.1} MB; there: {}/run.sh RESULT-FILE", size as f64 / 1e6, folder.display()));
    Ok(())
}

/// The guest's programs, its Venus driver, ggml's backends, our host and cases, and every library that one of them names.
fn pack_programs(guest: &Guest, older: &Guest, host: &Path, packed: &Path) -> Result<()> {
    let libraries = guest.root().join(LIBRARIES);
    for folder in ["bin", "lib", "backends"] {
        std::fs::create_dir(packed.join(folder)).with_context(|| format!("making the folder {folder}"))?;
    }
    let ggml = ggml_program(guest.root()).context("the guest root has no ggml tests (package llama.cpp-tests)")?;
    let ggml = guest.root().join(ggml.strip_prefix("/").unwrap_or(&ggml));
    let mut needed = vec![
        (guest.root().join("usr/bin/vulkaninfo"), packed.join("bin/vulkaninfo")),
        (older.root().join("usr/bin/vulkaninfo"), packed.join("bin/vulkaninfo-trixie")),
        (ggml, packed.join("bin/test-backend-ops")),
        (guest.root().join("usr/bin/llama-bench"), packed.join("bin/llama-bench")),
        (libraries.join("libvulkan_virtio.so"), packed.join("lib/libvulkan_virtio.so")),
        (libraries.join("libvulkan.so.1"), packed.join("lib/libvulkan.so.1")),
    ];
    for entry in std::fs::read_dir(libraries.join("ggml/backends0")).context("looking for ggml's backends")? {
        let entry = entry?;
        needed.push((entry.path(), packed.join("backends").join(entry.file_name())));
    }
    let mut closure = BTreeSet::from([libraries.join(LOADER)]);
    for (from, to) in &needed {
        copy(from, to)?;
        closure.extend(libraries_of(&libraries, from)?);
    }
    let model = build(&["--release", "--package", "venus-in-process", "--bin", "random-model"])?;
    let in_process = build_library(&["--release", "--package", "venus-in-process", "--lib"])?;
    for (program, name) in [
        (host, "bin/venus"),
        (Cases::build()?.program(), "bin/venus-cases"),
        (&*model, "bin/random-model"),
        (&*in_process, "lib/libvenus_in_process.so"),
    ] {
        let stripped = packed.join(name);
        call(tethered("strip").arg("-o").arg(&stripped).arg(program))?;
        closure.extend(libraries_of(&libraries, &stripped)?);
    }
    for library in closure {
        let name = library.file_name().context("a library without a name")?;
        copy(&library, &packed.join("lib").join(name))?;
    }
    Ok(())
}

/// Asks the guest's own loader which libraries `file` would get.
fn libraries_of(libraries: &Path, file: &Path) -> Result<Vec<PathBuf>> {
    let mut command = tethered(libraries.join(LOADER));
    let mut path = libraries.as_os_str().to_owned();
    path.push(":");
    path.push(libraries.join(PRIVATE_LIBRARIES));
    let output = call(command.arg("--library-path").arg(path).arg("--list").arg(file))?;
    let found = output.lines().filter_map(|line| Some(PathBuf::from(line.split_once(" => ")?.1.split(" (").next()?)));
    Ok(found.filter(|path| path.starts_with(libraries)).collect())
}

fn pack_driver_libraries(packed: &Path) -> Result<()> {
    let folder = tempfile::tempdir().context("making a folder for packages")?;
    call(tethered("apt-get").args(["--quiet", "download"]).args(DRIVER_PACKAGES).current_dir(folder.path()))?;
    let unpacked = folder.path().join("unpacked");
    for entry in std::fs::read_dir(folder.path())? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "deb") {
            call(tethered("dpkg-deb").arg("--extract").arg(&path).arg(&unpacked))?;
        }
    }
    copy(&unpacked.join("usr/bin/vulkaninfo"), &packed.join("bin/vulkaninfo-bookworm"))?;
    let target = packed.join("gl");
    std::fs::create_dir(&target).context("making the folder gl")?;
    for entry in std::fs::read_dir(unpacked.join(LIBRARIES)).context("looking into the packages")? {
        let entry = entry?;
        if entry.file_name().to_string_lossy().contains(".so") {
            copy(&entry.path(), &target.join(entry.file_name()))?;
        }
    }
    Ok(())
}

/// Says what is packed, for the page that shows the results.
fn write_versions(guest: &Guest, host: &Path, packed: &Path) -> Result<()> {
    let venus = call(tethered(host).arg("--version"))?;
    let mut text = format!("host={}\nmesa={}\n", venus.trim(), guest.mesa_version().unwrap_or_default());
    for package in ["vulkan-tools", "libggml0-backend-vulkan", "llama.cpp-tools"] {
        text += &format!("{package}={}\n", guest.package_version(package).unwrap_or_default());
    }
    std::fs::write(packed.join("versions"), text).context("writing the versions")
}

/// Copies what a path leads to, links followed.
fn copy(from: &Path, to: &Path) -> Result<()> {
    std::fs::copy(from, to).with_context(|| format!("copying {} to {}", from.display(), to.display()))?;
    Ok(())
}

/// Runs a program that has to succeed, and returns what it prints.
fn call(command: &mut Command) -> Result<String> {
    let what = command.get_args().last().map(|argument| argument.to_string_lossy().into_owned()).unwrap_or_default();
    let finished = Running::start(command, LIMIT)?.finish()?;
    ensure!(finished.success(), "a program failed at {what}: {}", finished.stderr.trim());
    Ok(finished.stdout)
}
