//! Files that observers write: one for each guest, named after its program.

use std::{
    fs::{self, File, OpenOptions},
    io,
    path::{Path, PathBuf},
};

/// Names of guest programs in names of files are cut to this many characters.
const NAME_CHARS: usize = 40;

/// Why an observer has nothing to write to.
#[derive(Debug, thiserror::Error)]
#[error("cannot {verb} into {}: {source}", folder.display())]
pub struct CreateError {
    verb: &'static str,
    folder: PathBuf,
    source: io::Error,
}

impl CreateError {
    /// `verb` is what was going to be done.
    pub(crate) fn new(verb: &'static str, folder: &Path, source: io::Error) -> Self {
        Self { verb, folder: folder.to_owned(), source }
    }

    /// The folder in which there should be a file now.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The system's answer.
    #[must_use]
    pub fn io(&self) -> &io::Error {
        &self.source
    }
}

/// Makes a new file for a guest program called `name`, in a folder that is made if there is none.
pub(crate) fn create(folder: &Path, name: &str, extension: &str) -> io::Result<(PathBuf, File)> {
    fs::create_dir_all(folder)?;
    let name: String = name.chars().take(NAME_CHARS).map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
    let name = if name.is_empty() { "guest" } else { &name };
    let process = std::process::id();
    let mut number = 0_u32;
    loop {
        let path = folder.join(format!("{name}-{process}-{number}.{extension}"));
        match OpenOptions::new().append(true).create_new(true).open(&path) {
            Ok(file) => return Ok((path, file)),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists && number < u32::MAX => {
                number = number.saturating_add(1);
            }
            Err(error) => return Err(error),
        }
    }
}
