//! What it costs to be looked at: vkcube recorded and traced, beside vkcube alone, in turns.

use anyhow::{Context as _, Result};
use std::path::Path;
use std::time::Duration;
use testbed::process::tail;
use testbed::progress::Step;
use testbed::sandbox::{Guest, Screen, Vulkan};
use testbed::server::Server;

/// Long enough that making the window hardly counts.
const FRAMES: &str = "500";

/// Longest that one run may take.
const LIMIT: Duration = Duration::from_secs(120);

/// What is measured: a name, and the server's options, in which a folder to write to takes the place of `FOLDER`.
const WAYS: [(&str, &[&str]); 4] = [
    ("alone", &[]),
    ("recorded", &["--record", FOLDER]),
    ("recorded with memory", &["--record", FOLDER, "--record-memory"]),
    ("traced", &["--trace", FOLDER]),
];

const FOLDER: &str = "FOLDER";

/// Measures `host` with vkcube in `guest`, prints a table, and leaves the figures at `json`.
pub(crate) fn measure(host: &Path, guest: &Guest, rounds: u32, json: &Path) -> Result<()> {
    let mut times = WAYS.map(|_| Vec::new());
    for round in 1..=rounds {
        let step = Step::start(format!("vkcube, {FRAMES} frames, looked at and not: turn {round} of {rounds}"));
        for ((_, options), times) in WAYS.iter().zip(&mut times) {
            times.push(run(host, guest, options)?);
        }
        step.done("done");
    }
    let alone = median(&mut times[0]);
    let mut rows = Vec::new();
    eprintln!("{:<22} {:>10} {:>10} {:>10} {:>7}", "vkcube", "median", "fastest", "slowest", "ratio");
    for ((name, _), times) in WAYS.iter().zip(&mut times) {
        let median = median(times);
        let (fastest, slowest) =
            (times.first().copied().unwrap_or_default(), times.last().copied().unwrap_or_default());
        let ratio = median.as_secs_f64() / alone.as_secs_f64();
        eprintln!(
            "{name:<22} {:>8.3} s {:>8.3} s {:>8.3} s {ratio:>7.2}",
            median.as_secs_f64(),
            fastest.as_secs_f64(),
            slowest.as_secs_f64()
        );
        let seconds: Vec<f64> = times.iter().map(Duration::as_secs_f64).collect();
        rows.push(serde_json::json!({ "way": name, "seconds": seconds, "ratio": ratio }));
    }
    let text = serde_json::to_string_pretty(&rows)?;
    std::fs::write(json, text).with_context(|| format!("writing {}", json.display()))
}

fn run(host: &Path, guest: &Guest, options: &[&str]) -> Result<Duration> {
    let folder = tempfile::tempdir().context("making a folder")?;
    let folder = folder.path().as_os_str();
    let server =
        Server::start(host, options.iter().map(|option| if *option == FOLDER { folder } else { option.as_ref() }))?;
    let socket = server.socket();
    let cube = guest.command("vkcube", Vulkan::Venus(&socket)).args(["--c", FRAMES, "--present_mode", "0"]);
    let run = cube.screen(Screen::VKCUBE).limit(LIMIT).output()?;
    let run = run.expect_success("vkcube");
    Ok(run.with_context(|| format!("the host's log: {}", tail(&server.log())))?.elapsed)
}

/// Sorts the times and returns the one in the middle.
fn median(times: &mut [Duration]) -> Duration {
    times.sort_unstable();
    times.get(times.len() / 2).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_in_the_middle() {
        let mut times = [3, 1, 2].map(Duration::from_secs);
        assert_eq!(median(&mut times), Duration::from_secs(2));
        assert_eq!(median(&mut []), Duration::ZERO);
    }
}
