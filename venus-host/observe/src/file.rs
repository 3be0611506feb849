//! Files that observers write: one for each guest, named after its program.

use std::{
    fs::{self, File, OpenOptions},
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use parking_lot::Mutex;

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

/// A file of an observer's that is opened ahead of its guest, by a process that may open none when the guest is there.
///
/// It has no name yet, so it is gone with a process that gets no guest. Naming it takes the right to make files in its
/// folder, and none to open, change or remove what is there: that may be of other guests.
#[derive(Debug, Clone, Default)]
pub struct Ahead(Arc<Mutex<Option<File>>>);

impl Ahead {
    /// Opens a file in this folder, which is made if there is none.
    ///
    /// # Errors
    ///
    /// The folder cannot be made or written to; it is on a file system that has no files without a name, or the system has
    /// none (Linux has).
    pub fn open(folder: &Path) -> io::Result<Self> {
        fs::create_dir_all(folder)?;
        let file = nameless::open(folder)?;
        Ok(Self(Arc::new(Mutex::new(Some(file)))))
    }
}

#[cfg(target_os = "linux")]
mod nameless {
    use std::os::fd::AsRawFd as _;

    use rustix::fs::{AtFlags, CWD, Mode, OFlags, linkat, open as open_at};

    use super::{File, Path, io};

    pub(super) fn open(folder: &Path) -> io::Result<File> {
        let flags = OFlags::TMPFILE | OFlags::WRONLY | OFlags::APPEND | OFlags::CLOEXEC;
        let mode = Mode::RUSR | Mode::WUSR | Mode::RGRP | Mode::WGRP | Mode::ROTH | Mode::WOTH;
        Ok(open_at(folder, flags, mode)?.into())
    }

    /// Names a file, unless there is one of that name.
    pub(super) fn name(file: &File, path: &Path) -> io::Result<()> {
        let unnamed = format!("/proc/self/fd/{}", file.as_raw_fd());
        Ok(linkat(CWD, unnamed, CWD, path, AtFlags::SYMLINK_FOLLOW)?)
    }
}

#[cfg(not(target_os = "linux"))]
mod nameless {
    use super::{File, Path, io};

    pub(super) fn open(_folder: &Path) -> io::Result<File> {
        Err(io::ErrorKind::Unsupported.into())
    }

    pub(super) fn name(_file: &File, _path: &Path) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }
}

/// Makes a new file for a guest program called `name`, in a folder that is made if there is none; of what was opened ahead,
/// if something was.
pub(crate) fn create(folder: &Path, ahead: &Ahead, name: &str, extension: &str) -> io::Result<(PathBuf, File)> {
    match ahead.0.lock().take() {
        Some(file) => {
            let (path, ()) = with_name(folder, name, extension, |path| nameless::name(&file, path))?;
            Ok((path, file))
        }
        None => {
            fs::create_dir_all(folder)?;
            with_name(folder, name, extension, |path| OpenOptions::new().append(true).create_new(true).open(path))
        }
    }
}

/// Makes something with the first name that is not taken.
fn with_name<T>(
    folder: &Path,
    name: &str,
    extension: &str,
    make: impl Fn(&Path) -> io::Result<T>,
) -> io::Result<(PathBuf, T)> {
    let name: String = name.chars().take(NAME_CHARS).map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
    let name = if name.is_empty() { "guest" } else { &name };
    let process = std::process::id();
    let mut number = 0_u32;
    loop {
        let path = folder.join(format!("{name}-{process}-{number}.{extension}"));
        match make(&path) {
            Ok(made) => return Ok((path, made)),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists && number < u32::MAX => {
                number = number.saturating_add(1);
            }
            Err(error) => return Err(error),
        }
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::{io::Write as _, os::unix::fs::PermissionsExt as _};

    use super::*;

    /// The names in a folder, and what the files hold.
    fn files(folder: &Path) -> Vec<(String, String)> {
        let paths = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
        let mut files: Vec<_> = paths
            .map(|path| (path.file_name().unwrap().to_str().unwrap().to_owned(), fs::read_to_string(&path).unwrap()))
            .collect();
        files.sort();
        files
    }

    #[test]
    fn a_file_that_was_opened_ahead_is_named_like_others() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path().join("a/b");
        let ahead = Ahead::open(&folder).unwrap();
        let unused = Ahead::open(&folder).unwrap();
        assert_eq!(files(&folder), [], "it has no name before there is a guest");
        let (path, mut file) = create(&folder, &Ahead::default(), "a cube", "x").unwrap();
        file.write_all(b"first").unwrap();
        let (second, mut file) = create(&folder, &ahead, "a cube", "x").unwrap();
        file.write_all(b"sec").unwrap();
        file.write_all(b"ond").unwrap();
        let process = std::process::id();
        let expected =
            [("0", "first"), ("1", "second")].map(|(n, text)| (format!("a-cube-{process}-{n}.x"), text.into()));
        assert_eq!(files(&folder), expected);
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode();
        assert_eq!(mode(&path), mode(&second));
        drop((unused, file));
        // What was opened ahead was one file.
        create(&folder, &ahead, "a cube", "x").unwrap();
        assert_eq!(files(&folder).len(), 3);
    }
}
