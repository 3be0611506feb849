//! Measures the codec, vtest hosts (ours, or any other), what applications wait for, and what it costs to be looked at.
//! `cargo xtask bench` runs it with all that it needs.
#![deny(unsafe_code)]

mod allocations;
mod codec;
mod hosts;
mod idle;
mod observing;
mod page;
mod programs;
mod report;
mod rows;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};
use testbed::provision::{Suite, roots};

/// Measurements of the Venus toolkit.
#[derive(Parser)]
struct Cli {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    /// What it costs to decode and to encode a command.
    Codec {
        /// `venus-count`, built to run under valgrind: its instructions are counted.
        #[arg(long, value_name = "PATH")]
        counter: Option<PathBuf>,
        /// Also write the figures to this file.
        #[arg(long)]
        json: Option<PathBuf>,
    },
    /// What it costs to reach a host, and what it costs the host to execute commands.
    Hosts {
        /// A host, as NAME=SOCKET. All are measured in turns; ratios are to the last one.
        #[arg(long = "host", required = true)]
        hosts: Vec<hosts::Host>,
        /// Turns.
        #[arg(long, default_value_t = 7)]
        rounds: usize,
        /// Also write the figures to this file.
        #[arg(long)]
        json: Option<PathBuf>,
    },
    /// What it costs to be recorded and traced: vkcube in a guest root, looked at and not.
    Observing {
        /// The `venus` command.
        #[arg(long, value_name = "PATH")]
        venus: PathBuf,
        /// The guest root.
        #[arg(long, value_enum, default_value = "sid")]
        suite: Suite,
        /// Turns.
        #[arg(long, default_value_t = 7)]
        rounds: u32,
        /// Where to write the figures.
        #[arg(long)]
        json: PathBuf,
    },
    /// What hosts take for guests that have nothing to do.
    Idle {
        /// The `venus` command.
        #[arg(long, value_name = "PATH")]
        venus: PathBuf,
        /// The program of the cases.
        #[arg(long, value_name = "PATH")]
        cases: PathBuf,
        /// The guest root.
        #[arg(long, value_enum, default_value = "sid")]
        suite: Suite,
        /// Turns.
        #[arg(long, default_value_t = 2)]
        rounds: u32,
        /// Where to write the figures.
        #[arg(long)]
        json: PathBuf,
    },
    /// Write the tables of a page from figures in files, and all of them as JSON beside it.
    Page {
        /// The folder of the files.
        #[arg(long, value_name = "FOLDER")]
        figures: PathBuf,
        /// The page.
        #[arg(long, value_name = "FILE")]
        page: PathBuf,
        /// The guest root that was measured in.
        #[arg(long, value_enum, default_value = "sid")]
        suite: Suite,
        /// What else the page should say of the machine; may be given several times.
        #[arg(long, value_name = "TEXT")]
        note: Vec<String>,
    },
    /// What applications wait for, on Mesa's driver in a guest root: natively, and through both hosts.
    Programs {
        /// The `venus` command.
        #[arg(long, value_name = "PATH")]
        venus: PathBuf,
        /// The program of the cases.
        #[arg(long, value_name = "PATH")]
        cases: PathBuf,
        /// Another `venus` command to compare with, instead of the root's virglrenderer.
        #[arg(long, value_name = "PATH")]
        against: Option<PathBuf>,
        /// Measure only this case; may be given several times.
        #[arg(long, value_name = "CASE")]
        only: Vec<String>,
        /// Keep programs (and native drivers) on one processor and hosts on another, by their numbers.
        #[arg(long, value_name = "GUEST:HOST")]
        pin: Option<programs::Pinned>,
        /// The guest root.
        #[arg(long, value_enum, default_value = "sid")]
        suite: Suite,
        /// Turns.
        #[arg(long, default_value_t = 7)]
        rounds: u32,
        /// Where to write the figures.
        #[arg(long)]
        json: PathBuf,
    },
}

fn main() -> ExitCode {
    match run(&Cli::parse().what) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

#[expect(clippy::print_stdout, reason = "the tables are what the program is for")]
fn run(what: &What) -> Result<()> {
    match what {
        What::Codec { counter, json } => {
            let figures = codec::measure(counter.as_deref())?;
            print!("{}", codec::table(&figures));
            report::save(json.as_deref(), &codec::json(&figures))
        }
        What::Hosts { hosts, rounds, json } => {
            let figures = hosts::measure(hosts, *rounds)?;
            print!("{}", hosts::table(&figures));
            report::save(json.as_deref(), &hosts::json(&figures))
        }
        What::Observing { venus, suite, rounds, json } => {
            observing::measure(venus, roots::ensure(*suite)?.guest(), *rounds, json)
        }
        What::Idle { venus, cases, suite, rounds, json } => {
            idle::measure(venus, cases, roots::ensure(*suite)?.guest(), *rounds, json)
        }
        What::Page { figures, page, suite, note } => page::write(figures, page, roots::ensure(*suite)?.guest(), note),
        What::Programs { venus, cases, against, only, pin, suite, rounds, json } => {
            let choice = programs::Choice { venus, cases, against: against.as_deref(), only, pinned: *pin };
            choice.check()?;
            programs::measure(&choice, roots::ensure(*suite)?.guest(), *rounds, json)
        }
    }
}
