//! More guests than a server takes, and a server that cannot serve any: the guest is refused, not dropped.
//!
//! A guest whose connection is closed dies of a signal, and never gets to its other drivers.

use crate::common::{BOTH, LIMIT, SID, TEARDOWN, content, guest, place, verdict};
use std::io::Write as _;
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};
use testbed::process::Finished;
use testbed::sandbox::{Guest, Vulkan, driver_manifest};
use testbed::server::Server;

/// vulkaninfo with the host's driver and the guest's own.
fn both_drivers(guest: &Guest, host: &Server) -> Finished {
    let manifest = |driver| driver_manifest(guest.root(), driver).unwrap().display().to_string();
    let files = format!("{}:{}", manifest("virtio"), manifest("lvp"));
    let socket = host.socket();
    let info = guest.command("vulkaninfo", Vulkan::Venus(&socket)).args(["--summary"]);
    info.env("VK_DRIVER_FILES", &files).limit(LIMIT).output().unwrap()
}

/// The guest is content with the driver that is left.
fn expect_own_driver_alone(finished: Finished, host: &Server) {
    let finished = finished.expect_success(&format!("vulkaninfo: {}", host.log())).unwrap();
    assert!(finished.stdout.contains("llvmpipe"), "{}", finished.stdout);
    assert!(!finished.stdout.contains("Virtio-GPU Venus"), "{}", finished.stdout);
}

fn expect_both(finished: Finished, host: &Server) {
    let finished = finished.expect_success(&format!("vulkaninfo: {}", host.log())).unwrap();
    assert!(finished.stdout.contains("Virtio-GPU Venus"), "{}", finished.stdout);
}

#[test]
fn a_guest_beyond_the_last_is_refused() {
    let name = "a_guest_beyond_the_last_is_refused";
    let (Some(place), Some(guest)) = (place(name), guest(name, SID[0])) else { return };
    let mut host = place.host(&["--max-guests", "2"]);
    let others: Vec<UnixStream> = (0..2).map(|_| begun(&host)).collect();
    let started = Instant::now();
    while host.descendants().len() < others.len() {
        assert!(started.elapsed() < LIMIT, "no workers: {}", host.log());
        std::thread::sleep(Duration::from_millis(10));
    }
    expect_own_driver_alone(both_drivers(&guest, &host), &host);
    // And when they are gone there is room again.
    drop(others);
    host.expect_no_guests(TEARDOWN).unwrap();
    expect_both(both_drivers(&guest, &host), &host);
    host.expect_alive().unwrap();
}

/// A connection that has said its first word, and nothing more.
fn begun(host: &Server) -> UnixStream {
    let mut connection = UnixStream::connect(host.socket()).unwrap();
    connection.write_all(&8_u32.to_le_bytes()).unwrap();
    connection
}

#[test]
fn silent_connections_lock_nobody_out() {
    let name = "silent_connections_lock_nobody_out";
    let (Some(place), Some(guest)) = (place(name), guest(name, SID[0])) else { return };
    let host = place.host(&["--max-guests", "2"]);
    let _silent: Vec<UnixStream> = (0..300).map(|_| UnixStream::connect(host.socket()).unwrap()).collect();
    expect_both(both_drivers(&guest, &host), &host);
}

#[test]
fn a_guest_whose_worker_cannot_start_is_refused() {
    let name = "a_guest_whose_worker_cannot_start_is_refused";
    let (Some(place), Some(guest)) = (place(name), guest(name, SID[0])) else { return };
    for program in ["/bin/false", "/does/not/exist"] {
        let host = place.host(&["--worker-program", program]);
        expect_own_driver_alone(both_drivers(&guest, &host), &host);
    }
}

#[test]
fn a_hundred_guests_at_once_are_served() {
    content("a_hundred_guests_at_once_are_served", SID, &["instances", "100"]);
}

/// A program of so many instances is told of the first one that is too many, and can do something about it.
#[test]
fn the_first_instance_of_too_many_is_refused() {
    let name = "the_first_instance_of_too_many_is_refused";
    let (Some(place), Some(guest)) = (place(name), guest(name, SID[0])) else { return };
    let mut host = place.host(&["--max-guests", "10"]);
    let finished = place.through(&guest, &host.socket(), &["instances", "20"]).output().unwrap();
    let refused = "FAIL instance 10: vkEnumeratePhysicalDevices: Initialization of an object has failed";
    assert_eq!(finished.stdout.trim(), refused, "{finished:?}\n{}", host.log());
    host.expect_no_guests(TEARDOWN).unwrap();
    host.expect_alive().unwrap();
}

/// What a guest may hold is bounded: there is an error code at the bound, and the guest goes on or ends by itself.
fn bounded(name: &str, bound: [&str; 2], case: &[&str]) {
    let Some(place) = place(name) else { return };
    for suite in BOTH {
        let Some(guest) = guest(name, *suite) else { return };
        let host = place.host(&bound);
        let finished = place.through(&guest, &host.socket(), case).output().unwrap();
        // Older Mesa asks for some answers that newer Mesa does not ask for.
        let told = finished.stdout.starts_with("OK") || finished.stdout.contains("memory allocation has failed");
        assert!(told, "{case:?} in {}: {finished:?}\n{}", guest.name(), host.log());
        assert!(host.log().contains("refused with VK_ERROR_OUT_OF_"), "{}", host.log());
        assert!(!host.log().contains("context lost"), "{}", host.log());
    }
}

#[test]
fn a_guest_has_no_more_memory_than_it_may() {
    let name = "a_guest_has_no_more_memory_than_it_may";
    bounded(name, ["--max-memory", "16M"], &["memory-many", "5000"]);
}

#[test]
fn a_guest_has_no_more_objects_than_it_may() {
    let name = "a_guest_has_no_more_objects_than_it_may";
    bounded(name, ["--max-objects", "500"], &["timelines", "2000"]);
}

/// A guest whose work takes the GPU too long loses its device; the next one is served.
#[test]
fn a_guest_has_no_more_of_the_gpus_time_than_it_may() {
    let name = "a_guest_has_no_more_of_the_gpus_time_than_it_may";
    let (Some(place), Some(guest)) = (place(name), guest(name, SID[0])) else { return };
    let mut host = place.host(&["--max-gpu-time", "2"]);
    let finished = place.through(&guest, &host.socket(), &["lost-fence"]).output().unwrap();
    assert!(finished.stdout.starts_with("LOST "), "{finished:?}\n{}", host.log());
    assert!(host.log().contains("context lost: vkQueueSubmit: the GPU has not come to the end"), "{}", host.log());
    let finished = place.through(&guest, &host.socket(), &["fences", "100"]).output().unwrap();
    verdict(finished, "100 fences", &host.log());
    host.expect_no_guests(TEARDOWN).unwrap();
    host.expect_alive().unwrap();
}

/// Threads beyond the last ring share one.
#[test]
fn a_guest_of_more_threads_than_it_may_have_rings_works() {
    let name = "a_guest_of_more_threads_than_it_may_have_rings_works";
    let (Some(place), Some(guest)) = (place(name), guest(name, SID[0])) else { return };
    let host = place.host(&["--max-rings", "20"]);
    let finished = place.through(&guest, &host.socket(), &["pipeline-threads", "50"]).output().unwrap();
    verdict(finished, "50 threads", &host.log());
}
