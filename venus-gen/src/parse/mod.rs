//! XML text to syntax records. Knows the registry's schema and nothing of what the elements mean.
//!
//! One file per element family. Every record keeps the position of
//! its element, so that later stages can point at it. Next stage: [`resolve`](crate::resolve).

mod commands;
mod decl;
mod dom;
mod enums;
mod features;
mod types;
mod venus;

pub(crate) use commands::RawCommand;
pub(crate) use decl::Dimension;
pub(crate) use enums::{RawEnumGroup, RawEnumValue};
pub(crate) use features::{RawExtension, RawFeature, RawRequire};
pub(crate) use types::{Category, RawType, RawVar};
pub(crate) use venus::{
    DeclaredLevel, GuestCondition, InOut, ListedCommand, ListedExtension, NullOverride, SecondLength, VenusRegistry,
};

use crate::diag::Diagnostics;
use crate::xml;

/// The Vulkan registry as records, in the order of the file.
#[derive(Debug, Default)]
pub(crate) struct Registry {
    /// `VK_HEADER_VERSION_COMPLETE` as `1.4.309`.
    pub(crate) version: String,
    pub(crate) types: Vec<RawType>,
    pub(crate) enums: Vec<RawEnumGroup>,
    pub(crate) commands: Vec<RawCommand>,
    pub(crate) features: Vec<RawFeature>,
    pub(crate) extensions: Vec<RawExtension>,
}

/// Parses `vk.xml`; `None` if it is not a document, or another one.
pub(crate) fn parse_registry(file: &str, xml: &str, diags: &mut Diagnostics) -> Option<Registry> {
    let mut registry = Registry::default();
    let root = read(file, xml, "registry", diags)?;
    for section in root.elements() {
        match section.tag.as_str() {
            "types" => registry.types.extend(types::parse_types(section, diags)),
            "enums" => registry.enums.push(enums::parse_group(section, diags)),
            "commands" => registry.commands.extend(commands::parse_commands(section, diags)),
            "feature" => registry.features.extend(features::parse_feature(section, diags)),
            "extensions" => registry.extensions.extend(features::parse_extensions(section, diags)),
            // An unreduced registry may be given, too; these say nothing about types or commands.
            "comment" | "platforms" | "tags" | "formats" | "spirvextensions" | "spirvcapabilities" | "sync"
            | "videocodecs" => {}
            other => diags.push(
                &section.at,
                section.label(),
                format!("unknown section <{other}>"),
                "teach venus-gen's parse/mod.rs what it means, or that it can be ignored",
            ),
        }
    }
    registry.version = types::header_version(&root);
    Some(registry)
}

/// Parses `venus.xml`; `None` if it is not a document, or another one.
pub(crate) fn parse_venus(file: &str, xml: &str, diags: &mut Diagnostics) -> Option<VenusRegistry> {
    read(file, xml, "venus", diags).map(|root| venus::parse(&root, diags))
}

/// Reads a document with the given root. What stands behind a syntax error cannot be trusted.
fn read(file: &str, text: &str, root_tag: &str, diags: &mut Diagnostics) -> Option<xml::Element> {
    let root = xml::read(file, text).map_err(|problems| diags.extend(problems)).ok()?;
    if root.tag == root_tag {
        return Some(root);
    }
    let message = format!("the root element is <{}>, not <{root_tag}>", root.tag);
    diags.push(&root.at, root.label(), message, "give the right file");
    None
}
