//! The page itself.

use super::extensions::Fates;
use super::handlers::Treatments;
use super::protocol::{Command, Extension, Protocol};
use super::suites::{HANDLERS, Suites};
use std::fmt::Write as _;

const INTRODUCTION: &str = "\
# Commands and extensions

What becomes of every command and every extension of the protocol, and which tests have seen it. `cargo xtask commands`
writes this page from the sources, and `.ci/run` fails when it is stale.
";

const TREATMENTS: &str = "\
| word | what the host does |
|---|---|
| forward | gives it to the driver as it is |
| create | gives it to the driver as it is, and registers what was made under the guest's id |
| destroy | removes the id at once, and gives it to the driver when nobody can be using the object |
| handler | does more, or something else; the reason is beside it |
| refused | ends the guest's context; the reason, which is also in the log, is beside it |
| never travels | nothing: the command has a number and no encoding |
";

/// Writes it.
pub(super) fn write(protocol: &Protocol, treatments: &Treatments, fates: &Fates, suites: &Suites) -> String {
    let mut page = INTRODUCTION.to_owned();
    summary(&mut page, protocol, treatments, suites);
    commands(&mut page, protocol, treatments, suites);
    extensions(&mut page, protocol, fates);
    page
}

fn summary(page: &mut String, protocol: &Protocol, treatments: &Treatments, suites: &Suites) {
    let encodable = protocol.encodable().count();
    let of = |word: &str| treatments.values().filter(|(treatment, _)| treatment.word() == word).count();
    let _ = writeln!(page, "\n## Commands in numbers\n");
    let _ = writeln!(page, "| | commands |\n|---|--:|");
    let levels: Vec<String> = protocol.levels.iter().map(|level| level.number.to_string()).collect();
    let _ = writeln!(page, "| levels, each called by its names | {} |", levels.join(", "));
    let _ = writeln!(page, "| names | {} |", protocol.names());
    let _ = writeln!(page, "| numbers | {} |", protocol.commands.len());
    let _ = writeln!(page, "| that never travel | {} |", protocol.commands.len() - encodable);
    let _ = writeln!(page, "| that travel | {encodable} |");
    let _ = writeln!(page, "| accounted for | {} of {encodable} |", treatments.len());
    for word in ["forward", "create", "destroy", "handler", "refused"] {
        let _ = writeln!(page, "| … {word} | {} |", of(word));
    }
    for (suite, rows) in suites {
        let _ = writeln!(page, "| executed by {} | {} |", suite_name(suite), rows.len());
    }
    let by_guest =
        |command: &&Command| suites.iter().any(|(suite, rows)| suite != HANDLERS && rows.contains_key(&command.name));
    let _ = writeln!(
        page,
        "| executed for any guest, on a real driver | {} |",
        protocol.encodable().filter(by_guest).count()
    );
}

/// What a suite is called.
fn suite_name(suite: &str) -> String {
    if suite == HANDLERS { "the handler tests".to_owned() } else { format!("the guest `{suite}`") }
}

fn commands(page: &mut String, protocol: &Protocol, treatments: &Treatments, suites: &Suites) {
    let _ = write!(page, "\n## Commands\n\n{TREATMENTS}");
    let _ = writeln!(
        page,
        "\nThe handler tests send every command to a host over a driver that notes its calls: *exact* means that the \
         driver got exactly what the guest sent, *called* that it was called otherwise, *answered* that it was not \
         called. The other columns count how often recorded guests sent a command to a host on a real driver; of the Rust guest they only say that it did."
    );
    let guests: Vec<_> = suites.keys().filter(|suite| *suite != HANDLERS).collect();
    let _ = write!(page, "\n| id | command | level | host | why | handler tests |");
    guests.iter().for_each(|suite| page.push_str(&format!(" {suite} |")));
    let _ = write!(page, "\n|--:|---|--:|---|---|---|");
    guests.iter().for_each(|_| page.push_str("--:|"));
    page.push('\n');
    for command in &protocol.commands {
        let (word, why) = described(command, treatments);
        let seen = |suite: &str| suites.get(suite).and_then(|rows| rows.get(&command.name)).map(String::as_str);
        let outcome = match seen(HANDLERS) {
            Some("forwarded") => "exact",
            other => other.unwrap_or(""),
        };
        let _ = write!(page, "| {} | {} | {} | {word} | {why} | {outcome} |", command.id, command.name, command.since);
        guests.iter().for_each(|suite| page.push_str(&format!(" {} |", seen(suite).unwrap_or(""))));
        page.push('\n');
        for alias in &command.aliases {
            let _ = write!(page, "| {} | {alias} | {} | alias | {} | |", command.id, command.since, command.name);
            guests.iter().for_each(|_| page.push_str(" |"));
            page.push('\n');
        }
    }
}

fn described<'t>(command: &'t Command, treatments: &'t Treatments) -> (&'t str, String) {
    let escape = |text: &str| text.replace('|', "\\|");
    match (&command.obstacle, treatments.get(&command.name)) {
        (Some(obstacle), _) => ("never travels", escape(obstacle)),
        (None, Some((treatment, _))) => (treatment.word(), escape(treatment.reason())),
        (None, None) => ("not yet", String::new()),
    }
}

fn extensions(page: &mut String, protocol: &Protocol, fates: &Fates) {
    const WORDS: &[(&str, &str)] = &[
        ("offered", "when the driver has it"),
        ("offered always", "the host provides it where the driver does not have it"),
        ("offered unless", "when the driver has it, unless what is beside it holds"),
        ("of the instance", "no extension of a device: there is nothing to offer"),
        ("withheld", "never, for the reason beside it"),
    ];
    let total = protocol.extensions.len();
    let _ = writeln!(page, "\n## Extensions in numbers\n");
    let _ = writeln!(page, "| | | extensions |\n|---|---|--:|");
    let _ = writeln!(page, "| of the protocol | | {total} |");
    let _ = writeln!(page, "| accounted for | | {} of {total} |", fates.len());
    for (word, meaning) in WORDS {
        let count = fates.values().filter(|fate| fate.word() == *word).count();
        let _ = writeln!(page, "| … {word} | {meaning} | {count} |");
    }
    let _ = writeln!(
        page,
        "\n## Extensions\n\n| number | extension | version | level | host | why |\n|--:|---|--:|--:|---|---|"
    );
    for extension in &protocol.extensions {
        let Some(fate) = fates.get(&extension.name) else { continue };
        let Extension { number, name, version, since } = extension;
        let _ = writeln!(page, "| {number} | {name} | {version} | {since} | {} | {} |", fate.word(), fate.reason());
    }
}
