//! vtest servers that run inside of a guest root, on the lavapipe of that root.
//!
//! There they have the very driver that a native run in the same root has, which makes times comparable; and there
//! virglrenderer is installed in the version of that suite, so the same guest can be measured against both.

use crate::process::{descendants, tail, tethered};
use crate::sandbox::{Guest, GuestRunning, Vulkan};
use anyhow::{Context as _, Result, bail, ensure};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// How long a server may take until it has made its socket.
const START_LIMIT: Duration = Duration::from_secs(30);
/// Longest life of a server that nobody ends.
const LIFE: Duration = Duration::from_secs(3600);
/// The socket, and our program, in the folder that the server's root shares with this machine.
const SOCKET: &str = "socket";
const PROGRAM: &str = "venus";
/// What our program logs, and what it says of itself, in the same folder.
const LOG: &str = "log";
const DOCTOR: &str = "doctor.json";

/// A server inside of a guest root. Dropping it ends it.
#[derive(Debug)]
pub struct Resident {
    running: GuestRunning,
}

impl Resident {
    /// Starts virglrenderer's `virgl_test_server` with Venus.
    pub fn virglrenderer(guest: &Guest) -> Result<Self> {
        let socket = format!("--socket-path=/run/venus/{SOCKET}");
        let command = guest.command("virgl_test_server", Vulkan::Lavapipe);
        // Without `--multi-clients` it makes a process for each client, as ours does.
        let running = command.args(["--venus", "--no-virgl", &socket]).limit(LIFE).spawn()?;
        Self { running }.wait_until_ready()
    }

    /// Starts our own host: `program` is a `venus` command built on this machine.
    ///
    /// Its C library must not be newer than the root's, which holds for the Debian that we support and later suites.
    pub fn venus(guest: &Guest, program: &Path, args: &[&str]) -> Result<Self> {
        Self::start(guest, program, args, "")
    }

    /// As [`Resident::venus`], and has the host say first what it can give guests: [`Resident::doctor`].
    ///
    /// `driver` are the options that both of its commands take.
    pub fn examined(guest: &Guest, program: &Path, driver: &[&str]) -> Result<Self> {
        // A host that finds faults is still worth a try: its own words come with what fails.
        let examine = format!("/run/venus/{PROGRAM} doctor --json \"$@\" >/run/venus/{DOCTOR} 2>/dev/null || true; ");
        Self::start(guest, program, driver, &examine)
    }

    fn start(guest: &Guest, program: &Path, args: &[&str], before: &str) -> Result<Self> {
        // The root may not change, so the program waits for its copy in the shared folder.
        let script = format!(
            "while ! [ -e /run/venus/{PROGRAM} ]; do sleep 0.01; done; {before}\
             exec /run/venus/{PROGRAM} serve --socket-path /run/venus/{SOCKET} \"$@\" 2>/run/venus/{LOG}"
        );
        let command = guest.command("sh", Vulkan::Lavapipe).args(["-c", &script, PROGRAM]);
        let running = command.args(args.iter().copied()).limit(LIFE).spawn()?;
        let partial = running.shared().join("venus.copy");
        // By another process, as `write_program` says.
        let copied = tethered("cp").arg(program).arg(&partial).status();
        ensure!(copied.is_ok_and(|status| status.success()), "{} cannot be copied", program.display());
        std::fs::rename(&partial, running.shared().join(PROGRAM)).context("placing the copied program")?;
        Self { running }.wait_until_ready()
    }

    fn wait_until_ready(mut self) -> Result<Self> {
        let started = Instant::now();
        while !self.socket().exists() {
            if !self.running.is_running()? {
                let finished = self.running.finish()?;
                bail!("{} ended before it served:\n{}{}", self.running.what(), tail(&finished.stderr), self.log());
            }
            if started.elapsed() > START_LIMIT {
                bail!("{} made no socket within {START_LIMIT:?}", self.running.what());
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        Ok(self)
    }

    /// The socket's path on this machine.
    pub fn socket(&self) -> PathBuf {
        self.running.shared().join(SOCKET)
    }

    /// Process ids of the server and of all that it has started, as this machine counts them.
    pub fn processes(&self) -> Vec<u32> {
        descendants(self.running.id())
    }

    /// The end of what our host has logged so far; empty for virglrenderer.
    pub fn log(&self) -> String {
        tail(&std::fs::read_to_string(self.running.shared().join(LOG)).unwrap_or_default())
    }

    /// What `venus doctor --json` printed.
    ///
    /// # Errors
    ///
    /// The host was not [`Resident::examined`], or said nothing that can be read.
    pub fn doctor(&self) -> Result<serde_json::Value> {
        let text =
            std::fs::read_to_string(self.running.shared().join(DOCTOR)).context("reading venus doctor's words")?;
        serde_json::from_str(&text).context("understanding venus doctor")
    }
}
