//! What is run in a column, on both sides.
//!
//! A suite fails natively in some columns: then there is nothing to compare with, and it is not run, with the driver's own
//! words. It is a regression when a program that works natively does not through us, or says something else.

mod compute;
mod draw;
mod opengl;
mod query;

pub(super) use compute::{compare_tests, parse_tests};

use super::matrix::ProfileChoice;
use super::outcome::Outcome;
use crate::process::{Finished, Outcome as End, tail};
use crate::resident::Resident;
use crate::sandbox::{Guest, GuestRun, Vulkan};
use anyhow::{Context as _, Result};
use std::cell::OnceCell;
use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

/// Longest that one run may take; a guest whose host died would spin for ever.
const LIMIT: Duration = Duration::from_secs(120);
/// Packages whose versions the page names, where the guest has them.
const PACKAGES: [&str; 6] = [
    "mesa-vulkan-drivers",
    "vulkan-tools",
    "vkmark",
    "glmark2-x11",
    "libggml0-backend-vulkan",
    "vulkan-validationlayers",
];
/// How the error of a program that was killed begins.
const NO_END: &str = "no end";
/// The first Mesa whose guest driver has been seen to offer swapchains over vtest.
const SWAPCHAIN_SINCE: u32 = 26;
const NO_SWAPCHAIN: &str = "Mesa of this version offers no VK_KHR_swapchain over vtest, whatever the host does: its guest \
                            driver wants to import dma-bufs for it, which the transport does not have";

/// One suite.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Suite {
    /// What a guest is told about its device, property by property.
    Vulkaninfo,
    /// vkcube, and the picture of one of its frames, pixel by pixel.
    Vkcube,
    /// vkmark's scenes without a window.
    VkmarkHeadless,
    /// The same in a window.
    Vkmark,
    /// OpenGL through Zink: glmark2's checks of its own pictures, and glxgears.
    Zink,
    /// ggml's tests of addition: compute shaders and their results.
    GgmlAdd,
    /// ggml's tests of matrix multiplication.
    GgmlMulMat,
    /// The Khronos validation layer in the guest.
    Validation,
    /// Our own small guest, which shares no code with Mesa.
    RustGuest,
}

impl Suite {
    /// All, in the order of the page.
    pub(super) const ALL: [Self; 9] = [
        Self::Vulkaninfo,
        Self::Vkcube,
        Self::VkmarkHeadless,
        Self::Vkmark,
        Self::Zink,
        Self::GgmlAdd,
        Self::GgmlMulMat,
        Self::Validation,
        Self::RustGuest,
    ];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Vulkaninfo => "vulkaninfo",
            Self::Vkcube => "vkcube",
            Self::VkmarkHeadless => "vkmark-headless",
            Self::Vkmark => "vkmark",
            Self::Zink => "zink",
            Self::GgmlAdd => "ggml-add",
            Self::GgmlMulMat => "ggml-mul-mat",
            Self::Validation => "validation",
            Self::RustGuest => "rust-guest",
        }
    }

    /// What is compared, for the page.
    pub(super) fn about(self) -> &'static str {
        match self {
            Self::Vulkaninfo => {
                "Each extension, feature, property, format and queue family of two `vulkaninfo --json` profiles"
            }
            Self::Vkcube => "vkcube ends well after 20 frames, and frame 10 is the native picture, pixel by pixel",
            Self::VkmarkHeadless => {
                "vkmark's scenes vertex, desktop, cube and clear, without a window: each yields frames"
            }
            Self::Vkmark => "The same scenes in a window of Xvfb",
            Self::Zink => "OpenGL by Zink: glmark2 judges its own pictures alike, and glxgears turns",
            Self::GgmlAdd => "`test-backend-ops test -o ADD`: each test ends alike, against ggml's CPU backend",
            Self::GgmlMulMat => {
                "`test-backend-ops test -o MUL_MAT`: the same; on lavapipe matrix-vector products of five types, and on the \
                 card matrices of eight, since all of them take more than ten minutes"
            }
            Self::Validation => {
                "Under VK_LAYER_KHRONOS_validation, vkcube (or vulkaninfo, where there is no swapchain) brings no message that it does not bring natively"
            }
            Self::RustGuest => "`venus-guest` info, triangle and compute: it checks what the host answers and computes",
        }
    }

    pub(super) fn run(self, bench: &Bench<'_>) -> Result<Outcome> {
        match self {
            Self::Vulkaninfo => query::vulkaninfo(bench),
            Self::Vkcube => draw::vkcube(bench),
            Self::VkmarkHeadless => draw::vkmark(bench, draw::WindowSystem::Headless),
            Self::Vkmark => draw::vkmark(bench, draw::WindowSystem::Xcb),
            Self::Zink => opengl::zink(bench),
            Self::GgmlAdd => compute::ggml(bench, "ADD", None),
            Self::GgmlMulMat => compute::ggml(bench, "MUL_MAT", Some(compute::MUL_MAT_ON_LAVAPIPE)),
            Self::Validation => draw::validation(bench),
            Self::RustGuest => compute::rust_guest(bench),
        }
    }
}

/// One column at work: a guest, and a host in the root that its driver comes from.
#[derive(Debug)]
pub(super) struct Bench<'a> {
    guest: &'a Guest,
    host: &'a Guest,
    profile: ProfileChoice,
    resident: Resident,
    doctor: serde_json::Value,
    rust_guest: &'a Path,
    swapchain: OnceCell<bool>,
}

/// Which way a program's Vulkan goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Side {
    Native,
    Ours,
}

impl<'a> Bench<'a> {
    pub(super) fn new(
        guest: &'a Guest,
        host: &'a Guest,
        profile: ProfileChoice,
        venus: &Path,
        rust_guest: &'a Path,
    ) -> Result<Self> {
        let resident = Resident::examined(host, venus, &["--profile", profile.name()])?;
        let doctor = resident.doctor()?;
        Ok(Self { guest, host, profile, resident, doctor, rust_guest, swapchain: OnceCell::new() })
    }

    /// What is run here, for the page.
    pub(super) fn facts(&self) -> BTreeMap<String, String> {
        let versions = PACKAGES.iter().filter_map(|package| {
            let version = self.guest.package_version(package)?;
            Some((format!("guest {package}"), version))
        });
        let mut facts: BTreeMap<String, String> = versions.collect();
        let driver = self.doctor.pointer("/gpus/0/driver").and_then(|driver| driver.as_str());
        facts.insert("driver".to_owned(), driver.unwrap_or("unknown").to_owned());
        facts.insert("profile".to_owned(), self.profile.name().to_owned());
        facts
    }

    /// Runs a program of the guest on one side.
    fn run(&self, side: Side, program: &str, set: impl FnOnce(GuestRun<'_>) -> GuestRun<'_>) -> Result<Ran> {
        let socket = self.resident.socket();
        let vulkan = match side {
            Side::Ours => Vulkan::Venus(&socket),
            Side::Native if self.guest.root() == self.host.root() => Vulkan::Lavapipe,
            Side::Native => Vulkan::LavapipeOf(self.host),
        };
        let mut running = set(self.guest.command(program, vulkan).limit(LIMIT)).spawn()?;
        let finished = running.finish()?;
        Ok(Ran { finished, shared: running })
    }

    /// Runs a program on both sides and reads what it leaves. The outcome is there already where a side fails.
    fn both<T>(
        &self,
        program: &str,
        set: impl Fn(GuestRun<'_>) -> GuestRun<'_>,
        read: impl Fn(&Ran) -> Result<T>,
    ) -> Result<Result<(T, T), Outcome>> {
        let native = match read(&self.run(Side::Native, program, &set)?) {
            Ok(native) => native,
            Err(error) => return Ok(Err(Outcome::not_run(format!("natively it fails: {}", brief(&error))))),
        };
        Ok(match read(&self.run(Side::Ours, program, &set)?) {
            Ok(ours) => Ok((native, ours)),
            Err(error) => {
                eprintln!("{program} through us: {error:#}\n--- the host's log\n{}", self.resident.log());
                Err(Outcome::regression(vec![format!("{program}: {}", brief(&error))]))
            }
        })
    }

    /// Whether the guest has swapchains; the outcome of what needs one, where it has not.
    fn expect_swapchain(&self) -> Result<Option<Outcome>> {
        if self.swapchain.get().is_none() {
            let profile = query::profile(&self.run(Side::Ours, "vulkaninfo", query::arguments)?)?;
            let found = profile.pointer("/capabilities/device/extensions/VK_KHR_swapchain").is_some();
            // Filled here alone, on one thread.
            let _ = self.swapchain.set(found);
        }
        if self.swapchain.get() == Some(&true) {
            return Ok(None);
        }
        let version = self.guest.mesa_version().unwrap_or_default();
        let major: u32 = version.split('.').next().and_then(|part| part.parse().ok()).unwrap_or(0);
        Ok(Some(match major < SWAPCHAIN_SINCE {
            true => Outcome::not_run(NO_SWAPCHAIN),
            false => Outcome::regression(vec!["the guest is offered no VK_KHR_swapchain".to_owned()]),
        }))
    }
}

/// Tells the compiler that a closure takes runs of any lifetime.
fn setting<F: for<'run> Fn(GuestRun<'run>) -> GuestRun<'run>>(set: F) -> F {
    set
}

/// A run that is over, with the files that it left.
#[derive(Debug)]
struct Ran {
    finished: Finished,
    shared: crate::sandbox::GuestRunning,
}

impl Ran {
    /// Fails with the program's last words unless it ended well.
    fn expect_success(&self) -> Result<()> {
        if self.finished.success() {
            return Ok(());
        }
        let how = match self.finished.outcome {
            End::Ended(status) => status.to_string(),
            End::TimedOut => format!("{NO_END} after {:.0} s", self.finished.elapsed.as_secs_f64()),
        };
        anyhow::bail!("{how}\n{}{}", tail(&self.finished.stdout), tail(&self.finished.stderr))
    }

    fn file(&self, name: &str) -> std::path::PathBuf {
        self.shared.shared().join(name)
    }
}

/// An error for a cell of a table: its first line, and the first in which its program complains.
fn brief(error: &anyhow::Error) -> String {
    let text = format!("{error:#}");
    let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    let first = lines.next().unwrap_or_default();
    let complains = |line: &&str| ["error", "Error", "ERROR", "failed to"].iter().any(|word| line.contains(word));
    match lines.find(complains) {
        // What a killed program said before has nothing to do with it.
        Some(complaint) if !first.starts_with(NO_END) => format!("{first}: {complaint}"),
        _ => first.to_owned(),
    }
}

/// A program of the guest that may be missing.
fn expect_program(guest: &Guest, path: &str) -> Result<()> {
    anyhow::ensure!(guest.root().join(path).exists(), "guest {} has no {path}", guest.name());
    Ok(())
}

/// `a / b`, as the page shows ratios.
fn ratio(ours: f64, native: f64) -> Result<String> {
    let ratio = (native > 0.0).then(|| ours / native).context("a native figure of nothing")?;
    Ok(format!("{ratio:.2}"))
}
