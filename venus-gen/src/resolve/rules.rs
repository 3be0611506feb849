//! Rules: the rows of `venus.xml` that say what the Vulkan registry cannot. A row that applies to nothing is a problem.

use std::collections::BTreeMap;

use super::lengths;
use crate::diag::Diagnostics;
use crate::model::{Command, Condition, Model, Ty, Var};
use crate::parse::{GuestCondition, InOut, NullOverride, SecondLength, VenusRegistry};

/// Applies every row that concerns a single member or parameter.
pub(super) fn apply(venus: &VenusRegistry, values: &BTreeMap<&str, i64>, model: &mut Model, diags: &mut Diagnostics) {
    for row in &venus.second_lengths {
        add_second_length(row, model, diags);
    }
    for row in &venus.in_outs {
        make_in_out(row, model, diags);
    }
    for row in &venus.guest_conditions {
        add_guest_condition(row, model, values, diags);
    }
    for row in &venus.null_overrides {
        override_null(row, model, diags);
    }
}

fn param_of<'m>(commands: &'m mut [Command], command: &str, param: &str) -> Option<&'m mut Var> {
    let command = commands.iter_mut().find(|known| known.name == command)?;
    command.params.iter_mut().find(|known| known.name == param)
}

fn add_second_length(row: &SecondLength, model: &mut Model, diags: &mut Diagnostics) {
    let Some(param) = param_of(&mut model.commands, &row.command, &row.param) else {
        let element = format!("second-length {} {}", row.command, row.param);
        diags.push(&row.at, element, "no such parameter", "remove the row, or correct its names");
        return;
    };
    param.lengths.truncate(1);
    param.lengths.push(lengths::parse(&row.length, &BTreeMap::new(), &row.param, &row.at, diags));
}

/// Has the request carry an output's value as if an array took its length from it.
fn make_in_out(row: &InOut, model: &mut Model, diags: &mut Diagnostics) {
    let element = format!("in-out {} {}", row.command, row.param);
    match param_of(&mut model.commands, &row.command, &row.param) {
        Some(param) if !param.is_input() => param.is_in_out = true,
        Some(_) => diags.push(&row.at, element, "it is no output", "remove the row"),
        None => diags.push(&row.at, element, "no such parameter", "remove the row, or correct its names"),
    }
}

fn override_null(row: &NullOverride, model: &mut Model, diags: &mut Diagnostics) {
    let element = format!("null-override {}.{}", row.owner, row.var);
    let member = model.structs.iter_mut().find(|known| known.name() == row.owner);
    let member = member.and_then(|known| known.members.iter_mut().find(|member| member.name == row.var));
    let var = match member {
        Some(member) => Some(member),
        None => param_of(&mut model.commands, &row.owner, &row.var),
    };
    match var {
        Some(var) if row.items && matches!(var.ty, Ty::Handle(_)) => {
            if row.nullable == var.optional_item {
                diags.push(&row.at, element, "the Vulkan registry says the same", "remove the row");
            }
            var.optional_item = row.nullable;
        }
        Some(_) if row.items => diags.push(&row.at, element, "it names no object", "remove `items`, or the row"),
        Some(var) if !var.pointee_const.is_empty() && row.before.is_some() => {
            if row.nullable || !(var.optional || var.no_auto_validity) {
                let message = "the Vulkan registry says the same, so nothing changes with a level";
                diags.push(&row.at, element, message, "remove `before`, or the row");
            }
            var.null_since = row.before;
        }
        Some(var) if !var.pointee_const.is_empty() => var.accepts_null = Some(row.nullable),
        Some(_) => diags.push(&row.at, element, "it is no pointer", "remove the row"),
        None => diags.push(&row.at, element, "no such parameter or member", "remove the row, or correct its names"),
    }
}

fn add_guest_condition(row: &GuestCondition, model: &mut Model, values: &BTreeMap<&str, i64>, diags: &mut Diagnostics) {
    let element = format!("guest-condition {}.{}", row.structure, row.member);
    let structure = model.structs.iter_mut().find(|structure| structure.name() == row.structure);
    let members = structure.map_or(&mut [][..], |structure| structure.members.as_mut_slice());
    let tested = members.iter().any(|member| member.name == row.tested);
    let member = members.iter_mut().find(|member| member.name == row.member);
    let value = values.get(row.value.as_str()).copied();
    let (Some(member), true, Some(value)) = (member, tested, value) else {
        diags.push(&row.at, element, "no such structure, member or value", "remove the row, or correct its names");
        return;
    };
    let (tested, name) = (row.tested.clone(), row.value.clone());
    member.guest_condition = match (row.op.as_str(), u64::try_from(value)) {
        ("eq", _) => Some(Condition::Equals { member: tested, name, value }),
        ("lacks-bit", Ok(bits)) => Some(Condition::LacksBits { member: tested, name, bits }),
        (other, _) => {
            diags.push(&row.at, element, format!("unknown op {other:?}"), "use eq or lacks-bit");
            None
        }
    };
}
