//! `<feature>` and `<extension>`: what requires which types, commands and values.

use super::enums::{RawEnumValue, parse_value};
use crate::diag::{Diagnostics, XmlPos};
use crate::xml::Element;

/// A core version.
#[derive(Debug)]
pub(crate) struct RawFeature {
    /// For example `1.3`.
    pub(crate) number: String,
    pub(crate) requires: Vec<RawRequire>,
}

/// An extension of the `vulkan` API.
#[derive(Debug)]
pub(crate) struct RawExtension {
    pub(crate) name: String,
    pub(crate) number: u32,
    pub(crate) requires: Vec<RawRequire>,
    pub(crate) at: XmlPos,
}

/// One `<require>` block.
#[derive(Debug)]
pub(crate) struct RawRequire {
    /// Boolean expression over extension and version names that must hold for the block to count.
    pub(crate) depends: Option<String>,
    pub(crate) types: Vec<String>,
    pub(crate) commands: Vec<String>,
    pub(crate) values: Vec<RawEnumValue>,
    pub(crate) at: XmlPos,
}

pub(super) fn parse_feature(element: &Element, diags: &mut Diagnostics) -> Option<RawFeature> {
    // Internal features of the newest registries carry other API names and only regroup what VK_VERSION_* requires.
    if !element.list("api").iter().any(|api| api.starts_with("vulkan") && api != "vulkansc") {
        return None;
    }
    Some(RawFeature { number: element.require("number", diags), requires: parse_requires(element, diags) })
}

pub(super) fn parse_extensions(section: &Element, diags: &mut Diagnostics) -> Vec<RawExtension> {
    section
        .elements_named("extension")
        .filter(|element| element.list("supported").iter().any(|api| api == "vulkan"))
        .map(|element| RawExtension {
            name: element.require("name", diags),
            number: element.require_number("number", diags),
            requires: parse_requires(element, diags),
            at: element.at.clone(),
        })
        .collect()
}

fn parse_requires(element: &Element, diags: &mut Diagnostics) -> Vec<RawRequire> {
    element.elements_named("require").map(|require| parse_require(require, diags)).collect()
}

fn parse_require(element: &Element, diags: &mut Diagnostics) -> RawRequire {
    let names =
        |tag| element.elements_named(tag).filter_map(|child| child.attribute("name")).map(str::to_owned).collect();
    RawRequire {
        depends: element.attribute("depends").map(str::to_owned),
        types: names("type"),
        commands: names("command"),
        values: element.elements_named("enum").map(|value| parse_value(value, diags)).collect(),
        at: element.at.clone(),
    }
}
