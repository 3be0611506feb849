//! Which memory types images may lie in.
//!
//! Metal places an image that it may lay out as it likes in memory of its own only. So on drivers made of Metal such an image
//! is not said to fit into types that reach the guest by import, as long as it fits into others: on such machines all types
//! are of one memory, and programs take the one that they can map. Linear images are rows of bytes wherever they lie.

use ash::vk;
use hashbrown::HashSet;
use parking_lot::Mutex;

use super::{super::Device, SharingMethod, TypeMask};

/// The linear images of a device, where that makes a difference.
#[derive(Debug, Default)]
pub(crate) struct LinearImages(Mutex<HashSet<vk::Image>>);

impl LinearImages {
    /// To be called before the driver frees an image, whose handle may be another's then.
    pub(crate) fn remove(&self, image: vk::Image) {
        self.0.lock().remove(&image);
    }
}

impl Device {
    /// Notes how an image that was just created is laid out.
    pub(crate) fn note_tiling(&self, image: vk::Image, tiling: vk::ImageTiling) {
        if tiling == vk::ImageTiling::LINEAR && self.physical().is_metal() {
            self.linear_images().0.lock().insert(image);
        }
    }

    /// Takes from the types that the driver names for an image those in which it could not lie.
    pub(crate) fn narrow_types_of(&self, image: vk::Image, needs: &mut vk::MemoryRequirements) {
        if self.physical().is_metal() && !self.linear_images().0.lock().contains(&image) {
            self.narrow(needs);
        }
    }

    /// The same for an image that is not there yet.
    pub(crate) fn narrow_types_for(
        &self,
        info: &vk::DeviceImageMemoryRequirements<'_>,
        needs: &mut vk::MemoryRequirements,
    ) {
        // SAFETY: the decoder made it, and it lives as long as `info`.
        let create = unsafe { info.p_create_info.as_ref() };
        if self.physical().is_metal() && create.is_some_and(|create| create.tiling != vk::ImageTiling::LINEAR) {
            self.narrow(needs);
        }
    }

    fn narrow(&self, needs: &mut vk::MemoryRequirements) {
        let imported = self.physical().memory_plan().types_by(SharingMethod::Import);
        let left = TypeMask(needs.memory_type_bits).without(imported);
        if !left.is_empty() {
            needs.memory_type_bits = left.0;
        }
    }
}
