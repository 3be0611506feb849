//! What objects were made with, as far as commands that name them are compared with it.
//!
//! A device keeps it under the driver's handles, since commands name most objects inside of structures, where the decoder
//! has put those. It is noted before anybody can name the object, and forgotten when nobody can any more, just before the
//! driver frees the handle.
//!
//! An endpoint remembers what it asked for last ([`Remembered`]), so that a run of commands about the same few objects
//! takes no lock. That is good for as long as the device forgets nothing, which a number tells that no device has twice.

use std::{
    fmt,
    sync::atomic::{AtomicU64, Ordering},
};

use ash::vk::{self, Handle};
use hashbrown::HashMap;
use parking_lot::RwLock;

use super::Device;

/// What is known of objects of one type, by their handles.
type Shelf<T> = RwLock<HashMap<u64, T, foldhash::fast::RandomState>>;

/// The last number that says how old what a device keeps is.
static LAST_AGE: AtomicU64 = AtomicU64::new(0);

fn next_age() -> u64 {
    LAST_AGE.fetch_add(1, Ordering::Relaxed).wrapping_add(1)
}

/// What an image was made with.
#[derive(Clone, Copy, Default)]
pub(crate) struct Image {
    pub(super) kind: vk::ImageType,
    pub(super) flags: vk::ImageCreateFlags,
    pub(super) format: vk::Format,
    pub(super) extent: vk::Extent3D,
    pub(super) levels: u32,
    pub(super) layers: u32,
}

impl Image {
    pub(super) fn of(info: &vk::ImageCreateInfo<'_>) -> Self {
        let vk::ImageCreateInfo { image_type: kind, flags, format, extent, mip_levels, array_layers, .. } = *info;
        Self { kind, flags, format, extent, levels: mip_levels, layers: array_layers }
    }

    /// Whether it has slices, not layers.
    pub(super) fn is_3d(&self) -> bool {
        self.kind == vk::ImageType::TYPE_3D
    }
}

/// What a device's objects were made with.
pub(crate) struct Made {
    /// A number that changes whenever something is forgotten.
    age: AtomicU64,
    /// Sizes in bytes.
    buffers: Shelf<u64>,
    images: Shelf<Image>,
}

impl Default for Made {
    fn default() -> Self {
        Self { age: AtomicU64::new(next_age()), buffers: Shelf::default(), images: Shelf::default() }
    }
}

impl Made {
    /// Notes how many bytes a buffer has that was just created.
    fn note_buffer(&self, buffer: vk::Buffer, size: u64) {
        self.buffers.write().insert(buffer.as_raw(), size);
    }

    /// To be called before the driver frees an object, whose handle may be another's then.
    pub(super) fn forget(&self, kind: vk::ObjectType, raw: u64) {
        let was_known = match kind {
            vk::ObjectType::BUFFER => self.buffers.write().remove(&raw).is_some(),
            vk::ObjectType::IMAGE => self.images.write().remove(&raw).is_some(),
            _ => false,
        };
        if was_known {
            self.age.store(next_age(), Ordering::Release);
        }
    }
}

impl fmt::Debug for Made {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Made").field("age", &self.age).finish_non_exhaustive()
    }
}

impl Device {
    /// Notes what a buffer was created with that was just created.
    pub(crate) fn note_buffer(&self, buffer: vk::Buffer, info: &vk::BufferCreateInfo<'_>) {
        self.made().note_buffer(buffer, info.size);
    }

    /// The same of an image.
    pub(crate) fn note_image(&self, image: vk::Image, info: &vk::ImageCreateInfo<'_>) {
        self.made().images.write().insert(image.as_raw(), Image::of(info));
    }
}

/// Objects of one type that are remembered.
const SLOTS: usize = 16;

/// What is remembered of objects of one type. A handle of 0 is none.
struct Slots<T>([(u64, T); SLOTS]);

impl<T: Copy + Default> Default for Slots<T> {
    fn default() -> Self {
        Self([(0, T::default()); SLOTS])
    }
}

impl<T: Copy + Default> Slots<T> {
    /// The one slot that may remember a handle. Drivers' handles are mostly addresses, of which any bits may be all alike.
    #[inline]
    fn slot(&mut self, raw: u64) -> Option<&mut (u64, T)> {
        const UPPERMOST: u32 = u64::BITS - SLOTS.ilog2();
        let place = raw.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> UPPERMOST;
        self.0.get_mut(usize::try_from(place).unwrap_or_default())
    }
}

/// What one endpoint remembers.
#[derive(Default)]
pub(crate) struct Remembered {
    /// [`Made::age`] of the device that all of it is of.
    age: u64,
    buffers: Slots<u64>,
    images: Slots<Image>,
}

impl fmt::Debug for Remembered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Remembered").field("age", &self.age).finish_non_exhaustive()
    }
}

/// What can be said of the objects that the current command of an endpoint names.
pub(crate) struct Known<'a> {
    made: &'a Made,
    remembered: &'a mut Remembered,
}

impl<'a> Known<'a> {
    /// What the device says, and what the endpoint remembers of that.
    #[inline]
    pub(crate) fn of(device: &'a Device, remembered: &'a mut Remembered) -> Self {
        Self { made: device.made(), remembered }
    }

    /// The same, of images that are none of a device's.
    #[cfg(test)]
    pub(super) fn of_images<T>(images: &[vk::ImageCreateInfo<'_>], ask: impl FnOnce(&mut Known<'_>) -> T) -> T {
        let (made, mut remembered) = (Made::default(), Remembered::default());
        made.note_buffer(vk::Buffer::from_raw(1), 4096);
        for (image, raw) in images.iter().zip(1..) {
            made.images.write().insert(raw, Image::of(image));
        }
        ask(&mut Known { made: &made, remembered: &mut remembered })
    }

    /// What the endpoint remembers, if it is not too old.
    #[inline]
    fn remembered(&mut self) -> &mut Remembered {
        let age = self.made.age.load(Ordering::Acquire);
        if self.remembered.age != age {
            self.remembered.begin_anew(age);
        }
        self.remembered
    }

    /// How many bytes a buffer has; `None` for a null handle.
    #[inline]
    pub(crate) fn buffer(&mut self, buffer: vk::Buffer) -> Option<u64> {
        let made = self.made;
        look(self.remembered().buffers.slot(buffer.as_raw()), &made.buffers, buffer.as_raw())
    }
}

impl Known<'_> {
    /// What an image was made with; `None` for a null handle.
    #[inline]
    pub(crate) fn image(&mut self, image: vk::Image) -> Option<Image> {
        let made = self.made;
        look(self.remembered().images.slot(image.as_raw()), &made.images, image.as_raw())
    }
}

impl Remembered {
    #[cold]
    fn begin_anew(&mut self, age: u64) {
        *self = Self { age, ..Self::default() };
    }
}

/// What is known of an object, from the slot that may remember it or else from the shelf.
#[inline]
fn look<T: Copy>(slot: Option<&mut (u64, T)>, shelf: &Shelf<T>, raw: u64) -> Option<T> {
    let slot = slot?;
    if slot.0 == raw && raw != 0 { Some(slot.1) } else { find(slot, shelf, raw) }
}

#[cold]
fn find<T: Copy>(slot: &mut (u64, T), shelf: &Shelf<T>, raw: u64) -> Option<T> {
    let found = *shelf.read().get(&raw)?;
    *slot = (raw, found);
    Some(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn buffer(raw: u64) -> vk::Buffer {
        vk::Buffer::from_raw(raw)
    }

    #[test]
    fn what_was_forgotten_is_not_remembered() {
        let (made, mut remembered) = (Made::default(), Remembered::default());
        let mut known = Known { made: &made, remembered: &mut remembered };
        for raw in 1..100 {
            made.note_buffer(buffer(raw), raw * 3);
        }
        for raw in (1..100).chain(1..100) {
            assert_eq!(known.buffer(buffer(raw)), Some(raw * 3));
        }
        assert_eq!(known.buffer(vk::Buffer::null()), None);
        made.forget(vk::ObjectType::BUFFER, 7);
        assert_eq!(known.buffer(buffer(7)), None);
        made.note_buffer(buffer(7), 5);
        assert_eq!(known.buffer(buffer(7)), Some(5));
    }

    #[test]
    fn what_is_remembered_is_of_one_device() {
        let (one, other, mut remembered) = (Made::default(), Made::default(), Remembered::default());
        one.note_buffer(buffer(7), 1);
        other.note_buffer(buffer(7), 2);
        for (made, size) in [(&one, 1), (&other, 2), (&one, 1)] {
            assert_eq!(Known { made, remembered: &mut remembered }.buffer(buffer(7)), Some(size));
        }
    }
}
