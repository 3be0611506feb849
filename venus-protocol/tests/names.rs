//! Every one of the 453 names leads to a number, and every number that travels to a codec.

use std::collections::BTreeSet;

use venus_protocol::commands::{ALIASES, NAMES, NOT_ENCODABLE};
use venus_protocol::reflect;
use venus_protocol::wire::CommandType;

#[test]
fn names_are_complete() {
    let canonical: Vec<&str> = NAMES.iter().copied().filter(|name| !name.is_empty()).collect();
    assert_eq!((canonical.len(), ALIASES.len(), NOT_ENCODABLE.len()), (349, 104, 20));
    assert_eq!(NAMES.len(), 350, "195 is the one number that was skipped");
    assert_eq!(CommandType(195).name(), "unknown command");
    let names: BTreeSet<&str> = canonical.into_iter().chain(ALIASES.iter().map(|(name, _)| *name)).collect();
    assert_eq!(names.len(), 453, "no name occurs twice");
}

#[test]
fn aliases_lead_to_commands() {
    for (alias, target) in ALIASES {
        assert!(NAMES.contains(&target.name()), "{alias} leads to {target:?}");
        assert_ne!(*alias, target.name());
    }
}

#[test]
fn numbers_travel_or_say_why() {
    assert_eq!(reflect::commands().count(), 329);
    for (id, name) in (0..).zip(NAMES.iter()).filter(|(_, name)| !name.is_empty()) {
        let command = CommandType(id);
        assert_eq!(command.name(), *name);
        let row = reflect::command(command);
        assert_eq!(row.is_some(), reflect::obstacle(command).is_none(), "{command:?}");
        assert!(row.is_none_or(|row| row.command == command), "{command:?}");
        assert!(reflect::obstacle(command).is_none_or(|why| !why.is_empty()), "{command:?}");
    }
}

/// A constant of the source: the name that it documents, its own name, and its value.
fn constants() -> Vec<(&'static str, &'static str, &'static str)> {
    let source = include_str!("../src/generated/commands.rs");
    let (constants, _tables) = source.split_once("pub static NAMES").expect("the tables follow the constants");
    let (mut documented, mut in_docs, mut name) = ("", false, "");
    let mut found = Vec::new();
    for line in constants.lines().map(str::trim) {
        match line.strip_prefix("/// `") {
            // The first line of several.
            Some(docs) if !in_docs => documented = docs.split('`').next().unwrap_or_default(),
            _ => {}
        }
        in_docs = line.starts_with("///");
        let declared = line.strip_prefix("pub const ").and_then(|rest| rest.split_once(": Self ="));
        // The value may stand on a line of its own.
        let value = declared.map_or(line, |(_, value)| value).trim();
        if let Some((constant, _)) = declared {
            name = constant;
        }
        if !name.is_empty() && !value.is_empty() {
            found.push((documented, name, value.trim_end_matches(';')));
            name = "";
        }
    }
    found
}

/// The compiler knows the constants by their names only, so their source is read to see that each name has one.
#[test]
fn every_name_has_a_constant() {
    let constants = constants();
    assert_eq!(constants.len(), 453);
    let name_of = |constant: &str| constants.iter().find(|(_, other, _)| *other == constant).map(|(name, ..)| *name);
    for (name, constant, value) in &constants {
        match value.strip_prefix("Self::") {
            // An alias is the constant of its command.
            Some(target) => {
                let target = name_of(target).expect("the target is a constant");
                assert!(ALIASES.iter().any(|(alias, command)| alias == name && command.name() == target), "{constant}");
            }
            None => {
                let id = value.trim_start_matches("Self(").trim_end_matches(')').parse().expect("a number");
                assert_eq!(CommandType(id).name(), *name, "{constant}");
            }
        }
    }
    let documented: BTreeSet<&str> = constants.iter().map(|(name, ..)| *name).collect();
    let names = NAMES.iter().copied().chain(ALIASES.iter().map(|(name, _)| *name));
    let missing: Vec<&str> = names.filter(|name| !name.is_empty() && !documented.contains(name)).collect();
    assert_eq!(missing, [""; 0]);
    // One of each kind, as users write them.
    assert_eq!(CommandType::CREATE_INSTANCE.name(), "vkCreateInstance");
    assert_eq!(CommandType::CMD_SET_CULL_MODE_EXT, CommandType::CMD_SET_CULL_MODE);
    assert_eq!(CommandType::MAP_MEMORY.name(), "vkMapMemory");
    assert_eq!(CommandType::SET_REPLY_COMMAND_STREAM_MESA.0, 178);
}

#[test]
fn structures_are_found_by_name() {
    for row in reflect::structures() {
        assert!(reflect::structure(row.name).is_some_and(|found| core::ptr::eq(found, *row)), "{}", row.name);
    }
    assert!(reflect::structure("VkNothing").is_none());
    let roots = reflect::structures().iter().filter(|row| row.children().len() > 0);
    let (roots, pairs) = roots.fold((0, 0), |(roots, pairs), row| (roots + 1, pairs + row.children().len()));
    assert_eq!((roots, pairs), (64, 461));
}
