//! Messages as bytes: putting fields into them, and taking fields out that a peer may have made up.

use std::{
    os::fd::{AsFd as _, BorrowedFd, OwnedFd},
    sync::Arc,
};

use crate::{
    driver::{CacheKey, PipelineCaches},
    resource::{Blob, BlobStorage, MapInfo, VulkanInfo},
};

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
    /// A message of this kind, without fields.
    pub(super) fn of(kind: u8) -> Self {
        Self { payload: vec![kind], fd: None }
    }

    /// With one more field.
    pub(super) fn u8(mut self, value: u8) -> Self {
        self.payload.push(value);
        self
    }

    /// With one more field.
    pub(super) fn u32(self, value: u32) -> Self {
        self.bytes(&value.to_le_bytes())
    }

    /// With one more field.
    pub(super) fn u64(self, value: u64) -> Self {
        self.bytes(&value.to_le_bytes())
    }

    /// With so many bytes more.
    pub(super) fn bytes(mut self, bytes: &[u8]) -> Self {
        self.payload.extend_from_slice(bytes);
        self
    }

    /// A text of no more than 255 bytes.
    pub(super) fn short(self, text: &str) -> Self {
        let length = u8::try_from(text.len()).unwrap_or(u8::MAX);
        let bytes = text.as_bytes();
        self.u8(length).bytes(bytes.get(..length.into()).unwrap_or(bytes))
    }

    /// What becomes of pipeline-cache data.
    pub(super) fn caches(self, caches: &PipelineCaches) -> Self {
        match caches {
            PipelineCaches::Trusted => self.u8(0),
            PipelineCaches::Checked(key) => self.u8(1).bytes(key.bytes()),
        }
    }

    /// A blob; none if it is one that cannot travel.
    pub(super) fn blob(self, blob: &Blob) -> Option<Self> {
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

/// Longest text that travels.
pub(super) const TEXT_BYTES: usize = 4096;

/// As much of a text as travels.
pub(super) fn shortened(text: &str) -> &str {
    text.get(..text.floor_char_boundary(TEXT_BYTES)).unwrap_or_default()
}

/// Bytes as a text that is fit for a terminal.
fn for_people(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).chars().filter(|c| !c.is_control()).collect()
}

/// The fields of a message that has been received.
pub(super) struct Fields<'a> {
    rest: &'a [u8],
    fd: Option<OwnedFd>,
}

impl<'a> Fields<'a> {
    /// Those of a message that came with this descriptor.
    pub(super) fn new(rest: &'a [u8], fd: Option<OwnedFd>) -> Self {
        Self { rest, fd }
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Malformed> {
        let (bytes, rest) = self.rest.split_first_chunk().ok_or(Malformed("it ends too early"))?;
        self.rest = rest;
        Ok(*bytes)
    }

    /// The next field.
    pub(super) fn u8(&mut self) -> Result<u8, Malformed> {
        self.array().map(|[byte]| byte)
    }

    /// The next field.
    pub(super) fn u32(&mut self) -> Result<u32, Malformed> {
        self.array().map(u32::from_le_bytes)
    }

    /// The next field.
    pub(super) fn u64(&mut self) -> Result<u64, Malformed> {
        self.array().map(u64::from_le_bytes)
    }

    /// What becomes of pipeline-cache data.
    pub(super) fn caches(&mut self) -> Result<PipelineCaches, Malformed> {
        Ok(if self.flag()? { PipelineCaches::Checked(CacheKey::new(self.array()?)) } else { PipelineCaches::Trusted })
    }

    /// The next field, a yes or no.
    pub(super) fn flag(&mut self) -> Result<bool, Malformed> {
        match self.u8()? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(Malformed("a yes or no is neither")),
        }
    }

    /// A text of no more than 255 bytes, fit for a terminal.
    pub(super) fn short(&mut self) -> Result<String, Malformed> {
        let length = usize::from(self.u8()?);
        let (text, rest) = self.rest.split_at_checked(length).ok_or(Malformed("it ends too early"))?;
        self.rest = rest;
        Ok(for_people(text))
    }

    /// All that is left.
    pub(super) fn rest(&mut self) -> &'a [u8] {
        std::mem::take(&mut self.rest)
    }

    /// The rest as text that is fit for a terminal.
    pub(super) fn text(&mut self, most: usize) -> String {
        let bytes = self.rest();
        for_people(bytes.get(..most).unwrap_or(bytes))
    }

    /// The descriptor.
    pub(super) fn fd(&mut self) -> Result<OwnedFd, Malformed> {
        self.fd.take().ok_or(Malformed("it lacks its descriptor"))
    }

    /// A blob.
    pub(super) fn blob(&mut self) -> Result<Blob, Malformed> {
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

    /// Fails if anything is left.
    pub(super) fn end(self) -> Result<(), Malformed> {
        match (self.rest, self.fd) {
            ([], None) => Ok(()),
            ([], Some(_)) => Err(Malformed("it has a descriptor that it does not need")),
            _ => Err(Malformed("it goes on after its end")),
        }
    }
}
