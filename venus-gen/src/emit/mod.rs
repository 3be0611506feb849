//! Model and plan to Rust text, one file of this room per family of output.

pub(crate) mod ash;
mod codec;
mod commands;
mod file;
mod names;
mod structs;
mod tables;
mod types;

use proc_macro2::TokenStream;
use quote::quote;

pub use file::OutputFile;

use self::codec::Codec;
use self::file::FileBuilder;
use crate::lower::WirePlan;
use crate::model::Model;

/// Emits the whole generated tree.
pub(crate) fn emit(model: &Model, plan: &WirePlan, index: &ash::AshIndex) -> Vec<OutputFile> {
    let types = types::Types::new(model, plan, index);
    let codec = Codec { model, plan, types: &types };
    let mut files = vec![
        types::emit(model, plan, &types),
        tables::emit_commands(model),
        tables::emit_extensions(model),
        tables::emit_scalars(&codec),
        tables::emit_dispatch(&codec),
        tables::emit_procs(&codec),
    ];
    files.extend(structs::emit(&codec));
    files.extend(commands::emit(&codec));
    files.push(root());
    let imports = file::Imports::new(&files);
    let mut outputs: Vec<OutputFile> = files
        .into_iter()
        .filter(|file| !file.is_empty())
        .map(|file| file.finish(&model.registry_version, &imports))
        .collect();
    outputs.sort_by(|left, right| left.path.cmp(&right.path));
    outputs
}

/// The module that holds all others.
fn root() -> FileBuilder {
    let mut file = FileBuilder::new("mod.rs", "Everything that follows from the registry. See the crate's documentation.");
    let modules: TokenStream = quote! {
        pub mod args;
        pub mod chains;
        pub mod commands;
        pub mod decode;
        pub mod dispatch;
        pub mod encode;
        pub mod extensions;
        mod nodes;
        pub mod procs;
        mod scalars;
        pub mod types;
    };
    file.push(modules);
    file
}
