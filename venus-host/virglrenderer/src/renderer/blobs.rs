//! Memory of contexts: mapped, exported, imported.

use std::{
    ffi::c_void,
    os::fd::{AsRawFd as _, BorrowedFd, OwnedFd},
};

use rustix::mm::{MapFlags, ProtFlags, mmap, munmap};
use venus_ffi::Error;
use venus_host::{
    host::ContextId,
    resource::{Blob, BlobFlags, BlobKind, BlobStorage, HostMapping, MapInfo, ResourceId, host_page_size},
};

use super::{
    device::Device,
    resources::{BlobState, Kind},
};
use crate::{
    abi::{
        iovec::GuestPages,
        numbers::{
            BLOB_MEM_GUEST, BLOB_MEM_HOST3D, BLOB_MEM_HOST3D_GUEST, FD_DMABUF, FD_OPAQUE, FD_SHM, MODIFIER_UNKNOWN,
        },
        structures::{CreateBlobArgs, ExportQuery, ImportBlobArgs},
    },
    failure::{absent, refused, system},
};

/// Flags of blobs that virtio-gpu has.
const BLOB_FLAGS: u32 = 0b111;

/// What is given away of a blob.
#[derive(Debug)]
pub(crate) struct Exported {
    /// `VIRGL_RENDERER_BLOB_FD_TYPE_*`.
    pub(crate) kind: u32,
    pub(crate) fd: OwnedFd,
}

/// Where a monitor wants a blob.
#[derive(Debug, Clone, Copy)]
pub(crate) struct MapRequest {
    pub(crate) address: *mut c_void,
    /// Bytes; `None` for all.
    pub(crate) size: Option<u64>,
    pub(crate) protection: ProtFlags,
    pub(crate) flags: MapFlags,
}

impl Device {
    /// Makes a blob: a context's memory, or nothing but pages of the guest.
    pub(crate) fn create_blob(&mut self, args: &CreateBlobArgs, pages: Option<GuestPages>) -> Result<(), Error> {
        self.require_new_blob(args.res_handle)?;
        let kind = match args.blob_mem {
            BLOB_MEM_GUEST => Kind::Pages,
            BLOB_MEM_HOST3D | BLOB_MEM_HOST3D_GUEST => {
                let (context, resource) = (ContextId(args.ctx_id), ResourceId(args.res_handle));
                let flags = BlobFlags(args.blob_flags & BLOB_FLAGS);
                self.host.create_blob(context, resource, flags, args.blob_id, args.size)?;
                Kind::Blob(BlobState { size: args.size, mapped: None, pinned: None })
            }
            other => return Err(refused(format!("blob_mem {other} is not known"))),
        };
        self.insert(args.res_handle, kind, pages);
        Ok(())
    }

    /// Makes a blob of a dma-buf or memory file. `fd` is the monitor's; a duplicate of it is kept.
    pub(crate) fn import_blob(&mut self, args: &ImportBlobArgs, fd: BorrowedFd<'_>) -> Result<(), Error> {
        self.require_new_blob(args.res_handle)?;
        let size = rustix::fs::seek(fd, rustix::fs::SeekFrom::End(0))
            .map_err(system("cannot tell how large an imported blob is"))?;
        if args.size == 0 || args.size > size {
            let reason = format!("{} bytes are wanted of a descriptor that has {size}", args.size);
            return Err(refused(reason));
        }
        let fd = fd.try_clone_to_owned().map_err(system("cannot keep the descriptor of an imported blob"))?;
        let storage = match args.fd_type {
            FD_DMABUF => BlobStorage::DmaBuf(fd.into()),
            FD_SHM => BlobStorage::Shm(fd.into()),
            other => return Err(refused(format!("descriptors of type {other} cannot be imported"))),
        };
        let blob = Blob::new(storage, size, MapInfo::Cached);
        self.host.import_blob(ResourceId(args.res_handle), blob, args.size)?;
        self.insert(args.res_handle, Kind::Blob(BlobState { size: args.size, mapped: None, pinned: None }), None);
        Ok(())
    }

    /// Maps a blob, once. Returns where it is and how many bytes of it there are.
    pub(crate) fn map(&mut self, handle: u32) -> Result<(*mut c_void, u64), Error> {
        if self.blob(handle)?.mapped.is_some() {
            return Err(refused(format!("resource {handle} is mapped already")));
        }
        let mapping = self.host.map(ResourceId(handle))?;
        let blob = self.blob(handle)?;
        let address = blob.mapped.insert(mapping).address();
        Ok((address.as_ptr().cast(), blob.size))
    }

    /// Unmaps it. So is unmapped what was still mapped when its resource was dropped.
    pub(crate) fn unmap(&mut self, handle: u32) -> Result<(), Error> {
        if let Ok(blob) = self.blob(handle)
            && blob.mapped.take().is_some()
        {
            return Ok(());
        }
        match self.kept.release(handle) {
            true => Ok(()),
            false => Err(refused(format!("resource {handle} is not mapped"))),
        }
    }

    /// Maps a blob where the monitor wants it; the mapping is the monitor's own.
    ///
    /// # Safety
    ///
    /// As `mmap`, at the address and with the flags of the request: what was there is replaced.
    pub(crate) unsafe fn map_at(&mut self, handle: u32, request: MapRequest) -> Result<(), Error> {
        let size = self.blob(handle)?.size;
        let blob = self.stored(handle)?;
        let Some(fd) = blob.mappable_fd() else {
            return Err(absent("descriptor for this memory that could be mapped"));
        };
        let whole = size.next_multiple_of(host_page_size());
        let size = request.size.unwrap_or(whole);
        if size == 0 || size > whole.min(blob.size) {
            let reason = format!("resource {handle} has {} bytes, not {size}", whole.min(blob.size));
            return Err(refused(reason));
        }
        let length = usize::try_from(size).map_err(|_| refused("so many bytes have no addresses"))?;
        // SAFETY: the contract of this function.
        let mapped = unsafe { mmap(request.address, length, request.protection, request.flags, fd, 0) };
        let mapped = mapped.map_err(system("cannot map a blob at the monitor's address"))?;
        if mapped == request.address {
            return Ok(());
        }
        // Without `MAP_FIXED` the system may take another place, of which the monitor would not hear.
        // SAFETY: `length` bytes were mapped there just now, and nobody has been told of them.
        let unmapped = unsafe { munmap(mapped, length) };
        unmapped.map_err(system("cannot undo a mapping that is not where the monitor wants it"))?;
        Err(refused("the monitor's address is in use, and the flags do not say that it may be replaced"))
    }

    /// Where a blob is in this process, for as long as the resource lives.
    pub(crate) fn address(&mut self, handle: u32) -> Result<u64, Error> {
        if self.blob(handle)?.pinned.is_none() {
            let mapping = self.host.map(ResourceId(handle))?;
            self.blob(handle)?.pinned = Some(mapping);
        }
        let address = self.blob(handle)?.pinned.as_ref().map(HostMapping::address);
        let address = address.and_then(|address| u64::try_from(address.addr().get()).ok());
        address.ok_or_else(|| refused("the address does not fit"))
    }

    /// How the guest should map it.
    pub(crate) fn map_info(&mut self, handle: u32) -> Result<u32, Error> {
        self.blob(handle)?;
        match self.stored(handle)?.map_info {
            MapInfo::None => Err(refused(format!("resource {handle} cannot be mapped"))),
            MapInfo::Cached => Ok(1),
            MapInfo::Uncached => Ok(2),
            MapInfo::WriteCombining => Ok(3),
        }
    }

    /// A descriptor of a blob, for the monitor to keep.
    pub(crate) fn export(&mut self, handle: u32) -> Result<Exported, Error> {
        self.blob(handle)?;
        let (kind, fd) = match &self.stored(handle)?.storage {
            BlobStorage::DmaBuf(fd) => (FD_DMABUF, fd),
            BlobStorage::Shm(fd) => (FD_SHM, fd),
            BlobStorage::Opaque { fd, .. } => (FD_OPAQUE, fd),
            // Memory of this process, and whatever else comes to have no descriptor.
            _ => return Err(refused(format!("resource {handle} has no descriptor"))),
        };
        let fd = fd.try_clone().map_err(system("cannot duplicate the descriptor of a blob"))?;
        Ok(Exported { kind, fd })
    }

    /// Says how a resource could be used as a picture by others: a dma-buf can, whose layout only the guest knows.
    pub(crate) fn export_query(&mut self, query: &mut ExportQuery) -> Result<Option<OwnedFd>, Error> {
        self.resource(query.in_resource_id)?;
        query.out_num_fds = 0;
        query.out_fourcc = 0;
        query.out_fds = [-1; 4];
        query.out_strides = [0; 4];
        query.out_offsets = [0; 4];
        query.out_modifier = MODIFIER_UNKNOWN;
        if self.dma_buf(query.in_resource_id) < 0 {
            return Ok(None);
        }
        query.out_num_fds = 1;
        match query.in_export_fds {
            0 => Ok(None),
            _ => Ok(Some(self.export(query.in_resource_id)?.fd)),
        }
    }

    /// The number of a resource's dma-buf, which stays ours; -1 if it is none.
    pub(super) fn dma_buf(&self, handle: u32) -> i32 {
        match self.host.blob(ResourceId(handle)) {
            Some(blob) if blob.kind() == BlobKind::DmaBuf => blob.mappable_fd().map_or(-1, |fd| fd.as_raw_fd()),
            _ => -1,
        }
    }

    fn stored(&self, handle: u32) -> Result<&Blob, Error> {
        let found = self.host.blob(ResourceId(handle));
        found.ok_or_else(|| refused(format!("resource {handle} has no memory")))
    }

    fn blob(&mut self, handle: u32) -> Result<&mut BlobState, Error> {
        match &mut self.resource(handle)?.kind {
            Kind::Blob(blob) => Ok(blob),
            Kind::Picture(_) | Kind::Pages => Err(refused(format!("resource {handle} is no memory of a context"))),
        }
    }
}
