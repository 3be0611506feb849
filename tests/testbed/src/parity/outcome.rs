//! What became of one suite in one column.

use serde_json::{Value, json};
use std::collections::BTreeMap;

/// An outcome, with what a reader of the page may want to know.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Outcome {
    /// Why nothing was run; then everything else is empty.
    not_run: Option<String>,
    /// Differences that nobody can explain, or programs that fail where they do not natively.
    regressions: Vec<String>,
    /// Reasons of explained differences, and how many differences each explains.
    explained: BTreeMap<String, u64>,
    /// Figures: what was counted or measured on both sides.
    figures: Vec<String>,
}

impl Outcome {
    pub(super) fn pass() -> Self {
        Self::default()
    }

    pub(super) fn not_run(why: impl Into<String>) -> Self {
        Self { not_run: Some(why.into()), ..Self::default() }
    }

    pub(super) fn regression(what: Vec<String>) -> Self {
        Self { regressions: what, ..Self::default() }
    }

    /// Adds a figure.
    pub(super) fn figure(mut self, figure: impl Into<String>) -> Self {
        self.figures.push(figure.into());
        self
    }

    /// Notes a difference that is explained.
    pub(super) fn explain(&mut self, reason: impl Into<String>) {
        *self.explained.entry(reason.into()).or_default() += 1;
    }

    /// Notes a difference that is not.
    pub(super) fn regress(&mut self, what: impl Into<String>) {
        self.regressions.push(what.into());
    }

    pub(super) fn regressions(&self) -> &[String] {
        &self.regressions
    }

    pub(super) fn reason_not_run(&self) -> Option<&str> {
        self.not_run.as_deref()
    }

    pub(super) fn explained(&self) -> &BTreeMap<String, u64> {
        &self.explained
    }

    pub(super) fn figures(&self) -> &[String] {
        &self.figures
    }

    /// In one or two words, as a cell of the table says it.
    pub(super) fn summary(&self) -> String {
        let explained: u64 = self.explained.values().sum();
        match (&self.not_run, self.regressions.len(), explained) {
            (Some(_), ..) => "not run".to_owned(),
            (None, 0, 0) => "pass".to_owned(),
            (None, 0, count) => format!("differs ({count} explained)"),
            (None, count, _) => format!("REGRESSION ({count})"),
        }
    }

    pub(super) fn to_json(&self) -> Value {
        json!({
            "not_run": self.not_run,
            "regressions": self.regressions,
            "explained": self.explained,
            "figures": self.figures,
        })
    }

    /// Reads what [`Outcome::to_json`] made; what is missing counts as empty.
    pub(super) fn from_json(value: &Value) -> Self {
        let strings = |name: &str| -> Vec<String> {
            let items = value.get(name).and_then(Value::as_array).into_iter().flatten();
            items.filter_map(|item| item.as_str().map(str::to_owned)).collect()
        };
        let explained = value.get("explained").and_then(Value::as_object).into_iter().flatten();
        Self {
            not_run: value.get("not_run").and_then(Value::as_str).map(str::to_owned),
            regressions: strings("regressions"),
            explained: explained.filter_map(|(reason, count)| Some((reason.clone(), count.as_u64()?))).collect(),
            figures: strings("figures"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_outcome_survives_its_file() {
        let mut outcome = Outcome::pass().figure("7 of 7");
        assert_eq!(outcome.summary(), "pass");
        outcome.explain("known");
        outcome.explain("known");
        assert_eq!(outcome.summary(), "differs (2 explained)");
        assert_eq!(Outcome::from_json(&outcome.to_json()), outcome);
        outcome.regress("new");
        assert_eq!(outcome.summary(), "REGRESSION (1)");
        assert_eq!(Outcome::from_json(&outcome.to_json()), outcome);
        let skipped = Outcome::not_run("no screen");
        assert_eq!(skipped.summary(), "not run");
        assert_eq!(Outcome::from_json(&skipped.to_json()), skipped);
    }
}
