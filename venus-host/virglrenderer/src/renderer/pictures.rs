//! Resources that can be looked at: see [`crate::scanout`].

use venus_ffi::Error;

use super::{
    device::Device,
    resources::{Kind, Resource},
};
use crate::{
    abi::{
        iovec::GuestPages,
        structures::{ResourceCreateArgs, ResourceInfo, TransferBox},
    },
    failure::refused,
    scanout::{picture::Picture, screen::Screen},
};

/// Bytes of all pictures of a guest; a screen of 4K takes 33 MB.
const PICTURE_BYTES: u64 = 512 << 20;

/// A transfer between a picture and the guest's pages.
#[derive(Debug)]
pub(crate) struct Transfer {
    pub(crate) region: TransferBox,
    pub(crate) stride: u32,
    pub(crate) offset: u64,
    /// The pages, where they are not those of the resource.
    pub(crate) pages: Option<GuestPages>,
}

impl Device {
    /// Makes a picture.
    pub(crate) fn create_picture(&mut self, args: &ResourceCreateArgs, pages: Option<GuestPages>) -> Result<(), Error> {
        self.require_new(args.handle)?;
        let mut picture = Picture::new(args).map_err(refused)?;
        let bytes = self.picture_bytes.saturating_add(picture.size());
        if bytes > PICTURE_BYTES {
            return Err(refused(format!("all pictures together would have {bytes} bytes")));
        }
        self.picture_bytes = bytes;
        let consumer = self.consumer;
        if let Some(screen) = self.screen.get_or_insert_with(|| Screen::open(consumer)) {
            picture.show(screen);
        }
        self.insert(args.handle, Kind::Picture(picture), pages);
        Ok(())
    }

    /// Takes pixels from the guest.
    pub(crate) fn write(&mut self, handle: u32, transfer: &Transfer) -> Result<(), Error> {
        let Resource { kind, pages, .. } =
            self.resources.get_mut(&handle).ok_or_else(|| refused(format!("there is no resource {handle}")))?;
        let screen = self.screen.as_ref().and_then(Option::as_ref);
        let Transfer { region, stride, offset, .. } = *transfer;
        let (picture, pages) = sides(kind, transfer.pages.or(*pages))?;
        picture.write(region, stride, offset, &pages, screen).map_err(refused)
    }

    /// Gives pixels to the guest.
    pub(crate) fn read(&mut self, handle: u32, transfer: &Transfer) -> Result<(), Error> {
        let Resource { kind, pages, .. } = self.resource(handle)?;
        let Transfer { region, stride, offset, .. } = *transfer;
        let (picture, pages) = sides(kind, transfer.pages.or(*pages))?;
        picture.read(region, stride, offset, &pages).map_err(refused)
    }

    /// What a monitor is told about a resource.
    pub(crate) fn info(&mut self, handle: u32) -> Result<ResourceInfo, Error> {
        let fd = self.dma_buf(handle);
        match &self.resource(handle)?.kind {
            Kind::Picture(picture) => Ok(picture.info(handle)),
            Kind::Blob(_) | Kind::Pages => Ok(ResourceInfo { handle, fd, ..ResourceInfo::default() }),
        }
    }

    /// Calls `look` with the pixels of a cursor, its width and its height.
    pub(crate) fn cursor<T>(&mut self, handle: u32, look: impl FnOnce(&[u8], u32, u32) -> T) -> Result<T, Error> {
        match &self.resource(handle)?.kind {
            Kind::Picture(picture) => {
                let (pixels, width, height) = picture.pixels();
                Ok(look(pixels, width, height))
            }
            Kind::Blob(_) | Kind::Pages => Err(refused(format!("resource {handle} is no picture"))),
        }
    }
}

/// What a transfer goes between.
fn sides(kind: &mut Kind, pages: Option<GuestPages>) -> Result<(&mut Picture, GuestPages), Error> {
    let Kind::Picture(picture) = kind else {
        return Err(refused("memory of a context is shared, not transferred"));
    };
    let pages = pages.ok_or_else(|| refused("the resource has no pages"))?;
    Ok((picture, pages))
}
