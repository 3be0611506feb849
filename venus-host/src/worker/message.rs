//! What a monitor's side and a worker say to each other.
//!
//! Within a process messages travel as they are. Between processes each is a frame (see [`frame`](super::frame)) whose
//! payload is a kind, one byte, and its fields one after the other, numbers little endian:
//!
//! | to the worker | kind | fields |
//! |---|---|---|
//! | begin | `B` | length of the version (1 byte), the version, what memory may travel (1), level of the protocol (4), which lines of the log (1), whether caches are checked (1) and by which key (32), name; descriptor of the breadcrumbs |
//! | submit | `S` | commands |
//! | fence | `F` | ring_idx (4), token (8) |
//! | create blob | `C` | resource (4), flags (4), blob_id (8), size (8) |
//! | plain memory | `P` | resource (4), size (8); descriptor |
//! | attach | `A` | resource (4), size (8), plain (1), blob; descriptor |
//! | detach | `D` | resource (4) |
//! | inquire | `I` | |
//!
//! | from the worker | kind | fields |
//! |---|---|---|
//! | retired | `r` | ring_idx (4), token (8), how (1) |
//! | blob | `b` | blob; descriptor |
//! | refused | `n` | why, as text |
//! | statistics | `s` | as `endpoint/statistics.rs` encodes them |
//! | lost | `l` | why, as text |
//! | line | `g` | how much it matters (1), a line of the log |
//!
//! A blob is its kind (1), its map_info (1), its size (8) and, if it is a driver's own, the two UUIDs (16 each), its
//! allocation's size (8) and its memory type (4).
//!
//! Both sides are of the same version: the monitor begins with its own ([`VERSION`]), and a worker of another one says so
//! (lost) and ends.

use std::{os::fd::OwnedFd, sync::Arc};

use tracing::{Level, level_filters::LevelFilter};

use super::packet::{Fields, Malformed, Packet, TEXT_BYTES, shortened};

use crate::{
    HostError,
    context::Retired,
    driver,
    endpoint::Statistics,
    limits,
    resource::{Blob, BlobFlags, ResourceId},
};

/// The version of this library.
pub(super) const VERSION: &str = env!("CARGO_PKG_VERSION");

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
    /// Know plain memory that the monitor has made for this context: a memory file.
    Plain { id: ResourceId, size: u64, memory: Arc<OwnedFd> },
    /// Know a resource of others. Of plain memory its bytes are used, too.
    Attach { id: ResourceId, size: u64, is_plain: bool, blob: Blob },
    /// Forget a resource.
    Detach { id: ResourceId },
    /// Say how the guest is doing, out of turn. Answered by [`Event::Statistics`].
    Inquire,
}

/// Whom a worker process serves.
#[derive(Debug)]
pub(crate) struct Begin {
    /// The version of the monitor's library.
    pub(crate) version: String,
    /// What the log calls the context.
    pub(crate) name: String,
    /// Whether the monitor maps a driver's own descriptors.
    pub(crate) maps_opaque: bool,
    /// The level of the protocol that the guest was told.
    pub(crate) protocol: driver::Level,
    /// Which lines of the log the monitor wants.
    pub(crate) log: LevelFilter,
    /// What becomes of pipeline-cache data: all workers of a monitor know the same.
    pub(crate) caches: driver::PipelineCaches,
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
    /// How the guest is doing.
    Statistics(Box<Statistics>),
    /// The context is lost.
    Lost(String),
    /// A line of the log.
    Line(Level, String),
}

impl Request {
    /// As it travels; none if it cannot, because it has memory without a descriptor.
    pub(super) fn encode(self) -> Option<Packet> {
        Some(match self {
            Self::Begin(Begin { version, name, maps_opaque, protocol, log, caches, breadcrumbs }) => {
                let packet = Packet::of(b'B').short(&version).u8(maps_opaque.into()).u32(protocol.number());
                let packet = packet.u8(number(log)).caches(&caches).bytes(name.as_bytes());
                Packet { fd: Some(breadcrumbs), ..packet }
            }
            Self::Submit(commands) => Packet::of(b'S').bytes(&commands),
            Self::Fence { ring_idx, token } => Packet::of(b'F').u32(ring_idx).u64(token),
            Self::CreateBlob { id, flags, blob_id, size } => {
                Packet::of(b'C').u32(id.0).u32(flags.0).u64(blob_id).u64(size)
            }
            Self::Plain { id, size, memory } => Packet { fd: Some(memory), ..Packet::of(b'P').u32(id.0).u64(size) },
            Self::Attach { id, size, is_plain, blob } => {
                Packet::of(b'A').u32(id.0).u64(size).u8(is_plain.into()).blob(&blob)?
            }
            Self::Detach { id } => Packet::of(b'D').u32(id.0),
            Self::Inquire => Packet::of(b'I'),
        })
    }

    /// What a worker process has received.
    pub(super) fn decode(payload: &[u8], fd: Option<OwnedFd>) -> Result<Self, Malformed> {
        let mut fields = Fields::new(payload, fd);
        let request = match fields.u8()? {
            b'B' => {
                let (version, maps_opaque) = (fields.short()?, fields.flag()?);
                let protocol = driver::Level::of_number(fields.u32()?)
                    .ok_or(Malformed("a level of the protocol that there is not"))?;
                let (log, caches) = (level(fields.u8()?)?, fields.caches()?);
                let name = fields.text(limits::CONTEXT_NAME_BYTES);
                let breadcrumbs = Arc::new(fields.fd()?);
                Self::Begin(Begin { version, name, maps_opaque, protocol, log, caches, breadcrumbs })
            }
            b'S' => Self::Submit(fields.rest().to_vec()),
            b'F' => Self::Fence { ring_idx: fields.u32()?, token: fields.u64()? },
            b'C' => Self::CreateBlob {
                id: ResourceId(fields.u32()?),
                flags: BlobFlags(fields.u32()?),
                blob_id: fields.u64()?,
                size: fields.u64()?,
            },
            b'P' => Self::Plain { id: ResourceId(fields.u32()?), size: fields.u64()?, memory: Arc::new(fields.fd()?) },
            b'A' => Self::Attach {
                id: ResourceId(fields.u32()?),
                size: fields.u64()?,
                is_plain: fields.flag()?,
                blob: fields.blob()?,
            },
            b'D' => Self::Detach { id: ResourceId(fields.u32()?) },
            b'I' => Self::Inquire,
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
            Self::Statistics(statistics) => Packet::of(b's').bytes(&statistics.encode()),
            Self::Line(level, line) => Packet::of(b'g').u8(number(level.into())).bytes(shortened(&line).as_bytes()),
            Self::Lost(reason) => Packet::of(b'l').bytes(shortened(&reason).as_bytes()),
        }
    }

    /// Whether a message says that it is a blob.
    pub(super) fn is_blob(payload: &[u8]) -> bool {
        payload.first() == Some(&b'b')
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
            b's' => {
                let statistics = Statistics::decode(fields.rest()).ok_or(Malformed("its statistics are none"))?;
                Self::Statistics(Box::new(statistics))
            }
            b'l' => Self::Lost(fields.text(TEXT_BYTES)),
            b'g' => {
                let level = level(fields.u8()?)?.into_level().ok_or(Malformed("a line matters to nobody"))?;
                Self::Line(level, fields.text(TEXT_BYTES))
            }
            _ => return Err(Malformed("it is of no kind that there is")),
        };
        fields.end()?;
        Ok(event)
    }
}

/// Thresholds of the log, by their numbers.
const LEVELS: [LevelFilter; 6] = [
    LevelFilter::OFF,
    LevelFilter::ERROR,
    LevelFilter::WARN,
    LevelFilter::INFO,
    LevelFilter::DEBUG,
    LevelFilter::TRACE,
];

fn number(level: LevelFilter) -> u8 {
    LEVELS.iter().zip(0..).find_map(|(known, number)| (*known == level).then_some(number)).unwrap_or(0)
}

fn level(number: u8) -> Result<LevelFilter, Malformed> {
    LEVELS.get(usize::from(number)).copied().ok_or(Malformed("a line of the log matters in a way that there is not"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resource::{BlobStorage, MapInfo, MemoryFile, VulkanInfo};

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
            Request::Begin(Begin {
                version: VERSION.to_owned(),
                name: "cube".to_owned(),
                maps_opaque: true,
                protocol: driver::Level::V448,
                log: LevelFilter::DEBUG,
                caches: driver::PipelineCaches::default(),
                breadcrumbs: file(),
            }),
            Request::Submit(vec![1, 2, 3]),
            Request::Fence { ring_idx: 63, token: u64::MAX },
            Request::CreateBlob { id, flags: BlobFlags::MAPPABLE, blob_id: 1 << 40, size: 4096 },
            Request::Plain { id, size: 4096, memory: file() },
            Request::Attach { id, size: 4096, is_plain: false, blob: opaque() },
            Request::Detach { id },
            Request::Inquire,
        ]
    }

    fn events() -> Vec<Event> {
        vec![
            Event::Retired { ring_idx: 1, token: 2, retired: Retired::DeviceLost },
            Event::Blob(Ok(opaque())),
            Event::Blob(Err(HostError::Unsupported("no".into()))),
            Event::Statistics(Box::default()),
            Event::Lost("vkCmdDraw: gone".to_owned()),
            Event::Line(Level::WARN, "cube#1: late".to_owned()),
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
    fn workers_know_pipeline_caches_by_their_monitors_key() {
        use driver::PipelineCaches;

        for sent in [PipelineCaches::default(), PipelineCaches::Trusted] {
            let packet = Packet::of(0).caches(&sent);
            assert_eq!(Fields::new(&packet.payload[1..], None).caches(), Ok(sent));
            for end in 1..packet.payload.len() {
                assert!(Fields::new(&packet.payload[1..end], None).caches().is_err(), "{end}");
            }
        }
        assert!(Fields::new(&[2], None).caches().is_err());
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
            let text = matches!(packet.payload[0], b'n' | b'l' | b'g');
            let least = if packet.payload[0] == b'g' { 1 } else { 0 };
            let fd = || packet.fd.as_ref().map(own);
            for end in 0..packet.payload.len() {
                assert_eq!(Event::decode(&packet.payload[..end], fd()).is_ok(), text && end > least, "{end}");
            }
            if !text {
                let longer = [&packet.payload[..], &[0]].concat();
                assert!(Event::decode(&longer, fd()).is_err());
            }
            let other = if packet.fd.is_some() { None } else { Some(own(&file())) };
            assert!(Event::decode(&packet.payload, other).is_err());
        }
        assert!(Event::is_blob(&Event::Blob(Ok(opaque())).encode().payload) && !Event::is_blob(b"n"));
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
