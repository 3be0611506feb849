//! Terminals among the standard streams.
//!
//! A terminal is open for reading and writing wherever it is open, and who has it for its log could read what its user types.
//! Commands to terminals are refused (`calls`); reading is given up here.

use std::{
    fs::{File, OpenOptions},
    io::{self, IsTerminal},
    os::{fd::AsFd, unix::fs::OpenOptionsExt as _},
};

use rustix::{
    fs::{OFlags, fcntl_getfl},
    stdio::{dup2_stderr, dup2_stdout},
};

/// Opens terminals that standard output and standard error are again, for writing only.
pub(super) fn only_write() -> Result<(), String> {
    let failed = |error| format!("the terminal that the log goes to can be read: {error}");
    if let Some(terminal) = for_writing(&io::stdout(), "/proc/self/fd/1").map_err(failed)? {
        dup2_stdout(terminal).map_err(|error| failed(error.into()))?;
    }
    if let Some(terminal) = for_writing(&io::stderr(), "/proc/self/fd/2").map_err(failed)? {
        dup2_stderr(terminal).map_err(|error| failed(error.into()))?;
    }
    Ok(())
}

/// The terminal that a stream is, if it is one that can be read.
fn for_writing(stream: &(impl AsFd + IsTerminal), path: &str) -> io::Result<Option<File>> {
    if !stream.is_terminal() || fcntl_getfl(stream)? & OFlags::ACCMODE == OFlags::WRONLY {
        return Ok(None);
    }
    OpenOptions::new().write(true).custom_flags(libc::O_NOCTTY).open(path).map(Some)
}
