//! What every test here starts from: a host, and guests for it.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;
use venus_tests::guest::Guest;
use xtask::server::Server;

/// The host program under test.
const HOST_VARIABLE: &str = "VENUS_HOST";
/// The file that collects the names of skipped tests, for the last line of `cargo xtask test`.
const SKIPPED_VARIABLE: &str = "VENUS_SKIPPED_TESTS";

/// How long the host may take to clean up after guests.
pub(crate) const TEARDOWN: Duration = Duration::from_secs(10);

/// Starts the host under test; without one, the test `name` is skipped.
pub(crate) fn host(name: &str) -> Option<Server> {
    let Some(program) = std::env::var_os(HOST_VARIABLE).map(PathBuf::from) else {
        skip(name, &format!("{HOST_VARIABLE} is not set; run `cargo xtask test`"));
        return None;
    };
    Some(Server::start(&program, [""; 0]).expect("the host starts"))
}

fn skip(name: &str, reason: &str) {
    eprintln!("skipped {name}: {reason}");
    let Some(path) = std::env::var_os(SKIPPED_VARIABLE) else {
        return;
    };
    let file = std::fs::File::options().append(true).open(path);
    let mut file = file.expect("cargo xtask test made this file");
    // One write for one line: tests run in parallel.
    file.write_all(format!("{name}: {reason}\n").as_bytes()).expect("the file of skipped tests takes a line");
}

/// A guest of that host.
pub(crate) fn guest(server: &Server) -> Guest {
    guest_at(&server.socket())
}

/// A guest of the host behind that socket.
pub(crate) fn guest_at(socket: &Path) -> Guest {
    // SAFETY: what tests send is filled through ash's setters, which tie every pointer to what it leads to.
    unsafe { Guest::connect(socket, "venus-tests") }.expect("the host takes a guest")
}
