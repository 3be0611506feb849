//! Tokens to files: header, imports, spacing, formatting. The only road from tokens to text.

use std::collections::{BTreeMap, BTreeSet};

use proc_macro2::{TokenStream, TokenTree};
use quote::quote;

use super::layout::{finish, line_docs, macro_item, macro_static, one_line, without_bang, wrap};
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
    ("crate::dispatch", &["Handler", "commands", "table"]),
    ("crate::generated", &["chains", "minima"]),
    ("crate::procs", &["calls", "procs"]),
    ("crate::vk", &["tagged_structures", "zeroed_unions"]),
    (
        "crate::wire",
        &[
            "Announced",
            "ChainMode",
            "ChainTable",
            "Command",
            "CommandType",
            "Count",
            "DecodeError",
            "Decoder",
            "Encoder",
            "Handle",
            "Handles",
            "Level",
            "NewHandles",
            "Node",
            "Reply",
            "as_mut_ptr_or_null",
            "as_ptr_or_null",
            "chain_tables",
            "filled",
            "nodes",
            "packed_stride",
            "returns",
            "to_ptr",
            "wire_enums",
            "wire_flags",
        ],
    ),
];

/// A trait whose methods are used without naming it, and one such method.
const TRAIT_METHODS: &[(&str, &str)] = &[("Count", "count")];

/// Everything that can be imported: name to module.
#[derive(Debug, Default)]
pub(crate) struct Imports {
    /// By any file.
    public: BTreeMap<String, String>,
    /// By the files that export to the same module.
    shared: BTreeMap<String, String>,
}

impl Imports {
    /// The runtime's names, and those that the given files define.
    pub(crate) fn new(files: &[FileBuilder]) -> Self {
        let runtime = RUNTIME
            .iter()
            .flat_map(|(module, names)| names.iter().map(|name| ((*name).to_owned(), (*module).to_owned())));
        let mut imports = Self { public: runtime.collect(), shared: BTreeMap::new() };
        for file in files {
            let names = if file.is_shared { &mut imports.shared } else { &mut imports.public };
            if let Some(module) = &file.exported_as {
                names.extend(file.defined().into_iter().map(|name| (name, module.clone())));
            }
        }
        imports
    }

    /// The module that a file would import a name from.
    fn module_of(&self, name: &str, file: &FileBuilder) -> Option<&str> {
        let shared = self.shared.get(name).filter(|module| file.exported_as.as_ref() == Some(module));
        shared.or_else(|| self.public.get(name)).map(String::as_str)
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
            if let Some(module) = self.module_of(name, file) {
                modules.entry(module).or_default().push(name);
            }
        }
        let uses = modules.into_iter().flat_map(|(module, names)| {
            let path: TokenStream = module.parse().expect("the modules of the tables above are paths");
            let idents: Vec<_> = names.into_iter().map(ident).collect();
            match module {
                // So that the lines sort by what they import.
                "crate" => idents.iter().map(|ident| quote!(use crate::#ident;)).collect(),
                _ if file.globs.iter().any(|glob| glob == module) => Vec::new(),
                _ => vec![quote!(use #path::{#(#idents),*};)],
            }
        });
        let mut uses: Vec<TokenStream> = uses.collect();
        for glob in &file.globs {
            let path: TokenStream = glob.parse().expect("emitters name modules by their paths");
            uses.push(quote!(use #path::*;));
        }
        uses.sort_by_key(|line| (line.to_string().starts_with("use crate"), one_line(line)));
        uses.into_iter().collect()
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
                into.insert(without_bang(&ident.to_string()).to_owned());
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
    /// Whether only those files do that export to the same module.
    is_shared: bool,
    /// Modules of which the file uses so much that it imports everything.
    globs: Vec<String>,
}

impl FileBuilder {
    /// A file that opens with `docs` as its module documentation.
    pub(crate) fn new(path: impl Into<String>, docs: impl Into<String>) -> Self {
        Self {
            path: path.into(),
            docs: docs.into(),
            items: Vec::new(),
            exported_as: None,
            is_shared: false,
            globs: Vec::new(),
        }
    }

    /// Lets other files import this one's items from `module`.
    pub(crate) fn exported_as(mut self, module: &str) -> Self {
        self.exported_as = Some(module.to_owned());
        self
    }

    /// As [`exported_as`](Self::exported_as), for the other files that are.
    pub(crate) fn shared_as(self, module: &str) -> Self {
        Self { is_shared: true, ..self.exported_as(module) }
    }

    /// Imports everything of `module` rather than name by name.
    pub(crate) fn using_all_of(mut self, module: &str) -> Self {
        self.globs.push(module.to_owned());
        self
    }

    /// Adds one or more items.
    pub(crate) fn push(&mut self, item: TokenStream) {
        self.items.push(item);
    }

    /// Adds a table macro with its rows, if there are any.
    pub(crate) fn push_table(&mut self, name: &str, rows: impl Iterator<Item = TokenStream>) {
        let (name, rows) = (ident(name), rows.collect::<Vec<_>>());
        if !rows.is_empty() {
            self.push(quote!(#name! { #(#rows;)* }));
        }
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
                let word = match &token {
                    TokenTree::Ident(ident) => ident.to_string(),
                    _ => String::new(),
                };
                if after_keyword && !word.is_empty() {
                    names.insert(word.clone());
                }
                after_keyword =
                    matches!(word.as_str(), "const" | "fn" | "mod" | "struct" | "static" | "trait" | "type");
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
        for line in self.docs.lines().flat_map(wrap) {
            text.push_str(&if line.is_empty() { "//!\n".to_owned() } else { format!("//! {line}\n") });
        }
        let mut previous = Group::Other;
        for tokens in [imports.of(&self)].into_iter().chain(self.items) {
            let parsed: syn::File = match syn::parse2(line_docs(tokens.clone())) {
                Ok(file) => file,
                Err(error) => panic!("emitters produce valid Rust, but {}: {error}\n{tokens}", self.path),
            };
            for item in parsed.items {
                let group = Group::of(&item);
                if group == Group::Other || group != previous {
                    text.push('\n');
                }
                previous = group;
                text.push_str(&format_item(item));
            }
        }
        OutputFile { path: self.path, text }
    }
}

/// Items that stand together without blank lines.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Group {
    ForeignImport,
    Import,
    Reexport,
    Module,
    Other,
}

impl Group {
    fn of(item: &syn::Item) -> Self {
        match item {
            syn::Item::Use(item) if !matches!(item.vis, syn::Visibility::Inherited) => Self::Reexport,
            syn::Item::Use(item) => match &item.tree {
                syn::UseTree::Path(path) if path.ident == "crate" => Self::Import,
                _ => Self::ForeignImport,
            },
            syn::Item::Mod(_) => Self::Module,
            _ => Self::Other,
        }
    }
}

fn format_item(item: syn::Item) -> String {
    match &item {
        syn::Item::Macro(item) if item.ident.is_none() && item.attrs.is_empty() => return macro_item(item),
        syn::Item::Static(item) if item.attrs.is_empty() => {
            if let syn::Expr::Macro(value) = &*item.expr {
                return macro_static(item, &value.mac);
            }
        }
        _ => {}
    }
    let file = syn::File { shebang: None, frontmatter: None, attrs: Vec::new(), items: vec![item] };
    finish(&prettyplease::unparse(&file))
}
