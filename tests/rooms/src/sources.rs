//! The sources of one crate, and what a path in them leads to.

use crate::names::{self, Module, Named, Names};
use anyhow::{Context as _, Result};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// Crates that every crate has.
const STANDARD: [&str; 4] = ["std", "core", "alloc", "proc_macro"];

/// One file.
#[derive(Debug)]
pub(crate) struct File {
    /// Its path from the workspace's root.
    pub(crate) name: String,
    pub(crate) module: Module,
    pub(crate) paths: Vec<Named>,
}

/// What a path leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Target {
    /// Something of this crate, from its root.
    Own(Vec<String>),
    /// Something of another crate, whose name comes first.
    Other(Vec<String>),
}

/// The files of a crate.
#[derive(Debug, Default)]
pub struct Sources {
    /// As code calls it.
    krate: String,
    pub(crate) files: Vec<File>,
    /// Crates that it may name.
    others: BTreeSet<String>,
    modules: BTreeSet<Module>,
    aliases: BTreeMap<(Module, String), Vec<Vec<String>>>,
    tests: Vec<Module>,
}

impl Sources {
    /// Reads the crate in `folder`, which is below `workspace`; `krate` is how code calls it.
    ///
    /// # Errors
    ///
    /// A file cannot be read or parsed.
    pub fn read(workspace: &Path, folder: &str, krate: &str) -> Result<Self> {
        let manifest = workspace.join(folder).join("Cargo.toml");
        let manifest = std::fs::read_to_string(&manifest).with_context(|| format!("reading {}", manifest.display()))?;
        let mut sources = Self::new(krate, dependencies(&manifest));
        let root = workspace.join(folder).join("src");
        let mut files = Vec::new();
        rust_files(&root, &mut files)?;
        for file in files {
            let below = file.strip_prefix(&root)?.to_string_lossy().replace('\\', "/");
            let text = std::fs::read_to_string(&file).with_context(|| format!("reading {}", file.display()))?;
            sources.add(&format!("{folder}/src/{below}"), &below, &text)?;
        }
        Ok(sources)
    }

    pub(crate) fn new(krate: &str, dependencies: impl IntoIterator<Item = String>) -> Self {
        let others = dependencies.into_iter().chain(STANDARD.map(str::to_owned)).collect();
        Self { krate: krate.to_owned(), others, modules: [Module::new()].into(), ..Self::default() }
    }

    /// Adds a file that lies `below` the source folder.
    pub(crate) fn add(&mut self, name: &str, below: &str, text: &str) -> Result<()> {
        let module = module_of(below);
        let Names { paths, aliases, modules, tests } =
            names::read(text, module.clone()).with_context(|| format!("parsing {name}"))?;
        self.modules.extend((1..=module.len()).map(|depth| module[..depth].to_vec()));
        self.modules.extend(modules);
        self.tests.extend(tests);
        for alias in aliases {
            self.aliases.entry((alias.module, alias.name)).or_default().push(alias.path);
        }
        self.files.push(File { name: name.to_owned(), module, paths });
        Ok(())
    }

    /// Every module, in a file of its own or not; the root only where it has a file.
    pub(crate) fn modules(&self) -> impl Iterator<Item = &Module> {
        self.modules.iter().filter(|module| !module.is_empty() || self.files.iter().any(|file| file.module.is_empty()))
    }

    /// Whether only tests are compiled with something that a file names.
    pub(crate) fn is_for_tests(&self, named: &Named) -> bool {
        named.test || self.tests.iter().any(|module| named.module.starts_with(module))
    }

    /// What a path leads to from the module that it stands in; nothing for what a type or a prelude holds.
    pub(crate) fn resolve(&self, named: &Named) -> Option<Target> {
        /// Longer ways than this are circles.
        const STEPS: usize = 8;
        self.lookup(&named.module, &named.path, STEPS)
    }

    fn lookup(&self, module: &[String], path: &[String], steps: usize) -> Option<Target> {
        let steps = steps.checked_sub(1)?;
        let (first, rest) = path.split_first()?;
        match first.as_str() {
            "crate" => return self.below_root(rest, steps),
            "self" => return self.below_root(&[module, rest].concat(), steps),
            "super" => {
                let (_, parent) = module.split_last()?;
                // A path that is nothing but `super` still leads somewhere.
                return match rest.first().map(String::as_str) {
                    Some("super") => self.lookup(parent, rest, steps),
                    _ => self.below_root(&[parent, rest].concat(), steps),
                };
            }
            _ => {}
        }
        let child = [module, std::slice::from_ref(first)].concat();
        if self.modules.contains(&child) {
            return self.below_root(&[module, path].concat(), steps);
        }
        // What a type's name stands for was judged where it was imported.
        let is_type = first.starts_with(char::is_uppercase);
        if let Some(target) = (!is_type).then(|| self.through_alias(module, first, rest, steps)).flatten() {
            return Some(target);
        }
        if *first == self.krate {
            return self.below_root(rest, steps);
        }
        if self.others.contains(first) {
            return Some(Target::Other(path.to_vec()));
        }
        // What a glob brings: most often what the module around the tests has.
        let globs = self.aliases.get(&(module.to_vec(), "*".to_owned()));
        globs.into_iter().flatten().find_map(|glob| match self.lookup(module, glob, steps)? {
            Target::Own(from) if from != module => self.lookup(&from, path, steps),
            _ => None,
        })
    }

    fn through_alias(&self, module: &[String], name: &str, rest: &[String], steps: usize) -> Option<Target> {
        let all = self.aliases.get(&(module.to_vec(), name.to_owned()))?;
        // An import of a crate by its own name says nothing new.
        let mut all = all.iter().filter(|path| path.as_slice() != [name]);
        all.find_map(|path| self.lookup(module, &[path.as_slice(), rest].concat(), steps))
    }

    /// What the crate's root only passes on is of the room that it is from.
    fn below_root(&self, path: &[String], steps: usize) -> Option<Target> {
        let Some((first, rest)) = path.split_first() else { return Some(Target::Own(Vec::new())) };
        if !self.modules.contains(std::slice::from_ref(first))
            && let Some(target) = self.through_alias(&[], first, rest, steps)
        {
            return Some(target);
        }
        Some(Target::Own(path.to_vec()))
    }
}

/// `a/b.rs` and `a/b/mod.rs` are the module `a::b`; a library's and a program's first file is the root.
fn module_of(below: &str) -> Module {
    let path = below.strip_suffix(".rs").unwrap_or(below);
    let path = path.strip_suffix("/mod").unwrap_or(path);
    match path {
        "lib" | "main" => Module::new(),
        _ if path.starts_with("bin/") => Module::new(),
        _ => path.split('/').map(str::to_owned).collect(),
    }
}

/// The names that a manifest's dependencies have in code.
fn dependencies(manifest: &str) -> BTreeSet<String> {
    let mut inside = false;
    let mut found = BTreeSet::new();
    for line in manifest.lines() {
        if let Some(section) = line.strip_prefix('[') {
            inside = section.trim_end().ends_with("dependencies]");
        } else if let (true, Some((name, _))) = (inside, line.split_once(['=', '.'])) {
            found.insert(name.trim().replace('-', "_"));
        }
    }
    found
}

/// Collects the Rust files below a folder, by name.
///
/// # Errors
///
/// A folder cannot be listed.
pub fn rust_files(folder: &Path, files: &mut Vec<PathBuf>) -> Result<()> {
    let entries = std::fs::read_dir(folder).with_context(|| format!("listing {}", folder.display()))?;
    let mut paths: Vec<PathBuf> = entries.map(|entry| Ok(entry?.path())).collect::<Result<_>>()?;
    paths.sort();
    for path in paths {
        if path.is_dir() {
            rust_files(&path, files)?;
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What each path of room `a` leads to, in a crate with rooms `a` and `b`.
    fn targets(text: &str) -> Vec<String> {
        let mut sources = Sources::new("house", ["ash".to_owned()]);
        sources.add("lib.rs", "lib.rs", "pub mod a; mod b; pub use b::Thing; pub use ash::vk;").unwrap();
        sources.add("b.rs", "b.rs", "pub struct Thing; pub mod inner {}").unwrap();
        sources.add("a/mod.rs", "a/mod.rs", text).unwrap();
        let resolved = sources.files[2].paths.iter().filter_map(|named| sources.resolve(named));
        let show = |target| match target {
            Target::Own(path) => path.join("::"),
            Target::Other(path) => format!("other {}", path.join("::")),
        };
        resolved.map(show).collect()
    }

    #[test]
    fn paths_lead_to_rooms() {
        assert_eq!(targets("use crate::b::X; use super::b::Y; use self::c::Z;"), ["b::X", "b::Y", "a::c::Z"]);
        assert_eq!(targets("use house::b::X; fn f() { ash::vk::Y::new() }"), ["b::X", "other ash::vk::Y::new"]);
    }

    #[test]
    fn what_the_root_passes_on_is_of_its_room() {
        assert_eq!(targets("use crate::Thing; use crate::vk::Image;"), ["b::Thing", "other ash::vk::Image"]);
    }

    #[test]
    fn new_names_are_followed() {
        assert_eq!(targets("use crate::b as beta; fn f() { beta::inner::g() }"), ["b", "b::inner::g"]);
        assert_eq!(targets("use crate::b; mod t { use super::*; fn f() { b::g() } }"), ["b", "a", "b::g"]);
        assert_eq!(targets("fn f() { Vec::new(); Own::new() } struct Own;"), [""; 0]);
    }

    #[test]
    fn dependencies_are_those_of_all_kinds() {
        let manifest = "[package]\nname = \"x\"\n[dependencies]\na-b.workspace = true\nc = { version = \"1\" }\n\
                        [dev-dependencies]\nd = \"1\"\n[target.'cfg(unix)'.dependencies]\ne = \"1\"\n[lints]\nf = 1\n";
        assert_eq!(dependencies(manifest).into_iter().collect::<Vec<_>>(), ["a_b", "c", "d", "e"]);
    }
}
