//! What a monitor's side and a worker say to each other.
//!
//! Within a process messages travel as they are. Between processes each is a frame (see [`frame`](super::frame)) whose
//! payload is a kind, one byte, and its fields one after the other, numbers little endian:
//!
//! | to the worker | kind | fields |
//! |---|---|---|
//! | begin | `B` | what memory may travel (1 byte), name; descriptor of the breadcrumbs |
//! | submit | `S` | commands |
//! | fence | `F` | ring_idx (4), token (8) |
//! | create blob | `C` | resource (4), flags (4), blob_id (8), size (8) |
//! | attach | `A` | resource (4), size (8), plain (1), blob; descriptor |
//! | detach | `D` | resource (4) |
//!
//! | from the worker | kind | fields |
//! |---|---|---|
//! | retired | `r` | ring_idx (4), token (8), how (1) |
//! | blob | `b` | blob; descriptor |
//! | refused | `n` | why, as text |
//! | lost | `l` | why, as text |
//!
//! A blob is its kind (1), its map_info (1), its size (8) and, if it is a driver's own, the two UUIDs (16 each), its
//! allocation's size (8) and its memory type (4).
//!
//! There is no version: both sides are the same library.

use std::{
    os::fd::{AsFd as _, BorrowedFd, OwnedFd},
    sync::Arc,
};

use crate::{
    HostError,
    context::Retired,
    limits,
    resource::{Blob, BlobFlags, BlobStorage, MapInfo, ResourceId, VulkanInfo},
};

/// What a worker is told.
#[derive(Debug)]
pub(crate) enum Request {
    /// Make the context. The first request, and only that.
    Begin(Begin),
    /// Execute these commands.
    Submit(Vec<u8>),
    /// Say when everything before this on the timeline is done.
    Fence { ring_idx: u32, token: u64 },
    /// Create a resource. Answered by [`Event::Blob`].
    CreateBlob { id: ResourceId, flags: BlobFlags, blob_id: u64, size: u64 },
    /// Know a resource of others. Of plain memory its bytes are used, too.
    Attach { id: ResourceId, size: u64, is_plain: bool, blob: Blob },
    /// Forget a resource.
    Detach { id: ResourceId },
}

/// Whom a worker process serves.
#[derive(Debug)]
pub(crate) struct Begin {
    /// What the log calls the context.
    pub(crate) name: String,
    /// Whether the monitor maps a driver's own descriptors.
    pub(crate) maps_opaque: bool,
    /// Where it notes what it is doing.
    pub(crate) breadcrumbs: Arc<OwnedFd>,
}

/// What a worker says.
#[derive(Debug)]
pub(crate) enum Event {
    /// A fence has retired.
    Retired { ring_idx: u32, token: u64, retired: Retired },
    /// The blob that was asked for, or why there is none.
    Blob(Result<Blob, HostError>),
    /// The context is lost.
    Lost(String),
}

/// Bytes that are no message, with what is wrong about them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Malformed(pub(crate) &'static str);

/// A message as it travels.
#[derive(Debug, Default)]
pub(super) struct Packet {
    pub(super) payload: Vec<u8>,
    pub(super) fd: Option<Arc<OwnedFd>>,
}

impl Packet {
    fn of(kind: u8) -> Self {
        Self { payload: vec![kind], fd: None }
    }

    fn u8(mut self, value: u8) -> Self {
        self.payload.push(value);
        self
    }

    fn u32(self, value: u32) -> Self {
        self.bytes(&value.to_le_bytes())
    }

    fn u64(self, value: u64) -> Self {
        self.bytes(&value.to_le_bytes())
    }

    fn bytes(mut self, bytes: &[u8]) -> Self {
        self.payload.extend_from_slice(bytes);
        self
    }

    /// A blob; none if it is one that cannot travel.
    fn blob(self, blob: &Blob) -> Option<Self> {
        let (kind, fd) = match &blob.storage {
            BlobStorage::Shm(fd) => (SHM, fd),
            BlobStorage::DmaBuf(fd) => (DMA_BUF, fd),
            BlobStorage::Opaque { fd, .. } => (OPAQUE, fd),
            BlobStorage::Pointer(_) => return None,
        };
        let map_info = match blob.map_info {
            MapInfo::None => 0,
            MapInfo::Cached => 1,
            MapInfo::Uncached => 2,
            MapInfo::WriteCombining => 3,
        };
        let mut packet = self.u8(kind).u8(map_info).u64(blob.size);
        if let BlobStorage::Opaque { info, .. } = &blob.storage {
            packet = packet.bytes(&info.device_uuid).bytes(&info.driver_uuid);
            packet = packet.u64(info.allocation_size).u32(info.memory_type_index);
        }
        packet.fd = Some(Arc::clone(fd));
        Some(packet)
    }

    /// The descriptor that travels along.
    pub(super) fn fds(&self) -> Vec<BorrowedFd<'_>> {
        self.fd.iter().map(|fd| fd.as_fd()).collect()
    }
}

const SHM: u8 = 0;
const DMA_BUF: u8 = 1;
const OPAQUE: u8 = 2;

impl Request {
    /// As it travels; none if it cannot, because it has memory without a descriptor.
    pub(super) fn encode(self) -> Option<Packet> {
        Some(match self {
            Self::Begin(Begin { name, maps_opaque, breadcrumbs }) => {
                let packet = Packet::of(b'B').u8(maps_opaque.into()).bytes(name.as_bytes());
                Packet { fd: Some(breadcrumbs), ..packet }
            }
            Self::Submit(commands) => Packet::of(b'S').bytes(&commands),
            Self::Fence { ring_idx, token } => Packet::of(b'F').u32(ring_idx).u64(token),
            Self::CreateBlob { id, flags, blob_id, size } => {
                Packet::of(b'C').u32(id.0).u32(flags.0).u64(blob_id).u64(size)
            }
            Self::Attach { id, size, is_plain, blob } => {
                Packet::of(b'A').u32(id.0).u64(size).u8(is_plain.into()).blob(&blob)?
            }
            Self::Detach { id } => Packet::of(b'D').u32(id.0),
        })
    }

    /// What a worker process has received.
    pub(super) fn decode(payload: &[u8], fd: Option<OwnedFd>) -> Result<Self, Malformed> {
        let mut fields = Fields::new(payload, fd);
        let request = match fields.u8()? {
            b'B' => {
                let maps_opaque = fields.flag()?;
                let name = fields.text(limits::CONTEXT_NAME_BYTES);
                Self::Begin(Begin { name, maps_opaque, breadcrumbs: Arc::new(fields.fd()?) })
            }
            b'S' => Self::Submit(fields.rest().to_vec()),
            b'F' => Self::Fence { ring_idx: fields.u32()?, token: fields.u64()? },
            b'C' => Self::CreateBlob {
                id: ResourceId(fields.u32()?),
                flags: BlobFlags(fields.u32()?),
                blob_id: fields.u64()?,
                size: fields.u64()?,
            },
            b'A' => Self::Attach {
                id: ResourceId(fields.u32()?),
                size: fields.u64()?,
                is_plain: fields.flag()?,
                blob: fields.blob()?,
            },
            b'D' => Self::Detach { id: ResourceId(fields.u32()?) },
            _ => return Err(Malformed("it is of no kind that there is")),
        };
        fields.end()?;
        Ok(request)
    }
}

impl Event {
    /// As it travels.
    pub(super) fn encode(self) -> Packet {
        let refused = |error: HostError| Packet::of(b'n').bytes(shortened(&error.to_string()).as_bytes());
        match self {
            Self::Retired { ring_idx, token, retired } => {
                let how = match retired {
                    Retired::Done => 0,
                    Retired::Lost => 1,
                    Retired::DeviceLost => 2,
                };
                Packet::of(b'r').u32(ring_idx).u64(token).u8(how)
            }
            Self::Blob(Ok(blob)) => Packet::of(b'b').blob(&blob).unwrap_or_else(|| {
                refused(HostError::Unsupported("a pointer of a worker's is of no use to its monitor".into()))
            }),
            Self::Blob(Err(error)) => refused(error),
            Self::Lost(reason) => Packet::of(b'l').bytes(shortened(&reason).as_bytes()),
        }
    }

    /// What a monitor has received.
    pub(super) fn decode(payload: &[u8], fd: Option<OwnedFd>) -> Result<Self, Malformed> {
        let mut fields = Fields::new(payload, fd);
        let event = match fields.u8()? {
            b'r' => Self::Retired {
                ring_idx: fields.u32()?,
                token: fields.u64()?,
                retired: match fields.u8()? {
                    0 => Retired::Done,
                    1 => Retired::Lost,
                    2 => Retired::DeviceLost,
                    _ => return Err(Malformed("a fence has retired in a way that there is not")),
                },
            },
            b'b' => Self::Blob(Ok(fields.blob()?)),
            b'n' => Self::Blob(Err(HostError::Remote(fields.text(TEXT_BYTES).into()))),
            b'l' => Self::Lost(fields.text(TEXT_BYTES)),
            _ => return Err(Malformed("it is of no kind that there is")),
        };
        fields.end()?;
        Ok(event)
    }
}

/// Longest text that travels.
const TEXT_BYTES: usize = 4096;

fn shortened(text: &str) -> &str {
    text.get(..text.floor_char_boundary(TEXT_BYTES)).unwrap_or_default()
}

/// The fields of a message that has been received.
struct Fields<'a> {
    rest: &'a [u8],
    fd: Option<OwnedFd>,
}

impl<'a> Fields<'a> {
    fn new(rest: &'a [u8], fd: Option<OwnedFd>) -> Self {
        Self { rest, fd }
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Malformed> {
        let (bytes, rest) = self.rest.split_first_chunk().ok_or(Malformed("it ends too early"))?;
        self.rest = rest;
        Ok(*bytes)
    }

    fn u8(&mut self) -> Result<u8, Malformed> {
        self.array().map(|[byte]| byte)
    }

    fn u32(&mut self) -> Result<u32, Malformed> {
        self.array().map(u32::from_le_bytes)
    }

    fn u64(&mut self) -> Result<u64, Malformed> {
        self.array().map(u64::from_le_bytes)
    }

    fn flag(&mut self) -> Result<bool, Malformed> {
        match self.u8()? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(Malformed("a yes or no is neither")),
        }
    }

    fn rest(&mut self) -> &'a [u8] {
        std::mem::take(&mut self.rest)
    }

    /// The rest as text that is fit for a terminal.
    fn text(&mut self, most: usize) -> String {
        let bytes = self.rest();
        let text = String::from_utf8_lossy(bytes.get(..most).unwrap_or(bytes));
        text.chars().filter(|c| !c.is_control()).collect()
    }

    fn fd(&mut self) -> Result<OwnedFd, Malformed> {
        self.fd.take().ok_or(Malformed("it lacks its descriptor"))
    }

    fn blob(&mut self) -> Result<Blob, Malformed> {
        let kind = self.u8()?;
        let map_info = match self.u8()? {
            0 => MapInfo::None,
            1 => MapInfo::Cached,
            2 => MapInfo::Uncached,
            3 => MapInfo::WriteCombining,
            _ => return Err(Malformed("a blob is to be mapped in a way that there is not")),
        };
        let size = self.u64()?;
        let fd = Arc::new(self.fd()?);
        let storage = match kind {
            SHM => BlobStorage::Shm(fd),
            DMA_BUF => BlobStorage::DmaBuf(fd),
            OPAQUE => {
                let (device_uuid, driver_uuid) = (self.array()?, self.array()?);
                let (allocation_size, memory_type_index) = (self.u64()?, self.u32()?);
                BlobStorage::Opaque {
                    fd,
                    info: VulkanInfo { device_uuid, driver_uuid, allocation_size, memory_type_index },
                }
            }
            _ => return Err(Malformed("a blob is of no kind that there is")),
        };
        Ok(Blob::new(storage, size, map_info))
    }

    fn end(self) -> Result<(), Malformed> {
        match (self.rest, self.fd) {
            ([], None) => Ok(()),
            ([], Some(_)) => Err(Malformed("it has a descriptor that it does not need")),
            _ => Err(Malformed("it goes on after its end")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resource::MemoryFile;

    fn file() -> Arc<OwnedFd> {
        MemoryFile::create(4096).unwrap().into()
    }

    fn own(fd: &Arc<OwnedFd>) -> OwnedFd {
        fd.try_clone().unwrap()
    }

    fn opaque() -> Blob {
        let info =
            VulkanInfo { device_uuid: [1; 16], driver_uuid: [2; 16], allocation_size: 8192, memory_type_index: 3 };
        Blob::new(BlobStorage::Opaque { fd: file(), info }, 4096, MapInfo::WriteCombining)
    }

    fn requests() -> Vec<Request> {
        let id = ResourceId(7);
        vec![
            Request::Begin(Begin { name: "cube".to_owned(), maps_opaque: true, breadcrumbs: file() }),
            Request::Submit(vec![1, 2, 3]),
            Request::Fence { ring_idx: 63, token: u64::MAX },
            Request::CreateBlob { id, flags: BlobFlags::MAPPABLE, blob_id: 1 << 40, size: 4096 },
            Request::Attach { id, size: 4096, is_plain: false, blob: opaque() },
            Request::Detach { id },
        ]
    }

    fn events() -> Vec<Event> {
        vec![
            Event::Retired { ring_idx: 1, token: 2, retired: Retired::DeviceLost },
            Event::Blob(Ok(opaque())),
            Event::Blob(Err(HostError::Unsupported("no".into()))),
            Event::Lost("vkCmdDraw: gone".to_owned()),
        ]
    }

    /// What a message says, but for the numbers of descriptors.
    fn said(message: &dyn std::fmt::Debug) -> String {
        let text = format!("{message:?}");
        let numbers = text.split("fd: ").map(|part| part.trim_start_matches(|c: char| c.is_ascii_digit()));
        numbers.collect::<Vec<_>>().join("fd: ")
    }

    #[test]
    fn requests_arrive_as_they_were_sent() {
        for request in requests() {
            let expected = said(&request);
            let packet = request.encode().unwrap();
            let fd = packet.fd.as_ref().map(own);
            assert_eq!(said(&Request::decode(&packet.payload, fd).unwrap()), expected);
        }
    }

    #[test]
    fn events_arrive_as_they_were_sent() {
        for event in events() {
            let expected = said(&event).replace("Unsupported(", "Remote(");
            let packet = event.encode();
            let fd = packet.fd.as_ref().map(own);
            assert_eq!(said(&Event::decode(&packet.payload, fd).unwrap()), expected);
        }
    }

    #[test]
    fn whatever_is_cut_off_or_added_is_found() {
        for packet in events().into_iter().map(Event::encode) {
            let text = matches!(packet.payload[0], b'n' | b'l');
            let fd = || packet.fd.as_ref().map(own);
            for end in 0..packet.payload.len() {
                assert_eq!(Event::decode(&packet.payload[..end], fd()).is_ok(), text && end > 0, "{end}");
            }
            if !text {
                let longer = [&packet.payload[..], &[0]].concat();
                assert_eq!(Event::decode(&longer, fd()).unwrap_err(), Malformed("it goes on after its end"));
            }
            let other = if packet.fd.is_some() { None } else { Some(own(&file())) };
            assert!(Event::decode(&packet.payload, other).is_err());
        }
        for byte in 0..=255 {
            assert_eq!(Event::decode(&[byte], None).is_ok(), matches!(byte, b'n' | b'l'), "{byte}");
        }
    }

    #[test]
    fn ranges_are_checked_and_text_is_for_people() {
        let mut blob = Event::Blob(Ok(opaque())).encode();
        for (at, wrong) in [(1, 3), (2, 4)] {
            let right = std::mem::replace(&mut blob.payload[at], wrong);
            assert!(Event::decode(&blob.payload, blob.fd.as_ref().map(own)).is_err(), "{at}");
            blob.payload[at] = right;
        }
        let said = [&b"l"[..], &vec![b'x'; 2 * TEXT_BYTES], b"\x1b[2J"].concat();
        let Event::Lost(text) = Event::decode(&said, None).unwrap() else { panic!() };
        assert_eq!(text.len(), TEXT_BYTES);
        let Event::Lost(text) = Event::decode(b"l\x1b[2J\xff", None).unwrap() else { panic!() };
        assert_eq!(text, "[2J\u{fffd}");
    }
}
