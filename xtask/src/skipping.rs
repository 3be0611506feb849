//! What `cargo xtask test` and the end-to-end tests tell each other: which host to test, and which tests skipped
//! themselves.

use std::io::Write as _;

/// Tells end-to-end tests which program is the host.
pub const HOST_VARIABLE: &str = "VENUS_HOST";

/// Names the file in which a test that skips itself leaves a line: `name: reason`.
pub const SKIPPED_VARIABLE: &str = "VENUS_SKIPPED_TESTS";

/// Notes that the test `name` skips itself because `variable` is not set.
///
/// # Panics
///
/// If `cargo xtask test` waits for the note and it cannot be left: the test would be counted as passed.
pub fn skip_without(name: &str, variable: &str) {
    let note = format!("{name}: {variable} is not set; run `cargo xtask test`");
    eprintln!("skipped {note}");
    let Some(path) = std::env::var_os(SKIPPED_VARIABLE) else { return };
    let mut file = std::fs::File::options().append(true).open(path).expect("cargo xtask test made this file");
    // One write for one line: tests run in parallel.
    file.write_all(format!("{note}\n").as_bytes()).expect("the file of skipped tests takes a line");
}
