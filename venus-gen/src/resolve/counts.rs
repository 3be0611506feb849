//! Counts: what the registry amounts to, against what `venus.xml` declares.

use std::collections::BTreeSet;

use crate::diag::Diagnostics;
use crate::model::{Count, Model, StructId};
use crate::parse::DeclaredLevel;

/// Derives every count.
pub(super) fn count(model: &Model) -> Vec<Count> {
    let structs: Vec<_> = model.traveling_structs().map(|(_, structure)| structure).collect();
    let roots: Vec<Vec<StructId>> = structs.iter().map(|s| model.children(s)).filter(|list| !list.is_empty()).collect();
    let children: BTreeSet<StructId> = roots.iter().flatten().copied().collect();
    let aliases: usize = model.commands.iter().map(|command| command.aliases.len()).sum();
    let encodable = model.encodable_commands().count();
    let chained = structs.iter().filter(|structure| structure.chain.is_some()).count();
    let handles = || model.handles.iter().filter(|handle| handle.reached);
    vec![
        Count { name: "names", value: model.commands.len() + aliases },
        Count { name: "ids", value: model.commands.len() },
        Count { name: "aliases", value: aliases },
        Count { name: "encodable", value: encodable },
        Count { name: "id-only", value: model.commands.len() - encodable },
        Count { name: "private", value: model.commands.iter().filter(|command| command.private).count() },
        Count { name: "structs", value: structs.len() },
        Count { name: "chain-structs", value: chained },
        Count { name: "plain-structs", value: structs.len() - chained },
        Count { name: "unions", value: model.traveling_unions().count() },
        Count { name: "handles", value: handles().count() },
        Count { name: "dispatchable", value: handles().filter(|handle| handle.dispatchable).count() },
        Count { name: "enums", value: model.enums.len() },
        Count { name: "roots", value: roots.len() },
        Count { name: "pairs", value: roots.iter().map(Vec::len).sum() },
        Count { name: "children", value: children.len() },
        Count { name: "extensions", value: model.extensions.len() },
    ]
}

/// Reports every derived count that differs from the declared one, and every declared one that nothing derives.
pub(super) fn check(derived: &[Count], level: &DeclaredLevel, diags: &mut Diagnostics) {
    for Count { name, value } in derived {
        let help = "a registry change altered the protocol: undo it, or declare the new count with it";
        let message = match level.counts.get(*name) {
            Some(declared) if usize::try_from(*declared) == Ok(*value) => continue,
            Some(declared) => format!("declared {declared}, derived {value}"),
            None => format!("not declared, derived {value}"),
        };
        diags.push(&level.at, format!("level {}/{name}", level.number), message, help);
    }
    for name in level.counts.keys().filter(|name| !derived.iter().any(|count| count.name == name.as_str())) {
        diags.push(&level.at, format!("level {}/{name}", level.number), "no such count", "remove it");
    }
}
