//! How a server ends when it is asked to.

#[cfg(target_os = "linux")]
use std::process::Stdio;

use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use venus_guest::bare::until;

use crate::common::Server;
#[cfg(target_os = "linux")]
use crate::common::{Mortal, venus};

impl Server {
    fn id(&self) -> Pid {
        Pid::from_raw(self.process.id().try_into().unwrap()).unwrap()
    }

    fn signal(&self, signal: Signal) {
        kill_process(self.id(), signal).unwrap();
    }
}

#[test]
fn a_server_that_is_stopped_waits_for_its_guests_and_says_so() {
    for signal in [Signal::TERM, Signal::INT] {
        let server = Server::start(&[]);
        let mut guest = server.connect();
        let mut shy = server.arrive();
        server.signal(signal);
        until("the socket is removed", || !server.path.exists());
        assert_eq!(shy.receive(3), [1, 7, 0], "who has not begun is refused");
        guest.create_shmem(4096);
        until("it says what it waits for", || server.log().contains("waiting for 1 guest to leave: test"));
        drop(guest);
        let log = server.finish();
        assert!(!log.contains("ERROR"), "{log}");
    }
}

#[test]
fn a_second_signal_ends_the_guests() {
    for arguments in [&[][..], &["--in-process"]] {
        let server = Server::start(arguments);
        let mut guest = server.connect();
        server.signal(Signal::TERM);
        until("it stops", || server.log().contains("waiting for 1 guest "));
        server.signal(Signal::TERM);
        let log = server.finish();
        assert!(log.contains("ending 1 guest "), "{log}");
        assert!(!log.contains("ERROR"), "it was asked to: {log}");
        assert!(guest.is_closed());
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_server_whose_log_nobody_reads_can_be_stopped() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("vtest");
    let mut server = Mortal(venus(&path).stderr(Stdio::piped()).spawn().unwrap());
    drop(server.0.stderr.take());
    until("it listens", || path.exists());
    kill_process(Pid::from_child(&server.0), Signal::TERM).unwrap();
    let stat = format!("/proc/{}/stat", server.0.id());
    until("it ends", || std::fs::read_to_string(&stat).is_ok_and(|stat| stat.contains(") Z ")));
    assert!(server.0.wait().unwrap().success());
}

/// Ctrl-C is a signal to every process of the terminal's group.
#[test]
fn an_interrupt_from_a_terminal_is_for_the_server_alone() {
    let server = Server::start_as_group(&[]);
    let mut guest = server.connect();
    kill_process_group(server.id(), Signal::INT).unwrap();
    until("it stops", || server.log().contains("waiting for 1 guest "));
    guest.create_shmem(4096);
    drop(guest);
    let log = server.finish();
    assert!(!log.contains("ended with"), "{log}");
}

#[test]
fn a_hang_up_changes_nothing_and_says_so() {
    let server = Server::start(&[]);
    let mut guest = server.connect();
    server.signal(Signal::HUP);
    until("it says so", || server.log().contains("SIGHUP: there is no configuration to read again"));
    guest.ping();
    assert!(server.path.exists());
}
