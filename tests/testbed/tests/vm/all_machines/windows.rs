//! Programs that draw in a window, on an X server in the guest.

use crate::common::{Place, newest};
use testbed::picture::Picture;
use testbed::vm::Report;
use testbed::vm::jobs::{Windowed, draw, picture};
use testbed::workspace;

super::on_each_qemu! {
    newest:
    vkcube_draws_three_hundred_frames,
    glxgears_draws_through_zink,
}

/// Runs a program, and keeps the last picture of its window in the workspace.
fn drawn(place: &Place, program: Windowed, name: &str) -> (Report, Picture) {
    let report = draw(place.machine(&program.job())).unwrap_or_else(|error| panic!("{error:#}"));
    let picture = picture(&report).unwrap_or_else(|error| panic!("{error:#}: {}{}", report.out, report.err));
    let file = format!("target/vm/{name}-{}.png", place.qemu());
    picture.write_png(&workspace().join(file)).unwrap();
    (report, picture)
}

fn vkcube_draws_three_hundred_frames(place: &Place) {
    let (_, picture) = drawn(place, Windowed::Cube(300), "vkcube");
    assert!(picture.shows_cube(), "{}", picture.describe());
}

fn glxgears_draws_through_zink(place: &Place) {
    let (report, picture) = drawn(place, Windowed::Gears, "glxgears");
    assert!(report.out.contains("zink Vulkan"), "Zink does not render: {}", report.out);
    assert!(report.out.contains("Virtio-GPU Venus"), "another device renders: {}", report.out);
    let speed = report.out.lines().find(|line| line.contains("frames in"));
    eprintln!("glxgears: {}", speed.unwrap_or_default());
    // Red, green and blue wheels on black.
    assert!(picture.colours() > 8, "{}", picture.describe());
}
