//! What a server counted of the guests that left it, by its option `--stats-file`.

use anyhow::{Context as _, Result};
use std::ffi::OsString;
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// How long after a guest's end its server may take to hear of it.
const PATIENCE: Duration = Duration::from_secs(3);

/// The file of one server's statistics. It is gone when this is dropped.
#[derive(Debug)]
pub struct Statistics {
    folder: tempfile::TempDir,
}

impl Statistics {
    /// Makes a place for them.
    ///
    /// # Errors
    ///
    /// The system lets us make no temporary folder.
    pub fn new() -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("venus-stats-").tempdir();
        Ok(Self { folder: folder.context("making a folder for statistics")? })
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("stats")
    }

    /// What makes a server write them, for its command line.
    pub fn args(&self) -> [OsString; 2] {
        ["--stats-file".into(), self.path().into()]
    }

    /// Commands of each context that has ended: the server appends one line of JSON for each.
    pub fn commands(&self) -> Vec<u64> {
        let lines = std::fs::read_to_string(self.path()).unwrap_or_default();
        let commands = |line| serde_json::from_str::<serde_json::Value>(line).ok()?.get("commands")?.as_u64();
        lines.lines().filter_map(commands).collect()
    }

    /// Commands of all contexts that ended since `before` of them had; `None` if the server says nothing of any.
    pub fn commands_since(&self, before: usize) -> Option<u64> {
        self.commands_of(before, 1)
    }

    /// The same, where so many have to end: a guest's process is gone before its server says what it counted.
    pub fn commands_of(&self, before: usize, contexts: usize) -> Option<u64> {
        let started = Instant::now();
        let enough = before.saturating_add(contexts);
        while self.commands().len() < enough && started.elapsed() < PATIENCE {
            std::thread::sleep(Duration::from_millis(20));
        }
        self.commands().get(before..).filter(|new| new.len() >= contexts).map(|new| new.iter().sum())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn contexts_since_a_moment_are_added_up() {
        let statistics = Statistics::new().unwrap();
        assert!(statistics.commands().is_empty());
        let lines = "{\"name\":\"one\",\"commands\":3}\nnot JSON\n{\"commands\":4}\n{\"commands\":5}\n";
        std::fs::write(statistics.path(), lines).unwrap();
        assert_eq!(statistics.commands(), [3, 4, 5]);
        assert_eq!(statistics.commands_since(1), Some(9));
        assert_eq!(statistics.commands_since(0), Some(12));
    }

    #[test]
    fn what_comes_late_is_waited_for() {
        let statistics = Statistics::new().unwrap();
        let path = statistics.path();
        std::fs::write(&path, "{\"commands\":3}\n").unwrap();
        let late = std::thread::spawn(move || {
            std::thread::sleep(Duration::from_millis(100));
            std::fs::write(path, "{\"commands\":3}\n{\"commands\":4}\n").unwrap();
        });
        assert_eq!(statistics.commands_of(0, 2), Some(7));
        late.join().unwrap();
        assert_eq!(statistics.commands_of(0, 3), None);
    }
}
