//! The files of a process that serves guests, as rows with reasons. What is not there has no rule.

use std::{
    collections::BTreeSet,
    env,
    ffi::OsString,
    fs,
    os::unix::{ffi::OsStrExt as _, fs::DirBuilderExt as _},
    path::{Path, PathBuf},
};

use super::{Confinement, Sandbox, family::Family, manifests};

/// What may be done with files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Access {
    /// To read them, and list folders.
    Read,
    /// To read, write and command devices.
    Device,
    /// To make files, and no more: such as giving a name to one that has none.
    Name,
    /// To make, change and remove files and folders.
    Write,
}

/// Files that are treated alike.
#[derive(Debug)]
pub(super) struct Row {
    pub(super) family: Family,
    access: Access,
    /// Absolute paths. A star at the end stands for anything.
    paths: &'static [&'static str],
    /// Why.
    pub(super) why: &'static str,
}

/// Files that are at the same place everywhere. All rows hold for all processes, since a driver is known when it is loaded
/// only; what belongs to drivers that are not installed is not there.
pub(super) const ROWS: &[Row] = &[
    Row {
        family: Family::Every,
        access: Access::Read,
        paths: &["/usr", "/lib", "/lib32", "/lib64"],
        why: "libraries, drivers, their manifests and their data",
    },
    Row {
        family: Family::Every,
        access: Access::Read,
        paths: &["/nix/store", "/gnu/store", "/run/opengl-driver", "/run/opengl-driver-32", "/run/current-system"],
        why: "libraries and drivers of NixOS and Guix",
    },
    Row {
        family: Family::Every,
        access: Access::Read,
        paths: &["/etc/ld.so.cache", "/etc/ld.so.preload", "/etc/alternatives"],
        why: "the dynamic loader looks there for libraries",
    },
    Row {
        family: Family::Every,
        access: Access::Read,
        paths: &["/etc/passwd", "/etc/nsswitch.conf"],
        why: "drivers ask for their user's home folder where HOME does not say",
    },
    Row {
        family: Family::Every,
        access: Access::Device,
        paths: &["/dev/null", "/dev/zero", "/dev/urandom", "/dev/random"],
        why: "/dev/null, and randomness",
    },
    Row {
        family: Family::Every,
        access: Access::Read,
        paths: &[
            "/proc/self",
            "/proc/cpuinfo",
            "/proc/meminfo",
            "/proc/stat",
            "/proc/version",
            "/proc/filesystems",
            "/proc/sys/vm",
            "/proc/sys/kernel",
        ],
        why: "what the process and its processor are",
    },
    Row {
        family: Family::Every,
        access: Access::Read,
        paths: &[
            "/sys/devices",
            "/sys/dev",
            "/sys/class",
            "/sys/bus",
            "/sys/module",
            "/sys/fs/cgroup",
            "/sys/kernel/mm",
        ],
        why: "which devices there are, and how many processors it may use",
    },
    Row {
        family: Family::Lavapipe,
        access: Access::Device,
        paths: &["/dev/udmabuf"],
        why: "makes memory files of the CPU into dma-bufs",
    },
    Row { family: Family::Nvidia, access: Access::Device, paths: &["/dev/nvidia*", "/dev/dri"], why: "the GPU" },
    Row {
        family: Family::Nvidia,
        access: Access::Read,
        paths: &["/proc/driver", "/proc/devices", "/proc/modules", "/proc/misc", "/etc/nvidia"],
        why: "the driver's kernel module and its options",
    },
    Row {
        family: Family::Generic,
        access: Access::Device,
        paths: &["/dev/dri", "/dev/kfd", "/dev/udmabuf", "/dev/dma_heap", "/dev/mali*", "/dev/kgsl-3d0", "/dev/dxg"],
        why: "the GPU, and where shared memory comes from",
    },
    Row {
        family: Family::Generic,
        access: Access::Read,
        paths: &["/etc/drirc", "/etc/amd", "/opt/amdgpu", "/opt/amdgpu-pro", "/opt/rocm"],
        why: "the drivers' options, and drivers that are not in /usr",
    },
];

/// Variables that name files and folders, several with colons between them, and whether those hold manifests.
const VARIABLES: &[(&str, bool)] = &[
    ("VK_DRIVER_FILES", true),
    ("VK_ICD_FILENAMES", true),
    ("VK_ADD_DRIVER_FILES", true),
    ("VK_LAYER_PATH", true),
    ("VK_ADD_LAYER_PATH", true),
    ("VK_IMPLICIT_LAYER_PATH", true),
    ("VK_ADD_IMPLICIT_LAYER_PATH", true),
    ("VK_LAYER_SETTINGS_PATH", false),
    ("DRIRC_CONFIGDIR", false),
    ("LIBGL_DRIVERS_PATH", false),
    ("GBM_BACKENDS_PATH", false),
    ("LD_LIBRARY_PATH", false),
];

/// Those of them whose manifests are drivers'.
const DRIVERS: &[&str] = &["VK_DRIVER_FILES", "VK_ICD_FILENAMES", "VK_ADD_DRIVER_FILES"];

/// Where a library of Vulkan may be named that is to be used instead of the system's.
const LIBRARY: &str = "VENUS_VULKAN_LIBRARY";

/// Folders of manifests below those of configuration and data.
const MANIFESTS: &[&str] = &["vulkan/icd.d", "vulkan/implicit_layer.d", "vulkan/explicit_layer.d"];

/// Caches of shaders: whose; the variable that names the folder; its names in the user's cache folder, and in the home.
struct Cache {
    variable: &'static str,
    /// Without this file there is no driver that would use it.
    of: &'static str,
    in_caches: &'static [&'static str],
    in_home: &'static [&'static str],
}

const CACHES: &[Cache] = &[
    Cache {
        variable: "MESA_SHADER_CACHE_DIR",
        of: "/",
        in_caches: &["mesa_shader_cache", "mesa_shader_cache_db"],
        in_home: &[],
    },
    Cache { variable: "__GL_SHADER_DISK_CACHE_PATH", of: "/dev/nvidiactl", in_caches: &["nvidia"], in_home: &[".nv"] },
];

/// Reads a variable of the environment.
type Variable<'a> = &'a dyn Fn(&str) -> Option<OsString>;

/// Which files this process may use, and how. Makes the folders that it may write to.
pub(super) fn rules(sandbox: &Sandbox) -> Vec<(PathBuf, Access)> {
    let variable = |name: &str| env::var_os(name).filter(|value| !value.is_empty());
    let mut rules: BTreeSet<(PathBuf, Access)> = BTreeSet::new();
    for row in ROWS {
        let paths = row.paths.iter().flat_map(|path| expanded(path));
        rules.extend(paths.map(|path| (path, row.access)));
    }
    let readable = chosen(&variable)
        .into_iter()
        .chain(this_program())
        .chain(of_the_system())
        .chain(sandbox.readable.iter().cloned());
    rules.extend(readable.map(|path| (path, Access::Read)));
    let may_write = sandbox.level != Confinement::Strict;
    for folder in caches(&variable) {
        if may_write {
            make(&folder);
        }
        rules.insert((folder, if may_write { Access::Write } else { Access::Read }));
    }
    for path in &sandbox.writable {
        if !path.exists() {
            make(path);
        }
        rules.insert((path.clone(), Access::Write));
    }
    rules.extend(sandbox.nameable.iter().map(|folder| (folder.clone(), Access::Name)));
    rules.into_iter().collect()
}

/// The files that a path with a star at its end means.
fn expanded(path: &str) -> Vec<PathBuf> {
    let Some(prefix) = path.strip_suffix('*') else { return vec![path.into()] };
    let Some((folder, name)) = prefix.rsplit_once('/') else { return Vec::new() };
    let files = fs::read_dir(folder).into_iter().flatten().filter_map(Result::ok);
    files.filter(|file| file.file_name().as_bytes().starts_with(name.as_bytes())).map(|file| file.path()).collect()
}

/// What is to be read because variables, or files at places that variables name, say so.
fn chosen(variable: Variable<'_>) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let with_libraries = |path: PathBuf, found: &mut Vec<PathBuf>| {
        found.extend(manifests::libraries(&path).iter().flat_map(|library| manifests::around(library)));
        found.push(path);
    };
    for (name, has_manifests) in VARIABLES {
        for path in listed(variable(name)) {
            if *has_manifests { with_libraries(path, &mut found) } else { found.push(path) }
        }
    }
    for root in roots(variable) {
        for name in MANIFESTS {
            with_libraries(root.join(name), &mut found);
        }
        found.push(root.join("vulkan"));
        found.push(root.join("drirc.d"));
    }
    let library = variable(LIBRARY).map(PathBuf::from).filter(|path| path.is_absolute());
    found.extend(library.iter().flat_map(|library| manifests::around(library)));
    // Options of Mesa's drivers, and profiles of applications for NVIDIA's.
    let home = variable("HOME").map(PathBuf::from);
    found.extend(home.iter().flat_map(|home| [home.join(".drirc"), home.join(".nv")]));
    found
}

/// What the libraries are called that manifests say are drivers, up to their versions.
pub(super) fn drivers() -> BTreeSet<String> {
    let variable = |name: &str| env::var_os(name).filter(|value| !value.is_empty());
    let told = DRIVERS.iter().flat_map(|name| listed(variable(name)));
    let found = roots(&variable).into_iter().map(|root| root.join("vulkan/icd.d"));
    told.chain(found).flat_map(|path| manifests::names(&path)).collect()
}

/// Absolute paths with colons between them.
fn listed(value: Option<OsString>) -> Vec<PathBuf> {
    let value = value.unwrap_or_default();
    env::split_paths(&value).filter(|path| path.is_absolute()).collect()
}

/// Folders of configuration and data, as the XDG base directory specification has them.
fn roots(variable: Variable<'_>) -> Vec<PathBuf> {
    let home = variable("HOME").map(PathBuf::from);
    let own = |name, part: &str| variable(name).map(PathBuf::from).or_else(|| Some(home.as_ref()?.join(part)));
    let all = |name, default: &str| listed(Some(variable(name).unwrap_or_else(|| default.into())));
    let mut roots = vec![PathBuf::from("/etc")];
    roots.extend(own("XDG_CONFIG_HOME", ".config"));
    roots.extend(own("XDG_DATA_HOME", ".local/share"));
    roots.extend(all("XDG_CONFIG_DIRS", "/etc/xdg"));
    roots.extend(all("XDG_DATA_DIRS", "/usr/local/share:/usr/share"));
    roots
}

/// The libraries of this process, and those beside them: a program that runs through the dynamic loader of another system
/// has drivers there. Its own file is read when it panics.
fn this_program() -> Vec<PathBuf> {
    let maps = fs::read_to_string("/proc/self/maps").unwrap_or_default();
    let mapped: BTreeSet<&Path> =
        maps.lines().filter_map(|line| Some(Path::new(line.get(line.find('/')?..)?))).collect();
    let is_library = |path: &Path| path.file_name().is_some_and(|name| name.to_string_lossy().contains(".so"));
    let (libraries, others): (Vec<&Path>, Vec<&Path>) = mapped.into_iter().partition(|path| is_library(path));
    let around = libraries.into_iter().flat_map(manifests::around);
    around.chain(others.into_iter().map(Path::to_owned)).chain(by_the_loader()).collect()
}

/// What a dynamic loader that was started as a program was told (`--library-path`).
fn by_the_loader() -> Vec<PathBuf> {
    let line = fs::read("/proc/self/cmdline").unwrap_or_default();
    let mut arguments = line.split(|byte| *byte == 0);
    let told = arguments.by_ref().find(|argument| *argument == b"--library-path").and_then(|_| arguments.next());
    let told = told.map(|paths| std::ffi::OsStr::from_bytes(paths).to_owned());
    listed(told)
}

/// Folders of libraries that the system's administrator has added (`ld.so.conf`).
fn of_the_system() -> Vec<PathBuf> {
    let more = fs::read_dir("/etc/ld.so.conf.d").into_iter().flatten().filter_map(|entry| Some(entry.ok()?.path()));
    let files = more.chain([PathBuf::from("/etc/ld.so.conf")]);
    let texts = files.filter_map(|file| fs::read_to_string(file).ok());
    texts
        .flat_map(|text| text.lines().map(|line| PathBuf::from(line.trim())).collect::<Vec<_>>())
        .filter(|path| path.is_absolute())
        .collect()
}

/// The folders of caches of shaders.
fn caches(variable: Variable<'_>) -> Vec<PathBuf> {
    let home = variable("HOME").map(PathBuf::from);
    let root = variable("XDG_CACHE_HOME").map(PathBuf::from).or_else(|| Some(home.as_ref()?.join(".cache")));
    let mut found = Vec::new();
    for cache in CACHES.iter().filter(|cache| Path::new(cache.of).exists()) {
        if let Some(named) = variable(cache.variable) {
            found.push(named.into());
            continue;
        }
        found.extend(root.iter().flat_map(|root| cache.in_caches.iter().map(|name| root.join(name))));
        found.extend(home.iter().flat_map(|home| cache.in_home.iter().map(|name| home.join(name))));
    }
    found
}

/// Makes a folder for this user alone, if there is none. What cannot be made cannot be written to either.
fn make(folder: &Path) {
    if let Err(error) = fs::DirBuilder::new().recursive(true).mode(0o700).create(folder) {
        tracing::debug!("cannot make {}: {error}", folder.display());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_absolute_and_have_reasons() {
        for row in ROWS {
            assert!(!row.why.is_empty() && row.paths.iter().all(|path| path.starts_with('/')), "{row:?}");
            assert!(matches!(row.access, Access::Read | Access::Device), "who writes is told where");
        }
    }

    #[test]
    fn stars_stand_for_what_is_there() {
        assert!(expanded("/proc/cpuinf*").contains(&PathBuf::from("/proc/cpuinfo")));
        assert!(expanded("/nowhere/at*").is_empty());
        assert_eq!(expanded("/usr"), [PathBuf::from("/usr")]);
    }

    #[test]
    fn variables_say_what_else_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let manifest = folder.path().join("x.json");
        let library = folder.path().join("libx.so");
        fs::write(&library, "").unwrap();
        fs::write(&manifest, format!("{{\"library_path\": \"{}\"}}", library.display())).unwrap();
        let set = |name: &str| match name {
            "VK_DRIVER_FILES" => Some(format!("{}:relative.json", manifest.display()).into()),
            "HOME" => Some("/home/somebody".into()),
            _ => None,
        };
        let found = chosen(&set);
        for path in [&manifest, &library.canonicalize().unwrap(), &"/home/somebody/.local/share/vulkan".into()] {
            assert!(found.contains(path), "{path:?} of {found:?}");
        }
        assert!(found.iter().all(|path| path.is_absolute() && path != Path::new("/home/somebody")), "{found:?}");
    }

    #[test]
    fn caches_are_where_their_variables_say() {
        let home = |name: &str| (name == "HOME").then(|| "/home/somebody".into());
        assert!(caches(&home).contains(&"/home/somebody/.cache/mesa_shader_cache_db".into()));
        let named = |name: &str| (name == "MESA_SHADER_CACHE_DIR").then(|| "/var/cache/x".into());
        assert_eq!(caches(&named), [PathBuf::from("/var/cache/x")]);
    }

    #[test]
    fn what_may_be_written_is_made_and_the_rest_of_its_folder_is_not_opened() {
        let folder = tempfile::tempdir().unwrap();
        let recordings = folder.path().join("recordings");
        let rules = rules(&Sandbox::new(Confinement::Strict).writable(&recordings));
        assert!(recordings.is_dir() && rules.contains(&(recordings, Access::Write)));
        let around = |path: &Path| folder.path().starts_with(path);
        assert!(!rules.iter().any(|(path, _)| around(path)), "{rules:?}");
    }
}
