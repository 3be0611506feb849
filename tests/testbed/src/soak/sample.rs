//! What a server holds between guests, and what it may not hold more of.

use crate::server::Server;
use anyhow::{Result, bail};
use std::fmt;
use std::time::{Duration, Instant};

/// How much more memory a server may hold after a soak than after its first rounds: allocators keep what they like.
const SLACK_KIB: u64 = 4096;
/// How many more mappings: threads that come and go leave some to the allocator.
const SLACK_MAPPINGS: u64 = 16;
/// How often the clock of processes ticks in a second.
const TICKS: u64 = 100;

/// The server, and the workers that it keeps ready, at a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Sample {
    descriptors: u64,
    mappings: u64,
    resident_kib: u64,
    /// What it and its workers have for themselves. Programs and libraries are not in it: who else has them mapped, and
    /// how many of their pages, changes with all that runs on the machine.
    own_kib: u64,
    /// Their share of everything, for a look.
    proportional_kib: u64,
    processes: u64,
    memory_files: u64,
}

impl fmt::Display for Sample {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { descriptors, mappings, resident_kib, own_kib, proportional_kib, processes, memory_files } = self;
        write!(f, "{descriptors} descriptors, {mappings} mappings, {resident_kib} KiB resident; with ready workers ")?;
        write!(f, "{own_kib} KiB of their own, PSS {proportional_kib} KiB, ")?;
        write!(f, "{processes} processes, {memory_files} memory files")
    }
}

impl Sample {
    /// Waits until two looks are alike in what can be counted, and takes the second.
    pub(super) fn settled(host: &Server, limit: Duration) -> Result<Self> {
        const PAUSE: Duration = Duration::from_millis(300);
        let (started, mut last) = (Instant::now(), Self::now(host));
        loop {
            std::thread::sleep(PAUSE);
            let now = Self::now(host);
            if now.counts() == last.counts() {
                return Ok(now);
            }
            if started.elapsed() > limit {
                bail!("the server does not come to rest: {last}, then {now}");
            }
            last = now;
        }
    }

    fn now(host: &Server) -> Self {
        let (id, all) = (host.id(), host.processes());
        let maps = read(id, "maps");
        let links = std::fs::read_dir(format!("/proc/{id}/fd")).into_iter().flatten().flatten();
        let links: Vec<_> = links.filter_map(|entry| std::fs::read_link(entry.path()).ok()).collect();
        let held = links.iter().filter(|link| link.to_string_lossy().starts_with("/memfd:")).count();
        Self {
            descriptors: links.len() as u64,
            mappings: maps.lines().count() as u64,
            resident_kib: field(&read(id, "smaps_rollup"), "Rss:"),
            own_kib: all.iter().map(|id| field(&read(*id, "smaps_rollup"), "Anonymous:")).sum(),
            proportional_kib: all.iter().map(|id| field(&read(*id, "smaps_rollup"), "Pss:")).sum(),
            processes: all.len() as u64,
            memory_files: (maps.matches("/memfd:").count() + held) as u64,
        }
    }

    fn counts(&self) -> [u64; 4] {
        [self.descriptors, self.processes, self.memory_files, self.own_kib]
    }
}

fn read(id: u32, file: &str) -> String {
    std::fs::read_to_string(format!("/proc/{id}/{file}")).unwrap_or_default()
}

/// The number after a name, as `smaps_rollup` has it.
fn field(text: &str, name: &str) -> u64 {
    let line = text.lines().find_map(|line| line.strip_prefix(name));
    line.and_then(|rest| rest.split_whitespace().next()?.parse().ok()).unwrap_or(0)
}

/// What the last sample has more of than the first ones.
///
/// The first round makes the server load what it loads for good; with no more than that there is nothing to compare.
pub(super) fn growth(samples: &[Sample]) -> Vec<String> {
    let [first, .., last] = samples else { return Vec::new() };
    let rows = [
        ("descriptors", first.descriptors, last.descriptors, 0),
        ("mappings", first.mappings, last.mappings, SLACK_MAPPINGS),
        ("KiB resident", first.resident_kib, last.resident_kib, SLACK_KIB),
        ("KiB of its own with ready workers", first.own_kib, last.own_kib, SLACK_KIB),
        ("processes", first.processes, last.processes, 0),
        ("memory files", first.memory_files, last.memory_files, 0),
    ];
    let more = rows.into_iter().filter(|(_, before, after, slack)| *after > before + slack);
    more.map(|(what, before, after, _)| format!("the server had {before} {what} and has {after}")).collect()
}

/// CPU time that the server and its ready workers take while nobody is there. The clock's granule is 10 ms.
pub(super) fn idle_cpu(host: &Server, watched: Duration) -> Duration {
    let before = cpu_ticks(host);
    std::thread::sleep(watched);
    Duration::from_millis(cpu_ticks(host).saturating_sub(before) * 1000 / TICKS)
}

fn cpu_ticks(host: &Server) -> u64 {
    let one = |id: u32| -> Option<u64> {
        let stat = read(id, "stat");
        // The name may hold spaces; user and system time are the 12th and 13th field after it.
        let mut fields = stat.rsplit_once(')')?.1.split_whitespace().skip(11);
        Some(fields.next()?.parse::<u64>().ok()? + fields.next()?.parse::<u64>().ok()?)
    };
    host.processes().into_iter().filter_map(one).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: Sample = Sample {
        descriptors: 10,
        mappings: 100,
        resident_kib: 9000,
        own_kib: 2000,
        proportional_kib: 12_000,
        processes: 2,
        memory_files: 0,
    };

    #[test]
    fn what_grows_is_named() {
        assert!(growth(&[ONE]).is_empty());
        let more =
            Sample { mappings: ONE.mappings + SLACK_MAPPINGS, resident_kib: ONE.resident_kib + SLACK_KIB, ..ONE };
        assert!(growth(&[ONE, more]).is_empty());
        let leaks = Sample { descriptors: 11, memory_files: 1, ..ONE };
        let complaints = growth(&[ONE, ONE, leaks]);
        assert_eq!(complaints, ["the server had 10 descriptors and has 11", "the server had 0 memory files and has 1"]);
    }

    #[test]
    fn fields_of_memory_are_read() {
        assert_eq!(field("header\nRss:    9088 kB\nPss:     10 kB\n", "Rss:"), 9088);
        assert_eq!(field("", "Rss:"), 0);
    }
}
