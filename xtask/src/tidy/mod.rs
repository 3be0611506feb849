//! `cargo xtask tidy`: which room of the sources may use what.
//!
//! [`plan`] has the rooms, their floors, and what each may use; the crate [`rooms`] proves it from the sources.
//!
//! Data flows one way through the workspace, and a use against the stream is a change of design. A room that the plan
//! does not know, a row about a room that is not there, and an exception that nobody needs are errors, too. What was found
//! is a table in `ARCHITECTURE.md`.

mod plan;

use anyhow::{Context as _, Result, ensure};
use plan::{CRATES, EXCEPTIONS, OFFLINE};
use rooms::{Crate, Report, Room, Sources, rust_files};
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::Path;
use testbed::workspace;

/// Where the table stands, and between which lines.
const PAGE: &str = "ARCHITECTURE.md";
const BEGIN: &str = "<!-- rooms: written by `cargo xtask tidy --write` -->\n";
const END: &str = "<!-- end of rooms -->";

/// Check which room of the sources uses what.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Write the table of rooms into ARCHITECTURE.md instead of checking that it is fresh.
    #[arg(long)]
    write: bool,
}

pub(crate) fn run(args: &Args) -> Result<()> {
    let root = workspace();
    let (mut problems, table) = check(&root)?;
    problems.extend(unplanned(&std::fs::read_to_string(root.join("Cargo.toml")).context("reading Cargo.toml")?));
    problems.extend(offline(&root)?);
    problems.extend(page(&root, &table, args.write)?);
    for problem in &problems {
        eprintln!("{problem}\n");
    }
    ensure!(problems.is_empty(), "{} things are not as the plan of the rooms has them", problems.len());
    let rooms: usize = CRATES.iter().map(|krate| krate.rooms.len()).sum();
    eprintln!("{rooms} rooms of {} crates are as planned, with {} exceptions", CRATES.len(), EXCEPTIONS.len());
    Ok(())
}

/// What is wrong in any crate, and the table of all.
fn check(root: &Path) -> Result<(Vec<String>, String)> {
    let (mut problems, mut tables, mut single) = (Vec::new(), String::new(), String::new());
    for krate in CRATES {
        let report = rooms::check(krate, EXCEPTIONS, &Sources::read(root, krate.folder, krate.name)?);
        match krate.rooms {
            [room] => {
                let _ = writeln!(single, "| `{}` | {} |", krate.folder, may_use(room, &report));
            }
            rooms => table(&mut tables, krate, rooms, &report),
        }
        problems.extend(report.problems);
    }
    let _ = write!(tables, "\n| crate of one room | may use |\n|---|---|\n{single}");
    Ok((problems, tables))
}

/// The rooms of a crate, from the roof to the cellar.
fn table(text: &mut String, krate: &Crate, rooms: &[Room], report: &Report) {
    let _ = writeln!(text, "\n| room of `{}` | floor | may use | used by |\n|---|--:|---|---|", krate.folder);
    let mut rooms: Vec<_> = rooms.iter().collect();
    rooms.sort_by_key(|room| (std::cmp::Reverse(room.floor), room.name));
    for room in rooms {
        let users = report.used.iter().filter(|(_, used)| used.contains(room.name));
        let users: Vec<String> = users.map(|(user, _)| format!("`{user}`")).collect();
        let may = may_use(room, report);
        let _ = writeln!(text, "| `{}` | {} | {may} | {} |", room.name, room.floor, users.join(", "));
    }
    for row in EXCEPTIONS.iter().filter(|row| row.krate == krate.name) {
        let _ = writeln!(text, "\nException: `{}` uses `{}`: {}.", row.from, row.to, row.why);
    }
}

/// What a room may use; what it does not is in brackets.
fn may_use(room: &Room, report: &Report) -> String {
    let uses = |name: &str| report.used.get(room.name).is_some_and(|used| used.contains(name));
    let show = |&name: &&str| if uses(name) { format!("`{name}`") } else { format!("(`{name}`)") };
    room.rooms.iter().chain(room.crates).map(show).collect::<Vec<_>>().join(", ")
}

/// Members of the workspace that the plan does not know.
fn unplanned(manifest: &str) -> Vec<String> {
    let members = manifest.split_once("members = [").and_then(|(_, rest)| rest.split_once(']'));
    let members = members.map_or("", |(members, _)| members).split(',').map(|member| member.trim().trim_matches('"'));
    let unknown = members.filter(|member| !member.is_empty() && CRATES.iter().all(|krate| krate.folder != *member));
    unknown.map(|member| format!("{member} is in no plan: add a crate to xtask/src/tidy/plan")).collect()
}

/// Writes the table, or says that it is stale.
fn page(root: &Path, table: &str, write: bool) -> Result<Option<String>> {
    let path = root.join(PAGE);
    let page = std::fs::read_to_string(&path).with_context(|| format!("reading {PAGE}"))?;
    let fresh = with_table(&page, table)?;
    if write && fresh != page {
        std::fs::write(&path, &fresh).with_context(|| format!("writing {PAGE}"))?;
        return Ok(None);
    }
    let stale = || format!("{PAGE}: the table of rooms is stale; run `cargo xtask tidy --write`");
    Ok((fresh != page).then(stale))
}

fn with_table(page: &str, table: &str) -> Result<String> {
    let markers = || format!("{PAGE} needs the lines `{}` and `{END}`, in this order", BEGIN.trim_end());
    let (head, rest) = page.split_once(BEGIN).with_context(markers)?;
    let (_, tail) = rest.split_once(END).with_context(markers)?;
    Ok(format!("{head}{BEGIN}{table}\n{END}{tail}"))
}

/// Where a chore or a test tells cargo to do without the network: it would depend on what was downloaded before.
fn offline(root: &Path) -> Result<Vec<String>> {
    let mut files = Vec::new();
    for folder in OFFLINE.folders {
        rust_files(&root.join(folder), &mut files)?;
    }
    let mut problems = Vec::new();
    let mut known = BTreeSet::new();
    for file in files {
        let name = file.strip_prefix(root)?.to_string_lossy().into_owned();
        let text = std::fs::read_to_string(&file).with_context(|| format!("reading {name}"))?;
        let Some(line) = text.lines().position(|line| line.contains(OFFLINE.word)) else { continue };
        if let Some((place, _)) = OFFLINE.places.iter().find(|(place, _)| *place == name) {
            known.insert(*place);
        } else {
            problems.push(format!("{name}:{}: {}\n  why: {}", line + 1, OFFLINE.word, OFFLINE.why));
        }
    }
    let gone = OFFLINE.places.iter().filter(|(place, _)| !known.contains(place));
    problems.extend(gone.map(|(place, _)| format!("{place} no longer says {}: drop its row", OFFLINE.word)));
    Ok(problems)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_workspace_is_tidy() {
        run(&Args { write: false }).expect("the rooms are as planned; run `cargo xtask tidy`");
    }

    #[test]
    fn every_member_of_the_workspace_is_planned() {
        let manifest = "[workspace]\nmembers = [\n  \"venus-host\",\n  \"attic\"\n]\n";
        assert_eq!(unplanned(manifest), ["attic is in no plan: add a crate to xtask/src/tidy/plan"]);
    }

    #[test]
    fn the_table_stands_between_its_lines() {
        let page = format!("before\n{BEGIN}old\n{END}\nafter\n");
        assert_eq!(with_table(&page, "new").unwrap(), format!("before\n{BEGIN}new\n{END}\nafter\n"));
        assert!(with_table("before", "new").is_err());
    }
}
