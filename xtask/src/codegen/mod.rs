//! `cargo xtask codegen`: regenerates what follows from the registry, or checks that it is fresh.
//!
//! That is `venus-protocol/src/generated` and the entry points of the tests' driver, whose folders hold nothing else, and
//! `docs/generated-code.md`, which quotes the former. The generator is a library that knows no files; here is everything
//! that reads and writes them.

mod document;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, bail};
use venus_gen::{Inputs, LevelCounts};

use crate::fresh::{self, Expected};

/// The folder that holds nothing but generated files.
const GENERATED: &str = "venus-protocol/src/generated";
/// The folder of the entry points of a driver that notes its calls.
const MOCK: &str = "tests/mock-driver/src/generated";
/// The document that shows the registry beside what is made of it.
const DOCUMENT: &str = "docs/generated-code.md";

/// Options of `codegen`.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Write nothing; fail if a file is edited, missing, or no longer generated.
    #[arg(long)]
    check: bool,
    /// The folder with vk.xml and venus.xml, to see what another registry would give.
    #[arg(long, value_name = "FOLDER")]
    registry: Option<PathBuf>,
    /// The folder to write to instead of the workspace, or to check.
    #[arg(long, value_name = "FOLDER")]
    out: Option<PathBuf>,
}

pub(crate) fn run(args: &Args) -> anyhow::Result<()> {
    let workspace = testbed::workspace();
    let registry = args.registry.clone().unwrap_or_else(|| workspace.join("registry"));
    let inputs = inputs(&registry, &workspace)?;
    let output = venus_gen::generate(&inputs)?;
    print_counts(&output.levels);
    let document = document::write(&inputs, &output.files)?;
    let generated = output.files.into_iter().map(|file| (format!("{GENERATED}/{}", file.path), file.text));
    let mock = output.mock.into_iter().map(|file| (format!("{MOCK}/{}", file.path), file.text));
    let expected = Expected {
        files: generated.chain(mock).chain([(DOCUMENT.to_owned(), document)]).collect(),
        folders: vec![GENERATED.to_owned(), MOCK.to_owned()],
    };
    let root = args.out.clone().unwrap_or(workspace);
    let stale = fresh::compare(&root, &expected)?;
    if args.check { fresh::check(&stale, "cargo xtask codegen") } else { fresh::write(&root, &stale) }
}

fn inputs(registry: &Path, workspace: &Path) -> anyhow::Result<Inputs> {
    let read = |name: &str| -> anyhow::Result<(String, String)> {
        let path = registry.join(name);
        let text = fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
        Ok((format!("registry/{name}"), text))
    };
    Ok(Inputs { vk_xml: read("vk.xml")?, venus_xml: read("venus.xml")?, ash: ash_sources(workspace)? })
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
    let metadata: serde_json::Value =
        serde_json::from_slice(&output.stdout).context("cargo metadata printed no JSON")?;
    let packages = metadata["packages"].as_array().map_or(&[][..], Vec::as_slice);
    let ash = packages.iter().find(|package| package["name"] == "ash");
    let manifest = ash.and_then(|ash| ash["manifest_path"].as_str()).context("the workspace does not depend on ash")?;
    let folder = Path::new(manifest).with_file_name("src").join("vk");
    let mut sources = BTreeMap::new();
    for entry in fs::read_dir(&folder).with_context(|| format!("cannot list {}", folder.display()))? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        // Bindgen's view of the C headers, debug names, and macros declare nothing we use.
        if !matches!(name.as_str(), "native.rs" | "const_debugs.rs" | "macros.rs" | "prelude.rs") {
            let text = fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
            sources.insert(format!("ash/src/vk/{name}"), text);
        }
    }
    Ok(sources.into_iter().collect())
}

#[expect(clippy::print_stdout, reason = "the table is what the command is asked for")]
fn print_counts(levels: &[LevelCounts]) {
    let line = |name: &str, values: &mut dyn Iterator<Item = usize>| {
        println!("{name:<15}{}", values.map(|value| format!(" {value:>5}")).collect::<String>());
    };
    line("level", &mut levels.iter().map(|level| level.number as usize));
    for (nth, (name, _)) in levels.last().iter().flat_map(|newest| &newest.counts).enumerate() {
        line(name, &mut levels.iter().filter_map(|level| level.counts.get(nth).map(|(_, value)| *value)));
    }
}

#[cfg(test)]
mod tests {
    use super::{Args, run};

    #[test]
    fn generated_files_are_fresh() {
        let args = Args { check: true, registry: None, out: None };
        run(&args).expect("the checked-in files are what the generator makes; run `cargo xtask codegen`");
    }
}
