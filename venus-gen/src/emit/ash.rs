//! What ash declares, read from its own source, so that the generated code can rely on it.
//!
//! ash names a type after one of its Vulkan names, not always the canonical one; and it lags behind the registry.
//! [`AshIndex::find`] gives the name to use, [`check`] compares every structure that travels field by field, but for the
//! constness of `p_next`. What ash lacks is declared by [`supplements`](super::supplements).

use std::collections::{BTreeMap, BTreeSet};

use quote::ToTokens as _;

use super::names;
use crate::diag::{Diagnostics, XmlPos};
use crate::lower::WirePlan;
use crate::model::{Length, Model, Ty, Var};

/// Declarations of `ash::vk`, by their Rust names.
#[derive(Debug, Default)]
pub(crate) struct AshIndex {
    structs: BTreeMap<String, AshStruct>,
    /// Enums, bitmasks and handles.
    newtypes: BTreeSet<String>,
    aliases: BTreeMap<String, String>,
    /// Expressions of the constants that dimensions name.
    constants: BTreeMap<String, String>,
    /// Values that enums and bitmasks name, by type.
    values: BTreeMap<String, BTreeSet<String>>,
    function_pointers: BTreeSet<String>,
}

/// A structure or union.
#[derive(Debug)]
struct AshStruct {
    has_lifetime: bool,
    /// Names and types, without the lifetime marker.
    fields: Vec<(String, String)>,
}

impl AshIndex {
    /// Indexes ash's `src/vk/*.rs`, given as (name, text).
    pub(crate) fn new(sources: &[(String, String)], diags: &mut Diagnostics) -> Self {
        let mut index = Self::default();
        for (name, text) in sources {
            match syn::parse_file(text) {
                Ok(file) => file.items.iter().for_each(|item| index.add(item)),
                Err(error) => {
                    let at = XmlPos { file: name.clone(), line: 0 };
                    diags.push(&at, "ash", format!("cannot parse: {error}"), "give ash's unchanged sources");
                }
            }
        }
        index
    }

    fn add(&mut self, item: &syn::Item) {
        match item {
            syn::Item::Struct(item) => self.add_struct(&item.ident.to_string(), &item.generics, &item.fields),
            syn::Item::Union(item) => {
                self.add_struct(&item.ident.to_string(), &item.generics, &syn::Fields::Named(item.fields.clone()));
            }
            syn::Item::Type(item) => self.add_alias(item),
            syn::Item::Const(item) => {
                self.constants.insert(item.ident.to_string(), item.expr.to_token_stream().to_string());
            }
            syn::Item::Macro(item) => {
                let first = item.mac.tokens.clone().into_iter().next();
                if let Some(proc_macro2::TokenTree::Ident(ident)) = first {
                    self.newtypes.insert(ident.to_string());
                }
            }
            syn::Item::Impl(item) if item.trait_.is_none() => {
                let constants = item.items.iter().filter_map(|item| match item {
                    syn::ImplItem::Const(item) => Some(item.ident.to_string()),
                    _ => None,
                });
                let constants: Vec<String> = constants.collect();
                if !constants.is_empty() {
                    self.values.entry(type_text(&item.self_ty)).or_default().extend(constants);
                }
            }
            _ => {}
        }
    }

    fn add_struct(&mut self, name: &str, generics: &syn::Generics, fields: &syn::Fields) {
        let syn::Fields::Named(fields) = fields else {
            self.newtypes.insert(name.to_owned());
            return;
        };
        let named = fields.named.iter().filter_map(|field| {
            let name = field.ident.as_ref()?.to_string();
            (name != "_marker").then(|| (name, type_text(&field.ty)))
        });
        let has_lifetime = generics.lifetimes().next().is_some();
        self.structs.insert(name.to_owned(), AshStruct { has_lifetime, fields: named.collect() });
    }

    fn add_alias(&mut self, item: &syn::ItemType) {
        let name = item.ident.to_string();
        if name.starts_with("PFN_") {
            self.function_pointers.insert(name);
            return;
        }
        let target = type_text(&item.ty);
        self.aliases.insert(name, target.split('<').next().unwrap_or_default().to_owned());
    }

    /// The name under which ash has the type, itself or as an alias of it; `None` if it has none of the names.
    pub(crate) fn find(&self, c_names: &[String]) -> Option<String> {
        let candidates = c_names.iter().map(|name| names::type_name(name));
        let known = candidates.map(|name| self.aliases.get(&name).cloned().unwrap_or(name));
        known.into_iter().find(|name| self.structs.contains_key(name) || self.newtypes.contains(name))
    }

    /// Whether ash has a constant for a value of an enum or bitmask.
    pub(crate) fn has_value(&self, rust_type: &str, constant: &str) -> bool {
        self.values.get(rust_type).is_some_and(|values| values.contains(constant))
    }

    /// The function pointer type ash has for a command, under any of its names.
    pub(crate) fn function_pointer(&self, c_names: &[&str]) -> Option<String> {
        c_names.iter().map(|name| format!("PFN_{name}")).find(|name| self.function_pointers.contains(name))
    }

    /// Whether the structure's `p_next` is a pointer to mutable data; `None` if ash lacks the structure.
    pub(crate) fn next_is_mut(&self, c_names: &[String]) -> Option<bool> {
        let structure = self.structs.get(&self.find(c_names)?)?;
        let (_, ty) = structure.fields.iter().find(|(name, _)| name == "p_next")?;
        Some(ty.starts_with("*mut"))
    }

    /// Whether ash's type has a lifetime parameter.
    pub(crate) fn has_lifetime(&self, rust_name: &str) -> Option<bool> {
        self.structs.get(rust_name).map(|structure| structure.has_lifetime)
    }
}

/// A type as text without spaces and paths: `*const BufferCopy2<'a>`, `[MemoryType;MAX_MEMORY_TYPES]`.
fn type_text(ty: &syn::Type) -> String {
    let text = ty.to_token_stream().to_string();
    let text = text.replace(' ', "").replace("*const", "*const ").replace("*mut", "*mut ").replace("usize]", "]");
    text.replace("crate::vk::", "").replace("core::ffi::", "")
}

/// The type of `p_next`, as far as it is compared.
const NEXT: &str = "*const c_void";

/// Compares every structure that travels with ash's declaration: names, types and order of the fields.
pub(crate) fn check(model: &Model, plan: &WirePlan, index: &AshIndex, diags: &mut Diagnostics) {
    for id in plan.structs.keys() {
        let structure = model.structure(*id);
        let Some(found) = index.find(&structure.names).and_then(|name| index.structs.get(&name)) else {
            continue;
        };
        let mut expected: Vec<(String, String)> = Vec::new();
        if structure.chain.is_some() {
            expected.push(("s_type".to_owned(), "StructureType".to_owned()));
            expected.push(("p_next".to_owned(), NEXT.to_owned()));
        }
        expected.extend(
            structure.members.iter().map(|member| (names::variable(&member.name), field_type(model, index, member))),
        );
        let found = found.fields.iter().map(|(name, ty)| match name.as_str() {
            // Registries have changed their minds about its constness, which no byte depends on.
            "p_next" => (name.clone(), NEXT.to_owned()),
            _ => (name.clone(), index.canonical(ty)),
        });
        let found: Vec<(String, String)> = found.collect();
        if found != expected {
            let differs = found.iter().zip(&expected).find(|(left, right)| left != right);
            let message = match differs {
                Some(((name, ty), (want, want_ty))) => {
                    format!("ash declares `{name}: {ty}` where the registry has `{want}: {want_ty}`")
                }
                None => format!("ash declares {} fields, the registry {}", found.len(), expected.len()),
            };
            let help = "supplement the structure, or take an ash release that matches the registry";
            diags.push(&structure.at, format!("type {}", structure.name()), message, help);
        }
    }
}

impl AshIndex {
    /// The value of a dimension: a literal, a constant, or a product of them.
    fn dimension(&self, text: &str) -> Option<u64> {
        let factor = |text: &str| match text.trim().trim_end_matches("usize").replace('_', "").parse() {
            Ok(literal) => Some(literal),
            Err(_) => self.constants.get(text.trim()).and_then(|text| self.dimension(text)),
        };
        text.split('*').map(factor).product()
    }

    /// Replaces alias names in a type's text by their targets, and a dimension by its value.
    fn canonical(&self, ty: &str) -> String {
        if let Some((head, size)) = ty.strip_suffix(']').and_then(|inner| inner.rsplit_once(';')) {
            let size = self.dimension(size).map_or(size.to_owned(), |size| size.to_string());
            return format!("{};{size}]", self.canonical_names(head));
        }
        self.canonical_names(ty)
    }

    fn canonical_names(&self, ty: &str) -> String {
        let is_name = |char: char| char.is_ascii_alphanumeric() || char == '_';
        let mut out = String::new();
        let mut rest = ty;
        while let Some(start) = rest.find(is_name) {
            let (before, tail) = rest.split_at(start);
            let end = tail.find(|char| !is_name(char)).unwrap_or(tail.len());
            let (word, after) = tail.split_at(end);
            out.push_str(before);
            out.push_str(self.aliases.get(word).map_or(word, String::as_str));
            rest = after;
        }
        out + rest
    }
}

/// A member's type as ash would write it.
fn field_type(model: &Model, index: &AshIndex, var: &Var) -> String {
    let mut ty = index.canonical(&base_text(model, index, var));
    // A pointer to a constant number of elements is a pointer to an array in ash.
    if let [Length::Literal(n @ 2..)] = var.lengths.as_slice() {
        ty = format!("[{ty};{n}]");
    }
    for is_const in &var.pointee_const {
        ty = format!("{}{ty}", if *is_const { "*const " } else { "*mut " });
    }
    for dimension in var.dimensions.iter().rev() {
        ty = format!("[{ty};{}]", dimension.size);
    }
    ty
}

fn base_text(model: &Model, index: &AshIndex, var: &Var) -> String {
    let names = match &var.ty {
        Ty::Void => return "c_void".to_owned(),
        Ty::Char => return "c_char".to_owned(),
        Ty::Scalar(_) | Ty::Opaque => return names::scalar(&var.base),
        Ty::Enum(id) => &model.enums[id.0].names,
        Ty::Bitmask(id) => &model.bitmasks[id.0].names,
        Ty::Handle(id) => &model.handles[id.0].names,
        Ty::Struct(id) => &model.structure(*id).names,
        Ty::Union(id) => &model.union(*id).names,
    };
    let name = index.find(names).unwrap_or_else(|| names::type_name(&names[0]));
    let lifetime = if index.has_lifetime(&name) == Some(true) { "<'a>" } else { "" };
    format!("{name}{lifetime}")
}
