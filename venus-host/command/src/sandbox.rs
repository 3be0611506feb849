//! The options of the sandbox.

use std::{
    env,
    ffi::OsString,
    path::{Path, PathBuf},
};

use clap::Args;
use venus_host::sandbox::{Confinement, Sandbox};
use venus_observe::Ahead;

/// What a process gives up that serves a guest.
#[derive(Debug, Clone, Args)]
pub(super) struct SandboxArgs {
    /// What the process of a guest gives up before it reads the guest's first byte. `on`: other programs, processes, files
    /// and sockets, and doors to the kernel that serving does not take; where the system cannot do all of that, the log
    /// says so, and it gives up what it can; so without this option. `strict`: all that guests were not seen to need, or nobody
    /// is served. `off`: nothing. See `venus doctor`
    #[arg(long, env = "VENUS_SANDBOX", value_parser = level, value_name = "LEVEL")]
    sandbox: Option<Confinement>,

    /// Let such a process read this file or folder, beside those that drivers are known to need; repeat it for more
    #[arg(long, env = "VENUS_SANDBOX_READ", value_delimiter = ':', value_name = "PATH")]
    sandbox_read: Vec<PathBuf>,

    /// Let such a process change this file, or what is in this folder, which is made if there is none; repeat it for more
    #[arg(long, env = "VENUS_SANDBOX_WRITE", value_delimiter = ':', value_name = "PATH")]
    sandbox_write: Vec<PathBuf>,
}

/// A level; an empty variable is as good as none.
fn level(text: &str) -> Result<Confinement, String> {
    if text.is_empty() { Ok(Confinement::default()) } else { text.parse() }
}

impl SandboxArgs {
    /// How much is given up.
    fn level(&self) -> Confinement {
        self.sandbox.unwrap_or_default()
    }

    /// Whether somebody has asked for a sandbox by name.
    pub(super) fn is_asked_for(&self) -> bool {
        self.sandbox.is_some_and(|level| level != Confinement::Off)
    }

    /// What may be read, and is not there to be.
    pub(super) fn missing(&self) -> impl Iterator<Item = &Path> {
        self.sandbox_read.iter().map(PathBuf::as_path).filter(|path| !path.as_os_str().is_empty() && !path.exists())
    }

    /// The options as the library takes them.
    pub(super) fn sandbox(&self) -> Sandbox {
        let mut sandbox = Sandbox::new(self.level());
        sandbox.readable.extend(self.sandbox_read.iter().cloned());
        sandbox.writable.extend(self.sandbox_write.iter().cloned());
        sandbox
    }

    /// The environment that has another `venus` give nothing up, for those who do not either.
    pub(super) fn nothing() -> Vec<(&'static str, OsString)> {
        vec![("VENUS_SANDBOX", Confinement::Off.to_string().into())]
    }

    /// The environment that makes another `venus` have the same options.
    pub(super) fn environment(&self) -> Vec<(&'static str, OsString)> {
        let mut environment = vec![("VENUS_SANDBOX", self.level().to_string().into())];
        for (name, paths) in [("VENUS_SANDBOX_READ", &self.sandbox_read), ("VENUS_SANDBOX_WRITE", &self.sandbox_write)]
        {
            // A path with a colon was two when it was read.
            if let Some(paths) = env::join_paths(paths).ok().filter(|paths| !paths.is_empty()) {
                environment.push((name, paths));
            }
        }
        environment.extend(self.caches());
        environment
    }

    /// Has the drivers of workers keep shaders where other programs of this user do not look for theirs: what a guest makes of
    /// a worker's may be read by other workers, and by nobody else.
    fn caches(&self) -> Vec<(&'static str, OsString)> {
        const VARIABLES: [&str; 2] = ["MESA_SHADER_CACHE_DIR", "__GL_SHADER_DISK_CACHE_PATH"];
        let variable = |name| env::var_os(name).filter(|value: &OsString| !value.is_empty()).map(PathBuf::from);
        let root = variable("XDG_CACHE_HOME").or_else(|| Some(variable("HOME")?.join(".cache")));
        let Some(folder) = root.map(|root| root.join("venus")).filter(|_| self.level() != Confinement::Off) else {
            return Vec::new();
        };
        let open = VARIABLES.into_iter().filter(|name| variable(name).is_none());
        open.map(|name| (name, folder.clone().into_os_string())).collect()
    }
}

/// Opens the file that an observer of the only guest will write in this folder, which holds those of other guests: so this
/// process may name that one file there, and no more. A failure is logged.
pub(super) fn open_ahead(sandbox: &mut Sandbox, folder: Option<&Path>) -> Ahead {
    let Some(folder) = folder.filter(|_| sandbox.level != Confinement::Off) else { return Ahead::default() };
    match Ahead::open(folder) {
        Ok(ahead) => {
            sandbox.nameable.push(folder.to_owned());
            ahead
        }
        Err(error) => {
            let why = format!("cannot make a file without a name in {}: {error}", folder.display());
            if sandbox.level == Confinement::Strict {
                tracing::error!("{why}; a strict sandbox lets this worker write nothing there");
            } else {
                tracing::warn!("{why}; this worker can change what else is there");
                sandbox.writable.push(folder.to_owned());
            }
            Ahead::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(clap::Parser)]
    struct Cli {
        #[command(flatten)]
        sandbox: SandboxArgs,
    }

    fn parsed(arguments: &[&str]) -> SandboxArgs {
        <Cli as clap::Parser>::parse_from([&[""], arguments].concat()).sandbox
    }

    #[test]
    fn a_sandbox_is_on_by_default() {
        let sandbox = parsed(&[]).sandbox();
        assert_eq!(sandbox.level, Confinement::On);
        assert!(sandbox.writable.is_empty());
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn folders_that_hold_what_other_guests_did_are_not_written_to() {
        let folder = tempfile::tempdir().unwrap();
        for level in ["on", "strict"] {
            let mut sandbox = parsed(&["--sandbox", level]).sandbox();
            let _ahead = open_ahead(&mut sandbox, Some(folder.path()));
            assert_eq!(sandbox.nameable, [folder.path()]);
            assert!(sandbox.writable.is_empty());
        }
        // What is not a folder has no files: only less of a sandbox could do something about that.
        let file = folder.path().join("file");
        std::fs::write(&file, "").unwrap();
        for (level, writable) in [("off", 0), ("on", 1), ("strict", 0)] {
            let mut sandbox = parsed(&["--sandbox", level]).sandbox();
            let _none = open_ahead(&mut sandbox, Some(&file));
            assert_eq!((sandbox.nameable.len(), sandbox.writable.len()), (0, writable), "{level}");
        }
        let mut off = parsed(&["--sandbox", "off"]).sandbox();
        let _none = open_ahead(&mut off, Some(folder.path()));
        assert!(off.nameable.is_empty() && off.writable.is_empty());
    }

    #[test]
    fn an_empty_level_is_as_good_as_none() {
        assert_eq!(parsed(&["--sandbox", ""]).level(), Confinement::On);
        assert!(parsed(&["--sandbox", "on"]).is_asked_for() && !parsed(&[]).is_asked_for());
    }

    #[test]
    fn what_is_not_there_to_be_read_is_known() {
        let options = parsed(&["--sandbox-read", "/proc", "--sandbox-read", "/nowhere/at/all"]);
        assert_eq!(options.missing().collect::<Vec<_>>(), [Path::new("/nowhere/at/all")]);
    }

    #[test]
    fn another_process_gets_the_same() {
        let options = parsed(&["--sandbox", "strict", "--sandbox-read", "/a", "--sandbox-read", "/b"]);
        let told = options.environment();
        let value = |name| told.iter().find(|(known, _)| *known == name).map(|(_, value)| value.to_str().unwrap());
        assert_eq!(value("VENUS_SANDBOX"), Some("strict"));
        assert_eq!(value("VENUS_SANDBOX_READ"), Some("/a:/b"));
        assert_eq!(value("VENUS_SANDBOX_WRITE"), None);
        assert_eq!(options.sandbox().readable, [Path::new("/a"), Path::new("/b")]);
    }

    #[test]
    fn shaders_are_kept_apart_unless_nothing_is_confined() {
        let off = parsed(&["--sandbox", "off"]);
        assert_eq!(off.environment(), [("VENUS_SANDBOX", OsString::from("off"))]);
        assert_eq!(off.environment(), SandboxArgs::nothing());
    }
}
