//! Which tests executed which command: one file each, written by the tests or from what they recorded.
//!
//! | file | columns |
//! |---|---|
//! | `handlers.tsv` | command, outcome, detail: by the handler tests of `venus-host` |
//! | others | command, count: from the recording of a guest of that name in `tests/recordings` |

use super::all_or_nothing;
use super::protocol::Protocol;
use anyhow::{Context as _, Result, ensure};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use xtask::workspace;

/// Where they are.
const FOLDER: &str = "tests/coverage";
/// Recordings of guests.
const RECORDINGS: &str = "tests/recordings";
/// The extension of a recording.
const RECORDING: &str = "venusrec";
/// The file of the handler tests, which has an outcome instead of a count.
pub(super) const HANDLERS: &str = "handlers";
/// What is written by this command, for the tests.
const OURS: &[&str] = &["extensions", "treatments"];
/// Tells the handler tests where to write.
const VARIABLE: &str = "VENUS_COVERAGE_OUT";

/// What each suite executed: the command, and the second column.
pub(super) type Suites = BTreeMap<String, BTreeMap<String, String>>;

/// Reads the files.
pub(super) fn read(root: &Path) -> Result<Suites> {
    let mut suites = Suites::new();
    for path in files(&root.join(FOLDER), "tsv")? {
        let name = stem(&path);
        if OURS.contains(&name.as_str()) {
            continue;
        }
        let text = std::fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))?;
        let rows = text.lines().skip(1).filter_map(|line| {
            let mut columns = line.split('\t');
            Some((columns.next()?.to_owned(), columns.next()?.to_owned()))
        });
        suites.insert(name, rows.collect());
    }
    Ok(suites)
}

/// Fails if a suite executed something that does not travel, or if the handler tests left something out.
pub(super) fn check(protocol: &Protocol, suites: &Suites) -> Result<()> {
    let mut problems = Vec::new();
    for (suite, rows) in suites {
        let unknown = rows.keys().filter(|name| !protocol.encodable().any(|command| command.name == **name));
        problems.extend(unknown.map(|name| format!("{FOLDER}/{suite}.tsv: {name} is no command that travels")));
    }
    let handlers = suites.get(HANDLERS);
    let missing = protocol.encodable().filter(|command| handlers.is_none_or(|rows| !rows.contains_key(&command.name)));
    problems.extend(missing.map(|command| format!("{FOLDER}/{HANDLERS}.tsv: {} was not executed", command.name)));
    all_or_nothing(&problems)
}

/// Runs the handler tests and looks into the recordings, and writes what was executed.
pub(super) fn record() -> Result<()> {
    let root = workspace();
    cargo(&["test", "--package", "venus-host", "--test", "handlers", "every_command_is"], |command| {
        command.env(VARIABLE, root.join(FOLDER).join("handlers.tsv"));
    })?;
    let recordings = files(&root.join(RECORDINGS), RECORDING)?;
    if recordings.is_empty() {
        return Ok(());
    }
    cargo(&["build", "--package", "venus-host", "--bin", "venus"], |_| {})?;
    for recording in recordings {
        let table = executed(&recording)?;
        let path = root.join(FOLDER).join(stem(&recording)).with_extension("tsv");
        std::fs::write(&path, table).with_context(|| format!("writing {}", path.display()))?;
    }
    Ok(())
}

fn cargo(arguments: &[&str], adjust: impl FnOnce(&mut Command)) -> Result<()> {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(arguments).current_dir(workspace());
    adjust(&mut command);
    let status = command.status().context("starting cargo")?;
    ensure!(status.success(), "`cargo {}` failed ({status})", arguments.join(" "));
    Ok(())
}

/// The commands of a recording, counted by `venus dump`.
fn executed(recording: &Path) -> Result<String> {
    let output = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
        .args(["run", "--quiet", "--package", "venus-host", "--bin", "venus", "--", "dump", "--stats", "--json"])
        .arg(recording)
        .current_dir(workspace())
        .output()
        .context("starting venus dump")?;
    ensure!(output.status.success(), "venus dump {}: {}", recording.display(), String::from_utf8_lossy(&output.stderr));
    let mut counts = BTreeMap::new();
    for line in String::from_utf8_lossy(&output.stdout).lines() {
        let Ok(row) = serde_json::from_str::<serde_json::Value>(line) else { continue };
        if let (Some(command), Some(count)) = (row["command"].as_str(), row["count"].as_u64()) {
            *counts.entry(command.to_owned()).or_insert(0) += count;
        }
    }
    ensure!(!counts.is_empty(), "venus dump --stats --json says nothing of {}", recording.display());
    let mut table = "command\tcount\n".to_owned();
    for (command, count) in counts {
        let _ = writeln!(table, "{command}\t{count}");
    }
    Ok(table)
}

/// The files of a folder with this extension, by name. A folder that does not exist has none.
fn files(folder: &Path, extension: &str) -> Result<Vec<PathBuf>> {
    if !folder.is_dir() {
        return Ok(Vec::new());
    }
    let entries = std::fs::read_dir(folder).with_context(|| format!("listing {}", folder.display()))?;
    let mut paths: Vec<PathBuf> = entries.map(|entry| Ok(entry?.path())).collect::<Result<_>>()?;
    paths.retain(|path| path.extension().is_some_and(|other| other == extension));
    paths.sort();
    Ok(paths)
}

fn stem(path: &Path) -> String {
    path.file_stem().unwrap_or_default().to_string_lossy().into_owned()
}
