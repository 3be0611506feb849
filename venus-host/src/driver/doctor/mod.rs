//! What this host can give a guest, and what a person can do to give more: `venus doctor`.
//!
//! Nothing here is looked up in a list of known drivers: memory is shared, a GPU writes to it, and what worked is
//! reported. The rows about extensions are the very rows that guests are answered from.
//!
//! ```text
//!   system, gpu ──> facts ──> checks ──> text, json
//!   (look)          (data)    (judge)    (say)
//! ```
//!
//! | file | what |
//! |---|---|
//! | `facts` | everything that is known about this host, as plain data |
//! | `system` | facts of the operating system: limits, devices, drivers' manifests |
//! | `gpu` | facts of the GPUs, by trying |
//! | `checks` | the table of checks: facts to judgements, without a look at the machine |
//! | `text`, `json` | the report, for people and for machines |
//!
//! To add a check for something that users report: a fact if there is none yet, and a row in `checks`.

mod checks;
mod facts;
mod gpu;
mod json;
mod system;
mod text;

pub use self::checks::Level;
use self::{checks::Judgement, facts::Facts};
use super::Config;

/// What is known about this host, and what to think of it.
#[derive(Debug)]
pub struct Report {
    facts: Facts,
    judgements: Vec<Judgement>,
}

/// Looks at everything. Takes a second or so: drivers are loaded and devices created.
#[must_use]
pub fn examine(config: &Config) -> Report {
    // The system first: loading drivers leaves traces in it.
    let system = system::examine();
    let (library, gpus) = gpu::examine(config);
    let facts = Facts { system, library, gpus, wants_validation: config.validate };
    let judgements = checks::judge(&facts);
    Report { facts, judgements }
}

impl Report {
    /// The worst judgement. [`Level::Failure`] means that guests cannot start, or miss what they need.
    #[must_use]
    pub fn worst(&self) -> Level {
        self.judgements.iter().map(|judgement| judgement.level).max().unwrap_or(Level::Fine)
    }

    /// What is missing, in one sentence; `None` if nothing is.
    #[must_use]
    pub fn failure(&self) -> Option<String> {
        let failures: Vec<_> = self.judgements.iter().filter(|judgement| judgement.level == Level::Failure).collect();
        let first = failures.first()?;
        let others = match failures.len() {
            1 => String::new(),
            n => format!(" (and {} more)", n - 1),
        };
        Some(format!("{}: {}{others}; the report says what to do", first.check, first.found))
    }

    /// The report for people.
    #[must_use]
    pub fn text(&self) -> String {
        text::print(&self.facts, &self.judgements)
    }

    /// The report for machines: one JSON object.
    #[must_use]
    pub fn json(&self) -> serde_json::Value {
        json::print(&self.facts, &self.judgements)
    }
}
