//! The wire plan as stable text, one line per item, for review and snapshots.

use std::fmt::Write as _;

use super::{Direction, Field, Partial, Shape, WirePlan};
use crate::model::{Length, Model};

/// Prints every command and structure.
pub(crate) fn print(model: &Model, plan: &WirePlan) -> String {
    let mut out = String::new();
    for command in &plan.commands {
        let declared = &model.commands[command.index];
        let _ = writeln!(out, "command {} {} [{}]", command.id, declared.name, declared.family);
        for param in &command.params {
            let direction = match param.direction {
                Direction::In => "in",
                Direction::Out => "out",
                Direction::InOut => "in+out",
            };
            let _ = writeln!(out, "  {direction:6} {}", describe(&param.field));
        }
    }
    for (id, structure) in &plan.structs {
        let declared = model.structure(*id);
        let _ = writeln!(out, "struct {} [{}]", declared.name(), declared.family);
        if let Some(chain) = &declared.chain {
            let children: Vec<&str> = model.children(declared).iter().map(|child| model.structure(*child).name()).collect();
            let _ = writeln!(out, "  sType {} {} {:?}", chain.s_type, chain.s_type_name, chain.announced);
            let _ = writeln!(out, "  chain {}", children.join(" "));
        }
        for field in &structure.fields {
            let _ = writeln!(out, "  {}", describe(field));
        }
    }
    for (id, union) in &plan.unions {
        let _ = writeln!(out, "union {} sends {:?}", model.union(*id).name(), union.sent);
        for (tag, field) in &union.members {
            let _ = writeln!(out, "  {tag} {}", describe(field));
        }
    }
    out
}

fn describe(field: &Field) -> String {
    let shape = match &field.shape {
        Shape::Value => "value".to_owned(),
        Shape::Pointer => "pointer".to_owned(),
        Shape::Array(n) => format!("array[{}]", length(n)),
        Shape::Rows(n, m) => format!("rows[{}][{}]", length(n), length(m)),
        Shape::Blob(n) => format!("blob[{}]", length(n)),
        Shape::Str => "string".to_owned(),
        Shape::Strs(n) => format!("strings[{}]", length(n)),
        Shape::Fixed(n) => format!("fixed[{n}]"),
        Shape::Chars(n) => format!("chars[{n}]"),
        Shape::Null => "null".to_owned(),
    };
    let partial = match field.partial {
        Partial::Full => "full",
        Partial::Shape => "shape",
        Partial::Capacity => "capacity",
        Partial::Marker => "marker",
        Partial::Nothing => "nothing",
    };
    let nullable = if field.nullable { " nullable" } else { "" };
    format!("{}: {} {shape} partial={partial}{nullable}", field.var.name, field.var.base)
}

fn length(length: &Length) -> String {
    match length {
        Length::NullTerminated => "NUL".to_owned(),
        Length::Literal(n) => n.to_string(),
        Length::Sibling(name) => name.clone(),
        Length::Through { pointer, member } => format!("{pointer}->{member}"),
        Length::OfRow { array, member } => format!("{array}[i].{member}"),
        Length::Quotient { sibling, add, by } => format!("({sibling}+{add})/{by}"),
    }
}
