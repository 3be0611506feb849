//! Counts in a file, with the compiler that they are of, and whether others are higher.
//!
//! ```text
//! # Instructions for each command, ...
//! compiler: rustc 1.95.0 (59807616e 2026-04-14) for x86_64-unknown-linux-gnu
//!    203.05 decode         vkCmdDraw
//! ```

use std::fmt::{self, Write as _};

use anyhow::{Context as _, Result};

use crate::Kind;
use crate::callgrind::Count;

/// How much higher than its record a count may be: other places of the same code are worth less.
pub const TOLERANCE: f64 = 0.03;

const TITLE: &str = "# Instructions for each command, by callgrind, without those of the C library. Written by\n\
                     # `cargo xtask bench guard --record`; `cargo xtask bench guard` fails where a row is over 3 % above.\n";
const COMPILER: &str = "compiler: ";

/// What was recorded.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Record {
    /// The compiler of the program that was counted, and what it makes programs for.
    pub compiler: String,
    /// Its counts.
    pub counts: Vec<Count>,
}

impl Record {
    /// Reads what [`Record`] displays.
    ///
    /// # Errors
    ///
    /// The text is something else.
    pub fn parse(text: &str) -> Result<Self> {
        let mut record = Self::default();
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            match line.strip_prefix(COMPILER) {
                Some(compiler) => compiler.clone_into(&mut record.compiler),
                None => record.counts.push(row(line).with_context(|| format!("{line:?} is no count"))?),
            }
        }
        Ok(record)
    }

    fn of(&self, kind: Kind, name: &str) -> Option<f64> {
        find(&self.counts, kind, name)
    }

    /// Each row of this record beside what was counted now.
    #[must_use]
    pub fn compare(&self, now: &[Count]) -> Comparison {
        let counted = now
            .iter()
            .map(|count| (count.kind, count.name.clone(), self.of(count.kind, &count.name), Some(count.instructions)));
        let gone = self.counts.iter().filter(|count| find(now, count.kind, &count.name).is_none());
        let gone = gone.map(|count| (count.kind, count.name.clone(), Some(count.instructions), None));
        Comparison(counted.chain(gone).map(|(kind, name, before, now)| Row { kind, name, before, now }).collect())
    }
}

fn find(counts: &[Count], kind: Kind, name: &str) -> Option<f64> {
    counts.iter().find(|count| count.kind == kind && count.name == name).map(|count| count.instructions)
}

fn row(line: &str) -> Option<Count> {
    let (instructions, rest) = line.trim_start().split_once(' ')?;
    let (kind, name) = rest.split_once(' ')?;
    let kind = Kind::ALL.into_iter().find(|known| known.word() == kind)?;
    Some(Count { kind, name: name.trim().to_owned(), instructions: instructions.parse().ok()? })
}

impl fmt::Display for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{TITLE}{COMPILER}{}", self.compiler)?;
        for Count { kind, name, instructions } in &self.counts {
            writeln!(f, "{instructions:9.2} {kind:<14} {name}")?;
        }
        Ok(())
    }
}

/// One row, before and now; nothing where it is missing.
#[derive(Clone, Debug, PartialEq)]
struct Row {
    kind: Kind,
    name: String,
    before: Option<f64>,
    now: Option<f64>,
}

/// What is to be said of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    Same,
    Slower,
    Faster,
    New,
    Gone,
}

impl Row {
    fn ratio(&self) -> Option<f64> {
        Some(self.now? / self.before?)
    }

    fn verdict(&self) -> Verdict {
        match self.ratio() {
            Some(ratio) if ratio > 1.0 + TOLERANCE => Verdict::Slower,
            Some(ratio) if ratio < 1.0 - TOLERANCE => Verdict::Faster,
            Some(_) => Verdict::Same,
            None if self.now.is_some() => Verdict::New,
            None => Verdict::Gone,
        }
    }
}

/// Rows before and now.
#[derive(Clone, Debug, PartialEq)]
pub struct Comparison(Vec<Row>);

impl Comparison {
    /// How many rows are as they must not be: above their record, or in one of the two only.
    #[must_use]
    pub fn failures(&self) -> usize {
        let fails = |row: &&Row| matches!(row.verdict(), Verdict::Slower | Verdict::New | Verdict::Gone);
        self.0.iter().filter(fails).count()
    }

    /// A table of those, and of rows that became faster; all of them if asked for.
    #[must_use]
    pub fn table(&self, all: bool) -> String {
        let mut out = String::new();
        let number = |count: Option<f64>| count.map_or("-".to_owned(), |count| format!("{count:.2}"));
        for row in self.0.iter().filter(|row| all || row.verdict() != Verdict::Same) {
            if out.is_empty() {
                let _ =
                    writeln!(out, "{:<62}{:>10}{:>10}{:>8}", "instructions for each command", "record", "now", "ratio");
            }
            let word = match row.verdict() {
                Verdict::Same => "",
                Verdict::Slower => "  over 3 % more",
                Verdict::Faster => "  over 3 % less: record it",
                Verdict::New => "  not recorded",
                Verdict::Gone => "  not counted any more",
            };
            let ratio = row.ratio().map_or("-".to_owned(), |ratio| format!("{ratio:.3}"));
            let (before, now) = (number(row.before), number(row.now));
            let _ = writeln!(out, "{:<14}{:<48}{before:>10}{now:>10}{ratio:>8}{word}", row.kind.word(), row.name);
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count(name: &str, instructions: f64) -> Count {
        Count { kind: Kind::Decode, name: name.to_owned(), instructions }
    }

    fn record(counts: &[Count]) -> Record {
        Record { compiler: "rustc 1 for here".to_owned(), counts: counts.to_vec() }
    }

    #[test]
    fn a_record_is_read_as_it_was_written() {
        let written =
            record(&[count("vkCmdDraw, twice", 203.05), Count { kind: Kind::Trip, ..count("vkCmdDraw", 9.5) }]);
        assert_eq!(Record::parse(&written.to_string()).unwrap(), written);
        assert!(Record::parse("compiler: x\n 12 recode vkCmdDraw\n").is_err());
    }

    #[test]
    fn what_became_slower_fails() {
        let before = record(&[count("a", 100.0), count("b", 100.0), count("c", 100.0), count("gone", 1.0)]);
        let now = [count("a", 102.9), count("b", 103.1), count("c", 96.0), count("new", 1.0)];
        let compared = before.compare(&now);
        assert_eq!(compared.failures(), 3);
        let verdicts: Vec<_> = compared.0.iter().map(Row::verdict).collect();
        assert_eq!(verdicts, [Verdict::Same, Verdict::Slower, Verdict::Faster, Verdict::New, Verdict::Gone]);
        let table = compared.table(false);
        assert_eq!(table.lines().count(), 5, "{table}");
        assert!(table.contains("1.031  over 3 % more") && table.contains("over 3 % less: record it"), "{table}");
        assert_eq!(compared.table(true).lines().count(), 6);
        assert_eq!(before.compare(&before.counts).table(false), "");
    }
}
