//! What a source file names: every path in it, wherever it stands.
//!
//! Imports are taken apart to single names: groups, nesting, renaming, globs and `self`. Paths in code, in types and in
//! attributes follow, and those in the bodies of macros, as far as their tokens look like paths. Comments and
//! documentation are free to name anything.

use proc_macro2::{TokenStream, TokenTree};
use syn::visit::{self, Visit};
use syn::{Attribute, ImplItemFn, Item, ItemMod, ItemUse, Macro, Meta, Path, UseTree, VisRestricted};

/// Where a module lies in its crate; the crate's root is empty.
pub(crate) type Module = Vec<String>;

/// A path that stands somewhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Named {
    pub(crate) line: usize,
    /// As it is written; what a glob names is the path before it.
    pub(crate) path: Vec<String>,
    /// Everything below the path is named.
    pub(crate) glob: bool,
    /// The module that it stands in.
    pub(crate) module: Module,
    /// Only tests are compiled with it.
    pub(crate) test: bool,
}

/// What an import calls something in its module.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Alias {
    pub(crate) module: Module,
    pub(crate) name: String,
    pub(crate) path: Vec<String>,
}

/// All of it, of one file.
#[derive(Debug, Default)]
pub(crate) struct Names {
    pub(crate) paths: Vec<Named>,
    pub(crate) aliases: Vec<Alias>,
    /// Modules that are declared: here, or in a file of their own.
    pub(crate) modules: Vec<Module>,
    /// Those of them that only tests are compiled with.
    pub(crate) tests: Vec<Module>,
}

/// Reads a file, which is the module `module`.
pub(crate) fn read(text: &str, module: Module) -> syn::Result<Names> {
    let file = syn::parse_file(text)?;
    let mut reader = Reader { names: Names::default(), module, test: false };
    reader.visit_file(&file);
    Ok(reader.names)
}

struct Reader {
    names: Names,
    module: Module,
    test: bool,
}

impl Reader {
    fn name(&mut self, line: usize, path: Vec<String>, glob: bool) {
        // A single word is a name of this module, or an import said what it is.
        if path.len() > 1 || glob {
            self.names.paths.push(Named { line, path, glob, module: self.module.clone(), test: self.test });
        }
    }

    /// Reads what may be for tests alone.
    fn guarded(&mut self, attributes: &[Attribute], read: impl FnOnce(&mut Self)) {
        let outside = self.test;
        self.test |= attributes.iter().any(is_for_tests);
        read(self);
        self.test = outside;
    }

    fn import(&mut self, tree: &UseTree, prefix: &[String]) {
        let with = |name: &syn::Ident| {
            let own = (name != "self").then(|| name.to_string());
            prefix.iter().cloned().chain(own).collect::<Vec<String>>()
        };
        match tree {
            UseTree::Path(tree) => {
                // `self` and `super` lead the way at the beginning.
                let path = if prefix.is_empty() { vec![tree.ident.to_string()] } else { with(&tree.ident) };
                self.import(&tree.tree, &path);
            }
            UseTree::Name(tree) => {
                let path = with(&tree.ident);
                self.alias(path.last().cloned(), &path);
                self.name_import(&tree.ident, path);
            }
            UseTree::Rename(tree) => {
                let path = with(&tree.ident);
                self.alias(Some(tree.rename.to_string()), &path);
                self.name_import(&tree.ident, path);
            }
            UseTree::Glob(tree) => {
                let line = tree.star_token.span.start().line;
                self.alias(Some("*".to_owned()), prefix);
                self.name(line, prefix.to_vec(), true);
            }
            UseTree::Group(tree) => tree.items.iter().for_each(|tree| self.import(tree, prefix)),
        }
    }

    /// A whole crate is one word, and an import of it all the same.
    fn name_import(&mut self, last: &syn::Ident, path: Vec<String>) {
        let (module, test) = (self.module.clone(), self.test);
        self.names.paths.push(Named { line: last.span().start().line, path, glob: false, module, test });
    }

    fn alias(&mut self, name: Option<String>, path: &[String]) {
        if let Some(name) = name {
            self.names.aliases.push(Alias { module: self.module.clone(), name, path: path.to_vec() });
        }
    }

    /// Finds what looks like a path: words with `::` between them, and groups of those after a last `::`.
    fn tokens(&mut self, tokens: TokenStream, prefix: &[String]) {
        let tokens: Vec<TokenTree> = tokens.into_iter().collect();
        let is = |at: usize, wanted: char| matches!(tokens.get(at), Some(TokenTree::Punct(punct)) if punct.as_char() == wanted);
        let mut at = 0;
        while let Some(token) = tokens.get(at) {
            let line = token.span().start().line;
            if let TokenTree::Group(group) = token {
                self.tokens(group.stream(), &[]);
            }
            let mut path = prefix.to_vec();
            let mut open = false;
            while let Some(TokenTree::Ident(word)) = tokens.get(at) {
                path.push(word.to_string());
                open = is(at + 1, ':') && is(at + 2, ':');
                at += if open { 3 } else { 1 };
                if !open {
                    break;
                }
            }
            match tokens.get(at) {
                _ if path.len() == prefix.len() => at += 1,
                Some(TokenTree::Group(group)) if open => {
                    self.tokens(group.stream(), &path);
                    at += 1;
                }
                _ => self.name(line, path, open && is(at, '*')),
            }
        }
    }
}

impl<'ast> Visit<'ast> for Reader {
    fn visit_item(&mut self, item: &'ast Item) {
        self.guarded(attributes(item), |reader| visit::visit_item(reader, item));
    }

    fn visit_impl_item_fn(&mut self, item: &'ast ImplItemFn) {
        self.guarded(&item.attrs, |reader| visit::visit_impl_item_fn(reader, item));
    }

    fn visit_item_mod(&mut self, item: &'ast ItemMod) {
        self.module.push(item.ident.to_string());
        self.names.modules.push(self.module.clone());
        if self.test {
            self.names.tests.push(self.module.clone());
        }
        visit::visit_item_mod(self, item);
        self.module.pop();
    }

    fn visit_item_use(&mut self, item: &'ast ItemUse) {
        self.import(&item.tree, &[]);
    }

    fn visit_path(&mut self, path: &'ast Path) {
        let line = path.segments.first().map_or(0, |segment| segment.ident.span().start().line);
        self.name(line, path.segments.iter().map(|segment| segment.ident.to_string()).collect(), false);
        visit::visit_path(self, path);
    }

    fn visit_macro(&mut self, item: &'ast Macro) {
        self.visit_path(&item.path);
        // What a generator writes is named where it will stand.
        if item.path.segments.last().is_none_or(|name| name.ident != "quote") {
            self.tokens(item.tokens.clone(), &[]);
        }
    }

    fn visit_attribute(&mut self, attribute: &'ast Attribute) {
        if let Meta::List(list) = &attribute.meta {
            self.tokens(list.tokens.clone(), &[]);
        }
    }

    /// Who may see something says nothing of what it needs.
    fn visit_vis_restricted(&mut self, _: &'ast VisRestricted) {}
}

/// `#[test]`, `#[cfg(test)]`, and `#[cfg(all(test, ...))]`.
fn is_for_tests(attribute: &Attribute) -> bool {
    match &attribute.meta {
        Meta::Path(path) => path.is_ident("test"),
        Meta::List(list) if list.path.is_ident("cfg") => {
            let condition = list.tokens.to_string().replace(' ', "");
            condition == "test" || condition.starts_with("all(test,")
        }
        _ => false,
    }
}

fn attributes(item: &Item) -> &[Attribute] {
    match item {
        Item::Const(item) => &item.attrs,
        Item::Enum(item) => &item.attrs,
        Item::Fn(item) => &item.attrs,
        Item::Impl(item) => &item.attrs,
        Item::Macro(item) => &item.attrs,
        Item::Mod(item) => &item.attrs,
        Item::Static(item) => &item.attrs,
        Item::Struct(item) => &item.attrs,
        Item::Trait(item) => &item.attrs,
        Item::Type(item) => &item.attrs,
        Item::Use(item) => &item.attrs,
        _ => &[],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Line and path of everything that `text` names; `*` stands for a glob, and `#` for tests alone.
    fn named(text: &str) -> Vec<String> {
        let names = read(text, vec!["room".to_owned()]).unwrap();
        let show = |named: &Named| {
            let (star, test) = (if named.glob { "::*" } else { "" }, if named.test { " #" } else { "" });
            format!("{}: {}{star}{test}", named.line, named.path.join("::"))
        };
        names.paths.iter().map(show).collect()
    }

    #[test]
    fn imports_are_taken_apart() {
        let text = "use crate::{a::{self, B as C},\n d::*};\nuse super::e;\nuse self::f::G;\nuse ash;";
        let expected = ["1: crate::a", "1: crate::a::B", "2: crate::d::*", "3: super::e", "4: self::f::G", "5: ash"];
        assert_eq!(named(text), expected);
    }

    #[test]
    fn paths_are_found_in_code_types_and_attributes() {
        let text = "#[derive(serde::Serialize)]\nstruct A(crate::b::C<x::Y>);\nfn f() { std::fs::read(1); g(); }";
        assert_eq!(named(text), ["1: serde::Serialize", "2: crate::b::C", "2: x::Y", "3: std::fs::read"]);
    }

    #[test]
    fn bodies_of_macros_are_read_as_tokens() {
        let text = "macro_rules! m { ($a:ident) => { $crate::a::b!($a) } }\nfn f() { vec![crate::c::D { e: f::G }] }\n\
                    n! { use crate::{h::I, j::*}; }";
        let expected = ["1: crate::a::b", "2: crate::c::D", "2: f::G", "3: crate::h::I", "3: crate::j::*"];
        assert_eq!(named(text), expected);
    }

    #[test]
    fn generated_code_names_things_where_it_will_stand() {
        assert_eq!(named("fn f() { quote!(use crate::a::b;); g::quote! { crate::a::b } }"), ["1: g::quote"]);
    }

    #[test]
    fn what_is_for_tests_alone_is_told_apart_and_what_follows_is_not() {
        let text = "#[cfg(test)]\nmod tests { use crate::a::B; }\nuse crate::c::D;\n#[cfg(not(test))]\nuse crate::e::F;\n\
                    #[cfg(test)]\nmod elsewhere;";
        assert_eq!(named(text), ["2: crate::a::B #", "3: crate::c::D", "5: crate::e::F"]);
        let names = read(text, vec!["room".to_owned()]).unwrap();
        assert_eq!(names.tests, [["room", "tests"], ["room", "elsewhere"]]);
    }

    #[test]
    fn comments_and_visibility_name_nothing() {
        assert_eq!(named("//! crate::a::b\n/// [crate::a::b]\npub(in crate::c) fn f() {}"), [""; 0]);
    }
}
