//! One guest's misfortune is not another's.

use crate::common::{LIMIT, TEARDOWN, drawing_guest, host, vulkaninfo};
use std::time::{Duration, Instant};
use xtask::guest::{Screen, Vulkan};

#[test]
fn a_killed_worker_takes_only_its_own_guest_along() {
    if let Some(guest) = drawing_guest("a_killed_worker_takes_only_its_own_guest_along") {
        let mut host = host(&[]);
        let socket = host.socket();
        let cube = guest.command("vkcube", Vulkan::Venus(&socket)).args(["--c", "1000000", "--present_mode", "0"]);
        let mut cube = cube.screen(Screen::VKCUBE).limit(LIMIT).spawn().unwrap();
        let started = Instant::now();
        while cube.screenshot().is_none() {
            assert!(cube.is_running().unwrap(), "{:?}: {}", cube.finish(), host.log());
            assert!(started.elapsed() < LIMIT, "no window: {}", host.log());
            std::thread::sleep(Duration::from_millis(5));
        }
        let workers = host.descendants();
        assert!(!workers.is_empty(), "no process of its own for a context");
        for worker in workers {
            xtask::process::kill(worker).unwrap();
        }

        // The next guest finds a host that works. The first one may spin on its socket, and is ended by us.
        let info = vulkaninfo(&guest, &socket).args(["--summary"]).output().unwrap();
        info.expect_success(&format!("the next guest: {}", host.log())).unwrap();
        host.expect_alive().unwrap();
        cube.kill().unwrap();
        drop(cube);
        host.expect_no_guests(TEARDOWN).unwrap();
    }
}
