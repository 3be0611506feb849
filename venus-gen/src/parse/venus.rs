//! `venus.xml`: our statement of what the Venus protocol adds to the Vulkan registry.

use std::collections::BTreeMap;

use super::commands::{RawCommand, parse_commands};
use super::enums::{RawEnumGroup, RawEnumValue, parse_group, parse_value};
use super::types::{RawType, parse_types};
use crate::diag::{Diagnostics, XmlPos};
use crate::xml::Element;

/// The protocol's definitions and hand-kept lists.
#[derive(Clone, Debug, Default)]
pub(crate) struct VenusRegistry {
    pub(crate) wire_format: u32,
    /// Oldest first.
    pub(crate) levels: Vec<DeclaredLevel>,
    pub(crate) extensions: Vec<ListedExtension>,
    pub(crate) commands: Vec<ListedCommand>,
    pub(crate) types: Vec<RawType>,
    pub(crate) enums: Vec<RawEnumGroup>,
    pub(crate) s_types: Vec<RawEnumValue>,
    pub(crate) private_commands: Vec<RawCommand>,
    pub(crate) union_tags: Vec<UnionTag>,
    pub(crate) blocked_commands: Vec<BlockedCommand>,
    pub(crate) dropped_types: Vec<DroppedType>,
    pub(crate) guest_conditions: Vec<GuestCondition>,
    pub(crate) second_lengths: Vec<SecondLength>,
    pub(crate) in_outs: Vec<InOut>,
    pub(crate) null_overrides: Vec<NullOverride>,
}

/// A state of the protocol, which peers of one age know.
#[derive(Clone, Debug, Default)]
pub(crate) struct DeclaredLevel {
    /// How many names it has, which is what it is called by.
    pub(crate) number: u32,
    /// Version of the registry that it was defined against, for example `1.4.307`.
    pub(crate) xml_version: String,
    /// Declared counts, by attribute name. Codegen fails when the derived ones differ.
    pub(crate) counts: BTreeMap<String, u32>,
    pub(crate) at: XmlPos,
}

/// An extension that is part of the protocol.
#[derive(Clone, Debug)]
pub(crate) struct ListedExtension {
    pub(crate) name: String,
    pub(crate) number: u32,
    pub(crate) spec_version: u32,
    /// The level that it came with.
    pub(crate) since: u32,
    /// Later versions of its specification, each with the level that it came with.
    pub(crate) raised: Vec<(u32, u32)>,
    pub(crate) at: XmlPos,
}

/// A command's number and its names.
#[derive(Clone, Debug)]
pub(crate) struct ListedCommand {
    pub(crate) id: u32,
    /// The level that it came with.
    pub(crate) since: u32,
    pub(crate) name: String,
    pub(crate) aliases: Vec<String>,
    pub(crate) at: XmlPos,
}

/// The member of an untagged union that travels, and the tag it travels under.
#[derive(Clone, Debug)]
pub(crate) struct UnionTag {
    pub(crate) union: String,
    pub(crate) member: String,
    pub(crate) tag: u32,
    /// Whether any encodable command reaches the union.
    pub(crate) reached: bool,
    pub(crate) at: XmlPos,
}

/// A command that never travels although it could, with the reason.
#[derive(Clone, Debug)]
pub(crate) struct BlockedCommand {
    pub(crate) name: String,
    pub(crate) reason: String,
    pub(crate) at: XmlPos,
}

/// A type that is no part of the protocol although something requires it.
#[derive(Clone, Debug)]
pub(crate) struct DroppedType {
    pub(crate) name: String,
    /// The level from which on it is part of the protocol; none if it never is.
    pub(crate) before: Option<u32>,
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
#[derive(Clone, Debug)]
pub(crate) struct SecondLength {
    pub(crate) command: String,
    pub(crate) param: String,
    pub(crate) length: String,
    pub(crate) at: XmlPos,
}

/// An output whose value the request carries, too, although nothing takes a length from it.
#[derive(Clone, Debug)]
pub(crate) struct InOut {
    pub(crate) command: String,
    pub(crate) param: String,
    pub(crate) at: XmlPos,
}

/// Whether a host accepts null for a parameter or member, whatever the Vulkan registry of the day says.
#[derive(Clone, Debug)]
pub(crate) struct NullOverride {
    /// A command or structure.
    pub(crate) owner: String,
    /// Its parameter or member.
    pub(crate) var: String,
    pub(crate) nullable: bool,
    /// Whether this is about each handle of an array, and not about the array.
    pub(crate) items: bool,
    /// The level from which on the Vulkan registry is right; none if it never is.
    pub(crate) before: Option<u32>,
    pub(crate) at: XmlPos,
}

pub(super) fn parse(root: &Element, diags: &mut Diagnostics) -> VenusRegistry {
    let mut venus = VenusRegistry {
        wire_format: root.require_number("wire-format", diags),
        levels: parse_levels(root, diags),
        ..VenusRegistry::default()
    };
    for section in root.elements() {
        match section.tag.as_str() {
            "levels" => {}
            "extensions" => {
                let rows = section.elements().map(|row| parse_extension(row, &venus.levels, diags));
                venus.extensions.extend(rows);
            }
            "commands" => {
                let rows = section.elements_named("command");
                venus.commands.extend(rows.map(|row| parse_listed(row, &venus.levels, diags)));
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

/// The levels, which the rows of everything else may name.
fn parse_levels(root: &Element, diags: &mut Diagnostics) -> Vec<DeclaredLevel> {
    let rows = root.elements_named("levels").flat_map(|section| section.elements_named("level"));
    let levels: Vec<DeclaredLevel> = rows.map(|row| parse_level(row, diags)).collect();
    if levels.is_empty() {
        diags.push(&root.at, root.label(), "no levels", "declare one as <levels><level number=\"...\"/></levels>");
    }
    for level in levels.windows(2).filter_map(|pair| pair.last().filter(|last| last.number <= pair[0].number)) {
        let help = "a newer level has more names: declare the oldest first";
        diags.push(&level.at, format!("level {}", level.number), "comes after a level of as many names", help);
    }
    levels
}

fn parse_level(row: &Element, diags: &mut Diagnostics) -> DeclaredLevel {
    let keys = row.attributes.iter().map(|(key, _)| key);
    let counts = keys.filter(|key| !matches!(key.as_str(), "number" | "xml-version"));
    DeclaredLevel {
        counts: counts.map(|key| (key.clone(), row.require_number(key, diags))).collect(),
        number: row.require_number("number", diags),
        xml_version: row.require("xml-version", diags),
        at: row.at.clone(),
    }
}

/// The level that an attribute names.
fn parse_level_name(row: &Element, attribute: &str, levels: &[DeclaredLevel], diags: &mut Diagnostics) -> u32 {
    let number = row.require_number(attribute, diags);
    if !levels.iter().any(|level| level.number == number) {
        let message = format!("attribute {attribute:?} is {number}, which is no level");
        diags.push(&row.at, row.label(), message, "name one of <levels>");
    }
    number
}

/// The level that something came with: the oldest one where the row does not say.
fn parse_since(row: &Element, levels: &[DeclaredLevel], diags: &mut Diagnostics) -> u32 {
    match row.attribute("since") {
        Some(_) => parse_level_name(row, "since", levels, diags),
        None => levels.first().map_or(0, |oldest| oldest.number),
    }
}

/// The level from which on a rule is none, where the row names one.
fn parse_before(row: &Element, levels: &[DeclaredLevel], diags: &mut Diagnostics) -> Option<u32> {
    row.attribute("before").map(|_| parse_level_name(row, "before", levels, diags))
}

fn parse_extension(row: &Element, levels: &[DeclaredLevel], diags: &mut Diagnostics) -> ListedExtension {
    let raised = row.elements_named("raised");
    let raised: Vec<(u32, u32)> =
        raised.map(|row| (parse_since(row, levels, diags), row.require_number("spec", diags))).collect();
    ListedExtension {
        name: row.require("name", diags),
        number: row.require_number("number", diags),
        spec_version: row.require_number("spec", diags),
        since: parse_since(row, levels, diags),
        raised,
        at: row.at.clone(),
    }
}

fn parse_listed(row: &Element, levels: &[DeclaredLevel], diags: &mut Diagnostics) -> ListedCommand {
    ListedCommand {
        id: row.require_number("id", diags),
        since: parse_since(row, levels, diags),
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
            "block-command" => {
                venus.blocked_commands.push(BlockedCommand { name: row.require("name", diags), reason, at });
            }
            "drop-type" => venus.dropped_types.push(DroppedType {
                name: row.require("name", diags),
                before: parse_before(row, &venus.levels, diags),
                at,
            }),
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
            "in-out" => venus.in_outs.push(InOut {
                command: row.require("command", diags),
                param: row.require("param", diags),
                at,
            }),
            "null-override" => {
                let (owner, var) =
                    if row.attribute("struct").is_some() { ("struct", "member") } else { ("command", "param") };
                venus.null_overrides.push(NullOverride {
                    owner: row.require(owner, diags),
                    var: row.require(var, diags),
                    nullable: row.require_bool("nullable", diags),
                    items: row.attribute("items") == Some("true"),
                    before: parse_before(row, &venus.levels, diags),
                    at,
                });
            }
            // States the rule that `lower` implements for arrays whose dimension is an API constant.
            "fixed-array-rule" => {}
            other => unknown(row, other, diags),
        }
    }
}
