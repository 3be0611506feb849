//! Unmodified Mesa guests draw through a host: what `vulkaninfo` sees, then vkcube natively and through the host, with a
//! screenshot while it runs. And our own small guest, which needs no Mesa.

use crate::cargo::build;
use crate::picture::Picture;
use crate::process::{Finished, tail};
use crate::progress::Step;
use crate::sandbox::{Guest, GuestRunning, Screen, Vulkan};
use crate::server::Server;
use crate::statistics::Statistics;
use crate::workspace;
use anyhow::{Context as _, Result, anyhow, ensure};
use std::fmt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// Where pictures go, in the workspace.
const FOLDER: &str = "target/demo";
/// The last guest's picture, in the workspace.
pub const SCREENSHOT: &str = "target/demo/vkcube.png";
/// Longest that a guest's program may take. A guest whose host died would spin for ever.
const LIMIT: Duration = Duration::from_secs(120);

/// What was found out about one guest. It prints itself as lines of a table.
#[derive(Debug, Default)]
pub struct Drawn {
    guest: String,
    /// Frames of vkcube.
    frames: u32,
    device: String,
    api_version: String,
    swapchain: bool,
    native_device: String,
    native: Option<Duration>,
    ours: Option<Duration>,
    commands: Option<u64>,
    picture: Option<PathBuf>,
}

impl Drawn {
    /// The picture, in the workspace, if there is one.
    pub fn picture(&self) -> Option<&Path> {
        self.picture.as_deref()
    }
}

impl fmt::Display for Drawn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = |time: Option<Duration>| time.map_or("-".to_owned(), |time| format!("{:.2}", time.as_secs_f64()));
        writeln!(f, "guest               {}", self.guest)?;
        writeln!(f, "device              {}", self.device)?;
        writeln!(f, "API version         {}", self.api_version)?;
        writeln!(f, "VK_KHR_swapchain    {}", if self.swapchain { "offered" } else { "not offered" })?;
        if let Some(picture) = &self.picture {
            writeln!(f, "vkcube              {} frames", self.frames)?;
            writeln!(f, "  natively          {} s on the guest's own {}", seconds(self.native), self.native_device)?;
            writeln!(f, "  through the host  {} s", seconds(self.ours))?;
            writeln!(f, "  commands executed {}", self.commands.map_or("-".to_owned(), |n| n.to_string()))?;
            writeln!(f, "  picture           {}", picture.display())?;
        }
        Ok(())
    }
}

/// Has `frames` of vkcube drawn in a guest, through a host that is the command `program`.
///
/// # Errors
///
/// A program of the guest fails, or draws no cube; where it offers no swapchain, none is drawn, and that is no error.
pub fn draw(program: &Path, guest: &Guest, frames: u32) -> Result<Drawn> {
    let mesa = guest.mesa_version().unwrap_or_else(|| "of unknown version".to_owned());
    let mut row = Drawn { guest: format!("{}, Mesa {mesa}", guest.name()), frames, ..Drawn::default() };
    let statistics = Statistics::new()?;
    let mut server = Server::start(program, statistics.args())?;

    let step = Step::start(format!("{}: vulkaninfo", row.guest));
    let socket = server.socket();
    let summary = guest.command("vulkaninfo", Vulkan::Venus(&socket)).args(["--summary"]).limit(LIMIT).output()?;
    let summary = expect(summary, "vulkaninfo --summary through the host", &server)?;
    (row.device, row.api_version) = device(&summary.stdout).context("vulkaninfo lists no device")?;
    // The summary leaves out the device's extensions.
    let full = guest.command("vulkaninfo", Vulkan::Venus(&socket)).limit(LIMIT).output()?;
    row.swapchain = expect(full, "vulkaninfo through the host", &server)?.stdout.contains("VK_KHR_swapchain ");
    step.done(&row.device);
    if !row.swapchain {
        eprintln!("{}: no vkcube, since this guest offers no swapchain over vtest (Mesa 25.0 and older)", row.guest);
        return Ok(row);
    }

    let step = Step::start(format!("{}: vkcube, {} frames natively", row.guest, frames));
    let native = vkcube(guest, Vulkan::Lavapipe, frames)?.finish()?;
    let native = native.expect_success("native vkcube")?;
    row.native_device = selected_gpu(&(native.stdout + &native.stderr));
    row.native = Some(native.elapsed);
    step.done(&format!("{:.2} s", native.elapsed.as_secs_f64()));

    let step = Step::start(format!("{}: vkcube, {} frames through the host", row.guest, frames));
    let before = statistics.commands().len();
    let mut cube = vkcube(guest, Vulkan::Venus(&socket), frames)?;
    let picture = watch(&mut cube)?;
    let ours = expect(cube.finish()?, "vkcube through the host", &server)?;
    row.ours = Some(ours.elapsed);
    step.done(&format!("{:.2} s", ours.elapsed.as_secs_f64()));
    server.expect_alive()?;

    let picture = picture.context("vkcube ran, but no window was seen on its screen")?;
    ensure!(picture.shows_cube(), "vkcube ran, but its window shows no cube: {}", picture.describe());
    row.picture = Some(save(&picture, guest)?);
    row.commands = statistics.commands_since(before);
    Ok(row)
}

/// Adds the server's own words to a guest's failure: the cause is usually there.
fn expect(finished: Finished, what: &str, server: &Server) -> Result<Finished> {
    finished.expect_success(what).map_err(|error| anyhow!("{error:#}--- the host's log\n{}", tail(&server.log())))
}

fn vkcube(guest: &Guest, vulkan: Vulkan<'_>, frames: u32) -> Result<GuestRunning> {
    guest
        .command("vkcube", vulkan)
        .args(["--c", &frames.to_string(), "--present_mode", "0"])
        .screen(Screen::VKCUBE)
        .limit(LIMIT)
        .spawn()
}

/// Looks at a guest's screen until it shows the cube, and once more when the cube has turned a little.
///
/// Then it looks away: reading pictures costs time that is being measured.
fn watch(guest: &mut GuestRunning) -> Result<Option<Picture>> {
    const TURN: Duration = Duration::from_millis(150);
    let mut seen: Option<Picture> = None;
    while guest.is_running()? && !seen.as_ref().is_some_and(Picture::shows_cube) {
        std::thread::sleep(Duration::from_millis(20));
        seen = guest.screenshot().or(seen);
    }
    std::thread::sleep(TURN);
    Ok(guest.screenshot().filter(Picture::shows_cube).or(seen))
}

/// Saves the picture under the guest's name and as the screenshot, which is the last guest's in the end. Returns its
/// path inside of the workspace.
fn save(picture: &Picture, guest: &Guest) -> Result<PathBuf> {
    picture.write_png(&workspace().join(SCREENSHOT))?;
    let path = Path::new(FOLDER).join(format!("vkcube-{}.png", guest.name()));
    picture.write_png(&workspace().join(&path))?;
    Ok(path)
}

/// Name and API version of the first device in `vulkaninfo`'s output.
fn device(info: &str) -> Option<(String, String)> {
    let field = |name: &str| {
        let line = info.lines().find(|line| line.trim_start().starts_with(name) && line.contains('='))?;
        let value = line.split_once('=')?.1.trim();
        Some(value.split(" (4").next().unwrap_or(value).to_owned())
    };
    Some((field("deviceName")?, field("apiVersion")?))
}

/// The device that vkcube says it uses.
fn selected_gpu(output: &str) -> String {
    let line = output.lines().find_map(|line| line.split_once("Selected GPU 0: "));
    line.map_or_else(|| "unknown".to_owned(), |(_, device)| device.split(", type").next().unwrap_or(device).to_owned())
}

/// Draws a triangle with our own guest through a host that is the command `program`, and says where it is.
///
/// # Errors
///
/// The guest cannot be built, or fails.
pub fn draw_triangle(program: &Path) -> Result<PathBuf> {
    let server = Server::start(program, [""; 0])?;
    let folder = workspace().join(FOLDER);
    std::fs::create_dir_all(&folder).with_context(|| format!("making {}", folder.display()))?;
    let picture = folder.join("triangle.png");
    let guest = build(&["--release", "--package", "venus-guest", "--bin", "venus-guest", "--features", "program"])?;
    let mut command = Command::new(guest);
    let status = command.arg("--socket-path").arg(server.socket()).arg("triangle").arg(&picture).status();
    let status = status.context("starting our own guest")?;
    ensure!(status.success(), "our own guest failed ({status}); the host's log:\n{}", server.log());
    Ok(picture)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_device_is_read() {
        let info = "GPU0:\nVkPhysicalDeviceProperties:\n---\n\tapiVersion        = 1.3.230 (4206822)\n\
                    \tdeviceName        = Virtio-GPU Venus (llvmpipe (LLVM 15.0.6, 256 bits))\n";
        let expected = ("Virtio-GPU Venus (llvmpipe (LLVM 15.0.6, 256 bits))".to_owned(), "1.3.230".to_owned());
        assert_eq!(device(info), Some(expected));
        assert_eq!(device("no devices"), None);
    }

    #[test]
    fn vkcube_names_its_device() {
        assert_eq!(
            selected_gpu("x\nSelected GPU 0: llvmpipe (LLVM 22, 256 bits), type: Cpu\n"),
            "llvmpipe (LLVM 22, 256 bits)"
        );
    }
}
