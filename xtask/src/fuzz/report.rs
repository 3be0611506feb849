//! What libFuzzer says of a run.

use std::{fmt, path::PathBuf};

use testbed::process::{Finished, tail};

/// What came of one target.
#[derive(Debug)]
pub(super) struct Report {
    target: String,
    pub(super) executions: u64,
    /// Edges of the program that were taken.
    covered: u64,
    /// All edges of the program.
    edges: u64,
    /// Inputs that reached what none before them did.
    corpus: u64,
    seconds: f64,
    /// Inputs that found something.
    pub(super) findings: Vec<PathBuf>,
    /// How it ended, if not well.
    trouble: Option<String>,
}

impl Report {
    /// What came of a target that has not run yet.
    pub(super) fn of_nothing(target: &str) -> Self {
        Self {
            target: target.to_owned(),
            executions: 0,
            covered: 0,
            edges: 0,
            corpus: 0,
            seconds: 0.0,
            findings: Vec::new(),
            trouble: None,
        }
    }

    /// Adds what came of it later, which began with what was kept.
    pub(super) fn add(&mut self, later: Self) {
        self.executions += later.executions;
        self.covered = self.covered.max(later.covered);
        self.edges = later.edges;
        self.corpus = later.corpus;
        self.seconds += later.seconds;
        self.findings.extend(later.findings);
        self.trouble = later.trouble;
    }

    /// A row of a table: target, executions, seconds, edges, of how many, inputs, whether it ended well.
    pub(super) fn row(&self) -> String {
        let Self { target, executions, covered, edges, corpus, seconds, .. } = self;
        let outcome = if self.is_well() { "well" } else { "found" };
        format!("{target}\t{executions}\t{seconds:.0}\t{covered}\t{edges}\t{corpus}\t{outcome}")
    }

    /// What a run's output says.
    pub(super) fn new(target: &str, finished: &Finished, findings: Vec<PathBuf>) -> Self {
        let said = Said::of(&finished.stderr);
        let trouble = (!finished.success()).then(|| format!("{:?}\n{}", finished.outcome, tail(&finished.stderr)));
        Self {
            target: target.to_owned(),
            executions: said.executions,
            covered: said.covered,
            edges: said.edges,
            corpus: said.corpus,
            seconds: finished.elapsed.as_secs_f64(),
            findings,
            trouble,
        }
    }

    /// Whether it ended by itself, and nothing was found.
    pub(super) fn is_well(&self) -> bool {
        self.trouble.is_none()
    }

    /// Its last words.
    pub(super) fn what_happened(&self) -> String {
        format!("{}: {}", self.target, self.trouble.as_deref().unwrap_or("all is well"))
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { target, executions, covered, edges, corpus, seconds, .. } = self;
        let found = if self.is_well() { "nothing found" } else { "FOUND SOMETHING" };
        write!(
            f,
            "{target}: {executions} executions in {seconds:.0} s, {covered} of {edges} edges, {corpus} inputs, {found}"
        )
    }
}

/// The numbers in libFuzzer's output.
#[derive(Debug, Default, PartialEq, Eq)]
struct Said {
    executions: u64,
    covered: u64,
    edges: u64,
    corpus: u64,
}

impl Said {
    fn of(text: &str) -> Self {
        let mut said = Self::default();
        for line in text.lines() {
            if let Some(number) = line.strip_prefix("stat::number_of_executed_units:") {
                said.executions = leading(number);
            } else if let Some((_, modules)) = line.split_once("INFO: Loaded 1 modules") {
                said.edges = leading(modules.trim_start().trim_start_matches('('));
            } else if line.starts_with('#') {
                said.covered = after(line, " cov: ").unwrap_or(said.covered);
                said.corpus = after(line, " corp: ").unwrap_or(said.corpus);
                // For a run that ends without its statistics.
                said.executions = said.executions.max(leading(line.trim_start_matches('#')));
            }
        }
        said
    }
}

/// The number that follows a name.
fn after(line: &str, name: &str) -> Option<u64> {
    line.split_once(name).map(|(_, rest)| leading(rest))
}

/// The number that a text begins with.
fn leading(text: &str) -> u64 {
    let digits: String = text.trim_start().chars().take_while(char::is_ascii_digit).collect();
    digits.parse().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rounds_add_up() {
        let round = |executions, covered, trouble| Report {
            executions,
            covered,
            edges: 1234,
            corpus: 12,
            seconds: 600.0,
            trouble,
            ..Report::of_nothing("reply")
        };
        let mut all = Report::of_nothing("reply");
        all.add(round(500, 40, None));
        assert_eq!(all.row(), "reply\t500\t600\t40\t1234\t12\twell");
        // Damage is chosen anew in each round, so one can take fewer edges than the one before.
        all.add(round(300, 39, Some("a panic".to_owned())));
        assert_eq!(all.row(), "reply\t800\t1200\t40\t1234\t12\tfound");
        assert_eq!(all.what_happened(), "reply: a panic");
    }

    #[test]
    fn numbers_are_found_in_what_a_fuzzer_says() {
        let text = "INFO: Loaded 1 modules   (1234 inline 8-bit counters): 1234 [0x1, 0x2),\n\
            #2\tINITED cov: 30 ft: 31 corp: 1/4b exec/s: 0 rss: 27Mb\n\
            #500\tNEW    cov: 40 ft: 47 corp: 12/30b lim: 8 exec/s: 9 rss: 30Mb L: 8/8 MS: 2 CopyPart-\n\
            stat::number_of_executed_units: 612\n";
        assert_eq!(Said::of(text), Said { executions: 612, covered: 40, edges: 1234, corpus: 12 });
        let cut = &text[..text.find("stat").unwrap()];
        assert_eq!(Said::of(cut).executions, 500);
    }
}
