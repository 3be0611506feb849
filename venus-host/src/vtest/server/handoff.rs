//! How a server and whoever serves a guest for it talk: a stream socket between the two, the control socket.
//!
//! | from | message | what |
//! |---|---|---|
//! | server | `G`, with two descriptors | serve this guest's socket, and note where it stands in this memory file |
//! | server | `S` | say how the guest is doing |
//! | worker | length (4 bytes), then that many bytes | the answer to `S`: [`Condition`], as numbers of eight bytes each, a line for each GPU, and the last error |
//!
//! The end of either side is the end of the stream. A worker whose server has gone before it got a guest has nothing to
//! do; one that has a guest serves it to its end. A server whose worker has gone answers the guest in its place, with its
//! own copy of the socket.

use std::{
    io::{self, IoSlice, IoSliceMut, Read as _, Write as _},
    mem::MaybeUninit,
    os::{
        fd::{AsFd, BorrowedFd, OwnedFd},
        unix::net::UnixStream,
    },
    time::Duration,
};

use rustix::{
    io::Errno,
    net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage, SendFlags},
};

use crate::{context::Statistics, endpoint::Sampler};

/// A guest follows.
const GUEST: u8 = b'G';

/// How is it doing?
const STATE: u8 = b'S';

/// How long a server waits for a worker that is asked how its guest is doing. The answer takes some locks that are never
/// held for long; a worker that is stopped gives none.
const PATIENCE: Duration = Duration::from_millis(500);

/// Longest text that travels.
const TEXT_BYTES: usize = 1024;

/// Numbers in a [`Condition`].
const NUMBERS: usize = 10;

#[cfg(target_os = "linux")]
const SEND: SendFlags = SendFlags::NOSIGNAL;
#[cfg(not(target_os = "linux"))]
const SEND: SendFlags = SendFlags::empty();

#[cfg(target_os = "linux")]
const RECEIVE: RecvFlags = RecvFlags::CMSG_CLOEXEC;
#[cfg(not(target_os = "linux"))]
const RECEIVE: RecvFlags = RecvFlags::empty();

/// Gives a guest's socket and the memory for its whereabouts to whoever is at the other end of `control`.
pub(super) fn give(control: &UnixStream, socket: BorrowedFd<'_>, whereabouts: BorrowedFd<'_>) -> io::Result<()> {
    let fds = [socket, whereabouts];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(2))];
    let mut ancillary = SendAncillaryBuffer::new(&mut space);
    if !ancillary.push(SendAncillaryMessage::ScmRights(&fds)) {
        return Err(io::Error::other("no room for two descriptors in the message"));
    }
    loop {
        match rustix::net::sendmsg(control, &[IoSlice::new(&[GUEST])], &mut ancillary, SEND) {
            Err(Errno::INTR) => {}
            Ok(_) => return Ok(()),
            Err(error) => return Err(error.into()),
        }
    }
}

/// Waits for a guest: its socket, and the memory for its whereabouts. Nothing if the server has gone.
pub(super) fn take(control: &UnixStream) -> io::Result<Option<(UnixStream, OwnedFd)>> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(2))];
    let mut ancillary = RecvAncillaryBuffer::new(&mut space);
    let mut kind = [0];
    let received = loop {
        match rustix::net::recvmsg(control, &mut [IoSliceMut::new(&mut kind)], &mut ancillary, RECEIVE) {
            Err(Errno::INTR) => {}
            received => break received?,
        }
    };
    if received.bytes == 0 {
        return Ok(None);
    }
    let fds = ancillary.drain().find_map(|message| match message {
        RecvAncillaryMessage::ScmRights(fds) => Some(fds),
        _ => None,
    });
    let mut fds = fds.into_iter().flatten();
    match (kind, fds.next(), fds.next()) {
        ([GUEST], Some(socket), Some(whereabouts)) => {
            #[cfg(not(target_os = "linux"))]
            for fd in [&socket, &whereabouts] {
                rustix::io::fcntl_setfd(fd, rustix::io::FdFlags::CLOEXEC)?;
            }
            Ok(Some((UnixStream::from(socket), whereabouts)))
        }
        _ => Err(io::Error::other("the server has sent something else than a guest")),
    }
}

/// How a guest is doing, in numbers, and its last misfortune.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Condition {
    /// Commands executed.
    pub commands: u64,
    /// Commands that the guest was told to have failed.
    pub failures: u64,
    /// What the validation layer found, if it was asked.
    pub findings: u64,
    /// Submissions to queues.
    pub submissions: u64,
    /// Devices that exist.
    pub devices: u64,
    /// Vulkan objects that have an id.
    pub objects: u64,
    /// Rings.
    pub rings: u64,
    /// Bytes of `VkDeviceMemory`.
    pub device_memory_bytes: u64,
    /// Bytes of that which are mapped by the guest, or shared.
    pub blob_memory_bytes: u64,
    /// Bytes of plain memory that guest and host share: rings, replies, command streams.
    pub shared_memory_bytes: u64,
    /// The GPUs that it has devices of.
    pub gpus: Vec<String>,
    /// The last command that failed, or why the context is lost: the line that the log has.
    pub last_error: Option<String>,
}

impl Condition {
    /// That of a context.
    pub(super) fn of(statistics: &Statistics, sampler: &Sampler) -> Self {
        let sample = sampler.sample().unwrap_or_default();
        Self {
            commands: statistics.commands(),
            failures: statistics.failures(),
            findings: statistics.findings(),
            submissions: statistics.submissions(),
            devices: sample.devices,
            objects: sample.objects,
            rings: u64::try_from(sample.rings.len()).unwrap_or(u64::MAX),
            device_memory_bytes: sample.device_memory_bytes,
            blob_memory_bytes: sample.blob_memory_bytes,
            shared_memory_bytes: sample.shared_memory_bytes,
            gpus: sampler.gpus(),
            last_error: statistics.last_error(),
        }
    }

    fn numbers(&self) -> [u64; NUMBERS] {
        [
            self.commands,
            self.failures,
            self.findings,
            self.submissions,
            self.devices,
            self.objects,
            self.rings,
            self.device_memory_bytes,
            self.blob_memory_bytes,
            self.shared_memory_bytes,
        ]
    }

    fn encode(&self) -> Vec<u8> {
        let names = self.gpus.iter().map(|name| format!("{name}\n"));
        let error = self.last_error.iter().map(|error| error.replace('\n', " "));
        let mut text: String = names.chain(error).collect();
        text.truncate(text.floor_char_boundary(TEXT_BYTES));
        let mut body: Vec<u8> = self.numbers().iter().flat_map(|number| number.to_le_bytes()).collect();
        body.extend(text.as_bytes());
        let length = u32::try_from(body.len()).unwrap_or(0);
        let mut bytes = length.to_le_bytes().to_vec();
        bytes.append(&mut body);
        bytes
    }

    fn decode(body: &[u8]) -> Option<Self> {
        let (numbers, text) = body.split_first_chunk::<{ 8 * NUMBERS }>()?;
        let text = String::from_utf8_lossy(text);
        let mut lines: Vec<&str> = text.split('\n').collect();
        let error = lines.pop().filter(|error| !error.is_empty());
        let mut numbers = numbers.as_chunks::<8>().0.iter().map(|number| u64::from_le_bytes(*number));
        let mut number = || numbers.next().unwrap_or_default();
        Some(Self {
            commands: number(),
            failures: number(),
            findings: number(),
            submissions: number(),
            devices: number(),
            objects: number(),
            rings: number(),
            device_memory_bytes: number(),
            blob_memory_bytes: number(),
            shared_memory_bytes: number(),
            gpus: lines.into_iter().map(str::to_owned).collect(),
            last_error: error.map(str::to_owned),
        })
    }
}

/// Asks a worker how its guest is doing. Nothing if it has gone or does not answer.
pub(super) fn ask(control: &UnixStream) -> Option<Condition> {
    let mut control = control;
    control.set_read_timeout(Some(PATIENCE)).ok()?;
    // What came too late for the one who asked before.
    while rustix::net::recv(control, &mut [0; 256], RecvFlags::DONTWAIT).is_ok_and(|(received, _)| received > 0) {}
    rustix::net::send(control, &[STATE], SEND).ok()?;
    let mut length = [0; 4];
    control.read_exact(&mut length).ok()?;
    let length = usize::try_from(u32::from_le_bytes(length)).ok()?;
    if length > TEXT_BYTES.saturating_add(NUMBERS.saturating_mul(8)) {
        return None;
    }
    let mut body = vec![0; length];
    control.read_exact(&mut body).ok()?;
    Condition::decode(&body)
}

/// Answers the server's questions with what `condition` says, until the server has gone.
pub(super) fn answer(mut control: UnixStream, condition: impl Fn() -> Condition) {
    let mut question = [0];
    loop {
        match control.read(&mut question) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Ok(1..) if question == [STATE] => {
                if control.write_all(&condition().encode()).is_err() {
                    return;
                }
            }
            Ok(_) | Err(_) => return,
        }
    }
}

/// Whether the other end has gone.
pub(super) fn is_gone(control: impl AsFd) -> bool {
    super::super::socket::is_hung_up(control)
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    #[test]
    fn a_guest_travels_with_its_memory() {
        let (server, worker) = UnixStream::pair().unwrap();
        let (mut guest, socket) = UnixStream::pair().unwrap();
        let memory = crate::endpoint::Whereabouts::file().unwrap();
        give(&server, socket.as_fd(), memory.as_fd()).unwrap();
        let (mut socket, memory) = take(&worker).unwrap().unwrap();
        guest.write_all(&[7]).unwrap();
        let mut byte = [0];
        socket.read_exact(&mut byte).unwrap();
        assert_eq!(byte, [7]);
        assert!(crate::endpoint::Whereabouts::open(memory).is_ok());
        drop(server);
        assert!(take(&worker).unwrap().is_none(), "the server has gone");
    }

    #[test]
    fn a_worker_says_how_its_guest_is_doing() {
        let (server, worker) = UnixStream::pair().unwrap();
        let long = format!("{}ä", "x".repeat(TEXT_BYTES - 1 - "a GPU\n".len()));
        let gpus = vec!["a GPU".to_owned()];
        let condition = Condition {
            commands: 1,
            shared_memory_bytes: 10,
            gpus,
            last_error: Some(long.clone()),
            ..Default::default()
        };
        let told = condition.clone();
        let thread = thread::spawn(move || answer(worker, move || told.clone()));
        for _ in 0..2 {
            let said = ask(&server).unwrap();
            assert_eq!((said.commands, said.shared_memory_bytes), (1, 10));
            assert_eq!(said.gpus, ["a GPU"]);
            assert_eq!(said.last_error.as_deref(), long.strip_suffix('ä'), "cut where a character ends");
        }
        drop(server);
        thread.join().unwrap();
    }

    #[test]
    fn conditions_travel_as_they_are() {
        for gpus in [vec![], vec!["one".to_owned(), "two".to_owned()]] {
            for last_error in [None, Some("it failed".to_owned())] {
                let condition = Condition { rings: 7, gpus: gpus.clone(), last_error, ..Default::default() };
                let bytes = condition.encode();
                assert_eq!(Condition::decode(&bytes[4..]), Some(condition));
            }
        }
    }

    #[test]
    fn a_worker_that_has_gone_says_nothing() {
        let (server, worker) = UnixStream::pair().unwrap();
        drop(worker);
        assert_eq!(ask(&server), None);
        assert!(is_gone(&server));
    }
}
