//! This program, to be started again.

use std::{
    env, io,
    path::{Path, PathBuf},
};

/// Where to start this program from: on Linux it is the very one that runs, whatever an upgrade has put in its place since.
pub(super) fn this_program() -> io::Result<PathBuf> {
    /// In a process that is about to start a program, that is still what it was itself.
    const RUNNING: &str = "/proc/self/exe";
    if cfg!(target_os = "linux") && Path::new(RUNNING).exists() {
        return Ok(RUNNING.into());
    }
    env::current_exe()
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::{
        fs,
        process::{self, Command},
    };

    use super::*;

    /// Says that this program is a copy, to be deleted; and that it is the same once more.
    const COPY: &str = "VENUS_TEST_COPY";
    const AGAIN: &str = "VENUS_TEST_AGAIN";

    #[test]
    fn a_program_whose_file_is_gone_starts_itself() {
        let this_test = ["--exact", "program::tests::a_program_whose_file_is_gone_starts_itself"];
        if env::var_os(AGAIN).is_some() {
            return;
        }
        if let Some(copy) = env::var_os(COPY) {
            fs::remove_file(copy).unwrap();
            let again = Command::new(this_program().unwrap()).args(this_test).env(AGAIN, "").status();
            process::exit(i32::from(!again.unwrap().success()));
        }
        let folder = tempfile::tempdir().unwrap();
        let copy = folder.path().join("copy");
        // By another process. If this one had the copy open for writing, so would for a moment whatever other tests start,
        // and a program that somebody writes to cannot be started.
        assert!(Command::new("cp").arg(env::current_exe().unwrap()).arg(&copy).status().unwrap().success());
        assert!(Command::new(&copy).args(this_test).env(COPY, &copy).status().unwrap().success());
        assert!(!copy.exists());
    }
}
