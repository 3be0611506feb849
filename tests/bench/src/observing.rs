//! What it costs to be looked at: vkcube recorded and traced, beside vkcube alone, in turns.

use crate::report::{median, quantile};
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
    let times = times.map(|times| times.iter().map(Duration::as_secs_f64).collect::<Vec<f64>>());
    let alone = median(times[0].clone());
    let mut rows = Vec::new();
    eprintln!("{:<22} {:>10} {:>10} {:>10} {:>7}", "vkcube", "median", "fastest", "slowest", "ratio");
    for ((name, _), seconds) in WAYS.iter().zip(times) {
        let [fastest, middle, slowest] = [0.0, 0.5, 1.0].map(|share| quantile(seconds.clone(), share));
        let ratio = middle / alone;
        eprintln!("{name:<22} {middle:>8.3} s {fastest:>8.3} s {slowest:>8.3} s {ratio:>7.2}");
        rows.push(serde_json::json!({ "way": name, "seconds": seconds, "ratio": ratio }));
    }
    crate::report::save(Some(json), &rows.into())
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
