//! What every test here starts from: guests, a host, and a way to skip.

use std::path::PathBuf;
use std::time::{Duration, Instant};
use testbed::provision::Suite;
use testbed::sandbox::{Guest, GuestRun, GuestRunning, Screen, Vulkan};
use testbed::server::Server;
use testbed::skipping::{HOST_VARIABLE, path_or_skip};

/// How long the host may take to notice that a guest is gone and to clean up after it.
pub(crate) const TEARDOWN: Duration = Duration::from_secs(10);
/// Longest that one guest program may take, on a loaded machine and with an unoptimised host.
pub(crate) const LIMIT: Duration = Duration::from_secs(90);

/// The guests that are there. Skips the test `name` for each that is not.
pub(crate) fn guests(name: &str) -> Vec<Guest> {
    Suite::ALL.into_iter().filter_map(|suite| guest(name, suite)).collect()
}

/// The guest of one suite; without it, or without a host, the test `name` is skipped.
pub(crate) fn guest(name: &str, suite: Suite) -> Option<Guest> {
    path_or_skip(name, HOST_VARIABLE)?;
    Some(Guest::at(suite.name(), path_or_skip(name, suite.variable())?))
}

/// Starts the host under test.
pub(crate) fn host(args: &[&str]) -> Server {
    let program = PathBuf::from(std::env::var_os(HOST_VARIABLE).expect("guest() has looked"));
    Server::start(&program, args).expect("the host starts")
}

/// The guest that can draw in a window. Mesa 25.0 offers swapchains only where its transport imports dma-bufs, and vtest
/// does not; newer Mesa asks for semaphores that take sync files, which every host of ours has.
pub(crate) fn drawing_guest(name: &str) -> Option<Guest> {
    guest(name, Suite::Sid)
}

/// `vulkaninfo` through the host: the smallest program that uses instance, device and queue queries.
pub(crate) fn vulkaninfo<'a>(guest: &'a Guest, socket: &'a std::path::Path) -> GuestRun<'a> {
    guest.command("vulkaninfo", Vulkan::Venus(socket)).limit(LIMIT)
}

/// A vkcube that draws through the host until somebody ends it, from its first picture on.
pub(crate) fn endless_cube(guest: &Guest, host: &Server) -> GuestRunning {
    let socket = host.socket();
    let cube = guest.command("vkcube", Vulkan::Venus(&socket)).args(["--c", "1000000", "--present_mode", "0"]);
    let mut cube = cube.screen(Screen::VKCUBE).limit(LIMIT).spawn().unwrap();
    let started = Instant::now();
    while cube.screenshot().is_none() {
        assert!(cube.is_running().unwrap(), "{:?}: {}", cube.finish(), host.log());
        assert!(started.elapsed() < LIMIT, "no window: {}", host.log());
        std::thread::sleep(Duration::from_millis(5));
    }
    cube
}
