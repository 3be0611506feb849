//! The protocol's names, from the generated tables.

use super::source::{constant, elements, last_name, number, parse, string};
use anyhow::{Context as _, Result, ensure};
use std::collections::BTreeMap;
use std::path::Path;

const COMMANDS: &str = "venus-protocol/src/generated/commands.rs";
const EXTENSIONS: &str = "venus-protocol/src/generated/extensions.rs";

/// What the protocol consists of.
#[derive(Debug)]
pub(super) struct Protocol {
    /// By number.
    pub(super) commands: Vec<Command>,
    /// By number.
    pub(super) extensions: Vec<Extension>,
}

/// A command.
#[derive(Debug)]
pub(super) struct Command {
    pub(super) id: u32,
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
    Ok(Protocol { commands: commands(root)?, extensions: extensions(root)? })
}

fn commands(root: &Path) -> Result<Vec<Command>> {
    let file = parse(root, COMMANDS)?;
    let names: Vec<String> = elements(constant(&file, "NAMES")?).into_iter().filter_map(string).collect();
    let constants = constants(&file);
    let mut commands = BTreeMap::new();
    for (id, name) in (0..).zip(names).filter(|(_, name)| !name.is_empty()) {
        commands.insert(id, Command { id, name, aliases: Vec::new(), obstacle: None });
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
    let implementations = file.items.iter().filter_map(|item| match item {
        syn::Item::Impl(item) => Some(&item.items),
        _ => None,
    });
    let numbered = implementations.flatten().filter_map(|item| {
        let syn::ImplItem::Const(item) = item else { return None };
        let syn::Expr::Call(call) = &item.expr else { return None };
        Some((item.ident.to_string(), number(call.args.first()?)?))
    });
    numbered.collect()
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

fn extensions(root: &Path) -> Result<Vec<Extension>> {
    let file = parse(root, EXTENSIONS)?;
    let rows = elements(constant(&file, "EXTENSIONS")?);
    // `Extension::new(name, number, version)`
    let extension = |row: &syn::Expr| {
        let syn::Expr::Call(call) = row else { return None };
        let mut arguments = call.args.iter();
        Some(Extension {
            name: string(arguments.next()?)?,
            number: number(arguments.next()?)?,
            version: number(arguments.next()?)?,
        })
    };
    let found: Option<Vec<Extension>> = rows.into_iter().map(extension).collect();
    let found = found.context("a row of the generated extensions cannot be read")?;
    ensure!(!found.is_empty(), "{EXTENSIONS} lists no extension");
    Ok(found)
}
