//! Decoders and encoders of unions: a tag, then the member that it names.

use proc_macro2::{Literal, TokenStream};
use quote::quote;

use super::codec::{Codec, Form, field_ident, function};
use crate::lower::{Field, Shape, UnionPlan};
use crate::model::{Ty, UnionId};

pub(super) fn decoder(codec: &Codec<'_>, id: UnionId, plan: &UnionPlan) -> TokenStream {
    let (union, ty) = (codec.model.union(id), Ty::Union(id));
    let (named, path) = (codec.types.named(&ty, &quote!('a)), codec.types.path(&ty));
    let (generics, decoder) = codec.decoder_of(&ty);
    let name = function("decode", union.name(), Form::Full);
    // A smaller member leaves bytes that an encoder or a driver, choosing by the selector, may read all the same.
    let docs =
        format!("Decodes `{}`: the tag, then the member it names. Bytes beside that member are 0.", union.name());
    let arms = plan.members.iter().map(|(tags, field)| {
        let (tags, member) = (pattern(tags), field_ident(field));
        let value = codec.decode_member(field, &[], Form::Full).unwrap_or_default();
        if field.shape == Shape::Null { quote!(#tags => #value) } else { quote!(#tags => v.#member = #value) }
    });
    let (selector, tag) = match codec.is_selected(&ty) {
        true => {
            let selector = selector_type(codec, id);
            (quote!(, selector: #selector), quote!(d.expect_tag(selector.as_raw())?))
        }
        false => (quote!(), quote!(d.read_tag()?)),
    };
    quote! {
        #[doc = #docs]
        pub fn #name #generics(d: &mut #decoder #selector) -> Result<#named, DecodeError> {
            let mut v = #path::default();
            match #tag {
                #(#arms,)*
                tag => return Err(d.wrong_tag(tag)),
            }
            Ok(v)
        }
    }
}

pub(super) fn encoder(codec: &Codec<'_>, id: UnionId, plan: &UnionPlan) -> TokenStream {
    let union = codec.model.union(id);
    let ty = codec.types.named(&Ty::Union(id), &quote!('_));
    let name = function("encode", union.name(), Form::Full);
    if let Some((tags, field)) = plan.sent.and_then(|index| plan.members.get(index)) {
        let write = write_member(codec, field);
        let tag = tags.first().copied().map(Literal::u32_suffixed);
        let docs = format!("Encodes `{}`, always as its member `{}`.", union.name(), field.var.name);
        return quote! {
            #[doc = #docs]
            pub fn #name(e: &mut Encoder, v: &#ty) { e.write(#tag); #write }
        };
    }
    let selector = selector_type(codec, id);
    let arms = plan.members.iter().map(|(tags, field)| {
        let (tags, write) = (pattern(tags), write_member(codec, field));
        quote!(#tags => { #write })
    });
    let docs = format!("Encodes `{}` as the member that `selector` names.", union.name());
    // For a selector that names no member nothing follows the tag: the receiver refuses it before it would read more.
    quote! {
        #[doc = #docs]
        pub fn #name(e: &mut Encoder, v: &#ty, selector: #selector) {
            e.write(selector);
            match selector.as_raw() {
                #(#arms)*
                _ => {}
            }
        }
    }
}

/// The tags that one member has.
fn pattern(tags: &[u32]) -> TokenStream {
    let tags = tags.iter().copied().map(Literal::u32_unsuffixed);
    quote!(#(#tags)|*)
}

fn write_member(codec: &Codec<'_>, field: &Field) -> TokenStream {
    let declared = codec.types.declared(&field.var, &quote!('_));
    let write = match &field.var.ty {
        _ if field.shape == Shape::Pointer => {
            let encode = codec.item_encoder(&field.var.ty, Form::Full);
            quote!(e.write_pointer(*member, #encode);)
        }
        Ty::Struct(_) | Ty::Union(_) => {
            let encode = codec.item_encoder(&field.var.ty, Form::Full);
            quote!(#encode(e, member);)
        }
        _ if field.var.dimensions.is_empty() => quote!(e.write(*member);),
        _ => quote!(e.write_scalars(member);),
    };
    quote!(let member: &#declared = e.union_member(v); #write)
}

/// The type of the member that selects a union's member, found where the union is used.
fn selector_type(codec: &Codec<'_>, union: UnionId) -> TokenStream {
    let selector = codec.plan.structs.values().find_map(|plan| {
        let user = plan.fields.iter().find(|field| field.var.ty == Ty::Union(union))?;
        plan.fields.iter().find(|field| Some(&field.var.name) == user.var.selector.as_ref())
    });
    selector.map_or(quote!(i32), |selector| codec.types.path(&selector.var.ty))
}
