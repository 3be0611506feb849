//! `<enums>`: named values.

use crate::diag::{Diagnostics, XmlPos};
use crate::xml::Element;

/// An `<enums>` group.
#[derive(Clone, Debug)]
pub(crate) struct RawEnumGroup {
    pub(crate) name: String,
    /// Whether it lists bits of a bitmask.
    pub(crate) is_bitmask: bool,
    /// 32 or 64.
    pub(crate) bit_width: u32,
    pub(crate) values: Vec<RawEnumValue>,
}

/// An `<enum>`, in a group or in a feature's or extension's `<require>`.
#[derive(Clone, Debug)]
pub(crate) struct RawEnumValue {
    pub(crate) name: String,
    /// The enum that it belongs to, if no group encloses it.
    pub(crate) extends: Option<String>,
    pub(crate) alias: Option<String>,
    /// The value as text, if it is given outright.
    pub(crate) value: Option<String>,
    pub(crate) bit: Option<u32>,
    /// Offset in the extension's block of values, with the extension's number if it is not the enclosing one.
    pub(crate) offset: Option<u32>,
    pub(crate) extension_number: Option<u32>,
    pub(crate) negative: bool,
    pub(crate) at: XmlPos,
}

pub(super) fn parse_group(section: &Element, diags: &mut Diagnostics) -> RawEnumGroup {
    RawEnumGroup {
        name: section.require("name", diags),
        is_bitmask: section.attribute("type") == Some("bitmask"),
        bit_width: section.attribute("bitwidth").and_then(|width| width.parse().ok()).unwrap_or(32),
        values: section.elements_named("enum").map(|element| parse_value(element, diags)).collect(),
    }
}

pub(super) fn parse_value(element: &Element, diags: &mut Diagnostics) -> RawEnumValue {
    let mut number = |name: &str| element.attribute(name).map(|_| element.require_number(name, diags));
    let (bit, offset, extension_number) = (number("bitpos"), number("offset"), number("extnumber"));
    RawEnumValue {
        name: element.require_identifier("name", diags),
        extends: element.attribute("extends").map(str::to_owned),
        alias: element.attribute("alias").map(str::to_owned),
        value: element.attribute("value").map(str::to_owned),
        bit,
        offset,
        extension_number,
        negative: element.attribute("dir") == Some("-"),
        at: element.at.clone(),
    }
}
