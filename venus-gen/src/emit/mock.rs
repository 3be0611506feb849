//! Entry points of a driver that executes nothing: each turns what it is called with back into the command's arguments
//! and notes them.
//!
//! What noting means, and every answer that a caller looks at, is hand-written beside the output, in the crate `mock-driver`.

use std::collections::BTreeMap;

use proc_macro2::{Literal, TokenStream};
use quote::{format_ident, quote};

use super::codec::{Codec, arrow, field_ident};
use super::file::{FileBuilder, Imports, OutputFile};
use super::names::{self, ident};
use crate::lower::{CommandPlan, Direction, Field, Param, Shape};
use crate::model::{Command, Length};

/// Emits a file per family, and the table of all entry points.
pub(crate) fn emit(codec: &Codec<'_>) -> Vec<OutputFile> {
    let mut families: BTreeMap<&str, FileBuilder> = BTreeMap::new();
    let mut rows = Vec::new();
    for plan in &codec.plan.commands {
        let command = &codec.model.commands[plan.index];
        if command.private {
            continue;
        }
        let part = command.part;
        let file = families.entry(part).or_insert_with(|| {
            let mut file = FileBuilder::new(format!("{part}.rs"), format!("Entry points of family `{part}`."));
            file.push(quote!(
                use crate::prelude::*;
            ));
            file
        });
        file.push(Entry { codec, command, plan }.function());
        rows.push(row(codec, part, command));
    }
    let mut module = FileBuilder::new("mod.rs", "Entry points of all commands that travel and that drivers know.");
    let parts: Vec<_> = families.keys().map(|part| ident(part)).collect();
    module.push(quote!(#(mod #parts;)*));
    module.push(quote!(
        use venus_protocol::vk;
    ));
    module.push(quote!(
        use crate::entries;
    ));
    module.push(quote!(entries! { #(#rows;)* }));
    let files = [module].into_iter().chain(families.into_values());
    files.map(|file| file.finish(&codec.model.registry_version, &Imports::default())).collect()
}

/// An entry point under all its names, with the type that proves its signature.
fn row(codec: &Codec<'_>, part: &str, command: &Command) -> TokenStream {
    let (part, function) = (ident(part), ident(&names::command_method(&command.name)));
    let pointer = codec.types.function_pointer(command);
    let names = [&command.name].into_iter().chain(&command.aliases);
    quote!(#part::#function: #pointer = #(#names),*)
}

struct Entry<'c, 'm> {
    codec: &'c Codec<'m>,
    command: &'c Command,
    plan: &'c CommandPlan,
}

impl Entry<'_, '_> {
    fn function(&self) -> TokenStream {
        let (function, docs) = (ident(&names::command_method(&self.command.name)), format!("`{}`", self.command.name));
        let args = format_ident!("{}Args", names::command_type(&self.command.name));
        let params = self.command.params.iter().map(|var| {
            let name = self.argument(&var.name);
            let ty = self.codec.types.declared(var, &quote!('_));
            // In a C parameter list an array is a pointer to its first element.
            if var.dimensions.is_empty() { quote!(#name: #ty) } else { quote!(#name: *const #ty) }
        });
        let returns = arrow(self.command);
        let fields: Vec<&Param> = self.plan.params.iter().filter(|param| param.field.shape != Shape::Null).collect();
        let conversions = fields.iter().filter_map(|param| {
            let (name, value) = (field_ident(&param.field), self.conversion(param)?);
            Some(quote!(let #name = #value;))
        });
        let names = fields.iter().map(|param| field_ident(&param.field));
        quote! {
            #[doc = #docs]
            pub(super) unsafe extern "system" fn #function(#(#params),*) #returns {
                let call = call!(#args);
                #(#conversions)*
                call.note(&#args { #(#names),* })
            }
        }
    }

    /// How a parameter is called: with an underscore if nobody looks at it.
    fn argument(&self, c_name: &str) -> proc_macro2::Ident {
        let name = names::variable(c_name);
        let unused =
            self.plan.params.iter().any(|param| param.field.var.name == c_name && param.field.shape == Shape::Null);
        if unused { format_ident!("_{name}") } else { ident(&name) }
    }

    /// What a field is made of; `None` where it is the parameter itself.
    fn conversion(&self, param: &Param) -> Option<TokenStream> {
        let field = &param.field;
        let name = field_ident(field);
        let is_handle = field.handle().is_some();
        let is_in = param.direction == Direction::In;
        let call = |function: &str, arguments: &[TokenStream]| {
            let function = ident(function);
            quote!(call.#function(#(#arguments),*))
        };
        // What is written to cannot change its lifetime but by a cast.
        let pointer =
            if !is_in && self.codec.types.has_lifetime(&field.var.ty) { quote!(#name.cast()) } else { quote!(#name) };
        let length = |length: &Length| self.length(length);
        Some(match &field.shape {
            Shape::Value if is_handle => call("named", &[pointer]),
            Shape::Value | Shape::Null | Shape::Chars(_) => return None,
            Shape::Pointer if is_handle && !is_in => quote!(call.fresh(#name, 1)),
            Shape::Array(n) if is_handle && !is_in => {
                let n = length(n);
                quote!(call.fresh(#name, #n))
            }
            Shape::Pointer => {
                let function = match (is_in, field.nullable) {
                    (true, true) => "optional",
                    (true, false) => "required",
                    (false, true) => "optional_mut",
                    (false, false) => "required_mut",
                };
                call(function, &[pointer])
            }
            Shape::Array(n) if is_handle => call("all_named", &[pointer, length(n)]),
            Shape::Array(n) | Shape::Rows(n, _) | Shape::Strs(n) if is_in => call("elements", &[pointer, length(n)]),
            Shape::Array(n) | Shape::Rows(n, _) | Shape::Strs(n) => call("elements_mut", &[pointer, length(n)]),
            Shape::Blob(n) if is_in => call("elements", &[quote!(#name.cast::<u8>()), length(n)]),
            Shape::Blob(n) => call("elements_mut", &[quote!(#name.cast::<u8>()), length(n)]),
            Shape::Str => call("text", &[pointer]),
            Shape::Fixed(_) => quote!(*call.required(#name)),
        })
    }

    /// A length over the fields that were converted before.
    fn length(&self, length: &Length) -> TokenStream {
        let fields: Vec<&Field> = self.plan.params.iter().map(|param| &param.field).collect();
        match length {
            Length::Literal(value) => {
                let value = Literal::u64_unsuffixed(*value);
                quote!(#value)
            }
            length => self.codec.length(length, &fields, &|name| {
                let name = ident(&names::variable(name));
                quote!(#name)
            }),
        }
    }
}
