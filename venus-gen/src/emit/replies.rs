//! `replies.rs`: the codec of replies by command number, for checks that are not written for one command.

use std::collections::BTreeMap;

use proc_macro2::Literal;
use quote::{format_ident, quote};

use super::codec::Codec;
use super::file::FileBuilder;
use super::names;

pub(super) fn emit(codec: &Codec<'_>) -> FileBuilder {
    let mut file = FileBuilder::new("replies.rs", "Replies by command number. See `crate::verify::check_reply`.")
        .using_all_of("crate::generated::args");
    let commands = &codec.model.commands;
    let methods = codec.plan.commands.iter().map(|plan| {
        let method = names::command_method(&commands[plan.index].name);
        (plan.id, (format_ident!("decode_{method}_reply"), format_ident!("encode_{method}_reply")))
    });
    let methods: BTreeMap<u32, _> = methods.collect();
    let last = commands.iter().map(|command| command.id).max().unwrap_or(0);
    let rows = (0..=last).map(|id| match methods.get(&id) {
        Some((decode, encode)) => quote!(recode!(#decode, #encode)),
        None => quote!(None),
    });
    let count = Literal::u32_unsuffixed(last + 1);
    file.push(quote! {
        #[doc = "What decodes a reply and encodes it again; none for numbers that never travel."]
        pub(crate) static REPLIES: [Option<Recode>; #count] = [#(#rows),*];
    });
    file
}
