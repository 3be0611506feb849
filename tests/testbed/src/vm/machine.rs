//! A virtual machine: QEMU in a root of its own, a guest that does one job, and what is left of both.

use super::image::{Image, System};
use super::monitor::Monitor;
use crate::picture::Picture;
use crate::process::{Finished, Outcome, descendants, kill, kill_with, parent, tail};
use crate::sandbox::{Guest, GuestRunning, Screen, Vulkan};
use anyhow::{Context as _, Result, bail, ensure};
use rustix::process::Signal;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Time limit of a machine that names none: a boot takes seconds, and a minute where others want the processors, too.
const DEFAULT_LIMIT: Duration = Duration::from_secs(600);
/// How often a waiting test looks at what a job has written.
const POLL: Duration = Duration::from_millis(50);
/// Room for the text console that the guest's kernel makes, and for its window.
const CONSOLE: Screen = Screen { width: 1400, height: 900 };

/// Which library QEMU finds as `libvirglrenderer.so.1`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Library {
    /// The one of its Debian: virglrenderer itself, for comparison.
    Stock,
    /// The one in this folder.
    In(PathBuf),
}

impl Library {
    /// The library of this name: `stock`, or the folder that it lies in.
    pub fn named(name: &Path) -> Self {
        if name == "stock" { Self::Stock } else { Self::In(name.to_owned()) }
    }

    /// What [`Library::named`] takes.
    pub fn name(&self) -> &Path {
        match self {
            Self::Stock => Path::new("stock"),
            Self::In(folder) => folder,
        }
    }
}

/// How to stop when the guest restarts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Restart {
    Ends,
    GoesOn,
}

/// A machine that has not started.
#[derive(Debug)]
pub struct Machine<'a> {
    qemu: &'a Guest,
    image: &'a Image,
    library: Library,
    restart: Restart,
    screen: bool,
    limit: Duration,
    device: String,
    arguments: Vec<String>,
    environment: Vec<(String, String)>,
    folder: tempfile::TempDir,
}

impl<'a> Machine<'a> {
    /// A machine on the QEMU of the root `qemu`, whose guest will run `job`, a script for its shell.
    ///
    /// # Errors
    ///
    /// There is no room for the job's folder.
    pub fn new(qemu: &'a Guest, image: &'a Image, library: &Library, job: &str) -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("venus-vm-").tempdir().context("making a job's folder")?;
        std::fs::write(folder.path().join("run.sh"), job).context("writing a job")?;
        Ok(Self {
            qemu,
            image,
            library: library.clone(),
            restart: Restart::Ends,
            screen: false,
            limit: DEFAULT_LIMIT,
            device: "virtio-gpu-gl-pci,venus=on,blob=on,hostmem=1G".to_owned(),
            arguments: Vec::new(),
            environment: Vec::new(),
            folder,
        })
    }

    /// Puts a copy of a file beside the job, which finds it in its working folder.
    ///
    /// # Errors
    ///
    /// It cannot be copied.
    pub fn file(self, path: &Path) -> Result<Self> {
        let name = path.file_name().with_context(|| format!("{} names no file", path.display()))?;
        std::fs::copy(path, self.folder.path().join(name)).with_context(|| format!("copying {}", path.display()))?;
        Ok(self)
    }

    /// Adds arguments of QEMU.
    pub fn args<S: Into<String>>(mut self, arguments: impl IntoIterator<Item = S>) -> Self {
        self.arguments.extend(arguments.into_iter().map(Into::into));
        self
    }

    /// Sets an environment variable of QEMU, and so of the library.
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Lets the guest restart; otherwise that ends the machine.
    pub fn restarts(mut self) -> Self {
        self.restart = Restart::GoesOn;
        self
    }

    /// Shows QEMU's window on an X server, for [`Session::screenshot`], and the kernel's console in that window.
    pub fn screen(mut self) -> Self {
        self.screen = true;
        self
    }

    /// Ends the machine when it is still running after this long.
    pub fn limit(mut self, limit: Duration) -> Self {
        self.limit = limit;
        self
    }

    /// Starts it.
    ///
    /// # Errors
    ///
    /// QEMU's root or its namespaces cannot be had.
    pub fn start(self) -> Result<Session> {
        let program = match self.image.system() {
            System::Trixie | System::Sid => "qemu-system-x86_64",
            System::Arm64 => "qemu-system-aarch64",
        };
        let mut run = self.qemu.command(program, Vulkan::Lavapipe).args(self.command_line()).limit(self.limit);
        run = run.bind("image", self.image.folder()).bind("job", self.folder.path());
        // QEMU makes temporary files in a folder that is not writable here.
        run = run.env("TMPDIR", "/tmp").env("LIBGL_ALWAYS_SOFTWARE", "1");
        if let Library::In(folder) = &self.library {
            run = run.bind("library", folder).env("LD_LIBRARY_PATH", "/run/library");
        }
        run = if self.screen { run.screen(CONSOLE) } else { run.env("SDL_VIDEODRIVER", "offscreen") };
        for (name, value) in &self.environment {
            run = run.env(name, value);
        }
        Ok(Session { running: run.spawn()?, folder: self.folder })
    }

    /// Runs it to its end, which has to be the job's success.
    ///
    /// # Errors
    ///
    /// As [`Machine::start`] and [`Session::finish`].
    pub fn run(self) -> Result<Report> {
        self.start()?.finish()
    }

    /// QEMU's arguments.
    fn command_line(&self) -> Vec<String> {
        let (board, serial) = match self.image.system() {
            System::Trixie | System::Sid => ("q35", "ttyS0"),
            System::Arm64 => ("virt", "ttyAMA0"),
        };
        let console = if self.screen { "console=tty0 " } else { "" };
        // Where others want the processors, interrupts of a timer come late: x86 kernels take it for missing, and panic.
        let kernel = format!("{console}console={serial} panic=-1 mitigations=off no_timer_check rdinit=/init");
        let kernel = if self.screen { kernel } else { format!("{kernel} quiet") };
        let mut line: Vec<String> = [
            "-machine",
            board,
            "-accel",
            "tcg,thread=multi",
            "-cpu",
            "max",
            "-smp",
            "2",
            "-m",
            "2048",
            "-nodefaults",
            "-no-user-config",
            "-kernel",
            "/run/image/vmlinuz",
            "-initrd",
            "/run/image/initial",
            "-append",
            &kernel,
            "-drive",
            "file=/run/image/disk.ext4,format=raw,if=virtio,readonly=on",
            "-fsdev",
            "local,id=job,path=/run/job,security_model=none",
            "-device",
            "virtio-9p-pci,fsdev=job,mount_tag=job",
            "-device",
            &self.device,
            "-display",
            "sdl,gl=on",
            "-serial",
            "file:/run/venus/console",
            "-monitor",
            "none",
            "-qmp",
            "unix:/run/venus/monitor,server=on,wait=off",
        ]
        .map(str::to_owned)
        .into();
        if self.restart == Restart::Ends {
            line.push("-no-reboot".to_owned());
        }
        line.extend(self.arguments.iter().cloned());
        line
    }
}

/// A machine at work. Dropping it ends it.
#[derive(Debug)]
pub struct Session {
    running: GuestRunning,
    folder: tempfile::TempDir,
}

/// What a machine left.
#[derive(Debug)]
pub struct Report {
    /// What the job wrote to its standard output.
    pub out: String,
    /// What the job wrote to its standard error.
    pub err: String,
    /// The guest's serial console.
    pub console: String,
    /// What QEMU and its library wrote.
    pub log: String,
    /// From QEMU's start to its end.
    pub elapsed: Duration,
    /// The guest's own time when its job began.
    pub up: Duration,
    /// Files that the job left beside itself.
    pub folder: tempfile::TempDir,
}

impl Session {
    /// The job's folder.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// What the job has written to its standard output so far.
    pub fn out(&self) -> String {
        self.read("out")
    }

    /// What the guest has written to its serial console so far.
    pub fn console(&self) -> String {
        read(&self.running.shared().join("console"))
    }

    /// Waits until the job has written `text` to its standard output.
    ///
    /// # Errors
    ///
    /// The machine ends before that.
    pub fn wait_for(&mut self, text: &str) -> Result<()> {
        self.wait_until(&format!("the job says `{text}`"), |session| session.out().contains(text))
    }

    /// Waits until `condition` holds.
    ///
    /// # Errors
    ///
    /// The machine ends before that.
    pub fn wait_until(&mut self, what: &str, condition: impl Fn(&Self) -> bool) -> Result<()> {
        while !condition(self) {
            if !self.running.is_running()? {
                let finished = self.running.finish()?;
                bail!("the machine ended before {what}: {}", self.describe(&finished));
            }
            std::thread::sleep(POLL);
        }
        Ok(())
    }

    /// A picture of QEMU's window, for machines with a screen; `None` while there is none.
    pub fn screenshot(&self) -> Option<Picture> {
        self.running.screenshot()
    }

    /// QEMU's monitor, once there is one.
    ///
    /// # Errors
    ///
    /// It does not answer.
    pub fn monitor(&mut self) -> Result<Monitor> {
        let socket = self.running.shared().join("monitor");
        self.wait_until("QEMU listens", |_| socket.exists())?;
        Monitor::connect(&socket)
    }

    /// Processes that QEMU has started, by their names.
    pub fn workers(&self) -> Result<Vec<(u32, String)>> {
        let qemu = self.process().context("there is no QEMU")?;
        Ok(descendants(qemu).into_iter().map(|id| (id, name(id))).collect())
    }

    /// QEMU's own process id.
    pub fn process(&self) -> Option<u32> {
        descendants(self.running.id()).into_iter().find(|id| name(*id).starts_with("qemu-system"))
    }

    /// Stops the shell that waits for QEMU, with whose end everything ends that QEMU has started: so what QEMU leaves can
    /// be seen. QEMU's process id.
    ///
    /// # Errors
    ///
    /// There is no QEMU, or the system refuses.
    pub fn hold(&self) -> Result<u32> {
        let qemu = self.process().context("there is no QEMU")?;
        kill_with(parent(qemu)?, Signal::STOP)?;
        Ok(qemu)
    }

    /// Lets the shell that waits for QEMU go on.
    ///
    /// # Errors
    ///
    /// As [`Session::hold`].
    pub fn release(&self) -> Result<()> {
        kill_with(parent(self.process().context("there is no QEMU")?)?, Signal::CONT)
    }

    /// Kills QEMU, as a crash would: what it has started has to end by itself, or does so with the session.
    ///
    /// # Errors
    ///
    /// As [`Session::hold`].
    pub fn kill(&self) -> Result<()> {
        kill(self.hold()?)
    }

    /// Waits for the end of QEMU, however that comes about within the machine's time.
    ///
    /// # Errors
    ///
    /// It does not end.
    pub fn end(&mut self) -> Result<Finished> {
        let finished = self.running.finish()?;
        ensure!(finished.outcome != Outcome::TimedOut, "{}", self.describe(&finished));
        Ok(finished)
    }

    /// Waits for the end, which has to be the job's success.
    ///
    /// # Errors
    ///
    /// QEMU fails or does not end in time, or the job does not succeed.
    pub fn finish(mut self) -> Result<Report> {
        let finished = self.running.finish()?;
        let status = self.read("status");
        ensure!(finished.success() && status.trim() == "0", "{}", self.describe(&finished));
        let up = self.read("up").trim().parse().unwrap_or_default();
        Ok(Report {
            out: self.out(),
            err: self.read("err"),
            console: self.console(),
            log: finished.stderr,
            elapsed: finished.elapsed,
            up: Duration::from_secs_f64(up),
            folder: self.folder,
        })
    }

    /// Everything that tells what went wrong.
    fn describe(&self, finished: &Finished) -> String {
        let status = self.read("status");
        let job = match status.trim() {
            "" => "the job did not end".to_owned(),
            status => format!("the job ended with status {status}"),
        };
        let how = match finished.outcome {
            Outcome::Ended(status) => format!("QEMU: {status}"),
            Outcome::TimedOut => format!("the machine was still running after {:.0} s", finished.elapsed.as_secs_f64()),
        };
        format!(
            "{job}; {how}\n--- its output\n{}--- its errors\n{}--- the guest's console\n{}--- QEMU\n{}",
            tail(&self.out()),
            tail(&self.read("err")),
            tail(&self.console()),
            tail(&finished.stderr)
        )
    }

    fn read(&self, name: &str) -> String {
        read(&self.folder.path().join(name))
    }
}

/// A file's text as far as there is one; what is being written may end anywhere.
fn read(path: &Path) -> String {
    String::from_utf8_lossy(&std::fs::read(path).unwrap_or_default()).replace('\r', "")
}

/// The name of a process.
fn name(id: u32) -> String {
    read(Path::new(&format!("/proc/{id}/comm"))).trim_end().to_owned()
}

/// Waits until `condition` holds or `limit` is over; whether it held.
pub fn holds_within(limit: Duration, mut condition: impl FnMut() -> bool) -> bool {
    let started = Instant::now();
    while !condition() {
        if started.elapsed() > limit {
            return false;
        }
        std::thread::sleep(POLL);
    }
    true
}
