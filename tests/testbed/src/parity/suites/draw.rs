//! Programs that draw with Vulkan.

use super::{Bench, Ran, expect_program, query, ratio, setting};
use crate::parity::outcome::Outcome;
use crate::picture::Picture;
use crate::sandbox::{GuestRun, Screen};
use anyhow::{Context as _, Result, ensure};
use std::collections::BTreeSet;

/// Frames that vkcube draws, and the one that is compared: far enough that the cube has turned.
const FRAMES: u32 = 20;
const FRAME: u32 = 10;
/// vkmark's scenes that are compared, each for this long.
const SCENES: [&str; 4] = ["vertex", "desktop", "cube", "clear"];
const SCENE_SECONDS: f32 = 1.0;
const VALIDATION_LAYER: &str = "VK_LAYER_KHRONOS_validation";

/// What vkmark draws into.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum WindowSystem {
    Headless,
    Xcb,
}

fn cube(run: GuestRun<'_>, frames: u32) -> GuestRun<'_> {
    run.args(["--c", &frames.to_string(), "--present_mode", "0"]).screen(Screen::VKCUBE)
}

/// vkcube turns its cube by the same angle each frame, and Mesa's screenshot layer saves the one that is asked for.
pub(super) fn vkcube(bench: &Bench<'_>) -> Result<Outcome> {
    if let Some(outcome) = bench.expect_swapchain()? {
        return Ok(outcome);
    }
    let set = setting(|run| {
        // The layer destroys its semaphore when vkQueuePresentKHR returns, while Venus may still be presenting on a thread.
        cube(run, FRAMES)
            .env("VN_PERF", "no_async_present")
            .env("VK_LOADER_LAYERS_ENABLE", "VK_LAYER_MESA_screenshot")
            .env("VK_LAYER_MESA_SCREENSHOT_CONFIG", &format!("output_dir=/run/venus,frames={FRAME}"))
    });
    let read = |ran: &Ran| -> Result<Picture> {
        ran.expect_success()?;
        let picture = Picture::read_png(&ran.file(&format!("{FRAME}.png")))?;
        ensure!(picture.shows_cube(), "no cube in the picture: {}", picture.describe());
        Ok(picture)
    };
    let (native, ours) = match bench.both("vkcube", set, read)? {
        Ok(both) => both,
        Err(outcome) => return Ok(outcome),
    };
    let pixels = native.width() * native.height();
    let different = ours.difference(&native, 0) * pixels as f64;
    let mut outcome = Outcome::pass();
    if different > 0.0 {
        outcome.regress(format!("{different:.0} of {pixels} pixels of frame {FRAME} differ"));
    }
    Ok(outcome.figure(format!("{different:.0} of {pixels} pixels differ")))
}

pub(super) fn vkmark(bench: &Bench<'_>, window: WindowSystem) -> Result<Outcome> {
    // Without a window, too: vkmark asks every device for the extension.
    if let Some(outcome) = bench.expect_swapchain()? {
        return Ok(outcome);
    }
    let set = setting(|run| {
        let scenes = SCENES.iter().flat_map(|scene| ["-b".to_owned(), format!("{scene}:duration={SCENE_SECONDS}")]);
        match window {
            WindowSystem::Headless => run.args(["--winsys", "headless", "-s", "400x300"]).args(scenes),
            WindowSystem::Xcb => {
                let run = run.args(["--winsys", "xcb", "-p", "immediate", "-s", "400x300"]).args(scenes);
                run.screen(Screen::VKCUBE)
            }
        }
    });
    let read = |ran: &Ran| {
        ran.expect_success()?;
        SCENES.iter().map(|scene| frames_per_second(&ran.finished.stdout, scene)).collect::<Result<Vec<f64>>>()
    };
    let (native, ours) = match bench.both("vkmark", set, read)? {
        Ok(both) => both,
        Err(outcome) => return Ok(outcome),
    };
    let mut outcome = Outcome::pass();
    for ((scene, native), ours) in SCENES.iter().zip(native).zip(ours) {
        let ratio = ratio(ours, native)?;
        outcome = outcome.figure(format!("{scene}: {ours:.0} frames a second, natively {native:.0}, ratio {ratio}"));
    }
    Ok(outcome)
}

/// Reads `[cube] duration=1: FPS: 4380 FrameTime: 0.228 ms`.
fn frames_per_second(output: &str, scene: &str) -> Result<f64> {
    let line = output.lines().find(|line| line.starts_with(&format!("[{scene}]")));
    let number = line.and_then(|line| line.split_once("FPS: ")?.1.split_whitespace().next()?.parse().ok());
    let number: f64 = number.with_context(|| format!("vkmark drew no scene {scene}"))?;
    ensure!(number > 0.0, "vkmark drew no frame of the scene {scene}");
    Ok(number)
}

/// What the layer says about the guest's calls may not depend on who executes them.
pub(super) fn validation(bench: &Bench<'_>) -> Result<Outcome> {
    expect_program(bench.guest, "usr/share/vulkan/explicit_layer.d/VkLayer_khronos_validation.json")?;
    let windows = bench.expect_swapchain()?.is_none();
    // The loader's own words tell a layer that has nothing to say from one that is not there.
    let layer = setting(|run| run.env("VK_LOADER_LAYERS_ENABLE", VALIDATION_LAYER).env("VK_LOADER_DEBUG", "layer"));
    let read = |ran: &Ran| {
        ran.expect_success()?;
        let inserted = format!("Insert instance layer \"{VALIDATION_LAYER}\"");
        ensure!(ran.finished.stderr.contains(&inserted), "error: the loader did not insert {VALIDATION_LAYER}");
        Ok(messages(&ran.finished.stdout).union(&messages(&ran.finished.stderr)).cloned().collect::<BTreeSet<_>>())
    };
    let both = match windows {
        true => bench.both("vkcube", |run| layer(cube(run, FRAMES)), read)?,
        false => bench.both("vulkaninfo", |run| layer(query::arguments(run)), read)?,
    };
    let (native, ours) = match both {
        Ok(both) => both,
        Err(outcome) => return Ok(outcome),
    };
    let mut outcome = Outcome::pass();
    for message in ours.difference(&native) {
        outcome.regress(format!("the layer says through us alone: {message}"));
    }
    let program = if windows { "vkcube" } else { "vulkaninfo" };
    Ok(outcome.figure(format!("{program}: {} kinds of messages, natively {}", ours.len(), native.len())))
}

/// Kinds of messages, by their id: `VUID-…`, or another word in the brackets.
fn messages(output: &str) -> BTreeSet<String> {
    let lines = output.lines().filter(|line| line.contains("Validation Error") || line.contains("Validation Warning"));
    lines
        .map(|line| line.split_once("[ ").and_then(|(_, id)| id.split_once(' ')).map_or(line, |(id, _)| id).to_owned())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scores_and_messages_are_read() {
        let output =
            "=== \n[vertex] duration=1: FPS: 684 FrameTime: 1.462 ms\n[clear] duration=1: FPS: 0 FrameTime: inf\n";
        assert!((frames_per_second(output, "vertex").unwrap() - 684.0).abs() < 1e-9);
        assert!(frames_per_second(output, "clear").unwrap_err().to_string().contains("no frame"));
        assert!(frames_per_second(output, "cube").is_err());
        let words = "Validation Error: [ VUID-a-01 ] | MessageID = 0x1\nmore\nValidation Warning: something\n";
        let expected = ["VUID-a-01", "Validation Warning: something"].map(str::to_owned);
        assert_eq!(messages(words), BTreeSet::from(expected));
    }
}
