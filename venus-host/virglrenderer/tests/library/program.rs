//! A C program, compiled against what is installed: header, library and the file for pkg-config.

use std::{fs, os::unix::fs::symlink, path::Path, process::Command};

use venus_guest::bare::command;

use crate::monitor;

const RING: u64 = 0x10;
const EXTRA_VALUE: u32 = 0xfeed_f00d;

/// What a client sends, for the program.
fn commands() -> String {
    let array = |name: &str, words: Vec<u32>| {
        let words: Vec<String> = words.iter().map(|word| format!("{word:#x}")).collect();
        format!("static uint32_t {name}[] = {{{}}};\n", words.join(", "))
    };
    [
        format!(
            "#define RING_BYTES 0x2000\n#define EXTRA_OFFSET {}\n#define EXTRA_VALUE {EXTRA_VALUE:#x}\n",
            monitor::EXTRA
        ),
        array("create_ring", command::create_ring(RING, 7, 4096, None)),
        array("write_extra", command::write_ring_extra(RING, 0, EXTRA_VALUE)),
    ]
    .concat()
}

fn run(command: &mut Command) -> String {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(output.status.success(), "{command:?}: {}\n{}", text(&output.stdout), text(&output.stderr));
    text(&output.stdout)
}

/// Puts the library where `cargo xtask install` puts it.
fn install(prefix: &Path) {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    fs::create_dir_all(prefix.join("lib/pkgconfig")).unwrap();
    fs::create_dir_all(prefix.join("include")).unwrap();
    symlink(package.join("include/virgl"), prefix.join("include/virgl")).unwrap();
    for name in ["libvirglrenderer.so", "libvirglrenderer.so.1"] {
        symlink(monitor::path(), prefix.join("lib").join(name)).unwrap();
    }
    let described = fs::read_to_string(package.join("virglrenderer.pc.in")).unwrap();
    let described = described.replace("@PREFIX@", prefix.to_str().unwrap());
    fs::write(prefix.join("lib/pkgconfig/virglrenderer.pc"), described).unwrap();
}

#[test]
fn a_c_program_serves_a_client() {
    let folder = tempfile::tempdir().unwrap();
    install(folder.path());
    fs::write(folder.path().join("commands.h"), commands()).unwrap();
    let pkg_config = |argument: &str| {
        let mut command = Command::new("pkg-config");
        command.args([argument, "virglrenderer"]).env("PKG_CONFIG_PATH", folder.path().join("lib/pkgconfig"));
        command
    };
    if pkg_config("--version").output().is_err() {
        return testbed::skipping::skip("a_c_program_serves_a_client", "there is no pkg-config");
    }
    assert_eq!(run(&mut pkg_config("--modversion")).trim(), "1.3.0");
    let flags = run(pkg_config("--cflags").arg("--libs"));
    assert!(flags.contains("-DVIRGL_RENDERER_UNSTABLE_APIS"), "what rutabaga looks for: {flags}");
    let program = folder.path().join("program");
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/library/program.c");
    run(Command::new("cc")
        .args(["-std=c11", "-Wall", "-Wextra", "-Werror", "-D_GNU_SOURCE", "-o"])
        .args([&program, &source])
        .arg(format!("-I{}", folder.path().display()))
        .args(flags.split_whitespace()));
    for isolation in ["process", "thread"] {
        let mut command = Command::new(&program);
        command.env("LD_LIBRARY_PATH", folder.path().join("lib")).env("VENUS_ISOLATION", isolation);
        assert_eq!(run(&mut command), "all is well\n", "{isolation}");
        // Room for one ring.
        command.arg("bounded").env("VENUS_MAX_MEMORY", "8192");
        assert_eq!(run(&mut command), "no more than that\n", "{isolation}");
    }
}
