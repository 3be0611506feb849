//! A linker for macOS that runs on Linux: Zig's, which comes with what the system's libraries export.
//!
//! Zig is a package of PyPI (`ziglang`), which pip fetches from the index that it is configured for. `rustc` talks to it as
//! to Apple's `cc`; a script translates. Two libraries that Rust's standard library names are missing from Zig: what is
//! used of them is listed here, and stub files say that macOS has it.

use super::{Toolchain, fetch, prune, remove};
use anyhow::{Context as _, Result};
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use testbed::process::tethered;
use testbed::progress::Step;
use testbed::provision::apt;

/// The release of Zig whose linker this was written for.
const VERSION: &str = "0.17.1";
/// The oldest macOS that what is linked runs on: Rust's own for this target.
pub(crate) const OLDEST_MACOS: (u16, u8) = (11, 0);

/// Libraries of the system that Zig has no list of, with what is used of them.
const STUBS: [(&str, &str, &[&str]); 2] = [
    ("libobjc.tbd", "/usr/lib/libobjc.A.dylib", &["_objc_autoreleasePoolPush", "_objc_autoreleasePoolPop"]),
    ("libiconv.tbd", "/usr/lib/libiconv.2.dylib", &["_iconv_open", "_iconv", "_iconv_close"]),
];

/// Where the folder with the linker is bound in the root of Debian's toolchain.
const BOUND: &str = "linker";

/// A folder with everything that linking takes.
#[derive(Debug)]
pub(crate) struct Linker {
    folder: PathBuf,
    /// Where it is for whoever links.
    seen: String,
}

impl Linker {
    /// Finds it in the cache, or makes it.
    pub(crate) fn ensure(toolchain: &Toolchain) -> Result<Self> {
        let cache = &toolchain.folder;
        let folder = cache.join(format!("zig-{VERSION}"));
        prune(cache, "zig-", &folder)?;
        if !folder.exists() {
            let making = cache.join(".making-zig");
            remove(&making)?;
            install(&making)?;
            fs::rename(&making, &folder).with_context(|| format!("renaming to {}", folder.display()))?;
        }
        // Small, and written by each run: they may have changed since.
        let lists = folder.join("lib");
        fs::create_dir_all(&lists).with_context(|| format!("making {}", lists.display()))?;
        for (name, library, symbols) in STUBS {
            put(&lists.join(name), &stub(library, symbols), 0o644)?;
        }
        let seen =
            if toolchain.root.is_some() { format!("/run/{BOUND}") } else { folder.to_string_lossy().into_owned() };
        put(&folder.join("cc"), &script(&seen), 0o755)?;
        Ok(Self { folder, seen })
    }

    /// Name and folder to bind, for the root of Debian's toolchain.
    pub(super) fn bind(&self) -> (&'static str, &Path) {
        (BOUND, &self.folder)
    }

    /// The folder, for whoever links.
    pub(super) fn seen(&self) -> &str {
        &self.seen
    }

    /// The linker's path.
    pub(super) fn program(&self) -> String {
        format!("{}/cc", self.seen)
    }
}

fn put(path: &Path, contents: &str, mode: u32) -> Result<()> {
    fs::write(path, contents).with_context(|| format!("writing {}", path.display()))?;
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).with_context(|| format!("chmod {}", path.display()))
}

/// Lets pip put Zig into a folder.
fn install(folder: &Path) -> Result<()> {
    let has_pip =
        tethered("python3").args(["-m", "pip", "--version"]).output().is_ok_and(|output| output.status.success());
    if !has_pip {
        apt::install(&["python3-pip"], "Zig's linker, which is a package of PyPI")?;
    }
    let step = Step::start(format!("fetching Zig {VERSION} for its linker (once; 100 MB)"));
    let mut command = tethered("python3");
    command
        .args(["-m", "pip", "install", "--no-deps", "--only-binary", ":all:", "--quiet", "--target"])
        .arg(folder)
        .arg(format!("ziglang=={VERSION}"));
    fetch(&mut command, step.details(), "pip install ziglang")?;
    step.done("");
    Ok(())
}

/// A list of what a library exports, in the form that linkers for macOS read.
fn stub(library: &str, symbols: &[&str]) -> String {
    format!(
        "--- !tapi-tbd\ntbd-version: 4\ntargets: [ arm64-macos ]\ninstall-name: '{library}'\nexports:\n  - targets: [ \
         arm64-macos ]\n    symbols: [ {} ]\n...\n",
        symbols.join(", ")
    )
}

/// Calls Zig's linker with what `rustc` says to Apple's. Zig's way to name the target says architecture and oldest system,
/// too; lists of what to export and the removal of dead code it does not have.
fn script(folder: &str) -> String {
    let (major, minor) = OLDEST_MACOS;
    format!(
        "#!/bin/sh\n\
         count=$#\n\
         while [ \"$count\" -gt 0 ]; do\n    \
             count=$((count - 1)) word=$1\n    \
             shift\n    \
             case $word in\n    \
             -arch | -Wl,-exported_symbols_list)\n        \
                 count=$((count - 1))\n        \
                 shift\n        \
                 ;;\n    \
             -mmacosx-version-min=* | -Wl,-dead_strip) ;;\n    \
             *) set -- \"$@\" \"$word\" ;;\n    \
             esac\n\
         done\n\
         exec '{folder}/ziglang/zig' cc -target aarch64-macos.{major}.{minor} '-L{folder}/lib' \"$@\"\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;
    use testbed::process::write_program;

    #[test]
    fn words_of_apples_linker_are_left_out() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("cc");
        // Says what it would run.
        write_program(&path, &script("/a folder").replace("exec ", "printf '%s\\n' ")).unwrap();
        let output = Command::new(&path)
            .args([
                "-arch",
                "arm64",
                "-mmacosx-version-min=11.0.0",
                "a b.o",
                "-Wl,-dead_strip",
                "-Wl,-exported_symbols_list",
            ])
            .args(["-Wl,/list", "-o", "out"])
            .output()
            .unwrap();
        let words = String::from_utf8(output.stdout).unwrap();
        let words: Vec<&str> = words.lines().collect();
        assert_eq!(words[..4], ["/a folder/ziglang/zig", "cc", "-target", "aarch64-macos.11.0"]);
        assert_eq!(words[4..], ["-L/a folder/lib", "a b.o", "-o", "out"]);
    }

    #[test]
    fn a_stub_names_library_and_symbols() {
        let (_, library, symbols) = STUBS[0];
        let text = stub(library, symbols);
        assert!(text.contains("install-name: '/usr/lib/libobjc.A.dylib'"), "{text}");
        assert!(text.contains("[ _objc_autoreleasePoolPush, _objc_autoreleasePoolPop ]"), "{text}");
    }
}
