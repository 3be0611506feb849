//! `cargo xtask tidy`: which room of the sources may import what.
//!
//! Data flows one way through the workspace (see `ARCHITECTURE.md`), and an import against the stream is a change of
//! design. The rules are rows of [`rules::RULES`]; this module is the grep that applies them.

mod rules;

use anyhow::{Context as _, Result, ensure};
use rules::{RULES, Rule};
use std::path::{Path, PathBuf};
use testbed::workspace;

/// Check which room of the sources imports what.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {}

pub(crate) fn run(_args: &Args) -> Result<()> {
    let violations = check(&workspace())?;
    for violation in &violations {
        eprintln!("{violation}\n");
    }
    ensure!(violations.is_empty(), "{} imports go against the plan of the rooms", violations.len());
    eprintln!("{} rules hold", RULES.len());
    Ok(())
}

/// Applies every rule to the files of its room and describes each line that breaks one.
fn check(workspace: &Path) -> Result<Vec<String>> {
    let mut violations = Vec::new();
    for rule in RULES {
        let mut files = Vec::new();
        for room in rule.rooms {
            rust_files(&workspace.join(room), &mut files)?;
        }
        for file in files {
            let name = file.strip_prefix(workspace).unwrap_or(&file).display().to_string().replace('\\', "/");
            if rule.except.iter().any(|except| name.starts_with(except)) {
                continue;
            }
            let text = std::fs::read_to_string(&file).with_context(|| format!("reading {name}"))?;
            violations.extend(broken_lines(rule, &text).into_iter().map(|(line, word)| {
                let Rule { room, why, .. } = rule;
                format!("{name}:{line}: `{word}` must not be used in {room}\n  why: {why}")
            }));
        }
    }
    Ok(violations)
}

/// Collects the Rust files at `path`: itself, or everything below it. A room that does not exist has none.
fn rust_files(path: &Path, files: &mut Vec<PathBuf>) -> Result<()> {
    if path.is_file() {
        files.push(path.to_owned());
    } else if path.is_dir() {
        let entries = std::fs::read_dir(path).with_context(|| format!("listing {}", path.display()))?;
        let mut paths: Vec<PathBuf> = entries.map(|entry| Ok(entry?.path())).collect::<Result<_>>()?;
        paths.sort();
        for path in paths {
            if path.is_dir() || path.extension().is_some_and(|extension| extension == "rs") {
                rust_files(&path, files)?;
            }
        }
    }
    Ok(())
}

/// Line numbers at which a rule's words stand in code, with the word. Comments are free to name anything, and so are
/// unit tests, which stand at the end of a file.
fn broken_lines(rule: &Rule, text: &str) -> Vec<(usize, &'static str)> {
    let code = text.lines().take_while(|line| !line.starts_with("#[cfg(test)]"));
    let numbered = code.enumerate().map(|(index, line)| (index + 1, line.split("//").next().unwrap_or_default()));
    numbered
        .filter_map(|(number, line)| {
            let word = rule.forbidden.iter().find(|word| holds_word(line, word))?;
            Some((number, *word))
        })
        .collect()
}

/// Whether `word` stands in `line` as whole identifiers: `libc` is in `libc::c_int` and not in `libclang`.
fn holds_word(line: &str, word: &str) -> bool {
    let identifier = |character: char| character.is_alphanumeric() || character == '_';
    line.match_indices(word).any(|(start, _)| {
        let before = line[..start].chars().next_back();
        let after = line[start + word.len()..].chars().next();
        !before.is_some_and(identifier) && !after.is_some_and(identifier)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_workspace_is_tidy() {
        let violations = check(&workspace()).unwrap();
        assert!(violations.is_empty(), "{}", violations.join("\n"));
    }

    #[test]
    fn words_are_found_in_code_only() {
        let rule = Rule { room: "a room", rooms: &[], except: &[], forbidden: &["libc", "std::fs"], why: "a reason" };
        let text =
            "use std::fs::File; // libc\nlet libclang = 1;\n/// libc\nlibc::close(3);\n#[cfg(test)]\nuse libc;\n";
        assert_eq!(broken_lines(&rule, text), [(1, "std::fs"), (4, "libc")]);
    }

    #[test]
    fn a_line_in_the_wrong_room_is_named_with_the_reason() {
        let folder = tempfile::tempdir().unwrap();
        let room = folder.path().join("venus-protocol/src/wire");
        std::fs::create_dir_all(&room).unwrap();
        std::fs::write(room.join("cursor.rs"), "//! Reads.\nuse std::fs::File;\n").unwrap();
        let violations = check(folder.path()).unwrap();
        assert_eq!(violations.len(), 1, "{violations:?}");
        assert!(violations[0].starts_with("venus-protocol/src/wire/cursor.rs:2: `std::fs` must not be used in"));
    }
}
