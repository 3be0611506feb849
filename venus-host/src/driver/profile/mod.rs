//! Pretending to be another driver.
//!
//! macOS drivers lack what Linux drivers have, and the code for that is easy to break on Linux, where we develop. Under
//! a profile the host hides from itself what those drivers lack, so their paths run here, and guests are told what they
//! would be told on a Mac.
//!
//! | file | what |
//! |---|---|
//! | `moltenvk` | the extensions of MoltenVK |
//! | `features` | features and limits that MoltenVK lacks |

mod features;
mod moltenvk;

use ash::vk;

/// Which driver to pretend to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Profile {
    /// The driver as it is.
    #[default]
    Native,
    /// Like MoltenVK.
    MoltenVk,
    /// Like KosmicKrisp.
    KosmicKrisp,
}

/// What no Metal driver has: anything that passes file descriptors, and what needs dma-buf.
const NO_METAL_DRIVER_HAS: &[&str] = &[
    "VK_KHR_external_fence_fd",
    "VK_KHR_external_memory_fd",
    "VK_KHR_external_semaphore_fd",
    "VK_EXT_external_memory_dma_buf",
    "VK_EXT_image_drm_format_modifier",
    "VK_EXT_queue_family_foreign",
];

impl Profile {
    /// Whether the driver is to be treated as if it did not have the extension.
    pub(crate) fn hides(self, extension: &str) -> bool {
        match self {
            Self::Native => false,
            Self::KosmicKrisp => NO_METAL_DRIVER_HAS.contains(&extension),
            Self::MoltenVk => moltenvk::EXTENSIONS.binary_search(&extension).is_err(),
        }
    }

    /// Whether the driver is to be treated as if it did not have sparse binding.
    pub(crate) fn hides_sparse(self) -> bool {
        self == Self::MoltenVk
    }

    /// Takes from a queue family what the driver that it stands for does not have: a second queue, and sparse binding.
    pub(crate) fn restrict_family(self, family: &mut vk::QueueFamilyProperties) {
        if self == Self::MoltenVk {
            family.queue_count = family.queue_count.min(1);
            family.queue_flags &= !vk::QueueFlags::SPARSE_BINDING;
        }
    }

    /// Bytes that host-visible allocations are rounded up to, at least: the page size of the machines such drivers run
    /// on.
    pub(crate) fn granularity(self) -> u64 {
        match self {
            Self::Native => 1,
            Self::MoltenVk | Self::KosmicKrisp => 16 << 10,
        }
    }

    /// The word on the command line.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Native => "native",
            Self::MoltenVk => "moltenvk",
            Self::KosmicKrisp => "kosmickrisp",
        }
    }
}

impl std::str::FromStr for Profile {
    type Err = String;

    fn from_str(word: &str) -> Result<Self, String> {
        [Self::Native, Self::MoltenVk, Self::KosmicKrisp]
            .into_iter()
            .find(|profile| profile.name() == word)
            .ok_or_else(|| format!("no profile is called {word}; there are native, moltenvk and kosmickrisp"))
    }
}
