//! C declarations as the registry writes them: text with `<type>` and `<name>` inside.

use crate::diag::{Diagnostics, XmlPos};
use crate::xml::{Content, Element};

/// `const char* const* ppNames`, `uint8_t uuid[VK_UUID_SIZE]` and the like.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Declaration {
    pub(crate) name: String,
    /// The type without pointers, for example `char`.
    pub(crate) base: String,
    /// One entry per `*`, innermost first: whether what it points to is const.
    pub(crate) pointee_const: Vec<bool>,
    /// Whether the base type is const, pointers or not.
    pub(crate) base_const: bool,
    /// Dimensions of an array, outermost first.
    pub(crate) dimensions: Vec<Dimension>,
    /// Width of a bitfield.
    pub(crate) bitfield: Option<u32>,
}

/// The size of an array.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Dimension {
    Literal(u32),
    /// An API constant, for example `VK_UUID_SIZE`.
    Constant(String),
}

/// What to do about C that the registry never used before.
const UNKNOWN: &str = "teach venus-gen's parse/decl.rs what it means";

/// Parses a `<member>`, `<param>` or `<proto>`.
pub(crate) fn parse(element: &Element, owner: &str, diags: &mut Diagnostics) -> Declaration {
    let path = format!("{owner}/{}", element.label());
    let mut declaration = Declaration::default();
    let (mut before, mut between, mut after) = (String::new(), String::new(), String::new());
    for child in &element.content {
        match child {
            Content::Element(child) if child.tag == "type" => declaration.base = child.text(),
            Content::Element(child) if child.tag == "name" => declaration.name = child.text(),
            Content::Element(child) if child.tag == "enum" => after.push_str(&child.text()),
            Content::Element(child) if child.tag == "comment" => {}
            Content::Element(child) => {
                let message = format!("unknown element <{}> in a declaration", child.tag);
                diags.push(&child.at, &path, message, UNKNOWN);
            }
            Content::Text { text, .. } if declaration.base.is_empty() => before.push_str(text),
            Content::Text { text, .. } if declaration.name.is_empty() => between.push_str(text),
            Content::Text { text, .. } => after.push_str(text),
        }
    }
    if declaration.name.is_empty() || declaration.base.is_empty() {
        diags.push(&element.at, &path, "declaration without <type> or <name>", "repair the declaration");
    }
    element.check_identifier(&declaration.name, &path, diags);
    declaration.base_const = before.split_whitespace().any(|word| word == "const");
    let mut is_const = declaration.base_const;
    for token in between.replace('*', " * ").split_whitespace() {
        match token {
            "*" => {
                declaration.pointee_const.push(is_const);
                is_const = false;
            }
            "const" => is_const = true,
            other => {
                let message = format!("cannot read {other:?} in a declaration");
                diags.push(&element.at, &path, message, UNKNOWN);
            }
        }
    }
    parse_suffix(after.trim(), &element.at, &path, &mut declaration, diags);
    declaration
}

/// Parses what follows the name: `[4]`, `[VK_UUID_SIZE]`, `[3][4]`, `:24`.
fn parse_suffix(suffix: &str, at: &XmlPos, path: &str, declaration: &mut Declaration, diags: &mut Diagnostics) {
    if let Some(width) = suffix.strip_prefix(':') {
        declaration.bitfield = width.trim().parse().ok();
        return;
    }
    let mut rest = suffix;
    while let Some((size, tail)) = rest.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        declaration.dimensions.push(match size.trim().parse() {
            Ok(literal) => Dimension::Literal(literal),
            Err(_) => Dimension::Constant(size.trim().to_owned()),
        });
        rest = tail.trim();
    }
    if !rest.is_empty() {
        let message = format!("cannot read {rest:?} after a name");
        diags.push(at, path, message, UNKNOWN);
    }
}
