//! `cargo xtask install`: the `venus` command, libraries for virtual machine monitors, and what goes with them, where a
//! system looks for such things.

use std::{
    fs,
    os::unix::fs::{PermissionsExt as _, symlink},
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result, ensure};

/// Install the `venus` command, its manual pages, completions and systemd units, libvenus_host and libvirglrenderer.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Where it will be used from.
    #[arg(long, default_value = "/usr/local", value_name = "DIR")]
    prefix: PathBuf,
    /// Put everything below this folder, for makers of packages.
    #[arg(long, value_name = "DIR")]
    destdir: Option<PathBuf>,
    /// A `venus` command to install instead of building this workspace's.
    #[arg(long, value_name = "PATH")]
    program: Option<PathBuf>,
    /// A `libvenus_host`, with the static one beside it, to install instead of building this workspace's.
    #[arg(long, value_name = "PATH")]
    host: Option<PathBuf>,
    /// A `libvirglrenderer` to install instead of building this workspace's.
    #[arg(long, value_name = "PATH")]
    virglrenderer: Option<PathBuf>,
}

/// Where the list of installed files is, below the prefix.
const LIST: &str = "share/venus/installed";

/// Units of systemd, by where they go below the prefix: managers of users look in `share` of `~/.local`, too.
const UNITS: [(&str, &str); 4] = [
    ("lib/systemd/system/venus.socket", include_str!("../../venus-host/command/systemd/system/venus.socket")),
    ("lib/systemd/system/venus.service", include_str!("../../venus-host/command/systemd/system/venus.service")),
    ("share/systemd/user/venus.socket", include_str!("../../venus-host/command/systemd/user/venus.socket")),
    ("share/systemd/user/venus.service", include_str!("../../venus-host/command/systemd/user/venus.service")),
];

/// Completions, by shell, and where they go below the prefix.
const COMPLETIONS: [(&str, &str); 3] = [
    ("bash", "share/bash-completion/completions/venus"),
    ("zsh", "share/zsh/site-functions/_venus"),
    ("fish", "share/fish/vendor_completions.d/venus.fish"),
];

/// Headers, and what Swift has for one, by where they go below the prefix.
const HEADERS: [(&str, &str); 5] = [
    ("include/venus/venus_host.h", include_str!("../../venus-host/capi/include/venus_host.h")),
    ("include/venus/module.modulemap", include_str!("../../venus-host/capi/include/module.modulemap")),
    ("share/venus/swift/VenusHost.swift", include_str!("../../venus-host/capi/swift/VenusHost.swift")),
    ("include/virgl/virglrenderer.h", include_str!("../../venus-host/virglrenderer/include/virgl/virglrenderer.h")),
    ("include/virgl/virgl-version.h", include_str!("../../venus-host/virglrenderer/include/virgl/virgl-version.h")),
];

/// What pkg-config is told.
const PKG_CONFIG: [(&str, &str); 2] = [
    ("lib/pkgconfig/venus-host.pc", include_str!("../../venus-host/capi/venus-host.pc.in")),
    ("lib/pkgconfig/virglrenderer.pc", include_str!("../../venus-host/virglrenderer/virglrenderer.pc.in")),
];

/// The library for monitors in C: the name that they load, and the one that they are linked against.
const HOST: [&str; 2] = if cfg!(target_os = "macos") {
    ["lib/libvenus_host.0.dylib", "lib/libvenus_host.dylib"]
} else {
    ["lib/libvenus_host.so.0", "lib/libvenus_host.so"]
};

/// The same to be linked in.
const STATIC_HOST: &str = "lib/libvenus_host.a";

/// The library that monitors load in the place of virglrenderer, with the same two names.
const VIRGLRENDERER: [&str; 2] = if cfg!(target_os = "macos") {
    ["lib/libvirglrenderer.1.dylib", "lib/libvirglrenderer.dylib"]
} else {
    ["lib/libvirglrenderer.so.1", "lib/libvirglrenderer.so"]
};

/// What is built, to be installed.
struct Built {
    program: PathBuf,
    host: PathBuf,
    virglrenderer: PathBuf,
}

/// What is installed, and what was so far.
struct Installation<'a> {
    prefix: &'a Path,
    destdir: Option<&'a Path>,
    files: Vec<PathBuf>,
}

#[expect(clippy::print_stdout, reason = "the result of a command-line verb")]
pub(crate) fn run(args: &Args) -> Result<()> {
    let program = match &args.program {
        Some(program) => program.clone(),
        None => testbed::cargo::build(&["--release", "-p", "venus-command"])?,
    };
    let library = |given: &Option<PathBuf>, package| match given {
        Some(library) => Ok(library.clone()),
        None => testbed::cargo::build_library(&["--release", "-p", package]),
    };
    let host = library(&args.host, "venus-capi")?;
    let virglrenderer = library(&args.virglrenderer, "venus-virglrenderer")?;
    let files = install(&Built { program, host, virglrenderer }, &args.prefix, args.destdir.as_deref())?;
    for file in &files {
        println!("{}", file.display());
    }
    Ok(())
}

/// Installs all of it, and returns where it will be used from.
fn install(built: &Built, prefix: &Path, destdir: Option<&Path>) -> Result<Vec<PathBuf>> {
    let program = built.program.as_path();
    ensure!(prefix.is_absolute(), "--prefix {}: units and lists need an absolute path", prefix.display());
    let mut installation = Installation { prefix, destdir, files: Vec::new() };
    let binary = fs::read(program).with_context(|| format!("cannot read {}", program.display()))?;
    installation.put(Path::new("bin/venus"), &binary, 0o755)?;
    installation.manuals(program)?;
    for (shell, place) in COMPLETIONS {
        let script = output(Command::new(program).args(["completions", shell]))?;
        installation.put(Path::new(place), &script, 0o644)?;
    }
    let folder = prefix.join("bin");
    let folder = folder.to_str().context("--prefix is no text")?;
    for (place, unit) in UNITS {
        installation.put(Path::new(place), unit.replace("@BINDIR@", folder).as_bytes(), 0o644)?;
    }
    installation.library(&built.host, HOST)?;
    installation.archive(&static_beside(&built.host)?)?;
    installation.library(&built.virglrenderer, VIRGLRENDERER)?;
    installation.development()?;
    installation.list()
}

/// The static library beside a shared one: `libvenus_host.so.0`, `libvenus_host.0.dylib` and `libvenus_host_c.so` differ
/// from theirs in all that follows the first dot.
fn static_beside(library: &Path) -> Result<PathBuf> {
    let name = library.file_name().and_then(|name| name.to_str()).context("the library has no name that is text")?;
    let stem = name.split('.').next().unwrap_or(name);
    Ok(library.with_file_name(format!("{stem}.a")))
}

impl Installation<'_> {
    /// Puts a file below the prefix.
    fn put(&mut self, place: &Path, contents: &[u8], mode: u32) -> Result<()> {
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

    /// Where a file is now.
    fn real(&self, path: &Path) -> Result<PathBuf> {
        Ok(match self.destdir {
            Some(destdir) => destdir.join(path.strip_prefix("/")?),
            None => path.to_owned(),
        })
    }

    fn manuals(&mut self, program: &Path) -> Result<()> {
        let folder = tempfile::tempdir().context("cannot make a folder for manual pages")?;
        output(Command::new(program).arg("man").arg(folder.path()))?;
        let pages: Result<Vec<_>, _> = fs::read_dir(folder.path())?.collect();
        let mut pages: Vec<PathBuf> = pages?.iter().map(fs::DirEntry::path).collect();
        pages.sort();
        for page in pages {
            let name = page.file_name().context("a page has a name")?;
            self.put(&Path::new("share/man/man1").join(name), &fs::read(&page)?, 0o644)?;
        }
        Ok(())
    }

    /// A shared library: the name that programs load, and the one that they are linked against.
    fn library(&mut self, library: &Path, names: [&str; 2]) -> Result<()> {
        let contents = fs::read(library).with_context(|| format!("cannot read {}", library.display()))?;
        let [loaded, linked] = names.map(Path::new);
        self.put(loaded, &contents, 0o755)?;
        self.link(linked, loaded)
    }

    /// The static library for monitors in C.
    fn archive(&mut self, library: &Path) -> Result<()> {
        let contents = fs::read(library).with_context(|| format!("cannot read {}", library.display()))?;
        self.put(Path::new(STATIC_HOST), &contents, 0o644)
    }

    /// What it takes to build programs with the libraries.
    fn development(&mut self) -> Result<()> {
        for (place, header) in HEADERS {
            self.put(Path::new(place), header.as_bytes(), 0o644)?;
        }
        let prefix = self.prefix.to_str().context("--prefix is no text")?;
        for (place, text) in PKG_CONFIG {
            let text = text.replace("@PREFIX@", prefix).replace("@VERSION@", env!("CARGO_PKG_VERSION"));
            self.put(Path::new(place), text.as_bytes(), 0o644)?;
        }
        Ok(())
    }

    /// Makes a name beside a file another name for it.
    fn link(&mut self, place: &Path, file: &Path) -> Result<()> {
        let path = self.prefix.join(place);
        let real = self.real(&path)?;
        let _gone = fs::remove_file(&real);
        symlink(file.file_name().context("a file has a name")?, &real)
            .with_context(|| format!("cannot link {}", real.display()))?;
        self.files.push(path);
        Ok(())
    }

    /// Writes down what there is, for whoever wants to be rid of it.
    fn list(mut self) -> Result<Vec<PathBuf>> {
        let mut lines: String = self.files.iter().map(|file| format!("{}\n", file.display())).collect();
        lines.push_str(&format!("{}\n", self.prefix.join(LIST).display()));
        self.put(Path::new(LIST), lines.as_bytes(), 0o644)?;
        Ok(self.files)
    }
}

fn output(command: &mut Command) -> Result<Vec<u8>> {
    let output = command.output().with_context(|| format!("cannot start {command:?}"))?;
    let errors = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{command:?} failed ({}): {errors}", output.status);
    Ok(output.stdout)
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

    /// Stand-ins: a program with a page and a script to give, and libraries.
    fn built(folder: &Path) -> Built {
        let virglrenderer = folder.join("library");
        fs::write(&virglrenderer, "library").unwrap();
        let host = folder.join("host.so.0");
        for library in [&host, &folder.join("host.a")] {
            fs::write(library, "host").unwrap();
        }
        Built { program: program(folder), host, virglrenderer }
    }

    fn program(folder: &Path) -> PathBuf {
        let path = folder.join("program");
        let script = "#!/bin/sh\ncase $1 in man) echo page >$2/venus.1;; completions) echo for $2;; esac\n";
        fs::write(&path, script).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        path
    }

    #[test]
    fn all_goes_below_the_prefix_and_is_listed() {
        let folder = tempfile::tempdir().unwrap();
        let destdir = folder.path().join("package");
        let files = install(&built(folder.path()), Path::new("/opt/venus"), Some(&destdir)).unwrap();
        for file in ["bin/venus", "share/man/man1/venus.1", "share/zsh/site-functions/_venus", LIST] {
            assert!(files.contains(&Path::new("/opt/venus").join(file)), "{file}: {files:?}");
        }
        let read = |file: &str| fs::read_to_string(destdir.join("opt/venus").join(file)).unwrap();
        assert_eq!(read("share/fish/vendor_completions.d/venus.fish"), "for fish\n");
        assert!(read("lib/systemd/system/venus.service").contains("\nExecStart=/opt/venus/bin/venus serve\n"));
        for unit in ["lib/systemd/system/venus.service", "share/systemd/user/venus.service"] {
            // Systemd's defaults end guests: at some thousand threads, and all when one lacks memory.
            assert!(read(unit).contains("\nTasksMax=infinity\n") && read(unit).contains("\nOOMPolicy=continue\n"));
        }
        let library = destdir.join("opt/venus").join(VIRGLRENDERER[1]);
        assert_eq!(fs::read_link(&library).unwrap(), Path::new(VIRGLRENDERER[0]).file_name().unwrap());
        assert_eq!(fs::read_to_string(&library).unwrap(), "library");
        assert!(read("lib/pkgconfig/virglrenderer.pc").starts_with("prefix=/opt/venus\n"));
        assert_eq!((read(HOST[1]), read(STATIC_HOST)), ("host".to_owned(), "host".to_owned()));
        assert!(read("lib/pkgconfig/venus-host.pc").contains("\nVersion: 0."));
        assert!(read("include/virgl/virglrenderer.h").contains("virgl_renderer_init("));
        let mode = fs::metadata(destdir.join("opt/venus/bin/venus")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o755);
        let listed = read(LIST);
        assert_eq!(listed.lines().map(PathBuf::from).collect::<Vec<_>>(), files);

        let error = install(&built(folder.path()), Path::new("somewhere"), None).unwrap_err();
        assert!(error.to_string().contains("absolute"), "{error}");
    }

    /// What `systemd-analyze` has to say about units; nothing if there is none that works.
    fn verify(manager: &str, runtime: &Path, units: &[PathBuf]) -> Option<Vec<String>> {
        let mut verify = Command::new("systemd-analyze");
        verify.args(["verify", "--man=no"]).arg(format!("--{manager}")).args(units).env("XDG_RUNTIME_DIR", runtime);
        let output = verify.output().ok()?;
        let said = String::from_utf8_lossy(&output.stderr);
        Some(said.lines().filter(|line| line.contains("venus")).map(str::to_owned).collect())
    }

    #[test]
    fn what_systemd_thinks_of_the_units() {
        let folder = tempfile::tempdir().unwrap();
        let prefix = folder.path().join("prefix");
        install(&built(folder.path()), &prefix, None).unwrap();
        let broken = folder.path().join("venus-broken.service");
        fs::write(&broken, "[Service]\nExecStart=/bin/true\nNoSuchSetting=1\n").unwrap();
        for (manager, units) in [("system", "lib/systemd/system"), ("user", "share/systemd/user")] {
            let found = verify(manager, folder.path(), std::slice::from_ref(&broken));
            if found.is_none_or(|lines| lines.is_empty()) {
                return testbed::skipping::skip("what_systemd_thinks_of_the_units", "no systemd-analyze works here");
            }
            let units = ["venus.socket", "venus.service"].map(|name| prefix.join(units).join(name));
            let said = verify(manager, folder.path(), &units).unwrap();
            assert!(said.is_empty(), "{manager}: {said:#?}");
        }
    }
}
