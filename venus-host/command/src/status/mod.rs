//! `venus status`: what a running server is doing.
//!
//! The server says it at a socket of its own, beside the one for guests; [`socket`] is its end of that.

mod socket;
mod table;

use std::{
    io::{self, Read as _, Write as _},
    os::unix::net::UnixStream,
    path::{Path, PathBuf},
    thread,
    time::Duration,
};

use anyhow::{Context as _, ensure};
use clap::Args;
use serde_json::{Value, json};
use venus_host::vtest;

pub(super) use self::socket::StatusSocket;

const EXAMPLES: &str = "\
Examples:
  venus status --socket-path /tmp/venus.sock  guests, their memory, what they submit in a second
  venus status --json --interval 0            the same for programs, at once and without rates";

/// How long a server may take to answer. It waits two seconds for workers that are stuck.
const PATIENCE: Duration = Duration::from_secs(30);

/// Show what a running server is doing: its guests, their processes, devices and memory, how much they submit, and their
/// last error
///
/// Only the server's own user, and root, may ask.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct StatusArgs {
    /// Where the server listens for guests
    #[arg(long, env = "VTEST_SOCKET_NAME", default_value = vtest::DEFAULT_SOCKET_PATH, value_name = "PATH")]
    socket_path: PathBuf,

    /// Where it listens for this question, if that is not beside the other socket
    #[arg(long, env = "VENUS_STATUS_PATH", value_name = "PATH")]
    status_path: Option<PathBuf>,

    /// Look twice, this many seconds apart, to tell how much is done in a second; 0 looks once
    #[arg(long, default_value_t = 1.0, value_name = "SECONDS")]
    interval: f64,

    /// Print JSON, for programs. Names stay as they are; new ones may be added
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &StatusArgs) -> Result<(), anyhow::Error> {
    let path = args.status_path.clone().unwrap_or_else(|| beside(&args.socket_path));
    let interval = Duration::try_from_secs_f64(args.interval).context("--interval")?;
    let mut status = ask(&path)?;
    if !interval.is_zero() {
        thread::sleep(interval);
        let before = std::mem::replace(&mut status, ask(&path)?);
        add_rates(&before, &mut status);
    }
    let text = if args.json { format!("{status:#}\n") } else { table::of(&status) };
    io::stdout().lock().write_all(text.as_bytes()).context("cannot print the status")
}

/// Where a server answers that listens for guests at `path`, unless it is told otherwise.
pub(super) fn beside(path: &Path) -> PathBuf {
    let mut beside = path.as_os_str().to_owned();
    beside.push(".status");
    beside.into()
}

fn ask(path: &Path) -> Result<Value, anyhow::Error> {
    let shown = path.display();
    let mut socket = UnixStream::connect(path).with_context(|| {
        format!("no server answers at {shown}; is `venus serve` running, and does it run with the same --socket-path?")
    })?;
    socket.set_read_timeout(Some(PATIENCE)).context("cannot set a time-out")?;
    let mut text = String::new();
    socket.read_to_string(&mut text).with_context(|| format!("the server at {shown} does not answer"))?;
    let status: Value = serde_json::from_str(&text).with_context(|| format!("{shown} answers with something else"))?;
    ensure!(status["guests"].is_array(), "{shown} answers with something else");
    Ok(status)
}

/// Adds to each guest what it did in a second, where it was there before. By their workers guests are told apart, and by
/// how long they have been served.
fn add_rates(before: &Value, now: &mut Value) {
    let elapsed = now["uptime_seconds"].as_f64().zip(before["uptime_seconds"].as_f64());
    let Some(elapsed) = elapsed.map(|(now, before)| now - before).filter(|elapsed| *elapsed > 0.0) else { return };
    let before = before["guests"].as_array().cloned().unwrap_or_default();
    for guest in now["guests"].as_array_mut().into_iter().flatten() {
        let Some(earlier) = before.iter().find(|other| other["number"] == guest["number"]) else { continue };
        for counter in ["submissions", "commands"] {
            let counts = guest[counter].as_f64().zip(earlier[counter].as_f64());
            if let Some((now, before)) = counts {
                let rate = ((now - before) / elapsed * 10.0).round() / 10.0;
                guest[format!("{counter}_per_second")] = json!(rate);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_of_guests_that_were_there_before() {
        let before = json!({ "uptime_seconds": 10.0, "guests": [
            { "number": 1, "submissions": 100, "commands": 1000 },
            { "number": 2, "submissions": null, "commands": null },
        ]});
        let mut now = json!({ "uptime_seconds": 12.0, "guests": [
            { "number": 1, "submissions": 220, "commands": 1001 },
            { "number": 2, "submissions": 7, "commands": 8 },
            { "number": 3, "submissions": 7, "commands": 8 },
        ]});
        add_rates(&before, &mut now);
        let rates: Vec<_> =
            now["guests"].as_array().unwrap().iter().map(|g| g["submissions_per_second"].as_f64()).collect();
        assert_eq!(rates, [Some(60.0), None, None]);
        assert_eq!(now["guests"][0]["commands_per_second"], 0.5);
    }

    #[test]
    fn a_server_that_is_not_there_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let error = ask(&beside(&folder.path().join("vtest"))).unwrap_err().to_string();
        assert!(error.contains("vtest.status") && error.contains("venus serve"), "{error}");
    }
}
