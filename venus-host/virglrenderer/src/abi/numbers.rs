//! Numbers of the C interface, with its own names.

/// `VIRGL_RENDERER_VENUS`, a flag of `virgl_renderer_init`: serve Venus contexts.
pub(crate) const FLAG_VENUS: i32 = 1 << 6;
/// `VIRGL_RENDERER_ASYNC_FENCE_CB`: fence callbacks may come at any time on threads of ours. Without it they come inside
/// `virgl_renderer_poll` only.
pub(crate) const FLAG_ASYNC_FENCE_CB: i32 = 1 << 8;

/// `VIRGL_RENDERER_CONTEXT_FLAG_CAPSET_ID_MASK`: which bits of a context's flags say what it speaks.
pub(crate) const CONTEXT_CAPSET_MASK: u32 = 0xff;

/// `VIRGL_RENDERER_BLOB_MEM_GUEST`: the blob is pages of the guest's own.
pub(crate) const BLOB_MEM_GUEST: u32 = 1;
/// `VIRGL_RENDERER_BLOB_MEM_HOST3D`: a context provides the blob.
pub(crate) const BLOB_MEM_HOST3D: u32 = 2;
/// `VIRGL_RENDERER_BLOB_MEM_HOST3D_GUEST`: a context provides it, and the guest has pages for it, too.
pub(crate) const BLOB_MEM_HOST3D_GUEST: u32 = 3;

/// `VIRGL_RENDERER_BLOB_FD_TYPE_DMABUF`.
pub(crate) const FD_DMABUF: u32 = 1;
/// `VIRGL_RENDERER_BLOB_FD_TYPE_OPAQUE`.
pub(crate) const FD_OPAQUE: u32 = 2;
/// `VIRGL_RENDERER_BLOB_FD_TYPE_SHM`.
pub(crate) const FD_SHM: u32 = 3;

/// `VIRGL_RENDERER_STRUCTURE_TYPE_EXPORT_QUERY`.
pub(crate) const STRUCTURE_EXPORT_QUERY: u32 = 1 << 0;
/// `VIRGL_RENDERER_STRUCTURE_TYPE_SUPPORTED_STRUCTURES`.
pub(crate) const STRUCTURE_SUPPORTED: u32 = 1 << 1;

/// `PIPE_TEXTURE_2D`, the target of a resource that can be looked at.
pub(crate) const TARGET_TEXTURE_2D: u32 = 2;

/// `DRM_FORMAT_MOD_INVALID`: the layout of a buffer is not told.
pub(crate) const MODIFIER_UNKNOWN: u64 = 0x00ff_ffff_ffff_ffff;
