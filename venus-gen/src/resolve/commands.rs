//! Commands: the numbers of `venus.xml` joined with the declarations of the Vulkan registry.

use super::names::Names;
use super::select::Selection;
use super::types::Scope;
use crate::diag::{Diagnostics, XmlPos};
use crate::model::{Command, Returns};
use crate::parse::{ListedCommand, RawCommand, VenusRegistry};

/// Joins the numbers of `venus.xml` with the declarations of the registry; reports missing and surplus names.
pub(super) fn join(
    venus: &VenusRegistry,
    names: &Names<'_>,
    selection: &Selection<'_>,
    scope: &Scope<'_>,
    diags: &mut Diagnostics,
) -> Vec<Command> {
    let mut open = selection.commands.clone();
    let mut commands = Vec::new();
    for row in &venus.commands {
        let element = format!("command {}", row.name);
        let Some(record) = names.command_record(&row.name) else {
            diags.push(
                &row.at,
                element,
                "no such command in the Vulkan registry",
                "remove it, or import a newer registry",
            );
            continue;
        };
        if record.name != row.name {
            let message = format!("is an alias; the canonical name is {}", record.name);
            diags.push(&row.at, &element, message, "make the canonical name the command and this one its alias");
        }
        if !open.remove(record.name.as_str()) {
            let help = "remove it, or list the extension that requires it";
            diags.push(&row.at, &element, "surplus: no core version or listed extension requires it", help);
        }
        check_aliases(&row.aliases, names.command_aliases(&record.name), &row.at, &element, diags);
        commands.push(command(record, row, venus, scope, diags));
    }
    for missing in open {
        if let Some(record) = names.command_record(missing) {
            let help = "give it the next free number in venus.xml, with its aliases";
            diags.push(&record.at, format!("command {missing}"), "selected but has no number in venus.xml", help);
        }
    }
    commands.sort_by_key(|command| command.id);
    for pair in commands.windows(2) {
        if let [first, second] = pair
            && first.id == second.id
        {
            let message = format!("number {} belongs to {} already", second.id, first.name);
            diags.push(
                &second.at,
                format!("command {}", second.name),
                message,
                "numbers are permanent: take a free one",
            );
        }
    }
    commands
}

fn check_aliases(listed: &[String], declared: &[&str], at: &XmlPos, element: &str, diags: &mut Diagnostics) {
    for alias in declared.iter().filter(|alias| !listed.iter().any(|row| row == *alias)) {
        diags.push(
            at,
            element,
            format!("missing alias {alias}"),
            "add an <alias> row: every alias keeps its name on the wire",
        );
    }
    for alias in listed.iter().filter(|alias| !declared.contains(&alias.as_str())) {
        diags.push(
            at,
            element,
            format!("surplus alias {alias}"),
            "the Vulkan registry declares no such alias: remove the row",
        );
    }
}

fn command(
    record: &RawCommand,
    row: &ListedCommand,
    venus: &VenusRegistry,
    scope: &Scope<'_>,
    diags: &mut Diagnostics,
) -> Command {
    let owner = format!("command {}", record.name);
    let returns = match record.returns.as_str() {
        "void" => Returns::Nothing,
        "VkResult" => Returns::Result,
        "uint32_t" => Returns::U32,
        "uint64_t" | "VkDeviceAddress" | "VkDeviceSize" => Returns::U64,
        _ => Returns::Opaque,
    };
    Command {
        id: row.id,
        since: row.since,
        name: record.name.clone(),
        aliases: row.aliases.clone(),
        returns,
        params: record.params.iter().map(|param| scope.var(param, &owner, diags)).collect(),
        queues: record.queues.iter().filter_map(|word| queue_flag(word, record, diags)).collect(),
        obstacle: None,
        private: venus.private_commands.iter().any(|private| private.name == record.name),
        reports_device_lost: record.error_codes.iter().any(|code| code == "VK_ERROR_DEVICE_LOST"),
        family: "",
        part: "",
        at: record.at.clone(),
    }
}

/// The words for what a queue can do, which registries before 1.4.330 have in attributes only, and the bits that they
/// stand for, which newer ones name outright.
const QUEUE_FLAGS: &[(&str, &str)] = &[
    ("graphics", "VK_QUEUE_GRAPHICS_BIT"),
    ("compute", "VK_QUEUE_COMPUTE_BIT"),
    ("transfer", "VK_QUEUE_TRANSFER_BIT"),
    ("sparse_binding", "VK_QUEUE_SPARSE_BINDING_BIT"),
    ("decode", "VK_QUEUE_VIDEO_DECODE_BIT_KHR"),
    ("encode", "VK_QUEUE_VIDEO_ENCODE_BIT_KHR"),
    ("opticalflow", "VK_QUEUE_OPTICAL_FLOW_BIT_NV"),
];

/// Queues for which there is no listed extension: a command that they can execute is one of other queues to a guest.
const FOREIGN_QUEUES: &[&str] = &["data_graph", "VK_QUEUE_DATA_GRAPH_BIT_ARM"];

fn queue_flag(word: &str, record: &RawCommand, diags: &mut Diagnostics) -> Option<&'static str> {
    if FOREIGN_QUEUES.contains(&word) {
        return None;
    }
    let row = QUEUE_FLAGS.iter().find(|(known, flag)| [*known, *flag].contains(&word));
    if row.is_none() {
        let message = format!("nobody knows what a queue for {word:?} is");
        diags.push(&record.at, format!("command {}", record.name), message, "add the word and its bit to QUEUE_FLAGS");
    }
    row.map(|(_, flag)| *flag)
}
