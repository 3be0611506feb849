//! A monitor that is not QEMU: the program of `tests/rutabaga`, on the crate that crosvm and libkrun have for their
//! virtio-gpu device, built against this project's libvirglrenderer as those are.

use std::{process::Command, time::Duration};

use testbed::{
    cargo::{Development, build_in},
    installation::Installation,
    process::{Running, tethered},
    skipping::{HOST_VARIABLE, path_or_skip, skip},
    workspace,
};

/// What the program needs on an idle machine is a second.
const LIMIT: Duration = Duration::from_secs(300);

#[test]
fn a_guest_draws_through_rutabaga() {
    const NAME: &str = "a_guest_draws_through_rutabaga";
    // The drivers are there where the host is.
    if path_or_skip(NAME, HOST_VARIABLE).is_none() {
        return;
    }
    if Command::new("pkg-config").arg("--version").output().is_err() {
        return skip(NAME, "there is no pkg-config");
    }
    let target = workspace().join("target/rutabaga");
    let prefix = target.join("prefix");
    let library = Development::here().library(&["venus-virglrenderer"]).unwrap();
    // The same place each time, so that nothing is built again.
    let _former = std::fs::remove_dir_all(&prefix);
    Installation::new(&prefix, None).unwrap().virglrenderer(&library).unwrap();
    let arguments = ["--locked", "--manifest-path", "tests/rutabaga/Cargo.toml", "--target-dir", "target/rutabaga"];
    let found_by = [("PKG_CONFIG_PATH", prefix.join("lib/pkgconfig"))];
    let program = build_in(&arguments, &found_by).unwrap();

    for isolation in ["thread", "process"] {
        let mut command = tethered(&program);
        command.env("LD_LIBRARY_PATH", prefix.join("lib")).env("VENUS_ISOLATION", isolation);
        let finished = Running::start(&mut command, LIMIT).unwrap().finish().unwrap();
        let finished = finished.expect_success(&format!("the monitor, with a {isolation} for each context")).unwrap();
        let expected = ["context 1 drew a triangle", "context 2 drew a triangle", "a blob outlived its context"];
        // A debug build of rutabaga_gfx sends standard error, and what drivers say there, to standard output.
        let said: Vec<&str> = finished.stdout.lines().filter(|line| expected.contains(line)).collect();
        assert_eq!(said, expected, "{isolation}: {}", finished.stdout);
    }
}
