//! Parity with native: the same programs natively and through our host, on the same driver; differences only.
//!
//! ```text
//! matrix         which guests meet which drivers: the columns
//!   |
//! suites/        what is run in a column, on both sides; each makes an outcome
//!   |  profile   two vulkaninfo profiles, property by property
//!   |  explained what is known to differ, each with its reason: data
//! outcome        pass, differs and why, regression, not run
//!   |
//! results        all columns that were ever run, in a file beside the page: a run replaces its own cells
//! page           docs/parity.md, from the results alone
//! card           the column of a machine with an NVIDIA card, from what tests/remote-gpu/run.sh wrote there
//! ```
//!
//! A difference that no row of `explained` covers is a regression, and makes the verb fail. Nothing in the page is typed
//! by hand but those rows.

mod card;
mod explained;
mod matrix;
mod outcome;
mod page;
mod profile;
mod results;
mod suites;

pub use matrix::{GuestChoice, HostChoice, ProfileChoice};
pub use suites::Suite;

use crate::cargo::build;
use crate::progress::Step;
use crate::provision;
use anyhow::{Result, ensure};
use matrix::Column;
use outcome::Outcome;
use results::Results;
use std::path::PathBuf;
use suites::Bench;

/// What to do before the page is written.
#[derive(Debug)]
pub enum Task {
    /// Run suites in columns.
    Run(Choice),
    /// Take over what `tests/remote-gpu/run.sh` wrote into this file.
    Merge(PathBuf),
    /// Nothing: the results are kept.
    Render,
}

/// What to run: of each kind those that are named, or all that the page usually has.
#[derive(Debug, Default)]
pub struct Choice {
    /// Whose Mesa is the guest.
    pub guests: Vec<GuestChoice>,
    /// Whose lavapipe the host uses.
    pub hosts: Vec<HostChoice>,
    /// What the host pretends its driver to be.
    pub profiles: Vec<ProfileChoice>,
    /// What is run.
    pub suites: Vec<Suite>,
    /// A `venus` command to use instead of building this workspace's.
    pub venus: Option<PathBuf>,
}

/// Fills cells, keeps them, and writes the page.
///
/// # Errors
///
/// There are regressions, or something stood in the way of running or writing.
pub fn run(task: &Task) -> Result<()> {
    let mut results = Results::load()?;
    let mut regressions = Vec::new();
    match task {
        Task::Run(choice) => run_matrix(choice, &mut results, &mut regressions)?,
        Task::Merge(file) => card::merge(file, &mut results, &mut regressions)?,
        Task::Render => {}
    }
    results.save()?;
    page::write(&results)?;
    for regression in &regressions {
        eprintln!("REGRESSION {regression}");
    }
    ensure!(regressions.is_empty(), "{} regressions against native; the page says where", regressions.len());
    Ok(())
}

fn run_matrix(choice: &Choice, results: &mut Results, regressions: &mut Vec<String>) -> Result<()> {
    provision::host_driver()?;
    let venus = match &choice.venus {
        Some(venus) => venus.clone(),
        None => build(&["--release", "--package", "venus-command", "--bin", "venus"])?,
    };
    let rust_guest =
        build(&["--release", "--package", "venus-guest", "--bin", "venus-guest", "--features", "program"])?;
    let suites: Vec<Suite> = if choice.suites.is_empty() { Suite::ALL.to_vec() } else { choice.suites.clone() };
    let roots = matrix::Roots::default();
    for column in matrix::columns(&choice.guests, &choice.hosts, &choice.profiles) {
        run_column(&column, &roots, &suites, &venus, &rust_guest, results, regressions)?;
        // What is done is kept, whatever becomes of the next column.
        results.save()?;
    }
    Ok(())
}

fn run_column(
    column: &Column,
    roots: &matrix::Roots,
    suites: &[Suite],
    venus: &std::path::Path,
    rust_guest: &std::path::Path,
    results: &mut Results,
    regressions: &mut Vec<String>,
) -> Result<()> {
    let guest = roots.guest(column.guest)?;
    let host = roots.host(column.host)?;
    let title = column.title(&guest, &host);
    let bench = Bench::new(&guest, &host, column.profile, venus, rust_guest)?;
    results.begin(column.key(), &title, bench.facts());
    for suite in suites {
        let step = Step::start(format!("{title}: {}", suite.name()));
        let outcome = suite.run(&bench).unwrap_or_else(|error| Outcome::regression(vec![format!("{error:#}")]));
        step.done(&outcome.summary());
        for what in outcome.regressions() {
            regressions.push(format!("{title}: {}: {what}", suite.name()));
        }
        results.set(&column.key(), suite.name(), &outcome);
    }
    Ok(())
}
