//! A small Venus guest: speaks to any vtest server, ours or another.
//!
//! It does what Mesa's driver does, in the open: a test can look at every step, and a measurement has nothing between
//! itself and the host.
//!
//! ```text
//!              Guest: names objects, encodes commands, decodes replies
//!             /         |                  \
//!   Transport         Ring                Shmem
//!   vtest socket      commands            replies, long command streams
//! ```
//!
//! [`Gpu`] is what most programs begin with:
//!
//! ```no_run
//! use std::path::Path;
//! use venus_guest::{Gpu, Guest};
//!
//! fn main() -> anyhow::Result<()> {
//!     // SAFETY: nothing is sent but what `Gpu` sends, whose structures are filled through ash's setters.
//!     let guest = unsafe { Guest::connect(Path::new("/tmp/.virgl_test"), "example") }?;
//!     let gpu = Gpu::open(guest)?;
//!     println!("{}", gpu.device_name());
//!     gpu.close()
//! }
//! ```
//!
//! Three ways lead to the host. [`Guest::send`] puts a command into the ring and goes on. [`Guest::call`] also waits
//! for the reply, which the host writes to shared memory. [`Guest::submit_direct`] goes through the [`Transport`], which
//! is for commands about rings.
//!
//! A transport is what virtio-gpu is to a guest in a virtual machine. [`Connection`], the vtest socket, is one; whoever
//! embeds a host brings another, and runs the same [`programs`] over it.
//!
//! For tests of hosts there is also a guest in single messages, which says wrong things if it is told to: [`bare`].
//!
//! Whatever the host answers is checked: a test must fail with words, not with a crash.

pub mod bare;
mod capset;
mod gpu;
mod memory;
mod name;
pub mod programs;
mod ring;
mod spirv;
mod transport;
mod vtest;

pub use capset::Capset;
pub use gpu::{Gpu, HostBuffer};
pub use memory::Mapping;
pub use name::Fresh;
pub use ring::{Publication, Ring, RingPosition};
pub use transport::{BlobFlags, Pause, ResourceId, Transport};
pub use vtest::{Connection, SyncId, SyncPoint};

/// The code in the README.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use venus_protocol::args::{
    CreateRingMESAArgs, DestroyRingMESAArgs, ExecuteCommandStreamsMESAArgs, NotifyRingMESAArgs,
    SetReplyCommandStreamMESAArgs, SubmitVirtqueueSeqnoMESAArgs, WaitRingSeqnoMESAArgs, WaitVirtqueueSeqnoMESAArgs,
};
use venus_protocol::vk;
use venus_protocol::wire::{Arena, Command, CommandHeader, DecodeError, Decoder, Encoder, IdentityResolver, Returned};

/// Buffer of the ring, the same as that of Mesa's first ring.
const RING_BUFFER_BYTES: u32 = 128 << 10;
/// Longer streams than this go through an upload blob: the same share of the ring as in Mesa's driver.
const DIRECT_BYTES: usize = (RING_BUFFER_BYTES >> 4) as usize;
/// Room for replies; no command's outputs come near.
const REPLY_BYTES: usize = 1 << 20;
/// How long the host may take to forget a ring.
const CLOSE_LIMIT: Duration = Duration::from_secs(20);
/// The timeline of the context itself, whose fences retire once what was submitted before has been executed.
const CONTEXT_TIMELINE: u32 = 0;

/// A blob of plain shared memory.
#[derive(Debug)]
pub struct Shmem {
    /// The host's name for it.
    pub resource: ResourceId,
    /// Where it is mapped.
    pub mapping: Mapping,
}

/// One guest: a way to its host, a ring, and a place for replies.
#[derive(Debug)]
pub struct Guest<T = Connection> {
    transport: T,
    ring: Ring,
    replies: Shmem,
    /// Where long streams travel; made when first needed.
    uploads: Option<Shmem>,
    encoder: Encoder,
    scratch: Encoder,
    arena: Arena,
    reply: Vec<u8>,
    last_id: u64,
    virtqueue_seqno: u64,
}

impl Guest {
    /// Connects to the vtest server at `path` and makes a context with one ring.
    ///
    /// # Safety
    ///
    /// Whoever makes a guest promises for every command it is given what [`Encoder::new`] asks for: Vulkan's structures
    /// hold raw pointers, and the guest follows them.
    #[expect(unsafe_code, reason = "passes on the encoder's contract")]
    pub unsafe fn connect(path: &Path, name: &str) -> Result<Self> {
        let connection = Connection::open(path, name)?;
        // SAFETY: the caller keeps the contract, which is the same.
        unsafe { Self::over(connection) }
    }
}

impl<T: Transport> Guest<T> {
    /// Makes a context's one ring over `transport`, which is the guest's own.
    ///
    /// # Safety
    ///
    /// As for [`Guest::connect`].
    #[expect(unsafe_code, reason = "passes on the encoder's contract")]
    pub unsafe fn over(transport: T) -> Result<Self> {
        // SAFETY: the caller keeps the contract, which is the same.
        let encoder = unsafe { Encoder::new() };
        // SAFETY: the same.
        let scratch = unsafe { Encoder::new() };
        Self::start(transport, encoder, scratch)
    }

    fn start(mut transport: T, mut encoder: Encoder, mut scratch: Encoder) -> Result<Self> {
        let capset = *transport.capset();
        ensure!(
            capset.wire_format_version == venus_protocol::WIRE_FORMAT_VERSION,
            "the host speaks version {} of the wire format, must be {}",
            capset.wire_format_version,
            venus_protocol::WIRE_FORMAT_VERSION
        );
        ensure!(capset.supports_blob_id_0 != 0, "the host gives no plain shared memory");
        for encoder in [&mut encoder, &mut scratch] {
            encoder.apply_guest_rules(capset.xml_version, capset.extension_mask);
        }

        let memory = create_shmem(&mut transport, Ring::shmem_bytes(RING_BUFFER_BYTES)?)?;
        let replies = create_shmem(&mut transport, REPLY_BYTES)?;
        // Any number is good; Mesa takes an address.
        let ring = Ring::new(0x1000, memory, RING_BUFFER_BYTES);
        let mut guest = Self {
            transport,
            ring,
            replies,
            uploads: None,
            encoder,
            scratch,
            arena: Arena::default(),
            reply: Vec::new(),
            last_id: 0,
            virtqueue_seqno: 0,
        };
        let (info, monitor) = guest.ring.create_info()?;
        let info = ring::chained(info, &monitor);
        guest.submit_direct(&CreateRingMESAArgs { ring: guest.ring.id(), p_create_info: &info })?;
        Ok(guest)
    }

    /// What the host can do.
    pub fn capset(&self) -> &Capset {
        self.transport.capset()
    }

    /// The way to the host, for what has no method here.
    pub fn transport(&mut self) -> &mut T {
        &mut self.transport
    }

    /// An id that no object has.
    pub fn fresh_id(&mut self) -> u64 {
        self.last_id += 1;
        self.last_id
    }

    /// A name for an object that a command is about to create.
    pub fn fresh<H: vk::Handle>(&mut self) -> Fresh<H> {
        Fresh::new(self.fresh_id())
    }

    // Through the ring.

    /// Has a command executed some time. Nobody hears of its result.
    pub fn send<'a, C: Command<'a>>(&mut self, args: &C) -> Result<()> {
        self.encoder.clear();
        args.encode(&mut self.encoder, 0);
        self.publish().with_context(|| format!("sending {}", C::NAME))
    }

    /// Has a command executed and waits for its reply, which `decode` takes apart.
    pub fn call<'a, C: Command<'a>, R>(
        &mut self,
        args: &C,
        decode: impl FnOnce(&mut Decoder<'_>) -> Result<R, DecodeError>,
    ) -> Result<R> {
        self.call_inner(args, decode).with_context(|| format!("calling {}", C::NAME))
    }

    /// Has a command executed and waits for what it returns.
    pub fn run<'a, C: Command<'a>>(&mut self, args: &C) -> Result<C::Return> {
        self.call(args, |reply| {
            reply.read_reply_header(C::TYPE)?;
            C::Return::read(reply)
        })
    }

    /// The same for commands that return a result, which must be success.
    pub fn succeed<'a, C: Command<'a, Return = vk::Result>>(&mut self, args: &C) -> Result<()> {
        let result = self.run(args)?;
        ensure!(result == vk::Result::SUCCESS, "{} returned {result:?}", C::NAME);
        Ok(())
    }

    /// Executes what `stream` holds: through the ring if it is short, else from an upload blob, as Mesa's driver does
    /// with command buffers.
    pub fn execute(&mut self, stream: &[u8]) -> Result<()> {
        if stream.len() <= DIRECT_BYTES {
            return self.publish_bytes(stream);
        }
        // What the last upload holds may still be needed.
        self.finish()?;
        let uploads = match self.uploads.take() {
            Some(uploads) if uploads.mapping.len() >= stream.len() => uploads,
            outgrown => {
                if let Some(Shmem { resource, mapping }) = outgrown {
                    drop(mapping);
                    self.transport.unref_resource(resource)?;
                }
                create_shmem(&mut self.transport, stream.len().next_power_of_two())?
            }
        };
        uploads.mapping.write(0, stream)?;
        let streams =
            [vk::CommandStreamDescriptionMESA { resource_id: uploads.resource.0, offset: 0, size: stream.len() }];
        self.uploads = Some(uploads);
        self.send(&ExecuteCommandStreamsMESAArgs {
            stream_count: 1,
            p_streams: &streams,
            p_reply_positions: &[],
            dependency_count: 0,
            p_dependencies: &[],
            flags: Default::default(),
        })
    }

    /// Waits until everything sent has been executed.
    pub fn finish(&mut self) -> Result<()> {
        let Self { ring, transport, .. } = self;
        ring.wait(ring.tail(), |pause| transport.pause(pause))
    }

    fn call_inner<'a, C: Command<'a>, R>(
        &mut self,
        args: &C,
        decode: impl FnOnce(&mut Decoder<'_>) -> Result<R, DecodeError>,
    ) -> Result<R> {
        // The largest reply is the one to a success with all outputs full.
        self.scratch.clear();
        C::encode_reply(&mut self.scratch, &args.reply(C::Return::success()));
        let size = self.scratch.bytes().len();
        let stream = vk::CommandStreamDescriptionMESA { resource_id: self.replies.resource.0, offset: 0, size };

        self.encoder.clear();
        SetReplyCommandStreamMESAArgs { p_stream: &stream }.encode(&mut self.encoder, 0);
        args.encode(&mut self.encoder, CommandHeader::GENERATE_REPLY);
        self.publish()?;
        self.finish()?;

        self.reply.resize(size, 0);
        self.replies.mapping.read(0, &mut self.reply)?;
        self.arena.reset();
        let mut decoder = Decoder::new(&self.reply, &self.arena, &IdentityResolver);
        Ok(decode(&mut decoder)?)
    }

    fn publish(&mut self) -> Result<()> {
        let Self { ring, transport, encoder, .. } = self;
        let publication = ring.publish(encoder.bytes(), |pause| transport.pause(pause))?;
        self.notify(publication)
    }

    fn publish_bytes(&mut self, commands: &[u8]) -> Result<()> {
        let Self { ring, transport, .. } = self;
        let publication = ring.publish(commands, |pause| transport.pause(pause))?;
        self.notify(publication)
    }

    fn notify(&mut self, publication: Publication) -> Result<()> {
        if publication == Publication::Seen {
            return Ok(());
        }
        let (ring, RingPosition(seqno)) = (self.ring.id(), self.ring.tail());
        self.submit_direct(&NotifyRingMESAArgs { ring, seqno, flags: Default::default() })
    }

    // Past the ring.

    /// Has a command executed by the context itself, not by the ring. The two are not in order with each other.
    pub fn submit_direct<'a, C: Command<'a>>(&mut self, args: &C) -> Result<()> {
        self.scratch.clear();
        args.encode(&mut self.scratch, 0);
        self.transport.submit(self.scratch.bytes()).with_context(|| format!("submitting {}", C::NAME))
    }

    /// The same, and waits for a fence behind it.
    pub fn submit_direct_and_wait<'a, C: Command<'a>>(&mut self, args: &C, timeout: Duration) -> Result<()> {
        self.scratch.clear();
        args.encode(&mut self.scratch, 0);
        self.transport
            .submit_and_wait(self.scratch.bytes(), CONTEXT_TIMELINE, timeout)
            .with_context(|| format!("submitting {}", C::NAME))
    }

    /// Makes direct submissions wait for the ring: what is submitted from here on comes after what the ring holds now.
    pub fn wait_ring_on_socket(&mut self) -> Result<()> {
        let (ring, RingPosition(seqno)) = (self.ring.id(), self.ring.tail());
        self.submit_direct(&WaitRingSeqnoMESAArgs { ring, seqno: u64::from(seqno) })
    }

    /// Makes the ring wait for direct submissions: what is sent from here on comes after what was submitted until now.
    pub fn wait_socket_on_ring(&mut self) -> Result<()> {
        self.virtqueue_seqno += 1;
        let seqno = self.virtqueue_seqno;
        self.submit_direct(&SubmitVirtqueueSeqnoMESAArgs { ring: self.ring.id(), seqno })?;
        self.send(&WaitVirtqueueSeqnoMESAArgs { seqno })
    }

    /// Plain shared memory.
    pub fn create_shmem(&mut self, bytes: usize) -> Result<Shmem> {
        create_shmem(&mut self.transport, bytes)
    }

    /// Maps device memory that the ring has allocated, or is about to.
    pub fn map_memory(&mut self, memory: u64, bytes: u64) -> Result<Shmem> {
        self.wait_ring_on_socket()?;
        let (resource, mapping) = self.transport.create_blob(BlobFlags::MAPPABLE, memory, bytes)?;
        Ok(Shmem { resource, mapping })
    }

    /// Gives shared memory back.
    pub fn release(&mut self, memory: Shmem) -> Result<()> {
        let Shmem { resource, mapping } = memory;
        drop(mapping);
        self.transport.unref_resource(resource)
    }

    /// Ends the context as Mesa's driver does: the ring first, then its memory, then the transport.
    pub fn close(mut self) -> Result<()> {
        self.finish()?;
        let ring = self.ring.id();
        self.submit_direct_and_wait(&DestroyRingMESAArgs { ring }, CLOSE_LIMIT)?;
        let Self { mut transport, ring, replies, uploads, .. } = self;
        for Shmem { resource, mapping } in [Some(ring.into_memory()), Some(replies), uploads].into_iter().flatten() {
            drop(mapping);
            transport.unref_resource(resource)?;
        }
        Ok(())
    }
}

fn create_shmem(transport: &mut impl Transport, bytes: usize) -> Result<Shmem> {
    const PLAIN: u64 = 0;
    let (resource, mapping) = transport.create_blob(BlobFlags::MAPPABLE, PLAIN, u64::try_from(bytes)?)?;
    Ok(Shmem { resource, mapping })
}
