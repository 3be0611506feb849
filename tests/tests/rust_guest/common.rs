//! What every test here starts from: a host, and guests for it.

use std::path::{Path, PathBuf};
use std::time::Duration;
use venus_tests::guest::Guest;
use xtask::server::Server;
use xtask::skipping::{HOST_VARIABLE, skip_without};

/// How long the host may take to clean up after guests.
pub(crate) const TEARDOWN: Duration = Duration::from_secs(10);

/// Starts the host under test; without one, the test `name` is skipped.
pub(crate) fn host(name: &str) -> Option<Server> {
    let Some(program) = std::env::var_os(HOST_VARIABLE).map(PathBuf::from) else {
        skip_without(name, HOST_VARIABLE);
        return None;
    };
    Some(Server::start(&program, [""; 0]).expect("the host starts"))
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
