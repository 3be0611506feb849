//! `cargo xtask install`: the `venus` command, libraries for virtual machine monitors, and what goes with them, where a
//! system looks for such things.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result, ensure};
use testbed::installation::Installation;

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

/// What is built, to be installed.
struct Built {
    program: PathBuf,
    host: PathBuf,
    virglrenderer: PathBuf,
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
    let mut installation = Installation::new(prefix, destdir)?;
    let binary = fs::read(program).with_context(|| format!("cannot read {}", program.display()))?;
    installation.put(Path::new("bin/venus"), &binary, 0o755)?;
    manuals(&mut installation, program)?;
    for (shell, place) in COMPLETIONS {
        let script = output(Command::new(program).args(["completions", shell]))?;
        installation.put(Path::new(place), &script, 0o644)?;
    }
    let folder = prefix.join("bin");
    let folder = folder.to_str().context("--prefix is no text")?;
    for (place, unit) in UNITS {
        installation.put(Path::new(place), unit.replace("@BINDIR@", folder).as_bytes(), 0o644)?;
    }
    installation.host(&built.host)?;
    installation.virglrenderer(&built.virglrenderer)?;
    list(installation, prefix)
}

fn manuals(installation: &mut Installation<'_>, program: &Path) -> Result<()> {
    let folder = tempfile::tempdir().context("cannot make a folder for manual pages")?;
    output(Command::new(program).arg("man").arg(folder.path()))?;
    let pages: Result<Vec<_>, _> = fs::read_dir(folder.path())?.collect();
    let mut pages: Vec<PathBuf> = pages?.iter().map(fs::DirEntry::path).collect();
    pages.sort();
    for page in pages {
        let name = page.file_name().context("a page has a name")?;
        installation.put(&Path::new("share/man/man1").join(name), &fs::read(&page)?, 0o644)?;
    }
    Ok(())
}

/// Writes down what there is, for whoever wants to be rid of it.
fn list(mut installation: Installation<'_>, prefix: &Path) -> Result<Vec<PathBuf>> {
    let mut lines: String = installation.files().iter().map(|file| format!("{}\n", file.display())).collect();
    lines.push_str(&format!("{}\n", prefix.join(LIST).display()));
    installation.put(Path::new(LIST), lines.as_bytes(), 0o644)?;
    Ok(installation.files().to_vec())
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
    use std::os::unix::fs::PermissionsExt as _;
    use testbed::installation::{HOST, STATIC_HOST, VIRGLRENDERER};
    use testbed::process::write_program;

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
        write_program(&path, script).unwrap();
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
