//! `cargo xtask recordings`: what real guests ask of a host, in files.
//!
//! The small ones are kept in `tests/recordings` and are fixtures of the tests; the others are made when somebody wants
//! to look at them, or to measure with them.

use anyhow::{Context as _, Result};
use std::path::{Path, PathBuf};
use testbed::cargo::build;
use testbed::programs::Program;
use testbed::progress::Step;
use testbed::provision::{self, roots};
use testbed::recorder::{Recorded, record};
use testbed::workspace;

/// Where recordings go, in the workspace.
const FOLDER: &str = "target/recordings";

const EXAMPLES: &str = "\
Examples:
  cargo xtask recordings                             all of them, to target/recordings
  cargo xtask recordings vkcube-3 --memory           with shared memory: replays show pictures
  cargo xtask recordings vulkaninfo --out tests/recordings";

/// Record the standard programs in a real guest.
///
/// Each runs in the guest root of Debian sid, against a `venus serve --record` on this machine's driver. Prints a table
/// of what was recorded.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// Programs to record; all of them without.
    #[arg(value_enum)]
    names: Vec<Program>,
    /// Folder for the recordings; made if it is missing.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Record what is in the memory that guest and driver share, too. Much larger.
    #[arg(long)]
    memory: bool,
    /// A `venus` command to use instead of building this workspace's.
    #[arg(long, value_name = "PATH")]
    host: Option<PathBuf>,
}

pub(crate) fn run(args: &Args) -> Result<()> {
    provision::host_driver()?;
    let root = roots::ensure(Program::SUITE)?;
    let host = match &args.host {
        Some(host) => host.clone(),
        None => build(&["--release", "--package", "venus-command", "--bin", "venus"])?,
    };
    let folder = args.out.clone().unwrap_or_else(|| workspace().join(FOLDER));
    let programs = if args.names.is_empty() { Program::ALL.to_vec() } else { args.names.clone() };
    let mut rows = Vec::new();
    for program in programs {
        let step = Step::start(format!("recording {}", program.name()));
        let recorded = record(&host, root.guest(), program, &folder, args.memory)?;
        step.done(&format!("{} commands, the program took {:.2} s", recorded.commands, recorded.elapsed.as_secs_f64()));
        rows.push((program, recorded));
    }
    let mesa = root.guest().mesa_version().unwrap_or_else(|| "of unknown version".to_owned());
    print_table(&rows, &mesa, &folder)
}

#[expect(clippy::print_stdout, reason = "the result of a command-line verb")]
fn print_table(rows: &[(Program, Recorded)], mesa: &str, folder: &Path) -> Result<()> {
    println!("{:<12} {:>10} {:>12}  file", "recording", "commands", "bytes");
    for (program, recorded) in rows {
        for (number, path) in recorded.files.iter().enumerate() {
            let bytes = path.metadata().with_context(|| format!("looking at {}", path.display()))?.len();
            // The server counts commands for each guest as it leaves, which need not be the order of connections.
            let commands = if number == 0 { recorded.commands.to_string() } else { "(above)".to_owned() };
            println!("{:<12} {commands:>10} {bytes:>12}  {}", program.name(), path.display());
        }
    }
    println!("guest: Debian {}, Mesa {mesa}; recordings in {}", Program::SUITE.name(), folder.display());
    Ok(())
}
