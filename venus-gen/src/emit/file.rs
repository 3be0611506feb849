//! Tokens to files: header, imports, spacing, formatting. The only road from tokens to text.

use std::collections::{BTreeMap, BTreeSet};

use proc_macro2::{TokenStream, TokenTree};

use super::names::ident;

/// A file of the generated tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutputFile {
    /// Path below the generated folder, with `/`.
    pub path: String,
    /// The complete text.
    pub text: String,
}

/// Names that generated code may use, and the module each comes from. A file imports what it mentions.
const RUNTIME: &[(&str, &[&str])] = &[
    ("core", &["ptr"]),
    ("core::ffi", &["CStr", "c_char", "c_void"]),
    ("core::marker", &["PhantomData"]),
    ("core::mem", &["offset_of"]),
    ("crate", &["Extension", "vk"]),
    ("crate::dispatch", &["Handler", "Row", "Visit", "Visitor", "row", "visit"]),
    ("crate::generated", &["chains"]),
    ("crate::procs", &["procs"]),
    (
        "crate::wire",
        &[
            "Announced", "ChainMode", "ChainTable", "CommandType", "Count", "DecodeError", "Decoder", "Encoder", "Handle",
            "Handles", "NewHandles", "Node", "as_mut_ptr_or_null", "as_ptr_or_null", "bare_reply", "call", "filled",
            "impl_command", "node", "to_ptr", "wire_enums", "wire_flags",
        ],
    ),
];

/// A trait whose methods are used without naming it, and one such method.
const TRAIT_METHODS: &[(&str, &str)] = &[("Count", "count")];

/// Everything that can be imported: name to module.
#[derive(Debug, Default)]
pub(crate) struct Imports(BTreeMap<String, String>);

impl Imports {
    /// The runtime's names, and those that the given files define.
    pub(crate) fn new(files: &[FileBuilder]) -> Self {
        let runtime = RUNTIME.iter().flat_map(|(module, names)| names.iter().map(|name| ((*name).to_owned(), (*module).to_owned())));
        let mut names: BTreeMap<String, String> = runtime.collect();
        for file in files {
            if let Some(module) = &file.exported_as {
                names.extend(file.defined().into_iter().map(|name| (name, module.clone())));
            }
        }
        Self(names)
    }

    /// The `use` declarations that a file needs.
    fn of(&self, file: &FileBuilder) -> TokenStream {
        let mut mentioned = BTreeSet::new();
        file.items.iter().for_each(|item| mention(item.clone(), &mut mentioned));
        for (name, method) in TRAIT_METHODS {
            if mentioned.contains(*method) {
                mentioned.insert((*name).to_owned());
            }
        }
        let local = file.defined();
        let mut modules: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for name in mentioned.difference(&local) {
            if let Some((name, module)) = self.0.get_key_value(name) {
                modules.entry(module).or_default().push(name);
            }
        }
        let uses = modules.into_iter().map(|(module, names)| {
            let module: TokenStream = module.parse().expect("modules are paths");
            let names = names.into_iter().map(ident);
            quote::quote!(use #module::{#(#names),*};)
        });
        uses.collect()
    }
}

/// Collects the names that `tokens` mention, of paths only the first segment.
fn mention(tokens: TokenStream, into: &mut BTreeSet<String>) {
    let mut colons = 0;
    for token in tokens {
        let follows_path = colons == 2;
        colons = match &token {
            TokenTree::Punct(punct) if punct.as_char() == ':' => colons + 1,
            _ => 0,
        };
        match token {
            TokenTree::Ident(ident) if !follows_path => {
                into.insert(ident.to_string());
            }
            TokenTree::Group(group) => mention(group.stream(), into),
            TokenTree::Ident(_) | TokenTree::Punct(_) | TokenTree::Literal(_) => {}
        }
    }
}

/// Collects the items of one file.
#[derive(Debug)]
pub(crate) struct FileBuilder {
    path: String,
    docs: String,
    items: Vec<TokenStream>,
    /// The module under which other files import this one's items, if they do.
    exported_as: Option<String>,
}

impl FileBuilder {
    /// A file that opens with `docs` as its module documentation.
    pub(crate) fn new(path: impl Into<String>, docs: impl Into<String>) -> Self {
        Self { path: path.into(), docs: docs.into(), items: Vec::new(), exported_as: None }
    }

    /// Lets other files import this one's items from `module`.
    pub(crate) fn exported_as(mut self, module: &str) -> Self {
        self.exported_as = Some(module.to_owned());
        self
    }

    /// Adds one or more items.
    pub(crate) fn push(&mut self, item: TokenStream) {
        self.items.push(item);
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// Names of the functions, types and statics that the file defines.
    fn defined(&self) -> BTreeSet<String> {
        let mut names = BTreeSet::new();
        for item in &self.items {
            let mut after_keyword = false;
            for token in item.clone() {
                if let TokenTree::Ident(ident) = &token {
                    let word = ident.to_string();
                    if after_keyword {
                        names.insert(word.clone());
                    }
                    after_keyword = matches!(word.as_str(), "fn" | "mod" | "struct" | "static" | "trait" | "type");
                }
            }
        }
        names
    }

    /// Formats the items, one at a time, with a blank line between them; `use` lines stand together.
    pub(crate) fn finish(self, registry_version: &str, imports: &Imports) -> OutputFile {
        let mut text = format!(
            "// @generated by venus-gen from registry/vk.xml ({registry_version}). Do not edit.\n\
             // Regenerate: cargo xtask codegen\n\n"
        );
        for line in self.docs.lines() {
            text.push_str(&if line.is_empty() { "//!\n".to_owned() } else { format!("//! {line}\n") });
        }
        let mut after_use = false;
        for tokens in [imports.of(&self)].into_iter().chain(self.items) {
            let parsed: syn::File = match syn::parse2(tokens.clone()) {
                Ok(file) => file,
                Err(error) => panic!("emitters produce valid Rust, but {}: {error}\n{tokens}", self.path),
            };
            for item in parsed.items {
                let is_use = matches!(item, syn::Item::Use(_) | syn::Item::Mod(_));
                if !(after_use && is_use) {
                    text.push('\n');
                }
                after_use = is_use;
                let file = syn::File { shebang: None, frontmatter: None, attrs: Vec::new(), items: vec![item] };
                text.push_str(&space_comments(&prettyplease::unparse(&file)));
            }
        }
        OutputFile { path: self.path, text }
    }
}

/// Puts a space after `///`, which a doc attribute made by `quote` lacks.
fn space_comments(text: &str) -> String {
    let mut spaced = String::with_capacity(text.len());
    for line in text.split_inclusive('\n') {
        match line.split_once("///") {
            Some((indent, rest)) if indent.trim().is_empty() && !rest.starts_with([' ', '\n']) => {
                spaced.push_str(indent);
                spaced.push_str("/// ");
                spaced.push_str(rest);
            }
            _ => spaced.push_str(line),
        }
    }
    spaced
}
