//! How a root is made: what goes in, and the key under which the result is kept.

use sha2::{Digest as _, Sha256};
use std::time::Duration;

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

    /// The root of a guest.
    pub(super) fn recipe(self) -> Recipe {
        let mut packages = vec![
            "mesa-vulkan-drivers", // the Venus driver, and lavapipe for comparison
            "vulkan-tools",        // vulkaninfo, vkcube
            "vkmark",              // a benchmark with a score per scene
            "xvfb",                // a screen for the two above
            "virgl-server",        // the reference host, to measure against
            // For `cargo xtask parity`: OpenGL programs, which Zink turns into Vulkan, and a layer that judges calls.
            "libgl1-mesa-dri",
            "glmark2-x11",
            "mesa-utils",
            "vulkan-validationlayers",
        ];
        if self == Self::Sid {
            // ggml's own tests, and a benchmark: programs that compute. 80 MB, which one guest is enough for.
            packages.extend(["llama.cpp-tests", "llama.cpp-tools", "libggml0-backend-vulkan"]);
        }
        Recipe {
            name: self.name(),
            what: "guest root",
            suite: self.name(),
            folder: "guests",
            packages,
            leave_out: &[],
            made: Made::Installed,
            witness: ("Mesa", "mesa-vulkan-drivers"),
            megabytes: 600,
            // Unstable changes several times a day, and a test run that makes its guests anew each time would teach us
            // nothing more.
            fresh: Duration::from_secs(24 * 3600),
        }
    }
}

/// The Rust toolchain of Debian unstable, which can build the standard library for other targets: it has its sources.
pub(super) fn toolchain() -> Recipe {
    Recipe {
        name: "toolchain",
        what: "toolchain root",
        suite: "sid",
        folder: "macos",
        packages: vec!["rustc", "cargo", "rust-clippy", "rust-src"],
        // Most of the sources are the compiler's and its tools'. Mind that a star also stands for slashes.
        leave_out: &["/usr/src/rustc-*/compiler/*", "/usr/src/rustc-*/src/doc/*", "/usr/src/rustc-*/src/tools/*"],
        made: Made::Installed,
        witness: ("Rust", "rustc"),
        megabytes: 900,
        // A newer toolchain finds other faults, so that a change of nobody's making can fail: not more often than this.
        fresh: Duration::from_secs(30 * 24 * 3600),
    }
}

/// What runs virtual machines: QEMU with its OpenGL modules and stock virglrenderer, and drivers for both of them.
pub(super) fn qemu(suite: Suite) -> Recipe {
    Recipe {
        name: match suite {
            Suite::Trixie => "qemu-trixie",
            Suite::Sid => "qemu-sid",
        },
        what: "root with QEMU",
        suite: suite.name(),
        folder: "vm",
        packages: vec![
            "qemu-system-x86",
            "qemu-system-arm",
            "qemu-system-modules-opengl", // the device virtio-gpu-gl, and libvirglrenderer with it
            "qemu-system-gui",            // SDL, the one display that takes OpenGL without a render node
            "seabios",
            "virgl-server", // virglrenderer's worker, without which the stock library has no Venus
            "mesa-vulkan-drivers",
            "libegl1",
            "libgl1",
            "libgles2",
            "libgl1-mesa-dri",
            "xvfb", // a screen for pictures of the console
        ],
        leave_out: &[],
        made: Made::Installed,
        witness: ("QEMU", "qemu-system-x86"),
        megabytes: 900,
        // As with guests' roots: one run a week that meets a newer QEMU is enough.
        fresh: Duration::from_secs(7 * 24 * 3600),
    }
}

/// A kernel for this machine's architecture, and a shell that starts a guest before its disk is there.
pub(super) fn kernel(suite: Suite) -> Recipe {
    Recipe {
        name: match suite {
            Suite::Trixie => "kernel-trixie",
            Suite::Sid => "kernel-sid",
        },
        what: "kernel",
        suite: suite.name(),
        folder: "vm",
        packages: vec!["linux-image-amd64", "busybox-static"],
        leave_out: &[],
        made: Made::Unpacked { architecture: "amd64" },
        witness: ("Linux", "usr/lib/modules"),
        megabytes: 250,
        fresh: Duration::from_secs(30 * 24 * 3600),
    }
}

/// A guest of another architecture, with its kernel.
pub(super) fn arm64() -> Recipe {
    Recipe {
        name: "arm64",
        what: "guest root for aarch64",
        suite: "trixie",
        folder: "vm",
        packages: vec!["linux-image-arm64", "busybox-static", "mesa-vulkan-drivers", "vulkan-tools"],
        leave_out: &[],
        made: Made::Unpacked { architecture: "arm64" },
        witness: ("Linux", "usr/lib/modules"),
        megabytes: 700,
        fresh: Duration::from_secs(30 * 24 * 3600),
    }
}

/// How packages get into a root.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Made {
    /// As on any machine. Programs of the root run while it is made, so it is of this machine's architecture.
    Installed,
    /// Only unpacked, for a Debian architecture: nothing of it runs, so it may be any.
    Unpacked {
        /// As Debian calls it.
        architecture: &'static str,
    },
}

/// The Swift of Debian unstable, to compile and run programs that use the host from Swift.
pub(super) fn swift() -> Recipe {
    Recipe {
        name: "swift",
        what: "Swift root",
        suite: "sid",
        folder: "swift",
        packages: vec!["swiftlang", "libc6-dev"],
        // More than half of the toolchain is for other systems, or for people: debugger, editor.
        leave_out: &[
            "/usr/libexec/swift/bin/clangd",
            "/usr/libexec/swift/bin/docc",
            "/usr/libexec/swift/bin/lld*",
            "/usr/libexec/swift/bin/llvm-*",
            "/usr/libexec/swift/bin/sourcekit-lsp",
            "/usr/libexec/swift/bin/swift-format",
            "/usr/libexec/swift/bin/wasmkit",
            "/usr/libexec/swift/lib/libLTO.*",
            "/usr/libexec/swift/lib/libSwiftSourceKit*",
            "/usr/libexec/swift/lib/libclang.*",
            "/usr/libexec/swift/lib/liblldb.*",
            "/usr/libexec/swift/lib/libsourcekitd*",
            "/usr/libexec/swift/lib/swift/FrameworkABIBaseline/*",
            "/usr/libexec/swift/lib/swift/embedded/*",
            "/usr/libexec/swift/lib/swift_static/*",
        ],
        made: Made::Installed,
        witness: ("Swift", "swiftlang"),
        megabytes: 1400,
        // As for the toolchain.
        fresh: Duration::from_secs(30 * 24 * 3600),
    }
}

/// What makes a root.
#[derive(Debug)]
pub(super) struct Recipe {
    /// First word of the names of folders and lock files.
    pub(super) name: &'static str,
    /// What it is, for people.
    pub(super) what: &'static str,
    /// The suite's name on a mirror.
    pub(super) suite: &'static str,
    /// Where it is kept, below the project's cache folder.
    pub(super) folder: &'static str,
    /// What is installed on top of Debian's minimal base.
    pub(super) packages: Vec<&'static str>,
    /// Paths that are not unpacked, besides documentation.
    pub(super) leave_out: &'static [&'static str],
    /// How packages get in.
    pub(super) made: Made,
    /// A name for people, and what has to be there and says how new the root is: a package, with its version; in a root
    /// that knows of no packages a folder, whose one entry is called after the version.
    pub(super) witness: (&'static str, &'static str),
    /// How much it takes on the disk, roughly.
    pub(super) megabytes: u32,
    /// Age up to which it is used without a look at the archive.
    pub(super) fresh: Duration,
}

impl Recipe {
    /// Everything that decides what a root contains, but for the archive's state.
    fn text(&self, architecture: &str) -> String {
        let left_out: String = self.leave_out.iter().map(|path| format!("without {path}\n")).collect();
        let architecture = match self.made {
            Made::Installed => architecture,
            Made::Unpacked { architecture } => architecture,
        };
        format!("{VERSION}\n{}\n{architecture}\n{}\n{left_out}", self.suite, self.packages.join("\n"))
    }

    /// The first half of a root's folder name: what it is and how it is made.
    pub(super) fn key(&self) -> String {
        format!("{}-{}", self.name, short_hash(self.text(std::env::consts::ARCH).as_bytes()))
    }
}

/// A hash for people's eyes and folder names.
pub fn short_hash(bytes: &[u8]) -> String {
    let digest = Sha256::digest(bytes);
    let digits: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    digits[..KEY_DIGITS].to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_follows_the_recipe() {
        assert_ne!(Suite::Trixie.recipe().key(), Suite::Sid.recipe().key());
        assert_ne!(Suite::Sid.recipe().text("x86_64"), Suite::Sid.recipe().text("aarch64"));
        assert!(Suite::Sid.recipe().key().starts_with("sid-"));
        let whole = Recipe { leave_out: &[], ..toolchain() };
        assert_ne!(whole.key(), toolchain().key());
        assert_eq!(short_hash(b""), "e3b0c44298fc");
        assert_eq!(arm64().text("x86_64"), arm64().text("aarch64"));
    }
}
