//! What arguments point to. Layouts are those of libvirglrenderer 1.3 on 64-bit systems, field by field, and asserted.

use std::ffi::{c_int, c_void};

use super::iovec::IoVec;

/// `virgl_renderer_resource_create_args`: eleven words.
#[derive(Debug, Clone, Copy, Default)]
#[repr(C)]
pub(crate) struct ResourceCreateArgs {
    /// The resource's number, chosen by the guest.
    pub(crate) handle: u32,
    /// Gallium's `pipe_texture_target`.
    pub(crate) target: u32,
    /// A `virgl_formats` value.
    pub(crate) format: u32,
    /// `VIRGL_RES_BIND_*`.
    pub(crate) bind: u32,
    /// In pixels.
    pub(crate) width: u32,
    /// In pixels.
    pub(crate) height: u32,
    /// 1 for flat pictures.
    pub(crate) depth: u32,
    /// Layers.
    pub(crate) array_size: u32,
    /// 0 without smaller levels.
    pub(crate) last_level: u32,
    /// 0 or 1 without multisampling.
    pub(crate) nr_samples: u32,
    /// Bit 0: the first row is the top one.
    pub(crate) flags: u32,
}
const _: () = assert!(size_of::<ResourceCreateArgs>() == 44);

/// `virgl_renderer_resource_info`.
#[derive(Debug, Clone, Copy, Default)]
#[repr(C)]
pub(crate) struct ResourceInfo {
    /// The resource's number.
    pub(crate) handle: u32,
    /// A `virgl_formats` value.
    pub(crate) virgl_format: u32,
    /// In pixels.
    pub(crate) width: u32,
    /// In pixels.
    pub(crate) height: u32,
    /// 1 for flat pictures.
    pub(crate) depth: u32,
    /// Bit 0: the texture is upside down for OpenGL.
    pub(crate) flags: u32,
    /// Name of the OpenGL texture in the monitor's context; 0 without.
    pub(crate) tex_id: u32,
    /// Bytes from row to row.
    pub(crate) stride: u32,
    /// A `DRM_FORMAT_*` value.
    pub(crate) drm_fourcc: c_int,
    /// The dma-buf, which stays the library's; -1 without.
    pub(crate) fd: c_int,
}
const _: () = assert!(size_of::<ResourceInfo>() == 40);

/// `virgl_renderer_resource_info_ext`, version 0.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub(crate) struct ResourceInfoExt {
    /// 0.
    pub(crate) version: c_int,
    /// What `virgl_renderer_resource_get_info` tells.
    pub(crate) base: ResourceInfo,
    /// Whether the texture has a dma-buf.
    pub(crate) has_dmabuf_export: bool,
    /// Planes of that dma-buf.
    pub(crate) planes: c_int,
    /// `DRM_FORMAT_MOD_*`.
    pub(crate) modifiers: u64,
    /// Never set here.
    pub(crate) d3d_tex2d: *mut c_void,
}
const _: () = {
    assert!(size_of::<ResourceInfoExt>() == 72);
    assert!(std::mem::offset_of!(ResourceInfoExt, has_dmabuf_export) == 44);
    assert!(std::mem::offset_of!(ResourceInfoExt, planes) == 48);
    assert!(std::mem::offset_of!(ResourceInfoExt, modifiers) == 56);
};

/// `virgl_box`: six words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(C)]
pub(crate) struct TransferBox {
    /// Left.
    pub(crate) x: u32,
    /// Top.
    pub(crate) y: u32,
    /// First layer.
    pub(crate) z: u32,
    /// Width.
    pub(crate) w: u32,
    /// Height.
    pub(crate) h: u32,
    /// Layers.
    pub(crate) d: u32,
}
const _: () = assert!(size_of::<TransferBox>() == 24);

/// `virgl_renderer_resource_create_blob_args`.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub(crate) struct CreateBlobArgs {
    /// The resource's number.
    pub(crate) res_handle: u32,
    /// The context that makes it.
    pub(crate) ctx_id: u32,
    /// `VIRGL_RENDERER_BLOB_MEM_*`.
    pub(crate) blob_mem: u32,
    /// `VIRGL_RENDERER_BLOB_FLAG_*`.
    pub(crate) blob_flags: u32,
    /// What the context knows it by.
    pub(crate) blob_id: u64,
    /// Bytes.
    pub(crate) size: u64,
    /// The guest's pages.
    pub(crate) iovecs: *const IoVec,
    /// How many of them.
    pub(crate) num_iovs: u32,
}
const _: () = {
    assert!(size_of::<CreateBlobArgs>() == 48);
    assert!(std::mem::offset_of!(CreateBlobArgs, iovecs) == 32);
};

/// `virgl_renderer_resource_import_blob_args`.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub(crate) struct ImportBlobArgs {
    /// The resource's number.
    pub(crate) res_handle: u32,
    /// `VIRGL_RENDERER_BLOB_MEM_*`.
    pub(crate) blob_mem: u32,
    /// `VIRGL_RENDERER_BLOB_FD_TYPE_*`.
    pub(crate) fd_type: u32,
    /// Becomes the library's if the call succeeds.
    pub(crate) fd: c_int,
    /// Bytes.
    pub(crate) size: u64,
}
const _: () = assert!(size_of::<ImportBlobArgs>() == 24);

/// `virgl_renderer_hdr`: how every argument of `virgl_renderer_execute` begins.
#[derive(Debug, Clone, Copy, Default)]
#[repr(C)]
pub(crate) struct Header {
    /// `VIRGL_RENDERER_STRUCTURE_TYPE_*`.
    pub(crate) stype: u32,
    /// 0.
    pub(crate) stype_version: u32,
    /// Bytes of the structure.
    pub(crate) size: u32,
}
const _: () = assert!(size_of::<Header>() == 12);

/// `virgl_renderer_export_query`.
#[derive(Debug, Clone, Copy, Default)]
#[repr(C)]
pub(crate) struct ExportQuery {
    /// What this is.
    pub(crate) hdr: Header,
    /// The resource in question.
    pub(crate) in_resource_id: u32,
    /// Buffers behind it; 0 if it cannot be exported.
    pub(crate) out_num_fds: u32,
    /// Whether descriptors are wanted, too.
    pub(crate) in_export_fds: u32,
    /// A `DRM_FORMAT_*` value.
    pub(crate) out_fourcc: u32,
    /// Nothing.
    pub(crate) pad: u32,
    /// The caller's to close.
    pub(crate) out_fds: [i32; 4],
    /// Bytes from row to row.
    pub(crate) out_strides: [u32; 4],
    /// Where each plane begins.
    pub(crate) out_offsets: [u32; 4],
    /// `DRM_FORMAT_MOD_*`.
    pub(crate) out_modifier: u64,
}
const _: () = {
    assert!(size_of::<ExportQuery>() == 88);
    assert!(std::mem::offset_of!(ExportQuery, out_fds) == 32);
    assert!(std::mem::offset_of!(ExportQuery, out_modifier) == 80);
};

/// `virgl_renderer_supported_structures`.
#[derive(Debug, Clone, Copy, Default)]
#[repr(C)]
pub(crate) struct SupportedStructures {
    /// What this is.
    pub(crate) hdr: Header,
    /// The version in question.
    pub(crate) in_stype_version: u32,
    /// Bits of the structures that are understood.
    pub(crate) out_supported_structures_mask: u32,
}
const _: () = assert!(size_of::<SupportedStructures>() == 20);
