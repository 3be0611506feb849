//! Which names there are: in the library, in its header, in its documentation and in the list beside this file.

use std::{collections::BTreeSet, fs, path::Path, process::Command};

use crate::monitor;

/// The names, one for a line. A change here is a change of the interface that monitors are linked against.
const NAMES: &str = include_str!("symbols.txt");

fn names() -> BTreeSet<String> {
    NAMES.lines().map(str::to_owned).collect()
}

/// Every word of a text that looks like a name and is followed by `end`.
fn words(text: &str, end: char) -> BTreeSet<String> {
    let is_word = |character: char| character.is_ascii_alphanumeric() || character == '_';
    let ends = text.match_indices(end).map(|(at, _)| &text[..at]);
    let words = ends.map(|before| before.rsplit(|character| !is_word(character)).next().unwrap_or_default());
    words.filter(|word| word.starts_with("virgl_")).map(str::to_owned).collect()
}

#[test]
fn the_library_exports_these_names_and_no_others() {
    let output =
        Command::new("nm").args(["--dynamic", "--defined-only", "--format=posix"]).arg(monitor::path()).output();
    let output = output.expect("binutils, which every linker of Rust's comes with");
    assert!(output.status.success(), "{output:?}");
    let text = String::from_utf8(output.stdout).unwrap();
    let exported: BTreeSet<String> =
        text.lines().filter_map(|line| line.split(' ').next()).map(str::to_owned).collect();
    assert_eq!(exported, names());
    assert_eq!(exported.len(), 51);
}

#[test]
fn the_header_declares_them() {
    let header = include_str!("../../include/virgl/virglrenderer.h");
    // Comments name functions, too, without their parameters.
    let declared: String = header.lines().filter(|line| !line.contains("/*")).map(|line| format!("{line}\n")).collect();
    assert_eq!(words(&declared, '('), names());
}

#[test]
fn the_documentation_says_what_each_does() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/virglrenderer.md");
    let page = fs::read_to_string(page).unwrap();
    let rows: Vec<Vec<&str>> = page
        .lines()
        .filter(|line| line.starts_with("| `virgl_"))
        .map(|line| line.split('|').map(str::trim).collect())
        .collect();
    let listed: Vec<&str> = rows.iter().map(|row| row[1].trim_matches('`')).collect();
    assert_eq!(listed, NAMES.lines().collect::<Vec<_>>(), "rows are in the order of the names");
    for row in rows {
        assert!(["works", "no-op", "error"].contains(&row[2]), "{row:?}");
    }
}

#[test]
#[cfg(target_os = "linux")]
fn the_library_has_the_name_that_monitors_load_and_stays() {
    let output = Command::new("readelf").arg("--dynamic").arg(monitor::path()).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.lines().any(|line| line.contains("(SONAME)") && line.contains("[libvirglrenderer.so.1]")), "{text}");
    assert!(text.lines().any(|line| line.contains("(FLAGS_1)") && line.contains("NODELETE")), "{text}");
}
