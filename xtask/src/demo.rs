//! `cargo xtask demo`: unmodified Mesa guests draw through our host.
//!
//! For each guest: what `vulkaninfo` sees, then vkcube natively and through us, with a screenshot while it runs. Where
//! no Mesa guest can be had, our own small guest draws a triangle instead.

use anyhow::{Context as _, Result, anyhow, ensure};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;
use testbed::picture::Picture;
use testbed::process::{Finished, tail};
use testbed::progress::Step;
use testbed::provision::{self, Suite, apt, roots};
use testbed::sandbox::{Guest, GuestRunning, Screen, Vulkan};
use testbed::server::Server;
use testbed::statistics::Statistics;
use testbed::workspace;

/// Where pictures go, in the workspace.
const FOLDER: &str = "target/demo";
/// The last guest's picture.
const SCREENSHOT: &str = "vkcube.png";
/// Longest that a guest's program may take. A guest whose host died would spin for ever.
const LIMIT: Duration = Duration::from_secs(120);

/// Run unmodified Mesa guests against our host.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Guests to run; by default this machine's own Mesa if it has a Venus driver, else Debian trixie and sid.
    #[arg(long, value_enum)]
    guest: Vec<Choice>,
    /// Frames of vkcube.
    #[arg(long, default_value_t = 300)]
    frames: u32,
    /// A `venus` command to use instead of building this workspace's.
    #[arg(long, value_name = "PATH")]
    host: Option<PathBuf>,
}

/// A guest that the demo can run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Choice {
    /// A root of Debian 13.
    Trixie,
    /// A root of Debian unstable.
    Sid,
    /// This machine's own Mesa.
    System,
    /// Our own small guest, which needs no Mesa.
    Rust,
}

impl Choice {
    /// The Debian whose root the guest lives in, if it needs one.
    fn suite(self) -> Option<Suite> {
        match self {
            Self::Trixie => Some(Suite::Trixie),
            Self::Sid => Some(Suite::Sid),
            Self::System | Self::Rust => None,
        }
    }
}

/// What the demo found out about one guest.
#[derive(Debug, Default)]
struct Row {
    guest: String,
    device: String,
    api_version: String,
    swapchain: bool,
    native_device: String,
    native: Option<Duration>,
    ours: Option<Duration>,
    commands: Option<u64>,
    picture: Option<PathBuf>,
}

pub(crate) fn run(args: &Args) -> Result<()> {
    let choices = choices(args);
    let suites: Vec<Suite> = choices.iter().filter_map(|choice| choice.suite()).collect();
    // Where there is no apt, no Debian guest can be had, but our own small one can.
    if apt::which("apt-get") {
        provision::prepare(&suites, &[], "")?;
    } else {
        provision::host_driver()?;
    }
    let server = args.host.clone().map_or_else(build_host, Ok)?;
    let mut rows = Vec::new();
    for choice in choices {
        let Some(suite) = choice.suite() else {
            if choice == Choice::Rust {
                return run_rust_guest(&server);
            }
            apt::install(&["vulkan-tools", "xvfb"], "programs for this machine's own Mesa")?;
            let guest = Guest::system().context("this machine's Mesa has no Venus driver; try `--guest sid`")?;
            rows.push(run_guest(&server, &guest, args)?);
            continue;
        };
        match roots::ensure(suite) {
            Ok(root) => rows.push(run_guest(&server, root.guest(), args)?),
            // Asked for by name, a guest that cannot be had is an error.
            Err(error) if !args.guest.is_empty() => return Err(error),
            Err(error) => eprintln!("no Mesa guest from Debian {}: {error:#}", suite.name()),
        }
    }
    if rows.is_empty() {
        eprintln!("no Mesa guest can be had here; our own small guest draws a triangle instead");
        return run_rust_guest(&server);
    }
    print_table(&rows, args.frames);
    if rows.iter().all(|row| row.picture.is_none()) {
        eprintln!("none of these guests can draw in a window; our own small guest draws a triangle instead");
        return run_rust_guest(&server);
    }
    Ok(())
}

fn choices(args: &Args) -> Vec<Choice> {
    if !args.guest.is_empty() {
        return args.guest.clone();
    }
    if Guest::system().is_some() { vec![Choice::System] } else { vec![Choice::Trixie, Choice::Sid] }
}

/// Builds the `venus` command in release and says where it is.
fn build_host() -> Result<PathBuf> {
    eprintln!("building venus (release)");
    testbed::cargo::build(&["--release", "--package", "venus-command", "--bin", "venus"])
}

fn run_guest(program: &Path, guest: &Guest, args: &Args) -> Result<Row> {
    let mesa = guest.mesa_version().unwrap_or_else(|| "of unknown version".to_owned());
    let mut row = Row { guest: format!("{}, Mesa {mesa}", guest.name()), ..Row::default() };
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

    let step = Step::start(format!("{}: vkcube, {} frames natively", row.guest, args.frames));
    let native = vkcube(guest, Vulkan::Lavapipe, args.frames)?.finish()?;
    let native = native.expect_success("native vkcube")?;
    row.native_device = selected_gpu(&(native.stdout + &native.stderr));
    row.native = Some(native.elapsed);
    step.done(&format!("{:.2} s", native.elapsed.as_secs_f64()));

    let step = Step::start(format!("{}: vkcube, {} frames through the host", row.guest, args.frames));
    let before = statistics.commands().len();
    let mut cube = vkcube(guest, Vulkan::Venus(&socket), args.frames)?;
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
    picture.write_png(&workspace().join(FOLDER).join(SCREENSHOT))?;
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

/// Draws a triangle with our own guest, through the same server.
#[expect(clippy::print_stdout, reason = "the result of a command-line verb")]
fn run_rust_guest(program: &Path) -> Result<()> {
    let server = Server::start(program, [""; 0])?;
    let folder = workspace().join(FOLDER);
    std::fs::create_dir_all(&folder).with_context(|| format!("making {}", folder.display()))?;
    let picture = folder.join("triangle.png");
    let guest = testbed::cargo::build(&[
        "--release",
        "--package",
        "venus-guest",
        "--bin",
        "venus-guest",
        "--features",
        "program",
    ])?;
    let status = Command::new(guest)
        .arg("--socket-path")
        .arg(server.socket())
        .arg("triangle")
        .arg(&picture)
        .status()
        .context("starting our own guest")?;
    ensure!(status.success(), "our own guest failed ({status}); the host's log:\n{}", server.log());
    println!("our own guest drew {}", picture.display());
    Ok(())
}

#[expect(clippy::print_stdout, reason = "the result of a command-line verb")]
fn print_table(rows: &[Row], frames: u32) {
    let seconds = |time: Option<Duration>| time.map_or("-".to_owned(), |time| format!("{:.2}", time.as_secs_f64()));
    println!();
    for row in rows {
        println!("guest               {}", row.guest);
        println!("device              {}", row.device);
        println!("API version         {}", row.api_version);
        println!("VK_KHR_swapchain    {}", if row.swapchain { "offered" } else { "not offered" });
        if let Some(picture) = &row.picture {
            println!("vkcube              {frames} frames");
            println!("  natively          {} s on the guest's own {}", seconds(row.native), row.native_device);
            println!("  through the host  {} s", seconds(row.ours));
            println!("  commands executed {}", row.commands.map_or("-".to_owned(), |commands| commands.to_string()));
            println!("  picture           {}", picture.display());
        }
        println!();
    }
    if rows.iter().any(|row| row.picture.is_some()) {
        println!("screenshot          {FOLDER}/{SCREENSHOT}");
    }
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
