//! A server to test.

use std::{
    fs::File,
    os::unix::{net::UnixStream, process::CommandExt as _},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use tempfile::TempDir;
use venus_guest::bare::{Guest, until};

/// Writes a script that can be started, by another process. If this one had the file open for writing, so would for a moment
/// whatever other tests start, and a program that somebody writes to cannot be started ("Text file busy").
#[cfg(target_os = "linux")]
pub(crate) fn write_script(path: &Path, text: &str) {
    use std::io::Write as _;
    let mut install = Command::new("install");
    let mut install = install.args(["-m", "755", "/dev/stdin"]).arg(path).stdin(Stdio::piped()).spawn().unwrap();
    install.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    assert!(install.wait().unwrap().success());
}

/// A running server, which is killed in the end.
pub(crate) struct Server {
    pub(crate) process: Child,
    pub(crate) path: PathBuf,
    folder: TempDir,
}

impl Server {
    pub(crate) fn start(arguments: &[&str]) -> Self {
        Self::start_by(arguments, |command| command)
    }

    /// As a shell does at a terminal: with a process group of its own.
    pub(crate) fn start_as_group(arguments: &[&str]) -> Self {
        Self::start_by(arguments, |command| command.process_group(0))
    }

    /// With something else than usual in its environment.
    pub(crate) fn start_by(arguments: &[&str], prepare: impl FnOnce(&mut Command) -> &mut Command) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("vtest");
        let log = File::create(folder.path().join("log")).unwrap();
        let process = prepare(venus(&path).args(arguments).stderr(log)).spawn().unwrap();
        let server = Self { process, path, folder };
        until("the server listens", || server.path.exists());
        server
    }

    /// A guest that has a context, since its host has answered.
    pub(crate) fn connect(&self) -> Guest {
        let mut guest = self.arrive();
        guest.shake_hands();
        guest.ping();
        guest
    }

    /// A guest that has said nothing.
    pub(crate) fn arrive(&self) -> Guest {
        Guest::over(UnixStream::connect(&self.path).unwrap())
    }

    /// A guest that begins to shake hands, and what the host answers, if that is a refusal.
    pub(crate) fn is_refused(&self) -> bool {
        let mut guest = self.arrive();
        is_refused(&mut guest)
    }

    /// What it has logged so far.
    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("log")).unwrap()
    }

    /// Waits for it to end by itself, and returns what it has logged.
    pub(crate) fn finish(mut self) -> String {
        assert!(self.process.wait().unwrap().success(), "{}", self.log());
        self.log()
    }
}

/// Shakes hands as Mesa does, up to the first answer; that may be the one that says there is nothing for this guest. Then
/// the connection has to stay open until the guest closes it.
pub(crate) fn is_refused(guest: &mut Guest) -> bool {
    /// A ping, and what an old server would answer first.
    const QUESTIONS: [u32; 6] = [0, 10, 2, 7, 0, 0];
    guest.create_renderer("test");
    guest.send(&QUESTIONS);
    let header = guest.receive(2);
    if header == [0, 10] {
        assert_eq!(guest.receive(3), [1, 7, 0]);
        return false;
    }
    assert_eq!([&header[..], &guest.receive(1)].concat(), [1, 7, 0]);
    guest.send(&QUESTIONS[..2]);
    guest.socket.set_nonblocking(true).unwrap();
    let silence = std::io::Read::read(&mut guest.socket, &mut [0]).unwrap_err();
    assert_eq!(silence.kind(), std::io::ErrorKind::WouldBlock);
    true
}

impl Drop for Server {
    fn drop(&mut self) {
        // Both fail only where it has ended.
        let _gone = self.process.kill();
        let _waited = self.process.wait();
    }
}

/// A process that is killed in the end.
pub(crate) struct Mortal(pub(crate) Child);

impl Drop for Mortal {
    fn drop(&mut self) {
        // Both fail only where it has ended.
        let _gone = self.0.kill();
        let _waited = self.0.wait();
    }
}

pub(crate) fn venus(path: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_venus"));
    command.arg("serve").arg("--socket-path").arg(path).env_remove("VTEST_SOCKET_NAME").stderr(Stdio::null());
    // The user's own is not for tests.
    command.env("XDG_STATE_HOME", path.with_file_name("state"));
    command
}
