//! Memory files: anonymous memory behind a descriptor, which guest and host map both.
//!
//! On Linux a memory file is sealed against resizing before anybody else sees it: a guest that could truncate it would
//! make our next access a SIGBUS. macOS has no seals; there the size of a shared-memory object can be set only once,
//! which serves the same end.

use std::{
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    sync::{Arc, OnceLock},
};

use rustix::fs;

use super::Mapping;
use crate::{error::HostError, limits};

/// Bytes of a page on this machine, the granularity of everything that is mapped.
#[must_use]
pub fn host_page_size() -> u64 {
    static SIZE: OnceLock<u64> = OnceLock::new();
    *SIZE.get_or_init(|| u64::try_from(rustix::param::page_size()).unwrap_or(4096))
}

/// `size` rounded up to whole pages; `None` if that exceeds the range of a resource.
pub(crate) fn round_to_pages(size: u64) -> Option<u64> {
    size.checked_next_multiple_of(host_page_size()).filter(|rounded| *rounded <= limits::RESOURCE_BYTES)
}

/// A memory file. Its clones share one descriptor: there are few, and a guest has thousands of allocations.
#[derive(Debug, Clone)]
pub(crate) struct MemoryFile {
    fd: Arc<OwnedFd>,
    size: u64,
}

impl MemoryFile {
    /// Makes one of at least `size` bytes, all zero, rounded up to whole pages.
    pub(crate) fn create(size: u64) -> Result<Self, HostError> {
        let rounded = round_to_pages(size.max(1)).ok_or(HostError::Limit {
            what: "bytes of shared memory in one resource",
            limit: limits::RESOURCE_BYTES,
        })?;
        let fd = Arc::new(create_sized(rounded)?);
        Ok(Self { fd, size: rounded })
    }

    /// One for a resource of plain shared memory, of which a guest may ask for so much and no more.
    pub(crate) fn create_plain(size: u64) -> Result<Self, HostError> {
        if size > limits::SHMEM_BYTES {
            let what = "bytes of plain shared memory in one resource";
            return Err(HostError::Limit { what, limit: limits::SHMEM_BYTES });
        }
        Self::create(size)
    }

    /// Takes over a descriptor that somebody else made; the file is as long as the system says.
    pub(crate) fn adopt(fd: impl Into<Arc<OwnedFd>>) -> Result<Self, HostError> {
        let fd = fd.into();
        let stat = fs::fstat(&fd).map_err(|error| HostError::io("cannot ask for the size of a memory file", error))?;
        let size = u64::try_from(stat.st_size).unwrap_or(0);
        Ok(Self { fd, size })
    }

    /// Bytes in the file.
    pub(crate) fn size(&self) -> u64 {
        self.size
    }

    /// Maps all of it, shared, for reading and writing. The mapping does not need the file any more.
    pub(crate) fn map(&self) -> Result<Mapping, HostError> {
        Mapping::new(self.fd.as_fd(), self.size)
    }
}

/// Makes and maps a memory file, which everything that guests share with this host is or may be: finds out whether this
/// system has them, and has room for one.
///
/// # Errors
///
/// The system's.
pub fn try_memory_file() -> Result<(), HostError> {
    const TRIED_BYTES: u64 = 1 << 20;
    MemoryFile::create(TRIED_BYTES).and_then(|file| file.map()).map(drop)
}

impl AsFd for MemoryFile {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

impl From<MemoryFile> for Arc<OwnedFd> {
    fn from(file: MemoryFile) -> Self {
        file.fd
    }
}

#[cfg(target_os = "linux")]
fn create_sized(size: u64) -> Result<OwnedFd, HostError> {
    use rustix::fs::{MemfdFlags, SealFlags};

    let fd = fs::memfd_create("venus-shm", MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING)
        .map_err(|error| HostError::io("cannot create a memory file", error))?;
    fs::ftruncate(&fd, size)
        .map_err(|error| HostError::io(format!("cannot give a memory file {size} bytes"), error))?;
    fs::fcntl_add_seals(&fd, SealFlags::SHRINK | SealFlags::GROW | SealFlags::SEAL)
        .map_err(|error| HostError::io("cannot seal a memory file", error))?;
    Ok(fd)
}

#[cfg(not(target_os = "linux"))]
use create_object as create_sized;

/// A shared-memory object without a name. Its size can be set only once, and nobody can tell where it was.
#[cfg(any(test, not(target_os = "linux")))]
fn create_object(size: u64) -> Result<OwnedFd, HostError> {
    use std::hash::{BuildHasher as _, RandomState};

    use rustix::{
        fs::Mode,
        io::Errno,
        shm::{self, OFlags},
    };

    // The name lives only from here to the unlink below. Any user of this machine may occupy names, so it is one that
    // nobody can guess, and shorter than the 31 bytes that macOS permits.
    let (name, fd) = loop {
        let name = format!("/venus-{:016x}", RandomState::new().hash_one(size));
        match shm::open(name.as_str(), OFlags::RDWR | OFlags::CREATE | OFlags::EXCL, Mode::RUSR | Mode::WUSR) {
            Ok(fd) => break (name, fd),
            Err(Errno::EXIST | Errno::INTR) => {}
            Err(error) => return Err(HostError::io("cannot create a shared-memory object", error)),
        }
    };
    let unlinked = shm::unlink(name.as_str());
    unlinked.map_err(|error| HostError::io("cannot unlink a shared-memory object", error))?;
    fs::ftruncate(&fd, size)
        .map_err(|error| HostError::io(format!("cannot give a shared-memory object {size} bytes"), error))?;
    Ok(fd)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_whole_pages() {
        for (asked, pages) in [
            (0, 1),
            (1, 1),
            (4096, 4096_u64.div_ceil(host_page_size())),
            (131_268, 131_268_u64.div_ceil(host_page_size())),
        ] {
            assert_eq!(MemoryFile::create(asked).unwrap().size(), pages * host_page_size(), "{asked}");
        }
        assert!(matches!(MemoryFile::create(u64::MAX), Err(HostError::Limit { .. })));
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn nobody_can_resize_it() {
        let file = MemoryFile::create(8192).unwrap();
        assert!(fs::ftruncate(&file, 0).is_err());
        assert!(fs::ftruncate(&file, 1 << 20).is_err());
    }

    #[test]
    fn shared_memory_objects_are_memory_files_too() {
        let size = 2 * host_page_size();
        let file = MemoryFile::adopt(create_object(size).unwrap()).unwrap();
        assert_eq!(file.size(), size);
        let other = MemoryFile::adopt(create_object(size).unwrap()).unwrap();
        let (one, again, other) = (file.map().unwrap(), file.map().unwrap(), other.map().unwrap());
        one.copy_in(0, b"shared").unwrap();
        let mut seen = [0; 6];
        again.copy_out(0, &mut seen).unwrap();
        assert_eq!(&seen, b"shared");
        other.copy_out(0, &mut seen).unwrap();
        assert_eq!(seen, [0; 6], "each object is its own memory");
    }

    #[test]
    fn a_clone_is_the_same_memory() {
        let file = MemoryFile::create(4096).unwrap();
        let one = file.map().unwrap();
        let other = MemoryFile::adopt(Arc::<OwnedFd>::from(file.clone())).unwrap().map().unwrap();
        drop(file);
        one.copy_in(8, b"shared").unwrap();
        let mut seen = [0; 6];
        other.copy_out(8, &mut seen).unwrap();
        assert_eq!(&seen, b"shared");
    }
}
