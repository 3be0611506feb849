//! Calls about memory: that of guests, and the caller's own.

use std::{
    ffi::c_void,
    io::Write as _,
    os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd},
    ptr,
    sync::{
        Arc,
        atomic::{AtomicU8, AtomicUsize},
    },
};

use venus_host_c::{imports::*, resources::*};

use super::{
    Monitor, PAGE,
    callbacks::released,
    served::{sized, told},
};

/// A page that is lent.
#[repr(C, align(4096))]
pub(super) struct Page([AtomicU8; PAGE]);

/// Memory of the caller's, and whether it was given back.
pub(super) struct Lent {
    page: Box<Page>,
    pub(super) released: Arc<AtomicUsize>,
    /// How often it is to be released in the end.
    pub(super) expected: usize,
}

impl Monitor<'_, '_, '_> {
    pub(super) fn create_blob(&mut self) {
        let (context, resource) = (self.context(), self.resource());
        let flags = match self.source.byte() {
            0..0xc0 => VENUS_BLOB_MAPPABLE,
            other => other.into(),
        };
        let blob_id = match self.source.byte() {
            0..0xc0 => 0,
            _ => self.source.number(),
        };
        let size = match self.source.byte() {
            0..0xe0 => PAGE as u64,
            _ => self.source.number().min(1 << 24),
        };
        // SAFETY: the host lives.
        told(unsafe { venus_host_create_blob(self.host, context, resource, flags, blob_id, size) });
    }

    pub(super) fn describe(&mut self) {
        let resource = self.resource();
        // SAFETY: all of its members are numbers.
        let mut words = sized(self.source, unsafe { std::mem::zeroed::<venus_blob>() });
        let size = words[0];
        // SAFETY: the host lives, and the structure has as many bytes as it says.
        let result = told(unsafe { venus_host_describe_resource(self.host, resource, words.as_mut_ptr().cast()) });
        if result == 0 {
            assert_eq!(words[0], size, "the caller's size is the caller's");
            assert!(words[1] > 0, "there is storage");
        }
    }

    pub(super) fn export(&mut self) {
        let resource = self.resource();
        // SAFETY: the host lives.
        let fd = told(unsafe { venus_host_export_fd(self.host, resource) });
        if fd >= 0 {
            // SAFETY: it is this caller's now.
            let file = std::fs::File::from(unsafe { OwnedFd::from_raw_fd(fd) });
            if let Ok(about) = file.metadata()
                && self.files.len() < 4
            {
                self.files.push((file.into(), about.len()));
            }
        }
    }

    pub(super) fn import_memory(&mut self) {
        let resource = self.resource();
        let how = self.source.byte();
        let page = Box::new(Page([const { AtomicU8::new(0) }; PAGE]));
        let mut lent = Lent { page, released: Arc::default(), expected: 0 };
        let (mut address, mut size) = (ptr::from_ref(&*lent.page).cast_mut().cast::<c_void>(), PAGE);
        match how {
            0..0xe0 => {}
            // What is not a page, or not there.
            0xe0..0xe8 => address = address.wrapping_byte_add(8),
            0xe8..0xf0 => address = ptr::null_mut(),
            _ => size = usize::from(self.source.short()) % PAGE,
        }
        if (0xe0..0xe8).contains(&how) {
            size -= 8;
        }
        let callback = (how & 1 == 0).then_some(released as unsafe extern "C" fn(*mut c_void));
        let user = Arc::as_ptr(&lent.released).cast_mut().cast();
        // SAFETY: the host lives; the page stays until all is over, and is used as memory that is shared.
        let result = unsafe { venus_host_import_memory(self.host, resource, address, size, callback, user) };
        lent.expected = usize::from(told(result) == 0 && callback.is_some());
        self.lent.push(lent);
    }

    pub(super) fn import_fd(&mut self) {
        let resource = self.resource();
        let storage = match self.source.byte() {
            0..0xc0 => VENUS_STORAGE_SHM,
            0xc0..0xe0 => VENUS_STORAGE_DMA_BUF,
            other => u32::from(other & 7),
        };
        if self.files.is_empty() || self.source.byte() >= 0x80 {
            let mut file = tempfile::tempfile().expect("a file");
            file.write_all(&[1; 2 * PAGE]).expect("room for two pages");
            self.files.push((file.into(), 2 * PAGE as u64));
        }
        let (file, bytes) = &self.files[self.source.below(self.files.len())];
        // It has to have as many.
        let size = self.source.number().min(*bytes);
        let size = if size == 0 && self.source.byte() < 0xf0 { *bytes } else { size };
        let map_info = u32::from(self.source.byte() % 5);
        // SAFETY: the host lives, and the descriptor is open.
        let result = unsafe { venus_host_import_fd(self.host, resource, storage, file.as_raw_fd(), size, map_info) };
        told(result);
    }
}
