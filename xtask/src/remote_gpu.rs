//! `cargo xtask remote-gpu`: packs the tests for a machine with an NVIDIA card.

use anyhow::{Context as _, Result};
use std::path::PathBuf;

/// Pack what `tests/remote-gpu/run.sh` needs on a machine with an NVIDIA card.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The folder to make; `target/remote-gpu` without.
    folder: Option<PathBuf>,
    /// A `venus` command to use instead of building this workspace's.
    #[arg(long, value_name = "PATH")]
    host: Option<PathBuf>,
    /// Pack nothing, and print what `ONLY=pairs` has measured there, as a table.
    #[arg(long, value_name = "RESULT-FILE", conflicts_with_all = ["folder", "host"])]
    pairs: Option<PathBuf>,
}

#[expect(clippy::print_stdout, reason = "the result of a command-line verb")]
pub(crate) fn run(args: &Args) -> Result<()> {
    if let Some(file) = &args.pairs {
        let result = std::fs::read_to_string(file).with_context(|| format!("reading {}", file.display()))?;
        print!("{}", testbed::remote_gpu::table(&result)?);
        return Ok(());
    }
    testbed::remote_gpu::pack(args.folder.as_deref(), args.host.as_deref())
}
