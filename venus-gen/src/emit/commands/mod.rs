//! Arguments and replies of commands: their types, how they are decoded, encoded, and handed to a driver.
//!
//! Here are the types and what ties them together; [`request`], [`reply`] and [`call`] hold the functions.

mod call;
mod reply;
mod request;

use std::collections::BTreeMap;

use proc_macro2::{Ident, Literal, TokenStream};
use quote::{format_ident, quote};

use super::codec::{Codec, field_ident};
use super::file::FileBuilder;
use super::names::{self, ident};
use crate::lower::{CommandPlan, Direction, Field, Param, Shape};
use crate::model::{Command, Length, Returns};

/// Emits `args/<family>.rs`.
pub(crate) fn emit(codec: &Codec<'_>) -> Vec<FileBuilder> {
    let mut files: BTreeMap<&str, FileBuilder> = BTreeMap::new();
    for plan in &codec.plan.commands {
        let command = &codec.model.commands[plan.index];
        let file = files.entry(command.part).or_insert_with(|| command_file(command.part));
        Emitter { codec, command, plan }.emit(file);
    }
    let mut module = FileBuilder::new("args/mod.rs", "Arguments and replies of all encodable commands, by family.");
    let names: Vec<_> = files.keys().map(|family| ident(family)).collect();
    module.push(quote!(#(mod #names;)*));
    module.push(quote!(#(pub use #names::*;)*));
    [module].into_iter().chain(files.into_values()).collect()
}

fn command_file(family: &str) -> FileBuilder {
    FileBuilder::new(format!("args/{family}.rs"), format!("Commands of family `{family}`."))
        .exported_as("crate::generated::args")
}

struct Emitter<'c, 'm> {
    codec: &'c Codec<'m>,
    command: &'c Command,
    plan: &'c CommandPlan,
}

impl Emitter<'_, '_> {
    fn emit(&self, file: &mut FileBuilder) {
        file.push(self.args_struct());
        file.push(self.decode());
        file.push(self.encode());
        if self.outputs().next().is_some() {
            file.push(self.reply_struct());
            file.push(self.encode_reply());
            file.push(self.decode_reply());
        } else {
            file.push(self.bare_reply());
        }
        file.push(self.methods());
        file.push(self.implementation());
        for alias in &self.command.aliases {
            file.push(self.alias(alias));
        }
    }

    fn name(&self, pattern: &str) -> Ident {
        ident(&pattern.replace("{}", &names::command_method(&self.command.name)))
    }

    fn args(&self) -> Ident {
        format_ident!("{}Args", names::command_type(&self.command.name))
    }

    fn reply(&self) -> Ident {
        format_ident!("{}Reply", names::command_type(&self.command.name))
    }

    /// Parameters that have a field: all but those that can only be null.
    fn fields(&self) -> impl Iterator<Item = &Param> {
        self.plan.params.iter().filter(|param| param.field.shape != Shape::Null)
    }

    fn outputs(&self) -> impl Iterator<Item = &Param> {
        self.fields().filter(|param| param.direction != Direction::In)
    }

    fn all_fields(&self) -> Vec<&Field> {
        self.plan.params.iter().map(|param| &param.field).collect()
    }

    /// The array whose elements lie as many bytes apart as this field says.
    fn strided_by(&self, field: &Field) -> Option<&Field> {
        let mut fields = self.plan.params.iter().map(|param| &param.field);
        fields.find(|array| array.var.stride.as_deref() == Some(field.var.name.as_str()))
    }

    fn returns(&self) -> TokenStream {
        match self.command.returns {
            Returns::Nothing | Returns::Opaque => quote!(()),
            Returns::Result => quote!(vk::Result),
            Returns::U32 => quote!(u32),
            Returns::U64 => quote!(u64),
        }
    }

    fn item(&self, field: &Field) -> TokenStream {
        self.codec.types.base(&field.var, &quote!('a))
    }

    /// The type of a parameter's field.
    fn field_type(&self, param: &Param) -> TokenStream {
        let field = &param.field;
        let item = self.item(field);
        let is_handle = field.handle().is_some();
        match (&field.shape, param.direction) {
            (Shape::Value, _) if is_handle => quote!(Handle<#item>),
            (Shape::Value, _) => item,
            (Shape::Pointer | Shape::Array(_), Direction::Out) if is_handle => quote!(NewHandles<'a, #item>),
            (Shape::Pointer, Direction::In) => optional(field, quote!(&'a #item)),
            (Shape::Pointer, _) => optional(field, quote!(&'a mut #item)),
            (Shape::Array(_), Direction::In) if is_handle => quote!(Handles<'a, #item>),
            (Shape::Array(_), Direction::In) => quote!(&'a [#item]),
            (Shape::Array(_), _) => quote!(&'a mut [#item]),
            (Shape::Rows(..), _) => quote!(&'a [*const #item]),
            (Shape::Blob(_), Direction::In) => quote!(&'a [u8]),
            (Shape::Blob(_), _) => quote!(&'a mut [u8]),
            (Shape::Str, _) => quote!(Option<&'a CStr>),
            (Shape::Strs(_), _) => quote!(&'a [*const c_char]),
            (Shape::Fixed(n), _) => {
                let n = Literal::u64_unsuffixed(*n);
                quote!([#item; #n])
            }
            (Shape::Chars(_) | Shape::Null, _) => quote!(()),
        }
    }

    fn borrows(types: impl Iterator<Item = TokenStream>) -> bool {
        types.into_iter().any(|ty| ty.to_string().contains("'a"))
    }

    fn args_borrow(&self) -> bool {
        Self::borrows(self.fields().map(|param| self.field_type(param)))
    }

    fn args_struct(&self) -> TokenStream {
        let name = self.args();
        let generics = generics(self.args_borrow(), &quote!('a));
        let docs = format!("Arguments of `{}` (command {}).", self.command.name, self.command.id);
        let fields = self.fields().map(|param| {
            let (name, ty, docs) =
                (field_ident(&param.field), self.field_type(param), format!("`{}`", param.field.var.name));
            quote!(#[doc = #docs] pub #name: #ty)
        });
        quote! {
            #[doc = #docs]
            pub struct #name #generics { #(#fields,)* }
        }
    }

    /// A length, over local variables or over the fields of `args`.
    fn length(&self, length: &Length, of_args: bool) -> TokenStream {
        self.codec.length(length, &self.all_fields(), &|name| {
            let name = ident(&names::variable(name));
            if of_args { quote!(args.#name) } else { quote!(#name) }
        })
    }

    /// `reply` and, for commands that drivers know, `call_with`.
    fn methods(&self) -> TokenStream {
        let (args, reply, returns) = (self.args(), self.reply(), self.returns());
        let anonymous = generics(self.args_borrow(), &quote!('_));
        let reply_anonymous = generics(self.reply_borrows(), &quote!('_));
        let fields: Vec<_> = self.outputs().map(|param| self.reply_field(param)).collect();
        let (returned, value) = match (self.command.returns, fields.is_empty()) {
            (Returns::Nothing, false) => (quote!(_returned), quote!()),
            _ => (quote!(returned), quote!(returned,)),
        };
        let call = (!self.command.private).then(|| self.call_with());
        let docs = "The reply that these arguments amount to once the driver has filled them.";
        quote! {
            impl #args #anonymous {
                #[doc = #docs]
                pub fn reply(&self, #returned: #returns) -> #reply #reply_anonymous {
                    #reply { #value #(#fields),* }
                }
                #call
            }
        }
    }

    fn implementation(&self) -> TokenStream {
        let (args, constant) = (self.args(), ident(&names::command_constant(&self.command.name)));
        let borrows = self.args_borrow();
        let generics = generics(borrows, &quote!('a));
        let (decode, encode) = (self.name("decode_{}"), self.name("encode_{}"));
        let (encode_reply, c_name, returns) = (self.name("encode_{}_reply"), &self.command.name, self.returns());
        let lost = self.command.reports_device_lost;
        let owner =
            self.fields().next().filter(|param| param.field.shape == Shape::Value && param.field.handle().is_some());
        let owner = owner.map_or(quote!(none), |param| {
            let name = field_ident(&param.field);
            quote!(#name)
        });
        let slot = if self.command.private { ident("none") } else { self.name("{}") };
        quote! {
            impl_command!(
                #args #generics, #constant, #c_name, #returns, device_lost: #lost, owner: #owner, slot: #slot,
                #decode, #encode, #encode_reply
            );
        }
    }

    /// Everything of this command under another of its names.
    fn alias(&self, alias: &str) -> TokenStream {
        let rows = [
            (self.args(), format_ident!("{}Args", names::command_type(alias))),
            (self.reply(), format_ident!("{}Reply", names::command_type(alias))),
        ];
        let method = names::command_method(alias);
        let functions = ["decode_{}", "encode_{}", "encode_{}_reply", "decode_{}_reply"]
            .map(|pattern| (self.name(pattern), ident(&pattern.replace("{}", &method))));
        let (from, to): (Vec<_>, Vec<_>) = rows.into_iter().chain(functions).unzip();
        quote!(pub use self::{#(#from as #to),*};)
    }
}

fn optional(field: &Field, ty: TokenStream) -> TokenStream {
    if field.nullable { quote!(Option<#ty>) } else { ty }
}

fn generics(borrows: bool, lifetime: &TokenStream) -> TokenStream {
    if borrows { quote!(<#lifetime>) } else { quote!() }
}
