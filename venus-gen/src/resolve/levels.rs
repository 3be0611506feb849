//! Levels: what of the protocol the peers of each age know.
//!
//! A level is a list of extensions and of commands. What else it holds (structures, what may follow which) follows from
//! these, so the protocol is resolved once for each level, and the newest result is marked with what each level added.

use std::collections::BTreeSet;

use super::counts;
use crate::diag::Diagnostics;
use crate::model::{Extension, Level, Model, Struct};
use crate::parse::{DeclaredLevel, VenusRegistry};

/// The extension that stands for the protocol's own commands.
const PROTOCOL: &str = "VK_MESA_venus_protocol";

/// The definitions without what came after a level.
pub(super) fn at(venus: &VenusRegistry, level: u32) -> VenusRegistry {
    let mut venus = venus.clone();
    let later: BTreeSet<String> =
        venus.commands.iter().filter(|row| row.since > level).map(|row| row.name.clone()).collect();
    let stays = |name: &String| !later.contains(name);
    venus.levels.retain(|row| row.number <= level);
    venus.extensions.retain(|row| row.since <= level);
    venus.commands.retain(|row| stays(&row.name));
    venus.private_commands.retain(|row| stays(&row.name));
    venus.blocked_commands.retain(|row| stays(&row.name));
    venus.dropped_types.retain(|row| row.before.is_none_or(|before| level < before));
    venus.second_lengths.retain(|row| stays(&row.command));
    venus.in_outs.retain(|row| stays(&row.command));
    venus.null_overrides.retain(|row| stays(&row.owner));
    venus
}

/// A level as it was resolved.
pub(super) fn describe(declared: &DeclaredLevel, model: &Model) -> Level {
    let protocol = model.extensions.iter().find(|extension| extension.name == PROTOCOL);
    Level {
        number: declared.number,
        xml_version: parse_full_version(&declared.xml_version),
        last_command: model.commands.iter().map(|command| command.id).max().unwrap_or(0),
        protocol_spec: protocol.map_or(0, |extension| spec_at(extension, declared.number)),
        counts: counts::count(model),
    }
}

/// The version of an extension's specification at a level.
fn spec_at(extension: &Extension, level: u32) -> u32 {
    let raised = extension.raised.iter().rev().find(|(since, _)| *since <= level);
    raised.map_or(extension.spec_version, |(_, spec)| *spec)
}

fn parse_full_version(version: &str) -> (u32, u32, u32) {
    let mut numbers = version.split('.').map(|number| number.parse().unwrap_or(0));
    let mut next = || numbers.next().unwrap_or(0);
    (next(), next(), next())
}

/// Marks each structure with the level that it came with. `older` are the levels before the newest, oldest first.
pub(super) fn mark(model: &mut Model, newest: u32, older: &[(u32, Model)], diags: &mut Diagnostics) {
    let with =
        |has: &dyn Fn(&Model) -> bool| older.iter().find(|(_, model)| has(model)).map_or(newest, |(number, _)| *number);
    let since: Vec<u32> =
        model.structs.iter().map(|structure| with(&|model| find(model, structure.name()).is_some())).collect();
    for root in model.structs.iter().filter(|root| root.travels()) {
        for child in model.children(root) {
            let (came, child) = (since[child.0], model.structure(child));
            let joined = with(&|model| follows(model, root.name(), child.name()));
            if joined != came {
                let message = format!("follows {} since level {joined}, and is of level {came}", root.name());
                let help =
                    "the runtime knows the level of a structure only: have its wire/chain.rs know that of a pair";
                diags.push(&child.at, format!("type {}", child.name()), message, help);
            }
        }
    }
    for (structure, since) in model.structs.iter_mut().zip(since) {
        structure.since = since;
    }
}

fn find<'m>(model: &'m Model, name: &str) -> Option<&'m Struct> {
    model.structs.iter().find(|structure| structure.name() == name && structure.travels())
}

fn follows(model: &Model, root: &str, child: &str) -> bool {
    let children = find(model, root).map(|root| model.children(root)).unwrap_or_default();
    children.into_iter().any(|id| model.structure(id).name() == child)
}

/// Reports commands whose numbers are not those that their level added: a host knows a level's commands by the last one.
pub(super) fn check_numbers(model: &Model, levels: &[Level], diags: &mut Diagnostics) {
    for command in &model.commands {
        let first = levels.iter().find(|level| command.id <= level.last_command);
        if let Some(level) = first.filter(|level| level.number < command.since) {
            let message =
                format!("has number {}, and level {} goes up to {}", command.id, level.number, level.last_command);
            let help = "numbers are given in the order of levels: take the next free one";
            diags.push(&command.at, format!("command {}", command.name), message, help);
        }
    }
}
