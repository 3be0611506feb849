//! Chain tables: which structures may follow which, and the row of each.

use proc_macro2::{Ident, Literal, TokenStream};
use quote::{format_ident, quote};

use super::codec::{Codec, Form, function};
use super::file::FileBuilder;
use super::names::ident;
use super::structs::shouty;
use crate::model::{Announced, Struct, StructId, Ty};

/// Emits `chains.rs` and `nodes.rs`.
pub(super) fn emit(codec: &Codec<'_>) -> Vec<FileBuilder> {
    let mut tables = FileBuilder::new(
        "chains.rs",
        "Which structures may follow which in a `pNext` chain: one table per root, sorted by `sType`.",
    )
    .using_all_of("crate::generated::nodes");
    let mut nodes = FileBuilder::new("nodes.rs", "The structures that may appear in `pNext` chains, one row each.")
        .exported_as("crate::generated::nodes");
    let mut children: Vec<StructId> = Vec::new();
    for structure in codec.plan.structs.keys().map(|id| codec.model.structure(*id)) {
        let mut list = codec.model.children(structure);
        children.extend(&list);
        if list.is_empty() {
            continue;
        }
        list.sort_by_key(|child| codec.model.structure(*child).s_type());
        let rows = list.iter().map(|child| {
            let child = codec.model.structure(*child);
            let s_type = Literal::i32_unsuffixed(child.s_type().unwrap_or_default());
            let node = node_name(child);
            quote!((#s_type, &#node))
        });
        let table = table_name(structure);
        let docs = format!("What may follow `{}`.", structure.name());
        tables.push(quote! {
            #[doc = #docs]
            pub(crate) static #table: ChainTable = &[#(#rows),*];
        });
    }
    children.sort();
    children.dedup();
    for child in children {
        nodes.push(emit_node(codec, child));
    }
    vec![tables, nodes]
}

/// The name of the table of what may follow a structure.
pub(super) fn table_name(structure: &Struct) -> Ident {
    ident(&shouty(structure))
}

fn node_name(structure: &Struct) -> Ident {
    format_ident!("NODE_{}", shouty(structure))
}

fn emit_node(codec: &Codec<'_>, id: StructId) -> TokenStream {
    let structure = codec.model.structure(id);
    let c_name = structure.name();
    let (name, ty) = (node_name(structure), codec.types.path(&Ty::Struct(id)));
    let full_decode = format_ident!("{}_body", function("decode", c_name, Form::Full));
    let full_encode = format_ident!("{}_body", function("encode", c_name, Form::Full));
    // A structure that no output chain reaches is never decoded in partial form.
    let partial = codec.plan.structs.get(&id).is_some_and(|plan| plan.partial);
    let form = if partial { Form::Partial } else { Form::Full };
    let partial_decode = format_ident!("{}_body", function("decode", c_name, form));
    let partial_encode = format_ident!("{}_body", function("encode", c_name, form));
    let announced = announced(structure.chain.as_ref().map_or(&Announced::Always, |chain| &chain.announced));
    quote! {
        pub(crate) static #name: Node = node!(
            #c_name, #ty, #announced,
            decode::#full_decode, decode::#partial_decode, encode::#full_encode, encode::#partial_encode
        );
    }
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
