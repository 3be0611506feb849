//! What only Linux tells about a process: its workers, its descriptors, how often it wakes up.

use std::{io::Read as _, time::Duration};

use rustix::process::{Pid, Signal, kill_process};
use venus_guest::bare::{STATUS_IDLE, command, message, until};

use crate::common::{Server, is_refused, write_script};

/// Sends a signal.
pub(crate) fn kill(process: i32, signal: Signal) {
    kill_process(Pid::from_raw(process).unwrap(), signal).unwrap();
}

impl Server {
    /// Process ids of the server's children, dead ones that nobody waited for included.
    fn children(&self) -> Vec<i32> {
        let tasks = std::fs::read_dir(format!("/proc/{}/task", self.process.id())).unwrap();
        tasks
            // A thread may end while we look.
            .filter_map(|task| std::fs::read_to_string(task.ok()?.path().join("children")).ok())
            .flat_map(|children| children.split_whitespace().map(|id| id.parse().unwrap()).collect::<Vec<_>>())
            .collect()
    }

    fn children_named(&self, name: &str) -> Vec<i32> {
        let is_named =
            |id: &i32| std::fs::read_to_string(format!("/proc/{id}/comm")).is_ok_and(|found| found.trim_end() == name);
        self.children().into_iter().filter(is_named).collect()
    }

    /// Those that have a guest.
    pub(crate) fn workers(&self) -> Vec<i32> {
        self.children_named("venus-guest")
    }

    /// The one that waits for the next guest.
    pub(crate) fn spare(&self) -> i32 {
        until("one worker is ready", || self.children_named("venus-spare").len() == 1);
        self.children_named("venus-spare")[0]
    }

    fn descriptors(&self) -> usize {
        std::fs::read_dir(format!("/proc/{}/fd", self.process.id())).unwrap().count()
    }
}

#[test]
fn each_guest_has_a_process_and_leaves_none() {
    let server = Server::start(&[]);
    server.spare();
    let idle = server.descriptors();
    let mut guests: Vec<_> = (0..8).map(|_| server.connect()).collect();
    assert_eq!(server.workers().len(), 8);
    for guest in &mut guests {
        let mut ring = guest.create_ring(1, 4096);
        ring.send(&command::seek_reply_stream(0));
    }
    drop(guests);
    until("all workers are gone", || server.workers().is_empty());
    until("the server keeps nothing of its guests", || server.descriptors() <= idle);
}

#[test]
fn a_killed_worker_takes_only_its_guest_along() {
    let server = Server::start(&[]);
    let mut victim = server.connect();
    let [worker] = server.workers()[..] else { panic!("one worker") };
    let mut other = server.connect();
    kill(worker, Signal::KILL);
    until("its socket is readable or it can still be written to", || server.workers().len() == 1);
    // It learns so with its next word: by an error, and not by an end, which Mesa would spin on.
    victim.send(&message::ping());
    assert_eq!(victim.socket.read(&mut [0]).unwrap_err().kind(), std::io::ErrorKind::ConnectionReset);
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
        let line = status.lines().find_map(|line| line.strip_prefix("voluntary_ctxt_switches:")).unwrap().to_owned();
        line.trim().parse::<u64>().unwrap()
    };
    tasks.map(|task| count(status(task).unwrap())).sum()
}

/// Whether all threads of a process sleep, and none of them wakes up for a while.
fn rests(process: i32) -> bool {
    let before = sleeps(process);
    std::thread::sleep(Duration::from_millis(300));
    sleeps(process) == before && are_all_asleep(process)
}

/// Whether no thread of a process runs or wants to.
fn are_all_asleep(process: i32) -> bool {
    let tasks = std::fs::read_dir(format!("/proc/{process}/task")).unwrap();
    let status = tasks.map(|task| std::fs::read_to_string(task.unwrap().path().join("status")).unwrap());
    status.into_iter().all(|status| status.lines().any(|line| line.starts_with("State:\tS")))
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
    let [worker] = server.workers()[..] else { panic!("one worker") };
    until("it rests", || rests(worker));

    let (reply_resource, reply) = guest.create_shmem(4096);
    ring.send(&command::asking(command::set_reply_stream(reply_resource, 0, 8)));
    guest.notify(&ring);
    ring.until_drained();
    assert_eq!(reply.word(0), 178);
}

#[test]
fn in_one_process_all_is_threads() {
    let server = Server::start(&["--in-process"]);
    // A server that serves somebody has opened all that it listens at.
    let _first = server.connect();
    let idle = server.descriptors();
    let guests: Vec<_> = (0..4).map(|_| server.connect()).collect();
    assert!(server.children().is_empty());
    drop(guests);
    until("all descriptors are closed", || server.descriptors() <= idle);
}

/// A server that runs through another loader cannot start itself; a script starts its workers then.
#[test]
fn workers_are_made_of_the_program_that_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let (script, seen) = (folder.path().join("worker"), folder.path().join("seen"));
    let program = env!("CARGO_BIN_EXE_venus");
    write_script(&script, &format!("#!/bin/sh\necho \"$@\" >>{}\nexec {program} \"$@\"\n", seen.display()));
    let server = Server::start(&["--worker-program", script.to_str().unwrap()]);
    let guest = server.connect();
    server.spare();
    let seen = std::fs::read_to_string(&seen).unwrap();
    assert_eq!(seen.lines().filter(|arguments| *arguments == "worker").count(), 2, "one has the guest, one is ahead");
    assert_eq!(server.workers().len(), 1);
    drop(guest);
    until("the worker is gone", || server.workers().is_empty());
}

/// Some drivers take descriptor 0 for their own where they mean "none".
#[test]
fn a_worker_has_nothing_at_descriptor_0() {
    let server = Server::start(&[]);
    let _guest = server.connect();
    for process in [server.workers()[0], server.spare()] {
        let standard_input = std::fs::read_link(format!("/proc/{process}/fd/0")).unwrap();
        assert_eq!(standard_input.to_str(), Some("/dev/null"));
    }
}

#[test]
fn the_next_guest_gets_the_worker_that_was_ready() {
    let server = Server::start(&[]);
    let ready = server.spare();
    let _first = server.connect();
    assert_eq!(server.workers(), [ready]);
    let next = server.spare();
    kill(next, Signal::KILL);
    until("it is gone", || !server.children().contains(&next));
    let _second = server.connect();
    assert_eq!(server.workers().len(), 2);
    assert_ne!(server.spare(), next, "there is a new one");
}

#[test]
fn the_death_of_a_worker_is_told_with_its_command() {
    let folder = tempfile::tempdir().unwrap();
    let stats = folder.path().join("stats");
    let server = Server::start(&["--log", "warn", "--connections", "1", "--stats-file", stats.to_str().unwrap()]);
    let mut guest = server.connect();
    let mut ring = guest.create_ring(0x1000, 4096);
    let (replies, _memory) = guest.create_shmem(4096);
    ring.send(&command::set_reply_stream(replies, 0, 8));
    guest.notify(&ring);
    ring.until_drained();
    // Never comes, so the ring's thread stays inside.
    ring.send(&command::wait_virtqueue_seqno(1));
    guest.notify(&ring);
    let [worker] = server.workers()[..] else { panic!("one worker") };
    until("the ring is inside, and sleeps", || rests(worker));
    kill(worker, Signal::KILL);
    let log = server.finish();
    let summary: serde_json::Value = serde_json::from_str(&std::fs::read_to_string(&stats).unwrap()).unwrap();
    let lost = "its worker ended with signal: 9 (SIGKILL) in vkWaitVirtqueueSeqnoMESA (ring 0x1000)";
    assert!(log.contains(&format!("test (worker {worker}, user ")), "{log}");
    for part in [lost, "--record DIR --record-immediately", "other guests are not affected"] {
        assert!(log.contains(part), "{part} is missing: {log}");
    }
    assert_eq!(log.lines().count(), 1, "{log}");
    assert_eq!((summary["name"].as_str(), summary["lost"].as_str()), (Some("test"), Some(lost)));
    // Those of whole batches: the ring, its reply stream, and the call that wakes it if it had gone to sleep by then.
    assert!([2, 3].map(serde_json::Value::from).contains(&summary["commands"]), "{summary}");
}

#[test]
fn the_drivers_are_loaded_before_there_is_a_guest() {
    let server = Server::start(&[]);
    let ready = server.spare();
    let maps = || std::fs::read_to_string(format!("/proc/{ready}/maps")).unwrap();
    until("the Vulkan library is loaded", || maps().contains("/libvulkan.so"));
    // And not in the server, which has to live on whatever a driver does.
    let own = std::fs::read_to_string(format!("/proc/{}/maps", server.process.id())).unwrap();
    assert!(!own.contains("/libvulkan"), "{own}");
}

#[test]
fn a_server_whose_guests_rest_wakes_up_for_nothing() {
    let server = Server::start(&["--max-guests", "1"]);
    server.spare();
    let _guest = server.connect();
    let _silent = server.arrive();
    let mut refused = server.arrive();
    assert!(is_refused(&mut refused));
    server.spare();
    let server = i32::try_from(server.process.id()).unwrap();
    until("it rests", || rests(server));
}

/// The worker of this server closes its socket once it has been given a guest, and stays.
#[test]
fn a_worker_that_does_not_end_is_ended() {
    let folder = tempfile::tempdir().unwrap();
    let script = folder.path().join("worker");
    write_script(&script, "#!/bin/sh\n[ \"$1\" = worker ] && head -c 1 | grep -q . && exec sleep 1000 <&-\n");
    let server = Server::start(&["--worker-program", script.to_str().unwrap(), "--max-guests", "1"]);
    assert!(server.is_refused(), "nobody answers");
    // The other one waits for the next guest.
    let worker = server.children().into_iter().min().expect("a worker");
    // It still holds what its guest had, so it counts.
    std::thread::sleep(Duration::from_millis(1100));
    assert!(server.is_refused());
    assert!(server.log().contains("are being served already as there may be (1)"), "{}", server.log());
    let started = std::time::Instant::now();
    while server.children().contains(&worker) {
        assert!(started.elapsed() < Duration::from_secs(30), "{}", server.log());
        std::thread::sleep(Duration::from_millis(50));
    }
    assert!(server.log().contains("does not end, so it is killed"), "{}", server.log());
}
