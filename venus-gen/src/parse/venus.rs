//! `venus.xml`: our statement of what the Venus protocol adds to the Vulkan registry.

use super::commands::{RawCommand, parse_commands};
use super::enums::{RawEnumGroup, RawEnumValue, parse_group, parse_value};
use super::types::{RawType, parse_types};
use crate::diag::{Diagnostics, XmlPos};
use crate::xml::Element;

/// The protocol's definitions and hand-kept lists.
#[derive(Debug, Default)]
pub(crate) struct VenusRegistry {
    pub(crate) wire_format: u32,
    /// Version of the registry that the protocol was defined against, for example `1.4.307`.
    pub(crate) xml_version: String,
    pub(crate) counts: Counts,
    pub(crate) counts_at: XmlPos,
    pub(crate) extensions: Vec<ListedExtension>,
    pub(crate) commands: Vec<ListedCommand>,
    pub(crate) types: Vec<RawType>,
    pub(crate) enums: Vec<RawEnumGroup>,
    pub(crate) s_types: Vec<RawEnumValue>,
    pub(crate) private_commands: Vec<RawCommand>,
    pub(crate) union_tags: Vec<UnionTag>,
    pub(crate) blocked_commands: Vec<Reasoned>,
    pub(crate) dropped_types: Vec<Reasoned>,
    pub(crate) guest_conditions: Vec<GuestCondition>,
    pub(crate) second_lengths: Vec<SecondLength>,
    pub(crate) null_overrides: Vec<NullOverride>,
}

/// Declared counts, by attribute name. Codegen fails when the derived ones differ.
pub(crate) type Counts = std::collections::BTreeMap<String, u32>;

/// An extension that is part of the protocol.
#[derive(Clone, Debug)]
pub(crate) struct ListedExtension {
    pub(crate) name: String,
    pub(crate) number: u32,
    pub(crate) spec_version: u32,
    pub(crate) at: XmlPos,
}

/// A command's number and its names.
#[derive(Debug)]
pub(crate) struct ListedCommand {
    pub(crate) id: u32,
    pub(crate) name: String,
    pub(crate) aliases: Vec<String>,
    pub(crate) at: XmlPos,
}

/// The member of an untagged union that travels, and the tag it travels under.
#[derive(Debug)]
pub(crate) struct UnionTag {
    pub(crate) union: String,
    pub(crate) member: String,
    pub(crate) tag: u32,
    /// Whether any encodable command reaches the union.
    pub(crate) reached: bool,
    pub(crate) at: XmlPos,
}

/// A name on a list, with the reason why it is there.
#[derive(Debug)]
pub(crate) struct Reasoned {
    pub(crate) name: String,
    pub(crate) reason: String,
    pub(crate) at: XmlPos,
}

/// A pointer that a guest must not follow unless another member says so.
#[derive(Clone, Debug)]
pub(crate) struct GuestCondition {
    pub(crate) structure: String,
    pub(crate) member: String,
    pub(crate) tested: String,
    /// `eq` or `lacks-bit`.
    pub(crate) op: String,
    pub(crate) value: String,
    pub(crate) at: XmlPos,
}

/// The length of an array's rows, which the Vulkan registry does not carry.
#[derive(Debug)]
pub(crate) struct SecondLength {
    pub(crate) command: String,
    pub(crate) param: String,
    pub(crate) length: String,
    pub(crate) at: XmlPos,
}

/// Whether a host accepts null for a parameter or member, whatever the Vulkan registry of the day says.
#[derive(Debug)]
pub(crate) struct NullOverride {
    /// A command or structure.
    pub(crate) owner: String,
    /// Its parameter or member.
    pub(crate) var: String,
    pub(crate) nullable: bool,
    pub(crate) at: XmlPos,
}

pub(super) fn parse(root: &Element, diags: &mut Diagnostics) -> VenusRegistry {
    let mut venus = VenusRegistry {
        wire_format: root.require_number("wire-format", diags),
        xml_version: root.require("xml-version", diags),
        ..VenusRegistry::default()
    };
    for section in root.elements() {
        match section.tag.as_str() {
            "counts" => {
                let keys = section.attributes.iter().map(|(key, _)| key);
                venus.counts = keys.map(|key| (key.clone(), section.require_number(key, diags))).collect();
                venus.counts_at = section.at.clone();
            }
            "extensions" => venus.extensions.extend(section.elements().map(|row| parse_extension(row, diags))),
            "commands" => {
                let rows = section.elements_named("command");
                venus.commands.extend(rows.map(|row| parse_listed(row, diags)));
            }
            "types" => venus.types.extend(parse_types(section, diags)),
            "enums" => venus.enums.push(parse_group(section, diags)),
            "stypes" => venus.s_types.extend(section.elements().map(|row| parse_value(row, diags))),
            "private-commands" => venus.private_commands.extend(parse_commands(section, diags)),
            "rules" => parse_rules(section, &mut venus, diags),
            other => unknown(section, other, diags),
        }
    }
    venus
}

fn unknown(element: &Element, name: &str, diags: &mut Diagnostics) {
    let message = format!("unknown element <{name}>");
    diags.push(&element.at, element.label(), message, "remove it, or teach venus-gen's parse/venus.rs what it means");
}

fn parse_extension(row: &Element, diags: &mut Diagnostics) -> ListedExtension {
    ListedExtension {
        name: row.require("name", diags),
        number: row.require_number("number", diags),
        spec_version: row.require_number("spec", diags),
        at: row.at.clone(),
    }
}

fn parse_listed(row: &Element, diags: &mut Diagnostics) -> ListedCommand {
    ListedCommand {
        id: row.require_number("id", diags),
        name: row.require("name", diags),
        aliases: row.elements_named("alias").map(|alias| alias.require("name", diags)).collect(),
        at: row.at.clone(),
    }
}

fn parse_rules(section: &Element, venus: &mut VenusRegistry, diags: &mut Diagnostics) {
    for row in section.elements() {
        let reason = row.require("reason", diags);
        let at = row.at.clone();
        match row.tag.as_str() {
            "union-tag" => venus.union_tags.push(UnionTag {
                union: row.require("union", diags),
                member: row.require("member", diags),
                tag: row.require_number("tag", diags),
                reached: row.attribute("reached") != Some("false"),
                at,
            }),
            "block-command" => venus.blocked_commands.push(Reasoned { name: row.require("name", diags), reason, at }),
            "drop-type" => venus.dropped_types.push(Reasoned { name: row.require("name", diags), reason, at }),
            "guest-condition" => venus.guest_conditions.push(GuestCondition {
                structure: row.require("struct", diags),
                member: row.require("member", diags),
                tested: row.require("member-test", diags),
                op: row.require("op", diags),
                value: row.require("value", diags),
                at,
            }),
            "second-length" => venus.second_lengths.push(SecondLength {
                command: row.require("command", diags),
                param: row.require("param", diags),
                length: row.require("length", diags),
                at,
            }),
            "null-override" => {
                let (owner, var) =
                    if row.attribute("struct").is_some() { ("struct", "member") } else { ("command", "param") };
                venus.null_overrides.push(NullOverride {
                    owner: row.require(owner, diags),
                    var: row.require(var, diags),
                    nullable: row.require_bool("nullable", diags),
                    at,
                });
            }
            // States the rule that `lower` implements for arrays whose dimension is an API constant.
            "fixed-array-rule" => {}
            other => unknown(row, other, diags),
        }
    }
}
