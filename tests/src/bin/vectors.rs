//! Runs a file of vectors against the codec: `vectors FILE`.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;
use clap::Parser;
use venus_protocol::wire::Arena;
use venus_tests::vectors;

/// Checks that every request of a vector file decodes, encodes to the same bytes, and gets a reply of the stated size.
#[derive(Parser)]
struct Cli {
    /// The file, separated by tabs: command, id, request_bytes, reply_bytes, request_hex.
    file: PathBuf,
}

#[expect(clippy::print_stdout, reason = "the report is what the program is for")]
fn main() -> anyhow::Result<ExitCode> {
    let cli = Cli::parse();
    let text = std::fs::read_to_string(&cli.file).with_context(|| format!("cannot read {}", cli.file.display()))?;
    let (mut passed, mut failed) = (0_usize, 0_usize);
    let mut arena = Arena::default();
    for (line, row) in vectors::parse(&text) {
        let outcome = row.and_then(|vector| vectors::check(&vector, &arena));
        arena.reset();
        match outcome {
            Ok(()) => passed += 1,
            Err(failure) => {
                println!("{}:{line}: {failure}", cli.file.display());
                failed += 1;
            }
        }
    }
    println!("{passed} passed, {failed} failed");
    Ok(if failed == 0 && passed > 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
