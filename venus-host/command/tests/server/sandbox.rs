//! What the process of a guest has given up when it serves it.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

use rustix::io::{FdFlags, fcntl_setfd};
use venus_guest::bare::until;

use crate::common::{Server, venus};

/// The worker that has the only guest of a server, in `/proc`.
fn worker(server: &Server) -> PathBuf {
    let server = server.process.id();
    let processes = fs::read_dir("/proc").unwrap().filter_map(|entry| Some(entry.ok()?.path()));
    let mut workers = processes.filter(|process| {
        let status = fs::read_to_string(process.join("status")).unwrap_or_default();
        status.starts_with("Name:\tvenus-guest\n") && field(&status, "PPid") == server.to_string()
    });
    workers.next().expect("a worker")
}

fn field<'a>(status: &'a str, name: &str) -> &'a str {
    let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    line.unwrap_or_default().trim()
}

/// The files that a process has open, in `/proc`.
fn open_files(process: &Path) -> Vec<PathBuf> {
    let descriptors = fs::read_dir(process.join("fd")).unwrap().filter_map(|entry| Some(entry.ok()?.path()));
    descriptors.filter_map(|descriptor| fs::read_link(descriptor).ok()).collect()
}

#[test]
fn a_guests_process_has_no_files_that_the_server_was_started_with() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().canonicalize().unwrap().join("private");
    let private = File::create(&path).unwrap();
    // As a shell leaves them that is told `exec 7<>private`.
    fcntl_setfd(&private, FdFlags::empty()).unwrap();
    let server = Server::start(&["--sandbox", "off"]);
    let _guest = server.connect();
    let of_server = open_files(&Path::new("/proc").join(server.process.id().to_string()));
    assert!(of_server.contains(&path), "the server was not started with it: {of_server:?}");
    let of_worker = open_files(&worker(&server));
    assert!(!of_worker.is_empty() && !of_worker.contains(&path), "{of_worker:?}");
}

/// Whether the system lets a process give up what a strict sandbox wants.
fn is_complete() -> bool {
    venus_host::sandbox::support().missing().is_empty()
}

#[test]
fn a_guests_process_is_confined_unless_somebody_says_otherwise() {
    let own = fs::read_to_string("/proc/self/status").unwrap();
    let filters = |status: &str| field(status, "Seccomp_filters").parse::<u32>().unwrap_or(0);
    for (arguments, is_confined) in [(&[][..], true), (&["--sandbox", "strict"], true), (&["--sandbox", "off"], false)]
    {
        if is_confined && !is_complete() {
            continue;
        }
        let server = Server::start(arguments);
        let guest = server.connect();
        let process = worker(&server);
        for thread in fs::read_dir(process.join("task")).unwrap() {
            let status = fs::read_to_string(thread.unwrap().path().join("status")).unwrap();
            assert_eq!(filters(&status) > filters(&own), is_confined, "{arguments:?}: {status}");
            assert!(!is_confined || field(&status, "NoNewPrivs") == "1", "{arguments:?}: {status}");
            for rights in ["CapInh", "CapPrm", "CapEff", "CapAmb"] {
                let none = field(&status, rights).bytes().all(|digit| digit == b'0');
                assert!(!is_confined || none, "{arguments:?}: {status}");
            }
        }
        let limits = fs::read_to_string(process.join("limits")).unwrap();
        let core: Vec<_> =
            limits.lines().find(|line| line.starts_with("Max core")).unwrap().split_whitespace().collect();
        assert!(!is_confined || core[4..6] == ["1", "1"], "{arguments:?}: {core:?}");
        drop(guest);
    }
}

#[test]
fn what_a_strict_sandbox_is_told_to_write_is_written() {
    if !is_complete() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let (recordings, traces) = (folder.path().join("recordings"), folder.path().join("traces"));
    let stats = folder.path().join("stats");
    let mut arguments = vec!["--sandbox", "strict", "--connections", "1", "--log", "warn"];
    for (option, path) in [("--record", &recordings), ("--trace", &traces), ("--stats-file", &stats)] {
        arguments.extend([option, path.to_str().unwrap()]);
    }
    let server = Server::start(&arguments);
    drop(server.connect());
    assert_eq!(server.finish(), "", "nothing is refused");
    for folder in [recordings, traces] {
        assert_eq!(fs::read_dir(folder).unwrap().count(), 1);
    }
    assert_eq!(fs::read_to_string(stats).unwrap().lines().count(), 1);
}

#[test]
fn a_guests_process_has_nothing_open_that_is_of_other_guests() {
    if !is_complete() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().canonicalize().unwrap();
    let (recordings, stats) = (root.join("recordings"), root.join("stats"));
    let arguments = ["--record", recordings.to_str().unwrap(), "--stats-file", stats.to_str().unwrap()];
    let server = Server::start(&arguments);
    let first = server.connect();
    let open = open_files(&worker(&server));
    assert!(!open.contains(&stats), "{open:?}");
    assert_eq!(open.iter().filter(|path| path.starts_with(&recordings)).count(), 1, "its own recording: {open:?}");
    assert_eq!(fs::read_dir(&recordings).unwrap().count(), 1, "a worker without a guest has no name for its file");
    drop(first);
    until("the line of the first guest", || fs::read_to_string(&stats).is_ok_and(|lines| lines.lines().count() == 1));
}

#[test]
fn threads_are_not_confined_and_a_strict_server_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let mut server = venus(&folder.path().join("vtest"));
    let strict = server.args(["--in-process", "--sandbox", "strict"]);
    let Output { status, stderr, .. } = strict.stderr(Stdio::piped()).output().unwrap();
    let message = String::from_utf8(stderr).unwrap();
    assert_eq!(status.code(), Some(1), "{message}");
    assert!(message.contains("--sandbox strict") && message.contains("--in-process"), "{message}");
}

#[test]
fn a_server_says_what_comes_of_its_options() {
    let folder = tempfile::tempdir().unwrap();
    let nowhere = folder.path().join("nowhere");
    let options =
        ["--sandbox", "on", "--sandbox-read", nowhere.to_str().unwrap(), "--in-process", "--connections", "1"];
    let server = Server::start(&options);
    drop(server.connect());
    let log = server.finish();
    assert!(log.contains("--in-process nothing is confined"), "{log}");
    assert!(log.contains("nowhere does not exist"), "{log}");
}

/// What replays, or serves with threads, confines nothing.
#[test]
fn what_tries_gpus_for_those_who_are_not_confined_is_not_either() {
    let folder = tempfile::tempdir().unwrap();
    let [program, tried] = ["program", "tried"].map(|name| folder.path().join(name));
    // Another process writes it: what is open for that here is open in a child of another test, too, and cannot be run.
    let script = "printf '#!/bin/sh\\necho $VENUS_SANDBOX >$TRIED\\n' >$PROGRAM && chmod +x $PROGRAM";
    let written = Command::new("sh").args(["-c", script]).env("PROGRAM", &program).status().unwrap();
    assert!(written.success());
    let mut venus = Command::new(env!("CARGO_BIN_EXE_venus"));
    venus.args(["replay", "/nowhere/at/all"]).env("VENUS_WORKER_PROGRAM", &program).env("TRIED", &tried);
    let replayed = venus.env("VENUS_SANDBOX", "on").env_remove("VENUS_SPARSE").output().unwrap();
    assert!(!replayed.status.success(), "there is nothing to replay");
    assert_eq!(fs::read_to_string(&tried).unwrap(), "off\n");
}
