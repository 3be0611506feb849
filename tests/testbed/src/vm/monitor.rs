//! QEMU's monitor: commands and answers, a JSON object a line, over a socket.

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::{Value, json};
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

/// Longest that an answer may take.
const LIMIT: Duration = Duration::from_secs(60);

/// A connection to it. QEMU takes one at a time.
#[derive(Debug)]
pub struct Monitor {
    socket: UnixStream,
    lines: BufReader<UnixStream>,
}

impl Monitor {
    /// Connects, and agrees on how to talk.
    pub(super) fn connect(path: &Path) -> Result<Self> {
        let socket = UnixStream::connect(path).context("connecting to QEMU's monitor")?;
        socket.set_read_timeout(Some(LIMIT))?;
        let lines = BufReader::new(socket.try_clone()?);
        let mut monitor = Self { socket, lines };
        let greeting = monitor.line()?;
        ensure!(greeting.get("QMP").is_some(), "QEMU's monitor greets with {greeting}");
        monitor.execute("qmp_capabilities", &json!({}))?;
        Ok(monitor)
    }

    /// Has a command executed; its result.
    ///
    /// # Errors
    ///
    /// QEMU's own sentence, where it refuses.
    pub fn execute(&mut self, command: &str, arguments: &Value) -> Result<Value> {
        let line = json!({ "execute": command, "arguments": arguments });
        self.socket.write_all(format!("{line}\n").as_bytes()).context("writing to QEMU's monitor")?;
        loop {
            let mut answer = self.line()?;
            if let Some(sentence) = answer.pointer("/error/desc").and_then(Value::as_str) {
                bail!("{sentence}");
            }
            if let Some(result) = answer.get_mut("return") {
                return Ok(result.take());
            }
            // All else tells of events.
        }
    }

    fn line(&mut self) -> Result<Value> {
        let mut line = String::new();
        let read = self.lines.read_line(&mut line).context("reading from QEMU's monitor")?;
        ensure!(read > 0, "QEMU closed its monitor");
        serde_json::from_str(&line).with_context(|| format!("QEMU's monitor says {line}"))
    }
}
