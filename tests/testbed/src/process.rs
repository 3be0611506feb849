//! Child processes that cannot outlive us and always end in time.
//!
//! A guest whose host died spins for ever on its socket, so nothing here waits without a limit. Two ties hold a child:
//! the handle kills it when dropped, and the kernel kills it when the thread that started it ends (`setpriv --pdeathsig`),
//! which covers an interrupted or crashed test run. A [`Running`] therefore has to stay on the thread that made it alive.

use anyhow::{Context as _, Result, ensure};
use std::io::{BufRead as _, BufReader, Read, Write as _};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// How often a waiting thread looks whether its child has ended.
const POLL: Duration = Duration::from_millis(5);

/// Keeps this thread on one processor, and so all processes that it starts from now on.
///
/// # Errors
///
/// The machine has no such processor, this process may not use it, or the system keeps nothing on one.
#[cfg(target_os = "linux")]
pub fn stay_on(processor: usize) -> Result<()> {
    ensure!(processor < rustix::thread::CpuSet::MAX_CPU, "there is no processor {processor}");
    let mut set = rustix::thread::CpuSet::new();
    set.set(processor);
    rustix::thread::sched_setaffinity(None, &set).with_context(|| format!("keeping to processor {processor}"))
}

/// The same.
///
/// # Errors
///
/// Always: this system keeps nothing on one.
#[cfg(not(target_os = "linux"))]
pub fn stay_on(processor: usize) -> Result<()> {
    anyhow::bail!("this system keeps nothing on processor {processor}")
}

/// Writes a program, by another process. If this one had the file open for writing, so would for a moment whatever its
/// other threads start then, and a program that somebody writes to cannot be started ("Text file busy").
///
/// # Errors
///
/// It cannot be written.
pub fn write_program(path: &Path, text: &str) -> Result<()> {
    let mut install = tethered("install");
    let mut install = install.args(["-m", "755", "/dev/stdin"]).arg(path).stdin(Stdio::piped()).spawn()?;
    install.stdin.take().context("install has no standard input")?.write_all(text.as_bytes())?;
    ensure!(install.wait()?.success(), "{} cannot be written", path.display());
    Ok(())
}

/// Builds a command that the kernel kills when the calling thread ends.
pub fn tethered(program: impl AsRef<std::ffi::OsStr>) -> Command {
    if cfg!(target_os = "linux") {
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "KILL", "--"]).arg(program);
        command
    } else {
        Command::new(program)
    }
}

/// How a child ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It exited or was killed by somebody else.
    Ended(ExitStatus),
    /// It was still running at its time limit, and was killed.
    TimedOut,
}

/// What a child left behind.
#[derive(Debug)]
pub struct Finished {
    /// How it ended.
    pub outcome: Outcome,
    /// Its standard output, as text.
    pub stdout: String,
    /// Its standard error, as text.
    pub stderr: String,
    /// Wall-clock time from start to end.
    pub elapsed: Duration,
}

impl Finished {
    /// Whether it exited by itself with status 0.
    pub fn success(&self) -> bool {
        matches!(self.outcome, Outcome::Ended(status) if status.success())
    }

    /// Turns anything but a success into an error that carries the end of both outputs.
    pub fn expect_success(self, what: &str) -> Result<Self> {
        if self.success() {
            return Ok(self);
        }
        let how = match self.outcome {
            Outcome::Ended(status) => format!("{status}"),
            Outcome::TimedOut => format!("no end after {:.0} s", self.elapsed.as_secs_f64()),
        };
        anyhow::bail!("{what}: {how}\n--- its output\n{}--- its errors\n{}", tail(&self.stdout), tail(&self.stderr))
    }
}

/// Kills a process that is not our child, as a crash would end it.
pub fn kill(id: u32) -> Result<()> {
    kill_with(id, rustix::process::Signal::KILL)
}

/// The parent of a process.
///
/// # Errors
///
/// There is no such process.
pub fn parent(id: u32) -> Result<u32> {
    let found = parents().into_iter().find(|(child, _)| *child == id);
    found.map(|(_, parent)| parent).with_context(|| format!("there is no process {id}"))
}

/// Whether a process has not ended; one that nobody has reaped has.
pub fn is_alive(id: u32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{id}/stat")).unwrap_or_default();
    stat.rsplit_once(')').is_some_and(|(_, rest)| !rest.trim_start().starts_with(['Z', 'X']))
}

/// Sends a signal to a process that is not our child.
pub fn kill_with(id: u32, signal: rustix::process::Signal) -> Result<()> {
    let process = i32::try_from(id).ok().and_then(rustix::process::Pid::from_raw);
    let process = process.with_context(|| format!("{id} is no process id"))?;
    rustix::process::kill_process(process, signal).with_context(|| format!("sending {signal:?} to process {id}"))
}

/// All processes below `id`, breadth first.
pub fn descendants(id: u32) -> Vec<u32> {
    let mut found = vec![id];
    let mut next = 0;
    let parents = parents();
    while let Some(parent) = found.get(next).copied() {
        found.extend(parents.iter().filter(|(_, of)| *of == parent).map(|(child, _)| *child));
        next += 1;
    }
    found.split_off(1)
}

/// Whether no thread of a process, or of those below it, runs or waits for a processor.
pub fn is_at_rest(id: u32) -> bool {
    let threads = |id: u32| std::fs::read_dir(format!("/proc/{id}/task")).into_iter().flatten().flatten();
    let state = |thread: std::fs::DirEntry| {
        let stat = std::fs::read_to_string(thread.path().join("stat")).ok()?;
        stat.rsplit_once(')')?.1.trim_start().chars().next()
    };
    !descendants(id).into_iter().chain([id]).flat_map(threads).filter_map(state).any(|state| state == 'R')
}

/// Every process of this machine with its parent; zombies are included, since nobody reaped them.
fn parents() -> Vec<(u32, u32)> {
    let processes = std::fs::read_dir("/proc").into_iter().flatten();
    processes
        .filter_map(|entry| {
            let id: u32 = entry.ok()?.file_name().to_str()?.parse().ok()?;
            let stat = std::fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
            // The command's name stands in parentheses and may hold spaces: state and parent follow the last one.
            let (_, rest) = stat.rsplit_once(')')?;
            Some((id, rest.split_whitespace().nth(1)?.parse().ok()?))
        })
        .collect()
}

/// The last lines of a program's output, enough to show why it failed.
pub fn tail(text: &str) -> String {
    const LINES: usize = 40;
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(LINES)..].iter().map(|line| format!("{line}\n")).collect()
}

/// A child with captured output and a time limit.
#[derive(Debug)]
pub struct Running {
    child: Child,
    stdout: Option<JoinHandle<Vec<u8>>>,
    stderr: Option<JoinHandle<Vec<u8>>>,
    started: Instant,
    limit: Duration,
}

impl Running {
    /// Starts `command` with both outputs captured and no input.
    pub fn start(command: &mut Command, limit: Duration) -> Result<Self> {
        Self::watch(command, limit, |_| {})
    }

    /// As [`Running::start`], and hands each line of its standard error to `each` as it comes, on another thread.
    pub fn watch(command: &mut Command, limit: Duration, each: impl FnMut(&str) + Send + 'static) -> Result<Self> {
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .with_context(|| format!("starting {command:?}"))?;
        let stdout = child.stdout.take().map(|pipe| collect(pipe, |_| {}));
        let stderr = child.stderr.take().map(|pipe| collect(pipe, each));
        Ok(Self { child, stdout, stderr, started: Instant::now(), limit })
    }

    /// Process id of the outermost process.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Whether it is still running, within its time limit.
    pub fn is_running(&mut self) -> Result<bool> {
        Ok(self.started.elapsed() < self.limit && self.child.try_wait()?.is_none())
    }

    /// Kills it now, without a chance to clean up.
    pub fn kill(&mut self) -> Result<()> {
        self.child.kill().context("killing a child")
    }

    /// Waits for the end, or for the time limit and then kills it.
    pub fn finish(&mut self) -> Result<Finished> {
        let outcome = loop {
            if let Some(status) = self.child.try_wait()? {
                break Outcome::Ended(status);
            }
            if self.started.elapsed() >= self.limit {
                self.child.kill()?;
                self.child.wait()?;
                break Outcome::TimedOut;
            }
            std::thread::sleep(POLL);
        };
        let elapsed = self.started.elapsed();
        Ok(Finished { outcome, stdout: text(self.stdout.take()), stderr: text(self.stderr.take()), elapsed })
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Both fail only where the child is gone already, which is what we are after.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Reads a pipe to its end on a thread of its own, so that a full pipe never stops the child.
fn collect(pipe: impl Read + Send + 'static, mut each: impl FnMut(&str) + Send + 'static) -> JoinHandle<Vec<u8>> {
    std::thread::spawn(move || {
        let mut pipe = BufReader::new(pipe);
        let mut bytes = Vec::new();
        loop {
            let begin = bytes.len();
            // A pipe that breaks has nothing more to tell.
            if pipe.read_until(b'\n', &mut bytes).unwrap_or(0) == 0 {
                return bytes;
            }
            each(String::from_utf8_lossy(&bytes[begin..]).trim_end());
        }
    })
}

fn text(reader: Option<JoinHandle<Vec<u8>>>) -> String {
    let bytes = reader.and_then(|reader| reader.join().ok()).unwrap_or_default();
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(script: &str, limit: Duration) -> Finished {
        Running::start(tethered("sh").args(["-c", script]), limit).unwrap().finish().unwrap()
    }

    #[test]
    fn output_and_status_are_kept() {
        let finished = run("echo out; echo err >&2; exit 3", Duration::from_secs(20));
        assert_eq!((finished.stdout.as_str(), finished.stderr.as_str()), ("out\n", "err\n"));
        assert!(!finished.success());
        let error = finished.expect_success("a script").unwrap_err().to_string();
        assert!(error.contains("a script: exit status: 3") && error.contains("err"), "{error}");
    }

    #[test]
    fn lines_are_handed_on_as_they_come() {
        let (sender, lines) = std::sync::mpsc::channel();
        let mut command = tethered("sh");
        command.args(["-c", "echo one >&2; read line; printf two >&2"]);
        let each = move |line: &str| sender.send(line.to_owned()).unwrap();
        let finished = Running::watch(&mut command, Duration::from_secs(20), each).unwrap().finish().unwrap();
        assert_eq!(lines.iter().collect::<Vec<_>>(), ["one", "two"]);
        assert_eq!(finished.stderr, "one\ntwo");
    }

    #[test]
    fn a_child_that_spins_is_killed() {
        let finished = run("while :; do :; done", Duration::from_millis(200));
        assert_eq!(finished.outcome, Outcome::TimedOut);
    }

    #[test]
    fn who_sleeps_is_at_rest_and_who_spins_is_not() {
        // Says that it has begun what it goes on with.
        let begun = |script: &str| {
            let (sender, lines) = std::sync::mpsc::channel();
            let each = move |line: &str| drop(sender.send(line.to_owned()));
            let mut command = tethered("sh");
            let running = Running::watch(command.args(["-c", script]), Duration::from_secs(20), each).unwrap();
            lines.recv().unwrap();
            running
        };
        let mut spinning = begun("echo begun >&2; while :; do :; done");
        assert!((0..20).all(|_| !is_at_rest(spinning.id())));
        spinning.kill().unwrap();
        let mut sleeping = begun("echo begun >&2; exec sleep 20");
        while !is_at_rest(sleeping.id()) {
            std::thread::yield_now();
        }
        sleeping.kill().unwrap();
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_processor_that_there_is_not_is_refused() {
        let error = stay_on(usize::MAX).unwrap_err().to_string();
        assert!(error.contains("no processor 18446744073709551615"), "{error}");
    }

    #[test]
    fn children_are_seen() {
        let mut child = tethered("sleep").arg("20").spawn().unwrap();
        assert!(descendants(std::process::id()).contains(&child.id()));
        child.kill().unwrap();
        child.wait().unwrap();
    }
}
