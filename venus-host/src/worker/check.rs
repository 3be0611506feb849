//! What a worker process says of a blob, checked before anybody relies on it.
//!
//! The monitor maps what it is given, and lives in the same process as the guest's whole machine: a descriptor whose end a
//! worker could move would make the monitor's next access a `SIGBUS`. So what is called a memory file has to be one, sealed
//! against that, and what is called a dma-buf has to be one, whose size nobody can change.

use std::os::fd::OwnedFd;

use rustix::fs;

use crate::{
    HostError, limits,
    resource::{Blob, BlobStorage},
};

/// Memory types of a Vulkan device: `VK_MAX_MEMORY_TYPES`.
const MEMORY_TYPES: u32 = 32;

/// Refuses a blob that is not what was asked for: of at least `size` bytes, and of a kind that the monitor can use.
pub(super) fn check(blob: Blob, size: u64, maps_opaque: bool) -> Result<Blob, HostError> {
    if blob.size < size || blob.size > limits::RESOURCE_BYTES {
        return Err(refused(format!("a blob of {} bytes in place of {size}", blob.size)));
    }
    match &blob.storage {
        BlobStorage::Shm(fd) => check_file(fd, blob.size)?,
        BlobStorage::DmaBuf(fd) => check_dma_buf(fd, blob.size)?,
        BlobStorage::Opaque { fd, info } if maps_opaque => {
            let fits = info.allocation_size >= size && info.allocation_size <= limits::RESOURCE_BYTES;
            if !fits || info.memory_type_index >= MEMORY_TYPES {
                return Err(refused(format!("a blob of {size} bytes with {info:?}")));
            }
            check_opaque(fd, info.allocation_size)?;
        }
        BlobStorage::Opaque { .. } => return Err(refused("a driver's own descriptor, which is not to be mapped")),
        BlobStorage::Pointer(_) => return Err(refused("a pointer into another process")),
    }
    Ok(blob)
}

#[cold]
fn refused(what: impl std::fmt::Display) -> HostError {
    HostError::Remote(format!("a worker gives {what}; it may be in its guest's hands").into())
}

/// The end of what is behind a descriptor.
#[cfg(target_os = "linux")]
fn length(fd: &OwnedFd) -> Result<u64, HostError> {
    fs::seek(fd, fs::SeekFrom::End(0)).map_err(|error| HostError::io("cannot ask for the size of a blob", error))
}

#[cfg(target_os = "linux")]
fn check_length(fd: &OwnedFd, size: u64) -> Result<(), HostError> {
    match length(fd)? {
        length if length >= size => Ok(()),
        length => Err(refused(format!("a blob of {size} bytes that ends after {length}"))),
    }
}

/// `TMPFS_MAGIC` of `linux/magic.h`: memory that is there when it is touched, unlike huge pages.
#[cfg(target_os = "linux")]
const TMPFS: u64 = 0x0102_1994;

/// `DMA_BUF_MAGIC` of `linux/magic.h`.
#[cfg(target_os = "linux")]
const DMA_BUF: u64 = 0x444d_4142;

/// Keeps what a driver calls its own from becoming shorter, where that is a file as software drivers' are. What a real GPU's
/// descriptor is, a device's or a dma-buf, nobody but its driver knows.
#[cfg(target_os = "linux")]
fn check_opaque(fd: &OwnedFd, size: u64) -> Result<(), HostError> {
    use rustix::fs::{FileType, SealFlags};

    /// `ANON_INODE_FS_MAGIC` of `linux/magic.h`.
    const ANONYMOUS: u64 = 0x0904_1934;
    let found = fs::fstat(fd).map_err(|error| HostError::io("cannot ask what a blob is", error))?;
    let is_file = FileType::from_raw_mode(found.st_mode) == FileType::RegularFile;
    if !is_file || [DMA_BUF, ANONYMOUS].contains(&filesystem(fd)?) {
        return Ok(());
    }
    let is_sealed = || fs::fcntl_get_seals(fd).is_ok_and(|seals| seals.contains(SealFlags::SHRINK));
    if !is_sealed() && fs::fcntl_add_seals(fd, SealFlags::SHRINK).is_err() {
        return Err(refused("a driver's own file that could become shorter"));
    }
    check_length(fd, size)
}

#[cfg(target_os = "linux")]
fn check_file(fd: &OwnedFd, size: u64) -> Result<(), HostError> {
    use rustix::fs::SealFlags;

    if filesystem(fd)? != TMPFS {
        return Err(refused("what is no memory file"));
    }
    let seals = fs::fcntl_get_seals(fd).map_err(|error| HostError::io("cannot ask for the seals of a blob", error))?;
    if !seals.contains(SealFlags::SHRINK) {
        return Err(refused(format!("a memory file with the seals {seals:?}")));
    }
    check_length(fd, size)
}

#[cfg(target_os = "linux")]
fn check_dma_buf(fd: &OwnedFd, size: u64) -> Result<(), HostError> {
    if filesystem(fd)? != DMA_BUF {
        return Err(refused("what is no dma-buf"));
    }
    check_length(fd, size)
}

/// The number of the file system that a descriptor is of.
#[cfg(target_os = "linux")]
fn filesystem(fd: &OwnedFd) -> Result<u64, HostError> {
    let found = fs::fstatfs(fd).map_err(|error| HostError::io("cannot ask what a blob is", error))?;
    Ok(u64::try_from(found.f_type).unwrap_or(0))
}

#[cfg(not(target_os = "linux"))]
fn check_opaque(_fd: &OwnedFd, _size: u64) -> Result<(), HostError> {
    Ok(())
}

/// macOS sets the size of a shared-memory object once, so its end stays where it is. It has no dma-bufs.
#[cfg(not(target_os = "linux"))]
fn check_file(fd: &OwnedFd, size: u64) -> Result<(), HostError> {
    let found = fs::fstat(fd).map_err(|error| HostError::io("cannot ask for the size of a blob", error))?;
    match u64::try_from(found.st_size) {
        Ok(length) if length >= size => Ok(()),
        _ => Err(refused(format!("a blob of {size} bytes that ends after {}", found.st_size))),
    }
}

#[cfg(not(target_os = "linux"))]
fn check_dma_buf(_fd: &OwnedFd, _size: u64) -> Result<(), HostError> {
    Err(refused("a dma-buf, which this system does not have"))
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::sync::Arc;

    use rustix::fs::{MemfdFlags, SealFlags};

    use super::*;
    use crate::resource::{MapInfo, MemoryFile, VulkanInfo};

    fn memory(bytes: u64, seals: SealFlags) -> Arc<OwnedFd> {
        let fd = fs::memfd_create("test", MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING).unwrap();
        fs::ftruncate(&fd, bytes).unwrap();
        fs::fcntl_add_seals(&fd, seals).unwrap();
        fd.into()
    }

    #[track_caller]
    fn check_refused(storage: BlobStorage, size: u64, expected: &str) {
        let refused = check(Blob::new(storage, size, MapInfo::Cached), 4096, true).unwrap_err().to_string();
        assert!(refused.contains(expected), "{refused}");
    }

    #[test]
    fn our_own_memory_files_are_good() {
        let file = MemoryFile::create(4096).unwrap();
        let (size, storage) = (file.size(), BlobStorage::Shm(file.into()));
        assert!(check(Blob::new(storage.clone(), size, MapInfo::Cached), 4096, false).is_ok());
        check_refused(storage.clone(), 4095, "in place of 4096");
        check_refused(storage.clone(), size + 1, "ends after");
        check_refused(storage.clone(), u64::MAX, "in place of 4096");
        let BlobStorage::Shm(fd) = storage else { panic!() };
        check_refused(BlobStorage::DmaBuf(fd), 4096, "no dma-buf");
    }

    #[test]
    fn what_could_shrink_or_is_no_memory_is_refused() {
        check_refused(BlobStorage::Shm(memory(4096, SealFlags::GROW)), 4096, "seals");
        assert!(
            check(Blob::new(BlobStorage::Shm(memory(4096, SealFlags::SHRINK)), 4096, MapInfo::Cached), 1, false)
                .is_ok()
        );
        let (socket, _other) = std::os::unix::net::UnixStream::pair().unwrap();
        check_refused(BlobStorage::Shm(Arc::new(socket.into())), 4096, "no memory file");
        let null = std::fs::File::open("/dev/null").unwrap();
        check_refused(BlobStorage::DmaBuf(Arc::new(null.into())), 4096, "no dma-buf");
    }

    #[test]
    fn a_drivers_own_descriptor_has_to_fit() {
        let right =
            VulkanInfo { device_uuid: [0; 16], driver_uuid: [0; 16], allocation_size: 4096, memory_type_index: 31 };
        let of = |fd, info| Blob::new(BlobStorage::Opaque { fd, info }, 4096, MapInfo::None);
        let blob = |info| of(memory(4096, SealFlags::empty()), info);
        assert!(check(blob(right), 4096, true).is_ok());
        assert!(check(blob(right), 4096, false).is_err());
        assert!(check(blob(VulkanInfo { memory_type_index: 32, ..right }), 4096, true).is_err());
        assert!(check(blob(VulkanInfo { allocation_size: 4095, ..right }), 4096, true).is_err());
        assert!(check(blob(VulkanInfo { allocation_size: u64::MAX, ..right }), 4096, true).is_err());
        // A software driver's is a memory file, which must not become shorter once it is mapped.
        let file = memory(4096, SealFlags::empty());
        check(of(Arc::clone(&file), right), 4096, true).unwrap();
        assert!(fs::ftruncate(&file, 0).is_err());
        assert!(check(of(memory(4096, SealFlags::SEAL), right), 4096, true).is_err());
        assert!(check(of(memory(4095, SealFlags::empty()), right), 4096, true).is_err());
        let null = std::fs::File::open("/dev/null").unwrap();
        assert!(check(of(Arc::new(null.into()), right), 4096, true).is_ok(), "what only its driver knows");
        let on_disk = std::fs::File::open("/proc/self/exe").unwrap();
        assert!(check(of(Arc::new(on_disk.into()), right), 4096, true).is_err());
    }
}
