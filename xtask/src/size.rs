//! `cargo xtask size`: what the generated crate costs its users, as numbers.
//!
//! The protocol crate is built from nothing in release, with its dependencies, in a target folder of its own: once without
//! features, once with all of them, as the host has it. That build is left there for whoever builds the host next.

use anyhow::{Context as _, Result, ensure};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};
use testbed::cargo::cargo;
use testbed::workspace;

/// A target folder that nobody else uses, so that the build starts from nothing.
const TARGET: &str = "target/size";
/// Where the numbers are kept, as one line of JSON.
const RECORD: &str = "target/size.json";
/// The library that is measured.
const LIBRARY: &str = "release/libvenus_protocol.rlib";
/// What is measured: a name, and what cargo is told of features: in the second, also of those that the host wants of what
/// both depend on.
const VARIANTS: [(&str, &[&str]); 2] = [
    ("codec alone", &["--no-default-features"]),
    ("all features", &["--all-features", "--features", "ash/std,ash/loaded,thiserror/default"]),
];

/// Build the protocol crate from nothing, and report time and code size.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Fail when one of the builds takes longer than this.
    #[arg(long, value_name = "SECONDS")]
    limit: Option<u64>,
}

#[expect(clippy::print_stdout, reason = "the result of a command-line verb")]
pub(crate) fn run(args: &Args) -> Result<()> {
    let mut record = serde_json::Map::new();
    for (name, features) in VARIANTS {
        let (time, text) = measure(features)?;
        println!("venus-protocol, {name}: clean release build {:.1} s, .text {} KiB", time.as_secs_f64(), text / 1024);
        let numbers = serde_json::json!({ "build_seconds": time.as_secs_f64(), "text_bytes": text });
        record.insert(name.to_owned(), numbers);
        if let Some(limit) = args.limit {
            ensure!(time <= Duration::from_secs(limit), "the build took longer than {limit} s");
        }
    }
    let record = serde_json::Value::Object(record);
    std::fs::write(workspace().join(RECORD), format!("{record}\n")).with_context(|| format!("writing {RECORD}"))
}

/// Builds the crate from nothing: how long that takes, and how much code it is.
fn measure(features: &[&str]) -> Result<(Duration, u64)> {
    let target = workspace().join(TARGET);
    if target.exists() {
        std::fs::remove_dir_all(&target).with_context(|| format!("removing {}", target.display()))?;
    }
    let started = Instant::now();
    let status = Command::new(cargo())
        .args(["build", "--release", "--package", "venus-protocol", "--target-dir", TARGET])
        .args(features)
        .status()
        .context("starting cargo build")?;
    ensure!(status.success(), "the protocol crate does not build ({status})");
    let time = started.elapsed();
    Ok((time, text_bytes(&target.join(LIBRARY))?))
}

/// Machine code in a library: the sum of its text sections. Generic functions count where they are used, not here.
fn text_bytes(library: &Path) -> Result<u64> {
    let output =
        Command::new("size").arg("-A").arg(library).output().context("starting `size`, of Debian's binutils")?;
    let text = sum_text(&String::from_utf8_lossy(&output.stdout));
    ensure!(text > 0, "`size` found no code in {}", library.display());
    Ok(text)
}

/// Adds up lines of `section size address` whose section is a text section.
fn sum_text(sections: &str) -> u64 {
    let size = |line: &str| -> Option<u64> {
        let mut words = line.split_whitespace();
        let section = words.next()?;
        (section == ".text" || section.starts_with(".text.")).then(|| words.next()?.parse().ok())?
    };
    sections.lines().filter_map(size).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_sections_are_added_up() {
        let sections = "a.o  :\nsection  size  addr\n.text 0 0\n.text.one 40 0\n.textual 7 0\n.data 9 0\n.text.two 2 0\nTotal 58\n";
        assert_eq!(sum_text(sections), 42);
    }
}
