//! OpenGL programs, which Mesa's Zink turns into Vulkan in the guest.

use super::{Bench, Ran, brief, expect_program, ratio, setting};
use crate::parity::outcome::Outcome;
use crate::process::Outcome as End;
use crate::sandbox::{GuestRun, Screen};
use anyhow::{Context as _, Result, ensure};
use std::collections::BTreeMap;
use std::time::Duration;

/// glmark2's scenes; it knows what the picture of most of them has to be.
const SCENES: [&str; 8] = ["build", "texture", "shading", "bump", "desktop", "conditionals", "function", "loop"];
/// The scene whose speed is compared, and for how long.
const MEASURED: &str = "build:duration=1";
/// glxgears says how many frames it drew every five seconds, and never ends.
const GEARS_LIMIT: Duration = Duration::from_secs(7);

pub(super) fn zink(bench: &Bench<'_>) -> Result<Outcome> {
    if let Some(outcome) = bench.expect_swapchain()? {
        return Ok(outcome);
    }
    expect_program(bench.guest, "usr/bin/glmark2")?;
    let scenes = || SCENES.iter().flat_map(|scene| ["-b", *scene]);
    let judge = setting(|run| zinked(run).args(["--validate"]).args(scenes()));
    let (native, ours) = match bench.both("glmark2", judge, verdicts)? {
        Ok(both) => both,
        Err(outcome) => return Ok(outcome),
    };
    let mut outcome = Outcome::pass();
    for (scene, native) in &native {
        let ours = ours.get(scene).map_or("nothing", String::as_str);
        if ours != native {
            outcome.regress(format!("glmark2 {scene}: {native} natively, {ours} through us"));
        }
    }
    let count = |word: &str| ours.values().filter(|verdict| *verdict == word).count();
    let (right, unknown) = (count("Success"), count("Unknown"));
    let judged = ours.len() - unknown;
    outcome = outcome.figure(format!("glmark2: {right} of {judged} pictures right, {unknown} that it cannot judge"));

    let measure = setting(|run| zinked(run).args(["--size", "300x300", "-b", MEASURED]));
    outcome = speed(bench, "glmark2", measure, score, outcome)?;
    speed(bench, "glxgears", |run| zinked(run).limit(GEARS_LIMIT), gears, outcome)
}

/// Adds a figure of one program's speed on both sides, or what became of it.
fn speed(
    bench: &Bench<'_>,
    program: &str,
    set: impl Fn(GuestRun<'_>) -> GuestRun<'_>,
    read: impl Fn(&Ran) -> Result<f64>,
    mut outcome: Outcome,
) -> Result<Outcome> {
    match bench.both(program, set, read)? {
        Ok((native, ours)) => {
            let ratio = ratio(ours, native)?;
            let figure = format!("{program}: {ours:.0} frames a second, natively {native:.0}, ratio {ratio}");
            outcome = outcome.figure(figure);
        }
        Err(failed) => {
            for regression in failed.regressions() {
                outcome.regress(regression.clone());
            }
            if let Some(reason) = failed.reason_not_run() {
                outcome = outcome.figure(format!("{program}: {reason}"));
            }
        }
    }
    Ok(outcome)
}

fn zinked(run: GuestRun<'_>) -> GuestRun<'_> {
    let run = run.env("MESA_LOADER_DRIVER_OVERRIDE", "zink").env("GALLIUM_DRIVER", "zink");
    // Zink takes a device of type CPU, as lavapipe's is, only if software is asked for; Xvfb has no DRI3.
    run.env("LIBGL_ALWAYS_SOFTWARE", "1").env("LIBGL_KOPPER_DRI2", "1").screen(Screen { width: 1024, height: 768 })
}

/// Reads `[build] <default>: Validation: Success`.
fn verdicts(ran: &Ran) -> Result<BTreeMap<String, String>> {
    ran.expect_success()?;
    let output = &ran.finished.stdout;
    ensure!(output.contains("zink Vulkan"), "Zink does not render:\n{}", brief(&anyhow::anyhow!("{output}")));
    let lines = output.lines().filter_map(|line| line.strip_prefix('[')?.split_once("Validation: "));
    let found: BTreeMap<String, String> = lines
        .filter_map(|(scene, verdict)| Some((scene.split(']').next()?.to_owned(), verdict.trim().to_owned())))
        .collect();
    ensure!(found.len() == SCENES.len(), "glmark2 judged {} of {} pictures", found.len(), SCENES.len());
    Ok(found)
}

fn score(ran: &Ran) -> Result<f64> {
    ran.expect_success()?;
    let score = ran.finished.stdout.lines().find_map(|line| line.split_once("glmark2 Score:")?.1.trim().parse().ok());
    score.context("glmark2 gave no score")
}

/// Reads `6435 frames in 5.0 seconds = 1286.898 FPS`.
fn gears(ran: &Ran) -> Result<f64> {
    let line =
        ran.finished.stdout.lines().find_map(|line| line.split_once(" seconds = ")?.1.split(' ').next()?.parse().ok());
    if ran.finished.outcome != End::TimedOut {
        ran.expect_success()?;
    }
    line.context("glxgears drew nothing that it counted")
}
