//! `cargo xtask demo`: unmodified Mesa guests draw through our host.
//!
//! Where no Mesa guest can be had, our own small guest draws a triangle instead.

use anyhow::{Context as _, Result};
use std::path::{Path, PathBuf};
use testbed::demo::{self, Drawn, SCREENSHOT};
use testbed::provision::{self, Suite, apt, roots};
use testbed::sandbox::Guest;

/// Run unmodified Mesa guests against our host.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Guests to run; by default this machine's own Mesa if it has a Venus driver, else Debian trixie and sid.
    #[arg(long, value_enum)]
    guest: Vec<Choice>,
    /// Frames of vkcube.
    #[arg(long, default_value_t = 300)]
    frames: u32,
    /// A `venus` command to use instead of building this workspace's.
    #[arg(long, value_name = "PATH")]
    host: Option<PathBuf>,
}

/// A guest that the demo can run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Choice {
    /// A root of Debian 13.
    Trixie,
    /// A root of Debian unstable.
    Sid,
    /// This machine's own Mesa.
    System,
    /// Our own small guest, which needs no Mesa.
    Rust,
}

impl Choice {
    /// The Debian whose root the guest lives in, if it needs one.
    fn suite(self) -> Option<Suite> {
        match self {
            Self::Trixie => Some(Suite::Trixie),
            Self::Sid => Some(Suite::Sid),
            Self::System | Self::Rust => None,
        }
    }
}

pub(crate) fn run(args: &Args) -> Result<()> {
    let choices = choices(args);
    let suites: Vec<Suite> = choices.iter().filter_map(|choice| choice.suite()).collect();
    provision::check_packages(&suites, &[])?;
    provision::host_driver()?;
    let server = args.host.clone().map_or_else(build_host, Ok)?;
    let mut rows = Vec::new();
    for choice in choices {
        let Some(suite) = choice.suite() else {
            if choice == Choice::Rust {
                return draw_triangle(&server);
            }
            apt::install(&["vulkan-tools", "xvfb"], "programs for this machine's own Mesa")?;
            let guest = Guest::system().context("this machine's Mesa has no Venus driver; try `--guest sid`")?;
            rows.push(demo::draw(&server, &guest, args.frames)?);
            continue;
        };
        match roots::ensure(suite) {
            Ok(root) => rows.push(demo::draw(&server, root.guest(), args.frames)?),
            // Asked for by name, a guest that cannot be had is an error.
            Err(error) if !args.guest.is_empty() => return Err(error),
            Err(error) => eprintln!("no Mesa guest from Debian {}: {error:#}", suite.name()),
        }
    }
    if rows.is_empty() {
        eprintln!("no Mesa guest can be had here; our own small guest draws a triangle instead");
        return draw_triangle(&server);
    }
    print_table(&rows);
    if rows.iter().all(|row| row.picture().is_none()) {
        eprintln!("none of these guests can draw in a window; our own small guest draws a triangle instead");
        return draw_triangle(&server);
    }
    Ok(())
}

fn choices(args: &Args) -> Vec<Choice> {
    if !args.guest.is_empty() {
        return args.guest.clone();
    }
    if Guest::system().is_some() { vec![Choice::System] } else { vec![Choice::Trixie, Choice::Sid] }
}

/// Builds the `venus` command in release and says where it is.
fn build_host() -> Result<PathBuf> {
    eprintln!("building venus (release)");
    testbed::cargo::build(&["--release", "--package", "venus-command", "--bin", "venus"])
}

/// Draws a triangle with our own guest, through the same server.
#[expect(clippy::print_stdout, reason = "the result of a command-line verb")]
fn draw_triangle(host: &Path) -> Result<()> {
    println!("our own guest drew {}", demo::draw_triangle(host)?.display());
    Ok(())
}

#[expect(clippy::print_stdout, reason = "the result of a command-line verb")]
fn print_table(rows: &[Drawn]) {
    println!();
    for row in rows {
        println!("{row}");
    }
    if rows.iter().any(|row| row.picture().is_some()) {
        println!("screenshot          {SCREENSHOT}");
    }
}
