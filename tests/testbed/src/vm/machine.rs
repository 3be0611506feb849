//! A virtual machine: QEMU in a root of its own, and a guest that will do one job.

use super::image::{Image, System};
use super::session::{Report, Session};
use crate::sandbox::{Guest, Screen, Vulkan};
use anyhow::{Context as _, Result};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Time limit of a machine that names none: a boot takes seconds, and a minute where others want the processors, too.
const DEFAULT_LIMIT: Duration = Duration::from_secs(600);
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
    hostmem: String,
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
            hostmem: "1G".to_owned(),
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

    /// Sets how much memory of the host the guest can have mapped at a time; otherwise that is a gigabyte.
    pub fn hostmem(mut self, size: &str) -> Self {
        size.clone_into(&mut self.hostmem);
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
        let device = format!("virtio-gpu-gl-pci,venus=on,blob=on,hostmem={}", self.hostmem);
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
            &device,
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
