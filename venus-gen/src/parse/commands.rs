//! `<commands>`: entry points.

use super::decl;
use super::types::{RawVar, parse_var};
use crate::diag::{Diagnostics, XmlPos};
use crate::xml::Element;

/// A `<command>`: a prototype, or another name for one.
#[derive(Clone, Debug)]
pub(crate) struct RawCommand {
    pub(crate) name: String,
    pub(crate) alias: Option<String>,
    /// The C return type.
    pub(crate) returns: String,
    pub(crate) params: Vec<RawVar>,
    /// What a queue has to do for it, in the registry's own words; any of them is enough.
    pub(crate) queues: Vec<String>,
    pub(crate) error_codes: Vec<String>,
    pub(crate) at: XmlPos,
}

pub(super) fn parse_commands(section: &Element, diags: &mut Diagnostics) -> Vec<RawCommand> {
    section.elements_named("command").map(|element| parse_command(element, diags)).collect()
}

fn parse_command(element: &Element, diags: &mut Diagnostics) -> RawCommand {
    let alias = element.attribute("alias").map(str::to_owned);
    let (name, returns) = match (&alias, element.element("proto")) {
        (Some(_), _) => (element.require_identifier("name", diags), String::new()),
        (None, Some(proto)) => {
            let declaration = decl::parse(proto, &element.label(), diags);
            (declaration.name, declaration.base)
        }
        (None, None) => {
            diags.push(&element.at, element.label(), "command without <proto> or alias", "add one of them");
            Default::default()
        }
    };
    RawCommand {
        name,
        alias,
        returns,
        params: element.elements_named("param").map(|param| parse_var(param, &element.label(), diags)).collect(),
        queues: element.list("queues"),
        error_codes: element.list("errorcodes"),
        at: element.at.clone(),
    }
}
