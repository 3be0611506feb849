//! Chain tables: which structures may follow which, and the row of each.

use std::collections::{BTreeMap, BTreeSet};

use proc_macro2::{Ident, Literal, TokenStream};
use quote::{format_ident, quote};

use super::codec::{Codec, Form, function};
use super::file::FileBuilder;
use super::names::{self, ident};
use crate::model::{Announced, Struct, StructId, Ty};

/// A root that knows all that another one knows names the other's table if it is at least this long.
const LONG_TABLE: usize = 16;

/// Emits `chains.rs` and `nodes.rs`.
pub(super) fn emit(codec: &Codec<'_>) -> Vec<FileBuilder> {
    let mut roots: BTreeMap<StructId, Vec<StructId>> = BTreeMap::new();
    for id in codec.plan.structs.keys() {
        let mut children = codec.model.children(codec.model.structure(*id));
        children.sort_by_key(|child| codec.model.structure(*child).s_type());
        if !children.is_empty() {
            roots.insert(*id, children);
        }
    }
    let mut tables = FileBuilder::new(
        "chains.rs",
        "Which structures may follow which in a `pNext` chain: one table per root.\n\n\
         A row has the root, what may follow it in the order of `sType`, and behind a bar the root of which \
         everything else is taken over.",
    )
    .using_all_of("crate::generated::nodes");
    let rows = roots.keys().map(|root| table(codec, &roots, *root));
    tables.push_table("chain_tables", rows);
    let mut nodes = FileBuilder::new("nodes.rs", "The structures that may appear in `pNext` chains, one row each.")
        .using_all_of("crate::generated::decode")
        .using_all_of("crate::generated::encode");
    let children: BTreeSet<StructId> = roots.values().flatten().copied().collect();
    let rows = children.into_iter().map(|child| node(codec, child));
    nodes.push_table("nodes", rows);
    vec![tables, nodes]
}

/// The name of the table of what may follow a structure.
pub(super) fn table_name(structure: &Struct) -> Ident {
    ident(&names::type_constant(structure.name()))
}

fn table(codec: &Codec<'_>, roots: &BTreeMap<StructId, Vec<StructId>>, root: StructId) -> TokenStream {
    let children = &roots[&root];
    let is_part = |other: &[StructId]| other.iter().all(|child| children.contains(child));
    let parts = roots.iter().filter(|(_, other)| (LONG_TABLE..children.len()).contains(&other.len()) && is_part(other));
    let base = parts.max_by_key(|(_, other)| other.len());
    let taken = base.map_or(&[][..], |(_, other)| other.as_slice());
    let own = children.iter().filter(|child| !taken.contains(child));
    let own = own.map(|child| node_name(codec.model.structure(*child)));
    let base = base.map(|(base, _)| {
        let base = table_name(codec.model.structure(*base));
        quote!(| #base)
    });
    let name = table_name(codec.model.structure(root));
    quote!(#name = #(#own),* #base)
}

fn node_name(structure: &Struct) -> Ident {
    format_ident!("NODE_{}", names::type_constant(structure.name()))
}

fn node(codec: &Codec<'_>, id: StructId) -> TokenStream {
    let structure = codec.model.structure(id);
    let c_name = structure.name();
    let (name, ty) = (node_name(structure), codec.types.path(&Ty::Struct(id)));
    let body = |verb, form| format_ident!("{}_body", function(verb, c_name, form));
    let (decode, encode) = (body("decode", Form::Full), body("encode", Form::Full));
    let plan = codec.plan.structs.get(&id);
    let partial = match plan.is_some_and(|plan| plan.partial) {
        false => quote!(),
        true if plan.is_some_and(|plan| plan.is_room) => quote!(, room),
        true => {
            let (decode, encode) = (body("decode", Form::Partial), body("encode", Form::Partial));
            quote!(, #decode, #encode)
        }
    };
    let announced = announced(structure.chain.as_ref().map_or(&Announced::Always, |chain| &chain.announced));
    let since = codec.is_later(structure.since).then(|| {
        let level = names::level(structure.since);
        quote!(since #level)
    });
    quote!(#name #since = #c_name, #ty, #announced, #decode, #encode #partial)
}

/// What a host must have announced, as the runtime's type of that name.
fn announced(announced: &Announced) -> TokenStream {
    match announced {
        Announced::Always => quote!(Announced::Always),
        Announced::Version(major, minor) => {
            let (major, minor) = (Literal::u32_unsuffixed(*major), Literal::u32_unsuffixed(*minor));
            quote!(Announced::Version(vk::make_api_version(0, #major, #minor, 0)))
        }
        Announced::Extensions(sets) => {
            let sets = sets.iter().map(|set| {
                let numbers = set.iter().map(|number| Literal::u32_unsuffixed(*number));
                quote!(&[#(#numbers),*])
            });
            quote!(Announced::Extensions(&[#(#sets),*]))
        }
    }
}
