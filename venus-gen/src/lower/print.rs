//! The wire plan as stable text, one line per item, for review and snapshots.

use std::fmt::Write as _;

use super::{CommandPlan, Direction, Field, Partial, Shape, StructPlan, WirePlan};
use crate::model::{Command, Condition, EnumId, Length, Model, StructId, Value, Var};

/// Prints every command, structure and union that travels, and why the other commands do not.
pub(crate) fn print(model: &Model, plan: &WirePlan) -> String {
    let mut out = String::new();
    let plans = &plan.commands;
    for (index, command) in model.commands.iter().enumerate() {
        print_command(&mut out, model, command, plans.iter().find(|plan| plan.index == index));
    }
    for (id, structure) in &plan.structs {
        print_struct(&mut out, model, plan, *id, structure);
    }
    for (id, union) in &plan.unions {
        let declared = model.union(*id);
        let sent = union.sent.and_then(|index| declared.members.get(index));
        let sent = sent.map_or("what the selector names", |member| member.var.name.as_str());
        let _ = writeln!(out, "union {} [{}] sends {sent}", declared.name(), declared.family);
        for (tags, field) in &union.members {
            let tags: Vec<String> = tags.iter().map(u32::to_string).collect();
            let _ = writeln!(out, "  {} {}", tags.join("|"), describe(field));
        }
    }
    print_scalars(&mut out, model);
    out
}

fn print_command(out: &mut String, model: &Model, command: &Command, plan: Option<&CommandPlan>) {
    let Command { id, name, family, returns, .. } = command;
    let since = since(model, command.since);
    let _ = writeln!(out, "command {id} {name} [{family}] returns {returns:?}{since}");
    for alias in &command.aliases {
        let _ = writeln!(out, "  alias {alias}");
    }
    if let Some(obstacle) = &command.obstacle {
        let _ = writeln!(out, "  never travels: {obstacle}");
    }
    for param in plan.iter().flat_map(|plan| &plan.params) {
        let direction = match param.direction {
            Direction::In => "in",
            Direction::Out => "out",
            Direction::InOut => "in+out",
        };
        let _ = writeln!(out, "  {direction:6} {}", describe(&param.field));
    }
}

fn print_struct(out: &mut String, model: &Model, plan: &WirePlan, id: StructId, structure: &StructPlan) {
    let declared = model.structure(id);
    let heads = if structure.heads { "" } else { ", only in chains" };
    let partial = if structure.partial { format!(", partial {}", plan.sizes.partial(id)) } else { String::new() };
    let full = plan.sizes.full(id);
    let since = since(model, declared.since);
    let _ = writeln!(out, "struct {} [{}] bytes {full}{partial}{heads}{since}", declared.name(), declared.family);
    if let Some(chain) = &declared.chain {
        let _ = writeln!(out, "  sType {} {} announced {:?}", chain.s_type, chain.s_type_name, chain.announced);
        for child in model.children(declared) {
            let _ = writeln!(out, "  may be followed by {}", model.structure(child).name());
        }
    }
    for field in &structure.fields {
        let _ = writeln!(out, "  {}", describe(field));
    }
}

/// The level that something came with, unless it has always been there.
fn since(model: &Model, level: u32) -> String {
    let oldest = model.levels.first().map_or(level, |oldest| oldest.number);
    if level == oldest { String::new() } else { format!(", since level {level}") }
}

fn print_scalars(out: &mut String, model: &Model) {
    for handle in model.handles.iter().filter(|handle| handle.reached) {
        let kind = if handle.dispatchable { "dispatchable handle" } else { "handle" };
        let _ = writeln!(out, "{kind} {}", handle.names.join(" = "));
    }
    let named = model.named_enums();
    for declared in named.filter(|declared| declared.reached || !declared.values.is_empty()) {
        let _ = writeln!(out, "enum {} bits {}", declared.names.join(" = "), declared.bit_width);
        for Value { name, value } in &declared.values {
            let _ = match declared.is_bits {
                true => writeln!(out, "  {value:#x} {name}"),
                false => writeln!(out, "  {value} {name}"),
            };
        }
    }
    for declared in model.bitmasks.iter().filter(|declared| declared.reached) {
        let of = declared.bits.map_or(String::new(), |EnumId(bits)| format!(" of {}", model.enums[bits].names[0]));
        let _ = writeln!(out, "bitmask {} bits {}{of}", declared.names.join(" = "), declared.bit_width);
    }
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
    let is_pointer = !field.var.pointee_const.is_empty();
    let nullable = match field.null_since {
        _ if !field.nullable || !is_pointer => String::new(),
        Some(level) => format!(", nullable since level {level}"),
        None => ", nullable".to_owned(),
    };
    let required = if field.requires_objects() { ", never null" } else { "" };
    let condition = match &field.var.guest_condition {
        Some(Condition::Equals { member, value, .. }) => format!(", guests follow it if {member} == {value}"),
        Some(Condition::LacksBits { member, bits, .. }) => format!(", guests follow it if {member} & {bits:#x} == 0"),
        None => String::new(),
    };
    let stride = field.var.stride.as_ref().map_or(String::new(), |stride| format!(", guests pack it and set {stride}"));
    let Var { name, base, .. } = &field.var;
    format!("{name}: {base} {shape}, partial {partial}{nullable}{required}{condition}{stride}")
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
