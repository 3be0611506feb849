//! The program of the cases, `venus-cases`: what users reported of hosts, re-enacted by an application in a guest.

use crate::sandbox::{Guest, GuestRun, Vulkan};
use anyhow::{Context as _, Result};
use std::path::{Path, PathBuf};

/// What the program writes to its standard error once the host may die.
pub const READY: &str = "READY";

/// The program, as it was built on this machine.
///
/// Its C library must not be newer than that of the root it runs in, which holds for the Debian that we support and
/// later suites.
#[derive(Debug, Clone)]
pub struct Cases {
    program: PathBuf,
}

impl Cases {
    /// The program at this path.
    pub fn at(program: impl Into<PathBuf>) -> Self {
        Self { program: program.into() }
    }

    /// Builds it.
    ///
    /// # Errors
    ///
    /// It does not compile.
    pub fn build() -> Result<Self> {
        crate::cargo::build(&["--package", "venus-cases"]).map(Self::at)
    }

    /// Where it is.
    pub fn program(&self) -> &Path {
        &self.program
    }

    /// Prepares a run of one case: its name, and a number where it is not its own.
    ///
    /// # Errors
    ///
    /// The program's path has no folder or is no text.
    pub fn command<'a>(&self, guest: &'a Guest, vulkan: Vulkan<'a>, case: &[&str]) -> Result<GuestRun<'a>> {
        let folder = self.program.parent().context("the program of the cases has no folder")?;
        let name = self.program.file_name().and_then(|name| name.to_str()).context("its name is no text")?;
        let command = guest.command(&format!("/run/cases/{name}"), vulkan).args(case.iter().copied());
        Ok(command.bind("cases", folder))
    }
}
