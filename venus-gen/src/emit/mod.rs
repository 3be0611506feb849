//! Model and plan to Rust text, one file of this room per family of output.

pub(crate) mod ash;
mod c_layout;
mod chains;
mod codec;
mod commands;
mod file;
mod layout;
mod mock;
mod names;
mod reflect;
mod structs;
mod supplements;
mod tables;
mod types;
mod unions;

use std::collections::BTreeMap;

use proc_macro2::TokenStream;
use quote::quote;

pub use file::OutputFile;

use self::codec::Codec;
use self::file::FileBuilder;
use crate::diag::{Diagnostics, XmlPos};
use crate::lower::WirePlan;
use crate::model::Model;

/// Reports what cannot be emitted: structures that ash declares otherwise, and names that would be given twice.
pub(crate) fn check(model: &Model, plan: &WirePlan, index: &ash::AshIndex, diags: &mut Diagnostics) {
    ash::check(model, plan, index, diags);
    let missing = model.handles.iter().filter(|handle| handle.reached && index.find(&handle.names).is_none());
    for handle in missing.filter(|handle| handle.dispatchable || handle.object_type.is_none()) {
        let element = format!("type {}", handle.names.join(" = "));
        let help = "take an ash release that has it: venus-gen supplements handles of objects with a type, and no \
                    dispatchable ones";
        diags.push(&XmlPos { file: "ash".to_owned(), line: 0 }, element, "ash does not declare it", help);
    }
    let mut functions: BTreeMap<String, &str> = BTreeMap::new();
    for id in plan.structs.keys() {
        let name = model.structure(*id).name();
        functions.insert(names::type_snake(name), name);
    }
    for command in model.commands.iter().filter(|command| command.obstacle.is_none()) {
        if let Some(structure) = functions.get(&names::command_method(&command.name)) {
            let message = format!("decoders of it and of {structure} would have the same name");
            let help = "rename one of them, or make venus-gen's emit/names.rs tell them apart";
            diags.push(&command.at, format!("command {}", command.name), message, help);
        }
    }
}

/// Emits the whole generated tree.
pub(crate) fn emit(model: &Model, plan: &WirePlan, index: &ash::AshIndex) -> Vec<OutputFile> {
    let types = types::Types::new(model, index);
    let codec = Codec { model, plan, types: &types };
    let mut files = vec![
        tables::emit_commands(&codec),
        tables::emit_levels(model),
        tables::emit_extensions(&codec),
        tables::emit_scalars(&codec),
        tables::emit_dispatch(&codec),
        tables::emit_procs(&codec),
    ];
    files.extend(supplements::emit(model, plan, &types));
    files.extend(structs::emit(&codec));
    files.extend(chains::emit(&codec));
    files.extend(commands::emit(&codec));
    files.push(commands::emit_calls(&codec));
    files.extend(reflect::emit(&codec));
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

/// Emits the entry points of a driver that notes its calls, for tests.
pub(crate) fn emit_mock(model: &Model, plan: &WirePlan, index: &ash::AshIndex) -> Vec<OutputFile> {
    let types = types::Types::new(model, index);
    mock::emit(&Codec { model, plan, types: &types })
}

/// The module that holds all others.
fn root() -> FileBuilder {
    let mut file =
        FileBuilder::new("mod.rs", "Everything that follows from the registry. See the crate's documentation.");
    let modules: TokenStream = quote! {
        #[deny(unsafe_code)]
        pub mod args;
        #[cfg(feature = "host")]
        mod calls;
        #[deny(unsafe_code)]
        pub(crate) mod chains;
        #[deny(unsafe_code)]
        pub mod commands;
        #[deny(unsafe_code)]
        pub mod decode;
        #[deny(unsafe_code)]
        pub(crate) mod dispatch;
        #[deny(unsafe_code)]
        pub mod encode;
        #[deny(unsafe_code)]
        pub(crate) mod extensions;
        #[cfg(target_pointer_width = "64")]
        #[deny(unsafe_code)]
        mod layouts;
        #[deny(unsafe_code)]
        mod levels;
        #[deny(unsafe_code)]
        mod minima;
        #[deny(unsafe_code)]
        mod nodes;
        #[cfg(feature = "host")]
        pub(crate) mod procs;
        #[cfg(feature = "reflect")]
        #[deny(unsafe_code)]
        pub(crate) mod reflect;
        #[deny(unsafe_code)]
        mod scalars;
        pub(crate) mod types;
    };
    file.push(modules);
    file
}
