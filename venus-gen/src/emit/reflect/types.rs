//! The rows of handles, enums and bitmasks, with the names of their values.

use std::collections::BTreeSet;

use proc_macro2::{Literal, TokenStream};
use quote::quote;

use super::{FileBuilder, rows_file, type_row};
use crate::emit::codec::Codec;
use crate::emit::names::ident;
use crate::lower::Shape;
use crate::model::{Bitmask, Enum, HandleId, Model, Ty, Value};

/// The one enum that has as many values as all others together, and so a file of its own.
const LARGEST: &str = "VkStructureType";

/// The modules of this file's output.
pub(super) const MODULES: [&str; 4] = ["enums", "flags", "handles", "structure_type"];

/// Emits `reflect/{enums,flags,handles,structure_type}.rs`.
pub(super) fn emit(codec: &Codec<'_>) -> [FileBuilder; 4] {
    let file = |name: &str, docs: &str| rows_file(format!("reflect/{name}.rs"), docs.to_owned());
    let mut enums = file("enums", "Enums that travel, with the names of their values.");
    let mut flags = file("flags", "Bitmasks that travel, with the names of their bits.");
    let mut largest = file("structure_type", "The names of all structure types.");
    let of_enums = codec.model.named_enums().map(|declared| (&declared.names[0], declared.is_bits, enum_row(declared)));
    let of_masks = codec.model.named_bitmasks();
    let of_masks = of_masks.map(|declared| (&declared.names[0], true, bitmask_row(codec.model, declared)));
    let mut rows: Vec<_> = of_enums.chain(of_masks).collect();
    rows.sort_by_key(|(name, ..)| *name);
    for (name, is_bits, row) in rows {
        match (name.as_str(), is_bits) {
            (LARGEST, _) => largest.push(row),
            (_, true) => flags.push(row),
            (_, false) => enums.push(row),
        }
    }
    [enums, flags, handles(codec), largest]
}

/// The names of all enums and bitmasks that have a row, sorted.
pub(super) fn enum_names<'c>(codec: &'c Codec<'_>) -> BTreeSet<&'c str> {
    let enums = codec.model.named_enums().map(|declared| &declared.names[0]);
    enums.chain(codec.model.named_bitmasks().map(|declared| &declared.names[0])).map(String::as_str).collect()
}

fn enum_row(declared: &Enum) -> TokenStream {
    let name = &declared.names[0];
    let row = type_row(name);
    let values = declared.values.iter().map(|Value { name, value }| {
        let value = if declared.is_bits { mask(*value) } else { Literal::i64_unsuffixed(*value) };
        quote!((#value, #name))
    });
    let values = quote!(&[#(#values),*]);
    let function = ident(function(declared.is_bits, declared.bit_width));
    quote!(pub(crate) static #row: EnumRow = #function(#name, #values);)
}

/// A mask in hexadecimal digits. The highest bit is where no positive number is, so it stays decimal.
fn mask(value: i64) -> Literal {
    let hex = u64::try_from(value).ok().and_then(|value| format!("{value:#x}").parse().ok());
    hex.unwrap_or_else(|| Literal::i64_unsuffixed(value))
}

/// A bitmask: its bits under its own name, if the registry names any.
fn bitmask_row(model: &Model, declared: &Bitmask) -> TokenStream {
    let name = &declared.names[0];
    let row = type_row(name);
    let function = ident(function(true, declared.bit_width));
    let values = match declared.bits {
        Some(id) => {
            let bits = type_row(&model.enums[id.0].names[0]);
            quote!(#bits.values)
        }
        None => quote!(&[]),
    };
    quote!(pub(crate) static #row: EnumRow = #function(#name, #values);)
}

/// The function that makes a row.
fn function(is_bits: bool, bit_width: u32) -> &'static str {
    match (is_bits, bit_width) {
        (_, 64) => "wide_bits",
        (true, _) => "bits",
        (false, _) => "enumeration",
    }
}

/// The handles that some member mentions.
fn handles(codec: &Codec<'_>) -> FileBuilder {
    let mut file = rows_file("reflect/handles.rs".to_owned(), "Handles that travel.".to_owned());
    let plan = codec.plan;
    let members = plan.structs.values().flat_map(|plan| &plan.fields);
    let members = members.chain(plan.unions.values().flat_map(|plan| plan.members.iter().map(|(_, field)| field)));
    let params = plan.commands.iter().flat_map(|plan| plan.params.iter().map(|param| &param.field));
    let sent = members.chain(params).filter(|field| field.shape != Shape::Null);
    let handles: BTreeSet<usize> = sent.filter_map(|field| field.handle()).map(|HandleId(index)| index).collect();
    for &index in &handles {
        let (name, path) = (&codec.model.handles[index].names[0], codec.types.path(&Ty::Handle(HandleId(index))));
        let row = type_row(name);
        file.push(quote! {
            pub(crate) static #row: HandleRow = handle(#name, <#path as vk::Handle>::TYPE);
        });
    }
    let rows = handles.iter().map(|&index| type_row(&codec.model.handles[index].names[0]));
    file.push(quote! {
        /// All of them.
        pub(crate) static HANDLES: &[&HandleRow] = &[#(&#rows),*];
    });
    file
}
