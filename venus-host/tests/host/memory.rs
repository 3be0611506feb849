//! Memory of the embedder's own: a guest's RAM, a mapping that the system has given an application.

use std::{ptr::NonNull, sync::Arc};

use mock_driver::Mock;
use rustix::mm::{MapFlags, ProtFlags, mmap_anonymous, munmap};
use venus_guest::bare::command;
use venus_host::{
    host::Isolation,
    resource::{Blob, BlobFlags, BlobStorage, HostMemory, MapInfo, ResourceId, host_page_size},
};

use crate::{
    machine::{FIRST, Machine, PATIENCE, Ring, config, isolations},
    worker,
};

const RESOURCE: ResourceId = ResourceId(10);

/// Pages that a test has mapped.
#[derive(Debug)]
pub(crate) struct Pages {
    address: NonNull<u8>,
    size: usize,
}

impl Pages {
    pub(crate) fn new(size: usize) -> Arc<Self> {
        // SAFETY: the address is null, so the system chooses one, and no existing mapping is replaced.
        let address =
            unsafe { mmap_anonymous(std::ptr::null_mut(), size, ProtFlags::READ | ProtFlags::WRITE, MapFlags::SHARED) };
        Arc::new(Self { address: NonNull::new(address.unwrap().cast()).unwrap(), size })
    }
}

// SAFETY: the pages are mapped until this is dropped, at the start of a page, and nobody has a reference to them.
unsafe impl HostMemory for Pages {
    fn address(&self) -> NonNull<u8> {
        self.address
    }

    fn size(&self) -> usize {
        self.size
    }
}

// SAFETY: the pages belong to the process; unmapping them is allowed on any thread, and happens once.
unsafe impl Send for Pages {}
// SAFETY: shared references only read fields that never change.
unsafe impl Sync for Pages {}

impl Drop for Pages {
    fn drop(&mut self) {
        // SAFETY: `new` has mapped it, and who uses it keeps this alive.
        unsafe { munmap(self.address.as_ptr().cast(), self.size) }.unwrap();
    }
}

#[test]
fn rings_and_replies_lie_in_memory_of_the_embedders() {
    let mock = Mock::take();
    for isolation in isolations() {
        let is_process = matches!(isolation, Isolation::Process(_));
        let mut machine = Machine::new(config(&mock), isolation);
        let pages = Pages::new(8192);
        machine.host.import_memory(RESOURCE, Arc::clone(&pages) as Arc<dyn HostMemory>).unwrap();
        let attached = machine.host.attach(FIRST, RESOURCE);
        if is_process {
            let refused = attached.unwrap_err().to_string();
            assert!(refused.contains("no use for memory without a descriptor"), "{refused}");
            continue;
        }
        attached.unwrap();
        assert_eq!(machine.host.map(RESOURCE).unwrap().address(), pages.address());
        let mut ring = Ring::new(&mut machine, RESOURCE);
        ring.write(&mut machine, &command::set_reply_stream(RESOURCE.0, 4096, 8));
        ring.drain(&mut machine);
        drop(ring);
        // The guest's machine goes first; who still uses the memory keeps it.
        assert!(Arc::strong_count(&pages) > 1);
        assert!(machine.host.shutdown(PATIENCE));
        assert_eq!(Arc::strong_count(&pages), 1);
    }
}

#[test]
fn a_context_that_is_stuck_is_given_plain_memory() {
    let mock = Mock::take();
    for sort in [worker::STUCK, worker::SILENT] {
        let mut machine = Machine::new(config(&mock), Isolation::Process(worker::launch(sort)));
        machine.submit(&command::seek_reply_stream(0)).unwrap();
        for resource in [ResourceId(10), ResourceId(11)] {
            machine.host.create_blob(FIRST, resource, BlobFlags::MAPPABLE, 0, 4096).unwrap();
            machine.host.map(resource).unwrap().copy_in(4092, b"here").unwrap();
        }
        assert_eq!(machine.host.lost(FIRST), None, "{sort}");
        assert!(machine.host.destroy_resource(ResourceId(10)) && machine.host.destroy_context(FIRST));
    }
}

#[test]
fn plain_memory_counts_with_allocations_whoever_serves_the_guest() {
    let mock = Mock::take();
    let plain = |machine: &mut Machine, id| {
        machine.host.create_blob(FIRST, ResourceId(id), BlobFlags::MAPPABLE, 0, worker::POOR_BYTES / 2)
    };
    let process = Isolation::Process(worker::launch(worker::POOR));
    for isolation in [process, Isolation::Thread, Isolation::Polled] {
        let mut machine = Machine::poor(config(&mock), isolation.clone(), worker::POOR_BYTES);
        let device = machine.device();
        machine.memory(device, worker::POOR_BYTES / 2);
        let refused = plain(&mut machine, 10).unwrap_err().to_string();
        assert!(refused.contains(&worker::POOR_BYTES.to_string()), "{isolation:?}: {refused}");
        assert_eq!(machine.host.lost(FIRST), None);
    }
    // Nor is there more of it than that before whoever serves the guest has said how much it may be.
    let mut machine = Machine::poor(config(&mock), Isolation::Process(worker::launch(worker::POOR)), u64::MAX);
    let is_budget = |reason: String| reason.contains(&worker::POOR_BYTES.to_string());
    let mut ids = 10..;
    machine.until("the budget", |machine| match plain(machine, ids.next().unwrap()) {
        Ok(()) => machine.host.lost(FIRST).is_some_and(is_budget),
        Err(error) => is_budget(error.to_string()),
    });
}

#[test]
fn memory_that_is_none_is_refused() {
    let mock = Mock::take();
    let mut machine = Machine::new(config(&mock), Isolation::Polled);
    let pages = Pages::new(8192);
    /// A part of other pages.
    #[derive(Debug)]
    struct Part(Arc<Pages>, usize, usize);
    // SAFETY: the tests that give it to a host do not get as far as an access where it lies outside of the pages.
    unsafe impl HostMemory for Part {
        fn address(&self) -> NonNull<u8> {
            self.0.address.map_addr(|address| address.saturating_add(self.1))
        }

        fn size(&self) -> usize {
            self.2
        }
    }
    for (offset, size) in [(1, 4096), (64, 4096), (0, 0), (0, usize::MAX)] {
        assert!(machine.host.import_memory(RESOURCE, Arc::new(Part(Arc::clone(&pages), offset, size))).is_err());
    }
    assert!(machine.host.import_memory(ResourceId(0), pages.clone()).is_err());
    machine.host.import_memory(RESOURCE, pages.clone()).unwrap();
    assert!(machine.host.import_memory(RESOURCE, pages).is_err(), "the id is in use");
}

#[test]
fn storage_that_others_have_made_can_be_attached() {
    let mock = Mock::take();
    let size = host_page_size();
    for isolation in isolations() {
        let mut machine = Machine::new(config(&mock), isolation);
        let file = tempfile::tempfile().unwrap();
        file.set_len(size).unwrap();
        let blob = Blob::new(BlobStorage::Shm(Arc::new(file.into())), size, MapInfo::Cached);
        assert!(machine.host.import_blob(RESOURCE, blob.clone(), size + 1).is_err());
        machine.host.import_blob(RESOURCE, blob, size).unwrap();
        machine.host.attach(FIRST, RESOURCE).unwrap();
        machine.host.map(RESOURCE).unwrap().copy_in(0, b"theirs").unwrap();
        machine.fence(FIRST, 0);
        assert_eq!(machine.host.lost(FIRST), None);
        // It is memory to be imported into the driver, and no place for replies.
        machine.submit(&command::set_reply_stream(RESOURCE.0, 0, 8)).ok();
        assert!(machine.reason().starts_with("vkSetReplyCommandStreamMESA"));
    }
}
