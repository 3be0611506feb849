//! Facts of the operating system. Every look is best effort: what cannot be found out is left out.

use std::{
    env,
    fs::{self, OpenOptions},
    io,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
};

use rustix::process::{Resource, getrlimit};
use venus_host::resource::{host_page_size, try_memory_file};

use super::facts::{Access, Manifest, Node, OpenFiles, System};

/// Variables that name drivers' manifests to use instead of the installed ones, newest first.
const CHOICE_VARIABLES: [&str; 2] = ["VK_DRIVER_FILES", "VK_ICD_FILENAMES"];

/// Names that libraries of GPU drivers and the loader have in common.
const GPU_LIBRARIES: [&str; 5] = ["libvulkan", "libnvidia-", "libGLX_nvidia", "libMoltenVK", "libcuda"];

pub(super) fn examine() -> System {
    System {
        os: env::consts::OS,
        page_bytes: host_page_size(),
        open_files: open_files(),
        memory_file: Some(try_memory_file().map_err(|error| error.to_string())),
        shm_free_bytes: shm_free_bytes(),
        udmabuf: access(Path::new("/dev/udmabuf")),
        render_nodes: render_nodes(),
        manifests: manifests(),
        chosen_drivers: CHOICE_VARIABLES.iter().find_map(|name| Some((*name, env::var(name).ok()?))),
        sandbox: Some(venus_host::sandbox::support()),
        preloaded: preloaded(),
    }
}

fn open_files() -> OpenFiles {
    let limit = getrlimit(Resource::Nofile);
    OpenFiles { soft: limit.current, hard: limit.maximum }
}

/// Memory files of Linux are no files of `/dev/shm`, but in containers both are bounded by the same memory, and
/// programs that need `/dev/shm` itself (Mesa's software WSI) run beside us.
fn shm_free_bytes() -> Option<u64> {
    let stat = rustix::fs::statvfs("/dev/shm").ok()?;
    stat.f_bavail.checked_mul(stat.f_frsize)
}

/// Whether a device file can be opened for reading and writing.
fn access(path: &Path) -> Access {
    match OpenOptions::new().read(true).write(true).open(path) {
        Ok(_) => Access::Usable,
        Err(error) if error.kind() == io::ErrorKind::NotFound => Access::Absent,
        Err(error) => Access::Denied(error.to_string()),
    }
}

fn render_nodes() -> Vec<Node> {
    let mut paths: Vec<PathBuf> = fs::read_dir("/dev/dri")
        .into_iter()
        .flatten()
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("renderD")))
        .collect();
    paths.sort();
    let groups = fs::read_to_string("/etc/group").unwrap_or_default();
    let node = |path: &PathBuf| Node {
        path: path.display().to_string(),
        access: access(path),
        group: fs::metadata(path).map_or_else(|_| "?".to_owned(), |found| group_name(&groups, found.gid())),
    };
    paths.iter().map(node).collect()
}

/// The name of a group by what `/etc/group` says, or its number.
fn group_name(groups: &str, id: u32) -> String {
    let id = id.to_string();
    let row = groups.lines().find(|row| row.split(':').nth(2) == Some(&id));
    row.and_then(|row| row.split(':').next()).map_or(id.clone(), str::to_owned)
}

/// The manifests of all installed drivers, where the loader looks for them.
fn manifests() -> Vec<Manifest> {
    let home = env::var_os("HOME").map(PathBuf::from);
    let under_home = |part: &str| home.iter().map(|home| home.join(part)).collect::<Vec<_>>();
    let list = |name: &str, default: &str| {
        let value = env::var(name).ok().filter(|value| !value.is_empty()).unwrap_or_else(|| default.to_owned());
        env::split_paths(&value).collect::<Vec<_>>()
    };
    let mut roots = under_home(".config");
    roots.extend(list("XDG_CONFIG_DIRS", "/etc/xdg"));
    roots.push("/etc".into());
    roots.extend(under_home(".local/share"));
    roots.extend(list("XDG_DATA_DIRS", "/usr/local/share:/usr/share"));
    if cfg!(target_os = "macos") {
        roots.push("/opt/homebrew/share".into());
    }
    let mut folders: Vec<PathBuf> = roots.iter().map(|root| root.join("vulkan/icd.d")).collect();
    folders.dedup();
    let mut found = Vec::new();
    for folder in folders {
        let mut paths: Vec<PathBuf> =
            fs::read_dir(folder).into_iter().flatten().filter_map(|entry| Some(entry.ok()?.path())).collect();
        paths.retain(|path| path.extension().is_some_and(|extension| extension == "json"));
        paths.sort();
        found.extend(paths.iter().map(|path| Manifest {
            path: path.display().to_string(),
            library:
                fs::read_to_string(path).map_err(|error| error.to_string()).and_then(|text| library_of(&text, path)),
        }));
    }
    found
}

/// The library that a manifest names; relative paths are relative to the manifest. An error if there is none such.
fn library_of(text: &str, manifest: &Path) -> Result<String, String> {
    let content: serde_json::Value = serde_json::from_str(text).map_err(|error| format!("it is no JSON: {error}"))?;
    let name = content.pointer("/ICD/library_path").and_then(|path| path.as_str());
    let name = name.ok_or("it names no library_path")?;
    // A bare name is searched like any library.
    if !name.contains('/') {
        return Ok(name.to_owned());
    }
    let path = manifest.parent().unwrap_or(Path::new("/")).join(name);
    if path.exists() {
        Ok(path.display().to_string())
    } else {
        Err(format!("its library {} does not exist", path.display()))
    }
}

/// GPU libraries that are in this process already: only somebody from outside can have put them there.
fn preloaded() -> Vec<String> {
    let mut found = Vec::new();
    for variable in ["LD_PRELOAD", "DYLD_INSERT_LIBRARIES"] {
        if let Ok(value) = env::var(variable) {
            found.extend(
                value.split([':', ' ']).filter(|name| is_gpu_library(name)).map(|name| format!("{name} ({variable})")),
            );
        }
    }
    let maps = fs::read_to_string("/proc/self/maps").unwrap_or_default();
    let mapped = maps.lines().filter_map(|line| line.split_whitespace().nth(5)).filter(|path| is_gpu_library(path));
    found.extend(mapped.map(str::to_owned));
    found.sort();
    found.dedup();
    found
}

fn is_gpu_library(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path);
    GPU_LIBRARIES.iter().any(|known| name.starts_with(known))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_have_names() {
        let groups = "root:x:0:\nvideo:x:44:a,b\nrender:x:105:\n";
        assert_eq!(group_name(groups, 105), "render");
        assert_eq!(group_name(groups, 4), "4");
    }

    #[test]
    fn manifests_name_their_library() {
        let at = Path::new("/usr/share/vulkan/icd.d/x.json");
        let read = |text: &str| library_of(text, at);
        assert_eq!(read(r#"{"ICD": {"library_path": "libx.so"}}"#), Ok("libx.so".to_owned()));
        assert_eq!(read(r#"{"ICD": {"library_path": "/"}}"#), Ok("/".to_owned()));
        let missing = read(r#"{"ICD": {"library_path": "../nowhere/libx.so"}}"#).unwrap_err();
        assert!(missing.contains("/usr/share/vulkan/icd.d/../nowhere/libx.so does not exist"), "{missing}");
        assert!(read("{").unwrap_err().contains("no JSON"));
        assert!(read("{}").unwrap_err().contains("library_path"));
    }

    #[test]
    fn gpu_libraries_are_told_from_others() {
        assert!(is_gpu_library("/usr/lib/libvulkan.so.1") && is_gpu_library("libGLX_nvidia.so.0"));
        assert!(!is_gpu_library("/usr/lib/libc.so.6") && !is_gpu_library("/opt/libvulkan/libx.so"));
    }
}
