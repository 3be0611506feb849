//! Counts the instructions of hot work, and compares them with what was recorded: `cargo xtask bench guard` runs it.
//!
//! ```text
//! venus-count FILE COMPILER             compares with the counts in FILE
//! venus-count FILE COMPILER --record    writes them there
//! venus-count --perform                 does the work, for a counter to watch
//! ```
#![forbid(unsafe_code)]

use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context as _, Result, bail};
use venus_count::callgrind;
use venus_count::record::Record;

/// Has this program do the work.
const PERFORM: &str = "--perform";

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let done = match words.as_slice() {
        [PERFORM] => perform(),
        [file, compiler] => guard(Path::new(file), compiler),
        [file, compiler, "--record"] => record(Path::new(file), compiler),
        _ => Err(anyhow::anyhow!("a file of counts and the compiler's name are needed")),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

#[expect(clippy::print_stdout, reason = "whoever counts reads which job it was")]
fn perform() -> Result<()> {
    venus_count::perform(&mut |job| println!("{job}"))
}

fn count(compiler: &str) -> Result<Record> {
    let program = std::env::current_exe().context("finding this program")?;
    let counts = callgrind::count(&program, PERFORM)?.into_iter().map(|counted| counted.count).collect();
    Ok(Record { compiler: compiler.to_owned(), counts })
}

#[expect(clippy::print_stdout, reason = "the table is what the program is for")]
fn guard(file: &Path, compiler: &str) -> Result<()> {
    let before = read(file)?;
    let compared = before.compare(&count(compiler)?.counts);
    match compared.failures() {
        0 => {
            print!("{}", compared.table(false));
            println!("{} rows take no more instructions than recorded", before.counts.len());
            Ok(())
        }
        failures => {
            print!("{}", compared.table(false));
            bail!(
                "{failures} rows take over 3 % more instructions than recorded, or are not in the record; if that is meant, \
                 `cargo xtask bench guard --record` accepts it"
            )
        }
    }
}

#[expect(clippy::print_stdout, reason = "the table is what the program is for")]
fn record(file: &Path, compiler: &str) -> Result<()> {
    let now = count(compiler)?;
    if let Ok(before) = read(file) {
        print!("{}", before.compare(&now.counts).table(true));
    }
    std::fs::write(file, now.to_string()).with_context(|| format!("writing {}", file.display()))
}

fn read(file: &Path) -> Result<Record> {
    let text = std::fs::read_to_string(file).with_context(|| format!("reading {}", file.display()))?;
    Record::parse(&text)
}
