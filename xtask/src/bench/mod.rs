//! `cargo xtask bench`: what the codec costs per command, our host beside virglrenderer's, what applications wait for,
//! and what it costs to be recorded or traced.
//!
//! `--write` writes it all down in `docs/benchmarks.md`. `guard` is of another kind: a check, see [`guard`].
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
/// The page that has tables of them.
const PAGE: &str = "docs/benchmarks.md";
/// The processors of programs and of hosts, in the table that has both kept on one.
const PINNED: &str = "0:1";

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
    /// Measure all that `docs/benchmarks.md` has tables of, and write them there and to the JSON beside it.
    #[arg(long, conflicts_with_all = ["what", "no_guests", "record"])]
    write: bool,
    /// A `venus` command to use instead of building this workspace's.
    #[arg(long, value_name = "PATH")]
    host: Option<PathBuf>,
    /// With `programs`: keep programs (and native drivers) on one processor and hosts on another, by their numbers.
    #[arg(long, value_name = "GUEST:HOST", conflicts_with = "write")]
    pin: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum What {
    /// Decoding and encoding.
    Codec,
    /// Hosts behind their sockets.
    Hosts,
    /// What applications wait for: natively, through our host, through virglrenderer.
    Programs,
    /// What hosts take for guests that have nothing to do: memory, and wake-ups.
    Idle,
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
    ensure!(args.pin.is_none() || args.what == Some(What::Programs), "--pin is for `programs`");
    let folder = workspace().join(FOLDER);
    std::fs::create_dir_all(&folder).with_context(|| format!("making {}", folder.display()))?;
    let wanted = |what| args.what.is_none_or(|only| only == what);
    let programs = Programs::build(args)?;
    // Before it is ours.
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    // The page leaves that to the README.
    if wanted(What::Observing) && !args.no_guests && !args.write {
        let mut command = programs.command("observing", args.suite, args.rounds);
        run_bench(command.arg("--json").arg(folder.join("observing.json")))?;
    }
    if wanted(What::Codec) {
        let mut command = Command::new(&programs.bench);
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
        measure_hosts(args, &programs, &folder.join("hosts.json"))?;
    }
    if wanted(What::Programs) && !args.no_guests {
        measure_programs(args, &programs, &folder)?;
    }
    if wanted(What::Idle) && !args.no_guests {
        // What is watched for seconds at a time does not change from turn to turn.
        let mut command = programs.command("idle", args.suite, args.rounds.div_ceil(4));
        command.arg("--json").arg(folder.join("idle.json"));
        run_bench(command.arg("--cases").arg(&programs.cases))?;
    }
    if args.write {
        write_page(args, &programs, &folder, &load)?;
    }
    eprintln!("the figures are in {}", folder.display());
    Ok(())
}

/// What is run. All of it is built before anything is measured.
struct Programs {
    bench: PathBuf,
    /// The `venus` command to measure.
    host: PathBuf,
    cases: PathBuf,
}

impl Programs {
    fn build(args: &Args) -> Result<Self> {
        Ok(Self {
            bench: build(&["--release", "--package", "bench", "--bin", "venus-bench"])?,
            host: match &args.host {
                Some(host) => host.clone(),
                None => build(&["--release", "--package", "venus-command", "--bin", "venus"])?,
            },
            cases: build(&["--release", "--package", "venus-cases"])?,
        })
    }

    /// A measurement of our host in a guest root.
    fn command(&self, what: &str, suite: Suite, rounds: u32) -> Command {
        let mut command = Command::new(&self.bench);
        command.arg(what).arg("--venus").arg(&self.host);
        command.args(["--suite", suite.name(), "--rounds", &rounds.to_string()]);
        command
    }
}

fn write_page(args: &Args, programs: &Programs, figures: &Path, load: &str) -> Result<()> {
    let said = |program: &str, words: &[&str]| -> String {
        let output = Command::new(program).args(words).current_dir(workspace()).output();
        output.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned()).unwrap_or_default()
    };
    let changed =
        if said("git", &["status", "--porcelain", "--untracked-files=no"]).is_empty() { "" } else { ", changed" };
    let commit = format!("this host is that of commit {}{changed}", said("git", &["rev-parse", "--short", "HEAD"]));
    let compiler = format!("built by {}", said("rustc", &["--version"]));
    let load = format!("load of the machine before it: {}", load.split(' ').next().unwrap_or_default());
    let mut command = Command::new(&programs.bench);
    command.arg("page").arg("--figures").arg(figures).arg("--page").arg(workspace().join(PAGE));
    command.args(["--suite", args.suite.name()]);
    run_bench(command.args([&commit, &compiler, &load].into_iter().flat_map(|note| ["--note", note.as_str()])))?;
    eprintln!("the tables are in {PAGE}");
    Ok(())
}

/// For the page also with each side on a processor of its own, and with the older guest, in fewer turns.
fn measure_programs(args: &Args, programs: &Programs, folder: &Path) -> Result<()> {
    let measure = |suite: Suite, rounds: u32, pin: Option<&str>, file: &str| {
        let mut command = programs.command("programs", suite, rounds);
        command.arg("--cases").arg(&programs.cases).args(pin.into_iter().flat_map(|pin| ["--pin", pin]));
        run_bench(command.arg("--json").arg(folder.join(file)))
    };
    measure(args.suite, args.rounds, args.pin.as_deref(), "programs.json")?;
    if args.write {
        let fewer = args.rounds.div_ceil(2);
        measure(args.suite, fewer, Some(PINNED), "programs-pinned.json")?;
        measure(Suite::Trixie, fewer, None, "programs-older.json")?;
    }
    Ok(())
}

fn measure_hosts(args: &Args, programs: &Programs, json: &Path) -> Result<()> {
    let host = &programs.host;
    let mut command = Command::new(&programs.bench);
    command.arg("hosts").arg("--json").arg(json).args(["--rounds", &args.rounds.to_string()]);
    if args.no_guests {
        provision::host_driver()?;
        let server = Server::start(host, [""; 0])?;
        command.arg("--host").arg(named("ours", &server.socket()));
        return run_bench(&mut command);
    }
    let root = roots::ensure(args.suite)?;
    let ours = Resident::venus(root.guest(), host, &[])?;
    let peer = Resident::virglrenderer(root.guest())?;
    let version = root.guest().package_version("virgl-server").unwrap_or_default();
    let version = version.split(['-', '+']).next().unwrap_or_default();
    for (name, socket) in [("ours", ours.socket()), (&format!("virgl {version}"), peer.socket())] {
        command.arg("--host").arg(named(name, &socket));
    }
    run_bench(&mut command)
}

fn named(name: &str, socket: &Path) -> String {
    format!("{name}={}", socket.display())
}

fn run_bench(command: &mut Command) -> Result<()> {
    let status = command.status().context("starting venus-bench")?;
    ensure!(status.success(), "venus-bench failed ({status})");
    Ok(())
}
