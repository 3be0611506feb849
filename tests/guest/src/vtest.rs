//! The guest's end of the vtest socket: handshake, blobs, syncs and direct submissions.
//!
//! Every message begins with two words, the length of what follows in words and the kind of message. The host answers
//! in order, and never speaks first. Descriptors travel with one byte of their own, behind the answer that announces
//! them.

use std::io::{IoSliceMut, Read as _, Write as _};
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::{Errno, FdFlags, fcntl_setfd};
use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, recvmsg};

use super::{BlobFlags, CONTEXT_TIMELINE, Capset, Mapping, Pause, ResourceId, Transport};

/// How long the host may take for an answer. Creating a blob waits for the ring, which may be compiling pipelines.
const PATIENCE: Duration = Duration::from_secs(60);
/// The protocol version that Mesa's Venus driver speaks.
pub(super) const VERSION: u32 = 3;
/// The capability set, and the kind of context, that is Venus.
pub(super) const CAPSET_VENUS: u32 = 4;
/// Parameter of `GET_PARAM`: how many timelines there may be.
const PARAM_MAX_TIMELINES: u32 = 1;
/// `RESOURCE_CREATE_BLOB`'s type: the host's own memory.
pub(super) const BLOB_HOST3D: u32 = 2;
/// `SUBMIT_CMD2`'s batch flag: `ring_idx` is valid.
const BATCH_RING_IDX: u32 = 1;
/// `SYNC_WAIT`'s timeout that stands for none; we keep time ourselves.
const WAIT_FOREVER: u32 = u32::MAX;

/// Kinds of messages.
pub(super) mod kind {
    pub(crate) const RESOURCE_UNREF: u32 = 3;
    pub(crate) const RESOURCE_BUSY_WAIT: u32 = 7;
    pub(crate) const CREATE_RENDERER: u32 = 8;
    pub(crate) const PING_PROTOCOL_VERSION: u32 = 10;
    pub(crate) const PROTOCOL_VERSION: u32 = 11;
    pub(crate) const GET_PARAM: u32 = 15;
    pub(crate) const GET_CAPSET: u32 = 16;
    pub(crate) const CONTEXT_INIT: u32 = 17;
    pub(crate) const RESOURCE_CREATE_BLOB: u32 = 18;
    pub(crate) const SYNC_CREATE: u32 = 19;
    pub(crate) const SYNC_UNREF: u32 = 20;
    pub(crate) const SYNC_READ: u32 = 21;
    pub(crate) const SYNC_WRITE: u32 = 22;
    pub(crate) const SYNC_WAIT: u32 = 23;
    pub(crate) const SUBMIT_CMD2: u32 = 24;
}

/// The host's name for a counter that fences raise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SyncId(pub u32);

/// A point of a sync: reached when its value is at least this.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SyncPoint {
    /// Whose value.
    pub sync: SyncId,
    /// Which value.
    pub value: u64,
}

/// A connection whose context is a Venus context.
#[derive(Debug)]
pub struct Connection {
    socket: UnixStream,
    capset: Capset,
    message: Vec<u8>,
}

impl Connection {
    /// Connects to the server at `path` and makes a context, named `name` in the host's log.
    pub fn open(path: &Path, name: &str) -> Result<Self> {
        let socket = UnixStream::connect(path).with_context(|| format!("connecting to {}", path.display()))?;
        Self::over(socket, name).with_context(|| format!("shaking hands with the host at {}", path.display()))
    }

    /// The same over a socket that is connected already.
    pub fn over(socket: UnixStream, name: &str) -> Result<Self> {
        socket.set_read_timeout(Some(PATIENCE))?;
        socket.set_write_timeout(Some(PATIENCE))?;
        let mut connection = Self { socket, capset: Capset::default(), message: Vec::new() };
        connection.shake_hands(name)?;
        Ok(connection)
    }

    fn shake_hands(&mut self, name: &str) -> Result<()> {
        // The one message whose length counts bytes; the name ends with a NUL.
        let len = u32::try_from(name.len() + 1).context("the guest's name")?;
        self.message.clear();
        self.message.extend(len.to_le_bytes());
        self.message.extend(kind::CREATE_RENDERER.to_le_bytes());
        self.message.extend(name.as_bytes());
        self.message.push(0);
        self.socket.write_all(&self.message)?;

        // A server too old to know the ping answers only the wait, which tells the two apart.
        self.send(kind::PING_PROTOCOL_VERSION, &[])?;
        self.send(kind::RESOURCE_BUSY_WAIT, &[0, 0])?;
        self.receive::<0>(kind::PING_PROTOCOL_VERSION).context("the host does not speak a recent vtest protocol")?;
        self.receive::<1>(kind::RESOURCE_BUSY_WAIT)?;

        self.send(kind::PROTOCOL_VERSION, &[VERSION])?;
        let [version] = self.receive(kind::PROTOCOL_VERSION)?;
        ensure!(version == VERSION, "the host speaks version {version} of the vtest protocol, must be {VERSION}");

        self.send(kind::GET_PARAM, &[PARAM_MAX_TIMELINES])?;
        let [valid, timelines] = self.receive(kind::GET_PARAM)?;
        ensure!(valid != 0 && timelines != 0, "the host has no timelines");

        self.send(kind::GET_CAPSET, &[CAPSET_VENUS, 0])?;
        self.capset = self.receive_capset()?;
        self.send(kind::CONTEXT_INIT, &[CAPSET_VENUS])
    }

    fn receive_capset(&mut self) -> Result<Capset> {
        const LIMIT_WORDS: u32 = 1024;
        let [len, kind] = self.receive_words()?;
        ensure!(kind == kind::GET_CAPSET, "message {kind} came where the capability set was expected");
        ensure!((1..=LIMIT_WORDS).contains(&len), "the capability set takes {len} words");
        let [valid] = self.receive_words()?;
        ensure!(valid != 0, "the host does not serve Venus");
        let mut bytes = vec![0; 4 * usize::try_from(len - 1)?];
        self.receive_bytes(&mut bytes)?;
        Ok(Capset::parse(&bytes))
    }

    /// Creates a sync.
    pub fn create_sync(&mut self, initial: u64) -> Result<SyncId> {
        self.send(kind::SYNC_CREATE, &halves(initial))?;
        let [sync] = self.receive(kind::SYNC_CREATE)?;
        Ok(SyncId(sync))
    }

    /// Reads a sync's value.
    pub fn read_sync(&mut self, sync: SyncId) -> Result<u64> {
        self.send(kind::SYNC_READ, &[sync.0])?;
        let [low, high] = self.receive(kind::SYNC_READ)?;
        Ok(u64::from(low) | u64::from(high) << 32)
    }

    /// Sets a sync's value.
    pub fn write_sync(&mut self, point: SyncPoint) -> Result<()> {
        let [low, high] = halves(point.value);
        self.send(kind::SYNC_WRITE, &[point.sync.0, low, high])
    }

    /// Waits until a point is reached; says whether it was within `timeout`.
    pub fn wait_sync(&mut self, point: SyncPoint, timeout: Duration) -> Result<bool> {
        const WAIT_ALL: u32 = 0;
        let [low, high] = halves(point.value);
        self.send(kind::SYNC_WAIT, &[WAIT_ALL, WAIT_FOREVER, point.sync.0, low, high])?;
        self.receive::<0>(kind::SYNC_WAIT)?;
        let event = receive_fd(&self.socket)?;
        let waited = waited(&event, timeout)?;
        ensure!(waited != Waited::Lost, "the host has lost what would have reached value {}", point.value);
        Ok(waited == Waited::Done)
    }

    /// Gives a sync back.
    pub fn unref_sync(&mut self, sync: SyncId) -> Result<()> {
        self.send(kind::SYNC_UNREF, &[sync.0])
    }

    /// Has `commands` executed on the context itself. When a fence on timeline `ring_idx` behind them retires, the host
    /// raises `signal`.
    pub fn submit_and_signal(&mut self, commands: &[u8], ring_idx: u32, signal: Option<SyncPoint>) -> Result<()> {
        const BATCHES_WORDS: u32 = 7;
        ensure!(commands.len().is_multiple_of(4), "commands are whole words, these are {} bytes", commands.len());
        let words = u32::try_from(commands.len() / 4).context("a direct submission is too long")?;
        let syncs = u32::from(signal.is_some());
        let len = BATCHES_WORDS.checked_add(words).and_then(|end| end.checked_add(3 * syncs));
        let len = len.context("a direct submission is too long")?;
        let sync_offset = BATCHES_WORDS + words;

        self.message.clear();
        let batch = [1, BATCH_RING_IDX, BATCHES_WORDS, words, sync_offset, syncs, ring_idx];
        for word in [len, kind::SUBMIT_CMD2].into_iter().chain(batch) {
            self.message.extend(word.to_le_bytes());
        }
        self.message.extend(commands);
        if let Some(SyncPoint { sync, value }) = signal {
            let [low, high] = halves(value);
            for word in [sync.0, low, high] {
                self.message.extend(word.to_le_bytes());
            }
        }
        self.socket.write_all(&self.message).context("submitting commands to the host")
    }

    /// Whether the host has closed the connection.
    fn is_closed(&self) -> bool {
        // The host never speaks first, so an event means the end.
        waited(&self.socket, Duration::ZERO).is_ok_and(|waited| waited != Waited::Pending)
    }

    fn send(&mut self, kind: u32, fields: &[u32]) -> Result<()> {
        let len = u32::try_from(fields.len())?;
        self.message.clear();
        for word in [len, kind].iter().chain(fields) {
            self.message.extend(word.to_le_bytes());
        }
        self.socket.write_all(&self.message).with_context(|| format!("sending message {kind} to the host"))
    }

    /// Receives an answer of exactly `N` words.
    fn receive<const N: usize>(&mut self, kind: u32) -> Result<[u32; N]> {
        let [len, found] = self.receive_words()?;
        ensure!(found == kind, "message {found} came where an answer to {kind} was expected");
        ensure!(usize::try_from(len)? == N, "the answer to message {kind} has {len} words, must have {N}");
        self.receive_words()
    }

    fn receive_words<const N: usize>(&mut self) -> Result<[u32; N]> {
        let mut words = [0; N];
        for word in &mut words {
            let mut bytes = [0; 4];
            self.receive_bytes(&mut bytes)?;
            *word = u32::from_le_bytes(bytes);
        }
        Ok(words)
    }

    fn receive_bytes(&mut self, bytes: &mut [u8]) -> Result<()> {
        self.socket.read_exact(bytes).context("the host closed the connection or does not answer")
    }
}

impl Transport for Connection {
    fn capset(&self) -> &Capset {
        &self.capset
    }

    fn create_blob(&mut self, flags: BlobFlags, blob_id: u64, size: u64) -> Result<(ResourceId, Mapping)> {
        let ([size_low, size_high], [id_low, id_high]) = (halves(size), halves(blob_id));
        let fields = [BLOB_HOST3D, flags.0, size_low, size_high, id_low, id_high];
        self.send(kind::RESOURCE_CREATE_BLOB, &fields)?;
        let [resource] = self
            .receive(kind::RESOURCE_CREATE_BLOB)
            .with_context(|| format!("creating a blob of {size} bytes for object {blob_id}"))?;
        let fd = receive_fd(&self.socket)?;
        Ok((ResourceId(resource), Mapping::new(fd, usize::try_from(size)?)?))
    }

    fn unref_resource(&mut self, resource: ResourceId) -> Result<()> {
        self.send(kind::RESOURCE_UNREF, &[resource.0])
    }

    fn submit(&mut self, commands: &[u8]) -> Result<()> {
        self.submit_and_signal(commands, CONTEXT_TIMELINE, None)
    }

    fn submit_and_wait(&mut self, commands: &[u8], ring_idx: u32, timeout: Duration) -> Result<()> {
        let point = SyncPoint { sync: self.create_sync(0)?, value: 1 };
        self.submit_and_signal(commands, ring_idx, Some(point))?;
        ensure!(self.wait_sync(point, timeout)?, "a fence on timeline {ring_idx} did not retire within {timeout:?}");
        self.unref_sync(point.sync)
    }

    fn pause(&mut self, pause: Pause) -> Result<()> {
        ensure!(pause == Pause::Short || !self.is_closed(), "the host closed the connection");
        Ok(())
    }
}

/// Receives a descriptor and the byte that it comes with.
pub(super) fn receive_fd(socket: &UnixStream) -> Result<OwnedFd> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut ancillary = RecvAncillaryBuffer::new(&mut space);
    let mut byte = [0];
    let received = loop {
        let buffers = &mut [IoSliceMut::new(&mut byte)];
        match recvmsg(socket, buffers, &mut ancillary, RecvFlags::empty()) {
            Err(Errno::INTR) => {}
            received => break received.context("receiving a descriptor")?,
        }
    };
    ensure!(received.bytes == 1, "the host closed the connection instead of sending a descriptor");
    for message in ancillary.drain() {
        if let RecvAncillaryMessage::ScmRights(fds) = message
            && let Some(fd) = fds.last()
        {
            // Afterwards, since macOS has no flag for it: guests start no programs.
            fcntl_setfd(&fd, FdFlags::CLOEXEC).context("keeping a descriptor to ourselves")?;
            return Ok(fd);
        }
    }
    bail!("the host sent no descriptor")
}

/// Low and high half.
pub(super) fn halves(value: u64) -> [u32; 2] {
    let [a, b, c, d, e, f, g, h] = value.to_le_bytes();
    [u32::from_le_bytes([a, b, c, d]), u32::from_le_bytes([e, f, g, h])]
}

/// What a descriptor says that the host has sent to wait with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Waited {
    /// The value is reached.
    Done,
    /// It is not, so far.
    Pending,
    /// It never will be: the host has died, or has lost what would have set the value.
    Lost,
}

/// Waits with such a descriptor for `timeout` at most.
pub(super) fn waited(fd: &impl std::os::fd::AsFd, timeout: Duration) -> Result<Waited> {
    let timeout = Timespec::try_from(timeout).context("a time-out")?;
    let mut fds = [PollFd::new(fd, PollFlags::IN)];
    while let Err(error) = poll(&mut fds, Some(&timeout)) {
        ensure!(error == Errno::INTR, "waiting for the host: {error}");
    }
    let [fd] = fds;
    Ok(match fd.revents() {
        events if events.contains(PollFlags::IN) => Waited::Done,
        events if events.is_empty() => Waited::Pending,
        _ => Waited::Lost,
    })
}
