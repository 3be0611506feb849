//! `venus`: a Vulkan server for Venus guests, and what goes with it. See `venus --help`.
//!
//! Options to library calls, and errors to one sentence and an exit status: one file per verb.

#![deny(unsafe_code)]

mod budget;
mod caches;
mod completions;
mod doctor;
mod dump;
mod man;
mod program;
mod replay;
mod sandbox;
mod serve;
mod service;
mod sparse;
mod status;
mod trace;
mod worker;

use std::{
    ffi::OsString,
    fs::OpenOptions,
    io::{self, IsTerminal as _, Write as _},
    path::{Path, PathBuf},
    process::{Command, ExitCode},
};

use clap::{Args, CommandFactory as _, FromArgMatches as _, Parser, Subcommand, builder::FalseyValueParser};
use tracing_subscriber::EnvFilter;
use venus_host::{
    driver::{Config, GpuChoice, Level, MemoryChoice, Profile, SharedMemory, sparse::GpuId},
    vtest::Summary,
};
use venus_observe::recording;

/// How a verb ends, for the help and manual page of each that says nothing else of it.
const EXIT_STATUS: &str = "\
Exit status:
  0  all went well
  1  something failed; the last line of standard error says what
  2  the command line is wrong";

const EXAMPLES: &str = "\
Examples:
  venus doctor                               what guests can get here
  venus serve --socket-path /tmp/venus.sock  serve until interrupted
  venus status                               what a running server does
  venus dump vkcube-4711-0.venusrec          what a guest did, if it was recorded
  venus help serve                           all about one verb";

/// Serves Vulkan to Venus guests: Mesa's Venus driver in a Linux guest, or on this machine.
#[derive(Debug, Parser)]
#[command(name = "venus", version, max_term_width = 100, after_help = EXAMPLES)]
struct Cli {
    /// What to log: a level (error, warn, info, debug, trace) or a filter such as `venus_host::ring=debug`
    #[arg(long, global = true, env = "VENUS_LOG", default_value = "info", value_name = "FILTER")]
    log: String,

    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    Serve(serve::ServeArgs),
    Status(status::StatusArgs),
    Doctor(doctor::DoctorArgs),
    Dump(dump::DumpArgs),
    Replay(replay::ReplayArgs),
    Completions(completions::CompletionsArgs),
    Man(man::ManArgs),
    #[command(hide = true)]
    Worker(worker::WorkerArgs),
    #[command(hide = true, name = sparse::VERB)]
    TrySparse(sparse::TrySparseArgs),
}

/// Which driver to use and what guests see of it.
///
/// Each option can be given by an environment variable, too, which is how a server tells its workers.
#[derive(Debug, Clone, Args)]
struct DriverArgs {
    /// Which GPUs guests see: `all`, a position in the list of `venus doctor`, a deviceUUID, or part of a name
    #[arg(long, env = "VENUS_GPU", default_value = "all", value_name = "GPU")]
    gpu: String,

    /// How host-visible memory reaches guests: auto, dmabuf, import, and opaque or pointer for hosts that are part of a
    /// virtual machine monitor (a guest at a socket can use neither)
    #[arg(long, env = "VENUS_MEMORY", default_value = "auto", value_name = "WAY")]
    memory: String,

    /// Treat the driver as if it were another: native, moltenvk or kosmickrisp
    #[arg(long, env = "VENUS_PROFILE", default_value = "native", value_name = "PROFILE")]
    profile: String,

    /// Serve guests at a level of the protocol, called by how many command names it has: 433, 448 or 453, the newest. Guests
    /// do without what came later
    #[arg(long, env = "VENUS_PROTOCOL", default_value_t, value_name = "LEVEL")]
    protocol: Level,

    /// Have the Khronos validation layer check what guests do, and log what it finds with the command that caused it;
    /// takes the layer to be installed (Debian: vulkan-validationlayers), and time
    #[arg(long, env = "VENUS_VALIDATE", value_parser = FalseyValueParser::new())]
    validate: bool,

    /// GPUs that bind imported memory sparsely, instead of trying which do
    #[arg(long, env = "VENUS_SPARSE", value_name = "IDS", hide = true)]
    sparse: Option<sparse::List<GpuId>>,

    /// How memory of GPUs reaches guests, instead of trying it for each of them
    #[arg(long, env = "VENUS_SHARED_MEMORY", value_name = "WAYS", hide = true)]
    shared_memory: Option<sparse::List<SharedMemory>>,
}

/// What to record.
#[derive(Debug, Clone, Args)]
struct RecordArgs {
    /// Record what each guest does in a file of its own in this folder; look at it with `venus dump`
    #[arg(long, env = "VENUS_RECORD", value_name = "DIR")]
    record: Option<PathBuf>,

    /// Also record the contents of the memory that guests share with the driver, at each submission
    #[arg(long, env = "VENUS_RECORD_MEMORY", requires = "record", value_parser = FalseyValueParser::new())]
    record_memory: bool,

    /// Have each command in the file before it is executed: slower, finds the command that makes a driver crash
    #[arg(long, env = "VENUS_RECORD_IMMEDIATELY", requires = "record", value_parser = FalseyValueParser::new())]
    record_immediately: bool,
}

impl RecordArgs {
    /// The options as the library takes them.
    fn settings(&self) -> Option<recording::Settings> {
        let folder = self.record.clone()?;
        Some(recording::Settings::new(folder).memory(self.record_memory).immediate(self.record_immediately))
    }

    /// The environment that makes another `venus` have the same options.
    fn environment(&self) -> Vec<(&'static str, OsString)> {
        let flag = |set: bool| OsString::from(if set { "1" } else { "0" });
        let Some(folder) = &self.record else { return Vec::new() };
        vec![
            ("VENUS_RECORD", folder.clone().into_os_string()),
            ("VENUS_RECORD_MEMORY", flag(self.record_memory)),
            ("VENUS_RECORD_IMMEDIATELY", flag(self.record_immediately)),
        ]
    }
}

/// Where to write what guests did.
#[derive(Debug, Clone, Args)]
struct StatsArgs {
    /// Append a line of JSON for every guest that leaves: its name, how many commands it had executed and how many
    /// had failed, what validation found, and why its context was lost, if it was
    #[arg(long, env = "VENUS_STATS_FILE", value_name = "PATH")]
    stats_file: Option<PathBuf>,
}

impl StatsArgs {
    /// Appends the line of one guest. A failure is logged: the guest is gone and nobody can be told.
    fn report(&self, summary: &Summary) {
        let Some(path) = &self.stats_file else { return };
        let line = serde_json::json!({
            "name": summary.name,
            "commands": summary.commands,
            "failures": summary.failures,
            "findings": summary.findings,
            "lost": summary.lost,
        });
        let file = OpenOptions::new().create(true).append(true).open(path);
        if let Err(error) = file.and_then(|mut file| file.write_all(format!("{line}\n").as_bytes())) {
            tracing::error!("cannot write statistics to {}: {error}", path.display());
        }
    }
}

impl DriverArgs {
    /// The options as the library takes them.
    fn config(&self) -> Result<Config, anyhow::Error> {
        let Ok(gpu) = self.gpu.parse::<GpuChoice>();
        let memory: MemoryChoice = self.memory.parse().map_err(|error| anyhow::anyhow!("--memory: {error}"))?;
        let profile: Profile = self.profile.parse().map_err(|error| anyhow::anyhow!("--profile: {error}"))?;
        let config = Config::default().gpu(gpu).memory(memory).profile(profile);
        let config = config.protocol(self.protocol).validate(self.validate);
        let config = config.binds_imports_sparsely(self.sparse.clone().unwrap_or_default().0);
        Ok(config.shares_memory(self.shared_memory.clone().unwrap_or_default().0))
    }

    /// The same for a process that is not confined, after trying what has to be tried in a process of its own, unless
    /// somebody has done that.
    fn tried(&self) -> Result<Config, anyhow::Error> {
        let config = self.config()?;
        let program =
            std::env::var_os(serve::WORKER_PROGRAM).map(PathBuf::from).or_else(|| program::this_program().ok());
        Ok(match program {
            Some(program) => {
                let found = self.proven(&program, sandbox::SandboxArgs::nothing());
                config.binds_imports_sparsely(found.sparse.0).shares_memory(found.memory.0)
            }
            None => config,
        })
    }

    /// What `program`, which is a `venus`, finds out about the GPUs, with this environment besides, or somebody has said.
    fn proven(&self, program: &Path, environment: Vec<(&'static str, OsString)>) -> sparse::Findings {
        match &self.sparse {
            Some(known) => {
                sparse::Findings { sparse: known.clone(), memory: self.shared_memory.clone().unwrap_or_default() }
            }
            None => sparse::proven(|| {
                let mut command = Command::new(program);
                command.envs(self.environment()).envs(environment.iter().cloned());
                command
            }),
        }
    }

    /// The environment that makes another `venus` have the same options.
    fn environment(&self) -> [(&'static str, String); 5] {
        [
            ("VENUS_GPU", self.gpu.clone()),
            ("VENUS_MEMORY", self.memory.clone()),
            ("VENUS_PROFILE", self.profile.clone()),
            ("VENUS_PROTOCOL", self.protocol.to_string()),
            ("VENUS_VALIDATE", if self.validate { "1" } else { "0" }.to_owned()),
        ]
    }
}

/// The command line as it is parsed, helped with, completed and printed in manuals.
fn command() -> clap::Command {
    let with_exit_status = |command: clap::Command| {
        let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
        if help.contains("Exit status:") { command } else { command.after_help(format!("{help}\n\n{EXIT_STATUS}")) }
    };
    with_exit_status(Cli::command()).mut_subcommands(with_exit_status)
}

fn main() -> ExitCode {
    let cli = match Cli::from_arg_matches(&command().get_matches()) {
        Ok(cli) => cli,
        Err(error) => error.exit(),
    };
    let filter = match EnvFilter::try_new(&cli.log) {
        Ok(filter) => filter,
        Err(error) => return fail(&anyhow::anyhow!("--log: {error}")),
    };
    let colours = io::stderr().is_terminal();
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr)
        .with_ansi(colours)
        .with_target(false)
        // Otherwise a line that cannot be written is a panic, where nobody reads standard error any more.
        .log_internal_errors(false)
        .init();
    let outcome = match &cli.verb {
        Verb::Serve(args) => serve::run(args, &cli.log),
        Verb::Status(args) => status::run(args),
        Verb::Doctor(args) => doctor::run(args),
        Verb::Dump(args) => match dump::run(args) {
            Ok(status) => return status,
            Err(error) => Err(error),
        },
        Verb::Replay(args) => match replay::run(args) {
            Ok(status) => return status,
            Err(error) => Err(error),
        },
        Verb::Completions(args) => completions::run(args),
        Verb::Man(args) => man::run(args),
        Verb::TrySparse(args) => sparse::run(args),
        Verb::Worker(args) => match worker::run(args) {
            Ok(status) => return status,
            Err(error) => Err(error),
        },
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(&error),
    }
}

fn fail(error: &anyhow::Error) -> ExitCode {
    eprintln!("venus: {error:#}");
    ExitCode::FAILURE
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn recording_can_be_asked_for() {
        let cli = Cli::parse_from(["venus", "serve", "--record", "somewhere", "--record-memory"]);
        let Verb::Serve(args) = cli.verb else { panic!("serve was not understood") };
        let settings = args.record.settings().unwrap();
        assert!(settings.memory && !settings.immediate);
    }
}
