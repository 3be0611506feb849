//! Guests come and go, well or badly, and the host lives on without a trace of them.

use crate::common::{TEARDOWN, guest, guest_at, host};
use testbed::server::{Server, Traces};
use testbed::skipping::{HOST_VARIABLE, path_or_skip};
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

#[test]
fn a_guest_is_shown_with_its_gpu_and_what_it_does() {
    let name = "a_guest_is_shown_with_its_gpu_and_what_it_does";
    let (Some(server), Some(program)) = (host(name), path_or_skip(name, HOST_VARIABLE)) else {
        return;
    };
    let mut gpu = Gpu::open(guest(&server)).unwrap();
    let usage = venus_protocol::vk::BufferUsageFlags::TRANSFER_DST;
    let _buffer = gpu.host_buffer(1 << 20, usage).unwrap();
    let fence = gpu.fence().unwrap();
    gpu.submit(&[], fence).unwrap();
    gpu.wait(fence).unwrap();
    let mut status = std::process::Command::new(program);
    status.args(["status", "--json", "--interval", "0", "--socket-path"]).arg(server.socket());
    let output = status.output().unwrap();
    let status: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{output:?}"));
    let shown = &status["guests"][0];
    assert_eq!((&shown["name"], &shown["devices"]), (&"venus-tests".into(), &1.into()), "{status}");
    assert!(shown["gpus"][0].as_str().is_some_and(|gpu| !gpu.is_empty()), "{status}");
    assert_eq!(shown["submissions"], 1, "{status}");
    for counter in ["commands", "objects", "rings"] {
        assert!(shown[counter].as_u64().is_some_and(|count| count > 0), "{counter}: {status}");
    }
    for memory in ["device_memory_bytes", "mapped_memory_bytes"] {
        assert!(shown[memory].as_u64().is_some_and(|bytes| bytes >= 1 << 20), "{memory}: {status}");
    }
    gpu.close().unwrap();
}
