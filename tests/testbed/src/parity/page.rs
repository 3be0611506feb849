//! `docs/parity.md`, from the results alone.

use super::outcome::Outcome;
use super::results::{Cells, Results};
use super::{card, suites::Suite};
use crate::workspace;
use anyhow::{Context as _, Result};
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// The page, in the workspace.
const FILE: &str = "docs/parity.md";

/// Writes the page.
pub(super) fn write(results: &Results) -> Result<()> {
    let path = workspace().join(FILE);
    std::fs::write(&path, render(results)?).with_context(|| format!("writing {}", path.display()))?;
    eprintln!("written: {}", path.display());
    Ok(())
}

fn render(results: &Results) -> Result<String> {
    let columns: Vec<&Cells> = results.columns().collect();
    let mut page = String::from(HEAD);
    overview(&mut page, &columns)?;
    regressions(&mut page, &columns)?;
    versions(&mut page, &columns)?;
    let mut reasons = Reasons::default();
    for suite in rows() {
        section(&mut page, &suite, &columns, &mut reasons)?;
    }
    reasons.list(&mut page)?;
    Ok(page)
}

const HEAD: &str = "<!-- Written by `cargo xtask parity` from tests/parity/results.json. Do not edit. -->

# Parity with native

Unmodified programs, run natively and through this host on the same driver, and compared. Only differences count:

* *pass*: both sides say the same.
* *differs (n explained)*: n differences, each covered by a reason at the end of this page.
* *REGRESSION (n)*: n differences that nobody can explain, or a program that works natively and fails through the host.
* *not run*: there is nothing to compare; the reason stands with the suite.

Columns are the guest's Mesa and the host's driver. The native run is the guest's own program with the host's very driver:
where they are of different Debian releases the newer C library's loader starts the program, and each finds its libraries
in its own release. *as MoltenVK* means `venus serve --profile moltenvk`: the host treats the driver as if it were that one.
The H200 column is filled by `tests/remote-gpu/run.sh`, on a machine with the card.

Speeds are of one run on a small machine, both sides in turn; they say what to expect and are no test.

";

/// One row of the overview: a suite that runs here, or one of the card's alone.
struct RowOf {
    name: &'static str,
    about: &'static str,
}

fn rows() -> Vec<RowOf> {
    let suites = Suite::ALL.iter().map(|suite| RowOf { name: suite.name(), about: suite.about() });
    suites.chain([RowOf { name: card::PERF, about: card::ABOUT_PERF }]).collect()
}

fn overview(page: &mut String, columns: &[&Cells]) -> Result<()> {
    let names: Vec<&str> = columns.iter().map(|column| column.title.as_str()).collect();
    writeln!(page, "| suite | {} |", names.join(" | "))?;
    writeln!(page, "|---|{}", "---|".repeat(columns.len()))?;
    for row in rows() {
        let cells: Vec<String> = columns.iter().map(|column| cell(column, row.name)).collect();
        writeln!(page, "| [{0}](#{0}) | {1} |", row.name, cells.join(" | "))?;
    }
    writeln!(page)?;
    Ok(())
}

fn cell(column: &Cells, suite: &str) -> String {
    column.outcomes.get(suite).map_or_else(|| "-".to_owned(), Outcome::summary)
}

fn regressions(page: &mut String, columns: &[&Cells]) -> Result<()> {
    let mut all = Vec::new();
    for column in columns {
        for (suite, outcome) in &column.outcomes {
            all.extend(
                outcome.regressions().iter().map(|what| format!("* {}, {suite}: {}", column.title, plain(what))),
            );
        }
    }
    writeln!(page, "## Regressions\n")?;
    match all.is_empty() {
        true => writeln!(page, "None.\n")?,
        false => writeln!(page, "{}\n", all.join("\n"))?,
    }
    Ok(())
}

fn versions(page: &mut String, columns: &[&Cells]) -> Result<()> {
    writeln!(page, "## What was run\n")?;
    for column in columns {
        let facts: Vec<String> = column.facts.iter().map(|(name, fact)| format!("{name} {fact}")).collect();
        writeln!(page, "* {}: {}.", column.title, facts.join(", "))?;
    }
    writeln!(page)?;
    Ok(())
}

/// One suite: what it found in each column; columns that found the same share a line.
fn section(page: &mut String, row: &RowOf, columns: &[&Cells], reasons: &mut Reasons) -> Result<()> {
    writeln!(page, "## {}\n\n{}.\n", row.name, row.about)?;
    let mut lines: Vec<(String, Vec<&str>)> = Vec::new();
    for column in columns {
        let Some(outcome) = column.outcomes.get(row.name) else { continue };
        let text = describe(outcome, reasons);
        match lines.iter_mut().find(|(known, _)| *known == text) {
            Some((_, titles)) => titles.push(&column.title),
            None => lines.push((text, vec![&column.title])),
        }
    }
    for (text, titles) in lines {
        writeln!(page, "* {}: {text}", titles.join("; "))?;
    }
    writeln!(page)?;
    Ok(())
}

fn describe(outcome: &Outcome, reasons: &mut Reasons) -> String {
    if let Some(reason) = outcome.reason_not_run() {
        return format!("not run: {}.", plain(reason).trim_end_matches('.'));
    }
    let mut text = format!("**{}**", outcome.summary());
    for (at, figure) in outcome.figures().iter().enumerate() {
        text += if at == 0 { ". " } else { "; " };
        text += figure;
    }
    text += ".";
    if !outcome.explained().is_empty() {
        let notes = outcome.explained().iter().map(|(reason, count)| format!("{count} × {}", reasons.link(reason)));
        text += &format!(" Explained: {}.", notes.collect::<Vec<_>>().join(", "));
    }
    text
}

/// A program's words as text of the page.
fn plain(text: &str) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    line.replace('|', "\\|").replace('<', "&lt;").replace('*', "\\*")
}

/// The reasons of explained differences, numbered as they come.
#[derive(Default)]
struct Reasons {
    numbers: BTreeMap<String, usize>,
}

impl Reasons {
    fn link(&mut self, reason: &str) -> String {
        let next = self.numbers.len() + 1;
        let number = *self.numbers.entry(reason.to_owned()).or_insert(next);
        format!("[reason {number}](#reasons)")
    }

    fn list(&self, page: &mut String) -> Result<()> {
        let mut all: Vec<(&usize, &String)> = self.numbers.iter().map(|(reason, number)| (number, reason)).collect();
        all.sort();
        writeln!(page, "## Reasons\n")?;
        for (number, reason) in all {
            writeln!(page, "{number}. {}", plain(reason))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_is_that_of_the_results() {
        let page = std::fs::read_to_string(workspace().join(FILE)).unwrap();
        let fresh = render(&Results::load().unwrap()).unwrap();
        assert!(page == fresh, "docs/parity.md is stale: run `cargo xtask parity --render`");
    }

    #[test]
    fn reasons_are_numbered_once() {
        let mut reasons = Reasons::default();
        let mut outcome = Outcome::pass().figure("2 of 2");
        outcome.explain("known");
        assert_eq!(
            describe(&outcome, &mut reasons),
            "**differs (1 explained)**. 2 of 2. Explained: 1 × [reason 1](#reasons)."
        );
        outcome.explain("also known");
        assert!(describe(&outcome, &mut reasons).contains("1 × [reason 2](#reasons), 1 × [reason 1](#reasons)"));
    }

    #[test]
    fn a_programs_words_cannot_break_the_page() {
        assert_eq!(plain("a|b\n <c>  *"), "a\\|b &lt;c> \\*");
    }
}
