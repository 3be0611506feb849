//! A guest root as a container engine would run it: an unprivileged user, a read-only root, and of the machine nothing but
//! the folder of the host's socket.
//!
//! A [`GuestRun`](super::GuestRun) is near to that, but sees the machine's devices and may be its root.

use super::Guest;
use super::run::namespaces;
use crate::process::{Finished, Running};
use anyhow::{Context as _, Result};
use std::path::Path;
use std::time::Duration;

/// Puts the container together.
const SCRIPT: &str = include_str!("container.sh");

/// The user of the machine that a container's programs are, where we may choose: no user of any name.
pub const USER: u32 = 54_321;

/// Runs `command` with exactly these environment settings (`NAME=VALUE`), to its end. `venus` is what the container sees
/// as `/run/venus`.
///
/// # Errors
///
/// The container cannot be made or its program not be waited for.
pub fn run(guest: &Guest, venus: &Path, environment: &[String], command: &[&str], limit: Duration) -> Result<Finished> {
    let mount = tempfile::Builder::new().prefix("venus-container-").tempdir().context("making a mount point")?;
    let user = if rustix::process::geteuid().is_root() { USER.to_string() } else { String::new() };
    let mut inside = namespaces();
    inside.args(["sh", "-c", SCRIPT, "container"]).args(environment).args(command);
    inside.env("ROOT", guest.root()).env("MOUNT", mount.path()).env("VENUS", venus).env("USER_ID", user);
    Running::start(&mut inside, limit)?.finish()
}
