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
use venus_guest::bare::{Guest, PATIENCE, command, until};

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
    assert!(guest.is_closed());
    let trace = so_far();
    assert_eq!(trace.open, ["vkWaitVirtqueueSeqnoMESA", "handler", "wait direct submission"]);
}
