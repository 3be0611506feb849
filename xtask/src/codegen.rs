//! `cargo xtask codegen`: regenerates `venus-protocol/src/generated`, or checks that it is fresh.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, bail};
use similar::TextDiff;
use venus_gen::{Inputs, OutputFile};

/// The folder that holds nothing but generated files.
const GENERATED: &str = "venus-protocol/src/generated";

/// Options of `codegen`.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Write nothing; fail if a file is edited, missing, or no longer generated.
    #[arg(long)]
    check: bool,
}

pub(crate) fn run(args: &Args) -> anyhow::Result<()> {
    let root = workspace_root();
    let output = match venus_gen::generate(&inputs(&root)?) {
        Ok(output) => output,
        Err(problems) => bail!("{problems}"),
    };
    print_counts(&output.counts);
    let folder = root.join(GENERATED);
    let stale = compare(&folder, &output.files)?;
    if args.check { report(&stale) } else { write(&folder, &stale) }
}

/// The workspace's top-level folder.
pub(crate) fn workspace_root() -> PathBuf {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
    manifest.parent().expect("xtask is a folder of the workspace").to_owned()
}

fn inputs(root: &Path) -> anyhow::Result<Inputs> {
    let read = |name: &str| -> anyhow::Result<(String, String)> {
        let path = root.join("registry").join(name);
        let text = fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
        Ok((format!("registry/{name}"), text))
    };
    Ok(Inputs { vk_xml: read("vk.xml")?, venus_xml: read("venus.xml")?, ash: ash_sources(root)? })
}

/// The declarations of the ash release that `Cargo.lock` names, wherever cargo keeps it.
fn ash_sources(root: &Path) -> anyhow::Result<Vec<(String, String)>> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args(["metadata", "--format-version", "1", "--locked"])
        .current_dir(root)
        .output()
        .context("cannot run cargo metadata")?;
    if !output.status.success() {
        bail!("cargo metadata failed:\n{}", String::from_utf8_lossy(&output.stderr));
    }
    let metadata: serde_json::Value = serde_json::from_slice(&output.stdout).context("cargo metadata printed no JSON")?;
    let packages = metadata["packages"].as_array().map_or(&[][..], Vec::as_slice);
    let manifest = packages.iter().find(|package| package["name"] == "ash").and_then(|ash| ash["manifest_path"].as_str());
    let folder = Path::new(manifest.context("the workspace does not depend on ash")?).with_file_name("src").join("vk");
    let mut sources = Vec::new();
    for entry in fs::read_dir(&folder).with_context(|| format!("cannot list {}", folder.display()))? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        // Bindgen's view of the C headers, debug names, and macros declare nothing we use.
        if !matches!(name.as_str(), "native.rs" | "const_debugs.rs" | "macros.rs" | "prelude.rs") {
            let text = fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
            sources.push((format!("ash/src/vk/{name}"), text));
        }
    }
    sources.sort();
    Ok(sources)
}

#[expect(clippy::print_stdout, reason = "the table is what the command is asked for")]
fn print_counts(counts: &[(&str, usize)]) {
    println!("{:<15} {:>5}", "count", "value");
    for (name, value) in counts {
        println!("{name:<15} {value:>5}");
    }
}

/// What is wrong with a file of the generated folder.
enum Stale {
    /// It differs from what would be generated, or does not exist.
    Differs { path: String, old: Option<String>, new: String },
    /// It would not be generated.
    Orphan { path: String },
}

fn compare(folder: &Path, files: &[OutputFile]) -> anyhow::Result<Vec<Stale>> {
    let mut found = BTreeMap::new();
    collect(folder, folder, &mut found)?;
    let expected: BTreeSet<&str> = files.iter().map(|file| file.path.as_str()).collect();
    let mut stale = Vec::new();
    for file in files {
        let old = found.get(&file.path);
        if old != Some(&file.text) {
            stale.push(Stale::Differs { path: file.path.clone(), old: old.cloned(), new: file.text.clone() });
        }
    }
    let orphans = found.keys().filter(|path| !expected.contains(path.as_str()));
    stale.extend(orphans.map(|path| Stale::Orphan { path: path.clone() }));
    Ok(stale)
}

/// Reads every file below `folder`, keyed by its path relative to `root` with `/`.
fn collect(root: &Path, folder: &Path, found: &mut BTreeMap<String, String>) -> anyhow::Result<()> {
    if !folder.exists() {
        return Ok(());
    }
    for entry in fs::read_dir(folder).with_context(|| format!("cannot list {}", folder.display()))? {
        let path = entry?.path();
        if path.is_dir() {
            collect(root, &path, found)?;
        } else {
            let text = fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
            let relative = path.strip_prefix(root).unwrap_or(&path);
            let parts: Vec<_> = relative.components().map(|part| part.as_os_str().to_string_lossy()).collect();
            found.insert(parts.join("/"), String::from_utf8_lossy(&text).into_owned());
        }
    }
    Ok(())
}

/// Longest part of a diff that is printed per file, in lines.
const MAX_DIFF_LINES: usize = 60;

#[expect(clippy::print_stdout, reason = "the difference is what the command is asked for")]
fn report(stale: &[Stale]) -> anyhow::Result<()> {
    for entry in stale {
        match entry {
            Stale::Orphan { path } => println!("orphan: {GENERATED}/{path} is not generated from the registry"),
            Stale::Differs { path, old: None, .. } => println!("missing: {GENERATED}/{path}"),
            Stale::Differs { path, old: Some(old), new } => {
                println!("edited: {GENERATED}/{path}");
                let diff = TextDiff::from_lines(old.as_str(), new.as_str());
                let diff = diff.unified_diff().header("checked in", "generated").to_string();
                diff.lines().take(MAX_DIFF_LINES).for_each(|line| println!("{line}"));
            }
        }
    }
    match stale.len() {
        0 => Ok(()),
        n => bail!("{n} file(s) of {GENERATED} are stale; run `cargo xtask codegen`"),
    }
}

#[expect(clippy::print_stdout, reason = "says which files changed")]
fn write(folder: &Path, stale: &[Stale]) -> anyhow::Result<()> {
    for entry in stale {
        match entry {
            Stale::Orphan { path } => {
                fs::remove_file(folder.join(path)).with_context(|| format!("cannot remove {path}"))?;
                println!("removed {GENERATED}/{path}");
            }
            Stale::Differs { path, new, .. } => {
                let target = folder.join(path);
                if let Some(parent) = target.parent() {
                    fs::create_dir_all(parent).with_context(|| format!("cannot create {}", parent.display()))?;
                }
                fs::write(&target, new).with_context(|| format!("cannot write {}", target.display()))?;
                println!("wrote {GENERATED}/{path}");
            }
        }
    }
    Ok(())
}
