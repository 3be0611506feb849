//! Decoders and encoders of structures and unions, and the chain tables.

use std::collections::BTreeMap;

use proc_macro2::{Literal, TokenStream};
use quote::{format_ident, quote};

use super::codec::{Codec, Form, field_ident, function};
use super::file::FileBuilder;
use super::names::{self, ident};
use crate::lower::{Field, Shape, StructPlan, UnionPlan};
use crate::model::{Announced, Struct, StructId, Ty, Union};

/// Emits `decode/<family>.rs`, `encode/<family>.rs` and `chains/<family>.rs`.
pub(crate) fn emit(codec: &Codec<'_>) -> Vec<FileBuilder> {
    let mut decode: BTreeMap<&str, FileBuilder> = BTreeMap::new();
    let mut encode: BTreeMap<&str, FileBuilder> = BTreeMap::new();
    for (id, plan) in &codec.plan.structs {
        let structure = codec.model.structure(*id);
        let file = decode.entry(structure.family).or_insert_with(|| decode_file(structure.family));
        emit_decoders(codec, structure, plan, file);
        let file = encode.entry(structure.family).or_insert_with(|| encode_file(structure.family));
        emit_encoders(codec, structure, plan, file);
    }
    for (id, plan) in &codec.plan.unions {
        let union = codec.model.union(*id);
        let file = decode.entry(union.family).or_insert_with(|| decode_file(union.family));
        file.push(decode_union(codec, union, plan));
        let file = encode.entry(union.family).or_insert_with(|| encode_file(union.family));
        file.push(encode_union(codec, union, plan));
    }
    let mut files = vec![module("decode", "Decoders of structures, by family.", decode.keys())];
    files.push(module("encode", "Encoders of structures, by family.", encode.keys()));
    files.extend(decode.into_values());
    files.extend(encode.into_values());
    files.extend(emit_chains(codec));
    files
}

fn module<'f>(folder: &str, docs: &str, families: impl Iterator<Item = &'f &'f str> + Clone) -> FileBuilder {
    let mut file = FileBuilder::new(format!("{folder}/mod.rs"), docs);
    let names: Vec<_> = families.map(|family| ident(family)).collect();
    file.push(quote!(#(mod #names;)*));
    file.push(quote!(#(pub use #names::*;)*));
    file
}

fn decode_file(family: &str) -> FileBuilder {
    let docs = format!("Decoders of the structures of family `{family}`.");
    FileBuilder::new(format!("decode/{family}.rs"), docs).exported_as("crate::generated::decode")
}

fn encode_file(family: &str) -> FileBuilder {
    let docs = format!("Encoders of the structures of family `{family}`.");
    FileBuilder::new(format!("encode/{family}.rs"), docs).exported_as("crate::generated::encode")
}

/// The forms that a structure travels in.
fn forms(plan: &StructPlan) -> Vec<Form> {
    if plan.partial { vec![Form::Full, Form::Partial] } else { vec![Form::Full] }
}

fn docs(structure: &Struct, form: Form, verb: &str) -> String {
    match form {
        Form::Full => format!("{verb} `{}`.", structure.name()),
        Form::Partial => format!("{verb} what a request tells of an output `{}`.", structure.name()),
    }
}

fn mode(form: Form) -> TokenStream {
    match form {
        Form::Full => quote!(ChainMode::Full),
        Form::Partial => quote!(ChainMode::Partial),
    }
}

/// The table of structures that may follow this one.
fn chain_table(codec: &Codec<'_>, structure: &Struct) -> TokenStream {
    if codec.model.children(structure).is_empty() {
        return quote!(&[]);
    }
    let table = ident(&names::type_snake(structure.name()).to_uppercase());
    quote!(chains::#table)
}

fn emit_decoders(codec: &Codec<'_>, structure: &Struct, plan: &StructPlan, file: &mut FileBuilder) {
    let ty = codec.types.named(&type_of(codec, structure), &quote!('a));
    let path = codec.types.path(&type_of(codec, structure));
    let borrows = ty.to_string() != path.to_string();
    let (generics, decoder) = if borrows { (quote!(<'a>), quote!(Decoder<'a>)) } else { (quote!(), quote!(Decoder<'_>)) };
    for form in forms(plan) {
        let name = function("decode", structure.name(), form);
        let docs = docs(structure, form, "Decodes");
        let reads = member_reads(codec, plan, form);
        let Some(chain) = &structure.chain else {
            let start = if reads.is_empty() { quote!() } else { quote!(let mut v = #path::default();) };
            let end = if reads.is_empty() { quote!(Ok(#path::default())) } else { quote!(Ok(v)) };
            let d = if reads.is_empty() { quote!(_d) } else { quote!(d) };
            file.push(quote! {
                #[doc = #docs]
                pub fn #name #generics(#d: &mut #decoder) -> Result<#ty, DecodeError> { #start #(#reads)* #end }
            });
            continue;
        };
        let body = format_ident!("{name}_body");
        let (s_type, table, mode) = (codec.types.structure_type(structure), chain_table(codec, structure), mode(form));
        if plan.heads {
            file.push(quote! {
                #[doc = #docs]
                pub fn #name #generics(d: &mut #decoder) -> Result<#ty, DecodeError> {
                    d.expect_s_type(#s_type)?;
                    let next = d.read_chain(#table, #mode)?;
                    #body(d, next)
                }
            });
        }
        let next = if chain.is_output { quote!(next) } else { quote!(next.cast_const()) };
        let docs = format!("The members of `{}`, which follow its chain.", structure.name());
        let (d, mutable) = if reads.is_empty() { (quote!(_d), quote!()) } else { (quote!(d), quote!(mut)) };
        let start = quote!(let #mutable v = #path { p_next: #next, ..Default::default() };);
        file.push(quote! {
            #[doc = #docs]
            pub fn #body #generics(#d: &mut #decoder, next: *mut c_void) -> Result<#ty, DecodeError> {
                #start
                #(#reads)*
                Ok(v)
            }
        });
    }
}

fn member_reads(codec: &Codec<'_>, plan: &StructPlan, form: Form) -> Vec<TokenStream> {
    let siblings: Vec<&Field> = plan.fields.iter().collect();
    let read = |field: &&Field| {
        let value = codec.decode_member(field, &siblings, form)?;
        let name = field_ident(field);
        Some(if field.shape == Shape::Null { quote!(#value;) } else { quote!(v.#name = #value;) })
    };
    siblings.iter().filter_map(read).collect()
}

fn type_of(codec: &Codec<'_>, structure: &Struct) -> Ty {
    let index = codec.model.structs.iter().position(|other| other.name() == structure.name());
    Ty::Struct(StructId(index.expect("the structure is the model's own")))
}

fn emit_encoders(codec: &Codec<'_>, structure: &Struct, plan: &StructPlan, file: &mut FileBuilder) {
    let ty = codec.types.named(&type_of(codec, structure), &quote!('_));
    let siblings: Vec<&Field> = plan.fields.iter().collect();
    for form in forms(plan) {
        let name = function("encode", structure.name(), form);
        let docs = docs(structure, form, "Encodes");
        let writes: Vec<_> = siblings.iter().filter_map(|field| codec.encode_member(field, &siblings, form)).collect();
        let (e, v) = if writes.is_empty() { (quote!(_e), quote!(_v)) } else { (quote!(e), quote!(v)) };
        if structure.chain.is_none() {
            file.push(quote! {
                #[doc = #docs]
                pub fn #name(#e: &mut Encoder, #v: &#ty) { #(#writes)* }
            });
            continue;
        }
        let body = format_ident!("{name}_body");
        let (s_type, table, mode) = (codec.types.structure_type(structure), chain_table(codec, structure), mode(form));
        let next = if structure.chain.as_ref().is_some_and(|chain| chain.is_output) {
            quote!(v.p_next.cast_const())
        } else {
            quote!(v.p_next)
        };
        if plan.heads {
            file.push(quote! {
                #[doc = #docs]
                pub fn #name(e: &mut Encoder, v: &#ty) {
                    e.write(#s_type);
                    e.write_chain(#next, #table, #mode);
                    #body(e, v);
                }
            });
        }
        let docs = format!("The members of `{}`, which follow its chain.", structure.name());
        file.push(quote! {
            #[doc = #docs]
            pub fn #body(#e: &mut Encoder, #v: &#ty) { #(#writes)* }
        });
    }
}

fn decode_union(codec: &Codec<'_>, union: &Union, plan: &UnionPlan) -> TokenStream {
    let id = codec.model.unions.iter().position(|other| other.name() == union.name()).expect("the union is the model's own");
    let ty = Ty::Union(crate::model::UnionId(id));
    let (named, path) = (codec.types.named(&ty, &quote!('a)), codec.types.path(&ty));
    let borrows = named.to_string() != path.to_string();
    let (generics, decoder) = if borrows { (quote!(<'a>), quote!(Decoder<'a>)) } else { (quote!(), quote!(Decoder<'_>)) };
    let name = function("decode", union.name(), Form::Full);
    let docs = format!("Decodes `{}`: the tag, then the member it names.", union.name());
    let arms = plan.members.iter().map(|(tag, field)| {
        let tag = Literal::u32_unsuffixed(u32::try_from(*tag).unwrap_or(u32::MAX));
        let member = field_ident(field);
        let value = codec.decode_member(field, &[], Form::Full).unwrap_or_default();
        if field.shape == Shape::Null {
            quote!(#tag => { #value; Ok(#path::default()) })
        } else {
            quote!(#tag => Ok(#path { #member: #value }))
        }
    });
    quote! {
        #[doc = #docs]
        pub fn #name #generics(d: &mut #decoder) -> Result<#named, DecodeError> {
            match d.read_tag()? {
                #(#arms,)*
                tag => Err(d.wrong_tag(tag)),
            }
        }
    }
}

fn encode_union(codec: &Codec<'_>, union: &Union, plan: &UnionPlan) -> TokenStream {
    let id = codec.model.unions.iter().position(|other| other.name() == union.name()).expect("the union is the model's own");
    let ty = codec.types.named(&Ty::Union(crate::model::UnionId(id)), &quote!('_));
    let name = function("encode", union.name(), Form::Full);
    let write = |field: &Field| {
        let declared = codec.types.declared(&field.var, &quote!('_));
        let write = match &field.var.ty {
            Ty::Struct(_) | Ty::Union(_) => {
                let encode = codec.item_encoder(&field.var.ty, Form::Full);
                quote!(#encode(e, member);)
            }
            _ if field.var.dimensions.is_empty() => quote!(e.write(*member);),
            _ => quote!(e.write_scalars(member);),
        };
        quote!(let member: &#declared = e.union_member(v); #write)
    };
    if let Some((tag, field)) = plan.sent.and_then(|index| plan.members.get(index)) {
        let write = write(field);
        let tag = Literal::u32_suffixed(u32::try_from(*tag).unwrap_or(u32::MAX));
        let docs = format!("Encodes `{}`, always as its member `{}`.", union.name(), field.var.name);
        return quote! {
            #[doc = #docs]
            pub fn #name(e: &mut Encoder, v: &#ty) { e.write(#tag); #write }
        };
    }
    let selector = selector_type(codec, union);
    let arms = plan.members.iter().map(|(tag, field)| {
        let tag = Literal::i32_unsuffixed(*tag);
        let write = write(field);
        quote!(#tag => { #write })
    });
    let docs = format!("Encodes `{}` as the member that `selector` names.", union.name());
    quote! {
        #[doc = #docs]
        pub fn #name(e: &mut Encoder, v: &#ty, selector: #selector) {
            e.write(selector);
            match selector.as_raw() {
                #(#arms)*
                // Without a member to send the receiver finds the stream malformed, as the selector is.
                _ => {}
            }
        }
    }
}

/// The type of the member that selects a union's member, found where the union is used.
fn selector_type(codec: &Codec<'_>, union: &Union) -> TokenStream {
    for plan in codec.plan.structs.values() {
        for field in &plan.fields {
            let Ty::Union(id) = field.var.ty else { continue };
            if codec.model.union(id).name() != union.name() {
                continue;
            }
            let selector = field.var.selector.as_deref();
            if let Some(found) = plan.fields.iter().find(|other| Some(other.var.name.as_str()) == selector) {
                return codec.types.path(&found.var.ty);
            }
        }
    }
    quote!(i32)
}

fn emit_chains(codec: &Codec<'_>) -> Vec<FileBuilder> {
    let mut tables = FileBuilder::new(
        "chains.rs",
        "Which structures may follow which in a `pNext` chain: one table per root, sorted by `sType`.",
    );
    let mut nodes = FileBuilder::new("nodes.rs", "The structures that may appear in `pNext` chains, one row each.")
        .exported_as("crate::generated::nodes");
    nodes.push(quote!(use crate::generated::{decode, encode};));
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
        let table = ident(&names::type_snake(structure.name()).to_uppercase());
        let docs = format!("What may follow `{}`.", structure.name());
        tables.push(quote! {
            #[doc = #docs]
            pub static #table: ChainTable = &[#(#rows),*];
        });
    }
    children.sort();
    children.dedup();
    for child in children {
        nodes.push(emit_node(codec, child));
    }
    vec![tables, nodes]
}

fn node_name(structure: &Struct) -> proc_macro2::Ident {
    format_ident!("NODE_{}", names::type_snake(structure.name()).to_uppercase())
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
    let announced = match structure.chain.as_ref().map(|chain| &chain.announced) {
        Some(Announced::Version(major, minor)) => {
            let (major, minor) = (Literal::u32_unsuffixed(*major), Literal::u32_unsuffixed(*minor));
            quote!(Announced::Version(vk::make_api_version(0, #major, #minor, 0)))
        }
        Some(Announced::Extensions(sets)) => {
            let sets = sets.iter().map(|set| {
                let numbers = set.iter().map(|number| Literal::u32_unsuffixed(*number));
                quote!(&[#(#numbers),*])
            });
            quote!(Announced::Extensions(&[#(#sets),*]))
        }
        Some(Announced::Always) | None => quote!(Announced::Always),
    };
    quote! {
        pub(crate) static #name: Node = node!(
            #c_name, #ty, #announced,
            decode::#full_decode, decode::#partial_decode, encode::#full_encode, encode::#partial_encode
        );
    }
}
