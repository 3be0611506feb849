//! Guests come and go, well or badly, and the host lives on without a trace of them.

use crate::common::{TEARDOWN, guest, guest_at, host};
use testbed::server::{Server, Traces};
use venus_guest::{Gpu, programs};
use venus_protocol::args::DestroyBufferArgs;
use venus_protocol::wire::Handle;

/// What the host holds when it has nothing to do. The first guest may make it open what stays open.
fn traces_at_rest(server: &Server) -> Traces {
    programs::info(guest(server)).unwrap();
    server.settle(TEARDOWN).unwrap()
}

#[test]
fn a_hundred_guests_leave_nothing_behind() {
    let Some(server) = host("a_hundred_guests_leave_nothing_behind") else {
        return;
    };
    let before = traces_at_rest(&server);
    for _ in 0..100 {
        programs::info(guest(&server)).unwrap();
    }
    server.expect_traces(&before, TEARDOWN).unwrap();
}

#[test]
fn eight_guests_at_once_leave_nothing_behind() {
    let Some(server) = host("eight_guests_at_once_leave_nothing_behind") else {
        return;
    };
    let before = traces_at_rest(&server);
    let socket = server.socket();
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| programs::compute(guest_at(&socket)).unwrap());
        }
    });
    server.expect_traces(&before, TEARDOWN).unwrap();
}

#[test]
fn a_guest_that_vanishes_leaves_nothing_behind() {
    let Some(server) = host("a_guest_that_vanishes_leaves_nothing_behind") else {
        return;
    };
    let before = traces_at_rest(&server);
    // In the midst of work: a device, a mapped buffer, a command buffer that is being recorded.
    let mut gpu = Gpu::open(guest(&server)).unwrap();
    let usage = venus_protocol::vk::BufferUsageFlags::TRANSFER_DST;
    let _buffer = gpu.host_buffer(4096, usage).unwrap();
    gpu.begin().unwrap();
    drop(gpu);
    server.expect_traces(&before, TEARDOWN).unwrap();
}

#[test]
fn a_guest_that_breaks_a_rule_ends_alone() {
    let Some(mut server) = host("a_guest_that_breaks_a_rule_ends_alone") else {
        return;
    };
    let mut bystander = Gpu::open(guest(&server)).unwrap();
    let mut culprit = Gpu::open(guest(&server)).unwrap();
    let (device, buffer) = (culprit.device, Handle::identity(0xdead));
    culprit.guest().send(&DestroyBufferArgs { device, buffer }).unwrap();
    let error = culprit.guest().finish().unwrap_err().to_string();
    assert!(error.contains("given up") || error.contains("closed"), "{error}");
    bystander.fence().unwrap();
    bystander.close().unwrap();
    server.expect_alive().unwrap();
    let log = server.log();
    assert!(log.contains("vkDestroyBuffer"), "the log names the command: {log}");
}
