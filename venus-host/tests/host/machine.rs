//! A monitor and its guest's kernel in a few lines.

use std::time::{Duration, Instant};

use mock_driver::Mock;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use venus_guest::bare::{bytes, command};
use venus_host::{
    HostError,
    context::{Progress, Retired},
    driver::{Config, EntryPoint},
    host::{ContextId, ContextOptions, Host, HostOptions, Isolation, RetiredFence},
    limits::Budget,
    resource::{BlobFlags, HostMapping, ResourceId},
};
use venus_protocol::{
    args::*,
    vk,
    wire::{Arena, Command, Decoder, Encoder, Handle, IdentityResolver, NewHandles},
};

use crate::worker;

/// Long enough for anything that is going to happen.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// The context that machines begin with.
pub(crate) const FIRST: ContextId = ContextId(1);
/// Where its replies go.
const REPLIES: ResourceId = ResourceId(1);
const REPLY_BYTES: usize = 64 << 10;

/// A configuration for a host that uses this driver.
pub(crate) fn config(mock: &Mock) -> Config {
    // SAFETY:
    // - what the driver gives has the signatures that ash declares and does what the specification asks of it, as
    //   `Mock::entry_point` says;
    // - its entry points are functions of this program.
    let entry = unsafe { EntryPoint::new(mock.entry_point()) };
    Config::default().entry(entry)
}

/// All ways of serving a context.
pub(crate) fn isolations() -> [Isolation; 3] {
    [Isolation::Process(worker::launch(worker::GOOD)), Isolation::Thread, Isolation::Polled]
}

/// A machine with one context, and memory for its replies.
pub(crate) struct Machine {
    pub(crate) host: Host,
    replies: HostMapping,
    next_id: u64,
    next_fence: u64,
    /// What has retired and was not asked for.
    retired: Vec<RetiredFence>,
}

impl Machine {
    pub(crate) fn new(config: Config, isolation: Isolation) -> Self {
        Self::made(HostOptions::new(config).isolation(isolation))
    }

    /// One whose guest may hold so much memory, where this process serves it.
    pub(crate) fn poor(config: Config, isolation: Isolation, bytes: u64) -> Self {
        Self::made(HostOptions::new(config).isolation(isolation).budget(Budget::default().memory_bytes(bytes)))
    }

    pub(crate) fn made(options: HostOptions) -> Self {
        let mut host = Host::new(options).unwrap();
        host.create_context(FIRST, ContextOptions::new("test")).unwrap();
        host.create_blob(FIRST, REPLIES, BlobFlags::MAPPABLE, 0, REPLY_BYTES as u64).unwrap();
        let replies = host.map(REPLIES).unwrap();
        Self { host, replies, next_id: 100, next_fence: 1 << 40, retired: Vec::new() }
    }

    pub(crate) fn id(&mut self) -> u64 {
        self.next_id += 1;
        self.next_id
    }

    /// Sends words to the first context.
    pub(crate) fn submit(&mut self, words: &[u32]) -> Result<(), HostError> {
        self.host.submit(FIRST, &bytes(words))
    }

    /// How a fence retires that is asked for now.
    pub(crate) fn fence(&mut self, context: ContextId, ring_idx: u32) -> Retired {
        self.next_fence += 1;
        let fence = self.next_fence;
        // An error is told by the fence, too.
        let _told = self.host.create_fence(context, ring_idx, fence);
        self.wait_for(context, ring_idx, fence)
    }

    /// Waits for a fence.
    pub(crate) fn wait_for(&mut self, context: ContextId, ring_idx: u32, fence: u64) -> Retired {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let is_it = |one: &RetiredFence| (one.context, one.ring_idx, one.fence) == (context, ring_idx, fence);
            if let Some(at) = self.retired.iter().position(is_it) {
                return self.retired.remove(at).retired;
            }
            wait_readable(&self.host, deadline);
            self.retired.extend(self.host.take_retired());
        }
    }

    /// Lets polled rings run dry.
    pub(crate) fn poll(&mut self) {
        while self.host.process_rings() == Progress::Worked {}
    }

    /// Waits until something holds, and polls rings meanwhile.
    pub(crate) fn until(&mut self, what: &str, mut holds: impl FnMut(&mut Self) -> bool) {
        let deadline = Instant::now() + PATIENCE;
        while !holds(self) {
            assert!(Instant::now() < deadline, "waited in vain: {what}");
            self.poll();
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// Why the first context is lost, once it is.
    pub(crate) fn reason(&mut self) -> String {
        self.until("the end of the context", |machine| machine.host.lost(FIRST).is_some());
        self.host.lost(FIRST).unwrap()
    }

    /// Sends a command and reads its reply.
    pub(crate) fn call<'a, C: Command<'a>, R>(&mut self, args: &C, read: impl FnOnce(&mut Decoder<'_>) -> R) -> R {
        // SAFETY: the values that tests make point to locals that live during the encoding, with the counts that go with
        // them.
        let mut encoder = unsafe { Encoder::new() };
        let stream = vk::CommandStreamDescriptionMESA { resource_id: REPLIES.0, offset: 0, size: REPLY_BYTES };
        SetReplyCommandStreamMESAArgs { p_stream: &stream }.encode(&mut encoder, 0);
        args.encode(&mut encoder, 1);
        self.host.submit(FIRST, encoder.bytes()).unwrap();
        assert_eq!(self.fence(FIRST, 0), Retired::Done);
        let mut reply = vec![0; REPLY_BYTES];
        self.replies.copy_out(0, &mut reply).unwrap();
        let arena = Arena::default();
        read(&mut Decoder::new(&reply, &arena, &IdentityResolver))
    }

    /// A device, and a queue of it on timeline 1.
    pub(crate) fn device(&mut self) -> Handle<vk::Device> {
        let instance = self.instance();
        let gpu = self.gpu(instance);
        let id = self.id();
        let queues = [vk::DeviceQueueCreateInfo::default().queue_family_index(0).queue_priorities(&[1.0])];
        let info = vk::DeviceCreateInfo::default().queue_create_infos(&queues);
        let (mut ids, mut raws) = ([id], [vk::Device::null()]);
        let p_device = NewHandles { ids: &mut ids, raws: &mut raws };
        let args = CreateDeviceArgs { physical_device: gpu, p_create_info: &info, p_device };
        let made = self.call(&args, |reply| CreateDeviceArgs::decode_reply(reply).unwrap().returned);
        assert_eq!(made, vk::Result::SUCCESS);
        let device = Handle::identity(id);
        let (mut ids, mut raws) = ([self.id()], [vk::Queue::null()]);
        let timeline = vk::DeviceQueueTimelineInfoMESA { ring_idx: 1, ..Default::default() };
        let info = vk::DeviceQueueInfo2 { p_next: (&raw const timeline).cast(), ..Default::default() };
        let p_queue = NewHandles { ids: &mut ids, raws: &mut raws };
        self.call(&GetDeviceQueue2Args { device, p_queue_info: &info, p_queue }, |_| ());
        device
    }

    fn instance(&mut self) -> Handle<vk::Instance> {
        let id = self.id();
        let info = vk::InstanceCreateInfo::default();
        let (mut ids, mut raws) = ([id], [vk::Instance::null()]);
        let p_instance = NewHandles { ids: &mut ids, raws: &mut raws };
        let args = CreateInstanceArgs { p_create_info: &info, p_instance };
        let made = self.call(&args, |reply| CreateInstanceArgs::decode_reply(reply).unwrap().returned);
        assert_eq!(made, vk::Result::SUCCESS);
        Handle::identity(id)
    }

    fn gpu(&mut self, instance: Handle<vk::Instance>) -> Handle<vk::PhysicalDevice> {
        let id = self.id();
        let (mut count, mut ids, mut raws) = (1, [id], [vk::PhysicalDevice::null()]);
        let p_physical_devices = NewHandles { ids: &mut ids, raws: &mut raws };
        let args = EnumeratePhysicalDevicesArgs { instance, p_physical_device_count: &mut count, p_physical_devices };
        let found = self.call(&args, |reply| {
            EnumeratePhysicalDevicesArgs::decode_reply(reply).unwrap().p_physical_devices.to_vec()
        });
        assert_eq!(found, [id]);
        Handle::identity(id)
    }

    /// Memory of a device that a guest can map.
    pub(crate) fn memory(&mut self, device: Handle<vk::Device>, size: u64) -> u64 {
        let id = self.id();
        let info = vk::MemoryAllocateInfo::default().allocation_size(size);
        let (mut ids, mut raws) = ([id], [vk::DeviceMemory::null()]);
        let p_memory = NewHandles { ids: &mut ids, raws: &mut raws };
        let args = AllocateMemoryArgs { device, p_allocate_info: &info, p_memory };
        let made = self.call(&args, |reply| AllocateMemoryArgs::decode_reply(reply).unwrap().returned);
        assert_eq!(made, vk::Result::SUCCESS);
        id
    }
}

/// Waits until the host says that fences have retired.
fn wait_readable(host: &Host, deadline: Instant) {
    let left = deadline.saturating_duration_since(Instant::now());
    let timeout = Timespec::try_from(left).unwrap();
    let fd = host.retired_fd();
    let ready = poll(&mut [PollFd::new(&fd, PollFlags::IN)], Some(&timeout)).unwrap();
    assert_eq!(ready, 1, "no fence retires");
}

/// The parts of a ring that is laid out like Mesa's.
pub(crate) struct Ring {
    pub(crate) memory: HostMapping,
    written: u32,
}

const HEAD: usize = 0;
const TAIL: usize = 64;
const BUFFER: usize = 192;
pub(crate) const RING: u64 = 0x10;

impl Ring {
    /// A ring in a resource, which the first context knows.
    pub(crate) fn new(machine: &mut Machine, resource: ResourceId) -> Self {
        let memory = machine.host.map(resource).unwrap();
        machine.submit(&command::create_ring(RING, resource.0, 4096, None)).unwrap();
        Self { memory, written: 0 }
    }

    /// Puts commands into it while it is awake.
    pub(crate) fn put(&mut self, bytes: &[u8]) {
        self.memory.copy_in(BUFFER + self.written as usize, bytes).unwrap();
        self.written += u32::try_from(bytes.len()).unwrap();
        self.memory.copy_in(TAIL, &self.written.to_le_bytes()).unwrap();
    }

    /// Puts commands into it, and wakes it.
    pub(crate) fn write(&mut self, machine: &mut Machine, words: &[u32]) {
        self.put(&bytes(words));
        machine.submit(&command::notify_ring(RING, self.written)).unwrap();
    }

    /// Waits until all of it is executed.
    pub(crate) fn drain(&self, machine: &mut Machine) {
        machine.until("the ring is drained", |_| {
            let mut head = [0; 4];
            self.memory.copy_out(HEAD, &mut head).unwrap();
            u32::from_le_bytes(head) == self.written
        });
    }
}
