//! The outline of a registry: its version and what it declares, by name.

use std::collections::BTreeSet;
use std::fmt;

use super::prune::concerns_vulkan;
use crate::diag::Diagnostics;
use crate::xml::{self, Element};

/// The version that a registry states for the headers made from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct HeaderVersion {
    /// First number of the API version.
    pub major: u32,
    /// Second number of the API version.
    pub minor: u32,
    /// `VK_HEADER_VERSION`.
    pub patch: u32,
}

impl fmt::Display for HeaderVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.major, self.minor, self.patch)
    }
}

/// What a registry declares. Elements for Vulkan SC and extensions that Vulkan does not support are left out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outline {
    /// `None` if the registry does not state it.
    pub version: Option<HeaderVersion>,
    /// Names of commands, aliases included.
    pub commands: BTreeSet<String>,
    /// Names of types, aliases included.
    pub types: BTreeSet<String>,
    /// Names of extensions.
    pub extensions: BTreeSet<String>,
}

/// The outline of the registry `xml`.
///
/// # Errors
///
/// Only if it is not well-formed XML.
pub fn outline(file_name: &str, xml: &str) -> Result<Outline, Diagnostics> {
    let root = xml::read(file_name, xml)?;
    Ok(Outline {
        version: header_version(&root),
        commands: names(&root, "commands", "command"),
        types: names(&root, "types", "type"),
        extensions: names(&root, "extensions", "extension"),
    })
}

fn declared<'a>(root: &'a Element, section: &str, tag: &str) -> impl Iterator<Item = &'a Element> {
    root.children()
        .filter(move |element| element.tag == section)
        .flat_map(Element::children)
        .filter(move |element| element.tag == tag && concerns_vulkan(element))
}

fn names(root: &Element, section: &str, tag: &str) -> BTreeSet<String> {
    declared(root, section, tag).filter_map(Element::name).collect()
}

/// Reads `#define VK_HEADER_VERSION 309` and `#define VK_HEADER_VERSION_COMPLETE VK_MAKE_API_VERSION(0, 1, 4, ...)`.
pub(super) fn header_version(root: &Element) -> Option<HeaderVersion> {
    let define = |name: &str| {
        let element = declared(root, "types", "type").find(|element| element.name().as_deref() == Some(name))?;
        let text = element.text();
        let (_, value) = text.split_once("#define")?;
        Some(value.trim().strip_prefix(name)?.trim().to_owned())
    };
    let patch = define("VK_HEADER_VERSION")?.parse().ok()?;
    let complete = define("VK_HEADER_VERSION_COMPLETE")?;
    let (_, arguments) = complete.split_once('(')?;
    let mut numbers = arguments.split(',').map(|number| number.trim().parse::<u32>());
    let _variant = numbers.next()?.ok()?;
    let major = numbers.next()?.ok()?;
    let minor = numbers.next()?.ok()?;
    Some(HeaderVersion { major, minor, patch })
}
