//! What a worker process has of its monitor's surroundings, and what becomes of it when the monitor dies.

use std::{
    ffi::c_int,
    fs::{self, File},
    io::{BufRead as _, BufReader},
    path::Path,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use mock_driver::Mock;
use venus_guest::bare::command;
use venus_host::{context::Retired, host::Isolation, limits, worker::Launch};

use crate::{
    machine::{FIRST, Machine, PATIENCE, config},
    worker,
};

const SIGPIPE: c_int = 13;

unsafe extern "C" {
    fn signal(signal: c_int, handler: usize) -> usize;
}

/// Takes SIGPIPE as the system does by default: what a library has that is run as a program.
pub(crate) fn be_plain() {
    // SAFETY: the default needs no handler, and no other thread of this program has anything to do with this signal.
    unsafe { signal(SIGPIPE, 0) };
}

/// Has a worker that is stuck, and stays.
pub(crate) fn be_monitor(mock: &Mock) {
    let mut machine = Machine::new(config(mock), Isolation::Process(worker::launch(worker::STUCK)));
    machine.submit(&command::seek_reply_stream(0)).unwrap();
    worker::stay();
}

#[test]
fn a_worker_has_no_descriptors_of_its_monitors_and_no_signal_of_a_closed_pipe() {
    let mock = Mock::take();
    let disk = tempfile::NamedTempFile::with_prefix("disk").unwrap();
    // Without close-on-exec.
    let _inherited = rustix::io::dup(File::open(disk.path()).unwrap()).unwrap();
    let Launch::Command(make) = worker::launch(worker::PLAIN) else { unreachable!("tests start commands") };
    let path = disk.path().to_owned();
    let launch = Launch::command(move || {
        let mut command = make();
        command.stdout(File::open(&path).unwrap());
        command
    });
    let mut machine = Machine::new(config(&mock), Isolation::Process(launch));
    assert_eq!(machine.fence(FIRST, 0), Retired::Done);
    let process = Path::new("/proc").join(machine.host.process(FIRST).unwrap().to_string());
    let has: Vec<_> =
        fs::read_dir(process.join("fd")).unwrap().filter_map(|entry| fs::read_link(entry.ok()?.path()).ok()).collect();
    assert!(!has.is_empty() && !has.iter().any(|one| one == disk.path()), "{has:?}");
    let status = fs::read_to_string(process.join("status")).unwrap();
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:")).unwrap();
    let ignored = u64::from_str_radix(ignored.trim(), 16).unwrap();
    assert_ne!(ignored & (1 << (SIGPIPE - 1)), 0, "{ignored:x}");
}

#[test]
fn a_stuck_worker_does_not_outlive_a_monitor_that_is_killed() {
    let Launch::Command(make) = worker::launch(worker::MONITOR) else { unreachable!("tests start commands") };
    let mut monitor: Command = make();
    let mut monitor = monitor.stderr(Stdio::piped()).spawn().unwrap();
    // Kept, so that the worker has somebody to talk to.
    let mut said = BufReader::new(monitor.stderr.take().unwrap()).lines().map(Result::unwrap);
    let process = said.find_map(|line| line.strip_prefix("stuck in process ").map(str::to_owned)).unwrap();
    let process = Path::new("/proc").join(process);
    assert!(process.exists());
    monitor.kill().unwrap();
    monitor.wait().unwrap();
    // Who adopts it may take its time to bury it.
    let is_there = || {
        let status = fs::read_to_string(process.join("status")).unwrap_or_default();
        status.lines().any(|line| line.starts_with("State:") && !line.contains('Z'))
    };
    let deadline = Instant::now() + limits::ORPHAN_PATIENCE + PATIENCE;
    while is_there() {
        assert!(Instant::now() < deadline, "it is there still");
        std::thread::sleep(Duration::from_millis(10));
    }
}
