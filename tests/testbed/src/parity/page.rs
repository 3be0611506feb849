//! `docs/parity.md`, from the results alone.

use super::outcome::Outcome;
use super::results::{Cells, Results};
use super::{card, suites::Suite};
use crate::workspace;
use anyhow::{Context as _, Result};
use std::collections::BTreeSet;
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
    for suite in rows() {
        section(&mut page, &suite, &columns)?;
    }
    // One line ends the page.
    page.truncate(page.trim_end().len() + 1);
    Ok(page)
}

const HEAD: &str = "<!-- Written by `cargo xtask parity` from tests/parity/results.json. Do not edit. -->

# Parity with native

Unmodified programs, run natively and through this host on the same driver, and compared. Only differences count:

* *pass*: both sides say the same.
* *differs (n explained)*: n differences, each covered by a reason in the suite's table.
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

/// One suite: what it found in each column, columns that found the same in one line; and how often each reason explains a
/// difference in which column.
fn section(page: &mut String, row: &RowOf, columns: &[&Cells]) -> Result<()> {
    writeln!(page, "## {}\n\n{}.\n", row.name, row.about)?;
    let mut lines: Vec<(String, Vec<&str>)> = Vec::new();
    for column in columns {
        let Some(outcome) = column.outcomes.get(row.name) else { continue };
        let text = describe(outcome);
        match lines.iter_mut().find(|(known, _)| *known == text) {
            Some((_, titles)) => titles.push(&column.title),
            None => lines.push((text, vec![&column.title])),
        }
    }
    for (text, titles) in lines {
        writeln!(page, "* {}: {text}", titles.join("; "))?;
    }
    writeln!(page)?;
    reasons(page, row, columns)
}

/// Reasons of explained differences by columns; columns without any are left out.
fn reasons(page: &mut String, row: &RowOf, columns: &[&Cells]) -> Result<()> {
    let outcomes =
        columns.iter().filter_map(|column| Some((&column.title, column.outcomes.get(row.name)?.explained())));
    let columns: Vec<_> = outcomes.filter(|(_, explained)| !explained.is_empty()).collect();
    let all: BTreeSet<&String> = columns.iter().flat_map(|(_, explained)| explained.keys()).collect();
    if all.is_empty() {
        return Ok(());
    }
    let titles: Vec<&str> = columns.iter().map(|(title, _)| title.as_str()).collect();
    writeln!(page, "| explained differences | {} |\n|---|{}", titles.join(" | "), "--:|".repeat(columns.len()))?;
    for reason in all {
        let counts = columns.iter().map(|(_, explained)| explained.get(reason).map_or(String::new(), u64::to_string));
        writeln!(page, "| {} | {} |", plain(reason), counts.collect::<Vec<_>>().join(" | "))?;
    }
    writeln!(page)?;
    Ok(())
}

fn describe(outcome: &Outcome) -> String {
    if let Some(reason) = outcome.reason_not_run() {
        return format!("not run: {}.", plain(reason).trim_end_matches('.'));
    }
    let mut text = format!("**{}**", outcome.summary());
    for (at, figure) in outcome.figures().iter().enumerate() {
        text += if at == 0 { ". " } else { "; " };
        text += figure;
    }
    text += ".";
    text
}

/// A program's words as text of the page.
fn plain(text: &str) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    line.replace('|', "\\|").replace('<', "&lt;").replace('*', "\\*")
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
    fn reasons_are_rows_and_columns_without_any_are_left_out() {
        let cells = |title: &str, outcome: &Outcome| Cells {
            title: title.to_owned(),
            outcomes: [("suite".to_owned(), outcome.clone())].into(),
            ..Cells::default()
        };
        let mut one = Outcome::pass().figure("2 of 2");
        one.explain("known");
        let mut two = one.clone();
        two.explain("known");
        two.explain("a|so");
        let all = [cells("A", &one), cells("B", &Outcome::pass()), cells("C", &two)];
        let mut page = String::new();
        section(&mut page, &RowOf { name: "suite", about: "All" }, &all.iter().collect::<Vec<_>>()).unwrap();
        let expected = "## suite\n\nAll.\n\n* A: **differs (1 explained)**. 2 of 2.\n* B: **pass**.\n\
                        * C: **differs (3 explained)**. 2 of 2.\n\n\
                        | explained differences | A | C |\n|---|--:|--:|\n| a\\|so |  | 1 |\n| known | 1 | 2 |\n\n";
        assert_eq!(page, expected);
    }

    #[test]
    fn a_programs_words_cannot_break_the_page() {
        assert_eq!(plain("a|b\n <c>  *"), "a\\|b &lt;c> \\*");
    }
}
