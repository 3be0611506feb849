//! Arguments and replies of commands: their types, how they are decoded, encoded, and handed to a driver.

use std::collections::BTreeMap;

use proc_macro2::{Ident, Literal, TokenStream};
use quote::{format_ident, quote};

use super::codec::{Codec, Form, encode_row, field_ident, is_scalar};
use super::file::FileBuilder;
use super::names::{self, ident};
use crate::lower::{CommandPlan, Direction, Field, Param, Partial, Shape};
use crate::model::{Command, Length, Returns};

/// Emits `args/<family>.rs`.
pub(crate) fn emit(codec: &Codec<'_>) -> Vec<FileBuilder> {
    let mut files: BTreeMap<&str, FileBuilder> = BTreeMap::new();
    for plan in &codec.plan.commands {
        let command = &codec.model.commands[plan.index];
        let part = part(command);
        let file = files.entry(part).or_insert_with(|| command_file(part));
        Emitter { codec, command, plan }.emit(file);
    }
    let mut module = FileBuilder::new("args/mod.rs", "Arguments and replies of all encodable commands, by family.");
    let names: Vec<_> = files.keys().map(|family| ident(family)).collect();
    module.push(quote!(#(mod #names;)*));
    module.push(quote!(#(pub use #names::*;)*));
    [module].into_iter().chain(files.into_values()).collect()
}

/// The file of a command: its family, divided further where the family is large.
fn part(command: &Command) -> &'static str {
    const PARTS: &[(&str, &[&str])] = &[
        ("command_draw", &["Draw", "Dispatch", "TraceRays", "Begin", "End", "Execute", "NextSubpass"]),
        ("command_transfer", &["Copy", "Blit", "Resolve", "Clear", "Fill", "Update", "Write", "Build"]),
        ("command_dynamic_state", &["SetColor", "SetDepth", "SetStencil", "SetViewport", "SetScissor", "SetLine", "SetRasterization"]),
        ("command_state", &["Set"]),
    ];
    let Some(rest) = command.name.strip_prefix("vkCmd") else { return command.family };
    let matches = |(_, prefixes): &&(&str, &[&str])| prefixes.iter().any(|prefix| rest.starts_with(prefix));
    PARTS.iter().find(matches).map_or(command.family, |(part, _)| part)
}

fn command_file(family: &str) -> FileBuilder {
    FileBuilder::new(format!("args/{family}.rs"), format!("Commands of family `{family}`.")).exported_as("crate::generated::args")
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

    fn borrows(types: impl Iterator<Item = TokenStream>) -> bool {
        types.into_iter().any(|ty| ty.to_string().contains("'a"))
    }

    fn args_borrow(&self) -> bool {
        Self::borrows(self.fields().map(|param| self.field_type(param)))
    }

    fn reply_borrows(&self) -> bool {
        Self::borrows(self.outputs().map(|param| self.reply_type(param)))
    }

    fn args_struct(&self) -> TokenStream {
        let name = self.args();
        let generics = generics(self.args_borrow(), &quote!('a));
        let docs = format!("Arguments of `{}` (command {}).", self.command.name, self.command.id);
        let fields = self.fields().map(|param| {
            let (name, ty, docs) = (field_ident(&param.field), self.field_type(param), format!("`{}`", param.field.var.name));
            quote!(#[doc = #docs] pub #name: #ty)
        });
        quote! {
            #[doc = #docs]
            pub struct #name #generics { #(#fields,)* }
        }
    }

    fn reply_struct(&self) -> TokenStream {
        let name = self.reply();
        let generics = generics(self.reply_borrows(), &quote!('a));
        let docs = format!("Reply to `{}`.", self.command.name);
        let returned = (self.command.returns != Returns::Nothing).then(|| {
            let ty = self.returns();
            quote!(#[doc = "What the command returned."] pub returned: #ty,)
        });
        let fields = self.outputs().map(|param| {
            let (name, ty, docs) = (field_ident(&param.field), self.reply_type(param), format!("`{}`", param.field.var.name));
            quote!(#[doc = #docs] pub #name: #ty)
        });
        quote! {
            #[doc = #docs]
            pub struct #name #generics { #returned #(#fields,)* }
        }
    }

    /// A length, over local variables or over the fields of `args`.
    fn length(&self, length: &Length, of_args: bool) -> TokenStream {
        self.codec.length(length, &self.all_fields(), &|name| {
            let name = ident(&names::variable(name));
            if of_args { quote!(args.#name) } else { quote!(#name) }
        })
    }

    fn decode(&self) -> TokenStream {
        let (function, args) = (self.name("decode_{}"), self.args());
        let borrows = self.args_borrow();
        let (lifetime, generics_use) = (generics(borrows, &quote!('a)), generics(borrows, &quote!('a)));
        let decoder = if borrows { quote!(Decoder<'a>) } else { quote!(Decoder<'_>) };
        let docs = format!("Decodes the arguments of `{}`, which follow the header.", self.command.name);
        let reads = self.plan.params.iter().enumerate().map(|(position, param)| {
            let value = self.decode_param(position, param);
            let name = field_ident(&param.field);
            // A later argument asks a length for its value, which takes its type to be known.
            let ty = param.field.is_length.then(|| self.field_type(param)).map(|ty| quote!(: #ty));
            if param.field.shape == Shape::Null { quote!(#value;) } else { quote!(let #name #ty = #value;) }
        });
        let names = self.fields().map(|param| field_ident(&param.field));
        quote! {
            #[doc = #docs]
            pub fn #function #lifetime(d: &mut #decoder) -> Result<#args #generics_use, DecodeError> {
                #(#reads)*
                Ok(#args { #(#names),* })
            }
        }
    }

    fn decode_param(&self, position: usize, param: &Param) -> TokenStream {
        let field = &param.field;
        let (nullable, codec) = (field.nullable, self.codec);
        let form = if param.direction == Direction::Out { Form::Partial } else { Form::Full };
        let length = field.length().map(|length| self.length(length, false));
        let (decode, bytes) = (codec.item_decoder(&field.var.ty, form), codec.item_bytes(&field.var.ty, form));
        let is_out = param.direction == Direction::Out;
        let is_handle = field.handle().is_some();
        let scalar = is_scalar(&field.var.ty);
        match &field.shape {
            Shape::Null => quote!(d.read_null()?),
            Shape::Value if is_handle && position == 0 => quote!(d.read_owner()?),
            Shape::Value if is_handle => quote!(d.read_handle_param()?),
            Shape::Value if scalar => quote!(d.read()?),
            Shape::Value => quote!(#decode(d)?),
            Shape::Pointer if is_out && is_handle => quote!(d.read_new_handle(#nullable)?),
            Shape::Pointer if is_out && field.partial == Partial::Marker && nullable => quote!(d.read_room(true)?),
            Shape::Pointer if is_out && field.partial == Partial::Marker => quote!(d.read_required_room()?),
            Shape::Pointer if nullable && param.direction == Direction::In => quote!(d.read_optional(#decode)?.map(|v| &*v)),
            Shape::Pointer if nullable => quote!(d.read_optional(#decode)?),
            Shape::Pointer => quote!(d.read_required(#decode)?),
            Shape::Array(_) if is_out && is_handle => quote!(d.read_new_handles(#length, #nullable)?),
            Shape::Array(_) if is_handle => quote!(d.read_handle_params(#length, #nullable)?),
            Shape::Array(_) if is_out && field.partial == Partial::Capacity => quote!(d.read_capacity(#length, #nullable)?),
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

    fn encode(&self) -> TokenStream {
        let (function, args) = (self.name("encode_{}"), self.args());
        let anonymous = generics(self.args_borrow(), &quote!('_));
        let constant = ident(&names::command_constant(&self.command.name));
        let docs = format!("Encodes a request of `{}`: header and arguments.", self.command.name);
        let writes: Vec<_> = self.plan.params.iter().map(|param| self.encode_param(param)).collect();
        let args_name = if writes.is_empty() { quote!(_args) } else { quote!(args) };
        quote! {
            #[doc = #docs]
            pub fn #function(e: &mut Encoder, flags: u32, #args_name: &#args #anonymous) {
                e.write_header(CommandType::#constant, flags);
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
            (Shape::Pointer, true, Direction::In) => quote!(args.#name),
            (Shape::Pointer, true, _) => quote!(args.#name.as_deref()),
            _ => quote!(Some(&*args.#name)),
        };
        match &field.shape {
            Shape::Null => quote!(e.write_null();),
            Shape::Value if is_handle => quote!(e.write_handle_param(&args.#name);),
            Shape::Value if scalar => quote!(e.write(args.#name);),
            Shape::Value => quote!(#encode(e, &args.#name);),
            Shape::Pointer if is_out && is_handle => quote!(e.write_new_handle(&args.#name);),
            Shape::Pointer if is_out && field.partial == Partial::Marker && !field.nullable => quote!(e.write_marker(true);),
            Shape::Pointer if is_out && field.partial == Partial::Marker => quote!(e.write_marker(args.#name.is_some());),
            Shape::Pointer => quote!(e.write_optional(#value, #encode);),
            Shape::Array(_) if is_out && is_handle => quote!(e.write_new_handles(&args.#name);),
            Shape::Array(_) if is_handle => quote!(e.write_handle_params(&args.#name);),
            Shape::Array(_) | Shape::Blob(_) if is_out && field.partial == Partial::Capacity => quote!(e.write_count(args.#name.len());),
            Shape::Array(_) if scalar => quote!(e.write_scalars(args.#name);),
            Shape::Array(_) => quote!(e.write_items(args.#name, #encode);),
            Shape::Rows(_, inner) => {
                let inner = self.length(inner, true);
                let row = encode_row(field, &encode, &inner);
                quote!(e.write_rows(args.#name, |e, nth, items| #row);)
            }
            Shape::Blob(_) => quote!(e.write_blob(args.#name);),
            Shape::Str => quote!(e.write_str(args.#name);),
            Shape::Strs(_) => quote!(e.write_strs(args.#name);),
            Shape::Fixed(_) if scalar => quote!(e.write_scalars(&args.#name);),
            Shape::Fixed(_) => quote!(e.write_items(&args.#name, #encode);),
            Shape::Chars(_) => quote!(e.write_chars(&args.#name);),
        }
    }

    fn encode_reply(&self) -> TokenStream {
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

    fn decode_reply(&self) -> TokenStream {
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
                Shape::Pointer if param.field.handle().is_some() => quote!(d.read_optional(Decoder::read)?.map(|id| *id)),
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
    fn bare_reply(&self) -> TokenStream {
        let (reply, returns, c_name) = (self.reply(), self.returns(), &self.command.name);
        let constant = ident(&names::command_constant(c_name));
        let (encode, decode) = (self.name("encode_{}_reply"), self.name("decode_{}_reply"));
        quote!(bare_reply!(#reply, #constant, #c_name, #returns, #encode, #decode);)
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

    fn call_with(&self) -> TokenStream {
        let pointer = self.codec.types.function_pointer(self.command);
        let returns = (self.command.returns != Returns::Nothing).then(|| {
            let ty = self.returns();
            quote!(-> #ty)
        });
        let docs = format!("Calls `{}` with these arguments.\n\n# Safety\n\nAs for [`Command::call`](crate::wire::Command::call).", self.command.name);
        let arguments = self.plan.params.iter().map(argument);
        quote! {
            #[doc = #docs]
            pub unsafe fn call_with(&mut self, function: #pointer) #returns {
                call!(function(#(#arguments),*))
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
        let owner = self.fields().next().filter(|param| param.field.shape == Shape::Value && param.field.handle().is_some());
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

/// The argument that a parameter becomes in the driver call.
fn argument(param: &Param) -> TokenStream {
    let field = &param.field;
    let name = field_ident(field);
    let is_handle = field.handle().is_some();
    let is_in = param.direction == Direction::In;
    let constant = field.var.pointee_const.last() == Some(&true);
    match &field.shape {
        Shape::Null if constant => quote!(ptr::null()),
        Shape::Null => quote!(ptr::null_mut()),
        Shape::Value if is_handle => quote!(self.#name.raw),
        Shape::Value => quote!(self.#name),
        Shape::Pointer | Shape::Array(_) if !is_in && is_handle => quote!(as_mut_ptr_or_null(self.#name.raws)),
        Shape::Pointer if is_in && field.nullable => quote!(self.#name.map_or(ptr::null(), ptr::from_ref)),
        Shape::Pointer if is_in => quote!(self.#name),
        Shape::Pointer if field.nullable => quote!(self.#name.as_deref_mut().map_or(ptr::null_mut(), ptr::from_mut)),
        Shape::Pointer => quote!(&mut *self.#name),
        Shape::Array(_) if is_handle => quote!(as_ptr_or_null(self.#name.raws)),
        Shape::Array(_) | Shape::Rows(..) | Shape::Strs(_) if is_in => quote!(as_ptr_or_null(self.#name)),
        Shape::Array(_) | Shape::Rows(..) | Shape::Strs(_) => quote!(as_mut_ptr_or_null(self.#name)),
        Shape::Blob(_) if is_in => quote!(as_ptr_or_null(self.#name).cast::<c_void>()),
        Shape::Blob(_) => quote!(as_mut_ptr_or_null(self.#name).cast::<c_void>()),
        Shape::Str => quote!(self.#name.map_or(ptr::null(), CStr::as_ptr)),
        Shape::Fixed(_) | Shape::Chars(_) => quote!(&self.#name),
    }
}

fn optional(field: &Field, ty: TokenStream) -> TokenStream {
    if field.nullable { quote!(Option<#ty>) } else { ty }
}

fn generics(borrows: bool, lifetime: &TokenStream) -> TokenStream {
    if borrows { quote!(<#lifetime>) } else { quote!() }
}
