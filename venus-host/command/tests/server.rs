//! `venus serve` as a program: processes, sockets, ends.

use std::{
    os::unix::net::UnixStream,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use tempfile::TempDir;
use venus_guest::bare::{Guest, until};

/// A running server.
struct Server {
    process: Child,
    path: PathBuf,
    _folder: TempDir,
}

impl Server {
    fn start(arguments: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("vtest");
        let process = venus(&path).args(arguments).spawn().unwrap();
        let server = Self { process, path, _folder: folder };
        until("the server listens", || server.path.exists());
        server
    }

    fn connect(&self) -> Guest {
        let mut guest = Guest::over(UnixStream::connect(&self.path).unwrap());
        guest.shake_hands();
        guest.ping();
        guest
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }
}

fn venus(path: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_venus"));
    command.arg("serve").arg("--socket-path").arg(path).env_remove("VTEST_SOCKET_NAME").stderr(Stdio::null());
    command
}

#[test]
fn a_server_ends_after_its_last_connection() {
    let mut server = Server::start(&["--connections", "2"]);
    drop(server.connect());
    drop(server.connect());
    assert!(server.process.wait().unwrap().success());
    assert!(!server.path.exists(), "the socket is removed");
}

#[test]
fn a_socket_does_not_carry_what_only_a_monitor_can_use() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("vtest");
    for (way, why) in [("opaque", "import it into this driver"), ("pointer", "in the same process")] {
        let output = venus(&path).args(["--memory", way]).stderr(Stdio::piped()).output().unwrap();
        let message = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{message}");
        assert!(message.contains("--memory") && message.contains(way) && message.contains(why), "{message}");
        assert!(!path.exists(), "nobody listens");
    }
}

#[test]
fn a_socket_is_taken_over_only_from_the_dead() {
    let first = Server::start(&[]);
    let second = venus(&first.path).stderr(Stdio::piped()).output().unwrap();
    assert!(!second.status.success());
    assert!(String::from_utf8_lossy(&second.stderr).contains("another server is listening"));

    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    std::fs::write(&file, "precious").unwrap();
    let third = venus(&file).stderr(Stdio::piped()).output().unwrap();
    assert!(String::from_utf8_lossy(&third.stderr).contains("is no socket"));
    assert_eq!(std::fs::read(&file).unwrap(), b"precious");

    let path = folder.path().join("left-over");
    drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
    let mut fourth = venus(&path).args(["--connections", "0"]).spawn().unwrap();
    assert!(fourth.wait().unwrap().success());
}

/// A worker of its own, without a server, whose statistics go to `stats`.
fn worker(stats: &Path) -> (Guest, Child) {
    let (ours, theirs) = UnixStream::pair().unwrap();
    let child = Command::new(env!("CARGO_BIN_EXE_venus"))
        .args(["worker", "--stats-file"])
        .arg(stats)
        .stdin(std::os::fd::OwnedFd::from(theirs))
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut guest = Guest::over(ours);
    guest.shake_hands();
    (guest, child)
}

#[test]
fn a_worker_says_how_its_guest_ended() {
    let folder = tempfile::tempdir().unwrap();
    let stats = folder.path().join("stats");
    let summary = || -> serde_json::Value {
        let text = std::fs::read_to_string(&stats).unwrap();
        std::fs::remove_file(&stats).unwrap();
        serde_json::from_str(&text).unwrap()
    };

    let (mut guest, child) = worker(&stats);
    guest.submit_and_wait(&[]);
    drop(guest);
    assert_eq!(child.wait_with_output().unwrap().status.code(), Some(0));
    assert_eq!(summary()["lost"], serde_json::Value::Null);

    let (mut guest, child) = worker(&stats);
    // No command has this number.
    guest.submit_and_wait(&[0xffff, 0]);
    drop(guest);
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(3));
    let log = String::from_utf8(output.stderr).unwrap();
    let reason = "unknown command: no command has number 65535 (direct submission at byte 0); ";
    assert!(log.contains(&format!("guest context lost: {reason}")), "{log}");
    assert_eq!(log.lines().count(), 1, "{log}");
    let lost = summary()["lost"].clone();
    assert!(lost.as_str().unwrap().starts_with(reason), "{lost}");

    let (mut guest, child) = worker(&stats);
    // No request has this number.
    guest.send(&[0, 99]);
    assert!(guest.is_closed());
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(3));
    assert!(summary()["lost"].as_str().unwrap().starts_with("command 99 is no request of a Venus guest"));
}

/// What only Linux tells about a process: its workers, its descriptors, how often it wakes up.
#[cfg(target_os = "linux")]
mod in_proc {
    use std::time::Duration;

    use venus_guest::bare::{STATUS_IDLE, command, until};

    use super::Server;

    impl Server {
        /// Process ids of the server's children, dead ones that nobody waited for included.
        fn workers(&self) -> Vec<i32> {
            let tasks = std::fs::read_dir(format!("/proc/{}/task", self.process.id())).unwrap();
            tasks
                // A thread may end while we look.
                .filter_map(|task| std::fs::read_to_string(task.ok()?.path().join("children")).ok())
                .flat_map(|children| children.split_whitespace().map(|id| id.parse().unwrap()).collect::<Vec<_>>())
                .collect()
        }

        fn descriptors(&self) -> usize {
            std::fs::read_dir(format!("/proc/{}/fd", self.process.id())).unwrap().count()
        }
    }

    #[test]
    fn each_guest_has_a_process_and_leaves_none() {
        let server = Server::start(&[]);
        let idle = server.descriptors();
        let mut guests: Vec<_> = (0..8).map(|_| server.connect()).collect();
        assert_eq!(server.workers().len(), 8);
        assert_eq!(server.descriptors(), idle, "the server keeps nothing of its guests");
        for guest in &mut guests {
            let mut ring = guest.create_ring(1, 4096);
            ring.send(&command::seek_reply_stream(0));
        }
        drop(guests);
        until("all workers are gone", || server.workers().is_empty());
    }

    #[test]
    fn a_killed_worker_takes_only_its_guest_along() {
        let server = Server::start(&[]);
        let mut victim = server.connect();
        let [worker] = server.workers()[..] else { panic!("one worker") };
        let mut other = server.connect();
        rustix::process::kill_process(rustix::process::Pid::from_raw(worker).unwrap(), rustix::process::Signal::KILL)
            .unwrap();
        assert!(victim.is_closed());
        other.create_shmem(4096);
        let mut third = server.connect();
        third.create_shmem(4096);
        drop((victim, other, third));
        until("all workers are gone", || server.workers().is_empty());
    }

    /// How often the threads of a process have gone to sleep so far.
    fn sleeps(process: i32) -> u64 {
        let tasks = std::fs::read_dir(format!("/proc/{process}/task")).unwrap();
        let status =
            |task: std::io::Result<std::fs::DirEntry>| std::fs::read_to_string(task.unwrap().path().join("status"));
        let count = |status: String| {
            let line =
                status.lines().find_map(|line| line.strip_prefix("voluntary_ctxt_switches:")).unwrap().to_owned();
            line.trim().parse::<u64>().unwrap()
        };
        tasks.map(|task| count(status(task).unwrap())).sum()
    }

    #[test]
    fn an_idle_guest_wakes_nobody() {
        let server = Server::start(&[]);
        let mut guest = server.connect();
        let mut ring = guest.create_ring(1, 4096);
        // A short heartbeat, which must rest, too.
        let (second, memory) = guest.create_shmem(4096 + 196);
        guest.submit_and_wait(&command::create_ring(2, second, 4096, Some(20_000)));
        until("both rings are idle", || (ring.status() & memory.word(128)) & STATUS_IDLE != 0);
        std::thread::sleep(Duration::from_millis(50));
        let [worker] = server.workers()[..] else { panic!("one worker") };
        let before = sleeps(worker);
        std::thread::sleep(Duration::from_millis(300));
        assert_eq!(sleeps(worker), before);

        let (reply_resource, reply) = guest.create_shmem(4096);
        ring.send(&command::asking(command::set_reply_stream(reply_resource, 0, 8)));
        guest.notify(&ring);
        ring.until_drained();
        assert_eq!(reply.word(0), 178);
    }

    #[test]
    fn in_one_process_all_is_threads() {
        let server = Server::start(&["--in-process"]);
        let idle = server.descriptors();
        let guests: Vec<_> = (0..4).map(|_| server.connect()).collect();
        assert!(server.workers().is_empty());
        drop(guests);
        until("all descriptors are closed", || server.descriptors() == idle);
    }

    /// A server that runs through another loader cannot start itself; a script starts its workers then.
    #[test]
    fn workers_are_made_of_the_program_that_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let (script, seen) = (folder.path().join("worker"), folder.path().join("seen"));
        let program = env!("CARGO_BIN_EXE_venus");
        std::fs::write(&script, format!("#!/bin/sh\necho \"$@\" >{}\nexec {program} \"$@\"\n", seen.display()))
            .unwrap();
        std::fs::set_permissions(&script, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
        let server = Server::start(&["--worker-program", script.to_str().unwrap()]);
        let guest = server.connect();
        assert_eq!(std::fs::read_to_string(&seen).unwrap(), "worker\n");
        assert_eq!(server.workers().len(), 1);
        drop(guest);
        until("the worker is gone", || server.workers().is_empty());
    }
}
