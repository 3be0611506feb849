//! Aliases: every name leads to one canonical name.
//!
//! The registry makes `VkFooKHR` an alias of `VkFoo`; both are one type. All alias declarations are read before any
//! is followed, because a name may be used before it is declared.

use std::collections::BTreeMap;

use crate::diag::{Diagnostics, XmlPos};
use crate::parse::{RawCommand, RawType, Registry, VenusRegistry};

/// Lookup by any name.
#[derive(Debug)]
pub(super) struct Names<'r> {
    /// Every type name to its canonical one.
    canonical_types: BTreeMap<&'r str, &'r str>,
    canonical_commands: BTreeMap<&'r str, &'r str>,
    types: BTreeMap<&'r str, &'r RawType>,
    commands: BTreeMap<&'r str, &'r RawCommand>,
    /// Canonical type names to all names, canonical first, then in order of declaration.
    type_names: BTreeMap<&'r str, Vec<String>>,
    command_aliases: BTreeMap<&'r str, Vec<&'r str>>,
}

/// Follows aliases to their end; `None` if they lead nowhere or round in a circle.
fn follow<'r>(name: &'r str, alias_of: impl Fn(&str) -> Option<Option<&'r str>>) -> Option<&'r str> {
    let mut name = name;
    for _ in 0..16 {
        match alias_of(name)? {
            Some(target) => name = target,
            None => return Some(name),
        }
    }
    None
}

/// Reports names that are declared more than once.
fn unique<'r>(what: &str, declared: impl Iterator<Item = (&'r str, &'r XmlPos)>, diags: &mut Diagnostics) {
    let mut first = BTreeMap::new();
    for (name, at) in declared.filter(|(name, _)| !name.is_empty()) {
        if let Some(first) = first.insert(name, at) {
            let message = format!("declared twice, first in {first}");
            diags.push(at, format!("{what} {name}"), message, "keep one declaration");
        }
    }
}

impl<'r> Names<'r> {
    pub(super) fn new(vk: &'r Registry, venus: &'r VenusRegistry, diags: &mut Diagnostics) -> Self {
        let all_types: Vec<&RawType> = vk.types.iter().chain(&venus.types).collect();
        let all_commands: Vec<&RawCommand> = vk.commands.iter().chain(&venus.private_commands).collect();
        unique("type", all_types.iter().map(|ty| (ty.name.as_str(), &ty.at)), diags);
        unique("command", all_commands.iter().map(|command| (command.name.as_str(), &command.at)), diags);
        let types: BTreeMap<_, _> = all_types.iter().map(|ty| (ty.name.as_str(), *ty)).collect();
        let commands: BTreeMap<_, _> = all_commands.iter().map(|command| (command.name.as_str(), *command)).collect();

        let mut names = Self {
            canonical_types: BTreeMap::new(),
            canonical_commands: BTreeMap::new(),
            type_names: BTreeMap::new(),
            command_aliases: BTreeMap::new(),
            types,
            commands,
        };
        for ty in &all_types {
            match follow(&ty.name, |name| names.types.get(name).map(|ty| ty.alias.as_deref())) {
                Some(canonical) => {
                    names.canonical_types.insert(&ty.name, canonical);
                    let known = names.type_names.entry(canonical).or_insert_with(|| vec![canonical.to_owned()]);
                    if ty.name != canonical {
                        known.push(ty.name.clone());
                    }
                }
                None => diags.push(&ty.at, format!("type {}", ty.name), "alias leads to no type", "repair the alias"),
            }
        }
        for command in &all_commands {
            match follow(&command.name, |name| names.commands.get(name).map(|command| command.alias.as_deref())) {
                Some(canonical) => {
                    names.canonical_commands.insert(&command.name, canonical);
                    if command.name != canonical {
                        names.command_aliases.entry(canonical).or_default().push(&command.name);
                    }
                }
                None => {
                    let element = format!("command {}", command.name);
                    diags.push(&command.at, element, "alias leads to no command", "repair the alias");
                }
            }
        }
        names
    }

    /// The canonical name of a type, if the registry declares it.
    pub(super) fn canonical_type(&self, name: &str) -> Option<&'r str> {
        self.canonical_types.get(name).copied()
    }

    pub(super) fn canonical_command(&self, name: &str) -> Option<&'r str> {
        self.canonical_commands.get(name).copied()
    }

    /// The declaration behind any name of a type.
    pub(super) fn type_record(&self, name: &str) -> Option<&'r RawType> {
        self.types.get(self.canonical_type(name)?).copied()
    }

    /// The declaration behind any name of a command.
    pub(super) fn command_record(&self, name: &str) -> Option<&'r RawCommand> {
        self.commands.get(self.canonical_command(name)?).copied()
    }

    /// All names of a type, the canonical one first.
    pub(super) fn all_names(&self, canonical: &str) -> Vec<String> {
        self.type_names.get(canonical).cloned().unwrap_or_else(|| vec![canonical.to_owned()])
    }

    /// All other names of a command, in order of declaration.
    pub(super) fn command_aliases(&self, canonical: &str) -> &[&'r str] {
        self.command_aliases.get(canonical).map_or(&[], Vec::as_slice)
    }
}
