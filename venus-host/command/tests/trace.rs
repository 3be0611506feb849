//! Traces of workers: switched by a signal, and left by one that is killed.

#[path = "../../observe/tests/perfetto/mod.rs"]
mod perfetto;

use std::{
    fs,
    os::unix::net::UnixStream,
    path::Path,
    process::{Child, Command, Stdio},
    time::Instant,
};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;
use venus_guest::bare::{Guest, PATIENCE, command, message, until};

/// Ends with the test.
struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        let _gone = self.0.kill();
        let _status = self.0.wait();
    }
}

/// The process that writes a trace, by the trace's name.
fn writer(file: &Path) -> Pid {
    let name = file.file_stem().unwrap().to_str().unwrap();
    let number = name.split('-').nth(1).unwrap().parse().unwrap();
    Pid::from_raw(number).unwrap()
}

#[test]
fn a_signal_switches_a_workers_tracer_and_a_killed_worker_leaves_its_trace() {
    let folder = TempDir::new().unwrap();
    let socket = folder.path().join("socket");
    let traces = folder.path().join("traces");
    let server = Command::new(env!("CARGO_BIN_EXE_venus"))
        .args(["serve", "--trace-paused", "--socket-path"])
        .arg(&socket)
        .arg("--trace")
        .arg(&traces)
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let _server = Server(server);
    until("the server listens", || socket.exists());
    let mut guest = Guest::over(UnixStream::connect(&socket).unwrap());
    guest.shake_hands();
    let mut ring = guest.create_ring(5, 4096);
    let file = fs::read_dir(&traces).unwrap().next().unwrap().unwrap().path();
    let so_far = || perfetto::read_unfinished(&fs::read(&file).unwrap());
    assert!(so_far().slices.is_empty(), "it is paused");

    kill_process(writer(&file), Signal::USR2).unwrap();
    // The signal takes effect some time after it was sent.
    let deadline = Instant::now() + PATIENCE;
    while so_far().named("vkNotifyRingMESA").count() == 0 {
        assert!(Instant::now() < deadline, "the tracer stays off");
        guest.submit_and_wait(&command::notify_ring(5, 0));
    }
    ring.send(&command::wait_virtqueue_seqno(1));
    guest.notify(&ring);
    until("the ring waits", || so_far().has_begun("wait direct submission"));
    kill_process(writer(&file), Signal::KILL).unwrap();
    guest.send(&message::ping());
    assert!(guest.is_closed());
    let trace = so_far();
    assert_eq!(trace.open, ["vkWaitVirtqueueSeqnoMESA", "handler", "wait direct submission"]);
}

#[test]
fn a_signal_to_the_server_switches_the_tracers_of_guests_to_come() {
    let folder = TempDir::new().unwrap();
    let (socket, traces) = (folder.path().join("socket"), folder.path().join("traces"));
    let log = folder.path().join("log");
    let server = Command::new(env!("CARGO_BIN_EXE_venus"))
        .args(["serve", "--trace-paused", "--spare-workers", "4", "--socket-path"])
        .arg(&socket)
        .arg("--trace")
        .arg(&traces)
        .stderr(fs::File::create(&log).unwrap())
        .spawn()
        .unwrap();
    let server = Server(server);
    until("the server listens", || fs::read_to_string(&log).unwrap().contains("listening"));
    let traced = || {
        let mut guest = Guest::over(UnixStream::connect(&socket).unwrap());
        guest.shake_hands();
        let _ring = guest.create_ring(5, 4096);
        let files = fs::read_dir(&traces).unwrap().map(|entry| entry.unwrap().path());
        files.into_iter().any(|file| !perfetto::read_unfinished(&fs::read(file).unwrap()).slices.is_empty())
    };
    assert!(!traced(), "it is paused");
    kill_process(Pid::from_raw(server.0.id().try_into().unwrap()).unwrap(), Signal::USR2).unwrap();
    until("it is switched", || fs::read_to_string(&log).unwrap().contains("tracing is on"));
    // A worker that was ready before the signal may still get the first guest; that all three do is what must not be.
    assert!((0..3).any(|_| traced()));
}
