//! What every test here starts from: a host, and guests for it.

use std::path::Path;
use std::time::Duration;
use testbed::server::Server;
use testbed::skipping::{HOST_VARIABLE, path_or_skip};
use venus_guest::Guest;

/// How long the host may take to clean up after guests.
pub(crate) const TEARDOWN: Duration = Duration::from_secs(10);

/// Starts the host under test; without one, the test `name` is skipped.
pub(crate) fn host(name: &str) -> Option<Server> {
    host_with(name, &[])
}

/// The same, with these arguments.
pub(crate) fn host_with(name: &str, arguments: &[&str]) -> Option<Server> {
    let program = path_or_skip(name, HOST_VARIABLE)?;
    Some(Server::start(&program, arguments).expect("the host starts"))
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
