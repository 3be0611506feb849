//! `cargo xtask check-publish`: whether the crates for others could be published as they stand.
//!
//! A registry refuses some packages, and takes others of which nobody can tell what they are for; cargo's dry run notices
//! neither. So what a stranger looks for is checked first. Then cargo packs all of them in one go and builds each from
//! its package, with the others' packages as its dependencies. Nothing is uploaded.

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;
use std::path::Path;
use std::process::Command;
use testbed::cargo::cargo;
use testbed::workspace;

/// What every published crate is found by.
const KEYWORDS: [&str; 3] = ["vulkan", "virtio-gpu", "venus"];
/// How many keywords, and how many categories, crates.io takes.
const LABELS: usize = 5;
/// What no package may lack, beside its manifest and sources.
const TEXTS: [&str; 3] = ["README.md", "LICENSE-APACHE", "LICENSE-MIT"];

/// Pack and build the crates that are published, without publishing them.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {}

pub(crate) fn run(_: &Args) -> Result<()> {
    let packages = packages()?;
    let faults: Vec<String> = packages.iter().flat_map(|package| faults(package, &packages)).collect();
    ensure!(faults.is_empty(), "not fit to be published:\n{}", faults.join("\n"));
    let status = Command::new(cargo())
        .current_dir(workspace())
        // What is tried is the state of the sources, committed or not.
        .args(["publish", "--workspace", "--dry-run", "--locked", "--allow-dirty"])
        // Nobody debugs what never runs.
        .env("CARGO_PROFILE_DEV_DEBUG", "0")
        .status()
        .context("starting cargo publish")?;
    ensure!(status.success(), "the packages cannot be published ({status})");
    Ok(())
}

/// What cargo knows about the members of the workspace.
fn packages() -> Result<Vec<Value>> {
    let output = Command::new(cargo())
        .current_dir(workspace())
        .args(["metadata", "--no-deps", "--locked", "--format-version", "1"])
        .output()
        .context("starting cargo metadata")?;
    ensure!(output.status.success(), "cargo metadata: {}", String::from_utf8_lossy(&output.stderr).trim());
    let metadata: Value = serde_json::from_slice(&output.stdout).context("reading what cargo metadata says")?;
    Ok(list(&metadata["packages"]).to_vec())
}

/// What is wrong with a package, if it is one to publish.
fn faults(package: &Value, packages: &[Value]) -> Vec<String> {
    if !is_published(package) {
        return Vec::new();
    }
    let name = text(&package["name"]);
    let mut faults = Vec::new();
    let mut fault = |what: String| faults.push(format!("  {name}: {what}"));
    for member in ["description", "license", "readme", "rust_version"] {
        if text(&package[member]).is_empty() {
            fault(format!("has no {member}"));
        }
    }
    let keywords: Vec<&str> = list(&package["keywords"]).iter().map(text).collect();
    for keyword in KEYWORDS.iter().filter(|keyword| !keywords.contains(keyword)) {
        fault(format!("lacks the keyword {keyword}"));
    }
    for (labels, found) in [("keywords", keywords.len()), ("categories", list(&package["categories"]).len())] {
        if !(1..=LABELS).contains(&found) {
            fault(format!("has {found} {labels}, where crates.io takes up to {LABELS}"));
        }
    }
    let folder = Path::new(text(&package["manifest_path"])).parent().unwrap_or(Path::new(""));
    for missing in TEXTS.iter().filter(|text| !folder.join(text).is_file()) {
        fault(format!("has no {missing}"));
    }
    for dependency in list(&package["dependencies"]).iter().filter(|dependency| !dependency["path"].is_null()) {
        let wanted = text(&dependency["name"]);
        let is_for_tests = dependency["kind"] == "dev";
        let published = packages.iter().any(|other| other["name"] == wanted && is_published(other));
        let has_version = dependency["req"] != "*";
        if published && !has_version {
            fault(format!("depends on {wanted} without a version"));
        } else if !published && !is_for_tests {
            fault(format!("depends on {wanted}, which is not published"));
        } else if !published && has_version {
            fault(format!(
                "names a version of {wanted}, which is not published, so the package could not leave it out"
            ));
        }
    }
    faults
}

/// Cargo knows nothing of a package that may go anywhere, and an empty list of registries for one that may not.
fn is_published(package: &Value) -> bool {
    package["publish"].is_null()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map(Vec::as_slice).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// A package without fault in a folder of its own, and what it is found wrong with once `spoil` has had it.
    fn check(spoil: impl FnOnce(&mut Value)) -> Vec<String> {
        let folder = tempfile::tempdir().unwrap();
        for text in TEXTS {
            std::fs::write(folder.path().join(text), "text").unwrap();
        }
        let mut package = json!({
            "name": "made-up", "manifest_path": folder.path().join("Cargo.toml"), "publish": null,
            "description": "A crate.", "license": "MIT", "readme": "README.md", "rust_version": "1.95",
            "keywords": KEYWORDS, "categories": ["graphics"],
            "dependencies": [
                { "name": "sibling", "path": "/sibling", "req": "^0.1.0", "kind": null },
                { "name": "chores", "path": "/chores", "req": "*", "kind": "dev" },
                { "name": "elsewhere", "req": "^1", "kind": null },
            ],
        });
        spoil(&mut package);
        let others = [json!({ "name": "sibling", "publish": null }), json!({ "name": "chores", "publish": [] })];
        faults(&package, &others)
    }

    #[test]
    fn a_package_without_fault_has_none() {
        assert_eq!(check(|_| {}), [""; 0]);
    }

    #[test]
    fn what_is_not_published_may_lack_everything() {
        assert_eq!(check(|package| *package = json!({ "name": "made-up", "publish": [] })), [""; 0]);
    }

    #[test]
    fn what_a_stranger_looks_for_is_missed() {
        let found = check(|package| {
            package["description"] = Value::Null;
            package["keywords"] = json!(["vulkan", "venus"]);
            package["categories"] = json!([]);
            package["manifest_path"] = "/nowhere/Cargo.toml".into();
        });
        assert_eq!(
            found,
            [
                "  made-up: has no description",
                "  made-up: lacks the keyword virtio-gpu",
                "  made-up: has 0 categories, where crates.io takes up to 5",
                "  made-up: has no README.md",
                "  made-up: has no LICENSE-APACHE",
                "  made-up: has no LICENSE-MIT",
            ]
        );
    }

    #[test]
    fn dependencies_have_versions_exactly_where_they_are_published() {
        let found = check(|package| {
            package["dependencies"][0]["req"] = "*".into();
            package["dependencies"][1]["req"] = "^0.1.0".into();
        });
        assert!(found[0].ends_with("depends on sibling without a version"), "{found:?}");
        assert!(found[1].contains("names a version of chores"), "{found:?}");
        let found = check(|package| package["dependencies"][1]["kind"] = Value::Null);
        assert_eq!(found, ["  made-up: depends on chores, which is not published"]);
    }

    #[test]
    fn the_crates_for_others_are_published_and_no_further() {
        let packages = packages().unwrap();
        let mut names: Vec<&str> =
            packages.iter().filter(|package| is_published(package)).map(|p| text(&p["name"])).collect();
        names.sort_unstable();
        assert_eq!(
            names,
            ["venus-command", "venus-gen", "venus-guest", "venus-host", "venus-observe", "venus-protocol"]
        );
        let faults: Vec<String> = packages.iter().flat_map(|package| faults(package, &packages)).collect();
        assert_eq!(faults, [""; 0]);
    }
}
