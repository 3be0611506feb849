//! `cargo xtask vm`: virtual machines whose guests draw through a library in the place of virglrenderer.

use crate::test::sum_up;
use anyhow::{Context as _, Result, ensure};
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;
use testbed::cargo::cargo;
use testbed::provision::{Suite, roots};
use testbed::skipping::CASES_VARIABLE;
use testbed::vm::measure::{self, Plan};
use testbed::vm::{
    ARM64_CASES_VARIABLE, LIBRARY_VARIABLE, Library, Machine, System, build_cases, build_ours, ensure_image, jobs,
    qemu_variable,
};
use testbed::workspace;

/// Boot a virtual machine and run something in it.
///
/// Without a program it is what shows that Vulkan reaches the host: the kernel's module, and `vulkaninfo --summary`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Test every QEMU with every guest, and what can happen to them.
    #[arg(long, conflicts_with_all = ["measure", "qemu", "guest", "file", "env", "argument", "command"])]
    all: bool,
    /// Measure the library beside stock virglrenderer: frames, first replies, calls.
    #[arg(long, conflicts_with_all = ["file", "env", "argument", "command"])]
    measure: bool,
    /// How often each library is measured.
    #[arg(long, default_value_t = 3, requires = "measure")]
    rounds: usize,
    /// Frames in each round.
    #[arg(long, default_value_t = 10_000, requires = "measure")]
    frames: u32,
    /// Which library QEMU gets: `ours`, built here; `stock`, its Debian's virglrenderer; or a folder that holds a
    /// `libvirglrenderer.so.1`.
    #[arg(long, default_value = "ours", value_name = "LIBRARY")]
    library: String,
    /// The Debian that QEMU comes from: 10 in trixie, newer in sid.
    #[arg(long, value_enum, default_value = "trixie")]
    qemu: Suite,
    /// The guest.
    #[arg(long, value_enum, default_value = "trixie")]
    guest: System,
    /// A file that the program finds in its working folder.
    #[arg(long, value_name = "PATH")]
    file: Vec<PathBuf>,
    /// An environment variable of QEMU and of the library.
    #[arg(long, value_name = "NAME=VALUE", value_parser = parse_pair)]
    env: Vec<(String, String)>,
    /// An argument of QEMU.
    #[arg(long, value_name = "ARGUMENT", allow_hyphen_values = true)]
    argument: Vec<String>,
    /// End the machine after this many seconds.
    #[arg(long, default_value_t = 600)]
    limit: u64,
    /// What to run, by the guest's shell.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "PROGRAM")]
    command: Vec<String>,
}

/// Takes `NAME=VALUE` apart.
fn parse_pair(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("there is no `=`")?;
    Ok((name.to_owned(), value.to_owned()))
}

pub(crate) fn run(args: &Args) -> Result<()> {
    let library = library(&args.library)?;
    if args.all {
        return test(&library);
    }
    if args.measure { compare(args, library) } else { boot(args, &library) }
}

/// The library that the user named.
fn library(name: &str) -> Result<Library> {
    match name {
        "ours" => return build_ours(None),
        "stock" => return Ok(Library::Stock),
        _ => {}
    }
    let folder = std::path::absolute(name).context("resolving the library's folder")?;
    ensure!(folder.join("libvirglrenderer.so.1").exists(), "{} holds no libvirglrenderer.so.1", folder.display());
    Ok(Library::In(folder))
}

/// Runs the tests of virtual machines, with everything that they ask for.
fn test(library: &Library) -> Result<()> {
    let mut command = Command::new(cargo());
    command.current_dir(workspace()).args(["test", "--package", "testbed", "--test", "vm", "--"]);
    // Each machine has two processors of its own and wants to know what a frame takes. Figures are worth seeing.
    command.args(["--test-threads", "1", "--nocapture"]).env(LIBRARY_VARIABLE, library.name());
    let mut held = Vec::new();
    for suite in Suite::ALL {
        let qemu = roots::ensure_qemu(suite)?;
        command.env(qemu_variable(suite), qemu.guest().root());
        held.push(qemu);
    }
    let mut images = Vec::new();
    for system in System::ALL {
        let image = ensure_image(system)?;
        command.env(system.variable(), image.image().folder());
        images.push(image);
    }
    command.env(CASES_VARIABLE, build_cases(System::Trixie)?);
    match build_cases(System::Arm64) {
        Ok(path) => drop(command.env(ARM64_CASES_VARIABLE, path)),
        Err(error) => eprintln!("tests with the aarch64 guest will skip themselves: {error:#}"),
    }
    sum_up(&mut command)
}

/// Measures a library beside the stock one.
#[expect(clippy::print_stdout, reason = "the result of a command-line verb")]
fn compare(args: &Args, library: Library) -> Result<()> {
    let qemu = roots::ensure_qemu(args.qemu)?;
    let image = ensure_image(args.guest)?;
    let version = qemu.guest().upstream_version("libvirglrenderer1").unwrap_or_default();
    let mut libraries = vec![(format!("virglrenderer {version}"), Library::Stock)];
    if library != Library::Stock {
        libraries.push(("ours".to_owned(), library));
    }
    let cases = build_cases(args.guest)?;
    let (rounds, frames) = (args.rounds, args.frames);
    let plan = Plan { qemu: qemu.guest(), image: image.image(), cases: &cases, libraries, rounds, frames };
    let figures = measure::run(&plan)?;
    let (of, guest) = (qemu.guest().upstream_version("qemu-system-x86").unwrap_or_default(), args.guest.name());
    println!("QEMU {of}, guest {guest}, {frames} frames in each of {rounds} rounds");
    for library in figures {
        print!("{library}");
    }
    Ok(())
}

/// Boots one machine and passes on what its guest printed.
#[expect(clippy::print_stdout, reason = "passes on what the guest printed")]
fn boot(args: &Args, library: &Library) -> Result<()> {
    let qemu = roots::ensure_qemu(args.qemu)?;
    let image = ensure_image(args.guest)?;
    let job = if args.command.is_empty() { jobs::SUMMARY.to_owned() } else { args.command.join(" ") };
    let mut machine = Machine::new(qemu.guest(), image.image(), library, &job)?;
    machine = machine.args(args.argument.iter().cloned()).limit(Duration::from_secs(args.limit));
    for path in &args.file {
        machine = machine.file(path)?;
    }
    for (name, value) in &args.env {
        machine = machine.env(name, value);
    }
    let report = machine.run()?;
    print!("{}", report.out);
    eprint!("{}{}", report.err, report.log);
    let (up, elapsed) = (report.up.as_secs_f64(), report.elapsed.as_secs_f64());
    eprintln!("the job began {up:.1} s after the kernel; all of it took {elapsed:.1} s");
    Ok(())
}
