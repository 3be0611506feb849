//! Pretending to be another driver.
//!
//! macOS drivers lack what Linux drivers have, and the code for that is easy to break on Linux, where we develop. Under
//! a profile the host hides from itself what those drivers lack, so their paths run here.

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

/// What Metal has no counterpart for and MoltenVK does not emulate.
const MOLTENVK_LACKS: &[&str] = &[
    "VK_EXT_conditional_rendering",
    "VK_EXT_conservative_rasterization",
    "VK_EXT_custom_border_color",
    "VK_EXT_depth_clip_control",
    "VK_EXT_graphics_pipeline_library",
    "VK_EXT_multi_draw",
    "VK_EXT_mutable_descriptor_type",
    "VK_EXT_primitives_generated_query",
    "VK_EXT_provoking_vertex",
    "VK_EXT_transform_feedback",
    "VK_KHR_fragment_shading_rate",
];

impl Profile {
    /// Whether the driver is to be treated as if it did not have the extension.
    pub(crate) fn hides(self, extension: &str) -> bool {
        match self {
            Self::Native => false,
            Self::KosmicKrisp => NO_METAL_DRIVER_HAS.contains(&extension),
            Self::MoltenVk => NO_METAL_DRIVER_HAS.contains(&extension) || MOLTENVK_LACKS.contains(&extension),
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
