//! Arguments and replies of commands: their types, how they are decoded, encoded, and handed to a driver.
//!
//! Here are the types and what ties them together; [`request`], [`reply`] and [`call`] have the rest.

mod call;
mod reply;
mod request;

use std::collections::BTreeMap;

use proc_macro2::{Ident, Literal, TokenStream};
use quote::{format_ident, quote};

use super::codec::{Codec, field_ident, returned};
use super::file::FileBuilder;
use super::names::{self, ident};
use crate::lower::{CommandPlan, Direction, Field, Param, Shape};
use crate::model::{Command, Length};

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

/// Emits `calls.rs`.
pub(super) fn emit_calls(codec: &Codec<'_>) -> FileBuilder {
    let mut file = FileBuilder::new("calls.rs", "What drivers' entry points are called with, of the arguments `a`.")
        .using_all_of("crate::generated::args");
    let commands = codec.plan.commands.iter().map(|plan| (plan, &codec.model.commands[plan.index]));
    let known = commands.filter(|(_, command)| !command.private);
    let rows = known.map(|(plan, command)| Emitter { codec, command, plan }.call());
    file.push(quote!(calls! { a; #(#rows;)* }));
    file
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
        file.push(self.implementation());
        if self.has_outputs() {
            file.push(self.reply_struct());
            file.push(self.reply_implementation());
        }
        for alias in &self.command.aliases {
            file.push(self.alias(alias));
        }
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

    fn has_outputs(&self) -> bool {
        self.outputs().next().is_some()
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
        returned(self.command)
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

    /// Whether a type holds what its field's type has in place, and so borrows if that does.
    fn in_place_borrows(&self, field: &Field) -> bool {
        self.codec.types.has_lifetime(&field.var.ty)
    }

    /// Whether the arguments borrow: pointers lead to what was decoded.
    fn args_borrow(&self) -> bool {
        self.fields().any(|param| match param.field.shape {
            Shape::Value | Shape::Fixed(_) | Shape::Chars(_) => self.in_place_borrows(&param.field),
            _ => true,
        })
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

    /// A length, over local variables or over the fields of `self`.
    fn length(&self, length: &Length, of_self: bool) -> TokenStream {
        self.codec.length(length, &self.all_fields(), &|name| {
            let name = ident(&names::variable(name));
            if of_self { quote!(self.#name) } else { quote!(#name) }
        })
    }

    fn implementation(&self) -> TokenStream {
        let (args, constant) = (self.args(), ident(&names::command_constant(&self.command.name)));
        let (of_trait, of_args) = lifetimes(self.args_borrow());
        let lost = self.command.reports_device_lost.then(|| {
            quote!(
                const REPORTS_DEVICE_LOST: bool = true;
            )
        });
        let returns = self.returns();
        let (types, reply) = match self.has_outputs() {
            true => (self.reply_types(), self.reply_method()),
            false => (quote!(returns!(#returns);), quote!()),
        };
        let (introduced, decode, encode) = (introduced(self.args_borrow()), self.decode(), self.encode());
        quote! {
            impl #introduced Command<#of_trait> for #args #of_args {
                const TYPE: CommandType = CommandType::#constant;
                #lost
                #types
                #decode
                #encode
                #reply
            }
        }
    }

    /// Everything of this command under another of its names.
    fn alias(&self, alias: &str) -> TokenStream {
        let (args, other_args) = (self.args(), format_ident!("{}Args", names::command_type(alias)));
        if !self.has_outputs() {
            return quote!(pub use self::#args as #other_args;);
        }
        let (reply, other_reply) = (self.reply(), format_ident!("{}Reply", names::command_type(alias)));
        quote!(pub use self::{#args as #other_args, #reply as #other_reply};)
    }
}

/// The lifetime of a trait that is implemented, and the generics of what it is implemented for.
fn lifetimes(borrows: bool) -> (TokenStream, TokenStream) {
    if borrows { (quote!('a), quote!(<'a>)) } else { (quote!('_), quote!()) }
}

/// The generics that an implementation introduces.
fn introduced(borrows: bool) -> TokenStream {
    generics(borrows, &quote!('a))
}

fn optional(field: &Field, ty: TokenStream) -> TokenStream {
    if field.nullable { quote!(Option<#ty>) } else { ty }
}

fn generics(borrows: bool, lifetime: &TokenStream) -> TokenStream {
    if borrows { quote!(<#lifetime>) } else { quote!() }
}
