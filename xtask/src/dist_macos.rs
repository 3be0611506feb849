//! `cargo xtask dist-macos`: what a Mac gets, linked on a machine without one, in one archive.
//!
//! ```text
//! target/dist/venus-VERSION-aarch64-apple-darwin.tar.gz
//!     bin/venus
//!     lib/libvenus_host.0.dylib, lib/libvenus_host.dylib, lib/libvenus_host.a, lib/pkgconfig/venus-host.pc
//!     include/venus_host.h, include/module.modulemap
//!     swift/Package.swift, swift/VenusHost.swift, swift/include
//!     README.md, LICENSE-APACHE, LICENSE-MIT
//! ```
//!
//! Nothing is run, but everything that is linked is looked into ([`crate::macos::load_commands`]).

use crate::macos::{
    Job, TARGET, Toolchain,
    linker::Linker,
    load_commands,
    load_commands::{Image, Kind},
};
use anyhow::{Context as _, Result, ensure};
use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;
use testbed::workspace;

/// What is built, and that the lock file decides about versions.
const BUILD: [&str; 6] = ["build", "--locked", "-p", "venus-command", "-p", "venus-capi"];
/// Where the archive goes, below the workspace.
const FOLDER: &str = "target/dist";

/// What C and Swift programs are compiled against.
const HEADER: &str = "venus-host/capi/include/venus_host.h";
/// What is packed as it stands: where from, and where to.
const TEXTS: [(&str, &str); 6] = [
    (HEADER, "include/venus_host.h"),
    ("venus-host/capi/include/module.modulemap", "include/module.modulemap"),
    ("venus-host/capi/swift/Package.swift", "swift/Package.swift"),
    ("venus-host/capi/swift/VenusHost.swift", "swift/VenusHost.swift"),
    ("LICENSE-APACHE", "LICENSE-APACHE"),
    ("LICENSE-MIT", "LICENSE-MIT"),
];
/// Other names: where they stand, and what for.
const LINKS: [(&str, &str); 2] =
    [("lib/libvenus_host.dylib", "libvenus_host.0.dylib"), ("swift/include", "../include")];
/// What pkg-config is told, and Swift's package manager, wherever the archive is unpacked.
const DESCRIPTION: &str = include_str!("../../venus-host/capi/venus-host.pc.in");
/// What every function of the header begins with.
const PREFIX: &str = "venus_";

/// Link the command and the C library for macOS, without a Mac, and pack them.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Use Debian's toolchain even where the one at hand can build for macOS.
    #[arg(long)]
    debian: bool,
    /// Do not optimise: soon done, and nothing to give to anybody.
    #[arg(long)]
    unoptimised: bool,
}

#[expect(clippy::print_stdout, reason = "the result of a command-line verb")]
pub(crate) fn run(args: &Args) -> Result<()> {
    let built = build(args)?;
    let header = read(&workspace().join(HEADER))?;
    let functions = functions(&String::from_utf8_lossy(&header));
    ensure!(!functions.is_empty(), "{HEADER} declares nothing");
    let files = [
        ("venus", "bin/venus"),
        ("libvenus_host_c.dylib", "lib/libvenus_host.0.dylib"),
        ("libvenus_host_c.a", "lib/libvenus_host.a"),
    ];
    let suffix = if args.unoptimised { "-unoptimised" } else { "" };
    let name = format!("venus-{}-{TARGET}{suffix}", env!("CARGO_PKG_VERSION"));
    let folder = workspace().join(FOLDER);
    let root = folder.join(&name);
    if root.exists() {
        fs::remove_dir_all(&root).with_context(|| format!("removing {}", root.display()))?;
    }
    for (file, place) in files {
        let bytes = read(&built.join(file))?;
        let summary = look_into(place, &bytes, &functions).with_context(|| format!("{place} is of no use on a Mac"))?;
        println!("{place}: {} KiB, {summary}", bytes.len() / 1024);
        put(&root.join(place), &bytes)?;
    }
    for (text, place) in TEXTS {
        put(&root.join(place), &read(&workspace().join(text))?)?;
    }
    for (place, target) in LINKS {
        let path = root.join(place);
        symlink(target, &path).with_context(|| format!("linking {}", path.display()))?;
    }
    put(&root.join("lib/pkgconfig/venus-host.pc"), described().as_bytes())?;
    put(&root.join("README.md"), README.as_bytes())?;
    make_executable(&root.join("bin/venus"))?;
    println!("{}", pack(&folder, &name)?.display());
    Ok(())
}

/// What whoever unpacks the archive is told.
const README: &str = "\
# Venus toolkit for macOS

The `venus` command, and the Venus host as a library for C and Swift, for Macs with Apple's processors and macOS 11 or later.
They were linked on Linux, and nobody has run them on a Mac.

`swift` is a package for Swift's package manager: `.package(path: \"FOLDER/swift\")`, with the environment variable
PKG_CONFIG_PATH=FOLDER/lib/pkgconfig. From C, `pkg-config --cflags --libs venus-host` says the same.

A Vulkan driver is needed, MoltenVK or KosmicKrisp: `bin/venus doctor` says which one it finds. Programs find
`lib/libvenus_host.0.dylib` by their `@rpath`.

The signatures are ad hoc. A Mac that has downloaded this archive asks for its quarantine to be lifted first:
`xattr -dr com.apple.quarantine FOLDER`.
";

/// The description for pkg-config. Its include folder has no folder of its own here.
fn described() -> String {
    let text = DESCRIPTION.replace("@PREFIX@", "${pcfiledir}/../..").replace("@VERSION@", env!("CARGO_PKG_VERSION"));
    text.replace("/include/venus\n", "/include\n")
}

/// Builds it all, and returns the folder where it is.
fn build(args: &Args) -> Result<PathBuf> {
    let toolchain = Toolchain::ensure(args.debian)?;
    let linker = Linker::ensure(&toolchain)?;
    let (profile, folder) = if args.unoptimised { (&[][..], "debug") } else { (&["--release"][..], "release") };
    let target = toolchain.run(&Job {
        doing: "building",
        verb: &[&BUILD, profile].concat(),
        last: &[],
        standard_library: "-Zbuild-std=std,panic_unwind",
        linker: Some(&linker),
        limit: Duration::from_secs(3600),
        failure: "the workspace cannot be linked for macOS",
    })?;
    Ok(target.join(folder))
}

/// Checks one file, and says in a few words what it is.
fn look_into(place: &str, bytes: &[u8], functions: &BTreeSet<String>) -> Result<String> {
    let lacks = |symbols: &BTreeSet<String>| -> Result<()> {
        let missing: Vec<&str> = functions.iter().filter(|name| !symbols.contains(*name)).map(String::as_str).collect();
        ensure!(missing.is_empty(), "the header has {}, and it has not", missing.join(", "));
        Ok(())
    };
    if Path::new(place).extension().is_some_and(|extension| extension == "a") {
        let symbols = load_commands::archive(bytes)?;
        lacks(&symbols)?;
        return Ok(format!("all {} functions", functions.len()));
    }
    let image = Image::parse(bytes)?;
    let faults = image.faults();
    ensure!(faults.is_empty(), "{}", faults.join("; "));
    if let Kind::Library(name) = &image.kind {
        let expected = format!("@rpath/{}", Path::new(place).file_name().unwrap_or_default().display());
        ensure!(*name == expected, "it is called {name}, not {expected}");
        lacks(&image.exports)?;
        // Zig's linker takes no list of what to export, so there is more: names of Rust's, which nobody links with.
    }
    Ok(format!("{} symbols from {}", image.imports.len(), image.libraries.join(", ")))
}

/// The symbols of the functions that a header declares: every name of ours that a bracket follows.
fn functions(header: &str) -> BTreeSet<String> {
    let code = without_comments(header);
    let lines = code.lines().filter(|line| !line.starts_with('#'));
    let calls = lines.flat_map(|line| line.split('(').rev().skip(1));
    let names = calls.filter_map(|before| before.rsplit(|c: char| !c.is_ascii_alphanumeric() && c != '_').next());
    names.filter(|name| name.starts_with(PREFIX)).map(|name| format!("_{name}")).collect()
}

fn without_comments(code: &str) -> String {
    let (mut kept, mut rest) = (String::new(), code);
    while let Some((before, comment)) = rest.split_once("/*") {
        kept.push_str(before);
        rest = comment.split_once("*/").map_or("", |(_, after)| after);
    }
    kept + rest
}

fn read(path: &Path) -> Result<Vec<u8>> {
    fs::read(path).with_context(|| format!("reading {}", path.display()))
}

fn put(path: &Path, contents: &[u8]) -> Result<()> {
    let folder = path.parent().context("a file is in a folder")?;
    fs::create_dir_all(folder).with_context(|| format!("making {}", folder.display()))?;
    fs::write(path, contents).with_context(|| format!("writing {}", path.display()))
}

fn make_executable(path: &Path) -> Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).with_context(|| format!("chmod {}", path.display()))
}

/// Packs a folder; the same contents give the same archive.
fn pack(folder: &Path, name: &str) -> Result<PathBuf> {
    let archive = folder.join(format!("{name}.tar.gz"));
    let status = Command::new("tar")
        .args([
            "--create",
            "--sort=name",
            "--mtime=@0",
            "--owner=0",
            "--group=0",
            "--numeric-owner",
            "--use-compress-program=gzip -n",
        ])
        .arg("--file")
        .arg(&archive)
        .arg("--directory")
        .arg(folder)
        .arg(name)
        .status()
        .context("starting tar")?;
    ensure!(status.success(), "tar has packed nothing ({status})");
    Ok(archive)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn functions_are_told_from_types_and_comments() {
        let header = "/* venus_comment(x)\n   and venus_prose(x) */\n#define VENUS_X venus_y(1)\ntypedef void (*venus_retired)(void *user);\n\
                      int32_t venus_host_create(const struct venus_options *options,\n                          void **host);\n\
                      void venus_host_destroy(struct venus_host *host);\n";
        let names: Vec<String> = functions(header).into_iter().collect();
        assert_eq!(names, ["_venus_host_create", "_venus_host_destroy"]);
    }

    #[test]
    fn the_description_goes_where_the_archive_goes() {
        let text = described();
        assert!(text.starts_with("prefix=${pcfiledir}/../..\nincludedir=${prefix}/include\n"), "{text}");
        assert!(!text.contains('@'), "{text}");
    }

    #[test]
    fn the_same_contents_give_the_same_archive() {
        let archives = [1, 2].map(|_| {
            let folder = tempfile::tempdir().unwrap();
            put(&folder.path().join("made/bin/venus"), b"a program").unwrap();
            make_executable(&folder.path().join("made/bin/venus")).unwrap();
            fs::read(pack(folder.path(), "made").unwrap()).unwrap()
        });
        assert!(!archives[0].is_empty());
        assert_eq!(archives[0], archives[1]);
    }
}
