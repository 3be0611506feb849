//! Replies: what the host encodes and the guest decodes.

use proc_macro2::TokenStream;
use quote::quote;

use super::{Emitter, generics};
use crate::emit::codec::{Form, field_ident, is_scalar};
use crate::emit::names::{self, ident};
use crate::lower::{Direction, Param, Shape};
use crate::model::{Length, Returns};

impl Emitter<'_, '_> {
    /// The type of an output's field in the reply.
    pub(super) fn reply_type(&self, param: &Param) -> TokenStream {
        let field = &param.field;
        let item = self.item(field);
        match &field.shape {
            Shape::Pointer if field.handle().is_some() => quote!(Option<u64>),
            Shape::Array(_) if field.handle().is_some() => quote!(&'a [u64]),
            Shape::Pointer => quote!(Option<&'a #item>),
            Shape::Blob(_) => quote!(&'a [u8]),
            _ => quote!(&'a [#item]),
        }
    }

    pub(super) fn reply_borrows(&self) -> bool {
        Self::borrows(self.outputs().map(|param| self.reply_type(param)))
    }

    pub(super) fn reply_struct(&self) -> TokenStream {
        let name = self.reply();
        let generics = generics(self.reply_borrows(), &quote!('a));
        let docs = format!("Reply to `{}`.", self.command.name);
        let returned = (self.command.returns != Returns::Nothing).then(|| {
            let ty = self.returns();
            quote!(#[doc = "What the command returned."] pub returned: #ty,)
        });
        let fields = self.outputs().map(|param| {
            let (name, ty, docs) =
                (field_ident(&param.field), self.reply_type(param), format!("`{}`", param.field.var.name));
            quote!(#[doc = #docs] pub #name: #ty)
        });
        quote! {
            #[doc = #docs]
            pub struct #name #generics { #returned #(#fields,)* }
        }
    }

    pub(super) fn encode_reply(&self) -> TokenStream {
        let (function, reply) = (self.name("encode_{}_reply"), self.reply());
        let anonymous = generics(self.reply_borrows(), &quote!('_));
        let constant = ident(&names::command_constant(&self.command.name));
        let docs = format!("Encodes a reply to `{}`.", self.command.name);
        let returned = (self.command.returns != Returns::Nothing).then(|| quote!(e.write(reply.returned);));
        let writes: Vec<_> = self
            .outputs()
            .map(|param| {
                let name = field_ident(&param.field);
                let encode = self.codec.item_encoder(&param.field.var.ty, Form::Full);
                match &param.field.shape {
                    Shape::Pointer if param.field.handle().is_some() => {
                        quote!(e.write_optional(reply.#name.as_ref(), |e, id| e.write(*id));)
                    }
                    Shape::Pointer => quote!(e.write_optional(reply.#name, #encode);),
                    Shape::Blob(_) => quote!(e.write_blob(reply.#name);),
                    _ if param.field.handle().is_some() || is_scalar(&param.field.var.ty) => {
                        quote!(e.write_scalars(reply.#name);)
                    }
                    _ => quote!(e.write_items(reply.#name, #encode);),
                }
            })
            .collect();
        let unused = returned.is_none() && writes.is_empty();
        let reply_name = if unused { quote!(_reply) } else { quote!(reply) };
        quote! {
            #[doc = #docs]
            pub fn #function(e: &mut Encoder, #reply_name: &#reply #anonymous) {
                e.write(CommandType::#constant.0);
                #returned
                #(#writes)*
            }
        }
    }

    pub(super) fn decode_reply(&self) -> TokenStream {
        let (function, reply) = (self.name("decode_{}_reply"), self.reply());
        let borrows = self.reply_borrows();
        let lifetime = generics(borrows, &quote!('a));
        let decoder = if borrows { quote!(Decoder<'a>) } else { quote!(Decoder<'_>) };
        let constant = ident(&names::command_constant(&self.command.name));
        let docs = format!("Decodes a reply to `{}`.", self.command.name);
        let returned = (self.command.returns != Returns::Nothing).then(|| quote!(let returned = d.read()?;));
        let returned_name = returned.as_ref().map(|_| quote!(returned,));
        let reads = self.outputs().map(|param| {
            let name = field_ident(&param.field);
            let (ty, codec) = (&param.field.var.ty, self.codec);
            let (decode, bytes) = (codec.item_decoder(ty, Form::Full), codec.item_bytes(ty, Form::Full));
            let value = match &param.field.shape {
                Shape::Pointer if param.field.handle().is_some() => {
                    quote!(d.read_optional(Decoder::read)?.map(|id| *id))
                }
                Shape::Pointer => quote!(d.read_optional(#decode)?.map(|v| &*v)),
                Shape::Blob(_) => quote!(d.read_blob(d.peek_count(), true)?),
                _ if param.field.handle().is_some() || is_scalar(ty) => quote!(d.read_scalars(d.peek_count(), true)?),
                _ => quote!(d.read_items(d.peek_count(), true, #bytes, #decode)?),
            };
            quote!(let #name = #value;)
        });
        let names = self.outputs().map(|param| field_ident(&param.field));
        quote! {
            #[doc = #docs]
            pub fn #function #lifetime(d: &mut #decoder) -> Result<#reply #lifetime, DecodeError> {
                d.read_reply_header(CommandType::#constant)?;
                #returned
                #(#reads)*
                Ok(#reply { #returned_name #(#names),* })
            }
        }
    }

    /// The reply of a command without outputs: its number and what it returned.
    pub(super) fn bare_reply(&self) -> TokenStream {
        let (reply, returns, c_name) = (self.reply(), self.returns(), &self.command.name);
        let constant = ident(&names::command_constant(c_name));
        let (encode, decode) = (self.name("encode_{}_reply"), self.name("decode_{}_reply"));
        quote!(bare_reply!(#reply, #constant, #c_name, #returns, #encode, #decode);)
    }

    pub(super) fn reply_field(&self, param: &Param) -> TokenStream {
        let field = &param.field;
        let name = field_ident(field);
        let is_handle = field.handle().is_some();
        let slice = if is_handle { quote!(self.#name.ids) } else { quote!(self.#name) };
        let value = match &field.shape {
            Shape::Pointer if is_handle => quote!(self.#name.ids.first().copied()),
            Shape::Pointer if field.nullable => quote!(self.#name.as_deref()),
            Shape::Pointer => quote!(Some(&*self.#name)),
            _ => match field.length() {
                // An output count tells how many elements the driver has filled.
                Some(Length::Sibling(count)) if self.is_output(count) => {
                    let count = ident(&names::variable(count));
                    quote!(filled(&*#slice, self.#count.count()))
                }
                _ => quote!(&*#slice),
            },
        };
        quote!(#name: #value)
    }

    pub(super) fn is_output(&self, c_name: &str) -> bool {
        self.plan.params.iter().any(|param| param.field.var.name == *c_name && param.direction == Direction::InOut)
    }
}
