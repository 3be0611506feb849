//! What `cargo xtask test` and the end-to-end tests tell each other: which host to test, and which tests skipped
//! themselves.

use std::io::Write as _;
use std::path::PathBuf;

/// Tells end-to-end tests which program is the host.
pub const HOST_VARIABLE: &str = "VENUS_HOST";

/// Tells end-to-end tests where the program of the cases is.
pub const CASES_VARIABLE: &str = "VENUS_CASES";

/// Tells end-to-end tests where the root with a Swift compiler is.
pub const SWIFT_VARIABLE: &str = "VENUS_SWIFT_ROOT";

/// Tells end-to-end tests where the library is that makes a guest its own host.
pub const IN_PROCESS_VARIABLE: &str = "VENUS_IN_PROCESS";

/// Names the file in which a test that skips itself leaves a line: `name: reason`.
pub const SKIPPED_VARIABLE: &str = "VENUS_SKIPPED_TESTS";

/// The path that `variable` holds; without it, the test `name` skips itself.
///
/// # Panics
///
/// As [`skip`].
pub fn path_or_skip(name: &str, variable: &str) -> Option<PathBuf> {
    let path = std::env::var_os(variable).map(PathBuf::from);
    if path.is_none() {
        skip_without(name, variable);
    }
    path
}

/// Notes that the test `name` skips itself because `variable` is not set.
///
/// # Panics
///
/// As [`skip`].
pub fn skip_without(name: &str, variable: &str) {
    skip(name, &format!("{variable} is not set; run `cargo xtask test`"));
}

/// Notes that the test `name` skips itself, and why.
///
/// # Panics
///
/// If `cargo xtask test` waits for the note and it cannot be left: the test would be counted as passed.
pub fn skip(name: &str, reason: &str) {
    let note = format!("{name}: {reason}");
    eprintln!("skipped {note}");
    let Some(path) = std::env::var_os(SKIPPED_VARIABLE) else { return };
    let mut file = std::fs::File::options().append(true).open(path).expect("cargo xtask test made this file");
    // One write for one line: tests run in parallel.
    file.write_all(format!("{note}\n").as_bytes()).expect("the file of skipped tests takes a line");
}
