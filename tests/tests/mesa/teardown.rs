//! What a guest leaves behind: nothing, in whatever number and way guests come and go.

use crate::common::{TEARDOWN, drawing_guest, endless_cube, guest, guests, host, vulkaninfo};
use testbed::provision::Suite;
use testbed::sandbox::GuestRunning;
use testbed::server::{Server, Traces};

/// What the host holds between guests, once the first one has made it load what it loads for good.
fn settled(host: &Server, first: impl FnOnce()) -> Traces {
    first();
    host.settle(TEARDOWN).unwrap()
}

#[test]
fn a_hundred_guests_one_after_another_leave_nothing() {
    let Some(guest) = guest("a_hundred_guests_one_after_another_leave_nothing", Suite::Trixie) else {
        return;
    };
    for args in [&[][..], &["--in-process"]] {
        let mut host = host(args);
        let socket = host.socket();
        let run = |number: u32| {
            let info = vulkaninfo(&guest, &socket).args(["--summary"]).output().unwrap();
            info.expect_success(&format!("guest {number} with {args:?}")).unwrap();
        };
        let before = settled(&host, || run(0));
        // What stays behind in one process stays behind with each guest, and shows early.
        let count = if args.is_empty() { 100 } else { 20 };
        (1..count).for_each(run);
        host.expect_traces(&before, TEARDOWN).unwrap();
        host.expect_alive().unwrap();
    }
}

#[test]
fn eight_guests_at_once_leave_nothing() {
    for guest in guests("eight_guests_at_once_leave_nothing") {
        let mut host = host(&[]);
        let socket = host.socket();
        let start = || vulkaninfo(&guest, &socket).args(["--summary"]).spawn().unwrap();
        let before = settled(&host, || drop(start().finish().unwrap().expect_success("the first guest").unwrap()));
        let all: Vec<GuestRunning> = std::iter::repeat_with(start).take(8).collect();
        for mut running in all {
            let info = running.finish().unwrap().expect_success(running.what()).unwrap();
            assert!(info.stdout.contains("Virtio-GPU Venus"), "{}", info.stdout);
        }
        host.expect_traces(&before, TEARDOWN).unwrap();
        host.expect_alive().unwrap();
    }
}

#[test]
fn a_guest_killed_while_it_draws_leaves_nothing() {
    if let Some(guest) = drawing_guest("a_guest_killed_while_it_draws_leaves_nothing") {
        let mut host = host(&[]);
        let socket = host.socket();
        let before = settled(&host, || {
            let info = vulkaninfo(&guest, &socket).args(["--summary"]).output().unwrap();
            info.expect_success("the first guest").unwrap();
        });
        for _ in 0..3 {
            let mut cube = endless_cube(&guest, &host);
            cube.kill().unwrap();
            assert!(!cube.finish().unwrap().success());
            host.expect_traces(&before, TEARDOWN).unwrap();
            host.expect_alive().unwrap();
        }
    }
}
