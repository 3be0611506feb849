//! Guests that ask for what there is not, and workers in the hands of such guests.

use mock_driver::Mock;
use venus_guest::bare::{bytes, command};
use venus_host::{
    HostError,
    context::Retired,
    host::{ContextId, ContextOptions, Host, HostOptions, Isolation},
    limits,
    resource::{BlobFlags, ResourceId},
};

use crate::{
    machine::{FIRST, Machine, config, isolations},
    worker,
};

const RESOURCE: ResourceId = ResourceId(10);
const NOBODY: ContextId = ContextId(99);

#[test]
fn wrong_numbers_are_refused_and_change_nothing() {
    let mock = Mock::take();
    for isolation in isolations() {
        let mut machine = Machine::new(config(&mock), isolation);
        let host = &mut machine.host;
        let plain = BlobFlags::MAPPABLE;
        assert!(host.create_context(FIRST, ContextOptions::new("again")).is_err());
        assert!(host.create_blob(NOBODY, RESOURCE, plain, 0, 4096).is_err());
        assert!(host.create_blob(FIRST, ResourceId(0), plain, 0, 4096).is_err());
        assert!(host.create_blob(FIRST, ResourceId(1), plain, 0, 4096).is_err(), "the id is in use");
        assert!(host.create_blob(FIRST, RESOURCE, plain, 0, 0).is_err());
        assert!(host.create_blob(FIRST, RESOURCE, plain, 0, limits::SHMEM_BYTES + 1).is_err());
        assert!(host.create_blob(FIRST, RESOURCE, plain, 0, u64::MAX).is_err());
        let unknown = host.create_blob(FIRST, RESOURCE, plain, 0xdead, 4096).unwrap_err().to_string();
        assert!(unknown.contains("no VkDeviceMemory has the id 0xdead"), "{unknown}");
        assert!(host.create_blob(FIRST, RESOURCE, BlobFlags(0xffff_ffff), 0, 4096).is_err());
        assert!(host.attach(FIRST, RESOURCE).is_err() && host.attach(NOBODY, ResourceId(1)).is_err());
        assert!(host.map(RESOURCE).is_err() && host.blob(RESOURCE).is_none());
        host.detach(FIRST, RESOURCE);
        host.detach(NOBODY, ResourceId(1));
        assert!(!host.destroy_resource(RESOURCE) && !host.destroy_context(NOBODY));
        assert!(host.submit(NOBODY, &[]).is_err());
        assert!(host.create_fence(NOBODY, 0, 1).is_err());
        assert!(host.create_fence(FIRST, limits::TIMELINES, 2).is_err());
        assert!(host.create_fence(FIRST, u32::MAX, 3).is_err());
        assert_eq!(host.lost(NOBODY), None);
        assert_eq!(host.lost(FIRST), None);
        // What has a number retires, whatever was wrong with it.
        assert_eq!(machine.wait_for(NOBODY, 0, 1), Retired::Lost);
        assert_eq!(machine.wait_for(FIRST, limits::TIMELINES, 2), Retired::Lost);
        assert_eq!(machine.wait_for(FIRST, u32::MAX, 3), Retired::Lost);
        machine.host.create_blob(FIRST, RESOURCE, plain, 0, 4096).unwrap();
        assert_eq!(machine.fence(FIRST, 0), Retired::Done);
    }
}

#[test]
fn a_guest_that_breaks_the_protocol_loses_its_context_alone() {
    let mock = Mock::take();
    for isolation in isolations() {
        let mut machine = Machine::new(config(&mock), isolation);
        machine.host.create_context(ContextId(2), ContextOptions::new("other")).unwrap();
        // In order: what comes after is lost with it.
        machine.submit(&[u32::MAX, 0]).ok();
        let reason = machine.reason();
        assert!(reason.contains("direct submission at byte 0"), "{reason}");
        let refused = machine.submit(&command::notify_ring(1, 0)).unwrap_err();
        assert!(matches!(&refused, HostError::Lost(told) if **told == *reason), "{refused}");
        assert_eq!(machine.fence(FIRST, 0), Retired::Lost);
        assert_eq!(machine.fence(FIRST, 5), Retired::Lost);
        assert_eq!(machine.fence(ContextId(2), 0), Retired::Done);
        assert!(machine.host.destroy_context(FIRST));
        assert_eq!(machine.host.lost(FIRST), None);
    }
}

#[test]
fn a_fence_of_a_queue_that_there_is_not_is_lost() {
    let mock = Mock::take();
    for isolation in isolations() {
        let mut machine = Machine::new(config(&mock), isolation);
        assert_eq!(machine.fence(FIRST, 9), Retired::Lost);
        assert!(machine.reason().contains("no queue is bound to ring_idx 9"));
    }
}

#[test]
fn a_submission_that_is_too_long_is_refused() {
    let mock = Mock::take();
    let long = vec![0; limits::SUBMISSION_BYTES + 1];
    for isolation in isolations() {
        let is_polled = matches!(isolation, Isolation::Polled);
        let mut machine = Machine::new(config(&mock), isolation);
        let refused = machine.host.submit(FIRST, &long);
        assert!(is_polled || matches!(refused, Err(HostError::Limit { .. })), "{refused:?}");
    }
}

#[test]
fn fences_of_a_context_that_is_destroyed_are_lost() {
    let mock = Mock::take();
    let launch = worker::launch(worker::SILENT);
    let mut host = Host::new(HostOptions::new(config(&mock)).isolation(Isolation::Process(launch))).unwrap();
    host.create_context(FIRST, ContextOptions::new("silent")).unwrap();
    for (ring_idx, fence) in [(0, 1), (0, 2), (7, 3)] {
        host.create_fence(FIRST, ring_idx, fence).unwrap();
    }
    host.submit(FIRST, &bytes(&command::notify_ring(1, 0))).unwrap();
    assert!(host.take_retired().is_empty());
    for _ in 0..2 {
        let silence = host.statistics(FIRST).unwrap_err().to_string();
        assert!(silence.contains("does not say how its guest is doing"), "{silence}");
    }
    assert!(host.destroy_context(FIRST));
    let retired: Vec<_> = host.take_retired().into_iter().map(|one| (one.ring_idx, one.fence, one.retired)).collect();
    assert_eq!(retired, [(0, 1, Retired::Lost), (0, 2, Retired::Lost), (7, 3, Retired::Lost)]);
    assert!(host.shutdown(crate::machine::PATIENCE));
}

#[test]
fn a_worker_that_says_what_no_worker_says_is_ended() {
    let mock = Mock::take();
    let (retired, blob) = ([14, 0, 0, 0, 0], [1, 0, 0, 0, 1]);
    let flood = [0xff; 64];
    let cases: [(&[u8], &str); 6] = [
        (&flood, "it is too long"),
        (&[&retired[..], b"r", &[0; 13]].concat(), "a fence has retired that there is not"),
        (&[&blob[..], b"b"].concat(), "it answers without being asked"),
        (&[1, 0, 0, 0, 0, b'?'], "it is of no kind that there is"),
        (&[3, 0, 0, 0, 0, b'n', b'n', b'o'], "it answers without being asked"),
        (&[2, 0, 0, 0, 0, b's', 9], "its statistics are none"),
    ];
    for (says, expected) in cases {
        let isolation = Isolation::Process(worker::raving(says));
        let mut host = Host::new(HostOptions::new(config(&mock)).isolation(isolation)).unwrap();
        host.create_context(FIRST, ContextOptions::new("raving")).unwrap();
        venus_guest::bare::until("the worker is ended", || host.lost(FIRST).is_some());
        let reason = host.lost(FIRST).unwrap();
        assert!(reason.contains(expected), "{reason}");
        assert!(host.submit(FIRST, &[]).is_err());
        assert!(host.shutdown(crate::machine::PATIENCE));
    }
}

#[test]
fn a_descriptor_that_is_not_what_the_worker_says_is_not_mapped() {
    let mock = Mock::take();
    let mut machine = Machine::new(config(&mock), Isolation::Process(worker::launch(worker::LYING)));
    let device = machine.device();
    let memory = machine.memory(device, 4096);
    let refused = machine.host.create_blob(FIRST, RESOURCE, BlobFlags::MAPPABLE, memory, 4096).unwrap_err().to_string();
    assert!(refused.contains("a worker gives what is no dma-buf"), "{refused}");
    assert!(machine.host.map(RESOURCE).is_err());
    // The number is free, for the worker, too.
    machine.host.create_blob(FIRST, RESOURCE, BlobFlags::MAPPABLE, 0, 4096).unwrap();
}

#[test]
fn a_worker_that_takes_no_requests_is_lost() {
    let mock = Mock::take();
    let launch = worker::launch(worker::DEAF);
    let mut host = Host::new(HostOptions::new(config(&mock)).isolation(Isolation::Process(launch))).unwrap();
    host.create_context(FIRST, ContextOptions::new("deaf")).unwrap();
    let mut fence = 0;
    let deadline = std::time::Instant::now() + crate::machine::PATIENCE;
    while host.lost(FIRST).is_none() {
        fence += 1;
        let _told = host.create_fence(FIRST, 0, fence);
        assert!(std::time::Instant::now() < deadline, "its fences never retire");
        std::thread::sleep(std::time::Duration::from_millis(1));
    }
    // They retire once whoever hears the worker has been told.
    let mut retired = Vec::new();
    while retired.len() < usize::try_from(fence).unwrap() {
        assert!(std::time::Instant::now() < deadline, "{} of {fence} fences have retired", retired.len());
        retired.extend(host.take_retired().into_iter().map(|one| one.fence));
        std::thread::sleep(std::time::Duration::from_millis(1));
    }
    assert!(retired.into_iter().eq(1..=fence));
}
