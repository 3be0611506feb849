//! `cargo xtask remote-gpu`: packs the tests for a machine with an NVIDIA card.

use anyhow::Result;
use std::path::PathBuf;

/// Pack what `tests/remote-gpu/run.sh` needs on a machine with an NVIDIA card.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The folder to make; `target/remote-gpu` without.
    folder: Option<PathBuf>,
    /// A `venus` command to use instead of building this workspace's.
    #[arg(long, value_name = "PATH")]
    host: Option<PathBuf>,
}

pub(crate) fn run(args: &Args) -> Result<()> {
    testbed::remote_gpu::pack(args.folder.as_deref(), args.host.as_deref())
}
