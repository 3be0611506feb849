//! `cargo xtask bench`: what the codec costs per command, our host beside virglrenderer's, what applications wait for,
//! and what it costs to be recorded or traced.
//!
//! `guard` is of another kind: a check, see [`guard`].
//!
//! All of it is measured by `venus-bench` of `tests/bench`; here it gets what it needs: the `venus` command, and for the
//! second both hosts at once in one guest root, on the same driver.

mod guard;

use anyhow::{Context as _, Result, ensure};
use std::path::{Path, PathBuf};
use std::process::Command;
use testbed::cargo::build;
use testbed::provision::{self, Suite, roots};
use testbed::resident::Resident;
use testbed::server::Server;
use testbed::workspace;

/// Where the figures go, in the workspace.
const FOLDER: &str = "target/bench";

/// Measure the codec and the hosts.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// What to measure; everything without.
    #[arg(value_enum)]
    what: Option<What>,
    /// The guest root that both hosts run in, for its driver and its virglrenderer.
    #[arg(long, value_enum, default_value = "sid")]
    suite: Suite,
    /// Make no guest root: measures our host only, on this machine's driver.
    #[arg(long)]
    no_guests: bool,
    /// Turns in which the hosts are measured.
    #[arg(long, default_value_t = 7)]
    rounds: u32,
    /// With `guard`: accept what is counted now.
    #[arg(long)]
    record: bool,
    /// A `venus` command to use instead of building this workspace's.
    #[arg(long, value_name = "PATH")]
    host: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum What {
    /// Decoding and encoding.
    Codec,
    /// Hosts behind their sockets.
    Hosts,
    /// What applications wait for: natively, through our host, through virglrenderer.
    Programs,
    /// vkcube recorded and traced, beside vkcube alone.
    Observing,
    /// Not a measurement: whether hot work takes more instructions than are recorded. Ends with status 77 where that cannot
    /// be told.
    Guard,
}

pub(crate) fn run(args: &Args) -> Result<()> {
    if args.what == Some(What::Guard) {
        return guard::run(args.record);
    }
    ensure!(!args.record, "--record is for `guard`");
    let folder = workspace().join(FOLDER);
    std::fs::create_dir_all(&folder).with_context(|| format!("making {}", folder.display()))?;
    let wanted = |what| args.what.is_none_or(|only| only == what);
    let bench = build(&["--release", "--package", "bench", "--bin", "venus-bench"])?;
    if wanted(What::Observing) && !args.no_guests {
        let mut command = Command::new(&bench);
        command.arg("observing").arg("--json").arg(folder.join("observing.json")).arg("--venus").arg(host(args)?);
        run_bench(command.args(["--suite", args.suite.name(), "--rounds", &args.rounds.to_string()]))?;
    }
    if wanted(What::Codec) {
        let mut command = Command::new(&bench);
        command.arg("codec").arg("--json").arg(folder.join("codec.json"));
        match guard::ensure_valgrind() {
            Ok(()) => {
                command.arg("--counter").arg(guard::counter()?);
            }
            Err(error) => eprintln!("instructions will not be counted: {error:#}"),
        }
        run_bench(&mut command)?;
    }
    if wanted(What::Hosts) {
        measure_hosts(args, &bench, &folder.join("hosts.json"))?;
    }
    if wanted(What::Programs) && !args.no_guests {
        let cases = build(&["--release", "--package", "venus-cases"])?;
        let mut command = Command::new(&bench);
        command.arg("programs").arg("--json").arg(folder.join("programs.json")).arg("--venus").arg(host(args)?);
        command.arg("--cases").arg(cases).args(["--suite", args.suite.name()]);
        run_bench(command.args(["--rounds", &args.rounds.to_string()]))?;
    }
    eprintln!("the figures are in {}", folder.display());
    Ok(())
}

fn measure_hosts(args: &Args, bench: &Path, json: &Path) -> Result<()> {
    let host = host(args)?;
    let mut command = Command::new(bench);
    command.arg("hosts").arg("--json").arg(json).args(["--rounds", &args.rounds.to_string()]);
    if args.no_guests {
        provision::host_driver()?;
        let server = Server::start(&host, [""; 0])?;
        command.arg("--host").arg(named("ours", &server.socket()));
        return run_bench(&mut command);
    }
    let root = roots::ensure(args.suite)?;
    let ours = Resident::venus(root.guest(), &host, &[])?;
    let peer = Resident::virglrenderer(root.guest())?;
    let version = root.guest().package_version("virgl-server").unwrap_or_default();
    let version = version.split(['-', '+']).next().unwrap_or_default();
    for (name, socket) in [("ours", ours.socket()), (&format!("virgl {version}"), peer.socket())] {
        command.arg("--host").arg(named(name, &socket));
    }
    run_bench(&mut command)
}

/// The `venus` command to measure.
fn host(args: &Args) -> Result<PathBuf> {
    match &args.host {
        Some(host) => Ok(host.clone()),
        None => build(&["--release", "--package", "venus-command", "--bin", "venus"]),
    }
}

fn named(name: &str, socket: &Path) -> String {
    format!("{name}={}", socket.display())
}

fn run_bench(command: &mut Command) -> Result<()> {
    let status = command.status().context("starting venus-bench")?;
    ensure!(status.success(), "venus-bench failed ({status})");
    Ok(())
}
