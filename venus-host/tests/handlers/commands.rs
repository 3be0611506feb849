//! Every command once, and every structure in every chain once.
//!
//! What became of each command is compared with `tests/commands/handlers.tsv`, and what the sources of the handlers say
//! with what became of it. `cargo xtask commands --record` writes that file anew.

use std::{collections::BTreeMap, fmt::Write as _, fs, path::PathBuf};

use mock_driver::Mock;
use venus_protocol::{
    reflect::{self, CommandRow, Item, MemberRow, StructRow},
    wire::CommandType,
};
use venus_verify::content;

use crate::world::{Sent, World, named};

/// Names a file to write instead of comparing with the one in the repository.
const WRITE: &str = "VENUS_COMMANDS_OUT";

/// What became of a command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// The driver got exactly what the guest sent.
    Forwarded,
    /// The driver was called otherwise: these commands, in the order of their first calls.
    Called(Vec<&'static str>),
    /// The host answered by itself.
    Answered,
    /// The context was lost, for this reason.
    Refused(String),
}

impl Outcome {
    pub(crate) fn of(world: &World<'_>, sent: &Sent) -> Self {
        if let Err(error) = &sent.outcome {
            return Self::Refused(error.to_string());
        }
        let command = crate::world::command_of(&sent.request);
        let mut names = Vec::new();
        for note in &sent.notes {
            if !names.contains(&note.command) {
                names.push(note.command);
            }
        }
        match sent.notes.as_slice() {
            [] => Self::Answered,
            [note] if note.command == command.name() && note.request == world.as_call(&sent.request) => Self::Forwarded,
            _ => Self::Called(names),
        }
    }

    fn line(&self, command: CommandType) -> String {
        match self {
            Self::Forwarded => format!("{command}\tforwarded\t"),
            Self::Called(names) => format!("{command}\tcalled\t{}", names.join(" ")),
            Self::Answered => format!("{command}\tanswered\t"),
            Self::Refused(reason) => format!("{command}\trefused\t{}", without_place(command, reason)),
        }
    }
}

/// Whether a request has null in place of an object.
fn lacks_object(request: &[u8]) -> bool {
    named(request).iter().any(|named| named.required && named.id == 0)
}

/// A reason less the command's name and the place in the stream.
fn without_place(command: CommandType, reason: &str) -> String {
    let reason = reason.strip_prefix(command.name()).unwrap_or(reason);
    let reason = reason.strip_prefix(": ").unwrap_or(reason);
    let at = reason.find(" (direct submission").unwrap_or(reason.len());
    reason[..at].to_owned()
}

fn repository(file: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..").join(file)
}

/// The second column of a generated table of what the sources say, by the first.
pub(crate) fn table(name: &str) -> BTreeMap<String, String> {
    let path = repository("tests/commands").join(name).with_extension("tsv");
    let text = fs::read_to_string(&path).expect("run `cargo xtask commands`");
    let row = |line: &str| {
        let mut columns = line.split('\t').map(str::to_owned);
        Some((columns.next()?, columns.next()?))
    };
    text.lines().skip(1).filter_map(row).collect()
}

#[test]
fn every_command_is_treated_as_its_handler_says() {
    let mock = Mock::take();
    let treatments = table("treatments");
    let mut outcomes = "command\toutcome\tdetail\n".to_owned();
    let mut wrong = Vec::new();
    let mut count = 0;
    for row in reflect::commands() {
        let mut world = World::new(&mock);
        let name = row.command.name();
        let sent = if content::ON_RING.contains(&name) { world.send_on_ring(row) } else { world.send(row) };
        let outcome = Outcome::of(&world, &sent);
        let treatment = treatments.get(name).map(String::as_str);
        let fits = match treatment {
            // What is destroyed is freed once nobody can be using it, which is at once here.
            Some("forward" | "create" | "destroy") => outcome == Outcome::Forwarded,
            // Nobody has a deferred operation, and with null the command is left out before it is refused.
            Some("refused") => matches!(outcome, Outcome::Refused(_)) || lacks_object(&sent.request),
            Some("handler") => !matches!(outcome, Outcome::Refused(_)),
            _ => false,
        };
        if !fits {
            wrong.push(format!("{name} is said to be {treatment:?}, and was {outcome:?}"));
        }
        writeln!(outcomes, "{}", outcome.line(row.command)).expect("writing to a string");
        count += 1;
        drop(world);
        mock.assert_clean();
    }
    assert_eq!(count, 329);
    check_outcomes(&outcomes);
    assert_eq!(wrong, [""; 0]);
}

fn check_outcomes(outcomes: &str) {
    if let Some(path) = std::env::var_os(WRITE) {
        fs::write(&path, outcomes).expect("the file can be written");
        return;
    }
    let known = fs::read_to_string(repository("tests/commands/handlers.tsv")).unwrap_or_default();
    let changed: Vec<_> = outcomes.lines().filter(|line| !known.lines().any(|other| other == *line)).collect();
    assert_eq!(changed, [""; 0], "what became of commands has changed; run `cargo xtask commands --record`");
}

/// The structures that can head a chain in a request, by name.
pub(crate) fn roots(row: &'static CommandRow) -> BTreeMap<&'static str, &'static StructRow> {
    fn add(members: &'static [MemberRow], roots: &mut BTreeMap<&'static str, &'static StructRow>) {
        for member in members {
            if let Item::Struct(structure) = member.item {
                if structure.children().len() > 0 {
                    roots.insert(structure.name, structure);
                }
                add(structure.members, roots);
            }
        }
    }
    let mut roots = BTreeMap::new();
    add(row.params, &mut roots);
    roots
}

#[test]
fn what_follows_in_a_chain_reaches_the_driver() {
    let mock = Mock::take();
    let treatments = table("treatments");
    let mut wrong = Vec::new();
    let mut pairs = std::collections::BTreeSet::new();
    for row in reflect::commands() {
        let name = row.command.name();
        let is_exact = matches!(treatments.get(name).map(String::as_str), Some("forward" | "create"));
        let mut world = World::new(&mock);
        let roots = roots(row);
        let children = roots.values().flat_map(|root| root.children().map(move |child| (*root, child)));
        for (root, child) in children {
            if world.context.lost().is_some() {
                world = World::new(&mock);
            }
            world.forget();
            let request = world.request(row, Some((root.name, child)));
            let sent = world.submit(request);
            let outcome = Outcome::of(&world, &sent);
            pairs.insert((root.name, child.name));
            let fits = match &outcome {
                Outcome::Forwarded => true,
                Outcome::Refused(_) => treatments.get(name).is_some_and(|treatment| treatment == "refused"),
                Outcome::Called(_) | Outcome::Answered => !is_exact,
            };
            if !fits {
                wrong.push(format!("{name}: {} after {}: {outcome:?}", child.name, root.name));
            }
        }
        drop(world);
        mock.assert_clean();
    }
    assert_eq!(wrong, [""; 0]);
    assert_eq!(pairs.len(), 461);
}
