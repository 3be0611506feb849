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
pub(crate) use venus::{GuestCondition, ListedExtension, SecondLength, VenusRegistry};

use crate::diag::Diagnostics;

/// The Vulkan registry as records, in the order of the file.
#[derive(Debug, Default)]
pub(crate) struct Registry {
    /// Name of the file it came from.
    pub(crate) file: String,
    /// `VK_HEADER_VERSION_COMPLETE` as `1.4.309`.
    pub(crate) version: String,
    pub(crate) types: Vec<RawType>,
    pub(crate) enums: Vec<RawEnumGroup>,
    pub(crate) commands: Vec<RawCommand>,
    pub(crate) features: Vec<RawFeature>,
    pub(crate) extensions: Vec<RawExtension>,
}

/// Parses `vk.xml`.
pub(crate) fn parse_registry(file: &str, xml: &str, diags: &mut Diagnostics) -> Registry {
    let mut registry = Registry { file: file.to_owned(), ..Registry::default() };
    let Some(root) = dom::parse(file, xml, diags) else { return registry };
    root.expect_name("registry", diags);
    for section in root.elements() {
        match section.name.as_str() {
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
                section.path(),
                format!("unknown section <{other}>"),
                "teach venus-gen's parse/mod.rs what it means, or that it can be ignored",
            ),
        }
    }
    registry.version = types::header_version(&root);
    registry
}

/// Parses `venus.xml`.
pub(crate) fn parse_venus(file: &str, xml: &str, diags: &mut Diagnostics) -> VenusRegistry {
    match dom::parse(file, xml, diags) {
        Some(root) => venus::parse(&root, diags),
        None => VenusRegistry::default(),
    }
}
