//! `cargo xtask commands`: what becomes of every command and extension, and which tests have seen it.
//!
//! Nothing of the page is typed by hand. Its rows come from
//!
//! | what | where from |
//! |---|---|
//! | names, numbers, what never travels | the generated tables of the protocol crate ([`protocol`]) |
//! | what the host does with a command | the sources of the handlers ([`handlers`]) |
//! | what becomes of an extension | the tables of `venus-host/src/driver/extensions.rs` ([`extensions`]) |
//! | who executed a command | `tests/commands/*.tsv`, which the tests write ([`suites`]) |
//! | which rules of Vulkan are checked | `tests/validation/*.tsv` ([`validation`]), for a page of its own |
//!
//! The handler tests read what is written here about the handlers, and fail if a command is treated otherwise.

mod extensions;
mod handlers;
mod page;
mod protocol;
mod source;
mod suites;
mod validation;

use anyhow::{Context as _, Result, bail, ensure};
use std::fs;
use std::path::PathBuf;
use testbed::workspace;

/// The page.
const PAGE: &str = "docs/commands.md";
/// The page about rules.
const VALIDATION: &str = "docs/validation.md";
/// What the sources say about each command and extension, for the handler tests.
const TREATMENTS: &str = "tests/commands/treatments.tsv";
const EXTENSIONS: &str = "tests/commands/extensions.tsv";

const EXAMPLES: &str = "\
Examples:
  cargo xtask commands             write docs/commands.md and docs/validation.md from the sources
  cargo xtask commands --check     fail if it is stale, and say where
  cargo xtask commands --record    run the handler tests and the Rust guest, and look into the recordings, first";

/// Write the pages that say what becomes of every command and extension, and which of Vulkan's rules are checked.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// Write nothing; fail if a page or a table differs from what the sources say.
    #[arg(long, conflicts_with = "record")]
    check: bool,
    /// Find out anew what tests execute: run the handler tests and the Rust guest, and dump the recordings of Mesa guests.
    #[arg(long)]
    record: bool,
    /// A `venus` command to use instead of building this workspace's.
    #[arg(long, value_name = "PATH", requires = "record")]
    host: Option<PathBuf>,
}

pub(crate) fn run(args: &Args) -> Result<()> {
    let root = workspace();
    let protocol = protocol::read(&root)?;
    let treatments = handlers::read(&root)?;
    handlers::check(&protocol, &treatments)?;
    let extensions = extensions::read(&root, &protocol)?;
    let tables = [
        (TREATMENTS, handlers::table(&protocol, &treatments)),
        (EXTENSIONS, extensions::table(&protocol, &extensions)),
    ];
    if args.record {
        for (path, text) in &tables {
            write(path, text)?;
        }
        suites::record(args.host.as_deref())?;
    }
    let suites = suites::read(&root)?;
    suites::check(&protocol, &suites)?;
    let page = page::write(&protocol, &treatments, &extensions, &suites);
    let ledger = validation::read(&root)?;
    validation::check(&root, &protocol, &ledger)?;
    for (path, text) in tables.into_iter().chain([(PAGE, page), (VALIDATION, validation::page(&ledger))]) {
        if args.check { compare(path, &text)? } else { write(path, &text)? }
    }
    Ok(())
}

/// Fails if a file is not what it should be, naming the first line that differs.
fn compare(path: &str, wanted: &str) -> Result<()> {
    let found = fs::read_to_string(workspace().join(path)).with_context(|| format!("reading {path}"))?;
    let differs = found.lines().zip(wanted.lines()).position(|(found, wanted)| found != wanted);
    let differs = differs.or((found != wanted).then(|| found.lines().count().min(wanted.lines().count())));
    let Some(line) = differs else { return Ok(()) };
    let of = |text: &str| text.lines().nth(line).unwrap_or("(nothing)").to_owned();
    bail!(
        "{path}:{} is stale:\n  it says      {}\n  it should be {}\nrun `cargo xtask commands`",
        line + 1,
        of(&found),
        of(wanted)
    )
}

#[expect(clippy::print_stdout, reason = "says which files changed")]
fn write(path: &str, text: &str) -> Result<()> {
    let full = workspace().join(path);
    if fs::read_to_string(&full).is_ok_and(|found| found == text) {
        return Ok(());
    }
    fs::write(&full, text).with_context(|| format!("writing {path}"))?;
    println!("wrote {path}");
    Ok(())
}

/// Fails with every problem at once.
fn all_or_nothing(problems: &[String]) -> Result<()> {
    ensure!(problems.is_empty(), "{}", problems.join("\n"));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{Args, run};

    #[test]
    fn the_pages_are_fresh() {
        run(&Args { check: true, record: false, host: None }).expect("the pages are what `cargo xtask commands` makes");
    }
}
