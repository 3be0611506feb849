//! A program that draws: frames go through the host, and the picture is what the driver itself draws.

use crate::common::{LIMIT, drawing_guest, host};
use std::time::Duration;
use testbed::picture::Picture;
use testbed::sandbox::{Guest, GuestRunning, Screen, Vulkan};

fn start(guest: &Guest, vulkan: Vulkan<'_>, frames: u32) -> GuestRunning {
    let cube = guest.command("vkcube", vulkan).args(["--c", &frames.to_string(), "--present_mode", "0"]);
    cube.screen(Screen::VKCUBE).limit(LIMIT).spawn().expect("vkcube starts")
}

/// Follows vkcube until a picture shows the cube, or it ends.
fn wait_for_cube(cube: &mut GuestRunning) -> Option<Picture> {
    let mut last = None;
    while cube.is_running().unwrap() {
        last = cube.screenshot().or(last);
        if last.as_ref().is_some_and(Picture::shows_cube) {
            break;
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    last
}

#[test]
fn vkcube_draws_a_hundred_frames() {
    if let Some(guest) = drawing_guest("vkcube_draws_a_hundred_frames") {
        let mut host = host(&[]);
        let socket = host.socket();
        let mut cube = start(&guest, Vulkan::Venus(&socket), 100);
        let picture = wait_for_cube(&mut cube);
        let what = format!("vkcube, {}", guest.name());
        cube.finish().unwrap().expect_success(&format!("{what}: {}", host.log())).unwrap();
        let picture = picture.unwrap_or_else(|| panic!("{what}: no window was seen"));
        assert!(picture.shows_cube(), "{what}: {}", picture.describe());
        assert!(picture.width() == 500 && picture.height() == 500, "{what}: {}", picture.describe());
        host.expect_alive().unwrap();
    }
}

/// vkcube turns its cube by the same angle each frame, so a frame of a given number is always the same picture. Newer
/// Mesa has a layer that saves one, between the program and the driver; it also copies images into memory it maps.
#[test]
fn a_frame_is_the_picture_that_the_driver_draws_natively() {
    let Some(guest) = drawing_guest("a_frame_is_the_picture_that_the_driver_draws_natively") else {
        return;
    };
    let host = host(&[]);
    let socket = host.socket();
    let native = saved_frame(&guest, Vulkan::Lavapipe).expect("natively");
    let ours = saved_frame(&guest, Vulkan::Venus(&socket)).unwrap_or_else(|error| panic!("{error:#}\n{}", host.log()));
    // The guest's and the host's lavapipe are of different versions: along edges they round differently.
    let difference = ours.difference(&native, 24);
    assert!(difference < 0.02, "{:.1} % of the pixels differ from native", difference * 100.0);
}

/// The frame numbered [`FRAME`], as Mesa's screenshot layer saves it.
fn saved_frame(guest: &Guest, vulkan: Vulkan<'_>) -> anyhow::Result<Picture> {
    /// Far enough that the cube has turned.
    const FRAME: u32 = 10;
    let cube = guest.command("vkcube", vulkan).args(["--c", "20", "--present_mode", "0"]).screen(Screen::VKCUBE);
    // The layer destroys its semaphore when vkQueuePresentKHR returns, while Venus may still be presenting on a thread.
    let cube = cube
        .env("VN_PERF", "no_async_present")
        .env("VK_LOADER_LAYERS_ENABLE", "VK_LAYER_MESA_screenshot")
        .env("VK_LAYER_MESA_SCREENSHOT_CONFIG", &format!("output_dir=/run/venus,frames={FRAME}"));
    let mut cube = cube.limit(LIMIT).spawn()?;
    cube.finish()?.expect_success("vkcube")?;
    let picture = Picture::read_png(&cube.shared().join(format!("{FRAME}.png")))?;
    anyhow::ensure!(picture.shows_cube(), "no cube in the picture: {}", picture.describe());
    Ok(picture)
}
