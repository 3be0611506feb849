//! Memory that guest and host share. What comes from outside is [`imports`](crate::imports).

use std::{
    ffi::{c_int, c_void},
    os::fd::{AsFd as _, BorrowedFd, IntoRawFd as _, OwnedFd},
};

use ::venus_host::{
    error::errno,
    host::ContextId,
    resource::{Blob, BlobFlags, BlobStorage, HostMapping, MapInfo, ResourceId},
};
use venus_ffi::{Error, guard};

use crate::{
    handle::{venus_host, with},
    sized::{self, Versioned},
};

/// The guest wants to map the blob (VIRTIO_GPU_BLOB_FLAG_USE_MAPPABLE).
pub const VENUS_BLOB_MAPPABLE: u32 = 1;
/// The guest wants to hand it to other processes (VIRTIO_GPU_BLOB_FLAG_USE_SHAREABLE).
pub const VENUS_BLOB_SHAREABLE: u32 = 2;
/// The guest wants to hand it to other devices, so it has to be a dma-buf (VIRTIO_GPU_BLOB_FLAG_USE_CROSS_DEVICE).
pub const VENUS_BLOB_CROSS_DEVICE: u32 = 4;
const _: () = assert!(VENUS_BLOB_MAPPABLE == BlobFlags::MAPPABLE.0);
const _: () = assert!(VENUS_BLOB_SHAREABLE == BlobFlags::SHAREABLE.0);
const _: () = assert!(VENUS_BLOB_CROSS_DEVICE == BlobFlags::CROSS_DEVICE.0);

/// A memory file: map it.
pub const VENUS_STORAGE_SHM: u32 = 1;
/// A dma-buf: map it, or import it into a driver.
pub const VENUS_STORAGE_DMA_BUF: u32 = 2;
/// A driver's own descriptor: import it into the same driver. Never map it, its first bytes may be a private header.
pub const VENUS_STORAGE_OPAQUE: u32 = 3;
/// Memory of this process, without a descriptor.
pub const VENUS_STORAGE_POINTER: u32 = 4;

/// Not mappable.
pub const VENUS_MAP_NONE: u32 = 0;
/// Ordinary cached memory (VIRTIO_GPU_MAP_CACHE_CACHED).
pub const VENUS_MAP_CACHED: u32 = 1;
/// Uncached (VIRTIO_GPU_MAP_CACHE_UNCACHED).
pub const VENUS_MAP_UNCACHED: u32 = 2;
/// Write-combining (VIRTIO_GPU_MAP_CACHE_WC).
pub const VENUS_MAP_WRITE_COMBINING: u32 = 3;

/// What a resource's storage is.
#[repr(C)]
#[derive(Debug)]
pub struct venus_blob {
    /// `sizeof` of this structure.
    pub size: usize,
    /// Bytes of storage, a multiple of the host page where the host has made it: not less than what was asked for.
    pub bytes: u64,
    /// `VENUS_STORAGE_...`.
    pub storage: u32,
    /// How a guest should map it: `VENUS_MAP_...`, the numbers of virtio-gpu.
    pub map_info: u32,
    /// Of opaque storage, what `vkAllocateMemory` of an importer has to repeat: the memory type, ...
    pub memory_type_index: u32,
    /// (always zero)
    pub reserved: u32,
    /// ... the allocation's size, ...
    pub allocation_size: u64,
    /// ... and the deviceUUID and driverUUID of `VkPhysicalDeviceIDProperties`, which have to be the same.
    pub device_uuid: [u8; 16],
    /// See device_uuid.
    pub driver_uuid: [u8; 16],
}

// SAFETY: it is `repr(C)`, begins with a usize, and holds numbers.
unsafe impl Versioned for venus_blob {
    const NAME: &'static str = "venus_blob";
    const LEAST: usize = size_of::<Self>();
}

/// A mapping of a resource's storage. Made by venus_host_map(), given back to venus_mapping_release().
#[derive(Debug)]
pub struct venus_mapping {
    /// Keeps it mapped.
    _mapping: HostMapping,
}

/// Creates a resource of a context's memory and attaches it: VIRTIO_GPU_CMD_RESOURCE_CREATE_BLOB. `blob_id` 0 with exactly
/// VENUS_BLOB_MAPPABLE asks for plain shared memory, in which rings, replies and commands can lie; any other number names a
/// `VkDeviceMemory` of the guest.
///
/// Plain shared memory is there at once. For memory of the guest's this waits until the context has come to it, with an end.
///
/// # Errors
///
/// -EINVAL: the resource's number is 0 or in use, the size is 0, or there is no such context or memory. -EDQUOT: the size
/// or the number of resources is over a limit. -EOPNOTSUPP: the memory cannot be shared. -EPIPE: the context is lost.
///
/// # Safety
///
/// `host` comes from venus_host_create().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn venus_host_create_blob(
    host: *mut venus_host,
    context: u32,
    resource: u32,
    flags: u32,
    blob_id: u64,
    size: u64,
) -> c_int {
    // SAFETY: the caller's promise.
    let host = unsafe { host.as_ref() };
    with("venus_host_create_blob", host, |host| {
        host.create_blob(ContextId(context), ResourceId(resource), BlobFlags(flags), blob_id, size)?;
        Ok(0)
    })
}

/// Lets a context know a resource, so that its guest can import it or put rings there: VIRTIO_GPU_CMD_CTX_ATTACH_RESOURCE.
/// Nothing if it does already; who has created one has it.
///
/// # Errors
///
/// -EINVAL: there is no such context or resource. -EOPNOTSUPP: the context has a process of its own, and the memory no
/// descriptor. -EPIPE: the context is lost.
///
/// # Safety
///
/// `host` comes from venus_host_create().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn venus_host_attach_resource(host: *mut venus_host, context: u32, resource: u32) -> c_int {
    // SAFETY: the caller's promise.
    let host = unsafe { host.as_ref() };
    with("venus_host_attach_resource", host, |host| {
        host.attach(ContextId(context), ResourceId(resource))?;
        Ok(0)
    })
}

/// Lets a context forget a resource: VIRTIO_GPU_CMD_CTX_DETACH_RESOURCE. Nothing if it does not know it.
///
/// # Safety
///
/// `host` comes from venus_host_create().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn venus_host_detach_resource(host: *mut venus_host, context: u32, resource: u32) -> c_int {
    // SAFETY: the caller's promise.
    let host = unsafe { host.as_ref() };
    with("venus_host_detach_resource", host, |host| {
        host.detach(ContextId(context), ResourceId(resource));
        Ok(0)
    })
}

/// Drops a resource: VIRTIO_GPU_CMD_RESOURCE_UNREF. Returns 1, or 0 if there is none of that number. Contexts forget it;
/// what is mapped stays mapped, and what is exported stays open.
///
/// # Safety
///
/// `host` comes from venus_host_create().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn venus_host_destroy_resource(host: *mut venus_host, resource: u32) -> c_int {
    // SAFETY: the caller's promise.
    let host = unsafe { host.as_ref() };
    with("venus_host_destroy_resource", host, |host| Ok(c_int::from(host.destroy_resource(ResourceId(resource)))))
}

/// Writes to `blob` what the storage of a resource is.
///
/// # Errors
///
/// -ENOENT: there is no such resource.
///
/// # Safety
///
/// `host` comes from venus_host_create(); `blob` points to a structure of the size that it begins with.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn venus_host_describe_resource(
    host: *mut venus_host,
    resource: u32,
    blob: *mut venus_blob,
) -> c_int {
    // SAFETY: the caller's promise.
    let host = unsafe { host.as_ref() };
    with("venus_host_describe_resource", host, |host| {
        let found = host.blob(ResourceId(resource)).ok_or_else(|| no_resource(resource))?;
        // SAFETY: the caller's promise.
        unsafe { sized::write(blob, &describe(found)) }?;
        Ok(0)
    })
}

/// Returns a descriptor of a resource's storage, which is the caller's to close. What may be done with it depends on the
/// kind of storage: see venus_host_describe_resource().
///
/// # Errors
///
/// -ENOENT: there is no such resource. -EOPNOTSUPP: it is memory of this process. -EMFILE: there are no descriptors left.
///
/// # Safety
///
/// `host` comes from venus_host_create().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn venus_host_export_fd(host: *mut venus_host, resource: u32) -> c_int {
    // SAFETY: the caller's promise.
    let host = unsafe { host.as_ref() };
    with("venus_host_export_fd", host, |host| {
        let found = host.blob(ResourceId(resource)).ok_or_else(|| no_resource(resource))?;
        let fd = match &found.storage {
            BlobStorage::Shm(fd) | BlobStorage::DmaBuf(fd) | BlobStorage::Opaque { fd, .. } => fd.as_fd(),
            _ => {
                let sentence = format!("resource {resource} is memory of this process and has no descriptor: map it");
                return Err(Error::new(errno::OPNOTSUPP, sentence));
            }
        };
        Ok(duplicate(fd)?.into_raw_fd())
    })
}

/// Maps a resource into this process, and stores at `address` where it is, the start of a page, at `size` how many bytes
/// it has, and at `mapping` what keeps it so. All mappings of a resource are one: they have the same address.
///
/// It lasts until it is given back to venus_mapping_release(), whatever becomes of the resource, its context or the host.
/// The guest may write there at any time.
///
/// # Errors
///
/// -EINVAL: there is no such resource, or a place to store something is null. -EOPNOTSUPP: the storage cannot be mapped.
///
/// # Safety
///
/// `host` comes from venus_host_create(); the others point to places for what is stored there.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn venus_host_map(
    host: *mut venus_host,
    resource: u32,
    mapping: *mut *mut venus_mapping,
    address: *mut *mut c_void,
    size: *mut usize,
) -> c_int {
    const FUNCTION: &str = "venus_host_map";
    // SAFETY: the caller's promise.
    let host = unsafe { host.as_ref() };
    with(FUNCTION, host, |host| {
        if mapping.is_null() || address.is_null() || size.is_null() {
            return Err(Error::argument(format!("{FUNCTION}: a place for what it gives is null")));
        }
        let mapped = host.map(ResourceId(resource))?;
        // SAFETY: it is not null, so by the caller's promise there is room.
        unsafe { address.write(mapped.address().as_ptr().cast()) };
        // SAFETY: the same.
        unsafe { size.write(mapped.size()) };
        // SAFETY: the same.
        unsafe { mapping.write(Box::into_raw(Box::new(venus_mapping { _mapping: mapped }))) };
        Ok(0)
    })
}

/// Gives a mapping back. Its memory is unmapped once nobody else uses it. Null is nothing. May be called after the host has
/// been destroyed.
///
/// # Safety
///
/// `mapping` is null or comes from venus_host_map(), and nobody uses it or its memory any more.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn venus_mapping_release(mapping: *mut venus_mapping) {
    guard::call("venus_mapping_release", || {
        if !mapping.is_null() {
            // SAFETY: it is `venus_host_map`'s, by the caller's promise, and was not given back before.
            drop(unsafe { Box::from_raw(mapping) });
        }
        Ok(0)
    });
}

fn describe(blob: &Blob) -> venus_blob {
    let mut described = venus_blob { bytes: blob.size, ..venus_blob::zeroed() };
    described.map_info = match blob.map_info {
        MapInfo::None => VENUS_MAP_NONE,
        MapInfo::Cached => VENUS_MAP_CACHED,
        MapInfo::Uncached => VENUS_MAP_UNCACHED,
        MapInfo::WriteCombining => VENUS_MAP_WRITE_COMBINING,
    };
    match &blob.storage {
        BlobStorage::Shm(_) => described.storage = VENUS_STORAGE_SHM,
        BlobStorage::DmaBuf(_) => described.storage = VENUS_STORAGE_DMA_BUF,
        BlobStorage::Opaque { info, .. } => {
            described.storage = VENUS_STORAGE_OPAQUE;
            described.memory_type_index = info.memory_type_index;
            described.allocation_size = info.allocation_size;
            described.device_uuid = info.device_uuid;
            described.driver_uuid = info.driver_uuid;
        }
        _ => described.storage = VENUS_STORAGE_POINTER,
    }
    described
}

pub(crate) fn duplicate(fd: BorrowedFd<'_>) -> Result<OwnedFd, Error> {
    fd.try_clone_to_owned().map_err(|error| ::venus_host::HostError::io("cannot duplicate a descriptor", error).into())
}

#[cold]
fn no_resource(resource: u32) -> Error {
    Error::new(errno::NOENT, format!("there is no resource {resource}"))
}
