//! How a guest root is made: what goes in, and the key under which the result is kept.

use sha2::{Digest as _, Sha256};

/// Raised when the way roots are made changes in a manner that the rest of the recipe does not show.
const VERSION: u32 = 1;
/// Hexadecimal digits of a hash that go into a folder's name.
const KEY_DIGITS: usize = 12;

/// A Debian suite that guests are made from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, clap::ValueEnum)]
pub enum Suite {
    /// Debian 13: the oldest Mesa whose Venus driver is known to work, and it stays the same.
    Trixie,
    /// Debian unstable: the newest Mesa there is, and it moves daily.
    Sid,
}

impl Suite {
    /// Every suite, oldest first.
    pub const ALL: [Self; 2] = [Self::Trixie, Self::Sid];

    /// Its name on a mirror.
    pub fn name(self) -> &'static str {
        match self {
            Self::Trixie => "trixie",
            Self::Sid => "sid",
        }
    }

    /// The environment variable that tells the end-to-end tests where the root is.
    pub fn variable(self) -> &'static str {
        match self {
            Self::Trixie => "VENUS_GUEST_ROOT_TRIXIE",
            Self::Sid => "VENUS_GUEST_ROOT_SID",
        }
    }

    /// What is installed on top of Debian's minimal base.
    pub(super) fn packages(self) -> Vec<&'static str> {
        let mut packages = vec![
            "mesa-vulkan-drivers", // the Venus driver, and lavapipe for comparison
            "vulkan-tools",        // vulkaninfo, vkcube
            "vkmark",              // a benchmark with a score per scene
            "xvfb",                // a screen for the two above
            "virgl-server",        // the reference host, to measure against
        ];
        if self == Self::Sid {
            // ggml's own tests: programs that compute. 80 MB, which one guest is enough for.
            packages.extend(["llama.cpp-tests", "libggml0-backend-vulkan"]);
        }
        packages
    }

    /// Everything that decides what a root contains, but for the archive's state.
    fn recipe(self, architecture: &str) -> String {
        format!("{VERSION}\n{}\n{architecture}\n{}\n", self.name(), self.packages().join("\n"))
    }

    /// The first half of a root's folder name: suite and recipe.
    pub(super) fn recipe_key(self) -> String {
        format!("{}-{}", self.name(), short_hash(self.recipe(std::env::consts::ARCH).as_bytes()))
    }
}

/// A hash for people's eyes and folder names.
pub(super) fn short_hash(bytes: &[u8]) -> String {
    let digest = Sha256::digest(bytes);
    let digits: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    digits[..KEY_DIGITS].to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_follows_the_recipe() {
        assert_ne!(Suite::Trixie.recipe_key(), Suite::Sid.recipe_key());
        assert_ne!(Suite::Sid.recipe("x86_64"), Suite::Sid.recipe("aarch64"));
        assert!(Suite::Sid.recipe_key().starts_with("sid-"));
        assert_eq!(short_hash(b""), "e3b0c44298fc");
    }
}
