//! Which tests executed which command: one file each, written by the tests or from what they recorded.
//!
//! | file | columns |
//! |---|---|
//! | `handlers.tsv` | command, outcome, detail: by the handler tests of `venus-host` |
//! | `rust-guest.tsv` | command, count: from recordings of the programs of `venus-guest`, made on this machine's driver |
//! | others | command, count: from the recording of a Mesa guest of that name in `tests/recordings` |

use super::all_or_nothing;
use super::protocol::Protocol;
use super::validation;
use anyhow::{Context as _, Result, ensure};
use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;
use testbed::cargo::{build, cargo};
use testbed::server::Server;
use testbed::workspace;

/// How long after its last guest a server may take to write the recordings.
const PATIENCE: Duration = Duration::from_secs(10);

/// Where they are.
const FOLDER: &str = "tests/commands";
/// Recordings of guests.
const RECORDINGS: &str = "tests/recordings";
/// The extension of a recording.
const RECORDING: &str = "venusrec";
/// The file of the handler tests, which has an outcome instead of a count.
pub(super) const HANDLERS: &str = "handlers";
/// What is written by this command, for the tests.
const OURS: &[&str] = &["extensions", "treatments"];
/// The file of the Rust guest.
const RUST_GUEST: &str = "rust-guest";
/// Tells the handler tests where to write.
const VARIABLE: &str = "VENUS_COMMANDS_OUT";
/// Tells them where to write what commands are made of.
const REACH_VARIABLE: &str = "VENUS_REACH_OUT";

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

/// Runs the handler tests, records the Rust guest, looks into these and the other recordings, and writes what was
/// executed. `host` is a `venus` command to use instead of building this workspace's.
pub(super) fn record(host: Option<&Path>) -> Result<()> {
    let root = workspace();
    run_cargo(&["test", "--package", "venus-host", "--test", "handlers", "every_command_"], |command| {
        command
            .env(VARIABLE, root.join(FOLDER).join("handlers.tsv"))
            .env(REACH_VARIABLE, validation::reach_path(&root));
    })?;
    let host = match host {
        Some(host) => host.to_owned(),
        None => build(&["--package", "venus-command", "--bin", "venus"])?,
    };
    write(RUST_GUEST, &rust_guest(&host)?)?;
    for recording in files(&root.join(RECORDINGS), RECORDING)? {
        write(&stem(&recording), &executed(&host, &recording)?)?;
    }
    Ok(())
}

/// Counts by command.
type Counts = BTreeMap<String, u64>;

fn write(suite: &str, counts: &Counts) -> Result<()> {
    let mut table = "command\tcount\n".to_owned();
    for (command, count) in counts {
        let _ = writeln!(table, "{command}\t{count}");
    }
    let path = workspace().join(FOLDER).join(suite).with_extension("tsv");
    std::fs::write(&path, table).with_context(|| format!("writing {}", path.display()))
}

/// What the Rust guest's programs ask of a host on this machine's driver. How often depends on how long they wait, so
/// only whether counts.
fn rust_guest(host: &Path) -> Result<Counts> {
    let guest = build(&["--package", "venus-guest", "--bin", "venus-guest", "--features", "program"])?;
    let folder = tempfile::tempdir().context("making a folder for recordings")?;
    let picture = folder.path().join("triangle.png");
    let server = Server::start(host, [OsStr::new("--record"), folder.path().as_os_str()])?;
    let programs = [vec![OsStr::new("info")], vec!["triangle".as_ref(), picture.as_ref()], vec!["compute".as_ref()]];
    for program in programs {
        let output = Command::new(&guest).arg("--socket-path").arg(server.socket()).args(&program).output();
        let output = output.with_context(|| format!("starting {}", guest.display()))?;
        let report = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "venus-guest {}: {report}", program[0].display());
    }
    server.settle(PATIENCE)?;
    drop(server);
    let mut counts = Counts::new();
    for recording in files(folder.path(), RECORDING)? {
        counts.extend(executed(host, &recording)?.into_keys().map(|command| (command, 1)));
    }
    ensure!(!counts.is_empty(), "the Rust guest left no recording");
    Ok(counts)
}

fn run_cargo(arguments: &[&str], adjust: impl FnOnce(&mut Command)) -> Result<()> {
    let mut command = Command::new(cargo());
    command.args(arguments).current_dir(workspace());
    adjust(&mut command);
    let status = command.status().context("starting cargo")?;
    ensure!(status.success(), "`cargo {}` failed ({status})", arguments.join(" "));
    Ok(())
}

/// The commands of a recording, counted by `venus dump`.
fn executed(host: &Path, recording: &Path) -> Result<Counts> {
    let output = Command::new(host).args(["dump", "--stats", "--json"]).arg(recording).output();
    let output = output.with_context(|| format!("starting {}", host.display()))?;
    let report = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "venus dump {}: {report}", recording.display());
    let mut counts = Counts::new();
    for line in String::from_utf8_lossy(&output.stdout).lines() {
        let row: serde_json::Value = serde_json::from_str(line).unwrap_or_default();
        if let (Some(command), Some(count)) = (row["command"].as_str(), row["count"].as_u64()) {
            *counts.entry(command.to_owned()).or_default() += count;
        }
    }
    ensure!(!counts.is_empty(), "venus dump --stats --json says nothing of {}", recording.display());
    Ok(counts)
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
