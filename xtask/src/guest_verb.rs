//! `cargo xtask guest`: one program in a guest root, for a look by hand.

use anyhow::Result;
use std::path::PathBuf;
use std::time::Duration;
use testbed::provision::{Suite, roots};
use testbed::sandbox::{Screen, Vulkan};

/// Run a program in a guest root, natively or against a running vtest server.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// vtest socket of a host; without it the guest gets its own lavapipe.
    #[arg(long, value_name = "PATH")]
    socket: Option<PathBuf>,
    /// Give it an X screen of 640 x 640 pixels, and save what is on it four times a second.
    #[arg(long, value_name = "PNG")]
    screen: Option<PathBuf>,
    /// A folder of this machine that the guest sees as `/run/NAME`, and may write to.
    #[arg(long, value_name = "NAME=PATH", value_parser = parse_bind)]
    bind: Vec<(String, PathBuf)>,
    /// An environment variable of the guest, which has none of ours.
    #[arg(long, value_name = "NAME=VALUE", value_parser = parse_pair)]
    env: Vec<(String, String)>,
    /// Kill it after this many seconds.
    #[arg(long, default_value_t = 60)]
    limit: u64,
    /// The Debian suite of the guest.
    suite: Suite,
    /// The program, and its arguments.
    #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true)]
    command: Vec<String>,
}

/// Takes `NAME=VALUE` apart.
fn parse_pair(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("there is no `=`")?;
    Ok((name.to_owned(), value.to_owned()))
}

/// The same, where the value is a folder.
fn parse_bind(text: &str) -> Result<(String, PathBuf), String> {
    let (name, path) = parse_pair(text)?;
    let path = std::path::absolute(path).map_err(|error| error.to_string())?;
    if path.is_dir() { Ok((name, path)) } else { Err(format!("{} is no folder", path.display())) }
}

#[expect(clippy::print_stdout, reason = "passes on what the guest printed")]
pub(crate) fn run(args: &Args) -> Result<()> {
    let root = roots::ensure(args.suite)?;
    let vulkan = args.socket.as_deref().map_or(Vulkan::Lavapipe, Vulkan::Venus);
    let mut guest = root.guest().command(&args.command[0], vulkan).args(&args.command[1..]);
    guest = guest.limit(Duration::from_secs(args.limit));
    for (name, path) in &args.bind {
        guest = guest.bind(name, path);
    }
    for (name, value) in &args.env {
        guest = guest.env(name, value);
    }
    if args.screen.is_some() {
        guest = guest.screen(Screen::VKCUBE);
    }
    let mut running = guest.spawn()?;
    while args.screen.is_some() && running.is_running()? {
        std::thread::sleep(Duration::from_millis(250));
        // The window is gone before the program is: the last look comes too late for a picture.
        if let (true, Some(path), Some(picture)) = (running.is_running()?, &args.screen, running.screenshot()) {
            picture.write_png(path)?;
        }
    }
    let finished = running.finish()?;
    print!("{}", finished.stdout);
    eprint!("{}", finished.stderr);
    eprintln!("{:?} after {:.3} s", finished.outcome, finished.elapsed.as_secs_f64());
    anyhow::ensure!(finished.success(), "the guest's program failed");
    Ok(())
}
