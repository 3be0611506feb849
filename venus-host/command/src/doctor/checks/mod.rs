//! The table of checks: facts to judgements. Nothing here looks at the machine.
//!
//! Each row is about something that users have reported, or that decides what guests get. A judgement says what was
//! found, what that means for guests, and what to do.

mod gpu;
mod host;
#[cfg(test)]
mod tests;

use super::facts::Facts;

/// How bad something is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Level {
    /// Nothing to do.
    Fine,
    /// Guests work, with less than they could have.
    Warning,
    /// Guests cannot start, or miss what they need.
    Failure,
}

impl Level {
    /// The word in reports.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Fine => "ok",
            Self::Warning => "warning",
            Self::Failure => "failure",
        }
    }
}

/// What one check says about one thing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Judgement {
    /// The check's name.
    pub(super) check: &'static str,
    pub(super) level: Level,
    pub(super) found: String,
    /// What that means for guests; empty if all is well.
    pub(super) meaning: &'static str,
    /// What to do; empty if nothing.
    pub(super) fix: String,
}

/// One check.
struct Check {
    name: &'static str,
    judge: fn(&Facts) -> Vec<Judgement>,
}

/// Every check, in the order in which a host comes to life.
const CHECKS: &[Check] = &[
    Check { name: "Vulkan library", judge: host::library },
    Check { name: "preloaded libraries", judge: host::preloaded },
    Check { name: "drivers", judge: host::drivers },
    Check { name: "driver files", judge: host::manifests },
    Check { name: "GPUs", judge: gpu::gpus },
    Check { name: "GPU twice", judge: gpu::twins },
    Check { name: "device files", judge: host::render_nodes },
    Check { name: "rendering", judge: gpu::software },
    Check { name: "Vulkan version", judge: gpu::version },
    Check { name: "conformance", judge: gpu::portability },
    Check { name: "coherent memory", judge: gpu::coherent_memory },
    Check { name: "shared memory", judge: gpu::shared_memory },
    Check { name: "dma-buf", judge: gpu::dma_buf },
    Check { name: "SYNC_FD", judge: gpu::sync_fd },
    Check { name: "sparse binding", judge: gpu::sparse },
    Check { name: "memory files", judge: host::memory_files },
    Check { name: "page size", judge: host::page_size },
    Check { name: "open files", judge: host::open_files },
    Check { name: "sandbox", judge: host::sandbox },
    Check { name: "validation layer", judge: host::validation },
];

/// All judgements.
pub(super) fn judge(facts: &Facts) -> Vec<Judgement> {
    let named = CHECKS.iter().flat_map(|check| {
        (check.judge)(facts).into_iter().map(|judgement| Judgement { check: check.name, ..judgement })
    });
    named.collect()
}

fn fine(found: impl Into<String>) -> Judgement {
    Judgement { check: "", level: Level::Fine, found: found.into(), meaning: "", fix: String::new() }
}

fn bad(level: Level, found: impl Into<String>, meaning: &'static str, fix: impl Into<String>) -> Judgement {
    Judgement { check: "", level, found: found.into(), meaning, fix: fix.into() }
}

fn warning(found: impl Into<String>, meaning: &'static str, fix: impl Into<String>) -> Judgement {
    bad(Level::Warning, found, meaning, fix)
}

fn failure(found: impl Into<String>, meaning: &'static str, fix: impl Into<String>) -> Judgement {
    bad(Level::Failure, found, meaning, fix)
}

/// A number and what it counts.
pub(super) fn plural(n: usize, noun: &str) -> String {
    format!("{n} {noun}{}", if n == 1 { "" } else { "s" })
}
