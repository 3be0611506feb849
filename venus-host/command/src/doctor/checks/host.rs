//! Checks of the operating system, the Vulkan library and the drivers' files.

use venus_host::driver::survey::HOW_TO_GET_VALIDATION;

use super::{Judgement, Level, bad, failure, fine, plural, warning};
use crate::doctor::facts::{Access, Facts, Node, System};

/// Bytes of a page that every guest can map to.
const SMALL_PAGE: u64 = 4096;

/// Descriptors below which a guest with many allocations runs out: drivers permit 4096 allocations or more, each that could
/// be mapped takes a descriptor here, and there are syncs and the driver's own.
const ENOUGH_FILES: u64 = 16_384;

/// Free bytes in `/dev/shm` below which programs beside us fail.
const ENOUGH_SHM_BYTES: u64 = 64 << 20;

pub(super) fn library(facts: &Facts) -> Vec<Judgement> {
    vec![match &facts.library {
        Ok(library) => fine(format!("{}, version {}", library.path, library.version)),
        Err(reason) => failure(
            reason.clone(),
            "no guest can start",
            "install a Vulkan loader (Debian: apt-get install libvulkan1; macOS: brew install vulkan-loader)",
        ),
    }]
}

pub(super) fn preloaded(facts: &Facts) -> Vec<Judgement> {
    match &*facts.system.preloaded {
        [] => Vec::new(),
        libraries => vec![warning(
            format!("{} in this process before it asked", libraries.join(", ")),
            "drivers that were loaded before a guest's process began have failed in it (NVIDIA's does)",
            "start the host without LD_PRELOAD, or name the libraries in it that are not of the GPU only",
        )],
    }
}

/// What the environment says about drivers.
pub(super) fn drivers(facts: &Facts) -> Vec<Judgement> {
    let Some((variable, value)) = &facts.system.chosen_drivers else {
        return Vec::new();
    };
    let is_venus = |path: &str| path.rsplit('/').next().is_some_and(|name| name.starts_with("virtio"));
    vec![match value.split(':').any(is_venus) {
        true => failure(
            format!("{variable} names the guests' own driver: {value}"),
            "the host would be a guest, of itself or of nobody",
            format!("unset {variable} for the host, and set it for the guest's program only"),
        ),
        false => warning(
            format!("{variable} replaces the installed drivers by {value}"),
            "guests see those drivers' GPUs only",
            format!("unset {variable} if that is not meant"),
        ),
    }]
}

pub(super) fn manifests(facts: &Facts) -> Vec<Judgement> {
    let System { manifests, chosen_drivers, os, .. } = &facts.system;
    if chosen_drivers.is_some() {
        return Vec::new();
    }
    if manifests.is_empty() {
        // Elsewhere the library may be a driver itself.
        let level = if *os == "linux" { Level::Failure } else { Level::Warning };
        return vec![bad(
            level,
            "no driver's manifest is installed",
            "the Vulkan library finds no GPU",
            "install a driver (Debian: apt-get install mesa-vulkan-drivers; NVIDIA: nvidia-driver and its Vulkan ICD)",
        )];
    }
    let mut found = Vec::new();
    let mut libraries: Vec<(&str, &str)> = Vec::new();
    for manifest in manifests {
        match &manifest.library {
            Err(problem) => found.push(warning(
                format!("{}: {problem}", manifest.path),
                "the Vulkan library skips this driver, and guests do not see its GPU",
                "install the driver's package again, or remove the file",
            )),
            Ok(library) => match libraries.iter().find(|(known, _)| known == library) {
                Some((_, other)) => found.push(warning(
                    format!("{other} and {} name the same driver", manifest.path),
                    "guests may see its GPUs twice",
                    "remove one of the files",
                )),
                None => libraries.push((library, &manifest.path)),
            },
        }
    }
    found.push(fine(format!("{} installed", plural(libraries.len(), "driver"))));
    found
}

pub(super) fn render_nodes(facts: &Facts) -> Vec<Judgement> {
    if facts.system.os != "linux" {
        return Vec::new();
    }
    let nodes = &facts.system.render_nodes;
    if nodes.is_empty() {
        return vec![warning(
            "/dev/dri has no render node",
            "there is no GPU, its kernel driver is not loaded, or this is a container without it; NVIDIA's driver needs \
             none, all others render on the CPU",
            "load the kernel's driver; for a container: pass --device /dev/dri",
        )];
    }
    let judge = |node: &Node| match &node.access {
        Access::Usable => fine(format!("{} can be opened", node.path)),
        Access::Absent | Access::Denied(_) => {
            let reason = if let Access::Denied(reason) = &node.access { reason } else { "it went away" };
            warning(
                format!("{} cannot be opened: {reason}", node.path),
                "its driver finds no GPU and guests render on the CPU",
                format!("add the user to the group {0}: sudo usermod -aG {0} $USER, and log in again", node.group),
            )
        }
    };
    nodes.iter().map(judge).collect()
}

pub(super) fn memory_files(facts: &Facts) -> Vec<Judgement> {
    let mut found = Vec::new();
    match &facts.system.memory_file {
        None => {}
        Some(Ok(())) => found.push(fine("can be made, sized and mapped")),
        Some(Err(reason)) => found.push(failure(
            reason.clone(),
            "no ring and no reply can be shared with a guest",
            "permit memfd_create (a container's seccomp profile may forbid it) and raise the limit of memory",
        )),
    }
    if let Some(free) = facts.system.shm_free_bytes.filter(|free| *free < ENOUGH_SHM_BYTES) {
        found.push(warning(
            format!("/dev/shm has {} MiB free", free >> 20),
            "guest programs on this machine that show software-rendered windows need it; this host itself does not",
            "mount it larger; for a container: --shm-size 1g",
        ));
    }
    found
}

pub(super) fn page_size(facts: &Facts) -> Vec<Judgement> {
    let bytes = facts.system.page_bytes;
    vec![match bytes <= SMALL_PAGE {
        true => fine(format!("{bytes} bytes")),
        false => warning(
            format!("{bytes} bytes"),
            "virtual machines whose kernel has 4 KiB pages place memory at multiples of 4 KiB, which cannot be mapped \
             here: vkCreateInstance fails in the guest; programs on this machine itself are not affected",
            format!("a guest kernel with pages of {} KiB, or a VMM that maps in 4 KiB granules", bytes >> 10),
        ),
    }]
}

pub(super) fn open_files(facts: &Facts) -> Vec<Judgement> {
    let limit = facts.system.open_files;
    let word = |limit: Option<u64>| limit.map_or_else(|| "unlimited".to_owned(), |limit| limit.to_string());
    let found = format!("{} for each guest (the host raises its soft limit of {})", word(limit.hard), word(limit.soft));
    vec![match limit.hard.is_none_or(|hard| hard >= ENOUGH_FILES) {
        true => fine(found),
        false => warning(
            found,
            "every piece of memory that a guest maps is an open file: large programs run out and lose their context",
            "raise the hard limit (systemd: LimitNOFILE=524288; docker: --ulimit nofile=524288)",
        ),
    }]
}

pub(super) fn sandbox(facts: &Facts) -> Vec<Judgement> {
    let Some(support) = &facts.system.sandbox else {
        return Vec::new();
    };
    if facts.system.os != "linux" {
        return vec![fine("none on this system; a guest's process is all that stands around it")];
    }
    let missing = support.missing();
    if missing.is_empty() {
        let landlock = support.landlock.as_ref().map_or(0, |version| *version);
        let lesser = support.lesser().join(", ");
        let lesser = if lesser.is_empty() { lesser } else { format!("; a newer kernel would also prevent {lesser}") };
        return vec![fine(format!(
            "a guest's process can be confined (Landlock {landlock}, and a filter of system calls){lesser}"
        ))];
    }
    let judge = |missing: String| {
        warning(
            missing,
            "a guest that takes over its process through a driver has more of what its user has; --sandbox strict serves \
             nobody here",
            "a newer kernel (6.2), or permit landlock_create_ruleset and seccomp (a container's profile may forbid them)",
        )
    };
    missing.into_iter().map(judge).collect()
}

pub(super) fn validation(facts: &Facts) -> Vec<Judgement> {
    let Ok(library) = &facts.library else {
        return Vec::new();
    };
    vec![match (&library.validation_layer, facts.wants_validation) {
        (Some(version), _) => fine(format!("version {version}, for --validate")),
        (None, false) => fine("not installed; only --validate needs it"),
        (None, true) => failure("not installed", "--validate checks nothing", HOW_TO_GET_VALIDATION),
    }]
}
