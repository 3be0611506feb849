//! `cargo xtask parity`: the same programs natively and through our host, on the same driver; differences only.

use anyhow::Result;
use std::path::PathBuf;
use testbed::parity::{self, Choice, GuestChoice, HostChoice, ProfileChoice, Suite, Task};

/// Run suites natively and through our host on the same driver, and report the differences.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  cargo xtask parity                                    the whole matrix
  cargo xtask parity --guest sid --host bookworm        one column
  cargo xtask parity --suite vulkaninfo vkcube          two suites, in all columns
  cargo xtask parity --remote-gpu result.txt            take over what tests/remote-gpu/run.sh wrote")]
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
    remote_gpu: Option<PathBuf>,
    /// Only write the page again, from the results that are kept.
    #[arg(long, conflicts_with_all = ["guest", "host", "profile", "suite", "remote_gpu"])]
    render: bool,
    /// A `venus` command to use instead of building this workspace's.
    #[arg(long, value_name = "PATH")]
    venus: Option<PathBuf>,
}

pub(crate) fn run(args: &Args) -> Result<()> {
    parity::run(&match &args.remote_gpu {
        Some(file) => Task::Merge(file.clone()),
        None if args.render => Task::Render,
        None => Task::Run(Choice {
            guests: args.guest.clone(),
            hosts: args.host.clone(),
            profiles: args.profile.clone(),
            suites: args.suite.clone(),
            venus: args.venus.clone(),
        }),
    })
}
