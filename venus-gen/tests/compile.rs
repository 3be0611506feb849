//! The code of all fixtures compiles, against the protocol crate's hand-written runtime.
//!
//! The fixtures become one registry, and what is generated from it takes the place of `venus-protocol/src/generated` in
//! a copy of that crate. The copy lies in cargo's folder for test data, so that its dependencies are built once.

mod common;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use common::Registry;

fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Copies `from` to `to`, except for the folder of generated files.
fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("creates a folder");
    for entry in fs::read_dir(from).expect("lists a folder") {
        let entry = entry.expect("readable");
        let (source, target) = (entry.path(), to.join(entry.file_name()));
        if entry.file_name() == "generated" {
            continue;
        }
        if source.is_dir() {
            copy(&source, &target);
        } else {
            fs::copy(&source, &target).expect("copies a file");
        }
    }
}

/// A workspace with nothing but a copy of the protocol crate, for the given registry.
fn protocol_crate(registry: &Registry) -> PathBuf {
    let root = Path::new(env!("CARGO_TARGET_TMPDIR")).join("fixtures");
    let package = root.join("venus-protocol");
    if package.exists() {
        fs::remove_dir_all(&package).expect("removes the copy of an earlier run");
    }
    copy(&workspace().join("venus-protocol/src"), &package.join("src"));
    let manifest = fs::read_to_string(workspace().join("venus-protocol/Cargo.toml")).expect("reads the manifest");
    // What its tests need is not in the copy.
    let (manifest, _) = manifest.split_once("[dev-dependencies]").expect("the crate has tests");
    fs::write(package.join("Cargo.toml"), manifest).expect("writes the manifest");
    fs::copy(workspace().join("Cargo.lock"), root.join("Cargo.lock")).expect("copies the lock file");
    let manifest = fs::read_to_string(workspace().join("Cargo.toml")).expect("reads the workspace's manifest");
    let members = manifest.lines().find(|line| line.starts_with("members = ")).expect("the workspace has members");
    let manifest = manifest.replace(members, "members = [\"venus-protocol\"]");
    fs::write(root.join("Cargo.toml"), manifest).expect("writes the manifest");
    let output = venus_gen::generate(&registry.inputs()).unwrap_or_else(|problems| panic!("{problems}"));
    for file in &output.files {
        let target = package.join("src/generated").join(&file.path);
        fs::create_dir_all(target.parent().expect("files lie in a folder")).expect("creates a folder");
        fs::write(target, &file.text).expect("writes a file");
    }
    root
}

#[test]
fn fixtures_compile() {
    let root = protocol_crate(&Registry::new(&common::names()));
    let check = Command::new(env!("CARGO"))
        .args(["check", "--offline", "--lib", "--all-features", "-p", "venus-protocol", "--target-dir"])
        .arg(root.join("target"))
        .current_dir(&root)
        .env_remove("CARGO_TARGET_DIR")
        .env_remove("RUSTFLAGS")
        .output()
        .expect("cargo runs");
    let report = String::from_utf8_lossy(&check.stderr);
    assert!(check.status.success(), "the code of the fixtures does not compile:\n{report}");
    // The runtime holds more than the fixtures use; the generated code must not.
    let blocks = report.split("\n\n").filter(|block| block.starts_with("warning"));
    let warnings: Vec<&str> = blocks.filter(|block| block.contains("src/generated/")).collect();
    assert!(warnings.is_empty(), "the code of the fixtures has warnings:\n{}", warnings.join("\n\n"));
}
