//! Replies: what the host encodes and the guest decodes.

use proc_macro2::TokenStream;
use quote::quote;

use super::{Emitter, generics, introduced, lifetimes};
use crate::emit::codec::{Form, field_ident, is_scalar};
use crate::emit::names::{self, ident};
use crate::lower::{Direction, Param, Shape};
use crate::model::{Length, Returns};

impl Emitter<'_, '_> {
    /// The type of an output's field in the reply.
    fn reply_type(&self, param: &Param) -> TokenStream {
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

    /// Whether the reply borrows: all but the id of a single handle lead to what the driver filled.
    fn reply_borrows(&self) -> bool {
        self.outputs().any(|param| param.field.shape != Shape::Pointer || param.field.handle().is_none())
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

    /// How the reply follows the command's number.
    pub(super) fn reply_implementation(&self) -> TokenStream {
        let reply = self.reply();
        let (of_trait, of_reply) = lifetimes(self.reply_borrows());
        let introduced = introduced(self.reply_borrows());
        let returns = self.command.returns != Returns::Nothing;
        let read_returned = returns.then(|| quote!(returned: d.read()?,));
        let write_returned = returns.then(|| quote!(e.write(self.returned);));
        let (reads, writes) =
            (self.outputs().map(|p| self.read_output(p)), self.outputs().map(|p| self.write_output(p)));
        quote! {
            impl #introduced Reply<#of_trait> for #reply #of_reply {
                fn decode(d: &mut Decoder<#of_trait>) -> Result<Self, DecodeError> {
                    Ok(Self { #read_returned #(#reads),* })
                }
                fn encode(&self, e: &mut Encoder, command: CommandType) {
                    e.write(command.0);
                    #write_returned
                    #(#writes)*
                }
            }
        }
    }

    fn write_output(&self, param: &Param) -> TokenStream {
        let field = &param.field;
        let (name, encode) = (field_ident(field), self.codec.item_encoder(&field.var.ty, Form::Full));
        match &field.shape {
            Shape::Pointer if field.handle().is_some() => {
                quote!(e.write_optional(self.#name.as_ref(), |e, id| e.write(*id));)
            }
            Shape::Pointer => quote!(e.write_optional(self.#name, #encode);),
            Shape::Blob(_) => quote!(e.write_blob(self.#name);),
            _ if field.handle().is_some() || is_scalar(&field.var.ty) => quote!(e.write_scalars(self.#name);),
            _ => quote!(e.write_items(self.#name, #encode);),
        }
    }

    fn read_output(&self, param: &Param) -> TokenStream {
        let (name, ty, codec) = (field_ident(&param.field), &param.field.var.ty, self.codec);
        let (decode, bytes) = (codec.item_decoder(&param.field, Form::Full), codec.item_bytes(ty, Form::Full));
        let value = match &param.field.shape {
            Shape::Pointer if param.field.handle().is_some() => {
                quote!(d.read_optional(Decoder::read)?.map(|id| *id))
            }
            Shape::Pointer => quote!(d.read_optional(#decode)?.map(|v| &*v)),
            Shape::Blob(_) => quote!(d.read_blob(d.peek_count(), true)?),
            _ if param.field.handle().is_some() || is_scalar(ty) => quote!(d.read_scalars(d.peek_count(), true)?),
            _ => quote!(d.read_items(d.peek_count(), true, #bytes, #decode)?),
        };
        quote!(#name: #value)
    }

    /// What the command returns and its reply, for a command with outputs.
    pub(super) fn reply_types(&self) -> TokenStream {
        let (reply, returns) = (self.reply(), self.returns());
        let generics = generics(self.reply_borrows(), &quote!('r));
        quote! {
            type Return = #returns;
            type Reply<'r> = #reply #generics where Self: 'r;
        }
    }

    /// The method that makes the reply, for a command with outputs.
    pub(super) fn reply_method(&self) -> TokenStream {
        let (reply, returns) = (self.reply(), self.returns());
        let generics = generics(self.reply_borrows(), &quote!('_));
        let fields = self.outputs().map(|param| self.reply_field(param));
        let (returned, value) = match self.command.returns {
            Returns::Nothing => (quote!(_returned), quote!()),
            _ => (quote!(returned), quote!(returned,)),
        };
        quote! {
            fn reply(&self, #returned: #returns) -> #reply #generics { #reply { #value #(#fields),* } }
        }
    }

    fn reply_field(&self, param: &Param) -> TokenStream {
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

    fn is_output(&self, c_name: &str) -> bool {
        self.plan.params.iter().any(|param| param.field.var.name == *c_name && param.direction == Direction::InOut)
    }
}
