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

/// Where the installation is in the root with Swift.
const INSIDE: &str = "/run/here";

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
    let mut installation = Installation::new(Path::new(INSIDE), Some(&folder)).expect("an absolute path");
    installation.host(&host).expect("an installation");
    let built = host.with_file_name("libvenus_guest_c.so");
    let programs = Path::new("venus-host/capi/tests/programs");
    for (from, place) in [
        (&*built, "lib/libvenus_guest_c.so"),
        (Path::new("tests/guest/c/include/venus_guest.h"), "include/guest/venus_guest.h"),
        (Path::new("tests/guest/c/include/module.modulemap"), "include/guest/module.modulemap"),
        (&programs.join("triangle.c"), "triangle.c"),
        (&programs.join("monitor.swift"), "monitor.swift"),
        (&programs.join("package/Package.swift"), "package/Package.swift"),
        (&programs.join("package/Sources/app/main.swift"), "package/Sources/app/main.swift"),
    ] {
        let contents = fs::read(workspace().join(from)).expect("a file can be read");
        installation.put(Path::new(place), &contents, 0o644).expect("a file can be written");
    }
    folder.join(INSIDE.trim_start_matches('/'))
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

/// The root with Swift; without it, the test skips itself.
fn swift(name: &str) -> Option<Guest> {
    path_or_skip(name, SWIFT_VARIABLE).map(|root| Guest::at("swift", root))
}

/// Runs a program in the root with Swift, and returns what it prints.
fn inside(swift: &Guest, program: &str, vulkan: Vulkan<'_>, args: &[&str]) -> String {
    let run = swift.command(program, vulkan).args(args.iter().copied()).bind("here", installed()).limit(LIMIT);
    let run = run.env("HOME", "/tmp").env("PKG_CONFIG_PATH", &format!("{INSIDE}/lib/pkgconfig"));
    let finished =
        run.env("LD_LIBRARY_PATH", &format!("{INSIDE}/lib")).output().expect("the Swift root can be entered");
    assert!(finished.success(), "{program} {args:?}\n{}\n{}", finished.stdout, finished.stderr);
    finished.stdout
}

#[test]
#[ignore = "needs the root with Swift"]
fn an_app_depends_on_the_package() {
    let Some(swift) = swift("an_app_depends_on_the_package") else { return };
    inside(&swift, "swift", Vulkan::Any, &["build", "--disable-sandbox", "--package-path", "/run/here/package"]);
    let said = inside(&swift, "/run/here/package/.build/debug/app", Vulkan::Any, &[]);
    assert_eq!(said, "compatible: true, a capability set of 160 bytes\n");
}

#[test]
#[ignore = "needs the root with Swift and that of a guest, for its driver"]
fn a_program_in_swift_draws_on_memory_of_its_own() {
    const NAME: &str = "a_program_in_swift_draws_on_memory_of_its_own";
    let Some(swift) = swift(NAME) else { return };
    let Some(driver) = path_or_skip(NAME, Suite::Sid.variable()) else { return };
    let driver = Guest::at("sid", driver);
    let compile = |args: &[&str]| {
        let common = ["-warnings-as-errors", "-I/run/here/include/venus", "-I/run/here", "-L/run/here/lib"];
        let common = [&common[..], &["-Xlinker", "-rpath=/run/here/lib"]].concat();
        inside(&swift, "swiftc", Vulkan::Any, &[&common, args].concat())
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
    let said = inside(&swift, "/run/here/monitor", Vulkan::LavapipeOf(&driver), &[]);
    assert!(said.starts_with("drew a triangle in "), "{said}");
}
