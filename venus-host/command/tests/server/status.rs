//! `venus status`, asked of a server that has guests.

use std::{os::unix::fs::PermissionsExt as _, path::Path, process::Command};

use serde_json::Value;
use venus_guest::bare::until;

use crate::common::{Mortal, Server, venus};

fn ask(path: &Path, arguments: &[&str]) -> std::process::Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_venus"));
    command.arg("status").arg("--socket-path").arg(path).args(["--interval", "0"]).args(arguments).output().unwrap()
}

impl Server {
    fn status(&self) -> Value {
        until("it can be asked", || self.path.with_file_name("vtest.status").exists());
        let output = ask(&self.path, &["--json"]);
        assert!(output.status.success(), "{output:?}");
        serde_json::from_slice(&output.stdout).unwrap()
    }
}

#[test]
fn guests_are_listed_with_what_they_do() {
    for arguments in [&[][..], &["--in-process"]] {
        let server = Server::start(arguments);
        assert_eq!(server.status()["guests"], Value::Array(Vec::new()), "{arguments:?}");

        let mut guest = server.connect();
        let _ring = guest.create_ring(1, 4096);
        let _other = server.connect();
        until("its command is counted", || server.status()["guests"][0]["commands"] == 1);
        let status = server.status();
        assert_eq!(status["process"], server.process.id());
        let guests = status["guests"].as_array().unwrap();
        assert_eq!(guests.len(), 2, "{status}");
        let described = &guests[0];
        assert_eq!(described["name"], "test");
        assert_eq!(described["answers"], true, "{status}");
        assert_eq!((&described["rings"], &described["commands"]), (&Value::from(1), &Value::from(1)), "{status}");
        assert!(described["shared_memory_bytes"].as_u64().unwrap() >= 4096, "{status}");
        assert_eq!(described["last_error"], Value::Null);
        if cfg!(target_os = "linux") {
            assert_eq!(described["user"], rustix::process::getuid().as_raw());
        }

        // No command has this number.
        guest.submit(&[0xffff, 0]);
        guest.ping();
        let error = server.status()["guests"][0]["last_error"].clone();
        assert!(error.as_str().unwrap().starts_with("unknown command: no command has number 65535"), "{error}");
        drop(guest);
        until("it has left", || server.status()["guests"].as_array().unwrap().len() == 1);
    }
}

#[test]
fn people_get_a_table() {
    let server = Server::start(&[]);
    let _guest = server.connect();
    let _asked = server.status();
    let output = ask(&server.path, &[]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains(", 1 guest\n") && text.contains("SUBMITS/S") && text.contains("\ntest "), "{text}");
}

#[test]
fn only_the_servers_user_may_ask() {
    let server = Server::start(&[]);
    let status = server.path.with_file_name("vtest.status");
    until("it is there", || status.exists());
    assert_eq!(std::fs::metadata(&status).unwrap().permissions().mode() & 0o777, 0o600);
}

#[test]
fn a_server_that_is_gone_is_an_error() {
    let mut server = Server::start(&["--connections", "1"]);
    drop(server.connect());
    assert!(server.process.wait().unwrap().success());
    assert!(!server.path.with_file_name("vtest.status").exists(), "nothing is left");
    let output = ask(&server.path, &[]);
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("no server answers at") && said.contains("--socket-path"), "{said}");
}

/// One that waits for its guests is not the one that listens any more.
#[test]
fn a_server_leaves_its_successors_socket_alone() {
    let mut old = Server::start(&[]);
    let guest = old.connect();
    let status = old.path.with_file_name("vtest.status");
    until("it can be asked", || status.exists());
    let id = rustix::process::Pid::from_raw(old.process.id().try_into().unwrap()).unwrap();
    rustix::process::kill_process(id, rustix::process::Signal::TERM).unwrap();
    until("the socket is removed", || !old.path.exists());
    let new = Mortal(venus(&old.path).spawn().unwrap());
    until("and is the one who answers", || old.status()["process"] == new.0.id());
    drop(guest);
    assert!(old.process.wait().unwrap().success());
    assert_eq!(old.status()["process"], new.0.id());
}

/// A worker that is stopped says nothing, and the others are not kept from saying it.
#[cfg(target_os = "linux")]
#[test]
fn a_stuck_worker_is_told_from_the_others() {
    use rustix::process::Signal;

    use crate::in_proc::kill;

    let server = Server::start(&[]);
    let _stuck = server.connect();
    let [worker] = server.workers()[..] else { panic!("one worker") };
    let _other = server.connect();
    until("both answer", || server.status()["guests"].as_array().unwrap().iter().all(|guest| guest["answers"] == true));
    kill(worker, Signal::STOP);
    let status = server.status();
    let guests = status["guests"].as_array().unwrap();
    assert_eq!((&guests[0]["answers"], &guests[1]["answers"]), (&Value::from(false), &Value::from(true)), "{status}");
    assert_eq!(guests[0]["name"], "test");
    assert!(String::from_utf8(ask(&server.path, &[]).stdout).unwrap().contains("does not answer"));
    kill(worker, Signal::CONT);
    until("it answers again", || server.status()["guests"][0]["answers"] == true);
}
