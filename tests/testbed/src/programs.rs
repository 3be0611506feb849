//! The standard programs: unmodified ones that a guest must be able to run, from a query to a computation.
//!
//! The end-to-end tests run them, and `cargo xtask recordings` records them, so both mean the same command lines.

use crate::provision::Suite;
use crate::sandbox::{Guest, GuestRun, Screen, Vulkan};
use anyhow::{Context as _, Result};
use std::path::{Path, PathBuf};

/// vkmark's scenes.
///
/// QUIRK(lavapipe 22.3): some of its anisotropic lookups take seconds a frame, natively as through a host; with vkmark's
/// own default of 16 the scene would hardly end.
const VKMARK_SCENES: [&str; 7] = ["clear", "vertex", "texture:anisotropy=0", "shading", "desktop", "cube", "effect2d"];

/// ggml's tests, in the folder that Debian keeps installed tests of llama.cpp in: one for each architecture.
const GGML_FOLDER: &str = "usr/libexec";
const GGML_PROGRAM: &str = "llama.cpp-tests/test-backend-ops";

/// One of the standard programs, with its arguments.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Program {
    /// vulkaninfo: every query there is, and nothing else.
    Vulkaninfo,
    /// vkcube, three frames: the least that uses a swapchain.
    #[value(name = "vkcube-3")]
    VkcubeShort,
    /// vkcube, a hundred frames.
    Vkcube,
    /// vkmark, a frame or two of each of its scenes.
    #[value(name = "vkmark-1")]
    VkmarkShort,
    /// vkmark, all its scenes for a fifth of a second each.
    Vkmark,
    /// ggml's test of one addition: the least that computes.
    #[value(name = "ggml-1")]
    GgmlShort,
    /// ggml's tests of addition: compute shaders and their results.
    Ggml,
}

impl Program {
    /// All of them, in the order of what they ask of a host.
    pub const ALL: [Self; 7] = [
        Self::Vulkaninfo,
        Self::VkcubeShort,
        Self::Vkcube,
        Self::VkmarkShort,
        Self::Vkmark,
        Self::GgmlShort,
        Self::Ggml,
    ];

    /// The suite whose guest can run it: only newer Mesa offers swapchains over vtest, and has ggml beside it.
    pub const SUITE: Suite = Suite::Sid;

    /// Its name for people and files.
    pub fn name(self) -> &'static str {
        match self {
            Self::Vulkaninfo => "vulkaninfo",
            Self::VkcubeShort => "vkcube-3",
            Self::Vkcube => "vkcube",
            Self::VkmarkShort => "vkmark-1",
            Self::Vkmark => "vkmark",
            Self::GgmlShort => "ggml-1",
            Self::Ggml => "ggml",
        }
    }

    /// Prepares a run of it.
    ///
    /// # Errors
    ///
    /// The guest does not have it.
    pub fn command<'a>(self, guest: &'a Guest, vulkan: Vulkan<'a>) -> Result<GuestRun<'a>> {
        let vkcube = |frames: &str| {
            let command = guest.command("vkcube", vulkan).args(["--c", frames, "--present_mode", "0"]);
            command.screen(Screen::VKCUBE)
        };
        let vkmark = |seconds: &str| {
            let scenes = VKMARK_SCENES.iter();
            let scenes = scenes.flat_map(|scene| ["-b".to_owned(), format!("{scene}:duration={seconds}")]);
            let command = guest.command("vkmark", vulkan).args(["--winsys", "xcb", "-p", "immediate", "-s", "400x300"]);
            command.args(scenes).screen(Screen::VKCUBE)
        };
        let ggml = |which: &[&str]| -> Result<GuestRun<'a>> {
            let program = ggml_program(guest.root()).with_context(|| {
                format!("guest {} has no ggml tests (packages llama.cpp-tests, libggml0-backend-vulkan)", guest.name())
            })?;
            let command = guest.command(&program.display().to_string(), vulkan).args(["test", "-o", "ADD"]);
            // By itself ggml leaves out devices of type CPU, as lavapipe's is.
            Ok(command.args(which.iter().copied()).env("GGML_VK_VISIBLE_DEVICES", "0"))
        };
        Ok(match self {
            Self::Vulkaninfo => guest.command("vulkaninfo", vulkan),
            Self::VkcubeShort => vkcube("3"),
            Self::Vkcube => vkcube("100"),
            Self::VkmarkShort => vkmark("0.001"),
            Self::Vkmark => vkmark("0.2"),
            Self::GgmlShort => ggml(&["-p", r"type=f32,ne=\[10,5,4,3\],nr=\[1,1,1,1\],nf=1,"])?,
            Self::Ggml => ggml(&[])?,
        })
    }
}

/// Where the guest sees ggml's tests.
pub fn ggml_program(root: &Path) -> Option<PathBuf> {
    let triplets = std::fs::read_dir(root.join(GGML_FOLDER)).ok()?;
    let programs = triplets.filter_map(|entry| Some(entry.ok()?.path().join(GGML_PROGRAM)));
    let program = programs.into_iter().find(|path| path.is_file())?;
    Some(Path::new("/").join(program.strip_prefix(root).ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ggml_is_found_in_the_folder_of_its_architecture() {
        let root = tempfile::tempdir().unwrap();
        let guest = Guest::at("test", root.path());
        let missing = Program::Ggml.command(&guest, Vulkan::Any).unwrap_err().to_string();
        assert!(missing.contains("llama.cpp-tests"), "{missing}");
        let folder = root.path().join("usr/libexec/some-triplet/llama.cpp-tests");
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join("test-backend-ops"), "").unwrap();
        let found = ggml_program(root.path()).unwrap();
        assert_eq!(found, Path::new("/usr/libexec/some-triplet/llama.cpp-tests/test-backend-ops"));
    }

    #[test]
    fn names_are_those_of_the_command_line() {
        for program in Program::ALL {
            let value = clap::ValueEnum::to_possible_value(&program).unwrap();
            assert_eq!(value.get_name(), program.name());
        }
    }
}
