//! The ledger of what is checked: which of Vulkan's rules for a command the host checks, which hold by construction, and
//! which nobody checks, and why.
//!
//! | table of `tests/validation` | what | who writes it |
//! |---|---|---|
//! | `rules.tsv` | rules by which a driver indexes, computes sizes or loops, each with what becomes of it | people |
//! | `reasons.tsv` | why a rule is not checked, or does not have to be | people |
//! | `kinds.tsv` | rules that all members of a kind have | people |
//! | `reach.tsv` | what each command is made of | the handler tests, from the protocol's tables |
//!
//! The handler tests break each rule that is said to be checked.

use super::all_or_nothing;
use super::protocol::Protocol;
use anyhow::{Context as _, Result};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::Path;

const FOLDER: &str = "tests/validation";
/// Where the files are that `rules.tsv` names.
const SOURCES: &str = "venus-host/src";
/// The version of the specification whose rules they are.
const VERSION: &str = "1.4.363";
/// What the names of this host's own rules begin with.
const OWN: &str = "OWN-";
/// Where Debian's libvulkan-dev has the names of all rules.
const NAMES: &str = "/usr/share/vulkan/registry/validusage.json";

/// What becomes of a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Class {
    Checked,
    Construction,
    Nobody,
}

impl Class {
    const ALL: [Self; 3] = [Self::Checked, Self::Construction, Self::Nobody];

    fn of(word: &str) -> Result<Self> {
        Self::ALL.into_iter().find(|class| class.word() == word).with_context(|| format!("{word:?} is no class"))
    }

    fn word(self) -> &'static str {
        match self {
            Self::Checked => "checked",
            Self::Construction => "construction",
            Self::Nobody => "nobody",
        }
    }
}

/// A rule with a name of its own.
struct Rule {
    name: String,
    class: Class,
    /// The file that checks it, else the reason's name.
    by: String,
}

impl Rule {
    /// The command or structure that it is about.
    fn owner(&self) -> &str {
        self.name.split('-').nth(1).unwrap_or_default()
    }

    /// Its name without what all names begin with, and without the owner.
    fn short(&self) -> &str {
        self.name.splitn(3, '-').nth(2).unwrap_or_default()
    }
}

/// Why rules are not checked.
struct Reason {
    name: String,
    class: Class,
    meaning: String,
}

/// Rules that all members of one kind have.
struct Kind {
    name: String,
    /// The column of `reach.tsv` that counts them; commands that are recorded have no such column.
    counted: String,
    rules: String,
    class: Class,
    how: String,
    /// A file, and a test in it.
    test: String,
}

/// What a command is made of.
struct Reach {
    /// By column.
    counts: BTreeMap<String, u32>,
    structures: BTreeSet<String>,
}

/// The ledger.
pub(super) struct Ledger {
    rules: Vec<Rule>,
    reasons: Vec<Reason>,
    kinds: Vec<Kind>,
    /// By command.
    reach: BTreeMap<String, Reach>,
}

/// The file that the handler tests write.
pub(super) fn reach_path(root: &Path) -> std::path::PathBuf {
    root.join(FOLDER).join("reach.tsv")
}

/// Reads the tables.
pub(super) fn read(root: &Path) -> Result<Ledger> {
    let rules =
        rows(root, "rules")?.into_iter().map(|[name, class, by]| Ok(Rule { name, class: Class::of(&class)?, by }));
    let reasons = rows(root, "reasons")?
        .into_iter()
        .map(|[name, class, meaning]| Ok(Reason { name, class: Class::of(&class)?, meaning }));
    let kinds = rows(root, "kinds")?.into_iter().map(|[name, counted, rules, class, how, test]| {
        Ok(Kind { name, counted, rules, class: Class::of(&class)?, how, test })
    });
    Ok(Ledger {
        rules: rules.collect::<Result<_>>()?,
        reasons: reasons.collect::<Result<_>>()?,
        kinds: kinds.collect::<Result<_>>()?,
        reach: reach(root)?,
    })
}

/// The rows of a table, less its head.
fn rows<const N: usize>(root: &Path, name: &str) -> Result<Vec<[String; N]>> {
    let path = format!("{FOLDER}/{name}.tsv");
    let text = std::fs::read_to_string(root.join(&path)).with_context(|| format!("reading {path}"))?;
    let row = |(number, line): (usize, &str)| {
        let columns: Vec<String> = line.split('\t').map(str::to_owned).collect();
        columns.try_into().ok().with_context(|| format!("{path}:{}: there are {N} columns", number + 1))
    };
    text.lines().enumerate().skip(1).map(row).collect()
}

fn reach(root: &Path) -> Result<BTreeMap<String, Reach>> {
    let path = reach_path(root);
    let text = std::fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))?;
    let head: Vec<&str> = text.lines().next().unwrap_or_default().split('\t').collect();
    let command = |line: &str| {
        let columns: Vec<&str> = line.split('\t').collect();
        let (name, rest) = columns.split_first()?;
        let (structures, counts) = rest.split_last()?;
        let counts = head.iter().skip(1).zip(counts);
        let counts = counts.map(|(column, count)| Some(((*column).to_owned(), count.parse().ok()?)));
        let structures = structures.split_whitespace().map(str::to_owned).collect();
        Some(((*name).to_owned(), Reach { counts: counts.collect::<Option<_>>()?, structures }))
    };
    text.lines().skip(1).map(command).collect::<Option<_>>().with_context(|| format!("{} is no table", path.display()))
}

impl Reach {
    /// Whether rules of a command or structure apply.
    fn meets(&self, command: &str, owner: &str) -> bool {
        command == owner || self.structures.contains(owner)
    }

    /// How many members of a kind there are.
    fn count(&self, command: &str, column: &str) -> u32 {
        let recorded = u32::from(column == "recorded" && command.starts_with("vkCmd"));
        self.counts.get(column).copied().unwrap_or(recorded)
    }
}

/// Fails if a table says what cannot be.
pub(super) fn check(root: &Path, protocol: &Protocol, ledger: &Ledger) -> Result<()> {
    let mut problems = Vec::new();
    let commands: BTreeSet<_> = protocol.encodable().map(|command| command.name.as_str()).collect();
    let reached: BTreeSet<_> = ledger.reach.keys().map(String::as_str).collect();
    problems.extend(commands.symmetric_difference(&reached).map(|name| {
        format!("{FOLDER}/reach.tsv: {name} travels or is there, not both; run `cargo xtask commands --record`")
    }));
    let mut names = BTreeSet::new();
    for rule in &ledger.rules {
        let say = |what: &str| format!("{FOLDER}/rules.tsv: {}: {what}", rule.name);
        if !names.insert(&rule.name) {
            problems.push(say("is there twice"));
        }
        if !ledger.reach.iter().any(|(command, reach)| reach.meets(command, rule.owner())) {
            problems.push(say("no command has to do with it"));
        }
        let is_known = match rule.class {
            Class::Checked => root.join(SOURCES).join(&rule.by).is_file(),
            class => ledger.reasons.iter().any(|reason| reason.name == rule.by && reason.class == class),
        };
        if !is_known {
            problems.push(say(&format!("{:?} is neither a file of {SOURCES} nor a reason of its class", rule.by)));
        }
    }
    for kind in &ledger.kinds {
        let (file, test) = kind.test.split_once(' ').unwrap_or((&kind.test, ""));
        let text = std::fs::read_to_string(root.join(file)).unwrap_or_default();
        if test.is_empty() || !text.contains(&format!("fn {test}(")) {
            problems.push(format!("{FOLDER}/kinds.tsv: {}: there is no test {}", kind.name, kind.test));
        }
    }
    if let Ok(text) = std::fs::read_to_string(NAMES) {
        problems.extend(unknown(&text, ledger)?);
    }
    all_or_nothing(&problems)
}

/// The rules that the specification does not have, by a list of its rules, if that is of the same version.
fn unknown(text: &str, ledger: &Ledger) -> Result<Vec<String>> {
    let list: serde_json::Value = serde_json::from_str(text).with_context(|| format!("reading {NAMES}"))?;
    let version = list["version info"]["api version"].as_str().unwrap_or("no known version");
    if version != VERSION {
        eprintln!("{NAMES} is of {version}: whether rules are called as in Vulkan {VERSION} is not looked at");
        return Ok(Vec::new());
    }
    let is_known = |rule: &&Rule| {
        let sections = list["validation"][rule.owner()].as_object().into_iter().flat_map(serde_json::Map::values);
        let mut rules = sections.filter_map(serde_json::Value::as_array).flatten();
        rules.any(|known| known["vuid"].as_str() == Some(&rule.name))
    };
    let unknown = ledger.rules.iter().filter(|rule| !rule.name.starts_with(OWN) && !is_known(rule));
    Ok(unknown.map(|rule| format!("{FOLDER}/rules.tsv: {} is no rule of Vulkan {VERSION}", rule.name)).collect())
}

const INTRODUCTION: &str = "\
# What is checked

A guest is hostile by assumption, and drivers take for granted that callers keep Vulkan's rules. This page says of each
command which of the rules that keep a driver inside of its memory, from dividing by zero, from endless loops and from
its own assertions are checked, and by whom. `cargo xtask commands` writes it from `tests/validation`, `.ci/run` fails when
it is stale, and the handler tests (`venus-host/tests/handlers/ledger.rs`) break each rule that is said to be checked.

What is not checked is not harmless. It is what a driver is trusted with, or what its crash is contained for: each guest
has a process of its own, in a sandbox ([SECURITY.md](../SECURITY.md)).
";

const CLASSES: &str = "\
| word | who keeps the rule |
|---|---|
| checked | this host: what breaks it is refused, with a result where there is one, or left out of its command buffer, and a line of the log names command and member |
| construction | nobody can break it: the decoder, the object table, or the way the driver is called does not let it happen |
| nobody | the guest's application, as everywhere with Vulkan; the reason is beside it |
";

const SHADERS: &str = "
## Shaders

A module has to be whole words and whole instructions, with a header of SPIR-V and a bound of ids that every compiler
takes, or that is no more than the module's words (`venus-host/src/driver/spirv.rs`). What the instructions say, drivers'
compilers are the first to look at. What was looked at to do it before them:

| crate | licence | what it does | why not |
|---|---|---|---|
| `naga` 30 with `spv-in` | MIT or Apache-2.0 | parses SPIR-V to a representation of its own, and validates that | knows the SPIR-V that WebGPU needs: 35 capabilities, among them neither ray tracing nor cooperative matrices nor addresses of buffers; about 50 crates |
| `rspirv` 0.13 | Apache-2.0 | reads a module to a tree of instructions | three more crates, but no semantics: ids, types and layouts are not looked at, operands are, against the grammar of its own year, so that what is newer is refused |
| `spirv-tools` 0.13 | MIT or Apache-2.0 | has Khronos's `spirv-val`, compiled in | the only one that validates what drivers trust. It is 98 000 lines of C++, which would read hostile bytes in the worker before the driver's compiler does, and would take a C++ compiler to build this host |

So a compiler that dies of a module is contained, like any other part of a driver.
";

/// Writes the page.
pub(super) fn page(ledger: &Ledger) -> String {
    let mut page = format!("{INTRODUCTION}\n{CLASSES}");
    numbers(&mut page, ledger);
    kinds(&mut page, ledger);
    reasons(&mut page, ledger);
    page.push_str(SHADERS);
    commands(&mut page, ledger);
    rules(&mut page, ledger);
    page
}

fn count<'r>(rules: impl IntoIterator<Item = &'r Rule>, class: Class) -> usize {
    rules.into_iter().filter(|rule| rule.class == class).count()
}

fn numbers(page: &mut String, ledger: &Ledger) {
    let _ = writeln!(page, "\n## In numbers\n\n| | |\n|---|--:|");
    let _ = writeln!(page, "| commands that travel | {} |", ledger.reach.len());
    let _ = writeln!(page, "| kinds of members with rules of their own | {} |", ledger.kinds.len());
    let _ = writeln!(page, "| rules named one by one, of Vulkan {VERSION} | {} |", ledger.rules.len());
    for class in Class::ALL {
        let _ = writeln!(page, "| … {} | {} |", class.word(), count(&ledger.rules, class));
    }
}

fn kinds(page: &mut String, ledger: &Ledger) {
    let _ = writeln!(
        page,
        "\n## Rules that every command has\n\nThe specification has these rules for each member of a kind. They are \
         kept, or not, in one place for all.\n\n| kind | names end in | who | how | test | commands |\n|---|---|---|---|---|--:|"
    );
    for kind in &ledger.kinds {
        let concerned = ledger.reach.iter().filter(|(name, reach)| reach.count(name, &kind.counted) > 0).count();
        let Kind { name, rules, class, how, test, .. } = kind;
        let test = test.replacen(' ', "`, `", 1);
        let _ = writeln!(page, "| {name} | {rules} | {} | {how} | `{test}` | {concerned} |", class.word());
    }
}

fn reasons(page: &mut String, ledger: &Ledger) {
    let _ = writeln!(page, "\n## Reasons\n\n| word | who | meaning | rules |\n|---|---|---|--:|");
    for Reason { name, class, meaning } in &ledger.reasons {
        let rules = ledger.rules.iter().filter(|rule| rule.class == *class && rule.by == *name).count();
        let _ = writeln!(page, "| {name} | {} | {meaning} | {rules} |", class.word());
    }
}

fn commands(page: &mut String, ledger: &Ledger) {
    const COLUMNS: [&str; 8] = ["handles", "arrays", "optional", "pointers", "strings", "unions", "chains", "enums"];
    let _ = writeln!(
        page,
        "\n## Commands\n\nHow many members of each kind a command has, with all structures that it can bring along, and how \
         many rules are named below for it and for them. Where there are none, there is nothing in it that a driver \
         would index, measure or count by, beside what all commands have; commands of the protocol's own \
         (`…MESA`) have no rules of Khronos's, and are checked as `ARCHITECTURE.md` says.\n"
    );
    let _ = writeln!(page, "| command | {} | checked | construction | nobody | rules of |", COLUMNS.join(" | "));
    let _ = writeln!(page, "|---|{}--:|--:|--:|---|", "--:|".repeat(COLUMNS.len()));
    for (command, reach) in &ledger.reach {
        let counts: Vec<_> = COLUMNS.iter().map(|column| reach.count(command, column).to_string()).collect();
        let rules: Vec<_> = ledger.rules.iter().filter(|rule| reach.meets(command, rule.owner())).collect();
        let owners: BTreeSet<_> = rules.iter().map(|rule| rule.owner()).collect();
        let owners: Vec<_> = owners.into_iter().collect();
        let classes = Class::ALL.map(|class| count(rules.iter().copied(), class).to_string());
        let _ =
            writeln!(page, "| {command} | {} | {} | {} |", counts.join(" | "), classes.join(" | "), owners.join(", "));
    }
}

fn rules(page: &mut String, ledger: &Ledger) {
    let _ = writeln!(
        page,
        "\n## Rules\n\nBy what they are about. A rule's whole name is `VUID-`, that, `-`, and what stands here; the \
         specification has its text under it. Rules in italics are this host's own: Vulkan has no limit there that drivers \
         keep to. What is checked is checked in the file of `{SOURCES}` that stands beside it, which says how far, where \
         a rule has conditions.\n\n| of | who | by or because | rules |\n|---|---|---|---|"
    );
    let mut groups = BTreeMap::<_, Vec<_>>::new();
    for rule in &ledger.rules {
        let short = if rule.name.starts_with(OWN) { format!("*{}*", rule.short()) } else { rule.short().to_owned() };
        groups.entry((rule.owner(), rule.class, rule.by.as_str())).or_default().push(short);
    }
    for ((owner, class, by), names) in groups {
        let by = if class == Class::Checked { format!("`{by}`") } else { by.to_owned() };
        let _ = writeln!(page, "| {owner} | {} | {by} | {} |", class.word(), names.join(", "));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ledger() -> Ledger {
        let rule = |name: &str, class, by: &str| Rule { name: name.to_owned(), class, by: by.to_owned() };
        let reach =
            Reach { counts: [("handles".to_owned(), 2)].into(), structures: ["VkBufferCopy".to_owned()].into() };
        Ledger {
            rules: vec![
                rule("VUID-VkBufferCopy-size-01988", Class::Nobody, "sizes"),
                rule("VUID-vkCmdCopyBuffer-size-00115", Class::Checked, "handlers/command_buffer.rs"),
            ],
            reasons: vec![Reason { name: "sizes".to_owned(), class: Class::Nobody, meaning: "unknown".to_owned() }],
            kinds: Vec::new(),
            reach: [("vkCmdCopyBuffer".to_owned(), reach)].into(),
        }
    }

    #[test]
    fn commands_have_the_rules_of_their_structures() {
        let page = page(&ledger());
        let row = "| vkCmdCopyBuffer | 2 | 0 | 0 | 0 | 0 | 0 | 0 | 0 | 1 | 0 | 1 | VkBufferCopy, vkCmdCopyBuffer |";
        assert!(page.contains(row), "{page}");
        assert!(page.contains("| VkBufferCopy | nobody | sizes | size-01988 |"));
        assert!(page.contains("| vkCmdCopyBuffer | checked | `handlers/command_buffer.rs` | size-00115 |"));
    }

    #[test]
    fn rules_that_there_are_not_are_found() {
        let list = |version: &str| {
            let known = r#"{"core": [{"vuid": "VUID-VkBufferCopy-size-01988", "text": ""}]}"#;
            format!(r#"{{"version info": {{"api version": "{version}"}}, "validation": {{"VkBufferCopy": {known}}}}}"#)
        };
        let problems = unknown(&list(VERSION), &ledger()).unwrap();
        assert_eq!(problems.len(), 1, "{problems:?}");
        assert!(problems[0].contains("VUID-vkCmdCopyBuffer-size-00115 is no rule"), "{problems:?}");
        assert_eq!(unknown(&list("1.3.239"), &ledger()).unwrap(), [""; 0], "another year has other rules");
    }
}
