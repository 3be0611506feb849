//! Resources of every kind, by the numbers that the guest gave them, and the guest's pages behind them.

use venus_ffi::Error;
use venus_host::resource::{HostMapping, ResourceId};

use super::device::Device;
use crate::{abi::iovec::GuestPages, failure::refused, scanout::picture::Picture};

/// Pictures and pages together; far more than guests have screens and cursors.
const RESOURCES: usize = 65_536;

/// What a resource is.
#[derive(Debug)]
pub(super) enum Kind {
    /// Pixels.
    Picture(Picture),
    /// Memory that the host knows.
    Blob(BlobState),
    /// Nothing but pages of the guest's own.
    Pages,
}

/// What the monitor does with a blob.
#[derive(Debug)]
pub(super) struct BlobState {
    /// Bytes that were asked for.
    pub(super) size: u64,
    /// Where `virgl_renderer_resource_map` has put it.
    pub(super) mapped: Option<HostMapping>,
    /// Where `virgl_renderer_resource_get_map_ptr` says that it is.
    pub(super) pinned: Option<HostMapping>,
}

/// One resource.
#[derive(Debug)]
pub(super) struct Resource {
    pub(super) kind: Kind,
    pub(super) pages: Option<GuestPages>,
    /// What the monitor has noted with it: an address, or whatever it likes.
    pub(super) note: usize,
}

impl Resource {
    pub(super) fn is_blob(&self) -> bool {
        matches!(self.kind, Kind::Blob(_))
    }
}

impl Device {
    /// The resource of that number.
    pub(super) fn resource(&mut self, handle: u32) -> Result<&mut Resource, Error> {
        let found = self.resources.get_mut(&handle);
        found.ok_or_else(|| refused(format!("there is no resource {handle}")))
    }

    /// Fails unless a resource of that number can be made.
    pub(super) fn require_new(&self, handle: u32) -> Result<(), Error> {
        if handle == 0 || self.resources.contains_key(&handle) {
            return Err(refused(format!("{handle} is no number for a new resource")));
        }
        if self.kept.holds(handle) {
            return Err(refused(format!("what is mapped of resource {handle} was not unmapped when that went")));
        }
        if self.resources.len().saturating_add(self.kept.count()) >= RESOURCES {
            return Err(refused(format!("there are {RESOURCES} resources already")));
        }
        Ok(())
    }

    /// Fails unless a blob of that number can be made, which a guest may leave mapped.
    pub(super) fn require_new_blob(&self, handle: u32) -> Result<(), Error> {
        self.require_new(handle)?;
        match self.kept.excess() {
            Some(reason) => Err(refused(reason)),
            None => Ok(()),
        }
    }

    /// Notes a resource that has been made.
    pub(super) fn insert(&mut self, handle: u32, kind: Kind, pages: Option<GuestPages>) {
        self.resources.insert(handle, Resource { kind, pages, note: 0 });
    }

    /// Drops a resource. What is mapped of it stays mapped until it is unmapped, and keeps the number till then.
    pub(crate) fn unref(&mut self, handle: u32) {
        let Some(resource) = self.resources.remove(&handle) else { return };
        match resource.kind {
            Kind::Picture(mut picture) => {
                self.picture_bytes = self.picture_bytes.saturating_sub(picture.size());
                if let Some(Some(screen)) = &self.screen {
                    picture.hide(screen);
                }
            }
            Kind::Blob(blob) => {
                if let Some(mapping) = blob.mapped {
                    self.kept.keep(handle, mapping);
                }
                self.host.destroy_resource(ResourceId(handle));
            }
            Kind::Pages => {}
        }
    }

    /// Gives a resource pages of the guest.
    pub(crate) fn attach_pages(&mut self, handle: u32, pages: GuestPages) -> Result<(), Error> {
        let resource = self.resource(handle)?;
        if resource.pages.is_some() {
            return Err(refused(format!("resource {handle} has pages already")));
        }
        resource.pages = Some(pages);
        Ok(())
    }

    /// Takes them away, and returns them for the monitor to free.
    pub(crate) fn detach_pages(&mut self, handle: u32) -> Option<GuestPages> {
        self.resources.get_mut(&handle)?.pages.take()
    }

    /// Notes what the monitor wants to find again.
    pub(crate) fn set_note(&mut self, handle: u32, note: usize) -> Result<(), Error> {
        self.resource(handle)?.note = note;
        Ok(())
    }

    /// What it has noted; 0 for nothing.
    pub(crate) fn note(&self, handle: u32) -> usize {
        self.resources.get(&handle).map_or(0, |resource| resource.note)
    }
}
