//! A soak: guests come and go for a long time, one after another and many at once, some killed in the middle of
//! something, and the server is none the worse for it.
//!
//! ```text
//! a round   guests one after another, then many at once, then nobody      [`load`]
//! a sample  what the server holds once nobody is left                      [`sample`]
//! verdict   every guest that was left alone is content, the samples are flat, and an idle server costs no CPU time
//! ```
//!
//! Which guests run and when they are killed follows from a seed, which is printed.

mod load;
mod sample;

use crate::cases::Cases;
use crate::sandbox::Guest;
use crate::server::Server;
use anyhow::{Context as _, Result};
use load::{Load, Tally};
use sample::Sample;
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// How long the server may take to come to rest after a round.
const SETTLING: Duration = Duration::from_secs(30);
/// How long the idle server is watched.
const IDLE: Duration = Duration::from_secs(3);
/// CPU time that it may take meanwhile: two ticks of the clock, which counts whole ones.
const IDLE_CPU: Duration = Duration::from_millis(20);

/// What to run, and for how long.
#[derive(Debug)]
pub struct Options {
    /// The `venus` command.
    pub host: PathBuf,
    /// The program of the cases.
    pub cases: Cases,
    /// Where guests run; the last one can draw.
    pub guests: Vec<Guest>,
    /// How long, to the end of the round that is under way then.
    pub duration: Duration,
    /// How long guests come and go between two samples.
    pub round: Duration,
    /// How many at once.
    pub at_once: usize,
    /// What decides which guests run, and when they are killed.
    pub seed: u64,
}

/// What came of it.
#[derive(Debug)]
pub struct Report {
    /// Guests of all rounds.
    pub guests: u64,
    /// Those of them that were killed.
    pub killed: u64,
    /// What is wrong; empty where all is well.
    pub complaints: Vec<String>,
}

/// Runs it, and hands each line about it to `say`.
///
/// # Errors
///
/// The server does not start or dies, or a guest cannot be started.
pub fn run(options: &Options, mut say: impl FnMut(&str)) -> Result<Report> {
    let mut host = Server::start(&options.host, [""; 0])?;
    say(&format!("seed {}, {} guests at once, rounds of {:?}", options.seed, options.at_once, options.round));
    let (started, mut samples, mut total) = (Instant::now(), Vec::new(), Tally::default());
    let mut load = Load::new(options, host.socket());
    // One sample alone has nothing to be compared with.
    while samples.len() < 2 || started.elapsed() < options.duration {
        let tally = load.round()?;
        host.expect_no_guests(SETTLING).context("after a round")?;
        host.expect_alive()?;
        let sample = Sample::settled(&host, SETTLING)?;
        say(&format!("{:6.0} s: {tally}; {sample}", started.elapsed().as_secs_f64()));
        total.add(tally);
        samples.push(sample);
    }
    let idle = sample::idle_cpu(&host, IDLE);
    say(&format!("{total} in all; {} ms of CPU time in {IDLE:?} without guests", idle.as_millis()));
    let mut complaints = std::mem::take(&mut total.failures);
    complaints.extend(sample::growth(&samples));
    if idle > IDLE_CPU {
        complaints.push(format!("an idle server takes {idle:?} of CPU time in {IDLE:?}"));
    }
    Ok(Report { guests: total.guests, killed: total.killed, complaints })
}
