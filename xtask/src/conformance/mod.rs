//! `cargo xtask conformance`: the same programs natively and through our host, on the same driver; differences only.
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
//! page           docs/conformance.md, from the results alone
//! card           the column of a machine with an NVIDIA card, from what tests/h200/run.sh wrote there
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

use anyhow::{Result, ensure};
use matrix::{Column, GuestChoice, HostChoice, ProfileChoice};
use outcome::Outcome;
use results::Results;
use std::path::PathBuf;
use suites::{Bench, Suite};
use testbed::cargo::build;
use testbed::progress::Step;
use testbed::provision;

/// Run suites natively and through our host on the same driver, and report the differences.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  cargo xtask conformance                                    the whole matrix
  cargo xtask conformance --guest sid --host bookworm        one column
  cargo xtask conformance --suite vulkaninfo vkcube          two suites, in all columns
  cargo xtask conformance --h200 h200.txt                    take over what tests/h200/run.sh wrote")]
pub(crate) struct Args {
    /// Whose Mesa is the guest; trixie and sid without.
    #[arg(long, value_enum)]
    guest: Vec<GuestChoice>,
    /// Whose lavapipe the host uses; bookworm (this machine's), trixie and sid without.
    #[arg(long, value_enum)]
    host: Vec<HostChoice>,
    /// What the host pretends its driver to be; native everywhere and moltenvk on one driver without.
    #[arg(long, value_enum)]
    profile: Vec<ProfileChoice>,
    /// What to run; everything without.
    #[arg(long, value_enum, num_args = 1..)]
    suite: Vec<Suite>,
    /// Do not run anything: compare what was run on a machine with an NVIDIA card, and take it over into the page.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["guest", "host", "profile", "suite"])]
    h200: Option<PathBuf>,
    /// Only write the page again, from the results that are kept.
    #[arg(long, conflicts_with_all = ["guest", "host", "profile", "suite", "h200"])]
    render: bool,
    /// A `venus` command to use instead of building this workspace's.
    #[arg(long, value_name = "PATH")]
    venus: Option<PathBuf>,
}

pub(crate) fn run(args: &Args) -> Result<()> {
    let mut results = Results::load()?;
    let mut regressions = Vec::new();
    if let Some(file) = &args.h200 {
        card::merge(file, &mut results, &mut regressions)?;
    } else if !args.render {
        run_matrix(args, &mut results, &mut regressions)?;
    }
    results.save()?;
    page::write(&results)?;
    for regression in &regressions {
        eprintln!("REGRESSION {regression}");
    }
    ensure!(regressions.is_empty(), "{} regressions against native; the page says where", regressions.len());
    Ok(())
}

fn run_matrix(args: &Args, results: &mut Results, regressions: &mut Vec<String>) -> Result<()> {
    provision::host_driver()?;
    let venus = match &args.venus {
        Some(venus) => venus.clone(),
        None => build(&["--release", "--package", "venus-host", "--bin", "venus"])?,
    };
    let rust_guest =
        build(&["--release", "--package", "venus-guest", "--bin", "venus-guest", "--features", "program"])?;
    let suites: Vec<Suite> = if args.suite.is_empty() { Suite::ALL.to_vec() } else { args.suite.clone() };
    let roots = matrix::Roots::default();
    for column in matrix::columns(&args.guest, &args.host, &args.profile) {
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
