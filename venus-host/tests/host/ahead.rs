//! Contexts that are kept from hearing of resources, while their rings go on.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use mock_driver::Mock;
use tempfile::TempDir;
use venus_guest::bare::{bytes, command};
use venus_host::{
    driver::Config,
    endpoint::{Observer, Source},
    host::{HostOptions, Isolation},
    limits::{self, Budget},
    resource::{Blob, BlobFlags, BlobStorage, MapInfo, ResourceId, host_page_size},
};
use venus_protocol::{
    args::GetMemoryResourcePropertiesMESAArgs,
    vk,
    wire::{Command as _, Encoder, Handle},
};

use crate::{
    machine::{FIRST, Machine, PATIENCE, Ring, config},
    memory::Pages,
    worker::{self, In},
};

const RING_MEMORY: ResourceId = ResourceId(10);
const OTHER: ResourceId = ResourceId(11);
/// Far longer than a ring takes to come to a command.
const A_WHILE: Duration = Duration::from_millis(100);

/// Hold a context in each `vkSeekReplyCommandStreamMESA` as long as they are closed: files that are there.
pub(crate) struct Gates(TempDir);

/// The gate of direct submissions, and that of rings.
const DIRECT: &str = "direct";
const RINGS: &str = "rings";

impl Gates {
    fn closed() -> Self {
        let gates = Self(tempfile::tempdir().unwrap());
        for gate in [DIRECT, RINGS] {
            fs::write(gates.0.path().join(gate), "").unwrap();
        }
        gates
    }

    fn open(&self, gate: &str) {
        fs::remove_file(self.0.path().join(gate)).unwrap();
    }
}

impl Drop for Gates {
    fn drop(&mut self) {
        // Who is held must not be held for ever, be it that a test fails.
        let _gone = fs::remove_dir_all(self.0.path());
    }
}

/// What holds a context at the gates in a folder.
pub(crate) fn holder(folder: impl Into<PathBuf>) -> Arc<dyn Observer> {
    let folder: PathBuf = folder.into();
    Arc::new(In(move |source| {
        let gate = folder.join(if source == Source::Direct { DIRECT } else { RINGS });
        while gate.exists() {
            thread::sleep(Duration::from_millis(1));
        }
    }))
}

/// Whose guests may hold [`worker::POOR_BYTES`].
fn machine(config: Config, gates: &Gates, is_process: bool) -> Machine {
    let folder: &Path = gates.0.path();
    let isolation = if is_process {
        Isolation::Process(worker::launch_with(worker::GATED, "VENUS_TEST_GATES", folder.to_str().unwrap().to_owned()))
    } else {
        Isolation::Thread
    };
    let options = HostOptions::new(config).isolation(isolation);
    if is_process {
        return Machine::made(options);
    }
    let folder = folder.to_owned();
    let options = options.budget(Budget::default().memory_bytes(worker::POOR_BYTES));
    Machine::made(options.observers(move |_, _| vec![holder(&folder)]))
}

fn plain(machine: &mut Machine, id: ResourceId, size: u64) -> Result<(), venus_host::HostError> {
    machine.host.create_blob(FIRST, id, BlobFlags::MAPPABLE, 0, size)
}

/// Has the context come to both gates: a ring in [`RING_MEMORY`], whose replies go there, and its own thread.
fn hold(machine: &mut Machine) -> Ring {
    let reply = [command::set_reply_stream(RING_MEMORY.0, 4096, 64), command::seek_reply_stream(0)].concat();
    let mut ring = Ring::new(machine, RING_MEMORY);
    ring.write(machine, &reply);
    machine.submit(&reply).unwrap();
    ring
}

/// Both ways of being served, with memory for a ring.
fn each(mock: &Mock, mut test: impl FnMut(&mut Machine, &Gates)) {
    for is_process in [true, false] {
        let gates = Gates::closed();
        let mut machine = machine(config(mock), &gates, is_process);
        plain(&mut machine, RING_MEMORY, 8192).unwrap();
        // The context is there, and has said what its guest may hold.
        machine.fence(FIRST, 0);
        test(&mut machine, &gates);
        assert_eq!(machine.host.lost(FIRST), None, "a process: {is_process}");
    }
}

#[test]
fn a_ring_may_be_ahead_of_the_word_that_there_is_plain_memory() {
    each(&Mock::take(), |machine, gates| {
        let mut ring = hold(machine);
        plain(machine, OTHER, 4096).unwrap();
        ring.put(&bytes(&command::set_reply_stream(OTHER.0, 0, 8)));
        gates.open(RINGS);
        thread::sleep(A_WHILE);
        gates.open(DIRECT);
        ring.drain(machine);
    });
}

#[test]
fn a_ring_does_not_wait_for_words_about_others() {
    each(&Mock::take(), |machine, gates| {
        plain(machine, OTHER, 4096).unwrap();
        let mut ring = hold(machine);
        plain(machine, ResourceId(12), 4096).unwrap();
        ring.put(&bytes(&command::set_reply_stream(OTHER.0, 0, 8)));
        gates.open(RINGS);
        // The context's own thread may be waiting for this.
        ring.drain(machine);
    });
}

#[test]
fn a_ring_may_be_ahead_of_the_word_that_there_is_memory_to_import() {
    each(&Mock::take(), |machine, gates| {
        let device: Handle<vk::Device> = machine.device();
        let size = host_page_size();
        let file = tempfile::tempfile().unwrap();
        file.set_len(size).unwrap();
        let blob = Blob::new(BlobStorage::Shm(Arc::new(file.into())), size, MapInfo::Cached);
        machine.host.import_blob(OTHER, blob, size).unwrap();
        let mut ring = hold(machine);
        machine.host.attach(FIRST, OTHER).unwrap();
        let mut properties = vk::MemoryResourcePropertiesMESA::default();
        let args = GetMemoryResourcePropertiesMESAArgs {
            device,
            resource_id: OTHER.0,
            p_memory_resource_properties: &mut properties,
        };
        // SAFETY: the properties live until the end.
        let mut encoder = unsafe { Encoder::new() };
        args.encode(&mut encoder, 1);
        ring.put(encoder.bytes());
        gates.open(RINGS);
        thread::sleep(A_WHILE);
        gates.open(DIRECT);
        ring.drain(machine);
        let mut reply = [0; 8];
        ring.memory.copy_out(4096, &mut reply).unwrap();
        let result = vk::Result::from_raw(i32::from_le_bytes(reply[4..].try_into().unwrap()));
        assert_eq!(result, vk::Result::SUCCESS);
    });
}

#[test]
fn an_id_means_another_resource_only_once_the_first_is_forgotten() {
    each(&Mock::take(), |machine, gates| {
        plain(machine, OTHER, 4096).unwrap();
        let mut ring = hold(machine);
        assert!(machine.host.destroy_resource(OTHER));
        thread::scope(|scope| {
            scope.spawn(|| {
                thread::sleep(A_WHILE);
                gates.open(DIRECT);
            });
            plain(machine, OTHER, 8192).unwrap();
            ring.put(&bytes(&command::set_reply_stream(OTHER.0, 4096, 8)));
            gates.open(RINGS);
        });
        ring.drain(machine);
    });
}

#[test]
fn an_id_that_nobody_was_told_of_is_wrong_at_once() {
    let mock = Mock::take();
    for isolation in [Isolation::Process(worker::launch(worker::GOOD)), Isolation::Thread] {
        let mut machine = Machine::new(config(&mock), isolation);
        plain(&mut machine, RING_MEMORY, 8192).unwrap();
        let mut ring = Ring::new(&mut machine, RING_MEMORY);
        let started = Instant::now();
        ring.write(&mut machine, &command::set_reply_stream(OTHER.0, 0, 8));
        let reason = machine.reason();
        assert!(reason.contains("no resource has id 11"), "{reason}");
        assert!(started.elapsed() < limits::WORKER_PATIENCE, "it was waited for");
    }
}

#[test]
fn a_ring_that_waits_ends_with_its_context() {
    let mock = Mock::take();
    let gates = Gates::closed();
    let mut machine = machine(config(&mock), &gates, false);
    let pages = Pages::new(8192);
    machine.host.import_memory(RING_MEMORY, pages.clone()).unwrap();
    machine.host.attach(FIRST, RING_MEMORY).unwrap();
    let mut ring = hold(&mut machine);
    plain(&mut machine, OTHER, 4096).unwrap();
    ring.put(&bytes(&command::set_reply_stream(OTHER.0, 0, 8)));
    gates.open(RINGS);
    thread::sleep(A_WHILE);
    // What it waits for is never said now.
    assert!(machine.host.destroy_context(FIRST));
    gates.open(DIRECT);
    drop(ring);
    assert!(machine.host.shutdown(PATIENCE));
    assert_eq!(Arc::strong_count(&pages), 1, "a ring that does not end is left behind with its memory");
}

#[test]
fn memory_that_was_given_back_counts_until_the_context_has_come_to_it() {
    each(&Mock::take(), |machine, gates| {
        let ring = hold(machine);
        let mut ids = (OTHER.0..).map(ResourceId);
        let mut take = |machine: &mut Machine| {
            let id = ids.next().unwrap();
            plain(machine, id, worker::POOR_BYTES / 2).map(|()| assert!(machine.host.destroy_resource(id)))
        };
        take(machine).unwrap();
        let refused = take(machine).unwrap_err().to_string();
        assert!(refused.contains(&worker::POOR_BYTES.to_string()), "{refused}");
        gates.open(RINGS);
        gates.open(DIRECT);
        ring.drain(machine);
        machine.until("the memory is there again", |machine| take(machine).is_ok());
    });
}
