//! A machine at work: what its job says, what is done to it meanwhile, and what is left of it.

use super::monitor::Monitor;
use crate::picture::Picture;
use crate::process::{Finished, Outcome, descendants, kill, kill_with, parent, tail};
use crate::sandbox::GuestRunning;
use anyhow::{Context as _, Result, bail, ensure};
use rustix::process::Signal;
use std::path::Path;
use std::time::{Duration, Instant};

/// How often a waiting test looks at what a job has written.
const POLL: Duration = Duration::from_millis(50);

/// A machine at work. Dropping it ends it.
#[derive(Debug)]
pub struct Session {
    pub(super) running: GuestRunning,
    pub(super) folder: tempfile::TempDir,
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
