//! One run of one program in a guest: its settings, its namespaces, its screen, its end.

use super::driver_manifest;
use super::foreign::Foreign;
use crate::picture::Picture;
use crate::process::{Finished, Running, tethered};
use anyhow::{Context as _, Result};
use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// Puts the guest's view of the file system together.
const ENTER: &str = include_str!("enter.sh");
/// Runs the program inside of it.
const INSIDE: &str = include_str!("inside.sh");
/// Time limit of a run that names none: long for every program we run, short enough to notice a spinning guest.
const DEFAULT_LIMIT: Duration = Duration::from_secs(60);
/// The file in which Xvfb keeps screen 0, in the folder it is told.
const FRAMEBUFFER: &str = "Xvfb_screen0";

/// A place where unmodified Vulkan programs can run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Guest {
    name: String,
    root: PathBuf,
}

/// Which driver the guest's programs get.
#[derive(Debug, Clone, Copy)]
pub enum Vulkan<'a> {
    /// Mesa's Venus driver, talking to the vtest socket at this path of the machine.
    Venus(&'a Path),
    /// Mesa's lavapipe of the guest itself, for comparison.
    Lavapipe,
    /// The lavapipe of another root, to run the guest's programs natively on the very driver that a host has.
    LavapipeOf(&'a Guest),
    /// Whatever the guest's loader finds.
    Any,
}

/// Size of the guest's X screen.
#[derive(Debug, Clone, Copy)]
pub struct Screen {
    /// Pixels in a row.
    pub width: u32,
    /// Rows.
    pub height: u32,
}

impl Screen {
    /// Room for vkcube's window: 500 x 500 pixels, which it opens 100 pixels from the screen's edges.
    pub const VKCUBE: Self = Self { width: 640, height: 640 };
}

impl Guest {
    /// The guest whose root folder is `root`.
    pub fn at(name: impl Into<String>, root: impl Into<PathBuf>) -> Self {
        Self { name: name.into(), root: root.into() }
    }

    /// This machine's own programs, where its Mesa has the Venus driver.
    pub fn system() -> Option<Self> {
        driver_manifest(Path::new("/"), "virtio").map(|_| Self::at("system", "/"))
    }

    /// Short name for people: `trixie`, `sid`, `system`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The root folder.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Version of an installed package, read from the guest's own database.
    pub fn package_version(&self, package: &str) -> Option<String> {
        let status = std::fs::read_to_string(self.root.join("var/lib/dpkg/status")).ok()?;
        let mut here = false;
        for line in status.lines() {
            if let Some(name) = line.strip_prefix("Package: ") {
                here = name == package;
            } else if let (true, Some(version)) = (here, line.strip_prefix("Version: ")) {
                return Some(version.to_owned());
            }
        }
        None
    }

    /// As [`Guest::package_version`], without Debian's revision: `25.0.7`.
    pub fn upstream_version(&self, package: &str) -> Option<String> {
        let version = self.package_version(package)?;
        Some(version.split(['-', '+']).next().unwrap_or_default().to_owned())
    }

    /// Mesa's version.
    pub fn mesa_version(&self) -> Option<String> {
        self.upstream_version("mesa-vulkan-drivers")
    }

    /// Prepares a run of `program`, found by the guest's own search path.
    pub fn command<'a>(&'a self, program: &str, vulkan: Vulkan<'a>) -> GuestRun<'a> {
        GuestRun {
            guest: self,
            vulkan,
            command: vec![program.to_owned()],
            env: Vec::new(),
            screen: None,
            limit: DEFAULT_LIMIT,
            binds: Vec::new(),
            watcher: None,
        }
    }
}

/// Told of every line that a guest's program writes to its standard error, as it comes.
type Watcher = Box<dyn FnMut(&str) + Send>;

/// A run that has not started.
pub struct GuestRun<'a> {
    guest: &'a Guest,
    vulkan: Vulkan<'a>,
    command: Vec<String>,
    env: Vec<(String, String)>,
    screen: Option<Screen>,
    limit: Duration,
    binds: Vec<(String, PathBuf)>,
    watcher: Option<Watcher>,
}

impl fmt::Debug for GuestRun<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GuestRun").field("guest", &self.guest).field("command", &self.command).finish_non_exhaustive()
    }
}

impl GuestRun<'_> {
    /// Adds arguments.
    pub fn args<S: Into<String>>(mut self, args: impl IntoIterator<Item = S>) -> Self {
        self.command.extend(args.into_iter().map(Into::into));
        self
    }

    /// Sets an environment variable in the guest; it starts with none of ours.
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.env.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Gives the program an X server of its own.
    pub fn screen(mut self, screen: Screen) -> Self {
        self.screen = Some(screen);
        self
    }

    /// Kills the whole guest when it is still running after this long.
    pub fn limit(mut self, limit: Duration) -> Self {
        self.limit = limit;
        self
    }

    /// Lets the guest see a folder of this machine, and write to it, as `/run/NAME`.
    pub fn bind(mut self, name: &str, folder: impl Into<PathBuf>) -> Self {
        self.binds.push((name.to_owned(), folder.into()));
        self
    }

    /// Hands each line of the program's standard error on as it comes, for progress.
    pub fn watch(mut self, each: impl FnMut(&str) + Send + 'static) -> Self {
        self.watcher = Some(Box::new(each));
        self
    }

    /// Starts it.
    pub fn spawn(mut self) -> Result<GuestRunning> {
        let folder = tempfile::Builder::new().prefix("venus-guest-").tempdir().context("making a run folder")?;
        let (mount, shared) = (folder.path().join("root"), folder.path().join("shared"));
        std::fs::create_dir(&mount).and_then(|()| std::fs::create_dir(&shared)).context("filling a run folder")?;
        let foreign = self.foreign()?;
        let mut settings = self.settings()?;
        let mut program = self.command.clone();
        if let Some(foreign) = &foreign {
            settings.extend(foreign.prepare(&shared)?);
            program = foreign.launch(&program)?;
        }
        let mut command = namespaces();
        command
            .args(["sh", "-c", ENTER, "enter"])
            .args(settings.iter().map(|(name, value)| format!("{name}={value}")))
            .args(["sh", "-c", INSIDE, "inside"])
            .args(&program)
            .env("DRIVER", foreign.as_ref().map_or_else(Default::default, |foreign| foreign.root().to_owned()))
            .env("ROOT", &self.guest.root)
            .env("MOUNT", &mount)
            .env("SHARED", &shared)
            .env("VTEST", self.vtest_folder()?.unwrap_or_default())
            .env("BINDS", self.bind_lines());
        let running = match self.watcher.take() {
            Some(watcher) => Running::watch(&mut command, self.limit, watcher)?,
            None => Running::start(&mut command, self.limit)?,
        };
        Ok(GuestRunning {
            what: format!("{} in {}", self.command.join(" "), self.guest.name),
            running,
            shared,
            _folder: folder,
        })
    }

    /// Runs it to its end. A failure of the program itself is not an error here; see [`Finished::expect_success`].
    pub fn output(self) -> Result<Finished> {
        self.spawn()?.finish()
    }

    /// The folder of the host's socket, where the guest needs one.
    fn vtest_folder(&self) -> Result<Option<PathBuf>> {
        let Vulkan::Venus(socket) = self.vulkan else {
            return Ok(None);
        };
        let socket = std::path::absolute(socket).context("resolving the socket's path")?;
        Ok(Some(socket.parent().context("the socket's path has no folder")?.to_owned()))
    }

    /// What `enter.sh` is told of the folders to show: a line with name and path for each.
    fn bind_lines(&self) -> OsString {
        let mut lines = OsString::new();
        for (name, path) in &self.binds {
            lines.push(name);
            lines.push(" ");
            lines.push(path);
            lines.push("\n");
        }
        lines
    }

    /// The other root that the driver comes from, where it is not the guest's own.
    fn foreign(&self) -> Result<Option<Foreign<'_>>> {
        match self.vulkan {
            Vulkan::LavapipeOf(driver) => Foreign::new(self.guest, driver).map(Some),
            _ => Ok(None),
        }
    }

    /// The guest's environment.
    fn settings(&self) -> Result<Vec<(String, String)>> {
        let mut settings: Vec<(String, String)> = [
            ("PATH", "/usr/local/bin:/usr/bin:/bin:/usr/games"),
            // Caches of shaders and X files stay private to the run.
            ("HOME", "/tmp"),
            ("LANG", "C.UTF-8"),
            ("XDG_RUNTIME_DIR", "/run/user"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into();
        let mut set = |name: &str, value: &str| settings.push((name.to_owned(), value.to_owned()));
        let manifest = |driver: &str| -> Result<String> {
            let path = driver_manifest(&self.guest.root, driver)
                .with_context(|| format!("guest {} has no Vulkan driver `{driver}`", self.guest.name))?;
            Ok(path.display().to_string())
        };
        match self.vulkan {
            Vulkan::Venus(socket) => {
                let file = socket.file_name().context("the socket's path names no file")?;
                set("VN_DEBUG", "vtest");
                set("VTEST_SOCKET_NAME", &format!("/run/vtest/{}", file.display()));
                set("VK_DRIVER_FILES", &manifest("virtio")?);
                // Xvfb has no DRI3, so presented images have to travel as pixels.
                set("MESA_VK_WSI_DEBUG", "sw");
            }
            Vulkan::Lavapipe => set("VK_DRIVER_FILES", &manifest("lvp")?),
            // What it takes is known once there is a folder for it.
            Vulkan::LavapipeOf(_) | Vulkan::Any => {}
        }
        if let Some(screen) = self.screen {
            set("SCREEN", &format!("{}x{}", screen.width, screen.height));
        }
        settings.extend(self.env.iter().cloned());
        Ok(settings)
    }
}

/// A guest's program at work. Dropping it ends the guest.
#[derive(Debug)]
pub struct GuestRunning {
    what: String,
    running: Running,
    shared: PathBuf,
    /// Removed when the run is dropped, after `running` has ended the guest that uses it.
    _folder: tempfile::TempDir,
}

impl GuestRunning {
    /// What runs where, for messages.
    pub fn what(&self) -> &str {
        &self.what
    }

    /// Process id of the outermost process, as this machine counts them.
    pub fn id(&self) -> u32 {
        self.running.id()
    }

    /// Whether the guest is still running, within its time limit.
    pub fn is_running(&mut self) -> Result<bool> {
        self.running.is_running()
    }

    /// Kills the guest as a crash would: at once, with everything in it.
    pub fn kill(&mut self) -> Result<()> {
        self.running.kill()
    }

    /// The folder that the guest sees as `/run/venus`.
    pub fn shared(&self) -> &Path {
        &self.shared
    }

    /// A picture of the guest's windows as they are now; `None` before there is any.
    ///
    /// Xvfb may be drawing meanwhile, so the file is read until two readings agree, or until it never holds still.
    pub fn screenshot(&self) -> Option<Picture> {
        const ATTEMPTS: usize = 20;
        let path = self.shared.join(FRAMEBUFFER);
        let mut last = std::fs::read(&path).ok()?;
        for _ in 0..ATTEMPTS {
            let again = std::fs::read(&path).ok()?;
            if again == last {
                break;
            }
            last = again;
        }
        Picture::from_xwd(&last).ok()?.window()
    }

    /// Waits for the end, or for the time limit and then kills the guest. What it wrote to [`GuestRunning::shared`]
    /// stays until this is dropped.
    ///
    /// The time reported is the program's own, where it ended by itself.
    pub fn finish(&mut self) -> Result<Finished> {
        let mut finished = self.running.finish().with_context(|| format!("waiting for {}", self.what))?;
        finished.elapsed = program_time(&self.shared).unwrap_or(finished.elapsed);
        Ok(finished)
    }
}

/// How long the program itself took, without the start of namespaces and X server; known once it has ended.
fn program_time(shared: &Path) -> Option<Duration> {
    let stamp = |file: &str| -> Option<u64> { std::fs::read_to_string(shared.join(file)).ok()?.trim().parse().ok() };
    stamp("ended")?.checked_sub(stamp("started")?).map(Duration::from_nanos)
}

/// `unshare` with everything that a guest does not share with us, up to the command to run.
pub(super) fn namespaces() -> Command {
    let mut command = tethered("unshare");
    if !rustix::process::geteuid().is_root() {
        command.args(["--user", "--map-root-user"]);
    }
    command.args(["--mount", "--pid", "--net", "--ipc", "--fork", "--kill-child=KILL", "--"]);
    command
}
