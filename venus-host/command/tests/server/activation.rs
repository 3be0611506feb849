//! A server whose socket a service manager has opened, as systemd does: the socket is descriptor 3, and three environment
//! variables say so. A shell stands for the manager here.

use std::{
    os::{
        fd::OwnedFd,
        unix::net::{UnixDatagram, UnixListener, UnixStream},
    },
    process::{Command, Stdio},
};

use venus_guest::bare::{Guest, until};

use crate::common::{Mortal, write_script};

/// Starts a server that is given `socket` as its descriptor 3, after what the shell does first.
fn activate(socket: OwnedFd, script: &str, envs: &[(&str, &str)]) -> std::process::Child {
    let venus = env!("CARGO_BIN_EXE_venus");
    let mut command = Command::new("sh");
    command.args(["-c", &format!("{script} exec {venus} serve 3<&0 0</dev/null")]).stdin(Stdio::from(socket));
    command.env_remove("VTEST_SOCKET_NAME").stderr(Stdio::piped()).envs(envs.iter().copied()).spawn().unwrap()
}

#[test]
fn a_socket_that_is_passed_is_served_and_stays() {
    let folder = tempfile::tempdir().unwrap();
    let (path, notify) = (folder.path().join("vtest"), folder.path().join("notify"));
    let listener = UnixListener::bind(&path).unwrap();
    let manager = UnixDatagram::bind(&notify).unwrap();
    let script = "export LISTEN_PID=$$ LISTEN_FDS=1;";
    let notify = notify.to_str().unwrap();
    let server = activate(listener.try_clone().unwrap().into(), script, &[("NOTIFY_SOCKET", notify)]);

    let mut word = [0; 32];
    let count = manager.recv(&mut word).unwrap();
    assert_eq!(&word[..count], b"READY=1");
    let mut guest = Guest::over(UnixStream::connect(&path).unwrap());
    guest.shake_hands();
    guest.create_shmem(4096);
    until("it can be asked how it is", || folder.path().join("vtest.status").exists());

    let id = rustix::process::Pid::from_raw(server.id().try_into().unwrap()).unwrap();
    rustix::process::kill_process(id, rustix::process::Signal::TERM).unwrap();
    let count = manager.recv(&mut word).unwrap();
    assert_eq!(&word[..count], b"STOPPING=1");
    drop(guest);
    assert!(server.wait_with_output().unwrap().status.success());
    assert!(path.exists(), "the socket is the manager's");
    let _next = UnixStream::connect(&path).unwrap();
}

/// And what is tried for that inherits nothing that is for the server.
#[test]
fn a_server_is_ready_when_it_knows_its_drivers() {
    let folder = tempfile::tempdir().unwrap();
    let [path, notify, program, tried] = ["vtest", "notify", "program", "tried"].map(|name| folder.path().join(name));
    let listener = UnixListener::bind(&path).unwrap();
    let manager = UnixDatagram::bind(&notify).unwrap();
    let script =
        "#!/bin/sh\n[ $1 = try-sparse ] && sleep 0.3 && echo \"[$LISTEN_FDS$LISTEN_PID$NOTIFY_SOCKET]\" >$TRIED\n";
    write_script(&program, script);
    let [notify, program] = [&notify, &program].map(|path| path.to_str().unwrap());
    let envs = [("NOTIFY_SOCKET", notify), ("VENUS_WORKER_PROGRAM", program), ("TRIED", tried.to_str().unwrap())];
    let _server = Mortal(activate(listener.into(), "export LISTEN_PID=$$ LISTEN_FDS=1;", &envs));
    let mut word = [0; 32];
    let count = manager.recv(&mut word).unwrap();
    assert_eq!(&word[..count], b"READY=1");
    assert_eq!(std::fs::read_to_string(&tried).unwrap(), "[]\n");
}

#[test]
fn what_is_no_socket_for_guests_is_refused() {
    let (stream, _peer) = UnixStream::pair().unwrap();
    for (script, told) in [
        ("export LISTEN_PID=$$ LISTEN_FDS=1;", "something else than a listening Unix stream socket"),
        ("export LISTEN_PID=$$ LISTEN_FDS=2;", "passes 2 sockets"),
    ] {
        let server = activate(stream.try_clone().unwrap().into(), script, &[]);
        let output = server.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(1));
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(said.contains(told) && said.contains("LISTEN_FDS") | said.contains("ListenStream"), "{said}");
    }
}

#[test]
fn variables_for_another_process_mean_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("own");
    let listener = UnixListener::bind(folder.path().join("other")).unwrap();
    let envs = [("VTEST_SOCKET_NAME", path.to_str().unwrap()), ("LISTEN_FDS", "1"), ("LISTEN_PID", "1")];
    let mut server = activate(listener.into(), "", &envs);
    until("it listens at its own socket", || path.exists());
    server.kill().unwrap();
    server.wait().unwrap();
}
