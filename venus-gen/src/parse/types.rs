//! `<types>`: everything that has a C type name.

use super::decl::{self, Declaration};
use super::dom::split_list;
use crate::diag::{Diagnostics, XmlPos};
use crate::xml::Element;

/// The registry's `category` attribute.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Category {
    /// C's own types and those of platform headers: no category.
    External,
    Basetype,
    Bitmask,
    Define,
    Enum,
    Funcpointer,
    Group,
    Handle,
    Include,
    Struct,
    Union,
}

/// A `<type>`.
#[derive(Clone, Debug)]
pub(crate) struct RawType {
    pub(crate) name: String,
    pub(crate) category: Category,
    pub(crate) alias: Option<String>,
    /// For base types and bitmasks, the type they are defined as; for handles, the defining macro.
    pub(crate) underlying: String,
    /// The enum that names a bitmask's bits.
    pub(crate) bits: Option<String>,
    /// The value of VkObjectType for a handle's objects.
    pub(crate) object_type: Option<String>,
    pub(crate) structextends: Vec<String>,
    pub(crate) members: Vec<RawVar>,
    pub(crate) at: XmlPos,
}

/// A `<member>` or `<param>`.
#[derive(Clone, Debug)]
pub(crate) struct RawVar {
    pub(crate) decl: Declaration,
    /// Value of `values`, which marks an `sType`.
    pub(crate) s_type: Option<String>,
    /// One length expression per pointer level, outermost first: `altlen` where present, else `len`.
    pub(crate) lengths: Vec<String>,
    /// First value of `optional`.
    pub(crate) optional: bool,
    /// Whether what its pointers lead to may be null itself: by the value of `optional` behind them all, or because it has
    /// rules of its own.
    pub(crate) optional_item: bool,
    pub(crate) no_auto_validity: bool,
    pub(crate) selector: Option<String>,
    pub(crate) selection: Vec<String>,
    pub(crate) stride: Option<String>,
    pub(crate) at: XmlPos,
}

pub(super) fn parse_types(section: &Element, diags: &mut Diagnostics) -> Vec<RawType> {
    section.elements_named("type").map(|element| parse_type(element, diags)).collect()
}

fn parse_type(element: &Element, diags: &mut Diagnostics) -> RawType {
    let category = match element.attribute("category") {
        None => Category::External,
        Some("basetype") => Category::Basetype,
        Some("bitmask") => Category::Bitmask,
        Some("define") => Category::Define,
        Some("enum") => Category::Enum,
        Some("funcpointer") => Category::Funcpointer,
        Some("group") => Category::Group,
        Some("handle") => Category::Handle,
        Some("include") => Category::Include,
        Some("struct") => Category::Struct,
        Some("union") => Category::Union,
        Some(other) => {
            let message = format!("unknown category {other:?}");
            diags.push(&element.at, element.label(), message, "teach venus-gen's parse/types.rs what it means");
            Category::External
        }
    };
    let name = element
        .attribute("name")
        .map(str::to_owned)
        .or_else(|| element.element("name").map(Element::text))
        .or_else(|| element.element("proto").and_then(|proto| proto.element("name")).map(Element::text))
        .unwrap_or_default();
    if name.is_empty() && category != Category::Define {
        diags.push(&element.at, element.label(), "type without a name", "add a name attribute or a <name>");
    }
    // The names of headers and of C's own types are not ours to spell.
    if !matches!(category, Category::External | Category::Include | Category::Define) {
        element.check_identifier(&name, &element.label(), diags);
    }
    RawType {
        category,
        alias: element.attribute("alias").map(str::to_owned),
        underlying: element.element("type").map(Element::text).unwrap_or_default(),
        bits: element.attribute("requires").or(element.attribute("bitvalues")).map(str::to_owned),
        object_type: element.attribute("objtypeenum").map(str::to_owned),
        structextends: element.list("structextends"),
        members: element.elements_named("member").map(|member| parse_var(member, &element.label(), diags)).collect(),
        at: element.at.clone(),
        name,
    }
}

pub(super) fn parse_var(element: &Element, owner: &str, diags: &mut Diagnostics) -> RawVar {
    let lengths = element.attribute("altlen").or(element.attribute("len")).map(split_list).unwrap_or_default();
    let decl = decl::parse(element, owner, diags);
    let optional = element.list("optional");
    let is_optional = |level: usize| optional.get(level).is_some_and(|value| value == "true");
    let no_auto_validity = element.attribute("noautovalidity") == Some("true");
    RawVar {
        s_type: element.list("values").into_iter().next(),
        lengths,
        optional: is_optional(0),
        optional_item: no_auto_validity || is_optional(decl.pointee_const.len()),
        decl,
        no_auto_validity,
        selector: element.attribute("selector").map(str::to_owned),
        selection: element.list("selection"),
        stride: element.attribute("stride").map(str::to_owned),
        at: element.at.clone(),
    }
}

/// The version of the headers, from the two defines that hold it; empty if they are missing.
pub(super) fn header_version(root: &Element) -> String {
    let define = |name: &str| {
        root.elements_named("types")
            .flat_map(|types| types.elements_named("type"))
            .find(|element| element.element("name").is_some_and(|child| child.text() == name))
            .map(Element::text)
    };
    let patch = define("VK_HEADER_VERSION").and_then(|text| text.split_whitespace().last().map(str::to_owned));
    let complete = define("VK_HEADER_VERSION_COMPLETE");
    let numbers = complete.as_deref().and_then(|text| text.split_once('(')).map(|(_, rest)| split_list(rest));
    match (numbers.as_deref(), patch) {
        // VK_MAKE_API_VERSION(variant, major, minor, VK_HEADER_VERSION)
        (Some([_, major, minor, ..]), Some(patch)) => format!("{major}.{minor}.{patch}"),
        _ => String::new(),
    }
}
