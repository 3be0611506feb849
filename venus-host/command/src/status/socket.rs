//! The server's end: a socket beside the one for guests, which says to whoever connects what the server is doing, as one
//! JSON value, and closes the connection.
//!
//! Only the server's user may connect: names of programs, and what they do wrong, are nobody else's business.

use std::{
    fs, io,
    os::unix::{
        fs::{MetadataExt as _, PermissionsExt as _},
        net::{UnixListener, UnixStream},
    },
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

use anyhow::Context as _;
use serde_json::{Value, json};
use venus_host::vtest::{GuestStatus, ServerHandle};

/// How long one who asks may take to read the answer.
const PATIENCE: Duration = Duration::from_secs(1);

/// Stack of the thread that answers.
const STACK_BYTES: usize = 256 << 10;

/// The socket, whose name goes with this value.
#[derive(Debug)]
pub(crate) struct StatusSocket {
    path: PathBuf,
    /// Device and inode of the socket: others may have put their own in its place.
    file: (u64, u64),
}

impl StatusSocket {
    /// Answers at `path` what `server` does, on a thread of its own. Whatever was left at the path is replaced.
    pub(crate) fn open(path: &Path, server: ServerHandle) -> Result<Self, anyhow::Error> {
        let (listener, file) = listen(path).with_context(|| format!("cannot listen at {}", path.display()))?;
        let started = Instant::now();
        let answer = move || {
            for connection in listener.incoming() {
                let told = connection.and_then(|socket| tell(socket, &describe(&server, started)));
                if let Err(error) = told {
                    tracing::debug!("somebody asked for the status and does not get it: {error}");
                    // If it is the listener that fails, it may do so for long.
                    thread::sleep(Duration::from_millis(10));
                }
            }
        };
        let builder = thread::Builder::new().name("venus-status".to_owned()).stack_size(STACK_BYTES);
        builder.spawn(answer).context("cannot start a thread for the status")?;
        Ok(Self { path: path.to_owned(), file })
    }
}

impl Drop for StatusSocket {
    fn drop(&mut self) {
        // The next server may have begun while this one waited for its guests.
        if fs::symlink_metadata(&self.path).is_ok_and(|found| (found.dev(), found.ino()) == self.file) {
            // Best effort: the next server replaces a leftover.
            let _gone = fs::remove_file(&self.path);
        }
    }
}

/// Listens at a path, which appears once only our user may connect to it. Answers device and inode, too.
fn listen(path: &Path) -> io::Result<(UnixListener, (u64, u64))> {
    let mut draft = path.as_os_str().to_owned();
    draft.push("~");
    // What a server left that was killed in between.
    let _gone = fs::remove_file(&draft);
    let listener = UnixListener::bind(&draft)?;
    fs::set_permissions(&draft, fs::Permissions::from_mode(0o600))?;
    let made = fs::symlink_metadata(&draft)?;
    fs::rename(&draft, path)?;
    Ok((listener, (made.dev(), made.ino())))
}

fn tell(mut socket: UnixStream, status: &Value) -> io::Result<()> {
    use io::Write as _;

    socket.set_write_timeout(Some(PATIENCE))?;
    socket.write_all(format!("{status}\n").as_bytes())
}

fn describe(server: &ServerHandle, started: Instant) -> Value {
    let guests: Vec<Value> = server.guests().iter().map(guest).collect();
    json!({
        "process": std::process::id(),
        "uptime_seconds": started.elapsed().as_secs_f64(),
        "guests": guests,
    })
}

fn guest(guest: &GuestStatus) -> Value {
    let statistics = guest.statistics.as_ref();
    json!({
        "number": guest.number,
        "name": guest.name,
        "worker": guest.process,
        "user": guest.user,
        "seconds": guest.age.as_secs_f64(),
        "answers": statistics.is_some(),
        "devices": statistics.map(|s| s.devices),
        "gpus": statistics.map(|s| s.gpus.clone()),
        "objects": statistics.map(|s| s.objects),
        "rings": statistics.map(|s| s.rings),
        "device_memory_bytes": statistics.map(|s| s.device_memory_bytes),
        "mapped_memory_bytes": statistics.map(|s| s.blob_memory_bytes),
        "shared_memory_bytes": statistics.map(|s| s.shared_memory_bytes),
        "commands": statistics.map(|s| s.commands),
        "submissions": statistics.map(|s| s.submissions),
        "failures": statistics.map(|s| s.failures),
        "findings": statistics.map(|s| s.findings),
        "last_error": statistics.and_then(|s| s.last_error.clone()),
    })
}
