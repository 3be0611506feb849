//! A virtual machine monitor with one thread: it waits for events and does what they ask for, and no library has threads
//! behind its back. The ring lies in memory that the monitor has allocated, as on a system that gives its guests memory in
//! no other way. Run it with `cargo run -p venus-host --example event_loop`.
//!
//! ```text
//!   guest's kernel ──── virtqueue: submissions, fences ────> monitor ──> Host::submit, Host::create_fence
//!   guest's driver ──── ring, in the guest's memory ───────> monitor ──> Host::process_rings
//! ```
//!
//! The guest is a thread that speaks through a socket and shared memory only.
#![expect(clippy::print_stdout, reason = "an example shows what it has found out")]

use std::{
    error::Error,
    io,
    os::{
        fd::{AsFd as _, BorrowedFd},
        unix::net::UnixDatagram,
    },
    ptr::{self, NonNull},
    sync::Arc,
    thread,
    time::Duration,
};

use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    mm::{MapFlags, ProtFlags, mmap_anonymous, munmap},
};
use venus_host::{
    context::Progress,
    driver::Config,
    host::{ContextId, ContextOptions, Host, HostOptions, Isolation},
    resource::{HostMapping, HostMemory, ResourceId},
};

/// The guest's context, as its kernel numbers it.
const CONTEXT: ContextId = ContextId(1);
/// The resource that is the guest's memory: its ring and its replies.
const MEMORY: ResourceId = ResourceId(1);
const MEMORY_BYTES: usize = 64 << 10;
/// The timeline of direct submissions.
const CONTEXT_TIMELINE: u32 = 0;
/// How soon to look again into a ring that was just empty: its guest does not say when it writes more.
const SOON: Duration = Duration::from_micros(200);
/// Longest submission of this guest's.
const SUBMISSION_BYTES: usize = 4096;

type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

fn main() -> Outcome<()> {
    let (virtqueue, kernel) = UnixDatagram::pair()?;
    virtqueue.set_nonblocking(true)?;
    let memory = Arc::new(Memory::new(MEMORY_BYTES)?);
    let seen = HostMapping::from_memory(Arc::clone(&memory) as Arc<dyn HostMemory>)?;
    let guest = thread::spawn(move || guest::run(&kernel, &seen));
    serve(&virtqueue, memory)?;
    println!("{}", guest.join().map_err(|_| "the guest has panicked")??);
    Ok(())
}

/// Serves the guest at the other end of `virtqueue` until it leaves.
fn serve(virtqueue: &UnixDatagram, memory: Arc<Memory>) -> Outcome<()> {
    let mut host = Host::new(HostOptions::new(Config::default()).isolation(Isolation::Polled))?;
    host.create_context(CONTEXT, ContextOptions::new("example"))?;
    host.import_memory(MEMORY, memory)?;
    host.attach(CONTEXT, MEMORY)?;

    let mut commands = [0; SUBMISSION_BYTES];
    let mut fence = 0;
    loop {
        // Executes what is in the rings, and says when it wants to be called again.
        let patience = match host.process_rings() {
            Progress::Worked => Some(Duration::ZERO),
            Progress::Empty => Some(SOON),
            // The guest will send something through the virtqueue before it expects anything.
            _ => None,
        };
        wait([virtqueue.as_fd(), host.retired_fd()], patience)?;

        // Fences that have retired become interrupts.
        for retired in host.take_retired() {
            virtqueue.send(&retired.fence.to_le_bytes())?;
        }
        match virtqueue.recv(&mut commands) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            // VIRTIO_GPU_CMD_CTX_DESTROY
            Ok(0) => break,
            // VIRTIO_GPU_CMD_SUBMIT_3D with a fence
            received => {
                host.submit(CONTEXT, commands.get(..received?).unwrap_or_default())?;
                fence += 1;
                host.create_fence(CONTEXT, CONTEXT_TIMELINE, fence)?;
            }
        }
    }
    host.destroy_context(CONTEXT);
    host.destroy_resource(MEMORY);
    Ok(())
}

/// Waits until one of the descriptors is readable.
fn wait(fds: [BorrowedFd<'_>; 2], patience: Option<Duration>) -> Outcome<()> {
    let timeout = patience.map(Timespec::try_from).transpose()?;
    let [first, second] = fds.map(|fd| PollFd::from_borrowed_fd(fd, PollFlags::IN));
    poll(&mut [first, second], timeout.as_ref())?;
    Ok(())
}

/// Memory of the monitor's, which the guest has as its own.
#[derive(Debug)]
struct Memory {
    address: NonNull<u8>,
    size: usize,
}

impl Memory {
    fn new(size: usize) -> io::Result<Self> {
        let access = ProtFlags::READ | ProtFlags::WRITE;
        // SAFETY: the address is null, so the system chooses one, and no existing mapping is replaced.
        let address = unsafe { mmap_anonymous(ptr::null_mut(), size, access, MapFlags::SHARED)? };
        Ok(Self { address: NonNull::new(address.cast()).ok_or(io::ErrorKind::OutOfMemory)?, size })
    }
}

// SAFETY: the pages are mapped until this is dropped, from the start of one, and nobody makes a reference to them.
unsafe impl HostMemory for Memory {
    fn address(&self) -> NonNull<u8> {
        self.address
    }

    fn size(&self) -> usize {
        self.size
    }
}

// SAFETY: the mapping belongs to the process, and ends once, on whichever thread.
unsafe impl Send for Memory {}
// SAFETY: shared references only read fields that never change.
unsafe impl Sync for Memory {}

impl Drop for Memory {
    fn drop(&mut self) {
        // SAFETY: `new` has mapped it, and whoever uses it keeps this value.
        let _unmapped = unsafe { munmap(self.address.as_ptr().cast(), self.size) };
    }
}

/// The guest: its kernel's end of the virtqueue, and its driver's ring.
mod guest {
    use std::{
        os::unix::net::UnixDatagram,
        sync::atomic::{Ordering, fence},
        thread,
        time::{Duration, Instant},
    };

    use venus_host::resource::HostMapping;
    use venus_protocol::{
        args::{CreateRingMESAArgs, EnumerateInstanceVersionArgs, NotifyRingMESAArgs, SetReplyCommandStreamMESAArgs},
        vk,
        wire::{Arena, Command, CommandHeader, Decoder, Encoder, IdentityResolver},
    };

    use super::{MEMORY, Outcome};

    /// The guest's own number for its ring.
    const RING: u64 = 1;
    // Where in the memory the parts of the ring are, and behind them the replies.
    const HEAD: usize = 0;
    const TAIL: usize = 64;
    const STATUS: usize = 128;
    const BUFFER: usize = 192;
    const BUFFER_BYTES: usize = 4096;
    const RING_BYTES: usize = BUFFER + BUFFER_BYTES;
    const REPLIES: usize = 8192;
    const REPLY_BYTES: usize = 64;
    /// Nothing takes this long.
    const PATIENCE: Duration = Duration::from_secs(20);

    pub(super) fn run(kernel: &UnixDatagram, memory: &HostMapping) -> Outcome<String> {
        kernel.set_read_timeout(Some(PATIENCE))?;
        let answer = ask(kernel, memory);
        // Whatever came of it, the monitor is told that the guest leaves.
        kernel.send(&[])?;
        answer
    }

    fn ask(kernel: &UnixDatagram, memory: &HostMapping) -> Outcome<String> {
        let info = vk::RingCreateInfoMESA {
            resource_id: MEMORY.0,
            size: RING_BYTES,
            idle_timeout: 1_000_000,
            head_offset: HEAD,
            tail_offset: TAIL,
            status_offset: STATUS,
            buffer_offset: BUFFER,
            buffer_size: BUFFER_BYTES,
            extra_offset: RING_BYTES,
            ..Default::default()
        };
        submit(kernel, &encoded(&CreateRingMESAArgs { ring: RING, p_create_info: &info }, 0))?;

        // Commands go into the ring; then its tail moves.
        let stream = vk::CommandStreamDescriptionMESA { resource_id: MEMORY.0, offset: REPLIES, size: REPLY_BYTES };
        let mut commands = encoded(&SetReplyCommandStreamMESAArgs { p_stream: &stream }, 0);
        let question = EnumerateInstanceVersionArgs { p_api_version: &mut 0 };
        commands.extend(encoded(&question, CommandHeader::GENERATE_REPLY));
        memory.copy_in(BUFFER, &commands)?;
        fence(Ordering::Release);
        let tail = u32::try_from(commands.len())?;
        memory.copy_in(TAIL, &tail.to_le_bytes())?;
        submit(kernel, &encoded(&NotifyRingMESAArgs { ring: RING, seqno: tail, flags: Default::default() }, 0))?;

        // The head follows once a command's reply is there.
        let deadline = Instant::now() + PATIENCE;
        let mut head = [0; 4];
        while u32::from_le_bytes(head) != tail {
            if Instant::now() > deadline {
                return Err("the ring does not end".into());
            }
            thread::sleep(Duration::from_millis(1));
            memory.copy_out(HEAD, &mut head)?;
        }
        fence(Ordering::Acquire);
        let mut reply = [0; REPLY_BYTES];
        memory.copy_out(REPLIES, &mut reply)?;
        let arena = Arena::default();
        let reply = EnumerateInstanceVersionArgs::decode_reply(&mut Decoder::new(&reply, &arena, &IdentityResolver))?;
        let version = *reply.p_api_version.ok_or("the host has no version")?;
        let (major, minor) = (vk::api_version_major(version), vk::api_version_minor(version));
        Ok(format!("{:?}: the host's loader speaks Vulkan {major}.{minor}", reply.returned))
    }

    /// Sends commands, and waits for the interrupt that says that they were executed.
    fn submit(kernel: &UnixDatagram, commands: &[u8]) -> Outcome<()> {
        kernel.send(commands)?;
        kernel.recv(&mut [0; 8])?;
        Ok(())
    }

    fn encoded<'a, C: Command<'a>>(command: &C, flags: u32) -> Vec<u8> {
        // SAFETY: what is encoded here borrows its values, so their pointers lead to one initialised value each, and none
        // has a chain.
        let mut encoder = unsafe { Encoder::new() };
        command.encode(&mut encoder, flags);
        encoder.bytes().to_vec()
    }
}

#[cfg(test)]
mod tests {
    #[test]
    #[ignore = "needs a Vulkan loader"]
    fn the_example_runs() {
        super::main().unwrap();
    }
}
