//! The vtest server that guests talk to: started, looked at through `/proc`, ended.
//!
//! The server is any program that takes `serve --socket-path PATH`. What it leaves behind after a guest is read from
//! `/proc`: its descendants, its open files and its memory files ([`Traces`]).

use crate::process::{descendants, tail, tethered};
use anyhow::{Context as _, Result, bail};
use std::fs::File;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// How long a server may take until its socket accepts; loading a Vulkan driver takes most of it.
const START_LIMIT: Duration = Duration::from_secs(30);
/// How often its state is looked at.
const POLL: Duration = Duration::from_millis(20);

/// A running server. Dropping it kills it.
#[derive(Debug)]
pub struct Server {
    child: Child,
    folder: tempfile::TempDir,
}

/// What a server holds at a moment: comparing two of these shows a leak.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Traces {
    /// Command lines of its descendants, but for those that wait for a guest.
    pub processes: Vec<String>,
    /// What its open descriptors point at, without the numbers that differ from file to file.
    pub files: Vec<String>,
    /// Memory files that it maps.
    pub memory_files: Vec<String>,
}

impl Traces {
    /// What is here and was not in `before`. Having less is no leak: drivers let go of things when they like.
    fn beyond(&self, before: &Self) -> Vec<String> {
        let lists = [
            (&self.processes, &before.processes),
            (&self.files, &before.files),
            (&self.memory_files, &before.memory_files),
        ];
        let mut more = Vec::new();
        for (now, before) in lists {
            let mut known = before.clone();
            for trace in now {
                match known.iter().position(|other| other == trace) {
                    Some(index) => drop(known.swap_remove(index)),
                    None => more.push(trace.clone()),
                }
            }
        }
        more
    }
}

impl Server {
    /// Starts `program serve --socket-path …` with further arguments, and waits until its socket accepts.
    pub fn start<S: AsRef<std::ffi::OsStr>>(program: &Path, args: impl IntoIterator<Item = S>) -> Result<Self> {
        Self::start_command(tethered(program), program, args)
    }

    /// The same, where neither it nor any of its workers may have more than so many descriptors.
    pub fn start_with_descriptors(program: &Path, descriptors: u32) -> Result<Self> {
        let mut limited = tethered("prlimit");
        limited.arg(format!("--nofile={descriptors}:{descriptors}")).arg(program);
        Self::start_command(limited, program, [""; 0])
    }

    /// Starts `command`, which becomes `program`.
    fn start_command<S: AsRef<std::ffi::OsStr>>(
        mut command: Command,
        program: &Path,
        args: impl IntoIterator<Item = S>,
    ) -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("venus-host-").tempdir().context("making the server's folder")?;
        let log = File::create(folder.path().join("log")).context("making the server's log")?;
        // A path of its own may never be given by whoever runs us: the socket belongs to this run alone.
        let child = command
            .arg("serve")
            .arg("--socket-path")
            .arg(folder.path().join("socket"))
            .args(args)
            .env_remove("VTEST_SOCKET_NAME")
            .env("XDG_STATE_HOME", folder.path().join("state"))
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()
            .with_context(|| format!("starting {}", program.display()))?;
        let mut server = Self { child, folder };
        server.wait_until_ready(program)?;
        Ok(server)
    }

    fn wait_until_ready(&mut self, program: &Path) -> Result<()> {
        let started = Instant::now();
        while !self.socket().exists() {
            if let Some(status) = self.child.try_wait()? {
                bail!("{} ended before it served ({status}):\n{}", program.display(), tail(&self.log()));
            }
            if started.elapsed() > START_LIMIT {
                bail!("{} made no socket within {START_LIMIT:?}:\n{}", program.display(), tail(&self.log()));
            }
            std::thread::sleep(POLL);
        }
        Ok(())
    }

    /// The socket's path on this machine.
    pub fn socket(&self) -> PathBuf {
        self.folder.path().join("socket")
    }

    /// What it has printed so far.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Fails with the end of its log when it is gone.
    pub fn expect_alive(&mut self) -> Result<()> {
        if let Some(status) = self.child.try_wait()? {
            bail!("the server is gone ({status}):\n{}", tail(&self.log()));
        }
        UnixStream::connect(self.socket()).context("the server no longer accepts")?;
        Ok(())
    }

    /// Process ids of all its descendants that have a guest, workers first.
    pub fn descendants(&self) -> Vec<u32> {
        descendants(self.id()).into_iter().filter(|id| !is_ready(*id)).collect()
    }

    /// Process ids of the server itself and of everything below it, workers that wait for a guest included.
    pub fn processes(&self) -> Vec<u32> {
        let mut all = vec![self.id()];
        all.extend(descendants(self.id()));
        all
    }

    /// Waits until it has no such descendants: every guest has a process of its own, unless all are served in one.
    pub fn expect_no_guests(&self, limit: Duration) -> Result<()> {
        let started = Instant::now();
        while !self.descendants().is_empty() {
            if started.elapsed() > limit {
                bail!("the server still has processes: {:?}", self.traces().processes);
            }
            std::thread::sleep(POLL);
        }
        Ok(())
    }

    /// Waits until nothing is left of any guest and nothing moves any more, and returns what it holds then.
    ///
    /// Where all guests are served in one process there is no end of a process to wait for: hence the second look.
    pub fn settle(&self, limit: Duration) -> Result<Traces> {
        const PAUSE: Duration = Duration::from_millis(200);
        let started = Instant::now();
        let mut last = self.traces();
        loop {
            std::thread::sleep(PAUSE);
            let now = self.traces();
            if now == last && now.processes.is_empty() && now.memory_files.is_empty() {
                return Ok(now);
            }
            if started.elapsed() > limit {
                bail!("the server does not come to rest: {now:#?}");
            }
            last = now;
        }
    }

    /// What it holds now.
    pub fn traces(&self) -> Traces {
        let processes = self
            .descendants()
            .into_iter()
            .map(|id| {
                let line = std::fs::read_to_string(format!("/proc/{id}/cmdline")).unwrap_or_default();
                line.replace('\0', " ").trim().to_owned()
            })
            .collect();
        let mut files: Vec<String> = std::fs::read_dir(format!("/proc/{}/fd", self.id()))
            .into_iter()
            .flatten()
            .filter_map(|entry| Some(without_numbers(&std::fs::read_link(entry.ok()?.path()).ok()?)))
            .collect();
        files.sort();
        let maps = std::fs::read_to_string(format!("/proc/{}/maps", self.id())).unwrap_or_default();
        let mut memory_files: Vec<String> =
            maps.lines().filter_map(|line| line.find("/memfd:").map(|at| line[at..].to_owned())).collect();
        memory_files.sort();
        Traces { processes, files, memory_files }
    }

    /// Waits until it holds no more than `before`, and fails with the difference when that does not come about.
    ///
    /// Teardown is not part of a guest's exit: the server hears of it a little later.
    pub fn expect_traces(&self, before: &Traces, limit: Duration) -> Result<()> {
        let started = Instant::now();
        loop {
            let more = self.traces().beyond(before);
            if more.is_empty() {
                return Ok(());
            }
            if started.elapsed() > limit {
                bail!("the server was left with more than it had: {}", more.join(", "));
            }
            std::thread::sleep(POLL);
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Both fail only where it is gone already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Whether a process is a worker that was started ahead of its guest, or is just being started.
fn is_ready(id: u32) -> bool {
    let name = std::fs::read_to_string(format!("/proc/{id}/comm")).unwrap_or_default();
    matches!(name.trim_end(), "venus" | "venus-spare")
}

/// A descriptor's target without inode numbers: `socket:[123]` and `socket:[124]` are the same kind of trace.
fn without_numbers(target: &Path) -> String {
    let target = target.display().to_string();
    match target.split_once(":[") {
        Some((kind, _)) => kind.to_owned(),
        None => target,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::process::write_program;

    #[test]
    fn a_program_that_cannot_serve_is_reported_with_its_words() {
        let folder = tempfile::tempdir().unwrap();
        let script = folder.path().join("server");
        write_program(&script, "#!/bin/sh\necho no driver found\nexit 4\n").unwrap();
        let error = Server::start(&script, [""; 0]).unwrap_err().to_string();
        assert!(error.contains("exit status: 4") && error.contains("no driver found"), "{error}");
    }

    #[test]
    fn only_more_of_the_same_is_a_leak() {
        let traces = |files: &[&str]| Traces {
            processes: Vec::new(),
            files: files.iter().map(|file| (*file).to_owned()).collect(),
            memory_files: Vec::new(),
        };
        let before = traces(&["socket", "socket", "/dev/null"]);
        assert!(traces(&["/dev/null", "socket"]).beyond(&before).is_empty());
        assert_eq!(traces(&["socket", "socket", "socket"]).beyond(&before), ["socket"]);
    }
}
