//! The guests of a soak: which programs, in which guest, and which of them are killed.

use super::Options;
use crate::process::{Finished, tail};
use crate::sandbox::{Guest, GuestRun, GuestRunning, Screen, Vulkan};
use anyhow::Result;
use std::fmt;
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// Longest that one guest may take, with all others beside it.
const LIMIT: Duration = Duration::from_secs(120);
/// One of so many guests is killed, at some moment of this time after its start.
const KILLED: u64 = 4;
const ALIVE: Duration = Duration::from_millis(1500);
/// Complaints of one round that are kept; more of the same say nothing more.
const FAILURES: usize = 10;

/// Cases that a soak runs: short, and of all kinds.
const CASES: &[&[&str]] = &[
    &["poll-fence-0", "200"],
    &["fences", "2000"],
    &["timelines", "2000"],
    &["wait-any", "300"],
    &["timeline-threads", "50"],
    &["fence-threads", "50"],
    &["pending", "500"],
    &["memory-sizes"],
    &["memory-churn", "500"],
    &["memory-many", "500"],
    &["memory-refused-free"],
    &["pipeline-destroy", "20"],
    &["pipeline-three-fresh"],
    &["pipeline-submit"],
    &["pipeline-threads", "40"],
    &["starts", "5"],
    &["instances", "5"],
];

/// What a guest runs.
#[derive(Debug, Clone, Copy)]
enum Program {
    /// Every query there is.
    Info,
    /// A window; only the last of the guests has swapchains.
    Cube,
    Case(&'static [&'static str]),
}

/// One guest to be run.
#[derive(Debug, Clone, Copy)]
struct Plan {
    program: Program,
    /// Which guest, counted from the first.
    guest: usize,
    killed_after: Option<Duration>,
}

/// What became of guests.
#[derive(Debug, Default)]
pub(super) struct Tally {
    pub(super) guests: u64,
    pub(super) killed: u64,
    pub(super) failures: Vec<String>,
}

impl Tally {
    pub(super) fn add(&mut self, other: Self) {
        self.guests += other.guests;
        self.killed += other.killed;
        let room = FAILURES.saturating_sub(self.failures.len());
        self.failures.extend(other.failures.into_iter().take(room));
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { guests, killed, failures } = self;
        write!(f, "{guests} guests, {killed} killed, {} failed", failures.len())
    }
}

/// Numbers that look random and follow from a seed (xorshift64*).
#[derive(Debug, Clone, Copy)]
pub(super) struct Random(u64);

impl Random {
    pub(super) fn new(seed: u64) -> Self {
        // Zero would stay zero.
        Self(seed.wrapping_mul(2).wrapping_add(1))
    }

    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 32
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    fn index(&mut self, bound: usize) -> usize {
        usize::try_from(self.below(bound.max(1) as u64)).unwrap_or(0)
    }
}

/// Runs guests against one server.
#[derive(Debug)]
pub(super) struct Load<'a> {
    options: &'a Options,
    socket: PathBuf,
    random: Random,
}

impl<'a> Load<'a> {
    pub(super) fn new(options: &'a Options, socket: PathBuf) -> Self {
        Self { options, socket, random: Random::new(options.seed) }
    }

    /// One round: guests one after another for half of its time, then many at once for the other half.
    pub(super) fn round(&mut self) -> Result<Tally> {
        let half = self.options.round / 2;
        let mut tally = self.stream(Instant::now() + half, self.random)?;
        let seeds: Vec<Random> = (0..self.options.at_once).map(|_| Random::new(self.random.next())).collect();
        let until = Instant::now() + half;
        let this = &*self;
        let streams: Vec<Result<Tally>> = std::thread::scope(|scope| {
            let threads: Vec<_> =
                seeds.into_iter().map(|random| scope.spawn(move || this.stream(until, random))).collect();
            threads.into_iter().map(|thread| thread.join().expect("a stream of guests does not panic")).collect()
        });
        streams.into_iter().try_for_each(|stream| stream.map(|stream| tally.add(stream)))?;
        Ok(tally)
    }

    /// Guests one after another until it is time, and at least one.
    fn stream(&self, until: Instant, mut random: Random) -> Result<Tally> {
        let mut tally = Tally::default();
        while tally.guests == 0 || Instant::now() < until {
            let plan = self.plan(&mut random);
            tally.guests += 1;
            match self.one(plan)? {
                None => tally.killed += 1,
                Some(finished) if finished.success() => {}
                Some(finished) => tally.failures.push(format!("{plan:?}: {}", describe(&finished))),
            }
        }
        Ok(tally)
    }

    fn plan(&self, random: &mut Random) -> Plan {
        let last = self.options.guests.len().saturating_sub(1);
        let program = match random.below(8) {
            0 | 1 => Program::Info,
            2 => Program::Cube,
            _ => Program::Case(CASES[random.index(CASES.len())]),
        };
        let guest = if matches!(program, Program::Cube) { last } else { random.index(last + 1) };
        let moment = Duration::from_millis(random.below(ALIVE.as_millis() as u64));
        Plan { program, guest, killed_after: (random.below(KILLED) == 0).then_some(moment) }
    }

    /// Runs one to its end, or to the moment when it is killed: then there is nothing to tell.
    fn one(&self, plan: Plan) -> Result<Option<Finished>> {
        let guest = &self.options.guests[plan.guest];
        let mut running = self.command(guest, plan.program)?.limit(LIMIT).spawn()?;
        match plan.killed_after {
            Some(moment) if outlives(&mut running, moment)? => {
                running.kill()?;
                Ok(None)
            }
            _ => running.finish().map(Some),
        }
    }

    fn command<'b>(&'b self, guest: &'b Guest, program: Program) -> Result<GuestRun<'b>> {
        let vulkan = Vulkan::Venus(&self.socket);
        match program {
            Program::Info => Ok(guest.command("vulkaninfo", vulkan).args(["--summary"])),
            Program::Cube => {
                let cube = guest.command("vkcube", vulkan).args(["--c", "30", "--present_mode", "0"]);
                Ok(cube.screen(Screen::VKCUBE))
            }
            Program::Case(case) => self.options.cases.command(guest, vulkan, case),
        }
    }
}

/// Whether a guest is still there at that moment of its life.
fn outlives(running: &mut GuestRunning, moment: Duration) -> Result<bool> {
    let started = Instant::now();
    while started.elapsed() < moment {
        if !running.is_running()? {
            return Ok(false);
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    running.is_running()
}

fn describe(finished: &Finished) -> String {
    format!("{:?}\n{}{}", finished.outcome, tail(&finished.stdout), tail(&finished.stderr))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_makes_the_same_guests() {
        let draw = |seed| {
            let mut random = Random::new(seed);
            [(); 20].map(|()| random.below(100))
        };
        assert_eq!(draw(7), draw(7));
        assert_ne!(draw(7), draw(8));
        assert_ne!(draw(0), [0; 20]);
    }
}
