//! The project's chores: regenerate code, import a registry, run the demo and the tests.
//!
//! Each verb lives in a module of its own and is thin: the work is done by the libraries of the workspace.
#![forbid(unsafe_code)]

mod bench;
mod check_macos;
mod check_publish;
mod codegen;
mod commands;
mod demo;
mod deny;
mod dist_macos;
mod fresh;
mod fuzz;
mod guest_verb;
mod header;
mod install;
mod macos;
mod nightly;
mod parity;
mod recordings;
mod registry;
mod remote_gpu;
mod sanitize;
mod size;
mod soak;
mod test;
mod tidy;
mod vectors;
mod vm;

use clap::{Parser, Subcommand};

/// Chores of the Venus toolkit.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Cli {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Measure the codec, and our host beside virglrenderer's.
    Bench(bench::Args),
    /// Type-check and lint everything for macOS, without a Mac.
    CheckMacos(check_macos::Args),
    /// Pack and build the crates that are published, without publishing them.
    CheckPublish(check_publish::Args),
    /// Regenerate the protocol crate's sources from the registry.
    Codegen(codegen::Args),
    /// Write the page that says what becomes of every command and extension.
    Commands(commands::Args),
    /// Run unmodified Mesa guests against our host, and save a screenshot of what they draw.
    Demo(demo::Args),
    /// Check licences, sources and versions of dependencies, or for security advisories.
    Deny(deny::Args),
    DistMacos(dist_macos::Args),
    Fuzz(fuzz::Args),
    /// Run one program in a guest root.
    Guest(guest_verb::Args),
    /// Write the C header of the library for C, or check it.
    Header(header::Args),
    Install(install::Args),
    Parity(parity::Args),
    Recordings(recordings::Args),
    /// Work on the registry files.
    Registry(registry::Args),
    RemoteGpu(remote_gpu::Args),
    Sanitize(sanitize::Args),
    /// Build the protocol crate from nothing, and report the time it takes and the code it makes.
    Size(size::Args),
    Soak(soak::Args),
    /// Run every test, end-to-end tests with real guests included.
    Test(test::Args),
    /// Check which room of the sources imports what.
    Tidy(tidy::Args),
    /// Run a file of known requests against the codec.
    Vectors(vectors::Args),
    Vm(vm::Args),
}

fn main() -> std::process::ExitCode {
    match run(&Cli::parse().verb) {
        Ok(()) => std::process::ExitCode::SUCCESS,
        Err(error) => {
            // What failed and why, for a person: a backtrace of this program would only bury it.
            eprintln!("error: {error:#}");
            std::process::ExitCode::FAILURE
        }
    }
}

fn run(verb: &Verb) -> anyhow::Result<()> {
    match verb {
        Verb::Bench(args) => bench::run(args),
        Verb::CheckMacos(args) => check_macos::run(args),
        Verb::CheckPublish(args) => check_publish::run(args),
        Verb::Codegen(args) => codegen::run(args),
        Verb::Commands(args) => commands::run(args),
        Verb::Demo(args) => demo::run(args),
        Verb::Deny(args) => deny::run(args),
        Verb::DistMacos(args) => dist_macos::run(args),
        Verb::Fuzz(args) => fuzz::run(args),
        Verb::Guest(args) => guest_verb::run(args),
        Verb::Header(args) => header::run(args),
        Verb::Install(args) => install::run(args),
        Verb::Parity(args) => parity::run(args),
        Verb::Recordings(args) => recordings::run(args),
        Verb::Registry(args) => registry::run(args),
        Verb::RemoteGpu(args) => remote_gpu::run(args),
        Verb::Sanitize(args) => sanitize::run(args),
        Verb::Size(args) => size::run(args),
        Verb::Soak(args) => soak::run(args),
        Verb::Test(args) => test::run(args),
        Verb::Tidy(args) => tidy::run(args),
        Verb::Vectors(args) => vectors::run(args),
        Verb::Vm(args) => vm::run(args),
    }
}
