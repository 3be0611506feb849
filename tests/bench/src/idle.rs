//! What hosts take for guests that have nothing to do: memory, and how often they wake up.

use std::path::Path;
use std::sync::mpsc::channel;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use serde_json::json;
use testbed::cases::{Cases, READY};
use testbed::progress::Step;
use testbed::resident::Resident;
use testbed::sandbox::{Guest, GuestRunning, Vulkan};

use crate::rows::{Row, Times, Way};

/// What is measured: names, and what the page calls them.
const ROWS: [(&str, &str); 3] = [
    ("idle-memory", "memory of a host for each of eight idle guests, MiB"),
    ("idle-one", "wake-ups of a host with one idle guest, a second"),
    ("idle-eight", "wake-ups of a host with eight idle guests, a second"),
];

/// Guests of the last two rows.
const FEW: usize = 1;
const MANY: usize = 8;
/// How long after its last work a guest is idle: longer than anybody keeps anything for the next commands.
const SETTLED: Duration = Duration::from_secs(4);
/// How long wake-ups are counted.
const WATCHED: Duration = Duration::from_secs(5);
/// Longest that a guest may take to begin, and to be there at all.
const START_LIMIT: Duration = Duration::from_secs(30);
const LIMIT: Duration = Duration::from_secs(120);

/// Measures both hosts, in turns, and leaves the figures at `json`.
pub(crate) fn measure(venus: &Path, cases: &Path, guest: &Guest, rounds: u32, json: &Path) -> Result<()> {
    let cases = Cases::at(std::path::absolute(cases).context("resolving the program of the cases")?);
    let mut rows = ROWS.map(|_| Row::default());
    for round in 1..=rounds {
        let step = Step::start(format!("idle guests in {}: turn {round} of {rounds}", guest.name()));
        for way in [Way::Ours, Way::Peer] {
            // Each turn begins with a host that nobody has used.
            let host = match way {
                Way::Peer => Resident::virglrenderer(guest)?,
                Way::Native | Way::Ours => Resident::venus(guest, venus, &[])?,
            };
            match turn(&host, &cases, guest) {
                Ok(figures) => {
                    for (row, figure) in rows.iter_mut().zip(figures) {
                        row.of_mut(way).turns.push(Times::from(figure));
                    }
                }
                Err(error) => rows.iter_mut().for_each(|row| row.of_mut(way).failed = Some(format!("{error:#}"))),
            }
        }
        step.done("done");
    }
    print(&rows);
    let rows = ROWS.iter().zip(&rows).map(|((case, title), row)| row.json(case, title));
    crate::report::save(Some(json), &json!({ "rows": rows.collect::<Vec<_>>() }))
}

/// The figures of one host, in the order of [`ROWS`].
fn turn(host: &Resident, cases: &Cases, guest: &Guest) -> Result<[f64; 3]> {
    std::thread::sleep(SETTLED);
    let before = memory_mib(host);
    let mut guests = start(host, cases, guest, FEW)?;
    let one = wake_ups(host);
    guests.extend(start(host, cases, guest, MANY - FEW)?);
    let eight = wake_ups(host);
    let memory = (memory_mib(host) - before) / MANY as f64;
    for running in &mut guests {
        if !running.is_running()? {
            bail!("an idle guest has ended: {:?}", running.finish()?);
        }
    }
    Ok([memory, one, eight])
}

/// Starts so many guests, and waits until they rest.
fn start(host: &Resident, cases: &Cases, guest: &Guest, number: usize) -> Result<Vec<GuestRunning>> {
    let (ready, all_ready) = channel();
    let socket = host.socket();
    let spawn = |_| {
        let ready = ready.clone();
        let command = cases.command(guest, Vulkan::Venus(&socket), &["idle", "100"])?.limit(LIMIT);
        let watched = command.watch(move |line| {
            if line == READY {
                // Whoever has stopped listening needs no word.
                let _ = ready.send(());
            }
        });
        watched.spawn()
    };
    let guests = (0..number).map(spawn).collect::<Result<Vec<_>>>()?;
    for _ in &guests {
        all_ready.recv_timeout(START_LIMIT).context("a guest did not begin")?;
    }
    std::thread::sleep(SETTLED);
    Ok(guests)
}

/// How often a second the host's threads were given a processor, and gave it back.
fn wake_ups(host: &Resident) -> f64 {
    let before = switches(host);
    std::thread::sleep(WATCHED);
    #[expect(clippy::cast_precision_loss, reason = "counts here are far below 2^52")]
    let switches = switches(host).saturating_sub(before) as f64;
    switches / WATCHED.as_secs_f64()
}

fn switches(host: &Resident) -> u64 {
    let of_process = |id: u32| -> u64 {
        let threads = std::fs::read_dir(format!("/proc/{id}/task")).into_iter().flatten().flatten();
        let status = threads.filter_map(|thread| std::fs::read_to_string(thread.path().join("status")).ok());
        status.map(|status| number(&status, "voluntary_ctxt_switches:")).sum()
    };
    host.processes().into_iter().map(of_process).sum()
}

/// What the host's processes hold, each shared page in parts.
fn memory_mib(host: &Resident) -> f64 {
    let rollup = |id| std::fs::read_to_string(format!("/proc/{id}/smaps_rollup")).unwrap_or_default();
    let kib: u64 = host.processes().into_iter().map(|id| number(&rollup(id), "Pss:")).sum();
    #[expect(clippy::cast_precision_loss, reason = "counts here are far below 2^52")]
    let mib = kib as f64 / 1024.0;
    mib
}

/// The number in the line that begins with a name.
fn number(text: &str, name: &str) -> u64 {
    let line = text.lines().find_map(|line| line.strip_prefix(name));
    line.and_then(|rest| rest.split_whitespace().next()?.parse().ok()).unwrap_or(0)
}

#[expect(clippy::print_stdout, reason = "the table is what the program is for")]
fn print(rows: &[Row]) {
    println!("\n{:<62}{:>12}{:>12}", "idle guests, medians", "ours", "peer");
    let cell = |figure: Option<f64>| figure.map_or("-".to_owned(), |figure| format!("{figure:.2}"));
    for ((_, title), row) in ROWS.iter().zip(rows) {
        println!("{title:<62}{:>12}{:>12}", cell(row.of(Way::Ours).p50()), cell(row.of(Way::Peer).p50()));
        if let Some(why) = [Way::Ours, Way::Peer].into_iter().find_map(|way| row.of(way).failed.as_ref()) {
            eprintln!("{title}: {why}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_found_by_the_beginning_of_their_line() {
        let status = "nonvoluntary_ctxt_switches:\t7\nvoluntary_ctxt_switches:\t123\n";
        assert_eq!(number(status, "voluntary_ctxt_switches:"), 123);
        assert_eq!(number("Pss:    2048 kB\nPss_Dirty: 1 kB\n", "Pss:"), 2048);
        assert_eq!(number("", "Pss:"), 0);
    }
}
