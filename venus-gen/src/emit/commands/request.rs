//! Requests: what the host decodes and the guest encodes.

use proc_macro2::TokenStream;
use quote::quote;

use super::{Emitter, lifetimes};
use crate::emit::codec::{Form, encode_row, field_ident, is_scalar};
use crate::lower::{Direction, Param, Partial, Shape};

impl Emitter<'_, '_> {
    pub(super) fn decode(&self) -> TokenStream {
        let (lifetime, _) = lifetimes(self.args_borrow());
        let params = || self.plan.params.iter().enumerate();
        let is_plain = |param: &Param| param.field.shape != Shape::Null && !param.field.is_counted_by_sibling();
        let body = if params().all(|(_, param)| is_plain(param)) {
            let fields = params().map(|(position, param)| {
                let (name, value) = (field_ident(&param.field), self.decode_param(position, param));
                quote!(#name: #value)
            });
            quote!(Ok(Self { #(#fields),* }))
        } else {
            let reads = params().map(|(position, param)| {
                let (name, value) = (field_ident(&param.field), self.decode_param(position, param));
                // A later argument asks a length for its value, which takes its type to be known.
                let ty = param.field.is_length.then(|| self.field_type(param)).map(|ty| quote!(: #ty));
                if param.field.shape == Shape::Null { quote!(#value;) } else { quote!(let #name #ty = #value;) }
            });
            let names = self.fields().map(|param| field_ident(&param.field));
            quote!(#(#reads)* Ok(Self { #(#names),* }))
        };
        quote! {
            fn decode(d: &mut Decoder<#lifetime>) -> Result<Self, DecodeError> { #body }
        }
    }

    fn decode_param(&self, position: usize, param: &Param) -> TokenStream {
        let field = &param.field;
        let codec = self.codec;
        let (is_nullable, nullable) = (field.nullable, codec.nullable(field));
        let form = if param.direction == Direction::Out { Form::Partial } else { Form::Full };
        let length = field.length().map(|length| self.length(length, false));
        let (decode, bytes) = (codec.item_decoder(field, form), codec.item_bytes(&field.var.ty, form));
        let is_out = param.direction == Direction::Out;
        let (is_handle, requires_objects) = (field.handle().is_some(), field.requires_objects());
        let scalar = is_scalar(&field.var.ty);
        match &field.shape {
            Shape::Null => quote!(d.read_null()?),
            Shape::Value if is_handle && position == 0 => quote!(d.read_owner()?),
            Shape::Value if requires_objects => quote!(d.read_required_handle_param()?),
            Shape::Value if is_handle => quote!(d.read_handle_param()?),
            Shape::Value if scalar => quote!(d.read()?),
            Shape::Value => quote!(#decode(d)?),
            Shape::Pointer if is_out && is_handle => quote!(d.read_new_handle(#nullable)?),
            Shape::Pointer if is_out && field.partial == Partial::Marker && is_nullable => quote!(d.read_room(true)?),
            Shape::Pointer if is_out && field.partial == Partial::Marker => quote!(d.read_required_room()?),
            Shape::Pointer if is_nullable && param.direction == Direction::In => {
                quote!(d.read_optional(#decode)?.map(|v| &*v))
            }
            Shape::Pointer if is_nullable => quote!(d.read_optional(#decode)?),
            Shape::Pointer => quote!(d.read_required(#decode)?),
            Shape::Array(_) if is_out && is_handle => quote!(d.read_new_handles(#length, #nullable)?),
            Shape::Array(_) if requires_objects => quote!(d.read_required_handle_params(#length, #nullable)?),
            Shape::Array(_) if is_handle => quote!(d.read_handle_params(#length, #nullable)?),
            Shape::Array(_) if is_out && field.partial == Partial::Capacity => {
                quote!(d.read_capacity(#length, #nullable)?)
            }
            Shape::Array(_) if scalar => quote!(d.read_scalars(#length, #nullable)?),
            Shape::Array(_) => quote!(d.read_items(#length, #nullable, #bytes, #decode)?),
            Shape::Rows(_, inner) => {
                let inner = self.length(inner, false);
                let row = codec.decode_row(field, &inner);
                quote!(d.read_rows(#length, #nullable, |d, nth| #row)?)
            }
            Shape::Blob(_) if is_out => quote!(d.read_capacity(#length, #nullable)?),
            Shape::Blob(_) => quote!(d.read_blob(#length, #nullable)?),
            Shape::Str => quote!(d.read_str()?),
            Shape::Strs(_) => quote!(d.read_strs(#length, #nullable)?),
            Shape::Fixed(_) if scalar => quote!(d.read_fixed()?),
            Shape::Fixed(_) => quote!(d.read_fixed_items(#bytes, #decode)?),
            Shape::Chars(_) => quote!(d.read_chars()?),
        }
    }

    pub(super) fn encode(&self) -> TokenStream {
        let writes = self.plan.params.iter().map(|param| self.encode_param(param));
        quote! {
            fn encode(&self, e: &mut Encoder, flags: u32) {
                e.write_header(Self::TYPE, flags);
                #(#writes)*
            }
        }
    }

    fn encode_param(&self, param: &Param) -> TokenStream {
        let field = &param.field;
        let name = field_ident(field);
        let form = if param.direction == Direction::Out { Form::Partial } else { Form::Full };
        let encode = self.codec.item_encoder(&field.var.ty, form);
        let is_out = param.direction == Direction::Out;
        let is_handle = field.handle().is_some();
        let scalar = is_scalar(&field.var.ty);
        let value = match (&field.shape, field.nullable, param.direction) {
            (Shape::Pointer, true, Direction::In) => quote!(self.#name),
            (Shape::Pointer, true, _) => quote!(self.#name.as_deref()),
            (_, _, Direction::In) => quote!(Some(self.#name)),
            _ => quote!(Some(&*self.#name)),
        };
        match &field.shape {
            Shape::Null => quote!(e.write_null();),
            Shape::Value if is_handle => quote!(e.write_handle_param(&self.#name);),
            Shape::Value if scalar => match self.strided_by(field) {
                Some(array) => {
                    let item = self.item(array);
                    quote!(e.write(e.stride::<#item>(self.#name));)
                }
                None => quote!(e.write(self.#name);),
            },
            Shape::Value => quote!(#encode(e, &self.#name);),
            Shape::Pointer if is_out && is_handle => quote!(e.write_new_handle(&self.#name);),
            Shape::Pointer if is_out && field.partial == Partial::Marker && !field.nullable => {
                quote!(e.write_marker(true);)
            }
            Shape::Pointer if is_out && field.partial == Partial::Marker => {
                quote!(e.write_marker(self.#name.is_some());)
            }
            Shape::Pointer => quote!(e.write_optional(#value, #encode);),
            Shape::Array(_) if is_out && is_handle => quote!(e.write_new_handles(&self.#name);),
            Shape::Array(_) if is_handle => quote!(e.write_handle_params(&self.#name);),
            Shape::Array(_) | Shape::Blob(_) if is_out && field.partial == Partial::Capacity => {
                quote!(e.write_count(self.#name.len());)
            }
            Shape::Array(_) if scalar => quote!(e.write_scalars(self.#name);),
            Shape::Array(_) => quote!(e.write_items(self.#name, #encode);),
            Shape::Rows(_, inner) => {
                let inner = self.length(inner, true);
                let row = encode_row(field, &encode, &inner);
                quote!(e.write_rows(self.#name, |e, nth, items| #row);)
            }
            Shape::Blob(_) => quote!(e.write_blob(self.#name);),
            Shape::Str => quote!(e.write_str(self.#name);),
            Shape::Strs(_) => quote!(e.write_strs(self.#name);),
            Shape::Fixed(_) if scalar => quote!(e.write_scalars(&self.#name);),
            Shape::Fixed(_) => quote!(e.write_items(&self.#name, #encode);),
            Shape::Chars(_) => quote!(e.write_chars(&self.#name);),
        }
    }
}
