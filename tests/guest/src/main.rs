//! A Venus guest for the command line: `venus-guest --socket-path PATH info | triangle OUT.png | compute`.

use std::fs::File;
use std::io::BufWriter;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, Result};
use clap::{Parser, Subcommand};
use venus_guest::{Guest, programs};

/// A small guest without Mesa: runs one program on the host behind a vtest socket.
#[derive(Parser)]
struct Cli {
    /// The host's socket.
    #[arg(long, env = "VTEST_SOCKET_NAME", default_value = "/tmp/.virgl_test", value_name = "PATH")]
    socket_path: PathBuf,
    #[command(subcommand)]
    program: Program,
}

#[derive(Subcommand)]
enum Program {
    /// Print the host's device and versions.
    Info,
    /// Draw a triangle and save the picture.
    Triangle {
        /// Where to put it, as PNG.
        picture: PathBuf,
        /// Pixels in a row, and rows.
        #[arg(long, default_value_t = 256, value_parser = clap::value_parser!(u32).range(1..=4096))]
        size: u32,
    },
    /// Let the GPU compute, and check what it computes.
    Compute,
}

fn main() -> ExitCode {
    match run(&Cli::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

#[expect(clippy::print_stdout, reason = "the result of a command-line program")]
fn run(cli: &Cli) -> Result<()> {
    #[expect(unsafe_code, reason = "the programs keep the encoder's contract")]
    // SAFETY: the guest's programs fill Vulkan's structures through ash's setters, which tie every pointer to what it
    // leads to, and give chains only structures of Vulkan.
    let guest = unsafe { Guest::connect(&cli.socket_path, "venus-guest") }?;
    match &cli.program {
        Program::Info => println!("{}", programs::info(guest)?),
        Program::Triangle { picture, size } => {
            let image = programs::triangle(guest, *size)?;
            let file = File::create(picture).with_context(|| format!("creating {}", picture.display()))?;
            image.write_png(BufWriter::new(file))?;
            println!("drew {}", picture.display());
        }
        Program::Compute => println!("the GPU computed {} numbers, all of them right", programs::compute(guest)?),
    }
    Ok(())
}
