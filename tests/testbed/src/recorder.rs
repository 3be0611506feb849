//! Recording a standard program: a guest that runs it, against a server that notes what the guest does.

use crate::process::tail;
use crate::programs::Program;
use crate::sandbox::{Guest, Vulkan};
use crate::server::Server;
use crate::statistics::Statistics;
use anyhow::{Context as _, Result, anyhow, ensure};
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// What the names of recordings end with.
pub const EXTENSION: &str = "venusrec";

/// Longest that one program may take. A guest whose host died would spin for ever.
const LIMIT: Duration = Duration::from_secs(180);
/// How long the server may take to close its recording once the guest is gone.
const TEARDOWN: Duration = Duration::from_secs(10);

/// One recorded run.
#[derive(Debug)]
pub struct Recorded {
    /// The recordings: one for each connection that the program made, in that order.
    pub files: Vec<PathBuf>,
    /// Commands that the host executed in all of them.
    pub commands: u64,
    /// How long the program ran.
    pub elapsed: Duration,
}

/// Runs `program` in `guest` against the `venus` command at `host`, and leaves `NAME.venusrec` in `folder`.
///
/// With `memory`, contents of the memory that guest and driver share are part of it.
///
/// # Errors
///
/// The program fails, or the server recorded nothing. A recording of that name which was there is then still there.
pub fn record(host: &Path, guest: &Guest, program: Program, folder: &Path, memory: bool) -> Result<Recorded> {
    std::fs::create_dir_all(folder).with_context(|| format!("making {}", folder.display()))?;
    // Beside their final place: renaming works on one file system only.
    let fresh = tempfile::Builder::new().prefix(".recording-").tempdir_in(folder).context("making a folder")?;
    let statistics = Statistics::new()?;
    let mut args: Vec<OsString> = statistics.args().into();
    args.extend(["--record".into(), fresh.path().into()]);
    args.extend(memory.then(|| "--record-memory".into()));
    let server = Server::start(host, args)?;

    let run = program.command(guest, Vulkan::Venus(&server.socket()))?.limit(LIMIT).output()?;
    let run = run
        .expect_success(&format!("{} in {}", program.name(), guest.name()))
        .map_err(|error| anyhow!("{error:#}--- the host's log\n{}", tail(&server.log())))?;
    server.expect_no_guests(TEARDOWN)?;

    let made = recordings(fresh.path())?;
    ensure!(!made.is_empty(), "the server recorded nothing of {}:\n{}", program.name(), tail(&server.log()));
    let mut files = Vec::new();
    for (number, path) in made.iter().enumerate() {
        let name = match number {
            0 => format!("{}.{EXTENSION}", program.name()),
            _ => format!("{}.{}.{EXTENSION}", program.name(), number + 1),
        };
        let to = folder.join(name);
        std::fs::rename(path, &to).with_context(|| format!("renaming to {}", to.display()))?;
        files.push(to);
    }
    let commands = statistics.commands_of(0, files.len());
    let commands = commands.with_context(|| format!("the server did not say what it counted of {}", program.name()))?;
    Ok(Recorded { files, commands, elapsed: run.elapsed })
}

/// The recordings in a folder, oldest first.
///
/// # Errors
///
/// The folder cannot be read.
pub fn recordings(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).with_context(|| format!("listing {}", folder.display()))? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == EXTENSION) {
            let made = path.metadata().and_then(|about| about.created().or_else(|_| about.modified()));
            found.push((made.with_context(|| format!("looking at {}", path.display()))?, path));
        }
    }
    found.sort();
    Ok(found.into_iter().map(|(_, path)| path).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_recordings_are_listed_oldest_first() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["second.venusrec", "first.venusrec", "notes.txt"] {
            std::fs::write(folder.path().join(name), "").unwrap();
            std::thread::sleep(Duration::from_millis(20));
        }
        let found = recordings(folder.path()).unwrap();
        let names: Vec<_> = found.iter().filter_map(|path| path.file_name()?.to_str()).collect();
        assert_eq!(names, ["second.venusrec", "first.venusrec"]);
    }
}
