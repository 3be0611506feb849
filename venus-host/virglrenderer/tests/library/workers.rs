//! Contexts in processes of their own: the library starts itself.

use std::{fs, process::Command, sync::atomic::Ordering};

use rustix::process::{Pid, Signal, kill_process};
use venus_guest::bare::until;

use crate::monitor::{EXTRA, LIBRARY_VARIABLE, Monitor, POLLED, path};

/// What a worker calls itself before it has a context, and with one.
const WAITING: &str = "venus-spare";
const SERVING: &str = "venus-guest";

/// Processes that this one has started of the library, whatever they do.
fn started() -> Vec<i32> {
    let own = rustix::process::getpid().as_raw_nonzero().get().to_string();
    let is_worker = |pid: &i32| {
        let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
        let command = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        status.lines().any(|line| line.strip_prefix("PPid:").is_some_and(|parent| parent.trim() == own))
            && String::from_utf8_lossy(&command).contains("virglrenderer")
    };
    let processes =
        fs::read_dir("/proc").unwrap().filter_map(|entry| entry.unwrap().file_name().to_str()?.parse().ok());
    processes.filter(is_worker).collect()
}

/// Processes that this one has started, and that serve a context: not one that waits for the next.
fn workers() -> Vec<Pid> {
    named(SERVING)
}

fn named(expected: &str) -> Vec<Pid> {
    let own = rustix::process::getpid().as_raw_nonzero().get().to_string();
    let is_worker = |pid: &i32| {
        let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
        let maps = fs::read_to_string(format!("/proc/{pid}/maps")).unwrap_or_default();
        let name = fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
        status.lines().any(|line| line.strip_prefix("PPid:").is_some_and(|parent| parent.trim() == own))
            && maps.contains("libvirglrenderer")
            && name.trim() == expected
    };
    let processes =
        fs::read_dir("/proc").unwrap().filter_map(|entry| entry.unwrap().file_name().to_str()?.parse().ok());
    processes.filter(is_worker).filter_map(Pid::from_raw).collect()
}

/// What an upgrade of the library's package does while machines run.
#[test]
fn a_library_that_is_replaced_starts_workers_of_its_own_version() {
    if std::env::var_os(LIBRARY_VARIABLE).is_some() {
        let monitor = Monitor::initialised(POLLED);
        // This one has the library.
        until("a worker waits", || named(WAITING).len() == 1);
        fs::remove_file(path()).unwrap();
        fs::write(path(), "another version").unwrap();
        for context in 1..=3 {
            let mapped = monitor.context_with_ring(context, context);
            monitor.write_extra(context, context);
            mapped.wait(EXTRA, context);
        }
        assert_eq!(workers().len(), 3);
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let library = folder.path().join("libvirglrenderer.so.1");
    fs::copy(path(), &library).unwrap();
    let mut monitor = Command::new(std::env::current_exe().unwrap());
    let this_test = "workers::a_library_that_is_replaced_starts_workers_of_its_own_version";
    monitor.args(["--exact", this_test]).env(LIBRARY_VARIABLE, library);
    assert!(monitor.status().unwrap().success());
}

/// A monitor that shows pictures alone needs no driver.
#[test]
fn nothing_is_started_for_who_does_not_want_venus() {
    let _monitor = Monitor::initialised(0);
    until("the workers of other tests end", || started().is_empty());
}

#[test]
fn a_worker_that_dies_takes_its_context_and_nothing_else() {
    let monitor = Monitor::initialised(POLLED);
    until("the workers of other tests end", || workers().is_empty());
    let first = monitor.context_with_ring(1, 7);
    monitor.write_extra(1, 0x11);
    first.wait(EXTRA, 0x11);
    let [worker] = workers()[..] else { panic!("one context has one worker: {:?}", workers()) };
    let second = monitor.context_with_ring(2, 8);
    until("the other one serves, too", || workers().len() == 2);

    kill_process(worker, Signal::KILL).unwrap();
    // A guest's kernel asks for one more before it hears of it.
    let _refused = monitor.fence(1, 0, 1);
    assert_eq!(monitor.wait(1, true)[0].fence, (1, 0, 1));
    until("the context is lost", || monitor.submit(1, &[]) != 0);
    assert_eq!(first.word(EXTRA).load(Ordering::Acquire), 0x11, "what is mapped stays");
    monitor.write_extra(2, 0x22);
    second.wait(EXTRA, 0x22);
    monitor.cleanup();
    until("the other worker ends", || workers().is_empty());
}
