//! `venus serve` as a program: processes, sockets, ends.

#[cfg(target_os = "linux")]
mod activation;
mod admission;
mod caches;
mod common;
#[cfg(target_os = "linux")]
mod in_proc;
#[cfg(target_os = "linux")]
mod sandbox;
mod status;
mod stops;

use std::process::Stdio;

use common::{Server, venus};
use venus_guest::bare::message;

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

#[test]
fn a_worker_says_how_its_guest_ended() {
    let folder = tempfile::tempdir().unwrap();
    let stats = folder.path().join("stats");
    let arguments = ["--log", "warn", "--connections", "1", "--stats-file", stats.to_str().unwrap()];
    let end = |server: Server| -> (String, serde_json::Value) {
        let log = server.finish();
        let text = std::fs::read_to_string(&stats).unwrap();
        std::fs::remove_file(&stats).unwrap();
        (log, serde_json::from_str(&text).unwrap())
    };

    let server = Server::start(&arguments);
    let mut guest = server.connect();
    guest.submit_and_wait(&[]);
    drop(guest);
    let (log, summary) = end(server);
    assert_eq!((log.as_str(), &summary["lost"]), ("", &serde_json::Value::Null));

    let server = Server::start(&arguments);
    let mut guest = server.connect();
    // No command has this number.
    guest.submit(&[0xffff, 0]);
    guest.ping();
    drop(guest);
    let (log, summary) = end(server);
    let reason = "unknown command: no command has number 65535 (direct submission at byte 0); ";
    assert!(log.contains(&format!("guest context lost: {reason}")), "{log}");
    assert_eq!(log.lines().count(), 1, "the server has nothing to add: {log}");
    assert!(summary["lost"].as_str().unwrap().starts_with(reason), "{summary}");

    let server = Server::start(&arguments);
    let mut guest = server.connect();
    // No request has this number.
    guest.send(&[0, 99]);
    assert!(guest.is_closed());
    let (log, summary) = end(server);
    assert_eq!(log.lines().count(), 1, "{log}");
    assert!(summary["lost"].as_str().unwrap().starts_with("command 99 is no request of a Venus guest"));
}

#[test]
fn what_a_guest_asks_again_and_again_is_logged_once() {
    let server = Server::start(&["--log", "warn", "--connections", "1"]);
    let mut guest = server.connect();
    for _ in 0..20 {
        guest.send(&message::get_capset(1, 0));
        assert_eq!(guest.receive(3), [1, 16, 0]);
        guest.send(&message::protocol_version(2));
        assert_eq!(guest.receive(3), [1, 11, 2]);
    }
    drop(guest);
    let log = server.finish();
    assert_eq!(log.lines().count(), 2, "{log}");
}

#[test]
fn a_guest_that_is_killed_is_no_error() {
    let folder = tempfile::tempdir().unwrap();
    let stats = folder.path().join("stats");
    let server = Server::start(&["--log", "warn", "--connections", "1", "--stats-file", stats.to_str().unwrap()]);
    let mut guest = server.connect();
    // In the middle of what it has to say, and with an answer that it will never read.
    guest.send(&[0, 10]);
    guest.send(&[1]);
    drop(guest);
    assert_eq!(server.finish(), "");
    let summary: serde_json::Value = serde_json::from_str(&std::fs::read_to_string(&stats).unwrap()).unwrap();
    assert_eq!(summary["lost"], serde_json::Value::Null);
}
