//! How the libraries are installed: what goes where below a prefix. `cargo xtask install` does it so, and tests whose programs
//! are built against an installation have one of the same make.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};

/// What programs are compiled against, and what Swift has for it: where it goes below the prefix, and its text.
const HOST_SOURCES: [(&str, &str); 4] = [
    ("include/venus/venus_host.h", include_str!("../../../venus-host/capi/include/venus_host.h")),
    ("include/venus/module.modulemap", include_str!("../../../venus-host/capi/include/module.modulemap")),
    ("share/venus/swift/Package.swift", include_str!("../../../venus-host/capi/swift/Package.swift")),
    ("share/venus/swift/VenusHost.swift", include_str!("../../../venus-host/capi/swift/VenusHost.swift")),
];

/// The same of virglrenderer.
const VIRGLRENDERER_SOURCES: [(&str, &str); 2] = [
    ("include/virgl/virglrenderer.h", include_str!("../../../venus-host/virglrenderer/include/virgl/virglrenderer.h")),
    ("include/virgl/virgl-version.h", include_str!("../../../venus-host/virglrenderer/include/virgl/virgl-version.h")),
];

/// What pkg-config is told of the library for monitors in C.
const HOST_DESCRIPTION: (&str, &str) =
    ("lib/pkgconfig/venus-host.pc", include_str!("../../../venus-host/capi/venus-host.pc.in"));

/// The same of virglrenderer.
const VIRGLRENDERER_DESCRIPTION: (&str, &str) =
    ("lib/pkgconfig/virglrenderer.pc", include_str!("../../../venus-host/virglrenderer/virglrenderer.pc.in"));

/// The library for monitors in C: the name that they load, and the one that they are linked against.
pub const HOST: [&str; 2] = if cfg!(target_os = "macos") {
    ["lib/libvenus_host.0.dylib", "lib/libvenus_host.dylib"]
} else {
    ["lib/libvenus_host.so.0", "lib/libvenus_host.so"]
};

/// The same to be linked in.
pub const STATIC_HOST: &str = "lib/libvenus_host.a";

/// The library that monitors load in the place of virglrenderer, with the same two names.
pub const VIRGLRENDERER: [&str; 2] = if cfg!(target_os = "macos") {
    ["lib/libvirglrenderer.1.dylib", "lib/libvirglrenderer.dylib"]
} else {
    ["lib/libvirglrenderer.so.1", "lib/libvirglrenderer.so"]
};

/// What is installed, and what was so far.
#[derive(Debug)]
pub struct Installation<'a> {
    prefix: &'a Path,
    destdir: Option<&'a Path>,
    files: Vec<PathBuf>,
}

impl<'a> Installation<'a> {
    /// Installs what will be used from `prefix`, below `destdir` for now.
    ///
    /// # Errors
    ///
    /// The prefix is no absolute path.
    pub fn new(prefix: &'a Path, destdir: Option<&'a Path>) -> Result<Self> {
        ensure!(prefix.is_absolute(), "--prefix {}: units and lists need an absolute path", prefix.display());
        Ok(Self { prefix, destdir, files: Vec::new() })
    }

    /// What there is so far, by where it will be used from.
    #[must_use]
    pub fn files(&self) -> &[PathBuf] {
        &self.files
    }

    /// Puts a file below the prefix.
    ///
    /// # Errors
    ///
    /// It cannot be written.
    pub fn put(&mut self, place: &Path, contents: &[u8], mode: u32) -> Result<()> {
        let path = self.prefix.join(place);
        let real = self.real(&path)?;
        let folder = real.parent().context("a file is in a folder")?;
        fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
        // A running `venus` keeps the file that it was started from.
        let _gone = fs::remove_file(&real);
        fs::write(&real, contents).with_context(|| format!("cannot write {}", real.display()))?;
        fs::set_permissions(&real, fs::Permissions::from_mode(mode))?;
        self.files.push(path);
        Ok(())
    }

    /// The library for monitors in C, with the static one beside it, and what it takes to build programs with them.
    ///
    /// # Errors
    ///
    /// Something cannot be read or written.
    pub fn host(&mut self, library: &Path) -> Result<()> {
        self.library(library, HOST)?;
        let archive = static_beside(library)?;
        let contents = fs::read(&archive).with_context(|| format!("cannot read {}", archive.display()))?;
        self.put(Path::new(STATIC_HOST), &contents, 0o644)?;
        // A package of Swift's has all that it consists of below it.
        self.link(Path::new("share/venus/swift/include"), Path::new("../../../include/venus"))?;
        self.development(&HOST_SOURCES, HOST_DESCRIPTION)
    }

    /// The library in the place of virglrenderer, and what it takes to build monitors with it.
    ///
    /// # Errors
    ///
    /// Something cannot be read or written.
    pub fn virglrenderer(&mut self, library: &Path) -> Result<()> {
        self.library(library, VIRGLRENDERER)?;
        self.development(&VIRGLRENDERER_SOURCES, VIRGLRENDERER_DESCRIPTION)
    }

    /// Where a file is now.
    fn real(&self, path: &Path) -> Result<PathBuf> {
        Ok(match self.destdir {
            Some(destdir) => destdir.join(path.strip_prefix("/")?),
            None => path.to_owned(),
        })
    }

    /// A shared library: the name that programs load, and the one that they are linked against.
    fn library(&mut self, library: &Path, names: [&str; 2]) -> Result<()> {
        let contents = fs::read(library).with_context(|| format!("cannot read {}", library.display()))?;
        let [loaded, linked] = names.map(Path::new);
        self.put(loaded, &contents, 0o755)?;
        self.link(linked, Path::new(loaded.file_name().context("a library has a name")?))
    }

    fn development(&mut self, sources: &[(&str, &str)], (place, text): (&str, &str)) -> Result<()> {
        for (place, source) in sources {
            self.put(Path::new(place), source.as_bytes(), 0o644)?;
        }
        let prefix = self.prefix.to_str().context("--prefix is no text")?;
        let text = text.replace("@PREFIX@", prefix).replace("@VERSION@", env!("CARGO_PKG_VERSION"));
        self.put(Path::new(place), text.as_bytes(), 0o644)
    }

    /// Makes a name for what is at `target`, seen from there.
    fn link(&mut self, place: &Path, target: &Path) -> Result<()> {
        let path = self.prefix.join(place);
        let real = self.real(&path)?;
        let folder = real.parent().context("a name is in a folder")?;
        fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
        let _gone = fs::remove_file(&real);
        symlink(target, &real).with_context(|| format!("cannot link {}", real.display()))?;
        self.files.push(path);
        Ok(())
    }
}

/// The static library beside a shared one: `libvenus_host.so.0`, `libvenus_host.0.dylib` and `libvenus_host_c.so` differ
/// from theirs in all that follows the first dot.
fn static_beside(library: &Path) -> Result<PathBuf> {
    let name = library.file_name().and_then(|name| name.to_str()).context("the library has no name that is text")?;
    let stem = name.split('.').next().unwrap_or(name);
    Ok(library.with_file_name(format!("{stem}.a")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_static_library_is_found_beside_an_installed_one() {
        for (library, expected) in [
            ("/usr/lib/libvenus_host.so.0", "/usr/lib/libvenus_host.a"),
            ("/opt/1.2/libvenus_host.0.dylib", "/opt/1.2/libvenus_host.a"),
            ("target/libvenus_host_c.so", "target/libvenus_host_c.a"),
        ] {
            assert_eq!(static_beside(Path::new(library)).unwrap(), Path::new(expected));
        }
        assert!(static_beside(Path::new("/")).is_err());
    }
}
