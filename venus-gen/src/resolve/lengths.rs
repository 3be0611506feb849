//! Length expressions: the `len` and `altlen` attributes.

use std::collections::BTreeMap;

use crate::diag::{Diagnostics, XmlPos};
use crate::model::{Length, Model, Var};

/// Parses one level's expression. Anything that is not one of the forms the registry uses is reported.
pub(super) fn parse(
    text: &str,
    constants: &BTreeMap<&str, u64>,
    element: &str,
    at: &XmlPos,
    diags: &mut Diagnostics,
) -> Length {
    expression(text.trim(), constants).unwrap_or_else(|| {
        let help = "teach venus-gen's resolve/lengths.rs this form";
        diags.push(at, element, format!("cannot read the length {text:?}"), help);
        Length::Literal(0)
    })
}

/// Reports lengths of what travels that no earlier sibling has: a decoder knows the values it has read, and no others.
pub(super) fn check(model: &Model, diags: &mut Diagnostics) {
    let structs = model.traveling_structs().map(|(_, structure)| structure);
    let structs = structs
        .map(|structure| (format!("type {}", structure.name()), in_wire_order(&structure.members), &structure.at));
    let commands = model.encodable_commands();
    let commands =
        commands.map(|command| (format!("command {}", command.name), command.params.iter().collect(), &command.at));
    for (owner, vars, at) in structs.chain(commands) {
        for (index, var) in vars.iter().enumerate().filter(|(_, var)| var.dimensions.is_empty()) {
            let earlier: &[&Var] = vars.get(..index).unwrap_or_default();
            for sibling in var.lengths.iter().filter_map(Length::sibling) {
                if !earlier.iter().any(|other| other.name == sibling) {
                    let message = format!("the length {sibling} is not declared before it");
                    let help = "declare the length first";
                    diags.push(at, format!("{owner}/{}", var.name), message, help);
                }
            }
        }
    }
}

/// The members of a structure as they travel: a length that the registry declares after its array moves in front of it.
pub(crate) fn in_wire_order(members: &[Var]) -> Vec<&Var> {
    let mut ordered: Vec<&Var> = members.iter().collect();
    for var in members.iter().filter(|var| var.dimensions.is_empty()) {
        for sibling in var.lengths.iter().filter_map(Length::sibling) {
            let position = |name: &str| ordered.iter().position(|member| member.name == name);
            if let (Some(array), Some(length)) = (position(&var.name), position(sibling))
                && array < length
            {
                let length = ordered.remove(length);
                ordered.insert(array, length);
            }
        }
    }
    ordered
}

fn expression(text: &str, constants: &BTreeMap<&str, u64>) -> Option<Length> {
    if text == "null-terminated" {
        return Some(Length::NullTerminated);
    }
    if let Some(literal) = literal(text, constants) {
        return Some(Length::Literal(literal));
    }
    if let Some((pointer, member)) = text.split_once("->") {
        return Some(Length::Through { pointer: identifier(pointer)?, member: identifier(member)? });
    }
    if let Some((array, member)) = text.split_once("[i].") {
        return Some(Length::OfRow { array: identifier(array)?, member: identifier(member)? });
    }
    if let Some((left, factor)) = text.split_once('*') {
        return Some(Length::Literal(literal(left, constants)?.checked_mul(literal(factor, constants)?)?));
    }
    if let Some((numerator, by)) = text.split_once('/') {
        let numerator = numerator.trim();
        let inner = numerator.strip_prefix('(').and_then(|rest| rest.strip_suffix(')')).unwrap_or(numerator);
        let (sibling, add) = inner.split_once('+').unwrap_or((inner, "0"));
        let (add, by) = (add.trim().parse().ok()?, by.trim().parse().ok()?);
        return Some(Length::Quotient { sibling: identifier(sibling)?, add, by });
    }
    identifier(text).map(Length::Sibling)
}

fn literal(text: &str, constants: &BTreeMap<&str, u64>) -> Option<u64> {
    let text = text.trim();
    text.parse().ok().or_else(|| constants.get(text).copied())
}

fn identifier(text: &str) -> Option<String> {
    let text = text.trim();
    let valid = !text.is_empty() && text.chars().all(|char| char.is_ascii_alphanumeric() || char == '_');
    valid.then(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: Length) {
        let constants = BTreeMap::from([("VK_UUID_SIZE", 16)]);
        assert_eq!(expression(text, &constants), Some(expected), "{text}");
    }

    #[test]
    fn every_form_of_the_registry() {
        check("null-terminated", Length::NullTerminated);
        check("1", Length::Literal(1));
        check("2*VK_UUID_SIZE", Length::Literal(32));
        check("bindingCount", Length::Sibling("bindingCount".into()));
        check("pInfo->count", Length::Through { pointer: "pInfo".into(), member: "count".into() });
        check("pInfos[i].count", Length::OfRow { array: "pInfos".into(), member: "count".into() });
        check("codeSize / 4", Length::Quotient { sibling: "codeSize".into(), add: 0, by: 4 });
        check("(samples + 31) / 32", Length::Quotient { sibling: "samples".into(), add: 31, by: 32 });
    }

    #[test]
    fn other_forms_are_refused() {
        assert_eq!(expression("a % b", &BTreeMap::new()), None);
        assert_eq!(expression("latexmath:[x]", &BTreeMap::new()), None);
    }
}
