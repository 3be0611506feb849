//! The shared library that this code is in, run as a program.
//!
//! A library that is loaded into somebody else's program has no program of its own to start as a worker, and one installed
//! beside it could be missing, or of another version. But a shared object is a program for the system's dynamic loader, if
//! it has an entry point ([`worker_entry`](crate::worker_entry)): the loader maps it, and all it needs, and goes there.
//!
//! Which file that is, and which loader, the system tells by what is mapped into this process. The file is kept open from
//! then on: whatever an upgrade puts in its place, workers are of the same version as their monitor.

use std::{
    ffi::OsString,
    fs::{self, File},
    io,
    os::{
        fd::{AsRawFd as _, OwnedFd},
        unix::{
            ffi::{OsStrExt as _, OsStringExt as _},
            fs::{FileExt as _, MetadataExt as _},
        },
    },
    path::PathBuf,
    process::Command,
    sync::OnceLock,
};

/// Something that lies in the file that this code is in: not zero, so that it does.
static HERE: u64 = 0x0076_656e_7573;

/// Where the loader and the library are.
#[derive(Debug)]
pub(super) struct ThisLibrary {
    loader: PathBuf,
    library: PathBuf,
    /// The library's file, also when it is not at its path any more.
    file: File,
}

/// What starts the library, and a descriptor that has to stay until it is started.
pub(super) type Start = (Command, Option<OwnedFd>);

impl ThisLibrary {
    /// Finds both, or says in a sentence why not. What was found once stays found.
    pub(super) fn find() -> Result<&'static Self, String> {
        static FOUND: OnceLock<ThisLibrary> = OnceLock::new();
        match FOUND.get() {
            Some(found) => Ok(found),
            None => Self::look().map(|found| FOUND.get_or_init(|| found)),
        }
    }

    fn look() -> Result<Self, String> {
        let maps = fs::read("/proc/self/maps").map_err(|error| format!("/proc/self/maps cannot be read: {error}"))?;
        let found = Self::among(&maps, (&raw const HERE).addr())?;
        let program = fs::metadata("/proc/self/exe").map_err(|error| format!("/proc/self/exe: {error}"))?;
        let library = found.file.metadata().map_err(|error| format!("{}: {error}", found.library.display()))?;
        if (program.dev(), program.ino()) == (library.dev(), library.ino()) {
            return Err("the code of workers is part of the program here, not of a library".to_owned());
        }
        if !has_entry(&found.file) {
            return Err(format!("{} was built without an entry point", found.library.display()));
        }
        Ok(found)
    }

    /// The library that `address` is in, and the loader.
    fn among(maps: &[u8], address: usize) -> Result<Self, String> {
        let rows: Vec<Row> = maps.split(|byte| *byte == b'\n').filter_map(Row::parse).collect();
        let here = rows.iter().find(|row| row.start <= address && address < row.end);
        let library = here.ok_or("the system does not tell which library workers are in")?;
        let loader = rows.iter().find(|row| row.is_loader());
        let loader = loader.ok_or("this program has no dynamic loader that could start a worker")?;
        let file = |row: &Row| {
            let file = File::open(&row.path).ok();
            let file = file.filter(|file| file.metadata().is_ok_and(|found| found.ino() == row.inode));
            file.ok_or_else(|| format!("{} is not the file any more that this program has loaded", row.path.display()))
        };
        file(loader)?;
        Ok(Self { loader: loader.path.clone(), library: library.path.clone(), file: file(library)? })
    }

    /// What starts the library as a program: by its path, or by a descriptor if something else is there now.
    pub(super) fn command(&self, environment: &[(OsString, OsString)]) -> io::Result<Start> {
        let mut command = Command::new(&self.loader);
        command.envs(environment.iter().map(|(name, value)| (name, value)));
        if self.is_in_place() {
            command.arg(&self.library);
            return Ok((command, None));
        }
        // The worker inherits this one, which is not marked, and closes it.
        let file = rustix::io::dup(&self.file)?;
        command.arg(format!("/proc/self/fd/{}", file.as_raw_fd()));
        Ok((command, Some(file)))
    }

    fn is_in_place(&self) -> bool {
        let identity = |found: fs::Metadata| (found.dev(), found.ino());
        fs::metadata(&self.library).ok().map(identity) == self.file.metadata().ok().map(identity)
    }
}

/// A mapped file: a line of `/proc/self/maps`.
#[derive(Debug, PartialEq, Eq)]
struct Row {
    start: usize,
    end: usize,
    inode: u64,
    path: PathBuf,
}

impl Row {
    /// `start-end permissions offset device inode path`, of which the path may have spaces.
    fn parse(line: &[u8]) -> Option<Self> {
        let slash = line.iter().position(|byte| *byte == b'/')?;
        let (fields, path) = line.split_at_checked(slash)?;
        let mut fields = std::str::from_utf8(fields).ok()?.split_ascii_whitespace();
        let (start, end) = fields.next()?.split_once('-')?;
        let address = |text| usize::from_str_radix(text, 16).ok();
        Some(Self {
            start: address(start)?,
            end: address(end)?,
            inode: fields.nth(3)?.parse().ok()?,
            path: PathBuf::from(OsString::from_vec(path.to_vec())),
        })
    }

    /// Whether it is the system's dynamic loader, such as `ld-linux-x86-64.so.2`.
    fn is_loader(&self) -> bool {
        self.path.file_name().is_some_and(|name| name.as_bytes().starts_with(b"ld-"))
    }
}

/// Whether a file is an ELF object with an entry point.
fn has_entry(file: &File) -> bool {
    /// Where a 64-bit ELF header has the entry point's address.
    const ENTRY: usize = 24;
    let mut header = [0; ENTRY + 8];
    file.read_exact_at(&mut header, 0).is_ok()
        && header.starts_with(b"\x7fELF")
        && header.split_at(ENTRY).1.iter().any(|byte| *byte != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_the_map_are_read() {
        let line = b"7f00aa000-7f00ab000 r-xp 00002000 fe:01 4711    /usr/lib/a library.so";
        let expected =
            Row { start: 0x7_f00a_a000, end: 0x7_f00a_b000, inode: 4711, path: "/usr/lib/a library.so".into() };
        assert_eq!(Row::parse(line), Some(expected));
        for line in ["", "7ffc0000-7ffc1000 rw-p 00000000 00:00 0  [stack]", "1-2 r 0 0 x /a", "1 r 0 0 1 /a"] {
            assert_eq!(Row::parse(line.as_bytes()), None, "{line}");
        }
    }

    #[test]
    fn the_library_and_its_loader_are_found_by_what_is_mapped() {
        let file = tempfile::NamedTempFile::with_prefix("ld-test").unwrap();
        let inode = fs::metadata(file.path()).unwrap().ino();
        let row = |start: usize, inode: u64| {
            format!("{start:x}-{:x} r-xp 0 fe:01 {inode} {}\n", start + 0x1000, file.path().display())
        };
        let maps = row(0x1000, inode);
        let found = ThisLibrary::among(maps.as_bytes(), 0x1fff).unwrap();
        assert_eq!((&*found.loader, &*found.library), (file.path(), file.path()));
        assert!(ThisLibrary::among(maps.as_bytes(), 0x2000).unwrap_err().contains("which library"));
        let replaced = ThisLibrary::among(row(0x1000, inode + 1).as_bytes(), 0x1000).unwrap_err();
        assert!(replaced.contains("not the file any more"), "{replaced}");
        let elsewhere = b"1000-2000 r-xp 0 fe:01 1 /usr/lib/libother.so\n";
        assert!(ThisLibrary::among(elsewhere, 0x1000).unwrap_err().contains("no dynamic loader"));
    }

    #[test]
    fn a_library_that_was_replaced_is_started_by_its_descriptor() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ld-library");
        fs::write(&path, "old").unwrap();
        let inode = fs::metadata(&path).unwrap().ino();
        let maps = format!("1000-2000 r-xp 0 fe:01 {inode} {}\n", path.display());
        let found = ThisLibrary::among(maps.as_bytes(), 0x1000).unwrap();
        let argument = |command: &Command| PathBuf::from(command.get_args().next().unwrap());
        let (command, file) = found.command(&[]).unwrap();
        assert_eq!((argument(&command), file.is_none()), (path.clone(), true));
        for replacement in [None, Some("new")] {
            fs::remove_file(&path).unwrap();
            replacement.into_iter().for_each(|text| fs::write(&path, text).unwrap());
            let (command, _file) = found.command(&[]).unwrap();
            assert_eq!(fs::read(argument(&command)).unwrap(), b"old", "{command:?}");
            fs::write(&path, "").unwrap();
        }
    }

    #[test]
    fn a_program_is_no_library() {
        let refused = ThisLibrary::find().unwrap_err();
        assert!(refused.contains("part of the program"), "{refused}");
    }

    #[test]
    fn an_entry_point_is_looked_for_in_the_header() {
        let has_entry = |path| has_entry(&File::open(path).unwrap());
        assert!(has_entry("/proc/self/exe") && !has_entry("/proc/self/maps"));
    }
}
