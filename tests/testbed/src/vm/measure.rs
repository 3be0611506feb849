//! Libraries side by side on the same QEMU and the same guest: how fast frames are read back, how long a program waits for
//! its first reply, and how often the guest's kernel is asked for anything.

use super::image::Image;
use super::jobs::{first_reply, rates};
use super::machine::{Library, Machine};
use crate::progress::Step;
use crate::sandbox::Guest;
use anyhow::{Context as _, Result, ensure};
use std::fmt;
use std::path::Path;

/// First replies that are timed in each round. The first program of a guest still finds nothing of it in memory.
const REPLIES: usize = 5;
/// What QEMU's log has a line of for each buffer of commands that a guest's kernel hands over.
const SUBMIT: &str = "virtio_gpu_cmd_ctx_submit";
/// What the job says once the frames are over and their calls can be counted.
const COUNTED: &str = "frames are over";

/// What is measured.
#[derive(Debug)]
pub struct Plan<'a> {
    /// The root with QEMU.
    pub qemu: &'a Guest,
    /// What boots.
    pub image: &'a Image,
    /// The program of the cases.
    pub cases: &'a Path,
    /// Names of libraries, and the libraries.
    pub libraries: Vec<(String, Library)>,
    /// How often each library has its turn.
    pub rounds: usize,
    /// Frames in a round.
    pub frames: u32,
}

/// What was measured of one library.
#[derive(Debug, Clone, PartialEq)]
pub struct Figures {
    /// The library's name.
    pub name: String,
    /// Frames a second of each round: all of them, the slowest tenth, the fastest.
    pub rates: Vec<[f64; 3]>,
    /// Milliseconds of each program, to its devices and to its first work done.
    pub replies: Vec<[f64; 2]>,
    /// Buffers of commands in each round, while the frames were read.
    pub submits: Vec<usize>,
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [rate, least, most] =
            [0, 1, 2].map(|index| self.rates.iter().map(|rates| rates[index]).collect::<Vec<_>>());
        let rates = self.rates.iter().map(|rates| format!("{:.0}", rates[0])).collect::<Vec<_>>().join(" ");
        let replies = [0, 1].map(|index| spread(self.replies.iter().map(|reply| reply[index]).collect()));
        let submits = self.submits.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ");
        writeln!(f, "{}", self.name)?;
        writeln!(
            f,
            "  frames a second     median {:.0} of rounds {rates}; tenths of a round from {:.0} to {:.0}",
            spread(rate)[1],
            spread(least)[0],
            spread(most)[2]
        )?;
        for (what, [least, median, most]) in ["a program's devices", "its first work done"].iter().zip(replies) {
            writeln!(f, "  {what} median {median:.1} ms ({least:.1} to {most:.1})")?;
        }
        writeln!(f, "  submit_cmd          {submits} in a round's frames")
    }
}

/// The least, the median and the most; zeros of nothing.
fn spread(mut values: Vec<f64>) -> [f64; 3] {
    values.sort_by(f64::total_cmp);
    let at = |index: usize| values.get(index).copied().unwrap_or_default();
    [at(0), at(values.len() / 2), at(values.len().saturating_sub(1))]
}

/// Measures, the libraries taking turns.
///
/// # Errors
///
/// A machine fails, or its guest's programs.
pub fn run(plan: &Plan<'_>) -> Result<Vec<Figures>> {
    let none = |name: &str| Figures { name: name.to_owned(), rates: vec![], replies: vec![], submits: vec![] };
    let mut all: Vec<Figures> = plan.libraries.iter().map(|(name, _)| none(name)).collect();
    for round in 1..=plan.rounds {
        for ((name, library), figures) in plan.libraries.iter().zip(&mut all) {
            let step = Step::start(format!("round {round} of {}, {name}", plan.rounds));
            measure(plan, library, figures)?;
            let rate = figures.rates.last().map_or(0.0, |rates| rates[0]);
            step.done(&format!("{rate:.0} frames a second"));
        }
    }
    Ok(all)
}

/// One round of one library.
fn measure(plan: &Plan<'_>, library: &Library, figures: &mut Figures) -> Result<()> {
    let job = format!(
        "./venus-cases frames {} || exit 1\necho {COUNTED}\nsleep 2\n\
         for i in $(seq {REPLIES}); do ./venus-cases first-reply || exit 1; done",
        plan.frames
    );
    let machine = Machine::new(plan.qemu, plan.image, library, &job)?.file(plan.cases)?;
    let mut session = machine.args(["-trace", SUBMIT, "-D", "/run/job/calls"]).start()?;
    session.wait_for(COUNTED)?;
    let calls = std::fs::read_to_string(session.folder().join("calls")).context("reading QEMU's log of calls")?;
    figures.submits.push(calls.matches(SUBMIT).count());
    let report = session.finish()?;
    figures.rates.push(rates(&report.out).with_context(|| format!("no rates: {}", report.out))?);
    let replies: Vec<[f64; 2]> = report.out.lines().filter_map(first_reply).collect();
    ensure!(replies.len() == REPLIES, "{} first replies: {}", replies.len(), report.out);
    figures.replies.extend(replies);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_told_with_their_spread() {
        let figures = Figures {
            name: "ours".to_owned(),
            rates: vec![[3000.0, 2500.0, 3100.0], [2000.0, 1000.0, 2400.0], [4000.0, 3900.0, 4100.0]],
            replies: vec![[40.0, 50.0], [30.0, 35.0], [90.0, 91.0]],
            submits: vec![107, 108, 107],
        };
        let text = figures.to_string();
        assert!(text.contains("median 3000 of rounds 3000 2000 4000; tenths of a round from 1000 to 4100"), "{text}");
        assert!(text.contains("a program's devices median 40.0 ms (30.0 to 90.0)"), "{text}");
        assert!(text.contains("107 108 107"), "{text}");
    }
}
