//! Programs that draw in a window, on an X server in the guest.

use crate::common::{Place, place};
use testbed::picture::Picture;
use testbed::provision::Suite;
use testbed::vm::jobs::{Windowed, draw, picture};
use testbed::vm::{Report, System};
use testbed::workspace;

/// Runs a program, and keeps the last picture of its window in the workspace.
fn drawn(place: &Place, program: Windowed, file: &str) -> (Report, Picture) {
    let report = draw(place.machine(&program.job())).unwrap_or_else(|error| panic!("{error:#}"));
    let picture = picture(&report).unwrap_or_else(|error| panic!("{error:#}: {}{}", report.out, report.err));
    picture.write_png(&workspace().join("target/vm").join(file)).unwrap();
    (report, picture)
}

#[test]
fn vkcube_draws_three_hundred_frames() {
    let Some(place) = place("vkcube_draws_three_hundred_frames", Suite::Sid, System::Sid) else { return };
    let (_, picture) = drawn(&place, Windowed::Cube(300), "vkcube.png");
    assert!(picture.shows_cube(), "{}", picture.describe());
}

#[test]
fn glxgears_draws_through_zink() {
    let Some(place) = place("glxgears_draws_through_zink", Suite::Sid, System::Sid) else { return };
    let (report, picture) = drawn(&place, Windowed::Gears, "glxgears.png");
    assert!(report.out.contains("zink Vulkan"), "Zink does not render: {}", report.out);
    assert!(report.out.contains("Virtio-GPU Venus"), "another device renders: {}", report.out);
    let speed = report.out.lines().find(|line| line.contains("frames in"));
    eprintln!("glxgears: {}", speed.unwrap_or_default());
    // Red, green and blue wheels on black.
    assert!(picture.colours() > 8, "{}", picture.describe());
}
