//! What a process gives up before it serves a guest.
//!
//! A guest is hostile by assumption, and the drivers behind us were not written for hostile callers. Whoever makes a driver
//! run code of theirs has what the process has, so a process that serves a guest keeps no more than serving takes:
//!
//! * it gains no rights by starting programs (`no_new_privs`), has none of root's, and leaves no core file;
//! * it reads no terminal;
//! * it opens those files that drivers need (`places`), by Landlock, which on newer kernels keeps it from signals to others
//!   and from abstract sockets, too. That holds for a thread and those that it starts, so it is done before there are others;
//! * it makes those system calls that serving takes (`calls`), by a filter that all of its threads get at once, when the
//!   drivers are loaded.
//!
//! What is refused fails with an error, and of a system call the log has a line: a driver that asks for more than it needs
//! goes on without.
//!
//! | file of `linux/` | what |
//! |---|---|
//! | `calls`, `numbers` | system calls, as rows with reasons; their names |
//! | `places`, `manifests` | files, as rows with reasons; where drivers say that their libraries are |
//! | `family` | whose rows apply: those of the drivers that this process has |
//! | `filter` | the rows as a filter of system calls |
//! | `landlock` | the rows as rules of Landlock |
//! | `capabilities`, `terminal` | root's rights; terminals among the standard streams |
//! | `refusals` | what becomes of a call that is refused |

#![deny(unsafe_code)]

#[cfg(not(all(target_os = "linux", feature = "sandbox", any(target_arch = "x86_64", target_arch = "aarch64"))))]
mod elsewhere;
#[cfg(all(target_os = "linux", feature = "sandbox", any(target_arch = "x86_64", target_arch = "aarch64")))]
mod linux;

use std::{fmt, path::PathBuf, str::FromStr};

#[cfg(not(all(target_os = "linux", feature = "sandbox", any(target_arch = "x86_64", target_arch = "aarch64"))))]
use elsewhere as system;
#[cfg(all(target_os = "linux", feature = "sandbox", any(target_arch = "x86_64", target_arch = "aarch64")))]
use linux as system;

use crate::HostError;

/// How much a process that serves a guest gives up.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Confinement {
    /// Everything that guests were not seen to need. Nobody is served where the system cannot do all of that.
    Strict,
    /// What would be of use to a guest that has taken over the process: other files, programs, processes, sockets, and
    /// doors to the kernel. Where the system cannot do all of that, what it can.
    #[default]
    On,
    /// Nothing.
    Off,
}

impl fmt::Display for Confinement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Strict => "strict",
            Self::On => "on",
            Self::Off => "off",
        })
    }
}

impl FromStr for Confinement {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "strict" => Ok(Self::Strict),
            "on" => Ok(Self::On),
            "off" => Ok(Self::Off),
            _ => Err(format!("{text:?} is none of strict, on and off")),
        }
    }
}

/// What a process that serves a guest gives up, and what it keeps.
///
/// The embedder's own code in a worker keeps to it, too: observers that write files say where.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct Sandbox {
    /// How much it gives up.
    pub level: Confinement,
    /// Files and folders that it may read, beside those that drivers are known to need.
    pub readable: Vec<PathBuf>,
    /// Files and folders that it may also change. What is not there when the process begins, it makes as a folder.
    pub writable: Vec<PathBuf>,
    /// Folders in which it may name files that it has opened before, there and without a name (`O_TMPFILE`). What else is
    /// there it can neither open nor change nor remove.
    pub nameable: Vec<PathBuf>,
}

impl Sandbox {
    /// As much as that.
    #[must_use]
    pub fn new(level: Confinement) -> Self {
        Self { level, ..Self::default() }
    }

    /// Lets it read this file, or what is in this folder.
    #[must_use]
    pub fn readable(mut self, path: impl Into<PathBuf>) -> Self {
        self.readable.push(path.into());
        self
    }

    /// Lets it change this file, or what is in this folder, which is made if there is none.
    #[must_use]
    pub fn writable(mut self, path: impl Into<PathBuf>) -> Self {
        self.writable.push(path.into());
        self
    }

    /// Lets it name files in this folder that it has opened there without a name.
    #[must_use]
    pub fn nameable(mut self, folder: impl Into<PathBuf>) -> Self {
        self.nameable.push(folder.into());
        self
    }

    /// What of this the system cannot do, each in a sentence, for the log.
    ///
    /// # Errors
    ///
    /// Nobody may be served without it ([`Confinement::Strict`]).
    pub fn check(&self) -> Result<Vec<String>, HostError> {
        let missing = match self.level {
            Confinement::Off => Vec::new(),
            Confinement::On | Confinement::Strict => support().missing(),
        };
        match missing.as_slice() {
            [first, ..] if self.level == Confinement::Strict => {
                Err(HostError::Unsupported(format!("a strict sandbox cannot be had: {first}").into()))
            }
            _ => Ok(missing),
        }
    }

    /// Gives up other files, capabilities, new privileges, core files, and reading the terminal that the log goes to, for this
    /// thread and those that it starts: best done before there are others.
    ///
    /// # Errors
    ///
    /// [`Confinement::Strict`] cannot be had.
    pub fn restrict_files(&self) -> Result<(), HostError> {
        if self.level == Confinement::Off {
            return Ok(());
        }
        self.check()?;
        self.settle(system::restrict_files(self))
    }

    /// Gives up system calls, for all threads: best done when the drivers are loaded, and before the guest's first byte is
    /// read.
    ///
    /// # Errors
    ///
    /// [`Confinement::Strict`] cannot be had.
    pub fn restrict_calls(&self) -> Result<(), HostError> {
        if self.level == Confinement::Off {
            return Ok(());
        }
        self.settle(system::restrict_calls(self))
    }

    fn settle(&self, outcome: Result<(), String>) -> Result<(), HostError> {
        match outcome {
            Err(reason) if self.level == Confinement::Strict => {
                Err(HostError::Unsupported(format!("a strict sandbox cannot be had: {reason}").into()))
            }
            Err(reason) => {
                tracing::warn!("this worker is confined less than it should be: {reason}");
                Ok(())
            }
            Ok(()) => Ok(()),
        }
    }
}

/// What this system can do to confine a process.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Support {
    /// The version of Landlock's interface, or why there is none.
    pub landlock: Result<u32, String>,
    /// Whether system calls can be filtered, or why not.
    pub filter: Result<(), String>,
}

/// The first version of Landlock that knows of truncation, which changes files that were opened for reading only by name.
const TRUNCATES: u32 = 3;
/// The first that knows of device files' own commands, and the first that knows of signals and abstract sockets.
const DEVICES: u32 = 5;
const SIGNALS: u32 = 6;

impl Support {
    /// What cannot be done, each in a sentence. Nothing, where a strict sandbox can be had.
    #[must_use]
    pub fn missing(&self) -> Vec<String> {
        let mut missing = Vec::new();
        match &self.landlock {
            Err(reason) => missing.push(format!("workers can open whatever their user can: {reason}")),
            Ok(version) if *version < TRUNCATES => missing.push(format!(
                "workers can truncate files of their user's: this kernel's Landlock is version {version}, and {TRUNCATES} \
                 (Linux 6.2) is the first that prevents it"
            )),
            Ok(_) => {}
        }
        if let Err(reason) = &self.filter {
            missing.push(format!("workers can make any system call: {reason}"));
        }
        missing
    }

    /// What a newer kernel would add, where nothing is missing.
    #[must_use]
    pub fn lesser(&self) -> Vec<&'static str> {
        let version = self.landlock.as_ref().copied().unwrap_or(u32::MAX);
        let mut lesser = Vec::new();
        if version < DEVICES {
            lesser.push("commands to devices, beside those that the filter refuses (Linux 6.10)");
        }
        if version < SIGNALS {
            lesser.push("signals to others and abstract sockets, which the filter refuses, a second time (Linux 6.12)");
        }
        lesser
    }
}

/// Finds out what this system can do. Changes nothing.
#[must_use]
pub fn support() -> Support {
    system::support()
}

/// The driver families that the policy knows, with what each may do beside what all may: for people.
#[must_use]
pub fn families() -> Vec<(&'static str, Vec<String>)> {
    system::families()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn supports(landlock: Result<u32, String>, filter: Result<(), String>) -> Support {
        Support { landlock, filter }
    }

    #[test]
    fn levels_are_read_as_they_are_written() {
        for level in [Confinement::Strict, Confinement::On, Confinement::Off] {
            assert_eq!(level.to_string().parse(), Ok(level));
        }
        assert!("ON".parse::<Confinement>().unwrap_err().contains("strict, on and off"));
        assert_eq!(Confinement::default(), Confinement::On);
    }

    #[test]
    fn what_is_missing_is_said() {
        assert!(supports(Ok(7), Ok(())).missing().is_empty() && supports(Ok(7), Ok(())).lesser().is_empty());
        let old = supports(Ok(2), Ok(()));
        assert!(old.missing()[0].contains("version 2"), "{:?}", old.missing());
        assert_eq!(old.lesser().len(), 2);
        let none = supports(Err("no Landlock".to_owned()), Err("no filters".to_owned())).missing();
        assert!(none[0].contains("no Landlock") && none[1].contains("no filters"), "{none:?}");
    }

    #[test]
    fn a_sandbox_that_is_off_does_nothing() {
        let off = Sandbox::new(Confinement::Off);
        assert!(off.check().unwrap().is_empty());
        off.restrict_files().unwrap();
        off.restrict_calls().unwrap();
        assert!(std::fs::read("/etc/hostname").is_ok() || std::fs::read("/etc/passwd").is_ok());
    }
}
