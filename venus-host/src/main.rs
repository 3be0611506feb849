//! `venus`: a Vulkan server for Venus guests, and what goes with it. See `venus --help`.

mod cli;

use std::process::ExitCode;

fn main() -> ExitCode {
    cli::run()
}
