//! Reflection: the wire plan as tables, for whatever has to understand bytes without their Rust types.
//!
//! The types of the rows, and the functions that the rows are written with, are `venus-protocol/src/reflect/`'s. Here
//! are the rows of commands, structures and unions; `types` has those of enums, bitmasks and handles.

mod types;

use std::collections::BTreeMap;

use proc_macro2::{Ident, Literal, TokenStream};
use quote::quote;

use super::chains;
use super::codec::Codec;
use super::file::FileBuilder;
use super::names::{self, ident};
use crate::lower::{CommandPlan, Direction, Field, Shape, StructPlan, UnionPlan};
use crate::model::{BitmaskId, EnumId, Length, Returns, Scalar, StructId, Ty, UnionId};

const MODULE: &str = "crate::generated::reflect";

/// Emits `reflect/<family>.rs`, the files of types, and the tables that lead to them.
pub(super) fn emit(codec: &Codec<'_>) -> Vec<FileBuilder> {
    let mut families: BTreeMap<&str, FileBuilder> = BTreeMap::new();
    let (model, plan) = (codec.model, codec.plan);
    for (id, structure) in &plan.structs {
        let family = model.structure(*id).family;
        let file = families.entry(family).or_insert_with(|| family_file(family));
        file.push(struct_row(codec, *id, structure));
    }
    for (id, union) in &plan.unions {
        let family = model.union(*id).family;
        let file = families.entry(family).or_insert_with(|| family_file(family));
        file.push(union_row(codec, *id, union));
    }
    let mut commands: BTreeMap<&str, Vec<TokenStream>> = BTreeMap::new();
    for command in &plan.commands {
        commands.entry(model.commands[command.index].family).or_default().push(command_row(codec, command));
    }
    for (family, rows) in &commands {
        let file = families.entry(family).or_insert_with(|| family_file(family));
        let (table, count) = (commands_of(family), rows.len());
        let count = Literal::usize_unsuffixed(count);
        file.push(quote!(pub(crate) static #table: [CommandRow; #count] = [#(#rows),*];));
    }
    let mut files = vec![module(families.keys()), tables(codec, commands.keys())];
    files.extend(types::emit(codec));
    files.extend(families.into_values());
    files
}

fn family_file(family: &str) -> FileBuilder {
    let docs = format!("What travels of family `{family}`.");
    rows_file(format!("reflect/{family}.rs"), docs)
}

fn rows_file(path: String, docs: String) -> FileBuilder {
    let mut file = FileBuilder::new(path, docs).shared_as(MODULE);
    file.push(quote!(
        use crate::reflect::row::*;
    ));
    file
}

fn type_row(c_name: &str) -> Ident {
    ident(&names::type_row(c_name))
}

/// The name of the table of a family's commands.
fn commands_of(family: &str) -> Ident {
    ident(&format!("{}_COMMANDS", family.to_uppercase()))
}

fn struct_row(codec: &Codec<'_>, id: StructId, plan: &StructPlan) -> TokenStream {
    let structure = codec.model.structure(id);
    let (row, name, aliases) = (type_row(structure.name()), structure.name(), &structure.names[1..]);
    let members = plan.fields.iter().map(|field| member(codec, field, Direction::In));
    let members = quote!(&[#(#members),*]);
    let made = match &structure.chain {
        Some(chain) => {
            let s_type = codec.types.structure_type(id, chain);
            quote!(tagged(#name, #s_type, #members))
        }
        None => quote!(plain(#name, #members)),
    };
    let chain = (!codec.model.children(structure).is_empty()).then(|| {
        let table = chains::table_name(structure);
        quote!(.followed_by(chains::#table))
    });
    let aliases = (!aliases.is_empty()).then(|| quote!(.aliases(&[#(#aliases),*])));
    let since = codec.is_later(structure.since).then(|| {
        let level = names::level(structure.since);
        quote!(.since(Level::#level))
    });
    quote!(pub(crate) static #row: StructRow = #made #chain #aliases #since;)
}

fn union_row(codec: &Codec<'_>, id: UnionId, plan: &UnionPlan) -> TokenStream {
    let name = codec.model.union(id).name();
    let row = type_row(name);
    let choice = match plan.sent.and_then(|index| plan.members.get(index)) {
        Some((tags, _)) => {
            let tag = tags.first().copied().map(Literal::u32_unsuffixed);
            quote!(Choice::Always(#tag))
        }
        None => {
            let selector = selector(codec, id);
            quote!(Choice::Selector(#selector))
        }
    };
    let tagged = plan.members.iter().flat_map(|(tags, field)| tags.iter().map(move |tag| (*tag, field)));
    let members = tagged.map(|(tag, field)| {
        let (tag, member) = (Literal::u32_unsuffixed(tag), member(codec, field, Direction::In));
        quote!((#tag, #member))
    });
    quote! {
        pub(crate) static #row: UnionRow = UnionRow { name: #name, choice: #choice, members: &[#(#members),*] };
    }
}

/// The name of the member that selects, found where the union is used.
fn selector<'c>(codec: &'c Codec<'_>, id: UnionId) -> &'c str {
    let fields = codec.plan.structs.values().flat_map(|plan| &plan.fields);
    let users = fields.filter(|field| field.var.ty == Ty::Union(id));
    users.filter_map(|field| field.var.selector.as_deref()).next().unwrap_or_default()
}

fn command_row(codec: &Codec<'_>, plan: &CommandPlan) -> TokenStream {
    let command = &codec.model.commands[plan.index];
    let constant = ident(&names::command_constant(&command.name));
    let returns = match command.returns {
        Returns::Nothing | Returns::Opaque => quote!(Returns::Nothing),
        Returns::Result => quote!(Returns::Result),
        Returns::U32 => quote!(Returns::U32),
        Returns::U64 => quote!(Returns::U64),
    };
    let params = plan.params.iter().map(|param| member(codec, &param.field, param.direction));
    quote!(command(CommandType::#constant, #returns, &[#(#params),*]))
}

/// One member or parameter, as a call of the function for its shape.
fn member(codec: &Codec<'_>, field: &Field, direction: Direction) -> TokenStream {
    let (name, item) = (&field.var.name, item(codec, field));
    let row = match &field.shape {
        Shape::Value => quote!(value(#name, #item)),
        Shape::Pointer => quote!(pointer(#name, #item)),
        Shape::Array(n) => {
            let n = length(n);
            quote!(array(#name, #item, &#n))
        }
        Shape::Rows(n, m) => {
            let (n, m) = (length(n), length(m));
            quote!(rows(#name, #item, &[#n, #m]))
        }
        Shape::Blob(n) => {
            let n = length(n);
            quote!(blob(#name, &#n))
        }
        Shape::Str => quote!(string(#name)),
        Shape::Strs(n) => {
            let n = length(n);
            quote!(strings(#name, &#n))
        }
        Shape::Fixed(n) => {
            let n = Literal::u64_unsuffixed(*n);
            quote!(fixed(#name, #item, #n))
        }
        Shape::Chars(n) => {
            let n = Literal::u64_unsuffixed(*n);
            quote!(chars(#name, #n))
        }
        Shape::Null => quote!(null(#name)),
    };
    let always_nullable = matches!(field.shape, Shape::Str | Shape::Null);
    let is_pointer = !matches!(field.shape, Shape::Value | Shape::Fixed(_) | Shape::Chars(_));
    let nullable =
        (field.nullable && is_pointer && !always_nullable).then(|| match field.null_since.map(names::level) {
            Some(level) => quote!(.nullable_since(Level::#level)),
            None => quote!(.nullable()),
        });
    let required = (direction == Direction::In && field.requires_objects()).then(|| quote!(.required()));
    let counts = field.is_length.then(|| quote!(.counts()));
    let direction = match direction {
        Direction::In => quote!(),
        Direction::Out => quote!(.out()),
        Direction::InOut => quote!(.in_out()),
    };
    quote!(#row #nullable #required #counts #direction)
}

fn length(length: &Length) -> TokenStream {
    match length {
        Length::NullTerminated => quote!(Literal(0)),
        Length::Literal(n) => {
            let n = Literal::u64_unsuffixed(*n);
            quote!(Literal(#n))
        }
        Length::Sibling(name) => quote!(Sibling(#name)),
        Length::Through { pointer, member } => quote!(Through { pointer: #pointer, member: #member }),
        Length::OfRow { array, member } => quote!(OfRow { array: #array, member: #member }),
        Length::Quotient { sibling, add, by } => {
            let (add, by) = (Literal::u32_unsuffixed(*add), Literal::u32_unsuffixed(*by));
            quote!(Quotient { sibling: #sibling, add: #add, by: #by })
        }
    }
}

fn item(codec: &Codec<'_>, field: &Field) -> TokenStream {
    let model = codec.model;
    match &field.var.ty {
        Ty::Void => quote!(BYTE),
        Ty::Char => quote!(CHAR),
        Ty::Scalar(scalar) => scalar_name(&field.var.base, *scalar),
        Ty::Enum(_) | Ty::Bitmask(_) => {
            let row = type_row(names_of(codec, &field.var.ty));
            quote!(Item::Enum(&#row))
        }
        Ty::Handle(id) => {
            let row = type_row(&model.handles[id.0].names[0]);
            quote!(Item::Handle(&#row))
        }
        Ty::Struct(id) => {
            let row = type_row(model.structure(*id).name());
            quote!(Item::Struct(&#row))
        }
        Ty::Union(id) => {
            let row = type_row(model.union(*id).name());
            quote!(Item::Union(&#row))
        }
        Ty::Opaque => quote!(OPAQUE),
    }
}

/// The constant of a scalar: its own for the base types that say more than their width.
fn scalar_name(base: &str, scalar: Scalar) -> TokenStream {
    let name = match (base, scalar) {
        ("VkBool32", _) => "BOOL32",
        ("VkDeviceSize", _) => "DEVICE_SIZE",
        ("VkDeviceAddress", _) => "DEVICE_ADDRESS",
        (_, Scalar::U8) => "U8",
        (_, Scalar::U16) => "U16",
        (_, Scalar::U32) => "U32",
        (_, Scalar::U64) => "U64",
        (_, Scalar::I32) => "I32",
        (_, Scalar::I64) => "I64",
        (_, Scalar::F32) => "F32",
        (_, Scalar::F64) => "F64",
        (_, Scalar::Size) => "SIZE",
    };
    let name = ident(name);
    quote!(#name)
}

fn names_of<'c>(codec: &'c Codec<'_>, ty: &Ty) -> &'c str {
    match ty {
        Ty::Enum(EnumId(index)) => &codec.model.enums[*index].names[0],
        Ty::Bitmask(BitmaskId(index)) => &codec.model.bitmasks[*index].names[0],
        _ => "",
    }
}

fn module<'f>(families: impl Iterator<Item = &'f &'f str>) -> FileBuilder {
    let mut file = FileBuilder::new(
        "reflect/mod.rs",
        "Tables of every command and structure as it travels, by family. `crate::reflect` is the way in.",
    );
    let names: Vec<_> = families.copied().chain(types::MODULES).map(ident).collect();
    file.push(quote!(#(mod #names;)* pub(crate) mod tables;));
    file.push(quote!(#(pub(crate) use #names::*;)*));
    file
}

/// `reflect/tables.rs`: what leads to the rows.
fn tables<'f>(codec: &Codec<'_>, families: impl Iterator<Item = &'f &'f str>) -> FileBuilder {
    let mut file = FileBuilder::new("reflect/tables.rs", "All rows, by number and by name.").using_all_of(MODULE);
    file.push(quote!(
        use crate::generated::commands::NAMES;
        use crate::reflect::row::by_number;
        use crate::reflect::{CommandRow, EnumRow, StructRow};
    ));
    let (model, plan) = (codec.model, codec.plan);
    let families = families.copied().map(commands_of);
    file.push(quote! {
        #[doc = "Encodable commands by number."]
        pub(crate) static COMMANDS: [Option<&CommandRow>; NAMES.len()] = by_number(&[#(&#families),*]);
    });
    let mut structs: Vec<&str> = plan.structs.keys().map(|id| model.structure(*id).name()).collect();
    structs.sort_unstable();
    let structs = structs.into_iter().map(type_row);
    file.push(quote! {
        #[doc = "All structures, by name."]
        pub(crate) static STRUCTS: &[&StructRow] = &[#(&#structs),*];
    });
    let enums = types::enum_names(codec).into_iter().map(type_row);
    file.push(quote! {
        #[doc = "All enums and bitmasks, by name."]
        pub(crate) static ENUMS: &[&EnumRow] = &[#(&#enums),*];
    });
    file
}
