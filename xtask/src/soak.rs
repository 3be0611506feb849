//! `cargo xtask soak`: guests come and go for a long time, and the server is none the worse for it.

use std::{
    path::PathBuf,
    time::{Duration, SystemTime},
};

use anyhow::{Result, ensure};
use testbed::{
    cargo::build,
    cases::Cases,
    provision::{self, Suite, roots},
    soak,
};

/// Run guests one after another and many at once, killed at random, and watch what the server holds.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// How long.
    #[arg(long, default_value_t = 20.0)]
    minutes: f64,
    /// How many guests at once.
    #[arg(long, default_value_t = 8)]
    guests: usize,
    /// Seconds between two looks at the server.
    #[arg(long, default_value_t = 60)]
    round: u64,
    /// Which guests run and when they are killed follows from this; another one each time without.
    #[arg(long)]
    seed: Option<u64>,
    /// A `venus` command to use instead of building this workspace's.
    #[arg(long, value_name = "PATH")]
    venus: Option<PathBuf>,
}

#[expect(clippy::print_stdout, reason = "the result of a command-line verb")]
pub(crate) fn run(args: &Args) -> Result<()> {
    ensure!(args.guests > 0 && args.minutes.is_finite() && args.minutes >= 0.0, "some guests, and some minutes");
    provision::host_driver()?;
    // The last one can draw in a window.
    let roots = [roots::ensure(Suite::Trixie)?, roots::ensure(Suite::Sid)?];
    let options = soak::Options {
        host: match &args.venus {
            Some(path) => path.clone(),
            None => build(&["--package", "venus-command", "--bin", "venus", "--release"])?,
        },
        cases: Cases::build()?,
        guests: roots.iter().map(|root| root.guest().clone()).collect(),
        duration: Duration::from_secs_f64(args.minutes * 60.0),
        round: Duration::from_secs(args.round),
        at_once: args.guests,
        seed: args.seed.unwrap_or_else(seed),
    };
    let report = soak::run(&options, |line| println!("{line}"))?;
    for complaint in &report.complaints {
        println!("{complaint}");
    }
    ensure!(report.complaints.is_empty(), "{} things are wrong", report.complaints.len());
    println!("all is well: {} guests, {} of them killed", report.guests, report.killed);
    Ok(())
}

/// One that differs from run to run.
fn seed() -> u64 {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    u64::from(now.subsec_nanos()) ^ now.as_secs()
}
