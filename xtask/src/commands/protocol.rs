//! The protocol's names, from the generated tables.

use super::source::{constant, elements, last_name, number, parse, string};
use anyhow::{Context as _, Result, ensure};
use std::collections::BTreeMap;
use std::path::Path;

const COMMANDS: &str = "venus-protocol/src/generated/commands.rs";
const LEVELS: &str = "venus-protocol/src/generated/levels.rs";
const EXTENSIONS: &str = "venus-protocol/src/generated/extensions.rs";

/// What the protocol consists of.
#[derive(Debug)]
pub(super) struct Protocol {
    /// Oldest first.
    pub(super) levels: Vec<Level>,
    /// By number.
    pub(super) commands: Vec<Command>,
    /// By number.
    pub(super) extensions: Vec<Extension>,
}

/// How much of the protocol the peers of one age know.
#[derive(Debug)]
pub(super) struct Level {
    /// What it is called by.
    pub(super) number: u32,
    /// Its highest command.
    last_command: u32,
}

/// A command.
#[derive(Debug)]
pub(super) struct Command {
    pub(super) id: u32,
    /// The level that it came with.
    pub(super) since: u32,
    pub(super) name: String,
    pub(super) aliases: Vec<String>,
    /// Why it never travels.
    pub(super) obstacle: Option<String>,
}

/// An extension.
#[derive(Debug)]
pub(super) struct Extension {
    pub(super) name: String,
    pub(super) number: u32,
    pub(super) version: u32,
    /// The level that it came with.
    pub(super) since: u32,
}

impl Protocol {
    /// How many names there are.
    pub(super) fn names(&self) -> usize {
        self.commands.iter().map(|command| 1 + command.aliases.len()).sum()
    }

    /// The commands that travel.
    pub(super) fn encodable(&self) -> impl Iterator<Item = &Command> {
        self.commands.iter().filter(|command| command.obstacle.is_none())
    }
}

/// Reads the tables.
pub(super) fn read(root: &Path) -> Result<Protocol> {
    let levels = levels(root)?;
    Ok(Protocol { commands: commands(root, &levels)?, extensions: extensions(root, &levels)?, levels })
}

/// `pub const V433: Self = Self::new(433, CommandType(330), ...);`
fn levels(root: &Path) -> Result<Vec<Level>> {
    let file = parse(root, LEVELS)?;
    let levels = calls(&file).filter_map(|(_, call)| {
        let syn::Expr::Call(last) = call.args.get(1)? else { return None };
        Some(Level { number: number(call.args.first()?)?, last_command: number(last.args.first()?)? })
    });
    let levels: Vec<Level> = levels.collect();
    ensure!(!levels.is_empty(), "{LEVELS} lists no level");
    Ok(levels)
}

fn commands(root: &Path, levels: &[Level]) -> Result<Vec<Command>> {
    let file = parse(root, COMMANDS)?;
    let names: Vec<String> = elements(constant(&file, "NAMES")?).into_iter().filter_map(string).collect();
    let constants = constants(&file);
    let mut commands = BTreeMap::new();
    for (id, name) in (0..).zip(names).filter(|(_, name)| !name.is_empty()) {
        let since = levels.iter().find(|level| id <= level.last_command).context("a command of no level")?.number;
        commands.insert(id, Command { id, since, name, aliases: Vec::new(), obstacle: None });
    }
    for row in elements(constant(&file, "ALIASES")?) {
        let (alias, command) = pair(row, string, |expr| constants.get(&last_name(expr)?).copied())?;
        let command = commands.get_mut(&command).context("an alias of a command that does not exist")?;
        command.aliases.push(alias);
    }
    for row in elements(constant(&file, "NOT_ENCODABLE")?) {
        let (command, why) = pair(row, |expr| constants.get(&last_name(expr)?).copied(), string)?;
        commands.get_mut(&command).context("a command that does not exist never travels")?.obstacle = Some(why);
    }
    ensure!(!commands.is_empty(), "{COMMANDS} lists no command");
    Ok(commands.into_values().collect())
}

/// `pub const NAME: Self = Self(number);`
fn constants(file: &syn::File) -> BTreeMap<String, u32> {
    calls(file).filter_map(|(name, call)| Some((name, number(call.args.first()?)?))).collect()
}

/// The associated constants of a file that are made by a call.
fn calls(file: &syn::File) -> impl Iterator<Item = (String, &syn::ExprCall)> {
    let implementations = file.items.iter().filter_map(|item| match item {
        syn::Item::Impl(item) => Some(&item.items),
        _ => None,
    });
    implementations.flatten().filter_map(|item| {
        let syn::ImplItem::Const(item) = item else { return None };
        let syn::Expr::Call(call) = &item.expr else { return None };
        Some((item.ident.to_string(), call))
    })
}

/// The two parts of a tuple.
fn pair<A, B>(
    row: &syn::Expr,
    first: impl Fn(&syn::Expr) -> Option<A>,
    second: impl Fn(&syn::Expr) -> Option<B>,
) -> Result<(A, B)> {
    let parts = match row {
        syn::Expr::Tuple(tuple) => tuple.elems.first().zip(tuple.elems.last()),
        _ => None,
    };
    parts.and_then(|(one, two)| first(one).zip(second(two))).context("a row of a generated table is no pair")
}

fn extensions(root: &Path, levels: &[Level]) -> Result<Vec<Extension>> {
    let file = parse(root, EXTENSIONS)?;
    let rows = elements(constant(&file, "EXTENSIONS")?);
    let found: Option<Vec<Extension>> = rows.into_iter().map(|row| extension(row, levels)).collect();
    let found = found.context("a row of the generated extensions cannot be read")?;
    ensure!(!found.is_empty(), "{EXTENSIONS} lists no extension");
    Ok(found)
}

/// `Extension::new(name, number, version)`, and in calls of it `.since(Level::V448)` and `.raised(&[(Level::V448, version)])`.
fn extension(row: &syn::Expr, levels: &[Level]) -> Option<Extension> {
    match row {
        syn::Expr::Call(call) => {
            let mut arguments = call.args.iter();
            Some(Extension {
                name: string(arguments.next()?)?,
                number: number(arguments.next()?)?,
                version: number(arguments.next()?)?,
                since: levels.first()?.number,
            })
        }
        syn::Expr::MethodCall(call) => {
            let extension = extension(&call.receiver, levels)?;
            let argument = call.args.first()?;
            match call.method.to_string().as_str() {
                "since" => Some(Extension { since: level(argument)?, ..extension }),
                "raised" => {
                    let last = elements(argument).pop()?;
                    let (_, version) = pair(last, level, number).ok()?;
                    Some(Extension { version, ..extension })
                }
                _ => None,
            }
        }
        _ => None,
    }
}

/// The number in `Level::V448`.
fn level(expr: &syn::Expr) -> Option<u32> {
    last_name(expr)?.strip_prefix('V')?.parse().ok()
}
