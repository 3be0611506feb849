//! Traces of what a driver does.

#[expect(dead_code, reason = "the tests of the host use all of it")]
#[path = "../../tests/driver/embedded.rs"]
mod embedded;
mod perfetto;

use std::{fs, sync::mpsc};

use embedded::Guest;
use tempfile::TempDir;
use venus_host::{context::Options, driver::Config};
use venus_observe::trace::{Settings, Tracer};
use venus_protocol::{args::FreeMemoryArgs, vk};

const SIZE: u64 = 64 << 10;
const SECOND_NS: u64 = 1_000_000_000;

#[test]
#[ignore = "needs a Vulkan driver"]
fn a_trace_shows_the_driver_the_waits_and_the_memory() {
    let folder = TempDir::new().unwrap();
    let tracer = Tracer::create(&Settings::new(folder.path()), "test").unwrap();
    let path = tracer.path().to_owned();
    let mut guest = Guest::with(Options::new("test", Config::default()).observer(tracer));
    let device = guest.device();
    let queue = guest.queue(device, 1).unwrap();
    let memory = guest.memory(device, SIZE);
    let buffer = guest.buffer(device, SIZE);
    guest.bind(device, buffer, memory);
    guest.export(memory, SIZE).unwrap();
    let pool = guest.command_pool(device);
    let commands = guest.record_fill(device, pool, buffer, 7);
    let fence = guest.fence(device);
    guest.submit(queue, &vk::SubmitInfo::default().command_buffers(&[commands.raw]), fence);
    let (retired, retirements) = mpsc::channel();
    guest.context.create_fence(1, Box::new(move |how| retired.send(how).unwrap())).unwrap();
    assert_eq!(guest.wait(device, fence, 10 * SECOND_NS), vk::Result::SUCCESS);
    retirements.recv().unwrap();
    // Long enough for a look at the counters.
    let so_far = || perfetto::read_unfinished(&fs::read(&path).unwrap());
    let has = |name: &str, value| so_far().counters.get(name).is_some_and(|values| values.contains(&value));
    while !has("device memory", SIZE) || !has("device memory visible to the guest", SIZE) {
        std::thread::yield_now();
    }
    guest.send(&FreeMemoryArgs { device, memory }).unwrap();
    while so_far().counters["device memory"].last() != Some(&0) {
        std::thread::yield_now();
    }
    drop(guest);
    let trace = perfetto::read(&fs::read(&path).unwrap());

    for name in ["vkCreateInstance", "vkCreateDevice", "vkAllocateMemory", "vkCreateBuffer", "vkQueueSubmit"] {
        let driver = format!("driver {name}");
        let driver = trace.only(&driver);
        let command = trace.only(name);
        assert_eq!(driver.inside, [name, "handler"]);
        assert_eq!(driver.categories, ["driver"]);
        assert!(command.from <= driver.from && driver.from < driver.to && driver.to <= command.to, "{name}");
    }
    let wait = trace.only("wait vkWaitForFences");
    assert_eq!(wait.inside, ["vkWaitForFences", "handler"]);
    assert_eq!(trace.only("vkWaitForFences").text("result"), Some("VK_SUCCESS"));
    assert_eq!(trace.only("wait queue").inside, ["vkQueueSubmit", "handler"]);
    let fence = trace.only("fence");
    assert_eq!(fence.track, "queue timeline 1");
    assert!(fence.from < fence.to);
    assert!(trace.counters["objects"].iter().any(|objects| *objects > 5));
}
