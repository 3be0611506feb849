//! Rings, streams and fences, seen from the guest.

use std::time::Duration;

use crate::common::{guest, host};
use venus_guest::{Gpu, SyncPoint};
use venus_protocol::args::{CmdSetLineWidthArgs, EnumerateInstanceVersionArgs, GetFenceStatusArgs, ResetFencesArgs};
use venus_protocol::vk;
use venus_protocol::wire::{Command as _, Encoder, Handles};

/// More than any ring holds.
const MANY: u32 = 50_000;

#[test]
fn a_ring_wraps_and_fills() {
    let Some(server) = host("a_ring_wraps_and_fills") else {
        return;
    };
    let mut gpu = Gpu::open(guest(&server)).unwrap();
    let command_buffer = gpu.begin().unwrap();
    for _ in 0..MANY {
        let args = CmdSetLineWidthArgs { command_buffer, line_width: 1.0 };
        gpu.guest().send(&args).unwrap();
    }
    gpu.end_and_run(command_buffer).unwrap();
    gpu.close().unwrap();
}

#[test]
fn long_streams_travel_beside_the_ring() {
    let Some(server) = host("long_streams_travel_beside_the_ring") else {
        return;
    };
    let mut gpu = Gpu::open(guest(&server)).unwrap();
    let command_buffer = gpu.begin().unwrap();
    // SAFETY: this command holds no pointers.
    let mut stream = unsafe { Encoder::new() };
    // The second stream overwrites the first one's place, the third needs a larger one.
    for commands in [MANY, MANY, 3 * MANY] {
        stream.clear();
        for _ in 0..commands {
            CmdSetLineWidthArgs { command_buffer, line_width: 1.0 }.encode(&mut stream, 0);
        }
        gpu.guest().execute(stream.bytes()).unwrap();
    }
    gpu.end_and_run(command_buffer).unwrap();
    gpu.close().unwrap();
}

#[test]
fn an_idle_ring_wakes_up() {
    let Some(server) = host("an_idle_ring_wakes_up") else {
        return;
    };
    let mut guest = guest(&server);
    // Around the time after which the host goes to sleep, where a notification is lost most easily.
    for pause_us in (0..3000).step_by(50) {
        std::thread::sleep(Duration::from_micros(pause_us));
        let result = guest.run(&EnumerateInstanceVersionArgs { p_api_version: &mut 0 });
        assert_eq!(result.unwrap(), vk::Result::SUCCESS);
    }
    guest.close().unwrap();
}

#[test]
fn ring_and_socket_wait_for_each_other() {
    let Some(server) = host("ring_and_socket_wait_for_each_other") else {
        return;
    };
    let mut guest = guest(&server);
    for _ in 0..200 {
        guest.wait_ring_on_socket().unwrap();
        guest.wait_socket_on_ring().unwrap();
    }
    guest.finish().unwrap();
    guest.close().unwrap();
}

#[test]
fn fences_of_the_queues_timeline_raise_syncs() {
    let Some(server) = host("fences_of_the_queues_timeline_raise_syncs") else {
        return;
    };
    let mut gpu = Gpu::open(guest(&server)).unwrap();
    let sync = gpu.guest().transport().create_sync(3).unwrap();
    // The context's timeline, and that of our queue.
    for (ring_idx, value) in [(0, 4), (1, 5)] {
        let connection = gpu.guest().transport();
        connection.submit_and_signal(&[], ring_idx, Some(SyncPoint { sync, value })).unwrap();
        let reached = connection.wait_sync(SyncPoint { sync, value }, Duration::from_secs(10));
        assert!(reached.unwrap(), "timeline {ring_idx}");
        assert_eq!(connection.read_sync(sync).unwrap(), value);
    }
    let connection = gpu.guest().transport();
    let never = SyncPoint { sync, value: 100 };
    assert!(!connection.wait_sync(never, Duration::from_millis(20)).unwrap());
    connection.write_sync(never).unwrap();
    assert!(connection.wait_sync(never, Duration::from_secs(10)).unwrap());
    connection.unref_sync(sync).unwrap();
    gpu.close().unwrap();
}

#[test]
fn fences_follow_submissions() {
    let Some(server) = host("fences_follow_submissions") else {
        return;
    };
    let mut gpu = Gpu::open(guest(&server)).unwrap();
    let (device, fence) = (gpu.device, gpu.fence().unwrap());
    let status = GetFenceStatusArgs { device, fence };
    assert_eq!(gpu.guest().run(&status).unwrap(), vk::Result::NOT_READY);
    gpu.submit(&[], fence).unwrap();
    gpu.wait(fence).unwrap();
    assert_eq!(gpu.guest().run(&status).unwrap(), vk::Result::SUCCESS);
    let p_fences = Handles { ids: &[fence.id], raws: &[fence.raw] };
    gpu.guest().succeed(&ResetFencesArgs { device, fence_count: 1, p_fences }).unwrap();
    assert_eq!(gpu.guest().run(&status).unwrap(), vk::Result::NOT_READY);
    gpu.close().unwrap();
}
