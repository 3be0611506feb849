//! Looking into Rust sources: constants and tables, as their declarations say.

use anyhow::{Context as _, Result, anyhow};
use std::path::Path;
use syn::{Expr, Item, Lit};

/// A source file.
pub(super) fn parse(root: &Path, path: &str) -> Result<syn::File> {
    let text = std::fs::read_to_string(root.join(path)).with_context(|| format!("reading {path}"))?;
    syn::parse_file(&text).with_context(|| format!("parsing {path}"))
}

/// The value of a constant or static, at the top of the file.
pub(super) fn constant<'f>(file: &'f syn::File, name: &str) -> Result<&'f Expr> {
    let found = file.items.iter().find_map(|item| match item {
        Item::Const(item) if item.ident == name => Some(&*item.expr),
        Item::Static(item) if item.ident == name => Some(&*item.expr),
        _ => None,
    });
    found.ok_or_else(|| anyhow!("there is no {name} any more: teach xtask/src/commands where it went"))
}

/// The elements of an array, behind a reference or not.
pub(super) fn elements(expr: &Expr) -> Vec<&Expr> {
    match expr {
        Expr::Reference(reference) => elements(&reference.expr),
        Expr::Array(array) => array.elems.iter().collect(),
        _ => Vec::new(),
    }
}

/// A string, written as such.
pub(super) fn string(expr: &Expr) -> Option<String> {
    match expr {
        Expr::Lit(literal) => match &literal.lit {
            Lit::Str(text) => Some(text.value()),
            _ => None,
        },
        _ => None,
    }
}

/// A number, written as such.
pub(super) fn number(expr: &Expr) -> Option<u32> {
    match expr {
        Expr::Lit(literal) => match &literal.lit {
            Lit::Int(number) => number.base10_parse().ok(),
            _ => None,
        },
        _ => None,
    }
}

/// The last segment of a path.
pub(super) fn last_name(expr: &Expr) -> Option<String> {
    match expr {
        Expr::Path(path) => path.path.segments.last().map(|segment| segment.ident.to_string()),
        _ => None,
    }
}

/// A field of a structure, as it is written down.
pub(super) fn field<'e>(expr: &'e Expr, name: &str) -> Option<&'e Expr> {
    let Expr::Struct(value) = expr else { return None };
    let is_it = |member: &syn::Member| matches!(member, syn::Member::Named(ident) if ident == name);
    value.fields.iter().find(|field| is_it(&field.member)).map(|field| &field.expr)
}

/// What documentation says: its first sentence.
pub(super) fn first_sentence(attributes: &[syn::Attribute]) -> Option<String> {
    let lines = attributes.iter().filter(|attribute| attribute.path().is_ident("doc")).filter_map(|attribute| {
        let syn::Meta::NameValue(pair) = &attribute.meta else { return None };
        string(&pair.value)
    });
    let paragraph: Vec<String> = lines.map(|line| line.trim().to_owned()).take_while(|line| !line.is_empty()).collect();
    let text = paragraph.join(" ");
    let end = text.find(". ").map_or(text.len(), |at| at + 1);
    let sentence = text[..end].trim_end_matches('.').to_owned();
    (!sentence.is_empty()).then_some(sentence)
}
