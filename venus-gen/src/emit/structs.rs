//! Decoders and encoders of structures.
//!
//! A structure without `sType` is its members. A chainable one is `sType`, chain and members; the members are a
//! function of their own, the *body*, because a chain's bodies travel behind all of its headers.

use std::collections::{BTreeMap, BTreeSet};

use proc_macro2::{Ident, Literal, TokenStream};
use quote::{format_ident, quote};

use super::codec::{Codec, Form, field_ident, function};
use super::file::FileBuilder;
use super::names::ident;
use super::{chains, unions};
use crate::lower::{Field, Shape, StructPlan};
use crate::model::{Chain, Struct, StructId, Ty};

/// Emits `decode/<family>.rs`, `encode/<family>.rs` and `minima.rs`.
pub(crate) fn emit(codec: &Codec<'_>) -> Vec<FileBuilder> {
    let mut decode: BTreeMap<&str, FileBuilder> = BTreeMap::new();
    let mut encode: BTreeMap<&str, FileBuilder> = BTreeMap::new();
    // A family of structures that only follow others has nothing but bodies.
    let mut public: BTreeSet<&str> = BTreeSet::new();
    for (id, plan) in &codec.plan.structs {
        let structure = codec.model.structure(*id);
        let emitter = Emitter { codec, id: *id, ty: Ty::Struct(*id), structure, plan };
        let file = decode.entry(structure.family).or_insert_with(|| decode_file(structure.family));
        emitter.forms().for_each(|form| emitter.decoders(form, file));
        let file = encode.entry(structure.family).or_insert_with(|| encode_file(structure.family));
        emitter.forms().for_each(|form| emitter.encoders(form, file));
        if emitter.is_public() {
            public.insert(structure.family);
        }
    }
    for (id, plan) in &codec.plan.unions {
        let family = codec.model.union(*id).family;
        let file = decode.entry(family).or_insert_with(|| decode_file(family));
        file.push(unions::decoder(codec, *id, plan));
        let file = encode.entry(family).or_insert_with(|| encode_file(family));
        file.push(unions::encoder(codec, *id, plan));
        public.insert(family);
    }
    let mut files = vec![module("decode", "Decoders of structures, by family.", &decode, &public)];
    files.push(module("encode", "Encoders of structures, by family.", &encode, &public));
    files.push(minima(codec));
    files.extend(decode.into_values());
    files.extend(encode.into_values());
    files
}

fn module(folder: &str, docs: &str, families: &BTreeMap<&str, FileBuilder>, public: &BTreeSet<&str>) -> FileBuilder {
    let mut file = FileBuilder::new(format!("{folder}/mod.rs"), docs);
    let families = families.iter().filter(|(_, content)| !content.is_empty()).map(|(family, _)| *family);
    let names: Vec<_> = families.clone().map(ident).collect();
    file.push(quote!(#(mod #names;)*));
    let imports = families.map(|family| {
        let name = ident(family);
        if public.contains(family) { quote!(pub use #name::*;) } else { quote!(pub(crate) use #name::*;) }
    });
    file.push(imports.collect());
    file
}

/// `minima.rs`: what a decoder asks of the bytes that are left before it makes room for an array.
fn minima(codec: &Codec<'_>) -> FileBuilder {
    let docs = "Fewest bytes that an element of an array takes on the wire, for structures and unions.";
    let mut file = FileBuilder::new("minima.rs", docs);
    for (name, (c_name, bytes)) in codec.minima() {
        let (docs, bytes) = (format!("`{c_name}`"), Literal::usize_unsuffixed(bytes));
        file.push(quote!(#[doc = #docs] pub(crate) const #name: usize = #bytes;));
    }
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

struct Emitter<'c, 'm> {
    codec: &'c Codec<'m>,
    id: StructId,
    ty: Ty,
    structure: &'c Struct,
    plan: &'c StructPlan,
}

impl Emitter<'_, '_> {
    /// The forms that the structure travels in and has functions for.
    fn forms(&self) -> impl Iterator<Item = Form> {
        let partial = self.plan.partial && !self.codec.is_room(&self.ty, Form::Partial);
        [Form::Full].into_iter().chain(partial.then_some(Form::Partial))
    }

    /// Whether users of the crate may decode and encode it: whether it has a function beside its bodies.
    fn is_public(&self) -> bool {
        self.structure.chain.is_none() || self.plan.heads
    }

    /// Whether the members have a function of their own: where a chain needs one.
    fn has_body(&self, form: Form) -> bool {
        self.plan.follows && !(form == Form::Partial && self.plan.is_room)
    }

    fn docs(&self, form: Form, verb: &str) -> String {
        match form {
            Form::Full => format!("{verb} `{}`.", self.structure.name()),
            Form::Partial => format!("{verb} what a request tells of an output `{}`.", self.structure.name()),
        }
    }

    fn body_docs(&self) -> String {
        format!("The members of `{}`, which follow its chain.", self.structure.name())
    }

    /// The table of structures that may follow this one.
    fn chain_table(&self) -> TokenStream {
        if self.codec.model.children(self.structure).is_empty() {
            return quote!(&[]);
        }
        let table = chains::table_name(self.structure);
        quote!(chains::#table)
    }

    fn s_type(&self, chain: &Chain) -> TokenStream {
        self.codec.types.structure_type(self.id, chain)
    }

    fn siblings(&self) -> Vec<&Field> {
        self.plan.fields.iter().collect()
    }

    fn decoders(&self, form: Form, file: &mut FileBuilder) {
        let name = function("decode", self.structure.name(), form);
        let ty = self.codec.types.named(&self.ty, &quote!('a));
        let (generics, decoder) = self.codec.decoder_of(&self.ty);
        let docs = self.docs(form, "Decodes");
        let Some(chain) = &self.structure.chain else {
            let (d, construction) = self.construction(form, Vec::new());
            file.push(quote! {
                #[doc = #docs]
                pub fn #name #generics(#d: &mut #decoder) -> Result<#ty, DecodeError> { #construction }
            });
            return;
        };
        let is_mut = self.codec.types.next_is_mut(self.structure, chain);
        let next = if is_mut { quote!(next) } else { quote!(next.cast_const()) };
        let (d, construction) = self.construction(form, vec![quote!(p_next: #next)]);
        let body = format_ident!("{name}_body");
        if self.plan.heads {
            let (s_type, table, mode) = (self.s_type(chain), self.chain_table(), mode(form));
            let rest = if self.has_body(form) { quote!(#body(d, next)) } else { construction.clone() };
            file.push(quote! {
                #[doc = #docs]
                pub fn #name #generics(d: &mut #decoder) -> Result<#ty, DecodeError> {
                    d.expect_s_type(#s_type)?;
                    let next = d.read_chain(#table, #mode)?;
                    #rest
                }
            });
        }
        if self.has_body(form) {
            let docs = self.body_docs();
            file.push(quote! {
                #[doc = #docs]
                pub(crate) fn #body #generics(#d: &mut #decoder, next: *mut c_void) -> Result<#ty, DecodeError> {
                    #construction
                }
            });
        }
    }

    /// The name of the decoder parameter, and the statements that read the members.
    ///
    /// Members are fields of a struct expression up to the first one that asks for the value of an earlier member;
    /// from there on they are assignments.
    fn construction(&self, form: Form, mut fields: Vec<TokenStream>) -> (Ident, TokenStream) {
        let siblings = self.siblings();
        let mut statements = Vec::new();
        let (mut read, mut assigns) = (0, false);
        for field in &siblings {
            let Some(value) = self.codec.decode_member(field, &siblings, form) else { continue };
            let name = field_ident(field);
            read += 1;
            if field.shape == Shape::Null {
                statements.push(quote!(#value;));
            } else if statements.is_empty() && !self.codec.asks_sibling(field) {
                fields.push(quote!(#name: #value));
            } else {
                statements.push(quote!(v.#name = #value;));
                assigns = true;
            }
        }
        let path = self.codec.types.path(&self.ty);
        let complete = statements.is_empty()
            && read == siblings.len()
            && self.structure.chain.is_none()
            && !self.codec.types.has_lifetime(&self.ty);
        let literal = match (fields.is_empty(), complete) {
            (true, _) => quote!(#path::default()),
            (false, true) => quote!(#path { #(#fields),* }),
            (false, false) => quote!(#path { #(#fields,)* ..Default::default() }),
        };
        let d = ident(if read == 0 { "_d" } else { "d" });
        if statements.is_empty() {
            return (d, quote!(Ok(#literal)));
        }
        let mutable = assigns.then(|| quote!(mut));
        (d, quote!(let #mutable v = #literal; #(#statements)* Ok(v)))
    }

    fn encoders(&self, form: Form, file: &mut FileBuilder) {
        let name = function("encode", self.structure.name(), form);
        let ty = self.codec.types.named(&self.ty, &quote!('_));
        let docs = self.docs(form, "Encodes");
        let siblings = self.siblings();
        let write = |field: &&Field| self.codec.encode_member(field, &siblings, form);
        let writes: Vec<_> = siblings.iter().filter_map(write).collect();
        let (e, v) = if writes.is_empty() { (quote!(_e), quote!(_v)) } else { (quote!(e), quote!(v)) };
        let Some(chain) = &self.structure.chain else {
            file.push(quote! {
                #[doc = #docs]
                pub fn #name(#e: &mut Encoder, #v: &#ty) { #(#writes)* }
            });
            return;
        };
        let body = format_ident!("{name}_body");
        if self.plan.heads {
            let (s_type, table, mode) = (self.s_type(chain), self.chain_table(), mode(form));
            let is_mut = self.codec.types.next_is_mut(self.structure, chain);
            let next = if is_mut { quote!(v.p_next.cast_const()) } else { quote!(v.p_next) };
            let rest = if self.has_body(form) { quote!(#body(e, v);) } else { quote!(#(#writes)*) };
            file.push(quote! {
                #[doc = #docs]
                pub fn #name(e: &mut Encoder, v: &#ty) {
                    e.write(#s_type);
                    e.write_chain(#next, #table, #mode);
                    #rest
                }
            });
        }
        if self.has_body(form) {
            let docs = self.body_docs();
            file.push(quote! {
                #[doc = #docs]
                pub(crate) fn #body(#e: &mut Encoder, #v: &#ty) { #(#writes)* }
            });
        }
    }
}

fn mode(form: Form) -> TokenStream {
    match form {
        Form::Full => quote!(ChainMode::Full),
        Form::Partial => quote!(ChainMode::Partial),
    }
}
