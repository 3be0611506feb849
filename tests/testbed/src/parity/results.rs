//! Every cell that was ever run, in a file beside the page: a run of some cells leaves the others as they were.

use super::outcome::Outcome;
use crate::workspace;
use anyhow::{Context as _, Result};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// Where the results are kept, in the workspace.
const FILE: &str = "tests/parity/results.json";

/// One column.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Cells {
    /// What the page calls it.
    pub(super) title: String,
    /// What was run: versions of the guest's packages, the driver, the host.
    pub(super) facts: BTreeMap<String, String>,
    /// Outcomes by suite.
    pub(super) outcomes: BTreeMap<String, Outcome>,
}

/// All columns, in the order of the page.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Results {
    columns: BTreeMap<String, Cells>,
}

impl Results {
    /// Reads what was kept; nothing, where there is none yet.
    pub(super) fn load() -> Result<Self> {
        let path = workspace().join(FILE);
        match std::fs::read_to_string(&path) {
            Ok(text) => Self::from_json(&text).with_context(|| format!("reading {}", path.display())),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Self::default()),
            Err(error) => Err(error).with_context(|| format!("reading {}", path.display())),
        }
    }

    pub(super) fn save(&self) -> Result<()> {
        let path = workspace().join(FILE);
        let folder = path.parent().context("the results have no folder")?;
        std::fs::create_dir_all(folder).with_context(|| format!("making {}", folder.display()))?;
        std::fs::write(&path, self.to_json()?).with_context(|| format!("writing {}", path.display()))
    }

    /// Starts a column: what it is. Outcomes of suites that are not run again stay.
    pub(super) fn begin(&mut self, key: String, title: &str, facts: BTreeMap<String, String>) {
        let cells = self.columns.entry(key).or_default();
        title.clone_into(&mut cells.title);
        cells.facts = facts;
    }

    pub(super) fn set(&mut self, key: &str, suite: &str, outcome: &Outcome) {
        let cells = self.columns.entry(key.to_owned()).or_default();
        cells.outcomes.insert(suite.to_owned(), outcome.clone());
    }

    pub(super) fn columns(&self) -> impl Iterator<Item = &Cells> {
        self.columns.values()
    }

    fn to_json(&self) -> Result<String> {
        let column = |cells: &Cells| {
            let outcomes: Map<String, Value> =
                cells.outcomes.iter().map(|(suite, outcome)| (suite.clone(), outcome.to_json())).collect();
            json!({ "title": cells.title, "facts": cells.facts, "outcomes": outcomes })
        };
        let columns: Map<String, Value> =
            self.columns.iter().map(|(key, cells)| (key.clone(), column(cells))).collect();
        Ok(serde_json::to_string_pretty(&Value::Object(columns))? + "\n")
    }

    fn from_json(text: &str) -> Result<Self> {
        let all: Map<String, Value> = serde_json::from_str(text)?;
        let object =
            |value: &Value, name: &str| value.get(name).and_then(Value::as_object).cloned().unwrap_or_default();
        let columns = all.into_iter().map(|(key, value)| {
            let facts = object(&value, "facts").into_iter();
            let facts = facts.filter_map(|(name, fact)| Some((name, fact.as_str()?.to_owned())));
            let outcomes = object(&value, "outcomes").into_iter();
            let cells = Cells {
                title: value.get("title").and_then(Value::as_str).unwrap_or_default().to_owned(),
                facts: facts.collect(),
                outcomes: outcomes.map(|(suite, outcome)| (suite, Outcome::from_json(&outcome))).collect(),
            };
            (key, cells)
        });
        Ok(Self { columns: columns.collect() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_replaces_its_own_cells_only() {
        let mut results = Results::default();
        results.begin("a".to_owned(), "A", BTreeMap::from([("mesa".to_owned(), "1".to_owned())]));
        results.set("a", "vkcube", &Outcome::pass());
        results.set("a", "vkmark", &Outcome::not_run("why"));
        let mut again = Results::from_json(&results.to_json().unwrap()).unwrap();
        assert_eq!(again, results);
        again.begin("a".to_owned(), "A", BTreeMap::new());
        again.set("a", "vkcube", &Outcome::regression(vec!["black".to_owned()]));
        let cells = again.columns().next().unwrap();
        assert_eq!(cells.outcomes["vkmark"], Outcome::not_run("why"));
        assert_eq!(cells.outcomes["vkcube"].summary(), "REGRESSION (1)");
    }
}
