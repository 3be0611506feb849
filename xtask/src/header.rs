//! `cargo xtask header`: writes the C header of the library for C, or checks that it is fresh.
//!
//! The header is made from the library's sources by cbindgen, with their documentation. What holds for all functions, and
//! how the header looks, is `venus-host/capi/cbindgen.toml`.

use anyhow::{Context as _, Result};

use crate::fresh::{self, Expected};

/// The library's folder.
const FOLDER: &str = "venus-host/capi";
/// The header.
const HEADER: &str = "venus-host/capi/include/venus_host.h";
/// The sources, in the order in which a C programmer wants to read.
const SOURCES: [&str; 9] =
    ["library", "options", "handle", "worker", "contexts", "resources", "imports", "fences", "statistics"];

/// Write the C header of the library for C.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Write nothing; fail if the header is not what the sources say.
    #[arg(long)]
    check: bool,
}

pub(crate) fn run(args: &Args) -> Result<()> {
    let expected = Expected { files: [(HEADER.to_owned(), make()?)].into(), folders: Vec::new() };
    let root = testbed::workspace();
    let stale = fresh::compare(&root, &expected)?;
    if args.check { fresh::check(&stale, "cargo xtask header") } else { fresh::write(&root, &stale) }
}

/// The header's text.
fn make() -> Result<String> {
    let folder = testbed::workspace().join(FOLDER);
    let config = cbindgen::Config::from_file(folder.join("cbindgen.toml")).map_err(anyhow::Error::msg)?;
    let sources = SOURCES.iter().map(|name| folder.join("src").join(name).with_extension("rs"));
    let builder = sources.fold(cbindgen::Builder::new().with_config(config), cbindgen::Builder::with_src);
    let mut header = Vec::new();
    builder.generate().context("reading the library's sources")?.write(&mut header);
    Ok(in_plain_words(&String::from_utf8(header).context("the header is no text")?))
}

/// Turns headings of Rust's documentation into words of C's.
fn in_plain_words(header: &str) -> String {
    header.replace("// # Errors\n//\n", "// Errors:\n").replace("// # Safety\n//\n", "// The caller sees to it:\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_header_is_fresh() {
        run(&Args { check: true }).expect("the checked-in header is that of the sources; run `cargo xtask header`");
    }

    #[test]
    fn every_file_with_functions_is_a_source() {
        let mut files = std::fs::read_dir(testbed::workspace().join(FOLDER).join("src")).unwrap();
        let exports = |path: std::path::PathBuf| {
            let text = std::fs::read_to_string(&path).unwrap();
            text.contains("#[unsafe(no_mangle)]").then(|| path.file_stem().unwrap().to_string_lossy().into_owned())
        };
        while let Some(file) = files.next().transpose().unwrap() {
            if let Some(name) = exports(file.path()) {
                assert!(SOURCES.contains(&name.as_str()), "{name}");
            }
        }
    }
}
