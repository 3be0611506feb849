//! The library as programs in C and Swift use it: a monitor that serves a guest, which draws a triangle.
//!
//! The guest is `tests/guest` behind a C interface (`tests/guest/c`): what a virtual machine would have, without one.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    sync::OnceLock,
    time::Duration,
};

use testbed::{
    cargo::Development,
    installation::{HOST, Installation},
    process::Running,
    provision::Suite,
    sandbox::{Guest, Vulkan},
    skipping::{SWIFT_VARIABLE, path_or_skip, skip},
    workspace,
};

/// How long a compiler may take, or a program.
const LIMIT: Duration = Duration::from_secs(300);

/// An installation, with the guest for monitors in C beside it, and the programs.
fn installed() -> &'static Path {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER.get_or_init(install)
}

fn install() -> PathBuf {
    // Both at once, so that they share what they are built of.
    let host = Development::here().library(&["venus-capi", "venus-guest-c"]).expect("the libraries are built");
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("venus-capi");
    if folder.exists() {
        fs::remove_dir_all(&folder).expect("what an earlier run has left is removed");
    }
    let mut installation = Installation::new(&folder, None).expect("an absolute path");
    installation.host(&host).expect("an installation");
    let built = host.with_file_name("libvenus_guest_c.so");
    for (from, place) in [
        (&*built, "lib/libvenus_guest_c.so"),
        (Path::new("tests/guest/c/include/venus_guest.h"), "include/guest/venus_guest.h"),
        (Path::new("tests/guest/c/include/module.modulemap"), "include/guest/module.modulemap"),
        (Path::new("venus-host/capi/tests/programs/triangle.c"), "triangle.c"),
        (Path::new("venus-host/capi/tests/programs/monitor.swift"), "monitor.swift"),
    ] {
        let contents = fs::read(workspace().join(from)).expect("a file can be read");
        installation.put(Path::new(place), &contents, 0o644).expect("a file can be written");
    }
    folder
}

/// Runs a command, which has to succeed, and returns what it prints.
fn run(command: &mut Command) -> String {
    let finished = Running::start(command, LIMIT).and_then(|mut running| running.finish()).expect("it starts");
    assert!(finished.success(), "{command:?}\n{}\n{}", finished.stdout, finished.stderr);
    finished.stdout
}

/// Compiles the monitor in C.
fn triangle(name: &str, libraries: &[&str]) -> PathBuf {
    let folder = installed();
    let program = folder.join(name);
    run(Command::new("cc")
        .args(["-std=c11", "-Wall", "-Wextra", "-Werror", "-pedantic", "-D_GNU_SOURCE", "-o"])
        .arg(&program)
        .arg(folder.join("triangle.c"))
        .args(["include/venus", "include/guest"].map(|include| format!("-I{}", folder.join(include).display())))
        .arg(format!("-L{}", folder.join("lib").display()))
        .args(libraries)
        .args(["-lvenus_guest_c", "-Wl,-rpath,$ORIGIN/lib"]));
    program
}

fn draw(program: &Path, isolation: &str) {
    let said = run(Command::new(program).arg(isolation));
    assert!(said.starts_with(&format!("{isolation}: the triangle is drawn")), "{said}");
}

#[test]
#[ignore = "needs a Vulkan driver"]
fn a_program_in_c_draws_with_polled_rings() {
    draw(&triangle("polled", &["-lvenus_host"]), "polled");
}

#[test]
#[ignore = "needs a Vulkan driver"]
fn a_program_in_c_draws_with_threads_and_with_processes() {
    let program = triangle("served", &["-lvenus_host"]);
    draw(&program, "thread");
    draw(&program, "process");
}

#[test]
#[ignore = "needs a Vulkan driver"]
fn the_library_is_its_own_worker() {
    draw(&triangle("itself", &["-lvenus_host"]), "library");
}

#[test]
#[ignore = "needs a Vulkan driver"]
fn the_static_library_is_whole() {
    draw(&triangle("static", &["-l:libvenus_host.a", "-lm"]), "polled");
}

#[test]
fn the_library_exports_what_the_header_declares() {
    let header = fs::read_to_string(workspace().join("venus-host/capi/include/venus_host.h")).unwrap();
    let mut declared: Vec<&str> = header.lines().filter(|line| !line.starts_with([' ', '#', '/', '}'])).collect();
    declared = declared.into_iter().filter_map(|line| line.split_once('(')?.0.rsplit([' ', '*']).next()).collect();
    declared.retain(|name| name.starts_with("venus_"));
    declared.sort_unstable();
    let symbols = run(Command::new("nm").args(["-D", "--defined-only", "-P"]).arg(installed().join(HOST[1])));
    let mut exported: Vec<&str> = symbols.lines().filter_map(|line| line.split(' ').next()).collect();
    exported.sort_unstable();
    assert_eq!(exported, declared);
    let dynamic = run(Command::new("readelf").arg("-d").arg(installed().join(HOST[1])));
    assert!(dynamic.contains("soname: [libvenus_host.so.0]"), "{dynamic}");
}

#[test]
fn the_header_is_c_plus_plus_too() {
    if Command::new("c++").arg("--version").output().is_err() {
        return skip("the_header_is_c_plus_plus_too", "there is no c++");
    }
    let source = installed().join("header.cpp");
    fs::write(&source, "#include <venus_host.h>\nint main() { return venus_host_version() ? 0 : 1; }\n").unwrap();
    run(Command::new("c++")
        .args(["-std=c++17", "-Wall", "-Wextra", "-Werror", "-fsyntax-only"])
        .arg(&source)
        .arg(format!("-I{}", installed().join("include/venus").display())));
}

#[test]
#[ignore = "needs the root with Swift and that of a guest, for its driver"]
fn a_program_in_swift_draws_on_memory_of_its_own() {
    const NAME: &str = "a_program_in_swift_draws_on_memory_of_its_own";
    let Some(swift) = path_or_skip(NAME, SWIFT_VARIABLE) else { return };
    let Some(driver) = path_or_skip(NAME, Suite::Sid.variable()) else { return };
    let (swift, driver) = (Guest::at("swift", swift), Guest::at("sid", driver));
    let inside = |program: &str, vulkan, args: &[&str]| {
        let run = swift.command(program, vulkan).args(args.iter().copied()).bind("here", installed()).limit(LIMIT);
        let finished = run.output().expect("the Swift root can be entered");
        assert!(finished.success(), "{program} {args:?}\n{}\n{}", finished.stdout, finished.stderr);
        finished.stdout
    };
    let compile = |args: &[&str]| {
        let common = ["-warnings-as-errors", "-I/run/here/include/venus", "-I/run/here", "-L/run/here/lib"];
        let common = [&common[..], &["-Xlinker", "-rpath=/run/here/lib"]].concat();
        inside("swiftc", Vulkan::Any, &[&common, args].concat())
    };
    compile(&[
        "-swift-version",
        "6",
        "-parse-as-library",
        "-emit-library",
        "-emit-module",
        "-emit-module-path",
        "/run/here/VenusHost.swiftmodule",
        "-module-name",
        "VenusHost",
        "-o",
        "/run/here/lib/libVenusHost.so",
        "/run/here/share/venus/swift/VenusHost.swift",
    ]);
    compile(&["-I/run/here/include/guest", "-lVenusHost", "-o", "/run/here/monitor", "/run/here/monitor.swift"]);
    let said = inside("/run/here/monitor", Vulkan::LavapipeOf(&driver), &[]);
    assert!(said.starts_with("drew a triangle in "), "{said}");
}
