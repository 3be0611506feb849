//! Tables: command numbers and names, extensions, scalar types, dispatch, function pointers.

use std::collections::{BTreeMap, BTreeSet};

use proc_macro2::{Literal, TokenStream};
use quote::{format_ident, quote};

use super::codec::{Codec, returned};
use super::file::FileBuilder;
use super::layout::text;
use super::names::{self, ident};
use crate::model::{Command, Model};

/// `commands.rs`: a constant per name, and the names by number.
pub(crate) fn emit_commands(codec: &Codec<'_>) -> FileBuilder {
    let model = codec.model;
    let names = model.commands.len() + model.commands.iter().map(|command| command.aliases.len()).sum::<usize>();
    let docs = format!(
        "`VkCommandTypeEXT`: the {names} names of {} commands, and which of them travel.",
        model.commands.len()
    );
    let mut file = FileBuilder::new("commands.rs", docs);
    let constants = model.commands.iter().flat_map(|command| {
        let id = Literal::u32_unsuffixed(command.id);
        let constant = ident(&names::command_constant(&command.name));
        let docs = match &command.obstacle {
            None if codec.is_later(command.since) => format!("`{}`, since level {}", command.name, command.since),
            None => format!("`{}`", command.name),
            Some(obstacle) => {
                format!("`{}`. Never travels: {obstacle}.", command.name, obstacle = obstacle.trim_end_matches('.'))
            }
        };
        let first = quote!(#[doc = #docs] pub const #constant: Self = Self(#id););
        let aliases = command.aliases.iter().map(move |alias| {
            let docs = format!("`{alias}`, an alias of `{}`", command.name);
            let (alias, target) =
                (ident(&names::command_constant(alias)), ident(&names::command_constant(&command.name)));
            quote!(#[doc = #docs] pub const #alias: Self = Self::#target;)
        });
        [first].into_iter().chain(aliases).collect::<Vec<_>>()
    });
    file.push(quote!(impl CommandType { #(#constants)* }));
    let last = model.commands.iter().map(|command| command.id).max().unwrap_or(0);
    let by_id: BTreeMap<u32, &Command> = model.commands.iter().map(|command| (command.id, command)).collect();
    let rows = (0..=last).map(|id| by_id.get(&id).map_or("", |command| command.name.as_str()));
    let count = Literal::u32_unsuffixed(last + 1);
    file.push(quote! {
        #[doc = "Canonical names by number; empty where no command has the number."]
        pub static NAMES: [&str; #count] = [#(#rows),*];
    });
    let aliases = model.commands.iter().flat_map(|command| {
        command.aliases.iter().map(|alias| {
            let constant = ident(&names::command_constant(&command.name));
            quote!((#alias, CommandType::#constant))
        })
    });
    file.push(quote! {
        #[doc = "The other names of commands."]
        pub static ALIASES: &[(&str, CommandType)] = &[#(#aliases),*];
    });
    let unsent = model.commands.iter().filter_map(|command| {
        let obstacle = command.obstacle.as_deref()?;
        let (constant, obstacle) = (ident(&names::command_constant(&command.name)), text(obstacle));
        Some(quote!((CommandType::#constant, #obstacle)))
    });
    file.push(quote! {
        #[doc = "Commands that have a number and never travel, with the reason."]
        pub static NOT_ENCODABLE: &[(CommandType, &str)] = &[#(#unsent),*];
    });
    file
}

/// `extensions.rs`: what the protocol lists, and the versions it announces.
pub(crate) fn emit_extensions(codec: &Codec<'_>) -> FileBuilder {
    let model = codec.model;
    let mut file =
        FileBuilder::new("extensions.rs", "The extensions of the protocol, and the versions a host announces.");
    let wire = Literal::u32_unsuffixed(model.wire_format);
    let serialization = model.extensions.iter().find(|extension| extension.name == "VK_EXT_command_serialization");
    let serialization = Literal::u32_unsuffixed(serialization.map_or(0, |extension| extension.spec_version));
    file.push(quote! {
        #[doc = "Version of the wire format."]
        pub const WIRE_FORMAT_VERSION: u32 = #wire;
        #[doc = "Specification version of `VK_EXT_command_serialization`."]
        pub const COMMAND_SERIALIZATION_SPEC_VERSION: u32 = #serialization;
    });
    let rows = model.extensions.iter().map(|extension| {
        let name = &extension.name;
        let (number, version) =
            (Literal::u32_unsuffixed(extension.number), Literal::u32_unsuffixed(extension.spec_version));
        let since = codec.is_later(extension.since).then(|| {
            let level = names::level(extension.since);
            quote!(.since(Level::#level))
        });
        let raised = extension.raised.iter().map(|(level, spec)| {
            let (level, spec) = (names::level(*level), Literal::u32_unsuffixed(*spec));
            quote!((Level::#level, #spec))
        });
        let raised = (!extension.raised.is_empty()).then(|| quote!(.raised(&[#(#raised),*])));
        quote!(Extension::new(#name, #number, #version) #since #raised)
    });
    file.push(quote! {
        #[doc = "Extensions whose structures and commands the protocol knows at its newest level, by number."]
        pub static EXTENSIONS: &[Extension] = &[#(#rows),*];
    });
    file
}

/// `levels.rs`: a constant per level.
pub(crate) fn emit_levels(model: &Model) -> FileBuilder {
    let mut file = FileBuilder::new("levels.rs", "The levels of the protocol, each called by how many names it has.");
    let constants = model.levels.iter().map(|level| {
        let (major, minor, patch) = level.xml_version;
        let count = |name: &str| level.counts.iter().find(|count| count.name == name).map_or(0, |count| count.value);
        let docs = format!(
            "{} names of {} commands, {} extensions. Registry {major}.{minor}.{patch}.",
            count("names"),
            count("ids"),
            count("extensions"),
        );
        let constant = names::level(level.number);
        let numbers = [level.number, level.last_command, major, minor, patch, level.protocol_spec];
        let [number, last, major, minor, patch, spec] = numbers.map(Literal::u32_unsuffixed);
        let version = quote!(vk::make_api_version(0, #major, #minor, #patch));
        quote! {
            #[doc = #docs]
            pub const #constant: Self = Self::new(#number, CommandType(#last), #version, #spec);
        }
    });
    let all: Vec<_> = model.levels.iter().map(|level| names::level(level.number)).collect();
    let (oldest, newest) = (all.first(), all.last());
    file.push(quote! {
        impl Level {
            #(#constants)*
            #[doc = "All levels, oldest first."]
            pub const ALL: &[Self] = &[#(Self::#all),*];
            #[doc = "The level that every peer knows."]
            pub const OLDEST: Self = Self::#oldest;
            #[doc = "The level that holds all that the others do."]
            pub const NEWEST: Self = Self::#newest;
        }
    });
    file
}

/// `scalars.rs`: the enums and bitmasks that travel.
pub(crate) fn emit_scalars(codec: &Codec<'_>) -> FileBuilder {
    let mut file = FileBuilder::new("scalars.rs", "Enums and bitmasks as numbers on the wire.");
    let (mut enums, mut flags, mut wide) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
    let model = codec.model;
    for (index, declared) in model.enums.iter().enumerate().filter(|(_, declared)| declared.reached) {
        let name = codec.types.rust_name(&crate::model::Ty::Enum(crate::model::EnumId(index)));
        // The runtime implements this one, which no registry type reaches on its own.
        if name == "Result" {
            continue;
        }
        match (declared.is_bits, declared.bit_width) {
            (_, 64) => wide.insert(name),
            (true, _) => flags.insert(name),
            (false, _) => enums.insert(name),
        };
    }
    for (index, declared) in model.bitmasks.iter().enumerate().filter(|(_, declared)| declared.reached) {
        let name = codec.types.rust_name(&crate::model::Ty::Bitmask(crate::model::BitmaskId(index)));
        if declared.bit_width == 64 {
            wide.insert(name)
        } else {
            flags.insert(name)
        };
    }
    enums.insert("StructureType".to_owned());
    let paths = |names: BTreeSet<String>| {
        let names = names.into_iter().map(|name| ident(&name));
        names.map(|name| quote!(vk::#name)).collect::<Vec<_>>()
    };
    let (enums, flags, wide) = (paths(enums), paths(flags), paths(wide));
    file.push(quote!(wire_enums!(#(#enums),*);));
    file.push(quote!(wire_flags!(u32: #(#flags),*);));
    file.push(quote!(wire_flags!(u64: #(#wide),*);));
    file
}

/// `dispatch.rs`: a trait per family, and the table that leads from a number to a method.
pub(crate) fn emit_dispatch(codec: &Codec<'_>) -> FileBuilder {
    let mut file = FileBuilder::new("dispatch.rs", "From command numbers to handler methods: one trait per family.")
        .using_all_of("crate::generated::args");
    let mut families: BTreeMap<&str, Vec<TokenStream>> = BTreeMap::new();
    let mut rows = BTreeMap::new();
    for plan in &codec.plan.commands {
        let command = &codec.model.commands[plan.index];
        let (method, args) =
            (ident(&names::command_method(&command.name)), format_ident!("{}Args", names::command_type(&command.name)));
        let returns = returned(command);
        let docs = format!("`{}`", command.name);
        families.entry(command.family).or_default().push(quote! {
            #[doc = #docs]
            fn #method(&mut self, args: &mut #args) -> Result<#returns, Self::Error>;
        });
        rows.insert(command.id, quote!(#method: #args));
    }
    let traits: Vec<_> = families.keys().map(|family| ident(&names::family_trait(family))).collect();
    for (family, methods) in &families {
        let name = ident(&names::family_trait(family));
        let docs = format!("Commands of family `{family}`.");
        file.push(quote! {
            #[doc = #docs]
            pub trait #name: Handler { #(#methods)* }
        });
    }
    file.push(quote!(commands!(#(#traits),*);));
    let last = codec.model.commands.iter().map(|command| command.id).max().unwrap_or(0);
    let rows = (0..=last).map(|id| rows.remove(&id).unwrap_or_else(|| quote!(never)));
    file.push_table("table", rows);
    file
}

/// `procs.rs`: the driver's entry points.
pub(crate) fn emit_procs(codec: &Codec<'_>) -> FileBuilder {
    let mut file = FileBuilder::new("procs.rs", "Driver entry points of all commands that Vulkan knows.");
    let known =
        codec.model.commands.iter().filter(|command| !command.private && command.name != "vkGetInstanceProcAddr");
    let rows = known.map(|command| {
        let (slot, pointer) = (ident(&names::command_method(&command.name)), codec.types.function_pointer(command));
        let candidates = [&command.name].into_iter().chain(&command.aliases).map(|name| {
            let name = std::ffi::CString::new(name.as_str()).expect("names hold no NUL");
            Literal::c_string(&name)
        });
        let level = if command.is_of_device() { quote!(Device) } else { quote!(Instance) };
        let flags = command.queues.iter().map(|flag| ident(&names::queue_flag(flag)));
        let queues = if command.queues.is_empty() { quote!() } else { quote!(=> #(#flags)|*) };
        quote!(#slot: #level #pointer = #(#candidates),* #queues)
    });
    file.push_table("procs", rows);
    file
}
