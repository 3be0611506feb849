//! Memory from outside, as resources.

use std::{
    ffi::{c_int, c_void},
    fmt,
    os::fd::BorrowedFd,
    ptr::NonNull,
    sync::{Arc, OnceLock},
};

use ::venus_host::resource::{Blob, BlobStorage, HostMemory, MapInfo, ResourceId};
use venus_ffi::{Error, guard};

use crate::{
    handle::{User, venus_host, with},
    resources::{
        VENUS_MAP_CACHED, VENUS_MAP_NONE, VENUS_MAP_UNCACHED, VENUS_MAP_WRITE_COMBINING, VENUS_STORAGE_DMA_BUF,
        VENUS_STORAGE_SHM, duplicate,
    },
};

/// Called once nobody uses what it came with any more, with its `user`, on any thread.
pub type venus_release_callback = Option<unsafe extern "C" fn(user: *mut c_void)>;

/// Makes memory of the caller's own a resource, in which rings, replies and commands can lie: such as memory of a virtual
/// machine, into which this program looks. Contexts that have a process of their own cannot have it.
///
/// The memory is kept: it stays readable and writable until `release` is called with `user`, which happens once, when the
/// resource is destroyed and nothing else uses it. With a null callback it stays until venus_host_destroy() returns 0. If
/// this fails, `release` is not called.
///
/// # Errors
///
/// -EINVAL: the resource's number is 0 or in use, or the memory is none or does not begin with a page of this machine.
///
/// # Safety
///
/// `host` comes from venus_host_create(); `address` points to `size` bytes that can be read and written for that long,
/// through which only atomic and volatile accesses of this program's are in flight; `release` can be called on any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn venus_host_import_memory(
    host: *mut venus_host,
    resource: u32,
    address: *mut c_void,
    size: usize,
    release: venus_release_callback,
    user: *mut c_void,
) -> c_int {
    const FUNCTION: &str = "venus_host_import_memory";
    // SAFETY: the caller's promise.
    let host = unsafe { host.as_ref() };
    with(FUNCTION, host, |host| {
        let address = NonNull::new(address.cast::<u8>())
            .ok_or_else(|| Error::argument(format!("{FUNCTION}: the address is null")))?;
        let memory = Arc::new(Foreign { address, size, release: OnceLock::new() });
        host.import_memory(ResourceId(resource), Arc::clone(&memory) as Arc<dyn HostMemory>)?;
        // Only now: what fails leaves the memory to its owner.
        let _first = memory.release.set((release, User(user)));
        Ok(0)
    })
}

/// Makes storage that somebody else has made a resource: a memory file (VENUS_STORAGE_SHM), in which rings, replies and
/// commands can lie, whoever serves the context, or a dma-buf (VENUS_STORAGE_DMA_BUF), which guests import. `fd` stays the
/// caller's; the host keeps a duplicate. `map_info` is how guests should map a dma-buf; memory files are ordinary cached
/// memory.
///
/// # Errors
///
/// -EINVAL: the resource's number is 0 or in use, the size is 0, or the storage is of another kind. -EMFILE: there are no
/// descriptors left.
///
/// # Safety
///
/// `host` comes from venus_host_create(); `fd` is open. A memory file has `size` bytes or more, and keeps them as long as
/// somebody has it mapped.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn venus_host_import_fd(
    host: *mut venus_host,
    resource: u32,
    storage: u32,
    fd: c_int,
    size: u64,
    map_info: u32,
) -> c_int {
    const FUNCTION: &str = "venus_host_import_fd";
    // SAFETY: the caller's promise.
    let host = unsafe { host.as_ref() };
    with(FUNCTION, host, |host| {
        if fd < 0 {
            return Err(Error::argument(format!("{FUNCTION}: {fd} is no descriptor")));
        }
        // SAFETY: the caller promises that it is open; it is duplicated at once.
        let fd = duplicate(unsafe { BorrowedFd::borrow_raw(fd) })?;
        match storage {
            VENUS_STORAGE_SHM => host.import_file(ResourceId(resource), fd, size)?,
            VENUS_STORAGE_DMA_BUF => {
                let map_info = map_info_of(map_info)
                    .ok_or_else(|| Error::argument(format!("{FUNCTION}: there is no map info {map_info}")))?;
                let blob = Blob::new(BlobStorage::DmaBuf(Arc::new(fd)), size, map_info);
                host.import_blob(ResourceId(resource), blob, size)?;
            }
            other => {
                let sentence = format!("{FUNCTION}: storage of kind {other} has no descriptor that can be imported");
                return Err(Error::argument(sentence));
            }
        }
        Ok(0)
    })
}

fn map_info_of(number: u32) -> Option<MapInfo> {
    match number {
        VENUS_MAP_NONE => Some(MapInfo::None),
        VENUS_MAP_CACHED => Some(MapInfo::Cached),
        VENUS_MAP_UNCACHED => Some(MapInfo::Uncached),
        VENUS_MAP_WRITE_COMBINING => Some(MapInfo::WriteCombining),
        _ => None,
    }
}

/// Memory of the caller's.
struct Foreign {
    address: NonNull<u8>,
    size: usize,
    release: OnceLock<(venus_release_callback, User)>,
}

// SAFETY: the caller promises that the memory stays for as long as this lives (`venus_host_import_memory`) and that it
// begins where and has as many bytes as is said, which is checked to be a page; neither changes.
unsafe impl HostMemory for Foreign {
    fn address(&self) -> NonNull<u8> {
        self.address
    }

    fn size(&self) -> usize {
        self.size
    }
}

// SAFETY: it is memory of the process, whose bytes are accessed as those of a device are; the callback may be called on
// any thread, by the caller's promise.
unsafe impl Send for Foreign {}
// SAFETY: the same.
unsafe impl Sync for Foreign {}

impl fmt::Debug for Foreign {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Foreign").field("address", &self.address).field("size", &self.size).finish_non_exhaustive()
    }
}

impl Drop for Foreign {
    fn drop(&mut self) {
        if let Some((Some(release), user)) = self.release.get() {
            // SAFETY: the caller promises that it can be called with this on any thread, once.
            guard::callback(|| unsafe { release(user.pointer()) });
        }
    }
}
