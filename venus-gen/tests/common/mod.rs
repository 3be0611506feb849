//! Fixtures: small registries of one idea each, completed into what the generator reads.
//!
//! A fixture file holds a `<registry>` and a `<venus>`. The harness puts `prelude.xml` in front of the one, and the
//! version attributes and the counts into the other, so that a fixture shows its idea and nothing else.
#![allow(dead_code, reason = "every test file is a crate of its own and uses a part of this")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use venus_gen::Inputs;

const PRELUDE: &str = include_str!("../fixtures/prelude.xml");

/// The names of all fixtures: every file of `tests/fixtures` but the prelude, sorted.
pub(crate) fn names() -> Vec<String> {
    let folder = fs::read_dir(folder()).expect("the fixtures exist");
    let paths = folder.map(|entry| entry.expect("readable").path());
    let xml = paths.filter(|path| path.extension().is_some_and(|extension| extension == "xml"));
    let mut names: Vec<String> =
        xml.map(|path| path.file_stem().expect("has a name").to_string_lossy().into_owned()).collect();
    names.retain(|name| name != "prelude");
    names.sort();
    names
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures")
}

/// The two documents of a registry, as the generator takes them.
#[derive(Clone)]
pub(crate) struct Registry {
    pub(crate) vk: String,
    pub(crate) venus: String,
}

impl Registry {
    /// One fixture.
    pub(crate) fn of(name: &str) -> Self {
        Self::new(&[name.to_owned()])
    }

    /// Several fixtures as one registry.
    pub(crate) fn new(names: &[String]) -> Self {
        let texts: Vec<String> = names.iter().map(|name| read(name)).collect();
        let join = |tag| texts.iter().map(|text| inside(text, tag)).collect::<String>();
        Self { vk: vk(&join("registry")), venus: venus(&join("venus")) }.counted()
    }

    /// A registry of these declarations and definitions, with the counts that they amount to.
    pub(crate) fn from_parts(registry: &str, definitions: &str) -> Self {
        Self { vk: vk(registry), venus: venus(definitions) }.counted()
    }

    /// Fills in the counts that the generator derives.
    fn counted(self) -> Self {
        let Err(problems) = venus_gen::check_registry(("vk.xml", &self.vk), ("venus.xml", &self.venus)) else {
            return self;
        };
        let mut venus = self.venus.clone();
        for level in LEVELS {
            let counts = problems.as_slice().iter().filter_map(|problem| {
                let name = problem.element.strip_prefix(&format!("level {level}/"))?;
                let value = problem.message.strip_prefix("not declared, derived ")?;
                Some(format!(" {name}=\"{value}\""))
            });
            let row = level_row(level);
            venus = venus.replace(&row, &format!("{}{}/>", row.trim_end_matches("/>"), counts.collect::<String>()));
        }
        Self { venus, ..self }
    }

    /// The resolved model and the wire plan as text.
    pub(crate) fn describe(&self) -> String {
        venus_gen::describe(("vk.xml", &self.vk), ("venus.xml", &self.venus))
            .unwrap_or_else(|problems| panic!("{problems}"))
    }

    /// The problems, each as it is printed.
    pub(crate) fn problems(&self) -> Vec<String> {
        match venus_gen::check_registry(("vk.xml", &self.vk), ("venus.xml", &self.venus)) {
            Ok(()) => Vec::new(),
            Err(problems) => problems.as_slice().iter().map(ToString::to_string).collect(),
        }
    }

    /// What the generator is run with.
    pub(crate) fn inputs(&self) -> Inputs {
        Inputs {
            vk_xml: ("registry/vk.xml".to_owned(), self.vk.clone()),
            venus_xml: ("registry/venus.xml".to_owned(), self.venus.clone()),
            ash: ash_sources(),
        }
    }
}

fn vk(declarations: &str) -> String {
    format!("<registry>\n{PRELUDE}{declarations}</registry>\n")
}

fn venus(definitions: &str) -> String {
    let levels = LEVELS.map(level_row).join("\n");
    format!("<venus wire-format=\"1\">\n<levels>\n{levels}\n</levels>\n{definitions}</venus>\n")
}

/// The levels of every fixture, which has most of what it shows at both.
const LEVELS: [u32; 2] = [1, 2];

fn level_row(number: u32) -> String {
    format!("<level number=\"{number}\" xml-version=\"1.4.307\"/>")
}

fn read(name: &str) -> String {
    let path = folder().join(format!("{name}.xml"));
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn inside<'t>(text: &'t str, tag: &str) -> &'t str {
    let (open, close) = (format!("<{tag}>\n"), format!("</{tag}>\n"));
    let (_, rest) = text.split_once(&open).unwrap_or_else(|| panic!("a fixture has a <{tag}> on a line of its own"));
    rest.split_once(&close).expect("and its end tag").0
}

/// The repository's own registry.
pub(crate) fn real() -> Registry {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../registry");
    let read = |name: &str| fs::read_to_string(folder.join(name)).expect("the registry is checked in");
    Registry { vk: read("vk.xml"), venus: read("venus.xml") }
}

/// The declarations of the ash release that the workspace uses.
pub(crate) fn ash_sources() -> Vec<(String, String)> {
    static SOURCES: OnceLock<Vec<(String, String)>> = OnceLock::new();
    SOURCES.get_or_init(read_ash).clone()
}

/// Asks cargo where it keeps ash: for a workspace of nothing else, since cargo looks only for what it has downloaded, and
/// of this workspace's packages it has no more than the command needed that runs this test. ash it has, as these tests
/// depend on it.
fn read_ash() -> Vec<(String, String)> {
    let root = ash_workspace();
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--offline"])
        .current_dir(&root)
        .output()
        .expect("cargo runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata = String::from_utf8(output.stdout).expect("cargo prints UTF-8");
    // The one path of a manifest in a folder named ash-<version>.
    let paths = metadata.split("\"manifest_path\":\"").skip(1).filter_map(|rest| rest.split('"').next());
    let manifest = paths
        .map(Path::new)
        .find(|path| {
            path.parent().and_then(Path::file_name).is_some_and(|name| name.to_string_lossy().starts_with("ash-0"))
        })
        .expect("the workspace depends on ash");
    let folder = manifest.with_file_name("src").join("vk");
    ["aliases.rs", "bitflags.rs", "constants.rs", "definitions.rs", "enums.rs", "extensions.rs", "features.rs"]
        .into_iter()
        .filter_map(|name| Some((name.to_owned(), fs::read_to_string(folder.join(name)).ok()?)))
        .collect()
}

/// A workspace of one empty package that depends on ash as the whole workspace does.
fn ash_workspace() -> PathBuf {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let manifest = fs::read_to_string(workspace.join("Cargo.toml")).expect("reads the workspace's manifest");
    let ash = manifest.lines().find(|line| line.starts_with("ash = ")).expect("the workspace depends on ash");
    let manifest = format!(
        "[workspace]\n[package]\nname = \"uses\"\nversion = \"0.0.0\"\nedition = \"2024\"\n\
         [lib]\npath = \"lib.rs\"\n[dependencies]\n{ash}\n"
    );
    // Each test program has a folder of its own, since they may run at the same time.
    let root = Path::new(env!("CARGO_TARGET_TMPDIR")).join(concat!("ash-for-", env!("CARGO_CRATE_NAME")));
    fs::create_dir_all(&root).expect("creates a folder");
    fs::write(root.join("Cargo.toml"), manifest).expect("writes the manifest");
    fs::write(root.join("lib.rs"), "").expect("writes a file");
    fs::copy(workspace.join("Cargo.lock"), root.join("Cargo.lock")).expect("copies the lock file");
    root
}
