//! The columns: whose Mesa the guest is, whose lavapipe the host has, and what the host pretends it to be.

use crate::provision::roots::{self, GuestRoot};
use crate::provision::{Suite, apt};
use crate::sandbox::Guest;
use anyhow::{Context as _, Result};
use std::cell::OnceCell;
use std::path::Path;

/// Whose Mesa the guest is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum GuestChoice {
    /// A root of Debian 13.
    Trixie,
    /// A root of Debian unstable.
    Sid,
    /// This machine's own.
    System,
}

/// Whose lavapipe the host uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum HostChoice {
    /// Debian 12's, which is this machine's own there.
    Bookworm,
    /// The trixie root's.
    Trixie,
    /// The sid root's.
    Sid,
    /// This machine's own, whatever it is.
    System,
}

/// What the host pretends its driver to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum ProfileChoice {
    /// The driver as it is.
    Native,
    /// A driver on Metal.
    #[value(name = "moltenvk")]
    MoltenVk,
}

impl ProfileChoice {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Native => "native",
            Self::MoltenVk => "moltenvk",
        }
    }
}

/// One column of the page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Column {
    pub(super) guest: GuestChoice,
    pub(super) host: HostChoice,
    pub(super) profile: ProfileChoice,
}

impl Column {
    /// The name under which its results are kept; it sorts columns as the page shows them.
    pub(super) fn key(&self) -> String {
        let guest = match self.guest {
            GuestChoice::Trixie => "1-trixie",
            GuestChoice::Sid => "2-sid",
            GuestChoice::System => "3-system",
        };
        let host = match self.host {
            HostChoice::Bookworm => "1-bookworm",
            HostChoice::Trixie => "2-trixie",
            HostChoice::Sid => "3-sid",
            HostChoice::System => "4-system",
        };
        let profile = if self.profile == ProfileChoice::Native { "1-native" } else { "2-moltenvk" };
        format!("{guest}/{host}/{profile}")
    }

    /// What the page calls it.
    pub(super) fn title(&self, guest: &Guest, host: &Guest) -> String {
        let version = |guest: &Guest| guest.mesa_version().unwrap_or_else(|| "of unknown version".to_owned());
        let profile = if self.profile == ProfileChoice::Native { "" } else { " as MoltenVK" };
        format!("Mesa {} on lavapipe {}{profile}", version(guest), version(host))
    }
}

/// The columns of a run. Without any choice the profile column is on one driver only: what it hides does not depend on
/// the driver behind.
pub(super) fn columns(guests: &[GuestChoice], hosts: &[HostChoice], profiles: &[ProfileChoice]) -> Vec<Column> {
    let guests = if guests.is_empty() { &[GuestChoice::Trixie, GuestChoice::Sid] } else { guests };
    let all = [HostChoice::Bookworm, HostChoice::Trixie, HostChoice::Sid];
    let chosen = if hosts.is_empty() { &all } else { hosts };
    let mut columns = Vec::new();
    for &guest in guests {
        for profile in [ProfileChoice::Native, ProfileChoice::MoltenVk] {
            let wanted = profiles.contains(&profile) || profiles.is_empty();
            let on: &[HostChoice] = match profile {
                ProfileChoice::MoltenVk if hosts.is_empty() => &[HostChoice::Bookworm],
                // Who names a driver and no profile means the driver as it is.
                ProfileChoice::MoltenVk if profiles.is_empty() => &[],
                _ => chosen,
            };
            columns.extend(on.iter().filter(|_| wanted).map(|&host| Column { guest, host, profile }));
        }
    }
    columns
}

/// The roots, made when they are first asked for and held until the end.
#[derive(Debug, Default)]
pub(super) struct Roots {
    trixie: OnceCell<GuestRoot>,
    sid: OnceCell<GuestRoot>,
}

impl Roots {
    fn root(&self, suite: Suite) -> Result<Guest> {
        let cell = if suite == Suite::Sid { &self.sid } else { &self.trixie };
        if cell.get().is_none() {
            // Filled by nobody else: this is the only place, on one thread.
            let _ = cell.set(roots::ensure(suite)?);
        }
        Ok(cell.get().context("a root that was just made is gone")?.guest().clone())
    }

    pub(super) fn guest(&self, choice: GuestChoice) -> Result<Guest> {
        match choice {
            GuestChoice::Trixie => self.root(Suite::Trixie),
            GuestChoice::Sid => self.root(Suite::Sid),
            GuestChoice::System => {
                let why = "programs for this machine's own Mesa";
                apt::install(
                    &["vulkan-tools", "vkmark", "xvfb", "glmark2-x11", "mesa-utils", "vulkan-validationlayers"],
                    why,
                )?;
                Guest::system().context("this machine's Mesa has no Venus driver; try `--guest sid`")
            }
        }
    }

    pub(super) fn host(&self, choice: HostChoice) -> Result<Guest> {
        match choice {
            HostChoice::Trixie => self.root(Suite::Trixie),
            HostChoice::Sid => self.root(Suite::Sid),
            HostChoice::System => Ok(Guest::at("system", "/")),
            HostChoice::Bookworm => {
                let release = std::fs::read_to_string(Path::new("/etc/os-release")).unwrap_or_default();
                let here = release.lines().any(|line| line == "VERSION_CODENAME=bookworm");
                anyhow::ensure!(
                    here,
                    "this machine does not run Debian bookworm, so it has no driver of it; try `--host system`"
                );
                Ok(Guest::at("bookworm", "/"))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_matrix_is_every_guest_on_every_driver_and_one_profile() {
        let all = columns(&[], &[], &[]);
        assert_eq!(all.len(), 8);
        assert_eq!(all.iter().filter(|column| column.profile == ProfileChoice::MoltenVk).count(), 2);
        let one = columns(&[GuestChoice::Sid], &[HostChoice::Trixie], &[]);
        assert_eq!(one.iter().map(Column::key).collect::<Vec<_>>(), ["2-sid/2-trixie/1-native"]);
        let profile = columns(&[GuestChoice::Sid], &[HostChoice::Sid], &[ProfileChoice::MoltenVk]);
        assert_eq!(profile.iter().map(Column::key).collect::<Vec<_>>(), ["2-sid/3-sid/2-moltenvk"]);
    }
}
