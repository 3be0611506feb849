//! `venus doctor`: what this host can give a guest, and what a person can do to give more.
//!
//! ```text
//!   system, venus_host::driver::survey ──> facts ──> checks ──> text, json
//!   (look)                                 (data)    (judge)    (say)
//! ```
//!
//! | file | what |
//! |---|---|
//! | [`facts`] | everything that is known about this host, as plain data |
//! | [`system`] | facts of the operating system: limits, devices, drivers' manifests |
//! | [`checks`] | the table of checks: facts to judgements, without a look at the machine |
//! | [`report`] | facts and judgements, and what follows from them |
//! | [`text`], [`json`] | the report, for people and for machines |
//!
//! Facts of the GPUs come from the host itself, which finds them out by trying.
//!
//! To add a check for something that users report: a fact if there is none yet, and a row in [`checks`].

mod checks;
mod facts;
mod json;
mod report;
mod system;
mod text;

use std::io::{self, Write as _};

use anyhow::Context as _;
use clap::Args;
use venus_host::driver::Config;

use super::DriverArgs;

const EXAMPLES: &str = "\
Examples:
  venus doctor                    all GPUs
  venus doctor --gpu llvmpipe     those with this in their name
  venus doctor --json | jq .checks

Exit status:
  0  guests can be served; there may be warnings
  1  something is missing that guests need; the last line of standard error says what
  2  the command line is wrong";

/// Say what this host can give a guest, and why not more
///
/// Prints the driver, how its memory reaches guests, the extensions that guests are offered, and the outcome of checks
/// for everything that is known to go wrong: what it means for guests, and how to mend it.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct DoctorArgs {
    /// Print one JSON object instead
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    driver: DriverArgs,
}

impl DoctorArgs {
    /// How GPUs are looked at. How their memory is shared is found out here, and not known beforehand: the report says of
    /// the other ways why they do not work.
    fn config(&self) -> Result<Config, anyhow::Error> {
        Ok(self.driver.tried()?.shares_memory(Vec::new()))
    }
}

pub(super) fn run(args: &DoctorArgs) -> Result<(), anyhow::Error> {
    let report = report::examine(&args.config()?);
    let text = if args.json { format!("{:#}\n", report.json()) } else { report.text() };
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes()).and_then(|()| out.flush()).context("cannot write the report")?;
    match report.failure() {
        None => Ok(()),
        Some(failure) => Err(anyhow::anyhow!(failure)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(clap::Parser)]
    struct Cli {
        #[command(flatten)]
        doctor: DoctorArgs,
    }

    /// What was told of ways that work would say nothing of the others.
    #[test]
    fn ways_of_sharing_memory_are_all_looked_at() {
        let gpu = "a7".repeat(32);
        let memory = format!("{gpu}:4096:import=6");
        let arguments = ["doctor", "--sparse", &gpu, "--shared-memory", &memory];
        let cli = <Cli as clap::Parser>::parse_from(arguments);
        assert_eq!(cli.doctor.driver.tried().unwrap().shared_memory.len(), 1);
        let config = cli.doctor.config().unwrap();
        assert_eq!((config.sparse, config.shared_memory), (vec![gpu.parse().unwrap()], Vec::new()));
    }
}
