//! What the emitters make of each fixture.
//!
//! A snapshot holds one emitter's items for one fixture, without file headers and imports. That the items also compile
//! is `compile.rs`'s business.

mod common;

use std::collections::{BTreeMap, BTreeSet};

use common::Registry;
use venus_gen::OutputFile;

/// Longest snapshot, in lines: what is longer shows more than one idea.
const MAX_LINES: usize = 120;

/// Longest generated file, in lines.
const MAX_FILE_LINES: usize = 3000;

/// Longest generated line. Lines that can be broken have at most 100 characters; Vulkan's longest names leave no choice.
const MAX_WIDTH: usize = 112;

/// Emitters whose output depends on the fixture's idea only for some fixtures.
const SELECTED: &[(&str, &[&str])] = &[
    ("calls", &["handles", "in_out", "out_parameter", "stride", "strings", "two_calls"]),
    ("commands", &["alias", "levels", "never_travels"]),
    ("dispatch", &["alias", "out_parameter"]),
    ("extensions", &["levels"]),
    ("levels", &["levels"]),
    ("minima", &["array_of_arrays", "partial_struct"]),
    ("mock", &["alias", "blob_out", "two_calls"]),
    ("procs", &["alias", "supplement"]),
    (
        "reflect",
        &[
            "alias",
            "array_of_arrays",
            "chain_struct",
            "enum_values",
            "in_out",
            "late_length",
            "never_travels",
            "union_selector",
        ],
    ),
    ("scalars", &["flags64"]),
];

/// Every emitter's items of one fixture.
fn emitted(files: &[OutputFile]) -> BTreeMap<String, String> {
    let mut emitted = BTreeMap::new();
    for file in files.iter().filter(|file| !file.path.ends_with("mod.rs")) {
        let emitter = file.path.split(['/', '.']).next().unwrap_or_default();
        let items = items(&file.text);
        if !items.is_empty() {
            let text: &mut String = emitted.entry(emitter.to_owned()).or_default();
            text.push_str(&format!("// {}\n\n{items}\n", file.path));
        }
    }
    emitted
}

/// A file's text behind its header and imports.
fn items(text: &str) -> String {
    let blocks = text.trim_end().split("\n\n").filter(|block| !block.starts_with("//") || block.starts_with("///"));
    let blocks: Vec<&str> = blocks.filter(|block| !block.starts_with("use ")).collect();
    if blocks.is_empty() { String::new() } else { blocks.join("\n\n") + "\n" }
}

#[test]
fn code_of_the_fixtures() {
    let mut written = BTreeSet::new();
    for name in common::names() {
        let inputs = Registry::of(&name).inputs();
        let output = venus_gen::generate(&inputs).unwrap_or_else(|problems| panic!("{name}: {problems}"));
        let in_folder = |file: OutputFile| OutputFile { path: format!("mock/{}", file.path), ..file };
        let files: Vec<_> = output.files.into_iter().chain(output.mock.into_iter().map(in_folder)).collect();
        for (emitter, text) in emitted(&files) {
            let selected = SELECTED.iter().find(|(known, _)| *known == emitter);
            if selected.is_some_and(|(_, fixtures)| !fixtures.contains(&name.as_str())) {
                continue;
            }
            let lines = text.lines().count();
            assert!(lines <= MAX_LINES, "{emitter} of {name} has {lines} lines: make the fixture smaller");
            insta::with_settings!({ prepend_module_to_snapshot => false, omit_expression => true }, {
                insta::assert_snapshot!(format!("{emitter}__{name}"), text);
            });
            written.insert(format!("{emitter}__{name}.snap"));
        }
    }
    let others = |file: &String| file.starts_with("plan__") || file.starts_with("problems__");
    let expected: BTreeSet<String> = snapshots().into_iter().filter(|file| !others(file)).collect();
    assert_eq!(expected, written, "a snapshot that nothing refers to is stale: remove it");
}

fn snapshots() -> Vec<String> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/snapshots");
    let entries = std::fs::read_dir(folder).expect("the snapshots are checked in");
    let names = entries.map(|entry| entry.expect("readable").file_name().to_string_lossy().into_owned());
    names.filter(|name| name.ends_with(".snap")).collect()
}

#[test]
fn the_same_inputs_give_the_same_bytes() {
    let inputs = Registry::new(&common::names()).inputs();
    let first = venus_gen::generate(&inputs).expect("generates");
    let second = venus_gen::generate(&inputs).expect("generates");
    assert_eq!(first.files, second.files);
    assert_eq!(first.mock, second.mock);
    assert_eq!(first.levels, second.levels);
    assert!(first.files.is_sorted_by(|left, right| left.path < right.path), "files are in the order of their paths");
}

#[test]
fn the_repository_generates_what_it_declares() {
    let output = venus_gen::generate(&common::real().inputs()).unwrap_or_else(|problems| panic!("{problems}"));
    let amounts = |number: u32| {
        let level = output.levels.iter().find(|level| level.number == number).expect("the level is declared");
        level.counts.iter().map(|(name, value)| format!("{name} {value}")).collect::<Vec<_>>().join(", ")
    };
    assert_eq!(
        amounts(433),
        "names 433, ids 330, aliases 103, encodable 312, id-only 18, private 16, structs 474, chain-structs 399, \
         plain-structs 75, unions 5, handles 30, dispatchable 5, enums 145, roots 62, pairs 384, children 254, \
         extensions 173"
    );
    assert_eq!(
        amounts(448),
        "names 448, ids 345, aliases 103, encodable 325, id-only 20, private 18, structs 516, chain-structs 431, \
         plain-structs 85, unions 7, handles 31, dispatchable 5, enums 151, roots 62, pairs 422, children 278, \
         extensions 187"
    );
    assert_eq!(
        amounts(453),
        "names 453, ids 349, aliases 104, encodable 329, id-only 20, private 18, structs 544, chain-structs 458, \
         plain-structs 86, unions 7, handles 31, dispatchable 5, enums 156, roots 64, pairs 461, children 302, \
         extensions 200"
    );
    for file in output.files.iter().chain(&output.mock) {
        let lines = file.text.lines().count();
        assert!(lines <= MAX_FILE_LINES, "{} has {lines} lines: divide the family", file.path);
        let longest = file.text.lines().max_by_key(|line| line.chars().count()).unwrap_or_default();
        assert!(longest.chars().count() <= MAX_WIDTH, "{}: a line is too long: {longest}", file.path);
        assert!(file.text.starts_with("// @generated by venus-gen from registry/vk.xml (1.4.363). Do not edit.\n"));
        assert!(!file.text.contains(" \n"), "{}: a line ends in a blank", file.path);
    }
}
