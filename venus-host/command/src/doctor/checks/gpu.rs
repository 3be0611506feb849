//! Checks of the GPUs.

use venus_host::driver::survey::{Gpu, Sparse};

use super::{Judgement, Level, bad, failure, fine, warning};
use crate::doctor::facts::{Access, Facts};

pub(super) fn gpus(facts: &Facts) -> Vec<Judgement> {
    match &facts.gpus {
        // The library's failure says it all.
        Err(_) if facts.library.is_err() => Vec::new(),
        Err(reason) => vec![failure(
            reason.clone(),
            "no guest can start",
            "see the driver's own words with VK_LOADER_DEBUG=error,warn, and the device files below",
        )],
        Ok(gpus) if gpus.is_empty() => vec![failure(
            "the Vulkan library finds no GPU, or none that --gpu admits",
            "guests see no device",
            "install a Vulkan driver (Debian: apt-get install mesa-vulkan-drivers), or choose another --gpu",
        )],
        Ok(gpus) => {
            let found = format!("guests can use {} of {}", usable(facts), gpus.len());
            vec![match usable(facts) {
                0 => failure(found, "guests see no device", "see the failures below, which say why of each"),
                _ => fine(found),
            }]
        }
    }
}

pub(super) fn twins(facts: &Facts) -> Vec<Judgement> {
    let gpus = facts.gpus.as_deref().unwrap_or_default();
    let twin = |(index, gpu): (usize, &Gpu)| {
        let first = gpus.iter().take(index).find(|other| other.uuid == gpu.uuid && other.driver == gpu.driver)?;
        Some(warning(
            format!("{} and {} have the same deviceUUID", first.name, gpu.name),
            "guests see one GPU as two and may use both",
            "remove one of the driver's manifests, or choose with --gpu",
        ))
    };
    gpus.iter().enumerate().filter_map(twin).collect()
}

pub(super) fn software(facts: &Facts) -> Vec<Judgement> {
    let gpus = facts.gpus.as_deref().unwrap_or_default();
    if gpus.is_empty() || !gpus.iter().all(|gpu| gpu.is_software) {
        return Vec::new();
    }
    vec![warning(
        format!("on the CPU ({})", gpus.iter().map(|gpu| &*gpu.name).collect::<Vec<_>>().join(", ")),
        "guests work and are slow",
        "none if there is no GPU; else see drivers and device files above",
    )]
}

pub(super) fn version(facts: &Facts) -> Vec<Judgement> {
    each(facts, |gpu| {
        Some(match gpu.is_version_enough {
            true => fine(format!("{}: {}, guests see {} at most", gpu.name, gpu.driver_version, gpu.guest_version)),
            false => hides(
                facts,
                format!("{}: {}, and guests need 1.1", gpu.name, gpu.driver_version),
                "guests do not see this GPU",
                "update its driver",
            ),
        })
    })
}

pub(super) fn portability(facts: &Facts) -> Vec<Judgement> {
    each(facts, |gpu| {
        gpu.is_portability.then(|| {
            warning(
                format!("{} is a portability driver", gpu.name),
                "guests are not told and meet gaps: no geometry shaders, no transform feedback, no wide lines; DXVK does \
                 not run",
                "use a conformant driver if there is one (macOS 26: KosmicKrisp instead of MoltenVK)",
            )
        })
    })
}

pub(super) fn coherent_memory(facts: &Facts) -> Vec<Judgement> {
    each(facts, |gpu| {
        (!gpu.memory.has_coherent_type).then(|| {
            hides(
                facts,
                format!("{} has no memory type that is HOST_VISIBLE and HOST_COHERENT", gpu.name),
                "guests cannot map memory: there is no flushing across the protocol",
                "use another GPU or driver",
            )
        })
    })
}

pub(super) fn shared_memory(facts: &Facts) -> Vec<Judgement> {
    each(facts, |gpu| {
        let memory = &gpu.memory;
        let whys: Vec<_> = memory.failures.iter().map(|(way, reason)| format!("no {way}: {reason}")).collect();
        let ways: Vec<_> = memory.ways.iter().map(|(way, types)| format!("{way}, types {types}")).collect();
        let ways = ways.join("; ");
        Some(match &memory.seen {
            _ if memory.ways.is_empty() => hides(
                facts,
                format!("{}: no way to share memory ({})", gpu.name, whys.join("; ")),
                "guests do not see this GPU",
                "update the driver: it needs VK_EXT_external_memory_dma_buf or VK_EXT_external_memory_host; without \
                 --memory all ways are tried",
            ),
            Some(Err(reason)) => failure(
                format!("{}: {ways}, but {reason}", gpu.name),
                "guests would see stale or black results",
                "try --memory dmabuf, and report the driver",
            ),
            Some(Ok(_)) | None => fine(format!("{}: {ways}", gpu.name)),
        })
    })
}

pub(super) fn dma_buf(facts: &Facts) -> Vec<Judgement> {
    each(facts, |gpu| {
        if gpu.memory.is_dma_buf || gpu.memory.ways.is_empty() || facts.system.os != "linux" {
            return None;
        }
        let why = gpu.memory.failures.iter().find(|(way, _)| way.starts_with("dma-buf"));
        let why = why.map_or("it was not tried", |(_, reason)| reason);
        let udmabuf = match &facts.system.udmabuf {
            Access::Usable => "",
            Access::Absent => "; load the kernel module udmabuf, which some drivers make dma-bufs with",
            Access::Denied(_) => "; give the user access to /dev/udmabuf, which some drivers make dma-bufs with",
        };
        Some(warning(
            format!("{}: {why}", gpu.name),
            "guests share memory all the same, but cannot pass images to their compositor without a copy",
            format!("a newer driver{udmabuf}"),
        ))
    })
}

pub(super) fn sync_fd(facts: &Facts) -> Vec<Judgement> {
    each(facts, |gpu| {
        let word = |native| if native { "the driver's" } else { "emulated" };
        Some(fine(format!(
            "{}: fences {}, semaphores {}{}",
            gpu.name,
            word(gpu.native_fences),
            word(gpu.native_semaphores),
            if gpu.native_fences && gpu.native_semaphores {
                ""
            } else {
                "; guests have VK_KHR_synchronization2 and VK_KHR_swapchain all the same"
            }
        )))
    })
}

pub(super) fn sparse(facts: &Facts) -> Vec<Judgement> {
    each(facts, |gpu| match gpu.sparse {
        Sparse::Withheld(reason) => Some(warning(
            format!("{}: withheld, {reason}", gpu.name),
            "guests find no sparse resources, which few programs ask for",
            "a driver that shares its memory as dma-buf, or a newer one",
        )),
        Sparse::Offered => Some(fine(format!("{}: offered", gpu.name))),
        _ => None,
    })
}

/// A GPU that guests do not see: a failure unless there is one that they do see.
fn hides(facts: &Facts, found: impl Into<String>, meaning: &'static str, fix: &str) -> Judgement {
    let level = if usable(facts) == 0 { Level::Failure } else { Level::Warning };
    bad(level, found, meaning, fix)
}

/// How many GPUs guests see.
fn usable(facts: &Facts) -> usize {
    facts.gpus.iter().flatten().filter(|gpu| gpu.hidden_because.is_none()).count()
}

/// A judgement for each GPU.
fn each(facts: &Facts, judge: impl Fn(&Gpu) -> Option<Judgement>) -> Vec<Judgement> {
    facts.gpus.iter().flatten().filter_map(judge).collect()
}
