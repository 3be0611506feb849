//! The entry point of a library that is its own worker, for a processor that this machine may not have. A machine with such a
//! processor is emulated for the tests of `cargo xtask vm`, which runs no host in it.

use std::{
    fs,
    path::Path,
    process::{Command, Output},
};

use testbed::{cargo::has_standard_library, provision::apt::which, skipping::skip};

const TARGET: &str = "aarch64-unknown-linux-gnu";
const LINKER: &str = "aarch64-linux-gnu-gcc";
const EMULATOR: &str = "qemu-aarch64";
/// Where Debian has that processor's C library.
const ROOT: &str = "/usr/aarch64-linux-gnu";

/// A library whose worker says how it was started.
fn source() -> String {
    let entry = Path::new(env!("CARGO_MANIFEST_DIR")).join("../src/worker/entry.rs");
    let entry = entry.canonicalize().unwrap();
    format!(
        "#[path = {entry:?}]\n\
         mod entry;\n\
         crate::worker_entry!(run);\n\
         fn run() -> std::process::ExitCode {{\n\
             println!(\"{{:?}}\", std::env::args().skip(1).collect::<Vec<_>>());\n\
             std::process::ExitCode::SUCCESS\n\
         }}\n"
    )
}

/// Compiles it, unless this machine's Rust cannot.
fn compile(name: &str, folder: &Path, arguments: &[&str]) -> bool {
    if !has_standard_library(TARGET).unwrap() {
        skip(name, &format!("this machine's Rust has no standard library for {TARGET}"));
        return false;
    }
    let path = folder.join("library.rs");
    fs::write(&path, source()).unwrap();
    let mut rustc = Command::new(std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into()));
    rustc.args(["--edition", "2024", "--crate-type", "cdylib", "--target", TARGET]).args(arguments);
    let output = rustc.arg(&path).current_dir(folder).output().unwrap();
    assert!(output.status.success(), "{}", said(&output));
    true
}

fn said(output: &Output) -> String {
    [&*output.stdout, &*output.stderr].map(String::from_utf8_lossy).concat()
}

#[test]
fn it_is_assembled_for_arm64() {
    let folder = tempfile::tempdir().unwrap();
    if compile("it_is_assembled_for_arm64", folder.path(), &["--emit=obj=library.o"]) {
        let object = fs::read(folder.path().join("library.o")).unwrap();
        for name in [&b"venus_worker_start\0"[..], b"__libc_start_main\0"] {
            assert!(object.windows(name.len()).any(|bytes| bytes == name), "{}", name.escape_ascii());
        }
    }
}

#[test]
fn it_begins_on_arm64() {
    let name = "it_begins_on_arm64";
    let loader = Path::new(ROOT).join("lib/ld-linux-aarch64.so.1");
    if !which(LINKER) || !which(EMULATOR) || !loader.exists() {
        return skip(name, &format!("there is no {LINKER}, {EMULATOR} or {}", loader.display()));
    }
    let folder = tempfile::tempdir().unwrap();
    let linker = format!("linker={LINKER}");
    let options = ["-C", &linker, "-C", "link-arg=-Wl,-e,venus_worker_start", "-o", "library.so"];
    if compile(name, folder.path(), &options) {
        let mut worker = Command::new(EMULATOR);
        worker.args(["-L", ROOT]).arg(loader).args(["./library.so", "with", "arguments"]).current_dir(folder.path());
        let output = worker.output().unwrap();
        assert!(output.status.success(), "{:?}: {}", output.status, said(&output));
        assert_eq!(said(&output), "[\"with\", \"arguments\"]\n");
    }
}
