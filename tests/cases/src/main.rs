//! Small Vulkan programs that re-enact what users of Vulkan hosts reported: frozen windows, silent deaths, programs that
//! die of a refusal. Some use what newer levels of the Venus protocol bring, and look at what comes of it.
//!
//! Each case is an application as any other: it uses the system's loader, has no window, and cannot know whether its
//! driver is native or leads through a host. So natively it shows what is right, and through a host whether that is, too.
//!
//! ```text
//! venus-cases poll-fence-0        one case
//! venus-cases fences 1000         with fewer of what it makes many of
//! venus-cases --list              all of them, and what they re-enact
//! ```
//!
//! The last line of standard output is the verdict: `OK` or `SKIP` with status 0, `FAIL` with 1, and `LOST` with 3 when
//! the device is lost. A case in which the host is to die writes `READY` to standard error once that may happen.
//!
//! [`cases`] has the cases; [`device`], [`memory`], [`work`], [`shader`], [`compute`], [`draw`], [`heaps`] and
//! [`target`] what they share.
//!
//! # Safety
//!
//! Every call of Vulkan is unsafe, and nearly all of this program is such calls. What they ask for holds for one reason,
//! stated here instead of at each call: handles come from the one device of a [`device::Gpu`] that outlives them and are
//! destroyed at most once, structures are filled by ash's setters, which tie pointers to what they lead to, and whatever
//! a case gets wrong on purpose is what it is about: such calls break Vulkan's valid usage and are for drivers that
//! answer them.
#![expect(
    clippy::undocumented_unsafe_blocks,
    clippy::multiple_unsafe_ops_per_block,
    reason = "every call of Vulkan is unsafe; the crate's documentation says once why they are sound"
)]

mod cases;
mod compute;
mod device;
mod draw;
mod heaps;
mod memory;
mod shader;
mod target;
mod work;

use anyhow::Error;
use ash::vk;
use cases::{CASES, Case};
use clap::Parser;
use std::process::ExitCode;

/// Re-enact one report against whatever Vulkan driver the loader finds.
#[derive(Debug, Parser)]
#[command(name = "venus-cases")]
struct Cli {
    /// Print the cases, and what they re-enact.
    #[arg(long)]
    list: bool,
    /// The case.
    #[arg(value_parser = parse_case, required_unless_present = "list")]
    case: Option<&'static Case>,
    /// How many of what the case is about; each has its own number for it.
    number: Option<u32>,
}

fn parse_case(name: &str) -> Result<&'static Case, String> {
    CASES.iter().find(|case| case.name == name).ok_or_else(|| "no such case; `--list` prints them".to_owned())
}

/// A case that this driver cannot show. It is no failure.
#[derive(Debug, PartialEq, Eq)]
struct Skip(&'static str);

impl std::fmt::Display for Skip {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.0)
    }
}

impl std::error::Error for Skip {}

/// Makes a write to a closed socket what it is for most programs: their end. Rust's runtime has it ignored.
fn die_of_broken_pipes() {
    const SIGPIPE: i32 = 13;
    const SIG_DFL: usize = 0;
    unsafe extern "C" {
        fn signal(number: i32, handler: usize) -> usize;
    }
    unsafe { signal(SIGPIPE, SIG_DFL) };
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    die_of_broken_pipes();
    match cli.case {
        Some(case) => ExitCode::from(verdict((case.run)(cli.number.unwrap_or(case.number)))),
        None => list(),
    }
}

#[expect(clippy::print_stdout, reason = "what a command-line program was asked for")]
fn list() -> ExitCode {
    for case in CASES {
        println!("{:24} {}", case.name, case.about);
    }
    ExitCode::SUCCESS
}

/// Prints the verdict and returns the exit status that goes with it.
#[expect(clippy::print_stdout, reason = "the verdict is what this program is for")]
fn verdict(result: anyhow::Result<String>) -> u8 {
    let (word, text, status) = match result {
        Ok(text) => ("OK", text, 0),
        Err(error) => judge(&error),
    };
    println!("{word} {text}");
    status
}

/// Which word and exit status an error deserves.
fn judge(error: &Error) -> (&'static str, String, u8) {
    let lost = error.downcast_ref() == Some(&vk::Result::ERROR_DEVICE_LOST);
    match error.downcast_ref::<Skip>() {
        Some(Skip(why)) => ("SKIP", (*why).to_owned(), 0),
        None if lost => ("LOST", format!("{error:#}"), 3),
        None => ("FAIL", format!("{error:#}"), 1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use anyhow::Context as _;

    #[test]
    fn a_lost_device_is_told_apart_however_much_is_said_around_it() {
        let lost = Err::<(), _>(vk::Result::ERROR_DEVICE_LOST).context("waiting").context("a case").unwrap_err();
        let (word, text, status) = judge(&lost);
        assert_eq!((word, status), ("LOST", 3));
        assert!(text.starts_with("a case: waiting: "), "{text}");
        assert_eq!(judge(&vk::Result::TIMEOUT.into()).2, 1);
        assert_eq!(judge(&Skip("no such queue").into()), ("SKIP", "no such queue".to_owned(), 0));
    }

    #[test]
    fn names_of_cases_are_unique() {
        let mut names: Vec<_> = CASES.iter().map(|case| case.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), CASES.len());
    }
}
