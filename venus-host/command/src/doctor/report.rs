//! What is known about this host, and what to think of it.

use venus_host::driver::{Config, survey};

use super::{
    checks::{self, Judgement, Level},
    facts::Facts,
    json, system, text,
};

/// What is known about this host, and what to think of it.
#[derive(Debug)]
pub(super) struct Report {
    facts: Facts,
    judgements: Vec<Judgement>,
}

/// Looks at everything. Takes a second or so: drivers are loaded and devices created.
pub(super) fn examine(config: &Config) -> Report {
    // The system first: loading drivers leaves traces in it.
    let system = system::examine();
    let survey::Survey { library, gpus, .. } = survey::survey(config);
    let facts = Facts { system, library, gpus, wants_validation: config.validate };
    let judgements = checks::judge(&facts);
    Report { facts, judgements }
}

impl Report {
    /// What is missing, in one sentence; `None` if nothing is.
    pub(super) fn failure(&self) -> Option<String> {
        let failures: Vec<_> = self.judgements.iter().filter(|judgement| judgement.level == Level::Failure).collect();
        let first = failures.first()?;
        let others = match failures.len() {
            1 => String::new(),
            n => format!(" (and {} more)", n - 1),
        };
        Some(format!("{}: {}{others}; the report says what to do", first.check, first.found))
    }

    /// The report for people.
    pub(super) fn text(&self) -> String {
        text::print(&self.facts, &self.judgements)
    }

    /// The report for machines: one JSON object.
    pub(super) fn json(&self) -> serde_json::Value {
        json::print(&self.facts, &self.judgements)
    }
}
